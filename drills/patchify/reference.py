"""Images as sequences of patch tokens, in the two orders of pixels that checkpoints are trained with."""

from __future__ import annotations

import torch


def patchify_channels_first(images: torch.Tensor, patch_size: int) -> torch.Tensor:
    """Cut images (B, C, H, W) into square patches, one token each: (B, H/P · W/P, C · P · P)."""
    b, c, h, w = images.shape
    p = patch_size
    if h % p or w % p:
        raise ValueError("the sides are not multiples of the patch")
    rows, columns = h // p, w // p
    # A row number is (row of the grid) · P + (row within the patch): H splits into these two, in this order.
    grid = images.reshape(b, c, rows, p, columns, p)
    tokens = grid.permute(0, 2, 4, 1, 3, 5)  # (B, H/P, W/P, C, P, P)
    return tokens.reshape(b, rows * columns, c * p * p)


def patchify_channels_last(images: torch.Tensor, patch_size: int) -> torch.Tensor:
    """Cut images (B, C, H, W) into square patches, one token each: (B, H/P · W/P, C · P · P)."""
    b, c, h, w = images.shape
    p = patch_size
    if h % p or w % p:
        raise ValueError("the sides are not multiples of the patch")
    rows, columns = h // p, w // p
    # A row number is (row of the grid) · P + (row within the patch): H splits into these two, in this order.
    grid = images.reshape(b, c, rows, p, columns, p)
    tokens = grid.permute(0, 2, 4, 3, 5, 1)  # (B, H/P, W/P, P, P, C)
    return tokens.reshape(b, rows * columns, c * p * p)
