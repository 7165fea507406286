"""Rules about spot-the-bug cards that need no run: what a phone shows, and what a reader follows by hand."""

from __future__ import annotations

import ast
import difflib
import textwrap
from collections.abc import Iterator

from llmdrills.content.cardtext import MOST_NUMBERS, WIDTH, literal_numbers, random_names, second_person
from llmdrills.content.derive import call_lines, card_kernel, right_lines
from llmdrills.content.lint.rule import Context, Found, rule
from llmdrills.content.model import Card, Edit, Kata, Slip
from llmdrills.content.syntax import parsed

__all__: list[str] = []


def _cards(context: Context) -> Iterator[tuple[Kata, Slip, Card]]:
    for kata in context.workspace.katas:
        yield from ((kata, slip, slip.shown) for slip in kata.slips if slip.shown is not None)


def _found(slip: Slip, key: str, what: str, todo: str) -> Found:
    at = slip.shown.positions.get(key) if slip.shown is not None else None
    return Found(at or slip.position, f"the card of `{slip.id}`: {what}", todo, slip=slip)


@rule("card-without-call")
def card_without_call(context: Context) -> Iterator[Found]:
    """A card shows an input that can be followed by hand."""
    for kata in context.workspace.katas:
        for slip in kata.slips:
            if slip.card and slip.shown is None and not slip.decorated:
                todo = (
                    "write `card:` with `call:`, the texts and `steps:` "
                    "(see the page “Writing a kata” of the documentation)"
                )
                yield _found(slip, "call", "it has no call that shows the mistake", todo)


@rule("card-many-numbers")
def card_many_numbers(context: Context) -> Iterator[Found]:
    """An input of at most a dozen literal numbers."""
    for _, slip, card in _cards(context):
        count = len(literal_numbers(card.call))
        if count > MOST_NUMBERS:
            todo = f"choose an input of {MOST_NUMBERS} or fewer"
            yield _found(slip, "call", f"its call spells out {count} numbers", todo)


@rule("card-random")
def card_random(context: Context) -> Iterator[Found]:
    """An input that nobody can follow by hand."""
    for _, slip, card in _cards(context):
        for name in dict.fromkeys(random_names(card.call)):
            yield _found(slip, "call", f"its call draws random numbers (`{name}`)", "write the numbers out")


@rule("card-person")
def card_person(context: Context) -> Iterator[Found]:
    """Nobody who reads a card wrote its code."""
    for _, slip, card in _cards(context):
        for language in ("en", "zh"):
            word = second_person(card.text[language], language) if language in card.positions else ""
            if word:
                todo = "say what the code does, in the third person"
                yield _found(slip, language, f"its text speaks to the reader (`{word}`)", todo)


@rule("card-too-wide")
def card_too_wide(context: Context) -> Iterator[Found]:
    """A line of code that a phone shows without scrolling."""
    for kata, slip, card in _cards(context):
        shown = {"kernel": card_kernel(kata, slip).split("\n"), "right line": right_lines(slip)}
        for name, lines in {**shown, "call": call_lines(card)}.items():
            widest = max(lines, key=len)
            if len(widest) > WIDTH:
                what = f"a line of its {name} takes {len(widest)} columns: `{widest.strip()}`"
                yield _found(
                    slip, "call" if name == "call" else "", what, f"break it at {WIDTH}, also in its right kernel"
                )


@rule("card-places")
def card_places(context: Context) -> Iterator[Found]:
    """A card asks for one wrong line."""
    for _, slip, _ in _cards(context):
        count = sum(_statements(edit) for edit in slip.edits)
        if count > 1:
            todo = "let the slip change one statement, or write what it changes as one"
            yield _found(slip, "", f"it asks for one wrong line and has {count}", todo)


def _statements(edit: Edit) -> int:
    """How many statements an edit makes wrong; one that it takes away counts as one."""
    before, after = _parts(edit.line), _parts(edit.becomes)
    changes = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return sum(max(1, end - start) for kind, _, _, start, end in changes if kind != "equal")


def _parts(code: str) -> list[str]:
    """The statements of a piece of code, those of its blocks too; its lines, where it is no whole statement."""
    try:
        tree = parsed(textwrap.dedent(code))
    except SyntaxError:
        return [line.strip() for line in code.split("\n") if line.strip()]
    return [_head(node) for node in ast.walk(tree) if isinstance(node, ast.stmt)]


def _head(node: ast.stmt) -> str:
    """A statement without its block."""
    text = ast.unparse(node)
    return text.split("\n")[0] if hasattr(node, "body") else text
