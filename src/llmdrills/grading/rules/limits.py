"""How much an attempt may take, and how the learner's process is held to it. No torch.

Time is measured by the command, not here. Memory is a limit on address space, so it holds on Linux only: macOS
ignores it, Windows has none, and a GPU's driver maps far more than it uses, so there is no such limit there.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["EXHAUSTED", "Limits", "MemoryGuard", "cap_files"]

EXHAUSTED = 71
"""The exit status of a worker that had no memory left to say so."""

SLACK = 512 << 20
"""Bytes above the budget that the worker itself may use to report what happened."""
FILE_SIZE = 256 << 20
"""Bytes that one file written by an attempt may hold."""


@dataclass(frozen=True)
class Limits:
    """What one attempt may take. Seconds are wall-clock seconds, memory and output are bytes.

    `load` is for importing the file, `call` for each case, `total` for all of it; `memory` comes on top of what the
    process has when the attempt begins.
    """

    load: float = 10.0
    call: float = 8.0
    total: float = 40.0
    memory: int = 2 << 30
    output: int = 64 << 10


class MemoryGuard:
    """Limits this process to its present size plus a budget of memory while untrusted code runs."""

    def __init__(self, budget: int) -> None:
        self._soft = self._hard = 0
        if budget and sys.platform.startswith("linux"):
            import resource

            self._resource = resource
            self._soft = _size() + budget
            self._hard = self._soft + SLACK
            # The hard limit keeps an attempt that raises its own soft limit from taking the machine down.
            resource.setrlimit(resource.RLIMIT_AS, (self._hard, self._hard))

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Under the budget inside the block."""
        if not self._soft:
            yield
            return
        kind = self._resource.RLIMIT_AS
        self._resource.setrlimit(kind, (self._soft, self._hard))
        try:
            yield
        finally:
            with contextlib.suppress(ValueError, OSError):  # the attempt lowered its own hard limit
                self._resource.setrlimit(kind, (self._hard, self._hard))


def _size() -> int:
    """This process's address space in bytes."""
    import resource

    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    return pages * resource.getpagesize()


def cap_files() -> None:
    """No core dump, no file beyond FILE_SIZE."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):  # a lower limit is in force already
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE, FILE_SIZE))
