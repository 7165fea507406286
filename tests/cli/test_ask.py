"""`llmdrills ask` in a pseudo-terminal, on a pipe and for programs, in both languages."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.terminal import Terminal

DECK = """\
deck: small
title: {en: Small, zh: 小}
description: {en: A small deck., zh: 一个小牌组。}
notes:
  - id: cache
    type: number
    topic: systems
    front: {en: "How many GB for [[tokens:,]] tokens?", zh: "[[tokens]] 个 token 占多少 GB？"}
    answer: {value: "[[gb:.1f]]", unit: GB, tolerance: 2%}
    back: {en: "[[per:,]] bytes a token.", zh: "每个 token 占 [[per]] 字节。"}
    family:
      quantities: {tokens: {low: 1000, high: 100000, step: 1000, card: 8000}}
      steps: {per: 2 * 32 * 8 * 128 * 2}
      formula: per * tokens / 1e9
    sources: [{title: A book, url: "https://example.org/book"}]
  - id: share
    type: number
    topic: systems
    front: {en: "Which share is $[[a]]/10$?", zh: "$[[a]]/10$ 占多大比例？"}
    answer: {value: "[[share]]", tolerance: exact}
    family:
      quantities: {a: {low: 1, high: 9, step: 1, card: 3}}
      formula: a / 10
    sources: [{title: A book, url: "https://example.org/book"}]
  - id: plain
    type: number
    topic: systems
    front: {en: How many?, zh: 多少？}
    answer: {value: 20}
    sources: [{title: A book, url: "https://example.org/book"}]
