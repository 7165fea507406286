"""Estimates, from n samples a problem, of how often k samples succeed: one of them, or all."""

from __future__ import annotations

import math


def pass_at_k_any(num_samples: list[int], num_correct: list[int], k: int) -> float:
    """The mean over problems of the estimated score with k samples, from n samples of which c passed."""
    total = 0.0
    for n, c in zip(num_samples, num_correct, strict=True):
        if n < k:
            raise ValueError("fewer samples than k")
        ways = math.comb(n, k)  # an exact integer: floats of that size overflow
        lost = math.comb(n - c, k)  # the draws in which all fail; 0 where fewer than k failed
        total += 1 - lost / ways
    return total / len(num_samples)


def pass_at_k_all(num_samples: list[int], num_correct: list[int], k: int) -> float:
    """The mean over problems of the estimated score with k samples, from n samples of which c passed."""
    total = 0.0
    for n, c in zip(num_samples, num_correct, strict=True):
        if n < k:
            raise ValueError("fewer samples than k")
        ways = math.comb(n, k)  # an exact integer: floats of that size overflow
        won = math.comb(c, k)  # the draws in which all pass; 0 where fewer than k passed
        total += won / ways
    return total / len(num_samples)
