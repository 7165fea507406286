"""Cases, equivalents and peer of the kata rank-fusion; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import math
from fractions import Fraction

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="two rankings that share some documents, of different length",
    clauses=("rankings", "score", "rank", "result", "always"),
)
def base(make: Inputs) -> Call:
    return call([["d3", "d1", "d7", "d2"], ["d1", "d9", "d3", "d4", "d8"]])


@case(why="one ranking: its order stays, and each score shows its rank", clauses=("rank", "score"))
def one_ranking(make: Inputs) -> Call:
    return call([["x", "y", "z"]], 1)


@case(why="a small k: what is first in one ranking counts more than what is in both", clauses=("score",))
def small_k(make: Inputs) -> Call:
    return call([["a", "p", "q", "x"], ["b", "r", "s", "x"]], k=1)


@case(why="k is a fraction", clauses=("score",))
def fractional_k(make: Inputs) -> Call:
    return call([["a", "b"], ["c", "b", "a"]], 0.5)


@case(why="k is far below 1", clauses=("score",))
def tiny_k(make: Inputs) -> Call:
    return call([["a", "b"], ["c", "b", "a"]], 0.001)


@case(
    why="the one relevant document is third in both: a rank made up for the missing ones hides it", clauses=("score",)
)
def missing_adds_nothing(make: Inputs) -> Call:
    return call([["X", "a", "Y"], ["b", "c", "Y"]])


@case(why="found by one of three rankings only, but first there", clauses=("score",))
def found_once(make: Inputs) -> Call:
    return call([["a", "b"], ["b", "c"], ["c", "b"]], 2)


@case(why="equal scores: the order of appearance, not that of the alphabet", clauses=("ties",))
def ties(make: Inputs) -> Call:
    return call([["n", "b"], ["c", "m"], ["a"]])


@case(why="the second places of an early ranking appear before the first of a later one", clauses=("ties", "weights"))
def ties_across(make: Inputs) -> Call:
    return call([["z", "y"], ["x", "w"]], 1, [0, 0])


@case(why="two documents that change places tie: the first appearance decides, not the last", clauses=("ties",))
def ties_swapped(make: Inputs) -> Call:
    return call([["a", "b"], ["b", "a"]], 1)


@case(why="a weight of 2 ties with two of 1: neither weight nor count decides", clauses=("ties", "weights"))
def ties_weighted(make: Inputs) -> tuple[Call, ...]:
    return call([["x"], ["y"], ["y"]], 3, [2, 1, 1]), call([["y"], ["y"], ["x"]], 3, [1, 1, 2])


@case(why="weights decide, and are not scaled to a sum of 1", clauses=("weights",))
def weighted(make: Inputs) -> Call:
    return call([["a", "b", "c"], ["c", "d"]], 60, [1.0, 3.0])


@case(why="the heavier ranking comes first", clauses=("weights",))
def weighted_first(make: Inputs) -> Call:
    return call([["a", "b"], ["b", "c"], ["c", "a"]], weights=[4, 0.5, 1], k=3)


@case(why="a weight of 25 is used as it is", clauses=("weights",))
def heavy(make: Inputs) -> Call:
    return call([["a", "b"], ["c", "b"]], 2, [25, 12])


@case(why="two rankings are the same: each of them counts", clauses=("score",))
def same_ranking(make: Inputs) -> Call:
    return call([["a", "b"], ["c", "d"], ["c", "d"]], 3)


@case(why="a weight of 0: its documents are still returned, with score 0", clauses=("weights", "result"))
def weight_zero(make: Inputs) -> Call:
    return call([["a", "b"], ["c", "b"]], 10, [0, 2])


@case(why="chunks of one document: its best place counts, once", clauses=("repeats",))
def repeats(make: Inputs) -> Call:
    return call([["a", "a", "b", "a"], ["b", "c", "c"]], 1)


@case(why="one weighted ranking, with a repeat far behind", clauses=("repeats", "weights"))
def far_repeat(make: Inputs) -> Call:
    return call([["a", "b", "c", "d", "a"]], 3, [2])


@case(why="a document behind repeats keeps its own place", clauses=("repeats",))
def behind_repeats(make: Inputs) -> Call:
    return call([["a", "a", "a", "b", "c"], ["c"]], 2)


@case(why="ids are numbers, 0 and a negative one among them", clauses=("rankings",))
def numbers(make: Inputs) -> Call:
    return call([[0, 7, -1], [7, 3, 0]], 5)


@case(why="the empty string is an id like others", clauses=("rankings",))
def empty_id(make: Inputs) -> Call:
    return call([["", "b"], ["b", ""], [""]], 4)


@case(why="ids that differ only by a space or a leading zero are different ids", clauses=("rankings",))
def digits(make: Inputs) -> Call:
    return call([["7", "07", " 7"], ["07", "7 "]], 3)


@case(why="160 documents, whose scores lie close together: all are returned, in order", clauses=("result",))
def many(make: Inputs) -> Call:
    return call([[f"a{i}" for i in range(80)], [f"b{i}" for i in range(80)]], 60, [1, 1.003])


@case(why="no ranking at all", clauses=("rankings", "result"))
def no_rankings(make: Inputs) -> Call:
    return call([])


@case(why="an empty ranking among others takes its weight along", clauses=("rankings", "weights"))
def empty_ranking(make: Inputs) -> Call:
    return call([["a", "b"], [], ["b"]], 60, [1, 5, 2])


@case(why="three fusions of the same rankings, with other k and weights", clauses=("always",))
def three_calls(make: Inputs) -> tuple[Call, ...]:
    rankings = [["a", "b", "c"], ["c", "a"]]
    return call(rankings, 1), call(rankings, 60, [1, 9]), call(rankings, 1)


@case(why="long rankings of its own", fresh=True, clauses=("score", "rank"))
def fresh(make: Inputs) -> Call:
    pool = [f"d{i}" for i in range(make.size(8, 12))]
    return call([make.random.sample(pool, make.size(3, 8)) for _ in range(2)], make.size(1, 60))


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent(
    "first-places", why="a table of first places for each ranking, then a sum by document", variants=("from-one",)
)
def first_places(rankings, k=60, weights=None):
    weights = weights or [1] * len(rankings)
    places = [{d: r.index(d) + 1 for d in r} for r in rankings]
    documents = dict.fromkeys(d for r in rankings for d in r)
    scores = [(d, sum(w / (k + p[d]) for p, w in zip(places, weights, strict=True) if d in p) * 1.0) for d in documents]
    return sorted(scores, key=lambda pair: -pair[1])


@equivalent("exact", why="fractions, rounded at the end", variants=("from-one",))
def exact(rankings, k=60, weights=None):
    scores, order = {}, []
    for index, ranking in enumerate(rankings):
        for place in range(len(ranking)):
            document = ranking[place]
            if document not in order:
                order.append(document)
            if document in ranking[:place]:
                continue
            weight = Fraction(1 if weights is None else weights[index])
            scores[document] = scores.get(document, 0) + weight / (Fraction(k) + place + 1)
    order.sort(key=lambda document: scores[document], reverse=True)
    return [(document, float(scores[document])) for document in order]


@equivalent("backwards", why="the last ranking first, each from its end, sums by fsum", variants=("from-zero",))
def backwards(rankings, k=60, weights=None):
    gains, first = {}, {}
    for i in reversed(range(len(rankings))):
        best = {}
        for place in reversed(range(len(rankings[i]))):
            best[rankings[i][place]] = place
        for document, place in best.items():
            gains.setdefault(document, []).append((weights[i] if weights is not None else 1) / (k + place))
            first[document] = i, place
    return sorted(((d, math.fsum(g)) for d, g in gains.items()), key=lambda pair: (-pair[1], first[pair[0]]))


@equivalent("exact-from-zero", why="fractions, rounded at the end", variants=("from-zero",))
def exact_from_zero(rankings, k=60, weights=None):
    total = {}
    for ranking, weight in zip(rankings, weights if weights is not None else [1] * len(rankings), strict=True):
        for document in dict.fromkeys(ranking):
            gain = Fraction(weight) / (Fraction(k) + ranking.index(document))
            total[document] = total.get(document, Fraction(0)) + gain
    return [(d, float(total[d])) for d in sorted(total, key=total.get, reverse=True)]


@equivalent("default-dict", why="a defaultdict, and the first places from a reversed dict", variants=("from-zero",))
def default_dict(rankings, k=60, weights=None):
    from collections import defaultdict

    scores = defaultdict(float)
    for i, ranking in enumerate(rankings):
        first = {document: place for place, document in reversed(list(enumerate(ranking)))}
        for document in ranking:
            if document in first:
                scores[document] += (1.0 if weights is None else weights[i]) / (first.pop(document) + k)
    return sorted(scores.items(), key=lambda item: item[1], reverse=True)


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    pool = draw.pick(list("abcdef"), list("zyxwv"), list(range(6)), [5, -3, 0, 2, 11], ["", "a", "A", "d10", "d2"])
    count = draw.pick(0, 1, 2, 2, 3, 3, 4)
    rankings = []
    for _ in range(count):
        length = draw.pick(0, 1, 2, 3, 4, 5)
        if draw.chance(0.3):
            draw.mark("repeats")
            rankings.append([draw.random.choice(pool) for _ in range(length)])
        else:
            rankings.append(draw.random.sample(pool, length))
    options = {}
    if draw.given(0.7):
        options["k"] = draw.option(1, 2, 0.5, 10, 60, 59)
    if draw.given(0.6):
        options["weights"] = [draw.option(0, 0, 1, 2, 0.5, 3.0) for _ in range(count)]
    return call(rankings, **options)


# Peers ------------------------------------------------------------------------------------------------------------


def _by_numpy(rankings, k, weights, first: int):
    import numpy as np

    documents = list(dict.fromkeys(d for r in rankings for d in r))
    gains = np.zeros((len(rankings), len(documents)))
    for i, ranking in enumerate(rankings):
        for j, document in enumerate(documents):
            places = [p for p, d in enumerate(ranking) if d == document]
            if places:
                gains[i, j] = 1 / (k + first + min(places))
    scores = (np.ones(len(rankings)) if weights is None else np.array(weights, dtype=float)) @ gains
    order = np.argsort(-scores, kind="stable")
    return [(documents[j], float(scores[j])) for j in order]


@peer("numpy", variants=("from-one",))
def numpy_from_one(rankings, k=60, weights=None):
    return _by_numpy(rankings, k, weights, 1)


@peer("numpy", variants=("from-zero",))
def numpy_from_zero(rankings, k=60, weights=None):
    return _by_numpy(rankings, k, weights, 0)
