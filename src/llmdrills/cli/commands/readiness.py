"""`llmdrills readiness`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmdrills.cli.console import print_json, tell
from llmdrills.cli.manual import manual
from llmdrills.cli.options import JsonOption, LangOption, WorkspaceOption, place
from llmdrills.cli.record import open_history
from llmdrills.content import load_workspace
from llmdrills.language import Bilingual, counted
from llmdrills.mathtext import unicode_math
from llmdrills.practice.moments import Moment
from llmdrills.readiness import LABELS, assess

if TYPE_CHECKING:
    from llmdrills.language import Language
    from llmdrills.readiness import ItemState, Readiness

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Answer the readiness checklist from evidence: what you wrote, and would still recall.",
        "根据证据回答达标自查清单：你写出过什么，现在还记得多少。",
    ),
    "llmdrills readiness",
    "llmdrills readiness --json",
)

_MARK = {"ready": "✓", "fading": "~", "not-shown": "○"}
_HEAD = Bilingual("{state}: {title}", "{state}：{title}")
_KATA = Bilingual("{kata}: {days}, recall {recall}", "{kata}：独立通过 {days}，记忆保持率 {recall}")
_NEVER = Bilingual("not practised yet", "尚未练习")
_NOTES = Bilingual("{count}, reviewed in Anki", "{count}，在 Anki 中复习")
_SUM = Bilingual(
    "{ready} ready, {fading} fading, {rest} not shown yet", "{ready} 项已具备，{fading} 项正在遗忘，{rest} 项尚未证明"
)
_ANKI = Bilingual(
    "What you review in Anki is not seen here yet: only katas count as evidence so far.",
    "目前还看不到你在 Anki 中的复习：暂时只有编码练习算作证据。",
)


def command(lang: LangOption = None, json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """Run `llmdrills readiness`."""
    here = place(workspace, lang=lang)
    loaded = load_workspace(here.workspace)
    with open_history(here) as history:
        found = assess(loaded, history, Moment.now(), here.settings.scheduling)
    if json:
        print_json(found.to_json())
    else:
        _show(found, here.language)


def _show(found: Readiness, language: Language) -> None:
    for item in found.items:
        _show_item(item, language)
    rest = found.count("not-shown")
    tell(_SUM.format(ready=found.count("ready"), fading=found.count("fading"), rest=rest)[language])
    tell(_ANKI[language])


def _show_item(item: ItemState, language: Language) -> None:
    title = unicode_math(item.title[language].strip())
    tell(f"{_MARK[item.state]} {_HEAD.format(state=LABELS[item.state], title=title)[language]}")
    for kata in item.katas:
        recall = _NEVER[language] if kata.retrievability is None else f"{kata.retrievability:.0%}"
        days = counted(kata.clean_days, "clean pass", "天", "clean passes")[language]
        tell("    " + _KATA.format(kata=kata.kata, days=days, recall=recall)[language])
    if item.notes:
        tell("    " + _NOTES.format(count=counted(len(item.notes), "note", "条笔记")[language])[language])
    tell(f"    → {item.next[language]}\n")
