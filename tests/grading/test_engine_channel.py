"""Frames: refused by their header, before the body is there."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from llmdrills.grading.protocol.channel import MAX_FRAME, Channel, receive, send
from llmdrills.grading.protocol.wire import WireError

NONCE = bytes(range(16))


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    yield channel, theirs
    channel.close()
    theirs.close()


def header(length: int, nonce: bytes = b"") -> bytes:
    return struct.pack("<I", length) + nonce


def test_should_pass_on_frames_in_order_with_and_without_a_nonce(ends):
    channel, theirs = ends
    send(theirs, b"one")
    assert list(channel.frames()) == [b"one"]
    channel.expect(NONCE, 100)
    send(theirs, b"two", NONCE)
    send(theirs, b"", NONCE)
    assert list(channel.frames()) == [b"two", b""]


def test_should_wait_for_the_rest_of_a_frame(ends):
    channel, theirs = ends
    channel.expect(NONCE, 100)
    whole = header(5, NONCE) + b"hello"
    for at in range(len(whole) - 1):
        theirs.sendall(whole[at : at + 1])
        assert list(channel.frames()) == []
    theirs.sendall(whole[-1:])
    assert list(channel.frames()) == [b"hello"]


@pytest.mark.parametrize("start", [b"\xff", bytes(16), NONCE[:15] + b"\xff"])
def test_should_refuse_a_frame_by_the_first_wrong_byte_of_its_nonce(ends, start):
    channel, theirs = ends
    channel.expect(NONCE, 1 << 30)
    theirs.sendall(header(1 << 29, start))
    with pytest.raises(WireError, match="nonce"):
        list(channel.frames())


def test_should_refuse_a_frame_by_its_length_before_anything_else_is_there(ends):
    channel, theirs = ends
    channel.expect(NONCE, 1000)
    theirs.sendall(header(1001))
    with pytest.raises(WireError, match=r"1,001 bytes, where 1,000"):
        list(channel.frames())


def test_should_hold_the_next_frame_to_a_new_limit(ends):
    channel, theirs = ends
    channel.expect(NONCE, 10)
    send(theirs, bytes(10), NONCE)
    send(theirs, bytes(11), NONCE)
    arriving = channel.frames()
    assert next(arriving) == bytes(10)
    channel.expect_at_most(11)
    assert next(arriving) == bytes(11)


def test_should_refuse_a_frame_that_is_too_long_for_a_worker_too(ends):
    channel, theirs = ends
    channel.sock.sendall(header(MAX_FRAME + 1))
    with pytest.raises(WireError, match="too long"):
        receive(theirs)
