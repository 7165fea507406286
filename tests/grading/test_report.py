"""The first screen and the rest: which case is shown, what is said of it, and in how many lines."""

from __future__ import annotations

import dataclasses
import unicodedata

import pytest

from llmdrills.cli.verdict_view import BY_OPTION, verdict_text
from llmdrills.content.kata import Clause
from llmdrills.grading.judging.behaviour import BehavesLike, Candidate, Condition
from llmdrills.grading.judging.judge import judge
from llmdrills.grading.judging.report import FIRST_SCREEN, WIDTH, why_text
from llmdrills.grading.protocol.answer import EARLIER_RESULT, Answer, Attempt, Ended, ShownCall
from llmdrills.grading.protocol.attempt_spec import AttemptSpec
from llmdrills.grading.protocol.wire import Raised
from llmdrills.language import Bilingual
from tests.helpers.small_kata import expect, make_kata, raised, tensor

RIGHT, WRONG = Answer(tensor([1.0, 2.0])), Answer(tensor([1.0, 9.0]))
NAN = Answer(tensor([1.0, float("nan")]))
PRODUCT = {
    "message": "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)",
    "operation": "matmul",
    "operands": ("float32 (2, 3)", "float32 (4, 5)"),
    "expression": "x @ y",
    "line": 7,
}
CRASH = raised("RuntimeError", **PRODUCT)


@pytest.fixture
def kata(tmp_path):
    found = make_kata(tmp_path)
    clauses = (
        Clause("scale", Bilingual("The scale multiplies last.", "最后乘以缩放系数。")),
        Clause("mean", Bilingual("The mean is each row's own.", "均值按行计算。")),
    )
    first, *others = found.variants
    return dataclasses.replace(found, variants=(dataclasses.replace(first, clauses=clauses), *others))


def due(name="base", size=4, **fields):
    return expect(
        tensor([1.0, 2.0], "float64"), case=name, call=ShownCall(size=size, **fields.pop("call", {})), **fields
    )


def judged(kata, cases, answers=(), language="en", **more):
    spec = AttemptSpec(
        kata=kata, variant="rows", source=b"", file="attempt.py", device="cpu", seed=7, language=language
    )
    behaves = more.pop("behaves", None)
    return judge(spec, cases, Attempt(more.pop("loading", None), tuple(answers), **more), behaves=behaves)


def shown(verdict):
    return verdict.report["smallest"]["case"]


# Which case is shown


def test_should_show_a_case_of_the_most_frequent_outcome(kata):
    cases = [due("odd", 1), *(due(f"crash-{at}", 9) for at in range(3))]
    assert shown(judged(kata, cases, [WRONG, CRASH, CRASH, CRASH])) == "crash-0"


def test_should_show_the_crash_of_two_outcomes_as_frequent(kata):
    assert shown(judged(kata, [due("odd", 1), due("crash", 9)], [NAN, CRASH])) == "crash"


def test_should_show_the_most_frequent_kind_of_the_outcome(kata):
    cases = [due("nan", 1), due("values", 9), due("values-too", 10)]
    assert shown(judged(kata, cases, [NAN, WRONG, WRONG])) == "values"


def test_should_show_an_empty_tensor_only_when_nothing_else_fails(kata):
    empty = due("empty", 0, call={"empty": True})
    assert shown(judged(kata, [empty, due("full", 99)], [WRONG, WRONG])) == "full"
    assert shown(judged(kata, [empty, due("full", 99)], [WRONG, RIGHT])) == "empty"


# What is said of it


def test_should_show_a_crash_with_its_operands_and_the_axis_that_disagrees(kata):
    verdict = judged(kata, [due()], [CRASH])
    said = "`x @ y`: (2, 3) @ (4, 5): the last axis of the left, 3, must equal axis −2 of the right, 4"
    assert verdict.where.message == said
    assert (verdict.where.kind, verdict.where.line, verdict.where.operation) == ("crash", 7, "matmul")
    assert said in verdict.message
    assert verdict.to_json()["where"]["operands"] == ["float32 (2, 3)", "float32 (4, 5)"]
    chinese = judged(kata, [due()], [CRASH], language="zh")
    assert "`x @ y`：(2, 3) @ (4, 5)：左边的最后一个轴（3）必须等于右边的轴 −2（4）" in chinese.message


