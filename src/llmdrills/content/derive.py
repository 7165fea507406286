"""Spot-the-bug notes, made from the slips of drills/ that have a `card`: never written by hand."""

from __future__ import annotations

import ast
import functools
import io
import itertools
import re
import tokenize
from typing import TYPE_CHECKING

from llmdrills.content.cardtext import WIDTH, bare_signatures, columns, fold, fold_value, narrow
from llmdrills.content.computed import digest
from llmdrills.content.model import Deck, Note, Position
from llmdrills.content.syntax import parsed
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmdrills.content.computed import Computed, Exposed, ShownCard
    from llmdrills.content.model import Card, Kata, Slip, Variant
    from llmdrills.language import Language

__all__ = [
    "BUG_DECK",
    "bug_deck",
    "bug_id",
    "bug_notes",
    "call_lines",
    "card_kernel",
    "card_variant",
    "cards_in",
    "result_lines",
    "right_lines",
    "shown_kernel",
]

BUG_DECK = "bugs"
"""The id of the deck that holds the derived notes."""

_SHAPE = re.compile(r"#\s*\([\w\s,.*+\-/·…₀-₉√]*\)")

_QUESTION = Bilingual(
    "A try at the kata **{title}**. Which line is wrong, and what should it say?",
    "下面是编码练习“**{title}**”的一份有错的实现。哪一行写错了？应该怎么写？",
)
_OF_VARIANT = Bilingual("{title}: {variant}", "{title}：{variant}")
_CONTRACT = Bilingual("Contract:", "约定：")
_SHOWN_BY = Bilingual("An input that shows it (case `{case}`):", "能暴露它的输入（用例 `{case}`）：")
_SHOWN = Bilingual("An input that shows it:", "能暴露它的输入：")
_EXPECTED = Bilingual("# right: {value}", "# 正确：{value}")
_GOT = Bilingual("# this kernel: {value}", "# 这段代码：{value}")
_RIGHT = Bilingual("The right line:", "正确的写法：")


def bug_id(kata_id: str, slip: Slip) -> str:
    """The note's identity: the kata and the slip, and the variants where the slip names some, unless it pins one.

    It does not depend on what else the file holds, so that a new slip never renames an old note.
    """
    return slip.note or "-".join(["bug", kata_id, slip.id, *slip.variants])


def bug_deck(katas: Iterable[Kata], computed: Computed | None = None) -> Deck | None:
    """The deck of all derived notes; None when there are none.

    A kata's notes stand apart, one of each kata after the other: Anki shows new cards in the order of the package.
    """
    notes = bug_notes(katas, computed)
    if not notes:
        return None
    return Deck(
        BUG_DECK,
        Bilingual("Spot the bug", "找出错误"),
        Bilingual(
            "Wrong kernels that people really write: find the line, and say what it should be.",
            "人们真会写错的代码：找出那一行，并说出应该怎么写。",
        ),
        notes,
        notes[0].position,
    )


def bug_notes(katas: Iterable[Kata], computed: Computed | None = None) -> tuple[Note, ...]:
    """One note for each slip that asks for a card, a kata at a time; with `computed`, what an input gives is shown."""
    rows = [[_note(kata, slip, computed) for slip in kata.slips if slip.card] for kata in katas]
    rounds = itertools.zip_longest(*rows)
    return tuple(note for one in rounds for note in one if note is not None)


def card_variant(kata: Kata, slip: Slip) -> Variant:
    """The variant whose contract the slip's card shows: the first that it belongs to."""
    return next((one for one in kata.variants if slip.belongs_to(one.id)), kata.variants[0])


def cards_in(kata: Kata, variant: str) -> list[tuple[Slip, Card]]:
    """The slips whose cards show that variant and name a call of their own, with what the cards say."""
    return [(slip, slip.shown) for slip in kata.slips if slip.shown and card_variant(kata, slip).id == variant]


def card_kernel(kata: Kata, slip: Slip) -> str:
    """The wrong kernel as the slip's card shows it."""
    shown = shown_kernel(slip.source, kata.entry)
    return shown if slip.shown is None else narrow(bare_signatures(shown))


def right_lines(slip: Slip) -> list[str]:
    """What the card says to write instead."""
    return narrow(_dedent(slip.fix)).split("\n")


def call_lines(card: Card) -> list[str]:
    """The call as the card shows it: as it is written, or folded at its brackets where it is too wide."""
    return fold(_dedent(card.call))


def result_lines(label: str, value: str) -> list[str]:
    """A result as comments below the call: beside its label, or under it where that is too wide."""
    line = label.format(value=value)
    if columns(line) <= WIDTH:
        return [line]
    return [label.format(value="").rstrip(), *(f"#   {part}" for part in fold_value(value, WIDTH - 4))]


