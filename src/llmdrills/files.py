"""Replace a file so that every reader, also after a crash, finds either the whole old or the whole new file; read one.

What is read may be anything: a file, a folder, a pipe, a device.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from typing import IO, TYPE_CHECKING

from llmdrills.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "MOST_SOURCE_BYTES",
    "check_size",
    "give_name",
    "nameless",
    "read_source",
    "replacing",
    "write_atomically",
]


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """A file to write to, which takes the place of `path` when the block ends without an error.

    It lies in the same folder (made if need be) and is readable like any other file; `durable`: on the disk before it
    takes its place. Raises OSError; then `path` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = nameless(path)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
            if hasattr(os, "fchmod"):  # Windows has none before Python 3.13, and no modes
                os.fchmod(file.fileno(), 0o644)
            if name is None:
                name = give_name(file.fileno(), path)
        os.replace(name, path)  # noqa: PTH105  # a name, not a Path, is at hand
    except BaseException:
        if name is not None:
            with contextlib.suppress(OSError):
                os.unlink(name)  # noqa: PTH108  # the same
        raise


def nameless(path: Path) -> tuple[int, str | None]:
    """A new file in the folder of `path`, and its name: None on Linux, where it has none until it is whole.

    So a process that is killed while it writes leaves nothing behind.
    """
    if hasattr(os, "O_TMPFILE"):
        # Some file systems have no such files.
        with contextlib.suppress(OSError):
            return os.open(path.parent, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600), None
    import tempfile  # importing it takes 10 ms, and it is needed only for writing

    return tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)


def give_name(handle: int, path: Path) -> str:
    """Give a file without a name one beside `path`."""
    name = str(path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}"))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name)  # noqa: PTH108  # left by a process of the same number
    # A descriptor, though not needed for an absolute path, makes Python ask for the link to be followed.
    os.link(f"/proc/self/fd/{handle}", name, src_dir_fd=handle, follow_symlinks=True)
    return name


def write_atomically(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Replace the file's content; text is written as UTF-8 with its line ends as they are. Raises OSError."""
    with replacing(path, durable=durable) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


MOST_SOURCE_BYTES = 1 << 20
"""Bytes that a file of Python to be graded may have: no kata's answer comes near it."""


def read_source(path: Path, most: int = MOST_SOURCE_BYTES) -> bytes:
    """The bytes of a file that someone wrote.

    Raises UsageError, before anything is read, for a folder, a pipe, a device or a file of more than `most` bytes, and
    OSError when the file cannot be read. Never waits: opening a pipe would, for whoever writes to it.
    """
    flags = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"))
    descriptor = os.open(path, flags)
    try:
        status = os.fstat(descriptor)  # before it is opened as a file: that refuses a folder in the system's words
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{path} is {_kind(status.st_mode)}, not a file of Python", "give the path of your file")
        check_size(status.st_size, str(path), most)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            code = file.read(most + 1)
    finally:
        os.close(descriptor)
    check_size(len(code), str(path), most)  # it may have grown meanwhile
    return code


def check_size(size: int, name: str, most: int = MOST_SOURCE_BYTES) -> None:
    """Raises UsageError when a source of that many bytes is too large to be graded."""
    if size > most:
        raise UsageError(f"{name} holds more than {most:,} bytes", "give the path of your file")


def _kind(mode: int) -> str:
    for is_kind, name in (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
    ):
        if is_kind(mode):
            return name
    return "a device"
