"""What the magics do: grade a cell and record it, begin, show a hint, rate. No IPython here, and nothing is printed.

The repetition is the terminal's (`practice/repetition.py`), in the same file of the practice folder: one that began
here goes on there, and the other way round. A cell that is graded while no repetition of its kata is open begins one.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.cli.kata_view import kata_markdown
from llmdrills.cli.options import ONE_OF, Place, find_kata, find_variant, nearest, place
from llmdrills.cli.packs import all_katas, allowed_packs
from llmdrills.cli.rating_view import NAMES, RATED, days_of
from llmdrills.cli.record import EASIER, earned, open_history, practice_file
from llmdrills.cli.repair import starter_of
from llmdrills.content.catalogue import with_slips
from llmdrills.content.notebookfile import Binding, Cell, as_python
from llmdrills.content.repair import first_text
from llmdrills.content.starter import header, read_header
from llmdrills.errors import UsageError
from llmdrills.files import check_size, write_atomically
from llmdrills.language import Bilingual, listed
from llmdrills.notebook.asked import Asked
from llmdrills.notebook.grader import CellGrader
from llmdrills.notebook.shown import Part, Prose, Shown
from llmdrills.notebook.verdict_shown import Outcome, verdict_shown
from llmdrills.practice import repetition as repetitions
from llmdrills.practice import schedule
from llmdrills.practice.moments import Moment
from llmdrills.practice.rating import Rating
from llmdrills.practice.rotation import stronger

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from llmdrills.content.model import Kata, Variant
    from llmdrills.grading.judging.verdict import Verdict
    from llmdrills.practice.history import History
    from llmdrills.practice.rating import Facts
    from llmdrills.practice.repetition import Choice, Repetition

__all__ = ["Begun", "Desk", "Written"]

_NAME_KATA = Bilingual("name a kata", "请写明是哪道题")
_AS_IN = Bilingual("`{usage}`; `!llmdrills list` shows all katas", "`{usage}`；运行 `!llmdrills list` 查看全部练习")
_OTHER_HEADER = Bilingual(
    "the cell begins as an answer to {named}, not to {kata}", "这个单元格开头写的是 {named}，不是 {kata}"
)
_CHANGE = Bilingual("write `%%kata {named}`, or take that line out", "请写 `%%kata {named}`，或删除那一行")
_BEGAN = Bilingual("With this cell a repetition of {kata} has begun.", "从这个单元格起，开始了一次 {kata} 的练习。")
_SAME = Bilingual(
    "Not recorded: this code was graded before, and that repetition is over. `%kata {kata}` begins another.",
    "未记录：这段代码之前已评过分，那次练习也已结束。运行 `%kata {kata}` 开始新的一次。",
)
_OTHER_VARIANT = Bilingual(
    "Not recorded: this was graded as {variant}, and the repetition that is open is of {open}: "
    "`%kata {kata} --variant {variant}` begins that one.",
    "未记录：这次按变体 {variant} 评分，而进行中的练习是 {open}："
    "运行 `%kata {kata} --variant {variant}` 开始那个变体。",
)
_WAITS = Bilingual(
    "{kata} ({variant}) is passed and waits for its rating: `%kata_rate {kata}`.",
    "{kata}（{variant}）已通过，等待评级：运行 `%kata_rate {kata}`。",
)
_UNRATED = Bilingual("{kata} ({variant}) is passed and not rated yet", "{kata}（{variant}）已通过但尚未评级")
_RATE_FIRST = Bilingual(
    "`%kata_rate {kata}` records the rating, `!llmdrills start {kata} --discard` begins again without it",
    "运行 `%kata_rate {kata}` 记录评级，或运行 `!llmdrills start {kata} --discard` 放弃它并重新开始",
)
_NOT_OPEN = Bilingual("no repetition of {kata} is open", "{kata} 没有进行中的练习")
_BEGIN = Bilingual(
    "`%kata {kata}` begins one; `!llmdrills undo` opens the last one that was rated or skipped",
    "运行 `%kata {kata}` 开始，或运行 `!llmdrills undo` 重新打开上次评级或跳过的练习",
)
_TAKE_BACK = Bilingual("`!llmdrills undo` takes it back.", "运行 `!llmdrills undo` 可以撤销。")
_NEITHER = Bilingual("{name!r} is neither a kata nor a rating", "{name!r} 既不是练习，也不是评级")
_AT_MOST = Bilingual(
    "nobody saw when you began this repetition of {kata}, so it counts as Good at most",
    "这次 {kata} 练习没有起始时间，最高只能评为“良好”",
)
_TAKE_GOOD = Bilingual("`%kata_rate` records Good", "运行 `%kata_rate` 记录“良好”")
_COSTS = Bilingual(
    "A hint counts: this repetition is now rated Hard at most.", "提示会计入评级：这次练习最高只能评为“困难”。"
)
_NO_HINT = Bilingual("{kata} has no hint {number}", "{kata} 没有第 {number} 条提示")
_HAS = Bilingual("it has {count}: ask for 1 to {count}", "共有 {count} 条：请写 1 到 {count}")
_ALL_SHOWN = Bilingual(
    "All {count} hints of {kata} were shown. `!llmdrills solution {kata}` shows the solution: this repetition then "
    "counts as Again.",
    "{kata} 的 {count} 条提示都已显示。运行 `!llmdrills solution {kata}` 查看答案：这次练习将记为“重来”。",
)
_UNTIMED_SECONDS = 1.0  # a pass so soon after the beginning: the code was there before


@dataclass(frozen=True)
class Written:
    """A cell: the lines below its magic, its name in messages, and what other cells bind."""

    text: str
    name: str
    elsewhere: Mapping[str, Binding] = field(default_factory=dict)


class Begun(NamedTuple):
    """What `%kata KATA` shows, and the cell to write in (empty: none)."""

    shown: Sequence[object]
    cell: str = ""


class Desk:
    """One kernel's grader, and which kata its learner is at."""

    def __init__(self) -> None:
        self._grader = CellGrader()
        self._last = ""  # the kata that was asked for last: `%kata_hint` and `%kata_rate` mean it unless one is named
        self._looked: dict[str, int] = {}  # hints that were shown while no repetition of the kata was open

    def open(self) -> bool:
        """Start the grader, which imports torch meanwhile. Raises LLMDrillsError for a bad setting or workspace."""
        here = place()
        self._grader.start(here.settings.text("device"))
        allowed_packs(here)  # says which are left out: a notebook has no terminal to ask on
        return False

    def close(self) -> None:
        """End the grader."""
        self._grader.close()

    # ---- grading ----------------------------------------

    def grade(self, asked: Asked, written: Written) -> Shown:
        """Grade the cell and record it. Raises LLMDrillsError, and KeyboardInterrupt with nothing recorded."""
        here = place()
        kata = with_slips(self._kata(here, asked, "%%kata KATA"))
        named = _variant_named(kata, asked, written.text)
        file = practice_file(here, kata)
        with open_history(here) as history:
            going_on = repetitions.resume(history, kata, file=file, begun="blank", planned=named is None)
            variant = find_variant(kata, going_on.variant if going_on is not None and named is None else named)
            seed = going_on.seed if going_on is not None else repetitions.new_seed()
        code = _python(kata, variant, written)
        asked_at = Moment.now()
        verdict = self._grader.grade(
            kata,
            variant.id,
            _cell(here, kata, code, written),
            device=here.settings.text("device"),
            seed=seed,
            language=here.language,
        )
        outcome = self._record(here, kata, verdict, code, asked_at)
        if not verdict.passed:
            self._grader.prepare(kata, variant.id, seed)
        return verdict_shown(verdict, outcome, here.language, why="why" in asked.switches)

    def _record(self, here: Place, kata: Kata, verdict: Verdict, code: bytes, asked_at: Moment) -> Outcome:
        """Add the attempt to the repetition that is open, or to one that begins with it."""
        if verdict.outcome == "error":
            return Outcome()
        notes: tuple[Bilingual, ...] = ()
        with _resumed(here, kata) as (history, going_on):
            if going_on is not None and going_on.variant != verdict.variant:
                words = {"kata": kata.id, "variant": verdict.variant, "open": going_on.variant}
                return Outcome(notes=(_OTHER_VARIANT.format(**words),))
            if going_on is None:
                if repetitions.last_code(history, kata.id) == code:
                    return Outcome(notes=(_SAME.format(kata=kata.id),))
                going_on = self._start(here, history, kata, verdict, asked_at)
                notes = (_BEGAN.format(kata=kata.id),)
            going_on.hand_in(code, starter_of(here, going_on))
            going_on.attempt(code, verdict.to_json(), asked_at if notes else None)
            if going_on.state == "passed":
                words = {"kata": kata.id, "variant": verdict.variant, "stronger": stronger(kata, verdict.variant)}
                return Outcome(True, (*notes, EASIER.format(**words)))
            choices = _choices(here, going_on) if verdict.passed else ()
            return Outcome(True, notes, choices, going_on.facts() if choices else None)

    def _start(self, here: Place, history: History, kata: Kata, verdict: Verdict, at: Moment) -> Repetition:
        """A repetition that begins with the cell, with the hints that were looked at before."""
        variant = find_variant(kata, verdict.variant)
        starter = first_text(kata, variant, here.language, verdict.seed)
        file = practice_file(here, kata)
        begun = repetitions.start(history, kata, variant.id, file, starter, seed=verdict.seed, now=at)
        for number in range(1, self._looked.pop(kata.id, 0) + 1):
            begun.hint(number, at)
        return begun

    # ---- the rest ----------------------------------------

    def begin(self, asked: Asked) -> Begun:
        """Show what to write, begin a repetition unless one is open, and give the cell to write in.

        Raises UsageError where a pass waits for its rating and another repetition is asked for.
        """
        here = place()
        kata = self._kata(here, asked, "%kata KATA")
        wanted = find_variant(kata, asked.variant) if asked.variant is not None else None
        with _resumed(here, kata, planned=wanted is None) as (history, going_on):
            again = "again" in asked.switches or (
                going_on is not None and wanted is not None and going_on.variant != wanted.id
            )
            if going_on is not None and going_on.unrated_pass and again:
                words = {"kata": kata.id, "variant": going_on.variant}
                raise UsageError(_UNRATED.format(**words), _RATE_FIRST.format(**words))
            if going_on is None or again:
                variant = wanted or find_variant(kata, schedule.load(history).next_variant(kata))
                seed = repetitions.new_seed()
                text = first_text(kata, variant, here.language, seed)
                repetitions.start(history, kata, variant.id, practice_file(here, kata), text, seed=seed)
                waits = False
            else:
                variant = find_variant(kata, going_on.variant)
                text = (going_on.last_code() or b"").decode("utf-8", "replace") or starter_of(here, going_on)
                waits = going_on.unrated_pass
        self._looked.pop(kata.id, None)
        prompt = Prose(kata_markdown(kata, variant, here.language))
        if waits:
            words = {"kata": kata.id, "variant": variant.id}
            return Begun((prompt, Shown(_WAITS.format(**words)[here.language], (), here.language)))
        self._grader.start(here.settings.text("device"), kata.needs)
        return Begun((prompt,), _first_cell(kata, variant, text))

    def hint(self, asked: Asked) -> object:
        """The next hint, or the one of that number; recorded where a repetition is open."""
        here = place()
        number = next((int(word) for word in asked.words if word.isdecimal()), None)
        words = tuple(word for word in asked.words if not word.isdecimal())
        kata = self._kata(here, Asked(words), "%kata_hint KATA")
        count = len(kata.hints)
        if number is not None and not 1 <= number <= count:
            raise UsageError(_NO_HINT.format(kata=kata.id, number=number), _HAS.format(count=count))
        with _resumed(here, kata) as (_, going_on):
            shown = going_on.hints_shown if going_on is not None else self._looked.get(kata.id, 0)
            if number is None and shown >= count:
                return Shown(_ALL_SHOWN.format(kata=kata.id, count=count)[here.language], (), here.language)
            number = number or shown + 1
            costs = going_on is not None and going_on.next_look_costs
            if going_on is not None:
                going_on.hint(number)
            else:
                self._looked[kata.id] = max(shown, number)
        hint = f"**{number}/{count}** {kata.hints[number - 1][here.language].strip()}"
        return Prose(f"{hint}\n\n{_COSTS[here.language]}" if costs else hint)

    def rate(self, asked: Asked) -> Shown:
        """Record the rating: what was earned, or a lower one. Raises UsageError."""
        here = place()
        words, wanted = _rating_in(asked.words)
        kata = self._kata(here, Asked(words), "%kata_rate KATA", NAMES)
        with _resumed(here, kata) as (_, going_on):
            if going_on is None:
                raise UsageError(_NOT_OPEN.format(kata=kata.id), _BEGIN.format(kata=kata.id))
            choices = _choices(here, going_on)
            if choices and wanted is not None and choices[-1].rating < wanted <= (going_on.derived() or wanted):
                raise UsageError(_AT_MOST.format(kata=kata.id), _TAKE_GOOD)
            review = going_on.rate(choices[-1].rating if choices and wanted is None else wanted)
        choice = next(one for one in choices if one.rating == review.rating)
        told = {"kata": kata.id, "rating": review.rating.label, "due": choice.due, "days": days_of(choice)}
        data = {
            "schema": 1,
            "kata": review.kata,
            "variant": review.variant,
            "earned": review.derived.name.lower(),
            "rating": review.rating.name.lower(),
            "due": choice.due.isoformat(),
            "days": choice.days,
            "review": review.id,
        }
        head, back = RATED.format(**told)[here.language], Part(_TAKE_BACK[here.language])
        return Shown(head, [back], here.language, kind="good", data=data)

    def _kata(self, here: Place, asked: Asked, usage: str, others: Iterable[str] = ()) -> Kata:
        """The kata that is named, or was last; UsageError with near names, `others` among them."""
        name = asked.kata or self._last
        if not name:
            raise UsageError(_NAME_KATA, _AS_IN.format(usage=usage))
        katas = all_katas(here, quiet=True)
        if others and all(kata.id != name for kata in katas):
            known = (*others, *(kata.id for kata in katas))
            raise UsageError(_NEITHER.format(name=name), nearest(name, known, ONE_OF.format(words=listed(others))))
        found = find_kata(katas, name)
        self._last = found.id
        return found


