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
from llmdrills.readiness import LABELS, assess, keep_shown

if TYPE_CHECKING:
    from llmdrills.language import Language
    from llmdrills.readiness import ItemState, Readiness
    from llmdrills.readiness.steps import Missing

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
_EXTRA = Bilingual("(not asked for)", "（不作要求）")
_NEVER = Bilingual("not practised yet", "尚未练习")
_NOTES = Bilingual("{count} to review in Anki", "{count}，请在 Anki 中复习")
_COUNTED = Bilingual(
    "{recalled} of {count} recalled in Anki, {forgotten} forgotten, {new} not reviewed yet",
    "Anki 中的 {count}：记得 {recalled} 条，遗忘 {forgotten} 条，{new} 条尚未复习",
)
_ESTIMATED = Bilingual(" ({n} by estimate: FSRS is off)", "（其中 {n} 条为估算：未启用 FSRS）")
_MISSING = Bilingual("missing: {what}", "还缺：{what}")
_DAYS = Bilingual("{kata} on {days}", "另外 {days}各独立通过一次 {kata}")
_FADED = Bilingual("{kata} once more", "再做一次 {kata}")
_LEARN = Bilingual("{notes} to learn", "学习 {notes}")
_RECALL = Bilingual("{notes} to recall again", "重新记住 {notes}")
_SUM = Bilingual(
    "{ready} ready, {fading} fading, {rest} not shown yet", "{ready} 项已具备，{fading} 项正在遗忘，{rest} 项尚未证明"
)
_ANKI = Bilingual(
    "Only katas count as evidence so far: `llmdrills anki import` brings in what you reviewed in Anki.",
    "目前只有编码练习算作证据：用 `llmdrills anki import` 导入你在 Anki 中的复习。",
)


def command(lang: LangOption = None, json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """Run `llmdrills readiness`."""
    here = place(workspace, lang=lang)
    loaded = load_workspace(here.workspace)
    with open_history(here) as history:
        now = Moment.now()
        found = assess(loaded, history, now, here.settings.scheduling)
        keep_shown(history, found, now)
    if json:
        print_json(found.to_json())
    else:
        _show(found, here.language)


def _show(found: Readiness, language: Language) -> None:
    for item in found.items:
        _show_item(item, language)
    rest = found.count("not-shown")
    tell(_SUM.format(ready=found.count("ready"), fading=found.count("fading"), rest=rest)[language])
    if all(item.anki is None for item in found.items):
        tell(_ANKI[language])


def _show_item(item: ItemState, language: Language) -> None:
    title = unicode_math(item.title[language].strip())
    tell(f"{_MARK[item.state]} {_HEAD.format(state=LABELS[item.state], title=title)[language]}")
    for kata in item.katas:
        recall = _NEVER[language] if kata.retrievability is None else f"{kata.retrievability:.0%}"
        days = counted(kata.clean_days, "clean pass", "天", "clean passes")[language]
        extra = "" if kata.core else f" {_EXTRA[language]}"
        tell("    " + _KATA.format(kata=kata.kata, days=days, recall=recall)[language] + extra)
    if item.notes:
        tell("    " + _notes_line(item)[language])
    lacking = _lacking(item.missing)
    if lacking:
        what = (", " if language == "en" else "；").join(one[language] for one in lacking)
        tell("    " + _MISSING.format(what=what)[language])
    tell(f"    → {item.next[language]}\n")


def _lacking(missing: Missing) -> list[Bilingual]:
    """Each thing that is missing, in a few words."""
    found = []
    for kata, left in missing.days:
        days = counted(left, "more day", "天")
        found.append(Bilingual(_DAYS.en.format(kata=kata, days=days.en), _DAYS.zh.format(kata=kata, days=days.zh)))
    found += [_FADED.format(kata=kata) for kata in missing.faded]
    for words, count in ((_LEARN, missing.learn), (_RECALL, missing.recall)):
        if count:
            notes = counted(count, "note", "条笔记")
            found.append(Bilingual(words.en.format(notes=notes.en), words.zh.format(notes=notes.zh)))
    return found


def _notes_line(item: ItemState) -> Bilingual:
    words = counted(len(item.notes), "note", "条笔记")
    if item.anki is None:
        return Bilingual(_NOTES.en.format(count=words.en), _NOTES.zh.format(count=words.zh))
    recalled, forgotten = len(item.anki.recalled), len(item.anki.forgotten)
    figures = {"recalled": recalled, "forgotten": forgotten, "new": item.anki.all - recalled - forgotten}
    line = Bilingual(_COUNTED.en.format(count=words.en, **figures), _COUNTED.zh.format(count=words.zh, **figures))
    if not item.anki.estimated:
        return line
    more = _ESTIMATED.format(n=item.anki.estimated)
    return Bilingual(line.en + more.en, line.zh + more.zh)
