"""CUDA's mathematical functions in the interpreter, which has none of them: `libdevice.tanh` and its kin.

Those that numpy has are computed by it, in the type of the argument; every other one says that it is not there.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import triton.language as tl
import triton.runtime.interpreter as interpreter

__all__ = ["functions"]

_OF_ONE: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "cbrt": np.cbrt,
    "ceil": np.ceil,
    "cos": np.cos,
    "cosh": np.cosh,
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "fast_cosf": np.cos,
    "fast_expf": np.exp,
    "fast_log2f": np.log2,
    "fast_logf": np.log,
    "fast_sinf": np.sin,
    "fast_tanhf": np.tanh,
    "floor": np.floor,
    "log": np.log,
    "log10": np.log10,
    "log1p": np.log1p,
    "log2": np.log2,
    "nearbyint": np.rint,
    "rint": np.rint,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
    "trunc": np.trunc,
}
_OF_TWO: dict[str, Callable[..., Any]] = {
    "atan2": np.arctan2,
    "copysign": np.copysign,
    "fmod": np.fmod,
    "hypot": np.hypot,
    "pow": np.power,
}
_TESTS: dict[str, Callable[..., Any]] = {"isinf": np.isinf, "isnan": np.isnan}


def functions(libdevice: ModuleType) -> dict[str, Callable[..., Any]]:
    """What to put in the places of a libdevice module's functions, by name."""
    names = [name for name, one in vars(libdevice).items() if inspect.isfunction(one) and not name.startswith("_")]
    return {name: _known(name) or _missing(name) for name in names}


def _known(name: str) -> Callable[..., Any] | None:
    compute = _OF_ONE.get(name) or _OF_TWO.get(name) or _TESTS.get(name)
    if compute is None:
        return None

    def function(*arguments: Any, **_: Any) -> Any:
        tensors = [interpreter.interpreter_semantic.to_tensor(one) for one in arguments]
        arrays = np.broadcast_arrays(*(one.handle.data for one in tensors))
        kind = tl.int32 if name in _TESTS else tensors[0].dtype.scalar  # as in C, a test gives a whole number
        data = np.asarray(compute(*arrays)).astype(np.int32 if name in _TESTS else arrays[0].dtype)
        block = any(one.type.is_block() for one in tensors)
        handle = interpreter.TensorHandle(data, kind)
        return tl.tensor(handle, tl.block_type(kind, list(data.shape)) if block else kind)

    return function


def _missing(name: str) -> Callable[..., Any]:
    def function(*_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"Triton's interpreter has no libdevice.{name}")

    return function
