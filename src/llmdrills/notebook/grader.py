"""The grader of a kernel: it imports torch while the learner still writes, and gets the next attempt ready behind."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from llmdrills.errors import LLMDrillsError

if TYPE_CHECKING:
    from llmdrills.content.model import Kata
    from llmdrills.content.notebookfile import Cell
    from llmdrills.grading.client import Grader
    from llmdrills.grading.judging.verdict import Verdict
    from llmdrills.language import Language

__all__ = ["CellGrader"]


class CellGrader:
    """Grades one cell at a time, in the thread that asks; between two cells another thread prepares the next."""

    def __init__(self) -> None:
        self._grader: Grader | None = None
        self._started_for: tuple[str, tuple[str, ...]] = ("", ())  # the device and the libraries of its server
        self._thread: threading.Thread | None = None

    def start(self, device: str, needs: tuple[str, ...] = ()) -> Grader:
        """The grader of that device with these libraries loaded; one of others is closed. Does not wait for torch."""
        from llmdrills.grading.client import Grader

        # A server that did not load transformers when it started is of no use to a kata that needs it.
        if self._grader is None or self._started_for != (device, needs):
            self.close()
            # The kernel waits for a verdict and runs nothing meanwhile; whatever comes next can wait for the tidying.
            self._grader = Grader(device=device, needs=needs, tidy_late=True)
            self._started_for = (device, needs)
        return self._grader

    def grade(self, kata: Kata, variant: str, cell: Cell, *, device: str, seed: int, language: Language) -> Verdict:
        """Grade it; raises as `Grader.grade` does. Interrupted, it ends every process and raises KeyboardInterrupt."""
        grader = self.start(device, kata.needs)
        try:
            self._stop_preparing()
            return grader.grade(kata, variant, cell, seed=seed, language=language)
        except KeyboardInterrupt:
            self.close()  # a question may have been sent whose answer nobody read: the next cell gets another server
            raise

    def prepare(self, kata: Kata, variant: str, seed: int) -> None:
        """Get the next attempt ready, in a thread of its own."""
        grader = self._grader
        if grader is None:
            return

        def work() -> None:
            with contextlib.suppress(LLMDrillsError):  # the next attempt tells it
                grader.prepare(kata, variant, seed)

        self._stop_preparing()
        self._thread = threading.Thread(target=work, name="llmdrills-prepare", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End every process."""
        self._stop_preparing()
        grader, self._grader = self._grader, None
        if grader is not None:
            grader.close()

    def _stop_preparing(self) -> None:
        thread, self._thread = self._thread, None
        while thread is not None and thread.is_alive():
            if self._grader is not None:
                self._grader.cancel()  # does nothing before the work has begun: asked again until the thread ends
            thread.join(timeout=0.02)
