"""Debugging a decoder: whole models with one part switched off at a time, and a domain of small models."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Draw, Inputs, call, case, domain, equivalent, peer

# Cases


def model(make: Inputs | Draw, V=11, C=8, H=4, kv=2, D=4, hidden=10, layers=1, without=()):
    """Weights of a decoder; the parts named in `without` add nothing to the residual stream."""

    def layer():
        found = {name: make.normal(C, heads, D, std=C**-0.5) for name, heads in (("w_q", H), ("w_k", kv), ("w_v", kv))}
        found |= {name: make.normal(C, hidden, std=C**-0.5) for name in ("w_gate", "w_up")}
        found |= {"w_o": make.normal(H, D, C, std=(H * D) ** -0.5), "w_down": make.normal(hidden, C, std=hidden**-0.5)}
        found |= {name: make.normal(C, std=0.3) + 1 for name in ("attention_norm", "mlp_norm")}
        return found | {name: torch.zeros_like(found[name]) for name in without}

    return {
        "embedding": make.normal(V, C),
        "layers": [layer() for _ in range(layers)],
        "final_norm": make.normal(C, std=0.3) + 1,
        "head": make.normal(C, V, std=C**-0.5),
    }


@case(why="no layer at all: only the embedding, the final norm and the head are left", clauses=("weights", "norm"))
def no_layers(make: Inputs):
    return call(make.integers(0, 11, 2, 5), model(make, layers=0))


@case(why="one layer whose MLP adds nothing, and one token: attention without choice", clauses=("attention",))
def attention_of_one_token(make: Inputs):
    return call(make.integers(0, 11, 3, 1), model(make, without=("w_down",)))


@case(why="one layer whose MLP adds nothing: attention alone", clauses=("attention", "rope", "groups"))
def attention_alone(make: Inputs):
    return call(make.integers(0, 11, 2, 6), model(make, without=("w_down",)))


@case(why="one layer whose attention adds nothing: the MLP alone", clauses=("mlp", "norm"))
def mlp_alone(make: Inputs):
    return call(make.integers(0, 11, 2, 5), model(make, without=("w_o",)))


@case(why="one whole layer: attention, then the MLP on what it left", clauses=("outline", "layer", "returns"))
def one_layer(make: Inputs):
    return call(make.integers(0, 11, 2, 6), model(make))


@case(why="three layers, as many key and value heads as query heads", clauses=("outline", "groups", "always"))
def three_layers(make: Inputs):
    return call(make.integers(0, 11, 2, 7), model(make, layers=3, kv=4))


@case(why="six query heads on two, 40 tokens: far positions turn slowly", clauses=("groups", "rope"))
def far_positions(make: Inputs):
    return call(make.integers(0, 11, 1, 40), model(make, C=12, H=6, kv=2, D=8, layers=2))


@case(why="hidden states a hundred times as small: eps counts", clauses=("norm",))
def small_states(make: Inputs):
    weights = model(make, layers=0)
    return call(make.integers(0, 11, 2, 3), weights | {"embedding": weights["embedding"] * 1e-2})


@case(fresh=True, why="sizes that nobody could have hard-coded", clauses=("outline", "attention", "mlp"))
def fresh(make: Inputs):
    kv, groups, V = make.size(1, 3), make.size(1, 3), make.size(5, 20)
    sizes = {
        "C": kv * groups * make.size(1, 3),
        "D": 2 * make.size(1, 4),
        "hidden": make.size(4, 14),
        "layers": make.size(1, 3),
    }
    return call(make.integers(0, V, make.size(1, 3), make.size(2, 8)), model(make, V=V, H=kv * groups, kv=kv, **sizes))


# Domain


@domain()
def any_model(draw: Draw):
    kv, groups, V = draw.pick(1, 1, 2, 3), draw.pick(1, 2, 3), draw.pick(2, 5, 11)
    sizes = {"C": draw.pick(1, 4, 5, 8), "D": draw.pick(2, 4, 6), "hidden": draw.pick(1, 4, 7)}
    without = draw.pick((), (), ("w_o",), ("w_down",))
    draw.mark("switched off", without or "nothing")
    weights = model(draw, V=V, H=kv * groups, kv=kv, layers=draw.pick(0, 1, 1, 1, 2, 3), without=without, **sizes)
    return call(draw.integers(0, V, draw.pick(1, 1, 2, 3), draw.pick(1, 2, 3, 5, 8)), weights)


# Equivalents


@equivalent("one-function", why="everything in one function, attention by torch's own kernel")
def one_function(tokens, weights):
    def norm(x, weight):
        return F.rms_norm(x, (x.size(-1),), weight, 1e-5)

    x, T = F.embedding(tokens, weights["embedding"]), tokens.size(1)
    for layer in weights["layers"]:
        half = layer["w_q"].size(-1) // 2
        angles = torch.outer(torch.arange(T), 10000.0 ** (-torch.arange(half) / half))
        cos, sin = (torch.cat((part, part), dim=-1) for part in (angles.cos(), angles.sin()))
        normed = norm(x, layer["attention_norm"])
        q, k, v = (torch.einsum("btc,chd->bhtd", normed, layer[name]) for name in ("w_q", "w_k", "w_v"))
        q, k = (t * cos + torch.cat((-t[..., half:], t[..., :half]), dim=-1) * sin for t in (q, k))
        k, v = (t[:, torch.arange(q.size(1)) // (q.size(1) // k.size(1))] for t in (k, v))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + mixed.transpose(1, 2).flatten(2) @ layer["w_o"].flatten(0, 1)
        normed = norm(x, layer["mlp_norm"])
        x = x + (F.silu(normed @ layer["w_gate"]) * (normed @ layer["w_up"])) @ layer["w_down"]
    return norm(x, weights["final_norm"]) @ weights["head"]


@equivalent("token-by-token", why="float64, one token and one head at a time, with complex rotations and no mask")
def token_by_token(tokens, weights):
    def norm(x, weight):
        return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * weight.double()

    def turned(x):  # (B, D) at position t
        half = x.size(1) // 2
        angles = t * 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
        pairs = torch.complex(x[:, :half], x[:, half:]) * torch.polar(torch.ones_like(angles), angles)
        return torch.cat((pairs.real, pairs.imag), dim=1)

    states, logits = [{} for _ in weights["layers"]], []
    for t in range(tokens.size(1)):
        x = weights["embedding"][tokens[:, t]].double()  # (B, C)
        for layer, seen in zip(weights["layers"], states, strict=True):
            normed, (_, H, D) = norm(x, layer["attention_norm"]), layer["w_q"].shape
            for j in range(layer["w_k"].size(1)):
                seen.setdefault(("k", j), []).append(turned(normed @ layer["w_k"][:, j].double()))
                seen.setdefault(("v", j), []).append(normed @ layer["w_v"][:, j].double())
            for h in range(H):
                j = h * layer["w_k"].size(1) // H
                keys, values = torch.stack(seen["k", j], 1), torch.stack(seen["v", j], 1)  # (B, t + 1, D)
                scores = torch.einsum("bd,bsd->bs", turned(normed @ layer["w_q"][:, h].double()), keys) / math.sqrt(D)
                x = x + torch.einsum("bs,bsd->bd", scores.softmax(-1), values) @ layer["w_o"][h].double()
            normed = norm(x, layer["mlp_norm"])
            gate, up = normed @ layer["w_gate"].double(), normed @ layer["w_up"].double()
            x = x + (gate * gate.sigmoid() * up) @ layer["w_down"].double()
        logits.append(norm(x, weights["final_norm"]) @ weights["head"].double())
    return torch.stack(logits, dim=1).float()


# The peer


@peer("transformers (Llama)")
def llama(tokens, weights):
    """A LlamaForCausalLM that is given the weights; it wants C to be a multiple of H, which we do not."""
    from transformers import LlamaConfig, LlamaForCausalLM

    (V, C), layers = weights["embedding"].shape, weights["layers"]
    H, kv, D, hidden = 1, 1, 2, 1
    if layers:
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
    return llm(tokens).logits
