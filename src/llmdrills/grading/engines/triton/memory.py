"""The memory that the kernels of one launch may touch, and every access to it.

A pointer that a kernel gets carries the number of its parameter in its upper 16 bits. They are taken off again where
memory is touched, after every address was compared with the elements that the parameter's tensor really has: so an
access out of bounds is known to the element before anything is read or written.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from llmdrills.grading.engines.triton.report import Fact
from llmdrills.grading.engines.triton.shadow import SCALAR, Order, Shadow
from llmdrills.grading.engines.triton.watch import Watch

__all__ = ["Given", "Memory", "far_enough"]

Array = Any
TAG = 48
_ADDRESS = np.uint64((1 << TAG) - 1)
_FARTHEST = 1 << 44
"""Bytes: an offset beyond is cut off there, so that it cannot change the number of the parameter."""
_UINTS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def far_enough(offset: Array) -> Array:
    """Byte offsets, as int64, without what would run into the upper bits of a pointer."""
    return np.clip(offset, -_FARTHEST, _FARTHEST)


class _View(NamedTuple):
    """How a tensor lies in its storage; `start` in bytes, `strides` in elements. `dense`: it fills the storage."""

    storage: int
    bytes: int
    start: int
    itemsize: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dense: bool


def _view(tensor: Any) -> _View:
    storage = tensor.untyped_storage()
    itemsize = tensor.element_size()
    fills = tensor.numel() * itemsize == storage.nbytes()
    return _View(
        storage=int(storage.data_ptr()),
        bytes=int(storage.nbytes()),
        start=int(tensor.storage_offset()) * itemsize,
        itemsize=itemsize,
        shape=tuple(tensor.shape),
        strides=tuple(tensor.stride()),
        dense=bool(fills and tensor.is_contiguous()),
    )


def _elements(view: _View) -> Array:
    """Where its elements start, in bytes of its storage."""
    at = np.array(view.start)
    for size, stride in zip(view.shape, view.strides, strict=True):
        at = np.add.outer(at, np.arange(size) * (stride * view.itemsize))
    return at.ravel()


def _own(views: Iterable[_View], size: int) -> Array:
    """Which of a storage's bytes belong to these views."""
    own = np.zeros(size, bool)
    for view in views:
        at = _elements(view)
        for byte in range(view.itemsize):
            own[at + byte] = True
    return own


def _whole(own: Array, itemsize: int) -> Array:
    """The same by elements of a size: those of which every byte belongs to it."""
    count = own.size // itemsize
    return own[: count * itemsize].reshape(count, itemsize).all(axis=1)


def _distinct_count(at: Array) -> int:
    return int(at.size if at.size < 2 or (np.diff(at) > 0).all() else np.unique(at).size)


class Given:
    """The caller's memory: of each storage, the views that were given. `tensors` are kept alive meanwhile."""

    def __init__(self, tensors: Iterable[Any]) -> None:
        self._tensors = list(tensors)
        self._views: dict[int, list[_View]] = {}
        for tensor in self._tensors:
            view = _view(tensor)
            self._views.setdefault(view.storage, []).append(view)

    def __bool__(self) -> bool:
        return bool(self._tensors)

    def valid(self, view: _View) -> Array | None:
        """Which elements of the view's storage may be touched through it; None: all of them."""
        if not self._tensors:
            views = [view]
        elif view.storage in self._views:
            views = self._views[view.storage]
        else:
            return None
        if any(one.dense for one in views):
            return None
        return _whole(_own(views, view.bytes), view.itemsize)


