"""The verdict on one attempt: what is wrong with each answer, what that makes of the attempt, and why. No torch.

The command decides here, from plain values; the learner's process has no say in it. Findings come first, then the
outcome, then what explains them; `llmdrills.grading.judging.evidence` gathers what a report shows, and
`llmdrills.grading.judging.report` renders it.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable, Sequence

from llmdrills.content.casetexts import CaseText, case_texts
from llmdrills.content.model import Kata
from llmdrills.grading.judging import findings as f
from llmdrills.grading.judging.behaviour import BehavesLike
from llmdrills.grading.judging.compared import Compared
from llmdrills.grading.judging.diagnosis import Explanation, Judged, diagnose, pairs, suspects
from llmdrills.grading.judging.evidence import first_place, gather, where
from llmdrills.grading.judging.example import choose_example, failing_clauses
from llmdrills.grading.judging.headline import headline
from llmdrills.grading.judging.judgement import EXPLAINABLE, GradedCase, Judgement, Sought
from llmdrills.grading.judging.of_kernels import outcome_of_kernel
from llmdrills.grading.judging.report import first_screen
from llmdrills.grading.judging.telling import told
from llmdrills.grading.judging.verdict import CaseResult, Outcome, StageFound, Verdict, Where
from llmdrills.grading.judging.wording import FORBIDDEN_WHY, describe, end_of_process
from llmdrills.grading.protocol.answer import JOINT, Answer, Attempt, Expected, outcome_of
from llmdrills.grading.protocol.attempt_spec import AttemptSpec
from llmdrills.grading.protocol.printable import printable, printable_tree
from llmdrills.grading.protocol.wire import Raised
from llmdrills.grading.rules.forbidden import ForbiddenUse, scan
from llmdrills.language import Bilingual, Language

__all__ = ["Judge", "judge"]


def judge(
    spec: AttemptSpec,
    expected: Sequence[Expected],
    attempt: Attempt,
    *,
    extra: Iterable[tuple[Sequence[Expected], Attempt]] = (),
    behaves: BehavesLike | None = None,
) -> Verdict:
    """Judge what came back at once, as `Judge.verdict` does; `expected` holds the wrong kernels' answers."""
    return Judge(spec, expected, attempt).verdict(extra=extra, behaves=behaves)


