"""Which draws to keep: a few that expose every mutant under every value of every feature, as far as any draw does.

Greedy set cover: each round takes the draw that exposes most of what no chosen draw has exposed yet. Ties go to the
draw that stands first, so that the same matrix gives the same choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from llmdrills.grading.kernels.features import Feature

__all__ = ["choose"]

Bools = np.ndarray[Any, np.dtype[np.bool_]]


def choose(
    fails: Mapping[str, Sequence[bool]], features: Sequence[frozenset[Feature]], most: int, least: int
) -> list[int]:
    """Indexes of the draws to keep, in the order in which they were chosen.

    The first ones expose every mutant that any draw exposes; those after them, every mutant under every value of every
    feature. `fails[mutant][draw]` says who is exposed where. At most `most`; fewer once nothing new is exposed, but at
    least `least` where there are as many, filled up with the first draws not chosen.
    """
    count = len(features)
    chosen: list[int] = []
    for targets in (_targets(fails, [frozenset()] * count), _targets(fails, features)):
        _cover(targets, chosen, min(most, count))
    rest = (at for at in range(count) if at not in set(chosen))
    return [*chosen, *(at for at, _ in zip(rest, range(least - len(chosen)), strict=False))]


def _cover(targets: Bools, chosen: list[int], most: int) -> None:
    """Add to the chosen rows until every column that can be covered is."""
    uncovered = ~targets[chosen].any(axis=0)
    while len(chosen) < most:
        gains = (targets & uncovered).sum(axis=1)
        gains[chosen] = -1
        best = int(gains.argmax())
        if gains[best] <= 0:
            return
        chosen.append(best)
        uncovered &= ~targets[best]


def _targets(fails: Mapping[str, Sequence[bool]], features: Sequence[frozenset[Feature]]) -> Bools:
    """Row by draw: which pairs of a mutant and a feature's value the draw exposes; the mutant alone is a pair too."""
    names = sorted({feature for row in features for feature in row}, key=repr)
    has = np.array([[name in row for name in names] for row in features], dtype=bool).reshape(len(features), len(names))
    has = np.concatenate([np.ones((len(features), 1), dtype=bool), has], axis=1)
    columns = [np.asarray(row, dtype=bool)[:, None] & has for row in fails.values()]
    if not columns:
        return has[:, :1] & False
    targets = np.concatenate(columns, axis=1)
    return targets[:, targets.any(axis=0)]
