"""An exam in a pseudo-terminal: what is seen, what is recorded, and that nothing is lost however it is left."""

from __future__ import annotations

import json
import re
import signal
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.exam_workspace import KATA, make_exam_workspace
from tests.helpers.histories import rows
from tests.helpers.terminal import Terminal

WORDS = {
    "en": {
        "begin": "2 questions, 1 kata and 1 design question in 30 min",
        "q1": "Question 1, in full (2 points)",
        "q2": "Question 2",
        "typed": "Your answer",
        "had": "✓ had it",
        "missed": "✗ missing",
        "broken": "the clock stands still",
        "goes_on": "goes on: 30 of 30 min left",
        "waiting": "waiting for a save",
        "not_yet": "Not passed yet",
        "no_help": "Not in an exam",
        "passed": "✓ Passed",
        "rated": "due again on",
        "design": "Design question 1",
        "katas": "Katas: 1 of 1 passed",
        "own": "only your own marks: 1 of 1",
    },
    "zh": {
        "begin": "2 道概念题、1 道编码练习、1 道设计题，限时 30 分钟",
        "q1": "第 1 题（完整作答，共 2 点）",
        "q2": "第 2 题",
        "typed": "你的回答",
        "had": "✓ 答到了",
        "missed": "✗ 没有答到",
        "broken": "计时停止",
        "goes_on": "还剩 30 分钟",
        "waiting": "等待保存",
        "not_yet": "尚未通过",
        "no_help": "考试中不可用",
        "passed": "✓ 通过",
        "rated": "到期",
        "design": "设计题 1",
        "katas": "编码练习：通过 1/1 道",
        "own": "只有自己的标记：1/1",
    },
}


@pytest.fixture
def solution(run) -> str:
    return run("solution", KATA).out


@pytest.fixture
def workspace(tmp_path: Path, root: Path) -> Path:
    return make_exam_workspace(tmp_path / "ws", root)


Sit = Callable[..., Terminal]


@pytest.fixture
def sit(workspace: Path) -> Iterator[Sit]:
    """`sit("--seed", "3")`: an exam in a terminal."""
    opened: list[Terminal] = []

    def _sit(*words: str, **options: object) -> Terminal:
        opened.append(Terminal("exam", *words, cwd=workspace, **options))
        return opened[-1]

    yield _sit
    for terminal in opened:
        terminal.child.close(force=True)


def state(home: Path) -> dict:
    return json.loads((home / "data" / "exam.json").read_text())


def wrong(solution: str) -> str:
    """The reference with its result doubled."""
    return solution.replace("return ", "return 2 * ")


ANSWERS = "SELECT note, language, rating, source FROM note_reviews ORDER BY seq"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("columns", [40, 80])
def test_should_lead_from_the_first_question_to_the_report_through_a_break_and_a_kill(
    sit, run, home, solution, language, columns
):
    words, options = WORDS[language], {"columns": columns, "env": {"LLMDRILLS_LANG": language}}
    begun = sit("--list", "--minutes", "30", **options)
    begun.expect(loose(words["begin"]))
    begun.expect(loose(words["q1"]))
    begun.press("t")
    begun.expect(">")
    begun.press("方差 variance\x7f\r")
    begun.expect(loose(words["typed"]))
    begun.press("y")
    begun.expect(words["had"])
    begun.press("q")  # in the middle of an answer
    begun.expect(loose(words["broken"]))
    assert begun.ended() == 0
    assert rows(home, ANSWERS) == []

    again = sit(**options)
    again.expect(loose(words["goes_on"]))
    again.expect("2/2")
    again.press("n")
    again.expect(words["missed"])
    assert rows(home, ANSWERS) == [("scale", language, 2, "self")]
    again.expect(words["q2"])
    again.press("\ry")
    again.expect(words["waiting"])
    (home / "practice" / f"{KATA}.py").write_text(wrong(solution))
    again.expect(loose(words["not_yet"]))
    again.kill()

    third = sit(**options)
    third.expect("3/4")
    third.expect(words["waiting"])
    assert (home / "practice" / f"{KATA}.py").read_text() == wrong(solution)
    third.press("h")
    third.expect(loose(words["no_help"]))
    (home / "practice" / f"{KATA}.py").write_text(solution)
    third.expect(words["passed"])
    third.expect(loose(words["rated"]))
    third.expect(words["design"])
    third.press("\ryy")
    third.expect(loose(words["katas"]))
    third.expect(loose(words["own"]))
    assert third.ended() == 0

    end = third.text.index(words["design"])
    lines = [*begun.text.splitlines(), *third.text[end:].splitlines()]
    assert [line for line in lines if columns_of(line) > columns and not line.startswith("/")] == []
    assert not (home / "data" / "exam.json").exists()
    assert rows(home, ANSWERS)[1:] == [("norm", language, 3, "self"), ("serve", language, 3, "self")]
    assert len(rows(home, "SELECT * FROM sessions")) == len(rows(home, "SELECT * FROM reviews")) == 1
    assert rows(home, "SELECT outcome FROM attempts ORDER BY seq") == [("wrong",), ("passed",)]
    assert rows(home, "SELECT * FROM hints") == []
    report = run("exam", "--json").json
    assert report["totals"]["questions"] == {"all": 2, "answered": 2, "had": 2, "of": 3}
    assert report["tasks"][0]["typed"] == "方差 varianc"
    assert {item["id"]: item["evidence"] for item in report["items"]} == {
        "ready-transformer-components": "code",
        "ready-moe": "own-marks",
    }
    (page,) = (home / "data" / "exams").glob("*.html")
    assert page.name in third.text.replace("\n", "")


