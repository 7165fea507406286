"""The learner's file: read whatever it holds, replaced whole."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from llmdrills.errors import HistoryError
from llmdrills.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["exists", "read", "shown", "write"]


def shown(file: Path) -> str:
    """The path as text that SQLite takes: a name need not be UTF-8."""
    return str(file).encode("utf-8", "replace").decode("utf-8")


def exists(file: Path) -> bool:
    """Whether it is there. A path that may not be looked at, or is none, is not: `Path.exists` would raise."""
    return os.path.exists(file)  # noqa: PTH110  # see above


def read(file: Path) -> bytes | None:
    """What the file holds; None where there is none. Raises HistoryError when it cannot be read."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HistoryError(
            f"cannot read {file} ({error.strerror})", "make it readable, then start again: nothing was changed"
        ) from error


def write(file: Path, content: bytes) -> None:
    """Replace the file in one step, so that no reader sees half of it. Raises HistoryError when that cannot be done."""
    try:
        write_atomically(file, content)
    except OSError as error:
        raise HistoryError(
            f"cannot write {file} ({error.strerror})",
            "make room or make the folder writable, then run `llmdrills today` again",
        ) from error
