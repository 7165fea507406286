"""The search for holes: mutants that the named cases let pass although a call that the contract allows exposes them.

For each variant with a domain: draw, admit, run every slip and mutant once on each draw and on each named case, and
choose the seeds that a grade will draw from. A mutant is *exposed* by a named case or by one of the draws that every
grade runs; a *hole* where only another draw exposes it; *not told apart* where nothing does. Neither is proof: the
author closes it with a case, a mark in the domain, or `same("…", why=…)`.

Needs torch: it runs in the checker's process.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from llmdrills.content.model import Kata
from llmdrills.errors import ContentError, Problem
from llmdrills.grading.authoring import Call, Kernel
from llmdrills.grading.judging.compare import compare
from llmdrills.grading.judging.inputs import short_call
from llmdrills.grading.kernels.asking import ask
from llmdrills.grading.kernels.calling import Caller
from llmdrills.grading.kernels.cpu_limit import cpu_limit
from llmdrills.grading.kernels.draws import ALWAYS_DRAWN, NotAdmitted, Posed, admitted, expect_draw, pose
from llmdrills.grading.kernels.expectations import prepare
from llmdrills.grading.kernels.features import Feature, features, worded
from llmdrills.grading.kernels.registry import LoadedKata, load
from llmdrills.grading.protocol.answer import Expected, Question
from llmdrills.grading.protocol.numbers import is_floating
from llmdrills.grading.proving.cover import choose
from llmdrills.grading.proving.mutants import Mutant, mutants
from llmdrills.grading.proving.reports import Hole, HolesReport, KataHoles
from llmdrills.grading.proving.scratch import scratch

__all__ = ["find_holes", "search"]

TRIES = 500
"""Seeds that are drawn."""
LEAST, MOST = 64, 128
"""How many seeds a lock holds."""
ENOUGH = 150
"""With so many draws run, a search that is out of time is complete."""
ENOUGH_LAUNCHES = 48
"""The same where kernels are launched: an interpreter takes tens of milliseconds for a call."""
SECONDS = 85.0
"""CPU seconds that one kata's search may take."""
SECONDS_LAUNCHING = 180.0
"""The same where kernels are launched."""
CALL_SECONDS = 1.0
"""CPU seconds that a mutant may take over one draw; one that takes longer is exposed."""
OFTEN = 3
"""Where the time will not last, a mutant that so many draws expose is asked no more; one is enough where a named case
exposes it too. The time goes to those that nothing exposes."""
OF_EXPLAINED = 40
"""There, a mutant that the author declared the same is asked so often: somebody has thought about it."""
FOR_DRAWING = 0.3
"""The part of the time after which no more is drawn, where there are enough draws."""
MOST_LATE = 3
"""A mutant that took too long over so many draws is asked no more: it is exposed, and would use up the time."""


def search(kata: Kata, tries: int = TRIES) -> KataHoles:
    """Search every variant of a kata that has a domain; faults of the author are problems too.

    `tries` is how many seeds are drawn.
    """
    started = time.perf_counter()
    torch.set_num_threads(1)  # a search is one of several at once
    try:
        loaded = load(kata)
        with_domain = [variant.id for variant in kata.variants if loaded.variant(variant.id).domain is not None]
        seconds = (SECONDS if kata.engine == "torch" else SECONDS_LAUNCHING) / max(len(with_domain), 1)
        reports = [find_holes(loaded, name, seconds=seconds, tries=tries) for name in with_domain]
    except ContentError as error:
        return KataHoles(kata=kata.id, variants=(), problems=error.problems, seconds=time.perf_counter() - started)
    found = tuple(problem for report in reports for problem in _problems(loaded, report))
    return KataHoles(kata=kata.id, variants=tuple(reports), problems=found, seconds=time.perf_counter() - started)


def find_holes(loaded: LoadedKata, variant: str, *, seconds: float, tries: int = TRIES) -> HolesReport:
    """Search one variant that has a domain; the search ends after so many CPU seconds."""
    return _Search(loaded, variant, time.process_time() + seconds, tries).run()


@dataclass(frozen=True, kw_only=True)
class _Matrix:
    """Who was exposed where: by any named case, and by each draw; what was seen in the draws, and which were chosen."""

    wrong: Sequence[Mutant]
    by_case: Mapping[str, bool]
    by_draw: Mapping[str, Sequence[bool]]
    posed: Sequence[Posed]
    seen: Sequence[frozenset[Feature]]
    chosen: Sequence[int]


