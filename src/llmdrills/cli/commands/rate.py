"""`llmdrills rate`."""

from __future__ import annotations

from typing import Annotated

import typer

from llmdrills.cli.console import note, print_json, tell, told
from llmdrills.cli.manual import manual
from llmdrills.cli.options import (
    ONE_OF,
    JsonOption,
    KataArgument,
    LangOption,
    WorkspaceOption,
    find_kata,
    nearest,
    place,
)
from llmdrills.cli.packs import all_katas
from llmdrills.cli.rating_view import NAMES, RATED, days_of
from llmdrills.cli.record import earned, open_repetition
from llmdrills.cli.repair import refuse_repair
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual, listed
from llmdrills.practice.rating import Rating

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Rate the repetition of a kata that you passed, or gave up: this schedules it.",
        "为已通过或已放弃的一次练习评级，并据此安排下次复习。",
    ),
    "llmdrills rate rope-pairing",
    "llmdrills rate rope-pairing hard",
    "llmdrills rate rope-pairing --json",
    more=Bilingual("`llmdrills undo` takes it back.", "运行 `llmdrills undo` 可以撤销。"),
)

_NOT_OPEN = Bilingual("no repetition of {kata} is open", "{kata} 没有进行中的练习")
_BEGIN = Bilingual(
    "`llmdrills start {kata}` begins one; `llmdrills undo` opens the last one that was rated or skipped",
    "运行 `llmdrills start {kata}` 开始，或运行 `llmdrills undo` 重新打开上次评级或跳过的练习",
)
_NO_RATING = Bilingual("{word!r} is no rating", "没有 {word!r} 这个评级")
_TAKE_BACK = Bilingual("`llmdrills undo` takes it back.", "运行 `llmdrills undo` 可以撤销。")


def _complete(incomplete: str) -> list[str]:
    return [name for name in NAMES if name.startswith(incomplete)]


def command(
    kata: KataArgument,
    rating: Annotated[
        str | None,
        typer.Argument(
            metavar="[again|hard|good|easy]",
            help=told(
                Bilingual(
                    "What was earned unless given; a rating can be lowered, not raised.",
                    "默认为应得的评级；只能调低，不能调高。",
                )
            ),
            autocompletion=_complete,
            show_default=False,
        ),
    ] = None,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills rate`."""
    here = place(workspace, lang=lang)
    found = find_kata(all_katas(here), kata)
    wanted = _rating(rating)
    with open_repetition(here, found, begun="blank") as repetition:
        if repetition is None or not repetition.rateable:
            refuse_repair(here, found)
        if repetition is None:
            raise UsageError(_NOT_OPEN.format(kata=found.id), _BEGIN.format(kata=found.id))
        offered = earned(here, repetition)
        review = repetition.rate(wanted)
    choice = next(one for one in (offered.choices if offered else ()) if one.rating == review.rating)
    if json:
        print_json(
            {
                "schema": 1,
                "kata": review.kata,
                "variant": review.variant,
                "earned": review.derived.name.lower(),
                "rating": review.rating.name.lower(),
                "due": choice.due.isoformat(),
                "days": choice.days,
                "review": review.id,
            }
        )
        return
    label = review.rating.label[here.language]
    tell(RATED.format(kata=found.id, rating=label, due=choice.due, days=days_of(choice)[here.language])[here.language])
    note(_TAKE_BACK[here.language])


def _rating(word: str | None) -> Rating | None:
    """The rating of that name or number. Raises UsageError."""
    if word is None:
        return None
    numbers = {str(int(rating)): rating for rating in Rating}
    found = NAMES.get(word.lower()) or numbers.get(word)
    if found is None:
        words = ONE_OF.format(words=listed(NAMES))
        raise UsageError(_NO_RATING.format(word=word), nearest(word.lower(), NAMES, words))
    return found
