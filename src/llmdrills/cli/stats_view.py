"""Show the statistics of a learner in the terminal: bars of characters, with the number beside each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmdrills.language import Bilingual, counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmdrills.language import Language
    from llmdrills.practice.stats import Day, Stats

__all__ = ["stats_text"]

_HEAT = " ░▒▓█"  # none, up to 1, 2, 4, more reviews a day
_BAR = 30
_MARGIN = 7  # columns before the weeks, and one after them
_MIN = Bilingual("min", "分钟")
_WEEKDAYS = Bilingual("Mon,,Wed,,Fri,,Sun", "一,,三,,五,,日")
_BRACKETS = Bilingual(" ({})", "（{}）")
_W = {
    "streak": Bilingual("streak {now} (longest {longest})", "连续 {now}（最长 {longest}）"),
    "total": Bilingual(
        "{reviews}, {attempts}, {minutes} min on {days}",
        "{reviews}，{attempts}，{days}共 {minutes} 分钟",
    ),
    "known": Bilingual("{met} met, about {known} would be recalled today", "学过 {met}，今天预计能想起约 {known} 个"),
    "repairs": Bilingual("{passed} of {repairs} done", "修复练习：已完成 {passed}/{begun} 个"),
    "notes": Bilingual(
        "{notes} reviewed in Anki ({answers}): {recalled} would be recalled at 90% or better, on average {recall}",
        "Anki 中复习过 {notes}（作答 {answers}）：{recalled} 条的记忆保持率不低于 90%，平均 {recall}",
    ),
    "estimated": Bilingual("  ({n} of them by estimate: FSRS is off)", "  （其中 {n} 条为估算：未启用 FSRS）"),
    "year": Bilingual("The last year, a week a column", "最近一年（每列一周）"),
    "forecast": Bilingual("Due in the next days", "未来几天到期"),
    "retention": Bilingual(
        "Recall: predicted {predicted}, measured {measured}", "记忆保持率：预测 {predicted}，实测 {measured}"
    ),
    "hardest": Bilingual("Hardest katas", "最难的练习"),
    "hard": Bilingual(
        "difficulty {difficulty:.1f}, {lapses} in {reviews}, recall now {recall:.0%}",
        "难度 {difficulty:.1f}，{reviews}中遗忘 {lapses}，当前记忆保持率 {recall:.0%}",
    ),
    "slips": Bilingual("Known mistakes", "犯过的常见错误"),
    "beaten": Bilingual("beaten", "已改正"),
    "met": Bilingual("met {times}×, last {last}", "出现 {times} 次，最近 {last}"),
    "empty": Bilingual("Nothing yet: begin with `llmdrills today`.", "还没有记录：运行 `llmdrills today` 开始。"),
}


def stats_text(stats: Stats, language: Language, width: int = 80) -> str:
    """Everything on one screen and a half; a terminal of fewer than 80 columns sees the last months."""
    if not stats.attempts and not stats.reviews and not stats.repairs.begun and not stats.notes:
        return _W["empty"][language]
    return "\n".join(_lines(stats, language, width))


def _lines(stats: Stats, language: Language, width: int) -> Iterator[str]:
    yield _W["streak"].format(now=_days(stats.streak)[language], longest=_days(stats.longest_streak)[language])[
        language
    ]
    yield _W["total"].format(
        reviews=_reviews(stats.reviews)[language],
        attempts=counted(stats.attempts, "attempt", "次提交")[language],
        minutes=stats.minutes,
        days=_days(stats.days_practised)[language],
    )[language]
    katas = counted(stats.katas_met, "kata", "个练习")[language]
    yield _W["known"].format(met=katas, known=stats.katas_known)[language]
    if stats.repairs.begun:
        begun = stats.repairs.begun
        repairs = counted(begun, "repair", "").en
        yield _W["repairs"].format(passed=stats.repairs.passed, begun=begun, repairs=repairs)[language]
    if stats.notes is not None:
        yield _W["notes"].format(
            notes=counted(stats.notes.notes, "note", "条笔记")[language],
            answers=counted(stats.notes.answers, "answer", "次")[language],
            recalled=stats.notes.recalled,
            recall=f"{stats.notes.recall:.0%}",
        )[language]
        if stats.notes.estimated:
            yield _W["estimated"].format(n=stats.notes.estimated)[language]
    if stats.predicted is not None and stats.measured is not None:
        words = _W["retention"].format(predicted=f"{stats.predicted:.0%}", measured=f"{stats.measured:.0%}")
        yield words[language]
    yield from ("", _W["year"][language], *_heat_map(stats.heat, language, width))
    due = [day for day in stats.forecast[:14] if day.katas]
    if due:
        yield from ("", _W["forecast"][language])
        most = max(day.katas for day in due)
        for day in due:
            bar = "█" * max(1, round(min(_BAR, width // 3) * day.katas / most))
            yield f"  {day.day}  {bar} {day.katas}{_BRACKETS[language].format(f'{day.minutes} {_MIN[language]}')}"
    if stats.hardest:
        yield from ("", _W["hardest"][language])
        for hard in stats.hardest[:5]:
            words = _W["hard"].format(
                difficulty=hard.difficulty,
                lapses=counted(hard.lapses, "lapse", "次")[language],
                reviews=_reviews(hard.reviews)[language],
                recall=hard.retrievability,
            )
            yield f"  {hard.kata}{Bilingual(': ', '：')[language]}{words[language]}"
    if stats.slips:
        yield from ("", _W["slips"][language])
        for met in stats.slips:
            mark = f"✓ {_W['beaten'][language]}" if met.beaten else "✗"
            words = _W["met"].format(times=met.times, last=met.last)
            colon = Bilingual(": ", "：")[language]
            yield f"  {mark} {met.kata}{colon}{met.text[language]}{_BRACKETS[language].format(words[language])}"


def _heat_map(days: tuple[Day, ...], language: Language, width: int) -> Iterator[str]:
    """Seven rows, Monday first; a column is a week."""
    from rich.cells import cell_len  # Chinese characters are two columns wide

    first = days[0].day.weekday() if days else 0
    cells = [" "] * first + [_shade(day.reviews) for day in days]
    weeks = max(width - _MARGIN, 4)
    cells = cells[7 * max(0, -(-len(cells) // 7) - weeks) :]
    for weekday, name in enumerate(_WEEKDAYS[language].split(",")):
        row = "".join(cells[weekday::7])
        yield f"  {name}{' ' * (4 - cell_len(name))}{row}".rstrip()


def _days(count: int) -> Bilingual:
    return counted(count, "day", "天")


def _reviews(count: int) -> Bilingual:
    return counted(count, "review", "次复习")


def _shade(reviews: int) -> str:
    level = 0 if not reviews else 1 if reviews == 1 else 2 if reviews == 2 else 3 if reviews <= 4 else 4
    return "·" if level == 0 else _HEAT[level]