class Judge:
    """Judges what came back of one attempt: its answers are compared once, whatever is asked of it later.

    `expected` are the oracle's, in the order of the questions. Where a method takes `told`, these are the same, with
    the wrong kernels' answers. `compared` holds what was found in its answers when they came, `further` what was found
    in those of its other runs.
    """

    def __init__(
        self,
        spec: AttemptSpec,
        expected: Sequence[Expected],
        attempt: Attempt,
        compared: Compared | None = None,
        further: Compared | None = None,
    ) -> None:
        self.spec = spec
        self.attempt = attempt
        self._compared = compared or Compared(spec.device)
        self._further = further or Compared(spec.device, only_whether=True)
        self._graded = [self._grade(index, due) for index, due in enumerate(expected) if not due.left_out]
        self._uses = _forbidden(spec, attempt)
        self.outcome = _outcome(self._graded, attempt, bool(self._uses))
        self._judged = {
            id(item.answer): Judged(item.expected, item.answer, item.findings)
            for item in self._graded
            if item.answer is not None
        }  # by the id of the answer, which it keeps

    @property
    def failed(self) -> bool:
        """Whether answers came that are wrong: only then there is something to explain."""
        return self.outcome in EXPLAINABLE

    def verdict(
        self,
        told: Sequence[Expected] = (),
        *,
        extra: Iterable[tuple[Sequence[Expected], Attempt]] = (),
        passes: str = "",
        behaves: BehavesLike | None = None,
        stage: StageFound | None = None,
        sought: Sought | None = None,
    ) -> Verdict:
        """The verdict. `extra` are runs of the same attempt on other inputs: give them where `to_verify` names
        something. `passes` is the easier variant that the attempt passes, `behaves` what it behaves like, `stage` the
        part of it that differs first, and `sought` the lines of what `to_seek` asks for, where that is known.
        """
        graded = self._with(told) if told and self.failed else self._graded
        judgement = Judgement(
            spec=self.spec,
            attempt=self.attempt,
            graded=tuple(graded),
            uses=tuple(_rule(self.spec.kata, use) for use in self._uses),
            outcome=self.outcome,
            shown=choose_example(graded),
            place=self._place if self.failed or self._stopped else None,
            explanation=self.explanation(told, extra) if self.failed else None,
            passes=passes,
            behaviour=None if behaves is None else behaves.told(self.spec.language),
            stage=stage,
            sought=sought,
            told={} if self.outcome == "passed" else _told_cases(self.spec, graded),
        )
        return _verdict(judgement)

    def explanation(
        self, told: Sequence[Expected] = (), extra: Iterable[tuple[Sequence[Expected], Attempt]] = ()
    ) -> Explanation | None:
        """What explains the failing attempt, as far as these answers and runs tell."""
        return diagnose(self._named(told), self._runs(extra))

    def to_try(self, told: Sequence[Expected]) -> list[str]:
        """The pairs of slips to be run on the named cases, where no slip alone explains the failing attempt."""
        return pairs(self._named(told))

    def to_verify(self, told: Sequence[Expected]) -> list[str]:
        """The slips, and pairs of them, that explain the named cases: more inputs must decide about them."""
        return suspects(self._named(told))

    def to_join(self, told: Sequence[Expected], extra: Iterable[tuple[Sequence[Expected], Attempt]]) -> list[str]:
        """Where further draws refute the slip that explains the named cases: that slip with each other one beside."""
        named = self._named(told)
        found = diagnose(named)
        if found is None or not found.whole:
            return []
        held = diagnose(named, self._runs(extra))
        if held is not None and held.whole:
            return []
        kata, variant = self.spec.kata, self.spec.variant
        slips = {slip.id: slip for slip in kata.slips if slip.belongs_to(variant)}
        if found.id not in slips:
            return []
        first = slips[found.id]
        return [f"{first.id}{JOINT}{slip.id}" for slip in slips.values() if slip != first and slip.of == first.of != ""]

    def to_seek(self) -> Sought | None:
        """What is to be looked for in which case: the lines of what the verdict will say that happens, or else where
        half precision begins, if that can be what is wrong."""
        if self.spec.kata.engine == "triton":
            return None  # torch's modes do not see into its kernels
        shown, happens = choose_example(self._graded), self._place
        if happens is not None:
            case, kind = happens.case, happens.kind
            if kind == "input-changed":
                return Sought(case, kind)
            missing = [index for index, grad in enumerate(self._grads(case)) if grad is None]
            return Sought(case, "no-gradient", missing[0]) if kind == "no-gradient" and missing else None
        if shown is None or not all(isinstance(finding, (f.WrongValues, f.WrongDtype)) for finding in shown.findings):
            return None
        wide = any(item.findings and item.expected.float32 for item in self._graded)
        if wide and not _HALF_TYPE.search(self.spec.text):
            return None
        return Sought(shown.expected.case, "half-precision")

    @property
    def _stopped(self) -> bool:
        """Whether a kernel was ended because it went on and on: its line is known."""
        return self.outcome == "timeout" and self.attempt.ended is None

    @functools.cached_property
    def _place(self) -> Where | None:
        """Where something certain first goes wrong."""
        return first_place(self._graded, choose_example(self._graded), self.spec.language)

    def _grads(self, case: str) -> Sequence[object]:
        """The gradients that arrived in that case, in the order in which they were asked for."""
        answers = (item.answer for item in self._graded if item.expected.case == case)
        answer = next(answers, None)
        return () if answer is None else answer.grads

    def _with(self, told: Sequence[Expected]) -> list[GradedCase]:
        """The graded cases with the wrong kernels' answers to them."""
        kept = [due for due in told if not due.left_out]
        return [dataclasses.replace(item, expected=due) for item, due in zip(self._graded, kept, strict=True)]

    def _named(self, told: Sequence[Expected]) -> list[Judged]:
        """The named cases that were answered."""
        graded = self._with(told) if told else self._graded
        return [
            self._one(item.expected, item.answer)
            for item in graded
            if item.answer is not None and not item.expected.drawn
        ]

    def _runs(self, extra: Iterable[tuple[Sequence[Expected], Attempt]]) -> list[list[Judged]]:
        """The further runs, as far as wrong kernels were asked about them."""
        return [
            [
                self._one(due, answer)
                for due, answer in zip(dues, run.answers, strict=False)
                if due.slips and not due.left_out
            ]
            for dues, run in extra
        ]

    def _one(self, due: Expected, answer: Answer) -> Judged:
        """One case of a run; an answer is compared once, whatever is asked about it."""
        known = self._judged.get(id(answer))
        if known is None or known.expected is not due:
            findings = self._further(due, answer) if known is None else known.findings
            self._judged[id(answer)] = known = Judged(due, answer, findings)
        return known

    def _grade(self, index: int, due: Expected) -> GradedCase:
        attempt = self.attempt
        if index >= len(attempt.answers):
            return _unanswered(due, attempt)
        answer = attempt.answers[index]
        graded = _answered(self.spec, due, answer, self._compared(due, answer))
        return dataclasses.replace(graded, output=attempt.outputs[index] if index < len(attempt.outputs) else "")


