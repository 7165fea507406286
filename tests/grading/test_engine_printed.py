"""What an attempt prints is kept up to its limits, whole and by cases."""

from __future__ import annotations

import os
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmdrills.grading.workers.printed import CASE_BYTES, Printed, write_mark


def marked(found: Printed, *texts: str, first: int = 0) -> bytes:
    """The texts as the learner's process prints them: loading, then case by case."""
    reading, writing = os.pipe()
    written = b""
    for number, text in enumerate(texts, first):
        write_mark(writing, found.mark, number)
        written += text.encode() + os.read(reading, 100)
    os.close(reading)
    os.close(writing)
    return written


def printed(*texts: str, limit: int = 1 << 16) -> Printed:
    found = Printed(limit)
    found.add(marked(found, *texts))
    return found


def test_should_keep_what_each_case_printed_apart_from_loading():
    found = printed("hello\n", "one\n", "", "three\n")
    assert found.cases(3) == ("one\n", "", "three\n")
    assert found.text == "hello\none\nthree\n"
    assert not found.cut


@given(st.lists(st.integers(1, 30), min_size=1))
def test_should_find_marks_however_the_pipe_cuts_them(sizes):
    found = Printed(1 << 16)
    data = marked(found, "hello", "one", "", "three") + found.mark[:5]
    while data:
        size = sizes[len(data) % len(sizes)]
        found.add(data[:size])
        data = data[size:]
    assert found.cases(3) == ("one", "", "three")


def test_should_give_as_many_texts_as_there_are_answers():
    assert printed("", "one", "two", "three").cases(2) == ("one", "two")
    assert printed("", "one").cases(3) == ("one", "", "")


def test_should_tell_what_was_printed_after_the_last_mark():
    found = printed("", "one")
    found.add(b"two\n")
    assert found.unfinished == "two\n"
    found.add(b"x" * CASE_BYTES)
    assert found.unfinished.endswith("\n…\n")


@given(st.text(min_size=1, max_size=40))
def test_should_hold_back_no_text_whatever_the_mark_begins_with(text):
    for size in (1, 4, 16):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(secrets, "token_bytes", lambda count, size=size: text.encode()[-size:].ljust(count, b"x"))
            found = Printed(1 << 16)
        found.add(text.encode())
        assert found.text == found.unfinished == text


def test_should_give_no_text_to_a_case_whose_mark_is_lost():
    found = Printed(100)
    found.add(marked(found, "hello") + marked(found, "two", first=2))
    assert found.cases(2) == ("", "two")


def test_should_ignore_marks_out_of_order():
    found = Printed(100)
    found.add(marked(found, "hello", "a") + marked(found, "b", first=0) + marked(found, "c", first=1 << 31))
    found.add(marked(found, "d", first=2))
    assert found.cases(2) == ("a", "bcd")


def test_should_cut_a_case_and_say_so_with_an_ellipsis():
    found = printed("", "x" * (CASE_BYTES + 1), "y" * CASE_BYTES)
    assert found.cases(2) == ("x" * CASE_BYTES + "\n…\n", "y" * CASE_BYTES)


def test_should_bound_the_whole_and_all_cases_together():
    found = printed("", "abc", "def", "", limit=4)
    assert found.text == "abcd"
    assert found.cut
    assert found.cases(3) == ("abc", "d\n…\n", "")


def test_should_replace_bytes_that_are_no_text():
    found = Printed(100)
    found.add(marked(found, "") + b"a\xff\xed\xa0\x80" + marked(found, "", first=1))
    assert found.cases(1)[0].startswith("a\ufffd")
    assert found.text.encode()


def test_should_write_no_mark_where_the_output_is_closed():
    write_mark(1 << 20, bytes(16), 0)
