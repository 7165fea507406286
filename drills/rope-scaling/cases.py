"""Cases, equivalents and peer of the kata rope-scaling; its wrong kernels stand in slips.yaml.

Frequencies go down to a millionth: every case compares them relatively, by 1e-4 as the contract says.
"""

from __future__ import annotations

import math

import torch

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def parameters(base: float, factor: float, length: int = 0, **others: object) -> dict[str, object]:
    """A `rope_parameters` block; the original length only where one is given."""
    block: dict[str, object] = {"rope_theta": base, "factor": factor}
    if length:
        block["original_max_position_embeddings"] = length
    return block | others


def llama3(base: float, factor: float, length: int, low: float = 1.0, high: float = 4.0) -> dict[str, object]:
    return parameters(base, factor, length, low_freq_factor=low, high_freq_factor=high, rope_type="llama3")


# Cases ------------------------------------------------------------------------------------------------------------


@case(
    rtol=1e-4,
    atol=0.0,
    why="eight pairs with keys for each rule: those that another rule reads are to be ignored",
    clauses=("parameters", "frequencies", "result", "scaled", "turns", "bands", "smooth", "ends", "range", "ramp"),
)
def base(make: Inputs) -> Call:
    block = llama3(1000.0, 4.0, 400) | {"beta_fast": 30.0, "beta_slow": 2.0, "rope_type": "any"}
    return call(16, block)


@case(rtol=1e-4, atol=0.0, why="factor 1: nothing is stretched", clauses=("parameters", "frequencies", "always"))
def factor_one(make: Inputs) -> Call:
    return call(12, llama3(10000.0, 1.0, 2048))


@case(rtol=1e-4, atol=0.0, why="one pair, whose frequency is 1", clauses=("frequencies", "result"))
def one_pair(make: Inputs) -> Call:
    return call(2, llama3(10000.0, 4.0, 16))


@case(rtol=1e-4, atol=0.0, why="a base and a factor that are ints, as many configs have them", clauses=("parameters",))
def whole_numbers(make: Inputs) -> Call:
    return call(10, llama3(1000000, 8, 4096, 1, 4))


@case(
    rtol=1e-4,
    atol=0.0,
    why="a block whose other keys would change the result if they were read: another type, a part of the head, a length",
    clauses=("parameters",),
)
def other_keys(make: Inputs) -> Call:
    unread = {"rope_type": "default", "partial_rotary_factor": 0.5, "max_position_embeddings": 24000}
    return call(16, llama3(10000.0, 4.0, 3000) | unread)


@case(
    rtol=1e-4,
    atol=0.0,
    why="YaRN's attention factor in a block of another rule: attention_scaling stays 1.0",
    variants=("linear", "llama3"),
    clauses=("parameters", "scaled", "smooth"),
)
def foreign_attention_factor(make: Inputs) -> Call:
    return call(12, llama3(10000.0, 4.0, 2048) | {"attention_factor": 1.25})


@case(
    rtol=1e-4,
    atol=0.0,
    why="two calls in a row that differ in factor and base alone: nothing may be kept",
    clauses=("always",),
)
def calls_in_a_row(make: Inputs) -> tuple[Call, ...]:
    return tuple(call(8, llama3(base, factor, 64)) for base, factor in ((100.0, 4.0), (100.0, 2.0), (500.0, 4.0)))


@case(
    rtol=1e-4,
    atol=0.0,
    why="the two keys of a linear block, and no other",
    variants=("linear",),
    clauses=("scaled", "result"),
)
def plain_block(make: Inputs) -> Call:
    return call(6, {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.5})


@case(
    rtol=1e-4,
    atol=0.0,
    why="Llama 3.1's own numbers: 29 fast pairs, 6 between, 29 slow ones",
    variants=("llama3",),
    clauses=("turns", "bands", "smooth"),
)
def llama_31(make: Inputs) -> Call:
    return call(128, llama3(500000.0, 8.0, 8192))