class _Search:
    """The search in one variant."""

    def __init__(self, loaded: LoadedKata, variant: str, deadline: float, tries: int) -> None:
        self._tries = tries
        self._enough = ENOUGH if loaded.kata.engine == "torch" else ENOUGH_LAUNCHES
        self._loaded = loaded
        self._variant = variant
        self._started, self._deadline = time.process_time(), deadline
        self._kernels = loaded.variant(variant)
        self._caller = Caller("cpu", str(loaded.kata.reference_file))
        self._refused: Counter[str] = Counter()
        self._complete = True
        self._late: Counter[str] = Counter()

    def run(self) -> HolesReport:
        """Draw, run everything, choose, and say what is open."""
        with scratch() as folder:
            named = self._named(folder)
            posed, asked = self._draws(folder)
            floating = any(is_floating(dtype) for _, due in asked for dtype in due.dtypes)
            calls = [one.drawn.calls[0] for one in posed]
            wrong: list[Mutant] = [
                *(Mutant("slip", one.id, 0, _same(one.kernel)) for one in self._kernels.wrong),
                *mutants(self._loaded, self._variant, calls, floating=floating),
            ]
            by_case = {one.id: self._exposed(one, named) for one in wrong}
            by_draw = self._matrix(wrong, asked, by_case)
        ran = min(map(len, by_draw.values()), default=0)
        self._complete = ran >= min(self._enough, len(posed))
        seen = features(self._kernels.reference, calls[:ran], [one.drawn.marks for one in posed[:ran]])
        fails = {name: row[:ran] for name, row in by_draw.items() if any(row[:ran])}
        found = _Matrix(
            wrong=wrong,
            by_case=by_case,
            by_draw={name: row[:ran] for name, row in by_draw.items()},
            posed=posed[:ran],
            seen=seen,
            chosen=choose(fails, seen, MOST, LEAST),
        )
        return self._report(found)

    def _named(self, folder: Path) -> list[tuple[Question, Expected]]:
        questions, expectations = prepare(self._loaded, self._variant, 0, folder, slips=False)
        return list(zip(questions, expectations, strict=True))

    def _draws(self, folder: Path) -> tuple[list[Posed], list[tuple[Question, Expected]]]:
        """The admitted draws, and what is asked and due in each."""
        domain = self._kernels.domain
        assert domain is not None  # noqa: S101  # `find_holes` has seen to it
        found: list[Posed] = []
        asked: list[tuple[Question, Expected]] = []
        last = self._started + FOR_DRAWING * (self._deadline - self._started)
        for seed in range(self._tries):
            if len(found) >= self._enough and time.process_time() > last:
                break
            place = folder / f"draw-{seed}"
            place.mkdir()
            posed = pose(self._loaded, domain, seed, place)
            try:
                due = expect_draw(self._loaded, self._kernels, posed, self._caller)
            except NotAdmitted as why:
                self._refused[str(why).partition(":")[0]] += 1
                continue
            if why_not := admitted(self._loaded, self._kernels, due, posed.question, self._caller):
                self._refused[why_not] += 1
                continue
            found.append(posed)
            asked.append((posed.question, due))
        return found, asked

    def _matrix(
        self, wrong: Sequence[Mutant], asked: Sequence[tuple[Question, Expected]], by_case: Mapping[str, bool]
    ) -> dict[str, list[bool]]:
        """Who fails where, for as many of the draws as there is time for."""
        found: dict[str, list[bool]] = {one.id: [] for one in wrong}
        started, short = time.process_time(), self._loaded.kata.engine != "torch"
        for at, pair in enumerate(asked):
            now = time.process_time()
            if now > self._deadline:
                break
            short = short or (at >= OFTEN and (now - started) / at * len(asked) > self._deadline - started)
            for one in wrong:
                # A mutant that is asked no more counts as passing: the draws that expose it are among the earlier ones.
                stopped = self._late[one.id] >= MOST_LATE
                if short:
                    often = sum(found[one.id]) >= (1 if by_case[one.id] else OFTEN)
                    stopped = stopped or often or (at >= OF_EXPLAINED and self._explained(one))
                found[one.id].append(False if stopped else self._fails(one, pair))
        return found

    def _exposed(self, one: Mutant, named: Sequence[tuple[Question, Expected]]) -> bool:
        return any(self._fails(one, pair) for pair in named)

    def _fails(self, one: Mutant, pair: tuple[Question, Expected]) -> bool:
        question, due = pair
        try:
            kernel = one.make()  # a fresh one: what an earlier draw left behind must not decide
        except Exception:  # an edit whose module does not even load
            return True
        with cpu_limit(CALL_SECONDS) as late:
            answer = ask(self._loaded, self._caller, kernel, question)
        self._late[one.id] += bool(late)
        return bool(late) or bool(compare(due, answer))

    def _report(self, found: _Matrix) -> HolesReport:
        always = found.chosen[:ALWAYS_DRAWN]
        holes = [
            hole
            for one in found.wrong
            if not found.by_case[one.id] and not any(found.by_draw[one.id][at] for at in always)
            if (hole := self._hole(one, found)) is not None
        ]
        return HolesReport(
            variant=self._variant,
            draws=len(found.posed),
            refused=dict(self._refused),
            mutants=len(found.wrong),
            holes=tuple(holes),
            seeds=tuple(found.posed[at].drawn.seed for at in found.chosen),
            uncovered=tuple(_conditions(found)),
            complete=self._complete,
        )

    def _explained(self, one: Mutant) -> bool:
        """Whether the author declared that it changes nothing."""
        return any(same.edit in (one.words, one.id) for same in self._kernels.sames)

    def _hole(self, one: Mutant, found: _Matrix) -> Hole | None:
        """What is open about a mutant that no grade is sure to expose; None where the author explained it."""
        row = found.by_draw[one.id]
        explained = self._explained(one)
        if not any(row):
            return None if explained else Hole(one.id, one.kind, f"not told apart in {len(row)} draws")
        posed = found.posed[row.index(True)]
        entry = self._loaded.kata.entry
        call = short_call(entry, posed.question, 200) or _outlined(entry, posed.drawn.calls[0])
        return Hole(one.id, one.kind, "declared the same, but is not" if explained else "hole", posed.drawn.seed, call)


