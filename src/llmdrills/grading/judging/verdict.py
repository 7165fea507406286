"""What the grader says of an attempt. Plain data: no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["CaseResult", "Diagnosis", "Outcome", "Verdict"]

Outcome = Literal[
    "passed", "wrong", "unimplemented", "crashed", "timeout", "memory", "forbidden", "over-budget", "error"
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
    """The misconception that explains the attempt; `explains` of `failing` cases (equal unless it is partial)."""

    id: str
    message: str
    explains: int
    failing: int


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
    report: dict[str, Any] = field(
        default_factory=dict
    )  # the smallest failing case, counts, time, snippet, captured output

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
            "diagnosis": None
            if self.diagnosis is None
            else {
                "id": self.diagnosis.id,
                "message": self.diagnosis.message,
                "explains": self.diagnosis.explains,
                "failing": self.diagnosis.failing,
            },
            "message": self.message,
            "report": self.report,
        }
