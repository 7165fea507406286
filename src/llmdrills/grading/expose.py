"""The input that shows a wrong kernel at its smallest, as text for a spot-the-bug card. Values only, no torch."""

from __future__ import annotations

from collections.abc import Sequence

from llmdrills.grading import findings as f
from llmdrills.grading.answer import Expected, Question
from llmdrills.grading.compare import compare, leaves
from llmdrills.grading.derived import DERIVED
from llmdrills.grading.describe import short_call
from llmdrills.grading.numbers import array
from llmdrills.grading.reports import Exposure
from llmdrills.grading.wire import Raised, TensorValue, Value
from llmdrills.grading.wording import describe, number, shape

__all__ = ["expose"]

LONGEST_CALL = 220
LONGEST_RESULT = 160


def expose(entry: str, name: str, questions: Sequence[Question], expected: Sequence[Expected]) -> Exposure | None:
    """The smallest case that kills the misconception of that name; one whose call fits on a card comes first."""
    best: tuple[tuple[bool, bool, int], Question, Expected, list[f.Finding]] | None = None
    for question, due in zip(questions, expected, strict=True):
        findings = compare(due, due.misconceptions[name])
        if not findings:
            continue
        written = short_call(entry, question, LONGEST_CALL)
        rank = (DERIVED in due.allowed["tags"], written is None, int(due.allowed["size"]))
        if best is None or rank < best[0]:
            best = (rank, question, due, findings)
    if best is None:
        return None
    _, question, due, findings = best
    call = short_call(entry, question, LONGEST_CALL) or _outline(entry, due)
    right, wrong = _results(due, due.misconceptions[name].value, findings[0])
    return Exposure(due.case, call, right, wrong)


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
    parts = []
    for path, leaf in leaves(value):
        if isinstance(leaf, TensorValue):
            if leaf.missing or leaf.numel > 24:
                return None
            text = _rounded(array(leaf).tolist())
        else:
            text = number(leaf) if isinstance(leaf, float) else repr(leaf)
        parts.append(f"{path}: {text}" if path else text)
    shown = ", ".join(parts)
    return shown if len(shown) <= LONGEST_RESULT else None


def _rounded(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_rounded(item) for item in value)}]"
    return f"{value:.4g}" if isinstance(value, float) else repr(value)
