"""The symmetric contrastive loss of CLIP over a batch of image–text pairs."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def clip_loss(image_features: torch.Tensor, text_features: torch.Tensor, logit_scale: torch.Tensor) -> torch.Tensor:
    """How badly N images and their N texts, (N, D) both, find each other: a scalar."""
    wide = torch.promote_types(image_features.dtype, torch.float32)
    images = F.normalize(image_features.to(wide), dim=-1)
    texts = F.normalize(text_features.to(wide), dim=-1)
    scale = logit_scale.exp()  # the parameter is a logarithm: the factor stays positive
    logits = scale * images @ texts.T  # (N, N), the right pairs on the diagonal
    targets = torch.arange(logits.size(0), device=logits.device)
    by_image = F.cross_entropy(logits, targets)  # each row finds its column
    by_text = F.cross_entropy(logits.T, targets)  # each column finds its row
    return (by_image + by_text) / 2
