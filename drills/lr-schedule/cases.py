"""Cases, right kernels and peers of the kata lr-schedule; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import math

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

# Cases ------------------------------------------------------------------------------------------------------------
# Rates are small: the tolerance of float32 would let a step be one off.


@case(why="in the middle of the decay, with a floor", clauses=("cosine", "result", "always"), rtol=1e-6, atol=1e-12)
def base(make: Inputs) -> Call:
    return call(37, make.random.uniform(1e-4, 9e-4), 10, 100, 3e-5)


@case(why="the first step of all", clauses=("warm-up", "arguments"), rtol=1e-6, atol=1e-12)
def first_step(make: Inputs) -> Call:
    return call(0, 3e-4, 8, 80, 3e-5)


@case(why="within the warm-up, whose floor is 0", clauses=("warm-up",), rtol=1e-6, atol=1e-12)
def warming_up(make: Inputs) -> Call:
    return call(5, 3e-4, 8, 80, 3e-5)


@case(why="the last step of the warm-up", clauses=("warm-up",), rtol=1e-6, atol=1e-12)
def last_of_the_warm_up(make: Inputs) -> Call:
    return call(7, 3e-4, 8, 80)


@case(why="the first step after the warm-up has the peak", clauses=("cosine", "warm-up"), rtol=1e-6, atol=1e-12)
def peak(make: Inputs) -> Call:
    return call(8, 3e-4, 8, 80, 3e-5)


@case(why="half of the decay is the middle between floor and peak", clauses=("cosine",), rtol=1e-6, atol=1e-12)
def halfway(make: Inputs) -> Call:
    return call(44, 6e-4, 8, 80, 6e-5)


@case(why="one step before the end the floor is not quite reached", clauses=("cosine",), rtol=1e-6, atol=1e-12)
def before_the_end(make: Inputs) -> Call:
    return call(79, 6e-4, 8, 80, 6e-5)


@case(why="the end is the floor", clauses=("end",), rtol=1e-6, atol=1e-12)
def end(make: Inputs) -> Call:
    return call(80, 6e-4, 8, 80, 6e-5)


@case(why="far beyond the end the rate does not rise again", clauses=("end",), rtol=1e-6, atol=1e-12)
def beyond(make: Inputs) -> Call:
    return call(130, 6e-4, 8, 80, 6e-5)


@case(why="no floor given: it ends at 0, and stays there", clauses=("end", "arguments"), rtol=1e-6, atol=1e-12)
def no_floor(make: Inputs) -> Call:
    return call(81, 6e-4, 8, 80)


@case(why="no warm-up: the first step has the peak", clauses=("cosine", "arguments"), rtol=1e-6, atol=1e-12)
def no_warm_up(make: Inputs) -> Call:
    return call(0, 6e-4, 0, 20, 6e-5)


@case(why="all is warm-up: one step before the end", clauses=("warm-up", "arguments"), rtol=1e-6, atol=1e-12)
def all_warm_up(make: Inputs) -> Call:
    return call(4, 6e-4, 5, 5, 6e-5)


@case(why="all is warm-up: at its end there is nothing to divide by", clauses=("end",), rtol=1e-6, atol=1e-12)
def end_of_all_warm_up(make: Inputs) -> Call:
    return call(5, 6e-4, 5, 5, 6e-5)


@case(why="floor and peak are one: the decay is flat", clauses=("cosine", "arguments"), rtol=1e-6, atol=1e-12)
def flat(make: Inputs) -> Call:
    return call(30, 5e-4, 10, 50, 5e-4)


@case(why="a single step without a warm-up", clauses=("arguments", "cosine"), rtol=1e-6, atol=1e-12)
def single_step(make: Inputs) -> Call:
    return call(0, 2e-3, 0, 1, 1e-4)


@case(why="numbers of its own", fresh=True, clauses=("cosine",), rtol=1e-6, atol=1e-12)
def fresh(make: Inputs) -> Call:
    warmup, total = make.size(3, 9), make.size(40, 90)
    return call(make.size(warmup + 1, total - 1), make.random.uniform(1e-4, 1e-2), warmup, total, 2e-5)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_step(draw: Draw) -> Call:
    total = draw.pick(1, 2, 3, 4, 10, 12, 100, 1000)
    warmup = draw.pick(0, 0, 1, 1, 2, total // 10, total // 2, total - 1, total)
    warmup = min(warmup, total)
    step = draw.pick(
        0, 0, 1, warmup // 2, warmup - 1, warmup, warmup, warmup + 1, (warmup + total) // 2, (warmup + 2 * total) // 3,
        total - 1, total, total, total + 1, 2 * total - warmup, 3 * total,
    )  # fmt: skip
    step = max(step, 0)
    part = "warm-up" if step < warmup else "end" if step >= total else "decay"
    draw.mark("part", part)
    draw.mark("warm-up", "none" if warmup == 0 else "all" if warmup == total else "some")
    draw.mark("step", "peak" if step == warmup else "end" if step == total else "first" if step == 0 else "another")
    draw.within(rtol=1e-6, atol=1e-12)
    top = draw.option(1e-3, 3e-4, 1.0, 0.5)
    if draw.given(0.3):
        return call(step, top, warmup, total)
    bottom = top * draw.option(0.0, 0.1, 0.25, 1.0)
    return call(step, top, warmup, total, bottom) if draw.given(0.5) else call(step, top, warmup, total, floor=bottom)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("compact", why="three returns in one function", variants=("from-zero",))
def compact(
    step, peak, warmup_steps, total_steps, floor=0.0,
):  # fmt: skip
    if step < warmup_steps:
        return peak * step / warmup_steps
    if step >= total_steps:
        return floor
    decay_steps = total_steps - warmup_steps
    p = (step - warmup_steps) / decay_steps
    share = (1 + math.cos(math.pi * p)) / 2
    return floor + (peak - floor) * share


@equivalent(
    "clamped", why="progress is clamped at 1, and the weights of both ends add up to 1", variants=("from-zero",)
)
def clamped(step, peak, warmup_steps, total_steps, floor=0.0):
    if step < warmup_steps:
        return peak * (step / warmup_steps)
    if warmup_steps == total_steps:
        return floor
    progress = min(1.0, (step - warmup_steps) / (total_steps - warmup_steps))
    weight = 0.5 - 0.5 * math.cos(math.pi * progress)
    return (1 - weight) * peak + weight * floor


@equivalent("half-angle", why="cos² of half the angle", variants=("from-zero",))
def half_angle(step, peak, warmup_steps, total_steps, floor=0.0):
    if step >= total_steps:
        return floor
    if step < warmup_steps:
        return step * peak / warmup_steps
    return floor + (peak - floor) * math.cos(math.pi / 2 * (step - warmup_steps) / (total_steps - warmup_steps)) ** 2


@equivalent("nanogpt", why="as nanoGPT writes it", variants=("from-first",))
def nanogpt(step, peak, warmup_steps, total_steps, floor=0.0):
    if step < warmup_steps:
        return peak * (step + 1) / (warmup_steps + 1)
    if step > total_steps:
        return floor
    decay_ratio = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    if step == total_steps:
        decay_ratio = 1.0
    coeff = 0.5 * (1.0 + math.cos(math.pi * decay_ratio))
    return floor + coeff * (peak - floor)


@equivalent("by-torch", why="a tensor in float64", variants=("from-first",))
def by_torch(step, peak, warmup_steps, total_steps, floor=0.0):
    import torch

    if step < warmup_steps:
        return float(torch.linspace(0, peak, warmup_steps + 2, dtype=torch.float64)[step + 1])
    left = max(total_steps - step, 0) / max(total_steps - warmup_steps, 1)  # 1 at the peak, 0 from the end on
    return torch.lerp(
        torch.tensor(floor, dtype=torch.float64),
        torch.tensor(peak, dtype=torch.float64),
        torch.sin(torch.tensor(left, dtype=torch.float64) * math.pi / 2) ** 2,
    ).item()


@equivalent("weights", why="both parts always, one of which is multiplied by False", variants=("from-first",))
def weights(step, peak, warmup_steps, total_steps, floor=0.0):
    rising = peak * (step + 1) / (warmup_steps + 1)
    done = (step - warmup_steps) / (total_steps - warmup_steps) if total_steps > warmup_steps else 1.0
    done = min(max(done, 0.0), 1.0)
    falling = floor + (peak - floor) * (1 - math.sin(math.pi * done / 2) ** 2)
    return rising if step < warmup_steps else falling


# Peers ------------------------------------------------------------------------------------------------------------


@peer(
    "transformers",
    skips={
        "beyond": "its cosine goes on, and rises again",
        "no-floor": "its cosine goes on, and rises again",
        "end-of-all-warm-up": "it returns the peak there",
    },
    variants=("from-zero",),
)
def transformers_schedule(step, peak, warmup_steps, total_steps, floor=0.0):
    import torch
    from transformers import get_cosine_with_min_lr_schedule_with_warmup

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=peak)
    schedule = get_cosine_with_min_lr_schedule_with_warmup(optimizer, warmup_steps, total_steps, min_lr=floor)
    return float(peak * schedule.lr_lambdas[0](step))


@peer("numpy", variants=("from-first",))
def numpy_table(step, peak, warmup_steps, total_steps, floor=0.0):
    import numpy as np

    table = np.full(max(step, total_steps) + 1, floor)
    table[warmup_steps:total_steps] = floor + (peak - floor) * 0.5 * (
        1 + np.cos(np.linspace(0, np.pi, total_steps - warmup_steps, endpoint=False))
    )
    table[:warmup_steps] = np.arange(1, warmup_steps + 1) * peak / (warmup_steps + 1)
    return float(table[step])
