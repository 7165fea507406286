"""Draws: calls that a kata's domain makes from a seed, as cases that nobody wrote down.

A draw is one call, or now and then three in a row: the call, the same shapes with other values, and the first values
with other options. It is *admitted* when the reference keeps its contract there, every equivalent passes, and the
answer is steady: inputs that move by one float32 ulp move it by no more than a percent. What moves more sits on a
boundary (a tie, a threshold), where rounding decides; it is kept only where the author marked the draw so, and is then
judged exactly.
"""

from __future__ import annotations

import dataclasses
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from llmdrills.content.casetexts import DRAWN_WHY
from llmdrills.content.drawslock import read_lock
from llmdrills.errors import ContentError
from llmdrills.grading.authoring import Call, Case, Domain, Draw, Kernel
from llmdrills.grading.judging.compare import compare
from llmdrills.grading.judging.differences import leaves
from llmdrills.grading.kernels.asking import ask
from llmdrills.grading.kernels.calling import Caller
from llmdrills.grading.kernels.derived_cases import DRAWN
from llmdrills.grading.kernels.expectations import Made, expect, frozen, greatest, make_question, unlike, upcast
from llmdrills.grading.kernels.registry import LoadedKata, VariantKernels
from llmdrills.grading.protocol.answer import Answer, Expected, Law, Question
from llmdrills.grading.protocol.numbers import array, is_floating, load_numpy
from llmdrills.grading.protocol.wire import Raised, TensorValue, Value

__all__ = [
    "ALWAYS_DRAWN",
    "BOUNDARY",
    "Drawn",
    "NotAdmitted",
    "Posed",
    "admitted",
    "draw_case",
    "expect_draw",
    "pose",
    "prepare_draws",
]

BOUNDARY = "boundary"
"""The mark by which an author says that a draw sits on a boundary on purpose."""
ALWAYS_DRAWN = 16
"""So many of a lock's seeds, the first, are drawn in every grade."""
DRAWN_BY_SEED = 16
"""So many more are chosen by the grade's own seed."""
FURTHER = 40
"""So many draws, of those that a grade leaves out, a diagnosis must hold on."""
SEQUENCES = 0.2
_ULP = 2.0**-23
_SHAKES = 2
_STEADY = 0.01
_ROUNDING = {"float16": 0.02, "bfloat16": 0.08}


class NotAdmitted(Exception):  # noqa: N818  # not an error: this call does not tell right from wrong
    """The draw cannot be used; the message says why."""


@dataclass(frozen=True)
class Drawn:
    """A draw before anyone is asked: the case that it makes, its calls, and what the author says of it."""

    seed: int
    case: Case
    calls: tuple[Call, ...]
    marks: Mapping[str, object]


class Posed(NamedTuple):
    """A draw as it is asked: the question, and the same with floating inputs raised to float64."""

    drawn: Drawn
    question: Question
    exact: Question
    laws: tuple[Law, ...] = ()


def pose(loaded: LoadedKata, domain: Domain, seed: int, folder: Path) -> Posed:
    """The draw of that seed, with its question. `folder` is where it may write files."""
    drawn = draw_case(domain, seed, folder)
    with loaded.importable():
        made = make_question(loaded, drawn.case, seed, folder)
    return Posed(drawn, made.question, made.exact, made.laws)


def prepare_draws(
    loaded: LoadedKata, variant: str, seed: int, folder: Path, *, further: bool = False
) -> tuple[list[Question], Iterator[Expected]]:
    """The locked draws of a grade under that seed: the questions at once, what is expected as it is asked for.

    `further` takes draws that such a grade leaves out. There are none where the kata has no domain, or a lock that is
    missing or stale. A draw that is not admitted under this torch is left out, with the reason.
    """
    kernels = loaded.variant(variant)
    seeds = _chosen(loaded, variant, seed, further=further) if kernels.domain is not None else ()
    if kernels.domain is None or not seeds:
        return [], iter(())
    place = folder / "draws"
    place.mkdir(exist_ok=True)
    posed = [pose(loaded, kernels.domain, one, place) for one in seeds]
    return [one.question for one in posed], _expectations(loaded, kernels, posed)


