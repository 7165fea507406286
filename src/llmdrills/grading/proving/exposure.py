"""The input that shows a wrong kernel at its smallest, as text for a spot-the-bug card. Values only, no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from llmdrills.grading.judging import findings as f
from llmdrills.grading.judging.compare import compare
from llmdrills.grading.judging.inputs import short_call
from llmdrills.grading.judging.wording import describe, number, shape
from llmdrills.grading.protocol.answer import STOPPED, Answer, Expected, Question
from llmdrills.grading.protocol.numbers import array, load_numpy
from llmdrills.grading.protocol.wire import Raised, TensorValue, Value
from llmdrills.grading.proving.matrix import Matrix
from llmdrills.grading.proving.reports import Exposure

__all__ = ["expose"]

LONGEST_CALL = 220
LONGEST_RESULT = 160
MOST_NUMBERS = 24
MOST_ROUNDED = 64
_UNITS = {
    "flops": "floating-point operations",
    "bytes": "bytes",
    "largest_tile": "elements in the largest tile",
    "launches": "launches",
    "dot_flops": "operations in tl.dot",
}


def expose(
    entry: str,
    matrix: Matrix,
    questions: Sequence[Question],
    expected: Sequence[Expected],
    ask: Callable[[str, Question], Answer],
) -> dict[str, Exposure]:
    """For each slip the smallest case that kills it; one whose call fits on a card comes first.

    `ask` puts a question to the slip of that name, or to the reference for "": a short call is put again
    with its numbers rounded to three digits, so that a card shows 0.578 and not 0.57771957, and what it shows is what
    was computed.
    """
    rounded = [_rounded_question(question, due) for question, due in zip(questions, expected, strict=True)]
    calls = [short_call(entry, question, LONGEST_CALL) for question in rounded]
    ranked = sorted((due.derived, calls[at] is None, due.call.size, at) for at, due in enumerate(expected))
    found: dict[str, Exposure] = {}
    for name in matrix.slips:
        at = next((rank[-1] for rank in ranked if matrix.kinds[name][expected[rank[-1]].case]), None)
        if at is None:
            continue
        due, answer = expected[at], expected[at].slips[name]
        call = short_call(entry, questions[at], LONGEST_CALL) or _outline(entry, due)
        if calls[at] is not None and rounded[at] is not questions[at]:
            new_due = dataclasses.replace(due, answer=ask("", rounded[at]))
            new_answer = ask(name, rounded[at])
            if compare(new_due, new_answer):
                due, answer, call = new_due, new_answer, calls[at] or call
        found[name] = Exposure(due.case, call, *_results(due, answer.value, compare(due, answer)[0]))
    return found


def _rounded_question(question: Question, due: Expected) -> Question:
    """The same with float32 tensors rounded to three digits; itself where that might change what the case is about."""
    plain = not (due.raises or due.draws or question.grads or question.count)
    if not plain or due.call.size > MOST_ROUNDED:
        return question
    args = tuple(_rounded_value(value) for value in question.args)
    kwargs = {name: _rounded_value(value) for name, value in question.kwargs.items()}
    return dataclasses.replace(question, args=args, kwargs=kwargs)


def _rounded_value(value: Value) -> Value:
    np = load_numpy()
    if not isinstance(value, TensorValue) or value.dtype != "float32" or value.missing or not value.numel:
        return value
    numbers = array(value)
    if not np.isfinite(numbers).all() or (numbers.ndim and np.allclose(numbers.sum(-1), 1, atol=1e-3)):
        return value  # probabilities must go on summing to 1
    short = np.array([float(f"{number:.3g}") for number in numbers.reshape(-1)], dtype="<f4")
    return dataclasses.replace(value, data=short.tobytes())


def _outline(entry: str, due: Expected) -> str:
    """The call with shapes in place of tensors that are too large to be written out."""
    parts = []
    for given in due.call.inputs:
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
        return _whole(want) or "returns", _whole(got) or ""
    if isinstance(finding, f.WrongShape):
        return f"shape {shape(finding.expected)}", f"shape {shape(finding.got)}"
    if isinstance(finding, f.WrongDtype):
        return finding.expected, finding.got
    if isinstance(finding, f.OverBudget):
        unit = _UNITS.get(finding.what, "elements in the largest tensor")
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
        return f"{'stopped:' if STOPPED in value.classes else 'raises'} {value.type}"
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
