"""What an exception of Triton's means to a learner: which kind of event, at which line, in which words.

Triton wraps exceptions in exceptions, and names its own files; here the cause is taken out, and the line of the
attempt. Nothing of triton is imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from llmdrills.grading.engines.triton.report import Fact, Kind

__all__ = ["cause", "classify", "words"]

MOST_WORDS = 400
"""Characters of a message that are kept."""

_UNSAID = {"CompileTimeAssertionFailure": "the static assertion does not hold"}
"""Exceptions that may say nothing, by their names."""
_AXIS = (
    re.compile(r"axis (?P<axis>-?\d+) (?:is )?out of bounds"),
    re.compile(r"(?:program_id|num_programs) axis must be 0, 1, or 2 but got (?P<axis>-?\d+)"),
    re.compile(r"invalid axis (?P<axis>-?\d+)"),
    re.compile(r"axis must be < inputs rank"),
)
_TAKE_AXIS = frozenset(
    ("sum", "max", "min", "argmax", "argmin", "cumsum", "cumprod", "softmax", "reduce", "associative_scan", "xor_sum")
) | {"program_id", "num_programs", "expand_dims", "sort", "flip", "gather"}
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


def classify(kind: Kind, message: str, text: str, nones: Iterable[str]) -> tuple[Kind, dict[str, Fact]]:
    """The kind that a failure deserves, and its facts. `text` is the line, `nones` the parameters that are None."""
    used = [name for name in nones if re.search(rf"\b{re.escape(name)}\b", text)]
    names = list(nones)
    if names and (used or _NONE.search(message)) and (_NONE.search(message) or "AttributeError" in message):
        return "none-pointer", {"parameter": used[0] if used else names[0] if len(names) == 1 else ""}
    inside = re.search(r"\btorch\.((?:\w+\.)*\w+)\(", text)
    if inside:
        return "torch-used", {"operator": inside[1], "where": "inside"}
    function = _called(text)
    for pattern in _AXIS:
        found = pattern.search(message)
        if found:
            facts: dict[str, Fact] = {"function": function, "message": message}
            axis = found.groupdict().get("axis")
            return "helper-axes", facts if axis is None else facts | {"axis": int(axis)}
    if message == "list index out of range" and function in _TAKE_AXIS:  # what `tl.argmax` says
        return "helper-axes", {"function": function, "message": message}
    return kind, {}


def _called(text: str) -> str:
    """The function of `tl` that a line calls with an axis, as far as the text tells."""
    names: list[str] = re.findall(r"\b(?:tl|triton\.language)\.(\w+)\(", text)
    return ([name for name in names if name in _TAKE_AXIS] or names or [""])[0]


def words(error: BaseException) -> str:
    """What an exception says, on one line, without the source text that Triton puts before it."""
    said = getattr(error, "error_message", None)
    if said is None:
        said = error.args[0] if isinstance(error, KeyError) and error.args else error
    lines = [line.strip() for line in str(said).splitlines() if line.strip(" ^")]
    text = lines[-1] if lines else ""
    quoted = re.fullmatch(r"""\w+\((['"])(.*)\1,?\)""", text)  # the front end quotes some of its own
    kind = type(error).__name__
    return (quoted[2] if quoted else text)[:MOST_WORDS] or _UNSAID.get(kind, kind)
