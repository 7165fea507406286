"""Cases, right kernels and peer of the kata gradient-accumulation; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def micro_batch(make: Inputs, *sizes: int, ignored: float = 0.0, std: float = 1.0) -> tuple[Any, Any]:
    """One pair (x, labels), of whose labels about so many are ignored; sizes are B, T, D and V."""
    b, t, d, v = sizes
    labels = make.integers(0, v, b, t).masked_fill(make.boolean(b, t, true=ignored), -100)
    return make.normal(b, t, d, std=std), labels


# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="three micro-batches whose rows, lengths and numbers of counted tokens all differ",
    clauses=("weight", "micro-batches", "token", "mean", "gradient", "result"),
)
def base(make: Inputs) -> Call:
    batches = [micro_batch(make, 2, 5, 3, 7), micro_batch(make, 1, 4, 3, 7), micro_batch(make, 3, 2, 3, 7)]
    batches[0][1][0, 1:] = -100
    batches[2][1][:2, 0] = -100
    return call(make.normal(3, 7), batches)


@case(
    why="one token against nine: the mean of means would let it weigh as much as they do", clauses=("mean", "gradient")
)
def one_against_nine(make: Inputs) -> Call:
    batches = [micro_batch(make, 3, 3, 2, 5), micro_batch(make, 1, 1, 2, 5)]
    return call(make.normal(2, 5), batches)


@case(
    why="equal shapes, unequal counts: neither rows nor positions are what weighs",
    clauses=("mean", "token", "micro-batches"),
)
def equal_shapes(make: Inputs) -> Call:
    batches = [micro_batch(make, 2, 4, 3, 6) for _ in range(3)]
    batches[0][1][:, 1:] = -100
    batches[2][1][0] = -100
    return call(make.normal(3, 6), batches)


@case(why="a single micro-batch: its own mean is the mean", clauses=("mean", "gradient"))
def single(make: Inputs) -> Call:
    return call(make.normal(4, 5), [micro_batch(make, 2, 3, 4, 5, ignored=0.3)])


@case(
    why="the last micro-batch holds nothing that counts, and so does one before it: they are no NaN and no denominator",
    clauses=("nothing-counts", "mean"),
)
def nothing_in_some(make: Inputs) -> Call:
    batches = [micro_batch(make, 2, 2, 3, 4), micro_batch(make, 1, 3, 3, 4), micro_batch(make, 2, 3, 3, 4)]
    batches += [micro_batch(make, 1, 2, 3, 4)]
    for at in (1, 3):
        batches[at][1].fill_(-100)
    return call(make.normal(3, 4), batches)


@case(why="nothing counts anywhere: both are 0", clauses=("nothing-counts", "result"))
def nothing_counts(make: Inputs) -> Call:
    batches = [micro_batch(make, 2, 3, 3, 4, ignored=2.0), micro_batch(make, 1, 1, 3, 4, ignored=2.0)]
    return call(make.normal(3, 4), batches)


@case(why="one token counts in all: the mean is its own loss", clauses=("mean", "token"))
def one_counts(make: Inputs) -> Call:
    batches = [micro_batch(make, 2, 2, 3, 4, ignored=2.0), micro_batch(make, 1, 3, 3, 4)]
    batches[1][1][0, :2] = -100
    return call(make.normal(3, 4), batches)


@case(why="every label is 0 or −100: 0 is a token like any other", clauses=("token", "mean"))
def label_zero(make: Inputs) -> Call:
    batches = [micro_batch(make, 2, 3, 2, 3), micro_batch(make, 1, 4, 2, 3)]
    for _, labels in batches:
        labels.clamp_(max=0)
        labels[0, 0] = -100
    return call(make.normal(2, 3), batches)


@case(why="D = V = T = B = 3: nothing crashes that is transposed", clauses=("weight", "micro-batches", "gradient"))
def equal_sizes(make: Inputs) -> Call:
    return call(make.normal(3, 3), [micro_batch(make, 3, 3, 3, 3, ignored=0.3) for _ in range(3)])


@case(why="one channel, one entry in the vocabulary, one token: the loss is 0", clauses=("weight", "token"))
def smallest(make: Inputs) -> Call:
    return call(make.normal(1, 1), [micro_batch(make, 1, 1, 1, 1), micro_batch(make, 1, 2, 1, 1)])


@case(
    why="bfloat16: rounded after each micro-batch, a hundred small gradients would be lost in the sum",
    clauses=("result", "weight"),
)
def bfloat16(make: Inputs) -> Call:
    batches = [micro_batch(make, 1, 1 + at % 3, 3, 5) for at in range(24)]
    return call(make.normal(3, 5).bfloat16(), [(x.bfloat16(), labels) for x, labels in batches])


@case(why="float16 with logits beyond its range: lifted first, they are finite", clauses=("result", "weight"))
def float16(make: Inputs) -> Call:
    batches = [micro_batch(make, 2, 3, 4, 5, std=200.0), micro_batch(make, 1, 2, 4, 5, std=200.0)]
    return call((make.normal(4, 5) * 300).half(), [(x.half(), labels) for x, labels in batches])


@case(why="sixteen equal micro-batches: how much is alive at a time is counted", clauses=("one-at-a-time",))
def sixteen(make: Inputs) -> Call:
    return call(make.normal(4, 40), [micro_batch(make, 3, 8, 4, 40, ignored=0.3) for _ in range(16)])


@case(why="the same weight again, with other micro-batches: nothing is kept", clauses=("always",))
def same_weight_again(make: Inputs) -> tuple[Call, ...]:
    weight = make.normal(2, 5)
    return tuple(call(weight, [micro_batch(make, 2, 3, 2, 5, ignored=0.3) for _ in range(2)]) for _ in range(3))


@case(why="numbers and sizes of their own", fresh=True, clauses=("mean", "gradient", "always"))
def fresh(make: Inputs) -> Call:
    d, v = make.size(2, 4), make.size(5, 8)
    batches = [micro_batch(make, make.size(1, 3), make.size(1, 5), d, v, ignored=0.4) for _ in range(make.size(2, 5))]
    return call(make.normal(d, v), batches)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_micro_batches(draw: Draw) -> Call:
    d, v = draw.pick(1, 2, 3, 4), draw.pick(1, 2, 3, 5, 8)
    dtype = draw.pick(torch.float32, torch.float32, torch.float32, torch.float16, torch.bfloat16)
    scale = draw.pick(0.0, 0.1, 1.0, 1.0, 1.0, 20.0)
    draw.mark("scale", scale)
    same, batches = draw.chance(0.3), []
    b, t = draw.pick(1, 2, 3), draw.pick(1, 2, 3, 4)
    for _ in range(draw.pick(1, 1, 2, 2, 3, 4)):
        b, t = (b, t) if same else (draw.pick(1, 2, 3), draw.pick(1, 2, 3, 4))
        ignored = draw.pick(0.0, 0.0, 0.3, 0.3, 0.8, 2.0)
        x, labels = micro_batch(draw, b, t, d, v, ignored=ignored)
        batches.append((draw.layout(x.to(dtype)), draw.layout(labels)))
    counts = [int((labels >= 0).sum()) for _, labels in batches]
    draw.mark("micro-batches", len(batches))
    draw.mark(
        "counts",
        "none" if not any(counts) else "equal" if len(set(counts)) == 1 else "0 in one" if 0 in counts else "differ",
    )
    weight = draw.layout((draw.normal(d, v) * scale).to(dtype))
    if draw.chance(0.1):
        return call(weight=weight, micro_batches=batches)
    return call(weight, batches)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("compact", why="a count first, then one pass")
def compact(weight, micro_batches):
    w = weight.detach().float().requires_grad_()
    count = 0
    for _, labels in micro_batches:
        count += (labels != -100).sum().item()
    count = max(count, 1)
    loss, gradient = torch.zeros(()), torch.zeros_like(w)
    for x, labels in micro_batches:
        z = (x.float() @ w).flatten(0, 1)
        y = labels.flatten()
        losses = F.cross_entropy(z, y, reduction="none")
        part = losses.sum() / count
        gradient += torch.autograd.grad(part, w)[0]
        loss += part.detach()
    return loss, gradient


@equivalent("into-grad", why="backward adds into the leaf's .grad, and everything is divided at the end")
def into_grad(weight, micro_batches):
    leaf = weight.detach().clone().float()
    leaf.requires_grad = True
    total, tokens = 0.0, 0
    for x, labels in micro_batches:
        summed = F.cross_entropy((x.float() @ leaf).transpose(1, 2), labels, reduction="sum")
        summed.backward()
        total = total + summed.detach()
        tokens += int((labels != -100).sum())
    return total / max(tokens, 1), leaf.grad / max(tokens, 1)


@equivalent("by-hand", why="softmax minus one-hot, without autograd")
def by_hand(weight, micro_batches):
    w = weight.detach().float()
    loss, gradient, tokens = torch.zeros(()), torch.zeros(w.shape), 0
    for x, labels in micro_batches:
        kept = labels != -100
        states, wanted = x.detach()[kept].float(), labels[kept]
        log_p = torch.log_softmax(states @ w, dim=-1)
        rows = torch.arange(len(wanted))
        loss -= log_p[rows, wanted].sum()
        error = log_p.exp()
        error[rows, wanted] -= 1
        gradient += states.T @ error
        tokens += len(wanted)
    return loss / max(tokens, 1), gradient / max(tokens, 1)


@equivalent("running-mean", why="a running mean, weighted by tokens, as mlx-lm keeps it")
def running_mean(weight, micro_batches):
    loss, gradient, seen = torch.tensor(0.0), torch.zeros(weight.shape), 0
    for x, labels in micro_batches:
        n = int(torch.count_nonzero(labels + 100))
        if n == 0:
            continue
        w = weight.detach().to(torch.float32).requires_grad_(True)
        mean = F.cross_entropy(torch.einsum("btd,dv->btv", x.float(), w).reshape(-1, w.shape[1]), labels.reshape(-1))
        (step,) = torch.autograd.grad(mean, w)
        seen += n
        loss = loss + (mean.detach() - loss) * (n / seen)
        gradient = gradient + (step - gradient) * (n / seen)
    return loss, gradient


@equivalent("float64-inside", why="computes in float64, token by token")
def float64_inside(weight, micro_batches):
    w = weight.detach().double()
    loss, gradient, tokens = 0.0, torch.zeros_like(w), 0
    for x, labels in micro_batches:
        for state, label in zip(x.detach().double().flatten(0, 1), labels.flatten(), strict=True):
            if label == -100:
                continue
            logits = state @ w
            error = logits.softmax(0)
            loss = loss + (logits.logsumexp(0) - logits[label])
            error[label] -= 1
            gradient += state[:, None] * error
            tokens += 1
    tokens = max(tokens, 1)
    return torch.as_tensor(loss / tokens).float(), (gradient / tokens).float()


# Peer -------------------------------------------------------------------------------------------------------------


@peer("torch", skips={"nothing-counts": "returns NaN"})
def torch_one_batch(weight, micro_batches):
    """All tokens as one batch, under torch's own mean."""
    leaf = weight.detach().float().requires_grad_()
    x = torch.cat([x.detach().float().flatten(0, 1) for x, _ in micro_batches])
    labels = torch.cat([labels.flatten() for _, labels in micro_batches])
    loss = F.cross_entropy(x @ leaf, labels)
    loss.backward()
    return loss.detach(), leaf.grad
