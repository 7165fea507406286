"""Tensor values as arrays, and how far an answer may lie from the oracle's. numpy, not torch: the command compares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from llmdrills.errors import MissingExtraError
from llmdrills.grading.protocol.wire import TensorValue

if TYPE_CHECKING:
    import numpy.typing as npt

    Array: TypeAlias = npt.NDArray[Any]

__all__ = ["FLOATING", "TOLERANCES", "array", "is_floating", "limits", "load_numpy"]

FLOATING = ("float16", "bfloat16", "float32", "float64", "float8_e4m3fn", "float8_e5m2")

TOLERANCES: dict[str, tuple[float, float]] = {
    "float64": (1e-7, 1e-7),
    "float32": (1.3e-6, 1e-5),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
    # Half types: one unit in the last place. What counts there is the same-precision reference, see `limits`.
    "float16": (2.0**-10, 1e-5),
    "bfloat16": (2.0**-7, 1e-5),
}
"""dtype → (relative, absolute), as torch.testing has them for float32 and float64."""


def load_numpy() -> Any:
    """numpy, imported at the first comparison. Raises MissingExtraError: it comes with the torch extra."""
    try:
        import numpy
    except ModuleNotFoundError:
        raise MissingExtraError("numpy") from None
    return numpy


def is_floating(dtype: str) -> bool:
    """Whether the dtype is a real floating one."""
    return dtype in FLOATING


def array(tensor: TensorValue) -> Array:
    """The tensor's numbers: float64 where floating, complex128 where complex, else the dtype's own integers or
    bools."""
    np = load_numpy()
    if tensor.dtype == "bfloat16":
        raw = np.frombuffer(tensor.data, dtype="<u2").astype("<u4") << 16
        found = raw.view("<f4").astype(np.float64)
    elif tensor.dtype.startswith("float8"):
        found = np.frombuffer(tensor.data, dtype=np.uint8)  # compared bit by bit
    else:
        found = np.frombuffer(tensor.data, dtype=np.dtype(tensor.dtype))
        if tensor.dtype in FLOATING:
            found = found.astype(np.float64)
        elif tensor.dtype.startswith("complex"):
            found = found.astype(np.complex128)
    shaped: Array = found.reshape(tensor.shape)
    return shaped


def limits(
    want: Array, dtype: str, rtol: float | None = None, atol: float | None = None, baseline: float = 0.0
) -> Array:
    """How far each number may lie from `want`.

    A case's own `rtol` and `atol` hold as they are. Else the dtype's, and never less than twice `baseline`: the
    greatest error of the reference itself, computed in the precision of its inputs.
    """
    np = load_numpy()
    relative, absolute = TOLERANCES.get(dtype, (0.0, 0.0))
    with np.errstate(invalid="ignore", over="ignore"):
        size = np.where(np.isfinite(want), np.abs(want), 0.0)
    if rtol is not None or atol is not None:
        found = (absolute if atol is None else atol) + (relative if rtol is None else rtol) * size
    elif dtype in TOLERANCES:
        found = np.maximum(absolute + relative * size, 2.0 * baseline)
    else:
        found = np.zeros(np.shape(want))
    result: Array = found
    return result
