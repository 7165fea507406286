"""What is asked of a kernel and what comes back: the data that the engine and the judge share. No torch here.

The oracle makes one `Question` and one `Expected` a case. The learner's process gets the question alone
and sends back an `Answer`. The command holds the `Expected`s beside the `Attempt` and judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from llmdrills.grading.engines.triton.report import Report
from llmdrills.grading.protocol.wire import Raised, Value
from llmdrills.grading.rules.forbidden import ForbiddenUse

__all__ = [
    "EARLIER_RESULT",
    "JOINT",
    "STOPPED",
    "TOGETHER",
    "Answer",
    "Attempt",
    "CostLimit",
    "Counts",
    "Ended",
    "Expected",
    "GradientRules",
    "Law",
    "Question",
    "Seek",
    "ShownCall",
    "Tolerance",
    "no_memory",
    "outcome_of",
]


@dataclass(frozen=True)
class Counts:
    """What one call cost (see `llmdrills.grading.rules.counting`).

    `flops` counts floating-point operations, `largest_tensor` elements of the largest tensor that an operator
    allocated, with that tensor's shape, the operator, and the line of the learner's file (0: none); `calls` counts
    the operators by name. `costliest_operator` and `costliest_line` say what most of the operations went into.
    `alive` counts the elements of all that the call had allocated and not freed, when that was most, and `alive_line`
    says where.
    """

    flops: int
    largest_tensor: int
    largest_shape: tuple[int, ...] = ()
    largest_operator: str = ""
    largest_line: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    costliest_operator: str = ""
    costliest_line: int = 0
    alive: int = 0
    alive_line: int = 0


Seek = Literal["", "input-changed", "no-gradient", "half-precision"]
"""What may happen in a line of a kernel: it writes into an argument, drops a gradient, or is the first to calculate in
half precision."""


@dataclass(frozen=True)
class Question:
    """One case as it is put to a kernel: nothing in it tells the answer.

    `args` and `kwargs` are values (tensors with their strides and requires_grad). `grads` are the
    positions of the arguments whose gradients are asked for, `draws` how often a random kernel is called,
    `count` whether the cost is counted, `seed` what the global generators are seeded with before the call. `then` are
    further calls in the same process, made before the first one's result is read for good: the answer is then the list
    of all results. `trace` names functions beside the kernel: the answer is then not its result, but the calls of these
    functions that it made (`llmdrills.grading.kernels.tracing`). With `seek` it is the list of the kernel's lines in
    which that happens.
    """

    name: str
    args: tuple[Value, ...]
    kwargs: dict[str, Value]
    seed: int
    grads: tuple[int, ...] = ()
    draws: int = 0
    count: bool = False
    then: tuple[tuple[tuple[Value, ...], dict[str, Value]], ...] = ()
    trace: tuple[str, ...] = ()
    seek: Seek = ""


STOPPED = "KernelStoppedError"
"""Stands in `Raised.classes` where the watch on Triton's interpreter ended the call: the last event says why."""


EARLIER_RESULT = "an earlier result"
"""Stands in `Answer.globals_changed` where a later call changed what an earlier one returned."""


JOINT = "+"
"""Stands between the ids of two slips that are made at once, as in `Expected.slips`."""


