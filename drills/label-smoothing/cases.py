"""Cases, right kernels and peers of the kata label-smoothing; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="ragged rows: each has a number of padded labels of its own",
    grads=(0,),
    clauses=("target", "loss", "mean", "always"),
)
def ragged(make: Inputs) -> Call:
    labels = make.integers(0, 7, 3, 5)
    labels[0, 3:] = -100
    labels[2, :2] = -100
    labels[2, 4] = -100
    return call(make.normal(3, 5, 7, std=2.0), labels, 0.3)


@case(why="smoothing left at its default; nothing is ignored", clauses=("target", "loss", "arguments"))
def defaults(make: Inputs) -> Call:
    return call(make.normal(2, 4, 6, std=8.0), make.integers(0, 6, 2, 4))


@case(why="as many rows as positions as classes: an axis taken for another shows in no shape", clauses=("mean", "loss"))
def equal_sizes(make: Inputs) -> Call:
    return call(make.normal(4, 4, 4, std=2.0), make.integers(0, 4, 4, 4), smoothing=0.4)


@case(why="one token over a vocabulary of two", grads=(0,), clauses=("target", "arguments"))
def smallest(make: Inputs) -> Call:
    return call(make.normal(1, 1, 2, std=3.0), make.integers(0, 2, 1, 1), 0.25)


@case(why="no smoothing: the plain cross entropy", clauses=("loss",))
def no_smoothing(make: Inputs) -> Call:
    labels = make.integers(0, 5, 2, 3)
    labels[1, 2] = -100
    return call(make.normal(2, 3, 5, std=2.0), labels, smoothing=0.0)


@case(why="smoothing of 1: nothing but the spread share is left", grads=(0,), clauses=("loss", "target"))
def all_smoothing(make: Inputs) -> Call:
    labels = make.integers(0, 5, 2, 3)
    labels[0, 0] = -100
    return call(make.normal(2, 3, 5, std=2.0), labels, 1.0)


@case(
    why="ignore_index is 0, a valid id: its tokens do not count, its class still gets a share of the others' targets",
    clauses=("ignore-index",),
)
def ignore_zero(make: Inputs) -> Call:
    labels = make.integers(1, 5, 2, 6)
    labels[0, 4:] = 0
    labels[1, 2] = 0
    return call(make.normal(2, 6, 5, std=3.0), labels, 0.3, ignore_index=0)


@case(
    why="ignore_index is V − 1, and a whole row holds nothing else: it has no loss and no gradient, and is no NaN",
    grads=(0,),
    clauses=("ignore-index", "mean"),
)
def ignore_last(make: Inputs) -> Call:
    labels = make.integers(0, 5, 3, 6)
    labels[0, 2:5] = 5
    labels[1] = 5
    return call(make.normal(3, 6, 6, std=2.0), labels, 0.2, 5)


@case(why="ignore_index beyond the vocabulary: no index may be made of it", clauses=("ignore-index", "arguments"))
def ignore_beyond(make: Inputs) -> Call:
    labels = make.integers(0, 4, 2, 5)
    labels[0, 3:] = 9
    return call(make.normal(2, 5, 4, std=2.0), labels, 0.2, ignore_index=9)


@case(
    why="every label is ignored: the loss is 0 and still attached, its gradient zero rather than NaN or none",
    grads=(0,),
    clauses=("nothing-counts", "always"),
)
def all_ignored(make: Inputs) -> Call:
    return call(make.normal(2, 3, 4), make.integers(0, 1, 2, 3) - 100, 0.2)


@case(
    why="logits of 1000 on the right token: only the smoothed share costs, and it costs hundreds",
    grads=(0,),
    atol=1e-3,
    clauses=("extremes",),
)
def confident_and_right(make: Inputs) -> Call:
    labels = make.integers(0, 5, 2, 4)
    hot = F.one_hot(labels, 5) * 1000.0
    labels[1, 1:] = -100
    return call(make.normal(2, 4, 5) + hot, labels, 0.1)


@case(
    why="logits of 1000 on a wrong token: its probability underflows to 0, its gradient is as large as any",
    grads=(0,),
    atol=1e-3,
    clauses=("extremes", "always"),
)
def confident_and_wrong(make: Inputs) -> Call:
    logits = make.normal(2, 4, 5)
    logits[..., 4] += 1000.0
    return call(logits, make.integers(0, 4, 2, 4), 0.3)


@case(why="bfloat16 logits: the loss is computed in float32 and returned in it", clauses=("extremes", "result"))
def bfloat16(make: Inputs) -> Call:
    return call(make.normal(2, 5, 9, std=4.0, dtype=torch.bfloat16), make.integers(0, 9, 2, 5), 0.2)


@case(
    why="bfloat16 logits and 301 tokens that count: counted in bfloat16, they are 300",
    clauses=("mean", "result"),
    rtol=1e-4,
)
def bfloat16_long(make: Inputs) -> Call:
    labels = make.integers(0, 2, 1, 310)
    labels[0, 301:] = -100
    return call(make.normal(1, 310, 2, dtype=torch.bfloat16), labels, 0.2)


@case(
    why="float16 logits near 1000 over 90 classes: their sum is beyond what float16 holds",
    clauses=("extremes", "arguments", "result"),
)
def float16(make: Inputs) -> Call:
    logits = make.normal(3, 5, 90, std=4.0)
    logits[..., 4] += 1000.0
    labels = make.integers(0, 4, 3, 5)
    labels[1, 2:] = -100
    return call(logits.half(), labels, 0.5)


@case(why="sizes of its own, with a label in three ignored", fresh=True, clauses=("arguments", "mean", "target"))
def fresh(make: Inputs) -> Call:
    b, t, v = make.size(2, 4), make.size(5, 8), make.size(9, 12)
    labels = make.integers(0, v, b, t).masked_fill(make.boolean(b, t, true=0.3), -1)
    labels[0, 1:3] = torch.tensor([0, v - 1])
    labels[1, -1] = -1
    return call(make.normal(b, t, v, std=2.0), labels, 0.25, ignore_index=-1)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_batch(draw: Draw) -> Call:
    b, t, v = draw.pick(1, 1, 2, 3), draw.pick(1, 2, 2, 3, 4, 5), draw.pick(2, 2, 3, 4, 5, 12)
    dtype = draw.pick(torch.float32, torch.float32, torch.float32, torch.float16, torch.bfloat16)
    ignored = draw.option(-100, -100, -1, 0, v - 1, v // 2, v, -7, 50256)
    labels = labelled(draw, b, t, v, ignored)
    logits = sized(draw, labels, v).to(dtype)
    if dtype == torch.float32 and draw.chance(0.4):
        draw.gradients(0)
    logits, labels = draw.layout(logits), draw.layout(labels)
    options: dict[str, Any] = {}
    if draw.given(0.8):
        options["smoothing"] = draw.option(0.1, 0.0, 0.05, 0.2, 0.5, 0.9, 1.0)
    if ignored != -100 or draw.given(0.5):
        options["ignore_index"] = ignored
    if "smoothing" in options and draw.given(0.4):
        return call(logits, labels, options.pop("smoothing"), *options.values())
    return call(logits, labels, **options)


def labelled(draw: Draw, b: int, t: int, v: int, ignored: int) -> torch.Tensor:
    """Labels (b, t), of which some are ignored; ids that happen to be `ignored` are ignored too."""
    which = draw.pick("none", "some", "some", "most", "prompts", "padding", "a row", "all", "all but the first")
    draw.mark("ignored labels", which)
    at, length = torch.arange(t).expand(b, t), draw.integers(0, t + 1, b, 1)
    out = {
        "none": torch.zeros(b, t, dtype=torch.bool), "some": draw.boolean(b, t, true=0.3),
        "most": draw.boolean(b, t, true=0.8), "prompts": at < length, "padding": at >= length,
        "a row": torch.arange(b).unsqueeze(1).expand(b, t) == b - 1, "all": at >= 0, "all but the first": at > 0,
    }[which]  # fmt: skip
    return draw.integers(0, v, b, t).masked_fill(out, ignored)


def sized(draw: Draw, labels: torch.Tensor, v: int) -> torch.Tensor:
    """Logits (b, t, v): close together, ordinary, far apart, or sure of one token for or against the labels."""
    kind = draw.pick("equal", "small", "ordinary", "ordinary", "large", "huge", "sure", "wrong")
    draw.mark("logits", kind)
    std = {"equal": 0.0, "small": 0.01, "large": 20.0, "huge": 400.0}.get(kind, 2.0)
    logits = draw.normal(*labels.shape, v, std=std)
    if kind == "wrong":
        logits[..., -1] += 1000.0
    if kind == "sure":
        logits.scatter_add_(-1, labels.clamp(0, v - 1).unsqueeze(-1), torch.full((*labels.shape, 1), 1000.0))
    return logits


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("builds-targets", why="builds the target distribution and multiplies by it", variants=("uniform",))
def builds_targets(logits, labels, smoothing=0.1, ignore_index=-100):
    kept = labels != ignore_index
    log_p = logits[kept].float().log_softmax(-1)
    target = torch.full_like(log_p, smoothing / log_p.size(-1))
    rows = torch.arange(len(log_p))
    target[rows, labels[kept]] += 1 - smoothing
    losses = -(target * log_p).sum(-1)
    return losses.sum() / max(len(losses), 1)


@equivalent("builds-targets-others", why="builds the target distribution and multiplies by it", variants=("others",))
def builds_targets_others(logits, labels, smoothing=0.1, ignore_index=-100):
    kept = labels != ignore_index
    log_p = logits[kept].float().log_softmax(-1)
    low = smoothing / (log_p.size(-1) - 1)
    target = torch.full_like(log_p, low)
    rows = torch.arange(len(log_p))
    target[rows, labels[kept]] = 1 - smoothing
    losses = -(target * log_p).sum(-1)
    return losses.sum() / max(len(losses), 1)


@equivalent(
    "label-smoother", why="in place, with -100 clamped after masking, as transformers does", variants=("uniform",)
)
def label_smoother(logits, labels, smoothing=0.1, ignore_index=-100):
    log_probs = -F.log_softmax(logits, dim=-1, dtype=torch.float32)
    labels = labels.unsqueeze(-1)
    padding = labels.eq(ignore_index)
    nll = log_probs.gather(dim=-1, index=labels.clamp(0, logits.shape[-1] - 1))
    smooth = log_probs.sum(dim=-1, keepdim=True)
    nll = nll.masked_fill(padding, 0.0)
    smooth = smooth.masked_fill(padding, 0.0)
    active = max(padding.numel() - int(padding.sum()), 1)
    return (1 - smoothing) * nll.sum() / active + smoothing * smooth.sum() / (active * log_probs.shape[-1])


@equivalent(
    "one-lookup", why="logsumexp minus a mixture of the label's logit and the mean logit", variants=("uniform",)
)
def one_lookup(logits, labels, smoothing=0.1, ignore_index=-100):
    wide, counted = logits.double(), (labels != ignore_index).double()
    index = torch.where(labels == ignore_index, torch.zeros_like(labels), labels)
    label = torch.take_along_dim(wide, index[..., None], dim=-1)[..., 0]
    each = torch.logsumexp(wide, -1) - (1 - smoothing) * label - smoothing * wide.mean(-1)
    return (torch.einsum("bt,bt->", each, counted) / counted.sum().clamp_min(1.0)).float()


@equivalent("by-nll-loss", why="F.nll_loss for the label's part", variants=("uniform",))
def by_nll_loss(logits, labels, smoothing=0.1, ignore_index=-100):
    log_p = logits.float().flatten(0, 1).log_softmax(1)
    flat = labels.reshape(-1)
    n = (flat != ignore_index).sum().clamp(min=1)
    nll = F.nll_loss(log_p, flat, ignore_index=ignore_index, reduction="sum")
    smooth = -log_p.mean(1)[flat != ignore_index].sum()
    return nll.lerp(smooth, smoothing) / n


@equivalent("two-weights", why="the sum over all classes, and the label's weight less its share", variants=("others",))
def two_weights(logits, labels, smoothing=0.1, ignore_index=-100):
    log_p = logits.double().log_softmax(-1)
    pad = labels == ignore_index
    nll = -log_p.gather(-1, labels.masked_fill(pad, 0).unsqueeze(-1)).squeeze(-1).masked_fill(pad, 0.0)
    smooth = -log_p.sum(-1).masked_fill(pad, 0.0)
    each = smoothing / (log_p.size(-1) - 1)
    return (((1 - smoothing - each) * nll + each * smooth).sum() / (~pad).sum().clamp(min=1)).float()


@equivalent("loop", why="a loop over tokens and classes", variants=("others",))
def loop(logits, labels, smoothing=0.1, ignore_index=-100):
    total, count, size = logits.float().sum() * 0, 0, logits.shape[-1]
    for row, targets in zip(logits.double().log_softmax(-1), labels.tolist(), strict=True):
        for log_p, label in zip(row, targets, strict=True):
            if label == ignore_index:
                continue
            share = torch.full((size,), smoothing / (size - 1), dtype=torch.float64)
            share[label] = 1 - smoothing
            total, count = total - log_p @ share, count + 1
    return (total / max(count, 1)).float()


@equivalent("one-hot", why="a mixture of one-hot labels and their complement", variants=("others",))
def one_hot(logits, labels, smoothing=0.1, ignore_index=-100):
    pad = labels.eq(ignore_index)
    hot = F.one_hot(labels.masked_fill(pad, 0), logits.size(-1)).float()
    target = hot * (1 - smoothing) + (1 - hot) * smoothing / (logits.size(-1) - 1)
    target = target * ~pad.unsqueeze(-1)
    return -torch.einsum("btv,btv->", target, logits.float().log_softmax(-1)) / torch.clamp((~pad).sum(), min=1)


# Peer -------------------------------------------------------------------------------------------------------------


@peer("torch", skips={"all-ignored": "returns NaN"}, variants=("uniform",))
def torch_uniform(logits, labels, smoothing=0.1, ignore_index=-100):
    wide = logits.float().transpose(1, 2)  # (B, V, T), as torch wants it
    return F.cross_entropy(wide, labels, ignore_index=ignore_index, label_smoothing=smoothing)


# With probabilities as targets torch knows no ignore_index: the tokens that count are selected before.
@peer("torch", skips={"all-ignored": "returns NaN"}, variants=("others",))
def torch_others(logits, labels, smoothing=0.1, ignore_index=-100):
    kept = labels != ignore_index
    hot, size = F.one_hot(labels[kept], logits.size(-1)).float(), logits.size(-1)
    return F.cross_entropy(logits[kept].float(), hot * (1 - smoothing) + (1 - hot) * (smoothing / (size - 1)))
