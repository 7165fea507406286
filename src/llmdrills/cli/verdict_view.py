"""A verdict as a learner reads it: a symbol and a word, what the judge says, and how to see the rest."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from llmdrills.cli.console import coloured, laid_out, tell, terminal_width
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from llmdrills.grading.judging.verdict import Outcome, Parity, Verdict
    from llmdrills.language import Language

__all__ = ["BY_KEY", "BY_OPTION", "OUTCOMES", "left_out", "print_verdict", "verdict_text"]

OUTCOMES: dict[Outcome, Bilingual] = {
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
    "error": Bilingual("grader error", "评分程序出错"),
}
BY_OPTION = Bilingual("`--why --seed {seed}` shows {what}.", "`--why --seed {seed}` 可以查看{what}。")
"""How to see the rest after `llmdrills grade`."""
BY_KEY = Bilingual("v shows {what}.", "按 v 查看{what}。")
"""How to see the rest in the daily loop."""
_WITH_SNIPPET = Bilingual(
    "the inputs, a snippet that shows it again, and the rest", "输入、可以重现的代码片段和其他细节"
)
_WITHOUT = Bilingual("which cases passed, and all that was printed", "通过的用例和全部打印")
_HEAD = Bilingual("{kata} ({variant}): {outcome}", "{kata}（{variant}）：{outcome}")
_AGREE = Bilingual("CPU and {device} agree: {there}", "CPU 与 {device} 一致：{there}")
_DIFFER = Bilingual(
    "CPU: {here}; {device}: {there}. These cases differ: {cases}",
    "CPU：{here}；{device}：{there}。结果不同的用例：{cases}",
)
_COLOURS = {"passed": "32", "unimplemented": "33"}


def verdict_text(
    verdict: Verdict,
    language: Language,
    *,
    colour: bool,
    rest: Bilingual | None = None,
    width: int | None = None,
) -> str:
    """The first screen: one headline, the judge's message, and `rest`, which says how to see more (BY_OPTION or
    BY_KEY) where there is more. `width`: columns of the terminal; None: as the judge laid it out."""
    symbol = "✓" if verdict.passed else "○" if verdict.outcome == "unimplemented" else "✗"
    good = sum(case.outcome == "passed" for case in verdict.cases)
    count = f" {good}/{len(verdict.cases)}" if verdict.cases else ""
    words = {"kata": verdict.kata, "variant": verdict.variant, "outcome": OUTCOMES[verdict.outcome]}
    lines = [f"{symbol} {_HEAD.format(**words)[language]}{count}"]
    if colour:
        lines[0] = f"\x1b[1;{_COLOURS.get(verdict.outcome, '31')}m{lines[0]}\x1b[0m"
    if "parity" in verdict.report:
        lines.append(_parity(verdict.report["parity"], verdict.device, language))
    message = _message(verdict, language, width, by_key=rest is BY_KEY)
    if message.strip():
        lines.append(message.rstrip())
    if rest is not None and (what := left_out(verdict)) is not None:
        lines.append(rest[language].format(seed=verdict.seed, what=what[language]))
    return "\n".join(lines) + "\n"


def _message(verdict: Verdict, language: Language, width: int | None, *, by_key: bool) -> str:
    """The judge's message, laid out anew for a terminal or for the keys of the daily loop."""
    headline = verdict.report.get("headline")
    if headline is None or (width is None and not by_key):
        return verdict.message
    from llmdrills.grading.judging.report import WIDTH, first_screen

    return first_screen(verdict, headline, language, WIDTH if width is None else width, by_key=by_key)


def left_out(verdict: Verdict) -> Bilingual | None:
    """What the first screen leaves out; nothing where the file did not load, or was not judged."""
    if verdict.outcome in {"passed", "unimplemented", "error"} or verdict.report.get("raised") is not None:
        return None
    return _WITHOUT if verdict.report.get("smallest") is None else _WITH_SNIPPET


def _parity(parity: Parity, device: str, language: Language) -> str:
    """What `--parity` found: the outcome on either, and the cases that went differently."""
    words = _AGREE if parity["agree"] else _DIFFER
    here, there = OUTCOMES[parity["cpu"]][language], OUTCOMES[parity["device"]][language]
    return words.format(here=here, there=there, device=device, cases=", ".join(parity["differ"]))[language]


def print_verdict(verdict: Verdict, language: Language, *, why: bool = False) -> None:
    """Print it on stdout; `why` adds everything that the first screen leaves out."""
    rest, width = None if why else BY_OPTION, terminal_width(sys.stdout)
    tell(verdict_text(verdict, language, colour=coloured(sys.stdout), rest=rest, width=width).removesuffix("\n"))
    if why:
        from llmdrills.grading.judging.report import WIDTH, why_text

        print(laid_out(f"\n{why_text(verdict, language, width or WIDTH)}".rstrip(), None))