def _chosen(loaded: LoadedKata, variant: str, seed: int, *, further: bool) -> tuple[int, ...]:
    lock = read_lock(loaded.kata.folder)
    if lock is None or not lock.fits(loaded.kata.folder):
        return ()
    always, rest = lock.seeds(variant)[:ALWAYS_DRAWN], list(lock.seeds(variant)[ALWAYS_DRAWN:])
    random.Random(seed).shuffle(rest)  # noqa: S311  # which inputs are tried, no secret
    return tuple(rest[DRAWN_BY_SEED:][:FURTHER]) if further else (*always, *rest[:DRAWN_BY_SEED])


def _expectations(loaded: LoadedKata, kernels: VariantKernels, posed: Sequence[Posed]) -> Iterator[Expected]:
    caller = Caller("cpu", str(loaded.kata.reference_file))
    lock = read_lock(loaded.kata.folder)
    elsewhere = lock is None or lock.torch != torch.__version__.partition("+")[0]  # "2.13.0+cpu" is 2.13.0
    for one in posed:
        try:
            due = expect_draw(loaded, kernels, one, caller)
            # Under another torch a right kernel may round otherwise: such a draw would judge nobody fairly.
            why = admitted(loaded, kernels, due, one.question, caller) if elsewhere else ""
        except NotAdmitted as error:
            case = one.drawn.case
            due, why = Expected(case.name, case.why, Answer(None), drawn=True), str(error)
        yield dataclasses.replace(due, left_out=why)


def draw_case(domain: Domain, seed: int, folder: Path) -> Drawn:
    """The draw of that seed. `folder` is private to it."""
    source = Draw(seed, folder)
    calls = [domain.draw(source)]
    marks = dict(source.marks)
    if domain.sequences and source.chance(SEQUENCES):
        calls += [domain.draw(Draw(seed, folder, values=1)), domain.draw(Draw(seed, folder, options=1))]
        marks["several calls"] = True
    case = Case(
        name=f"draw-{seed}",
        why=DRAWN_WHY.en,
        make=lambda _inputs: tuple(calls),
        line=domain.line,
        grads=source.grads if len(calls) == 1 else (),
        rtol=source.rtol,
        atol=source.atol,
        tags=(DRAWN,),
    )
    return Drawn(seed, case, tuple(calls), marks)