def columns_of(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def loose(words: str) -> str:
    """A pattern for words that may be broken over lines anywhere."""
    return r"\s*".join(re.escape(letter) for letter in words if letter != " ")


def test_should_say_nothing_of_what_is_wrong_before_the_end_and_all_of_it_then(sit, run, home, solution):
    exam = sit("--questions", "0", "--minutes", "30")
    exam.expect("waiting for a save")
    (home / "practice" / f"{KATA}.py").write_text(wrong(solution))
    exam.expect("Not passed yet")
    shown = exam.text
    exam.press("vsdc")
    exam.expect("Not in an exam")
    exam.press("n")
    exam.expect("Design question 1")
    exam.press("x")
    exam.expect("Press x again")
    exam.press("p")  # another key: the question is off the table
    exam.press("x")
    exam.expect("Press x again")
    exam.press("x")
    exam.expect("Katas: 0 of 1 passed")
    exam.expect("Not reached: 2 ")
    exam.expect("rms-norm: not passed; `llmdrills today` goes on with it")
    exam.expect("expected")
    assert exam.ended() == 0
    assert "expected" not in shown
    assert rows(home, "SELECT * FROM reviews") == rows(home, "SELECT * FROM solutions") == []
    assert [item["reason"] for item in run("today", "--json").json["items"]][:1] == ["unfinished"]


def test_should_end_when_the_time_is_over_and_report_what_was_not_reached(sit, run, home):
    exam = sit("--seed", "3", "--minutes", "1")
    exam.expect("1/4 · 1 min")
    exam.press("q")
    assert exam.ended() == 0
    late = state(home) | {"used": 58.0}
    (home / "data" / "exam.json").write_text(json.dumps(late))
    again = sit()
    again.expect("1/4")
    again.expect("The time is over", timeout=20)
    again.expect("Not reached: 1 ")
    assert again.ended() == 0
    report = run("exam", "--json").json
    assert report["totals"]["not_reached"] == 4
    assert report["used_minutes"] == 1.0
    assert rows(home, ANSWERS) == []


def test_should_let_an_answer_that_is_shown_be_marked_after_the_time(sit, home):
    exam = sit("--list", "--minutes", "1")
    exam.expect("1/4")
    exam.press("\r")
    exam.expect("1/2")
    exam.press("q")
    assert exam.ended() == 0
    late = state(home) | {"used": 60.0}
    (home / "data" / "exam.json").write_text(json.dumps(late))
    again = sit()
    again.expect("1/2")
    again.press("yuyn")
    again.expect("taken back")
    again.expect("The time is over")
    assert again.ended() == 0
    assert rows(home, ANSWERS) == [("scale", "en", 2, "self")]


def test_should_break_off_at_ctrl_c_keep_what_was_typed_and_say_how_to_go_on(sit, home):
    exam = sit("--list")
    exam.expect("1/4")
    exam.press("t")
    exam.expect(">")
    exam.press("half an answer")
    exam.expect("half an answer")
    exam.press("\x03")
    assert exam.ended() == 130
    assert "`llmdrills exam` goes on" in " ".join(exam.text.split())
    assert "today" not in exam.text.splitlines()[-1]
    assert state(home)["tasks"][0]["typed"] == "half an answer"
    again = sit()
    again.expect("1/4")
    again.press("\r")
    again.expect("Your answer: half an answer")


def test_should_end_in_order_when_it_is_terminated(sit, home):
    exam = sit("--list")
    exam.expect("1/4")
    exam.press("\r")
    exam.expect("Had it")
    exam.child.kill(signal.SIGTERM)
    assert exam.ended() == 128 + signal.SIGTERM
    assert state(home)["tasks"][0]["atoms"] == 2


def test_should_take_the_same_questions_for_the_same_seed(sit, home):
    asked = []
    for _ in range(2):
        exam = sit("--seed", "11", "--questions", "2")
        exam.expect("1/4")
        exam.press("q")
        assert exam.ended() == 0
        asked.append([task["id"] for task in state(home)["tasks"]])
        (home / "data" / "exam.json").unlink()
    assert asked[0] == asked[1]


def test_should_refuse_options_while_an_exam_is_begun(sit, run, home):
    exam = sit("--seed", "4")
    exam.expect("1/4")
    exam.press("q")
    assert exam.ended() == 0
    before = state(home)
    other = sit("--seed", "5")
    other.expect("an exam is begun: seed 4")
    assert other.ended() == 2
    assert state(home) == before


def test_should_refuse_a_second_exam_in_another_terminal(sit):
    exam = sit()
    exam.expect("1/4")
    other = sit()
    other.expect("an exam is open elsewhere")
    assert other.ended() == 2


def test_should_leave_a_kata_alone_that_the_learner_is_in_the_middle_of(sit, run, home, workspace, solution):
    assert run("start", KATA, cwd=workspace).code == 0
    (home / "practice" / f"{KATA}.py").write_text(wrong(solution))
    assert run("grade", KATA, cwd=workspace).code == 1
    exam = sit("--seed", "3")
    exam.expect("0 katas")
    exam.expect(f"in the middle of it: {KATA}")
    exam.press("q")
    assert exam.ended() == 0
    assert (home / "practice" / f"{KATA}.py").read_text() == wrong(solution)


def test_should_ask_for_the_rating_of_a_pass_before_the_courses_own_list(sit, run, home, workspace, solution):
    assert run("start", KATA, cwd=workspace).code == 0
    (home / "practice" / f"{KATA}.py").write_text(solution)
    assert run("grade", KATA, cwd=workspace).code == 0
    exam = sit("--list")
    exam.expect(f"a pass of {KATA} waits for its rating")
    assert exam.ended() == 2
    assert run("rate", KATA, cwd=workspace).code == 0
    again = sit("--list")
    again.expect("1/4")


def test_should_count_a_kata_once_that_was_rated_while_the_exam_was_broken_off(sit, run, home, workspace, solution):
    exam = sit("--questions", "0")
    exam.expect("waiting for a save")
    exam.press("q")
    assert exam.ended() == 0
    (home / "practice" / f"{KATA}.py").write_text(solution)
    assert run("grade", KATA, cwd=workspace).code == 0
    assert run("rate", KATA, cwd=workspace).code == 0
    again = sit()
    again.expect("Design question 1")
    again.press("q")
    assert again.ended() == 0
    assert len(rows(home, "SELECT * FROM sessions")) == 1


def test_should_go_on_without_a_note_that_left_the_workspace(sit, run, home, workspace):
    exam = sit("--list", "--minutes", "30")
    exam.expect("1/4")
    exam.press("q")
    assert exam.ended() == 0
    deck = workspace / "decks" / "concepts.yaml"
    deck.write_text(deck.read_text().replace("id: scale", "id: rescaled"))
    again = sit()
    again.expect("scale is no longer in the workspace")
    again.expect("2/4")
    again.press("xx")
    again.expect("By item")
    assert again.ended() == 0
    assert run("exam", "--json").json["tasks"][0]["state"] == "not-reached"


@pytest.mark.parametrize("words", [("exam",), ("exam", "--seed", "3"), ("exam", "--json")])
def test_should_exit_2_without_a_terminal_and_say_what_to_do(run, workspace, words):
    for language, todo in (("en", "run `llmdrills exam`|begins or goes on"), ("zh", "请在终端中运行|开始或继续考试")):
        ran = run(*words, cwd=workspace, env={"LLMDRILLS_LANG": language})
        assert ran.code == 2
        assert any(part in ran.err for part in todo.split("|"))
        assert ran.out == ""


def test_should_print_the_courses_own_list_without_a_terminal(run, workspace, root):
    listed = run("exam", "--list", "--json", cwd=root).json["list"]
    assert [one["course"] for one in listed] == [
        *(f"q{number}" for number in range(1, 11)),
        *("t1", "t2", "t3"),
        *("d1", "d2", "d3"),
    ]
    assert [one["id"] for one in listed if one["kind"] == "kata"] == [
        "scaled-dot-product-attention",
        "rotary-embedding",
        "generate-text",
    ]
    shown = run("exam", "--list", "--lang", "zh", cwd=root).out.splitlines()
    assert len(shown) == 16
    assert shown[3].startswith("第 4 题：描述 ALiBi")


def test_should_say_what_is_wrong_with_a_damaged_exam(sit, home):
    (home / "data").mkdir()
    (home / "data" / "exam.json").write_text('{"schema": 1}')
    exam = sit()
    exam.expect("holds no exam that can be read")
    assert exam.ended() == 2


def test_should_say_that_there_is_nothing_to_ask(sit, workspace, home):
    exam = sit("--questions", "0", "--katas", "0")
    exam.expect("1/1")  # the design question
    exam.press("q")
    assert exam.ended() == 0
    (home / "data" / "exam.json").unlink()
    (workspace / "decks" / "design.yaml").unlink()
    empty = sit("--questions", "0", "--katas", "0")
    empty.expect("there is nothing to ask")
    assert empty.ended() == 2
    assert not (home / "data" / "exam.json").exists()


def test_should_write_the_report_again_when_it_was_killed_before_the_report(sit, run, home):
    exam = sit("--list")
    exam.expect("1/4")
    exam.press("q")
    assert exam.ended() == 0
    ended = state(home)
    (home / "data" / "exam.json").write_text(json.dumps(ended | {"ended": ended["begun"]}))
    again = sit()
    again.expect("By item of the readiness checklist")
    assert again.ended() == 0
    assert not (home / "data" / "exam.json").exists()
    assert len(list((home / "data" / "exams").iterdir())) == 2


def test_should_say_where_it_cannot_write(sit, home):
    (home / "data").write_text("a file where the folder should be")
    exam = sit()
    exam.expect("cannot write to")
    exam.expect("LLMDRILLS_HOME")
    assert exam.ended() == 2


NUMBER = """\
  - id: cache
    type: number
    topic: systems
    tags: ["llmdrills::course::q3"]
    front: {en: "How many GB for [[tokens:,]] tokens?", zh: "[[tokens]] 个 token 占多少 GB？"}
    answer: {value: "[[gb:.1f]]", unit: GB, tolerance: 2%}
    family:
      quantities: {tokens: {low: 1000, high: 100000, step: 1000, card: 8000}}
      formula: tokens * 131072 / 1e9
    sources: [{title: A book, url: "https://example.org/book"}]
"""
FRESH = {
    "en": ("Fresh numbers: t types your answer", "`1,5` can be read in two ways", "✓ had it", "✗ missing"),
    "zh": ("数值为新抽取：按 t 输入答案", "`1,5` 有两种读法", "✓ 答到了", "✗ 没有答到"),
}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("right", [True, False])
def test_should_ask_a_number_family_about_fresh_numbers_and_judge_what_is_typed(
    sit, run, home, workspace, language, right
):
    deck = workspace / "decks" / "concepts.yaml"
    deck.write_text(deck.read_text("utf-8") + NUMBER, "utf-8")
    fresh, comma, had, missed = FRESH[language]
    exam = sit("--list", "--seed", "9", env={"LLMDRILLS_LANG": language}, columns=60)
    exam.expect("1/5")
    exam.press("\rnn")
    exam.expect("2/5")
    exam.press("\rn")
    exam.expect("3/5")
    exam.expect(loose(fresh))
    exam.press("q")  # the same numbers are asked when it goes on
    assert exam.ended() == 0
    first = re.search(r"([\d,]+) (?:tokens\?|个 token 占)", exam.text)
    assert first
    tokens = int(first[1].replace(",", ""))
    again = sit(env={"LLMDRILLS_LANG": language}, columns=60)
    again.expect("3/5")
    again.expect(loose(fresh))
    assert first[1] in again.text
    again.press("t")
    again.expect(">")
    again.press("1,5\r")
    again.expect(loose(comma))
    again.press("\x15")
    again.press(f"{tokens * 131072 / 1e6 * (1.01 if right else 1.5):.6f} MB\r")
    again.expect(had if right else missed)
    again.expect(loose("131,072" if language == "en" else "131072"))
    again.expect("4/5")
    assert rows(home, ANSWERS)[-1] == ("cache", language, 3 if right else 1, "self")
    again.press("x")
    again.press("x")
    assert again.ended() == 0
    task = run("exam", "--json").json["tasks"][2]
    assert (task["id"], task["numbers"], task["had"], task["of"]) == ("cache", {"tokens": tokens}, int(right), 1)
    assert task["atoms"][0]["text"].endswith(" GB")
