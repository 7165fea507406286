"""Frames over a socket: four bytes of length, then the bytes. No torch.

The workers use the blocking `send` and `receive`; the command uses `Channel`, which never blocks, because it must
watch several workers and the clock at once.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections import deque

from llmdrills.grading.protocol.wire import WireError

__all__ = ["MAX_FRAME", "Channel", "receive", "send"]

MAX_FRAME = 256 << 20
_LENGTH = struct.Struct("<I")
_CHUNK = 1 << 18
_CHUNKS = 64


def send(sock: socket.socket, frame: bytes) -> None:
    """Write one frame, blocking."""
    sock.sendall(_LENGTH.pack(len(frame)) + frame)


def receive(sock: socket.socket) -> bytes | None:
    """Read one frame, blocking; None at the end. Raises WireError for a frame that is cut off or too long."""
    head = _exactly(sock, _LENGTH.size)
    if head is None:
        return None
    length: int = _LENGTH.unpack(head)[0]
    if length > MAX_FRAME:
        raise WireError("a frame is too long")
    body = _exactly(sock, length)
    if body is None:
        raise WireError("a frame is cut off")
    return body


def _exactly(sock: socket.socket, count: int) -> bytes | None:
    parts: list[bytes] = []
    while count:
        part = sock.recv(min(count, _CHUNK))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


class Channel:
    """The command's end of a worker's socket. `closed` once the worker's end is gone."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.closed = False
        self._deaf = False
        self._out: deque[memoryview] = deque()
        self._in = bytearray()
        sock.setblocking(False)

    def fileno(self) -> int:
        """For selectors."""
        return self.sock.fileno()

    @property
    def wants_to_write(self) -> bool:
        """Whether bytes are waiting to go out."""
        return bool(self._out)

    def put(self, frame: bytes) -> None:
        """Queue a frame and send as much as goes at once."""
        if not self._deaf:
            self._out.append(memoryview(_LENGTH.pack(len(frame)) + frame))
            self.flush()

    def flush(self) -> None:
        """Send what goes without waiting."""
        try:
            while self._out:
                sent = self.sock.send(self._out[0])
                if sent == len(self._out[0]):
                    self._out.popleft()
                else:
                    self._out[0] = self._out[0][sent:]
        except BlockingIOError:
            pass
        except OSError:
            # The worker no longer listens. What it said before is still to be read: only writing ends here.
            self._deaf = True
            self._out.clear()

    def frames(self) -> list[bytes]:
        """Every whole frame that has arrived. Raises WireError for one that is too long."""
        self._fill()
        found: list[bytes] = []
        while len(self._in) >= _LENGTH.size:
            length: int = _LENGTH.unpack_from(self._in)[0]
            if length > MAX_FRAME:
                raise WireError("a frame is too long")
            end = _LENGTH.size + length
            if len(self._in) < end:
                break
            found.append(bytes(self._in[_LENGTH.size : end]))
            del self._in[:end]
        return found

    def _fill(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for _ in range(_CHUNKS):  # a flood must not keep the command from looking at the clock
                try:
                    part = self.sock.recv(_CHUNK)
                except ConnectionError:
                    part = b""
                if not part:
                    self.closed = True
                    return
                self._in += part

    def close(self) -> None:
        """Close this end."""
        self.sock.close()
