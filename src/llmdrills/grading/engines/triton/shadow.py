"""Who wrote and who read each element last, and what is known to have happened before what.

The interpreter runs one program after another, so a race never shows in its values. Two accesses of one element by
different programs are a race where one of them writes it, not both are atomic, and nothing orders them. What orders
them is an atomic operation on a single element that releases, followed by one on the same element that acquires: a
lock, or a counter of programs that are done. A store that changes nothing is no write: nobody can tell.

Within one program, an element that is stored and then loaded is read by another thread, unless there is a barrier
between, or the block that is loaded has each element at the place where the block that was stored had it.

What is not covered: what atomic operations happen to order while programs run one after another counts as ordered, also
where another order is possible; of several races on one element, those that its last writer or its last two readers do
not show; an element that a program loads and then stores at another place of the block, without a barrier.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Order", "Reading", "Shadow", "Writing"]

Array = Any
SCALAR = -1
"""The place of a scalar: a scalar is stored by one thread and loaded by all."""


class Order:
    """The program that runs, and what it knows to have happened before. `tick` only grows.

    `number` is the program's place in the order in which the interpreter runs them.
    """

    def __init__(self) -> None:
        self.number = -1
        self.tick = 0
        self.barrier_tick = 0
        self._known: dict[int, int] = {}  # by program: up to which tick its accesses are over
        self._released: dict[int, dict[int, int]] = {}  # by address: what whoever acquires there gets to know

    def begin(self) -> None:
        """The next program: it knows nothing of the ones before."""
        self.number += 1
        self._known = {}
        self.barrier()

    def barrier(self) -> None:
        """The threads of this program wait for each other."""
        self.tick += 1
        self.barrier_tick = self.tick

    def acquire(self, address: int) -> None:
        """Get to know what was released at this address."""
        for program, tick in self._released.get(address, {}).items():
            if self._known.get(program, -1) < tick:
                self._known[program] = tick
        self.barrier()

    def release(self, address: int) -> None:
        """Let whoever acquires here know what is over by now."""
        told = self._released.setdefault(address, {})
        for program, tick in self._known.items():
            if told.get(program, -1) < tick:
                told[program] = tick
        told[self.number] = self.tick
        self.barrier()

    def unordered(self, programs: Array, ticks: Array) -> Array:
        """Which accesses, of these programs at these ticks, may still be under way."""
        others = (programs >= 0) & (programs != self.number)
        if self._known and others.any():
            known = np.array([self._known.get(int(program), -1) for program in programs], np.int64)
            others &= ticks > known
        return others


class Reading(NamedTuple):
    """Of the elements that are loaded: which another program writes, which other threads of this one wrote."""

    raced: Array
    read_back: Array


class Writing(NamedTuple):
    """Of the elements that are stored: which another program writes too, which another program reads."""

    rewritten: Array
    read: Array


class Shadow:
    """One number for each element of a piece of memory: its last writer, its last two readers, and when that was."""

    def __init__(self, elements: int) -> None:
        def numbers(kind: type = np.int32) -> Array:
            return np.full(elements, -1, kind)

        self.writer, self.written, self.place = numbers(), numbers(), numbers(np.int64)
        self.line = numbers()
        self.atomic = np.zeros(elements, bool)
        self.reader, self.was_read = numbers(), numbers()
        self.reader_before, self.was_read_before = numbers(), numbers()

    def read(self, at: Array, places: Array, order: Order) -> Reading:
        """Elements `at` are loaded; `places` are their places in the block."""
        writer = self.writer[at]
        raced = order.unordered(writer, self.written[at])
        mine = (writer == order.number) & (self.written[at] >= order.barrier_tick) & ~self.atomic[at]
        read_back = mine & ((self.place[at] != places) | (places == SCALAR))
        reader = self.reader[at]
        first = reader != order.number
        self.reader_before[at[first]] = reader[first]
        self.was_read_before[at[first]] = self.was_read[at[first]]
        self.reader[at], self.was_read[at] = order.number, order.tick
        return Reading(raced, read_back)

    def write(self, at: Array, order: Order, *, changed: Array, atomic: bool) -> Writing:
        """Distinct elements `at` are stored; `changed` are those that get another value than they have."""
        writer, reader, was_read = self.writer[at], self.reader[at], self.was_read[at]
        rewritten = order.unordered(writer, self.written[at]) & changed
        if atomic:
            rewritten &= ~self.atomic[at]
        own = reader == order.number
        reader = np.where(own, self.reader_before[at], reader)
        was_read = np.where(own, self.was_read_before[at], was_read)
        return Writing(rewritten, order.unordered(reader, was_read) & changed)

    def record(self, at: Array, places: Array, order: Order, *, line: int, atomic: bool) -> None:
        """Remember who wrote elements `at`, and in which line; a store stays before atomic operations of one's own."""
        if atomic:
            plain = (self.writer[at] == order.number) & ~self.atomic[at]
            at, places = at[~plain], places[~plain]
        self.writer[at], self.written[at], self.place[at] = order.number, order.tick, places
        self.line[at], self.atomic[at] = line, atomic