@case(
    rtol=1e-4,
    atol=0.0,
    why="Llama 3.2's factor of 32 with a head of 64",
    variants=("llama3",),
    clauses=("bands", "smooth"),
)
def llama_32(make: Inputs) -> Call:
    return call(64, llama3(500000.0, 32.0, 8192))


@case(
    rtol=1e-4,
    atol=0.0,
    why="ends of 2.5 and 20 turns: neither 1 nor 4 may be written into the code",
    variants=("llama3",),
    clauses=("bands", "smooth"),
)
def other_ends(make: Inputs) -> Call:
    return call(20, llama3(5000.0, 6.0, 1000, 2.5, 20.0))


@case(
    rtol=1e-4,
    atol=0.0,
    why="all pairs are fast: every one turns more than four times",
    variants=("llama3",),
    clauses=("bands",),
)
def all_fast(make: Inputs) -> Call:
    return call(8, llama3(10.0, 4.0, 8192))


@case(
    rtol=1e-4,
    atol=0.0,
    why="all pairs are slow: none turns once in five positions",
    variants=("llama3",),
    clauses=("bands",),
)
def all_slow(make: Inputs) -> Call:
    return call(8, llama3(1000.0, 4.0, 5))


@case(
    rtol=1e-4,
    atol=0.0,
    why="Qwen's block for YaRN: the defaults, and an attention factor that follows from the factor",
    variants=("yarn",),
    clauses=("defaults", "ends", "range", "ramp", "attention"),
)
def qwen(make: Inputs) -> Call:
    return call(128, parameters(1000000.0, 4.0, 32768, rope_type="yarn"))


@case(
    rtol=1e-4,
    atol=0.0,
    why="gpt-oss's block: its ends are not rounded",
    variants=("yarn",),
    clauses=("range", "defaults"),
)
def not_truncated(make: Inputs) -> Call:
    return call(64, parameters(150000.0, 32.0, 4096, beta_fast=32.0, beta_slow=1.0, truncate=False))


@case(
    rtol=1e-4,
    atol=0.0,
    why="ends that are not rounded are held all the same: 100 positions put the first below pair 0",
    variants=("yarn",),
    clauses=("range", "ramp"),
)
def not_truncated_but_held(make: Inputs) -> Call:
    return call(16, parameters(10000.0, 4.0, 100, truncate=False))


@case(
    rtol=1e-4,
    atol=0.0,
    why="truncate given as True: the default said aloud",
    variants=("yarn",),
    clauses=("range", "defaults"),
)
def truncated(make: Inputs) -> Call:
    return call(24, parameters(10000.0, 4.0, 2048, truncate=True))


@case(
    rtol=1e-4,
    atol=0.0,
    why="beta_fast 4, as in Mistral's models: the ramp begins later",
    variants=("yarn",),
    clauses=("defaults", "range"),
)
def other_beta_fast(make: Inputs) -> Call:
    return call(64, parameters(1000000.0, 16.0, 4096, beta_fast=4.0))


@case(
    rtol=1e-4,
    atol=0.0,
    why="beta_slow 3 alone: the ramp ends earlier",
    variants=("yarn",),
    clauses=("defaults", "range"),
)
def other_beta_slow(make: Inputs) -> Call:
    return call(32, parameters(10000.0, 8.0, 4096, beta_slow=3.0))


@case(
    rtol=1e-4,
    atol=0.0,
    why="100 positions: not even the fastest pair turns 32 times, so the ramp begins at pair 0",
    variants=("yarn",),
    clauses=("range", "ramp"),
)
def low_end_held(make: Inputs) -> Call:
    return call(16, parameters(10000.0, 4.0, 100))


@case(
    rtol=1e-4,
    atol=0.0,
    why="a small base: the slowest pair turns often, and the ramp's end is held at head_dim − 1",
    variants=("yarn",),
    clauses=("range", "ramp"),
)
def high_end_held(make: Inputs) -> Call:
    return call(8, parameters(10.0, 4.0, 8192, beta_fast=512.0))


