"""Cases, right kernels and peer of the kata cross-entropy."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="ragged rows: each has a number of padded labels of its own", grads=(0,), clauses=("mean", "labels", "always")
)
def ragged(make: Inputs) -> Call:
    labels = make.integers(0, 7, 3, 5)
    labels[0, 3:] = -100
    labels[2, :2] = -100
    labels[2, 4] = -100
    return call(make.normal(3, 5, 7, std=2.0), labels)


@case(why="nothing is ignored; rows and positions differ in number", clauses=("mean", "labels", "arguments"))
def all_counted(make: Inputs) -> Call:
    return call(make.normal(2, 4, 6, std=2.0), make.integers(0, 6, 2, 4))


@case(why="as many rows as positions as tokens: an axis taken for another shows in no shape", clauses=("mean",))
def equal_sizes(make: Inputs) -> Call:
    return call(make.normal(4, 4, 4, std=2.0), make.integers(0, 4, 4, 4))


@case(why="one row of two tokens over a vocabulary of two", grads=(0,), clauses=("mean", "labels", "arguments"))
def smallest(make: Inputs) -> Call:
    return call(make.normal(1, 2, 2), make.integers(0, 2, 1, 2))


@case(why="ignore_index is 0, a valid id: the parameter decides, not −100 and not the sign", clauses=("ignore-index",))
def ignore_zero(make: Inputs) -> Call:
    labels = make.integers(1, 5, 2, 6)
    labels[0, 4:] = 0
    labels[1, 2] = 0
    return call(make.normal(2, 6, 5, std=2.0), labels, ignore_index=0)


@case(
    why="ignore_index is V − 1, and a whole row holds nothing else: it has no loss and no gradient, and is no NaN",
    grads=(0,),
    clauses=("ignore-index", "mean"),
)
def ignore_last(make: Inputs) -> Call:
    labels = make.integers(0, 5, 3, 6)
    labels[0, 2:5] = 5
    labels[1] = 5
    return call(make.normal(3, 6, 6, std=2.0), labels, ignore_index=5)


@case(why="ignore_index is an id in the middle, with float16 logits", clauses=("ignore-index", "arguments", "result"))
def ignore_middle(make: Inputs) -> Call:
    labels = make.integers(0, 7, 2, 9)
    labels[:, 2:5] = 3
    return call(make.normal(2, 9, 7, std=4.0, dtype=torch.float16), labels, ignore_index=3)


@case(
    why="every label is ignored: the loss is 0 and still attached, its gradient zero rather than NaN or none",
    grads=(0,),
    clauses=("nothing-counts", "always"),
)
def all_ignored(make: Inputs) -> Call:
    return call(make.normal(2, 3, 4), make.integers(0, 1, 2, 3) - 100)


@case(
    why="a sequence of one token has nothing to predict: 0, with a gradient of zero",
    grads=(0,),
    variants=("shifted",),
    clauses=("nothing-counts", "labels"),
)
def one_token(make: Inputs) -> Call:
    return call(make.normal(2, 1, 4), make.integers(0, 4, 2, 1))


# Near 1000 float32 steps by 6e-5, which x[label] − logsumexp(x) meets head-on.
@case(
    why="logits of 1000 on the right token: exp overflows unless the maximum is off", atol=1e-4, clauses=("extremes",)
)
def confident_and_right(make: Inputs) -> Call:
    labels = make.integers(0, 5, 2, 4)
    logits = make.normal(2, 4, 5)
    for row in range(2):
        for t in range(4):  # right under either convention
            logits[row, t, labels[row, t]] += 1000.0
            logits[row, t, labels[row, (t + 1) % 4]] += 1000.0
    return call(logits, labels)


@case(
    why="logits of 1000 on a wrong token: its probability underflows to 0, its gradient is as large as any",
    grads=(0,),
    clauses=("extremes", "always"),
)
def confident_and_wrong(make: Inputs) -> Call:
    logits = make.normal(2, 4, 5)
    logits[..., 4] += 1000.0
    return call(logits, make.integers(0, 4, 2, 4))


@case(why="bfloat16 logits: the loss is computed in float32 and returned in it", clauses=("extremes", "result"))
def bfloat16(make: Inputs) -> Call:
    return call(make.normal(2, 5, 9, std=4.0, dtype=torch.bfloat16), make.integers(0, 9, 2, 5))


@case(
    why="float16 logits near 1000 on wrong tokens: the sum over all tokens is beyond what float16 holds",
    clauses=("extremes", "arguments", "result"),
)
def float16(make: Inputs) -> Call:
    logits = make.normal(4, 30, 5, std=4.0)
    logits[..., 4] += 1000.0
    labels = make.integers(0, 4, 4, 30)
    labels[1, 7:] = -100
    return call(logits.half(), labels)


@case(why="sizes of its own, with a label in three ignored", fresh=True, clauses=("arguments", "mean", "ignore-index"))
def fresh(make: Inputs) -> Call:
    b, t, v = make.size(2, 4), make.size(5, 8), make.size(9, 12)
    labels = make.integers(0, v, b, t).masked_fill(make.boolean(b, t, true=0.3), -1)
    labels[0, 1:3] = torch.tensor([0, v - 1])
    labels[1, -1] = -1
    return call(make.normal(b, t, v, std=2.0), labels, ignore_index=-1)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_batch(draw: Draw) -> Call:
    b, t, v = draw.pick(1, 1, 2, 3), draw.pick(1, 2, 2, 3, 4, 5), draw.pick(1, 2, 3, 4, 5, 12)
    dtype = draw.pick(torch.float32, torch.float32, torch.float32, torch.float16, torch.bfloat16)
    ignored = draw.option(-100, -100, -1, 0, v - 1, v // 2, v, -7, 50256)
    labels = labelled(draw, b, t, v, ignored)
    logits = sized(draw, labels, v).to(dtype)
    if dtype == torch.float32 and draw.chance(0.4):
        draw.gradients(0)
    logits, labels = draw.layout(logits), draw.layout(labels)
    if ignored == -100 and draw.given(0.5):
        return call(logits, labels)
    return call(logits, labels, ignored) if draw.given(0.3) else call(logits, labels, ignore_index=ignored)


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
    kind = draw.pick("equal", "small", "ordinary", "ordinary", "large", "huge", "sure", "sure of the next", "wrong")
    draw.mark("logits", kind)
    std = {"equal": 0.0, "small": 0.01, "large": 20.0, "huge": 400.0}.get(kind, 2.0)
    logits = draw.normal(*labels.shape, v, std=std)
    if kind == "wrong":
        logits[..., -1] += 1000.0
    if kind in ("sure", "sure of the next"):
        tokens = labels if kind == "sure" else labels.roll(-1, 1)
        logits.scatter_add_(-1, tokens.clamp(0, v - 1).unsqueeze(-1), torch.full((*labels.shape, 1), 1000.0))
    return logits


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("by-torch", why="the sum from F.cross_entropy over flattened tokens", variants=("shifted",))
def by_torch(logits, labels, ignore_index=-100):
    logits, labels = (
        logits[:, :-1].float().flatten(0, 1),
        labels[:, 1:].flatten(),
    )
    counted = labels != ignore_index
    total = F.cross_entropy(logits, labels, ignore_index=ignore_index, reduction="sum")
    return total / counted.sum().clamp(min=1)


@equivalent("by-torch-aligned", why="the sum from F.cross_entropy over flattened tokens", variants=("aligned",))
def by_torch_aligned(logits, labels, ignore_index=-100):
    logits, labels = logits.float().flatten(0, 1), labels.flatten()
    total = F.cross_entropy(logits, labels, ignore_index=ignore_index, reduction="sum")
    return total / (labels != ignore_index).sum().clamp(min=1)


@equivalent("by-gather", why="log_softmax, from which each label takes its own", variants=("aligned",))
def by_gather(logits, labels, ignore_index=-100):
    counted = labels != ignore_index
    log_p = logits.float().log_softmax(-1)
    losses = -log_p.gather(-1, labels.masked_fill(~counted, 0).unsqueeze(-1)).squeeze(-1)
    losses = losses.masked_fill(~counted, 0.0)
    return losses.sum() / counted.sum().clamp(min=1)


@equivalent(
    "pads-labels", why="shifts by padding the labels with ignore_index, as in transformers", variants=("shifted",)
)
def pads_labels(logits, labels, ignore_index=-100):
    labels = F.pad(labels, (0, 1), value=ignore_index)[:, 1:].flatten()
    total = F.cross_entropy(logits.float().flatten(0, 1), labels, ignore_index=ignore_index, reduction="sum")
    return total / (labels != ignore_index).sum().clamp(min=1)


@equivalent("selects-first", why="selects the counted tokens before it computes anything", variants=("shifted",))
def selects_first(logits, labels, ignore_index=-100):
    counted = labels[:, 1:] != ignore_index
    kept, wanted = logits[:, :-1][counted].float(), labels[:, 1:][counted]
    if wanted.numel() == 0:
        return kept.sum()
    return F.nll_loss(kept.log_softmax(-1), wanted)


@equivalent("loop", why="a loop over tokens in float64", variants=("shifted",))
def loop(logits, labels, ignore_index=-100):
    losses = []
    for b in range(labels.shape[0]):
        for t in range(labels.shape[1] - 1):
            label = int(labels[b, t + 1])
            if label != ignore_index:
                losses.append(torch.logsumexp(logits[b, t].double(), 0) - logits[b, t, label].double())
    return (torch.stack(losses).mean() if losses else logits.double().sum() * 0).float()


@equivalent("one-hot", why="a product with one-hot labels instead of gather", variants=("aligned",))
def one_hot(logits, labels, ignore_index=-100):
    counted = labels != ignore_index
    hot = F.one_hot(labels.masked_fill(~counted, 0), logits.shape[-1]) * counted.unsqueeze(-1)
    return -(logits.float().log_softmax(-1) * hot).sum() / counted.sum().clamp(min=1)


@equivalent("zero-where-nan", why="F.cross_entropy, and 0 where nothing counts", variants=("aligned",))
def zero_where_nan(logits, labels, ignore_index=-100):
    if bool((labels == ignore_index).all()):
        return logits.float().sum() * 0.0
    return F.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=ignore_index)


@equivalent("by-hand", why="takes the maximum out by hand, in float64", variants=("aligned",))
def by_hand(logits, labels, ignore_index=-100):
    wide = logits.double()
    wide = wide - wide.amax(-1, keepdim=True)
    counted = labels != ignore_index
    picked = wide.gather(-1, labels.masked_fill(~counted, 0).unsqueeze(-1)).squeeze(-1)
    losses = (wide.exp().sum(-1).log() - picked)[counted]
    return (losses.sum() / max(losses.numel(), 1)).float()


# Peer -------------------------------------------------------------------------------------------------------------


@peer("torch", skips={"all-ignored": "returns NaN", "one-token": "returns NaN"}, variants=("shifted",))
def torch_shifted(logits, labels, ignore_index=-100):
    wide = logits[:, :-1].float().transpose(1, 2)  # (B, V, T − 1), as torch wants it
    return F.cross_entropy(wide, labels[:, 1:], ignore_index=ignore_index)


@peer("torch", skips={"all-ignored": "returns NaN"}, variants=("aligned",))
def torch_aligned(logits, labels, ignore_index=-100):
    return F.cross_entropy(logits.float().transpose(1, 2), labels, ignore_index=ignore_index)
