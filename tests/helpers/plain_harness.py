"""The kill matrix in plain sight: kernels run in this process and compared by the rules of docs/grading.md.

The grader proves katas with its own, hardened machinery; this is a second, small opinion about the same content.
What is not covered: isolation, limits, forbidden calls, budgets.
"""

from __future__ import annotations

import copy
import importlib.util
import itertools
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import yaml

from llmdrills.content.katafile import read_kata
from llmdrills.content.report import Report
from llmdrills.grading.authoring import Case, Inputs, Registered, registering

torch.set_num_threads(1)  # the suite runs one worker a core

os.environ["HF_HUB_OFFLINE"] = "1"  # a kata may load a model: from its folder, never from the network
DRILLS = Path(__file__).parents[2] / "drills"
TOLERANCE = {torch.float32: (1.3e-6, 1e-5), torch.float64: (1e-7, 1e-7)}
HALF = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Wrong:
    """A wrong kernel: its text, run among the names of the kata's own files, and the right lines for its card."""

    id: str
    kernel: Any
    text: str
    fix: str
    same_as: str
    scope: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a call came to: a value, or the type of the exception; gradients; whether the inputs were changed."""

    value: Any = None
    error: str = ""
    grads: tuple[Any, ...] = ()
    mutated: bool = False


def tree(function: Any, value: Any) -> Any:
    """Apply `function` to every tensor of nested tuples, lists and dicts."""
    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, dict):
        return {key: tree(function, item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(tree(function, item) for item in value)
    return value


def tensors(value: Any) -> list[torch.Tensor]:
    """The tensors of a nested value, in order."""
    found: list[torch.Tensor] = []
    tree(lambda tensor: found.append(tensor), value)
    return found


def same(left: Any, right: Any) -> bool:
    """Whether two trees hold the very same values (NaN equals NaN)."""
    if isinstance(left, torch.Tensor):
        return left.dtype == right.dtype and torch.equal(left.nan_to_num(7.7), right.nan_to_num(7.7))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, tuple | list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def close(got: Any, want: Any, slack: Any, case: Case) -> bool:
    """Whether `got` is right: `want` is the float64 answer, `slack` the answer at the inputs' precision."""
    if type(got) is not type(slack):
        return False
    if isinstance(slack, dict):
        return got.keys() == slack.keys() and all(close(got[k], want[k], slack[k], case) for k in slack)
    if isinstance(slack, tuple | list):
        return len(got) == len(slack) and all(close(g, w, s, case) for g, w, s in zip(got, want, slack, strict=True))
    if not isinstance(slack, torch.Tensor):
        return bool(got == slack)
    if got.shape != slack.shape or got.dtype != slack.dtype or got.device != slack.device:
        return False
    if not got.dtype.is_floating_point:
        return torch.equal(got, slack)
    if not case.nan_ok and not torch.isfinite(got).all() and torch.isfinite(want).all():
        return False
    got64, want64 = got.detach().double(), want.detach().double()
    if got.dtype in HALF and case.rtol is None and case.atol is None:
        error = (got64 - want64).abs().nan_to_num(torch.inf)
        allowed = 2 * (slack.detach().double() - want64).abs()
        return got.numel() == 0 or bool(error.max() <= allowed.max() + 1e-7)
    rtol, atol = TOLERANCE.get(got.dtype, (0.0, 0.0))
    rtol, atol = case.rtol if case.rtol is not None else rtol, case.atol if case.atol is not None else atol
    return torch.allclose(got64, want64, rtol=rtol, atol=atol, equal_nan=case.nan_ok)


class KataUnderTest:
    """A kata's reference.py and cases.py, imported as the grader does, with the folder on the path."""

    def __init__(self, name: str) -> None:
        self.folder = DRILLS / name
        self.name = name
        self.yaml = yaml.safe_load((self.folder / "kata.yaml").read_text(encoding="utf-8"))
        self.reference = self._load("reference")
        with registering() as registered:
            self.cases_module = self._load("cases")
        self.registered: Registered = registered
        sys.modules.pop("reference")
        sys.modules.pop("cases")
        report = Report(DRILLS.parent)
        kata = read_kata(self.folder, report).kata
        report.raise_if_any()
        assert kata
        self.slips = kata.slips

    def _load(self, module: str) -> Any:
        spec = importlib.util.spec_from_file_location(module, self.folder / f"{module}.py")
        assert spec
        assert spec.loader
        loaded = importlib.util.module_from_spec(spec)
        sys.modules[module] = loaded
        spec.loader.exec_module(loaded)
        return loaded

    @cached_property
    def variants(self) -> list[str]:
        return list(self.yaml["variants"])

    def kernel(self, variant: str) -> Any:
        return getattr(self.reference, self.yaml["variants"][variant]["reference"])

    def of(self, things: list[Any], variant: str) -> list[Any]:
        return [thing for thing in things if not thing.variants or variant in thing.variants]

    def wrong(self, variant: str) -> list[Wrong]:
        """The slips of one variant, run."""
        found = []
        for slip in self.slips:
            if slip.belongs_to(variant):
                scope = {**vars(self.cases_module), **vars(self.reference)}
                exec(slip.texts[variant], scope)
                kernel = scope[slip.names[variant]]
                found.append(Wrong(slip.id, kernel, slip.texts[variant], slip.fix, slip.same_as, scope))
        return found

    def told_apart(self, one: str, other: str) -> bool:
        """Whether the two variants are mistakes of one another: not where one asks for less of the same."""
        return one != other and not any(self.yaml["variants"][name].get("weaker_than") for name in (one, other))

    def inputs(self, case: Case, folder: Path, seed: int = 0) -> Any:
        return case.make(Inputs(seed, case.name, folder))


