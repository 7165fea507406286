"""Rotary positions, the two halves of a head turned against each other, in place: a program a token and head."""

import triton
import triton.language as tl


@triton.jit
def rotate_head(x, cos, sin, heads, HALF: tl.constexpr, BLOCK: tl.constexpr):
    token, head = tl.program_id(0), tl.program_id(1)
    i = tl.arange(0, BLOCK)
    inside = i < HALF
    first = x + (token * heads + head) * 2 * HALF + i
    a = tl.load(first, mask=inside, other=0.0)
    b = tl.load(first + HALF, mask=inside, other=0.0)
    c = tl.load(cos + token * HALF + i, mask=inside, other=0.0)
    s = tl.load(sin + token * HALF + i, mask=inside, other=0.0)
    tl.store(first, a * c - b * s, mask=inside)
    tl.store(first + HALF, b * c + a * s, mask=inside)


def entry(x, cos, sin):
    tokens, heads, width = x.shape
    half = width // 2
    rotate_head[(tokens, heads)](x, cos, sin, heads, half, triton.next_power_of_2(half))
    return x