@dataclass(frozen=True)
class Answer:
    """One kernel's answer to one question.

    `value` is a Raised when the call raised, and a list of `draws` values when the question asks for draws.
    `inputs_changed` are positions: the positional arguments, then the keyword arguments in order. `grads`
    stand in the order of `Question.grads`, None where no gradient arrived. `forbidden` names calls that
    the contract rules out, as they were met. `globals_changed` names settings of torch that the call left
    changed ("default dtype", "grad mode"). `watched` is what the watch on Triton's interpreter saw, where a kernel was
    run by it.
    """

    value: Value | Raised
    inputs_changed: tuple[int, ...] = ()
    grads: tuple[Value | None, ...] = ()
    counts: Counts | None = None
    forbidden: tuple[ForbiddenUse, ...] = ()
    globals_changed: tuple[str, ...] = ()
    seconds: float = 0.0
    watched: Report | None = None


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How far numbers may lie from the oracle's (`llmdrills.grading.protocol.numbers.limits`).

    `rtol` and `atol` are the case's own; None stands for the dtype's. `baselines` are the greatest errors of the
    reference in the precision of its inputs, one for each leaf of the answer in depth-first order.
    """

    rtol: float | None = None
    atol: float | None = None
    baselines: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GradientRules:
    """How the gradients are compared: the arguments' names, the dtypes due and the baselines, each in the order of
    `Question.grads`."""

    names: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    baselines: tuple[float, ...] = ()


@dataclass(frozen=True)
class CostLimit:
    """What one call may cost: `what` names a field of `Counts` ("flops", "largest_tensor" or "alive"), `reference` is
    what the reference costs.

    Of a kernel that Triton's interpreter ran, it is "bytes" (loaded and stored), "largest_tile", "launches" or
    "dot_flops", and the reference is the kata's solution.
    """

    what: str
    limit: int
    reference: int


@dataclass(frozen=True, kw_only=True)
class ShownCall:
    """The call of a case as a report shows it.

    `names` are the arguments' names, `inputs` each of them described (`llmdrills.grading.judging.inputs.describe`).
    `size` counts elements, items and letters in all of them together; `empty` says that a tensor among them has no
    element. `literals` writes each argument as Python, by name; it is empty where that would be too long. The first
    `positional` arguments are given by position.
    """

    names: tuple[str, ...] = ()
    inputs: tuple[dict[str, Any], ...] = ()
    size: int = 0
    empty: bool = False
    literals: dict[str, str] = field(default_factory=dict)
    positional: int = 0


Law = tuple[tuple[Value, float], ...]
"""Every result that may come of one call, and its probability."""


@dataclass(frozen=True)
class Expected:
    """What the oracle knows of one case. The judge fills it and reads it; the engine only carries it.

    `answer` holds the reference's answer, computed in float64 where it is floating, and `dtypes` the dtype due for
    each tensor of it in depth-first order ("" for anything else); `answer.counts` is what it costs on the inputs as
    they are, and `seconds` how long it took. `derived` says that the framework made the case of the author's first
    one. `clauses` are the ids of the contract lines that the case grades. `slips` holds what each slip
    answers, by its id. `laws` holds, for each call of a random case that has a law, the results that may come with
    their probabilities.
    """

    case: str
    why: str
    answer: Answer
    dtypes: tuple[str, ...] = ()
    raises: str = ""
    draws: int = 0
    nan_ok: bool = False
    tolerance: Tolerance = field(default_factory=Tolerance)
    gradients: GradientRules = field(default_factory=GradientRules)
    budgets: tuple[CostLimit, ...] = ()
    call: ShownCall = field(default_factory=ShownCall)
    seconds: float = 0.0
    derived: bool = False
    clauses: tuple[str, ...] = ()
    calls: int = 1  # more than one: the answer is the list of their results
    drawn: bool = False  # from the kata's domain, not a case that the author wrote
    float32: bool = True  # no floating input is of another type
    empty: bool = False  # a tensor without elements goes in
    left_out: str = ""  # why this draw is not judged here: its answer counts for nothing
    least: int = 0  # bytes that any right kernel moves; 0 where nobody counts them
    slips: dict[str, Answer] = field(default_factory=dict)
    laws: tuple[Law, ...] = ()


EndedBy = Literal["crashed", "timeout", "memory", "forbidden"]
TOGETHER = "together "
"""How the detail of a timeout begins where the time of all cases together is used up; the seconds follow."""


@dataclass(frozen=True)
class Ended:
    """Why the learner's process stopped before it had answered every question.

    `case` is the question it was at, empty while the file was still loading. `detail` is a short English
    fact for the message: "SIGSEGV", "exit status 0", "10.0 s", "the private channel was closed".
    """

    by: EndedBy
    case: str
    detail: str


@dataclass(frozen=True)
class Attempt:
    """Everything that is known of one run of the learner's file; the judge makes a verdict of it.

    `loading` is what importing the file raised, or why it has no entry function. `answers` are in the
    order of the questions, fewer than them only when `ended` says why. `forbidden` are acts seen outside
    of any call's own list ("os.fork", "threading"), with the line. `output` is what it printed from the start on,
    stdout and stderr together, up to `Limits.output` bytes; `outputs` what each answered case printed, in the order
    of `answers`, each text cut (then it ends with a line of one ellipsis); `last_output` what the case printed in which
    the process ended.
    """

    loading: Raised | None
    answers: tuple[Answer, ...]
    ended: Ended | None = None
    forbidden: tuple[ForbiddenUse, ...] = ()
    output: str = ""
    output_cut: bool = False
    seconds: float = 0.0
    outputs: tuple[str, ...] = ()
    last_output: str = ""


def outcome_of(raised: Raised) -> Literal["unimplemented", "memory", "forbidden", "crashed"]:
    """Which outcome an exception is, when the contract did not ask for it."""
    # torch raises the same class where an operator does not take a dtype: only a `raise` says that nothing is written.
    if "NotImplementedError" in raised.classes and raised.operation == "raise":
        return "unimplemented"
    if "ForbiddenError" in raised.classes:
        return "forbidden"
    return "memory" if no_memory(raised.classes, raised.message) else "crashed"


def no_memory(classes: Sequence[str], message: str) -> bool:
    """Whether an exception with these names of classes says that an allocation failed."""
    torch_memory = "RuntimeError" in classes and any(words in message for words in _NO_MEMORY)
    return torch_memory or "MemoryError" in classes or "OutOfMemoryError" in classes


_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")
"""How torch says that an allocation failed: it has no class of its own for that on the CPU."""
