"""Writing a file so that a reader, or a build that is cut off, finds the old one whole or the new one whole."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from llmdrills.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PreparedFile", "prepare", "sweep"]

_SUFFIX = ".llmdrills-tmp"


class PreparedFile:
    """New content that lies, safely on disk, beside the file it is to replace."""

    def __init__(self, path: Path, temporary: Path) -> None:
        self.path = path
        self._temporary = temporary

    def commit(self) -> None:
        """Put it in place at once. Raises BuildError."""
        try:
            self._temporary.replace(self.path)
        except OSError as error:
            self.discard()
            raise _cannot_write(self.path, error) from None

    def discard(self) -> None:
        """Remove it; the old file stays."""
        self._temporary.unlink(missing_ok=True)


def prepare(path: Path, data: bytes) -> PreparedFile:
    """Write `data` to a temporary file in the folder of `path`, flushed to disk. Raises BuildError."""
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_SUFFIX)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise _cannot_write(path, error) from None
    except BaseException:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise
    return PreparedFile(path, temporary)


def sweep(folder: Path) -> None:
    """Remove what a killed build left in `folder`."""
    for left in _left_over(folder):
        left.unlink(missing_ok=True)


def _left_over(folder: Path) -> Iterator[Path]:
    return folder.glob(f".*{_SUFFIX}")


def _cannot_write(path: Path, error: OSError) -> BuildError:
    return BuildError(
        f"cannot write {path}: {error.strerror or error}",
        "make its folder writable, or free some space, and build again",
    )
