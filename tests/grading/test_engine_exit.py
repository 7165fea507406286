"""How a worker ends that could not go on: what it says of the attempt must be true."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from llmdrills.grading.rules.limits import EXHAUSTED
from llmdrills.grading.workers.learner import CONFUSED, exit_status


class HostileError(RuntimeError):
    def __str__(self) -> str:
        raise KeyError


class ShortError(RuntimeError):
    def __str__(self) -> str:
        raise MemoryError


def refused() -> None:
    raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


def hostile(kind: type[BaseException]) -> Callable[[], None]:
    def _raise() -> None:
        raise kind

    return _raise


ENDS: dict[str, tuple[Callable[[], object], int]] = {
    "torch allocates too much": (lambda: torch.empty(1 << 50), EXHAUSTED),
    "torch copies too much": (lambda: torch.zeros(1).expand(1 << 50).clone(), EXHAUSTED),
    "Python allocates too much": (lambda: bytearray(1 << 60), EXHAUSTED),
    "the system refuses": (refused, EXHAUSTED),
    "no memory for the message": (hostile(ShortError), EXHAUSTED),
    "torch refuses shapes": (lambda: torch.zeros(2) @ torch.zeros(3), CONFUSED),
    "a file is missing": (lambda: Path("does-not-exist").stat(), CONFUSED),
    "what Python needs was replaced": (lambda: None + 1, CONFUSED),  # type: ignore[operator]
    "a message that raises": (hostile(HostileError), CONFUSED),
    "the attempt exits": (hostile(SystemExit), CONFUSED),
}


@pytest.mark.parametrize("name", ENDS)
def test_should_tell_that_no_memory_was_left_from_what_is_broken(name: str) -> None:
    act, status = ENDS[name]
    with pytest.raises(BaseException) as caught:  # each its own
        act()
    assert exit_status(caught.value) == status
