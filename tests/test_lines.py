"""Lines of a terminal: where they break, and where they never do."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmdrills.lines import WIDE_CELL, aligned, columns, plain, whole, wrap

COMMAND = "`llmdrills rate scaled-dot-product-attention again|hard`"
ENGLISH = f"A hint counts: {COMMAND} records it, and /tmp/a/long/path/to/practice/rms-norm.py holds what you wrote."
CHINESE = (
    f"提示会计入评级：当前这次练习最高只能评为“吃力”。运行 {COMMAND} 记录评级（文件在 /tmp/a/b.py 中），然后继续。"
)
CLOSING = "，。：；、！？）】》」』”’"
OPENING = "（【《「『“‘"


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_should_keep_every_command_and_path_in_one_piece(text, width):
    lines = wrap(text, width)
    assert any(COMMAND in line for line in lines)
    assert sum("/practice/rms-norm.py" in line or "/tmp/a/b.py" in line for line in lines) == 1
    for line in lines:
        assert columns(line) <= width or line.strip(" ，。（") == COMMAND


@example("1（ 力·11", 8)
@given(st.text(alphabet="注意力，。（）“”、；ab `·\x1b[1m 的 ", max_size=120), st.integers(8, 60))
def test_should_lose_no_letter_and_begin_no_line_with_a_closing_mark(text, width):
    lines = wrap(text, width, "")
    assert "".join("".join(lines).split()) == "".join(text.split())
    for line in lines[1:]:
        assert line[:1] not in set("，。）、；")
    for line in lines[:-1]:
        assert line[-1:] != "（"


def test_should_not_break_between_an_opening_mark_and_what_follows():
    for width in range(6, 40):
        for before, line in pairwise(wrap(CHINESE, width)):
            assert before[-1] not in OPENING
            assert line[0] not in CLOSING


def test_should_keep_the_spaces_of_a_path_that_is_whole():
    path = "/home/a learner/my files/practice/rms-norm.py"
    lines = wrap(f"Write {whole(path)}; every save is graded.", 40)
    assert lines == ["Write", f"{path};", "every save is graded."]
    assert plain(whole(path)) == path


def test_should_indent_what_follows_a_list_mark():
    assert wrap("  1. one two three four five", 18) == ["  1. one two three", "     four five"]


def test_should_count_no_columns_for_colour():
    assert columns("\x1b[1;31m✗ 注意\x1b[0m") == 6
    assert wrap("\x1b[1mone two\x1b[0m", 7) == ["\x1b[1mone two\x1b[0m"]


def test_should_align_the_cells_of_a_table_by_the_columns_that_they_take():
    rows = [("lang", "未设置", "默认值"), ("anki_url", "http://127.0.0.1:8765", "default"), ("new", "2", "")]
    assert [columns(line.partition(last)[0]) for line, (_, _, last) in zip(aligned(rows)[:2], rows, strict=False)] == [
        len("anki_url  http://127.0.0.1:8765  ")
    ] * 2
    assert aligned(rows)[2] == "new       2                      "


def test_should_let_a_cell_stand_out_that_would_push_the_others_off_the_terminal():
    long = "x" * (WIDE_CELL + 1)
    assert aligned([("a", long, "1"), ("b", "y", "2")]) == [f"a  {long}  1", "b  y  2"]
    assert aligned([]) == []