@case(
    rtol=1e-4,
    atol=0.0,
    why="high lies between the number of pairs and head_dim: it is not held at the last pair",
    variants=("yarn",),
    clauses=("range", "ramp"),
)
def high_end_beyond_the_pairs(make: Inputs) -> Call:
    return call(12, parameters(100.0, 4.0, 2048, beta_fast=40.0))


@case(
    rtol=1e-4,
    atol=0.0,
    why="an attention factor of its own replaces the computed one",
    variants=("yarn",),
    clauses=("attention",),
)
def own_attention_factor(make: Inputs) -> Call:
    return call(16, parameters(10000.0, 8.0, 1024, attention_factor=0.75))


@case(
    rtol=1e-4,
    atol=0.0,
    why="an attention factor of 1.0 switches the scaling off",
    variants=("yarn",),
    clauses=("attention",),
)
def attention_factor_of_one(make: Inputs) -> Call:
    return call(16, parameters(10000.0, 8.0, 1024, attention_factor=1.0))


@case(
    rtol=1e-4,
    atol=0.0,
    why="numbers that nobody can hard-code",
    fresh=True,
    clauses=("frequencies", "scaled", "smooth", "ramp", "attention"),
)
def fresh(make: Inputs) -> Call:
    base, factor, length = 1000.0 * make.size(5, 40), make.size(5, 40) / 4, make.size(500, 5000)
    head_dim = 2 * make.size(8, 20)
    while not _clear(head_dim, base, length):
        length += 7
    return call(head_dim, llama3(base, factor, length))


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("compact", why="in four lines", variants=("linear",))
def compact(head_dim, rope_parameters):
    p = rope_parameters
    base, factor = p["rope_theta"], p["factor"]
    exponents = torch.arange(0, head_dim, 2) / head_dim
    theta = 1.0 / base**exponents
    return theta / factor, 1.0


