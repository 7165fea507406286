"""Write the notes of an import as a deck file, try it as `check` would, and put it and its media into a workspace."""

from __future__ import annotations

import contextlib
import re
import tempfile
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from llmdrills.content.deckfile import read_deck
from llmdrills.content.lint import RULES
from llmdrills.content.lint.rule import LOOKS, Context
from llmdrills.content.load import deck_files
from llmdrills.content.model import Workspace
from llmdrills.content.report import Report
from llmdrills.decks.inspection import REFUSED, inspect
from llmdrills.errors import UsageError
from llmdrills.files import write_atomically
from llmdrills.importing.found import Remark
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmdrills.content.model import Deck
    from llmdrills.content.workspacefile import WorkspaceFile
    from llmdrills.errors import Problem
    from llmdrills.importing.drafts import Draft, Drafts
    from llmdrills.importing.media import MediaBox
    from llmdrills.language import Language

__all__ = ["NewDeck", "passing", "put"]

_NEVER_WAIVED = frozenset({REFUSED, "left-out-picture", "lost-escape", "cut-by-comment", "waiver"})
"""Rules that tell that a text is not shown as it was: a note that breaks one is not taken."""
_ROUNDS = 20
_NOT_PLAIN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")

_WOULD_FAIL = Bilingual("`check` would not pass it: {what}", "无法通过 `check`：{what}")
_THERE = Bilingual("{path} exists already", "{path} 已存在")
_ANOTHER = Bilingual("name another deck with --deck; nothing was changed", "请用 --deck 另取一个名称；没有写入任何内容")
_CANNOT_WRITE = Bilingual("cannot write {path}: {why}", "无法写入 {path}：{why}")
_RIGHTS = Bilingual(
    "check the folder's permissions and the space on the disk; nothing was changed",
    "请检查文件夹权限和磁盘空间；没有写入任何内容",
)


@dataclass
class NewDeck:
    """A deck that is not written yet. `waive`: rules that its title breaks."""

    id: str
    title: str
    topic: str
    language: Language
    file: str  # what it was imported from
    notes: list[Draft] = field(default_factory=list)
    waive: dict[str, str] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """Why a rule of the linter does not hold: the text is not ours."""
        return f"as it was in {self.file}"

    def text(self) -> tuple[str, list[int]]:
        """The deck file, and the line (from 1) where each note begins."""
        lines = [
            f"# Imported from {' '.join(self.file.split())} by `llmdrills import`.",
            f"deck: {_scalar(self.id)}",
            f"title: {_scalar(self.title)}",
            f"languages: [{_scalar(self.language)}]",
            *_waivers(self.waive, ""),
            "notes:",
        ]
        starts = []
        for note in self.notes:
            starts.append(len(lines) + 1)
            lines += self._note(note)
        return "\n".join(lines) + "\n", starts

    def _note(self, note: Draft) -> list[str]:
        body = [f"id: {_scalar(note.id)}", f"type: {note.kind}", f"topic: {_scalar(self.topic)}"]
        for key in ("front", "back", "extra"):
            if value := getattr(note, key):
                body += _text(key, value)
        body += ["sources:", *(f"  - {_scalar(source)}" for source in note.sources)]
        if note.tags:
            body.append(f"tags: [{', '.join(_quoted(tag) for tag in note.tags)}]")
        body += _waivers(note.waive, "")
        return [f"{'  - ' if at == 0 else '    '}{line}" if line else "" for at, line in enumerate(body)]


def _waivers(waive: dict[str, str], margin: str) -> list[str]:
    return [f"{margin}waive:", *(f"{margin}  {rule}: {_quoted(why)}" for rule, why in waive.items())] if waive else []


def _text(key: str, value: str) -> list[str]:
    if "\n" not in value or _NOT_PLAIN.search(value):
        return [f"{key}: {_quoted(value)}"]
    mark = "|2-" if value[:1] in " \n" else "|-"
    return [f"{key}: {mark}", *(f"  {line}" if line else "" for line in value.split("\n"))]


