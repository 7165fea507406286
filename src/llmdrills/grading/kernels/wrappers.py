"""Mutants around the reference: it answers, and something about the call or the result is wrong.

What no edit of one line makes: results kept between calls, a buffer that is used again, a row's values for all rows, an
argument that is ignored, precision lost on the way, a gradient cut off.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from llmdrills.grading.authoring import Call, Kernel

__all__ = ["Wrapped", "changed", "constant", "wrappers"]


@dataclass(frozen=True)
class Wrapped:
    """A mutant: its kind, its wording, and what makes a fresh one, with nothing kept from earlier calls.

    `argument` names the one that the wording is about; "" where it is about none.
    """

    kind: str
    words: str
    make: Callable[[], Kernel]
    argument: str = ""


def wrappers(
    reference: Kernel, calls: Sequence[Call], gradients: Collection[str], *, floating: bool
) -> Iterator[Wrapped]:
    """Every wrapper that can change something: `calls` show what the arguments are, `gradients` name those that
    gradients must reach, and `floating` says whether results hold floating-point numbers."""
    signature = inspect.signature(reference)
    given = _given(signature, calls)
    tensors = {name for name, values in given.items() if any(isinstance(value, torch.Tensor) for value in values)}
    objects = tensors | {name for name, values in given.items() if any(isinstance(value, list) for value in values)}
    yield from _remembering(reference, signature, objects)
    yield from _results(reference, gradients, floating=floating)
    if floating:
        yield from _precision(reference, signature)
    for name, parameter in signature.parameters.items():
        if parameter.default is not parameter.empty:
            ignored = changed(reference, signature, name, constant(parameter.default))
            yield Wrapped("argument ignored", f"`{name}` is ignored", ignored, name)
        if any(_first(value) is not value for value in given[name]):
            first = changed(reference, signature, name, _first)
            yield Wrapped("first row for all", f"the first row of `{name}` for all", first, name)
        if any(_turned(value) is not value for value in given[name]):
            turned = changed(reference, signature, name, _turned)
            yield Wrapped("transposed when square", f"`{name}` is transposed where it is square", turned, name)
        if name in gradients:
            detached = changed(reference, signature, name, _detached)
            yield Wrapped("gradient", f"`{name}` is detached", detached, name)
        if name in objects:
            yield Wrapped("input written", f"`{name}` is written", _writing(reference, signature, name), name)


def _given(signature: inspect.Signature, calls: Sequence[Call]) -> dict[str, list[Any]]:
    """The values that each argument takes in the calls."""
    found: dict[str, list[Any]] = {name: [] for name in signature.parameters}
    for call in calls:
        for name, value in signature.bind(*call.args, **call.kwargs).arguments.items():
            found[name].append(value)
    return found


# What is kept between calls


def _remembering(reference: Kernel, signature: inspect.Signature, objects: set[str]) -> Iterator[Wrapped]:
    def by_shape(bound: dict[str, Any]) -> object:
        return tuple((name, _outline(value)) for name, value in bound.items())

    def by_identity(bound: dict[str, Any]) -> object:
        return tuple((name, id(value) if _is_object(value) else repr(value)) for name, value in bound.items())

    def by_first(bound: dict[str, Any]) -> object:
        first = next(iter(bound.values()), None)
        return (
            (_outline(first), first.detach().flatten().tolist().__repr__())
            if isinstance(first, torch.Tensor)
            else repr(first)
        )

    first = next(iter(signature.parameters), "")
    for words, key in (("shapes", by_shape), ("identity", by_identity), ("its first argument", by_first)):
        yield Wrapped("state", f"a result is kept by {words}", _memoised(reference, signature, key), first)
    for name in sorted(objects):
        yield Wrapped("state", f"the first `{name}` of a shape is kept", _keeping(reference, signature, name), name)


def _memoised(
    reference: Kernel, signature: inspect.Signature, key: Callable[[dict[str, Any]], object]
) -> Callable[[], Kernel]:
    def make() -> Kernel:
        kept: dict[object, Any] = {}

        def kernel(*args: Any, **kwargs: Any) -> Any:
            wanted = key(dict(signature.bind(*args, **kwargs).arguments))
            if wanted not in kept:
                kept[wanted] = reference(*args, **kwargs)
            return kept[wanted]

        return kernel

    return make


def _keeping(reference: Kernel, signature: inspect.Signature, name: str) -> Callable[[], Kernel]:
    def make() -> Kernel:
        kept: dict[object, Any] = {}

        def first_of_its_shape(value: Any) -> Any:
            return kept.setdefault(_outline(value), value) if _is_object(value) else value

        return _with_changed(reference, signature, name, first_of_its_shape)

    return make


def _outline(value: Any) -> object:
    if isinstance(value, torch.Tensor):
        return tuple(value.shape), str(value.dtype)
    if isinstance(value, dict):  # weights by name
        return tuple((name, _outline(part)) for name, part in value.items())
    if isinstance(value, (list, tuple)) and any(isinstance(part, (torch.Tensor, dict, tuple)) for part in value):
        return tuple(map(_outline, value))
    return len(value) if isinstance(value, list) else repr(value)


def _is_object(value: Any) -> bool:
    return isinstance(value, (torch.Tensor, list, dict))


# The result


def _results(reference: Kernel, gradients: Collection[str], *, floating: bool) -> Iterator[Wrapped]:
    yield Wrapped("state", "the result is a buffer that is used again", lambda: _buffered(reference))
    if gradients:
        yield Wrapped("gradient", "the result is detached", lambda: _after(reference, _detached))
    yield Wrapped("shape", "a leading size of 1 is squeezed away", lambda: _after(reference, _squeezed))
    for dtype in (torch.float16, torch.bfloat16) if floating else ():
        made = functools.partial(_after, reference, _rounding(dtype))
        yield Wrapped("precision", f"the result is rounded to {_name(dtype)}", made)


def _buffered(reference: Kernel) -> Kernel:
    kept: dict[object, Any] = {}

    def into_buffer(value: Any) -> Any:
        if isinstance(value, torch.Tensor) and not value.requires_grad:
            buffer = kept.setdefault((value.shape, value.dtype), torch.empty_like(value))
            return buffer.copy_(value)
        if isinstance(value, list):
            held = kept.setdefault("list", [])
            held[:] = value
            return held
        return value

    return _after(reference, into_buffer)


def _after(reference: Kernel, change: Callable[[Any], Any]) -> Kernel:
    def kernel(*args: Any, **kwargs: Any) -> Any:
        return _mapped(reference(*args, **kwargs), change)

    return kernel


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """A change made to each tensor of nested tuples, lists and dicts."""
    if isinstance(value, tuple):
        return tuple(_mapped(item, change) for item in value)
    if isinstance(value, list) and any(isinstance(item, (torch.Tensor, tuple, dict)) for item in value):
        return [_mapped(item, change) for item in value]
    if isinstance(value, dict):
        return {name: _mapped(item, change) for name, item in value.items()}
    return change(value)


def _detached(value: Any) -> Any:
    return value.detach() if isinstance(value, torch.Tensor) else value


def _squeezed(value: Any) -> Any:
    return value.squeeze(0) if isinstance(value, torch.Tensor) and value.dim() and value.size(0) == 1 else value


def _rounding(dtype: torch.dtype) -> Callable[[Any], Any]:
    def rounded(value: Any) -> Any:
        floating = isinstance(value, torch.Tensor) and value.is_floating_point()
        return value.to(dtype).to(value.dtype) if floating else value

    return rounded


# Precision inside


def _precision(reference: Kernel, signature: inspect.Signature) -> Iterator[Wrapped]:
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        made = functools.partial(_cast, reference, signature, dtype)
        yield Wrapped("precision", f"everything is computed in {_name(dtype)}", made)
    yield Wrapped("precision", "it stays in the inputs' own dtype", lambda: _native(reference))


def _cast(reference: Kernel, signature: inspect.Signature, dtype: torch.dtype) -> Kernel:
    def kernel(*args: Any, **kwargs: Any) -> Any:
        due = reference(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        for name, value in bound.arguments.items():
            bound.arguments[name] = _mapped(value, lower)
        return _as(due, reference(*bound.args, **bound.kwargs))

    def lower(value: Any) -> Any:
        return value.to(dtype) if isinstance(value, torch.Tensor) and value.is_floating_point() else value

    return kernel


def _as(due: Any, value: Any) -> Any:
    if isinstance(due, (tuple, list)) and type(due) is type(value):
        return type(due)(_as(one, other) for one, other in zip(due, value, strict=True))
    return value.to(due.dtype) if isinstance(due, torch.Tensor) else value


class _OwnDtype:
    """torch, but that `promote_types` keeps the first dtype: the lift to float32 is left out."""

    def __getattr__(self, name: str) -> Any:
        return (lambda dtype, _other: dtype) if name == "promote_types" else getattr(torch, name)


def _native(reference: Kernel) -> Kernel:
    assert isinstance(reference, types.FunctionType)  # noqa: S101  # references are plain functions
    names = {**reference.__globals__, "torch": _OwnDtype()}
    for name, value in reference.__globals__.items():  # its helpers too
        if isinstance(value, types.FunctionType) and value.__globals__ is reference.__globals__:
            names[name] = types.FunctionType(value.__code__, names, name, value.__defaults__, value.__closure__)
    own = types.FunctionType(
        reference.__code__, names, reference.__name__, reference.__defaults__, reference.__closure__
    )
    own.__kwdefaults__ = reference.__kwdefaults__
    return own


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


# One argument


def changed(
    reference: Kernel, signature: inspect.Signature, name: str, change: Callable[[Any], Any]
) -> Callable[[], Kernel]:
    """What makes the reference with one argument changed before each call that gives it."""
    return lambda: _with_changed(reference, signature, name, change)


def _with_changed(reference: Kernel, signature: inspect.Signature, name: str, change: Callable[[Any], Any]) -> Kernel:
    def kernel(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        if name in bound.arguments:
            bound.arguments[name] = change(bound.arguments[name])
        return reference(*bound.args, **bound.kwargs)

    return kernel


def constant(value: Any) -> Callable[[Any], Any]:
    """What puts that value in the place of any other."""
    return lambda _given: value


def _first(value: Any) -> Any:
    several = isinstance(value, torch.Tensor) and value.dim() > 1 and value.size(0)
    return value[:1].expand_as(value) if several else value


def _turned(value: Any) -> Any:
    square = isinstance(value, torch.Tensor) and value.dim() > 1 and value.size(-1) == value.size(-2)
    return value.transpose(-1, -2) if square else value


def _writing(reference: Kernel, signature: inspect.Signature, name: str) -> Callable[[], Kernel]:
    def make() -> Kernel:
        def kernel(*args: Any, **kwargs: Any) -> Any:
            result = reference(*args, **kwargs)
            value = signature.bind(*args, **kwargs).arguments.get(name)
            if isinstance(value, torch.Tensor) and value.numel():
                with torch.no_grad():
                    first = value[(0,) * value.dim()]
                    first.logical_not_() if value.dtype == torch.bool else first.add_(1)
            elif isinstance(value, list):
                value.clear()
            return result

        return kernel

    return make
