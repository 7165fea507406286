"""The ways in which an answer can be wrong, as typed facts.

They are found first and worded last (`llmdrills.grading.judging.wording`).

Every finding has a `path` into the answer: "" is the result itself, "[1]" its second item, "gradient of Q" a
gradient.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = [
    "DidNotRaise",
    "DoesNotCompile",
    "EarlierResultChanged",
    "Fault",
    "Finding",
    "Forbidden",
    "GlobalsChanged",
    "InputChanged",
    "NoGradient",
    "NotCounted",
    "NotFinite",
    "OfKernel",
    "OverBudget",
    "Race",
    "Raises",
    "RaisesOther",
    "StrayGradient",
    "TooMuchWork",
    "Unreadable",
    "WrongDevice",
    "WrongDraws",
    "WrongDtype",
    "WrongScalar",
    "WrongShape",
    "WrongStructure",
    "WrongText",
    "WrongType",
    "WrongValues",
]

Index = tuple[int, ...]


@dataclass(frozen=True)
class Finding:
    """One way in which an answer is wrong."""

    kind: ClassVar[str] = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data with its `kind`; numbers that JSON lacks are written as "nan", "inf" and "-inf"."""
        return {"kind": self.kind, **_plain(vars(self))}


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return _plain(vars(value))
    return value


@dataclass(frozen=True)
class WrongType(Finding):
    """The type is not the one that is due. A subclass of torch.Tensor is another type, too."""

    kind = "wrong-type"
    path: str
    expected: str
    got: str


@dataclass(frozen=True)
class WrongStructure(Finding):
    """A tuple, list or dict with other items than are due.

    Of lists and tuples of plain values both are shown about the first item that differs, `at`; elsewhere the two
    texts are empty.
    """

    kind = "wrong-structure"
    path: str
    expected: str
    got: str
    at: int = 0
    expected_items: str = ""
    got_items: str = ""


@dataclass(frozen=True)
class WrongShape(Finding):
    """A tensor of another shape; nothing is broadcast."""

    kind = "wrong-shape"
    path: str
    expected: Index
    got: Index


@dataclass(frozen=True)
class WrongDtype(Finding):
    """A tensor of another dtype."""

    kind = "wrong-dtype"
    path: str
    expected: str
    got: str


@dataclass(frozen=True)
class WrongDevice(Finding):
    """A tensor on another device."""

    kind = "wrong-device"
    path: str
    expected: str
    got: str


@dataclass(frozen=True)
class Unreadable(Finding):
    """A tensor without numbers in it: on the meta device, sparse, too large."""

    kind = "unreadable"
    path: str
    why: str


@dataclass(frozen=True)
class NotFinite(Finding):
    """NaN or infinity where a number is due, or a number where one of these is due."""

    kind = "not-finite"
    path: str
    index: Index
    expected: float
    got: float
    wrong: int
    total: int


@dataclass(frozen=True)
class WrongValues(Finding):
    """Numbers too far from the oracle's.

    `index` is the first wrong one in reading order; `around` holds both rows about it, from column `start` of the
    last axis on.
    """

    kind = "wrong-values"
    path: str
    index: Index
    expected: float
    got: float
    allowed: float
    greatest: float
    greatest_index: Index
    greatest_allowed: float
    wrong: int
    total: int
    start: int
    expected_around: tuple[float, ...]
    got_around: tuple[float, ...]


@dataclass(frozen=True)
class WrongScalar(Finding):
    """A Python number, bool or None that is another."""

    kind = "wrong-scalar"
    path: str
    expected: Any
    got: Any
    allowed: float = 0.0


@dataclass(frozen=True)
class WrongText(Finding):
    """A text that is another; `at` is the first character that differs."""

    kind = "wrong-text"
    path: str
    expected: str
    got: str
    at: int


@dataclass(frozen=True)
class InputChanged(Finding):
    """The call changed a tensor of its caller."""

    kind = "input-changed"
    path: str


@dataclass(frozen=True)
class NoGradient(Finding):
    """No gradient arrived at an argument that asks for one."""

    kind = "no-gradient"
    path: str


@dataclass(frozen=True)
class StrayGradient(Finding):
    """A gradient arrived at an argument that the reference detaches."""

    kind = "stray-gradient"
    path: str


@dataclass(frozen=True)
class DidNotRaise(Finding):
    """An exception is due; the call returned."""

    kind = "did-not-raise"
    path: str
    expected: str


@dataclass(frozen=True)
class RaisesOther(Finding):
    """An exception is due; another one was raised."""

    kind = "raises-other"
    path: str
    expected: str
    got: str
    message: str
    line: int


@dataclass(frozen=True)
class Raises(Finding):
    """The call raised where an answer is due. `line` is the attempt's, 0 when none of its lines was running."""

    kind = "raises"
    path: str
    type: str
    message: str
    line: int


@dataclass(frozen=True)
class WrongDraws(Finding):
    """A random result: answers that are due never came, answers came that may not come, or one came too often or too
    seldom (`uneven`, each with its count and the number that is due)."""

    kind = "wrong-draws"
    path: str
    draws: int
    missing: tuple[str, ...]
    unwanted: tuple[str, ...]
    uneven: tuple[str, ...] = ()


@dataclass(frozen=True)
class EarlierResultChanged(Finding):
    """A later call changed what an earlier one returned."""

    kind = "earlier-result-changed"
    path: str


@dataclass(frozen=True)
class GlobalsChanged(Finding):
    """The call left settings of torch changed."""

    kind = "globals-changed"
    path: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class OverBudget(Finding):
    """Over budget. `what` is "flops", "largest_tensor" or "alive" (both in elements); `reference` is what the reference
    costs. Of Triton kernels it is "bytes", "largest_tile" (in elements), "launches" or "dot_flops", and what the kata's
    solution costs.

    `line` (0: not known) and `operator` say where most of it arises, `shape` is the largest tensor's.
    """

    kind = "over-budget"
    path: str
    what: str
    got: int
    allowed: int
    reference: int
    shape: Index = ()
    line: int = 0
    operator: str = ""


@dataclass(frozen=True)
class NotCounted(Finding):
    """The work was done where nobody counts: the result is right, and next to nothing of its cost was seen."""

    kind = "not-counted"
    path: str
    what: str
    got: int
    reference: int


@dataclass(frozen=True)
class Forbidden(Finding):
    """A call that the contract rules out; `line` is 0 where it is not known."""

    kind = "forbidden"
    path: str
    call: str
    line: int
    why_en: str
    why_zh: str


@dataclass(frozen=True)
class OfKernel(Finding):
    """What the watch on Triton's interpreter saw: the kind of its event and the facts of it
    (`llmdrills.grading.engines.triton.report`), the kernel, the program (its index in the grid), and the attempt's line
    (0: none)."""

    path: str
    event: str
    line: int
    kernel: str
    program: Index
    facts: dict[str, Any]


@dataclass(frozen=True)
class Fault(OfKernel):
    """A kernel touches what is no element of a tensor, or is launched as no GPU could launch it."""

    kind = "fault"


@dataclass(frozen=True)
class Race(OfKernel):
    """What a kernel gives depends on the order in which its programs or threads run."""

    kind = "race"


@dataclass(frozen=True)
class DoesNotCompile(OfKernel):
    """Triton's own front end refuses the kernel, although its interpreter might run it."""

    kind = "does-not-compile"


@dataclass(frozen=True)
class TooMuchWork(OfKernel):
    """The kernel did more than any right one, and was ended."""

    kind = "too-much-work"