def _rating_in(words: Sequence[str]) -> tuple[tuple[str, ...], Rating | None]:
    """The words without the one that is a rating, by name or number, and that rating."""
    known = {**NAMES, **{str(int(rating)): rating for rating in Rating}}
    ratings = [known[word.lower()] for word in words if word.lower() in known]
    return tuple(word for word in words if word.lower() not in known), ratings[0] if ratings else None


@contextmanager
def _resumed(here: Place, kata: Kata, *, planned: bool = False) -> Iterator[tuple[History, Repetition | None]]:
    """The history, and the kata's open repetition from a blank, if there is one."""
    with open_history(here) as history:
        yield history, repetitions.resume(history, kata, file=practice_file(here, kata), planned=planned, begun="blank")


def _variant_named(kata: Kata, asked: Asked, text: str) -> str | None:
    """The variant that the magic names, else the header of a starter below it. Raises UsageError for another kata's."""
    found = read_header(text)
    if found is not None and found[0] != kata.id:
        words = {"named": found[0], "kata": kata.id}
        raise UsageError(_OTHER_HEADER.format(**words), _CHANGE.format(**words))
    return asked.variant or (found[1] if found else None)


def _python(kata: Kata, variant: Variant, written: Written) -> bytes:
    """The cell as a file that says what it answers: the magic's line becomes its header, and no other line moves."""
    text = as_python(f"%%kata\n{written.text}") or ""
    code = f"{header(kata.id, variant.id)}\n{text.partition(chr(10))[2]}".encode("utf-8", "surrogatepass")
    check_size(len(code), written.name)
    return code