def test_should_mention_a_crash_that_is_not_the_case_shown(kata):
    verdict = judged(kata, [due("one"), due("two"), due("crash")], [WRONG, WRONG, CRASH])
    assert shown(verdict) == "one"
    assert verdict.where.case == "crash"
    assert "Also, in case crash: `x @ y`" in verdict.message


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (dataclasses.replace(RIGHT, inputs_changed=(0,)), "input-changed"),
        (dataclasses.replace(RIGHT, grads=(None,)), "no-gradient"),
    ],
)
def test_should_say_where_a_callers_tensor_is_written_or_a_gradient_is_lost(kata, answer, kind):
    case = due(call={"names": ("x",)})
    case = dataclasses.replace(case, answer=dataclasses.replace(case.answer, grads=(tensor([1.0], "float64"),)))
    answer = answer if answer.grads else dataclasses.replace(answer, grads=(tensor([1.0]),))
    assert judged(kata, [case], [answer]).where.kind == kind


def in_a_row(case, *results):
    return dataclasses.replace(
        case, answer=Answer(list(results)), dtypes=("float32",) * len(results), calls=len(results), derived=True
    )


def test_should_say_that_a_call_returns_the_result_of_the_one_before(kata):
    one, two = tensor([0.5, 1.25, 2.75], "float64"), tensor([3.5, 4.25, 5.75], "float64")
    first = tensor([0.5, 1.25, 2.75])
    verdict = judged(kata, [in_a_row(due(), one, two, one)], [Answer([first, first, first])])
    said = "call 2 of several in a row returns the result of call 1: something is kept between calls"
    assert (verdict.where.kind, verdict.where.message) == ("earlier-calls", said)
    assert f"  {said}" in verdict.message
    chinese = judged(kata, [in_a_row(due(), one, two, one)], [Answer([first] * 3)], language="zh")
    assert "第 2 次返回的是第 1 次的结果" in chinese.message


def test_should_say_once_that_a_later_call_changes_an_earlier_result(kata):
    one, two = tensor([0.5, 1.25], "float64"), tensor([3.5, 4.25], "float64")
    answer = Answer([tensor([0.5, 1.25]), tensor([3.5, 4.25])], globals_changed=(EARLIER_RESULT,))
    verdict = judged(kata, [in_a_row(due(), one, two)], [answer])
    assert verdict.where.kind == "earlier-calls"
    assert verdict.message.count("a later call changed the result of an earlier one") == 1


def test_should_quote_the_clause_whose_every_case_fails(kata):
    cases = [due("a", clauses=("scale", "mean")), due("b", clauses=("scale",))]
    verdict = judged(kata, cases, [WRONG, RIGHT])
    assert [clause["id"] for clause in verdict.to_json()["clauses"]] == ["mean", "scale"]
    assert "The contract: “The mean is each row's own.”" in verdict.message
    assert "约定：“均值按行计算。”" in judged(kata, cases, [WRONG, RIGHT], language="zh").message


def test_should_quote_no_clause_that_no_failing_case_names(kata):
    verdict = judged(kata, [due("a"), due("b", clauses=("scale",))], [WRONG, RIGHT])
    assert verdict.clauses == ()
    assert judged(kata, [due("b", clauses=("scale",))], [RIGHT]).clauses == ()


def test_should_keep_the_keys_of_the_json(kata):
    data = judged(kata, [due()], [WRONG]).to_json()
    assert data["behaviour"] is None
    assert {"diagnosis", "note", "where", "behaviour", "clauses", "message", "report"} <= set(data)
    assert {"smallest", "passing", "failing", "recognised", "undecided", "seconds", "counts"} <= set(data["report"])


def test_should_show_the_behaviour_before_the_note(kata):
    cases = [due("a"), due("b"), due("c")]
    moved = [Answer(tensor([3.0, 4.0]))] * 3
    behaves = BehavesLike(Candidate("`{a}` is ignored", "scale"), 70)
    verdict = judged(kata, cases, moved, behaves=behaves)
    assert "→ It behaves as if `scale` were ignored." in verdict.message
    assert "None of the known mistakes" not in why_text(verdict, "en")
    assert "None of the known mistakes" in why_text(judged(kata, cases, moved), "en")
    noted = [Answer(tensor([1.0, 2.0], "float64"))] * 3
    lines = judged(kata, cases, noted, behaves=behaves).message.splitlines()
    arrows = [line for line in lines if line.startswith("→")]
    assert arrows[0] == "→ It behaves as if `scale` were ignored."
    assert "The values are right in float64" in arrows[1]


