"""report.html: the class's commonest mistakes, each kata, then each student. No script, no request.

What a verdict says stands in the section of whoever handed the file in, and nowhere else: above the students are only
counts and the katas' own words.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from llmdrills.content.mistakes import mistakes
from llmdrills.grading.protocol.printable import printable
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from llmdrills.classroom.submissions import LeftOut
    from llmdrills.classroom.tables import Row
    from llmdrills.content.model import Kata
    from llmdrills.language import Language

__all__ = ["OUTCOMES", "render"]

OUTCOMES = {
    "passed": Bilingual("passed", "通过"),
    "wrong": Bilingual("wrong", "答案不对"),
    "unimplemented": Bilingual("not written yet", "尚未编写"),
    "crashed": Bilingual("crashed", "崩溃"),
    "fault": Bilingual("kernel fault", "kernel 故障"),
    "race": Bilingual("race condition", "数据竞争"),
    "does-not-compile": Bilingual("does not compile", "无法编译"),
    "timeout": Bilingual("timed out", "超时"),
    "memory": Bilingual("out of memory", "内存超限"),
    "forbidden": Bilingual("forbidden call", "用了禁用的调用"),
    "over-budget": Bilingual("over budget", "开销超限"),
    "error": Bilingual("not graded", "未评分"),
}
_T = {
    "title": Bilingual("llmdrills class report", "llmdrills 班级报告"),
    "students": Bilingual("students", "名学生"),
    "submissions": Bilingual("submissions", "份作答"),
    "passed": Bilingual("passed", "份通过"),
    "failed": Bilingual("not passed", "份未通过"),
    "not graded": Bilingual("not graded", "份未评分"),
    "mistakes": Bilingual("The commonest mistakes", "最常见的错误"),
    "no mistakes": Bilingual("No submission failed by a known mistake.", "没有一份作答是因常见错误而失败的。"),
    "mistake": Bilingual("Mistake", "错误"),
    "kata": Bilingual("Kata", "练习"),
    "by students": Bilingual("Students", "学生数"),
    "katas": Bilingual("Kata by kata", "逐个练习"),
    "graded": Bilingual("Graded", "已评分"),
    "pass": Bilingual("Passed", "通过"),
    "known": Bilingual("By a known mistake", "因常见错误失败"),
    "other": Bilingual("Otherwise not passed", "其他未通过"),
    "each": Bilingual("Student by student", "逐个学生"),
    "nobody": Bilingual("(no student)", "（没有学生）"),
    "of": Bilingual("{passed} of {all} passed", "{all} 份中通过 {passed} 份"),
    "verdict": Bilingual("What the grader says", "评分器的说明"),
    "why": Bilingual("Why: {why}", "原因：{why}"),
    "by": Bilingual("Mistake: {mistake}", "错误：{mistake}"),
    "left": Bilingual("Left out", "未计入的文件"),
    "left note": Bilingual("These are no submissions.", "这些不是作答。"),
    "left line": Bilingual("{file}: {why}", "{file}：{why}"),
}
_CSS = """
:root { color-scheme: light dark; --ink: #1c1c1e; --paper: #fff; --soft: #5d5d66; --line: #d8d8de; --card: #f6f6f8;
  --good: #1a6b37; --bad: #9c2b1f; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececf0; --paper: #161618; --soft: #a6a6b0; --line: #3a3a41;
  --card: #202024; --good: #7fd49b; --bad: #ff9d8f; } }
body { font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem;
  margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; } h3 { font-size: 1.05rem; margin: 0; }
.soft { color: var(--soft); } .passed { color: var(--good); } .failed { color: var(--bad); }
.tiles { display: flex; flex-wrap: wrap; gap: .75rem; }
.tile { border: 1px solid var(--line); border-radius: 8px; padding: .5rem 1rem; background: var(--card); }
.tile b { display: block; font-size: 1.4rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: start; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: end; }
.student { border-top: 1px solid var(--line); padding: .8rem 0; } .student ul { padding-inline-start: 1.2rem; }
h3, td, li, pre { overflow-wrap: anywhere; }
pre { white-space: pre-wrap; background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: .6rem; font-size: .85rem; }
@media print { details { display: none; } }
"""


def render(rows: Sequence[Row], left_out: Sequence[LeftOut], katas: Sequence[Kata], language: Language) -> str:
    """The page."""
    made = _Page({kata.id: kata for kata in katas}, language)
    body = "".join(
        [made.head(rows), made.mistakes(rows), made.by_kata(rows), made.by_student(rows), made.left(left_out)]
    )
    lang = "zh-Hans" if language == "zh" else "en"
    return (
        f'<!doctype html>\n<html lang="{lang}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{made.say('title')}</title><style>{_CSS}</style></head><body>{body}</body></html>\n"
    )


class _Page:
    def __init__(self, katas: Mapping[str, Kata], language: Language) -> None:
        self.katas = katas
        self.language = language
        self.texts: dict[str, dict[str, Bilingual]] = {}

    def say(self, key: str, **values: object) -> str:
        return _text(_T[key].format(**values)[self.language])

    def head(self, rows: Sequence[Row]) -> str:
        passed = sum(row.outcome == "passed" for row in rows)
        graded = sum(row.graded for row in rows)
        numbers = {
            "students": len({row.submission.student for row in rows} - {""}),
            "submissions": len(rows),
            "passed": passed,
            "failed": graded - passed,
            "not graded": len(rows) - graded,
        }
        tiles = "".join(f"<div class='tile'><b>{number}</b>{self.say(key)}</div>" for key, number in numbers.items())
        return f"<header><h1>{self.say('title')}</h1></header><div class='tiles'>{tiles}</div>"

    # ---- the class ------------------------------------

    def mistakes(self, rows: Sequence[Row]) -> str:
        who: dict[tuple[str, str], set[str]] = defaultdict(set)
        for row in rows:
            if row.diagnosis is not None:
                who[row.submission.kata, row.diagnosis].add(row.submission.student)
        most = sorted(who.items(), key=lambda one: (-len(one[1]), one[0]))
        lines = [
            f"<tr><td>{self.mistake(kata, name)}</td><td>{self.title(kata)}</td><td class='n'>{len(students)}</td></tr>"
            for (kata, name), students in most
        ]
        inside = (
            self.table(("mistake", "kata"), ("by students",), lines) if lines else f"<p>{self.say('no mistakes')}</p>"
        )
        return self.section("mistakes", inside)

    def by_kata(self, rows: Sequence[Row]) -> str:
        counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for row in rows:
            if row.graded:
                kind = "pass" if row.outcome == "passed" else "known" if row.diagnosis is not None else "other"
                counts[row.submission.kata, row.submission.variant].update([kind, "graded"])
        numbers = ("graded", "pass", "known", "other")
        lines = []
        for (kata, variant), found in sorted(counts.items()):
            cells = "".join(f"<td class='n'>{found[kind]}</td>" for kind in numbers)
            lines.append(f"<tr><td>{self.title(kata, variant)}</td>{cells}</tr>")
        return self.section("katas", self.table(("kata",), numbers, lines))

    def table(self, texts: Iterable[str], numbers: Iterable[str], lines: Iterable[str]) -> str:
        head = "".join(f"<th>{self.say(key)}</th>" for key in texts)
        head += "".join(f"<th class='n'>{self.say(key)}</th>" for key in numbers)
        return f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"

    def section(self, key: str, inside: str) -> str:
        return f"<section><h2>{self.say(key)}</h2>{inside}</section>"

    def title(self, kata: str, variant: str = "") -> str:
        known = self.katas.get(kata)
        words = _text(known.title[self.language] if known is not None else kata)
        more = f"{kata}@{variant}" if variant else kata
        return f"{words} <code class='soft'>{_text(more)}</code>" if known is not None else words

    def mistake(self, kata: str, name: str) -> str:
        """The kata's own words for it: a verdict's could hold numbers of one student's."""
        if kata not in self.texts:
            self.texts[kata] = mistakes(self.katas[kata]) if kata in self.katas else {}
        text = self.texts[kata].get(name)
        return f"<code>{_text(name)}</code>" if text is None else _coded(text[self.language])

    # ---- one student after another --------------------

    def by_student(self, rows: Sequence[Row]) -> str:
        of: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            of[row.submission.student].append(row)
        return self.section("each", "".join(self.student(name, theirs) for name, theirs in sorted(of.items())))

    def student(self, name: str, rows: Sequence[Row]) -> str:
        passed = sum(row.outcome == "passed" for row in rows)
        head = f"<h3>{_text(name) or self.say('nobody')}</h3>"
        count = f"<p class='soft'>{self.say('of', passed=passed, all=len(rows))}</p>"
        listed = "".join(f"<li>{self.row(row)}</li>" for row in rows)
        return f"<article class='student'>{head}{count}<ul>{listed}</ul></article>"

    def row(self, row: Row) -> str:
        one = row.submission
        good = row.outcome == "passed"
        title = self.title(one.kata, one.variant) if one.kata else ""
        outcome = OUTCOMES[row.outcome][self.language]
        line = f"{title} <span class='soft'>{_text(one.file)}</span> "
        line += f"<b class='{'passed' if good else 'failed'}'>{'✓' if good else '✗'} {outcome}</b>"
        if row.why is not None:
            return f"{line}<br>{self.say('why', why=row.why)}"
        if row.diagnosis is not None:
            line += f"<br>{_T['by'].format(mistake=self.mistake(one.kata, row.diagnosis))[self.language]}"
        message = str(row.verdict["message"]).strip() if row.verdict else ""
        if good or not message:
            return line
        return f"{line}<details><summary>{self.say('verdict')}</summary><pre>{_text(message)}</pre></details>"

    def left(self, left_out: Sequence[LeftOut]) -> str:
        if not left_out:
            return ""
        listed = "".join(f"<li>{self.say('left line', file=one.file, why=one.why)}</li>" for one in left_out)
        return self.section("left", f"<p class='soft'>{self.say('left note')}</p><ul>{listed}</ul>")


def _text(text: str) -> str:
    """Escaped for HTML, and without characters that would reorder or hide what stands around."""
    return escape(printable(text))


def _coded(text: str) -> str:
    """Escaped, with `code` as code."""
    parts = _text(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
