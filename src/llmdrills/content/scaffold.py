"""Write new workspaces, decks, notes and katas, for `llmdrills init` and `llmdrills new`. Nothing is overwritten."""

from __future__ import annotations

import re
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from llmdrills import __version__
from llmdrills.content import templates
from llmdrills.content.deckfile import DERIVED_PREFIX, read_deck
from llmdrills.content.report import Report
from llmdrills.content.schema import write_schemas
from llmdrills.content.workspacefile import DECK_ROOT, FILE_NAME, WorkspaceFile, file_text, read_workspace_file
from llmdrills.errors import ContentError, UsageError
from llmdrills.files import write_atomically
from llmdrills.language import LANGUAGES, Language

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["check_slug", "copy_workspace", "new_deck", "new_kata", "new_note"]

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PARTS = ("decks", "drills")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*", "*.pyc", "deck.lock")


_BESIDE = {".gitattributes": "decks/deck.lock merge=union\n", ".gitignore": "build/\n"}
"""Files of a new workspace that an author may have already: they are left as they are then."""


def copy_workspace(
    source: Path | None, target: Path, namespace: str | None = None, languages: tuple[Language, ...] = LANGUAGES
) -> tuple[Path, ...]:
    """Copy decks/ and drills/ to a folder of the user's own, with a namespace of its own (a fresh UUID unless given).

    Without a source the workspace begins empty. Its decks lie in a deck of Anki's that is called as the folder. The
    lock stays behind: it belongs to the guids of the old namespace. Returns what was made. Raises UsageError when
    something of the workspace is there already, or the folder can't be written.
    """
    there = [name for name in (*_PARTS, FILE_NAME) if (target / name).exists()]
    if there or (target.exists() and not target.is_dir()):
        what = f"{target} holds {' and '.join(there)} already" if there else f"{target} is a file"
        raise UsageError(what, "name another folder; nothing was changed")
    if source is not None and target.resolve().is_relative_to((source / _PARTS[0]).resolve()):
        raise UsageError(f"{target} is inside the workspace that you want to copy", "name another folder")
    made = [target / name for name in (*_PARTS, FILE_NAME)]
    try:
        target.mkdir(parents=True, exist_ok=True)
        # Copy to a folder beside it first, so that an interrupted copy leaves no half workspace behind.
        with tempfile.TemporaryDirectory(prefix=".llmdrills-", dir=target) as staging:
            for name in _PARTS:
                if source is not None and (source / name).is_dir():
                    shutil.copytree(
                        source / name, Path(staging) / name, ignore=_LEFT_OUT, copy_function=shutil.copyfile
                    )
                else:
                    (Path(staging) / name).mkdir()
            said = WorkspaceFile(
                namespace=namespace or str(uuid.uuid4()),
                languages=languages,
                deck_root=_root_name(target),
                began_from=__version__ if source is not None else "",
            )
            write_atomically(Path(staging) / FILE_NAME, file_text(said))
            for name, text in _BESIDE.items():
                write_atomically(Path(staging) / name, text)
            beside = [target / name for name in _BESIDE if not (target / name).exists()]
            for path in (*made, *beside):
                (Path(staging) / path.name).rename(path)
        beside += write_schemas(target / "docs" / "schema")  # where the files of drills/ look for them
    except OSError as error:
        raise UsageError(
            f"cannot write {target} ({_why(error)})", "make room there, or name another folder; nothing was changed"
        ) from error
    return (*made, *beside)


def _root_name(target: Path) -> str:
    """The deck of Anki's for a new workspace: another than the shipped one, or each first field would stand twice."""
    name = re.sub(r"[\x00-\x1f\x7f\"{}:]+", " ", target.resolve().name).strip()[:60]
    return name if name and name != DECK_ROOT else "My drills"


def _why(error: OSError) -> str:
    """The reason in a few words: copying a folder reports every file that it could not copy."""
    if isinstance(error, shutil.Error) and error.args and error.args[0]:
        return str(error.args[0][0][-1]).partition(":")[0]
    return error.strerror or str(error)


def new_deck(root: Path, deck_id: str) -> Path:
    """Write decks/ID.yaml with one note to replace. Raises UsageError when it exists or the id is no slug."""
    check_slug(deck_id, "deck")
    path = root / "decks" / f"{deck_id}.yaml"
    _write(path, templates.in_languages(templates.deck(deck_id), _about(root).languages))
    return path