def _note(kata: Kata, slip: Slip, computed: Computed | None) -> Note:
    variant = card_variant(kata, slip)
    place = slip.position
    return Note(
        id=bug_id(kata.id, slip),
        type="bug",
        topic=kata.topic,
        position=Position(place.file, place.line, place.column),
        front=_front(kata, variant, card_kernel(kata, slip)),
        back=_back(slip, _exposed(kata, slip, variant, computed))
        if slip.shown is None
        else _followed(slip, slip.shown, computed.shown(kata.id, slip, variant.id) if computed else None),
        sources=kata.sources,
        proves=kata.proves,
        kata=kata.id,
    )


def _exposed(kata: Kata, slip: Slip, variant: Variant, computed: Computed | None) -> Exposed | None:
    exposed = computed.exposed(kata.id, slip.id, variant.id) if computed else None
    if exposed and exposed.source and exposed.source != digest(slip.source):
        return None  # computed for an older kernel: `check` says so, and the card does not show what may be wrong
    return exposed


def _front(kata: Kata, variant: Variant, code: str) -> Bilingual:
    def text(lang: Language) -> str:
        title = kata.title[lang]
        if len(kata.variants) > 1:
            title = _OF_VARIANT[lang].format(title=title, variant=variant.title[lang])
        question = _QUESTION[lang].format(title=title)
        contract = "\n".join(f"- {clause.text[lang]}" for clause in variant.clauses if not clause.generated)
        return f"{question}\n\n```python\n{code}```\n\n{_CONTRACT[lang]}\n\n{contract}"

    return Bilingual(text("en"), text("zh"))


def _back(slip: Slip, exposed: Exposed | None) -> Bilingual:
    def text(lang: Language) -> str:
        parts = [_of_somebody(slip.feedback[lang], lang), f"{_RIGHT[lang]}\n\n```python\n{_dedent(slip.fix)}\n```"]
        if exposed:
            lines = [exposed.call, _EXPECTED[lang].format(value=exposed.expected), _GOT[lang].format(value=exposed.got)]
            shown = "\n".join(lines).replace("```", "'''")
            parts.append(f"{_SHOWN_BY[lang].format(case=exposed.case)}\n\n```python\n{shown}\n```")
        return "\n\n".join(parts)

    return Bilingual(text("en"), text("zh"))


def _followed(slip: Slip, card: Card, shown: ShownCard | None) -> Bilingual:
    """The back of a card that says by hand what goes wrong; without what was computed, its call has no results."""

    def text(lang: Language) -> str:
        lines = call_lines(card)
        if shown is not None:
            lines = [*lines, *result_lines(_EXPECTED[lang], shown.expected), *result_lines(_GOT[lang], shown.got)]
        right, call = "\n".join(right_lines(slip)), "\n".join(lines).replace("```", "'''")
        parts = [card.text[lang], f"{_RIGHT[lang]}\n\n```python\n{right}\n```"]
        return "\n\n".join([*parts, f"{_SHOWN[lang]}\n\n```python\n{call}\n```"])

    return Bilingual(text("en"), text("zh"))


def _of_somebody(feedback: str, lang: Language) -> str:
    """The feedback of a slip on a card, whose code nobody of its readers wrote: no "you" in Chinese."""
    return feedback.replace("你的", "代码的").replace("你", "代码") if lang == "zh" else feedback


def _dedent(code: str) -> str:
    lines = code.rstrip().split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[margin:] for line in lines)


@functools.cache  # a card's kernel is asked for by each rule that looks at it
def shown_kernel(source: str, entry: str) -> str:
    """A wrong kernel as a card shows it: named as the entry, without docstrings and comments, which give the bug away.

    The kernel is the last function of `source`; the helpers before it stay, and so do comments that are a shape alone,
    such as `# (B, H, L, S)`. The text is returned with one final line break.
    """
    functions = [node for node in parsed(source).body if isinstance(node, ast.FunctionDef)]
    lines = source.split("\n")
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    for before, token in reversed(list(zip([None, *tokens], tokens, strict=False))):
        line, start = token.start
        own = token.string == functions[-1].name and (before is None or before.string != ".")  # no method of that name
        if token.type == tokenize.NAME and own:
            lines[line - 1] = lines[line - 1][:start] + entry + lines[line - 1][token.end[1] :]
        elif token.type == tokenize.COMMENT and not _SHAPE.fullmatch(token.string.strip()):
            lines[line - 1] = lines[line - 1][:start].rstrip()
    for function in reversed(functions):
        first = function.body[0]
        if len(function.body) > 1 and isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            lines[first.lineno - 1 : first.end_lineno] = []
    return "\n".join(line.rstrip() for line in lines if line.strip()) + "\n"