@equivalent("list-of-floats", why="a list comprehension over the pairs", variants=("linear",))
def list_of_floats(head_dim, rope_parameters):
    base, factor = rope_parameters["rope_theta"], rope_parameters["factor"]
    return torch.tensor([base ** (-2 * i / head_dim) / factor for i in range(head_dim // 2)]), 1.0


@equivalent("geometric", why="multiplies by one ratio from pair to pair, in float64", variants=("linear",))
def geometric(head_dim, rope_parameters):
    ratio = rope_parameters["rope_theta"] ** (-2 / head_dim)
    powers = torch.full((head_dim // 2,), ratio, dtype=torch.float64).cumprod(0) / ratio
    return (powers / rope_parameters["factor"]).float(), 1.0


@equivalent("bands", why="three bands chosen by torch.where, as in transformers", variants=("llama3",))
def bands(head_dim, rope_parameters):
    p = rope_parameters
    base, factor = p["rope_theta"], p["factor"]
    low, high = p["low_freq_factor"], p["high_freq_factor"]
    L = p["original_max_position_embeddings"]
    exponents = torch.arange(0, head_dim, 2) / head_dim
    theta = 1 / base**exponents
    wavelength = 2 * math.pi / theta
    smooth = (L / wavelength - low) / (high - low)
    mixed = (1 - smooth) * theta / factor + smooth * theta
    slow = wavelength > L / low
    fast = wavelength < L / high
    result = torch.where(slow, theta / factor, mixed)
    return torch.where(fast, theta, result), 1.0


@equivalent("pair-by-pair", why="Meta's loop over the frequencies", variants=("llama3",))
def pair_by_pair(head_dim, rope_parameters):
    p = rope_parameters
    low, high, length = p["low_freq_factor"], p["high_freq_factor"], p["original_max_position_embeddings"]
    scaled = []
    for i in range(0, head_dim, 2):
        theta = 1.0 / p["rope_theta"] ** (i / head_dim)
        wavelength = 2 * math.pi / theta
        if wavelength < length / high:
            scaled.append(theta)
        elif wavelength > length / low:
            scaled.append(theta / p["factor"])
        else:
            smooth = (length / wavelength - low) / (high - low)
            scaled.append((1 - smooth) * theta / p["factor"] + smooth * theta)
    return torch.tensor(scaled), 1.0


@equivalent("one-divisor", why="float64, and torch.lerp between the two frequencies", variants=("llama3",))
def one_divisor(head_dim, rope_parameters):
    p = rope_parameters
    theta = torch.exp(torch.arange(head_dim // 2).double() * (-2 / head_dim) * math.log(p["rope_theta"]))
    turns = theta / (2 * math.pi) * p["original_max_position_embeddings"]
    weight = (turns.clamp(p["low_freq_factor"], p["high_freq_factor"]) - p["low_freq_factor"]) / (
        p["high_freq_factor"] - p["low_freq_factor"]
    )
    return torch.lerp(theta / p["factor"], theta, weight).to(torch.float32), 1.0


@equivalent("ramp", why="YaRN in one function, without an inner one", variants=("yarn",))
def ramp(head_dim, rope_parameters):
    p = rope_parameters
    base, factor = p["rope_theta"], p["factor"]
    fast = p.get("beta_fast", 32)
    slow = p.get("beta_slow", 1)
    L = p["original_max_position_embeddings"]
    unit = L / (2 * math.pi)
    step = head_dim / (2 * math.log(base))
    low = step * math.log(unit / fast)
    high = step * math.log(unit / slow)
    if p.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, head_dim - 1)
    i = torch.arange(head_dim // 2)
    theta = base ** (-2 * i / head_dim)
    gamma = ((i - low) / (high - low)).clamp(0, 1)
    inv_freq = (1 - gamma) * theta + gamma * theta / factor
    scaling = 0.1 * math.log(factor) + 1
    return inv_freq, p.get("attention_factor", scaling)


@equivalent("as-in-deepseek", why="the mask of what stays, and two tables of frequencies", variants=("yarn",))
def as_in_deepseek(head_dim, rope_parameters):
    p = rope_parameters
    powers = p["rope_theta"] ** (torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)
    extra, inter = 1.0 / powers, 1.0 / (p["factor"] * powers)

    def correction(rotations):
        wide = p["original_max_position_embeddings"] / (rotations * 2 * math.pi)
        return (head_dim * math.log(wide)) / (2 * math.log(p["rope_theta"]))

    low, high = correction(p.get("beta_fast") or 32), correction(p.get("beta_slow") or 1)
    if p.get("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, head_dim - 1)
    mask = 1.0 - torch.clamp((torch.arange(head_dim // 2, dtype=torch.float32) - low) / (high - low), 0, 1)
    attention = p["attention_factor"] if "attention_factor" in p else 0.1 * math.log(p["factor"]) + 1.0
    return inter * (1 - mask) + extra * mask, float(attention)


@equivalent("float-loop", why="a loop over the pairs in plain Python", variants=("yarn",))
def float_loop(head_dim, rope_parameters):
    p = rope_parameters
    ends = []
    for turns, rounded in ((p.get("beta_fast", 32.0), math.floor), (p.get("beta_slow", 1.0), math.ceil)):
        end = head_dim / 2 * math.log(p["original_max_position_embeddings"] / turns / 2 / math.pi, p["rope_theta"])
        ends.append(rounded(end) if p.get("truncate", True) else end)
    low, high = max(ends[0], 0), min(ends[1], head_dim - 1)
    result = []
    for i in range(head_dim // 2):
        gamma = min(max((i - low) / (high - low), 0.0), 1.0)
        slowed = 1 + gamma * (1 / p["factor"] - 1)
        result.append(p["rope_theta"] ** (-2 * i / head_dim) * slowed)
    return torch.tensor(result, dtype=torch.float32), p.get("attention_factor", 1 + math.log(p["factor"]) / 10)


# Domain -----------------------------------------------------------------------------------------------------------


def _clear(head_dim: int, base: float, length: int, fast: float = 32.0, slow: float = 1.0) -> bool:
    """Whether YaRN's ends stand in order, and far enough from whole numbers for every way to compute them."""
    ends = [head_dim * math.log(length / (2 * math.pi * turns)) / (2 * math.log(base)) for turns in (fast, slow)]
    low, high = max(math.floor(ends[0]), 0), min(math.ceil(ends[1]), head_dim - 1)
    bare = max(ends[0], 0.0), min(ends[1], head_dim - 1.0)
    # A ramp that is much shorter than a pair would magnify rounding.
    return low < high and bare[1] - bare[0] > 0.3 and all(abs(end - round(end)) > 1e-3 for end in ends)


def _drawn(draw: Draw, extra: dict[str, object]) -> Call:
    head_dim = draw.pick(2, 4, 6, 8, 16, 16, 24, 64, 64, 128)
    base = draw.option(10.0, 100.0, 10000.0, 10000.0, 500000.0, 1000000, 5000)
    factor = draw.option(1.0, 1.5, 2.0, 4.0, 8, 32.0, 40.0)
    length = draw.option(12, 64, 150, 512, 1024, 2048, 4096, 8192, 32768)
    ends = {key.removeprefix("beta_"): value for key, value in extra.items() if key.startswith("beta_")}
    for _ in range(30):
        if _clear(head_dim, base, length, **ends):
            break
        base, length = base * 1.37, length + 3  # a larger base pulls the ends in, a longer context pushes them out
    else:
        base, length = 100.0, 64
        extra = {key: value for key, value in extra.items() if not key.startswith("beta_")}
    for key in extra:
        draw.mark(f"{key} given")
    draw.within(rtol=1e-4, atol=0.0)
    block = parameters(base, factor, length) | extra
    keys = list(block)
    return call(head_dim, {keys[i]: block[keys[i]] for i in draw.permutation(len(keys)).tolist()})


@domain(variants=("linear",))
def any_linear(draw: Draw) -> Call:
    return _drawn(draw, {"rope_type": "linear"} if draw.given(0.5) else {})


@domain(variants=("llama3",))
def any_llama3(draw: Draw) -> Call:
    low = draw.option(0.5, 1, 1.0, 1.0, 2.0, 3.5)
    high = low + draw.option(0.5, 1.0, 3.0, 3.0, 3, 10.0)
    return _drawn(draw, {"rope_type": "llama3", "low_freq_factor": low, "high_freq_factor": high})


@domain(variants=("yarn",))
def any_yarn(draw: Draw) -> Call:
    extra: dict[str, object] = {"rope_type": "yarn"}
    if draw.given(0.5):
        extra["beta_fast"] = draw.option(4.0, 8, 32.0, 64.0, 200.0)
    if draw.given(0.5):
        extra["beta_slow"] = draw.option(1.0, 1, 0.5, 2.0, 3.0)
    if draw.given(0.5):
        extra["truncate"] = draw.option(True, False, False)
    if draw.given(0.4):
        extra["attention_factor"] = draw.option(1.0, 0.5, 1.2079, 2.0)
    return _drawn(draw, extra)


# Peers ------------------------------------------------------------------------------------------------------------


def _by_transformers(kind: str, head_dim: int, rope_parameters: dict[str, object]):
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    config = LlamaConfig(hidden_size=head_dim, num_attention_heads=1, head_dim=head_dim)
    config.rope_parameters = rope_parameters | {"rope_type": kind}
    frequencies, scaling = ROPE_INIT_FUNCTIONS[kind](config)
    return frequencies, float(scaling)


@peer("transformers", variants=("linear",), skips={"other-keys": "reads partial_rotary_factor too"})
def transformers_linear(head_dim, rope_parameters):
    return _by_transformers("linear", head_dim, rope_parameters)


@peer("transformers", variants=("llama3",), skips={"other-keys": "reads partial_rotary_factor too"})
def transformers_llama3(head_dim, rope_parameters):
    return _by_transformers("llama3", head_dim, rope_parameters)


@peer("transformers", variants=("yarn",), skips={"other-keys": "reads partial_rotary_factor too"})
def transformers_yarn(head_dim, rope_parameters):
    return _by_transformers("yarn", head_dim, rope_parameters)
