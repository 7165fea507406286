"""Frames over a socket: four bytes of length, a nonce where one is agreed on, then the bytes. No torch.

The workers use the blocking `send` and `receive`; the command uses `Channel`, which never blocks, because it must
watch several workers and the clock at once. Length and nonce stand before the body, so the command refuses a frame that
is too long, or that carries no nonce, without reading it.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections import deque
from collections.abc import Iterator

from llmdrills.grading.protocol.wire import WireError

__all__ = ["MAX_FRAME", "Channel", "receive", "send"]

MAX_FRAME = 256 << 20
_LENGTH = struct.Struct("<I")
_CHUNK = 1 << 18
_CHUNKS = 64


def send(sock: socket.socket, frame: bytes, nonce: bytes = b"") -> None:
    """Write one frame, blocking."""
    sock.sendall(_LENGTH.pack(len(frame)) + nonce + frame)


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
        self._nonce = b""
        self._most = MAX_FRAME
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
            # The worker no longer listens. What it sent before is still to be read: only writing ends here.
            self._deaf = True
            self._out.clear()

    def expect(self, nonce: bytes, most: int) -> None:
        """From now on, refuse frames that do not carry `nonce`, or hold more than `most` bytes."""
        self._nonce, self._most = nonce, most

    def expect_at_most(self, most: int) -> None:
        """From the next frame on, refuse one of more than `most` bytes."""
        self._most = most

    def frames(self) -> Iterator[bytes]:
        """Every whole frame that has arrived. Raises WireError for one that is too long or has no nonce."""
        self._fill()
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> bytes | None:
        if len(self._in) < _LENGTH.size:
            return None
        length: int = _LENGTH.unpack_from(self._in)[0]
        if length > self._most:
            raise WireError(f"a frame of {length:,} bytes, where {self._most:,} are the most that can be due")
        start = _LENGTH.size + len(self._nonce)
        given = self._in[_LENGTH.size : start]
        if not self._nonce.startswith(given):
            raise WireError("a frame without the nonce")
        if len(self._in) < start + length:
            return None
        frame = bytes(self._in[start : start + length])
        del self._in[: start + length]
        return frame

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
