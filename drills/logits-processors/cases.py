"""Cases, equivalents and peers of the kata logits-processors; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import math

import torch

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

DEAD = float("-inf")


def spaced(make: Inputs, b: int, v: int, step: float = 0.7) -> torch.Tensor:
    """Logits of both signs, a step apart in random order: no threshold of the cases falls between two by rounding."""
    rows = [(make.permutation(v) - v // 2) * step + 0.1 for _ in range(b)]
    return torch.stack(rows) if rows else torch.zeros(0, v)


def ids(*rows: tuple[int, ...]) -> torch.Tensor:
    return torch.tensor(rows)


# Cases ------------------------------------------------------------------------------------------------------------


# numpy is right here, and cannot take what asks for gradients: so the first case is not repeated with such inputs.
@case(
    derive=False,
    why="all three at once, on logits of both signs",
    clauses=("logits", "penalty", "temperature", "min-p", "order"),
)
def base(make: Inputs) -> Call:
    return call(spaced(make, 2, 8), ids((1, 4, 6), (0, 4, 7)), None, 1.5, 0.8, 0.1)


@case(why="no option: the logits come back as they are", clauses=("result", "ids"))
def untouched(make: Inputs) -> Call:
    return call(make.normal(2, 5, std=2.0), ids((1, 4), (0, 2)))


@case(
    why="the penalty alone: positive logits are divided, negative ones multiplied, zero stays",
    clauses=("penalty",),
)
def both_signs(make: Inputs) -> Call:
    logits = torch.tensor([[2.0, -2.0, 0.0, 3.0, -1.0], [-0.5, 4.0, -3.0, 0.25, 1.0]])
    return call(logits, ids((0, 1, 2), (2, 1, 3)), repetition_penalty=2.0)


@case(why="a token that stands four times is penalised once", clauses=("penalty",))
def seen_often(make: Inputs) -> Call:
    return call(spaced(make, 2, 5), ids((3, 3, 3, 3), (1, 0, 1, 1)), repetition_penalty=1.3)


@case(why="each row has its own tokens", clauses=("ids", "penalty"))
def own_rows(make: Inputs) -> Call:
    return call(spaced(make, 3, 6), ids((0,), (3,), (5,)), repetition_penalty=1.7)


@case(why="padding on the left, with an id that was never said", clauses=("ids", "penalty"))
def left_padding(make: Inputs) -> Call:
    mask = ids((0, 0, 1, 1), (1, 1, 1, 1))
    return call(spaced(make, 2, 6), ids((5, 5, 1, 2), (0, 3, 3, 4)), mask, repetition_penalty=1.4)


@case(why="padding on the right; the padding's id was said in one row, too", clauses=("ids", "penalty"))
def right_padding(make: Inputs) -> Call:
    mask = ids((1, 1, 0, 0), (1, 1, 1, 0))
    return call(spaced(make, 2, 6), ids((1, 2, 0, 0), (0, 3, 4, 0)), mask, repetition_penalty=1.4)


@case(why="a row of padding alone: nothing was said", clauses=("ids",))
def all_padding(make: Inputs) -> Call:
    return call(spaced(make, 2, 5), ids((0, 0), (1, 2)), ids((0, 0), (1, 1)), 1.5)


@case(why="a penalty below 1 rewards: the two signs are handled the other way round", clauses=("penalty",))
def reward(make: Inputs) -> Call:
    return call(spaced(make, 2, 6), ids((0, 1, 2), (3, 4, 5)), None, 0.5)


@case(why="temperature 2 alone", clauses=("temperature",))
def hot(make: Inputs) -> Call:
    return call(make.normal(2, 5), ids((1,), (2,)), temperature=2.0)


@case(why="temperature 0.05: however low, it divides as it is", clauses=("temperature",))
def icy(make: Inputs) -> Call:
    return call(make.normal(2, 5), ids((1,), (2,)), temperature=0.05)


@case(why="min_p over logits of 200, whose exponentials overflow", clauses=("min-p",))
def high_logits(make: Inputs) -> Call:
    return call(torch.tensor([[200.0, 199.0, 150.0], [-3.0, 120.0, 119.5]]), ids((2,), (0,)), min_p=0.1)


@case(why="temperature 0.25 alone, on logits of 100", clauses=("temperature",))
def cold(make: Inputs) -> Call:
    return call(make.normal(2, 5, std=100.0), ids((1,), (2,)), temperature=0.25)


@case(why="min_p is relative to the row's best token, and rows differ in it", clauses=("min-p",))
def relative(make: Inputs) -> Call:
    logits = torch.tensor([[0.5, 0.2, 0.15, 0.1, 0.05], [0.9, 0.05, 0.03, 0.015, 0.005]]).log()
    return call(logits, ids((0,), (0,)), min_p=0.25)


@case(why="min_p 1 keeps the best tokens, all that tie: p equal to the threshold stays", clauses=("min-p",))
def only_the_best(make: Inputs) -> Call:
    return call(torch.tensor([[1.0, 3.0, 3.0, 2.0], [0.0, -1.0, 0.0, 0.0]]), ids((3,), (1,)), min_p=1.0)


@case(why="min_p 0 is off: tokens whose probability is 0 in float32 stay, too", clauses=("min-p", "result"))
def nothing_filtered(make: Inputs) -> Call:
    return call(torch.tensor([[0.0, -200.0, -1000.0, 150.0]]), ids((3,)), min_p=0.0)


@case(
    why="temperature 2 decides what min_p keeps: .5 and .05 are a factor of 10 apart, and √10 after it",
    clauses=("order",),
)
def order_matters(make: Inputs) -> Call:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05], [0.05, 0.5, 0.15, 0.3]]).log()
    return call(logits, ids((0,), (0,)), temperature=2.0, min_p=0.2)


@case(why="the penalty makes another token the best one, and min_p measures by that", clauses=("order", "penalty"))
def penalty_before_min_p(make: Inputs) -> Call:
    return call(torch.tensor([[4.0, 2.5, 1.9, 0.1]]), ids((0,)), repetition_penalty=4.0, min_p=0.3)


@case(why="tokens at −inf stay there, seen or not, and make no NaN", clauses=("logits", "result"))
def dead_tokens(make: Inputs) -> Call:
    logits = torch.tensor([[DEAD, 1.0, DEAD, 0.25, -1.0], [0.2, DEAD, 1.5, DEAD, -0.5]])
    return call(logits, ids((0, 1), (1, 2)), None, 1.5, 0.7, 0.05)


@case(why="float16 logits of 60000 at temperature 0.5: 120000 is beyond it", clauses=("result", "logits"))
def float16(make: Inputs) -> Call:
    logits = torch.tensor([[60000.0, 100.0, -60000.0], [1.0, -2.0, 0.5]], dtype=torch.float16)
    return call(logits, ids((1,), (1,)), None, 1.25, 0.5)


@case(why="float16 with every option left at its default: float32 all the same", clauses=("result",))
def nothing_to_do(make: Inputs) -> Call:
    return call(spaced(make, 2, 5).half(), ids((1, 1), (4, 0)))


@case(why="bfloat16 in, float32 out, and as exact as that", clauses=("result", "logits"))
def bfloat16(make: Inputs) -> Call:
    return call(spaced(make, 2, 6).bfloat16(), ids((1, 2), (3, 0)), None, 1.3, 0.7, 0.05)


@case(why="as many rows as tokens in the vocabulary and in the history", clauses=("ids", "min-p"))
def equal_sizes(make: Inputs) -> Call:
    return call(spaced(make, 4, 4), ids((0, 1, 1, 0), (2, 2, 2, 2), (3, 0, 1, 2), (1, 3, 3, 1)), None, 1.6, 1.2, 0.3)


@case(why="a vocabulary of one", clauses=("logits",))
def one_token(make: Inputs) -> Call:
    return call(torch.tensor([[2.0], [-2.0]]), ids((0,), (0,)), ids((1,), (0,)), 2.0, 0.5, 1.0)


@case(why="no token so far: nothing to penalise", clauses=("always", "ids"))
def no_history(make: Inputs) -> Call:
    return call(spaced(make, 2, 5), torch.zeros(2, 0, dtype=torch.int64), None, 1.5, 0.5, 0.1)


@case(why="no row", clauses=("always",))
def no_rows(make: Inputs) -> Call:
    return call(torch.zeros(0, 5), torch.zeros(0, 3, dtype=torch.int64), None, 1.5, 0.5, 0.1)


@case(why="logits and ids that are views, and no rows of their storage", clauses=("always",))
def views(make: Inputs) -> Call:
    logits, history = spaced(make, 2, 6).T.contiguous().T, ids((1, 9, 4, 9), (0, 9, 5, 9))[:, ::2]
    return call(logits, history, ids((1, 1)).expand(2, 2), 1.5, 0.8, 0.1)


@case(why="three steps in a row over as many tokens: nothing may be kept", clauses=("always",))
def three_steps(make: Inputs) -> tuple[Call, ...]:
    histories = ids((1, 2)), ids((5, 0)), ids((3, 4))
    return tuple(call(spaced(make, 1, 6), history, None, 1.5) for history in histories)


@case(why="sizes and options of its own", fresh=True, clauses=("penalty", "order"))
def fresh(make: Inputs) -> Call:
    b, v, t = make.size(2, 4), make.size(6, 11), make.size(3, 6)
    # 0.7 apart, divided by one of these, no two logits are ln(1 / min_p) apart.
    penalty, temperature = 1 + make.size(1, 8) / 8, make.size(2, 8) / 4
    return _clear(spaced(make, b, v), make.integers(0, v, b, t), None, penalty, temperature, 0.1)


def _clear(logits, input_ids, mask, penalty: float, temperature: float, min_p: float) -> Call:
    """The call, with min_p moved until no probability is near the threshold, in either order."""
    seen = torch.zeros(logits.shape).scatter_add(
        1, input_ids, (torch.ones_like(input_ids) if mask is None else mask).float()
    )
    wide = logits.double()
    wide = torch.where(seen > 0, torch.where(wide < 0, wide * penalty, wide / penalty), wide)
    gaps = (wide.amax(-1, keepdim=True) - wide).flatten() if wide.numel() else wide.flatten()
    for _ in range(200 if 0 < min_p < 1 else 0):
        near = [(gaps / t + math.log(min_p)).abs() for t in (1.0, temperature)]
        if not gaps.numel() or min(float(n.min()) for n in near) > 1e-3:
            break
        min_p *= 0.97
    return call(logits, input_ids, mask, penalty, temperature, min_p)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("one-table", why="a 0/1 table of what was seen", variants=("temperature-first",))
def one_table(
    logits,
    input_ids,
    attention_mask=None,
    repetition_penalty=1.0,
    temperature=1.0,
    min_p=0.0,
):
    s = logits.float()
    if attention_mask is None:
        attention_mask = torch.ones_like(input_ids)
    seen = torch.zeros_like(s)
    kept = attention_mask.float()
    seen = seen.scatter_add(1, input_ids, kept)
    lowered = s / repetition_penalty
    raised = s * repetition_penalty
    penalised = torch.where(s < 0, raised, lowered)
    s = torch.where(seen > 0, penalised, s)
    s = s / temperature
    p = s.softmax(-1)
    drop = p < min_p * p.amax(-1, keepdim=True)
    return s.masked_fill(drop, float("-inf"))


@equivalent("rows-and-sets", why="a loop over rows, with a set of ids in Python", variants=("temperature-first",))
def rows_and_sets(logits, input_ids, attention_mask=None, repetition_penalty=1.0, temperature=1.0, min_p=0.0):
    result = logits.to(torch.float32, copy=True)
    for b in range(len(logits)):
        row = input_ids[b] if attention_mask is None else input_ids[b][attention_mask[b] == 1]
        for token in set(row.tolist()):
            score = result[b, token]
            result[b, token] = score * repetition_penalty if score < 0 else score / repetition_penalty
        result[b] /= temperature
        p = torch.softmax(result[b], 0)
        result[b][p < p.max() * min_p] = -torch.inf
    return result


@equivalent("gather-scatter", why="gathers and scatters, as transformers does", variants=("temperature-first",))
def gather_scatter(logits, input_ids, attention_mask=None, repetition_penalty=1.0, temperature=1.0, min_p=0.0):
    scores = torch.cat((logits.float(), logits.new_zeros(len(logits), 1, dtype=torch.float32)), dim=1)
    if attention_mask is not None:  # padding writes into a column of its own
        input_ids = torch.where(attention_mask == 0, logits.shape[1], input_ids)
    score = torch.gather(scores, 1, input_ids)
    score = torch.where(score < 0, score * repetition_penalty, score / repetition_penalty)
    scores = scores.scatter(1, input_ids, score)[:, :-1] / temperature
    probs = torch.softmax(scores, dim=-1)
    top = probs.max(dim=-1, keepdim=True).values
    return torch.where(probs < min_p * top, -torch.inf, scores)


@equivalent("one-table-last", why="a 0/1 table of what was seen", variants=("temperature-last",))
def one_table_last(
    logits,
    input_ids,
    attention_mask=None,
    repetition_penalty=1.0,
    temperature=1.0,
    min_p=0.0,
):
    s = logits.float()
    if attention_mask is None:
        attention_mask = torch.ones_like(input_ids)
    seen = torch.zeros_like(s)
    kept = attention_mask.float()
    seen = seen.scatter_add(1, input_ids, kept)
    lowered = s / repetition_penalty
    raised = s * repetition_penalty
    penalised = torch.where(s < 0, raised, lowered)
    s = torch.where(seen > 0, penalised, s)
    p = s.softmax(-1)
    drop = p < min_p * p.amax(-1, keepdim=True)
    s = s.masked_fill(drop, float("-inf"))
    return s / temperature


@equivalent("in-logits", why="min-p as a difference of logits, no probability at all", variants=("temperature-last",))
def in_logits(logits, input_ids, attention_mask=None, repetition_penalty=1.0, temperature=1.0, min_p=0.0):
    s = logits.double()
    tokens = torch.nn.functional.one_hot(input_ids, s.shape[1])
    if attention_mask is not None:
        tokens = tokens * attention_mask[..., None]
    seen = tokens.sum(1) > 0
    factor = torch.where(s < 0, repetition_penalty, 1 / repetition_penalty)
    s = torch.where(seen, s * factor, s)
    if min_p > 0 and len(s):
        s = torch.where(s >= s.amax(1, keepdim=True) + math.log(min_p), s, -math.inf)
    return (s / temperature).float()


@equivalent("index-put", why="writes into a copy by row and column", variants=("temperature-last",))
def index_put(logits, input_ids, attention_mask=None, repetition_penalty=1.0, temperature=1.0, min_p=0.0):
    s = logits.clone().float()
    rows = torch.arange(len(s))[:, None].expand_as(input_ids)
    keep = torch.ones_like(input_ids).bool() if attention_mask is None else attention_mask.bool()
    r, c = rows[keep], input_ids[keep]
    old = s[r, c]
    s[r, c] = old.clamp(min=0) / repetition_penalty + old.clamp(max=0) * repetition_penalty
    p = torch.exp(s - s.logsumexp(-1, keepdim=True))
    s[p < min_p * p.amax(-1, keepdim=True)] = -torch.inf
    return s / temperature


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    v = draw.pick(1, 2, 3, 4, 6, 9)
    b = draw.pick(0, 1, 1, 2, 3, v)
    t = draw.pick(0, 1, 2, 3, 5, v, b)
    dtype = draw.pick(torch.float32, torch.float32, torch.float32, torch.float16, torch.bfloat16)
    kind = draw.pick("spread", "spread", "eighths", "ties", "zeros")
    draw.mark("logits", kind)
    if kind == "spread":
        logits = draw.normal(b, v, std=draw.pick(0.5, 2.0, 20.0))
    elif kind == "eighths":
        logits = draw.integers(-24, 25, b, v) / 8
    else:
        logits = draw.integers(-2, 3, b, v).float() if kind == "ties" else torch.zeros(b, v)
    logits = logits.to(dtype)
    if b and draw.chance(0.3):
        draw.mark("dead tokens")
        logits = logits.masked_fill(draw.boolean(b, v, true=0.4) & (logits < logits.amax(-1, keepdim=True)), DEAD)
    input_ids = draw.integers(0, v, b, t)
    mask = None
    if draw.chance(0.6):
        length, places = draw.integers(0, t + 1, b, 1), torch.arange(t).expand(b, t)
        mask = (places < length if draw.chance(0.5) else places >= t - length).long()
        if draw.chance(0.2):
            mask = draw.boolean(b, t).long()
    penalty = draw.option(1.0, 1.0, 0.5, 1.25, 2.0, 3.0)
    temperature = draw.option(1.0, 1.0, 0.25, 0.5, 1.5, 2.0, 4.0)
    min_p = draw.option(0.0, 0.0, 0.01, 0.05, 0.1, 0.3, 0.6, 1.0)
    if min_p == 1.0 or kind != "spread":
        draw.mark("boundary")  # ties, which one ulp would break
        penalty = draw.option(1.0, 0.5, 2.0)  # exact: equal logits stay equal
        temperature = draw.option(1.0, 0.25, 0.5, 2.0, 4.0)
    made = _clear(logits, input_ids, mask, penalty, temperature, min_p)
    names = ("attention_mask", "repetition_penalty", "temperature", "min_p")
    logits, input_ids = draw.layout(logits), draw.layout(input_ids)
    if draw.given(0.2):
        return call(logits, input_ids, *made.args[2:])
    given = {name: value for name, value in zip(names, made.args[2:], strict=True) if value is not None}
    return call(logits, input_ids, **given)


# Peers ------------------------------------------------------------------------------------------------------------


def _processors(logits, input_ids, attention_mask, penalty: float, steps) -> torch.Tensor:
    """transformers' processors, row by row, so that padding can be left out of the history."""
    from transformers.generation.logits_process import LogitsProcessorList, RepetitionPenaltyLogitsProcessor

    chain = LogitsProcessorList([RepetitionPenaltyLogitsProcessor(float(penalty)), *steps])
    rows = []
    for b in range(len(logits)):
        row = input_ids[b : b + 1]
        if attention_mask is not None:
            row = row[:, attention_mask[b] == 1]
        rows.append(chain(row, logits[b : b + 1].float()))
    return torch.cat(rows) if rows else logits.float()


@peer("transformers", variants=("temperature-first",))
def transformers_chain(logits, input_ids, attention_mask=None, repetition_penalty=1.0, temperature=1.0, min_p=0.0):
    from transformers.generation.logits_process import MinPLogitsWarper, TemperatureLogitsWarper

    steps = [TemperatureLogitsWarper(float(temperature)), MinPLogitsWarper(min_p)]
    return _processors(logits, input_ids, attention_mask, repetition_penalty, steps)


@peer("transformers", variants=("temperature-last",))
def transformers_reordered(logits, input_ids, attention_mask=None, repetition_penalty=1.0, temperature=1.0, min_p=0.0):
    from transformers.generation.logits_process import MinPLogitsWarper, TemperatureLogitsWarper

    steps = [MinPLogitsWarper(min_p), TemperatureLogitsWarper(float(temperature))]
    return _processors(logits, input_ids, attention_mask, repetition_penalty, steps)
