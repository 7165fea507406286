"""Sampling parameters: inputs, and right kernels that are written differently."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from reference import sampling_distribution

from llmdrills.grading.authoring import Draw, Inputs, call, case, domain, equivalent, peer

# Cases


def logits_of(*probabilities):
    """The logits of given probabilities: their logarithms."""
    return torch.tensor(probabilities).log()


@case(why="no filter, temperature 1: a softmax over the last axis of three", clauses=("arguments", "result", "always"))
def plain(make: Inputs):
    return call(make.normal(2, 3, 7, std=2.0))


@case(why="unsorted .1 .5 .15 .25, p=.6: .5 is not enough, .25 crosses and stays; ids are no ranks", clauses=("top-p",))
def nucleus(make: Inputs):
    return call(logits_of(0.1, 0.5, 0.15, 0.25), top_p=0.6)


@case(why="two rows in different orders: each has its own nucleus", clauses=("top-p", "arguments"))
def nucleus_of_each_row(make: Inputs):
    rows = [logits_of(0.1, 0.5, 0.15, 0.25), logits_of(0.36, 0.3, 0.02, 0.32)]
    return call(torch.stack(rows), top_p=0.65)


@case(why="p=1e-9: the top token always stays", clauses=("top-p",))
def tiny_p(make: Inputs):
    return call(make.normal(2, 5), top_p=1e-9)


@case(why="p=0 is no switch: again only the top token stays", clauses=("top-p",))
def zero_p(make: Inputs):
    return call(make.normal(2, 5), top_p=0.0)


@case(
    rtol=1e-4,
    atol=1e-15,
    why="p=1 is off: a sum that rounds to 1 early must not cost the rare tokens their share",
    clauses=("top-p",),
)
def nothing_lost_at_one(make: Inputs):
    return call(torch.tensor([-18.0, 0.0, -20.0, -1.0, -19.0]), top_p=1.0)


@case(
    why="temperature 2 flattens before p=.8 looks: logits 3 2 1 0 keep three tokens, not two",
    clauses=("order", "temperature"),
)
def temperature_comes_first(make: Inputs):
    return call(torch.tensor([3.0, 2.0, 1.0, 0.0]), temperature=2.0, top_p=0.8)


@case(why="temperature alone: 2 flattens, and 3 logits in 2 rows stay in their rows", clauses=("temperature",))
def hot(make: Inputs):
    return call(make.normal(2, 3, std=2.0), temperature=2.0)


@case(why="temperature 0.5 sharpens, and a p above 1 is off too", clauses=("temperature", "top-p"))
def cool(make: Inputs):
    return call(make.normal(2, 3, std=2.0), temperature=0.5, top_p=1.2)


@case(why="temperature 0 is greedy: no division, and the filters have no say", clauses=("temperature",))
def greedy(make: Inputs):
    return call(make.normal(2, 3, 6), temperature=0.0, top_k=3, top_p=0.9, min_tokens_to_keep=2)


@case(why="temperature 0 with two equal maxima: all mass on the first", clauses=("temperature",))
def greedy_tie(make: Inputs):
    return call(torch.tensor([[0.5, 2.0, -1.0, 2.0], [3.0, 3.0, 1.0, 3.0]]), temperature=0.0)


@case(why="top-k leaves .4 and .3, which become .57 and .43: p=.5 is then reached by one token", clauses=("order",))
def renormalised_between_filters(make: Inputs):
    return call(logits_of(0.1, 0.4, 0.3, 0.2), top_k=2, top_p=0.5)


@case(why="k=1: off by one shows at once", clauses=("top-k",))
def top_one(make: Inputs):
    return call(make.normal(2, 5), top_k=1)


@case(why="k=3 of 6 in two rows: each row has its own threshold", clauses=("top-k",))
def top_three(make: Inputs):
    return call(make.normal(2, 6, std=2.0) + torch.tensor([[0.0], [9.0]]), top_k=3)


@case(why="as many rows as tokens: a threshold that lost its axis broadcasts along the wrong one", clauses=("top-k",))
def as_many_rows_as_tokens(make: Inputs):
    return call(make.normal(4, 4, std=2.0), top_k=2)


@case(why="two logits tie at the k-th place: both stay", clauses=("top-k",))
def tie_at_k(make: Inputs):
    return call(torch.tensor([1.0, 3.0, 2.0, 0.5, 2.0]), top_k=2)


@case(
    why="equal probabilities at the edge of the nucleus: the shortest prefix takes only the first of them",
    clauses=("top-p",),
)
def tie_in_the_nucleus(make: Inputs):
    return call(logits_of(0.2, 0.1, 0.2, 0.3, 0.2), top_p=0.6)


@case(why="k=50 of 4: clamped, not an error; p still counts", clauses=("top-k", "top-p"))
def more_than_the_vocabulary(make: Inputs):
    return call(torch.stack([logits_of(0.1, 0.5, 0.15, 0.25), logits_of(0.36, 0.3, 0.02, 0.32)]), top_k=50, top_p=0.65)


@case(why="at least 2 stay though p=.1 asks for one", clauses=("floor",))
def floor_under_p(make: Inputs):
    return call(logits_of(0.1, 0.5, 0.15, 0.25), top_p=0.1, min_tokens_to_keep=2)


@case(why="at least 3 stay though k asks for one", clauses=("floor", "top-k"))
def floor_under_k(make: Inputs):
    return call(make.normal(2, 6), top_k=1, min_tokens_to_keep=3)


@case(
    why="logits of −inf stay at zero, though k and the floor ask for more tokens than are alive",
    clauses=("floor", "arguments"),
)
def dead_tokens(make: Inputs):
    dead = float("-inf")
    logits = torch.tensor([[dead, 1.0, dead, 0.3, dead], [0.2, dead, 1.5, dead, -0.4]])
    return call(logits, temperature=1.5, top_k=4, top_p=0.3, min_tokens_to_keep=3)


@case(why="logits of a thousand: exp() without the maximum taken off overflows", clauses=("result",))
def huge_logits(make: Inputs):
    return call(torch.tensor([[1000.0, 1001.0, 998.0], [-1000.0, -1002.0, -999.0]]), top_p=0.8)


@case(why="all three at once over leading axes (2, 3)", clauses=("order", "arguments"))
def everything(make: Inputs):
    ranked = torch.tensor([2.3, 1.7, 1.2, 0.8, 0.1, -0.6, -1.1])
    rows = [ranked[make.permutation(7)] for _ in range(6)]
    return call(torch.stack(rows).view(2, 3, 7), temperature=0.7, top_k=5, top_p=0.85)


@case(why="no row at all", clauses=("arguments", "always"))
def no_rows(make: Inputs):
    return call(make.normal(0, 5), top_k=2, top_p=0.9)


@case(why="a vocabulary of one token", clauses=("top-k", "top-p"))
def one_token(make: Inputs):
    return call(make.normal(3, 1), temperature=0.7, top_k=2, top_p=0.5)


@case(rtol=0.01, atol=0.002, why="float16 in, float16 out", clauses=("result",))
def half_precision(make: Inputs):
    logits = torch.tensor([[2.0, 0.5, 1.0, -1.0], [0.0, 3.0, -2.0, 1.0]], dtype=torch.float16)
    return call(logits, temperature=1.25, top_k=3, top_p=0.8)


@case(why="the first of two equal tokens reaches p = 1/2 exactly: it is enough", clauses=("top-p",))
def mass_reaches_p_exactly(make: Inputs):
    return call(torch.tensor([[1.0, 1.0, -100.0, -100.0], [-100.0, 1.0, -100.0, 1.0]]), top_p=0.5)


@case(why="64 equal tokens and p=.3: the first 20 in their own order stay", clauses=("top-p",))
def equal_tokens(make: Inputs):
    return call(torch.zeros(2, 64), top_p=0.3)


@case(why="3000 tokens, none with a thousandth of the mass, and p=1e-9: one stays", clauses=("top-p",))
def many_tokens(make: Inputs):
    return call(make.normal(2, 3000, std=0.1), top_p=1e-9)


@case(why="temperature 0.05, on logits so close that it is not greedy", clauses=("temperature",))
def cold(make: Inputs):
    return call(make.normal(2, 5, std=0.05), temperature=0.05, top_k=4)


@case(why="temperature 2e-6, on logits as small: only 0 is greedy", clauses=("temperature",))
def nearly_frozen(make: Inputs):
    return call(make.normal(2, 5, std=2e-6), temperature=2e-6)


@case(
    why="the floor of 2 meets a tie for second place: three stay after top-k, two of them after top-p",
    clauses=("floor", "top-k", "top-p"),
)
def floor_and_tie(make: Inputs):
    logits = torch.tensor([[3.0, 2.0, 1.0, 2.0], [0.0, 2.5, 2.5, 4.0]])
    return call(logits, top_k=1, top_p=0.1, min_tokens_to_keep=2)


@case(why="the lowest finite logits, tied, beside −inf: a finite stand-in for −inf outweighs them", clauses=("floor",))
def lowest_logits(make: Inputs):
    least = torch.finfo(torch.float32).min
    return call(torch.tensor([float("-inf"), least, least, float("-inf")]), top_k=2)


@case(why="float16, logits of 40000 at temperature 0.5: 80000 is beyond it", clauses=("result", "temperature"))
def half_precision_at_its_end(make: Inputs):
    logits = torch.tensor([[40000.0, 39000.0, 40000.0], [-40000.0, -40000.0, 60000.0]], dtype=torch.float16)
    return call(logits, temperature=0.5, top_k=2, top_p=0.9)


@case(
    why="float16, p=.689 against a mass of .6886: sums in float16 are off by more, and lose the third token",
    clauses=("result", "top-p"),
)
def half_precision_sums(make: Inputs):
    rows = [[1.0, 0.5, 0.0, -0.5, -1.0], [0.0, -1.0, 1.0, -0.5, 0.5]]
    return call(torch.tensor(rows, dtype=torch.float16), top_p=0.689)


@case(
    why="temperature 0 in bfloat16, a dead token: the result has the logits' dtype", clauses=("result", "temperature")
)
def greedy_in_half_precision(make: Inputs):
    logits = torch.tensor([[float("-inf"), -1.0, -2.0], [0.5, float("-inf"), 2.0]], dtype=torch.bfloat16)
    return call(logits, temperature=0.0)


@case(fresh=True, why="a vocabulary and parameters that nobody can hard-code", clauses=("order", "top-k", "top-p"))
def fresh(make: Inputs):
    logits = make.normal(make.size(2, 4), make.size(6, 12), std=1.5)
    temperature, k = make.size(5, 20) / 10, make.size(3, 6)
    # p stays away from every cumulative sum, so that rounding decides nothing.
    sums = sampling_distribution(logits, temperature, k).sort(dim=-1, descending=True).values.cumsum(dim=-1)
    candidates = torch.linspace(0.3, 0.95, 66)
    gaps = (sums.flatten()[:, None] - candidates).abs().amin(dim=0)
    return call(logits, temperature, k, float(candidates[gaps.argmax()]))


# Domain

DEAD = float("-inf")


@domain()
def any_filters(draw: Draw):
    v = draw.pick(1, 2, 3, 4, 5, 8, 12, 64, 64)
    shape = (*draw.pick((), (), (1,), (2,), (3,), (min(v, 5),), (2, 3), (1, 2, 1), (0,), (2, 0)), v)
    dtype = draw.pick(torch.float32, torch.float32, torch.float32, torch.float16, torch.bfloat16, torch.float64)
    kinds = ("spread", "spread", "ties", "ties", "masses", "masses", "huge", "lowest", "cold")
    # Who computes in float32 is as right: float64 comes only where float32 is exact.
    kind = "masses" if dtype == torch.float64 else draw.pick(*kinds[: 9 if dtype == torch.float32 else 8])
    temperature = draw.option(0.0, 1e-7, 1e-3, 0.05, 0.5, 0.7, 1.0, 1.0, 1.5, 10.0)
    if kind in ("cold", "lowest"):  # the lowest logits over less than 1 are beyond float32
        temperature = draw.option(0.0, 1e-7, 1e-6, 1e-3) if kind == "cold" else draw.option(0.0, 1.0, 1.5, 2.0)
    top_k = draw.option(0, 0, 1, 2, 3, v - 1, v, v + 1, 50)
    keep = draw.option(1, 1, min(2, v), min(3, v), v)
    top_p = draw.option(0.0, 1e-9, 0.07, 0.23, 0.37, 0.61, 0.83, 0.93, 0.99, 1.0, 1.5)
    draw.mark("logits", kind)
    if kind == "masses":
        logits, top_p = masses(draw, shape, top_k, keep)
    else:
        logits = drawn_logits(draw, kind, shape, temperature, dtype)
    if draw.chance(0.3):  # dead tokens, but not the largest: a row that is dead has no answer
        logits = logits.masked_fill(draw.boolean(*shape) & (logits < logits.amax(-1, keepdim=True)), DEAD)
    if kind not in ("spread", "cold", "huge") or dtype != torch.float32:
        draw.mark("boundary")  # ties, which one ulp would break
    given = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_tokens_to_keep": keep}
    if draw.given(0.2):
        return call(draw.layout(logits.to(dtype)), *given.values())
    chosen = {
        name: value for name, value in given.items() if draw.given(0.75) or (kind, name) == ("cold", "temperature")
    }
    return call(draw.layout(logits.to(dtype)), **chosen)


def masses(draw: Draw, shape: tuple[int, ...], top_k: int, keep: int):
    """m equal logits in places of their own, m a power of two, and a top-p that some of the m reach exactly."""
    v = shape[-1]
    m = draw.pick(*(size for size in (1, 2, 4, 8, 16, 32) if size <= v))
    # What top-k leaves out may be near: the masses are exact only after it. Else the others must have none.
    low = draw.option(-1.0, DEAD) if 0 < max(top_k, keep) <= m and top_k > 0 else draw.option(-3e4, DEAD)
    logits = draw.normal(*shape).argsort(-1).argsort(-1) < m
    return torch.where(logits, draw.option(0.0, 1.5, -2.0, 1000.0), low), draw.option(*range(m + 1)) / m


def drawn_logits(draw: Draw, kind: str, shape: tuple[int, ...], temperature: float, dtype: torch.dtype):
    """Logits of a kind, in float32."""
    if kind == "ties":
        return draw.integers(-2, 3, *shape).float()
    if kind == "huge":
        return draw.uniform(*shape, low=-1.0) * (3e3 if dtype == torch.float32 else 6e4)
    if kind == "lowest":
        lowest = torch.finfo(dtype).min
        other = draw.boolean(*shape, true=0.2).index_fill(-1, draw.permutation(shape[-1])[:1], False)
        return torch.where(other, draw.option(lowest / 2, DEAD), lowest)
    return draw.normal(*shape, std=2 * temperature if kind == "cold" else draw.option(0.1, 2.0))


# Equivalents


@equivalent("compact", why="the reference in fewer lines, with the logits divided as they are")
def compact(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    scores = logits.float() / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        kth = scores.topk(k).values[..., -1:]
        scores = scores.masked_fill(scores < kth, float("-inf"))
    if top_p < 1:
        ranked, order = scores.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        scores = scores.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), float("-inf"))
    return scores.softmax(dim=-1).to(logits.dtype)


@equivalent("probabilities-throughout", why="zeroes probabilities and divides by their sum: no −inf, no softmax")
def probabilities_throughout(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return F.one_hot(logits.argmax(dim=-1), logits.size(-1)).to(logits.dtype)
    scores = logits.float() / temperature
    probabilities = scores.softmax(dim=-1)
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), logits.size(-1))
        probabilities = probabilities.masked_fill(scores < scores.topk(k).values[..., -1:], 0.0)
    if top_p < 1:
        share = probabilities / probabilities.sum(dim=-1, keepdim=True)
        ranked, order = share.sort(dim=-1, descending=True, stable=True)
        drop = ranked.cumsum(dim=-1) - ranked >= top_p
        drop[..., :min_tokens_to_keep] = False
        probabilities = probabilities.masked_fill(torch.zeros_like(drop).scatter(-1, order, drop), 0.0)
    probabilities = probabilities.to(logits.dtype)
    return probabilities / probabilities.sum(dim=-1, keepdim=True)


@equivalent(
    "ascending-like-transformers",
    why="sorts upwards and drops while the sum stays within 1 − p; the order of ties kept by a flip",
)
def ascending_like_transformers(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    if temperature == 0:
        return torch.zeros_like(logits).scatter_(-1, logits.argmax(-1, keepdim=True), 1)
    scores = logits.float() / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), scores.size(-1))
        scores = scores.masked_fill(scores < torch.topk(scores, k)[0][..., -1, None], -torch.inf)
    if top_p < 1:
        backwards = scores.flip(-1)
        ranked, order = backwards.sort(dim=-1, stable=True)
        drop = ranked.softmax(dim=-1).cumsum(dim=-1) <= 1 - top_p
        drop[..., -min_tokens_to_keep:] = False
        scores = backwards.masked_fill(drop.scatter(-1, order, drop), -torch.inf).flip(-1)
    return scores.softmax(dim=-1).to(logits.dtype)


@equivalent("ranks", why="counts how many stay and compares each token's rank with it; float64 inside")
def ranks(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    V = logits.size(-1)
    if temperature == 0:
        best = logits.argmax(-1, keepdim=True)
        return (torch.arange(V, device=logits.device) == best).to(logits.dtype)
    scores = logits.double() / temperature
    if top_k > 0:
        k = min(max(top_k, min_tokens_to_keep), V)
        larger = (scores.unsqueeze(-2) > scores.unsqueeze(-1)).sum(-1)  # (..., V): how many are above each token
        scores = torch.where(larger < k, scores, -torch.inf)
    if top_p < 1:
        probabilities = scores.softmax(-1)
        order = probabilities.argsort(dim=-1, descending=True, stable=True)
        reached = probabilities.gather(-1, order).cumsum(-1) < top_p
        stay = (reached.sum(-1, keepdim=True) + 1).clamp(min=min_tokens_to_keep)
        scores = scores.masked_fill(order.argsort(dim=-1) >= stay, -torch.inf)
    return scores.softmax(-1).to(logits.dtype)


@equivalent("row-by-row", why="plain Python over lists of floats, one row at a time")
def row_by_row(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    V = logits.size(-1)

    def one(row):
        if temperature == 0:
            return [float(i == row.index(max(row))) for i in range(V)]
        row = [value / temperature for value in row]
        order = sorted(range(V), key=lambda i: -row[i])  # sorted() is stable
        if top_k > 0:
            kth = row[order[min(max(top_k, min_tokens_to_keep), V) - 1]]
            order = [i for i in order if row[i] >= kth]
        weights = [2.718281828459045 ** (row[i] - row[order[0]]) for i in order]
        if top_p < 1:
            mass, kept = 0.0, []
            for i, weight in zip(order, weights, strict=True):
                if mass >= top_p and len(kept) >= min_tokens_to_keep:
                    break
                kept.append(i)
                mass += weight / sum(weights)
            order, weights = kept, weights[: len(kept)]
        result = [0.0] * V
        for i, weight in zip(order, weights, strict=True):
            result[i] = weight / sum(weights)
        return result

    rows = [one(row) for row in logits.double().reshape(-1, V).tolist()]
    return torch.tensor(rows, dtype=logits.dtype, device=logits.device).reshape(logits.shape)


@equivalent("softmax-of-the-top-k", why="works on the sorted values alone and scatters the result into zeros")
def softmax_of_the_top_k(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    V = logits.size(-1)
    if temperature == 0:
        return torch.zeros_like(logits).scatter(-1, logits.max(dim=-1, keepdim=True).indices, 1.0)
    values, order = (logits.float() / temperature).sort(dim=-1, descending=True, stable=True)
    k = min(max(top_k, min_tokens_to_keep), V) if top_k > 0 else V
    values = values.masked_fill(values < values[..., k - 1 : k], float("-inf"))
    share = values.softmax(dim=-1)
    if top_p < 1:
        late = share.cumsum(dim=-1).roll(1, dims=-1) >= top_p
        late[..., :1] = False
        late[..., :min_tokens_to_keep] = False
        share = values.masked_fill(late, float("-inf")).softmax(dim=-1)
    return torch.zeros_like(share).scatter(-1, order, share).to(logits.dtype)


# The peer


@peer(
    "transformers",
    skips={
        "greedy": "temperature 0 is refused: generate() switches sampling off instead",
        "greedy-tie": "temperature 0 is refused: generate() switches sampling off instead",
        "greedy-in-half-precision": "temperature 0 is refused: generate() switches sampling off instead",
        "half-precision-at-its-end": "it divides in float16, which overflows",
        "floor-and-tie": "equal tokens stay in no promised order",
        "mass-reaches-p-exactly": "equal tokens stay in no promised order",
        "equal-tokens": "equal tokens stay in no promised order",
        "tie-in-the-nucleus": "equal tokens stay in no promised order",
        "zero-p": "p = 0 is refused by newer releases",
    },
)
def warpers(logits, temperature=1.0, top_k=0, top_p=1.0, min_tokens_to_keep=1):
    from transformers.generation.logits_process import (
        LogitsProcessorList,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    chain = LogitsProcessorList([TemperatureLogitsWarper(temperature)])
    if top_k > 0:
        chain.append(TopKLogitsWarper(top_k, min_tokens_to_keep=min_tokens_to_keep))
    if top_p < 1:
        chain.append(TopPLogitsWarper(top_p, min_tokens_to_keep=min_tokens_to_keep))
    rows = logits.reshape(-1, logits.size(-1))
    return chain(None, rows).softmax(dim=-1).reshape(logits.shape)
