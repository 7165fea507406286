"""Cases, equivalents and peer of the kata triton-cross-entropy; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import torch
import torch.nn.functional as F
import triton
import triton.language as tl

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(why="six columns in a block of eight, targets at both ends", clauses=("input", "loss", "always"))
def base(make: Inputs) -> Call:
    return call(make.normal(3, 6, std=2.0), torch.tensor([0, 5, 2]))


@case(why="two tokens of four are ignored: their loss is 0, and nothing is read at −100", clauses=("ignored",))
def ignored(make: Inputs) -> Call:
    return call(make.normal(4, 7, std=2.0), torch.tensor([-100, 3, -100, 6]))


@case(why="ignore_index is 0, a valid id", clauses=("ignored",))
def ignored_zero(make: Inputs) -> Call:
    return call(make.normal(4, 7, std=2.0), torch.tensor([0, 3, 0, 6]), 0)


@case(why="ignore_index is −1, and a target has it", clauses=("ignored",))
def ignored_minus_one(make: Inputs) -> Call:
    return call(make.normal(3, 6, std=2.0), torch.tensor([2, -1, 5]), ignore_index=-1)


@case(why="ignore_index is V, one beyond the last column", clauses=("ignored",))
def ignored_beyond(make: Inputs) -> Call:
    return call(make.normal(3, 5, std=2.0), torch.tensor([5, 0, 4]), ignore_index=5)


# A float32 near 800 is good to 3e-5, and near 800/ln 2, where exp2 is used, to 6e-5: several such roundings are honest.
@case(why="all logits are near −800: a lane that holds 0 would be the maximum", atol=3e-4, clauses=("magnitude",))
def all_negative(make: Inputs) -> Call:
    return call(make.normal(2, 5, mean=-800.0, std=3.0), torch.tensor([1, 4]))


@case(
    why="logits near +800: exp of them is infinite unless the maximum is taken away", atol=3e-4, clauses=("magnitude",)
)
def large(make: Inputs) -> Call:
    return call(make.normal(2, 7, mean=800.0, std=3.0), torch.tensor([6, 0]))


@case(why="the target's probability underflows: its loss is 300, not infinite", clauses=("magnitude", "loss"))
def unlikely_target(make: Inputs) -> Call:
    logits = make.normal(2, 6)
    logits[:, 2] += 300.0
    return call(logits, torch.tensor([4, 2]))


@case(why="masked logits are −inf", clauses=("magnitude",))
def masked(make: Inputs) -> Call:
    logits = make.normal(3, 6, std=2.0)
    logits[0, 0] = logits[1, 2:5] = logits[2, 1:] = -torch.inf
    return call(logits, torch.tensor([3, 5, 0]))


@case(
    why="2600 columns that rise: each block raises the maximum, and what was summed before must be rescaled",
    clauses=("loss", "input"),
)
def rising(make: Inputs) -> Call:
    logits = make.normal(2, 2600) + torch.linspace(0, 30, 2600)
    return call(logits, torch.tensor([2599, 1030]))


@case(
    why="2100 columns that fall, transposed: the maximum stands in the first block, and rows are one number apart",
    clauses=("loss", "input"),
)
def falling(make: Inputs) -> Call:
    logits = make.normal(2100, 2) - torch.linspace(0, 200, 2100)[:, None]
    return call(logits.T, torch.tensor([0, 2099]))


@case(why="1025 columns: one is left for the second block", clauses=("loss", "input"))
def one_beyond_the_block(make: Inputs) -> Call:
    logits = make.normal(2, 1025)
    logits[:, -1] += 8.0
    return call(logits, torch.tensor([1024, 3]))


@case(why="the same logits twice, with other targets", clauses=("loss", "always"))
def other_targets(make: Inputs) -> tuple[Call, ...]:
    logits = make.normal(2, 6, std=2.0)
    return call(logits, torch.tensor([3, 0])), call(logits, torch.tensor([5, -100]))


@case(why="slices of columns and of rows, and every other target", clauses=("input",))
def views(make: Inputs) -> Call:
    return call(make.normal(6, 12, std=2.0)[::2, 3:10], make.integers(0, 7, 6)[::2])


@case(why="transposed logits: neighbours of a row lie far apart", clauses=("input",))
def transposed(make: Inputs) -> Call:
    return call(make.normal(9, 4, std=2.0).T, torch.tensor([8, 0, 3, -100]))


@case(why="one column: the loss is 0", clauses=("loss",))
def one_column(make: Inputs) -> Call:
    return call(make.normal(3, 1, std=3.0), torch.tensor([0, -100, 0]))


@case(why="bfloat16 logits, a float32 loss", clauses=("float32-inside", "loss"))
def bfloat16(make: Inputs) -> Call:
    return call(make.normal(2, 300, dtype=torch.bfloat16), torch.tensor([7, 299]))


@case(
    why="float16 logits near 600: the sum and the difference are taken in float32",
    atol=3e-4,
    clauses=("float32-inside",),
)
def float16(make: Inputs) -> Call:
    return call(make.normal(2, 90, mean=600.0, std=4.0, dtype=torch.float16), torch.tensor([89, 1]))


@case(why="5000 columns: bytes and tiles are counted", clauses=("one-pass",))
def large_vocabulary(make: Inputs) -> Call:
    return call(make.normal(2, 5000, std=2.0), torch.tensor([4999, 17]))


@case(why="no tokens: an empty result", clauses=("always",))
def no_tokens(make: Inputs) -> Call:
    return call(make.normal(0, 5), make.integers(0, 5, 0))


@case(why="sizes and targets of its own", fresh=True, clauses=("loss", "ignored"))
def fresh(make: Inputs) -> Call:
    tokens, columns = make.size(3, 5), make.size(9, 200)
    targets = make.integers(0, columns, tokens)
    targets[1] = -100
    return call(make.normal(tokens, columns, std=3.0), targets)


# Right kernels, written differently -------------------------------------------------------------------------------


@triton.jit
def two_sums_kernel(x, t, loss, x_row, x_column, t_step, V, ignore, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    x += row * x_row
    target = tl.load(t + row * t_step)
    if target == ignore:
        tl.store(loss + row, 0.0)
        return
    m = tl.full((BLOCK,), -1e38, tl.float32)  # a maximum and a sum a lane, joined at the end
    s = tl.zeros((BLOCK,), tl.float32)
    own = tl.zeros((BLOCK,), tl.float32)
    for start in range(0, V, BLOCK):
        c = start + tl.arange(0, BLOCK)
        v = tl.load(x + c * x_column, mask=c < V, other=float("-inf")).to(tl.float32)
        higher = tl.maximum(m, v)
        s = s * tl.exp(m - higher) + tl.exp(v - higher)
        m = higher
        own += tl.where(c == target, v, 0.0)
    peak = tl.max(m)
    tl.store(loss + row, peak + tl.log(tl.sum(s * tl.exp(m - peak))) - tl.sum(own))


@equivalent("a-sum-each-lane", why="every lane keeps its own maximum and sum; the target is picked on the way")
def a_sum_each_lane(logits, targets, ignore_index=-100):
    loss = torch.zeros(logits.shape[0], device=logits.device)
    two_sums_kernel[(logits.shape[0],)](
        logits, targets, loss, *logits.stride(), *targets.stride(), logits.shape[1], ignore_index, BLOCK=256
    )
    return loss


@triton.jit
def safe_kernel(x, t, loss, x_row, x_column, t_step, V, ignore, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    target = tl.load(t + row * t_step)
    counts = target != ignore
    own = tl.load(x + row * x_row + target * x_column, mask=counts, other=0.0).to(tl.float32)
    m, s = float("-inf"), 0.0
    for block in range(tl.cdiv(V, BLOCK)):
        c = block * BLOCK + tl.arange(0, BLOCK)
        v = tl.load(x + row * x_row + c * x_column, mask=(c < V) & counts, other=float("-inf")).to(tl.float32)
        v = tl.where(counts, v, 0.0) * 1.44269504
        higher = tl.maximum(m, tl.max(v))
        finite = tl.where(higher == float("-inf"), 0.0, higher)
        s = s * tl.exp2(m - finite) + tl.sum(tl.exp2(v - finite))
        m = higher
    result = (m + tl.log2(s)) * 0.69314718 - own
    tl.store(loss + row, tl.where(counts, result, 0.0))


@equivalent("masked-loads", why="no branch: the loads of an ignored token are masked; log2 and exp2")
def masked_loads(logits, targets, ignore_index=-100):
    loss = torch.empty((logits.shape[0],), dtype=torch.float32, device=logits.device)
    safe_kernel[(logits.shape[0],)](
        logits, targets, loss, *logits.stride(), targets.stride(0), logits.shape[1], ignore_index, BLOCK=512
    )
    return loss


@peer("torch")
def by_torch(logits, targets, ignore_index=-100):
    return F.cross_entropy(logits.float(), targets, ignore_index=ignore_index, reduction="none")


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    columns = draw.pick(1, 2, 3, 5, 8, 13, 33, 64, 129, 300, 1023, 1024, 1030, 2600)
    tokens = draw.pick(0, 1, 1, 2, 3, 4) if columns != 5 else draw.pick(1, 5)
    dtype = draw.pick(torch.float32, torch.float32, torch.float16, torch.bfloat16)
    logits = draw.normal(tokens, columns, std=draw.pick(0.5, 3.0, 3.0, 20.0), mean=draw.pick(0.0, 0.0, -600.0, 600.0))
    slope = draw.pick(0.0, 0.0, 40.0, -40.0)
    logits = logits + torch.linspace(0, slope, columns)
    targets = draw.integers(0, columns, tokens)
    if columns > 1 and draw.chance(0.25):
        draw.mark("masked logits")
        hidden = draw.boolean(tokens, columns, true=0.3)
        hidden.scatter_(1, targets[:, None], False)
        logits = logits.masked_fill(hidden, -torch.inf)
    ignore = draw.option(-100, -100, -1, 0, columns, columns - 1)
    given = draw.given(0.7)
    if tokens and draw.chance(0.6):
        draw.mark("an ignored token")
        targets[draw.pick(0, -1)] = ignore if given else -100
    logits, targets = placed(draw, logits.to(dtype)), placed(draw, targets[None])[0]
    return call(logits, targets, ignore) if given else call(logits, targets)


def placed(draw: Draw, x: torch.Tensor) -> torch.Tensor:
    """The matrix as it may lie in memory: packed, transposed, with gaps between its rows or its columns."""
    kind = draw.pick(
        "packed", "packed", "transposed", "columns of a wider one", "every other row", "every other column"
    )
    draw.mark("layout", kind)
    if kind == "transposed":
        return x.T.contiguous().T
    if kind == "columns of a wider one":
        wide = torch.full((x.shape[0], x.shape[1] + 5), 77, dtype=x.dtype)
        wide[:, 2:-3] = x
        return wide[:, 2:-3]
    if kind == "every other row":
        return torch.stack((x, x + 7), dim=1).flatten(0, 1)[::2]
    if kind == "every other column":
        return torch.stack((x, x + 7), dim=2).flatten(1, 2)[:, ::2]
    return x
