"""The input that shows a wrong kernel at its smallest, as text for a spot-the-bug card. Values only, no torch."""

from __future__ import annotations

from collections.abc import Sequence

from llmdrills.grading import findings as f
from llmdrills.grading.answer import Expected, Question
from llmdrills.grading.compare import compare
from llmdrills.grading.derived import DERIVED
from llmdrills.grading.describe import short_call
from llmdrills.grading.matrix import Matrix
from llmdrills.grading.numbers import array
from llmdrills.grading.reports import Exposure
from llmdrills.grading.wire import Raised, TensorValue, Value
from llmdrills.grading.wording import describe, number, shape

__all__ = ["expose"]

LONGEST_CALL = 220
LONGEST_RESULT = 160
MOST_NUMBERS = 24


def expose(
    entry: str, matrix: Matrix, questions: Sequence[Question], expected: Sequence[Expected]
) -> dict[str, Exposure]:
    """For each misconception the smallest case that kills it; one whose call fits on a card comes first."""
    ranked = sorted(
        (DERIVED in due.allowed["tags"], call is None, int(due.allowed["size"]), at)
        for at, (question, due) in enumerate(zip(questions, expected, strict=True))
        for call in [short_call(entry, question, LONGEST_CALL)]
    )
    found: dict[str, Exposure] = {}
    for name in matrix.misconceptions:
        at = next((rank[-1] for rank in ranked if matrix.kinds[name][expected[rank[-1]].case]), None)
        if at is not None:
            due = expected[at]
            call = short_call(entry, questions[at], LONGEST_CALL) or _outline(entry, due)
            answer = due.misconceptions[name]
            found[name] = Exposure(due.case, call, *_results(due, answer.value, compare(due, answer)[0]))
    return found


def _outline(entry: str, due: Expected) -> str:
    """The call with shapes in place of tensors that are too large to be written out."""
    parts = []
    for given in due.allowed["inputs"]:
        shown = f"{given['dtype']} {shape(tuple(given['shape']))}" if given["kind"] == "tensor" else given["value"]
        parts.append(f"{given['name']}: {shown}")
    return f"{entry}({', '.join(parts)})"


def _results(due: Expected, got: Value, finding: f.Finding) -> tuple[str, str]:
    want = due.answer.value
    if isinstance(finding, (f.WrongValues, f.NotFinite)):
        whole = _whole(want), _whole(got)
        if not finding.path.startswith("gradient") and all(text is not None for text in whole):
            return str(whole[0]), str(whole[1])
        index = f"[{', '.join(map(str, finding.index))}]" if finding.index else ""
        place = finding.path if finding.path.startswith("gradient") else f"result{finding.path}"
        return f"{place}{index} = {number(finding.expected)}", f"{place}{index} = {number(finding.got)}"
    if isinstance(finding, f.DidNotRaise):
        return f"raises {finding.expected}", _whole(got) or "returns"
    if isinstance(got, Raised):
        return _whole(want) or "returns", f"raises {got.type}"
    if isinstance(finding, f.WrongShape):
        return f"shape {shape(finding.expected)}", f"shape {shape(finding.got)}"
    if isinstance(finding, f.WrongDtype):
        return finding.expected, finding.got
    if isinstance(finding, f.OverBudget):
        unit = "floating-point operations" if finding.what == "flops" else "elements in the largest tensor"
        return f"at most {finding.allowed:,} {unit}", f"{finding.got:,}"
    if isinstance(finding, f.InputChanged):
        return f"{finding.path} unchanged", f"{finding.path} changed in place"
    whole = _whole(want), _whole(got)
    if all(whole):
        return str(whole[0]), str(whole[1])
    return "", describe(finding).en


def _whole(value: Value) -> str | None:
    """The whole result in a few characters, or None."""
    if isinstance(value, Raised):
        return f"raises {value.type}"
    shown = _shown(value)
    return shown if shown is not None and len(shown) <= LONGEST_RESULT else None


def _shown(value: Value) -> str | None:
    if isinstance(value, TensorValue):
        return None if value.missing or value.numel > MOST_NUMBERS else _rounded(array(value).tolist())
    if isinstance(value, (list, tuple, dict)):
        items = [_shown(item) for item in (value.values() if isinstance(value, dict) else value)]
        if any(item is None for item in items):
            return None
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key!r}: {item}" for key, item in zip(value, items, strict=True)) + "}"
        inner = ", ".join(str(item) for item in items)
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(items) == 1 else ''})"
    return number(value) if isinstance(value, float) else repr(value)


def _rounded(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_rounded(item) for item in value)}]"
    return f"{value:.4g}" if isinstance(value, float) else repr(value)
