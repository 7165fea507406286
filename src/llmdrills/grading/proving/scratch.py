"""Temporary folders of the processes that prove katas; those of killed ones are removed by the next proof. No torch."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from llmdrills.grading.workers.removal import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["scratch", "sweep"]

_PREFIX = "llmdrills-check-"
_YOUNG = 60.0  # seconds in which a folder may not be locked yet by the process that has just made it


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder that lasts as long as the block, locked by this process."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name:
        handle = os.open(name, os.O_RDONLY)
        try:
            _lock(handle)
            yield Path(name)
        finally:
            os.close(handle)


def sweep() -> None:
    """Remove the folders whose process was killed: the system let go of their locks."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # another user's, or gone already
            if time.time() - folder.stat().st_mtime < _YOUNG:
                continue
            handle = os.open(folder, os.O_RDONLY)
            try:
                if _lock(handle):
                    remove_tree(folder)
            finally:
                os.close(handle)


def _lock(handle: int) -> bool:
    """Lock an open folder; False where another process holds it."""
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
