"""What an attempt cost, case by case: for Triton kernels what they moved, beside the least that any right one moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmdrills.language import Bilingual
from llmdrills.lines import columns, padded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmdrills.grading.judging.verdict import CaseTraffic, Verdict
    from llmdrills.language import Language

__all__ = ["cost_text"]

_HEADS = (
    Bilingual("case", "用例"),
    Bilingual("bytes moved", "读写字节"),
    Bilingual("least possible", "理论下限"),
    Bilingual("times", "倍数"),
    Bilingual("launches", "启动次数"),
    Bilingual("programs", "program 数"),
    Bilingual("largest tile", "最大 tile"),
    Bilingual("tl.dot operations", "tl.dot 运算"),
)
_LEAST = Bilingual(
    "The least possible: every element that goes in, and every one that comes out, moved once.",
    "理论下限：每个输入元素、每个输出元素各读写一次。",
)
_NOTHING = Bilingual(
    "Nothing was counted: no case was right, or this kata counts no cost.",
    "没有统计到开销：没有答对的用例，或者这道题不统计开销。",
)
_ON_A_GPU = Bilingual(
    "Nothing was counted: on a GPU kernels run as they are. Grade with --device cpu.",
    "没有统计到开销：kernel 在 GPU 上是原样运行的。请用 --device cpu 评分。",
)
_COUNTED = Bilingual(
    "{case}: {flops:,} floating-point operations, largest tensor {largest:,} elements, {alive:,} alive at once",
    "{case}：{flops:,} 次浮点运算，最大张量 {largest:,} 个元素，同时存活 {alive:,} 个",
)


def cost_text(verdict: Verdict, language: Language) -> str:
    """A table of the cases whose answers are right; for a kata of torch, a line for each case that it counts."""
    report = verdict.report
    titles = report.get("titles", {})
    right = {case.name for case in verdict.cases if case.outcome in ("passed", "over-budget")}
    rows = [one for one in report.get("traffic", ()) if one["case"] in right]
    if rows:
        return "\n".join([*_table(rows, titles, language), _LEAST[language]])
    lines = [
        _COUNTED.format(
            case=titles.get(one["case"], one["case"]),
            flops=one["flops"],
            largest=one["largest_tensor"],
            alive=one["alive"],
        )[language]
        for one in report.get("counts", ())
    ]
    return "\n".join(lines) if lines else (_ON_A_GPU if verdict.device != "cpu" else _NOTHING)[language]


def _table(rows: Sequence[CaseTraffic], titles: dict[str, str], language: Language) -> list[str]:
    dots = any(one["dot_flops"] for one in rows)
    cells = [[head[language] for head in _HEADS[: None if dots else -1]]]
    for one in rows:
        times = f"{one['moved'] / one['least']:.2f}" if one["least"] else "–"
        numbers = [one["launches"], one["programs"], one["largest_tile"], *([one["dot_flops"]] if dots else [])]
        shown = [f"{one['moved']:,}", f"{one['least']:,}", times, *(f"{number:,}" for number in numbers)]
        cells.append([titles.get(one["case"], one["case"]), *shown])
    widths = [max(columns(row[at]) for row in cells) for at in range(len(cells[0]))]
    return ["  ".join(padded(row[at], width, left=not at) for at, width in enumerate(widths)) for row in cells]
