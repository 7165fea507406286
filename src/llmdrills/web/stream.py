"""What goes to open pages without being asked for: verdicts, a file that changed, the end of an exam."""

from __future__ import annotations

import json
import queue
import re
import secrets
import threading
from collections import deque
from typing import Any

__all__ = ["Stream"]

_KEPT = 64  # messages, the newest: as many as a page gets when it comes back


class Stream:
    """Every open page has a queue of messages, as server-sent events.

    Each has an id, RUN-NUMBER. A browser whose connection broke names the last one that it got, and gets what came
    since: the verdict on a file that was saved just before.
    """

    def __init__(self) -> None:
        self._pages: set[queue.SimpleQueue[bytes | None]] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._run = secrets.token_hex(4)
        self._number = 0
        self._kept: deque[tuple[int, bytes]] = deque(maxlen=_KEPT)

    @property
    def pages(self) -> int:
        """How many pages are open."""
        return len(self._pages)

    def send(self, kind: str, data: Any) -> None:
        """To all of them. JSON holds no line end, so that it is one event."""
        text = json.dumps(data)
        with self._lock:
            self._number += 1
            message = f"id: {self._run}-{self._number}\nevent: {kind}\ndata: {text}\n\n".encode()
            self._kept.append((self._number, message))
            for page in self._pages:
                page.put(message)

    def join(self, last: str = "") -> queue.SimpleQueue[bytes | None]:
        """A page's queue; None in it ends it. `last` is the id of the last message that the page got, empty for a new
        one; an id of another run counts as none."""
        page: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        run, _, number = last.partition("-")
        with self._lock:
            known = run == self._run and re.fullmatch(r"[0-9]{1,15}", number)
            after = int(number) if known else self._number
            # An id without data: a browser takes note of it, so that it can come back before anything was sent.
            page.put(f"retry: 1000\nid: {self._run}-{after}\n\n".encode())
            for at, message in self._kept:
                if at > after:
                    page.put(message)
            self._pages.add(page)
            if self._closed:
                page.put(None)
        return page

    def leave(self, page: queue.SimpleQueue[bytes | None]) -> None:
        """The page is gone."""
        with self._lock:
            self._pages.discard(page)

    def close(self) -> None:
        """End them all."""
        with self._lock:
            self._closed = True
            for page in self._pages:
                page.put(None)
