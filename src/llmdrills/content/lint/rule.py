"""A lint rule is a function from the workspace to its findings. This module registers all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmdrills.content.casetexts import FILE_NAME, CaseText, read_case_texts
from llmdrills.content.computed import Computed
from llmdrills.content.model import Clause, Deck, Kata, Note, Position, Slip, Workspace
from llmdrills.content.referencetexts import read_reference_texts
from llmdrills.content.report import Report
from llmdrills.language import LANGUAGES, Bilingual, Language

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from llmdrills.content.shapes import Reader

__all__ = ["CARDS", "GONE", "LOOKS", "RULES", "Context", "Found", "Rule", "rule", "spoken"]


@dataclass(frozen=True)
class Found:
    """One finding of a rule. A note can waive its own findings."""

    position: Position
    what: str
    todo: str
    note: Note | None = None
    deck: Deck | None = None  # whose `waive` may hold it back, where it is of no note
    slip: Slip | None = None  # whose card may hold it back


@dataclass(frozen=True)
class Context:
    """What rules look at: every written note with its languages, the katas, and what was computed."""

    workspace: Workspace
    computed: Computed = field(default_factory=Computed)
    _cases: dict[Path, tuple[Mapping[str, CaseText], Reader | None]] = field(default_factory=dict, compare=False)

    def notes(self) -> Iterator[tuple[Note, tuple[Language, ...]]]:
        """Every note and the languages that it is written in."""
        for deck in self.workspace.decks:
            for note in deck.notes:
                yield note, deck.languages

    def languages(self) -> tuple[Language, ...]:
        """Every language that a deck is written in."""
        found = dict.fromkeys(language for deck in self.workspace.decks for language in deck.languages)
        return tuple(sorted(found, key=lambda one: (one not in LANGUAGES, one)))

    def texts(self, language: Language) -> Iterator[tuple[Note | None, str, str, Position]]:
        """Every text of one language, of notes and of katas: the note, the key path, the text, its place."""
        for note, languages in self.notes():
            if language in languages:
                for path, both in note_texts(note):
                    yield note, path, both[language], place(note, f"{path}.{language}")
        for kata in self.workspace.katas if language in self.workspace.about.languages else ():
            for path, both in _kata_texts(kata):
                yield None, path, both[language], place(kata, f"{path}.{language}")
            for slip in kata.slips:
                yield None, f"slip {slip.id}", slip.feedback[language], slip.position
                if slip.shown is not None:
                    at_card = slip.shown.positions.get(language, slip.position)
                    yield None, f"card {slip.id}", slip.shown.text[language], at_card
            for said in (
                read_reference_texts(kata.texts_file, Report(self.workspace.root))[0].values()
                if language == "zh"
                else ()
            ):
                texts = kata.texts_file.name
                yield None, texts, said, Position(kata.position.file.parent / texts, 1, 1)
            for name, text in self.case_texts(kata)[0].items():
                at = self.at_case(kata, name)
                yield None, f"case {name}", text.why[language], at
                yield None, f"case {name}", text.title[language], at

    def katas_in_chinese(self) -> tuple[Kata, ...]:
        """The katas, where the workspace is written in Chinese too."""
        return self.workspace.katas if "zh" in self.workspace.about.languages else ()

    def case_texts(self, kata: Kata) -> tuple[Mapping[str, CaseText], Reader | None]:
        """What a Chinese reader is told of the kata's cases, read once; its rule reports what is unreadable."""
        if kata.folder not in self._cases:
            self._cases[kata.folder] = read_case_texts(kata.folder, Report(self.workspace.root))
        return self._cases[kata.folder]

    def at_case(self, kata: Kata, name: str) -> Position:
        """Where the texts of that case stand; the top of their file where it has none."""
        reader = self.case_texts(kata)[1]
        line, column = reader.places.get(f"cases.{name}", (1, 1)) if reader else (1, 1)
        return Position(kata.position.file.parent / FILE_NAME, line, column)


Rule = Callable[[Context], Iterator[Found]]

RULES: dict[str, Rule] = {}
"""Every rule by its id, in the order in which they were written."""

LOOKS = (
    "cloze-moved",
    "cloze-numbers",
    "empty-side",
    "figure-refused",
    "left-out-picture",
    "left-out-math",
    "picture-without-text",
    "refused-math",
)
"""The rules of `llmdrills.decks.inspection`, which look at the cards that come out."""
CARDS = ("card-agrees", "card-call", "card-number", "card-result", "card-step")
"""The rules of `llmdrills.grading.proving.cards`, which runs the calls and steps of spot-the-bug cards."""
GONE = ("cloze-braces",)
"""Rules that are no more: an old waiver of one is no fault."""


def rule(name: str) -> Callable[[Rule], Rule]:
    """Register a rule."""

    def register(function: Rule) -> Rule:
        RULES[name] = function
        return function

    return register


def spoken(languages: tuple[Language, ...]) -> Iterator[Language]:
    """Those of the languages whose sentences the rules can read."""
    yield from (language for language in languages if language in LANGUAGES)


def note_texts(note: Note) -> list[tuple[str, Bilingual]]:
    """The bilingual texts of a note by key path."""
    found = [("front", note.front), ("back", note.back), ("extra", note.extra)]
    if note.family is not None:
        found += [("family.front", note.family.front), ("family.back", note.family.back)]
    texts = [(path, both) for path, both in found if both is not None]
    return texts + [(f"items.{i}", item) for i, item in enumerate(note.items)]


def _kata_texts(kata: Kata) -> Iterable[tuple[str, Bilingual]]:
    yield "title", kata.title
    yield "prompt", kata.prompt
    yield from ((f"hints.{i}", hint) for i, hint in enumerate(kata.hints))
    for variant in kata.variants:
        yield f"variants.{variant.id}.title", variant.title
        yield from (
            _clause(variant.id, at, clause) for at, clause in enumerate(variant.clauses) if not clause.generated
        )
        if variant.mistaken:
            yield f"variants.{variant.id}.mistaken", variant.mistaken
    yield from ((f"forbidden.{i}.why", one.why) for i, one in enumerate(kata.forbidden))
    yield from ((f"budgets.{i}.why", one.why) for i, one in enumerate(kata.budgets))


def _clause(variant: str, at: int, clause: Clause) -> tuple[str, Bilingual]:
    return f"variants.{variant}.contract.{clause.id or at}", clause.text


def place(of: Note | Kata, path: str) -> Position:
    """Where a text of a note or kata stands; the note or kata itself where that is not known."""
    shared = path.partition(".contract.")  # a clause that every variant shares stands at the kata's own `contract`
    found = of.positions.get(path) or (of.positions.get(f"contract.{shared[2]}") if shared[1] else None)
    return found or of.positions.get(path.rpartition(".")[0]) or of.position
