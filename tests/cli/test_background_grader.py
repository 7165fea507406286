"""The grader behind the daily loop and the page: whatever happens to one save, the next one is graded."""

from __future__ import annotations

import errno
import os
import queue
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from llmdrills.cli.day.background_grader import BackgroundGrader
from llmdrills.cli.day.events import Failed, Graded
from llmdrills.content.catalogue import load_catalogue


class Events(queue.Queue[Any]):
    """What was posted, in order."""

    def post(self, event: Graded | Failed) -> None:
        self.put(event)


class Grader:
    """Refused by the system at first, as where no descriptor is left; it grades nothing."""

    made = 0

    def __init__(self, **_: object) -> None:
        Grader.made += 1
        self.closed = False

    def grade(self, *_: object, **__: object) -> str:
        assert not self.closed
        if Grader.made == 1:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return "a verdict"

    def prepare(self, *_: object) -> None:
        pass

    def cancel(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def test_should_say_that_the_system_refused_and_grade_the_next_save(small: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("llmdrills.grading.client.Grader", Grader)
    (kata,) = load_catalogue(small, tmp_path)
    repetition: Any = SimpleNamespace(kata=kata, variant="cast-first", seed=1, file=tmp_path / "rms-norm.py")
    events = Events()
    with BackgroundGrader(events, "cpu") as grader:
        grader.grade(repetition, b"first", "en")
        failed = events.get(timeout=30)
        assert "Too many open files" in failed.error.told("en")
        assert "打开的文件太多" in failed.error.told("zh")
        grader.grade(repetition, b"second", "en")
        graded = events.get(timeout=30)
    assert (graded.code, graded.verdict) == (b"second", "a verdict")
    assert Grader.made == 2
