"""Look at the cards that come out: what `check` passes, `build` builds, and what was written is what a card shows.

Every note is composed as `build` composes it, and the next release is planned, without writing anything. Rules are
those of `content.lint.rule.LOOKS`; a note waives its own as it waives those of the linter. What can't be built at all
has the rule `refused`, and no waiver helps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

from llmdrills.content.cloze import deletions, opaque_spans
from llmdrills.content.computed import Computed, load_computed
from llmdrills.content.lint.rule import LOOKS, Found, place
from llmdrills.decks.build import all_decks, languages_of, look_of
from llmdrills.decks.cache import RenderCache
from llmdrills.decks.cloze import MARKS, mark
from llmdrills.decks.compose import Composer
from llmdrills.decks.figures import Figures
from llmdrills.decks.lock import lock_file, read_lock
from llmdrills.decks.markdown import formulas, renderer, shown_text
from llmdrills.decks.media import SOUNDS, references
from llmdrills.decks.notetypes import note_types
from llmdrills.decks.release import plan_release
from llmdrills.decks.svg import svg_fault
from llmdrills.decks.tex import tex_fault
from llmdrills.decks.values import Values
from llmdrills.errors import BuildError, ContentError, Problem

if TYPE_CHECKING:
    from llmdrills.content.model import Deck, Note, NoteType, Workspace
    from llmdrills.decks.compose import ComposedNote
    from llmdrills.decks.lock import Lock, NoteLine
    from llmdrills.decks.notetypes import NoteTypeSpec
    from llmdrills.language import Language

__all__ = ["REFUSED", "inspect"]

REFUSED = "refused"
"""What `build` refuses, told by `check`."""

_DOLLAR = re.compile(r"(?<!\\)((?:\\\\)*)\\\$")
_ROUND = re.compile(r"(?<!\\)((?:\\\\)*)\\([()])|(?<!\\)((?:\\\\)*)\\\[(?=[^\]\n]*[\\^_=][^\]\n]*\\\])")
_ESCAPED, _BRACKET = "\ue000", "\ue001"
_PICTURE = re.compile(r"!\[[^\]]*\]\(\s*<?([^)\s>]*)")
_HINTED = re.compile("⸢[^⸣]*")


def inspect(workspace: Workspace, cache_dir: Path | None = None) -> tuple[Problem, ...]:
    """Everything that is wrong with the cards of a workspace, waivers applied, in file order."""
    looker = _Looker(workspace, cache_dir)
    problems: list[Problem] = []
    used: set[tuple[str, str]] = set()
    for name, found in looker.look():
        if found.note is not None and name in found.note.waive and name != REFUSED:
            used.add((found.note.id, name))
        elif name == REFUSED or name not in workspace.about.waive:
            at = found.position
            problems.append(Problem(at.file, at.line, at.column, found.what, found.todo, rule=name))
    for note in workspace.notes:
        for name in set(note.waive) & set(LOOKS):
            if (note.id, name) not in used:
                at = note.positions.get(f"waive.{name}", note.position)
                what = f"`{note.id}` waives `{name}`, which finds nothing there"
                problems.append(Problem(at.file, at.line, at.column, what, "drop the waiver", rule="waiver"))
    problems += looker.refused
    return tuple(sorted(dict.fromkeys(problems)))


@dataclass(frozen=True)
class _Text:
    """A text of a note in one language, values filled in, and where it stands."""

    note: Note
    path: str
    text: str
    language: Language

    def found(self, what: str, todo: str) -> Found:
        return Found(place(self.note, f"{self.path}.{self.language}"), what, todo, self.note)


class _Looker:
    """Composes the notes of a workspace and looks at each."""

    def __init__(self, workspace: Workspace, cache_dir: Path | None) -> None:
        self.refused: list[Problem] = []
        self._workspace = workspace
        self._cache = RenderCache(cache_dir, renderer())
        self._figures = Figures(workspace.root)
        self._lock = self._read_lock()
        self._specs: dict[NoteType, NoteTypeSpec] = {}

    def _read_lock(self) -> Lock | None:
        try:
            return read_lock(self._workspace.root)
        except BuildError as error:
            self._refuse(error)
            return None

    def _refuse(self, error: BuildError) -> None:
        """What `build` would say, at the place that it names, or else at the lock."""
        named = re.match(r"(\S+?\.(?:yaml|py)):(\d+):(\d+): ", error.what)
        file = lock_file(self._workspace.root).relative_to(self._workspace.root)
        line, column, what = 1, 1, error.what
        if named:
            file, line, column = Path(named[1]), int(named[2]), int(named[3])
            what = error.what[named.end() :]
        self.refused.append(Problem(file, line, column, what, error.todo, rule=REFUSED))

    def look(self) -> Iterator[tuple[str, Found]]:
        """Each finding with its rule; what is refused is collected."""
        computed = self._computed()
        decks = all_decks(self._workspace, computed)
        for language in languages_of(self._workspace, self._lock):
            self._specs = note_types(language, look_of(self._workspace, language, self._lock))
            fill = Values(computed)
            composer = Composer(
                katas=self._workspace.katas,
                language=language,
                specs=self._specs,
                figures=self._figures,
                cache=self._cache,
                fill=fill,
                topics=self._workspace.about.topics,
            )
            composed = []
            for deck in decks:
                if language in deck.languages:
                    notes: list[ComposedNote] = []
                    for note in deck.notes:
                        yield from self._note(note, composer, fill, language, notes)
                    composed.append((deck, notes))
            self._plan(composed, language)

    def _computed(self) -> Computed:
        try:
            return load_computed(self._workspace.root)
        except ContentError:
            return Computed()  # the linter tells what is wrong with the file

    def _note(
        self, note: Note, composer: Composer, fill: Values, language: Language, notes: list[ComposedNote]
    ) -> Iterator[tuple[str, Found]]:
        if note.figure:
            yield from self._figure(note, language)
        try:
            made = composer.compose(note)
        except BuildError as error:
            self._refuse(error)
            return
        notes.append(made)
        yield from self._sides(note, made, language)
        for path, text in _texts(note, language):
            filled = fill(note, text, f"{path}.{language}") if note.shows_values else text
            one = _Text(note, path, filled, language)
            yield from _math(one, cloze=note.type == "cloze" and path == "front")
            yield from _pictures(one, self._workspace.root)
        if note.type == "cloze" and self._lock is not None:
            yield from _moved(note, made, self._lock.notes.get((note.id, language)), language)
        if note.type == "cloze":
            known = self._lock.notes.get((note.id, language)) if self._lock else None
            yield from _numbers(note, language, known)

    def _figure(self, note: Note, language: Language) -> Iterator[tuple[str, Found]]:
        try:
            files = self._figures.files(note.figure or "", language)
        except BuildError:
            return  # composing the note says it
        for file, data in files.items():
            if fault := svg_fault(data):
                what = f"the figure {file} holds {fault}" if "draws" not in fault else f"the figure {file}: {fault}"
                todo = "export it as plain SVG, without scripts, animations and outside references"
                yield "figure-refused", Found(place(note, "figure"), what, todo, note)

    def _sides(self, note: Note, made: ComposedNote, language: Language) -> Iterator[tuple[str, Found]]:
        """A side whose text shows nothing: link definitions and comments are no text."""
        spec = self._specs[note.type]
        fields = {known.name: value for known, value in zip(spec.fields, made.fields, strict=True)}
        for path, field in (("front", "Text" if note.type == "cloze" else "Front"), ("back", "Back")):
            text = getattr(note, path)
            if text is None or not text[language].strip():
                continue
            html = fields[field]
            if "<img" not in html and "[sound:" not in html and not unescape(re.sub(r"<[^>]*>", "", html)).strip():
                what = f"{path} of `{note.id}` shows nothing: Markdown takes all of it for a definition"
                yield "empty-side", _Text(note, path, "", language).found(what, "write a text that is shown")

    def _plan(self, composed: list[tuple[Deck, list[ComposedNote]]], language: Language) -> None:
        """Whether the next release can be planned: notes that vanished, types that changed."""
        if self._lock is None or self.refused:
            return
        try:
            plan_release(self._lock, composed, language, self._specs, time=1, root=self._workspace.about.deck_root)
        except BuildError as error:
            self._refuse(error)


def _texts(note: Note, language: Language) -> Iterator[tuple[str, str]]:
    for path in ("front", "back", "extra"):
        both = getattr(note, path)
        if both is not None:
            yield path, both[language]
    for at, item in enumerate(note.items):
        yield f"items.{at}", item[language]
    if note.answer is not None and note.answer.unit[language]:
        yield "answer.unit", note.answer.unit[language]


def _math(one: _Text, *, cloze: bool) -> Iterator[tuple[str, Found]]:
    """Math that is not rendered as math, and math that MathJax refuses."""
    if not any(sign in one.text for sign in ("$", "\\(", "\\[")):
        return
    source = _DOLLAR.sub(lambda found: found[1] + _ESCAPED, one.text)
    source = _ROUND.sub(lambda found: (found[1] or found[3] or "") + _BRACKET, source)
    marked = mark(source) if cloze else source
    left = shown_text(marked)
    if "$" in left:
        around = _around(left.replace(_ESCAPED, "$"), left.index("$"))
        what = f"{one.path} shows a `$` as it stands: “{around}”"
        todo = "close the math, with no space inside the `$` and no digit behind; write `\\$` for a dollar"
        yield "left-out-math", one.found(what, todo)
    elif _BRACKET in left or "\\(" in left or "\\[" in left:
        what = f"{one.path} writes math as `\\(…\\)` or `\\[…\\]`"
        yield "left-out-math", one.found(what, "write `$…$`, or `$$…$$`")
    for formula in formulas(mark(one.text) if cloze else one.text):
        if fault := tex_fault(MARKS.sub(" ", _HINTED.sub("", formula))):
            what = f"MathJax cannot set `{_short(MARKS.sub('', formula))}` in {one.path}: {fault}"
            yield "refused-math", one.found(what, "correct the formula; `llmdrills preview` shows it as Anki will")


def _around(text: str, at: int) -> str:
    return " ".join(text[max(0, at - 10) : at + 15].split())


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 40 else f"{text[:39]}…"


def _pictures(one: _Text, root: Path) -> Iterator[tuple[str, Found]]:
    """A picture that becomes a word, because there is no such file; one that says nothing to who cannot see it."""
    if "![" not in one.text:
        return
    shown = references(one.text)
    for picture in shown:
        if not picture[1].strip() and picture[3].lower() not in SOUNDS:
            what = f"the picture `{picture[2]}` in {one.path} has no text for those who cannot see it"
            yield "picture-without-text", one.found(what, f"write `![what it shows]({picture[2]})`")
    spans, names = opaque_spans(one.text), {picture.start(): picture[2] for picture in shown}
    for found in _PICTURE.finditer(one.text):
        outside = not any(start <= found.start() < end for start, end in spans)
        name = names.get(found.start(), found[1])
        there = found.start() in names and (root / "decks" / "media" / name).exists()
        if outside and not there and not name.startswith(("http://", "https://")):
            what = f"{one.path} shows the picture `{name}` as a word: decks/media has no such file"
            yield "left-out-picture", one.found(what, "put the file into decks/media, or use `figure:`")


def _numbers(note: Note, language: Language, known: NoteLine | None) -> Iterator[tuple[str, Found]]:
    """Gaps in the numbers are for cards that were released: a new card takes the next number."""
    numbers = sorted({one.number for one in deletions(note.front[language])})
    released = set(known.cards) if known else set()
    new = [number for number in numbers if number - 1 not in released]
    missing = [number for number in range(1, max(numbers, default=0)) if number not in numbers]
    if new and missing and max(new) > min(missing):
        what = f"the deletions of `{note.id}` are numbered {', '.join(map(str, numbers))}"
        todo = "number new ones without gaps; a number that was released keeps its card, and may leave a gap"
        yield "cloze-numbers", _Text(note, "front", "", language).found(what, todo)


def _moved(note: Note, made: ComposedNote, known: NoteLine | None, language: Language) -> Iterator[tuple[str, Found]]:
    """A number that asks what another asked before: the card, with all its reviews, would ask something else."""
    if known is None or not known.hidden or known.retired:
        return
    before = dict(zip(known.cards, known.hidden, strict=True))
    for card, hidden in zip(made.cards, made.hidden, strict=True):
        if before.get(card, hidden) == hidden:
            continue
        came = [other for other, old in before.items() if old == hidden and other != card]
        if came:
            what = f"c{card + 1} of `{note.id}` asks what c{came[0] + 1} asked in the last release"
            todo = "keep the number of each deletion, also where one is taken out: a card follows its number"
            yield "cloze-moved", _Text(note, "front", "", language).found(what, todo)
