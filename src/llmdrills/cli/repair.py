"""Repairs for the commands and the daily loop: what one begins from, and what is said of its mistake after the pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from llmdrills.content.catalogue import with_slips
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual
from llmdrills.practice import repairs, schedule
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.history import History
from llmdrills.practice.rotation import in_rotation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata, Variant
    from llmdrills.language import Language
    from llmdrills.practice.repetition import Repetition

__all__ = ["UNRATED", "Mistake", "begin_repair", "mistake_of", "refuse_repair", "starter_of"]

UNRATED = Bilingual(
    "A repair needs no rating: it moves no schedule. `llmdrills start {kata} --repair` begins another one.",
    "修复练习无需评级，也不改变复习安排。运行 `llmdrills start {kata} --repair` 再做一个。",
)
_WAS = Bilingual("The mistake was: {text}", "其中的错误是：{text}")
_GONE = Bilingual("The mistake was {id}; the kata no longer lists it.", "其中的错误是 {id}，这道题已不再收录它。")
_NO_SLIPS = Bilingual("{kata} has no known mistake to begin a repair from", "{kata} 没有可供修复练习使用的常见错误")
_NOT_HERE = Bilingual(
    "the variant {variant} of {kata} has no known mistake to begin a repair from",
    "{kata} 的变体 {variant} 没有可供修复练习使用的常见错误",
)
_FROM_BLANK = Bilingual("`llmdrills start {kata}` begins from a blank", "运行 `llmdrills start {kata}` 从空白开始")
_PASSED = Bilingual(
    "the repair of {kata} needs no rating: it moves no schedule", "{kata} 的修复练习无需评级，也不改变复习安排"
)


class Mistake(NamedTuple):
    """The mistake that a repair began from; `text` is empty where the kata no longer has it."""

    id: str
    text: Bilingual

    def told(self, language: Language) -> str:
        """What is said of it after the pass."""
        return (_WAS if self.text.en else _GONE).format(id=self.id, text=self.text[language])[language]


def begin_repair(here: Place, history: History, kata: Kata, variant: Variant | None, file: Path) -> Repetition:
    """Begin a repair in `file`, in the variant whose turn it is unless one is named: from a mistake that is none of
    the last three. Raises UsageError where there is nothing to begin from."""
    from llmdrills.content.repair import choose, repair_text  # here, as below: it reads YAML, which a plan needs not

    whole = with_slips(kata)
    chosen = _variant(history, whole, [variant] if variant is not None else None)
    seed = repetitions.new_seed()
    slips = choose(whole, chosen, seed, repairs.lately(history, kata.id), most=1)
    text = repair_text(whole, chosen, here.language, seed, slips)
    return repetitions.start_repair(history, kata, chosen.id, file, repetitions.Repair(text, slips[0].id, seed))


def _variant(history: History, kata: Kata, named: Sequence[Variant] | None) -> Variant:
    """The variant to repair: the first of those named, or in rotation, that has a mistake to begin from."""
    from llmdrills.content.repair import candidates

    turn = schedule.load(history).next_variant(kata)
    known = named or sorted(in_rotation(kata), key=lambda variant: variant.id != turn)
    for variant in known:
        if candidates(kata, variant):
            return variant
    what = _NOT_HERE.format(kata=kata.id, variant=known[0].id) if named else _NO_SLIPS.format(kata=kata.id)
    raise UsageError(what, _FROM_BLANK.format(kata=kata.id))


def starter_of(here: Place, repetition: Repetition) -> str:
    """What a repetition began from, in the spoken language: a blank, the kata's own starter, or a wrong kernel."""
    from llmdrills.content.repair import candidates, choose, first_text, repair_text

    kata = repetition.kata
    variant = kata.variant(repetition.variant) or kata.variants[0]
    if repetition.slip is None:
        return first_text(kata, variant, here.language, repetition.seed)
    whole = with_slips(kata)
    known = [slip for slip in candidates(whole, variant) if slip.id == repetition.slip]
    # A slip that is gone since cannot be written again: the seed stands for another one then, or for a blank.
    slips = tuple(known) or choose(whole, variant, repetition.seed, most=1)
    if not slips:
        return first_text(kata, variant, here.language, repetition.seed)
    return repair_text(whole, variant, here.language, repetition.seed, slips)


def mistake_of(repetition: Repetition) -> Mistake | None:
    """The mistake of a repair that is passed; None before the pass, and for what began from a blank."""
    if repetition.slip is None or not repetition.passed:
        return None
    kata = repetition.kata
    slips = kata.slips or with_slips(kata).slips
    found = [slip for slip in slips if slip.id == repetition.slip and slip.belongs_to(repetition.variant)]
    return Mistake(repetition.slip, found[0].feedback if found else Bilingual("", ""))


def refuse_repair(here: Place, kata: Kata) -> None:
    """Raise UsageError where what was begun last of the kata is a repair: there is nothing to rate."""
    if not here.locations.history_file.exists():
        return
    with History.open(here.locations.history_file) as history:
        if repairs.was_last(history, kata.id):
            raise UsageError(_PASSED.format(kata=kata.id), _FROM_BLANK.format(kata=kata.id))
