"""Torch's global settings and generators around the call of a kernel."""

from __future__ import annotations

import random
from typing import Any

import torch

__all__ = ["current_settings", "restored", "seed_all"]

# Taken before the learner's file is imported, like everything that is used around its calls.
_random_seed, _cuda_awake, _cuda_seed = random.seed, torch.cuda.is_initialized, torch.cuda.manual_seed_all
_torch_seed = torch.default_generator.manual_seed
_get_dtype, _set_dtype = torch.get_default_dtype, torch.set_default_dtype
_get_grad, _set_grad = torch.is_grad_enabled, torch.set_grad_enabled


def seed_all(seed: int) -> None:
    """Seed Python's and torch's generators."""
    _random_seed(seed)
    # torch.manual_seed formats the stack once for each kind of device: a third of a millisecond, on every call.
    _torch_seed(seed)
    if _cuda_awake():
        _cuda_seed(seed)


def current_settings() -> tuple[Any, bool]:
    """Torch's default dtype, and whether gradients are recorded."""
    return _get_dtype(), _get_grad()


def restored(settings: tuple[Any, bool]) -> tuple[str, ...]:
    """Put torch's global settings back; the names of those that were changed."""
    dtype, grad = settings
    changed = []
    if _get_dtype() != dtype:
        _set_dtype(dtype)
        changed.append("default dtype")
    if _get_grad() != grad:
        _set_grad(grad)
        changed.append("grad mode")
    return tuple(changed)
