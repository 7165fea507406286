"""The proof of a kata's grader: its cases expose every wrong kernel, accept every right one, and agree with the peer.

Needs torch: it runs in the checker's process (`llmdrills.grading.checker`), and in tests.
"""

from __future__ import annotations

import tempfile
import time
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmdrills.content.model import Kata
from llmdrills.content.starter import solution_text, starter_text
from llmdrills.errors import ContentError, Problem
from llmdrills.grading import findings as f
from llmdrills.grading.answer import Answer, Attempt, Expected, Question
from llmdrills.grading.authoring import Kernel
from llmdrills.grading.book import LoadedKata, VariantBook, load
from llmdrills.grading.calling import Caller
from llmdrills.grading.compare import compare, same_answer
from llmdrills.grading.derived import DERIVED
from llmdrills.grading.expected import ask, prepare
from llmdrills.grading.expose import expose
from llmdrills.grading.judge import judge
from llmdrills.grading.matrix import Matrix
from llmdrills.grading.reports import KataReport, VariantReport
from llmdrills.grading.wording import describe
from llmdrills.language import LANGUAGES

__all__ = ["check_kata"]

SEEDS = 2
"""Each kata is proven on this many seeds: a tolerance that holds by luck is found."""


def check_kata(kata: Kata, seed: int) -> KataReport:
    """Prove the grader of one kata: everything that is wrong is a Problem at the line that registered it."""
    started = time.perf_counter()
    try:
        loaded = load(kata)
    except ContentError as error:
        return KataReport(kata.id, seed, error.problems, (), time.perf_counter() - started)
    problems: list[Problem] = []
    variants = []
    for variant in kata.variants:
        try:
            variants.append(_Proof(loaded, variant.id, seed).run(problems))
        except ContentError as error:
            problems += error.problems
    unique = tuple(dict.fromkeys(problems))
    return KataReport(kata.id, seed, unique, tuple(variants), time.perf_counter() - started)


