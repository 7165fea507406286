"""A verdict as a learner reads it: a symbol and a word, then what the judge says."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from llmdrills.cli.console import coloured
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmdrills.grading.judging.verdict import Verdict
    from llmdrills.language import Language

__all__ = ["OUTCOMES", "print_verdict", "verdict_text"]

OUTCOMES: dict[str, Bilingual] = {
    "passed": Bilingual("passed", "通过"),
    "wrong": Bilingual("wrong", "答案不对"),
    "unimplemented": Bilingual("not written yet", "尚未编写"),
    "crashed": Bilingual("crashed", "崩溃"),
    "timeout": Bilingual("timed out", "超时"),
    "memory": Bilingual("out of memory", "内存超限"),
    "forbidden": Bilingual("forbidden call", "用了不许用的调用"),
    "over-budget": Bilingual("over budget", "开销超限"),
    "error": Bilingual("grader error", "判题器出错"),
}
_AGREE = Bilingual("CPU and {device} agree: {there}", "CPU 与 {device} 一致：{there}")
_DIFFER = Bilingual(
    "CPU: {here}; {device}: {there}. These cases differ: {cases}",
    "CPU：{here}；{device}：{there}。结果不同的用例：{cases}",
)
_COLOURS = {"passed": "32", "unimplemented": "33"}


def verdict_text(verdict: Verdict, language: Language, *, colour: bool) -> str:
    """The whole verdict as text: one headline, then the judge's message."""
    symbol = "✓" if verdict.passed else "○" if verdict.outcome == "unimplemented" else "✗"
    good = sum(case.outcome == "passed" for case in verdict.cases)
    count = f" {good}/{len(verdict.cases)}" if verdict.cases else ""
    head = f"{symbol} {verdict.kata} ({verdict.variant}): {OUTCOMES[verdict.outcome][language]}{count}"
    parity = verdict.report.get("parity")
    told = f"{_parity(parity, verdict.device, language)}\n" if parity else ""
    if colour:
        head = f"\x1b[1;{_COLOURS.get(verdict.outcome, '31')}m{head}\x1b[0m"
    message = f"{verdict.message.rstrip()}\n" if verdict.message.strip() else ""
    return f"{head}\n{told}{message}"


def _parity(parity: Mapping[str, Any], device: str, language: Language) -> str:
    """What `--parity` found: the outcome on either, and the cases that went differently."""
    words = _AGREE if parity["agree"] else _DIFFER
    here, there = (OUTCOMES[parity[name]][language] for name in ("cpu", "device"))
    return words.format(here=here, there=there, device=device, cases=", ".join(parity["differ"]))[language]


def print_verdict(verdict: Verdict, language: Language) -> None:
    """Print it on stdout."""
    print(verdict_text(verdict, language, colour=coloured(sys.stdout)), end="")
