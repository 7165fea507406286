"""`llmdrills start`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmdrills.cli.console import note, told
from llmdrills.cli.day.desk import open_once
from llmdrills.cli.manual import manual
from llmdrills.cli.options import (
    KataArgument,
    LangOption,
    VariantOption,
    WorkspaceOption,
    find_kata,
    find_variant,
    place,
)
from llmdrills.cli.packs import all_katas
from llmdrills.cli.record import EASIER, open_history, practice_file, tell_place
from llmdrills.cli.repair import begin_repair, starter_of
from llmdrills.content.engines import is_installed
from llmdrills.content.repair import first_text
from llmdrills.errors import MissingExtraError, UsageError
from llmdrills.language import Bilingual
from llmdrills.practice import repetition as repetitions
from llmdrills.practice import schedule
from llmdrills.practice.rotation import is_easier, stronger

if TYPE_CHECKING:
    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata, Variant
    from llmdrills.practice.history import History
    from llmdrills.practice.unfinished import Begun

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Write a kata's starter to the practice folder, and print its path.",
        "把练习的起始文件写入练习文件夹，并打印其路径。",
    ),
    "llmdrills start rope-pairing",
    "llmdrills start rope-pairing --variant half-split --edit",
    "llmdrills start rope-pairing --again",
    "llmdrills start rope-pairing --repair",
    more=Bilingual(
        "A repair has a file of its own and is not rated; after the pass the verdict names the mistake.",
        "修复练习有单独的文件，不评级；通过后，评分结果会说明那处错误是什么。",
    ),
)

_GOES_ON = Bilingual(
    "{kata} continues where you left it ({variant}); use --again to begin again.",
    "{kata} 从上次的位置继续（{variant}）；用 --again 重新开始。",
)
_NEXT = Bilingual(
    "Write it, then run `llmdrills grade {kata}` (or `llmdrills grade {kata} --watch`).",
    "写好后运行 `llmdrills grade {kata}`（或 `llmdrills grade {kata} --watch`）。",
)
_REPAIR = Bilingual(
    "It runs, and one thing in it is wrong: find it, put it right, then run `llmdrills grade {file}`. "
    "It is not rated, and the schedule stays as it is.",
    "代码能运行，但有一处错误：找出来并改正，然后运行 `llmdrills grade {file}`。不评级，也不改变复习安排。",
)
_RATE_IT = Bilingual(
    "It is passed, and waits for its rating: `llmdrills rate {kata}`.",
    "已通过，等待评级：运行 `llmdrills rate {kata}`。",
)
_UNRATED = Bilingual(
    "{kata} ({variant}) is passed and not rated yet; it earned {rating}",
    "{kata}（{variant}）已通过但尚未评级，应得评级：{rating}",
)
_RATE_OR_DISCARD = Bilingual(
    "`llmdrills rate {kata}` records it, --discard begins again without it",
    "运行 `llmdrills rate {kata}` 记录评级，或用 --discard 放弃它并重新开始",
)
_DISCARDED = Bilingual(
    "The pass of {kata} ({variant}) is left unrated; `llmdrills undo` brings it back.",
    "{kata}（{variant}）的那次通过未评级；运行 `llmdrills undo` 可以恢复。",
)

_AgainOption = Annotated[
    bool,
    typer.Option(
        "--again",
        help=told(
            Bilingual("Begin again; earlier code is archived in the history.", "重新开始；之前的代码存入历史记录。")
        ),
    ),
]
_DiscardOption = Annotated[
    bool,
    typer.Option(
        "--discard",
        help=told(
            Bilingual("Begin again although a pass waits for its rating.", "即使有一次通过还未评级，也重新开始。")
        ),
    ),
]
_RepairOption = Annotated[
    bool,
    typer.Option(
        "--repair",
        help=told(
            Bilingual(
                "Begin from code with one known mistake in it, instead of a blank.",
                "不从空白文件开始，而从含有一处已知错误的代码开始。",
            )
        ),
    ),
]
_EditOption = Annotated[
    bool, typer.Option("--edit", "-e", help=told(Bilingual("Open it in your editor.", "用你的编辑器打开。")))
]


def command(
    kata: KataArgument,
    variant: VariantOption = None,
    again: _AgainOption = False,
    discard: _DiscardOption = False,
    repair: _RepairOption = False,
    edit: _EditOption = False,
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills start`."""
    here = place(workspace, lang=lang)
    found = find_kata(all_katas(here), kata)
    wanted = find_variant(found, variant) if variant is not None else None
    file = practice_file(here, found, repair=repair)
    passed = False
    with open_history(here) as history:
        begun: Begun = "repair" if repair else "blank"
        going_on = repetitions.resume(history, found, None, file, planned=wanted is None and not repair, begun=begun)
        same = going_on is not None and (wanted is None or wanted.id == going_on.variant)
        if going_on is not None and same and not again and not discard:
            chosen = find_variant(found, going_on.variant)
            repetitions.resume(history, found, starter_of(here, going_on), file, begun=begun)
            file, passed = going_on.file, going_on.unrated_pass
            note(_GOES_ON.format(kata=found.id, variant=chosen.id)[here.language])
            tell_place(here, going_on)
        elif repair:
            chosen = find_variant(found, begin_repair(here, history, found, wanted, file).variant)
        else:
            chosen = wanted or find_variant(found, schedule.load(history).next_variant(found))
            _begin(here, history, found, chosen, discard=discard)
    print(file)
    if not is_installed(found):
        note(MissingExtraError(found.engine).in_both[here.language])
    if is_easier(found, chosen.id) and not repair:
        words = EASIER.format(kata=found.id, variant=chosen.id, stronger=stronger(found, chosen.id))
        note(words[here.language])
    note((_RATE_IT if passed else _REPAIR if repair else _NEXT).format(kata=found.id, file=file)[here.language])
    trouble = open_once(here.settings, file) if edit else None
    if trouble is not None:
        note(trouble[here.language])


def _begin(here: Place, history: History, kata: Kata, variant: Variant, *, discard: bool) -> None:
    """Begin from a blank starter. Raises UsageError where a pass waits for its rating, unless it is to be discarded."""
    now = None
    left = repetitions.resume(history, kata, begun="blank")
    derived = left.derived() if left is not None and left.unrated_pass else None
    if left is not None and derived is not None:
        words = {"kata": kata.id, "variant": left.variant, "rating": derived.label[here.language]}
        if not discard:
            raise UsageError(_UNRATED.format(**words), _RATE_OR_DISCARD.format(**words))
        now = repetitions.discard(history, kata)
        note(_DISCARDED.format(**words)[here.language])
    seed = repetitions.new_seed()
    starter = first_text(kata, variant, here.language, seed)
    repetitions.start(history, kata, variant.id, practice_file(here, kata), starter, seed=seed, now=now)
