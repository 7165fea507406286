"""One self-contained HTML page with the figures of `stats` and the readiness checklist. No script, no request."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

from llmdrills.language import Bilingual, counted
from llmdrills.mathtext import unicode_math
from llmdrills.practice import plots

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmdrills.language import Language
    from llmdrills.practice.stats import Stats

__all__ = ["FRAME", "PARTS", "figures", "page", "plain", "readiness_list", "render"]

_MOST = 20  # slips shown, those still open first

_T = {
    "title": Bilingual("llmdrills report", "llmdrills 学习报告"),
    "as of": Bilingual("as of {day}", "截至 {day}"),
    "streak": Bilingual("days in a row", "连续天数"),
    "longest": Bilingual("longest: {n}", "最长 {n} 天"),
    "known": Bilingual("katas recalled now", "现在还记得的练习"),
    "of met": Bilingual("expected, of {n} met", "期望值，共练过 {n} 个"),
    "reviews": Bilingual("repetitions", "复习次数"),
    "attempts": Bilingual("{n} graded", "评分 {n}"),
    "minutes": Bilingual("minutes", "分钟"),
    "repairs": Bilingual("repairs done", "已完成的修复练习"),
    "in anki": Bilingual("notes recalled in Anki", "Anki 中记得的笔记"),
    "of notes": Bilingual("of {n} reviewed", "共复习 {n} 条"),
    "begun": Bilingual("begun: {n}", "共开始 {n} 个"),
    "days": Bilingual("on {n}", "共 {n}"),
    "recall": Bilingual("recalled when due", "到期时的记忆保持率"),
    "predicted": Bilingual("predicted: {n}", "预测 {n}"),
    "year": Bilingual("The year", "这一年"),
    "forecast": Bilingual("What falls due", "未来到期"),
    "calibration": Bilingual("Recall: measured against predicted", "记忆保持率：实际与预测"),
    "calibration note": Bilingual(
        "Each dot holds reviews with a similar prediction. Below the line FSRS expects too much of you, above it too "
        "little.",
        "每个点是一组预测相近的复习。点在对角线下方，说明 FSRS 高估了你；在上方，说明低估了你。",
    ),
    "calibration none": Bilingual(
        "Nothing to measure yet: a kata has to come back on another day first.",
        "还没有数据：要等同一个练习隔天再练之后才有。",
    ),
    "hardest": Bilingual("Hardest katas", "最难的练习"),
    "hardest none": Bilingual("Nothing failed so far.", "还没有失败过。"),
    "hardest head": Bilingual("kata|failed|recall now|minutes", "练习|失败|现在的记忆保持率|分钟"),
    "slips": Bilingual("Known mistakes met", "犯过的常见错误"),
    "slips none": Bilingual("None so far.", "还没有。"),
    "slips head": Bilingual("kata|mistake|times|last|beaten", "练习|错误|次数|最近|已改正"),
    "slips sum": Bilingual("{all} met, {beaten} beaten", "犯过 {all} 个，已改正 {beaten} 个"),
    "beaten": Bilingual("✓ beaten", "✓ 已改正"),
    "open": Bilingual("○ not yet", "○ 尚未"),
    "readiness": Bilingual("Readiness", "达标自查"),
    "readiness sum": Bilingual(
        "{ready} of {all} ready, {fading} fading, {not_shown} not shown yet",
        "{all} 项中 {ready} 项已具备，{fading} 项正在遗忘，{not_shown} 项尚未证明",
    ),
    "ready": Bilingual("✓ ready", "✓ 已具备"),
    "fading": Bilingual("◐ fading", "◐ 正在遗忘"),
    "not-shown": Bilingual("○ not shown yet", "○ 尚未证明"),
    "clean": Bilingual(
        "{kata}: days passed without help: {n}; recall {recall}", "{kata}：独立通过 {n} 天，记忆保持率 {recall}"
    ),
    "never": Bilingual("{kata}: not practised yet", "{kata}：还没练过"),
    "notes": Bilingual(
        "{n} to review in Anki (`llmdrills anki import` counts the reviews)",
        "{n}，请在 Anki 中复习（用 `llmdrills anki import` 计入）",
    ),
    "notes counted": Bilingual(
        "{n}: {recalled} recalled in Anki, {forgotten} forgotten, {new} not reviewed yet",
        "{n}：Anki 中记得 {recalled} 条，遗忘 {forgotten} 条，{new} 条尚未复习",
    ),
    "by estimate": Bilingual(" ({n} by estimate: FSRS is off)", "（其中 {n} 条为估算：未启用 FSRS）"),
    "extra": Bilingual(" (not asked for)", "（不作要求）"),
    "next": Bilingual("Next: {what}", "下一步：{what}"),
}

FRAME = """
:root { color-scheme: light dark; --page: #fff; --ink: #1c2024; --soft: #5d6670; --line: #d9dee3; --card: #f6f8fa;
  --l0: #ebeef1; --l1: #b7dfd0; --l2: #6cc0a1; --l3: #2f9575; --l4: #12634c; --bar: #2f7fb8; --warn: #9a5b00;
  --good: #12634c; }
@media (prefers-color-scheme: dark) { :root { --page: #14181c; --ink: #e4e8ec; --soft: #9aa5b0; --line: #333b43;
  --card: #1c2228; --l0: #262d34; --l1: #174a3b; --l2: #1f7459; --l3: #35a580; --l4: #7fdcbb; --bar: #5aa9de;
  --warn: #e0a64a; --good: #7fdcbb; } }
@media print { :root { color-scheme: light; --page: #fff; --ink: #000; --soft: #444; --line: #bbb; --card: #fff;
  --l0: #eee; --l1: #b7dfd0; --l2: #6cc0a1; --l3: #2f9575; --l4: #12634c; --bar: #2f7fb8; --warn: #7a4800;
  --good: #12634c; }
  section, .tile, li { break-inside: avoid; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: clamp(1rem, 4vw, 1.5rem); max-width: 56rem; background: var(--page);
  color: var(--ink); line-height: 1.5; overflow-wrap: break-word;
  font-family: system-ui, "Noto Sans", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
code { overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; } .soft { color: var(--soft); }
"""
"""What a whole page looks like: colours, fonts, headings."""

PARTS = """
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin-top: 1rem; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .75rem; }
.tile b { display: block; font-size: 1.6rem; line-height: 1.2; } .tile small { color: var(--soft); }
.blocks { display: flex; flex-wrap: wrap; gap: 12px; } .blocks.latest { flex-wrap: wrap-reverse; }
svg { max-width: 100%; height: auto; flex: none; } .today { stroke: var(--ink); stroke-width: 2; }
svg text { font-size: 11px; fill: var(--soft); } svg .mid { text-anchor: middle; } svg .end { text-anchor: end; }
.l0 { fill: var(--l0); } .l1 { fill: var(--l1); } .l2 { fill: var(--l2); }
.l3 { fill: var(--l3); } .l4 { fill: var(--l4); }
.bar, .dot { fill: var(--bar); } .dot { fill-opacity: .75; } .axis, .grid { stroke: var(--line); }
.diagonal { stroke: var(--soft); stroke-dasharray: 4 4; }
table { border-collapse: collapse; width: 100%; }
th, td.n, td.whole { white-space: nowrap; }
th, td { text-align: left; padding: .35rem .6rem; vertical-align: top;
  border-bottom: 1px solid var(--line); } th { color: var(--soft); font-weight: 600; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
@media screen and (max-width: 36rem) { table, tbody, tr, td { display: block; } tr:first-child { display: none; }
  tr { padding: .4rem 0; border-bottom: 1px solid var(--line); } td { padding: .1rem 0; border: 0; }
  td:first-child { font-weight: 600; } td.n { text-align: left; }
  td:not(:first-child)::before { content: attr(data-label); color: var(--soft); } }
ul.items { list-style: none; padding: 0; } ul.items > li { border-bottom: 1px solid var(--line); padding: .6rem 0; }
ul.evidence { margin: .2rem 0; padding-left: 1.2rem; color: var(--soft); } .state { float: right; white-space: nowrap; }
.ready { color: var(--good); } .fading { color: var(--warn); } .not-shown { color: var(--soft); }
"""
"""What the parts of a report look like, in any page that has the colours of `FRAME`."""


def render(
    stats: Stats, readiness: Mapping[str, Any], language: Language, titles: Mapping[str, Bilingual] | None = None
) -> str:
    """The page as HTML. `readiness`: what `Readiness.to_json` gives; `titles`: of the katas, by id."""
    made = _Page(language, titles or {})
    head = f"<header><h1>{made.say('title')}</h1><p class='soft'>{made.say('as of', day=stats.day)}</p></header>"
    body = f"{head}{made.figures(stats)}{made.section('readiness', made.readiness(readiness))}"
    return page(made.say("title"), body, language)


def figures(stats: Stats, language: Language, titles: Mapping[str, Bilingual] | None = None) -> str:
    """The figures alone, as HTML for another page, which has the styles `PARTS`."""
    return _Page(language, titles or {}).figures(stats)


def readiness_list(
    readiness: Mapping[str, Any], language: Language, titles: Mapping[str, Bilingual] | None = None
) -> str:
    """The readiness checklist alone, as HTML for another page, which has the styles `PARTS`."""
    return _Page(language, titles or {}).readiness(readiness)


def page(title: str, body: str, language: Language, css: str = "") -> str:
    """A whole page with the look of the report. `title` and `body` are HTML; `css` comes after the report's own."""
    lang = "zh-Hans" if language == "zh" else "en"
    return (
        f'<!doctype html>\n<html lang="{lang}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{FRAME}{PARTS}{css}</style></head><body>{body}</body></html>\n"
    )


def plain(markdown: str) -> str:
    """A note's one-line Markdown as text: math as Unicode, and without the marks of code."""
    return escape(re.sub(r"[$`*]", "", unicode_math(markdown)))


def _code(text: str) -> str:
    """Escaped text whose `commands` are set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", text)


class _Page:
    def __init__(self, language: Language, titles: Mapping[str, Bilingual]) -> None:
        self.language = language
        self.titles = titles

    def say(self, key: str, **values: object) -> str:
        return escape(_T[key].format(**values)[self.language])

    def title(self, kata: str) -> str:
        return escape(self.titles[kata][self.language] if kata in self.titles else kata)

    def section(self, key: str, inside: str) -> str:
        return f"<section><h2>{self.say(key)}</h2>{inside}</section>"

    def figures(self, stats: Stats) -> str:
        return "".join(
            [
                self.tiles(stats),
                self.section("year", plots.heat_map(stats.heat, self.language, self.say("year"))),
                self.section("forecast", plots.forecast(stats.forecast, self.language, self.say("forecast"))),
                self.section("calibration", self.calibration(stats)),
                self.section("hardest", self.hardest(stats)),
                self.section("slips", self.slips(stats)),
            ]
        )

    def tiles(self, stats: Stats) -> str:
        measured = "–" if stats.measured is None else f"{stats.measured:.0%}"
        predicted = "–" if stats.predicted is None else f"{stats.predicted:.0%}"
        entries = [
            (stats.streak, "streak", self.say("longest", n=stats.longest_streak)),
            (stats.katas_known, "known", self.say("of met", n=stats.katas_met)),
            (stats.reviews, "reviews", self.say("attempts", n=counted(stats.attempts, "attempt", "次"))),
            (stats.minutes, "minutes", self.say("days", n=counted(stats.days_practised, "day", "天"))),
            (measured, "recall", self.say("predicted", n=predicted)),
        ]
        if stats.notes is not None:
            entries.append((stats.notes.recalled, "in anki", self.say("of notes", n=stats.notes.notes)))
        if stats.repairs.begun:
            entries.append((stats.repairs.passed, "repairs", self.say("begun", n=stats.repairs.begun)))
        tiles = (
            f"<div class='tile'><b>{figure}</b>{self.say(key)}<br><small>{note}</small></div>"
            for figure, key, note in entries
        )
        return f"<div class='tiles'>{''.join(tiles)}</div>"

    def calibration(self, stats: Stats) -> str:
        if not stats.bins:
            return f"<p class='soft'>{self.say('calibration none')}</p>"
        plot = plots.calibration(stats.bins, self.language, self.say("calibration"))
        return f"{plot}<p class='soft'>{self.say('calibration note')}</p>"

    def hardest(self, stats: Stats) -> str:
        rows = [
            [
                self.title(one.kata),
                f"{one.lapses}/{one.reviews}",
                f"{one.retrievability:.0%}",
                str(one.minutes),
            ]
            for one in stats.hardest
        ]
        return self.table("hardest", rows, numbers={1, 2, 3})

    def slips(self, stats: Stats) -> str:
        rows = [
            [
                self.title(one.kata),
                _code(escape(one.text[self.language])),
                str(one.times),
                str(one.last),
                self.beaten(one.beaten),
            ]
            for one in sorted(stats.slips, key=lambda one: one.beaten)[:_MOST]
        ]
        beaten = sum(one.beaten for one in stats.slips)
        total = self.say("slips sum", all=len(stats.slips), beaten=beaten)
        return (f"<p>{total}</p>" if rows else "") + self.table("slips", rows, numbers={2})

    def beaten(self, yes: bool) -> str:
        return f"<span class='ready'>{self.say('beaten')}</span>" if yes else self.say("open")

    def table(self, key: str, rows: Sequence[Sequence[str]], numbers: set[int]) -> str:
        if not rows:
            return f"<p class='soft'>{self.say(f'{key} none')}</p>"

        names = self.say(f"{key} head").split("|")
        colon = "：" if self.language == "zh" else ": "

        def row(cells: Sequence[str], tag: str) -> str:
            kinds = ["n" if number in numbers else "whole" if number > 2 else "" for number in range(len(cells))]
            inside = "".join(
                f"<{tag} class='{kinds[number]}' data-label='{names[number]}{colon}'>{cell}</{tag}>"
                for number, cell in enumerate(cells)
            )
            return f"<tr>{inside}</tr>"

        # On a narrow screen a row is set as lines of their own, each with its column's name in front.
        return f"<table>{row(names, 'th')}{''.join(row(cells, 'td') for cells in rows)}</table>"

    def readiness(self, readiness: Mapping[str, Any]) -> str:
        counts = {name: readiness[name] for name in ("ready", "fading", "not_shown")}
        items = readiness["items"]
        total = self.say("readiness sum", all=len(items), **counts)
        return f"<p>{total}</p><ul class='items'>{''.join(self.item(item) for item in items)}</ul>"

    def item(self, item: Mapping[str, Any]) -> str:
        state = item["state"]
        evidence = [self.evidence(one) for one in item["katas"]]
        evidence.append(_code(self.notes(item)))
        listed = "".join(f"<li>{one}</li>" for one in evidence)
        return (
            f"<li><span class='state {state}'>{self.say(state)}</span><b>{plain(item['title'][self.language])}</b>"
            f"<ul class='evidence'>{listed}</ul>{_code(self.say('next', what=item['next'][self.language]))}</li>"
        )

    def notes(self, item: Mapping[str, Any]) -> str:
        count, recalled = len(item["notes"]), item["notes_recalled"]
        if recalled is None:
            return self.say("notes", n=counted(count, "note", "条笔记"))
        forgotten, estimated = len(item["notes_forgotten"]), item["notes_estimated"]
        new = count - recalled - forgotten
        words = self.say(
            "notes counted", n=counted(count, "note", "条笔记"), recalled=recalled, forgotten=forgotten, new=new
        )
        return words + (self.say("by estimate", n=estimated) if estimated else "")

    def evidence(self, one: Mapping[str, Any]) -> str:
        # The title is escaped already, and `say` would do it again.
        shown = Bilingual(one["kata"], one["kata"]) if one["kata"] not in self.titles else self.titles[one["kata"]]
        name = shown[self.language]
        if one["retrievability"] is None:
            return self.say("never", kata=name) + ("" if one["core"] else self.say("extra"))
        extra = "" if one["core"] else self.say("extra")
        return self.say("clean", kata=name, n=one["clean_days"], recall=f"{one['retrievability']:.0%}") + extra
