"""The files that cases write for the learner to read: made read-only, and checked for changes afterwards. No torch.

The oracle reads the same files as the learner, and both run as the same user, so permissions alone protect against
accidents only. The seal also tells what a learner changed and put back: no program can set a file's time of change
(ctime).
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

__all__ = ["Seal", "seal", "sealed_state"]

Seal = tuple[tuple[object, ...], ...]
"""For each file and folder: name, inode, mode, size, time of change, and the digest of a file's bytes."""


def seal(folder: Path) -> Seal:
    """Make everything in `folder`, and the folder itself, read-only; its state. Without a file it has none."""
    for place, _, files in os.walk(folder, topdown=False):
        for name in files:
            (Path(place) / name).chmod(0o400)
        Path(place).chmod(0o500)
    return sealed_state(folder)


def sealed_state(folder: Path) -> Seal:
    """The state of `folder` now. What cannot be read has another state than what can."""
    found: list[tuple[object, ...]] = []
    any_file = False
    for place, folders, files in os.walk(folder):
        folders.sort()
        found += [_state(folder, Path(place) / name) for name in ("", *sorted(files))]
        any_file = any_file or bool(files)
    return tuple(found) if any_file else ()


def _state(folder: Path, path: Path) -> tuple[object, ...]:
    name = str(path.relative_to(folder))
    try:
        status = path.lstat()
        digest = b"" if path.is_symlink() or path.is_dir() else _digest(path)
    except OSError as error:
        return name, error.errno
    return name, status.st_ino, status.st_mode, status.st_size, status.st_ctime_ns, digest


def _digest(path: Path) -> bytes:
    # Whatever stands here now, reading it must not block: a pipe in the place of a file has no bytes.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()
