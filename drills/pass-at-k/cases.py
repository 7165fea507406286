"""Cases, equivalents and peers of the kata pass-at-k; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="problems with few and with many successes, and k between",
    clauses=("counts", "score", "mean", "always"),
)
def base(make: Inputs) -> Call:
    return call([10, 10, 10], [3, 0, 8], 4)


@case(why="one problem of five samples, two of which passed", clauses=("score",))
def one_problem(make: Inputs) -> Call:
    return call([5], [2], 2)


@case(why="k = 1 is the share of successes", clauses=("score", "mean"))
def one_try(make: Inputs) -> Call:
    return call([8, 4], [3, 3], 1)


@case(why="k = n: every sample is drawn", clauses=("score", "too-few"))
def all_drawn(make: Inputs) -> Call:
    return call([4, 4, 4], [0, 1, 4], 4)


@case(why="fewer failures than k: a success is certain", clauses=("score",))
def certain(make: Inputs) -> Call:
    return call([6], [4], 3)


@case(why="exactly k failures: one draw of all still fails", clauses=("score",))
def barely_not_certain(make: Inputs) -> Call:
    return call([6], [3], 3)


@case(why="fewer successes than k", clauses=("score",))
def too_few_successes(make: Inputs) -> Call:
    return call([7], [2], 3)


@case(why="nothing passed", clauses=("counts", "score"))
def nothing_passed(make: Inputs) -> Call:
    return call([5, 3], [0, 0], 2)


@case(why="everything passed", clauses=("counts", "score"))
def everything_passed(make: Inputs) -> Call:
    return call([5, 3], [5, 3], 2)


@case(why="one sample, one try", clauses=("counts",))
def one_sample(make: Inputs) -> Call:
    return call([1, 1, 1], [1, 0, 1], 1)


@case(why="n differs: a problem with a hundred samples counts no more than one with three", clauses=("counts", "mean"))
def ragged(make: Inputs) -> Call:
    return call([100, 3], [90, 1], 2)


@case(why="2 samples, none passed, k = 3: the estimator's short cut says 1", raises="ValueError", clauses=("too-few",))
def short_and_failed(make: Inputs) -> Call:
    return call([2], [0], 3)


@case(why="all samples passed, and yet they are fewer than k", raises="ValueError", clauses=("too-few",))
def short_and_passed(make: Inputs) -> Call:
    return call([4, 2], [1, 2], 3)


@case(why="the last problem alone has too few samples", raises="ValueError", clauses=("too-few",))
def last_is_short(make: Inputs) -> Call:
    return call([9, 9, 1], [4, 2, 1], 2)


@case(why="too few samples, some of which passed", raises="ValueError", clauses=("too-few",))
def short_and_partly(make: Inputs) -> Call:
    return call([3, 2], [2, 1], 3)


@case(why="the first problem alone is two samples short", raises="ValueError", clauses=("too-few",))
def first_is_short(make: Inputs) -> Call:
    return call([1, 9, 4], [1, 4, 2], 3)


@case(why="200 samples and k = 100, as in the paper", clauses=("large", "score"))
def as_in_the_paper(make: Inputs) -> Call:
    return call([200, 200, 200], [1, 3, 197], 100)


@case(why="4,000 samples, k = 2,000: the number of draws has 1,203 digits", clauses=("large",))
def huge(make: Inputs) -> Call:
    return call([4000, 4000], [2, 3999], 2000)


@case(why="10,000 samples, the most there may be, and k = 5,000", clauses=("large",))
def largest(make: Inputs) -> Call:
    return call([10000, 10000], [3, 9998], 5000)


@case(
    why="1 of 9,100 passed: a small score keeps its digits",
    rtol=1e-4,
    atol=0.0,
    clauses=("mean", "score"),
)
def rare(make: Inputs) -> Call:
    return call([9100], [1], 1)


@case(why="three calls: other successes for the same samples, then another k", clauses=("always",))
def three_calls(make: Inputs) -> tuple[Call, ...]:
    samples = [6, 8]
    return call(samples, [2, 5], 2), call(samples, [5, 1], 2), call(samples, [2, 5], 3)


@case(why="counts of its own", fresh=True, clauses=("score", "mean"))
def fresh(make: Inputs) -> Call:
    samples = [make.size(8, 30) for _ in range(make.size(2, 5))]
    return call(samples, [make.size(1, n - 1) for n in samples], make.size(2, 6))


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("product", why="the product of human-eval, one factor a draw", variants=("any-of-k",))
def product(num_samples, num_correct, k):
    if min(num_samples) < k:
        raise ValueError("too few")
    scores = []
    for n, c in zip(num_samples, num_correct, strict=True):
        if n - c < k:
            scores.append(1.0)
        else:
            scores.append(1.0 - math.prod(1.0 - k / i for i in range(n - c + 1, n + 1)))
    return sum(scores) / len(scores)


@equivalent("log-gamma", why="logarithms of factorials", variants=("any-of-k",))
def log_gamma(num_samples, num_correct, k):
    def log_ways(n, k):
        return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

    if any(n < k for n in num_samples):
        raise ValueError("too few")
    failed = [n - c for n, c in zip(num_samples, num_correct, strict=True)]
    lost = [
        math.exp(log_ways(f, k) - log_ways(n, k)) if f >= k else 0.0 for f, n in zip(failed, num_samples, strict=True)
    ]
    return 1 - sum(lost) / len(lost)


@equivalent("draw-by-draw", why="the k draws one after another, in fractions", variants=("any-of-k",))
def draw_by_draw(num_samples, num_correct, k):
    if not all(n >= k for n in num_samples):
        raise ValueError("too few")
    total = Fraction(0)
    for n, c in zip(num_samples, num_correct, strict=True):
        if n > 500:
            total += 1 - Fraction(math.comb(n - c, k), math.comb(n, k))
            continue
        lost = Fraction(1)
        for i in range(k):
            lost *= Fraction(max(n - c - i, 0), n - i)
        total += 1 - lost
    return float(total / len(num_samples))


@equivalent("product-of-successes", why="one factor a draw: the next one passes, too", variants=("all-of-k",))
def product_of_successes(num_samples, num_correct, k):
    if min(num_samples) < k:
        raise ValueError("too few")
    pairs = zip(num_samples, num_correct, strict=True)
    scores = [math.prod(max(c - i, 0) / (n - i) for i in range(k)) for n, c in pairs]
    return sum(scores) / len(scores)


@equivalent("fractions", why="exact to the end", variants=("all-of-k",))
def fractions(num_samples, num_correct, k):
    scores = []
    for i in range(len(num_samples)):
        if num_samples[i] < k:
            raise ValueError("too few")
        scores.append(Fraction(math.comb(num_correct[i], k), math.comb(num_samples[i], k)))
    return float(sum(scores) / len(scores))


@equivalent("falling-factorials", why="ordered draws: perm for comb", variants=("all-of-k",))
def falling_factorials(num_samples, num_correct, k):
    if any(k > n for n in num_samples):
        raise ValueError("too few")
    scores = [math.perm(c, k) / math.perm(n, k) for n, c in zip(num_samples, num_correct, strict=True)]
    return math.fsum(scores) / len(scores)


# Domain -----------------------------------------------------------------------------------------------------------


@domain(raises=("ValueError",))
def any_call(draw: Draw) -> Call:
    problems = draw.pick(1, 1, 2, 3, 4)
    k = draw.option(1, 1, 2, 3, 5)
    samples, correct = [], []
    for _ in range(problems):
        n = max(1, draw.pick(k, k, k + 1, k + 2, 7, 10, 25, 200) if draw.chance(0.9) else draw.pick(1, 2, k - 1))
        samples.append(n)
        correct.append(min(n, max(0, draw.random.choice((0, 1, k - 1, k, n - k, n - k + 1, n - 1, n, n // 2)))))
    draw.mark("a success is certain", any(n - c < k for n, c in zip(samples, correct, strict=True)))
    return call(samples, correct, k)


# Peers ------------------------------------------------------------------------------------------------------------


def _by_drawing(num_samples, num_correct, k, passes):
    """Lists all draws of k samples and counts."""
    if min(num_samples) < k:
        raise ValueError("too few")
    scores = []
    for n, c in zip(num_samples, num_correct, strict=True):
        draws = [passes(i < c for i in draw) for draw in itertools.combinations(range(n), k)]
        scores.append(sum(draws) / len(draws))
    return sum(scores) / len(scores)


@peer(
    "itertools",
    variants=("any-of-k",),
    skips={
        "as-in-the-paper": "there are more draws than can be listed",
        "huge": "there are more draws than can be listed",
        "largest": "there are more draws than can be listed",
        "fresh": "up to 593,775 draws a problem take too long",
    },
)
def any_by_drawing(num_samples, num_correct, k):
    return _by_drawing(num_samples, num_correct, k, any)


@peer(
    "itertools",
    variants=("all-of-k",),
    skips={
        "as-in-the-paper": "there are more draws than can be listed",
        "huge": "there are more draws than can be listed",
        "largest": "there are more draws than can be listed",
        "fresh": "up to 593,775 draws a problem take too long",
    },
)
def all_by_drawing(num_samples, num_correct, k):
    return _by_drawing(num_samples, num_correct, k, all)
