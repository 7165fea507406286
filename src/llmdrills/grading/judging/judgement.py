"""What the judge knows of one attempt before anything is worded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from llmdrills.content.casetexts import CaseText
from llmdrills.content.notebookfile import missing
from llmdrills.grading.judging import findings as f
from llmdrills.grading.judging.diagnosis import Explanation
from llmdrills.grading.judging.verdict import Behaviour, Outcome, StageFound, Where
from llmdrills.grading.protocol.answer import Answer, Attempt, Expected, Seek
from llmdrills.grading.protocol.attempt_spec import AttemptSpec
from llmdrills.grading.protocol.wire import Raised
from llmdrills.language import Bilingual

__all__ = ["EXPLAINABLE", "NOTHING", "GradedCase", "Judgement", "Sought"]

NOTHING = Bilingual("", "")
EXPLAINABLE: frozenset[Outcome] = frozenset(("wrong", "crashed", "over-budget", "fault", "race", "does-not-compile"))
"""The outcomes in which answers came that are wrong: only there is something to explain."""
_MISSING = re.compile(r"name '(\w+)' is not defined")


@dataclass(frozen=True)
class GradedCase:
    """One case, with its outcome. `answer` is None when the attempt never came to it; `remark` then says why."""

    expected: Expected
    answer: Answer | None
    outcome: Outcome
    findings: tuple[f.Finding, ...] = ()
    remark: Bilingual = NOTHING
    output: str = ""  # what the attempt printed meanwhile

    @property
    def raised(self) -> Raised | None:
        """What the attempt raised here."""
        value = None if self.answer is None else self.answer.value
        return value if isinstance(value, Raised) else None


class Sought(NamedTuple):
    """What is looked for in one case of the attempt, and the lines in which it was found.

    `argument` is the place of the gradient that is missing among those that the case asks for.
    """

    case: str
    kind: Seek
    argument: int = 0
    lines: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """One attempt, graded: `shown` is the failing case that a learner is shown, `place` where something certain first
    goes wrong, `uses` are the forbidden calls,
    `passes` the easier variant that it passes, `behaviour` what it behaves like, `sought` the lines in which something
    certain happens."""

    spec: AttemptSpec
    attempt: Attempt
    graded: tuple[GradedCase, ...]
    uses: tuple[f.Forbidden, ...]
    outcome: Outcome
    shown: GradedCase | None
    place: Where | None
    explanation: Explanation | None
    passes: str = ""
    behaviour: Behaviour | None = None
    stage: StageFound | None = None
    sought: Sought | None = None
    told: Mapping[str, CaseText] = field(default_factory=dict)  # of each case, in Chinese; empty in English

    def title(self, case: str) -> str:
        """What a case is called in the learner's language."""
        return self.told[case].title[self.spec.language] if case in self.told else case

    @property
    def elsewhere(self) -> Bilingual | None:
        """That a name which the graded cell of a notebook lacks stands in another cell; None where none does."""
        if self.spec.cell is None:
            return None
        raised = [self.attempt.loading, *(item.raised for item in (self.shown, *self.graded) if item is not None)]
        found = (_MISSING.match(one.message) for one in raised if one is not None and one.type == "NameError")
        told = (missing(name[1], self.spec.cell.elsewhere) for name in found if name)
        return next(filter(None, told), None)

    @property
    def failed(self) -> bool:
        """Whether answers came that are wrong: only then there is something to explain."""
        return self.outcome in EXPLAINABLE
