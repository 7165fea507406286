"""A learning rate that warms up linearly, falls along half a cosine, and stays at its floor."""

from __future__ import annotations

import math


def learning_rate_from_zero(step: int, peak: float, warmup_steps: int, total_steps: int, floor: float = 0.0) -> float:
    """The learning rate of one step; the first step is 0."""
    if step < warmup_steps:
        return peak * step / warmup_steps
    return _decayed(step, peak, warmup_steps, total_steps, floor)


def learning_rate_from_first(step: int, peak: float, warmup_steps: int, total_steps: int, floor: float = 0.0) -> float:
    """The learning rate of one step; the first step is 0."""
    if step < warmup_steps:
        return peak * (step + 1) / (warmup_steps + 1)
    return _decayed(step, peak, warmup_steps, total_steps, floor)


def _decayed(step: int, peak: float, warmup_steps: int, total_steps: int, floor: float) -> float:
    if step >= total_steps:  # asked before the division, which has nothing to divide by where all is warm-up
        return floor
    progress = (step - warmup_steps) / (total_steps - warmup_steps)  # 0 at the peak, below 1
    share = (1 + math.cos(math.pi * progress)) / 2  # from 1 down to 0
    return floor + (peak - floor) * share
