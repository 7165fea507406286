"""Trains the small model on stories of the grammar, and writes its weights.

    python -m llmdrills.grading.play.train  # 10 minutes on one core; writes model.safetensors beside this file
    python -m llmdrills.grading.play.train --steps 50 --out /tmp/model.safetensors

The same seed, torch and processor give the same weights; another processor gives others, as good.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from llmdrills.grading.play.digest import WEIGHTS
from llmdrills.grading.play.grammar import stories
from llmdrills.grading.play.heldout import HELD_OUT_SEED
from llmdrills.grading.play.shape import SHAPE, Shape
from llmdrills.grading.play.tokens import END, Pair, Tokens, learn_merges
from llmdrills.grading.play.weights import Checkpoint, write_weights

SEED = 1
STORIES = 24_000
BATCH = 16
RATE = 4e-3
MUON_RATE = 0.02
WARM_STEPS = 60


def main() -> None:
    """Train, say how it goes on stderr, and write the file."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--steps", type=int, default=1500)
    options.add_argument("--out", type=Path, default=WEIGHTS)
    chosen = options.parse_args()
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    texts = stories(STORIES, SEED)
    merges = learn_merges(texts[:3000], SHAPE.vocabulary - END - 1)
    weights = _new_weights(SHAPE)
    loss = _train(weights, SHAPE, _batches(_rows(texts, merges)), chosen.steps)
    with torch.no_grad():
        held_out = _held_out_loss(weights, SHAPE, merges)
    _tell(f"loss {loss:.4f}, held out {held_out:.4f}, perplexity {math.exp(held_out):.4f}")
    metadata = {"format": "pt", "merges": json.dumps(merges), "steps": str(chosen.steps), "loss": f"{held_out:.4f}"}
    write_weights(chosen.out, stored(weights, SHAPE), metadata)


def _new_weights(shape: Shape) -> Checkpoint:
    """Random weights, under the names that transformers gives them; norms as they are used."""
    C, D, F = shape.width, shape.head_width, shape.hidden

    def matrix(rows: int, columns: int, scale: float = 1.0) -> Tensor:
        return (torch.randn(rows, columns) * scale / math.sqrt(columns)).requires_grad_()

    found = {"model.embed_tokens.weight": (torch.randn(shape.vocabulary, C) * 0.05).requires_grad_()}
    back = 1 / math.sqrt(2 * len(shape.windows))  # what is added to the stream, summed over the layers
    for layer in range(len(shape.windows)):
        name = f"model.layers.{layer}"
        found[f"{name}.input_layernorm.weight"] = torch.ones(C, requires_grad=True)
        found[f"{name}.self_attn.q_proj.weight"] = matrix(shape.heads * D, C)
        found[f"{name}.self_attn.k_proj.weight"] = matrix(shape.kv_heads * D, C)
        found[f"{name}.self_attn.v_proj.weight"] = matrix(shape.kv_heads * D, C)
        found[f"{name}.self_attn.o_proj.weight"] = matrix(C, shape.heads * D, back)
        found[f"{name}.post_attention_layernorm.weight"] = torch.ones(C, requires_grad=True)
        found[f"{name}.mlp.gate_up_proj.weight"] = matrix(2 * F, C)
        found[f"{name}.mlp.down_proj.weight"] = matrix(C, F, back)
    found["model.norm.weight"] = torch.ones(C, requires_grad=True)
    return found


def stored(weights: Checkpoint, shape: Shape) -> Checkpoint:
    """The weights as the file holds them: rotated pairs as neighbours, norms as w − 1."""
    found: Checkpoint = {}
    for name, w in weights.items():
        if "q_proj" in name or "k_proj" in name:
            heads = shape.heads if "q_proj" in name else shape.kv_heads
            w = w.reshape(heads, 2, -1, w.size(1)).transpose(1, 2).reshape(w.shape)  # row i beside row i + D/2
        found[name] = w - 1 if name.endswith("norm.weight") else w
    return found


# The model, written out plainly: the one that runs the kernels is in `llmdrills.grading.play.decoder`.


def _logits(weights: Checkpoint, shape: Shape, tokens: Tensor) -> Tensor:
    """Logits (B, T, V) of the tokens after tokens (B, T). Padding stands on the right: nothing before it sees it."""
    x = weights["model.embed_tokens.weight"][tokens]  # (B, T, C)
    for layer, window in enumerate(shape.windows):
        name = f"model.layers.{layer}"
        normal = _norm(x, weights[f"{name}.input_layernorm.weight"], shape.eps)
        x = x + _attention(normal, weights, f"{name}.self_attn", shape, window)
        normal = _norm(x, weights[f"{name}.post_attention_layernorm.weight"], shape.eps)
        gate, up = (normal @ weights[f"{name}.mlp.gate_up_proj.weight"].mT).chunk(2, dim=-1)
        x = x + (functional.silu(gate) * up) @ weights[f"{name}.mlp.down_proj.weight"].mT
    x = _norm(x, weights["model.norm.weight"], shape.eps)
    return x @ weights["model.embed_tokens.weight"].mT


def _norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return functional.rms_norm(x, weight.shape, weight, eps)


