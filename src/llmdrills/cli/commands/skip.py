"""`llmdrills skip`."""

from __future__ import annotations

from llmdrills.cli.console import note, print_json, tell
from llmdrills.cli.manual import manual
from llmdrills.cli.options import JsonOption, KataArgument, LangOption, WorkspaceOption, find_kata, place
from llmdrills.cli.packs import all_katas
from llmdrills.cli.record import open_history
from llmdrills.language import Bilingual
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.moments import Moment

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Leave a kata out of today's plan; one that you began is closed without a rating.",
        "今天的计划里跳过一个练习；已经开始的那次就此结束，不评级。",
    ),
    "llmdrills skip rope-pairing",
    "llmdrills undo",
    more=Bilingual(
        "Your file and your attempts stay. `llmdrills undo` takes the last skip back.",
        "你的文件和提交都会保留。运行 `llmdrills undo` 可撤销上一次跳过。",
    ),
)

_SKIPPED = Bilingual("{kata} is skipped for today.", "今天跳过 {kata}。")
_REPAIR = Bilingual(
    "The repair of {kata} is skipped; the kata itself stays in the plan.",
    "已跳过 {kata} 的修复练习；题目本身仍在计划中。",
)
_ALREADY = Bilingual("{kata} is skipped for today already.", "今天已经跳过 {kata}。")
_TAKE_BACK = Bilingual("`llmdrills undo` takes it back.", "运行 `llmdrills undo` 可以撤销。")
_UNRATED = Bilingual("Its pass earned {rating} and is not rated now.", "那次通过应得评级“{rating}”，现在没有评级。")


def command(
    kata: KataArgument,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills skip`."""
    here = place(workspace, lang=lang)
    found = find_kata(all_katas(here), kata)
    repair = False
    with open_history(here) as history:
        left = repetitions.resume(history, found)
        repair = left is not None and left.repair
        already = left is None and found.id in repetitions.skipped_on(history, Moment.now().day_number)
        dropped = left.derived() if left is not None and left.unrated_pass else None
        if not already:
            repetitions.skip(history, found)
    if json:
        print_json({"schema": 1, "kata": found.id, "begun": left is not None, "repair": repair})
        return
    tell((_REPAIR if repair else _ALREADY if already else _SKIPPED).format(kata=found.id)[here.language])
    if dropped is not None:
        note(_UNRATED.format(rating=dropped.label[here.language])[here.language])
    note(_TAKE_BACK[here.language])
