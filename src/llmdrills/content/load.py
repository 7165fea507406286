"""Load a workspace: read every file, look up every reference, then raise all problems at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmdrills.content.deckfile import DeckDraft, Reference, read_deck
from llmdrills.content.model import Deck, Kata, Workspace
from llmdrills.content.report import Report, did_you_mean
from llmdrills.content.workspacefile import WorkspaceFile, read_workspace_file
from llmdrills.content.yamlfile import paused_gc
from llmdrills.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from llmdrills.content.katafile import KataDraft

__all__ = [
    "READINESS",
    "deck_files",
    "figure_names",
    "kata_folders",
    "load_decks",
    "load_katas",
    "load_workspace",
    "unread_files",
]

READINESS = "readiness"
"""The deck whose notes are the items of the readiness checklist."""


def load_workspace(root: Path, cache_dir: Path | None = None) -> Workspace:
    """Read and check everything in the workspace at `root`.

    With `cache_dir`, deck files that were read before and had no problem are remembered there.
    Raises ContentError with every problem, their files relative to `root`; UsageError when there is no such folder.
    """
    root = root.absolute()
    if not root.is_dir():
        raise UsageError(f"{root} is not a folder", "name a workspace; `llmdrills init` makes one")
    report = Report(root)
    with paused_gc():
        about = read_workspace_file(root, report)
        decks = [_read(file, report, cache_dir, about) for file in deck_files(root)]
        katas = _read_katas(root, report, about)
        _check_ids(decks, report)
        if katas:
            _check_derived_ids(katas, report)
        _check_references(decks, katas, root, report)
        _check_core(decks, katas, report)
        _check_cycles(katas, report)
        if not decks and not katas:
            _tell_unread(root, report)
    report.raise_if_any()
    loaded = tuple(draft.deck for draft in decks if draft.deck)
    readiness = tuple(note.id for deck in loaded if deck.id == READINESS for note in deck.notes)
    whole = tuple(draft.kata for draft in katas if draft.kata)
    return Workspace(root=root, decks=loaded, katas=whole, readiness=readiness, namespace=about.namespace, about=about)


def _read(file: Path, report: Report, cache_dir: Path | None, about: WorkspaceFile) -> DeckDraft:
    if cache_dir is None:
        return read_deck(file, report, about)
    from llmdrills.content.remembered import read_deck_again

    return read_deck_again(file, report, cache_dir, about)


def _read_katas(root: Path, report: Report, about: WorkspaceFile) -> list[KataDraft]:
    """The katas; what reads them is imported where there are any."""
    folders = kata_folders(root)
    for folder in _half_katas(root):
        todo = "every kata has one: bring it back, or move the folder out of drills/"
        report.add(folder / "kata.yaml", 1, 1, "the file is missing", todo)
    if not folders:
        return []
    from llmdrills.content.katafile import read_kata

    return [read_kata(folder, report, about) for folder in folders]


def load_decks(root: Path, cache_dir: Path | None = None) -> tuple[Deck, ...]:
    """Read the decks alone, which takes a tenth of `load_workspace`; what they refer to is looked up there only.

    Raises ContentError.
    """
    root = root.absolute()
    report = Report(root)
    with paused_gc():
        about = read_workspace_file(root, report)
        decks = [_read(file, report, cache_dir, about) for file in deck_files(root)]
        _check_ids(decks, report)
    report.raise_if_any()
    return tuple(draft.deck for draft in decks if draft.deck)


def load_katas(root: Path) -> tuple[Kata, ...]:
    """Read and check the katas alone. `proves` is looked up by `load_workspace` only. Raises ContentError."""
    root = root.absolute()
    report = Report(root)
    about = read_workspace_file(root, report)
    katas = _read_katas(root, report, about)
    known = {draft.id for draft in katas} | {folder.name for folder in _half_katas(root)}
    for draft in katas:
        for reference in draft.references:
            if reference.kind == "kata":
                _look_up(reference, known, report)
    _check_cycles(katas, report)
    report.raise_if_any()
    return tuple(draft.kata for draft in katas if draft.kata)


def deck_files(root: Path) -> list[Path]:
    """decks/*.yaml, sorted by name."""
    folder = root / "decks"
    return sorted(path for path in folder.glob("*.yaml") if not path.name.startswith("."))


def unread_files(root: Path) -> list[Path]:
    """Files that look like decks and are not read: `.yml`, or a folder too deep."""
    folder = root / "decks"
    found = [*folder.glob("*.yml"), *folder.glob("*/*.yaml"), *folder.glob("*/*.yml")]
    return sorted(path for path in found if not path.name.startswith("."))


def _tell_unread(root: Path, report: Report) -> None:
    """A workspace without a deck whose author wrote one where it is not looked for."""
    for path in unread_files(root):
        report.add(path, 1, 1, "this file is not read", "decks are the files decks/NAME.yaml: move or rename it")


def kata_folders(root: Path) -> list[Path]:
    """The folders of drills/ that hold a kata.yaml, sorted by name."""
    return sorted(path.parent for path in (root / "drills").glob("*/kata.yaml"))