def new_kata(root: Path, kata_id: str) -> tuple[Path, ...]:
    """Write drills/ID/ with a small kata that works, to be replaced piece by piece. Raises UsageError as `new_deck`."""
    check_slug(kata_id, "kata")
    folder = root / "drills" / kata_id
    if folder.exists():
        raise UsageError(f"{folder} exists already", "choose another id; nothing was changed")
    entry = kata_id.replace("-", "_")
    if not entry.isidentifier():
        raise UsageError(f"the kata `{kata_id}` would have the entry `{entry}`", "begin the id with a letter")
    files: dict[str, Callable[[str, str], str]] = {
        "reference.py": templates.reference,
        "reference.zh.yaml": templates.reference_texts,
        "cases.py": templates.cases,
        "cases.zh.yaml": templates.case_texts,
        "slips.yaml": templates.slips,
        "kata.yaml": templates.kata,  # written last, because a folder with a kata.yaml counts as a kata
    }
    languages = _about(root).languages
    if "zh" not in languages:
        files = {name: make for name, make in files.items() if ".zh." not in name}
    for name, make in files.items():
        text = make(kata_id, entry)
        _write(folder / name, templates.in_languages(text, languages) if name == "kata.yaml" else text)
    return tuple(folder / name for name in files)


def _about(root: Path) -> WorkspaceFile:
    report = Report(root)
    about = read_workspace_file(root, report)
    report.raise_if_any()
    return about


def new_note(root: Path, deck_id: str, note_id: str, kind: str = "question") -> tuple[Path, int]:
    """Append a note to replace to decks/DECK.yaml; returns the file and the line where it begins.

    Raises UsageError when there is no such deck, the id is taken or no slug, or the file does not end with its notes;
    ContentError when the deck has problems.
    """
    check_slug(note_id, "note")
    if note_id.startswith(DERIVED_PREFIX):
        raise UsageError(f"ids that begin with `{DERIVED_PREFIX}` belong to derived notes", "choose another id")
    if kind not in templates.NOTES:
        raise UsageError(f"there is no note type `{kind}`", f"use one of {', '.join(templates.NOTES)}")
    path = root / "decks" / f"{deck_id}.yaml"
    if not path.is_file():
        raise UsageError(f"there is no deck `{deck_id}`", f"`llmdrills new deck {deck_id}` makes one")
    if taken := _taken(root, note_id):
        raise UsageError(f"the id `{note_id}` is used in {taken}", "choose another id")
    before = path.read_bytes().decode("utf-8")
    about = _about(root)
    languages = read_deck(path, Report(root), about).languages
    text, line = _appended(before, templates.in_languages(templates.note(note_id, kind), languages))
    if not _is_right(root, path, text, note_id):
        raise UsageError(f"{path} does not end with its list of notes", "add the note by hand where it belongs")
    write_atomically(path, text)
    return path, line


def check_slug(word: str, kind: str) -> None:
    """Raise UsageError for a word that is no id."""
    if not _SLUG.fullmatch(word):
        raise UsageError(
            f"`{word}` is no id for a {kind}", "use lower-case words joined by hyphens, as in `rope-pairing`"
        )


def _write(path: Path, text: str) -> None:
    if path.exists():
        raise UsageError(f"{path} exists already", "choose another id; nothing was changed")
    try:
        write_atomically(path, text)
    except OSError as error:
        raise UsageError(
            f"cannot write {path} ({error.strerror or error})", "check the folder's permissions"
        ) from error


def _taken(root: Path, note_id: str) -> Path | None:
    report = Report(root)
    for path in sorted((root / "decks").glob("*.yaml")):
        if any(name == note_id for name, _ in read_deck(path, report, _about(root)).ids):
            return path
    if report.problems:
        raise ContentError(report.problems)
    return None


def _appended(text: str, note: str) -> tuple[str, int]:
    found = re.findall(r"^( *)- (?:id|type|topic|front):", text, re.MULTILINE)
    margin = found[-1] if found else "  "
    lines = [f"{margin}{'- ' if i == 0 else '  '}{line}".rstrip() for i, line in enumerate(note.splitlines())]
    end = "\r\n" if "\r\n" in text else "\n"
    head = text.rstrip("\r\n") + end + end
    return head + end.join(lines) + end, head.count("\n") + 1


def _is_right(root: Path, path: Path, text: str, note_id: str) -> bool:
    """Whether the new text still reads as a deck that ends with the new note."""
    with tempfile.TemporaryDirectory(prefix="llmdrills-") as folder:
        trial = Path(folder) / path.name
        trial.write_bytes(text.encode())
        report = Report(root)
        ids = [name for name, _ in read_deck(trial, report, _about(root)).ids]
    return not report.problems and bool(ids) and ids[-1] == note_id
