"""Small decks for tests: notes made in one line, and released like real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llmdrills.content.model import Deck, Note, NoteType, NumberAnswer, Position, Source, Workspace
from llmdrills.decks.build import BuildOptions, BuildReport, build
from llmdrills.language import Bilingual

HERE = Position(Path("decks/test.yaml"), 1, 1)
RELEASED_AT = 1_700_000_000  # seconds; long before any test runs


def both(text: str) -> Bilingual:
    return Bilingual(text, f"{text}（中文）")


def note(slug: str, front: str = "", back: str | None = "an answer", kind: NoteType = "question", **more: Any) -> Note:
    return Note(
        id=slug,
        type=kind,
        topic=more.pop("topic", "transformer"),
        position=HERE,
        front=both(front or f"What is {slug}?"),
        back=both(back) if back is not None else None,
        sources=more.pop("sources", (Source("A paper", "https://example.org/paper"),)),
        **more,
    )


def cloze(slug: str, text: str = "The {{c1::first}} and the {{c2::second}}", **more: Any) -> Note:
    return note(slug, text, None, "cloze", **more)


def checklist(slug: str, *items: str, **more: Any) -> Note:
    return note(slug, "", None, "checklist", items=tuple(both(item) for item in items or ("one", "two")), **more)


def number(slug: str, value: str = "42", tolerance: str = "1%", **more: Any) -> Note:
    return note(slug, "", None, "number", answer=NumberAnswer(value, both("bytes"), tolerance), **more)


def deck(slug: str, *notes: Note, title: str = "", **more: Any) -> Deck:
    return Deck(slug, both(title or slug.capitalize()), both(f"About {slug}"), notes, HERE, **more)


def one_of_each() -> tuple[Note, ...]:
    return (
        note("plain"),
        cloze("holes"),
        checklist("steps", "one", "two", "three"),
        number("typed"),
        note("wrong-kernel", "```python\nx = 1\n```", "no", "bug"),
    )


class Publisher:
    """A workspace of its own, whose releases come out one after another."""

    def __init__(self, root: Path, language: str = "en") -> None:
        self.root = root
        self.language = language
        self.time = RELEASED_AT
        (root / "decks").mkdir(parents=True, exist_ok=True)

    def workspace(self, *decks: Deck) -> Workspace:
        return Workspace(self.root, decks, ())

    def release(self, *decks: Deck | Note, after: int = 1000, **options: Any) -> BuildReport:
        """Build the next release; loose notes go into one deck."""
        self.time += after
        loose = tuple(one for one in decks if isinstance(one, Note))
        named = tuple(one for one in decks if isinstance(one, Deck))
        chosen = (*named, deck("basics", *loose)) if loose else named
        options.setdefault("languages", (self.language,))
        options.setdefault("release_time", self.time)
        return build(self.workspace(*chosen), self.root / "build", BuildOptions(**options))

    @property
    def package(self) -> Path:
        return self.root / "build" / f"llmdrills-{self.language}.apkg"

    @property
    def upgrade(self) -> Path:
        return self.root / "build" / f"llmdrills-{self.language}-upgrade.apkg"
