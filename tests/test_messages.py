"""Every message of an error or a problem has its Chinese, whose fields are those of the English."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmdrills.errors import ContentError, HistoryError, Problem
from llmdrills.messages import _pairs, in_chinese
from tests.helpers.english_left import english_left
from tests.helpers.messages import messages

SOURCE = Path(__file__).parents[1] / "src/llmdrills"
ROOMS = sorted(SOURCE.rglob("*.py"))
FIELDS = re.compile(r"\{([a-z])\}")
NO_SENTENCE = {
    '{a} "variants": { {b} }}',  # JSON
    "{a}{b}: {c}",
    "{a}: {b}",
    "{a}:{b}: {c}",
}


def test_should_have_the_chinese_of_every_message_of_the_code() -> None:
    found = messages(ROOMS)
    assert len(found) > 400
    known = {FIELDS.sub("{}", en) for en, _ in _pairs()}
    missing = {text: place for text, place in found.items() if FIELDS.sub("{}", text) not in known | NO_SENTENCE}
    assert {text: place for text, place in missing.items() if text not in NO_SENTENCE} == {}


@pytest.mark.parametrize(("en", "zh"), list(_pairs()), ids=lambda text: text[:40])
def test_should_leave_no_field_out_and_no_english_in(en: str, zh: str) -> None:
    assert set(FIELDS.findall(zh)) <= set(FIELDS.findall(en))
    assert english_left(FIELDS.sub("x", zh)) == []


@pytest.mark.parametrize(
    ("en", "zh"),
    [
        ("`requires` forms a cycle: a → b → a", "`requires` 构成了循环：a → b → a"),
        ("notes.1.front is a list, not text", "notes.1.front 是列表，不是文本"),
        ("variant `one` has two clauses `two`", "变体 `one` 有两个条款都叫 `two`"),
        ("cannot read /a b/c: Permission denied", "无法读取 /a b/c：权限不足"),
        ("2 problems in the workspace", "工作区里有 2 个问题"),
        ("nobody wrote this", "nobody wrote this"),
    ],
)
def test_should_tell_a_message_with_its_fields(en: str, zh: str) -> None:
    assert in_chinese(en) == zh


def test_should_tell_an_error_and_a_problem_in_either_language() -> None:
    error = HistoryError("/h/db is held by another process", "close the other llmdrills and try again")
    assert error.told("zh") == "/h/db 正被另一个进程占用：请关闭另一个 llmdrills 再试"
    assert error.told("en") == str(error)
    problems = ContentError([Problem(Path("a.yaml"), 2, 3, "notes is empty", "write a text")])
    assert problems.told("zh") == "a.yaml:2:3: notes 是空的：写一段文本"
    assert problems.told("en") == str(problems) == "a.yaml:2:3: notes is empty: write a text"


def test_should_keep_the_place_apart_from_a_message_that_begins_with_any_words() -> None:
    said = in_chinese("decks/a.yaml:73:5: `[[gap:.0f]]` has no computed value: run `llmdrills check --write`")
    assert said == "decks/a.yaml:73:5: `[[gap:.0f]]` 没有算出的数值：请运行 `llmdrills check --write`"
