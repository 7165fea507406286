"""A workspace of YAML files that an author changes, releases, and drops languages of, by the product's own means."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from typing import Any

import yaml

from llmdrills.content import load_workspace
from llmdrills.content.model import Workspace
from llmdrills.content.workspacefile import FILE_NAME, WorkspaceFile, file_text
from llmdrills.decks.lock import Lock, read_lock
from llmdrills.decks.retire import retire, retire_language

SOURCES = [{"title": "A paper", "url": "https://example.org/p"}]
BOTH = ("en", "zh")
OWN = r" *\**mine\d+x\**"
"""A word that came from Anki: a translation does not have it."""


class YamlWorkspace:
    """Two decks, `alpha` and `beta`, in English and Chinese, any one of which may be dropped and come back."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "decks").mkdir(parents=True)
        self.titles = {"alpha": "Alpha", "beta": "Beta"}
        self.spoken: dict[str, tuple[str, ...]] = {}
        self._speak(BOTH, tuple(self.titles))
        self.retired: dict[str, str] = {}  # id → the deck it was in
        self.made = 0

    # The files are the truth: `anki pull` writes to them too

    def notes(self, deck: str) -> list[dict[str, Any]]:
        file = self.root / "decks" / f"{deck}.yaml"
        if not file.exists():
            return []
        found: list[dict[str, Any]] = yaml.load(file.read_text("utf-8"), yaml.CSafeLoader)["notes"]
        return found

    def write(self, deck: str, notes: list[dict[str, Any]]) -> None:
        file = self.root / "decks" / f"{deck}.yaml"
        if not notes:
            file.unlink(missing_ok=True)
            return
        said: dict[str, Any] = {"deck": deck, "title": self._text(deck, self.titles[deck])}
        if self.spoken[deck] != self.everywhere:
            said["languages"] = list(self.spoken[deck])
        said["notes"] = notes
        file.write_text(yaml.safe_dump(said, allow_unicode=True, sort_keys=False), "utf-8")

    def _text(self, deck: str, text: str) -> dict[str, str]:
        return {language: text if language == "en" else f"{text} 中文" for language in self.spoken[deck]}

    def places(self) -> list[tuple[str, int]]:
        return [(deck, place) for deck in self.titles for place in range(len(self.notes(deck)))]

    def texts(self, language: str) -> dict[str, str]:
        """By id, everything that a note says in a language."""
        return {
            one["id"]: yaml.safe_dump([_in(language, value) for value in one.values()], allow_unicode=True)
            for deck in self.titles
            if language in self.spoken[deck]
            for one in self.notes(deck)
        }

    @property
    def lock(self) -> Lock:
        lock = read_lock(self.root)
        assert lock is not None
        return lock

    @property
    def loaded(self) -> Workspace:
        return load_workspace(self.root)

    # What the author does

    def make(self, deck: str, slug: str, words: str) -> dict[str, Any]:
        """A note whose type is fixed by its id: types never change."""
        kind = {"q": "question", "c": "cloze", "l": "checklist", "n": "number"}[slug[0]]
        note: dict[str, Any] = {"id": slug, "type": kind, "topic": "transformer"}
        if kind == "cloze":
            note["front"] = self._text(deck, f"{slug}: {{{{c1::{words}}}}} and {{{{c2::more}}}}")
        else:
            note["front"] = self._text(deck, f"{slug}: {words}?")
        if kind == "question":
            note["back"] = self._text(deck, f"Because of {words}.")
        if kind == "checklist":
            note["items"] = [self._text(deck, words), self._text(deck, "the second")]
        if kind == "number":
            note["answer"] = {"value": str(len(words)), "unit": self._text(deck, "bytes")}
        return {**note, "sources": SOURCES}

    def add(self, kind: str, words: str, deck: str, place: int) -> None:
        self.made += 1
        notes = self.notes(deck)
        notes.insert(place % (len(notes) + 1), self.make(deck, f"{kind}-{self.made}", words))
        self.write(deck, notes)

    def change(self, deck: str, place: int, **changed: Any) -> str:
        """Other keys of a note; its id."""
        notes = self.notes(deck)
        notes[place] |= changed
        self.write(deck, notes)
        return str(notes[place]["id"])

    def reword(self, deck: str, place: int, words: str) -> str:
        slug = self.notes(deck)[place]["id"]
        return self.change(deck, place, **self.make(deck, slug, words))

    def remove(self, deck: str, place: int) -> str:
        """Retire a note that was released; take another one out of its file."""
        slug = str(self.notes(deck)[place]["id"])
        if slug in {line.note for line in self.lock.notes.values() if not line.retired}:
            retire(self.root, slug, "it was wrong")
            assert slug not in {one["id"] for one in self.notes(deck)}
        else:
            notes = self.notes(deck)
            del notes[place]
            self.write(deck, notes)
        if slug in {line.note for line in self.lock.notes.values()}:
            self.retired[slug] = deck
        return slug

    def restore(self, slug: str, words: str) -> None:
        deck = self.retired.pop(slug)
        self.write(deck, [*self.notes(deck), self.make(deck, slug, words)])

    def shuffle(self, rng: Random) -> None:
        for deck in self.titles:
            notes = self.notes(deck)
            rng.shuffle(notes)
            self.write(deck, notes)

    def move(self, deck: str, place: int) -> None:
        """To the other deck, which must be written in the same languages."""
        other = "beta" if deck == "alpha" else "alpha"
        if self.spoken[deck] == self.spoken[other]:
            notes = self.notes(deck)
            moved = notes.pop(place)
            self.write(deck, notes)
            self.write(other, [*self.notes(other), moved])

    def rename(self, deck: str, title: str) -> None:
        self.titles[deck] = title
        self.write(deck, self.notes(deck))

    def drop(self, language: str, *decks: str) -> None:
        """Write the decks (all of them: the workspace) in one language only, and retire what they had in this one."""
        notes = {deck: self.notes(deck) for deck in decks}
        left = tuple(one for one in BOTH if one != language)
        if any(self.spoken[deck] != BOTH for deck in decks):
            return
        self._speak(left, decks)
        for deck in decks:
            self.write(deck, [_without(language, one) for one in notes[deck]])
        written = self.texts(language)
        for deck in decks:
            here = {one["id"] for one in notes[deck]}
            lines = [line for line in self.lock.notes.values() if line.language == language and not line.retired]
            if any(line.note not in written and (line.deck == deck or line.note in here) for line in lines):
                retire_language(self.root, deck, language, "it is no longer written")

    def bring_back(self, *decks: str) -> None:
        """Write the decks in both languages again: the other text is translated anew."""
        notes = {deck: (self.spoken[deck], self.notes(deck)) for deck in decks}
        self._speak(BOTH, decks)
        for deck, (spoken, found) in notes.items():
            other = "zh" if spoken[0] == "en" else "en"
            self.write(deck, [_with(spoken[0], other, one) if len(spoken) == 1 else one for one in found])

    def _speak(self, languages: tuple[str, ...], decks: tuple[str, ...]) -> None:
        self.spoken |= dict.fromkeys(decks, languages)
        if len(decks) == len(self.titles):
            self.everywhere = languages
            said = WorkspaceFile(namespace="histories", languages=languages)  # type: ignore[arg-type]
            (self.root / FILE_NAME).write_text(file_text(said), "utf-8")


def _in(language: str, value: Any) -> Any:
    """The part of a value that is of no other language."""
    if isinstance(value, dict) and set(value) <= set(BOTH):
        return value.get(language)
    if isinstance(value, dict):
        return {key: _in(language, one) for key, one in value.items()}
    return [_in(language, one) for one in value] if isinstance(value, list) else value


def _without(language: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without(language, one) for key, one in value.items() if key != language}
    return [_without(language, one) for one in value] if isinstance(value, list) else value


def _with(language: str, other: str, value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {language}:
        translated = f"{re.sub(OWN, '', value[language])} {other}"
        return {name: value[language] if name == language else translated for name in BOTH}
    if isinstance(value, dict):
        return {key: _with(language, other, one) for key, one in value.items()}
    return [_with(language, other, one) for one in value] if isinstance(value, list) else value
