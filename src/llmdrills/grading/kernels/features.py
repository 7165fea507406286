"""What can be seen in a call: dtypes, sizes of 0 and 1, sizes that are equal, arguments left out, the author's marks.

A feature is a name and a value. Draws are chosen so that each wrong kernel fails under each value of each feature, and
"right except where a feature holds" is a wrong kernel of its own.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch

from llmdrills.grading.authoring import Call, Kernel

__all__ = ["ABSENT", "Feature", "Seen", "features", "look", "order", "worded"]

Feature = tuple[str, object]
ABSENT = "absent"
"""The value of an argument that is left out."""


@dataclass(frozen=True)
class Seen:
    """What is found in one call: its features, and its sizes by name, those of its whole numbers and lists too."""

    found: dict[str, object]
    sizes: dict[str, int]


def features(kernel: Kernel, calls: Sequence[Call], marks: Sequence[Mapping[str, object]]) -> list[frozenset[Feature]]:
    """The features of each call, those left out that are the same in all.

    Sizes that are always equal (the batch of two tensors) count as one. Of two different sizes, their order is a
    feature.
    """
    signature = inspect.signature(kernel)
    seen = [look(signature, call, dict(mark)) for call, mark in zip(calls, marks, strict=True)]
    names = _independent([one.sizes for one in seen])
    tables = []
    for one in seen:
        table = {name: value for name, value in one.found.items() if name not in one.sizes or name in names}
        for a, b in combinations(names, 2):
            if a in one.sizes and b in one.sizes:
                table[f"{a} against {b}"] = order(one.sizes[a], one.sizes[b])
        tables.append(table)
    varying = {name for table in tables for name in table}
    varying = {name for name in varying if len({table.get(name, ABSENT) for table in tables}) > 1}
    return [frozenset((name, table.get(name, ABSENT)) for name in varying) for table in tables]


def worded(feature: Feature) -> str:
    """A feature as an author and a learner read it."""
    name, value = feature
    if " against " in name:
        a, _, b = name.partition(" against ")
        return f"{a} {value} {b}"
    if isinstance(value, bool):
        return name if value else f"not {name}"
    return f"{name} is {value}"


def look(signature: inspect.Signature, call: Call, marks: dict[str, object]) -> Seen:
    """What can be seen in one call to a kernel of that signature; `marks` are the author's."""
    bound = signature.bind(*call.args, **call.kwargs).arguments
    found: dict[str, object] = {}
    sizes: dict[str, int] = {}
    for name, parameter in signature.parameters.items():
        if name not in bound:
            found[name] = ABSENT
            continue
        value = bound[name]
        if isinstance(value, torch.Tensor):
            _look_at_tensor(name, value, found, sizes)
        else:
            _look_at_value(name, value, found, sizes)
            if parameter.default is not parameter.empty and value == parameter.default:
                found[f"{name} at its default"] = True
    found.update(marks)
    return Seen(found, sizes)


def _look_at_tensor(name: str, value: torch.Tensor, found: dict[str, object], sizes: dict[str, int]) -> None:
    found[f"{name}.dtype"] = str(value.dtype).removeprefix("torch.")
    found[f"{name}.dim()"] = value.dim()
    found[f"{name} contiguous"] = value.is_contiguous()
    for axis in range(value.dim()):
        # Counted from the end: leading dimensions come and go.
        size = f"{name}.size({axis - value.dim()})"
        sizes[size] = value.size(axis)
        found[size] = _count(value.size(axis))
    if not value.numel():
        return
    if value.is_floating_point():
        numbers = value.detach().double()
        found[f"{name} has large numbers"] = bool((numbers.nan_to_num(0.0, 0.0, 0.0).abs() > 50).any())
        found[f"{name} has -inf"] = bool((numbers == -math.inf).any())
        if value.dim() and value.size(-1) > 1:
            found[f"{name} has ties"] = bool((numbers.sort(-1).values.diff(dim=-1) == 0).any())
    elif value.dim():
        set_ = value != 0
        found[f"{name} all 0"], found[f"{name} all set"] = bool((~set_).all()), bool(set_.all())
        found[f"{name} has a row of 0"] = bool((~set_).all(-1).any())


def _look_at_value(name: str, value: Any, found: dict[str, object], sizes: dict[str, int]) -> None:
    if value is None or isinstance(value, bool):
        found[name] = str(value)
    elif isinstance(value, int):
        found[name], sizes[name] = _count(value), value
    elif isinstance(value, float):
        found[name] = 0 if value == 0 else 1 if value == 1 else "below 1" if value < 1 else "above 1"
    elif isinstance(value, str):
        found[f"len({name})"] = _count(len(value), most=3)
        found[f"{name} in ASCII"], found[f"{name} alphanumeric"] = value.isascii(), value.isalnum()
    elif isinstance(value, (list, tuple)):
        found[f"len({name})"], sizes[f"len({name})"] = _count(len(value), most=3), len(value)


def _count(number: int, most: int = 2) -> object:
    return number if 0 <= number < most else "negative" if number < 0 else f"{most} or more"


def order(one: int, other: int) -> str:
    """How one size stands to another."""
    return "equal to" if one == other else "less than" if one < other else "greater than"


def _independent(tables: Sequence[Mapping[str, int]]) -> list[str]:
    """The names of the sizes, one for each group of sizes that are equal in every call."""
    names = sorted({name for table in tables for name in table})
    groups: dict[tuple[int | None, ...], str] = {}
    for name in names:
        groups.setdefault(tuple(table.get(name) for table in tables), name)
    return list(groups.values())