"""

WORDS = {
    "en": {
        "prompt": "Answer in GB (within 2 %):",
        "no_number": "`many` is no number",
        "comma": "a comma parts groups of three digits",
        "unit": "`Gb` is not the unit that is asked for",
        "notations": "1.5×10^9, 2^13",
        "wrong": "✗ Not 1 GB.",
        "right": "✓ Right.",
        "bounds": "Right is from",
        "per": "131,072 bytes a token.",
        "shown": "The answer:",
        "summary": "1 of 3 right (seed 5).",
        "broken": "`llmdrills ask --seed 5` asks the same again",
    },
    "zh": {
        "prompt": "请作答，单位：GB（误差不超过 2 %）：",
        "no_number": "`many` 不是数值",
        "comma": "逗号只用来分隔三位一组的数字",
        "unit": "`Gb` 不是题目所要的单位",
        "notations": "1.5×10^9、2^13",
        "wrong": "✗ 不是 1 GB。",
        "right": "✓ 正确。",
        "bounds": "之间都算正确",
        "per": "每个 token 占 131072 字节。",
        "shown": "答案：",
        "summary": "共 3 题，答对 1 题（种子 5）。",
        "broken": "运行 `llmdrills ask --seed 5` 可再次做同样的题目",
    },
}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "ws" / "decks").mkdir(parents=True)
    (tmp_path / "ws" / "decks" / "small.yaml").write_text(DECK, "utf-8")
    (tmp_path / "ws" / "drills").mkdir()
    return tmp_path / "ws"


Ask = Callable[..., Terminal]


@pytest.fixture
def ask(workspace: Path) -> Iterator[Ask]:
    """`ask("--seed", "3")`: in a terminal."""
    opened: list[Terminal] = []

    def _ask(*words: str, **options: object) -> Terminal:
        opened.append(Terminal("ask", *words, cwd=workspace, **options))
        return opened[-1]

    yield _ask
    for terminal in opened:
        terminal.child.close(force=True)


def loose(words: str) -> str:
    """A pattern for words that may be broken over lines anywhere."""
    return r"\s*".join(re.escape(letter) for letter in words if letter != " ")


def answers(run, workspace: Path, *words: str) -> list[float]:
    return [one["answer"] for one in run("ask", *words, "--json", cwd=workspace).json["questions"]]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("columns", [40, 100])
def test_should_ask_again_until_an_answer_can_be_read_and_say_right_or_wrong(ask, run, workspace, language, columns):
    words = WORDS[language]
    drawn = answers(run, workspace, "cache", "--seed", "5", "--count", "3")
    asked = ask("cache", "--seed", "5", "--count", "3", "--lang", language, columns=columns)
    asked.expect(loose(words["prompt"]))
    for typed, told in (("many", "no_number"), ("1,5", "comma"), ("2 Gb", "unit"), ("?", "notations")):
        asked.press(f"{typed}\r")
        asked.expect(loose(words[told]))
        asked.expect(loose(words["prompt"]))
    asked.press("1 GB\r")
    asked.expect(loose(words["wrong"]))
    asked.expect(loose("2 × 32 × 8 × 128 × 2"))
    asked.expect(loose(words["bounds"]))
    asked.expect(loose(words["per"]))
    asked.expect("2/3")
    asked.expect(loose(words["prompt"]))
    asked.press(f"{drawn[1] * 1e3 * 1.01} MB\r")
    asked.expect(loose(words["right"]))
    asked.expect("3/3")
    asked.expect(loose(words["prompt"]))
    asked.press("\r")
    asked.expect(loose(words["shown"]))
    asked.expect(loose(words["summary"]))
    assert asked.ended() == 0


@pytest.mark.parametrize("language", ["en", "zh"])
def test_should_end_with_130_at_ctrl_c_and_say_how_to_ask_the_same_again(ask, language):
    asked = ask("--seed", "5", "--lang", language)
    asked.expect("1/5")
    asked.press("12")
    asked.press("\x03")
    asked.expect(loose(WORDS[language]["broken"]))
    assert asked.ended() == 130


@pytest.mark.parametrize("keys", ["\x04", "q\r", "Q\r"])
def test_should_end_with_0_where_the_learner_ends_it(ask, keys):
    asked = ask("--seed", "5", "share")
    asked.expect(r"Answer \(exact\):")
    asked.press("0.7777\r")
    asked.expect("✗ Not 0.7777")
    asked.expect(r"Answer \(exact\):")
    asked.press(keys)
    asked.expect(r"0 of 1 right \(seed 5\)")
    assert asked.ended() == 0


def test_should_take_answers_from_a_pipe_and_end_with_it(run, workspace):
    (first, second) = answers(run, workspace, "share", "--seed", "1", "-n", "2")
    ran = run("ask", "share", "--seed", "1", "-n", "5", cwd=workspace, stdin=f"{first}\n{second * 100} %")
    assert ran.code == 0
    assert ran.out.count("✓ Right.") == 2
    assert "2 of 2 right (seed 1)." in ran.out
    nothing = run("ask", cwd=workspace)
    assert (nothing.code, nothing.out.count("/5 · ")) == (0, 1)
    assert "Nothing was answered" in nothing.out


@pytest.mark.parametrize("typed", [b"\xff\xfe\n", b"\x00\n", b"x" * 100_000 + b"\n", b"\x1b[31m\n", "½\n".encode()])
def test_should_survive_whatever_comes_in(workspace, typed):
    done = subprocess.run(
        [sys.executable, "-m", "llmdrills", "ask", "share", "--seed", "1", "-n", "1"],
        cwd=workspace,
        input=typed + b"\n",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"The answer:" in done.stdout
    assert b"\x1b" not in done.stdout


@pytest.mark.parametrize("language", ["en", "zh"])
def test_should_print_questions_and_answers_for_programs(run, workspace, language):
    found = run("ask", "--seed", "5", "-n", "4", "--json", "--lang", language, cwd=workspace).json
    assert (found["schema"], found["seed"], found["language"]) == (1, 5, language)
    assert [one["note"] for one in found["questions"]].count("cache") == 2
    for one in found["questions"]:
        assert one["low"] <= one["answer"] <= one["high"]
        assert str(next(iter(one["quantities"].values()))) in one["question"].replace(",", "")
        assert one["worked"].endswith(one["worked"].split()[-1])
        assert (one["given"], one["right"]) == (None, None)
    again = run("ask", "--seed", "5", "-n", "4", "--json", "--lang", language, cwd=workspace).json
    assert again == found


def test_should_judge_answers_that_are_given_and_end_with_1_where_one_is_wrong(run, workspace):
    right = answers(run, workspace, "--seed", "5", "-n", "2")
    given = [word for one in right for word in ("--answer", str(one))]
    passed = run("ask", "--seed", "5", "-n", "2", *given, "--json", cwd=workspace)
    assert (passed.code, [one["right"] for one in passed.json["questions"]]) == (0, [True, True])
    failed = run("ask", "--seed", "5", "-n", "2", "--answer", "1e6", "--answer", "abc", "--json", cwd=workspace)
    assert failed.code == 1
    assert [(one["value"], one["right"]) for one in failed.json["questions"]] == [(1e6, False), (None, False)]
    assert "is no number" in failed.json["questions"][1]["unread"]
    told = run("ask", "--seed", "5", "-n", "2", "--answer", str(right[0]), cwd=workspace)
    assert (told.code, told.out.count("✓ Right.")) == (0, 1)
    many = run("ask", "--seed", "5", "-n", "1", *given, cwd=workspace)
    assert (many.code, many.out) == (2, "")
    assert "2 answers for 1 question" in many.err


def test_should_name_the_nearest_note_and_say_where_there_are_none(run, workspace):
    missed = run("ask", "cachet", cwd=workspace)
    assert (missed.code, missed.out) == (2, "")
    assert "did you mean cache?" in missed.err
    assert run("ask", "plain", cwd=workspace).code == 2
    deck = workspace / "decks" / "small.yaml"
    deck.write_text(DECK[: DECK.index("  - id: cache")] + DECK[DECK.index("  - id: plain") :], "utf-8")
    none = run("ask", "--lang", "zh", cwd=workspace)
    assert none.code == 2
    assert "此工作区没有可以抽取数值的笔记" in none.err


def test_should_tell_a_faulty_family_where_it_stands(run, workspace):
    deck = workspace / "decks" / "small.yaml"
    deck.write_text(DECK.replace("formula: a / 10", "formula: a / b"), "utf-8")
    for words in (("ask",), ("check", "--quick"), ("build",)):
        ran = run(*words, cwd=workspace)
        assert ran.code == 2
        assert "decks/small.yaml:23:16: `b` in `formula` is no quantity or step: write one of `a`" in ran.err


def test_should_complete_the_notes_that_have_a_family(run, workspace):
    words = {"_LLMDRILLS_COMPLETE": "complete_bash", "COMP_WORDS": "llmdrills ask ", "COMP_CWORD": "2"}
    shown = run(cwd=workspace, env=words).out.split()
    assert shown == ["cache", "share"]


def test_should_import_no_heavy_library_and_no_kata(workspace):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "llmdrills", "ask", "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=workspace,
    )
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert not {one.split(".")[0] for one in imported} & {"torch", "transformers", "genanki", "numpy", "anki"}
    assert "llmdrills.practice.asking" in imported
    assert json.loads(done.stdout)["schema"] == 1


def test_should_ask_of_the_shipped_families(run, tmp_path):
    found = run("ask", "--count", "200", "--seed", "1", "--json", cwd=tmp_path).json["questions"]
    assert len({one["note"] for one in found}) >= 20
