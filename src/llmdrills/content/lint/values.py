"""Rules about values that are not what was typed, and about what a template left behind."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmdrills.content import templates
from llmdrills.content.lint.rule import Context, Found, note_texts, place, rule
from llmdrills.content.load import unread_files
from llmdrills.content.model import Deck, Note, Position
from llmdrills.content.remarks import CONTROL, CUT, LOST

__all__: list[str] = []

_MARKUP = re.compile(r"[`$]|\*\*|\[[^\]]*\]\(|(?<!\w)[*_][^\s*_][^*_]*[*_](?!\w)")


def _remarks(context: Context, name: str) -> Iterator[Found]:
    for deck in context.workspace.decks:
        file = deck.position.file
        for remark in deck.remarks:
            if remark.rule == name:
                yield Found(Position(file, remark.line, remark.column), remark.what, remark.todo, deck=deck)
        for note in deck.notes:
            for remark in note.remarks:
                if remark.rule == name:
                    yield Found(Position(file, remark.line, remark.column), remark.what, remark.todo, note)


@rule(LOST)
def lost_escape(context: Context) -> Iterator[Found]:
    """In double quotes YAML takes `\\f`, `\\b`, `\\t` and others away: `\\frac` and `\\theta` are lost."""
    yield from _remarks(context, LOST)
    for note, _ in context.notes():  # elsewhere than in a text
        for key, words in (("tags", note.tags), ("answer.value", (note.answer.value,) if note.answer else ())):
            if any(CONTROL.search(word) for word in words):
                todo = "write it in single quotes"
                yield Found(place(note, key), f"{key} of `{note.id}` holds a control character", todo, note)


@rule(CUT)
def cut_by_comment(context: Context) -> Iterator[Found]:
    """In plain text ` #` begins a comment, and the rest of the line is lost."""
    yield from _remarks(context, CUT)


@rule("same-title")
def same_title(context: Context) -> Iterator[Found]:
    """Anki knows a deck by its name: with one title for both languages, both packages fill one deck."""
    for deck in context.workspace.decks:
        if len(deck.languages) > 1 and len({deck.title[language] for language in deck.languages}) == 1:
            what = f"the deck `{deck.id}` has the title “{deck.title.en}” in both languages"
            todo = "give it two titles: Anki would put both packages into one deck"
            yield Found(_at(deck, "title"), what, todo, deck=deck)


@rule("markup-in-title")
def markup_in_title(context: Context) -> Iterator[Found]:
    """The title of a deck is a name in Anki, and shows Markdown as it stands."""
    for deck in context.workspace.decks:
        for language in deck.languages:
            if found := _MARKUP.search(deck.title[language]):
                what = f"the title of the deck `{deck.id}` holds the markup `{found[0]}`"
                yield Found(_at(deck, f"title.{language}"), what, "write it as plain text", deck=deck)


def _at(deck: Deck, path: str) -> Position:
    return deck.positions.get(path) or deck.positions.get(path.rpartition(".")[0]) or deck.position


@rule("template-text")
def template_text(context: Context) -> Iterator[Found]:
    """What `llmdrills new` wrote is there to be replaced, not to be learned."""
    for note, languages in context.notes():
        for path, both in note_texts(note):
            for language in languages:
                if templates.is_template_text(both[language], note.id):
                    what = f"{path} of `{note.id}` is the text that `llmdrills new` wrote"
                    yield Found(place(note, f"{path}.{language}"), what, "write your own", note)
        for source in note.sources:
            if source.url.rstrip("/") == "https://example.org" or source.title == templates.SOURCE:
                what = f"the source of `{note.id}` is the one that `llmdrills new` wrote"
                yield Found(_source(note), what, "say where the fact can be looked up", note)
                break


def _source(note: Note) -> Position:
    return note.positions.get("sources.0.title") or place(note, "sources")


@rule("unread-deck")
def unread_deck(context: Context) -> Iterator[Found]:
    """A file in decks/ that looks like a deck, and is none because of its name or folder."""
    root = context.workspace.root
    for path in unread_files(root):
        todo = "decks are the files decks/NAME.yaml: move or rename it, or waive the rule in workspace.toml"
        yield Found(Position(path.relative_to(root), 1, 1), "this file is not read", todo)
