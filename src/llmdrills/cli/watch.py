"""Notice each save of one file: written in place, renamed over the old one, or made again after a deletion."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

__all__ = ["DEBOUNCE", "Watcher", "watch"]

DEBOUNCE = 0.05
"""Seconds until a save is reported. Half of them must be quiet: truncating, writing and renaming are one save."""
_LONGEST = 0.3
_LOOK = 0.25

Stamp = tuple[int, int, int] | None


class Watcher:
    """Watches one file as soon as it is made. `fileno` becomes readable after a save, and `changed` reports it once.

    A save is any change of the file's time, size or identity that leaves a file there. Deleting it is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._stamp = _stamp(self._path)
        self._stop = threading.Event()
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._thread = threading.Thread(target=self._run, name="llmdrills-watch", daemon=True)
        self._thread.start()

    def __enter__(self) -> Watcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fileno(self) -> int:
        """For select and selectors."""
        return self._read

    def changed(self) -> bool:
        """Whether the file was saved since the last call."""
        with contextlib.suppress(BlockingIOError):
            return bool(os.read(self._read, 4096))
        return False

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for a save, at most so many seconds; whether there was one."""
        import select

        ready, _, _ = select.select([self._read], [], [], seconds)
        return bool(ready) and self.changed()

    def close(self) -> None:
        """Stop watching."""
        if not self._stop.is_set():
            self._stop.set()
            self._thread.join()
            os.close(self._read)
            os.close(self._write)

    def _run(self) -> None:
        from watchfiles import watch as notifications

        while not self._stop.is_set():
            folder = self._path.parent
            if not folder.is_dir():
                self._stop.wait(_LOOK)
                continue
            # Watch the folder: after a rename over the file, a watch of the file itself would follow the old one.
            with contextlib.suppress(OSError):  # the folder was removed meanwhile: look again
                for _ in notifications(
                    folder,
                    watch_filter=lambda _, changed: Path(changed).name == self._path.name,
                    step=int(DEBOUNCE * 500),
                    debounce=int(_LONGEST * 1000),
                    rust_timeout=int(_LOOK * 1000),
                    yield_on_timeout=True,  # look at the file now and then: not every file system sends notifications
                    recursive=False,
                    raise_interrupt=False,
                    stop_event=self._stop,
                ):
                    self._look()
                    if not folder.is_dir():
                        break

    def _look(self) -> None:
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            if stamp is not None:
                with contextlib.suppress(BlockingIOError):  # thousands of saves that nobody has read
                    os.write(self._write, b"x")


def watch(
    path: Path, on_change: Callable[[], None], on_newer: Callable[[], None] | None = None, *, at_once: bool = False
) -> None:
    """Call `on_change` after every save of `path`, in this thread, until KeyboardInterrupt.

    `at_once`: call it at the start too, when saves are noticed already.

    Saves that arrive while it runs are one more call after it; `on_newer` is told of the first of them at once, from
    another thread, so that it can call off what `on_change` is doing (`Grader.cancel`).
    """
    running = threading.Event()
    stop = threading.Event()
    saved = threading.Semaphore(0)

    with Watcher(path) as watcher:

        def listen() -> None:
            while not stop.is_set():
                if watcher.wait(_LOOK):
                    saved.release()
                    if running.is_set() and on_newer is not None:
                        on_newer()

        listener = threading.Thread(target=listen, name="llmdrills-saves", daemon=True)
        listener.start()
        if at_once:
            saved.release()
        try:
            while True:
                while not saved.acquire(timeout=_LOOK):
                    pass
                while saved.acquire(blocking=False):
                    pass
                running.set()
                try:
                    on_change()
                finally:
                    running.clear()
        finally:
            stop.set()
            listener.join()


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
