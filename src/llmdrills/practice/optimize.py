"""FSRS's parameters fitted to this learner, once there is enough to fit them to.

The `fsrs` package fits with torch, so that happens in a process of its own (`python -m llmdrills.practice.fitting`).
The fit is judged on the learner's latest reviews, which it has not seen, and kept only if it predicts those better than
the defaults.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmdrills.errors import GraderError, MissingExtraError
from llmdrills.language import Bilingual
from llmdrills.practice import replay
from llmdrills.practice.moments import Moment

if TYPE_CHECKING:
    from llmdrills.practice.history import History

__all__ = ["ENOUGH", "Optimized", "countable", "optimize"]

# Reviews on a later day than the one before. The fsrs package fits nothing with fewer than one mini-batch of 512, and
# a fifth is kept apart to judge the fit on.
ENOUGH = 640
_SECONDS = 900


@dataclass(frozen=True)
class Optimized:
    """What came of it. Losses are log loss on the latest fifth of the reviews; lower is better."""

    reviews: int  # that count: repetitions on a later day than the one before
    missing: int
    default_loss: float | None = None
    fitted_loss: float | None = None
    kept: bool = False
    weights: tuple[float, ...] = ()

    @property
    def message(self) -> Bilingual:
        """What to tell the learner."""
        if self.missing:
            return Bilingual(
                f"{_needed(self.missing)} before FSRS can be fitted to you ({self.reviews} of {ENOUGH} so far; those "
                "on the day of the one before do not count). Until then the published parameters are used.",
                f"还差 {self.missing} 次复习才能为你拟合 FSRS 参数"
                f"（已有 {self.reviews}/{ENOUGH}；同一天内的重复不算）。在此之前使用官方发布的参数。",
            )
        losses = f"{self.default_loss:.4f} → {self.fitted_loss:.4f}"
        if self.kept:
            return Bilingual(
                f"fitted to {self.reviews} repetitions: log loss on the latest ones {losses}. "
                "All due dates follow from it now.",
                f"已用 {self.reviews} 次复习拟合：最近复习的对数损失 {losses}。到期日已按新参数重算。",
            )
        return Bilingual(
            f"fitted to {self.reviews} repetitions, but it predicts the latest ones no better (log loss {losses}): "
            "nothing was changed.",
            f"已用 {self.reviews} 次复习拟合，但对最近的复习没有预测得更好（对数损失 {losses}）：参数未改动。",
        )

    def to_json(self) -> dict[str, Any]:
        """Schema 1: it may gain keys, never lose one."""
        return {
            "schema": 1,
            "reviews": self.reviews,
            "missing": self.missing,
            "default_loss": self.default_loss,
            "fitted_loss": self.fitted_loss,
            "kept": self.kept,
            "weights": list(self.weights),
        }


def _needed(count: int) -> str:
    return "1 more repetition is needed" if count == 1 else f"{count} more repetitions are needed"


def countable(history: History) -> int:
    """How many reviews tell something of forgetting: those on a later day than the one before."""
    memories = replay.load(history).memories
    return sum(count for memory in memories.values() for count, _, _ in memory.bins.values())


def optimize(history: History, now: Moment | None = None) -> Optimized:
    """Fit the parameters and record them if they are better. Raises HistoryError, MissingExtraError and GraderError."""
    reviews = countable(history)
    if reviews < ENOUGH:
        return Optimized(reviews, ENOUGH - reviews)
    rows = history.rows(
        "SELECT kata, rating, at, zone FROM reviews WHERE id NOT IN (SELECT review FROM undos) ORDER BY at, id"
    )
    logs = [[row["kata"], row["rating"], Moment(row["at"], row["zone"]).day_number] for row in rows]
    fit = _fit(logs)
    weights = tuple(fit["weights"])
    kept = fit["fitted"] < fit["default"]
    if kept:
        history.append(
            "parameters", now or Moment.now(), weights=json.dumps(weights), reviews=reviews, loss=fit["fitted"]
        )
        replay.load(history)
    return Optimized(
        reviews=reviews, missing=0, default_loss=fit["default"], fitted_loss=fit["fitted"], kept=kept, weights=weights
    )


def _fit(logs: list[list[Any]]) -> dict[str, Any]:
    try:
        run = subprocess.run(
            [sys.executable, "-m", "llmdrills.practice.fitting", str(os.getpid())],
            input=json.dumps(logs),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise GraderError(
            "fitting took longer than a quarter of an hour", "try again on a machine that is less busy"
        ) from None
    if run.returncode == 3:
        raise MissingExtraError("torch")
    if run.returncode:
        last = run.stderr.strip().splitlines()[-1:] or ["no message"]
        raise GraderError(f"fitting failed ({last[0]})", "run `llmdrills doctor`; the parameters in use are unchanged")
    fit: dict[str, Any] = json.loads(run.stdout)
    return fit
