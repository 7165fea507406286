"""Write a file so that a reader, also after an interrupted build, finds either the whole old or the whole new file."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

from llmdrills.errors import BuildError

__all__ = ["PreparedFile", "prepare", "sweep"]

_SUFFIX = ".llmdrills-tmp"
_MINUTES = 10


class PreparedFile:
    """New content that is already on disk, beside the file that it will replace."""

    def __init__(self, path: Path, temporary: Path) -> None:
        self.path = path
        self._temporary = temporary

    def commit(self) -> None:
        """Replace the old file in one step. Raises BuildError."""
        try:
            self._temporary.replace(self.path)
        except OSError as error:
            self.discard()
            raise _cannot_write(self.path, error) from None

    def discard(self) -> None:
        """Remove it; the old file stays."""
        self._temporary.unlink(missing_ok=True)


def prepare(path: Path, data: bytes, *, durable: bool = True) -> PreparedFile:
    """Write `data` to a temporary file in the folder of `path`; `durable`: flushed to disk. Raises BuildError."""
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_SUFFIX)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if durable:
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
    """Remove what killed builds left in `folder`, except new files, which may belong to a build that is running."""
    for left in folder.glob(f".*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _MINUTES * 60:
                left.unlink()


def _cannot_write(path: Path, error: OSError) -> BuildError:
    return BuildError(
        f"cannot write {path}: {error.strerror or error}",
        "make its folder writable, or free some space, and build again",
    )
