"""What a failing attempt behaves like: wrong kernels around the reference that give its answers everywhere.

A *candidate* is such a kernel, alone ("as if `window` were ignored") or under a condition ("… where `query_length` =
1"): then the attempt must be right in every call that does not meet it. It must agree in every call that was asked:
give the attempt's own wrong answer where that is wrong, by the case's tolerance, and be right where it is right. The
first call that disagrees ends it, so that most cost one run. A condition costs no run at all: it is asked of the calls.

What is not covered: two faults at once; a condition that is no feature of a call.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from llmdrills.grading.authoring import Call, Kernel
from llmdrills.grading.judging.behaviour import ALWAYS, BEHAVIOURS, EXACTLY, Candidate, Condition
from llmdrills.grading.judging.compare import compare, same_answer
from llmdrills.grading.judging.differences import leaves
from llmdrills.grading.kernels.asking import ask
from llmdrills.grading.kernels.calling import Caller
from llmdrills.grading.kernels.conditions import conditions, rank
from llmdrills.grading.kernels.cpu_limit import cpu_limit
from llmdrills.grading.kernels.features import look
from llmdrills.grading.kernels.registry import LoadedKata
from llmdrills.grading.kernels.wrappers import changed, constant, wrappers
from llmdrills.grading.protocol.answer import Answer, Expected, Question
from llmdrills.grading.protocol.numbers import is_floating
from llmdrills.grading.protocol.tensors import thaw
from llmdrills.grading.protocol.wire import Value

__all__ = ["Asked", "agreeing"]

FEWEST = 3
"""A condition counts only where the attempt was seen in so many calls that meet it, and in so many that do not."""
HANGS = 1.0
"""CPU seconds beyond the limit after which a call is broken off."""


@dataclass(frozen=True)
class Asked:
    """A question, what is due, and what the attempt answered."""

    question: Question
    due: Expected
    answer: Answer


def agreeing(
    loaded: LoadedKata,
    variant: str,
    asked: Sequence[Asked],
    seconds: float,
    among: Collection[Candidate] | None = None,
) -> list[Candidate] | None:
    """The candidates that agree with the attempt in everything that was asked, the simplest first; `among` them, where
    a first round has been.

    Empty where the time, CPU seconds, does not suffice; None where a kernel had to be broken off in the middle of a
    call: then this process should not be used any longer.
    """
    found: list[Candidate] = []
    with cpu_limit(seconds + HANGS) as late, contextlib.suppress(_OutOfTimeError):  # nothing is said then
        found = _Search(loaded, variant, asked, seconds).run(among)
    return None if late else found


class _OutOfTimeError(Exception):
    """The search has used up its time."""


@dataclass(frozen=True)
class _Part:
    """One call of a question, or all calls together where their answers cannot be told apart."""

    asked: int
    at: int | None  # which of the question's calls; None: all of them
    due: Expected
    answer: Answer
    wrong: bool


@dataclass(frozen=True)
class _Kernel:
    """A wrong kernel of the family."""

    pattern: str
    argument: str
    detail: str
    make: Callable[[], Kernel]

    @property
    def remembers(self) -> bool:
        """Whether earlier calls matter: it then answers all questions, in their order."""
        return " kept" in self.pattern or "buffer" in self.pattern


@dataclass
class _Search:
    loaded: LoadedKata
    variant: str
    asked: Sequence[Asked]
    seconds: float
    _parts: list[_Part] = field(default_factory=list)
    _met: dict[tuple[int, int], frozenset[Condition]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._deadline = time.process_time() + self.seconds
        self._reference = self.loaded.references[self.variant]
        self._signature = inspect.signature(self._reference)
        self._optional = frozenset(
            name for name, parameter in self._signature.parameters.items() if parameter.default is not parameter.empty
        )
        self._caller = Caller("cpu", str(self.loaded.kata.reference_file))
        self._parts = [part for at, one in enumerate(self.asked) for part in _parts(at, one)]
        self._wrong = sorted((part for part in self._parts if part.wrong), key=lambda part: part.due.call.size)
        self._right = [part for part in self._parts if not part.wrong]

    def run(self, among: Collection[Candidate] | None) -> list[Candidate]:
        """The candidates that agree everywhere."""
        if among is None and not self._wrong:
            return []
        exactly = _Kernel(EXACTLY, "", "", lambda: self._reference)
        found = [Candidate(EXACTLY, condition=one) for one in self._exactly(self._wanted(exactly, among))]
        for one in self._family():
            wanted = self._wanted(one, among)
            if wanted is None or wanted:
                kept = self._remembering(one) if one.remembers else self._kept(one, wanted)
                found += [Candidate(one.pattern, one.argument, one.detail, condition) for condition in kept]
        order = [*BEHAVIOURS, EXACTLY]
        return sorted(found, key=lambda it: (it.pattern == EXACTLY, rank(it.condition), order.index(it.pattern)))

    @staticmethod
    def _wanted(one: _Kernel, among: Collection[Candidate] | None) -> frozenset[Condition] | None:
        if among is None:
            return None
        key = (one.pattern, one.argument, one.detail)
        return frozenset(it.condition for it in among if (it.pattern, it.argument, it.detail) == key)

    # Conditions

    def _meets(self, part: _Part) -> frozenset[Condition]:
        """What the part's call meets; of several calls together, what one of them meets."""
        question = self.asked[part.asked].question
        calls = ((question.args, question.kwargs), *question.then)
        numbers = range(len(calls)) if part.at is None else (part.at,)
        found: frozenset[Condition] = frozenset()
        for number in numbers:
            key = (part.asked, number)
            if key not in self._met:
                self._check_time()
                seen = look(self._signature, _call(*calls[number]), {})
                self._met[key] = conditions(seen, self._optional)
            found |= self._met[key]
        return found

    @functools.cached_property
    def _common(self) -> frozenset[Condition]:
        """What every wrong call meets."""
        found: frozenset[Condition] | None = None
        for part in self._wrong:
            found = self._meets(part) if found is None else found & self._meets(part)
        return found or frozenset()

    def _possible(self, wanted: frozenset[Condition] | None) -> frozenset[Condition]:
        """The conditions, of those `wanted`, that every wrong call meets."""
        if wanted is None:
            return self._common
        return wanted & self._common if self._wrong else wanted

    def _exactly(self, wanted: frozenset[Condition] | None) -> Iterator[Condition]:
        """The conditions that every wrong call meets, and no other."""
        if wanted is None and not FEWEST <= len(self._wrong) <= len(self._right):
            return  # where most is wrong, the condition says no more than that
        kept = self._possible(wanted) - {ALWAYS}
        for part in self._right:
            kept = kept - self._meets(part) if kept else kept
        yield from kept

    # Kernels

    def _family(self) -> Iterator[_Kernel]:
        """The wrong kernels of this variant that can change something, the simplest first."""
        calls = [_call(one.question.args, one.question.kwargs) for one in self.asked]
        floating = any(is_floating(dtype) for one in self.asked for dtype in one.due.dtypes)
        names = list(self._signature.parameters)
        gradients = {names[at] for one in self.asked for at in one.question.grads}
        found = [
            *self._constants(calls),
            *(
                _Kernel(one.words.replace(f"`{one.argument}`", "`{a}`"), one.argument, "", one.make)
                for one in wrappers(self._reference, calls, gradients, floating=floating)
                if one.kind != "argument ignored"
            ),
        ]
        for pattern in BEHAVIOURS:
            yield from (one for one in found if one.pattern == pattern)

    def _constants(self, calls: Sequence[Call]) -> Iterator[_Kernel]:
        """One argument's value replaced by its default, a flag by either value, a mask by ones."""
        for name, parameter in self._signature.parameters.items():
            values = [bound[name] for call in calls if name in (bound := self._bound(call))]
            default = parameter.default
            if default is None:
                make = changed(self._reference, self._signature, name, constant(None))
                yield _Kernel("`{a}` is ignored", name, "", make)
            fixed = {True, False} if values and all(isinstance(value, bool) for value in values) else set()
            if default is not None and default is not parameter.empty:
                fixed |= {default}
            for value in sorted(fixed, key=repr):
                make = changed(self._reference, self._signature, name, constant(value))
                yield _Kernel("`{a}` is always {d}", name, repr(value), make)
            if any(_is_mask(value) for value in values):
                one = "True" if any(value.dtype == torch.bool for value in values if _is_mask(value)) else "1"
                make = changed(self._reference, self._signature, name, _ones)
                yield _Kernel("every entry of `{a}` is {d}", name, one, make)

    def _bound(self, call: Call) -> dict[str, Any]:
        return self._signature.bind(*call.args, **call.kwargs).arguments

    def _kept(self, one: _Kernel, wanted: frozenset[Condition] | None) -> frozenset[Condition]:
        """The conditions under which the kernel agrees with the attempt everywhere, `wanted` those in question."""
        kernel = one.make()
        if not all(self._agrees(kernel, part) for part in self._wrong):
            return frozenset()
        kept = self._possible(wanted)
        others = 0  # calls in which the kernel is wrong and the attempt is right
        for part in self._right:
            if not kept or (others >= FEWEST and not kept & self._meets(part)):
                continue  # the kernel says nothing of this call
            if not self._agrees(kernel, part):
                others += 1
                kept -= self._meets(part)
        if ALWAYS in kept:
            return frozenset({ALWAYS})
        return kept if wanted is not None or min(len(self._wrong), others) >= FEWEST else frozenset()

    def _remembering(self, one: _Kernel) -> frozenset[Condition]:
        """Whether a kernel that remembers earlier calls agrees, asked everything in the order of the questions."""
        kernel = one.make()
        for asked in self.asked:
            answer = self._ask(kernel, asked.question)
            wrong = bool(compare(asked.due, asked.answer))
            if not asked.due.left_out and not _alike(_Part(0, None, asked.due, asked.answer, wrong), answer):
                return frozenset()
        return frozenset({ALWAYS})

    def _agrees(self, kernel: Kernel, part: _Part) -> bool:
        question = self.asked[part.asked].question
        if part.at is not None and question.then:
            args, kwargs = ((question.args, question.kwargs), *question.then)[part.at]
            question = dataclasses.replace(question, args=args, kwargs=kwargs, then=(), grads=())
        return _alike(part, self._ask(kernel, question))

    def _ask(self, kernel: Kernel, question: Question) -> Answer:
        self._check_time()
        # Nothing is counted: that takes longer than the call, and a kernel around the reference costs what that does.
        return ask(self.loaded, self._caller, kernel, dataclasses.replace(question, count=False))

    def _check_time(self) -> None:
        if time.process_time() > self._deadline:
            raise _OutOfTimeError


