"""`python -m llmdrills.practice.fitting`: reviews as JSON in, parameters and losses as JSON out. Imports torch.

In: [[kata, rating, day], …] in order. Out: {"weights": […], "default": log loss, "fitted": log loss}, the losses on the
latest fifth, after a fit to the rest; the weights are then fitted to all. Exit 3: torch is not installed.
"""

from __future__ import annotations

import json
import math
import sys
import types
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["log_loss", "main"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = 0.2


def main() -> int:
    """Fit, and print what came of it."""
    try:
        import torch  # noqa: F401  # only to know whether it is there
    except ImportError:
        return 3
    for name in ("pandas", "tqdm"):
        _stand_in(name)
    logs = json.load(sys.stdin)
    cut = round(len(logs) * (1 - _LATEST))
    earlier = _fit(logs[:cut])
    weights = _fit(logs)
    json.dump(
        {"weights": weights, "default": log_loss(logs, None, cut), "fitted": log_loss(logs, earlier, cut)}, sys.stdout
    )
    return 0


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


def _stand_in(name: str) -> None:
    """fsrs imports pandas and tqdm beside torch, for what is not used here: retention costs and a progress bar."""
    try:
        __import__(name)
    except ImportError:
        module = types.ModuleType(name)
        module.tqdm = lambda steps, **_: steps  # type: ignore[attr-defined]  # what fsrs takes from tqdm
        sys.modules[name] = module


if __name__ == "__main__":
    sys.exit(main())