def _half_katas(root: Path) -> list[Path]:
    """The folders of drills/ that hold a reference.py and no kata.yaml: somebody lost a kata, and is to be told."""
    return sorted(
        path.parent for path in (root / "drills").glob("*/reference.py") if not (path.parent / "kata.yaml").exists()
    )


def figure_names(root: Path) -> set[str]:
    """The names of the figures in decks/figures: NAME.LANGUAGE.MODE.svg, or NAME.svg."""
    return {path.name.partition(".")[0] for path in (root / "decks" / "figures").glob("*.svg")}


def _check_ids(decks: Iterable[DeckDraft], report: Report) -> None:
    first: dict[str, tuple[Path, tuple[int, int]]] = {}
    for draft in decks:
        for name, at in draft.ids:
            if name not in first:
                first[name] = (draft.file, at)
                continue
            file, (line, column) = first[name]
            what = f"the id `{name}` is used twice: first at {report.shown(file)}:{line}:{column}"
            report.add(draft.file, *at, what, "give one of them another id; a released note keeps its own")


def _check_derived_ids(katas: Iterable[KataDraft], report: Report) -> None:
    from llmdrills.content.derive import bug_id

    first: dict[str, str] = {}
    for draft in katas:
        for slip in draft.kata.slips if draft.kata else ():
            name = bug_id(draft.id, slip)
            place = slip.position
            if name in first and slip.card:
                what = f"its spot-the-bug note would have the id `{name}`, which {first[name]} has"
                report.add(place.file, place.line, place.column, what, "give the slip another id, or a `note:`")
            elif slip.card:
                first[name] = f"{place.file}:{place.line}"


def _check_references(decks: list[DeckDraft], katas: list[KataDraft], root: Path, report: Report) -> None:
    items = {name for draft in decks if draft.file.stem == READINESS for name, _ in draft.ids}
    readable = not any(draft.file.stem == READINESS and draft.deck is None for draft in decks)
    known: Mapping[str, set[str]] = {
        "kata": {draft.id for draft in katas} | {folder.name for folder in _half_katas(root)},
        "figure": figure_names(root),
        "proves": items,
    }
    for references in [*(draft.references for draft in decks), *(draft.references for draft in katas)]:
        for reference in references:
            # If the readiness deck cannot be read, every `proves` would seem wrong. Report only the deck's problem.
            if readable or reference.kind != "proves":
                _look_up(reference, known[reference.kind], report)


def _check_core(decks: list[DeckDraft], katas: list[KataDraft], report: Report) -> None:
    """A kata shows an item of the checklist only if it is evidence for it."""
    proves = {draft.id: draft.kata.proves for draft in katas if draft.kata}
    for note in (note for draft in decks if draft.deck for note in draft.deck.notes):
        for number, kata in enumerate(note.core):
            if kata in proves and note.id not in proves[kata]:
                place = note.positions[f"core.{number}"]
                what = f"the kata `{kata}` is core here, and does not prove `{note.id}`"
                todo = f"add `{note.id}` to `proves` in drills/{kata}/kata.yaml, or name another kata"
                report.add(report.root / place.file, place.line, place.column, what, todo)


_WHERE = {
    "kata": "no folder of drills/ is named `{}`",
    "figure": "decks/figures has no figure `{}`",
    "proves": "the deck `readiness` has no note `{}`",
}


def _look_up(reference: Reference, known: set[str], report: Report) -> None:
    if reference.id not in known:
        what = _WHERE[reference.kind].format(reference.id)
        report.add(*reference.position, what, did_you_mean(reference.id, sorted(known)))


def _check_cycles(katas: list[KataDraft], report: Report) -> None:
    """Report cycles of `requires`: a learner could never begin a kata that requires itself."""
    requires = {draft.id: [name for name, _ in draft.requires] for draft in katas}
    for draft in katas:
        for name, at in draft.requires:
            if (way := _way(name, draft.id, requires)) is not None and draft.id == min(way):
                shown = " → ".join([draft.id, *way])
                report.add(draft.file, *at, f"`requires` forms a cycle: {shown}", "drop one of them")


def _way(start: str, goal: str, requires: Mapping[str, list[str]]) -> list[str] | None:
    """The shortest way from `start` to `goal`, both included."""
    ways: list[list[str]] = [[start]]
    seen = {start}
    for way in ways:
        if way[-1] == goal:
            return way
        for following in requires.get(way[-1], ()):
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return None
