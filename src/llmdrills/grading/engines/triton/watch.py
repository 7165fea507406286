"""The watch around one call of an attempt: what it has seen, what it has counted, and when it is enough.

This module needs neither torch nor triton. `llmdrills.grading.engines.triton.hooks` holds what triton calls, and fills
in `machinery` when it is installed; the functions there ask `current` for the watch, and do nothing special without
one. The learner's process forgets the names of the grader's modules before an attempt runs, so nothing is imported
while one is being watched.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from llmdrills.grading.engines.triton.places import line_of
from llmdrills.grading.engines.triton.report import Cost, Event, Fact, KernelStoppedError, Kind, Limits, Report

__all__ = ["Machinery", "Watch", "current", "install", "installed", "watching"]

LOOK = 128
"""Operations of the interpreter between two looks at the clock."""


class Watch:
    """What one watched call did.

    `file` is the attempt's path; `files` are those whose lines are told: it, or else the files of the kernels that
    were launched. `kernel` and `program` are what runs now, None between launches.
    """

    def __init__(self, limits: Limits, file: str | None) -> None:
        self.limits = limits
        self.file = file
        self.files: set[str] = set() if file is None else {file}
        self.kernel: str | None = None
        self.program: tuple[int, ...] | None = None
        self.memory: Any = None  # of the launch that runs: `memory.Memory`
        self.given: Any = None  # the caller's memory: `memory.Given`
        self.stopped: KernelStoppedError | None = None
        self.loaded = self.stored = self.launches = self.programs = 0
        self.largest_tile = self.dot_flops = self.atomics = 0
        self.operations = 0
        self.busy = 0.0  # seconds of CPU time in the launches that have ended
        self._began = 0.0
        self._events: list[Event] = []
        self._seen: set[tuple[Any, ...]] = set()
        self._kept: Counter[str] = Counter()

    def report(self) -> Report:
        """What was found so far; may be asked at any time, also after `KernelStoppedError`."""
        cost = Cost(
            loaded=self.loaded,
            stored=self.stored,
            launches=self.launches,
            programs=self.programs,
            largest_tile=self.largest_tile,
            dot_flops=self.dot_flops,
            atomics=self.atomics,
        )
        return Report(tuple(self._events), cost)

    def line(self) -> int | None:
        """The attempt's line that is being run."""
        return line_of(self.files)

    def event(self, kind: Kind, facts: Mapping[str, Fact], *, line: int | None = None) -> Event:
        """An event at the place that runs now, or at `line`."""
        return Event(kind, self.line() if line is None else line, self.kernel, self.program, facts)

    def note(self, event: Event, *same: Any) -> None:
        """Keep an event, unless one of its kind, its line and `same` is kept already, or enough of its kind are."""
        key = (event.kind, event.line, *same)
        if key not in self._seen and self._kept[event.kind] < self.limits.events:
            self._seen.add(key)
            self._kept[event.kind] += 1
            self._events.append(event)

    def stop(self, event: Event) -> KernelStoppedError:
        """Keep the event that ends the call, whatever else was kept; raise what is returned."""
        self._events.append(event)
        self.stopped = KernelStoppedError(event)
        return self.stopped

    @contextmanager
    def launched(self, kernel: str) -> Iterator[None]:
        """One launch: its name, and its time."""
        self.kernel = kernel
        self._began = time.process_time()
        try:
            yield
        finally:
            self.busy += time.process_time() - self._began
            self.kernel = self.program = self.memory = None

    def made(self, elements: int, *, value: bool) -> None:
        """Count one block that a kernel made, and look at the clock now and then; `value`: no pointer and no mask."""
        if self.kernel is None:
            return
        if value and elements > self.largest_tile:
            self.largest_tile = elements
        self.operations += 1
        if not self.operations % LOOK:
            self.check_work()

    def check_work(self) -> None:
        """Raise KernelStoppedError where the call has had its time, or has done too much."""
        if self.operations > self.limits.operations:
            raise self.stop(self.event("too-much-work", {"what": "operations", "limit": self.limits.operations}))
        if self.busy + time.process_time() - self._began > self.limits.seconds:
            raise self.stop(self.event("too-much-work", {"what": "seconds", "limit": self.limits.seconds}))


class Machinery(Protocol):
    """What needs torch and triton, and is there once `prepare` has run."""

    def given(self, arguments: Any) -> Any:
        """Which memory belongs to the caller."""

    def operators(self, watch: Watch) -> AbstractContextManager[Any]:
        """Watches torch's operators."""

    def compile_gate(self, kernel: Any, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> Event | None:
        """The front end's verdict on one kernel."""


class _State:
    watch: Watch | None = None
    machinery: Machinery | None = None


_state = _State()


def current() -> Watch | None:
    """The watch that is on."""
    return _state.watch


def install(machinery: Machinery) -> None:
    """Say once what watches with torch and triton."""
    _state.machinery = machinery


def installed() -> Machinery | None:
    """What was installed."""
    return _state.machinery


@contextmanager
def watching(limits: Limits, *, file: str | None = None, given: Any = ()) -> Iterator[Watch]:
    """Watch every kernel that is launched inside the block, and torch's operators. One at a time: it is not re-entrant.

    `file` is the attempt's path, for lines; without it they are those of the kernels' own files. `given` holds the
    arguments of the call (tensors, in any nesting of lists, tuples and dicts): of their memory only the views that were
    given may be touched, while memory that the attempt allocated is its own throughout. Without `given`, of each
    tensor that a kernel gets only its own elements may be touched.
    Raises `KernelStoppedError` inside the block where a call must not go on, and RuntimeError without `prepare` or
    inside another watch.
    """
    machinery = _state.machinery
    if machinery is None:
        raise RuntimeError("engines.triton.prepare was not called in this process or before its fork")
    if _state.watch is not None:
        raise RuntimeError("one call is being watched already")
    watch = Watch(limits, file)
    watch.given = machinery.given(given)
    with machinery.operators(watch):
        _state.watch = watch
        try:
            yield watch
        finally:
            _state.watch = None
