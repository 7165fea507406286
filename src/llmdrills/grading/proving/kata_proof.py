"""The proof of a kata's grader: its cases expose every wrong kernel, accept every right one, and agree with the peer.

Needs torch: it runs in the checker's process (`llmdrills.grading.proving.check_process`), and in tests.
"""

from __future__ import annotations

import inspect
import time
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmdrills.content.contract import ALWAYS
from llmdrills.content.drawslock import read_lock
from llmdrills.content.model import Kata
from llmdrills.content.repair import first_text
from llmdrills.content.starter import solution_text, starter_text
from llmdrills.errors import ContentError, Problem
from llmdrills.grading.authoring import Case, Kernel
from llmdrills.grading.judging import findings as f
from llmdrills.grading.judging.compare import compare, same_answer
from llmdrills.grading.judging.differences import leaves
from llmdrills.grading.judging.judge import judge
from llmdrills.grading.judging.wording import describe
from llmdrills.grading.kernels.asking import ask
from llmdrills.grading.kernels.calling import Caller
from llmdrills.grading.kernels.draws import NotAdmitted, admitted, expect_draw, pose
from llmdrills.grading.kernels.expectations import prepare
from llmdrills.grading.kernels.launches import watched
from llmdrills.grading.kernels.registry import SOLUTION, LoadedKata, VariantKernels, load
from llmdrills.grading.kernels.slips import WrongKernel, known_by_name
from llmdrills.grading.protocol.answer import Answer, Attempt, Expected, Question, outcome_of
from llmdrills.grading.protocol.attempt_spec import AttemptSpec
from llmdrills.grading.protocol.wire import Raised, TensorValue
from llmdrills.grading.proving.cards import prove_cards
from llmdrills.grading.proving.exposure import expose
from llmdrills.grading.proving.lock import stale
from llmdrills.grading.proving.matrix import Matrix
from llmdrills.grading.proving.proofs import run_proof
from llmdrills.grading.proving.reports import KataReport, VariantReport
from llmdrills.grading.proving.scratch import scratch
from llmdrills.language import LANGUAGES

__all__ = ["check_kata"]

_STARTERS = 5  # drawn starters that must be wrong


def check_kata(kata: Kata, seed: int, seeds: int = 5) -> KataReport:
    """Prove the grader of one kata: everything that is wrong is a Problem at the line that registered it.

    `seeds` says on how many seeds, from `seed` on, the wrong kernels must die and the right ones pass.
    """
    started = time.perf_counter()
    try:
        loaded = load(kata)
    except ContentError as error:
        return KataReport(kata.id, seed, error.problems, (), time.perf_counter() - started)
    problems: list[Problem] = []
    variants = []
    for variant in kata.variants:
        try:
            variants.append(_Proof(loaded, variant.id, seed, seeds).run(problems))
        except ContentError as error:
            problems += error.problems
    domains = {variant.id for variant in kata.variants if loaded.variant(variant.id).domain is not None}
    problems += stale(kata, domains)
    unique = tuple(dict.fromkeys(problems))
    return KataReport(kata.id, seed, unique, tuple(variants), time.perf_counter() - started)