def expect_draw(loaded: LoadedKata, kernels: VariantKernels, posed: Posed, caller: Caller) -> Expected:
    """What is due for a draw; its tolerance allows what one ulp in the inputs does to the answer.

    Raises NotAdmitted where the reference breaks its contract or is not steady.
    """
    case, question = posed.drawn.case, posed.question
    if posed.laws:
        return expect(loaded, kernels, Made(case, question, posed.exact, posed.laws), caller)
    plain = ask(loaded, caller, kernels.reference, question)
    if isinstance(plain.value, Raised):
        raises = next((name for name in _raises(kernels) if name in plain.value.classes), "")
        if not raises or question.then:
            raise NotAdmitted(f"the reference raises {plain.value.type}: {plain.value.message}")
        case = dataclasses.replace(case, raises=raises)
    try:
        with loaded.importable(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            due = expect(loaded, kernels, Made(case, question, posed.exact), caller)
    except ContentError as error:
        raise NotAdmitted(error.problems[0].what) from error
    if case.raises:
        return due
    _refuse_rough(due)
    return _allowing_a_shake(loaded, kernels.reference, posed, due, caller)


def admitted(loaded: LoadedKata, kernels: VariantKernels, due: Expected, question: Question, caller: Caller) -> str:
    """Why a draw cannot be used: the equivalent that fails it. Empty where it can."""
    if due.laws and compare(due, ask(loaded, caller, kernels.reference, question)):
        return "the reference does not keep to the law"  # elsewhere the reference itself says what is due
    for right in kernels.equivalents:
        wrong = compare(due, ask(loaded, caller, right.kernel, question))
        if wrong:
            return f"equivalent {right.id} fails"
    return ""


def _raises(kernels: VariantKernels) -> tuple[str, ...]:
    return kernels.domain.raises if kernels.domain is not None else ()


def _refuse_rough(due: Expected) -> None:
    """Refuse a draw where the reference itself loses its precision: nothing could be told there."""
    for (_, leaf), error, dtype in zip(leaves(due.answer.value), due.tolerance.baselines, due.dtypes, strict=True):
        if isinstance(leaf, TensorValue) and leaf.numel and error > _ROUNDING.get(dtype, 1e-3) * max(_size(leaf), 1e-3):
            raise NotAdmitted(f"the reference is not precise in {dtype}: it is off by {error:.3g}")


def _allowing_a_shake(loaded: LoadedKata, reference: Kernel, posed: Posed, due: Expected, caller: Caller) -> Expected:
    """Widen the tolerance by four times what a relative error of one float32 ulp in the inputs does to the answer."""
    drawn = posed.drawn
    if drawn.marks.get(BOUNDARY) or not any(_floats(value) for call in drawn.calls for value in _values(call)):
        return due
    baselines = list(due.tolerance.baselines)
    gradients = list(due.gradients.baselines)
    for number in range(_SHAKES):
        shaken = [_shaken(upcast(call), drawn.seed * _SHAKES + number) for call in drawn.calls]
        answer = ask(loaded, caller, reference, frozen(shaken, posed.question))
        if isinstance(answer.value, Raised) or unlike(due.answer.value, answer.value):
            raise NotAdmitted("one ulp in the inputs changes the answer's kind")
        for at, moved, size in _moves(due.answer.value, answer.value):
            if moved > _STEADY * max(size, 1e-3):
                raise NotAdmitted("one ulp in the inputs moves the answer by more than a percent")
            baselines[at] = max(baselines[at], 4 * moved)
        for at, (one, other) in enumerate(zip(due.answer.grads, answer.grads, strict=True)):
            gradients[at] = max(gradients[at], 4 * greatest(one, other))
    return dataclasses.replace(
        due,
        tolerance=dataclasses.replace(due.tolerance, baselines=tuple(baselines)),
        gradients=dataclasses.replace(due.gradients, baselines=tuple(gradients)),
    )


def _values(call: Call) -> Sequence[Any]:
    return (*call.args, *call.kwargs.values())


def _floats(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def _shaken(call: Call, seed: int) -> Call:
    """The call with every number a little larger or smaller, each tensor element on its own."""
    generator = torch.Generator().manual_seed(seed)

    def shake(value: Any) -> Any:
        if _floats(value):
            signs = torch.randint(0, 2, value.shape, generator=generator) * 2 - 1
            return (value.detach() * (1 + signs * _ULP)).requires_grad_(value.requires_grad)
        return value * (1 + 2 * _ULP) if isinstance(value, float) else value

    return Call(tuple(map(shake, call.args)), {name: shake(value) for name, value in call.kwargs.items()})


def _moves(before: Value, after: Value) -> Iterator[tuple[int, float, float]]:
    """For each leaf: how far it moved, and how large it is."""
    for at, ((_, one), (_, other)) in enumerate(zip(leaves(before), leaves(after), strict=True)):
        if isinstance(one, TensorValue) and not is_floating(one.dtype) and isinstance(other, TensorValue):
            yield at, float(one.data != other.data), 1.0
        elif isinstance(one, (int, str)) or one is None:
            yield at, float(one != other), 1.0
        else:
            yield at, greatest(one, other), _size(one)


def _size(leaf: Value) -> float:
    np = load_numpy()
    if isinstance(leaf, float):
        return abs(leaf)
    if not isinstance(leaf, TensorValue) or leaf.missing or not leaf.numel:
        return 0.0
    return float(np.abs(np.nan_to_num(array(leaf).astype("float64"), nan=0.0, posinf=0.0, neginf=0.0)).max())
