"""Write a file so that a reader, also after an interrupted build, finds either the whole old or the whole new file."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from llmdrills.errors import BuildError
from llmdrills.files import give_name, nameless

__all__ = ["PreparedFile", "prepare", "sweep"]

_MINUTES = 10


class PreparedFile:
    """New content that is already on disk, and will take the place of a file.

    On Linux it has no name until then, so that a build which is killed leaves nothing behind.
    """

    def __init__(self, path: Path, handle: int, name: str | None) -> None:
        self.path = path
        self._handle: int | None = handle
        self._name = name

    def commit(self) -> None:
        """Replace the old file in one step. Raises BuildError."""
        if self._handle is None:
            return
        try:
            self._name = self._name or give_name(self._handle, self.path)
            Path(self._name).replace(self.path)
        except OSError as error:
            raise _cannot_write(self.path, error) from None
        else:
            self._name = None
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove it; the old file stays. After `commit` there is nothing left to remove."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        if self._name is not None:
            Path(self._name).unlink(missing_ok=True)
            self._name = None


def prepare(path: Path, data: bytes, *, durable: bool = True) -> PreparedFile:
    """Write `data` to a new file in the folder of `path`; `durable`: flushed to disk. Raises BuildError."""
    prepared: PreparedFile | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = nameless(path)
        prepared = PreparedFile(path, handle, name)
        with os.fdopen(handle, "wb", closefd=False) as file:
            file.write(data)
        if durable:
            os.fsync(handle)
        if hasattr(os, "fchmod"):  # as in `llmdrills.files`
            os.fchmod(handle, 0o644)
    except OSError as error:
        if prepared is not None:
            prepared.discard()
        raise _cannot_write(path, error) from None
    except BaseException:
        if prepared is not None:
            prepared.discard()
        raise
    return prepared


def sweep(folder: Path) -> None:
    """Remove what killed builds left in `folder`, except new files, which may belong to a build that is running."""
    for left in [*folder.glob(".llmdrills-*.apkg.*"), *folder.glob(".*.llmdrills-tmp")]:
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _MINUTES * 60:
                left.unlink()


def _cannot_write(path: Path, error: OSError) -> BuildError:
    return BuildError(
        f"cannot write {path}: {error.strerror or error}",
        "make its folder writable, or free some space, and build again",
    )
