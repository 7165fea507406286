"""What a comparison gives, wherever a kernel uses it."""

from __future__ import annotations

import torch

from tests.grading.engines import lab


def test_should_take_a_truth_about_a_number_as_part_of_a_mask() -> None:
    made = lab.attempt(
        """
        @triton.jit
        def kernel(x, y, chosen, ignored, n, BLOCK: tl.constexpr):
            lane = tl.arange(0, BLOCK)
            counts = tl.load(chosen) != ignored
            v = tl.load(x + lane, mask=(lane < n) & counts, other=-1.0)
            tl.store(y + lane, v, mask=lane < n)


        def entry(x, chosen, ignored):
            y = torch.empty_like(x)
            kernel[(1,)](x, y, chosen, ignored, x.numel(), BLOCK=8)
            return y
        """
    )
    x = torch.arange(6.0)
    taken = lab.call(made, x, torch.tensor([3]), -100)
    left = lab.call(made, x, torch.tensor([-100]), -100)
    assert (taken.kinds, left.kinds) == ([], [])
    assert torch.equal(taken.result, x)
    assert torch.equal(left.result, torch.full((6,), -1.0))
