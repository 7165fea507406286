"""Cases, equivalents and peers of the kata checkpoint-conversion; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import torch

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

HALF, WIDE = torch.bfloat16, torch.float32


def layer(make: Inputs, h: int, h_kv: int, d: int, c: int, dtype: torch.dtype = WIDE, number: int = 0) -> dict:
    """One layer's weights, without biases and norms of heads."""
    at = f"model.layers.{number}."
    return {
        at + "self_attn.q_proj.weight": make.normal(h * d, c, dtype=dtype),
        at + "self_attn.k_proj.weight": make.normal(h_kv * d, c, dtype=dtype),
        at + "self_attn.v_proj.weight": make.normal(h_kv * d, c, dtype=dtype),
        at + "self_attn.o_proj.weight": make.normal(c, h * d, dtype=dtype),
        at + "mlp.gate_proj.weight": make.normal(2 * c, c, dtype=dtype),
        at + "input_layernorm.weight": make.normal(c, std=0.3, dtype=dtype),
        at + "post_attention_layernorm.weight": make.normal(c, std=0.3, dtype=dtype),
    }


def biases(make: Inputs, h: int, h_kv: int, d: int, dtype: torch.dtype = WIDE, number: int = 0) -> dict:
    at = f"model.layers.{number}.self_attn."
    return {
        at + "q_proj.bias": make.normal(h * d, dtype=dtype),
        at + "k_proj.bias": make.normal(h_kv * d, dtype=dtype),
        at + "v_proj.bias": make.normal(h_kv * d, dtype=dtype),
    }


def head_norms(make: Inputs, d: int, dtype: torch.dtype = WIDE, number: int = 0) -> dict:
    at = f"model.layers.{number}.self_attn."
    return {at + name: make.normal(d, std=0.3, dtype=dtype) for name in ("q_norm.weight", "k_norm.weight")}


def ends(make: Inputs, c: int, dtype: torch.dtype = WIDE) -> dict:
    return {
        "model.embed_tokens.weight": make.normal(7, c, dtype=dtype),
        "model.norm.weight": make.normal(c, std=0.3, dtype=dtype),
        "lm_head.weight": make.normal(7, c, dtype=dtype),
    }


# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="four heads over two of keys and values, with C other than n_heads · D",
    clauses=("weights", "rotated", "order", "others", "result"),
)
def base(make: Inputs) -> Call:
    return call(layer(make, 4, 2, 6, 5), 4, 2)


@case(why="a whole small checkpoint: two layers, embedding, last norm, head", clauses=("weights", "others"))
def two_layers(make: Inputs) -> Call:
    both = layer(make, 2, 1, 6, 4) | layer(make, 2, 1, 6, 4, number=1)
    return call(both | ends(make, 4), 2, 1)


@case(why="as many heads of keys as of queries", clauses=("rotated", "order"))
def no_groups(make: Inputs) -> Call:
    return call(layer(make, 3, 3, 8, 24), 3, 3)


@case(why="64 heads over 8: their quotient is 8 as well, and hides a wrong number of heads", clauses=("rotated",))
def as_llama_70b(make: Inputs) -> Call:
    return call({"model.layers.0.self_attn.k_proj.weight": make.normal(8 * 6, 3)}, 64, 8)


@case(why="six heads over two: their quotient is no number of heads", clauses=("rotated",))
def six_over_two(make: Inputs) -> Call:
    return call(layer(make, 6, 2, 6, 4), 6, 2)


@case(why="one head of keys for all", clauses=("rotated", "order"))
def one_key_head(make: Inputs) -> Call:
    return call(layer(make, 4, 1, 8, 6), 4, 1)


@case(why="D = 2: one pair a head, and no row moves", clauses=("order",))
def one_pair(make: Inputs) -> Call:
    return call(layer(make, 3, 1, 2, 4), 3, 1)