def _conditions(found: _Matrix) -> Iterator[str]:
    """Features under which something fails in the draws, and nothing of it in those chosen."""
    for feature in sorted({feature for row in found.seen for feature in row}, key=repr):
        having = [at for at, row in enumerate(found.seen) if feature in row]
        failing = [name for name, row in found.by_draw.items() if any(row[at] for at in having)]
        kept = set(found.chosen) & set(having)
        missed = sum(1 for name in failing if not any(found.by_draw[name][at] for at in kept))
        if missed:
            yield f"{worded(feature)}: {missed} of {len(failing)} wrong kernels are exposed there by no chosen draw"


def _same(kernel: Kernel) -> Callable[[], Kernel]:
    return lambda: kernel


def _outlined(entry: str, call: Call) -> str:
    def shown(value: object) -> str:
        shape = getattr(value, "shape", None)
        return (
            f"{str(getattr(value, 'dtype', '')).removeprefix('torch.')} {tuple(shape)}"
            if shape is not None
            else repr(value)
        )

    parts = [*map(shown, call.args), *(f"{name}={shown(value)}" for name, value in call.kwargs.items())]
    return f"{entry}({', '.join(parts)})"


def _problems(loaded: LoadedKata, report: HolesReport) -> Iterator[Problem]:
    """What is open, as problems at the domain or the reference."""
    domain = loaded.variant(report.variant).domain
    line = domain.line if domain is not None else 1
    for hole in report.holes:
        shown = f": {hole.call} tells it apart (seed {hole.seed})" if hole.call else ""
        what = f"{hole.state}: {hole.mutant} ({hole.kind}) passes variant {report.variant}{shown}"
        todo = f'write a case, mark the draw, or declare same("{hole.mutant}", why="…")'
        yield Problem(loaded.kata.cases_file, line, 1, what, todo, rule="hole")
    if not report.complete:
        what = f"the search for holes in variant {report.variant} ran out of time"
        yield Problem(loaded.kata.cases_file, line, 1, what, "make the domain's calls smaller", rule="hole")
