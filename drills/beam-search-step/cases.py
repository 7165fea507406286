"""Cases, equivalents and peer of the kata beam-search-step; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import itertools
import math

import torch

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

DEAD = float("-inf")


def clear(logits: torch.Tensor, sequences: torch.Tensor, scores: torch.Tensor, eos: int, penalty: float) -> bool:
    """Whether each row has K finite candidates, and its best K + 1 lie further apart than rounding moves them."""
    K, V = logits.shape[1:]
    for row in range(len(logits)):
        ranks = []
        for k in range(K):
            tokens = sequences[row, k].tolist()
            if eos in tokens:
                ranks.append(scores[row, k].item() / (tokens.index(eos) + 1) ** penalty)
            else:
                log_probs = logits[row, k].double().log_softmax(0)
                ranks += [(scores[row, k].item() + p) / (len(tokens) + 1) ** penalty for p in log_probs.tolist()]
        ranks = sorted((rank for rank in ranks if rank > DEAD), reverse=True)
        near = [a - b < 1e-3 * (1 + abs(a)) for a, b in itertools.pairwise(ranks[: K + 1])]
        if len(ranks) < K or any(near):
            return False
    return True


def beams(
    make: Inputs,
    b: int,
    k: int,
    v: int,
    t: int,
    *,
    ends: tuple[int | None, ...] = (None,),
    dead: int = 0,
    penalty: float = 0.0,
    std: float = 1.0,
    dtype: torch.dtype = torch.float32,
    banned: float = 0.0,
    spread: float = 1.0,
    scores: list[list[float]] | None = None,
    eos_plus: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, int]:
    """Arguments for b rows of k beams with t tokens; the i-th beam of all ends at the i-th of `ends`, in turn.

    The last `dead` beams of a row are unused. Eos is the token v − 1 or 0, by the shape. Values are drawn until no
    two of the best candidates are nearly equal.
    """
    eos = v - 1 if (k + t) % 2 else 0
    for attempt in range(200):
        others = [token for token in range(v) if token != eos] or [eos]
        sequences = torch.tensor(others)[make.integers(0, len(others), b, k, t)] if t else torch.zeros(b, k, 0).long()
        for i in range(b * k):
            end = ends[i % len(ends)]
            if end is not None:
                sequences[i // k, i % k, end:] = eos
        logits = make.normal(b, k, v, std=std)
        logits[..., eos] += eos_plus
        logits = logits.to(dtype)
        if banned and attempt < 100:
            ban = make.boolean(b, k, v, true=banned) & (logits < logits.amax(-1, keepdim=True))
            logits = logits.masked_fill(ban, DEAD)
        sums = -make.uniform(b, k, low=0.1, high=0.1 + spread * (t + 1)) if scores is None else torch.tensor(scores)
        if dead and attempt < 150:
            sums[:, k - dead :] = DEAD
        if clear(logits, sequences, sums, eos, penalty):
            break
    return logits, sequences, sums, eos


# Cases ------------------------------------------------------------------------------------------------------------


# numpy is right here, and cannot take what asks for gradients: so the first case is not repeated with such inputs.
@case(
    derive=False,
    why="two rows of three beams, none of them finished",
    clauses=("logits", "sequences", "candidates", "chosen", "result"),
)
def base(make: Inputs) -> Call:
    return call(*beams(make, 2, 3, 5, 4))


@case(why="the first step: no token yet, and one beam in use", clauses=("scores", "sequences", "always"))
def first_step(make: Inputs) -> Call:
    return call(*beams(make, 2, 3, 6, 0, scores=[[0.0, DEAD, DEAD]] * 2))


@case(why="one beam is so good that all successors are its own", clauses=("chosen", "result"))
def one_parent(make: Inputs) -> Call:
    return call(*beams(make, 2, 3, 5, 3, scores=[[-40.0, -0.5, -20.0], [-60.0, -1.0, -41.0]]))


@case(why="the order of the beams turns round: histories move with their tokens", clauses=("result", "chosen"))
def turned_round(make: Inputs) -> Call:
    scores = [[-60.0, -30.0, -0.5], [-30.0, -0.5, -60.0]]
    return call(*beams(make, 2, 3, 4, 2, std=8.0, scores=scores))


@case(why="a finished beam stays, with its score, beside beams that go on", clauses=("finished",))
def one_finished(make: Inputs) -> Call:
    return call(*beams(make, 2, 3, 5, 3, ends=(None, 1, None), scores=[[-1.0, -0.25, -0.7], [-0.5, -0.25, -1.5]]))


@case(why="a finished beam that is worse than all others leaves", clauses=("finished", "chosen"))
def finished_but_worse(make: Inputs) -> Call:
    return call(*beams(make, 2, 2, 5, 3, ends=(2, None), std=0.5, scores=[[-30.0, -1.0], [-25.0, -3.0]]))


@case(why="all beams are finished: they come back in the order of their ranks", clauses=("finished", "rank"))
def all_finished(make: Inputs) -> Call:
    scores = torch.tensor([[-3.0, -1.0, -2.0], [-0.5, -4.0, -0.75]])
    sequences = torch.tensor([[[1, 0, 0], [0, 0, 0], [1, 2, 0]], [[2, 2, 0], [2, 0, 0], [0, 0, 0]]])
    return call(make.normal(2, 3, 4), sequences, scores, 0)


@case(why="logits of a finished beam that are −inf for eos: they are not looked at", clauses=("finished", "logits"))
def eos_banned(make: Inputs) -> Call:
    logits, sequences, scores, eos = beams(make, 2, 2, 5, 3, ends=(1, None), scores=[[-0.5, -1.0], [-0.75, -0.25]])
    logits[:, 0, eos] = DEAD
    return call(logits, sequences, scores, eos)


@case(why="eos is the best token: it ends a beam now, and its log-probability counts", clauses=("candidates", "rank"))
def ends_now(make: Inputs) -> Call:
    return call(*beams(make, 2, 2, 5, 3, eos_plus=6.0))


@case(why="length penalty 1, beams of lengths 1 to 5: padding does not count", clauses=("rank",))
def lengths_differ(make: Inputs) -> Call:
    return call(*beams(make, 3, 4, 5, 4, ends=(0, None, 2, 3), penalty=1.0, spread=2.0), 1.0)


@case(why="a long beam wins by its mean though its sum is less", clauses=("rank", "result"))
def longer_wins(make: Inputs) -> Call:
    logits = torch.tensor([[[0.0, 4.0, 0.0, -1.0], [0.0, 0.0, 0.0, 0.0]]])
    return call(logits, torch.tensor([[[1, 2, 1], [3, 3, 3]]]), torch.tensor([[-2.4, -1.1]]), 3, 1.0)


@case(why="length penalty 0.6, and 2: it is a power of the length", clauses=("rank",))
def powers(make: Inputs) -> tuple[Call, Call]:
    one = call(*beams(make, 2, 3, 5, 3, ends=(1, None, None), penalty=0.6), 0.6)
    return one, call(*beams(make, 2, 3, 5, 3, ends=(None, 0, 2), penalty=2.0), length_penalty=2.0)


@case(why="tokens of probability 0, which must make no NaN", clauses=("logits", "candidates"))
def banned_tokens(make: Inputs) -> Call:
    return call(*beams(make, 2, 3, 6, 2, ends=(None, None, 1), banned=0.5))


@case(
    why="one beam in use, with logits of 300 and 1: a probability would be 0 in float32, and its logarithm −inf",
    clauses=("candidates", "scores"),
)
def extreme_logits(make: Inputs) -> Call:
    logits = torch.tensor([[[300.0, 1.0, -300.0, 4.0], [0.0, 0.0, 0.0, 0.0], [3.0, 1.0, 2.0, 4.0]]])
    return call(logits, torch.ones(1, 3, 2).long(), torch.tensor([[0.0, DEAD, DEAD]]), 0)


@case(why="a finished beam beside one of −100,000, which is better than no beam", clauses=("finished", "scores"))
def far_behind(make: Inputs) -> Call:
    logits, sequences, scores, eos = beams(make, 1, 2, 4, 2, ends=(1, None))
    logits[0, 1] = torch.tensor([0.0, 0.5, -0.4, 0.2])  # each log-probability is below −0.5
    return call(logits, sequences, torch.tensor([[-0.5, -100_000.0]]), eos)


@case(why="logits that are not normalised, and beams whose sums of exponentials differ", clauses=("candidates",))
def not_normalised(make: Inputs) -> Call:
    logits, sequences, scores, eos = beams(make, 2, 3, 5, 2, std=2.0)
    return call(logits + torch.tensor([20.0, -5.0, 0.0])[:, None], sequences, scores, eos)


@case(why="bfloat16 logits: the log-softmax is as exact as float32", clauses=("logits", "result"))
def bfloat16(make: Inputs) -> Call:
    return call(*beams(make, 2, 3, 7, 2, dtype=torch.bfloat16, std=3.0))


@case(why="float16 logits, and sums of thousands", clauses=("logits", "result"))
def float16(make: Inputs) -> Call:
    logits, sequences, scores, eos = beams(make, 1, 2, 4, 2, dtype=torch.float16, std=4.0)
    return call(logits, sequences, scores - 2000.0, eos)


@case(why="one beam: greedy decoding", clauses=("chosen", "result"))
def one_beam(make: Inputs) -> Call:
    return call(*beams(make, 3, 1, 6, 2))


@case(why="one finished beam alone", clauses=("finished", "result"))
def one_beam_finished(make: Inputs) -> Call:
    return call(*beams(make, 2, 1, 4, 2, ends=(0,)))


@case(why="more beams than tokens: no beam can fill the row alone", clauses=("chosen",))
def few_tokens(make: Inputs) -> Call:
    return call(*beams(make, 2, 5, 2, 3, ends=(None, None, 1, None, 2)))


@case(why="a vocabulary of eos alone", clauses=("logits", "finished"))
def only_eos(make: Inputs) -> Call:
    return call(make.normal(2, 2, 1), torch.zeros(2, 2, 0).long(), torch.tensor([[-2.0, -1.0], [-0.5, -3.0]]), 0, 0.5)


@case(why="every size is 4: a wrong axis crashes nowhere", clauses=("sequences", "result"))
def equal_sizes(make: Inputs) -> Call:
    return call(*beams(make, 4, 4, 4, 4, ends=(None, 2, None, 0, None), penalty=0.5), 0.5)


@case(why="views of other storage", clauses=("always",))
def views(make: Inputs) -> Call:
    logits, sequences, scores, eos = beams(make, 3, 2, 5, 3, ends=(None, 1, None))
    logits = logits.transpose(0, 2).contiguous().transpose(0, 2)
    both = torch.stack((scores, scores), -1)
    return call(logits, torch.cat((sequences, sequences), 2)[..., :3], both[..., 0], eos)


@case(why="three steps of other beams in a row: nothing may be kept", clauses=("always",))
def three_steps(make: Inputs) -> tuple[Call, ...]:
    return tuple(call(*beams(make, 2, 3, 5, t, ends=(None, None, 1))) for t in (2, 2, 3))


@case(why="sizes and a penalty of its own", fresh=True, clauses=("rank", "chosen", "result"))
def fresh(make: Inputs) -> Call:
    b, k, v, t = make.size(2, 3), make.size(2, 4), make.size(5, 9), make.size(1, 4)
    penalty = make.size(0, 6) / 4
    ends = tuple(make.random.choice((None, None, make.size(0, t - 1))) for _ in range(b * k))
    return call(*beams(make, b, k, v, t, ends=ends, penalty=penalty), penalty)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    k, v = draw.pick(1, 2, 2, 3, 4), draw.pick(1, 2, 3, 4, 6)
    b, t = draw.pick(1, 1, 2, 3, k), draw.pick(0, 0, 1, 2, 3, k)
    share = draw.pick(0.0, 0.3, 0.3, 0.6, 1.0)
    ends = tuple(draw.size(0, t - 1) if t and (v == 1 or draw.chance(share)) else None for _ in range(b * k))
    penalty = draw.option(0.0, 0.0, 0.5, 1.0, 1.0, 2.0)
    dead = draw.pick(0, 0, 0, 1, k - 1) if k > 1 else 0
    dtype = draw.pick(torch.float32, torch.float32, torch.float32, torch.float16, torch.bfloat16)
    made = beams(
        draw,
        b,
        k,
        v,
        t,
        ends=ends,
        dead=dead,
        penalty=penalty,
        std=draw.pick(0.5, 1.0, 3.0, 100.0),
        dtype=dtype,
        banned=draw.pick(0.0, 0.0, 0.3),
        spread=draw.pick(0.5, 1.0, 3.0),
    )
    draw.mark("finished", "none" if not any(e is not None for e in ends) else "all" if None not in ends else "some")
    draw.mark("unused beams", bool((made[2] == DEAD).any()))
    logits, sequences, scores = (draw.layout(tensor) for tensor in made[:3])
    if penalty or draw.given(0.3):
        if draw.given(0.5):
            return call(logits, sequences, scores, made[3], penalty)
        return call(logits, sequences, scores, eos_token_id=made[3], length_penalty=penalty)
    return call(logits, sequences, scores, made[3])


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("one-function", why="short names, and the finished beams' log-probabilities overwritten")
def one_function(
    logits,
    sequences,
    scores,
    eos_token_id,
    length_penalty=0.0,
):
    B, K, V = logits.shape
    p = logits.float().log_softmax(-1)
    is_eos = sequences == eos_token_id
    done = is_eos.any(-1, keepdim=True)
    pad = torch.arange(V) == eos_token_id
    p = p.masked_fill(done, -torch.inf)
    p = p.masked_fill(done & pad, 0.0)
    total = scores[..., None] + p
    length = (~is_eos).sum(-1, keepdim=True) + 1
    rank = total / length**length_penalty
    best = rank.flatten(1).topk(K).indices
    beam = best // V
    token = best % V
    rows = torch.arange(B)[:, None]
    history = sequences[rows, beam]
    new = torch.cat((history, token[..., None]), -1)
    return new, total.flatten(1).gather(1, best), beam


@equivalent("sorted-candidates", why="a list of candidates for each row, sorted in Python")
def sorted_candidates(logits, sequences, scores, eos_token_id, length_penalty=0.0):
    B, K, T = sequences.shape
    log_probs = torch.log_softmax(logits.float(), dim=2)
    new = torch.zeros(B, K, T + 1, dtype=torch.int64)
    sums, parents = torch.zeros(B, K), torch.zeros(B, K, dtype=torch.int64)
    for b in range(B):
        candidates = []
        for k in range(K):
            tokens, score = sequences[b, k].tolist(), scores[b, k].item()
            if eos_token_id in tokens:
                length = tokens.index(eos_token_id) + 1
                candidates.append((score / length**length_penalty, score, k, [*tokens, eos_token_id]))
                continue
            for v, log_prob in enumerate(log_probs[b, k].tolist()):
                total = score + log_prob
                candidates.append((total / (T + 1) ** length_penalty, total, k, [*tokens, v]))
        candidates.sort(key=lambda candidate: -candidate[0])
        for i, (_, total, k, tokens) in enumerate(candidates[:K]):
            new[b, i], sums[b, i], parents[b, i] = torch.tensor(tokens), total, k
    return new, sums, parents


@equivalent("best-of-each-first", why="takes the best tokens of each beam, and the best of these then")
def best_of_each_first(logits, sequences, scores, eos_token_id, length_penalty=0.0):
    B, K, V = logits.shape
    finished = (sequences == eos_token_id).any(2)
    log_probs = logits.float() - logits.float().logsumexp(2, keepdim=True)
    each = min(K, V)
    values, tokens = log_probs.topk(each, dim=2)
    first = torch.arange(each) == 0
    values = torch.where(finished[..., None], torch.where(first, 0.0, -torch.inf), values)
    tokens = torch.where(finished[..., None], eos_token_id, tokens)
    totals = (values + scores[..., None]).reshape(B, K * each)
    lengths = (sequences != eos_token_id).sum(2).add(1).float()
    weights = lengths.pow(-length_penalty)[..., None].expand(B, K, each).reshape(B, K * each)
    order = (totals * weights).argsort(dim=1, descending=True)[:, :K]
    parents = torch.div(order, each, rounding_mode="floor")
    history = torch.take_along_dim(sequences, parents[..., None], dim=1)
    token = tokens.reshape(B, K * each).gather(1, order)
    return torch.cat([history, token[..., None]], dim=2), totals.gather(1, order), parents


# Peer -------------------------------------------------------------------------------------------------------------


@peer("numpy")
def numpy_beams(logits, sequences, scores, eos_token_id, length_penalty=0.0):
    """The definition on a table of all K · V pairs, where a finished beam has eos alone."""
    import numpy as np

    z, old, sums = logits.double().numpy(), sequences.numpy(), scores.double().numpy()
    rows = []
    for b in range(len(z)):
        found = {}
        for k, v in np.ndindex(*z.shape[1:]):
            tokens = np.append(old[b, k], v)
            ends = np.flatnonzero(tokens == eos_token_id)
            if len(ends) and ends[0] < len(old[b, k]) and v != eos_token_id:
                continue
            over = len(ends) and ends[0] < len(old[b, k])
            total = sums[b, k] + (0.0 if over else z[b, k, v] - np.logaddexp.reduce(z[b, k]))
            length = ends[0] + 1 if len(ends) else len(tokens)
            found[k, v] = math.exp(-length_penalty * math.log(length)) * total, total, tokens
        best = sorted(found, key=lambda pair: found[pair][0])[::-1][: z.shape[1]]
        rows.append(([found[p][2] for p in best], [found[p][1] for p in best], [k for k, _ in best]))
    shape = sequences.shape
    return (
        torch.tensor(np.array([r[0] for r in rows])).long().view(*shape[:2], shape[2] + 1),
        torch.tensor([r[1] for r in rows]).float().view(shape[:2]),
        torch.tensor([r[2] for r in rows]).long().view(shape[:2]),
    )
