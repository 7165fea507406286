"""The small model, run by kernels: everything that a kata teaches is called, the rest is written here.

What is not covered: training (`llmdrills.grading.play.train`), several texts that are generated at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from llmdrills.grading.play.kernels import KernelFailed, Kernels
from llmdrills.grading.play.shape import Shape
from llmdrills.grading.play.weights import Checkpoint

__all__ = ["Cache", "Decoder", "Rows", "loaded"]

DTYPE = torch.float32
PAIRED = 2
"""Tensors that hold a head's cache: keys and values."""


@dataclass(frozen=True)
class Rows:
    """Where the tokens of one call stand.

    positions: (B, T); masks: bool (B, 1, T, S) for each window; tokens: bool (B, T), False where there is padding.
    `alone`: one text without padding, whose first layer is run head by head.
    """

    positions: Tensor
    masks: dict[int | None, Tensor]
    tokens: Tensor
    alone: bool = False


@dataclass
class Cache:
    """What is kept of the tokens before: keys and values of each layer, and for the first layer, where a text runs
    alone, its inputs and a cache for each head."""

    keys: dict[int, Tensor] = field(default_factory=dict)  # (B, H_kv, S, D)
    values: dict[int, Tensor] = field(default_factory=dict)
    inputs: Tensor | None = None  # (1, S, C)
    heads: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)  # (1, S, D) each

    def grow(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add those of the new tokens; all so far."""
        if layer in self.keys:
            keys = torch.cat((self.keys[layer], keys), dim=2)
            values = torch.cat((self.values[layer], values), dim=2)
        self.keys[layer], self.values[layer] = keys, values
        return keys, values


def loaded(checkpoint: Checkpoint, shape: Shape, kernels: Kernels) -> Checkpoint:
    """The weights as they run: converted to halves, norms with their 1, the feed-forward weights through int8.

    The file's tensors stay as they are. Raises KernelFailed.
    """
    given = {name: w.to(DTYPE) for name, w in checkpoint.items()}
    kata = "checkpoint-conversion"
    found = kernels.call(kata, given, shape.heads, shape.kv_heads, zero_centred=True)
    if type(found) is not dict or found.keys() != given.keys():
        raise KernelFailed(kata, "it returned no dict with the names that it was given")
    weights = {}
    for name, w in found.items():
        weights[name] = kernels.usable(kata, w, checkpoint[name].shape, DTYPE, name)
        if ".mlp." in name:
            results = kernels.parts("int8-absmax", 3, weights[name])
            weights[name] = kernels.usable("int8-absmax", results[2], w.shape, DTYPE, "third result")
    return weights


class Decoder:
    """RMSNorm, rotary positions, grouped attention, SwiGLU, a tied head. Every method may raise KernelFailed."""

    def __init__(self, shape: Shape, weights: Checkpoint, kernels: Kernels) -> None:
        self.shape = shape
        self._weights = weights
        self._kernels = kernels

    def logits(self, tokens: Tensor, rows: Rows, cache: Cache) -> Tensor:
        """Logits (B, T, V) of the tokens after tokens (B, T), which follow those in the cache; the cache grows."""
        x = self._weights["model.embed_tokens.weight"][tokens]  # (B, T, C)
        for layer in range(len(self.shape.windows)):
            name = f"model.layers.{layer}"
            mixed = self._attend(self._norm(x, f"{name}.input_layernorm"), layer, rows, cache)
            # Padding on the left sees nothing, and 0/0 is NaN: what comes of it must not reach a token.
            mixed = mixed.masked_fill(~rows.tokens[..., None], 0.0)
            x = x + mixed @ self._weights[f"{name}.self_attn.o_proj.weight"].mT  # (B, T, C)
            x = x + self._feed_forward(self._norm(x, f"{name}.post_attention_layernorm"), f"{name}.mlp")
        x = self._norm(x, "model.norm")
        return x @ self._weights["model.embed_tokens.weight"].mT

    def rows(self, padding: Tensor, length: int, *, alone: bool = False) -> Rows:
        """The last `length` columns of a batch whose padding (B, S) is 1 where a token stands."""
        B, S = padding.shape
        kernels = self._kernels
        positions = kernels.tensor("position-ids", (B, length), torch.int64, padding, length)
        wanted = (B, 1, length, S)
        masks = {
            window: kernels.tensor("attention-mask", wanted, torch.bool, padding, length, causal=True, window=window)
            for window in dict.fromkeys(self.shape.windows)
        }
        return Rows(positions, masks, padding[:, -length:] != 0, alone)

    def packed_rows(self, documents: Tensor) -> Rows:
        """Rows that hold several texts each; documents (B, T) numbers them from 1, and 0 is padding."""
        B, T = documents.shape
        kata = "packed-sequence-mask"
        parts = self._kernels.parts(kata, 2, documents)
        mask = self._kernels.usable(kata, parts[0], (B, 1, T, T), torch.bool, "mask")
        positions = self._kernels.usable(kata, parts[1], (B, T), torch.int64, "position ids")
        distance = torch.arange(T)[:, None] - torch.arange(T)  # (T, T): in a text, distances are as they are alone
        masks = {window: mask if window is None else mask & (distance < window) for window in self.shape.windows}
        return Rows(positions, masks, documents != 0)

    def _attend(self, x: Tensor, layer: int, rows: Rows, cache: Cache) -> Tensor:
        """The heads' outputs side by side, (B, T, H·D)."""
        if layer == 0 and rows.alone:
            return self._heads_apart(x, cache)
        B, T, _ = x.shape
        shape = self.shape
        q, k, v = (self._projected(x, layer, which) for which in "qkv")  # (B, H or H_kv, T, D)
        q, k = (
            self._kernels.tensor("rope-pairing", one.shape, DTYPE, one, rows.positions, shape.base) for one in (q, k)
        )
        k, v = cache.grow(layer, k, v)
        mask = rows.masks[shape.windows[layer]]
        wanted = (B, shape.heads, T, shape.head_width)
        if layer == 0:
            k, v = (one.repeat_interleave(shape.heads // shape.kv_heads, dim=1) for one in (k, v))
            kata = "scaled-dot-product-attention"
            mixed = self._kernels.usable(kata, self._kernels.parts(kata, 2, q, k, v, mask)[0], wanted, DTYPE, "output")
        else:
            mixed = self._kernels.tensor("grouped-query-attention", wanted, DTYPE, q, k, v, mask)
        return mixed.transpose(1, 2).flatten(2)

    def _heads_apart(self, x: Tensor, cache: Cache) -> Tensor:
        """The first layer of a text that runs alone: each head is one call, with a cache of its own."""
        shape, kata = self.shape, "kv-cache-step"
        cache.inputs = x if cache.inputs is None else torch.cat((cache.inputs, x), dim=1)  # (1, S, C)
        weights = [self._heads_of(0, which) for which in "qkv"]  # (H or H_kv, D, C)
        outputs = []
        for head in range(shape.heads):
            places = (head, *[head // (shape.heads // shape.kv_heads)] * 2)
            own = [w[at].mT for w, at in zip(weights, places, strict=True)]  # (C, D) each
            known = cache.heads.get(head)
            output, grown = self._kernels.parts(kata, 2, cache.inputs, *own, known, shape.base)
            wanted = (1, x.size(1), shape.head_width)
            outputs.append(self._kernels.usable(kata, output, wanted, DTYPE, "output"))
            if type(grown) is not tuple or len(grown) != PAIRED:
                raise KernelFailed(kata, "it returned a cache that is no tuple of keys and values")
            cache.heads[head] = grown
        return torch.cat(outputs, dim=-1)

    def _heads_of(self, layer: int, which: str) -> Tensor:
        weight = self._weights[f"model.layers.{layer}.self_attn.{which}_proj.weight"]
        return weight.unflatten(0, (-1, self.shape.head_width))

    def _projected(self, x: Tensor, layer: int, which: str) -> Tensor:
        weight = self._weights[f"model.layers.{layer}.self_attn.{which}_proj.weight"]
        return (x @ weight.mT).unflatten(-1, (-1, self.shape.head_width)).transpose(1, 2)

    def _norm(self, x: Tensor, name: str) -> Tensor:
        weight = self._weights[f"{name}.weight"]
        return self._kernels.tensor("rms-norm", x.shape, DTYPE, x, weight, self.shape.eps)

    def _feed_forward(self, x: Tensor, name: str) -> Tensor:
        weights = (self._weights[f"{name}.{which}_proj.weight"] for which in ("gate_up", "down"))
        return self._kernels.tensor("swiglu", x.shape, DTYPE, x, *weights)
