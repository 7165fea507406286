"""Outcomes, reports and snippets, judged from plain data; and the room as a whole on one kata."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json

import pytest
import torch

from llmdrills.grading.judging.judge import judge
from llmdrills.grading.kernels.calling import Caller
from llmdrills.grading.kernels.expectations import ask, prepare
from llmdrills.grading.kernels.registry import load
from llmdrills.grading.protocol.answer import Answer, Attempt, CostLimit, Counts, Ended, ShownCall
from llmdrills.grading.reproduce import inputs
from llmdrills.grading.rules.forbidden import ForbiddenUse
from tests.helpers.small_kata import CASES, YAML, expect, make_kata, raised, tensor

GUARDED = (
    YAML
    + """
forbidden:
  - call: torch.nn.functional.layer_norm
    why: {en: write it yourself, zh: 自己写}
budgets:
  - case: base
    largest_tensor: 1.5
    why: {en: x, zh: x}
"""
)


@pytest.fixture
def kata(tmp_path):
    return make_kata(tmp_path, yaml=GUARDED)


def attempt(*answers, **more):
    return Attempt(more.pop("loading", None), answers, **more)


CASE = [expect(tensor([1.0, 2.0, 3.0, 4.0], "float64"), case=name) for name in ("one", "two")]
RIGHT, WRONG = Answer(tensor([1.0, 2.0, 3.0, 4.0])), Answer(tensor([1.0, 2.0, 9.0, 4.0]))

UNWRITTEN = raised("NotImplementedError", "RuntimeError")


@pytest.mark.parametrize(
    ("run", "outcome", "cases"),
    [
        (attempt(RIGHT, RIGHT), "passed", ["passed", "passed"]),
        (attempt(RIGHT, WRONG), "wrong", ["passed", "wrong"]),
        (attempt(UNWRITTEN, UNWRITTEN), "unimplemented", ["unimplemented"] * 2),
        (attempt(RIGHT, UNWRITTEN), "unimplemented", ["passed", "unimplemented"]),
        (attempt(RIGHT, raised("KeyError", line=3)), "crashed", ["passed", "crashed"]),
        (attempt(WRONG, raised("KeyError")), "wrong", ["wrong", "crashed"]),
        (attempt(raised("MemoryError"), RIGHT), "memory", ["memory", "passed"]),
        (attempt(raised("SystemExit"), RIGHT), "crashed", ["crashed", "passed"]),
        (attempt(loading=raised("SyntaxError", message="bad", line=2).value), "crashed", ["crashed"] * 2),
        (attempt(RIGHT, ended=Ended("timeout", "two", "10.0 s")), "timeout", ["passed", "timeout"]),
        (attempt(ended=Ended("crashed", "one", "SIGSEGV")), "crashed", ["crashed", "crashed"]),
        (attempt(RIGHT, RIGHT, ended=Ended("crashed", "", "exit status 0")), "crashed", ["passed", "passed"]),
        (attempt(RIGHT), "error", ["passed", "error"]),
        (attempt(), "error", ["error", "error"]),
        (attempt(RIGHT, RIGHT, forbidden=(ForbiddenUse("os.fork", 4, "evasion"),)), "forbidden", ["passed"] * 2),
    ],
)  # fmt: skip
def test_should_put_what_stops_an_attempt_before_what_is_wrong_with_its_answers(kata, run, outcome, cases):
    for language in ("en", "zh"):
        verdict = judge(kata, "rows", CASE, run, seed=1, language=language)
        assert verdict.outcome == outcome
        assert verdict.passed == (outcome == "passed")
        assert [case.outcome for case in verdict.cases] == cases
        assert verdict.message
        json.dumps(verdict.to_json(), allow_nan=False)


def test_should_never_pass_without_a_case(kata):
    assert judge(kata, "rows", [], attempt(), seed=1).outcome == "error"


def test_should_name_a_forbidden_call_with_its_line_and_the_reason(kata):
    source = "import torch.nn.functional as F\n\n\ndef centre(x, scale=1.0):\n    return F.layer_norm(x, (4,))\n"
    for language, why in (("en", "write it yourself"), ("zh", "自己写")):
        verdict = judge(kata, "rows", CASE, attempt(RIGHT, RIGHT), seed=1, source=source, language=language)
        assert verdict.outcome == "forbidden"
        assert verdict.report["forbidden"][0]["line"] == 5
        assert "torch.nn.functional.layer_norm" in verdict.message
        assert why in verdict.message


def test_should_make_a_case_forbidden_when_the_call_was_seen_while_it_ran(kata):
    seen = dataclasses.replace(RIGHT, forbidden=(ForbiddenUse("torch.nn.functional.layer_norm", 7, "dispatched"),))
    verdict = judge(kata, "rows", CASE, attempt(RIGHT, seen), seed=1)
    assert (verdict.outcome, [case.outcome for case in verdict.cases]) == ("forbidden", ["passed", "forbidden"])


def test_should_say_by_how_much_it_is_over_budget_and_what_it_costs(kata):
    due = [expect(tensor([1.0], "float64"), budgets=(CostLimit("largest_tensor", 30, 20),))]
    spent = Counts(0, 90, (9, 10), "mul", 3)
    verdict = judge(kata, "rows", due, attempt(Answer(tensor([1.0]), counts=spent)), seed=1)
    assert verdict.outcome == "over-budget"
    assert "90" in verdict.message
    assert "3 times the limit" in verdict.message
    assert verdict.report["counts"][0]["largest_line"] == 3


def test_should_show_the_smallest_failing_case_and_an_authors_before_a_derived_one(kata):
    def due(name, size, derived=False):
        return expect(tensor([1.0, 2.0], "float64"), case=name, call=ShownCall(size=size), derived=derived)

    cases = [due("large", 50), due("tiny", 2, derived=True), due("small", 5), due("right", 1)]
    wrong, right = Answer(tensor([1.0, 3.0])), Answer(tensor([1.0, 2.0]))
    report = judge(kata, "rows", cases, attempt(wrong, wrong, wrong, right), seed=1).report
    assert report["smallest"]["case"] == "small"
    assert report["passing"] == ["right"]
    assert report["failing"] == ["large", "tiny", "small"]


def test_should_show_what_the_attempt_printed_at_its_end(kata):
    verdict = judge(kata, "rows", CASE, attempt(WRONG, WRONG, output="a\n" * 50 + "last\n"), seed=1)
    assert "last" in verdict.message
    assert verdict.message.count("    a\n") < 10


# The whole room: a kernel graded on a kata


def graded(kata, kernel, seed=0, language="en", file="attempt.py", folder=None):
    loaded = load(kata)
    questions, expected = prepare(loaded, "rows", seed, folder or kata.folder)
    answers = [ask(loaded, Caller("cpu", file), kernel, question) for question in questions]
    return judge(kata, "rows", list(expected), attempt(*answers), seed=seed, file=file, language=language)


def test_should_name_another_variant_in_the_learners_language(kata):
    kernel = load(kata).references["columns"]
    for language, said in (("en", "You centre columns."), ("zh", "你按列居中。")):
        verdict = graded(kata, kernel, language=language)
        assert (verdict.diagnosis.id, verdict.diagnosis.message) == ("variant-columns", said)
        assert said in verdict.message


def test_should_give_two_bugs_at_once_the_best_partial(kata):
    def kernel(x, scale=1.0):
        return x - x.mean(dim=1 if x.dim() == 2 else 0, keepdim=True)  # no scale, and anything goes

    verdict = graded(kata, kernel)
    assert verdict.outcome == "wrong"
    assert verdict.diagnosis.explains < verdict.diagnosis.failing
    assert f"{verdict.diagnosis.explains} of the {verdict.diagnosis.failing}" in verdict.diagnosis.message


def test_should_say_plainly_that_nothing_explains_it(kata):
    def kernel(x, scale=1.0):
        if x.dim() != 2:
            raise ValueError
        return torch.sin(x * 17) + torch.cos(x.flip(0))

    verdict = graded(kata, kernel)
    assert verdict.diagnosis is None
    assert "None of the known mistakes" in verdict.message


def test_should_name_changing_an_input(kata):
    def kernel(x, scale=1.0):
        if x.dim() != 2:
            raise ValueError
        with torch.no_grad():
            x -= x.mean(dim=1, keepdim=True)
        return x * scale

    verdict = graded(kata, kernel)
    assert "input-changed" in {finding["kind"] for case in verdict.cases for finding in case.findings}


@pytest.mark.parametrize("size", ["(3, 4, mean=1.0)", "(30, 40, mean=1.0)"])
def test_should_show_the_same_numbers_when_the_snippet_is_pasted(tmp_path, size):
    cases = CASES.replace("make.normal(3, 4, mean=1.0)", f"make.normal{size}")
    cases = cases.replace("mean=1.0), scale", "mean=1.0).repeat(40, 9), scale")
    kata = make_kata(tmp_path, cases=cases)
    file = tmp_path / "my attempt.py"
    file.write_text("def centre(x, scale=1.0):\n    if x.dim() != 2:\n        raise ValueError\n    return x * scale\n")
    space = {}
    exec(file.read_text(), space)
    verdict = graded(kata, space["centre"], seed=5, file=str(file), folder=tmp_path)
    smallest = verdict.report["smallest"]
    assert smallest["case"] == "base"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(smallest["snippet"], {})
    assert smallest["findings"][0]["kind"] == "wrong-values"
    assert printed.getvalue() == f"tensor({smallest['findings'][0]['got']:.4f})\n"


def test_should_make_inputs_again_for_a_snippet(kata, tmp_path):
    loaded = load(kata)
    question = prepare(loaded, "rows", 9, tmp_path, misconceptions=False)[0][3]
    args, kwargs = inputs(str(kata.folder), "rows", "base-non-contiguous", seed=9)
    assert not args[0].is_contiguous()
    assert args[0].contiguous().numpy().tobytes() == question.args[0].data
    assert kwargs == {}


def test_should_name_seed_shapes_rows_and_the_next_step_in_the_report(kata):
    def kernel(x, scale=1.0):
        if x.dim() != 2:
            raise ValueError
        return x * scale

    said = graded(kata, kernel, seed=77).message
    for part in ("seed 77", "float32 (", "expected", "got", "^", "To see it again:", "llmdrills hint centred-scale"):
        assert part in said, part
    zh = graded(kata, kernel, seed=77, language="zh").message
    for part in ("随机种子 77", "应为", "得到", "重现方法", "最小的失败用例"):
        assert part in zh, part


def test_should_judge_the_same_seed_the_same(kata):
    def kernel(x, scale=1.0):
        return x

    def plain(verdict):
        data = verdict.to_json()
        data["report"].pop("seconds")
        return data

    assert plain(graded(kata, kernel, seed=4)) == plain(graded(kata, kernel, seed=4))