@case(why="every size is 6, C too: rows are permuted, not columns", clauses=("order", "others"))
def square(make: Inputs) -> Call:
    return call(layer(make, 1, 1, 6, 6), 1, 1)


@case(why="biases of q and k move with their rows; that of v stays", clauses=("rotated", "others"))
def with_biases(make: Inputs) -> Call:
    return call(layer(make, 4, 2, 6, 5) | biases(make, 4, 2, 6), 4, 2)


@case(why="norms of the heads' channels move as the channels do", clauses=("rotated",))
def with_head_norms(make: Inputs) -> Call:
    return call(layer(make, 4, 2, 6, 5) | head_norms(make, 6), 4, 2)


@case(why="norms stored as w − 1: each of them, the last one and the heads' too", clauses=("norms", "rotated"))
def zero_centred(make: Inputs) -> Call:
    weights = layer(make, 2, 1, 6, 4) | head_norms(make, 6) | ends(make, 4)
    return call(weights, 2, 1, zero_centred=True)


@case(why="bfloat16 norms stored as w − 1: the sum is taken in float32", clauses=("norms", "weights"))
def zero_centred_bfloat16(make: Inputs) -> Call:
    weights = layer(make, 2, 1, 6, 4, HALF) | head_norms(make, 6, HALF) | ends(make, 4, HALF)
    return call(weights, 2, 1, True)


@case(why="float16 throughout: without zero_centred no dtype changes", clauses=("norms", "others", "weights"))
def float16(make: Inputs) -> Call:
    weights = layer(make, 2, 2, 6, 4, torch.float16) | biases(make, 2, 2, 6, torch.float16)
    return call(weights | head_norms(make, 6, torch.float16), 2, 2, zero_centred=False)


@case(why="mixed dtypes, float32 norms among them", clauses=("weights", "norms"))
def mixed(make: Inputs) -> Call:
    return call(layer(make, 2, 1, 6, 4, HALF) | head_norms(make, 6) | biases(make, 2, 1, 6), 2, 1, True)


@case(why="a shard without any projection", clauses=("weights",))
def no_projections(make: Inputs) -> Call:
    return call(ends(make, 4), 4, 2)


@case(why="a shard that holds nothing", clauses=("weights", "result"))
def empty(make: Inputs) -> Call:
    return call({}, 4, 2)


@case(why="weights read transposed: their storage runs along the columns", clauses=("always",))
def transposed_storage(make: Inputs) -> Call:
    at = "model.layers.3.self_attn."
    q, k = make.normal(5, 4 * 6).T, make.normal(5, 2 * 6).T
    return call({at + "q_proj.weight": q, at + "k_proj.weight": k}, 4, 2)


@case(
    why="names that look alike: biases of a norm and of o_proj, a vector that is no norm; layer 10",
    clauses=("norms", "others"),
)
def names_alike(make: Inputs) -> Call:
    at, c = "model.layers.10.", 12
    alike = {
        at + "input_layernorm.bias": make.normal(c),
        at + "self_attn.o_proj.bias": make.normal(c),
        at + "mlp.shared_gate.weight": make.normal(c),
    }
    return call(layer(make, 2, 1, 6, c, number=10) | alike, 2, 1, zero_centred=True)


@case(why="two calls in a row with other numbers of heads", clauses=("always",))
def calls_in_a_row(make: Inputs) -> tuple[Call, ...]:
    name = "model.layers.0.self_attn.q_proj.weight"
    return tuple(call({name: make.normal(24, 3)}, heads, 1) for heads in (2, 4, 1))


@case(why="sizes of its own", fresh=True, clauses=("order", "norms"))
def fresh(make: Inputs) -> Call:
    h_kv, d, c = make.size(1, 3), 2 * make.size(3, 5), make.size(3, 7)
    h = h_kv * make.size(2, 3)
    weights = layer(make, h, h_kv, d, c) | biases(make, h, h_kv, d) | head_norms(make, d)
    return call(weights, h, h_kv, zero_centred=make.random.random() < 0.5)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("by-transpose", why="one loop, the number of heads from a table", variants=("to-neighbours",))
