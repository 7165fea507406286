"""The day's plan as a learner reads it: plain lines, the same on a pipe and on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmdrills.language import Bilingual, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmdrills.language import Language
    from llmdrills.practice.plan import Plan

__all__ = ["plan_text"]

_HEAD = Bilingual("Today, {day}: {count}, about {minutes} min", "今天 {day}：{count}，约 {minutes} 分钟")
_MIN = Bilingual("min", "分钟")
_NOTHING = Bilingual("Today, {day}: nothing is due", "今天 {day}：没有到期的练习")
_FINISHED = Bilingual("Done for today, {day}", "今天 {day} 的练习已完成")
_NOTES = Bilingual("in Anki: {search}", "在 Anki 中搜索：{search}")
_STREAK = Bilingual("streak: {days}", "已连续 {days}")
_SPENT = Bilingual("{minutes} min done", "已练习 {minutes} 分钟")
_ASIDE = Bilingual("Set aside until {until}: {kata}. {advice}", "暂停到 {until}：{kata}。{advice}")
_REPAIR = Bilingual(
    "If you like: repair {kata}, about {minutes} min ({why}; not rated): `llmdrills start {kata} --repair`",
    "可选：修复 {kata}，约 {minutes} 分钟（{why}，不评级）：`llmdrills start {kata} --repair`",
)
_NEXT_DUE = Bilingual("The next kata is due on {day}.", "下一个练习 {day} 到期。")
_NEXT = Bilingual(
    "Next: run `llmdrills today` in a terminal, or `llmdrills start {kata}`.",
    "下一步：在终端里运行 `llmdrills today`，或运行 `llmdrills start {kata}`。",
)


def plan_text(plan: Plan, language: Language, more: str = "", head: str = "", *, inside: bool = False) -> str:
    """What the day holds, why, and the next command; without a line end at the end.

    `more`: what could be practised besides, for a plan that holds nothing; `head`: the first line, where it is known;
    `inside`: in the daily loop, which goes on with the first kata by itself.
    """
    lines = [head or _head(plan, language)]
    width = max((len(item.kata) for item in plan.items), default=0)
    for number, item in enumerate(plan.items, 1):
        lines.append(f"  {number}. {item.kata:<{width}}  {item.minutes:>3} {_MIN[language]}  {item.why[language]}")
        lines += _notes_line(item.notes, language)
    if plan.items and plan.note[language]:
        lines.append(plan.note[language])
    for leech in plan.set_aside:
        lines.append(_ASIDE.format(until=leech.until, kata=leech.kata, advice=leech.advice[language])[language])
        lines += _notes_line(leech.notes, language)
    if plan.repair is not None:
        words = {"kata": plan.repair.kata, "minutes": plan.repair.minutes, "why": plan.repair.why[language]}
        lines.append(_REPAIR[language].format(**words))
    if plan.items:
        if not inside:
            lines.append(_NEXT.format(kata=plan.items[0].kata)[language])
    else:
        lines += [_NEXT_DUE.format(day=plan.next_due)[language]] if plan.next_due else []
        lines += [more] if more else []
    return "\n".join(lines)


def _notes_line(notes: Sequence[str], language: Language) -> list[str]:
    """Where the notes that should be reviewed are found, as Anki's search takes it; nothing where there are none."""
    if not notes:
        return []
    search = " or ".join(f"NoteId:{name}" for name in notes)
    return [f"     {_NOTES.format(search=search)[language]}"]


def _head(plan: Plan, language: Language) -> str:
    if not plan.items:
        head = (_FINISHED if plan.spent else _NOTHING).format(day=plan.day)[language]
    else:
        count = counted(len(plan.items), "kata", "个练习")
        head = _HEAD.format(day=plan.day, count=count[language], minutes=plan.minutes)[language]
    extras = []
    if plan.streak:
        extras.append(_STREAK.format(days=counted(plan.streak, "day", "天")[language])[language])
    if plan.spent:
        extras.append(_SPENT.format(minutes=plan.spent)[language])
    return " · ".join([head, *extras])
