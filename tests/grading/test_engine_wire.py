"""What travels between processes: everything packed comes back, and nothing else is believed."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmdrills.grading.protocol.answer import Answer, Counts
from llmdrills.grading.protocol.answer_codec import ANSWER_BYTES, ANSWER_VALUES, pack_answer, read_answer, write_answer
from llmdrills.grading.protocol.wire import DtypeValue, Opaque, Raised, TensorValue, WireError, pack, unpack
from llmdrills.grading.rules.forbidden import ForbiddenUse

TENSOR = TensorValue("float32", (2, 3), bytes(24), strides=(3, 1))
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 100), 1 << 100),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(max_size=50),
    st.just(TENSOR),
    st.just(DtypeValue("bfloat16")),
    st.just(Opaque("numpy.ndarray")),
    st.just(Raised("ValueError", ("ValueError", "Exception"), "odd", "mine.py", 3, "Traceback")),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.one_of(st.text(), st.integers()), inner, max_size=4),
    ),
    max_leaves=20,
)


@given(VALUES)
def test_should_bring_every_value_back_as_it_went(value):
    assert unpack(pack(value)) == value


@given(st.binary(max_size=300))
def test_should_refuse_garbage_and_do_nothing_worse(data):
    with contextlib.suppress(WireError):
        unpack(data)


@given(VALUES, st.data())
def test_should_refuse_a_damaged_message_or_read_another_value(value, data):
    packed = bytearray(pack(value))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(WireError):
        unpack(bytes(packed))


@pytest.mark.parametrize("tag", [b"L", b"U", b"M", b"S", b"B", b"I"])
def test_should_refuse_a_length_beyond_the_message_before_anything_is_allocated(tag):
    with pytest.raises(WireError):
        unpack(tag + struct.pack("<I", 0xFFFFFFFF))


def test_should_limit_nesting_in_both_directions():
    value: list[object] = []
    for _ in range(100):
        value = [value]
    with pytest.raises(WireError):
        pack(value)
    with pytest.raises(WireError):
        unpack((b"L" + struct.pack("<I", 1)) * 100_000 + b"N")


def test_should_limit_whole_numbers():
    with pytest.raises(WireError):
        pack(1 << 100_000)


@pytest.mark.parametrize(
    "tensor",
    [
        TensorValue("float32", (2, 3), bytes(23)),
        TensorValue("float32", (-1,), b""),
        TensorValue("float32", (1 << 62, 1 << 62), b""),
        TensorValue("nothing", (1,), bytes(4)),
        TensorValue("float32", (1,), bytes(4), missing="meta"),
        TensorValue("float32", (1,), bytes(4), strides=(1, 1)),
        TensorValue("float32", ("1",), bytes(4)),
        TensorValue("float32", (1,), "four"),
        TensorValue("float32", [1], bytes(4)),
        TensorValue("float32", (1,), bytes(4), requires_grad=1),
    ],
)
def test_should_refuse_a_tensor_that_does_not_add_up(tensor):
    with pytest.raises(WireError):
        unpack(pack(tensor))


def test_should_refuse_a_class_that_was_not_expected():
    with pytest.raises(WireError):
        unpack(pack(ForbiddenUse("torch.softmax", 1, "called")))


def test_should_bring_an_answer_back_as_it_was_stated():
    answer = Answer(
        (TENSOR, None),
        (1,),
        (TENSOR, None),
        Counts(12, 6, (2, 3), "mul", 4, {"mul": 2}),
        (ForbiddenUse("torch.softmax", 3, "dispatched"),),
        ("grad mode",),
        0.5,
    )
    assert read_answer(unpack(pack(write_answer(answer)))) == answer


@given(VALUES)
def test_should_refuse_anything_but_an_answer(value):
    with contextlib.suppress(WireError):
        read_answer(value)


@pytest.mark.parametrize("at", range(1, 7))
def test_should_refuse_an_answer_with_one_part_of_the_wrong_type(at):
    said = list(write_answer(Answer(None, counts=Counts(1, 1))))
    said[at] = "nonsense"
    with pytest.raises(WireError):
        read_answer(tuple(said))


def test_should_refuse_more_values_than_allowed_in_both_directions():
    packed = pack([None] * 9)
    assert unpack(packed, most=10) == [None] * 9
    with pytest.raises(WireError, match="too many"):
        unpack(packed, most=9)
    with pytest.raises(WireError, match="too large"):
        pack([None] * 9, most_values=9)


def test_should_refuse_more_bytes_than_allowed_before_they_are_joined():
    part = "x" * 1000
    with pytest.raises(WireError, match="too large"):
        pack([part] * 1_000_000, most_bytes=10_000)


@pytest.mark.parametrize("value", [[None] * (ANSWER_VALUES + 1), ["x" * (1 << 20)] * ((ANSWER_BYTES >> 20) + 1)])
def test_should_say_that_an_answer_is_too_large_for_one_message(value):
    kind, case, said = unpack(pack_answer("base", Answer(value, grads=(TENSOR, None), seconds=0.5)))
    answer = read_answer(said)
    assert (kind, case, answer.seconds) == ("answer", "base", 0.5)
    assert answer.value == Opaque("a result too large to be read")
    assert answer.grads == (answer.value, None)


def test_should_give_half_characters_back_as_they_went_or_escaped():
    value = {"\ud800": [Raised("A\udfff", ("A\udfff",), "é\ud800")]}
    assert unpack(pack(value)) == value
    escaped = {"\\ud800": [Raised("A\\udfff", ("A\\udfff",), "é\\ud800")]}
    assert unpack(pack(value), escape_surrogates=True) == escaped
