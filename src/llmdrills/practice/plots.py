"""The report's plots, as SVG text: heat map, forecast, calibration. Colours come from the page's CSS classes."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from llmdrills.language import Language
    from llmdrills.practice.stats import Bin, Day, Due

__all__ = ["calibration", "forecast", "heat_map"]

_CELL, _GAP = 11, 3
_STEP = _CELL + _GAP
_BLOCKS = 3
_MONTH_WEEKS = 3  # columns that the name of a month takes
_WEEKDAYS = {"en": ("Mon", "Wed", "Fri"), "zh": ("一", "三", "五")}
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def heat_map(days: Sequence[Day], language: Language, label: str) -> str:
    """A year of days up to today, a column a week, Monday on top; the more minutes, the darker. Today has a frame.

    In three blocks, each narrow enough for a phone: the page sets as many side by side as fit, the latest on top.
    """
    most = max((day.minutes for day in days), default=0) or 1
    weeks = [days[start : start + 7] for start in range(0, len(days), 7)]
    size = -(-len(weeks) // _BLOCKS)
    # The blocks are counted from the end, so that the latest is a full one.
    ends = list(range(len(weeks), 0, -size))[::-1]
    blocks = [weeks[max(0, end - size) : end] for end in ends]
    svgs = [_heat_block(block, most, days[-1], language, label) for block in blocks]
    return f"<div class='blocks latest'>{''.join(svgs)}</div>"


def _heat_block(weeks: Sequence[Sequence[Day]], most: int, today: Day, language: Language, label: str) -> str:
    left, top = 26, 18
    parts = []
    begins = [number for number, week in enumerate(weeks) if week[0].day.day <= 7]
    if not begins or begins[0] >= _MONTH_WEEKS:
        begins.insert(0, 0)
    for column, week in enumerate(weeks):
        x = left + column * _STEP
        if column in begins and column <= len(weeks) - _MONTH_WEEKS + 1:  # else its name would be cut off
            parts.append(f'<text x="{x}" y="{top - 6}">{_month(week[0].day, language)}</text>')
        for row, day in enumerate(week):
            level = 0 if not day.reviews else min(4, 1 + int(4 * day.minutes / (most + 1)))
            last = " today" if day is today else ""
            parts.append(
                f'<rect class="l{level}{last}" x="{x}" y="{top + row * _STEP}" width="{_CELL}" height="{_CELL}" rx="2">'
                f"<title>{escape(_day_tip(day, language))}</title></rect>"
            )
    for row, name in zip((0, 2, 4), _WEEKDAYS[language], strict=True):
        parts.append(f'<text x="0" y="{top + row * _STEP + 9}">{name}</text>')
    return _svg(left + len(weeks) * _STEP, top + 7 * _STEP, label, parts)


def forecast(days: Sequence[Due], language: Language, label: str) -> str:
    """One bar a day, as high as the katas that fall due; the first holds what is overdue. In two blocks."""
    most = max((day.katas for day in days), default=0) or 1
    half = -(-len(days) // 2)
    svgs = [_forecast_block(block, most, language, label) for block in (days[:half], days[half:]) if block]
    return f"<div class='blocks'>{''.join(svgs)}</div>"


def _forecast_block(days: Sequence[Due], most: int, language: Language, label: str) -> str:
    step, height, bottom = 20, 150, 22
    width = step * len(days)
    parts = [f'<line class="axis" x1="0" x2="{width}" y1="{height - bottom}" y2="{height - bottom}"/>']
    for number, day in enumerate(days):
        high = (height - bottom - 16) * day.katas / most
        x, y = number * step, height - bottom - high
        tip = (
            f"{day.day}: {day.katas}, {day.minutes} min"
            if language == "en"
            else f"{day.day}：{day.katas} 个，{day.minutes} 分钟"
        )
        if day.katas:
            parts.append(
                f'<rect class="bar" x="{x + 2}" y="{y:.1f}" width="{step - 4}" height="{high:.1f}" rx="2">'
                f"<title>{escape(tip)}</title></rect>"
            )
            parts.append(f'<text class="mid" x="{x + step // 2}" y="{y - 4:.1f}">{day.katas}</text>')
        if number % 5 == 0:
            shown = (
                f"{day.day.day} {_month(day.day, 'en')}" if language == "en" else f"{day.day.month}月{day.day.day}日"
            )
            parts.append(f'<text x="{x}" y="{height - 6}">{shown}</text>')
    return _svg(width, height, label, parts)


def calibration(bins: Sequence[Bin], language: Language, label: str) -> str:
    """Recall measured (up) against recall predicted (across): on the diagonal the predictions are right."""
    size, left, bottom = 300, 44, 36
    side = size - left - 18  # half of the last figure below stands beyond the plot

    def x(share: float) -> float:
        return left + share * side

    def y(share: float) -> float:
        return 10 + (1 - share) * (size - bottom - 10)

    parts = [f'<line class="diagonal" x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}"/>']
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(f'<line class="grid" x1="{x(0):.1f}" x2="{x(1):.1f}" y1="{y(share):.1f}" y2="{y(share):.1f}"/>')
        parts.append(f'<text class="end" x="{left - 6}" y="{y(share) + 4:.1f}">{share:.0%}</text>')
        parts.append(f'<text class="mid" x="{x(share):.1f}" y="{size - bottom + 16}">{share:.0%}</text>')
    most = max((one.reviews for one in bins), default=1)
    for one in bins:
        radius = 3 + 7 * (one.reviews / most) ** 0.5
        tip = (
            f"{one.reviews} reviews: predicted {one.predicted:.0%}, recalled {one.measured:.0%}"
            if language == "en"
            else f"{one.reviews} 次复习：预测 {one.predicted:.0%}，实际 {one.measured:.0%}"
        )
        parts.append(
            f'<circle class="dot" cx="{x(one.predicted):.1f}" cy="{y(one.measured):.1f}" r="{radius:.1f}">'
            f"<title>{escape(tip)}</title></circle>"
        )
    across = "predicted recall" if language == "en" else "预测的记忆保持率"
    parts.append(f'<text class="mid" x="{x(0.5):.1f}" y="{size - 4}">{across}</text>')
    return _svg(size, size, label, parts)


def _svg(width: float, height: float, label: str, parts: Sequence[str]) -> str:
    inside = "".join(parts)
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" '
        f'aria-label="{escape(label)}">{inside}</svg>'
    )


def _day_tip(day: Day, language: Language) -> str:
    if language == "zh":
        return f"{day.day}：{day.reviews} 次复习，{day.minutes} 分钟"
    return f"{day.day}: {day.reviews} review{'s' if day.reviews != 1 else ''}, {day.minutes} min"


def _month(day: date, language: Language) -> str:
    return f"{day.month}月" if language == "zh" else _MONTHS[day.month - 1]
