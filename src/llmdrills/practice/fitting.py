"""`python -m llmdrills.practice.fitting PARENT`: reviews as JSON in, parameters and losses as JSON out. Imports torch.

In: [[kata, rating, day], …] in order. Out: {"weights": […], "default": log loss, "fitted": log loss}: the weights are
fitted to the earlier four fifths, the losses are those on the latest fifth. Exit 3: torch is not installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
import sys
import types
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from llmdrills.parent import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["log_loss", "main", "split"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = 0.2


def main() -> int:
    """Fit, and print what came of it."""
    die_with_parent(int(sys.argv[1]))
    try:
        import torch
    except ImportError:
        return 3
    torch.set_num_threads(1)  # tensors of one number: more threads only wait for each other
    _import_optimizer()
    logs = json.load(sys.stdin)
    cut = split(logs)
    weights = _fit(logs[:cut])
    losses = {"default": log_loss(logs, None, cut), "fitted": log_loss(logs, weights, cut)}
    json.dump({"weights": weights, **losses}, sys.stdout)
    return 0


def split(logs: Sequence[Sequence[Any]]) -> int:
    """How many of the logs hold four fifths of the reviews that count: those on a later day than the one before."""
    last: dict[str, int] = {}
    counted = [0]
    for kata, _, day in logs:
        counted.append(counted[-1] + (kata in last and day > last[kata]))
        last[kata] = day
    return next(number for number, count in enumerate(counted) if count >= (1 - _LATEST) * counted[-1])


def log_loss(logs: Sequence[Sequence[Any]], weights: Sequence[float] | None, start: int) -> float:
    """Mean log loss of the predicted recall, over the reviews from `start` on that came on a later day."""
    from fsrs import Card, Rating

    from llmdrills.practice.replay import scheduler

    engine = scheduler(None if weights is None else tuple(weights))
    cards: dict[str, Card] = {}
    total, count = 0.0, 0
    for number, (kata, rating, day) in enumerate(logs):
        time = _EPOCH + timedelta(days=day)
        card = cards.get(kata) or Card(0, due=time)
        if number >= start and card.last_review and time > card.last_review:
            chance = min(max(engine.get_card_retrievability(card, time), 1e-6), 1 - 1e-6)
            total -= math.log(chance if rating > 1 else 1 - chance)
            count += 1
        cards[kata], _ = engine.review_card(card, Rating(rating), time)
    return total / max(1, count)


def _fit(logs: Sequence[Sequence[Any]]) -> list[float]:
    from fsrs import Optimizer, Rating, ReviewLog

    numbers = {kata: number for number, kata in enumerate(dict.fromkeys(kata for kata, _, _ in logs))}
    reviews = [
        ReviewLog(numbers[kata], Rating(rating), _EPOCH + timedelta(days=day), None) for kata, rating, day in logs
    ]
    return [float(weight) for weight in Optimizer(reviews).compute_optimal_parameters()]


def _import_optimizer() -> None:
    """Import it without pandas and tqdm, which it wants for what is not used here: retention costs, a progress bar."""
    stand_ins = []
    for name in ("pandas", "tqdm"):
        if importlib.util.find_spec(name) is None:
            sys.modules[name] = types.ModuleType(name)
            stand_ins.append(name)
    if "tqdm" in stand_ins:
        sys.modules["tqdm"].tqdm = lambda steps, **_: steps  # type: ignore[attr-defined]  # what it takes from tqdm
    importlib.import_module("fsrs.optimizer")
    for name in stand_ins:  # torch looks for pandas too, and must not find this one
        del sys.modules[name]


if __name__ == "__main__":
    sys.exit(main())
