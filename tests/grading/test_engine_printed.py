"""What an attempt prints is kept up to its limits, whole and by cases."""

from __future__ import annotations

from llmdrills.grading.workers.printed import CASE_BYTES, Printed


def printed(*cases: str, loading: str = "", limit: int = 1 << 16) -> Printed:
    found = Printed(limit)
    found.add(loading.encode())
    found.begin_cases()
    for text in cases:
        found.add(text.encode())
        found.end_case()
    return found


def test_should_keep_what_each_case_printed_apart_from_loading():
    found = printed("one\n", "", "three\n", loading="hello\n")
    assert found.cases == ("one\n", "", "three\n")
    assert found.text == "hello\none\nthree\n"
    assert not found.cut


def test_should_cut_a_case_and_say_so_with_an_ellipsis():
    found = printed("x" * (CASE_BYTES + 1), "y" * CASE_BYTES)
    assert found.cases == ("x" * CASE_BYTES + "\n…\n", "y" * CASE_BYTES)


def test_should_bound_the_whole_and_all_cases_together():
    found = printed("abc", "def", "", limit=4)
    assert found.text == "abcd"
    assert found.cut
    assert found.cases == ("abc", "d\n…\n", "")


def test_should_replace_bytes_that_are_no_text():
    found = Printed(100)
    found.add(b"a\xff\xed\xa0\x80")
    found.end_case()
    assert found.cases[0].startswith("a\ufffd")
    found.text.encode()
