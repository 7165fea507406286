"""A verdict as the page shows it: one line, what the judge says, the place in the code, and everything else."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmdrills.cli.verdict_view import OUTCOMES, verdict_text
from llmdrills.web.words import TOLD

if TYPE_CHECKING:
    from llmdrills.grading.judging.verdict import Verdict
    from llmdrills.language import Language

__all__ = ["shown_verdict", "verdict_line"]

_NARROWEST, _WIDEST = 30, 96  # columns that a report is laid out for
_LINE = re.compile(r'File "[^"]*", line (\d+)')


def shown_verdict(verdict: Verdict, language: Language, columns: int) -> dict[str, Any]:
    """What is shown; nothing in it is HTML. `columns`: how many stand beside each other on the page."""
    from llmdrills.grading.judging.report import why_text

    width = max(_NARROWEST, min(_WIDEST, columns))
    lines = verdict_text(_with_own_next_step(verdict, language), language, colour=False, width=width)
    head, _, message = lines.partition("\n")
    why = "" if verdict.outcome in {"passed", "unimplemented", "error"} else why_text(verdict, language, width)
    return {
        "outcome": verdict.outcome,
        "passed": verdict.passed,
        "word": OUTCOMES[verdict.outcome][language],
        "head": head,
        "message": message.rstrip(),
        "why": why,
        "line": verdict_line(verdict),
    }


def verdict_line(verdict: Verdict) -> int:
    """The line of the attempt that the verdict points at; 0: none."""
    if verdict.where is not None and verdict.where.line:
        return verdict.where.line
    raised = verdict.report.get("raised")
    if raised is None:
        return 0
    found = _LINE.findall(raised["traceback"])
    return int(found[-1]) if found else 0


def _with_own_next_step(verdict: Verdict, language: Language) -> Verdict:
    """Without the command for a hint, which is a button here."""
    if "`llmdrills hint" not in str(verdict.report.get("next", "")):
        return verdict
    said = TOLD["write_it"][language] if verdict.outcome == "unimplemented" else ""
    return replace(verdict, report={**verdict.report, "next": said})