# A file that does not load


def missing(*defined):
    said = "the file defines no function centre"
    return Raised("NameError", ("NameError",), said, "attempt.py", operation="define", operands=defined)


@pytest.mark.parametrize(
    ("defined", "en", "zh"),
    [
        (
            ("helper", "Centre"),
            "you define `Centre`; this kata asks for `centre`",
            "你定义的是 `Centre`；这道题要求的是 `centre`",
        ),
        (
            ("a", "b"),
            "you define `a`, `b`; this kata asks for `centre`",
            "你定义的是 `a`、`b`；这道题要求的是 `centre`",
        ),
        (
            (),
            "the file defines no function; this kata asks for `centre`",
            "文件里没有定义函数；这道题要求的是 `centre`",
        ),
    ],
)
def test_should_name_the_nearest_function_when_the_entry_is_missing(kata, defined, en, zh):
    assert en in judged(kata, [due()], loading=missing(*defined)).message
    assert zh in judged(kata, [due()], loading=missing(*defined), language="zh").message


def test_should_show_the_line_of_a_syntax_error_and_advise_nothing_that_is_not_there(kata):
    trace = '  File "attempt.py", line 3\n    x = = 1\n        ^\nSyntaxError: invalid syntax\n'
    loading = Raised("SyntaxError", ("SyntaxError", "Exception"), "invalid syntax", "attempt.py", 3, trace)
    verdict = judged(kata, [due()], loading=loading)
    said = verdict_text(verdict, "en", colour=False, rest=BY_OPTION)
    assert "attempt.py:3: SyntaxError: invalid syntax" in said
    assert "x = = 1" in said
    assert "snippet" not in said


# How long it is


def long_verdicts(kata, language):
    words = "a very long message that goes on and on " * 20
    crash = raised("RuntimeError", **{**PRODUCT, "message": words, "expression": words[:119]})
    clause = Clause("long", Bilingual(words, "很长的一行约定" * 60))
    first, *others = kata.variants
    kata = dataclasses.replace(kata, variants=(dataclasses.replace(first, clauses=(clause,)), *others))
    cases = [due(f"a-case-{at}", clauses=("long",)) for at in range(30)]
    cases = [dataclasses.replace(case, slips={"no-mean": crash, "no-scale": crash}) for case in cases]
    printed = {"output": f"{words}\n" * 99, "outputs": (f"{words}\n" * 40,) * 30}
    trace = f'  File "attempt.py", line 3\n    {words}\n   ^\nSyntaxError: {words}\n'
    loading = Raised("SyntaxError", ("SyntaxError", "Exception"), words, "attempt.py", 3, trace)
    yield judged(kata, cases, [crash] * 30, language, **printed)
    yield judged(kata, cases, [crash, *[WRONG] * 29], language, **printed)
    condition = Condition("a_rather_long_name.size(-2) against another_long_name.size(-1)", ("less than",))
    behaves = BehavesLike(Candidate("the first `{a}` of a shape is kept", "a_rather_long_name", "", condition), 104)
    yield judged(kata, cases, [crash, *[WRONG] * 29], language, behaves=behaves, **printed)
    yield judged(kata, cases, language=language, ended=Ended("timeout", "a-case-0", words), **printed)
    yield judged(kata, cases, language=language, loading=loading)
    yield judged(kata, cases, [RIGHT] * 30, language, **printed)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_should_keep_the_first_screen_to_fourteen_lines_of_ninety_six_columns(kata, language):
    for verdict in long_verdicts(kata, language):
        lines = verdict_text(verdict, language, colour=False, rest=BY_OPTION).rstrip("\n").split("\n")
        assert len(lines) <= FIRST_SCREEN
        assert max(map(columns, lines)) <= WIDTH


def columns(text):
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def test_should_leave_inputs_snippet_and_names_to_the_rest(kata):
    inputs = {
        "name": "x",
        "kind": "tensor",
        "dtype": "float32",
        "shape": [2],
        "contiguous": False,
        "requires_grad": True,
    }
    verdict = judged(kata, [due("bad", call={"inputs": (inputs,)}), due("good")], [WRONG, RIGHT])
    rest = why_text(verdict, "en")
    for part in ("float32 (2,), not contiguous, requires grad", "To see it again:", "Passing: good", "Failing: bad"):
        assert part in rest, part
        assert part not in verdict.message, part
    assert "不连续，需要梯度" in why_text(verdict, "zh")
