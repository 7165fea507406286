"""The grader behind the daily loop and the page: whatever happens to one save, the next one is graded."""

from __future__ import annotations

import errno
import os
import queue
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from llmdrills.cli.day.background_grader import BackgroundGrader
from llmdrills.cli.day.events import Failed, Graded
from llmdrills.content.catalogue import load_catalogue
from llmdrills.content.starter import solution_text
from llmdrills.grading.client import Grader


class Events(queue.Queue[Any]):
    """What was posted, in order."""

    def post(self, event: Graded | Failed) -> None:
        self.put(event)


NO_DESCRIPTOR = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
FAULT = KeyError("a fault of ours")


@pytest.mark.parametrize(
    ("error", "en", "zh"),
    [
        (NO_DESCRIPTOR, "Too many open files", "打开的文件太多"),
        (FAULT, "internal error while grading: KeyError", "内部错误：KeyError"),
    ],
)
def test_should_say_why_a_save_was_not_graded_and_grade_the_next_one(
    error: Exception, en: str, zh: str, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    made: list[Grader] = []

    class Refused(Grader):
        """The first that is made fails as the system may fail it, or as a fault would."""

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            made.append(self)

        def grade(self, *arguments: Any, **options: Any) -> Any:
            if self is made[0]:
                raise error
            return super().grade(*arguments, **options)

    monkeypatch.setattr("llmdrills.grading.client.Grader", Refused)
    (kata,) = load_catalogue(small, tmp_path)
    variant = kata.variants[0]
    right = solution_text(kata, variant, "en").encode()
    repetition: Any = SimpleNamespace(kata=kata, variant=variant.id, seed=1, file=tmp_path / "rms-norm.py")
    events = Events()
    with BackgroundGrader(events, "cpu") as grader:
        grader.grade(repetition, b"first", "en")
        failed = events.get(timeout=60)
        assert en in failed.error.told("en")
        assert zh in failed.error.told("zh")
        grader.grade(repetition, right, "en")
        graded = events.get(timeout=120)
    assert graded.code == right
    assert graded.verdict.passed
    assert len(made) == 2
