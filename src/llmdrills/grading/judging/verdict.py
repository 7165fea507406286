"""What the grader says of an attempt. Plain data: no torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

__all__ = [
    "Behaviour",
    "CaseCounts",
    "CaseResult",
    "CaseTraffic",
    "Diagnosis",
    "FailingClause",
    "LoadFailure",
    "Note",
    "Outcome",
    "Parity",
    "Report",
    "Seconds",
    "ShownCase",
    "StageFound",
    "Verdict",
    "Where",
]

Outcome = Literal[
    "passed",
    "wrong",
    "unimplemented",
    "crashed",
    "fault",
    "race",
    "does-not-compile",
    "timeout",
    "memory",
    "forbidden",
    "over-budget",
    "error",
]


@dataclass(frozen=True)
class CaseResult:
    """How one case went. `findings` are typed facts (`llmdrills.grading.judging.findings`), `message` their text."""

    name: str
    outcome: Outcome
    message: str = ""
    findings: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """The slip, or the other variant, that agrees with the attempt in every case.

    `explains` equals `failing`, the number of failing cases, but for failing cases in other types than float32 that
    have a fault of their own; the message then says so. `second` is another slip that is there too: the two agree with
    the attempt together.
    """

    id: str
    message: str
    explains: int
    failing: int
    second: str = ""


@dataclass(frozen=True)
class Note:
    """What the answer looks like where nothing explains all of it; it counts for nothing.

    `kind` is "partial" (`id` is a slip that explains `explains` of `failing` cases) or "recognised" (`id` begins with
    `recognised-`: right numbers in a wrong place).
    """

    kind: Literal["partial", "recognised"]
    id: str
    message: str
    explains: int
    failing: int


@dataclass(frozen=True)
class Behaviour:
    """What the attempt does, where nothing explains why: it agreed with a wrong kernel that the framework makes in
    every one of `calls` calls. It counts for nothing.

    `id` words the kernel for machines ("`window` is ignored"), `where` the condition in English; `message` is both in
    the learner's language.
    """

    id: str
    where: str
    message: str
    calls: int


@dataclass(frozen=True)
class Where:
    """The place where it certainly goes wrong: where an answer raises, writes into its caller's tensor, depends on
    earlier calls, loses a gradient, or first calculates in half precision where the reference never does; or what the
    watch on Triton's interpreter saw first.

    `line` is the attempt's (0: unknown), `case` the case in which it was seen. `operation`, `operands` and
    `expression` are those of `Raised`; for the other kinds `expression` is the text of that line, where it is one line.
    """

    kind: Literal["crash", "input-changed", "earlier-calls", "no-gradient", "half-precision", "kernel"]
    case: str
    message: str
    line: int = 0
    operation: str = ""
    operands: tuple[str, ...] = ()
    expression: str = ""


@dataclass(frozen=True)
class StageFound:
    """The first part of a long kernel whose values differ from the reference's, as it was seen in `case`.

    `kind`: "result": it got what the reference's part gets and gave something else; "input": what goes into it differs,
    and all before it agrees; "start" and "end": it lies before the first and after the last of the calls that are
    compared; "after": the difference comes after it. `stage` is its English name.
    """

    kind: Literal["result", "input", "start", "end", "after"]
    stage: str
    case: str
    message: str


@dataclass(frozen=True)
class FailingClause:
    """A line of the contract that a failing case grades, in the learner's language."""

    id: str
    text: str


class ShownCase(TypedDict):
    """The failing case that is shown. `inputs` are as `llmdrills.grading.judging.inputs.describe` has them, `findings`
    as JSON with their `text`; `output` is what the attempt printed in this case."""

    case: str
    why: str
    inputs: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    snippet: str
    traceback: str
    output: str


class LoadFailure(TypedDict):
    """Why the file does not load; `line` is 0 where it is not known."""

    type: str
    message: str
    file: str
    line: int
    traceback: str


class Seconds(TypedDict):
    """Time in seconds over all cases that ran: shown, never judged."""

    attempt: float
    reference: float


