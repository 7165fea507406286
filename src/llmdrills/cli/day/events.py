"""What wakes the daily loop: a key, a save, a verdict, a resize; from whatever thread it comes."""

from __future__ import annotations

import contextlib
import os
import queue
import select
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmdrills.cli.day.editor import Failure
    from llmdrills.cli.day.keys import Keyboard
    from llmdrills.cli.watch import Watcher
    from llmdrills.errors import LLMDrillsError
    from llmdrills.grading.judging.verdict import Verdict

__all__ = ["EditorFailed", "Event", "Events", "Failed", "Graded", "Key", "Looked", "Redraw", "Saved"]


@dataclass(frozen=True)
class Key:
    """A key was pressed; an empty one: the terminal is gone."""

    key: str


@dataclass(frozen=True)
class Saved:
    """The learner's file was saved."""


@dataclass(frozen=True)
class Graded:
    """A verdict on that code; `superseded`: newer code waits already, so this one is recorded and not shown."""

    code: bytes
    verdict: Verdict
    superseded: bool = False


@dataclass(frozen=True)
class Failed:
    """The grader could not say anything."""

    error: LLMDrillsError


@dataclass(frozen=True)
class EditorFailed:
    """The editor was started, and ended with an error at once."""

    failure: Failure


@dataclass(frozen=True)
class Redraw:
    """The terminal's size changed, or the loop is back from a stop."""


@dataclass(frozen=True)
class Looked:
    """Nothing happened for a while: time to see whether the file is still there."""


Event = Key | Saved | Graded | Failed | EditorFailed | Redraw | Looked


class Events:
    """A queue that select can wait on together with the keyboard."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._out, self._in = os.pipe()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)

    def post(self, event: Event) -> None:
        """Add an event and wake the loop; safe from threads and signal handlers."""
        self._queue.put(event)
        # A full pipe holds earlier wake-ups, a closed one says that the loop is over: nobody need be woken.
        with contextlib.suppress(OSError):
            os.write(self._in, b".")

    def wait(self, keyboard: Keyboard, watcher: Watcher | None, seconds: float) -> list[Event]:
        """Wait until something happened, and return all of it; keys come last, after what they may depend on.

        Nothing for so many seconds gives a `Looked`.
        """
        wanted: list[int | Watcher | Keyboard] = [self._out, keyboard, *filter(None, [watcher])]
        ready, _, _ = select.select(wanted, [], [], seconds)
        found: list[Event] = [] if ready else [Looked()]
        if watcher is not None and watcher in ready and watcher.changed():
            found.append(Saved())
        if self._out in ready:
            os.read(self._out, 65536)
            while not self._queue.empty():
                found.append(self._queue.get())
        if keyboard in ready:
            try:
                found += [Key(key) for key in keyboard.read()]
            except EOFError:
                found.append(Key(""))
        return found

    def close(self) -> None:
        """Give the pipe back."""
        os.close(self._out)
        os.close(self._in)