def _attention(x: Tensor, weights: Checkpoint, name: str, shape: Shape, window: int | None) -> Tensor:
    q, k, v = (
        (x @ weights[f"{name}.{one}_proj.weight"].mT).unflatten(-1, (-1, shape.head_width)).transpose(1, 2)
        for one in "qkv"
    )  # (B, H or H_kv, T, D)
    turned = _rotate(q, shape.base), _rotate(k, shape.base)
    mixed = functional.scaled_dot_product_attention(*turned, v, attn_mask=_mask(x.size(1), window), enable_gqa=True)
    return mixed.transpose(1, 2).flatten(2) @ weights[f"{name}.o_proj.weight"].mT


@functools.lru_cache(maxsize=1000)
def _mask(length: int, window: int | None) -> Tensor:
    distance = torch.arange(length)[:, None] - torch.arange(length)
    return (distance >= 0) & (distance < (window or length))


def _rotate(x: Tensor, base: float) -> Tensor:
    half = x.size(-1) // 2
    angles = torch.arange(x.size(2))[:, None] * base ** (-torch.arange(half) / half)  # (T, D/2)
    cos, sin = angles.cos(), angles.sin()
    a, b = x[..., :half], x[..., half:]
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


# Training


def _rows(texts: Sequence[str], merges: list[Pair]) -> list[list[int]]:
    vocabulary, known = Tokens(merges), _remembering()
    return [[END, *vocabulary.encode(text, known), END] for text in texts]


def _remembering() -> Callable[[str, list[Pair]], list[str]]:
    """An encoder for many texts with the same merges: each word is encoded once."""
    ranks: dict[Pair, int] = {}

    @functools.cache
    def pieces(word: str) -> tuple[str, ...]:
        found = list(word)
        while len(found) > 1:
            best = min(range(len(found) - 1), key=lambda i: ranks.get((found[i], found[i + 1]), len(ranks)))
            if (found[best], found[best + 1]) not in ranks:
                break
            found[best : best + 2] = [found[best] + found[best + 1]]
        return tuple(found)

    def encode(word: str, merges: list[Pair]) -> list[str]:
        if not ranks:
            ranks.update({pair: rank for rank, pair in enumerate(merges)})
        return list(pieces(word))

    return encode


def _batches(rows: list[list[int]]) -> Iterator[Tensor]:
    """Batches (B, T) without end, of rows about as long as each other; −1 stands behind a row that is shorter."""
    draw = torch.Generator().manual_seed(SEED)
    ordered = sorted(rows, key=len)
    starts = range(0, len(ordered) - BATCH + 1, BATCH)
    while True:
        for one in torch.randperm(len(starts), generator=draw).tolist():
            chosen = ordered[starts[one] : starts[one] + BATCH]
            longest = max(map(len, chosen))
            yield torch.tensor([[*row, *[-1] * (longest - len(row))] for row in chosen])


def _train(weights: Checkpoint, shape: Shape, batches: Iterator[Tensor], steps: int) -> float:
    """Train in place; returns the mean loss of the last fifty steps."""
    matrices = [w for name, w in weights.items() if w.dim() == 2 and "embed" not in name]
    others = [w for name, w in weights.items() if w.dim() != 2 or "embed" in name]
    adam = torch.optim.AdamW(others, betas=(0.9, 0.95), weight_decay=0.0)
    momenta = [torch.zeros_like(w) for w in matrices]
    losses: list[float] = []
    begun = time.monotonic()
    for step in range(steps):
        rate = min((step + 1) / WARM_STEPS, _cosine(step / steps))
        for group in adam.param_groups:
            group["lr"] = RATE * rate
        loss = _loss(weights, shape, next(batches))
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        adam.step()
        with torch.no_grad():
            for w, momentum in zip(matrices, momenta, strict=True):
                _muon_step(w, momentum, MUON_RATE * rate)
        losses.append(loss.item())
        if (step + 1) % 50 == 0:
            _tell(f"step {step + 1}: loss {sum(losses[-50:]) / 50:.4f}, {time.monotonic() - begun:.0f} s")
    return sum(losses[-50:]) / len(losses[-50:])


def _muon_step(w: Tensor, momentum: Tensor, rate: float) -> None:
    """One step of Muon (Jordan 2024): the momentum of a matrix with all its singular values brought near 1."""
    assert w.grad is not None  # noqa: S101  # `backward` has just run
    momentum.lerp_(w.grad, 0.05)
    x = w.grad.lerp(momentum, 0.95)  # Nesterov's look ahead
    x = (x.mT if x.size(0) > x.size(1) else x) / (x.norm() + 1e-7)
    for _ in range(5):  # Newton-Schulz, with the coefficients that rise fastest from 0
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    update = x.mT if w.size(0) > w.size(1) else x
    w.mul_(1 - 0.1 * rate).sub_(update, alpha=rate * max(1.0, w.size(0) / w.size(1)) ** 0.5)
    w.grad = None


def _cosine(part: float) -> float:
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * part))


def _loss(weights: Checkpoint, shape: Shape, rows: Tensor) -> Tensor:
    logits = _logits(weights, shape, rows[:, :-1].clamp(min=0))
    return functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten(), ignore_index=-1)


def _held_out_loss(weights: Checkpoint, shape: Shape, merges: list[Pair]) -> float:
    rows = _rows(stories(200, HELD_OUT_SEED), merges)
    total = counted = 0.0
    for row in rows:
        total += _loss(weights, shape, torch.tensor([row])).item() * (len(row) - 1)
        counted += len(row) - 1
    return total / counted


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()
