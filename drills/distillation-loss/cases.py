"""Cases, right kernels and peers of the kata distillation-loss; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def pair(make: Inputs, b: int, t: int, v: int, spread: float = 1.5) -> tuple[torch.Tensor, torch.Tensor]:
    """A student's logits and a teacher's, which agree in part."""
    teacher = make.normal(b, t, v, std=2.0)
    return teacher * 0.5 + make.normal(b, t, v, std=spread), teacher


# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="rows with prompts and padding of different length",
    grads=(0, 1),
    clauses=("mask", "temperature", "divergence", "mean", "detached", "always"),
)
def base(make: Inputs) -> Call:
    mask = torch.tensor([[0, 1, 1, 1, 0], [0, 0, 0, 1, 0], [1, 1, 1, 1, 1]])
    return call(*pair(make, 3, 5, 7), mask, 3.0)


@case(why="temperature left at its default, a bool mask", clauses=("temperature", "mask"))
def defaults(make: Inputs) -> Call:
    return call(*pair(make, 2, 4, 6), torch.tensor([[1, 1, 0, 1], [0, 1, 1, 1]]).bool())


@case(
    why="temperature 1: nothing is softened, and the factor is 1", grads=(0, 1), clauses=("temperature", "divergence")
)
def plain(make: Inputs) -> Call:
    return call(*pair(make, 2, 3, 5), torch.ones(2, 3), 1.0)


@case(why="a temperature below 1 sharpens, and its square shrinks the loss", grads=(0,), clauses=("temperature",))
def sharpened(make: Inputs) -> Call:
    return call(*pair(make, 2, 3, 5), torch.tensor([[1, 0, 1], [1, 1, 0]]), temperature=0.5)


@case(
    why="as many rows as tokens as classes: an axis taken for another shows in no shape", clauses=("mean", "divergence")
)
def equal_sizes(make: Inputs) -> Call:
    return call(*pair(make, 4, 4, 4), 1 - torch.eye(4), 2.0)


@case(why="one token over a vocabulary of two", grads=(0, 1), clauses=("arguments", "divergence"))
def smallest(make: Inputs) -> Call:
    return call(*pair(make, 1, 1, 2), torch.ones(1, 1), 4.0)


@case(
    why="the student is the teacher: loss and gradient are 0",
    grads=(0, 1),
    clauses=("divergence", "detached"),
)
def agreed(make: Inputs) -> Call:
    teacher = make.normal(2, 3, 5, std=2.0)
    return call(teacher.clone(), teacher, torch.tensor([[1, 1, 0], [1, 1, 1]]), 2.0)


@case(
    why="NaN and −inf where nothing counts: multiplied by 0 they stay NaN, and spoil the gradient too",
    grads=(0, 1),
    clauses=("mask",),
)
def garbage_in_padding(make: Inputs) -> Call:
    mask = torch.tensor([[0, 1, 1, 0], [1, 1, 0, 0]])
    student, teacher = pair(make, 2, 4, 5)
    student[0, 0], teacher[0, 3] = float("nan"), float("nan")
    teacher[1, 2], student[1, 3, 2:] = float("-inf"), float("-inf")
    return call(student, teacher, mask, 2.0)


@case(
    why="infinite logits where nothing counts, at a temperature below 1: made finite, they overflow again",
    grads=(0, 1),
    clauses=("mask", "temperature"),
)
def infinite_padding(make: Inputs) -> Call:
    student, teacher = pair(make, 2, 3, 4)
    student[0, 2, 1], teacher[1, 0, 2] = float("inf"), float("inf")
    student[1, 0], teacher[0, 2] = float("-inf"), float("-inf")
    return call(student, teacher, torch.tensor([[1, 1, 0], [0, 1, 1]]), 0.5)


@case(
    why="nothing counts: the loss is 0 and still attached, its gradient zero rather than NaN or none",
    grads=(0, 1),
    clauses=("mean", "always"),
)
def nothing_counts(make: Inputs) -> Call:
    return call(*pair(make, 2, 3, 4), torch.zeros(2, 3), 2.0)


@case(
    why="both are sure, of different tokens: probabilities underflow to 0, the loss is hundreds",
    grads=(0, 1),
    atol=2e-3,
    clauses=("extremes",),
)
def both_sure(make: Inputs) -> Call:
    student, teacher = pair(make, 2, 3, 5)
    student[..., 1] += 900.0
    teacher[..., 3] += 900.0
    teacher[0, 1, 1] += 1000.0  # here they agree
    return call(student, teacher, torch.tensor([[1, 1, 0], [1, 0, 1]]), 2.0)


@case(why="the student in float32, the teacher in bfloat16", clauses=("arguments", "result"))
def mixed_dtypes(make: Inputs) -> Call:
    student, teacher = pair(make, 2, 4, 9)
    return call(student, teacher.bfloat16(), torch.tensor([[1, 1, 1, 0], [0, 1, 1, 1]]), 2.0)


@case(why="the student in bfloat16: computed in it, a divergence loses its digits", clauses=("result", "arguments"))
def bfloat16(make: Inputs) -> Call:
    student, teacher = pair(make, 3, 6, 12)
    return call(student.bfloat16(), teacher.bfloat16(), torch.ones(3, 6), 3.0)


@case(
    why="float16 logits near 1000 on different tokens, over 200 tokens: the sum is beyond float16",
    clauses=("result", "extremes"),
)
def float16(make: Inputs) -> Call:
    student, teacher = pair(make, 2, 100, 4)
    student[..., 0] += 900.0
    teacher[..., 2] += 900.0
    return call(student.half(), teacher.half(), make.boolean(2, 100, true=0.8).half(), 1.5)


@case(
    why="259 tokens by a mask in bfloat16, which cannot hold that number: its sum is another",
    clauses=("mask", "mean"),
)
def many_tokens(make: Inputs) -> Call:
    mask = torch.ones(3, 90)
    mask[0, :4], mask[2, 83:] = 0, 0
    return call(*pair(make, 3, 90, 3), mask.bfloat16(), 2.0)


@case(why="sizes of its own, with a token in three left out", fresh=True, clauses=("arguments", "mask", "mean"))
def fresh(make: Inputs) -> Call:
    b, t, v = make.size(2, 4), make.size(5, 8), make.size(9, 12)
    mask = make.boolean(b, t, true=0.66)
    mask[0, :2] = torch.tensor([True, False])
    return call(*pair(make, b, t, v), mask, 2.5)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_batch(draw: Draw) -> Call:
    b, t, v = draw.pick(1, 1, 2, 3), draw.pick(1, 2, 2, 3, 4, 5), draw.pick(1, 2, 3, 4, 5, 12)
    kinds = torch.float32, torch.float32, torch.float32, torch.float16, torch.bfloat16
    dtype, other = draw.pick(*kinds), draw.pick(*kinds)
    other = draw.pick(dtype, dtype, other)
    student, teacher = drawn(draw, b, t, v)
    mask = drawn_mask(draw, b, t)
    for one in (student, teacher):
        filling = draw.pick("as it is", "as it is", "as it is", "NaN", "−inf")
        draw.mark("left out", filling)
        if filling != "as it is":
            one[~mask] = float("nan") if filling == "NaN" else float("-inf")
    mask = mask.to(draw.pick(torch.bool, torch.int64, torch.float32, torch.int8, dtype))
    if dtype == other == torch.float32 and draw.chance(0.5):
        draw.gradients(0, 1)
    args = draw.layout(student.to(dtype)), draw.layout(teacher.to(other)), draw.layout(mask)
    if not draw.given(0.8):
        return call(*args)
    temperature = draw.option(1.0, 2.0, 0.5, 1.5, 3.0, 4.0)
    return call(*args, temperature) if draw.given(0.5) else call(*args, temperature=temperature)


def drawn(draw: Draw, b: int, t: int, v: int) -> tuple[torch.Tensor, torch.Tensor]:
    kind = draw.pick("ordinary", "ordinary", "ordinary", "alike", "equal", "large", "sure", "one sure")
    draw.mark("logits", kind)
    student, teacher = pair(draw, b, t, v)
    if kind in ("alike", "equal"):
        return teacher + (0.1 * student if kind == "alike" else 0.0), teacher
    if kind == "large":
        return 20.0 * student, 20.0 * teacher
    if kind in ("sure", "one sure"):
        teacher.scatter_add_(-1, draw.integers(0, v, b, t, 1), torch.full((b, t, 1), 900.0))
    if kind == "sure":
        student.scatter_add_(-1, draw.integers(0, v, b, t, 1), torch.full((b, t, 1), 900.0))
    return student, teacher


def drawn_mask(draw: Draw, b: int, t: int) -> torch.Tensor:
    which = draw.pick("all", "all", "some", "some", "few", "padding", "a row without", "none")
    draw.mark("mask", which)
    at = torch.arange(t).expand(b, t)
    return {
        "all": at >= 0, "some": draw.boolean(b, t, true=0.6), "few": draw.boolean(b, t, true=0.2),
        "padding": at < draw.integers(0, t + 1, b, 1), "none": at < 0,
        "a row without": torch.arange(b).unsqueeze(1).expand(b, t) < b - 1,
    }[which]  # fmt: skip


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("by-kl-div", why="F.kl_div with the student as input, and the sum over it", variants=("forward",))
def by_kl_div(
    student_logits,
    teacher_logits,
    mask,
    temperature=2.0,
):
    with torch.no_grad():
        kept = mask.bool()
        p = teacher_logits[kept].float() / temperature
        p = F.log_softmax(p, dim=-1)
    q = student_logits[kept].float() / temperature
    q = F.log_softmax(q, dim=-1)
    kl = F.kl_div(q, p, reduction="none", log_target=True)
    kl = kl.sum(-1).sum()
    return kl * temperature**2 / max(int(kept.sum()), 1)


@equivalent("by-kl-div-reverse", why="F.kl_div with the teacher as input, and the sum over it", variants=("reverse",))
def by_kl_div_reverse(
    student_logits,
    teacher_logits,
    mask,
    temperature=2.0,
):
    with torch.no_grad():
        kept = mask.bool()
        p = teacher_logits[kept].float() / temperature
        p = F.log_softmax(p, dim=-1)
    q = student_logits[kept].float() / temperature
    q = F.log_softmax(q, dim=-1)
    kl = F.kl_div(p, q, reduction="none", log_target=True)
    kl = kl.sum(-1).sum()
    return kl * temperature**2 / max(int(kept.sum()), 1)


@equivalent("less-entropy", why="cross entropy less the teacher's entropy, in float64", variants=("forward",))
def less_entropy(student_logits, teacher_logits, mask, temperature=2.0):
    kept = mask.bool()
    student = student_logits.double().masked_fill(~kept[..., None], 0.0) / temperature
    teacher = teacher_logits.double().masked_fill(~kept[..., None], 0.0).detach() / temperature
    p = teacher.softmax(-1)
    crossed = student.logsumexp(-1) - torch.einsum("btv,btv->bt", p, student)
    own = teacher.logsumexp(-1) - torch.einsum("btv,btv->bt", p, teacher)
    total = ((crossed - own) * kept).sum() * (temperature * temperature)
    return (total / kept.sum().clamp(min=1)).float()


@equivalent("safe-rows", why="harmless logits where nothing counts, and a where at the end", variants=("reverse",))
def safe_rows(student_logits, teacher_logits, mask, temperature=2.0):
    out = (mask == 0).unsqueeze(-1)
    log_q = torch.where(out, 0.0, student_logits.float()).div(temperature).log_softmax(-1)
    log_p = torch.where(out, 0.0, teacher_logits.detach().float()).div(temperature).log_softmax(-1)
    each = torch.einsum("btv,btv->bt", log_q.exp(), log_q - log_p)
    return torch.where(mask == 0, 0.0, each).sum() * temperature**2 / (mask != 0).sum().clamp(min=1)


@equivalent("loop", why="a loop over tokens", variants=("forward",))
def loop(student_logits, teacher_logits, mask, temperature=2.0):
    losses = []
    for b, t in mask.nonzero().tolist():
        q = torch.log_softmax(student_logits[b, t].double() / temperature, 0)
        p = torch.log_softmax(teacher_logits[b, t].detach().double() / temperature, 0)
        losses.append((p.exp() * (p - q)).sum())
    if not losses:
        return student_logits[mask.bool()].float().sum()
    return (temperature**2 * torch.stack(losses).mean()).float()


@equivalent("loop-reverse", why="a loop over tokens", variants=("reverse",))
def loop_reverse(student_logits, teacher_logits, mask, temperature=2.0):
    losses = []
    for b, t in mask.nonzero().tolist():
        q = torch.log_softmax(student_logits[b, t].double() / temperature, 0)
        p = torch.log_softmax(teacher_logits[b, t].detach().double() / temperature, 0)
        losses.append(q.exp() @ (q - p))
    if not losses:
        return student_logits[mask.bool()].float().sum()
    return (temperature**2 * torch.stack(losses).mean()).float()


# Peer -------------------------------------------------------------------------------------------------------------


@peer("torch", variants=("forward",))
def by_distributions(student_logits, teacher_logits, mask, temperature=2.0):
    q, p = softened(student_logits, mask, temperature), softened(teacher_logits.detach(), mask, temperature)
    return averaged(torch.distributions.kl_divergence(p, q), temperature)


@peer("torch", variants=("reverse",))
def by_distributions_reverse(student_logits, teacher_logits, mask, temperature=2.0):
    q, p = softened(student_logits, mask, temperature), softened(teacher_logits.detach(), mask, temperature)
    return averaged(torch.distributions.kl_divergence(q, p), temperature)


def softened(logits, mask, temperature):
    return torch.distributions.Categorical(logits=logits[mask.bool()].double() / temperature, validate_args=False)


def averaged(each, temperature):
    return (each.sum() * temperature**2 / max(len(each), 1)).float()
