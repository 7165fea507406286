"""Rules about sources, cloze markup and outdated translations."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmdrills.content import cloze
from llmdrills.content.computed import digest
from llmdrills.content.lint.rule import Context, Found, note_texts, place, rule
from llmdrills.content.lint.texts import CJK, prose
from llmdrills.content.model import Note
from llmdrills.language import Language

__all__ = ["note_digest"]

_HAS_CJK = re.compile(f"[{CJK}]")


@rule("missing-source")
def missing_source(context: Context) -> Iterator[Found]:
    """Without a source nobody can look a fact up, or correct it."""
    todo = "add `sources:` with author, year, title and section, and where to read it"
    for note, _ in context.notes():
        if not note.sources:
            yield Found(note.position, f"`{note.id}` names no source", todo, note)
    for kata in context.workspace.katas:
        if not kata.sources:
            yield Found(kata.position, f"the kata `{kata.id}` names no source", todo)


@rule("unbalanced-cloze")
def unbalanced_cloze(context: Context) -> Iterator[Found]:
    """Markup that Anki would show as it stands: deletions that do not close, or that stand where none are looked for.

    (Loading refuses a cloze note whose front is at fault; this finds the rest.)
    """
    for note, languages in context.notes():
        for path, both in note_texts(note):
            for language in languages:
                text, at = both[language], place(note, f"{path}.{language}")
                if note.type == "cloze" and path == "front":
                    for fault in cloze.faults(text):
                        yield Found(at, fault.what, fault.todo, note)
                elif re.search(r"\{\{c\d*::", text):
                    what = f"{path} of `{note.id}` holds cloze markup, which only the front of a cloze note may"
                    yield Found(at, what, "take it out, or make the note a cloze", note)


@rule("cloze-parity")
def cloze_parity(context: Context) -> Iterator[Found]:
    """Both languages hide the same number of parts, or the two packages would hold different cards."""
    for note, languages in context.notes():
        if note.type == "cloze" and len(languages) > 1:
            first, *others = languages
            hidden = {one: {found.number for found in cloze.deletions(note.front[one])} for one in languages}
            for other in others:
                if hidden[other] != hidden[first]:
                    what = (
                        f"`{note.id}` hides {_numbers(hidden[first])} in {_NAMES.get(first, first)} and "
                        f"{_numbers(hidden[other])} in {_NAMES.get(other, other)}"
                    )
                    yield Found(place(note, f"front.{other}"), what, "number the deletions alike", note)


_NAMES = {"en": "English", "zh": "Chinese"}


def _numbers(numbers: set[int]) -> str:
    return ", ".join(f"c{number}" for number in sorted(numbers)) or "nothing"


def note_digest(note: Note, language: Language) -> str:
    """The digest of everything that a note says in one language, by which a change of it is known."""
    return digest("\n\0".join(both[language] for _, both in note_texts(note)))


@rule("stale-translation")
def stale_translation(context: Context) -> Iterator[Found]:
    """The English changed since `check --write` last saw both, and the Chinese did not."""
    for note, languages in context.notes():
        if not {"en", "zh"} <= set(languages):
            continue
        english = note_digest(note, "en")
        follows = note.translation.get("of")
        known = context.computed.translations.get(note.id)
        if follows:
            stale = follows != english
        else:
            stale = known is not None and known.en != english and known.zh == note_digest(note, "zh")
        if stale:
            todo = f"revise the Chinese, or write `translation_of: {english}` if it still says the same"
            yield Found(
                place(note, "front.zh"), f"the Chinese of `{note.id}` follows an older English text", todo, note
            )


@rule("untranslated")
def untranslated(context: Context) -> Iterator[Found]:
    """A Chinese text without a Chinese character where the English has words."""
    for note, languages in context.notes():
        if not {"en", "zh"} <= set(languages):
            continue
        for path, both in note_texts(note):
            if not _HAS_CJK.search(both.zh) and len(re.findall(r"\b[a-z]{2,}\b", prose(both.en, ""))) >= 3:
                what = f"{path}.zh of `{note.id}` holds no Chinese"
                yield Found(place(note, f"{path}.zh"), what, "translate it", note)
