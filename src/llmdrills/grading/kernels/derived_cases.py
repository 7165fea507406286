"""Cases that no author should have to write: the first case again, as inputs and calls really come.

A kernel that is right on fresh, contiguous tensors can still fail on a transposed view (`.view` on it raises), on an
expanded one (writing into it raises), on a parameter that requires grad (writing in place raises), or when it is called
again (what it kept is out of date). Each kata gets these four, made of its first case; `@case(..., derive=False)` on
that case turns them off.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from llmdrills.content.casetexts import AGAIN, DERIVED_WHY
from llmdrills.content.contract import ALWAYS
from llmdrills.grading.authoring import Call, Case, CaseMaker, Inputs

__all__ = ["DERIVED", "DRAWN", "NotDerivable", "derived_cases"]

DERIVED = "derived"
"""The tag of a derived case."""
DRAWN = "drawn"
"""The tag of a case that was drawn from the kata's domain."""


class NotDerivable(Exception):  # noqa: N818  # not an error: there is nothing to derive from
    """The case has no tensor of which this can be made; it is left out."""


def derived_cases(cases: Iterable[Case]) -> Iterator[Case]:
    """The derived cases of the first case that returns (does not raise) and is not random."""
    first = next((case for case in cases if not case.raises and not case.draws), None)
    if first is None or not first.derive:
        return
    tags = (*first.tags, DERIVED)
    for kind, change in _KINDS:
        yield dataclasses.replace(
            first,
            name=f"{first.name}-{kind}",
            why=DERIVED_WHY[kind].en,
            make=_changed(first.make, change),
            tags=tags,
            clauses=(ALWAYS,),
        )
    yield dataclasses.replace(
        first,
        name=f"{first.name}-{AGAIN}",
        why=DERIVED_WHY[AGAIN].en,
        make=_again(first.make),
        tags=tags,
        grads=(),
        clauses=(ALWAYS,),
    )


def _again(make: CaseMaker) -> CaseMaker:
    """What is kept from an earlier call, by shape, by identity or in a buffer, shows in the second or third."""

    def again(inputs: Inputs) -> tuple[Call, ...]:
        made, other = make(inputs), make(inputs.others())
        if not isinstance(made, Call) or not isinstance(other, Call):
            raise NotDerivable
        return made, other, made

    return again


def _changed(make: CaseMaker, change: Callable[[Any], Any]) -> CaseMaker:
    def changed(inputs: Inputs) -> Call:
        made = make(inputs)
        if not isinstance(made, Call):
            raise NotDerivable
        args = tuple(change(value) for value in made.args)
        kwargs = {name: change(value) for name, value in made.kwargs.items()}
        pairs = zip((*made.args, *made.kwargs.values()), (*args, *kwargs.values()), strict=True)
        if all(before is after for before, after in pairs):
            raise NotDerivable
        return dataclasses.replace(made, args=args, kwargs=kwargs)

    return changed


def _non_contiguous(value: Any) -> Any:
    """The same values in storage that is laid out otherwise."""
    import torch

    if not isinstance(value, torch.Tensor) or value.dim() == 0 or value.numel() < 2:
        return value
    if value.dim() == 1:
        return torch.stack([value, value], dim=-1)[:, 0]
    swapped = value.transpose(-1, -2).contiguous().transpose(-1, -2)
    # With a dimension of size one, the transposed layout is contiguous too: take every other row of a longer tensor.
    return swapped if not swapped.is_contiguous() else torch.stack([value, value], dim=-1)[..., 0]


def _expanded(value: Any) -> Any:
    """The first entry of the leading dimension, seen many times over with stride 0."""
    import torch

    if not isinstance(value, torch.Tensor) or value.dim() < 3 or value.size(0) < 2 or not value.is_floating_point():
        return value
    return value[:1].expand_as(value)


def _requiring_grad(value: Any) -> Any:
    import torch

    if not isinstance(value, torch.Tensor) or not value.is_floating_point() or value.requires_grad:
        return value
    return value.detach().clone().requires_grad_()


_KINDS: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("non-contiguous", _non_contiguous),
    ("expanded", _expanded),
    ("requires-grad", _requiring_grad),
)
