"""One process at a time: a lock beside a file."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["alone"]


@contextlib.contextmanager
def alone(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock on `path` that the system lets go of when the process ends, however it ends.

    Waits for whoever holds it, or, without `wait`, raises BlockingIOError at once. Raises OSError where the folder
    cannot be written.
    """
    with path.with_name(path.name + ".lock").open("a+b") as file:
        if os.name == "nt":
            import msvcrt

            how = msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK  # type: ignore[attr-defined,unused-ignore]  # Windows only
            msvcrt.locking(file.fileno(), how, 1)  # type: ignore[attr-defined,unused-ignore]  # Windows only
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
