"""One step of sliding-window attention with sinks, and the cache that the next step needs."""

from __future__ import annotations

import math

import torch


def sliding_window_step(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    window: int,
    sinks: int = 0,
    cache: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    """Attend for the next tokens q, k (B, H, T, D), v (B, H, T, D_v); return their outputs and the bounded cache."""
    keys = k if cache is None else torch.cat((cache[0], k), dim=2)  # (B, H, S, D)
    values = v if cache is None else torch.cat((cache[1], v), dim=2)  # (B, H, S, D_v)
    S, T = keys.size(2), q.size(2)

    # Behind the sinks these places are neighbours in the sequence, so their differences are distances.
    key = torch.arange(S, device=q.device)  # (S,)
    query = torch.arange(S - T, S, device=q.device)[:, None]  # (T, 1)
    seen = (key <= query) & ((query - key < window) | (key < sinks))  # (T, S)
    scores = q @ keys.transpose(-2, -1) / math.sqrt(q.size(-1))  # (B, H, T, S)
    output = scores.masked_fill(~seen, -math.inf).softmax(dim=-1) @ values  # (B, H, T, D_v)

    return output, (_keep(keys, window, sinks), _keep(values, window, sinks))


def _keep(states: torch.Tensor, window: int, sinks: int) -> torch.Tensor:
    """The sinks and the last window − 1 of states (B, H, S, D): the next token is the last of its own window."""
    tail = states.size(2) - (window - 1)
    if tail <= sinks:
        return states
    return torch.cat((states[:, :, :sinks], states[:, :, tail:]), dim=2)
