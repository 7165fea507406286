"""The grader behind the daily loop: it starts while the learner still reads, and grades the newest save."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from llmdrills.cli.day.events import Failed, Graded
from llmdrills.errors import GraderError, LLMDrillsError
from llmdrills.language import Bilingual
from llmdrills.messages import in_both

if TYPE_CHECKING:
    from types import TracebackType

    from llmdrills.content.model import Kata
    from llmdrills.grading.client import Grader
    from llmdrills.language import Language
    from llmdrills.practice.repetition import Repetition

__all__ = ["BackgroundGrader", "Inbox"]

_REFUSED = Bilingual("the system refused what grading needs: {why}", "系统拒绝了评分所需的资源：{why}")
_SAVE_AGAIN = Bilingual("close other programs or make room, then save again", "请关闭其他程序或腾出空间，然后重新保存")
_FAULT = Bilingual("internal error while grading: {what}", "评分时发生内部错误：{what}")
_REPORT = Bilingual(
    "save again; if it comes back, report it with the output of `llmdrills doctor`",
    "请重新保存；如果再次出现，请附上 `llmdrills doctor` 的输出报告此问题",
)
_STALE = 0.5  # seconds that an attempt may have run before a newer save ends it
_SHOWING = 0.1
"""Seconds after a verdict before the next attempt is prepared, which takes every core: whoever takes the verdict
records it and shows it meanwhile, and the learner reads for longer than that."""


class Inbox(Protocol):
    """Where its verdicts go: the events of the daily loop, or whatever else takes them."""

    def post(self, event: Graded | Failed, /) -> None:
        """Take an event; called from the grading thread."""


@dataclass(frozen=True)
class _Job:
    kata: Kata
    variant: str
    code: bytes | None  # None: only get ready for the kata
    file: str  # its name in messages
    seed: int
    language: Language


class BackgroundGrader:
    """Grades in a thread of its own, the newest code only: of ten saves in a second the last one counts."""

    def __init__(self, events: Inbox, device: str) -> None:
        self._events = events
        self._device = device
        self._wake = threading.Condition()
        self._next: _Job | None = None
        self._began: float | None = None
        self._closing = False
        self._preparing = False
        self._known: tuple[Kata, Kata] | None = None  # as it was asked for, and whole
        self._graders: dict[tuple[str, ...], Grader] = {}
        self._thread = threading.Thread(target=self._work, name="grading", daemon=True)

    def __enter__(self) -> BackgroundGrader:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._cancel()
        self._thread.join(timeout=5)
        for grader in self._graders.values():
            grader.close()

    @property
    def busy(self) -> bool:
        """Whether code is being graded, or waits for it."""
        return self._began is not None or (self._next is not None and self._next.code is not None)

    def prepare(self, repetition: Repetition, language: Language) -> None:
        """Get a pair of processes ready for the repetition's kata."""
        self._put(
            _Job(
                kata=repetition.kata,
                variant=repetition.variant,
                code=None,
                file="",
                seed=repetition.seed,
                language=language,
            )
        )

    def grade(self, repetition: Repetition, code: bytes, language: Language) -> None:
        """Grade this code under the repetition's seed, so that what failed stays until the repetition ends.

        A `Graded` or `Failed` event follows, unless newer code comes first.
        """
        job = _Job(
            kata=repetition.kata,
            variant=repetition.variant,
            code=code,
            file=str(repetition.file),
            seed=repetition.seed,
            language=language,
        )
        self._put(job)
        began = self._began
        if self._preparing or (began is not None and time.monotonic() - began > _STALE):
            self._cancel()
        elif began is not None:
            late = threading.Timer(_STALE, self._cancel_for_newer)
            late.daemon = True
            late.start()

    def _cancel_for_newer(self) -> None:
        """End an attempt that was too young to end when newer code came, if it still runs: its loop may be endless."""
        with self._wake:  # no other attempt begins meanwhile, which this would end instead
            if self._next is not None and self._next.code is not None:
                self._cancel()

    def _put(self, job: _Job) -> None:
        with self._wake:
            if job.code is None and self._next is not None and self._next.code is not None:
                return  # code waits to be graded: getting ready for something else must not take its place
            self._next = job
            self._wake.notify()

    def _cancel(self) -> None:
        if self._began is not None or self._preparing:
            for grader in list(self._graders.values()):
                grader.cancel()

    def _work(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closing or self._next is not None)
                if self._closing:
                    return
                job, self._next = self._next, None
                if job is not None and job.code is not None:
                    self._began = time.monotonic()
            if job is not None:
                try:
                    self._do(job)
                except Exception as error:  # whoever waits must hear of it, and the thread goes on
                    if not self._closing:  # else its processes were ended while they still started
                        self._give_up(error)
            self._began = None

    def _give_up(self, error: Exception) -> None:
        """Tell what happened in the middle of anything; the next save starts afresh.

        The system refused a process or a descriptor, or there is a fault in llmdrills.
        """
        self._drop_graders()
        if isinstance(error, OSError):
            told = GraderError(_REFUSED.format(why=in_both(error.strerror or str(error))), _SAVE_AGAIN)
        else:
            told = GraderError(_FAULT.format(what=f"{type(error).__name__}: {error}"), _REPORT)
        self._events.post(Failed(told))

    def _do(self, job: _Job) -> None:
        from llmdrills.grading.client import Cancelled

        try:
            grader = self._grader(job.kata.libraries)
            kata = self._whole(job.kata)
            if job.code is None:
                self._prepare(grader, kata, job)
                return
            verdict = grader.grade(kata, job.variant, job.code, seed=job.seed, file=job.file, language=job.language)
        except Cancelled:
            return  # newer code waits
        except LLMDrillsError as error:
            self._events.post(Failed(error))
            return
        with self._wake:
            superseded = self._closing or (self._next is not None and self._next.code is not None)
        self._events.post(Graded(job.code, verdict, superseded))
        self._began = None
        if not superseded and not self._has_more(_SHOWING):
            with contextlib.suppress(LLMDrillsError):  # the next attempt tells it
                self._prepare(grader, kata, job)

    def _has_more(self, seconds: float) -> bool:
        """Whether there is something else to do within that time, or this is the end."""
        with self._wake:
            return self._wake.wait_for(lambda: self._closing or self._next is not None, seconds)

    def _prepare(self, grader: Grader, kata: Kata, job: _Job) -> None:
        self._preparing = True
        try:
            grader.prepare(kata, job.variant, job.seed)
        finally:
            self._preparing = False

    def _whole(self, kata: Kata) -> Kata:
        """The kata with its wrong kernels, which the catalogue leaves out: read once, while the server starts."""
        from llmdrills.content.catalogue import with_slips

        if self._known is None or self._known[0] is not kata:
            self._known = (kata, with_slips(kata))
        return self._known[1]

    def _grader(self, needs: tuple[str, ...]) -> Grader:
        """One server for each set of libraries: one that did not preload transformers is of no use to who needs it."""
        from llmdrills.grading.client import Grader

        if needs not in self._graders:
            self._drop_graders()
            self._graders[needs] = Grader(device=self._device, needs=needs, tidy_late=True)
        return self._graders[needs]

    def _drop_graders(self) -> None:
        for other in list(self._graders):
            with contextlib.suppress(LLMDrillsError, OSError):  # it is going away in any case
                self._graders.pop(other).close()
