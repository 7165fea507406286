"""Cases, right kernels and peer of the kata cross-entropy-backward; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

ONE = torch.tensor(1.0)

# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="ragged rows: ignored tokens have no gradient and do not count",
    clauses=("loss", "ignored", "arguments", "grad-output"),
)
def base(make: Inputs) -> Call:
    labels = make.integers(0, 7, 3, 5)
    labels[0, 3:] = -100
    labels[2, :2] = -100
    return call(make.uniform(1, low=2.0, high=3.0)[0], make.normal(3, 5, 7, std=2.0), labels)


@case(why="nothing is ignored", clauses=("loss", "arguments"))
def all_counted(make: Inputs) -> Call:
    return call(ONE.clone(), make.normal(2, 4, 6, std=2.0), make.integers(0, 6, 2, 4))


@case(why="a matrix of tokens, without a batch dimension", clauses=("arguments", "loss"))
def flat(make: Inputs) -> Call:
    labels = make.integers(0, 5, 6)
    labels[2] = -100
    return call(torch.tensor(-1.5), make.normal(6, 5, std=2.0), labels)


@case(why="one token and no other dimension: labels has none at all", clauses=("arguments",))
def one_token(make: Inputs) -> Call:
    return call(ONE.clone(), make.normal(5, std=2.0), torch.tensor(3))


@case(why="three leading dimensions: the mean runs over all of their tokens", clauses=("arguments", "loss"))
def four_dimensions(make: Inputs) -> Call:
    labels = make.integers(0, 4, 2, 3, 2)
    labels[1, 0] = -100
    return call(torch.tensor(3.0), make.normal(2, 3, 2, 4, std=2.0), labels)


@case(why="every size is 4: an axis taken for another shows in no shape", clauses=("loss",))
def equal_sizes(make: Inputs) -> Call:
    return call(torch.tensor(4.0), make.normal(4, 4, 4, std=2.0), make.integers(0, 4, 4, 4))


@case(why="a vocabulary of one: the probability is 1, and nothing is left to learn", clauses=("loss",))
def one_word(make: Inputs) -> Call:
    return call(ONE.clone(), make.normal(2, 3, 1), torch.zeros(2, 3, dtype=torch.int64))


@case(why="ignore_index is 0, a valid id: the parameter decides, not −100 and not the sign", clauses=("ignored",))
def ignore_zero(make: Inputs) -> Call:
    labels = make.integers(1, 5, 2, 6)
    labels[0, 4:] = 0
    labels[1, 2] = 0
    return call(ONE.clone(), make.normal(2, 6, 5, std=2.0), labels, ignore_index=0)


@case(why="ignore_index is V − 1, and a whole row holds nothing else", clauses=("ignored", "loss"))
def ignore_last(make: Inputs) -> Call:
    labels = make.integers(0, 5, 3, 6)
    labels[0, 2:5] = 5
    labels[1] = 5
    return call(torch.tensor(2.0), make.normal(3, 6, 6, std=2.0), labels, 5)


@case(why="ignore_index beyond the vocabulary: no index may be made of it", clauses=("ignored", "arguments"))
def ignore_beyond(make: Inputs) -> Call:
    labels = make.integers(0, 4, 2, 5)
    labels[0, 3:] = 9
    return call(ONE.clone(), make.normal(2, 5, 4, std=2.0), labels, ignore_index=9)


@case(why="every label is ignored: zeros, not 0/0", clauses=("nothing-counts",))
def all_ignored(make: Inputs) -> Call:
    return call(ONE.clone(), make.normal(2, 3, 4), torch.full((2, 3), -100))


@case(why="no tokens at all", clauses=("nothing-counts", "always"))
def no_tokens(make: Inputs) -> Call:
    return call(ONE.clone(), make.normal(2, 0, 4), torch.zeros(2, 0, dtype=torch.int64))


@case(why="a gradient of 0 arrives: nothing flows on", clauses=("grad-output",))
def zero_gradient(make: Inputs) -> Call:
    return call(torch.tensor(0.0), make.normal(2, 3, 4), make.integers(0, 4, 2, 3))


@case(why="logits of 1000 on a wrong token: exp overflows unless the maximum is off", clauses=("result",), atol=2e-4)
def confident_and_wrong(make: Inputs) -> Call:
    logits = make.normal(2, 4, 5)
    logits[..., 4] += 1000.0
    return call(ONE.clone(), logits, make.integers(0, 4, 2, 4))


@case(why="logits near −1000 for all tokens: exp underflows to 0 for every one", clauses=("result",), atol=2e-4)
def low_logits(make: Inputs) -> Call:
    return call(ONE.clone(), make.normal(2, 4, 5, mean=-1000.0), make.integers(0, 5, 2, 4))


@case(
    why="float16 with a loss scale of 65536, and labels that are nearly certain: unscaled, float16 drowns the gradients",
    clauses=("grad-output", "result"),
)
def float16_scaled_loss(make: Inputs) -> Call:
    labels = make.integers(0, 8, 8, 64)
    logits = make.normal(8, 64, 8, std=0.3) + 9.0 * F.one_hot(labels, 8)
    labels[3, 9:] = -100
    return call(torch.tensor(65536.0), logits.half(), labels)


@case(
    why="float16, a loss scale of 65536 and one token that counts: float16 cannot hold the factor, only the gradient",
    clauses=("grad-output", "result"),
)
def float16_one_counted(make: Inputs) -> Call:
    return call(torch.tensor(65536.0), make.normal(1, 2, 5).half(), torch.tensor([[3, -100]]))


@case(
    why="float16 logits near 1000, on the wrong token: float32 before anything else",
    clauses=("result", "arguments"),
)
def float16_large(make: Inputs) -> Call:
    logits = make.normal(3, 4, 6, std=4.0)
    logits[..., 5] += 1000.0
    return call(ONE.clone(), logits.half(), make.integers(0, 5, 3, 4))


@case(
    why="bfloat16, and labels of probability near 1: rounded before the 1 comes off, little of the difference is left",
    clauses=("result", "arguments"),
)
def bfloat16(make: Inputs) -> Call:
    labels = make.integers(0, 9, 2, 5)
    logits = make.normal(2, 5, 9) + 5.0 * F.one_hot(labels, 9)
    return call(torch.tensor(7.0), logits.bfloat16(), labels)


@case(why="sizes of its own, with a label in three ignored", fresh=True, clauses=("arguments", "loss", "ignored"))
def fresh(make: Inputs) -> Call:
    b, t, v = make.size(2, 4), make.size(5, 8), make.size(9, 12)
    labels = make.integers(0, v, b, t).masked_fill(make.boolean(b, t, true=0.3), -1)
    labels[0, 1:3] = torch.tensor([0, v - 1])
    labels[1, -1] = -1
    return call(torch.tensor(6.0), make.normal(b, t, v, std=2.0), labels, ignore_index=-1)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    v = draw.pick(1, 2, 3, 4, 5, 12)
    lead = [draw.pick(0, 1, 2, 3, 4, v, v) for _ in range(draw.pick(0, 1, 1, 2, 2, 2, 3))]
    dtype = draw.pick(torch.float32, torch.float32, torch.float16, torch.bfloat16)
    ignored = draw.option(-100, -100, -1, 0, v - 1, v // 2, v, 50256)
    labels = draw.integers(0, v, *lead).masked_fill(out(draw, lead), ignored)
    kind = draw.pick("equal", "ordinary", "ordinary", "likely", "far apart", "sure", "high", "low")
    draw.mark("logits", kind)
    logits = draw.normal(*lead, v, std={"equal": 0.0, "far apart": 300.0}.get(kind, 1.5))
    if kind == "likely":
        logits += 8.0 * F.one_hot(labels.clamp(0, v - 1), v)
    if kind == "sure":
        logits[..., -1] += 1000.0
    if kind in ("high", "low"):
        logits += 1000.0 if kind == "high" else -1000.0
    scales = (1.0, 1.0, 0.25, -3.0, 7.0, 0.0)
    if dtype != torch.float32 and kind in ("equal", "ordinary", "likely"):
        scales += (4096.0, 65536.0) if v < 12 or kind == "likely" else (4096.0,)
    scale = draw.pick(*scales)
    if kind == "likely" and scale >= 4096.0:
        # p − 1 is small there, and carries the rounding of the logits' logsumexp, 5e-7, times the scale.
        counted = max(int((labels != ignored).sum()), 1)
        draw.within(rtol=1e-3 if dtype == torch.float16 else 8e-3, atol=1e-6 * scale / counted)
    grad_output = torch.tensor(scale)
    if draw.chance(0.6):
        grad_output = grad_output * draw.uniform(1, low=0.4, high=0.9)[0]
    logits, labels = draw.layout(logits.to(dtype)), draw.layout(labels)
    if ignored == -100 and draw.given(0.5):
        return call(grad_output, logits, labels)
    if draw.given(0.4):
        return call(grad_output, logits, labels, ignored)
    return call(grad_output, logits, labels, ignore_index=ignored)


def out(draw: Draw, lead: list[int]) -> Any:
    """Which tokens are ignored, a bool tensor of these sizes."""
    which = draw.pick("none", "some", "some", "most", "a row", "all")
    draw.mark("ignored labels", which)
    if which == "a row":
        mask = torch.zeros(lead, dtype=torch.bool)
        mask.view(-1)[: lead[-1] if lead else 0] = True
        return mask
    return draw.boolean(1, *lead, true={"none": 0.0, "some": 0.3, "most": 0.8, "all": 1.0}[which])[0]


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("compact", why="float32, a one-hot tensor, and multiplication by the mask")
def compact(
    grad_output,
    logits,
    labels,
    ignore_index=-100,
):
    counted = (labels != ignore_index).unsqueeze(-1)
    safe = labels.unsqueeze(-1).masked_fill(~counted, 0)
    grad = logits.float().softmax(-1)
    grad.scatter_add_(-1, safe, -torch.ones(safe.shape))
    grad = torch.where(counted, grad, 0.0)
    grad = grad * grad_output / counted.sum().clamp(min=1)
    return grad.to(logits.dtype)


@equivalent("counted-rows", why="picks the tokens that count, and writes their rows into zeros")
def counted_rows(grad_output, logits, labels, ignore_index=-100):
    rows, flat = logits.reshape(-1, logits.shape[-1]).double(), labels.reshape(-1)
    counted = (flat != ignore_index).nonzero().squeeze(1)
    grad = torch.zeros_like(rows)
    if len(counted):
        probabilities = (rows[counted] - rows[counted].logsumexp(1, keepdim=True)).exp()
        one_hot = F.one_hot(flat[counted], rows.shape[1])
        grad[counted] = (probabilities - one_hot) / len(counted) * grad_output.double()
    return grad.reshape(logits.shape).to(logits.dtype)


@equivalent("by-comparison", why="log_softmax, and a comparison with the ids for the one-hot part")
def by_comparison(grad_output, logits, labels, ignore_index=-100):
    counted = labels != ignore_index
    at_label = torch.arange(logits.size(-1)) == labels[..., None]
    weights = counted.float() * grad_output / max(int(counted.sum()), 1)
    probabilities = F.log_softmax(logits, dim=-1, dtype=torch.float32).exp()
    return ((probabilities - at_label.float()) * weights[..., None]).to(logits.dtype)


@equivalent("by-logsumexp", why="exp(x − logsumexp), and an early return where nothing counts")
def by_logsumexp(grad_output, logits, labels, ignore_index=-100):
    wide, counted = logits.float(), labels.ne(ignore_index)
    if not counted.any():
        return torch.zeros_like(logits)
    hot = F.one_hot(torch.where(counted, labels, 0), wide.size(-1))
    difference = (wide - wide.logsumexp(-1, keepdim=True)).exp() - hot
    return (difference * counted[..., None] * grad_output / counted.count_nonzero()).to(logits.dtype)


@equivalent("token-by-token", why="a loop over tokens")
def token_by_token(grad_output, logits, labels, ignore_index=-100):
    rows, flat = logits.reshape(-1, logits.shape[-1]).float(), labels.reshape(-1).tolist()
    count = sum(label != ignore_index for label in flat)
    grad = torch.zeros_like(rows)
    for at, label in enumerate(flat):
        if label != ignore_index:
            powers = (rows[at] - rows[at].max()).exp()
            grad[at] = powers / powers.sum() * (grad_output / count)
            grad[at, label] = -(powers.sum() - powers[label]) / powers.sum() * (grad_output / count)
    return grad.reshape(logits.shape).to(logits.dtype)


# Peer -------------------------------------------------------------------------------------------------------------


@peer("torch")
def by_autograd(grad_output, logits, labels, ignore_index=-100):
    if not (labels != ignore_index).any():
        return torch.zeros_like(logits)
    exact = logits.detach().double().reshape(-1, logits.shape[-1]).requires_grad_()
    with torch.enable_grad():
        loss = F.cross_entropy(exact, labels.reshape(-1), ignore_index=ignore_index)
        (grad,) = torch.autograd.grad(loss, exact, grad_output.detach().double())
    return grad.reshape(logits.shape).to(logits.dtype)
