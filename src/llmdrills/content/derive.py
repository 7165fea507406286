"""Spot-the-bug notes, made from the slips of drills/ that say `card: true`: never written by hand."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from typing import TYPE_CHECKING

from llmdrills.content.computed import digest
from llmdrills.content.model import Deck, Note, Position
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmdrills.content.computed import Computed, Exposed
    from llmdrills.content.model import Kata, Slip, Variant
    from llmdrills.language import Language

__all__ = ["BUG_DECK", "bug_deck", "bug_id", "bug_notes", "shown_kernel"]

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
_EXPECTED = Bilingual("# right: {value}", "# 正确：{value}")
_GOT = Bilingual("# this kernel: {value}", "# 这段代码：{value}")
_RIGHT = Bilingual("The right line:", "正确的写法：")


def bug_id(kata_id: str, slip: Slip) -> str:
    """The note's identity: the kata and the slip, and the variants where the slip names some, unless it pins one.

    It does not depend on what else the file holds, so that a new slip never renames an old note.
    """
    return slip.note or "-".join(["bug", kata_id, slip.id, *slip.variants])


def bug_deck(katas: Iterable[Kata], computed: Computed | None = None) -> Deck | None:
    """The deck of all derived notes, in the order of the katas; None when there are none."""
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
    """One note for each slip that asks for a card; with `computed`, the back shows an input that exposes it."""
    return tuple(_note(kata, slip, computed) for kata in katas for slip in kata.slips if slip.card)


def _note(kata: Kata, slip: Slip, computed: Computed | None) -> Note:
    variant = next((one for one in kata.variants if slip.belongs_to(one.id)), kata.variants[0])
    exposed = computed.exposed(kata.id, slip.id, variant.id) if computed else None
    if exposed and exposed.source and exposed.source != digest(slip.source):
        exposed = None  # computed for an older kernel: `check` says so, and the card does not show what may be wrong
    place = slip.position
    return Note(
        id=bug_id(kata.id, slip),
        type="bug",
        topic=kata.topic,
        position=Position(place.file, place.line, place.column),
        front=_front(kata, variant, shown_kernel(slip.source, kata.entry)),
        back=_back(slip, exposed),
        sources=kata.sources,
        proves=kata.proves,
        kata=kata.id,
    )


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


def _of_somebody(feedback: str, lang: Language) -> str:
    """The feedback of a slip on a card, whose code nobody of its readers wrote: no "you" in Chinese."""
    return feedback.replace("你的", "代码的").replace("你", "代码") if lang == "zh" else feedback


def _dedent(code: str) -> str:
    lines = code.rstrip().split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[margin:] for line in lines)


def shown_kernel(source: str, entry: str) -> str:
    """A wrong kernel as a card shows it: named as the entry, without docstrings and comments, which give the bug away.

    The kernel is the last function of `source`; the helpers before it stay, and so do comments that are a shape alone,
    such as `# (B, H, L, S)`. The text is returned with one final line break.
    """
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    lines = source.split("\n")
    for token in reversed(list(tokenize.generate_tokens(io.StringIO(source).readline))):
        line, start = token.start
        if token.type == tokenize.NAME and token.string == functions[-1].name:
            lines[line - 1] = lines[line - 1][:start] + entry + lines[line - 1][token.end[1] :]
        elif token.type == tokenize.COMMENT and not _SHAPE.fullmatch(token.string.strip()):
            lines[line - 1] = lines[line - 1][:start].rstrip()
    for function in reversed(functions):
        first = function.body[0]
        if len(function.body) > 1 and isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            lines[first.lineno - 1 : first.end_lineno] = []
    return "\n".join(line.rstrip() for line in lines if line.strip()) + "\n"