def answer(kernel: Any, made: Any, case: Case, *, double: bool = False) -> Answer:
    """Call a kernel on copies of a case's arguments, in float64 if asked, and collect all that is compared."""
    if isinstance(made, tuple):  # calls in a row; results share memory with what was returned, and are read at the end
        each = [answer(kernel, one, case, double=double) for one in made]
        errors = [one.error for one in each if one.error]
        return Answer([one.value for one in each], mutated=any(one.mutated for one in each), error="".join(errors[:1]))
    args, kwargs = copy.deepcopy((made.args, made.kwargs))
    if double:
        args, kwargs = tree(lambda t: t.double() if t.dtype.is_floating_point else t, (args, kwargs))
    for position in case.grads:
        args[position].requires_grad_()
    before = tree(lambda tensor: tensor.detach().clone(), (args, kwargs))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if case.draws:
                value: Any = {str(kernel(*args, **kwargs)) for _ in range(case.draws)}
            elif made.draws:  # by the law: which may come, and that nothing fixes the random numbers
                results = {kernel(*args, **kwargs) for _ in range(made.draws)}
                value = f"all may come: {results <= set(made.law)}; they vary: {len(results) > 1}"
            else:
                value = kernel(*args, **kwargs)
    except Exception as error:  # whatever a wrong kernel raises is its answer
        return Answer(error=type(error).__name__)
    grads: tuple[Any, ...] = ()
    if case.grads:
        generator = torch.Generator().manual_seed(1)
        floats = [t for t in tensors(value) if t.dtype.is_floating_point]
        total = sum((t.double() * torch.randn(t.shape, generator=generator).double()).sum() for t in floats)
        if isinstance(total, torch.Tensor) and total.requires_grad:
            total.backward()
        grads = tuple(args[p].grad for p in case.grads)
    mutated = not same(before, tree(lambda tensor: tensor.detach(), (args, kwargs)))
    return Answer(value=tree(lambda t: t.detach(), value), grads=grads, mutated=mutated)


def right(got: Answer, oracle: Answer, baseline: Answer, case: Case) -> bool:
    """Whether an answer is accepted."""
    if case.raises or got.error:
        return got.error == case.raises
    if case.draws:
        return bool(got.value == baseline.value)
    if any(grad is None for grad in got.grads):
        return False
    return (
        not got.mutated
        and close(got.value, oracle.value, baseline.value, case)
        and close(got.grads, oracle.grads, baseline.grads, case)
    )


def indistinguishable(left: Answer, one: Answer, case: Case) -> bool:
    """Whether two wrong answers to one case look alike."""
    if left.error or one.error or left.mutated != one.mutated:
        return left.error == one.error and left.mutated == one.mutated
    loose = copy.copy(case)
    object.__setattr__(loose, "nan_ok", True)
    if case.draws:
        return bool(left.value == one.value)
    if [grad is None for grad in left.grads] != [grad is None for grad in one.grads]:
        return False
    grads = [tuple(grad for grad in answer.grads if grad is not None) for answer in (left, one)]
    try:
        return close(left.value, one.value, one.value, loose) and close(grads[0], grads[1], grads[1], loose)
    except (RuntimeError, AttributeError, TypeError):
        return False


def failed_cases(kata: KataUnderTest, variant: str, kernel: Any, folder: Path) -> set[str]:
    """The cases of a variant that a kernel fails."""
    failed = set()
    for case in kata.of(kata.registered.cases, variant):
        made = kata.inputs(case, folder)
        baseline = answer(kata.kernel(variant), made, case)
        oracle = answer(kata.kernel(variant), made, case, double=not case.draws)
        if not right(answer(kernel, made, case), oracle, baseline, case):
            failed.add(case.name)
    return failed


@dataclass
class Matrix:
    """For one variant: who is killed where, which pairs look alike everywhere, who was rejected."""

    kills: dict[str, set[str]]
    alike: set[tuple[str, str]]
    rejected: set[tuple[str, str]]