def by_transpose(
    weights,
    n_heads,
    n_kv_heads,
    zero_centred=False,
):
    heads = {"q_proj": n_heads, "k_proj": n_kv_heads,
             "q_norm": 1, "k_norm": 1}  # fmt: skip
    result = {}
    for name, w in weights.items():
        module = name.split(".")[-2]
        if module in heads:
            H = heads[module]
            D = w.shape[0] // H
            apart = w.reshape(H, 2, D // 2, *w.shape[1:])
            w = apart.transpose(1, 2).reshape(w.shape)
        if zero_centred and name.endswith("norm.weight"):
            w = w.float() + 1
        result[name] = w
    return result


@equivalent("by-index", why="an index of rows, built pair by pair", variants=("to-neighbours",))
def by_index(weights, n_heads, n_kv_heads, zero_centred=False):
    def rows(heads, size):
        each = size // heads
        return [h * each + part * (each // 2) + i for h in range(heads) for i in range(each // 2) for part in (0, 1)]

    result = {}
    for name, w in weights.items():
        if ".q_proj." in name:
            w = w[rows(n_heads, len(w))]
        elif ".k_proj." in name:
            w = w[rows(n_kv_heads, len(w))]
        elif ".q_norm." in name or ".k_norm." in name:
            w = w[rows(1, len(w))]
        if zero_centred and "norm.weight" in name:
            w = 1 + w.to(torch.float32)
        result[name] = w.clone()
    return result


@equivalent("head-by-head", why="splits the heads, and stacks each one's halves", variants=("to-neighbours",))
def head_by_head(weights, n_heads, n_kv_heads, zero_centred=False):
    def woven(w, heads):
        parts = []
        for head in w.chunk(heads):
            first, second = head.chunk(2)
            parts.append(torch.stack((first, second), dim=1).flatten(0, 1))
        return torch.cat(parts)

    result = dict(weights)
    for name in weights:
        if name.endswith(("q_proj.weight", "q_proj.bias")):
            result[name] = woven(weights[name], n_heads)
        if name.endswith(("k_proj.weight", "k_proj.bias")):
            result[name] = woven(weights[name], n_kv_heads)
        if name.endswith(("q_norm.weight", "k_norm.weight")):
            result[name] = woven(weights[name], 1)
        if zero_centred and name.endswith("norm.weight"):
            result[name] = result[name].float().add(1)
    return result


@equivalent("by-transpose-back", why="one loop, the number of heads from a table", variants=("to-halves",))
def by_transpose_back(
    weights,
    n_heads,
    n_kv_heads,
    zero_centred=False,
):
    heads = {"q_proj": n_heads, "k_proj": n_kv_heads,
             "q_norm": 1, "k_norm": 1}  # fmt: skip
    result = {}
    for name, w in weights.items():
        module = name.split(".")[-2]
        if module in heads:
            H = heads[module]
            D = w.shape[0] // H
            apart = w.reshape(H, D // 2, 2, *w.shape[1:])
            w = apart.transpose(1, 2).reshape(w.shape)
        if zero_centred and name.endswith("norm.weight"):
            w = w.float() + 1
        result[name] = w
    return result


@equivalent("strided-slices", why="even rows, then odd ones, head by head", variants=("to-halves",))
def strided_slices(weights, n_heads, n_kv_heads, zero_centred=False):
    result = {}
    for name, w in weights.items():
        count = {"q_proj": n_heads, "k_proj": n_kv_heads, "q_norm": 1, "k_norm": 1}.get(name.split(".")[-2], 0)
        if count:
            w = torch.cat([part for head in w.chunk(count) for part in (head[0::2], head[1::2])])
        if zero_centred and name.endswith("norm.weight"):
            w = torch.ones(w.shape, dtype=torch.float32) + w.float()
        result[name] = w
    return result


@equivalent("by-matrix", why="multiplies by a permutation matrix, block by block", variants=("to-halves",))
def by_matrix(weights, n_heads, n_kv_heads, zero_centred=False):
    result = {}
    for name, w in weights.items():
        module = name.split(".")[-2]
        count = n_heads if module == "q_proj" else n_kv_heads if module == "k_proj" else 1
        if module in ("q_proj", "k_proj", "q_norm", "k_norm"):
            size = w.shape[0] // count
            source = torch.arange(size).view(-1, 2).T.flatten()
            moves = torch.block_diag(*[torch.eye(size)[source]] * count)
            w = (moves @ w.float()).to(w.dtype)
        result[name] = w.float() + 1 if zero_centred and name.endswith("norm.weight") else w
    return result


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_checkpoint(draw: Draw) -> Call:
    h_kv = draw.pick(1, 1, 2, 3)
    h = h_kv * draw.pick(1, 1, 2, 3, 4)
    d = draw.pick(2, 4, 6, 6, 8, 10)
    c = draw.pick(1, 2, 3, 5, d, h * d)
    dtype = draw.pick(torch.float32, torch.float32, torch.float16, torch.bfloat16)
    weights = layer(draw, h, h_kv, d, c, dtype, draw.pick(0, 11))
    if draw.chance(0.5):
        weights |= biases(draw, h, h_kv, d, dtype)
    if draw.chance(0.5):
        weights |= head_norms(draw, d, draw.pick(dtype, torch.float32))
    if draw.chance(0.5):
        weights |= ends(draw, c, dtype)
    if draw.chance(0.4):  # another shard holds the rest
        weights = {name: w for name, w in weights.items() if draw.chance(0.5)}
    weights = {name: draw.layout(w) for name, w in weights.items()}
    if not draw.given(0.7):
        return call(weights, h, h_kv)
    zero_centred = draw.option(True, True, False)
    return (
        call(weights, h, h_kv, zero_centred) if draw.given(0.5) else call(weights, h, h_kv, zero_centred=zero_centred)
    )


# Peers ------------------------------------------------------------------------------------------------------------


@peer("transformers (GGUF)", variants=("to-halves",))
def transformers_gguf(weights, n_heads, n_kv_heads, zero_centred=False):
    """What transformers does with a GGUF file's tensors, except that Gemma's norms lose 1 there, and gain it here."""
    from transformers.modeling_gguf_pytorch_utils import LlamaTensorProcessor

    back = LlamaTensorProcessor({})._reverse_permute_weights
    result = {}
    for name, w in weights.items():
        counts = {"q_proj": (n_heads, n_heads), "k_proj": (n_heads, n_kv_heads), "q_norm": (1,), "k_norm": (1,)}
        module = name.split(".")[-2]
        if module in counts:
            w = torch.from_numpy(back(w.float().numpy(), *counts[module])).to(w.dtype)
        result[name] = w.float() + 1 if zero_centred and name.endswith("norm.weight") else w
    return result


@peer("numpy", variants=("to-neighbours",))
def numpy_sorted(weights, n_heads, n_kv_heads, zero_centred=False):
    """Sorts each head's rows by the pair that they belong to, in numpy."""
    import numpy as np

    result = {}
    for name, w in weights.items():
        values = w.float().numpy()
        module = name.split(".")[-2]
        if module in ("q_proj", "k_proj", "q_norm", "k_norm"):
            rows = np.arange(len(values))
            size = len(values) // {"q_proj": n_heads, "k_proj": n_kv_heads}.get(module, 1)
            head, place = np.divmod(rows, size)
            values = values[np.lexsort((place // (size // 2), place % (size // 2), head))]
        shifted = zero_centred and name.endswith("norm.weight")
        result[name] = torch.from_numpy(values + 1) if shifted else torch.from_numpy(values).to(w.dtype)
    return result