def _scalar(value: str) -> str:
    """A value on one line, in quotes where YAML would read it as something else."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(?:[ -][A-Za-z0-9]+)*", value)
    return (
        value
        if plain and value.lower() not in {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
        else _quoted(value)
    )


def _quoted(value: str) -> str:
    if "\n" in value or _NOT_PLAIN.search(value):
        signs = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
        return '"' + re.sub(
            f"[\\\\\"\n]|{_NOT_PLAIN.pattern}", lambda one: signs.get(one[0], f"\\u{ord(one[0]):04x}"), value
        ) + '"'  # fmt: skip
    return "'" + value.replace("'", "''") + "'"


def passing(deck: NewDeck, drafts: Drafts, root: Path, about: WorkspaceFile, media: MediaBox) -> None:
    """Waive what the linter says of the wording, and take out the notes that `check` would not pass.

    `deck.notes` are those that stay; the others go to `drafts.refused`.
    """
    others = tuple(read for path in deck_files(root) if (read := read_deck(path, Report(root), about).deck) is not None)
    deck.notes = list(drafts.notes)
    for _ in range(_ROUNDS):
        if not deck.notes or not _round(deck, drafts, others, about, media):
            return
    deck.notes = []  # not reached: a round takes notes out, or waives rules, and there are few of those


def _round(deck: NewDeck, drafts: Drafts, others: tuple[Deck, ...], about: WorkspaceFile, media: MediaBox) -> bool:
    """One look at the deck as it would be; whether something had to be changed."""
    text, starts = deck.text()
    with tempfile.TemporaryDirectory(prefix="llmdrills-import-") as folder:
        staging = Path(folder)
        path = staging / "decks" / f"{deck.id}.yaml"
        write_atomically(path, text, durable=False)
        for name in set().union(*(note.media for note in deck.notes)):
            write_atomically(staging / "decks" / "media" / name, media.bytes_of(name) or b"", durable=False)
        report = Report(staging)
        read = read_deck(path, report, about).deck
        problems = [replace(one, rule=REFUSED) for one in report.problems]  # what no waiver helps
        if read is not None:
            problems += _changed_texts(deck, read, starts)
            found = Workspace(root=staging, decks=(read,), katas=(), about=about)
            problems += [one for one in inspect(found) if one.rule != "waiver"]
            whole = Workspace(root=staging, decks=(*others, read), katas=(), about=about)
            problems += _linted(whole, read, deck)
    return _settle(deck, drafts, problems, starts)


def _changed_texts(deck: NewDeck, read: Deck, starts: list[int]) -> list[Problem]:
    """Texts that YAML would give back as something else than what was written."""
    from llmdrills.errors import Problem

    found = []
    for draft, note, line in zip(deck.notes, read.notes, starts, strict=True):
        said = [both[deck.language] for both in (note.front, note.back, note.extra) if both is not None]
        if said != [text.rstrip() for text in draft.texts] or note.tags != draft.tags:
            what = "its text cannot be written as YAML"
            found.append(Problem(read.position.file, line, 1, what, "", rule=REFUSED))
    return found


def _linted(whole: Workspace, read: Deck, deck: NewDeck) -> list[Problem]:
    """What the linter says of the new deck. Of two notes that are alike, the new one waives it."""
    from llmdrills.errors import Problem

    context = Context(whole)
    ours = {note.id: note for note in read.notes}
    known = {draft.id: draft for draft in deck.notes}
    problems = []
    for name, rule in RULES.items():
        if name in whole.about.waive:
            continue
        for found in rule(context):
            note = found.note
            if name == "near-duplicate" and note is not None and note.id not in ours:
                other = re.search(r"nearly that of `([^`]+)`", found.what)
                note = ours.get(other[1]) if other else None
            if note is not None and note.id in ours:
                if name not in known[note.id].waive:
                    problems.append(Problem(read.position.file, note.position.line, 1, found.what, "", rule=name))
            elif found.deck is read and name not in deck.waive:
                problems.append(Problem(read.position.file, 1, 1, found.what, "", rule=name))
    return problems


def _settle(deck: NewDeck, drafts: Drafts, problems: Iterable[Problem], starts: list[int]) -> bool:
    gone: set[int] = set()
    changed = False
    for problem in problems:
        at = bisect_right(starts, problem.line) - 1
        waivable = problem.rule in {*RULES, *LOOKS} - _NEVER_WAIVED
        if at < 0 and waivable:
            deck.waive[problem.rule] = deck.reason
        elif waivable:
            deck.notes[at].waive[problem.rule] = deck.reason
        elif at < 0:
            raise UsageError(problem.what, problem.todo)
        elif at not in gone:
            gone.add(at)
            note = deck.notes[at]
            said = Bilingual(problem.what, _in_chinese(problem.what))
            drafts.refused.append(Remark(note.place, note.name, _WOULD_FAIL.format(what=said)))
        changed = True
    if gone:
        deck.notes = [note for at, note in enumerate(deck.notes) if at not in gone]
        deck.waive.clear()
        for note in deck.notes:
            note.waive.clear()  # it may have been alike only to one that is gone, and an idle waiver is a fault
    return changed


def _in_chinese(what: str) -> str:
    from llmdrills.messages import in_chinese

    return in_chinese(what)


def put(deck: NewDeck, root: Path, media: MediaBox) -> Path:
    """Write the media, and last the deck file: all of it, or nothing. Raises UsageError when the deck exists."""
    path = root / "decks" / f"{deck.id}.yaml"
    refuse_existing(path)
    made: list[Path] = []
    try:
        for name, data in media.taken.items():
            target = root / "decks" / "media" / name
            if not target.exists():
                made.append(target)
                write_atomically(target, data)
        write_atomically(path, deck.text()[0])
    except BaseException as error:
        for target in made:
            with contextlib.suppress(OSError):  # what cannot be taken away again harms nobody: no deck names it
                target.unlink()
        if isinstance(error, OSError):
            raise UsageError(_CANNOT_WRITE.format(path=path, why=error.strerror or error), _RIGHTS) from error
        raise
    return path


def refuse_existing(path: Path) -> None:
    """Raise UsageError where the deck file is there already."""
    if path.exists() or path.is_symlink():
        raise UsageError(_THERE.format(path=path), _ANOTHER)