class _Proof:
    """The proof of one variant."""

    def __init__(self, loaded: LoadedKata, variant: str, seed: int) -> None:
        self.loaded = loaded
        self.kata = loaded.kata
        self.variant = variant
        self.seed = seed
        self.book: VariantBook = loaded.variant(variant)
        self.caller = Caller("cpu", str(loaded.kata.cases_file))

    def run(self, problems: list[Problem]) -> VariantReport:
        """Run everything; what is wrong goes to `problems`."""
        first: VariantReport | None = None
        for seed in range(self.seed, self.seed + SEEDS):
            with tempfile.TemporaryDirectory(prefix="llmdrills-check-") as folder:
                questions, expectations = prepare(self.loaded, self.variant, seed, Path(folder))
                expected = list(expectations)
                matrix = self._matrix(expected)
                problems += self._of_matrix(matrix, seed)
                problems += self._of_equivalents(questions, expected, seed)
                problems += self._of_peers(questions, expected, seed)
                if first is None:
                    problems += self._of_files(questions, expected)
                    problems += self._of_diagnosis(expected, matrix)
                    first = self._report(matrix, questions, expected)
        assert first is not None  # noqa: S101  # SEEDS is at least one
        return first

    def _matrix(self, expected: Sequence[Expected]) -> Matrix:
        names = tuple(wrong.id for wrong in self.book.misconceptions)
        found = {name: {due.case: _kind(compare(due, due.misconceptions[name])) for due in expected} for name in names}
        classes = {due.case: _classes(due, names, {n: found[n][due.case] for n in names}) for due in expected}
        return Matrix(
            tuple(due.case for due in expected),
            names,
            found,
            classes,
            tuple(due.case for due in expected if DERIVED in due.allowed["tags"]),
            {wrong.id: wrong.same_as for wrong in self.book.misconceptions if wrong.same_as},
        )

    def _of_matrix(self, matrix: Matrix, seed: int) -> Iterator[Problem]:
        lines = {wrong.id: wrong.line for wrong in self.book.misconceptions}
        for name in matrix.survivors():
            what = f"misconception {name} survives: every case of variant {self.variant} passes it (seed {seed})"
            yield self._at(self._line_of(name, lines), what, "write a case that exposes it", "survivor")
        for one, other in matrix.confused():
            what = f"misconceptions {one} and {other} give the same answer to every case of variant {self.variant}"
            todo = f"write a case that tells them apart, or declare same_as={one!r} on {other}"
            yield self._at(self._line_of(other, lines), what, todo, "confused")

    def _of_equivalents(
        self, questions: Sequence[Question], expected: Sequence[Expected], seed: int
    ) -> Iterator[Problem]:
        for right in self.book.equivalents:
            for question, due in zip(questions, expected, strict=True):
                answer = ask(self.loaded, self.caller, right.kernel, question)
                wrong = compare(due, answer)
                if wrong:
                    what = f"equivalent {right.id} is rejected by {self._case(due, seed)}: {describe(wrong[0]).en}"
                    yield self._at(right.line, what, "mend the equivalent, or what the case allows", "rejected")
                    break

    def _of_peers(self, questions: Sequence[Question], expected: Sequence[Expected], seed: int) -> Iterator[Problem]:
        for peer in self.book.peers:
            for question, due in zip(questions, expected, strict=True):
                if _skipped(due.case, peer.skips):
                    continue
                answer = ask(self.loaded, self.caller, peer.kernel, question)
                # A library is asked for its values, not for how it comes by them.
                wrong = [
                    found for found in compare(due, answer) if not isinstance(found, (f.OverBudget, f.InputChanged))
                ]
                if wrong:
                    what = f"reference and {peer.library} differ in {self._case(due, seed)}: {describe(wrong[0]).en}"
                    todo = "mend the reference, or name the case and the reason in the peer's skips"
                    yield self._at(peer.line, what, todo, "peer")
                    break

    def _of_files(self, questions: Sequence[Question], expected: Sequence[Expected]) -> Iterator[Problem]:
        """The starter must be unimplemented in both languages, the solution that is shown must pass."""
        variant = self.book.variant
        texts = [
            (f"the starter ({language})", starter_text(self.kata, variant, language), "unimplemented")
            for language in LANGUAGES
        ]
        texts.append(("the solution", solution_text(self.kata, variant), "passed"))
        for name, text, due in texts:
            try:
                kernel = _function(text, self.kata.entry)
            except Exception as error:  # whatever the text raises when it runs
                what = f"{name} of variant {self.variant} does not run: {type(error).__name__}: {error}"
                yield Problem(self.kata.reference_file, 1, 1, what, "mend reference.py", "starter")
                continue
            caller = Caller("cpu", "attempt.py", [rule.call for rule in self.kata.forbidden])
            verdict = self._verdict(text, [ask(self.loaded, caller, kernel, q) for q in questions], expected)
            if verdict.outcome != due:
                what = f"{name} of variant {self.variant} is {verdict.outcome}, not {due}: {verdict.message}"
                yield Problem(self.kata.reference_file, 1, 1, what, "mend reference.py", "starter")

    def _of_diagnosis(self, expected: Sequence[Expected], matrix: Matrix) -> Iterator[Problem]:
        """Each misconception, graded as an attempt, must be diagnosed as itself."""
        doubtful = {name for pair in matrix.confused() for name in pair} | set(matrix.survivors())
        for wrong in self.book.misconceptions:
            if wrong.id in doubtful:
                continue  # reported already
            verdict = self._verdict("", [due.misconceptions[wrong.id] for due in expected], expected)
            if verdict.outcome in {"unimplemented", "memory", "forbidden"}:
                what = f"misconception {wrong.id} is {verdict.outcome} when graded: {verdict.message}"
                yield self._at(wrong.line, what, "a wrong kernel must answer", "diagnosis")
                continue
            said = verdict.diagnosis.id if verdict.diagnosis else "nothing"
            if said != wrong.id and not matrix.declared_one(said, wrong.id):
                what = f"misconception {wrong.id} of variant {self.variant} is diagnosed as {said}"
                yield self._at(wrong.line, what, "write a case that tells them apart", "diagnosis")

    def _verdict(self, source: str, answers: Sequence[Answer], expected: Sequence[Expected]) -> Any:
        return judge(self.kata, self.variant, expected, Attempt(None, tuple(answers)), seed=self.seed, source=source)

    def _case(self, due: Expected, seed: int) -> str:
        return f"case {due.case} of variant {self.variant} (seed {seed})"

    def _report(self, matrix: Matrix, questions: Sequence[Question], expected: Sequence[Expected]) -> VariantReport:
        return VariantReport(
            self.variant,
            matrix,
            matrix.redundant(),
            {n: shown for n in matrix.misconceptions if (shown := expose(self.kata.entry, n, questions, expected))},
            tuple(right.id for right in self.book.equivalents),
            tuple(peer.library for peer in self.book.peers),
            tuple(f"{peer.library}: {case}: {why}" for peer in self.book.peers for case, why in peer.skips.items()),
        )

    def _line_of(self, name: str, lines: Mapping[str, int]) -> int:
        # Another variant's reference stands in reference.py; the place to mend is cases.py.
        return 1 if name.startswith("variant-") else lines[name]

    def _at(self, line: int, what: str, todo: str, rule: str) -> Problem:
        return Problem(self.kata.cases_file, line, 1, what, todo, rule)


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
        answer = due.misconceptions[name]
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
