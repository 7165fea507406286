"""Replace a file so that every reader, also after a crash, finds either the whole old or the whole new file."""

from __future__ import annotations

import contextlib
import os
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["replacing", "write_atomically"]


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """A file to write to, which takes the place of `path` when the block ends without an error.

    It lies in the same folder (made if need be) and is readable like any other file; `durable`: on the disk before it
    takes its place. Raises OSError; then `path` is as it was.
    """
    import tempfile  # importing it takes 10 ms, and it is needed only for writing

    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.chmod(name, 0o644)  # noqa: PTH101  # mkstemp makes it private; a name, not a Path, is at hand
        os.replace(name, path)  # noqa: PTH105  # the same
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108  # the same
        raise


def write_atomically(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Replace the file's content; text is written as UTF-8 with its line ends as they are. Raises OSError."""
    with replacing(path, durable=durable) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)
