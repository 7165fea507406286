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
_WEEKDAYS = {"en": ("Mon", "Wed", "Fri"), "zh": ("一", "三", "五")}
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def heat_map(days: Sequence[Day], language: Language, label: str) -> str:
    """A year of days, a column a week, Monday on top; the more minutes, the darker."""
    left, top = 30, 18
    most = max((day.minutes for day in days), default=0) or 1
    parts, last_month = [], 0
    for number, day in enumerate(days):
        column, row = divmod(number, 7)
        x, y = left + column * _STEP, top + row * _STEP
        level = 0 if not day.reviews else min(4, 1 + int(4 * day.minutes / (most + 1)))
        tip = escape(_day_tip(day, language))
        parts.append(
            f'<rect class="l{level}" x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" rx="2">'
            f"<title>{tip}</title></rect>"
        )
        if row == 0 and day.day.month != last_month:
            if last_month or day.day.day <= 7:
                parts.append(f'<text x="{x}" y="{top - 6}">{_month(day.day, language)}</text>')
            last_month = day.day.month
    for row, name in zip((0, 2, 4), _WEEKDAYS[language], strict=True):
        parts.append(f'<text x="0" y="{top + row * _STEP + 9}">{name}</text>')
    width = left + ((len(days) + 6) // 7) * _STEP
    return _svg(width, top + 7 * _STEP, label, parts)


def forecast(days: Sequence[Due], language: Language, label: str) -> str:
    """One bar a day, as high as the katas that fall due; the first holds what is overdue."""
    width, height, bottom = 600, 150, 22
    most = max((day.katas for day in days), default=0) or 1
    step = width / len(days)
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
                f'<rect class="bar" x="{x + 2:.1f}" y="{y:.1f}" width="{step - 4:.1f}" height="{high:.1f}" rx="2">'
                f"<title>{escape(tip)}</title></rect>"
            )
            parts.append(f'<text class="mid" x="{x + step / 2:.1f}" y="{y - 4:.1f}">{day.katas}</text>')
        if number % 7 == 0:
            shown = (
                f"{day.day.day} {_month(day.day, 'en')}" if language == "en" else f"{day.day.month}月{day.day.day}日"
            )
            parts.append(f'<text x="{x:.1f}" y="{height - 6}">{shown}</text>')
    return _svg(width, height, label, parts)


def calibration(bins: Sequence[Bin], language: Language, label: str) -> str:
    """Recall measured (up) against recall predicted (across): on the diagonal the predictions are right."""
    size, left, bottom = 300, 44, 36
    side = size - left - 10

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
    across = "predicted recall" if language == "en" else "预测的保持率"
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