class _Proof:
    """The proof of one variant."""

    def __init__(self, loaded: LoadedKata, variant: str, seed: int, seeds: int) -> None:
        self.seeds = seeds
        self.loaded = loaded
        self.kata = loaded.kata
        self.variant = variant
        self.seed = seed
        self.kernels: VariantKernels = loaded.variant(variant)
        self.caller = Caller("cpu", str(loaded.kata.cases_file))

    def run(self, problems: list[Problem]) -> VariantReport:
        """Run everything; what is wrong goes to `problems`."""
        with scratch() as folder:
            questions, expectations = prepare(self.loaded, self.variant, self.seed, folder)
            expected = list(expectations)
            matrix = self._matrix(expected)
            problems += self._of_matrix(matrix)
            problems += self._of_equivalents(questions, expected, self.seed)
            problems += self._of_peers(questions, expected, self.seed)
            problems += self._of_files(questions, expected)
            problems += self._of_outcomes(expected)
            problems += self._of_clauses(questions)
            problems += self._of_feedback()
            report = self._report(matrix, questions, expected, folder)
        for seed in range(self.seed + 1, self.seed + self.seeds):
            with scratch() as folder:
                questions, expectations = prepare(self.loaded, self.variant, seed, folder)
                expected = list(expectations)
                problems += self._survivors(self._kinds(expected), set(matrix.survivors()), seed)
                problems += self._of_equivalents(questions, expected, seed)
                problems += self._of_peers(questions, expected, seed)
        problems += self._of_locked_draws()
        return report

    def _of_locked_draws(self) -> Iterator[Problem]:
        """Every locked draw is still one that the reference answers steadily and every right kernel passes."""
        lock, domain = read_lock(self.kata.folder), self.kernels.domain
        if lock is None or domain is None or not lock.fits(self.kata.folder):
            return  # `stale` tells it
        todo = f"run `llmdrills check --holes {self.kata.id}`"
        for seed in lock.seeds(self.variant):
            with scratch() as folder:
                posed = pose(self.loaded, domain, seed, folder)
                try:
                    due = expect_draw(self.loaded, self.kernels, posed, self.caller)
                    why = admitted(self.loaded, self.kernels, due, posed.question, self.caller)
                except NotAdmitted as error:
                    why = str(error)
            if why:
                what = f"the locked draw {seed} of variant {self.variant} is not sound: {why}"
                yield self._at_case(domain.line, what, todo, "draw")

    def _kinds(self, expected: Sequence[Expected]) -> dict[str, dict[str, str]]:
        names = (wrong.id for wrong in self.kernels.wrong)
        return {name: {due.case: _kind(compare(due, due.slips[name])) for due in expected} for name in names}

    def _matrix(self, expected: Sequence[Expected]) -> Matrix:
        names = tuple(wrong.id for wrong in self.kernels.wrong)
        kinds = self._kinds(expected)
        classes = {due.case: _classes(due, names, {name: kinds[name][due.case] for name in names}) for due in expected}
        return Matrix(
            cases=tuple(due.case for due in expected),
            slips=names,
            kinds=kinds,
            classes=classes,
            derived=tuple(due.case for due in expected if due.derived),
            same_as={wrong.id: wrong.same_as for wrong in self.kernels.wrong if wrong.same_as},
        )

    def _of_matrix(self, matrix: Matrix) -> Iterator[Problem]:
        """Survivors, and pairs that no case tells apart: what can be told apart is diagnosed as itself."""
        yield from self._survivors(matrix.kinds, set(), self.seed)
        for one, other in matrix.confused():
            what = f"slips {one} and {other} give the same answer to every case of variant {self.variant}"
            todo = f"write a case that tells them apart, or declare `same_as: {one}` on {other}"
            yield self._at(self._wrong(other), what, todo, "confused")

    def _survivors(self, kinds: Mapping[str, Mapping[str, str]], known: set[str], seed: int) -> Iterator[Problem]:
        for name, row in kinds.items():
            if name not in known and not any(row.values()):
                what = f"slip {name} survives: every case of variant {self.variant} passes it (seed {seed})"
                yield self._at(self._wrong(name), what, "write a case that exposes it", "survivor")

    def _of_equivalents(
        self, questions: Sequence[Question], expected: Sequence[Expected], seed: int
    ) -> Iterator[Problem]:
        for right in self.kernels.equivalents:
            for question, due in zip(questions, expected, strict=True):
                answer = ask(self.loaded, self.caller, right.kernel, question)
                wrong = compare(due, answer)
                fault = describe(wrong[0]).en if wrong else "".join(use.call for use in answer.forbidden[:1])
                if fault:
                    what = f"equivalent {right.id} is rejected by {self._case(due, seed)}: {fault}"
                    todo = "fix the equivalent, or what the case allows"
                    if right.id == SOLUTION:
                        yield Problem(self.kata.solution_file, right.line, 1, what, todo, rule="rejected")
                    else:
                        yield self._at_case(right.line, what, todo, "rejected")
                    break

    def _of_peers(self, questions: Sequence[Question], expected: Sequence[Expected], seed: int) -> Iterator[Problem]:
        for peer in self.kernels.peers:
            for question, due in zip(questions, expected, strict=True):
                if _skipped(due.case, peer.skips):
                    continue
                answer = ask(self.loaded, self.caller, peer.kernel, question)
                # A library is asked for its values, not for how it comes by them.
                wrong = [
                    found
                    for found in compare(due, answer)
                    if not isinstance(found, (f.OverBudget, f.NotCounted, f.InputChanged))
                ]
                if wrong:
                    what = f"reference and {peer.library} differ in {self._case(due, seed)}: {describe(wrong[0]).en}"
                    todo = "fix the reference, or name the case and the reason in the peer's skips"
                    yield self._at_case(peer.line, what, todo, "peer")
                    break

    def _of_files(self, questions: Sequence[Question], expected: Sequence[Expected]) -> Iterator[Problem]:
        """The starter must be unimplemented in both languages, or wrong where it is no blank; the solution that is
        shown must pass."""
        variant, begun, file = self.kernels.variant, self.kata.starter, self.kata.solution_file
        texts = [
            (f"the starter ({language})", first_text(self.kata, variant, language, seed), "not passed")
            if begun.function or begun.slips
            else (f"the starter ({language})", starter_text(self.kata, variant, language), "unimplemented")
            for language in LANGUAGES
            for seed in range(_STARTERS if begun.slips else 1)
        ]
        texts.append(("the solution", solution_text(self.kata, variant), "passed"))
        for name, text, due in texts:
            known_by_name("attempt.py", text)
            try:
                kernel = _function(text, self.kata.entry)
            except Exception as error:  # whatever the text raises when it runs
                what = f"{name} of variant {self.variant} does not run: {type(error).__name__}: {error}"
                yield Problem(file, 1, 1, what, f"fix {file.name}", rule="starter")
                continue
            forbidden = [rule.call for rule in self.kata.forbidden]
            caller = Caller("cpu", "attempt.py", forbidden, launching=self.kata.engine == "triton")
            verdict = self._verdict(text, [ask(self.loaded, caller, kernel, q) for q in questions], expected)
            if verdict.outcome != due and (due != "not passed" or verdict.passed):
                what = f"{name} of variant {self.variant} is {verdict.outcome}, not {due}: {verdict.message}"
                yield Problem(file, 1, 1, what, f"fix {file.name}", rule="starter")

    def _of_outcomes(self, expected: Sequence[Expected]) -> Iterator[Problem]:
        """A wrong kernel must answer, or raise what a learner's would: nothing that reads as unfinished."""
        for wrong in self.kernels.wrong:
            for due in expected:
                value = due.slips[wrong.id].value
                outcome: str = outcome_of(value) if isinstance(value, Raised) else "wrong"
                if isinstance(value, Raised) and value.type == "too-much-work":
                    outcome = value.type
                if outcome not in {"wrong", "crashed"}:
                    what = f"slip {wrong.id} is {outcome} in case {due.case} of variant {self.variant}"
                    yield self._at(wrong, what, "a wrong kernel must answer", "outcome")
                    break

    def _verdict(self, source: str, answers: Sequence[Answer], expected: Sequence[Expected]) -> Any:
        spec = AttemptSpec(
            kata=self.kata,
            variant=self.variant,
            source=source.encode(),
            file="attempt.py",
            device="cpu",
            seed=self.seed,
        )
        return judge(spec, expected, Attempt(None, tuple(answers)))

    def _case(self, due: Expected, seed: int) -> str:
        return f"case {due.case} of variant {self.variant} (seed {seed})"

    def _report(
        self, matrix: Matrix, questions: Sequence[Question], expected: Sequence[Expected], folder: Path
    ) -> VariantReport:
        found = expose(self.kata.entry, matrix, questions, expected, self._again)
        return VariantReport(
            variant=self.variant,
            matrix=matrix,
            redundant=matrix.redundant(),
            exposures={name: shown.without(f"{folder}/") for name, shown in found.items()},
            equivalents=tuple(right.id for right in self.kernels.equivalents),
            peers=tuple(peer.library for peer in self.kernels.peers),
            skipped=tuple(
                f"{peer.library}: {case}: {why}" for peer in self.kernels.peers for case, why in peer.skips.items()
            ),
            cards=prove_cards(self.loaded, self.kernels),
        )

    def _again(self, name: str, question: Question) -> Answer:
        kernel = next((wrong.kernel for wrong in self.kernels.wrong if wrong.id == name), self.kernels.reference)
        return ask(self.loaded, self.caller, kernel, question)

    def _of_clauses(self, questions: Sequence[Question]) -> Iterator[Problem]:
        """Every clause is graded by a case that names it; what the generated line promises has its cases too."""
        graded = {clause for case in self.kernels.cases for clause in case.clauses}
        for clause in self.kernels.variant.clauses:
            if clause.id and not clause.generated and clause.id not in graded:
                what = f"no case of variant {self.variant} grades the clause {clause.id}"
                yield self._unproven(clause.id, what, f'name it in a case: clauses=("{clause.id}",)')
        if self.kernels.variant.empty and not any(
            ALWAYS in c.clauses and _has_empty(c, questions) for c in self.kernels.cases
        ):
            sizes = ", ".join(self.kernels.variant.empty)
            todo = f'write one with a size of 0 and clauses=("{ALWAYS}",)'
            yield self._unproven("", f"no case of variant {self.variant} has {sizes} of 0", todo)
        parameters = list(inspect.signature(self.kernels.reference).parameters)
        compared = {parameters[position] for case in self.kernels.cases for position in case.grads}
        for name in self.kernels.variant.gradients:
            if name not in compared:
                what = f"no case of variant {self.variant} compares the gradient of {name}"
                yield self._unproven("", what, "write one with grads=(…), the positions of the arguments")

    def _unproven(self, clause: str, what: str, todo: str) -> Problem:
        places = self.kata.positions
        keys = (f"variants.{self.variant}.contract.{clause}", f"contract.{clause}", f"variants.{self.variant}")
        place = next(filter(None, (places.get(key) for key in keys)), self.kata.position)
        return Problem(self.kata.folder / "kata.yaml", place.line, place.column, what, todo, rule="clause")

    def _of_feedback(self) -> Iterator[Problem]:
        """The facts that feedback states hold: `right` and `wrong` are the two kernels."""
        for wrong in self.kernels.wrong:
            if wrong.proof:
                with self.loaded.importable():
                    failed = run_proof(wrong.proof, (), self._pair(wrong))
                if "error" in failed:
                    what = f"the proof of slip {wrong.id} {failed['error']} (variant {self.variant})"
                    yield self._at(wrong, what, "fix the proof or the feedback", "proof")

    def _pair(self, wrong: WrongKernel) -> dict[str, Any]:
        """The two kernels as proofs name them; those of Triton run watched."""
        return {"right": watched(self.kernels.solution), "wrong": watched(wrong.kernel)}

    def _wrong(self, name: str) -> WrongKernel:
        return next(wrong for wrong in self.kernels.wrong if wrong.id == name)

    def _at(self, wrong: WrongKernel, what: str, todo: str, rule: str) -> Problem:
        # What another variant's reference lacks is a case: the place to write it is cases.py.
        file, line = (wrong.file, wrong.line) if wrong.file != self.kata.solution_file else (self.kata.cases_file, 1)
        return Problem(file, line, 1, what, todo, rule=rule)

    def _at_case(self, line: int, what: str, todo: str, rule: str) -> Problem:
        return Problem(self.kata.cases_file, line, 1, what, todo, rule=rule)


