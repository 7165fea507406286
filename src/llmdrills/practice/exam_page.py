"""The report of an exam as one self-contained HTML page, with the look of the other report. No script, no request."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from llmdrills.language import Bilingual
from llmdrills.mathtext import unicode_math
from llmdrills.practice.exam_words import EVIDENCE, figures, part_name, searches
from llmdrills.practice.moments import Moment
from llmdrills.practice.rating import Rating
from llmdrills.practice.report import page, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmdrills.language import Language

__all__ = ["PARTS", "body", "render"]

_T = {
    "title": Bilingual("llmdrills exam", "llmdrills 考试报告"),
    "of": Bilingual(
        "{day} · {used} of {minutes} min · seed {seed}", "{day} · 用时 {used}/{minutes} 分钟 · 种子 {seed}"
    ),
    "questions": Bilingual("questions answered", "概念题已作答"),
    "katas": Bilingual("katas passed", "编码练习已通过"),
    "designs": Bilingual("design questions answered", "设计题已作答"),
    "left": Bilingual("not reached", "未做到"),
    "own": Bilingual("had {had} of {of} points", "答到 {had}/{of} 点"),
    "items": Bilingual("By item of the readiness checklist", "按自查清单逐项"),
    "items note": Bilingual(
        "Only katas that you passed prove something. What you marked yourself is shown and never counts alone.",
        "只有通过的编码练习才算证明。自己的标记会列出，但不会单独计入。",
    ),
    "others": Bilingual("For no item", "不属于任何一项"),
    "tasks": Bilingual("Task by task", "逐题"),
    "no tasks": Bilingual("Nothing of this exam was about it.", "本次考试没有涉及。"),
    "stands": Bilingual("`llmdrills readiness` says: {state}", "`llmdrills readiness` 的结论：{state}"),
    "ready": Bilingual("ready", "已具备"),
    "fading": Bilingual("fading", "正在遗忘"),
    "not-shown": Bilingual("not shown yet", "尚未证明"),
    "typed": Bilingual("Your answer: {typed}", "你的回答：{typed}"),
    "cards": Bilingual("Its cards in Anki: `{search}`", "对应的 Anki 卡片：`{search}`"),
    "rated": Bilingual("passed, rated {rating}", "已通过，评级：{rating}"),
    "unrated": Bilingual("passed, not rated", "已通过，未评级"),
    "open": Bilingual("not passed; `llmdrills today` goes on with it", "尚未通过；运行 `llmdrills today` 继续"),
    "hinted": Bilingual("with a hint", "看过提示"),
}
_TITLED = Bilingual("{part}: {title}", "{part}：{title}")
_LINE = Bilingual("{number}. {name} — {outcome}", "{number}. {name}（{outcome}）")
PARTS = """
.task { break-inside: avoid; border-bottom: 1px solid var(--line); padding: .6rem 0; }
.task h3 { font-size: 1rem; margin: 0; font-weight: 600; }
.task ul { list-style: none; padding: 0; margin: .3rem 0; } .task li { padding-left: 1.2rem; text-indent: -1.2rem; }
.failed { color: var(--warn); } pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--card);
  border: 1px solid var(--line); border-radius: 8px; padding: .6rem; margin: .3rem 0; font-size: .85rem; }
