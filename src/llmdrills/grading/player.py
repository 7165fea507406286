"""Running the small model with a learner's kernels, as the commands use it.

    with Player() as player:
        played = player.play(kernels, Writing(prompt="Long ago"))

No torch is imported here: the model and all kernels are in one process of the grader's, which ends with the run.
"""

from __future__ import annotations

import dataclasses
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmdrills.errors import GraderError
from llmdrills.grading.play.request import PlacedKernel, PlayJob, Writing
from llmdrills.grading.protocol.printable import printable
from llmdrills.grading.rules.limits import Limits
from llmdrills.grading.workers.launcher import Server, ServerDied, server_may_be_gone, take
from llmdrills.grading.workers.play_run import Failed, PlayRun

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["LIMITS", "Failed", "Played", "Player"]

LIMITS = Limits(load=10.0, call=8.0, total=120.0)
"""`call` is for one call of one kernel, `load` for one file, `total` for the whole run."""


@dataclass(frozen=True, kw_only=True)
class Played:
    """What came of a run. `failed` is set where a kernel ended it; `perplexity` is then None unless it was measured.

    `perplexity` may be inf or NaN. `why` says why the text ended: "stop", "length", or "nan" where the model gave no
    numbers to draw from. The speeds are tokens per second, NaN where nothing was written; `same` tells whether the
    text without the cache is the same. `printed` is what the kernels printed. What a terminal would obey is escaped in
    every text.
    """

    text: str | None = None
    tokens: int = 0
    why: str = ""
    perplexity: float | None = None
    cached_speed: float = math.nan
    uncached_speed: float = math.nan
    same: bool | None = None
    failed: Failed | None = None
    printed: str = ""


class Player:
    """Runs the model. A context manager: leaving it ends every process that it started."""

    def __init__(self) -> None:
        self._server: Server = take()

    def __enter__(self) -> Player:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()

    def play(
        self,
        kernels: Sequence[PlacedKernel],
        writing: Writing,
        *,
        uncached: bool = True,
        limits: Limits = LIMITS,
    ) -> Played:
        """Load, measure and write, in a process of its own. Each part has one kernel in `kernels`.

        Raises MissingExtraError without torch, GraderError.
        """
        job = PlayJob(
            nonce=secrets.token_bytes(16),
            kernels=tuple(kernels),
            writing=writing,
            memory=limits.memory,
            uncached=uncached,
        )
        try:
            worker = self._server.fork("player")
            try:
                heard = PlayRun(worker, job, limits, lambda one: self._server.reap(one)[0]).end()
            finally:
                with server_may_be_gone():
                    self._server.reap(worker)
                worker.close()
        except ServerDied as died:
            raise GraderError(f"the grader's server ended ({died.how})", died.log or "try again") from died
        if heard.failed is not None or not heard.texts:
            failed = heard.failed and _shown(heard.failed)
            return Played(perplexity=heard.perplexity, failed=failed, printed=printable(heard.printed))
        text, tokens, why, _ = heard.texts[0]
        speeds = [count / seconds if count and seconds > 0 else math.nan for _, count, _, seconds in heard.texts]
        return Played(
            text=printable(text),
            tokens=tokens,
            why=why,
            perplexity=heard.perplexity,
            cached_speed=speeds[0],
            uncached_speed=speeds[1] if len(speeds) > 1 else math.nan,
            same=heard.texts[1][0] == text if len(speeds) > 1 else None,
            printed=printable(heard.printed),
        )


def _shown(failed: Failed) -> Failed:
    """The same, fit for a screen: an attempt chooses its messages."""
    raised = failed.raised
    if raised is not None:
        texts = {name: printable(getattr(raised, name)) for name in ("type", "message", "file")}
        raised = dataclasses.replace(raised, **texts)
    return dataclasses.replace(failed, what=printable(failed.what), raised=raised)