def matrix(kata: KataUnderTest, variant: str, folder: Path, seed: int = 0) -> Matrix:
    """Run every wrong kernel, every equivalent and the peer on every case."""
    wrong = {one.id: one.kernel for one in kata.wrong(variant)}
    wrong |= {f"variant-{other}": kata.kernel(other) for other in kata.variants if kata.told_apart(variant, other)}
    kills: dict[str, set[str]] = {name: set() for name in wrong}
    alike = set(itertools.combinations(wrong, 2))
    rejected: set[tuple[str, str]] = set()
    for case in kata.of(kata.registered.cases, variant):
        made = kata.inputs(case, folder, seed)
        baseline = answer(kata.kernel(variant), made, case)
        oracle = (
            answer(kata.kernel(variant), made, case, double=True)
            if not (case.draws or case.own_precision)
            else baseline
        )
        assert right(baseline, oracle, baseline, case), f"{case.name}: the reference rejects itself: {baseline}"
        answers = {name: answer(kernel, made, case) for name, kernel in wrong.items()}
        for name, got in answers.items():
            if not right(got, oracle, baseline, case):
                kills[name].add(case.name)
        alike = {(a, b) for a, b in alike if indistinguishable(answers[a], answers[b], case)}
        for good in kata.of(kata.registered.equivalents, variant):
            if not right(answer(good.kernel, made, case), oracle, baseline, case):
                rejected.add((good.id, case.name))
        for peer in kata.of(kata.registered.peers, variant):
            if case.name not in peer.skips and not right(answer(peer.kernel, made, case), oracle, baseline, case):
                rejected.add((f"peer-{peer.library}", case.name))
    return Matrix(kills, alike, rejected)


def declared_alike(kata: KataUnderTest) -> set[frozenset[str]]:
    """Pairs of slips that are declared to be one."""
    return {frozenset((slip.id, slip.same_as)) for slip in kata.slips if slip.same_as}


def repairs(wrong: Wrong) -> Iterator[Any]:
    """The wrong kernel with its `fix` in place of as few lines as may be, the likeliest place first."""
    body = wrong.text.splitlines()
    likeness = [SequenceMatcher(None, line.strip(), wrong.fix).ratio() for line in body]
    for size, at in itertools.product((1, 2, 3, 4), sorted(range(1, len(body)), key=lambda i: -likeness[i])):
        indent = body[at][: len(body[at]) - len(body[at].lstrip())]
        fix = [indent + line for line in wrong.fix.splitlines()]
        scope = dict(wrong.scope)
        try:
            exec("\n".join([*body[:at], *fix, *body[at + size :]]), scope)
        except SyntaxError:
            continue
        yield scope[wrong.kernel.__name__]


def broken_fixes(kata: KataUnderTest, variant: str, folder: Path, seed: int = 0) -> set[str]:
    """Whole wrong kernels with a card that no replacement of lines by their `fix` makes right.

    Those that are edits need no proof: their `fix` is the line of the right kernel.
    """
    judged = [
        (
            case,
            made,
            answer(kernel, made, case),
            answer(kernel, made, case, double=not (case.draws or case.own_precision)),
        )
        for kernel in [kata.kernel(variant)]
        for case in kata.of(kata.registered.cases, variant)
        for made in [kata.inputs(case, folder, seed)]
    ]
    return {
        wrong.id
        for wrong in kata.wrong(variant)
        if wrong.fix
        and wrong.id in {slip.id for slip in kata.slips if slip.kernel and slip.card}
        and not any(
            all(right(answer(kernel, made, case), oracle, baseline, case) for case, made, baseline, oracle in judged)
            for kernel in repairs(wrong)
        )
    }


def prove(
    kata: KataUnderTest, variant: str, folder: Path, seed: int = 0, *, only_costly: frozenset[str] = frozenset()
) -> Matrix:
    """Assert all that a kata promises about its wrong kernels, equivalents and peer; return the matrix.

    `only_costly` are wrong kernels whose values are right: a budget exposes them, and budgets are not covered here.
    """
    made = matrix(kata, variant, folder, seed)
    assert {name for name, cases in made.kills.items() if not cases} == only_costly, "these wrong kernels survive"
    assert made.rejected == set(), "these right kernels are rejected"
    told = [pair for pair in made.alike if not only_costly.issuperset(pair)]  # right values are alike
    undeclared = {pair for pair in told if frozenset(pair) not in declared_alike(kata)}
    assert undeclared == set(), "these wrong kernels cannot be told apart"
    assert broken_fixes(kata, variant, folder, seed) == set(), "these fixes leave the kernel wrong"
    return made


if __name__ == "__main__":  # python -m tests.helpers.plain_harness KATA: print the kill matrix
    import tempfile

    for kata_name in sys.argv[1:]:
        loaded = KataUnderTest(kata_name)
        for each in loaded.variants:
            with tempfile.TemporaryDirectory() as scratch:
                result = matrix(loaded, each, Path(scratch))
                fixes = broken_fixes(loaded, each, Path(scratch))
            print(f"{kata_name} / {each}")
            for killed, where in result.kills.items():
                print(f"  {killed:28} {len(where):2}  {', '.join(sorted(where))}")
            print("  broken fixes:", fixes)
            print("  alike:", sorted(result.alike), "\n  rejected:", sorted(result.rejected))