class CaseCounts(TypedDict):
    """What the attempt cost in a counted case. `budget` maps "flops", "largest_tensor" and "alive" to [limit, the
    reference's cost]."""

    case: str
    flops: int
    largest_tensor: int
    largest_shape: list[int]
    largest_operator: str
    largest_line: int
    costliest_operator: str  # what most of the operations went into
    costliest_line: int
    alive: int  # elements allocated and not freed, when they were most
    alive_line: int
    budget: dict[str, list[int]]


class CaseTraffic(TypedDict):
    """What the attempt's Triton kernels moved in a case, in bytes, beside the `least` that any right kernel moves.

    `moved` is what they loaded and stored together; tiles are as padded as they are. `budget` maps "bytes",
    "largest_tile", "launches" and "dot_flops" to [limit, the solution's cost].
    """

    case: str
    loaded: int
    stored: int
    moved: int
    least: int
    launches: int
    programs: int
    largest_tile: int
    dot_flops: int
    atomics: int
    budget: dict[str, list[int]]


class Parity(TypedDict):
    """The outcomes on the CPU and on the device, whether they agree, and the cases that went differently."""

    cpu: Outcome
    device: Outcome
    agree: bool
    differ: list[str]


class Report(TypedDict, total=False):
    """Everything that a report shows besides the verdict's own fields."""

    passing: list[str]  # names of cases
    failing: list[str]
    titles: dict[str, str]  # what a case is called in the learner's language, where that is not its name
    smallest: ShownCase | None  # the case that is shown; None where no answer is wrong
    forbidden: list[dict[str, Any]]  # findings of kind "forbidden"
    undecided: list[str]  # ids of slips that fit as well as the diagnosis
    also: list[str]  # what there is to say of these, in the learner's language
    recognised: str | None  # the id of the note, where it is of that kind
    seconds: Seconds
    counts: list[CaseCounts]
    traffic: list[CaseTraffic]  # of the named cases of a kata of engine triton
    output: str  # all that the attempt printed
    output_cut: bool  # whether it printed more than that
    raised: LoadFailure | None
    ended: dict[str, Any] | None  # why the process stopped: by, case, detail, output (of that case)
    draws: int  # how many of the cases were drawn from the kata's domain
    passes: str  # the variant that asks for less of the same and that the failing attempt passes; "" where none is
    headline: str  # the fact that the message begins with
    next: str  # the next step, in the learner's language
    parity: Parity  # only where two devices were compared
    elsewhere: str  # only of a cell: that a name which it lacks stands in another one, in the learner's language


@dataclass(frozen=True)
class Verdict:
    """The whole answer to one attempt."""

    kata: str
    variant: str
    device: str
    seed: int
    outcome: Outcome
    cases: tuple[CaseResult, ...] = ()
    diagnosis: Diagnosis | None = None
    message: str = ""  # what a learner reads first, in their language
    report: Report = field(default_factory=Report)
    note: Note | None = None
    where: Where | None = None
    behaviour: Behaviour | None = None
    clauses: tuple[FailingClause, ...] = ()
    stage: StageFound | None = None

    @property
    def passed(self) -> bool:
        """Whether every case passed."""
        return self.outcome == "passed"

    def to_json(self) -> dict[str, Any]:
        """Schema 1: it may gain keys, never lose one."""
        return {
            "schema": 1,
            "kata": self.kata,
            "variant": self.variant,
            "device": self.device,
            "seed": self.seed,
            "passed": self.passed,
            "outcome": self.outcome,
            "cases": [
                {"name": c.name, "outcome": c.outcome, "message": c.message, "findings": list(c.findings)}
                for c in self.cases
            ],
            "diagnosis": None if self.diagnosis is None else dataclasses.asdict(self.diagnosis),
            "note": None if self.note is None else dataclasses.asdict(self.note),
            "where": None if self.where is None else {**vars(self.where), "operands": list(self.where.operands)},
            "behaviour": None if self.behaviour is None else dataclasses.asdict(self.behaviour),
            "stage": None if self.stage is None else dataclasses.asdict(self.stage),
            "clauses": [dataclasses.asdict(clause) for clause in self.clauses],
            "message": self.message,
            "report": self.report,
        }
