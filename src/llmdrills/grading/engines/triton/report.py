"""What the watch on Triton's interpreter found: plain data, without torch and without triton.

Everything here is made of str, int, float and tuples of them, so that it crosses a process boundary by
`grading/protocol`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

__all__ = ["KINDS", "Cost", "Event", "Fact", "KernelStoppedError", "Kind", "Limits", "Report"]

Fact: TypeAlias = str | int | float | tuple[str | int, ...]
Kind = Literal[
    "out-of-bounds",
    "race",
    "read-back",
    "torch-used",
    "does-not-compile",
    "too-large-grid",
    "too-much-work",
    "none-pointer",
    "no-grid",
    "helper-axes",
    "interpreter",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""The kinds of events. Of `race`, `read-back` and `torch-used` several may be reported, one of each place, and the call
goes on; every other kind ends the call with `KernelStoppedError`, so that it is the last event of its report.

The facts of each kind:

- `out-of-bounds`: `access` ("load", "store" or "atomic"), `outside` and `of` (how many of how many addresses that the
  mask lets through), `parameter` (the kernel's parameter; "" where the address belongs to no tensor), `shape`, `index`
  (the first bad one, in the tensor's own axes; it may be negative or beyond the shape), and `past` where the address
  lies that many elements past that index, between two elements of the tensor. Nothing was read or written.
- `race`: `how`: "write-write" (two programs store different values to one element), "read-write" (one program reads
  what another one writes, in no certain order), "lanes" (one store writes different values to one element); then
  `parameter`, `shape`, `index` (of the first such element), `elements` (how many) and `other` (the other program's
  index in the grid; absent for "lanes").
- `read-back`: a program reads an element that other threads of it wrote, without a barrier between: `parameter`,
  `shape`, `index`, `elements`, `stored_line` (where it was written).
- `torch-used`: `operator` (as "clone" or "_softmax"), `where`: "outside" of a launch, or "inside" a kernel; inside, it
  ends the call.
- `does-not-compile`: `message` (the compiler's words), `source` (the line's text).
- `too-large-grid`: `grid`, `programs` (their number), `limit`.
- `too-much-work`: `what` ("seconds" or "operations"), `limit`. An endless loop ends so, and so does a lock that nobody
  releases.
- `none-pointer`: `parameter` is None and is used as a pointer or a number; "" where its name is not known.
- `no-grid`: `how`: "called" (`kernel(x)`, without a grid in brackets), or what stands in the brackets is no grid:
  "not-a-tuple", "not-integers" or "too-many-axes" (of one to three), then with `grid`.
- `helper-axes`: `function` ("sum", "program_id", …) is given an axis that the block or the grid does not have: `axis`
  where it is known, and `message`.
- `interpreter`: the kernel raised something else: `type` and `message` of the exception that was the cause.
"""


@dataclass(frozen=True)
class Event:
    """One finding. `line` is in the attempt's file; `program` is the index in the grid, (x, y, z)."""

    kind: Kind
    line: int | None = None
    kernel: str | None = None
    program: tuple[int, ...] | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """What the launches of one call took, counted exactly.

    `loaded` and `stored` are bytes: the distinct elements that each load and each store touches through its mask,
    times their size; an atomic operation counts in both. `programs` are those that ran. `largest_tile` is the size in
    elements of the largest block that a kernel made, padding included (pointers and masks left out). `dot_flops` are
    2·M·N·K of every `tl.dot`, padding included. `atomics` are the lanes of atomic operations.
    """

    loaded: int = 0
    stored: int = 0
    launches: int = 0
    programs: int = 0
    largest_tile: int = 0
    dot_flops: int = 0
    atomics: int = 0


@dataclass(frozen=True)
class Report:
    """The events in the order in which they happened, and the cost up to the end or the stop."""

    events: tuple[Event, ...] = ()
    cost: Cost = field(default_factory=Cost)


@dataclass(frozen=True)
class Limits:
    """What one call may take in the interpreter.

    `seconds` of CPU time inside kernels, `operations` of the interpreter (blocks and scalars made), `programs` of one
    launch, and `events` that are kept of each kind.
    """

    seconds: float = 6.0
    operations: int = 3_000_000
    programs: int = 20_000
    events: int = 8


class KernelStoppedError(BaseException):
    """The watch ended the call: `event` says why. It is the last event of the watch's report.

    No `Exception`, so that neither Triton's interpreter nor an attempt's `except Exception` takes it for its own.
    """

    def __init__(self, event: Event) -> None:
        super().__init__(event.kind)
        self.event = event
