"""`llmdrills undo`."""

from __future__ import annotations

from llmdrills.cli.console import note, print_json, tell
from llmdrills.cli.manual import manual
from llmdrills.cli.options import JsonOption, LangOption, WorkspaceOption, place
from llmdrills.cli.packs import all_katas
from llmdrills.cli.record import open_history, tell_place
from llmdrills.cli.undo_view import name_step, undo_last
from llmdrills.language import Bilingual
from llmdrills.lines import whole

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Take back the last rating, or the last skip: its repetition is open again, with its file in place.",
        "撤销上一次评级或跳过：那次练习重新打开，文件也恢复原样。",
    ),
    "llmdrills undo",
    "llmdrills undo --json",
    more=Bilingual(
        "Nothing is deleted: the history keeps what was undone. Undoing twice takes back the one before.",
        "不会删除任何记录：撤销过的内容仍保留在历史中。再撤销一次，即撤销更早的那一次。",
    ),
)

_NOTHING = Bilingual("There is no rating and no skip to undo.", "没有可以撤销的评级或跳过。")
_UNDONE = Bilingual("Undone: {what}.", "已撤销：{what}。")
_OPEN = Bilingual("Its repetition is open again: {file}", "那次练习已重新打开：{file}")
_PUT_BACK = Bilingual(
    "It holds what you had written then; what it held until now is kept: `llmdrills history show {kata}`.",
    "文件内容已恢复为当时所写；刚才的内容仍保留：运行 `llmdrills history show {kata}`。",
)
_PLANNED = Bilingual("{kata} may be in today's plan again.", "{kata} 可以重新进入今天的计划。")
_BACK = Bilingual("`llmdrills {command}` takes this back.", "运行 `llmdrills {command}` 可以恢复。")


def command(lang: LangOption = None, json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """Run `llmdrills undo`."""
    here = place(workspace, lang=lang)
    language = here.language
    katas = {kata.id: kata for kata in all_katas(here)}
    undone = None
    if here.locations.history_file.exists():
        with open_history(here) as history:
            undone = undo_last(here, history, katas)
    step, repetition, put_back = undone or (None, None, False)
    if json:
        print_json(
            {
                "schema": 1,
                "undone": step and step.kind,
                "kata": step and step.kata,
                "rating": step.rating.name.lower() if step and step.rating else None,
                "file": str(repetition.file) if repetition else None,
            }
        )
        return
    if step is None:
        tell(_NOTHING[language])
        return
    tell(_UNDONE.format(what=name_step(step)[language])[language])
    words = f"skip {step.kata}" if step.rating is None else f"rate {step.kata} {step.rating.name.lower()}"
    if repetition is not None:
        tell(_OPEN.format(file=whole(repetition.file))[language])
        if put_back:
            note(_PUT_BACK.format(kata=step.kata)[language])
        tell_place(here, repetition)
    elif step.kata in katas:
        tell(_PLANNED.format(kata=step.kata)[language])
    if step.kata in katas and (repetition is not None or step.rating is None):
        note(_BACK.format(command=words)[language])
