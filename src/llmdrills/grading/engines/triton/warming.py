"""A small kernel, launched once before the first attempt."""

# Triton reads the annotations of a kernel itself, so there are none for mypy.
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

import triton
import triton.language as tl

__all__ = ["double"]


@triton.jit
def _total(x):
    return tl.sum(x, 0)


@triton.jit
def double(x, y, n, BLOCK: tl.constexpr):
    """Some of what kernels do."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + at, mask=at < n, other=0.0)
    tile = tl.zeros([16, 16], tl.float32)
    tile = tl.dot(tile, tile, tile)
    tl.store(y + at, value + tl.exp(_total(value)) + tl.max(tl.max(tile, 0), 0), mask=at < n)
