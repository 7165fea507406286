"""workspace.toml: what is true of a whole workspace, its namespace before all.

The shipped workspace has none and uses `llmdrills`; a copy made by `llmdrills init` gets one of its own, so that its
notes and the shipped ones can live in one collection without overwriting each other.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from llmdrills.content.kata import TOPICS
from llmdrills.content.report import did_you_mean
from llmdrills.language import LANGUAGE_TAG, LANGUAGES, Bilingual, Language, many_languages

if TYPE_CHECKING:
    from pathlib import Path

    from llmdrills.content.report import Report

__all__ = [
    "DECK_ROOT",
    "DEFAULT_NAMESPACE",
    "FILE_NAME",
    "NOTE_TYPE",
    "WorkspaceFile",
    "file_text",
    "read_workspace_file",
]

DEFAULT_NAMESPACE = "llmdrills"
FILE_NAME = "workspace.toml"
DECK_ROOT = "LLM Drills"
NOTE_TYPE = "LLM Drills"
_NAME = re.compile(r"[^\x00-\x1f\x7f\"{}]{1,60}")
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class WorkspaceFile:
    """What workspace.toml says, or what holds where it says nothing."""

    namespace: str = DEFAULT_NAMESPACE
    languages: tuple[Language, ...] = LANGUAGES
    deck_root: str = DECK_ROOT
    note_type: str = NOTE_TYPE
    css: str = ""  # the text of the file, put behind the style of the cards
    topics: Mapping[str, Bilingual] = field(default_factory=dict)  # the author's own, with their titles
    waive: Mapping[str, str] = field(default_factory=dict)  # rule → why it does not hold in this workspace
    began_from: str = ""  # the release of llmdrills that `init` copied

    @property
    def all_topics(self) -> tuple[str, ...]:
        """The topics that a note may have."""
        return (*TOPICS, *(name for name in self.topics if name not in TOPICS))


def file_text(said: WorkspaceFile) -> str:
    """A workspace.toml that says it."""
    lines = [
        "# The guids of this workspace's notes are made from this namespace. Never change it once a package was",
        "# imported into Anki: every note would come back as a new one.",
        f'namespace = "{said.namespace}"',
    ]
    if said.deck_root != DECK_ROOT:
        lines += [
            "",
            "# The deck of Anki's in which all decks of this workspace lie.",
            f'deck_root = "{said.deck_root}"',
        ]
    if said.languages != LANGUAGES:
        shown = ", ".join(f'"{name}"' for name in said.languages)
        lines += ["", "# The languages that the decks are written in.", f"languages = [{shown}]"]
    if said.began_from:
        lines += ["", "# The release of llmdrills that this workspace began from.", f'began_from = "{said.began_from}"']
    return "\n".join(lines) + "\n"


def read_workspace_file(root: Path, report: Report) -> WorkspaceFile:
    """The workspace's file; what holds without one where there is none. Problems go to `report`."""
    from llmdrills.content.yamlfile import read_text

    path = root / FILE_NAME
    if not path.exists():
        return WorkspaceFile()
    text = read_text(path, report)
    if text is None:
        return WorkspaceFile()
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        place = re.search(r"line (\d+), column (\d+)", str(error))
        line, column = (int(place[1]), int(place[2])) if place else (1, 1)
        report.add(path, line, column, f"not valid TOML ({error})", 'write `key = "…"`, one a line')
        return WorkspaceFile()
    return _File(path, text, report, root).read(values)


class _File:
    """Reads the keys one by one, so that all problems are told."""

    def __init__(self, path: Path, text: str, report: Report, root: Path) -> None:
        self._path, self._text, self._report, self._root = path, text, report, root

    def _wrong(self, key: str, what: str, todo: str) -> None:
        found = re.search(rf"^\s*\[?\"?{re.escape(key)}\b", self._text, re.MULTILINE)
        line = self._text.count("\n", 0, found.start()) + 1 if found else 1
        self._report.add(self._path, line, 1, what, todo)

    def read(self, values: dict[str, Any]) -> WorkspaceFile:
        """The whole file."""
        keys = ("namespace", "languages", "deck_root", "note_type", "css", "topics", "waive", "began_from")
        for name in values:
            if name not in keys:
                self._wrong(name, f"unknown key `{name}`", did_you_mean(name, keys))
        namespace = values.get("namespace")
        if not isinstance(namespace, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", namespace):
            todo = "write the one that `llmdrills init` made: letters, digits and `.`, `_`, `-`"
            self._wrong("namespace", "there is no usable `namespace`", todo)
            namespace = DEFAULT_NAMESPACE
        return WorkspaceFile(
            namespace=namespace,
            languages=self._languages(values.get("languages", list(LANGUAGES))),
            deck_root=self._name(values, "deck_root", DECK_ROOT),
            note_type=self._name(values, "note_type", NOTE_TYPE),
            css=self._css(values.get("css", "")),
            topics=self._topics(values.get("topics", {})),
            waive=self._waive(values.get("waive", {})),
            began_from=str(values.get("began_from", "")),
        )

    def _languages(self, given: Any) -> tuple[Language, ...]:
        named = given if isinstance(given, list) and given else [None]
        if all(isinstance(one, str) and LANGUAGE_TAG.fullmatch(one) for one in named) and len(set(named)) == len(named):
            return cast("tuple[Language, ...]", tuple(named))
        self._wrong(
            "languages", "`languages` is no list of languages", 'write tags such as `languages = ["en", "pt-BR"]`'
        )
        return LANGUAGES

    def _name(self, values: dict[str, Any], key: str, otherwise: str) -> str:
        given = values.get(key, otherwise)
        if isinstance(given, str) and _NAME.fullmatch(given) and given.strip(": ") == given:
            return given
        self._wrong(key, f"`{key}` is no name for Anki", "write at most 60 characters, no quotes and no braces")
        return otherwise

    def _css(self, given: Any) -> str:
        if not given:
            return ""
        from llmdrills.content.yamlfile import read_text

        path = self._root / str(given)
        if not isinstance(given, str) or not path.resolve().is_relative_to(self._root.resolve()):
            self._wrong("css", f"`css` is `{given}`", "name a file of this workspace, such as `cards.css`")
            return ""
        text = read_text(path, self._report) or ""
        if found := re.search(r"@import|url\(\s*[\"']?(?!data:|#)|</style", text, re.IGNORECASE):
            line = text.count("\n", 0, found.start()) + 1
            todo = "a card loads nothing from elsewhere: take it out"
            self._report.add(path, line, 1, f"the style holds `{found[0]}`", todo)
        return text

    def _topics(self, given: Any) -> dict[str, Bilingual]:
        found: dict[str, Bilingual] = {}
        for name, title in given.items() if isinstance(given, dict) else [("", given)]:
            titles = {"en": title} if isinstance(title, str) else title
            right = isinstance(titles, dict) and titles and all(isinstance(one, str) for one in titles.values())
            if not right or not _SLUG.fullmatch(name):
                todo = 'write `[topics]` and below it `my-topic = "My topic"`, or `my-topic = {en = "…", zh = "…"}`'
                self._wrong(name or "topics", f"`topics.{name}` is no topic with a title", todo)
                continue
            found[name] = many_languages(titles)
        return found

    def _waive(self, given: Any) -> dict[str, str]:
        if isinstance(given, dict) and all(isinstance(one, str) and one.strip() for one in given.values()):
            return dict(given)
        self._wrong("waive", "`waive` is no table of reasons", 'write `[waive]` and below it `rule = "why"`')
        return {}