def _has_empty(case: Case, questions: Sequence[Question]) -> bool:
    given = next((q for q in questions if q.name == case.name), None)
    values = (*given.args, *given.kwargs.values()) if given is not None else ()
    return any(0 in leaf.shape for value in values for _, leaf in leaves(value) if isinstance(leaf, TensorValue))


def _kind(findings: Sequence[f.Finding]) -> str:
    return findings[0].kind if findings else ""


def _classes(due: Expected, names: Sequence[str], kinds: Mapping[str, str]) -> dict[str, int]:
    """Number the distinct answers; 0 is the right one."""
    seen: list[Answer] = []
    found: dict[str, int] = {}
    for name in names:
        if not kinds[name]:
            found[name] = 0
            continue
        answer = due.slips[name]
        number = next((i for i, other in enumerate(seen, 1) if same_answer(due, other, answer)), 0)
        if not number:
            seen.append(answer)
            number = len(seen)
        found[name] = number
    return found


def _skipped(case: str, skips: Mapping[str, str]) -> bool:
    return any(case == name or case.startswith(f"{name}-") for name in skips)


def _function(text: str, name: str) -> Kernel:
    module = types.ModuleType("attempt")
    exec(compile(text, "attempt.py", "exec", dont_inherit=True), module.__dict__)  # noqa: S102  # our own derived text
    function: Kernel = getattr(module, name)
    return function
