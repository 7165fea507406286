"""Questions about fresh numbers at a terminal, on a pipe, or as JSON: asked, judged, worked out."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from llmdrills.cli.console import tell, told
from llmdrills.cli.options import nearest
from llmdrills.cli.packs import allowed_packs
from llmdrills.content.load import load_decks
from llmdrills.content.nearness import bounds
from llmdrills.decks.labels import tolerance_text
from llmdrills.errors import UsageError
from llmdrills.language import LANGUAGES, Bilingual
from llmdrills.mathtext import unicode_math
from llmdrills.practice.asking import draw, number_text
from llmdrills.practice.typed_number import Unread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llmdrills.cli.options import Place
    from llmdrills.content.model import Note
    from llmdrills.language import Language
    from llmdrills.practice.asking import Judged, Question

__all__ = ["WORDS", "Asking", "Questions", "as_json", "draw_questions", "families", "judge_given", "refuse_many"]

WORDS: dict[str, Bilingual] = {
    "head": Bilingual("{number}/{count} · {note}", "{number}/{count} · {note}"),
    "answer_in": Bilingual("Answer in {unit} ({tolerance}): ", "请作答，单位：{unit}（{tolerance}）："),
    "answer": Bilingual("Answer ({tolerance}): ", "请作答（{tolerance}）："),
    "right": Bilingual("✓ Right.", "✓ 正确。"),
    "wrong": Bilingual("✗ Not {given}.", "✗ 不是 {given}。"),
    "shown": Bilingual("The answer:", "答案："),
    "worked": Bilingual("{worked}", "{worked}"),
    "bounds": Bilingual("Right is from {low} to {high}.", "{low} 到 {high} 之间都算正确。"),
    "notations": Bilingual(
        "Write 8192, 8,192, 1.5e9, 1.5×10^9, 2^13, 3/4, 12 % or a number with its unit. "
        "Enter alone shows the answer, q ends.",
        "可以写成 8192、8,192、1.5e9、1.5×10^9、2^13、3/4、12 %，或带单位的数值。直接按 Enter 查看答案，q 结束。",
    ),
    "summary": Bilingual("{right} of {asked} right (seed {seed}).", "共 {asked} 题，答对 {right} 题（种子 {seed}）。"),
    "none_asked": Bilingual("Nothing was answered (seed {seed}).", "没有作答（种子 {seed}）。"),
    "broken_off": Bilingual(
        "Broken off; `llmdrills ask --seed {seed}` asks the same again.",
        "已中断；运行 `llmdrills ask --seed {seed}` 可再次做同样的题目。",
    ),
}

_NO_FAMILY = Bilingual("{wanted!r} is no note with a number family", "{wanted!r} 不是可以抽取数值的笔记")
_WITHOUT = Bilingual(
    "`llmdrills ask` without names asks of all of them", "不写名称运行 `llmdrills ask`，从全部数值题中抽取"
)
_NONE = Bilingual("no note of this workspace has a number family", "此工作区没有可以抽取数值的笔记")
_WRITE_ONE = Bilingual(
    "add `family:` to a number note (see the page “Formats” of the documentation)",
    "请给数值笔记加上 `family:`（见文档的“Formats”一页）",
)
_TOO_MANY = Bilingual("there are {given} answers for {asked} questions", "给出了 {given} 个答案，而题目只有 {asked} 道")
_FEWER = Bilingual("give one a question, or ask more with --count", "请每题给一个答案，或用 --count 增加题目")
_LONGEST_LINE = 4096
_SKIP, _HELP, _QUIT = "", {"?", "？"}, {"q", "quit"}


class Given(NamedTuple):
    """An answer as it was given, and what became of it; None of both: none was given."""

    text: str | None
    found: Judged | Unread | None

    @property
    def right_or_none(self) -> bool:
        """Whether it is right, or was never given."""
        return self.found is None or (not isinstance(self.found, Unread) and self.found.right)


class Questions(NamedTuple):
    """The questions of one run."""

    asked: tuple[Question, ...]
    seed: int
    language: Language

    def judged(self, given: Sequence[str]) -> Iterator[Given]:
        """The answers that were given, in order, each with what became of it."""
        for at, question in enumerate(self.asked):
            text = given[at] if at < len(given) else None
            yield Given(text, None if text is None else question.judge(text))


def families(here: Place) -> list[Note]:
    """The notes with a family that are written in the language. Raises ContentError."""
    decks = [*load_decks(here.workspace, here.locations.cache)]
    for pack in allowed_packs(here):
        decks += load_decks(pack.folder, here.locations.cache)
    return [
        note
        for deck in decks
        if here.language in deck.languages
        for note in deck.notes
        if note.family is not None and note.answer is not None
    ]


def draw_questions(here: Place, wanted: Sequence[str], count: int, seed: int | None) -> Questions:
    """Draw them. Raises UsageError for a name that there is none of, and where no note has a family."""
    known = {note.id: note for note in families(here)}
    if not known:
        raise UsageError(_NONE, _WRITE_ONE)
    for name in wanted:
        if name not in known:
            raise UsageError(_NO_FAMILY.format(wanted=name), nearest(name, known, _WITHOUT))
    chosen = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    notes = [known[name] for name in dict.fromkeys(wanted)] or list(known.values())
    return Questions(tuple(draw(notes, count, chosen, here.language)), chosen, here.language)


def refuse_many(given: Sequence[str], drawn: Questions) -> None:
    """Raise UsageError where there are more answers than questions."""
    if len(given) > len(drawn.asked):
        raise UsageError(_TOO_MANY.format(given=len(given), asked=len(drawn.asked)), _FEWER)


# ---- for programs --------------------------------------------


def as_json(drawn: Questions, given: Sequence[str]) -> dict[str, Any]:
    """The questions with their answers, and what became of those that were given. Schema 1: it may gain keys."""
    return {
        "schema": 1,
        "seed": drawn.seed,
        "language": drawn.language,
        "questions": [
            {
                "note": one.note,
                "question": one.text,
                "quantities": one.quantities,
                "unit": one.unit[drawn.language],
                "tolerance": one.tolerance,
                "answer": one.drawn.answer,
                "low": bounds(one.drawn.answer, one.tolerance).low,
                "high": bounds(one.drawn.answer, one.tolerance).high,
                "formula": one.formula,
                "worked": one.worked,
                "given": answer.text,
                "value": None if answer.found is None or isinstance(answer.found, Unread) else answer.found.value,
                "right": None if answer.found is None else answer.right_or_none,
                "unread": answer.found.told[drawn.language] if isinstance(answer.found, Unread) else None,
            }
            for one, answer in zip(drawn.asked, drawn.judged(given), strict=True)
        ],
    }


def judge_given(drawn: Questions, given: Sequence[str]) -> None:
    """Print what becomes of the answers that were given, without asking."""
    for number, (question, answer) in enumerate(zip(drawn.asked, drawn.judged(given), strict=True), 1):
        if answer.found is not None:
            tell(_introduced(drawn, question, number))
            tell(
                answer.found.told[drawn.language] if isinstance(answer.found, Unread) else _told(question, answer.found)
            )


# ---- for people --------------------------------------------


class Asking:
    """Asks one question after another, until the last or the end of the input; Ctrl-C passes through."""

    def __init__(self, drawn: Questions, source: TextIO) -> None:
        self._drawn = drawn
        self._source = source
        self._marks: list[bool] = []

    def run(self) -> None:
        """Ask them all, and say how many were right."""
        if hasattr(self._source, "reconfigure"):
            # What is typed in another encoding is no number, and no reason to stop.
            self._source.reconfigure(encoding="utf-8", errors="replace")
        for number, question in enumerate(self._drawn.asked, 1):
            tell(_introduced(self._drawn, question, number))
            found = self._answer(question)
            if found is None:
                break
            tell(_told(question, found if isinstance(found, tuple) else None))
            self._marks.append(isinstance(found, tuple) and found.right)
            tell()
        name = "summary" if self._marks else "none_asked"
        tell(told(WORDS[name].format(right=sum(self._marks), asked=len(self._marks), seed=self._drawn.seed)))

    def _answer(self, question: Question) -> Judged | str | None:
        """What was answered; empty: the answer is to be shown; None: nothing more is asked."""
        while True:
            print(_prompt(question), end="", flush=True)
            typed = self._line()
            if not self._source.isatty() or typed is None:
                tell()  # what is typed at a terminal ends the line itself
            if typed is None or typed.strip().lower() in _QUIT:
                return None
            if typed.strip() == _SKIP:
                return _SKIP
            if typed.strip() in _HELP:
                tell(told(WORDS["notations"]))
                continue
            found = question.judge(typed)
            if not isinstance(found, Unread):
                return found
            tell(told(found.told))

    def _line(self) -> str | None:
        """A line of the input; None at its end. Of a line without end, the first part is kept."""
        line = self._source.readline(_LONGEST_LINE)
        rest = line
        while rest and not rest.endswith("\n"):
            rest = self._source.readline(_LONGEST_LINE)
        return line.rstrip("\n") if line else None


def _introduced(drawn: Questions, question: Question, number: int) -> str:
    head = WORDS["head"].format(number=number, count=len(drawn.asked), note=question.note)
    return f"{told(head)}\n{unicode_math(question.text)}"


def _prompt(question: Question) -> str:
    name = "answer_in" if question.unit.en else "answer"
    return told(WORDS[name].format(unit=question.unit, tolerance=tolerance_text(question.tolerance)))


def _with_unit(value: float, question: Question) -> Bilingual:
    en, zh = (f"{number_text(value, one)} {question.unit[one]}".strip() for one in LANGUAGES)
    return Bilingual(en, zh)


def _told(question: Question, found: Judged | None) -> str:
    """Right or wrong, the formula worked out, and what else counts as right."""
    if found is None:
        first = WORDS["shown"]
    else:
        given = told(_with_unit(found.value, question))
        first = WORDS["right"] if found.right else WORDS["wrong"].format(given=given)
    lines = [told(first), f"  {question.worked} {told(question.unit)}".rstrip()]
    low, high = bounds(question.drawn.answer, question.tolerance)
    if low < high:
        both = [Bilingual(number_text(one, "en"), number_text(one, "zh")) for one in (low, high)]
        lines.append("  " + told(WORDS["bounds"].format(low=both[0], high=both[1])))
    if question.more:
        lines.append("  " + unicode_math(question.more))
    return "\n".join(lines)