def _cell(here: Place, kata: Kata, code: bytes, written: Written) -> Cell:
    """What is graded, and a copy of it that the snippet of a report can load."""
    copy = here.locations.cache / "cells" / f"{kata.id}.py"
    write_atomically(copy, code, durable=False)
    return Cell(code=code, name=written.name, path=copy, elsewhere=written.elsewhere)


def _first_cell(kata: Kata, variant: Variant, text: str) -> str:
    """The cell to write in. The line with the magic says what the header of a file says."""
    lines = text.splitlines()
    if lines and read_header(lines[0]) is not None:
        del lines[0]
    named = f" --variant {variant.id}" if len(kata.variants) > 1 else ""
    return "\n".join([f"%%kata {kata.id}{named}", *lines])


def _choices(here: Place, repetition: Repetition) -> tuple[Choice, ...]:
    """The ratings that may be given. Without Easy where the code was there when the repetition began: how long it took
    to write is not known then."""
    found = earned(here, repetition)
    choices = found.choices if found is not None else ()
    return choices[:-1] if found is not None and _untimed(found.facts, choices) else choices


def _untimed(facts: Facts, choices: Sequence[Choice]) -> bool:
    return choices[-1].rating == Rating.EASY and facts.seconds < _UNTIMED_SECONDS