_HALF_TYPE = re.compile(r"\b(half|bfloat16|float16)\b")


def _told_cases(spec: AttemptSpec, graded: Sequence[GradedCase]) -> dict[str, CaseText]:
    """What a Chinese reader is told of the cases; cases.py itself tells it in English."""
    if spec.language == "en":
        return {}
    return case_texts(spec.kata.folder, {item.expected.case: item.expected.why for item in graded})


def _verdict(judgement: Judgement) -> Verdict:
    spec, failed = judgement.spec, judgement.failed
    words = told(judgement)
    verdict = Verdict(
        kata=spec.kata.id,
        variant=spec.variant,
        device=spec.device,
        seed=spec.seed,
        outcome=judgement.outcome,
        cases=tuple(_case(item, spec.language) for item in judgement.graded),
        diagnosis=words.diagnosis,
        report=gather(judgement),
        note=words.note,
        where=where(judgement),
        behaviour=judgement.behaviour,
        stage=_stage(judgement),
        clauses=failing_clauses(judgement) if failed else (),
    )
    verdict = _fit_to_show(verdict)
    fact = printable(headline(judgement)[spec.language])
    if judgement.elsewhere is not None:
        verdict.report["elsewhere"] = judgement.elsewhere[spec.language]
    verdict.report["headline"] = fact
    return dataclasses.replace(verdict, message=first_screen(verdict, fact, spec.language))


def _stage(judgement: Judgement) -> StageFound | None:
    """The part that differs first; its Chinese was made where the cases have no Chinese names yet."""
    found = judgement.stage
    if found is None:
        return None
    named = f"用例“{judgement.title(found.case)}”"
    return dataclasses.replace(found, message=found.message.replace(f"用例 {found.case} ", named))


def _fit_to_show(verdict: Verdict) -> Verdict:
    """The verdict with what the attempt printed, raised and named made printable, wherever it stands."""
    where = verdict.where
    return dataclasses.replace(
        verdict,
        cases=tuple(
            dataclasses.replace(case, message=printable(case.message), findings=printable_tree(case.findings))
            for case in verdict.cases
        ),
        report=printable_tree(verdict.report),
        where=None if where is None else Where(**printable_tree(vars(where))),
    )


# Outcomes