def _call(args: Sequence[Any], kwargs: dict[str, Any]) -> Call:
    return Call(tuple(map(thaw, args)), {name: thaw(value) for name, value in kwargs.items()})


def _parts(at: int, one: Asked) -> Iterator[_Part]:
    """The calls of one question apart, where each has its own result and nothing else is wrong."""
    due, answer = one.due, one.answer
    if due.left_out:
        return
    wrong = bool(compare(due, answer))
    wanted: Value = due.answer.value
    results: Value = answer.value
    apart = due.calls > 1 and type(results) is list and len(results) == due.calls
    if not apart or answer.inputs_changed or answer.globals_changed:
        yield _Part(at, None if due.calls > 1 else 0, due, answer, wrong)
        return
    leaf = 0
    for number, want in enumerate(wanted):
        width = sum(1 for _ in leaves(want))
        of = due.tolerance
        tolerance = dataclasses.replace(of, baselines=of.baselines[leaf : leaf + width])
        own = dataclasses.replace(
            due,
            answer=dataclasses.replace(due.answer, value=want),
            dtypes=due.dtypes[leaf : leaf + width],
            tolerance=tolerance,
            calls=1,
            laws=due.laws[number : number + 1],
        )
        result = dataclasses.replace(answer, value=results[number])
        yield _Part(at, number, own, result, bool(compare(own, result)))
        leaf += width


def _alike(part: _Part, one: Answer) -> bool:
    """Whether a wrong kernel's answer is the attempt's, where that is wrong, or right too, where it is right."""
    due = dataclasses.replace(part.due, budgets=())
    differs = bool(compare(due, one))
    if not part.wrong:
        return not differs
    return differs and one.globals_changed == part.answer.globals_changed and same_answer(due, one, part.answer)


def _is_mask(value: Any) -> bool:
    """Whether a tensor holds nothing but 0 and 1."""
    if not isinstance(value, torch.Tensor) or value.is_floating_point() or not value.numel():
        return False
    return bool(((value == 0) | (value == 1)).all())


def _ones(value: Any) -> Any:
    return torch.ones_like(value) if isinstance(value, torch.Tensor) else value
