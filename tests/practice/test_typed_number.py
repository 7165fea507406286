"""Numbers as learners type them: what can be meant in one way is read, everything else is told and never crashes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmdrills.language import Bilingual
from llmdrills.practice.typed_number import Unread, read_number
from tests.helpers.english_left import english_left

NONE = Bilingual("", "")
GB, KIB, MS = (Bilingual(one, one) for one in ("GB", "KiB", "ms"))
TOKENS, MILLION, PERCENT = Bilingual("tokens", "个 token"), Bilingual("million", "百万"), Bilingual("%", "%")


@pytest.mark.parametrize(
    ("typed", "unit", "value"),
    [
        ("8192", NONE, 8192),
        (" 8,192 ", NONE, 8192),
        ("8 192", NONE, 8192),
        ("8\u202f192", NONE, 8192),
        ("8_192", NONE, 8192),
        ("1,024,000.5", NONE, 1024000.5),
        ("1.5e9", NONE, 1.5e9),
        ("1.5E+9", NONE, 1.5e9),
        ("1.5×10^9", NONE, 1.5e9),
        ("1.5 x 10**9", NONE, 1.5e9),
        ("1.5·10⁹", NONE, 1.5e9),
        ("2e-3", NONE, 0.002),
        ("2×10⁻³", NONE, 0.002),
        ("2^13", NONE, 8192),
        ("3/4", NONE, 0.75),
        ("1e3 / 4", NONE, 250),
        ("-3", NONE, -3),
        ("−3", NONE, -3),  # a minus, as it is copied from a page
        ("+.5", NONE, 0.5),
        ("5.", NONE, 5),
        ("≈ 4.02", NONE, 4.02),
        ("约 4.02", NONE, 4.02),
        ("８，１９２", NONE, 8192),  # as an input method writes it
        ("12 %", NONE, 0.12),
        ("12%", PERCENT, 12),
        ("12", PERCENT, 12),
        ("１２％", PERCENT, 12),  # the same
        ("1.5 GB", GB, 1.5),
        ("1.5gb", GB, 1.5),
        ("1500 MB", GB, 1.5),
        ("1.5", GB, 1.5),
        ("1.5 billion bytes", GB, 1.5),
        ("1 GiB", GB, 1.073741824),
        ("0.5 MiB", KIB, 512),
        ("0.004 s", MS, 4),
        ("8192 tokens", TOKENS, 8192),
        ("1 token", TOKENS, 1),
        ("8192个token", TOKENS, 8192),
        ("3 万个 token", TOKENS, 30000),
        ("1.5 million tokens", TOKENS, 1.5e6),
        ("135.3 million", MILLION, 135.3),
        ("1.353 亿", MILLION, 135.3),
        ("0.1353 billion", MILLION, 135.3),
        ("135.3 百万", MILLION, 135.3),
    ],
)
def test_should_read_what_people_write(typed: str, unit: Bilingual, value: float) -> None:
    found = read_number(typed, unit)
    assert not isinstance(found, Unread)
    assert math.isclose(found, value, rel_tol=1e-12)


@pytest.mark.parametrize(
    ("typed", "unit", "what"),
    [
        ("abc", NONE, "`abc` is no number"),
        ("", NONE, "is no number"),
        ("twelve", NONE, "is no number"),
        ("1,5", NONE, "can be read in two ways"),
        ("10,24", NONE, "can be read in two ways"),
        ("1.024,5", NONE, "can be read in two ways"),
        ("1,0245", NONE, "can be read in two ways"),
        ("1 2", NONE, "is no number"),
        ("1.2.3", NONE, "is no number"),
        ("2 + 2", NONE, "is no number"),
        ("1/2/3", NONE, "is no number"),
        ("½", NONE, "is no number"),
        ("1½", NONE, "is no number"),
        ("inf", NONE, "is no number"),
        ("nan", NONE, "is no number"),
        ("1e999", NONE, "is not finite"),
        ("9^99999", NONE, "is not finite"),
        ("1/0", NONE, "is not finite"),
        ("0^-1", NONE, "is not finite"),
        ("1.5 GB", NONE, "`GB` is a unit, and this answer has none"),
        ("1.5 Gb", GB, "`Gb` is not the unit that is asked for"),
        ("12 %", GB, "`%` is not the unit that is asked for"),
        ("4 ms", GB, "`ms` is not the unit"),
        ("1.5 billion", GB, "`billion` is not the unit"),
        ("32 layers", TOKENS, "`layers` is not the unit"),
        ("\x00\x1b[31m5", NONE, "is no number"),
        ("9" * 101, NONE, "too long"),
    ],
)
def test_should_say_why_it_cannot_be_read_and_what_to_type(typed: str, unit: Bilingual, what: str) -> None:
    found = read_number(typed, unit)
    assert isinstance(found, Unread)
    assert what in found.told.en
    assert english_left(found.todo.zh) == []
    assert "\x1b" not in found.told.en + found.told.zh


_UNITS = st.sampled_from([NONE, GB, KIB, MS, TOKENS, MILLION, PERCENT])


@settings(max_examples=600, deadline=None)
@given(st.text(max_size=40) | st.text("0123456789.,eE+-*/^×%GBkKMi亿万 ", max_size=20), _UNITS)
def test_should_read_or_refuse_whatever_is_typed(typed: str, unit: Bilingual) -> None:
    found = read_number(typed, unit)
    if isinstance(found, Unread):
        assert found.told.en
        assert found.told.zh
    else:
        assert math.isfinite(found)


@settings(max_examples=300, deadline=None)
@given(st.floats(-1e15, 1e15), st.sampled_from([repr, "{:,}".format, "{:e}".format, "{:_}".format, "{:.12g}".format]))
def test_should_read_every_number_as_python_writes_it(value: float, written: object) -> None:
    assert callable(written)
    found = read_number(written(value), NONE)
    assert not isinstance(found, Unread)
    assert math.isclose(found, value, rel_tol=1e-6, abs_tol=1e-9)


@settings(max_examples=200, deadline=None)
@given(st.integers(-999, 999), st.integers(1, 999))
def test_should_read_fractions(over: int, under: int) -> None:
    assert read_number(f"{over}/{under}", NONE) == over / under


@settings(max_examples=200, deadline=None)
@given(st.floats(0.001, 1e6), st.sampled_from(["B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB"]))
def test_should_turn_a_unit_of_the_same_kind_into_the_one_asked_for(value: float, unit: str) -> None:
    size = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
    found = read_number(f"{value!r} {unit}", GB)
    assert not isinstance(found, Unread)
    assert math.isclose(found, value * size[unit] / 1e9, rel_tol=1e-12)
