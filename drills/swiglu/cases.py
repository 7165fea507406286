"""Cases, equivalents and peers of the kata swiglu; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def network(make: Inputs, lead: tuple[int, ...], c: int, f: int, dtype: torch.dtype = torch.float32) -> Call:
    """An input and weights whose products have a size near 1."""
    return call(
        make.normal(*lead, c, dtype=dtype),
        make.normal(2 * f, c, std=1.5 * c**-0.5, dtype=dtype),
        make.normal(c, f, std=f**-0.5, dtype=dtype),
    )


# Cases ------------------------------------------------------------------------------------------------------------


@case(why="all sizes differ: a cut along another axis shows", clauses=("shapes", "formula", "order", "dtype"))
def base(make: Inputs) -> Call:
    return network(make, (2, 3), 4, 5)


@case(why="one vector, no batch", clauses=("shapes",))
def one_vector(make: Inputs) -> Call:
    return network(make, (), 6, 4)


@case(why="four dimensions: any number may lead", clauses=("shapes",))
def four_dimensions(make: Inputs) -> Call:
    return network(make, (2, 3, 2), 4, 3)


@case(why="F = 1: one number gates another", clauses=("formula", "order"))
def one_hidden(make: Inputs) -> Call:
    return network(make, (3,), 4, 1)


@case(why="C = 1: one channel", clauses=("shapes", "formula"))
def one_channel(make: Inputs) -> Call:
    return network(make, (3,), 1, 4)


@case(why="C = F = N: weights taken transposed do not crash", clauses=("shapes", "order"))
def equal_sizes(make: Inputs) -> Call:
    return network(make, (4, 4), 4, 4)


@case(why="as many tokens as 2F: a cut along the tokens has the right shape", clauses=("order",))
def tokens_as_rows(make: Inputs) -> Call:
    return network(make, (6, 6), 4, 3)


@case(
    rtol=1e-5,
    atol=1e-3,
    why="gates of ±200: exp(200) is infinite, and infinity times 0 makes gradients NaN",
    grads=(0, 1, 2),
    clauses=("magnitude", "always"),
)
def large_gates(make: Inputs) -> Call:
    x = torch.tensor([[1.0, -1.0], [1.0, 0.5], [-2.0, 0.25]])
    w_gate_up = torch.tensor([[100.0, -100.0], [-100.0, 100.0], [0.5, 100.0], [1.0, -100.0]])
    return call(x, w_gate_up, make.normal(2, 2))


@case(why="zeros: every gate is 0, and so is the result", clauses=("formula",))
def zeros(make: Inputs) -> Call:
    made = network(make, (2,), 3, 4)
    return call(torch.zeros(2, 3), *made.args[1:])


@case(rtol=0.05, atol=0.25, why="bfloat16 in, bfloat16 out", clauses=("dtype",))
def bfloat16(make: Inputs) -> Call:
    return network(make, (2, 3), 4, 5, torch.bfloat16)


@case(rtol=0.01, atol=0.03, why="float16 in, float16 out", clauses=("dtype",))
def float16(make: Inputs) -> Call:
    return network(make, (3,), 4, 3, torch.float16)


@case(why="gradients reach the input and both weights", grads=(0, 1, 2), clauses=("always",))
def gradients(make: Inputs) -> Call:
    return network(make, (2, 3), 3, 4)


@case(why="no token at all", clauses=("always",))
def no_tokens(make: Inputs) -> Call:
    return network(make, (0,), 4, 3)


@case(why="sizes of its own", fresh=True, clauses=("formula", "order"))
def fresh(make: Inputs) -> Call:
    return network(make, (make.size(1, 3), make.size(2, 4)), make.size(5, 7), make.size(8, 10))


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("sliced", why="slices the product at F", variants=("gate-first",))
def sliced(x, w_gate_up, w_down):
    h = F.linear(x, w_gate_up)
    half = h.shape[-1] // 2
    gate, up = h[..., :half], h[..., half:]
    act = gate * torch.sigmoid(gate)
    return F.linear(act * up, w_down)


@equivalent("two-products", why="cuts the weights, as with three matrices", variants=("gate-first",))
def two_products(x, w_gate_up, w_down):
    w_gate, w_up = w_gate_up.chunk(2)
    return (F.silu(x @ w_gate.T) * (x @ w_up.T)) @ w_down.T


@equivalent("einsum", why="einsum over a reshaped weight", variants=("gate-first",))
def einsum(x, w_gate_up, w_down):
    pair = torch.einsum("...c,kfc->k...f", x, w_gate_up.reshape(2, -1, x.shape[-1]))
    return torch.einsum("...f,cf->...c", F.silu(pair[0]) * pair[1], w_down)


@equivalent("sliced-up-first", why="slices the product at F", variants=("up-first",))
def sliced_up_first(x, w_gate_up, w_down):
    h = F.linear(x, w_gate_up)
    half = h.shape[-1] // 2
    up, gate = h[..., :half], h[..., half:]
    act = gate * torch.sigmoid(gate)
    return F.linear(act * up, w_down)


@equivalent("float64-inside", why="computes in float64, with tanh", variants=("up-first",))
def float64_inside(x, w_gate_up, w_down):
    w_up, w_gate = w_gate_up.double().split(w_down.shape[1])
    gate = x.double() @ w_gate.T
    act = gate * (1 + torch.tanh(gate / 2)) / 2
    return (act * (x.double() @ w_up.T) @ w_down.double().T).to(x.dtype)


@equivalent("by-glu", why="torch's glu gates by the last half: the sigmoid of SiLU", variants=("up-first",))
def by_glu(x, w_gate_up, w_down):
    h = x @ w_gate_up.mT
    return (F.glu(h, dim=-1) * h.tensor_split(2, dim=-1)[1]) @ w_down.mT


@equivalent("strided", why="every other number of the product", variants=("interleaved",))
def strided(x, w_gate_up, w_down):
    h = F.linear(x, w_gate_up)
    gate, up = h[..., ::2], h[..., 1::2]
    act = gate * torch.sigmoid(gate)
    return F.linear(act * up, w_down)


@equivalent("unflattened", why="takes pairs apart by a new axis", variants=("interleaved",))
def unflattened(x, w_gate_up, w_down):
    pairs = (x @ w_gate_up.T).reshape(*x.shape[:-1], w_down.shape[1], 2)
    gate, up = pairs.unbind(-1)
    return F.linear(F.silu(gate) * up, w_down)


@equivalent("rows-regrouped", why="regroups the weight's rows first", variants=("interleaved",))
def rows_regrouped(x, w_gate_up, w_down):
    gate, up = F.linear(x, torch.cat((w_gate_up[0::2], w_gate_up[1::2]))).chunk(2, -1)
    return F.linear(up * F.silu(gate), w_down)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_network(draw: Draw) -> Call:
    c, f = draw.pick(1, 2, 3, 4, 5), draw.pick(1, 2, 3, 4, 6)
    lead = tuple(draw.pick(0, 1, 2, 3, c, f, 2 * f) for _ in range(draw.pick(0, 1, 1, 2, 2, 3)))
    dtype = draw.pick(torch.float32, torch.float32, torch.float32, torch.float16, torch.bfloat16)
    loose = {torch.float16: (0.02, 0.04), torch.bfloat16: (0.1, 0.3)}.get(dtype)  # rounded three or four times
    x = draw.normal(*lead, c)
    w_gate_up = draw.normal(2 * f, c, std=draw.pick(1.0, 2.0) * c**-0.5)
    w_down = draw.normal(c, f, std=f**-0.5)
    if dtype == torch.float32 and draw.chance(0.2):
        draw.mark("gates beyond exp")
        x, w_gate_up = x.sign(), w_gate_up.sign() * draw.pick(40.0, 60.0)
        loose = (1e-5, 1e-2)
    if loose:
        draw.within(rtol=loose[0], atol=loose[1])
    if dtype == torch.float32 and 0 not in lead and draw.chance(0.3):
        draw.gradients(0, 1, 2)
    return call(*(draw.layout(value.to(dtype)) for value in (x, w_gate_up, w_down)))


# Peers ------------------------------------------------------------------------------------------------------------


@peer("transformers", variants=("gate-first",))
def transformers_phi3(x, w_gate_up, w_down):
    from transformers.models.phi3.configuration_phi3 import Phi3Config
    from transformers.models.phi3.modeling_phi3 import Phi3MLP

    layer = Phi3MLP(Phi3Config(hidden_size=x.shape[-1], intermediate_size=w_down.shape[1], pad_token_id=0))
    weights = {"gate_up_proj.weight": w_gate_up, "down_proj.weight": w_down}
    return torch.func.functional_call(layer.to(x.dtype), weights, (x,))


def _by_formula(gate, up, w_down):
    return torch.nn.functional.linear(gate / (1 + torch.exp(-gate.double())) * up, w_down.double())


@peer("Shazeer's formula in float64", variants=("up-first",))
def formula_up_first(x, w_gate_up, w_down):
    rows = w_down.shape[1]
    both = x.double() @ w_gate_up.double().T
    return _by_formula(both[..., rows:], both[..., :rows], w_down).to(x.dtype)


@peer("Shazeer's formula in float64", variants=("interleaved",))
def formula_interleaved(x, w_gate_up, w_down):
    both = x.double() @ w_gate_up.double().T
    places = torch.arange(both.shape[-1]) % 2
    return _by_formula(both[..., places == 0], both[..., places == 1], w_down).to(x.dtype)
