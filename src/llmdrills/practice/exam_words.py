"""The words that both forms of an exam's report use, and where each task leads to in Anki."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmdrills.content.course import COURSE_TAG
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EVIDENCE", "figures", "part_name", "searches"]

EVIDENCE = {
    "code": Bilingual("✓ katas passed: {passed} of {all}", "✓ 通过 {passed}/{all} 道编码练习"),
    "failed": Bilingual("✗ katas passed: {passed} of {all}", "✗ 通过 {passed}/{all} 道编码练习"),
    "own-marks": Bilingual("○ only your own marks: {had} of {of}", "○ 只有自己的标记：{had}/{of}"),
    "none": Bilingual("○ not asked or not reached", "○ 未考到或未做到"),
}
"""What an exam says of an item of the checklist, filled with `figures`."""

_PARTS = {
    "q": Bilingual("Question {number}", "第 {number} 题"),
    "t": Bilingual("Task {number}", "任务 {number}"),
    "d": Bilingual("Design question {number}", "设计题 {number}"),
}
_OWN = Bilingual("Kata", "编码练习")


def figures(item: Mapping[str, Any]) -> dict[str, int]:
    """The figures of an item."""
    return {**item["katas"], "had": item["had"], "of": item["of"]}


def part_name(course: str) -> Bilingual:
    """What a part of the course (q7, t1, d2) is called; without one, a kata."""
    return _PARTS[course[0]].format(number=course[1:]) if course else _OWN


def searches(task: Mapping[str, Any]) -> list[str]:
    """The search in Anki's browser for the cards of a task that is not wholly right; none for one that is."""
    right = task["passed"] if task["kind"] == "kata" else task["state"] == "done" and task["had"] == task["of"]
    if right:
        return []
    return [f"tag:{COURSE_TAG}{task['course']}" if task["course"] else f"tag:llmdrills::kata::{task['kata']}"]