class _Region:
    """A storage that a launch can reach; its elements are of the smallest size that a parameter gives them."""

    def __init__(self, base: int, size: int) -> None:
        self.base = base
        self.unit = 8
        self._shadow: Shadow | None = None
        self.bytes: Array = np.zeros(0, np.uint8)
        if size:
            self.bytes = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(base))

    @property
    def shadow(self) -> Shadow:
        """Made when it is needed: by then every parameter is known."""
        if self._shadow is None:
            self._shadow = Shadow(self.bytes.size // self.unit)
        return self._shadow


class _Parameter:
    """A tensor that a kernel was given."""

    def __init__(self, name: str, view: _View, region: _Region, valid: Array | None) -> None:
        self.name = name
        self.view = view
        self.region = region
        self._valid = valid
        self._count = view.bytes // view.itemsize
        region.unit = min(region.unit, view.itemsize)

    def bad(self, at: Array) -> Array:
        """Which of these elements of the storage are none of the tensor's."""
        outside = (at < 0) | (at >= self._count)
        if self._valid is None:
            return outside
        if outside.any():
            return outside | ~self._valid[np.where(outside, 0, at)] if self._count else outside
        return ~self._valid[at]

    def index(self, at: int) -> tuple[tuple[int, ...], int]:
        """Where an element of the storage stands in the tensor's axes, and how many elements past the last axis' step.

        The index is beyond the axes where the element is none of the tensor's.
        """
        rest = at - self.view.start // self.view.itemsize
        strides = self.view.strides
        found = [0] * len(strides)
        axes = [axis for axis, stride in enumerate(strides) if stride and self.view.shape[axis] != 1]
        axes = axes or [axis for axis, stride in enumerate(strides) if stride]
        axes.sort(key=lambda axis: -strides[axis])
        if rest < 0 and axes and rest % strides[axes[0]]:
            axes = axes[-1:]  # before the first row: (0, -100) says more than (-1, 50)
        for axis in axes:
            found[axis], rest = divmod(rest, strides[axis])
        return tuple(found), rest

    def facts(self, at: int) -> dict[str, Fact]:
        """The parameter and the index of one element, for an event."""
        index, past = self.index(at)
        facts: dict[str, Fact] = {"parameter": self.name, "shape": self.view.shape, "index": index}
        return facts | {"past": past} if past else facts

    def stored(self, at: Array) -> Array:
        """What elements hold now, as bits."""
        size = self.view.itemsize
        count = self.region.bytes.size // size
        return self.region.bytes[: count * size].view(_UINTS[size])[at]


class _Lanes(NamedTuple):
    """The lanes of an access that go to one parameter: elements of the storage, and places in the block."""

    parameter: _Parameter
    at: Array
    places: Array
    chosen: Array  # which of the lanes that the mask lets through

    def address(self) -> int:
        """Where the first lane goes."""
        return self.parameter.region.base + int(self.at[0]) * self.parameter.view.itemsize


class Memory:
    """Every access of one launch. `grid` has three axes."""

    def __init__(self, watch: Watch, given: Given, grid: tuple[int, int, int]) -> None:
        self.order = Order()
        self._watch = watch
        self._given = given
        self._grid = grid
        self._regions: dict[int, _Region] = {}
        self._parameters: list[_Parameter] = []
        self._blocks: dict[tuple[int, ...], int] = {}

    def tag(self, name: str, tensor: Any) -> Any:
        """Take in a tensor that the kernel was given; what its pointer is to carry in the upper bits."""
        view = _view(tensor)
        region = self._regions.setdefault(view.storage, _Region(view.storage, view.bytes))
        self._parameters.append(_Parameter(name, view, region, self._given.valid(view)))
        return np.uint64(len(self._parameters) << TAG)

    def load(self, pointers: Array, mask: Array, *, volatile: bool) -> Array:
        """The plain addresses of a load. A volatile load of one element waits for what was released there."""
        plain = pointers & _ADDRESS
        for lanes in self._lanes(pointers, plain, mask, "load"):
            parameter = lanes.parameter
            self._watch.loaded += _distinct_count(lanes.at) * parameter.view.itemsize
            if volatile and lanes.at.size == 1:
                self.order.acquire(lanes.address())
                continue
            units, places = self._units(lanes)
            found = parameter.region.shadow.read(units, places, self.order)
            if found.raced.any():
                self._race("read-write", lanes, units, found.raced)
            if found.read_back.any():
                self._read_back(lanes, units, found.read_back)
        return plain

    def store(self, pointers: Array, values: Array, mask: Array) -> Array:
        """The plain addresses of a store of `values` (of the pointers' shape, or a scalar)."""
        plain = pointers & _ADDRESS
        chosen = np.broadcast_to(values, pointers.shape)[np.broadcast_to(mask, pointers.shape)].ravel()
        line = self._watch.line()
        for lanes in self._lanes(pointers, plain, mask, "store"):
            bits = self._bits(chosen[lanes.chosen], lanes.parameter.view.itemsize)
            lanes, bits = self._distinct(lanes, bits)
            self._watch.stored += lanes.at.size * lanes.parameter.view.itemsize
            changed = np.ones(lanes.at.size, bool) if bits is None else lanes.parameter.stored(lanes.at) != bits
            self._write(lanes, changed, line, atomic=False)
        return plain

    def atomic(self, pointers: Array, mask: Array, meaning: str) -> Array:
        """The plain addresses of an atomic operation. `meaning` names its memory order: "ACQUIRE", "RELEASE", both."""
        plain = pointers & _ADDRESS
        line = self._watch.line()
        for lanes in self._lanes(pointers, plain, mask, "atomic"):
            one = lanes.at.size == 1
            self._watch.atomics += lanes.at.size
            distinct, _ = self._distinct(lanes, None)
            moved = distinct.at.size * lanes.parameter.view.itemsize
            self._watch.loaded += moved
            self._watch.stored += moved
            self._write(distinct, np.ones(distinct.at.size, bool), line, atomic=True)
            # After the write: an element does not order the accesses of itself.
            if one and "ACQUIRE" in meaning:
                self.order.acquire(lanes.address())
            if one and "RELEASE" in meaning:
                self.order.release(lanes.address())
        return plain

    def _lanes(self, pointers: Array, plain: Array, mask: Array, access: str) -> Iterator[_Lanes]:
        """The lanes that the mask lets through, by parameter; stops the call where one is out of bounds."""
        let = np.broadcast_to(mask, pointers.shape)
        tags, addresses = pointers[let] >> np.uint64(TAG), plain[let].astype(np.int64)
        if not tags.size:
            return
        places = np.array([SCALAR]) if pointers.size == 1 else np.flatnonzero(let) + self._block(pointers.shape)
        found = [tags[0]] if tags.min() == tags.max() else np.unique(tags)
        ready = []
        for tag in found:
            number = int(tag)
            chosen = np.ones(tags.size, bool) if len(found) == 1 else tags == tag
            if not 0 < number <= len(self._parameters):
                raise self._outside(access, None, int(chosen.sum()), tags.size, 0)
            parameter = self._parameters[number - 1]
            at = (addresses[chosen] - parameter.region.base) // parameter.view.itemsize
            bad = parameter.bad(at)
            if bad.any():
                raise self._outside(access, parameter, int(bad.sum()), tags.size, int(at[int(np.argmax(bad))]))
            ready.append(_Lanes(parameter, at, places[chosen], chosen))
        yield from ready

    def _outside(self, access: str, parameter: _Parameter | None, outside: int, of: int, at: int) -> BaseException:
        facts: dict[str, Fact] = {"access": access, "outside": outside, "of": of}
        facts |= {"parameter": "", "shape": (), "index": ()} if parameter is None else parameter.facts(at)
        return self._watch.stop(self._watch.event("out-of-bounds", facts))

    def _block(self, shape: tuple[int, ...]) -> int:
        """A number that sets the places in blocks of this shape apart from those of others."""
        return self._blocks.setdefault(shape, len(self._blocks)) << 32

    def _units(self, lanes: _Lanes) -> tuple[Array, Array]:
        """The elements and places in the units of the storage's shadow."""
        times = lanes.parameter.view.itemsize // lanes.parameter.region.unit
        if times == 1:
            return lanes.at, lanes.places
        return (lanes.at[:, None] * times + np.arange(times)).ravel(), np.repeat(lanes.places, times)

    @staticmethod
    def _bits(values: Array, itemsize: int) -> Array | None:
        values = np.ascontiguousarray(values)
        return values.view(_UINTS[itemsize]) if values.itemsize == itemsize else None

    def _distinct(self, lanes: _Lanes, bits: Array | None) -> tuple[_Lanes, Array | None]:
        """Each element once; says so where one store gives an element two values."""
        if lanes.at.size < 2 or (np.diff(lanes.at) > 0).all():
            return lanes, bits
        order = np.argsort(lanes.at, kind="stable")
        at = lanes.at[order]
        again = at[1:] == at[:-1]
        if bits is not None:
            bits = bits[order]
            differs = np.zeros(at.size, bool)
            differs[1:] = again & (bits[1:] != bits[:-1])
            if differs.any():
                self._race("lanes", lanes, at, differs, other=False)
        once = np.append(~again, True)
        kept = _Lanes(lanes.parameter, at[once], lanes.places[order][once], lanes.chosen)
        return kept, None if bits is None else bits[once]

    def _write(self, lanes: _Lanes, changed: Array, line: int | None, *, atomic: bool) -> None:
        units, places = self._units(lanes)
        changed = np.repeat(changed, units.size // max(1, lanes.at.size))
        shadow = lanes.parameter.region.shadow
        found = shadow.write(units, self.order, changed=changed, atomic=atomic)
        if found.rewritten.any():
            self._race("write-write", lanes, units, found.rewritten)
        if found.read.any():
            self._race("read-write", lanes, units, found.read, reader=True)
        kept = changed | (shadow.writer[units] >= 0)
        shadow.record(units[kept], places[kept], self.order, line=line or 0, atomic=atomic)

    def _race(
        self, how: str, lanes: _Lanes, units: Array, raced: Array, *, other: bool = True, reader: bool = False
    ) -> None:
        parameter = lanes.parameter
        first = int(units[int(np.argmax(raced))])
        times = parameter.view.itemsize // parameter.region.unit if other else 1
        facts: dict[str, Fact] = {"how": how, **parameter.facts(first // times), "elements": int(raced.sum()) // times}
        if other:
            shadow = parameter.region.shadow
            number = int(shadow.writer[first])
            if reader:
                number = int(shadow.reader[first])
                if number == self.order.number:
                    number = int(shadow.reader_before[first])
            facts["other"] = self.program(number)
        self._watch.note(self._watch.event("race", facts), how, parameter.name)

    def _read_back(self, lanes: _Lanes, units: Array, back: Array) -> None:
        parameter = lanes.parameter
        first = int(units[int(np.argmax(back))])
        times = parameter.view.itemsize // parameter.region.unit
        facts: Mapping[str, Fact] = {
            **parameter.facts(first // times),
            "elements": int(back.sum()) // times,
            "stored_line": int(parameter.region.shadow.line[first]),
        }
        self._watch.note(self._watch.event("read-back", facts), parameter.name)

    def program(self, number: int) -> tuple[int, int, int]:
        """The index in the grid of the program that the interpreter runs as the `number`-th, from 0."""
        _, y, z = self._grid
        return number // (y * z), number // z % y, number % z
