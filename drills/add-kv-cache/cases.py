"""A decoder that goes on from its cache: chunks of any size must give what one pass over everything gives."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from reference import step

from llmdrills.grading.authoring import Draw, Inputs, call, case, domain, equivalent, peer

# Cases


def model(make: Inputs | Draw, V=11, C=8, H=4, kv=2, D=4, hidden=10, layers=2):
    """Weights of a decoder."""

    def layer():
        found = {name: make.normal(C, heads, D, std=C**-0.5) for name, heads in (("w_q", H), ("w_k", kv), ("w_v", kv))}
        found |= {name: make.normal(C, hidden, std=C**-0.5) for name in ("w_gate", "w_up")}
        found |= {"w_o": make.normal(H, D, C, std=(H * D) ** -0.5), "w_down": make.normal(hidden, C, std=hidden**-0.5)}
        return found | {name: make.normal(C, std=0.3) + 1 for name in ("attention_norm", "mlp_norm")}

    found = {"embedding": make.normal(V, C), "layers": [layer() for _ in range(layers)]}
    return found | {"final_norm": make.normal(C, std=0.3) + 1, "head": make.normal(C, V, std=C**-0.5)}


def after(make: Inputs | Draw, *chunks: int, batch=2, V=11, **sizes):
    """The call that takes the last of `chunks`, with the cache that the reference made of those before it."""
    weights, cache = model(make, V=V, **sizes), None
    for size in chunks[:-1]:
        _, cache = step(make.integers(0, V, batch, size), weights, cache)
    tokens = make.integers(0, V, batch, chunks[-1])
    return call(tokens, weights) if cache is None else call(tokens, weights, cache)


@case(
    why="no cache yet: seven tokens at once, as the model without a cache does it",
    clauses=("tokens", "returns", "always"),
)
def prefill(make: Inputs):
    return after(make, 7)


@case(
    why="five tokens seen, one new: its position is 5, and it sees all six", clauses=("positions", "attention", "cache")
)
def next_token(make: Inputs):
    return after(make, 5, 1)


@case(why="4 + 1 + 1 + 1 tokens, the last step: the cache grows, oldest first", clauses=("cache", "positions"))
def fourth_step(make: Inputs):
    return after(make, 4, 1, 1, 1)


@case(
    why="4 + 3 tokens: within a chunk later tokens stay hidden, and earlier ones do not",
    clauses=("attention", "outline"),
)
def chunk(make: Inputs):
    return after(make, 4, 3)


@case(why="a chunk longer than what the cache holds", clauses=("attention", "outline"))
def long_chunk(make: Inputs):
    return after(make, 2, 5, batch=1)


@case(
    why="as many new tokens as old ones, and as many heads as rows: nothing crashes that is mixed up",
    clauses=("outline",),
)
def equal_sizes(make: Inputs):
    return after(make, 4, 4, batch=4, C=4, H=4, kv=4, D=4, hidden=4)


@case(why="three layers: each has keys and values of its own", clauses=("cache", "outline"))
def three_layers(make: Inputs):
    return after(make, 3, 2, layers=3)


@case(why="one layer, one head, one token: the smallest model", clauses=("tokens", "weights"))
def smallest(make: Inputs):
    return after(make, 1, 1, batch=1, C=3, H=1, kv=1, D=2, hidden=2, layers=1)


@case(why="two continuations of one cache: the second must find it as the first did", clauses=("branches", "cache"))
def two_branches(make: Inputs):
    first = after(make, 3, 2)
    return first, call(make.integers(0, 11, 2, 2), *first.args[1:])


@case(
    why="399 tokens seen and one new: whoever runs them through the model again is over budget",
    atol=1e-3,
    clauses=("branches", "positions"),
)
def long_prefix(make: Inputs):
    return after(make, 399, 1, batch=1, layers=2)


@case(
    why="six query heads on two, and 199 tokens seen: the cache holds two heads a layer, not six",
    atol=1e-3,
    clauses=("branches", "cache"),
)
def grouped_cache(make: Inputs):
    return after(make, 199, 2, batch=1, C=12, H=6, kv=2, D=4)


@case(fresh=True, why="sizes and chunks that nobody could have hard-coded", clauses=("outline", "attention"))
def fresh(make: Inputs):
    kv, groups = make.size(1, 3), make.size(1, 3)
    sizes = {"C": kv * groups * make.size(1, 3), "D": 2 * make.size(1, 4), "hidden": make.size(4, 14)}
    chunks = [make.size(1, 5) for _ in range(make.size(2, 4))]
    return after(make, *chunks, H=kv * groups, kv=kv, layers=make.size(1, 3), **sizes)


# Domain


@domain()
def any_step(draw: Draw):
    kv, groups = draw.pick(1, 1, 2, 3), draw.pick(1, 2, 3)
    sizes = {"C": draw.pick(1, 4, 5, 8), "D": draw.pick(2, 4, 6), "hidden": draw.pick(1, 4, 7)}
    chunks = [draw.pick(1, 1, 2, 3, 5) for _ in range(draw.pick(1, 2, 2, 2, 3))]
    draw.mark("tokens seen", min(sum(chunks[:-1]), 2))
    sizes |= {"H": kv * groups, "kv": kv, "layers": draw.pick(1, 1, 2, 3)}
    return after(draw, *chunks, batch=draw.pick(1, 2, 3), V=draw.pick(2, 5, 11), **sizes)


# Equivalents


@equivalent("one-function", why="everything in one function, attention by torch's own kernel")
def one_function(tokens, weights, cache=None):
    def norm(x, weight):
        return F.rms_norm(x, (x.size(-1),), weight, 1e-5)

    x, T, grown = F.embedding(tokens, weights["embedding"]), tokens.size(1), []
    for i, layer in enumerate(weights["layers"]):
        past = cache[i][0].shape[2] if cache else 0
        half = layer["w_q"].size(-1) // 2
        angles = torch.outer(torch.arange(past, past + T), 10000.0 ** (-torch.arange(half) / half))
        cos, sin = (torch.cat((part, part), dim=-1) for part in (angles.cos(), angles.sin()))
        normed = norm(x, layer["attention_norm"])
        q, k, v = (torch.einsum("btc,chd->bhtd", normed, layer[name]) for name in ("w_q", "w_k", "w_v"))
        q, k = (t * cos + torch.cat((-t[..., half:], t[..., :half]), dim=-1) * sin for t in (q, k))
        if cache:
            k, v = torch.cat([cache[i][0], k], 2), torch.cat([cache[i][1], v], 2)
        grown.append((k, v))
        mask = torch.ones(T, past + T, dtype=torch.bool).tril(past)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
        x = x + mixed.transpose(1, 2).flatten(2) @ layer["w_o"].flatten(0, 1)
        normed = norm(x, layer["mlp_norm"])
        x = x + (F.silu(normed @ layer["w_gate"]) * (normed @ layer["w_up"])) @ layer["w_down"]
    return norm(x, weights["final_norm"]) @ weights["head"], grown


@equivalent("token-by-token", why="takes the new tokens one after the other, so that no mask is needed")
def token_by_token(tokens, weights, cache=None):
    def norm(x, weight):
        return x * (x.square().mean(-1, keepdim=True) + 1e-5).rsqrt() * weight

    def turned(x):  # (B, H, D) at this position
        half = x.size(-1) // 2
        angles = position * 10000.0 ** (-torch.arange(half) / half)
        pairs = torch.complex(x[..., :half].contiguous(), x[..., half:].contiguous())
        pairs = pairs * torch.polar(torch.ones_like(angles), angles)
        return torch.cat((pairs.real, pairs.imag), dim=-1)

    held, logits = list(cache) if cache else [None] * len(weights["layers"]), []
    for token in tokens.T:
        x = weights["embedding"][token]  # (B, C)
        for i, layer in enumerate(weights["layers"]):
            position = 0 if held[i] is None else held[i][0].size(2)
            normed = norm(x, layer["attention_norm"])
            q, k, v = (torch.einsum("bc,chd->bhd", normed, layer[name]) for name in ("w_q", "w_k", "w_v"))
            q, k, v = turned(q), turned(k)[:, :, None], v[:, :, None]
            held[i] = (k, v) if position == 0 else (torch.cat((held[i][0], k), 2), torch.cat((held[i][1], v), 2))
            q = q.unflatten(1, (k.size(1), -1))  # (B, H_kv, H / H_kv, D)
            share = (q @ held[i][0].mT / q.size(-1) ** 0.5).softmax(-1)
            x = x + torch.einsum("bhd,hdc->bc", (share @ held[i][1]).flatten(1, 2), layer["w_o"])
            normed = norm(x, layer["mlp_norm"])
            x = x + (F.silu(normed @ layer["w_gate"]) * (normed @ layer["w_up"])) @ layer["w_down"]
        logits.append(norm(x, weights["final_norm"]) @ weights["head"])
    return torch.stack(logits, dim=1), held


# The peer


@peer("transformers (Llama)")
def llama(tokens, weights, cache=None):
    """A LlamaForCausalLM with the weights, and a DynamicCache that is filled from ours."""
    from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

    (V, C), layers = weights["embedding"].shape, weights["layers"]
    (_, H, D), kv, hidden = layers[0]["w_q"].shape, layers[0]["w_k"].size(1), layers[0]["w_gate"].size(1)
    config = LlamaConfig(
        vocab_size=V, hidden_size=C, intermediate_size=hidden, num_hidden_layers=len(layers), rms_norm_eps=1e-5,
        num_attention_heads=H, num_key_value_heads=kv, head_dim=D, tie_word_embeddings=False,
    )  # fmt: skip
    state = {"model.embed_tokens.weight": weights["embedding"], "model.norm.weight": weights["final_norm"]}
    state["lm_head.weight"] = weights["head"].T
    names = {"w_gate": "mlp.gate_proj", "w_up": "mlp.up_proj", "w_down": "mlp.down_proj"}
    for i, layer in enumerate(layers):
        at = f"model.layers.{i}"
        state |= {f"{at}.{theirs}.weight": layer[ours].T for ours, theirs in names.items()}
        state |= {f"{at}.self_attn.{n}_proj.weight": layer[f"w_{n}"].flatten(1).T for n in "qkv"}
        state[f"{at}.self_attn.o_proj.weight"] = layer["w_o"].flatten(0, 1).T
        state[f"{at}.input_layernorm.weight"] = layer["attention_norm"]
        state[f"{at}.post_attention_layernorm.weight"] = layer["mlp_norm"]
    llm = LlamaForCausalLM(config).eval()
    llm.load_state_dict({name: weight.contiguous() for name, weight in state.items()})
    held = DynamicCache()
    for i, (keys, values) in enumerate(cache or ()):
        held.update(keys, values, i)
    logits = llm(tokens, past_key_values=held, use_cache=True).logits
    return logits, [(layer.keys, layer.values) for layer in held.layers]