def _answered(spec: AttemptSpec, due: Expected, answer: Answer, findings: tuple[f.Finding, ...]) -> GradedCase:
    if answer.forbidden:
        rules = tuple(_rule(spec.kata, use) for use in answer.forbidden)
        return GradedCase(due, answer, "forbidden", (*rules, *findings))
    if not findings:
        return GradedCase(due, answer, "passed")
    outcome: Outcome = "wrong"
    if isinstance(findings[0], f.OfKernel):
        outcome = outcome_of_kernel(findings[0])
    elif isinstance(answer.value, Raised):
        outcome = outcome_of(answer.value)
        if due.raises and outcome == "crashed":
            outcome = "wrong"  # an exception is due here: another one is a wrong answer
    elif all(isinstance(finding, f.OverBudget) for finding in findings):
        outcome = "over-budget"
    elif any(isinstance(finding, f.NotCounted) for finding in findings):
        outcome = "forbidden"
    return GradedCase(due, answer, outcome, findings)


def _unanswered(due: Expected, attempt: Attempt) -> GradedCase:
    if attempt.loading is not None:
        remark = Bilingual("the file does not load", "文件无法加载")
        return GradedCase(due, None, outcome_of(attempt.loading), remark=remark)
    if attempt.ended is None:
        return GradedCase(due, None, "error", remark=Bilingual("no answer came", "没有收到答案"))
    ended = attempt.ended
    reached = end_of_process(dataclasses.replace(ended, case="")) if ended.case == due.case else None
    return GradedCase(due, None, ended.by, remark=reached or Bilingual("not reached", "没有执行到"))


def _outcome(graded: Sequence[GradedCase], attempt: Attempt, forbidden: bool) -> Outcome:
    """The outcome of the whole attempt: what stops it comes before what is wrong with its answers.

    An act that was refused comes first of all: a file that catches the refusal and then fails to load stays forbidden.
    """
    outcomes = {item.outcome for item in graded}
    if attempt.forbidden:
        return "forbidden"
    if attempt.loading is not None:
        return outcome_of(attempt.loading)
    if forbidden or "forbidden" in outcomes:
        return "forbidden"
    if attempt.ended is not None:
        return attempt.ended.by
    if "unimplemented" in outcomes and "passed" not in outcomes:
        return "unimplemented"
    for outcome in _WORST_FIRST:
        if outcome in outcomes:
            return outcome
    return "passed" if graded else "error"


_WORST_FIRST: tuple[Outcome, ...] = (
    "error",
    "memory",
    "timeout",
    "does-not-compile",
    "fault",
    "race",
    "wrong",
    "crashed",
    "unimplemented",
    "over-budget",
)


def _forbidden(spec: AttemptSpec, attempt: Attempt) -> list[ForbiddenUse]:
    """What was read in the text and what was seen at run time, once for each call and line."""
    kata = spec.kata
    counted = bool(kata.budgets) or kata.engine == "triton"  # what is computed outside of kernels counts for nothing
    uses = [*scan(spec.text, (rule.call for rule in kata.forbidden), counted=counted), *attempt.forbidden]
    uses += [use for answer in attempt.answers for use in answer.forbidden]
    return list({(use.call, use.line): use for use in reversed(uses)}.values())[::-1]


def _rule(kata: Kata, use: ForbiddenUse) -> f.Forbidden:
    why = next((rule.why for rule in kata.forbidden if rule.call == use.call), None)
    if why is None:
        how = "torch" if kata.engine == "triton" and use.how == "outside" else use.how
        why = FORBIDDEN_WHY.get(how)
    return f.Forbidden("", use.call, use.line, why.en if why else "", why.zh if why else "")


def _case(item: GradedCase, language: Language) -> CaseResult:
    messages = [describe(finding)[language] for finding in item.findings]
    message = messages[0] if messages else item.remark[language]
    return CaseResult(item.expected.case, item.outcome, message, tuple(finding.to_json() for finding in item.findings))
