"""What an exception of Triton's means to a learner: which kind of event, at which line, in which words.

Triton wraps exceptions in exceptions, and names its own files; here the cause is taken out, and the line of the
attempt. Nothing of triton is imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from llmdrills.grading.engines.triton.report import Fact, Kind

__all__ = ["cause", "classify", "first_line", "words"]

_AXIS = (
    re.compile(r"axis (?P<axis>-?\d+) (?:is )?out of bounds"),
    re.compile(r"program_id axis must be 0, 1, or 2 but got (?P<axis>.+)"),
    re.compile(r"num_programs axis must be 0, 1, or 2 but got (?P<axis>.+)"),
    re.compile(r"expected reduction axis to be in the range \[\d+, -?\d+\) but got (?P<axis>-?\d+)"),
    re.compile(r"invalid axis (?P<axis>-?\d+)"),
    re.compile(r"scan axis must be < inputs rank"),
    re.compile(r"reduction axis must be < inputs rank"),
)
_NONE = re.compile(r"NoneType|'none'|\bNone\b|constexpr\[None\]|Unsupported ptr type")


def cause(error: BaseException) -> BaseException:
    """The exception that began it."""
    seen = {id(error)}
    while (deeper := error.__cause__ or (None if error.__suppress_context__ else error.__context__)) is not None:
        if id(deeper) in seen:
            break
        seen.add(id(deeper))
        error = deeper
    return error


def first_line(text: str) -> str:
    """The words of a message, on one line, without the source text that Triton puts before them."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[-1] if lines else "")[:400]


def classify(kind: Kind, message: str, text: str, nones: Iterable[str]) -> tuple[Kind, dict[str, Fact]]:
    """The kind that a failure deserves, and its facts. `text` is the line, `nones` the parameters that are None."""
    used = [name for name in nones if re.search(rf"\b{re.escape(name)}\b", text)]
    names = list(nones)
    if names and (used or _NONE.search(message)) and (_NONE.search(message) or "AttributeError" in message):
        return "none-pointer", {"parameter": used[0] if used else names[0] if len(names) == 1 else ""}
    for pattern in _AXIS:
        found = pattern.search(message)
        if found:
            facts: dict[str, Fact] = {"function": _called(text), "message": message}
            if "axis" in found.groupdict():
                facts["axis"] = found["axis"]
            return "helper-axes", facts
    return kind, {}


def _called(text: str) -> str:
    """The function of `tl` that a line calls with an axis, as far as the text tells."""
    names: list[str] = re.findall(r"\b(?:tl|triton\.language)\.(\w+)\(", text)
    axes = ("sum", "max", "min", "argmax", "argmin", "cumsum", "cumprod", "softmax", "reduce", "associative_scan")
    taking = [name for name in names if name in axes or name in ("program_id", "num_programs", "expand_dims", "sort")]
    return (taking or names or [""])[0]


def words(error: Any) -> str:
    """An exception as one sentence."""
    said = first_line(str(error))
    return said or type(error).__name__
