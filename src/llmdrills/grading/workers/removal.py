"""Removing a folder whatever an attempt made of it: deep, unwritable, or full of symbolic links. No torch."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from pathlib import Path

__all__ = ["remove_tree"]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: Path) -> None:
    """Remove a folder and everything in it, or what stands in its place. What cannot be removed is left; no error.

    A symbolic link is removed, never followed. Folders are moved up to the top before they are emptied, so no depth
    is too deep for a path, a stack or the number of open files.
    """
    with contextlib.suppress(OSError):
        if not stat.S_ISDIR(path.lstat().st_mode):
            path.unlink()
            return
        top = _open_folder(str(path), None)
        try:
            _empty(top)
        finally:
            os.close(top)
        path.rmdir()


def _empty(top: int) -> None:
    """Remove everything in the folder that is open as `top`."""
    numbers = itertools.count()
    _unlink_files(top)
    while folders := os.listdir(top):
        removed = 0
        for name in folders:
            with contextlib.suppress(OSError):
                folder = _open_folder(name, top)
                try:
                    _unlink_files(folder)
                    _lift(folder, top, numbers)
                finally:
                    os.close(folder)
                os.rmdir(name, dir_fd=top)
                removed += 1
        if not removed:
            return  # what is left belongs to another user, or is being filled


def _open_folder(name: str, parent: int | None) -> int:
    """Open a folder, made readable and writable first. Raises OSError for anything but a folder."""
    if hasattr(os, "O_PATH"):
        # Through its descriptor: the name could become a link between a look at it and the change.
        handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            with contextlib.suppress(OSError):
                os.chmod(f"/proc/self/fd/{handle}", 0o700)  # noqa: PTH101  # a descriptor's place, no path
        finally:
            os.close(handle)
    else:
        with contextlib.suppress(OSError, NotImplementedError):
            os.chmod(name, 0o700, dir_fd=parent, follow_symlinks=False)  # relative to a descriptor
    return os.open(name, _FOLDER, dir_fd=parent)


def _unlink_files(folder: int) -> None:
    """Remove everything in the folder but folders."""
    with os.scandir(folder) as entries:
        files = [entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)]
    for name in files:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=folder)


def _lift(folder: int, top: int, numbers: itertools.count[int]) -> None:
    """Move the folders in `folder` to the top, under names that are free there."""
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            os.close(_open_folder(name, folder))  # makes it writable, which moving it asks of an ordinary user
            os.rename(name, f".removed-{os.getpid()}-{next(numbers)}", src_dir_fd=folder, dst_dir_fd=top)
