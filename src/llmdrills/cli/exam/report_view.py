"""The report of an exam as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmdrills.language import Bilingual
from llmdrills.lines import whole
from llmdrills.mathtext import unicode_math
from llmdrills.practice.exam_words import EVIDENCE, figures, part_name, searches
from llmdrills.practice.moments import Moment
from llmdrills.practice.rating import Rating

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from llmdrills.language import Language

__all__ = ["report_text"]

_HEAD = Bilingual("Exam of {day}: {used} of {minutes} min", "{day} 的考试：用时 {used}/{minutes} 分钟")
_QUESTIONS = Bilingual("Questions: {answered} of {all} answered", "概念题：作答 {answered}/{all} 题")
_DESIGNS = Bilingual("Design questions: {answered} of {all} answered", "设计题：作答 {answered}/{all} 题")
_POINTS = Bilingual("; you marked {had} of {of} points as known", "；自评答到 {had}/{of} 点")
_LEFT = Bilingual("{number} ({name})", "{number}（{name}）")
_KATAS = Bilingual("Katas: {passed} of {all} passed", "编码练习：通过 {passed}/{all} 道")
_NOT_REACHED = Bilingual("Not reached: {tasks}", "未做到：{tasks}")
_BY_ITEM = Bilingual("By item of the readiness checklist", "按自查清单逐项")
_OWN_MARKS = Bilingual(
    "Only katas that you passed prove something: what you marked yourself never counts alone.",
    "只有通过的编码练习才算证明：自己的标记不会单独计入。",
)
_RATED = Bilingual("{kata}: passed, rated {rating}", "{kata}：已通过，评级：{rating}")
_UNRATED = Bilingual("{kata}: passed, not rated", "{kata}：已通过，未评级")
_OPEN = Bilingual(
    "{kata}: not passed; `llmdrills today` goes on with it", "{kata}：尚未通过；运行 `llmdrills today` 继续"
)
_LEARN = Bilingual("To learn, search in Anki's browser:", "接下来在 Anki 浏览器中搜索：")
_NAMED = Bilingual("  {number}. {part}: {search}", "  {number}. {part}：{search}")
_PAGE = Bilingual("The whole report, with every answer:", "完整报告（含每一题的作答）：")


def report_text(report: Mapping[str, Any], language: Language, file: Path) -> str:
    """The report, to be laid out by the screen; `file` is the page that holds all of it."""
    lines = [*_summary(report, language), "", _BY_ITEM[language]]
    lines += [_item(item, language) for item in report["items"]]
    lines += [_OWN_MARKS[language], "", *_katas(report, language), *_learn(report, language)]
    return "\n".join([*lines, "", _PAGE[language], whole(file)])


def _summary(report: Mapping[str, Any], language: Language) -> list[str]:
    totals = report["totals"]
    day, used = f"{Moment.parse(report['begun']).local:%Y-%m-%d %H:%M}", round(report["used_minutes"])
    shown = [_HEAD.format(day=day, used=used, minutes=report["minutes"])[language]]
    shown.append(_marked(_QUESTIONS, totals["questions"], language))
    shown.append(_KATAS.format(**totals["katas"])[language])
    if totals["designs"]["all"]:
        shown.append(_marked(_DESIGNS, totals["designs"], language))
    left = [task for task in report["tasks"] if task["state"] == "not-reached"]
    if left:
        comma = Bilingual(", ", "、")[language]
        listed = comma.join(_LEFT.format(number=task["number"], name=_name(task, language))[language] for task in left)
        shown.append(_NOT_REACHED.format(tasks=listed)[language])
    return shown


def _marked(words: Bilingual, totals: Mapping[str, int], language: Language) -> str:
    """How many were answered, and what was known of them."""
    said = words.format(**totals)[language]
    return said + _POINTS.format(**totals)[language] if totals["of"] else said


def _name(task: Mapping[str, Any], language: Language) -> str:
    return task["kata"] if task["kind"] == "kata" else part_name(task["course"])[language]


def _item(item: Mapping[str, Any], language: Language) -> str:
    evidence = EVIDENCE[item["evidence"]].format(**figures(item))[language]
    return f"{evidence} · {unicode_math(item['title'][language].strip())}"


def _katas(report: Mapping[str, Any], language: Language) -> list[str]:
    """Each kata that was begun, and why its last attempt failed: now it may be told."""
    lines: list[str] = []
    for task in report["tasks"]:
        if task["kind"] != "kata" or task["state"] == "not-reached":
            continue
        if not task["passed"]:
            lines += [_OPEN.format(kata=task["kata"])[language], *task["told"].splitlines(), ""]
        elif task["rating"] is None:
            lines.append(_UNRATED.format(kata=task["kata"])[language])
        else:
            label = Rating[task["rating"].upper()].label[language]
            lines.append(_RATED.format(kata=task["kata"], rating=label)[language])
    return [*lines, ""] if lines and lines[-1] else lines


def _learn(report: Mapping[str, Any], language: Language) -> list[str]:
    found = [
        _NAMED.format(number=task["number"], part=_name(task, language), search=search)[language]
        for task in report["tasks"]
        for search in searches(task)
    ]
    return [_LEARN[language], *found] if found else []
