"""What goes to open pages without being asked for: verdicts, a file that changed, the end of an exam."""

from __future__ import annotations

import json
import queue
import threading
from typing import Any

__all__ = ["Stream"]


class Stream:
    """Every open page has a queue of messages, as server-sent events."""

    def __init__(self) -> None:
        self._pages: set[queue.SimpleQueue[bytes | None]] = set()
        self._lock = threading.Lock()
        self._closed = False

    @property
    def pages(self) -> int:
        """How many pages are open."""
        return len(self._pages)

    def send(self, kind: str, data: Any) -> None:
        """To all of them. JSON holds no line end, so that it is one event."""
        message = f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()
        with self._lock:
            for page in self._pages:
                page.put(message)

    def join(self) -> queue.SimpleQueue[bytes | None]:
        """A new page's queue; None in it ends it."""
        page: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        with self._lock:
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