.state.code { color: var(--good); } .state.failed { color: var(--warn); }
.state.own-marks, .state.none { color: var(--soft); }
@media screen and (max-width: 36rem) { .state { float: none; display: block; } }
"""
"""What the parts of this report look like, beside the `PARTS` of the other one."""


def render(report: Mapping[str, Any], language: Language) -> str:
    """The page. `report`: what `exam_report.gather` gives, in the same language."""
    return page(_T["title"][language], body(report, language), language, PARTS)


def body(report: Mapping[str, Any], language: Language) -> str:
    """What the page holds, as HTML for another page."""
    made = _Page(report, language)
    return "".join([made.head(), made.tiles(), made.items(), made.tasks()])


class _Page:
    def __init__(self, report: Mapping[str, Any], language: Language) -> None:
        self.report = report
        self.language = language
        self.by_number = {task["number"]: task for task in report["tasks"]}

    def say(self, key: str, **values: object) -> str:
        return self.set(_T[key].format(**values))

    def set(self, words: Bilingual) -> str:
        """Escaped, with `commands` as code."""
        parts = escape(words[self.language], quote=False).split("`")
        return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))

    def head(self) -> str:
        report = self.report
        day = f"{Moment.parse(report['begun']).local:%Y-%m-%d %H:%M}"
        words = self.say(
            "of", day=day, used=round(report["used_minutes"]), minutes=report["minutes"], seed=report["seed"]
        )
        return f"<header><h1>{self.say('title')}</h1><p class='soft'>{words}</p></header>"

    def tiles(self) -> str:
        totals = self.report["totals"]
        tiles = [self.tile("katas", totals["katas"]["passed"], totals["katas"]["all"], "")]
        for key in ("questions", "designs"):
            own = self.say("own", had=totals[key]["had"], of=totals[key]["of"]) if totals[key]["of"] else ""
            tiles.append(self.tile(key, totals[key]["answered"], totals[key]["all"], own))
        tiles.append(self.tile("left", totals["not_reached"], len(self.report["tasks"]), ""))
        return f"<div class='tiles'>{''.join(tiles)}</div>"

    def tile(self, key: str, some: int, all_: int, small: str) -> str:
        return f"<div class='tile'><b>{some}/{all_}</b>{self.say(key)}<br><small>{small}</small></div>"

    # ---- by item ----------------------------------------

    def items(self) -> str:
        entries = [self.item(item) for item in self.report["items"]]
        if self.report["others"]:
            listed = "".join(f"<li>{self.line(self.by_number[number])}</li>" for number in self.report["others"])
            entries.append(f"<li><b>{self.say('others')}</b><ul class='evidence'>{listed}</ul></li>")
        note = f"<p class='soft'>{self.say('items note')}</p>"
        return f"<section><h2>{self.say('items')}</h2>{note}<ul class='items'>{''.join(entries)}</ul></section>"

    def item(self, item: Mapping[str, Any]) -> str:
        tasks = [self.line(self.by_number[number]) for number in item["tasks"]] or [self.say("no tasks")]
        listed = "".join(f"<li>{one}</li>" for one in tasks)
        state = self.set(EVIDENCE[item["evidence"]].format(**figures(item)))
        stands = self.say("stands", state=_T[item["readiness"]][self.language])
        return (
            f"<li><span class='state {item['evidence']}'>{state}</span><b>{plain(item['title'][self.language])}</b>"
            f"<ul class='evidence'>{listed}</ul>{stands}</li>"
        )

    def line(self, task: Mapping[str, Any]) -> str:
        """A task in one line, with what it came to."""
        words = _LINE.format(number=task["number"], name=self.name(task), outcome=self.outcome(task))
        return words[self.language]

    def name(self, task: Mapping[str, Any]) -> str:
        return self.titled(task, plain(task["title"]) if task["kind"] == "kata" else _short(task["title"]))

    def titled(self, task: Mapping[str, Any], title: str) -> str:
        """The part of the course, and the title, which is HTML."""
        return _TITLED.format(part=escape(part_name(task["course"])[self.language]), title=title)[self.language]

    def outcome(self, task: Mapping[str, Any]) -> str:
        if task["state"] == "not-reached":
            return self.say("left")
        if task["kind"] != "kata":
            return self.say("own", had=task["had"], of=task["of"])
        if not task["passed"]:
            return self.say("open")
        if task["rating"] is None:
            return self.say("unrated")
        rated = self.say("rated", rating=Rating[task["rating"].upper()].label[self.language])
        return f"{rated}, {self.say('hinted')}" if task["hints"] else rated

    # ---- task by task ----------------------------------------

    def tasks(self) -> str:
        return f"<section><h2>{self.say('tasks')}</h2>{''.join(map(self.task, self.report['tasks']))}</section>"

    def task(self, task: Mapping[str, Any]) -> str:
        name = self.titled(task, plain(task["title"]))
        head = f"<h3>{task['number']}. {name}</h3><p class='soft'>{self.outcome(task)}</p>"
        body = "" if task["state"] == "not-reached" else self.kata(task) if task["kind"] == "kata" else self.note(task)
        cards = "".join(f"<p class='soft'>{self.say('cards', search=search)}</p>" for search in searches(task))
        return f"<div class='task'>{head}{body}{cards}</div>"

    def kata(self, task: Mapping[str, Any]) -> str:
        return f"<pre>{escape(task['told'])}</pre>" if task["told"] and not task["passed"] else ""

    def note(self, task: Mapping[str, Any]) -> str:
        typed = f"<p>{self.set(_T['typed'].format(typed=task['typed'].replace('`', '')))}</p>" if task["typed"] else ""
        signs = {True: ("ready", "✓"), False: ("failed", "✗"), None: ("not-shown", "○")}
        atoms = "".join(
            f"<li><span class='{signs[atom['had']][0]}'>{signs[atom['had']][1]}</span> {plain(atom['text'])}</li>"
            for atom in task["atoms"]
        )
        return f"{typed}<ul>{atoms}</ul>"


def _short(markdown: str) -> str:
    """The beginning of a question, as HTML, for a line of its own."""
    shown = unicode_math(markdown)  # before it is cut, which might be inside of a formula
    return plain(shown if len(shown) <= 70 else f"{shown[:68].rstrip()}…")
