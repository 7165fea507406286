"""Outcomes, reports and snippets, judged from plain data; and the room as a whole on one kata."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json

import pytest
import torch

from llmdrills.grading.judging.judge import judge
from llmdrills.grading.judging.report import why_text
from llmdrills.grading.kernels.asking import ask
from llmdrills.grading.kernels.calling import Caller
from llmdrills.grading.kernels.expectations import prepare
from llmdrills.grading.kernels.registry import load
from llmdrills.grading.protocol.answer import Answer, Attempt, CostLimit, Counts, Ended, ShownCall
from llmdrills.grading.protocol.attempt_spec import AttemptSpec
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


def spec(kata, source="", file="attempt.py", seed=1, language="en"):
    return AttemptSpec(
        kata=kata, variant="rows", source=source.encode(), file=file, device="cpu", seed=seed, language=language
    )


CASE = [expect(tensor([1.0, 2.0, 3.0, 4.0], "float64"), case=name) for name in ("one", "two")]
RIGHT, WRONG = Answer(tensor([1.0, 2.0, 3.0, 4.0])), Answer(tensor([1.0, 2.0, 9.0, 4.0]))

UNWRITTEN = raised("NotImplementedError", "RuntimeError", operation="raise")
NOT_FOR_FLOATS = raised("NotImplementedError", "RuntimeError", message='"and_cpu" not implemented', operation="and")


@pytest.mark.parametrize(
    ("run", "outcome", "cases"),
    [
        (attempt(RIGHT, RIGHT), "passed", ["passed", "passed"]),
        (attempt(RIGHT, WRONG), "wrong", ["passed", "wrong"]),
        (attempt(UNWRITTEN, UNWRITTEN), "unimplemented", ["unimplemented"] * 2),
        (attempt(RIGHT, UNWRITTEN), "unimplemented", ["passed", "unimplemented"]),
        (attempt(RIGHT, NOT_FOR_FLOATS), "crashed", ["passed", "crashed"]),
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
        (
            attempt(loading=raised("KeyError").value, forbidden=(ForbiddenUse("os.fork", 4, "evasion"),)),
            "forbidden",
            ["crashed"] * 2,
        ),
    ],
)  # fmt: skip
def test_should_put_what_stops_an_attempt_before_what_is_wrong_with_its_answers(kata, run, outcome, cases):
    for language in ("en", "zh"):
        verdict = judge(spec(kata, language=language), CASE, run)
        assert verdict.outcome == outcome
        assert verdict.passed == (outcome == "passed")
        assert [case.outcome for case in verdict.cases] == cases
        assert verdict.message
        json.dumps(verdict.to_json(), allow_nan=False)


def test_should_never_pass_without_a_case(kata):
    assert judge(spec(kata), [], attempt()).outcome == "error"


def test_should_name_a_forbidden_call_with_its_line_and_the_reason(kata):
    source = "import torch.nn.functional as F\n\n\ndef centre(x, scale=1.0):\n    return F.layer_norm(x, (4,))\n"
    for language, why in (("en", "write it yourself"), ("zh", "自己写")):
        verdict = judge(spec(kata, source=source, language=language), CASE, attempt(RIGHT, RIGHT))
        assert verdict.outcome == "forbidden"
        assert verdict.report["forbidden"][0]["line"] == 5
        assert "torch.nn.functional.layer_norm" in verdict.message
        assert why in verdict.message


def test_should_tell_of_the_refusal_where_the_file_catches_it_and_then_does_not_load(kata):
    run = attempt(loading=raised("KeyError", line=9).value, forbidden=(ForbiddenUse("os.fork", 4, "evasion"),))
    for language in ("en", "zh"):
        verdict = judge(spec(kata, language=language), CASE, run)
        assert "os.fork" in "\n".join(verdict.message.splitlines()[:2])
        assert "KeyError" not in verdict.message


def test_should_make_a_case_forbidden_when_the_call_was_seen_while_it_ran(kata):
    seen = dataclasses.replace(RIGHT, forbidden=(ForbiddenUse("torch.nn.functional.layer_norm", 7, "dispatched"),))
    verdict = judge(spec(kata), CASE, attempt(RIGHT, seen))
    assert (verdict.outcome, [case.outcome for case in verdict.cases]) == ("forbidden", ["passed", "forbidden"])


def test_should_say_by_how_much_it_is_over_budget_and_what_it_costs(kata):
    due = [expect(tensor([1.0], "float64"), budgets=(CostLimit("largest_tensor", 30, 20),))]
    spent = Counts(0, 90, (9, 10), "mul", 3)
    verdict = judge(spec(kata), due, attempt(Answer(tensor([1.0]), counts=spent)))
    assert verdict.outcome == "over-budget"
    assert "90" in verdict.message
    assert "3 times the limit" in verdict.message
    assert verdict.report["counts"][0]["largest_line"] == 3


def test_should_show_the_smallest_failing_case_and_an_authors_before_a_derived_one(kata):
    def due(name, size, derived=False):
        return expect(tensor([1.0, 2.0], "float64"), case=name, call=ShownCall(size=size), derived=derived)

    cases = [due("large", 50), due("tiny", 2, derived=True), due("small", 5), due("right", 1)]
    wrong, right = Answer(tensor([1.0, 3.0])), Answer(tensor([1.0, 2.0]))
    report = judge(spec(kata), cases, attempt(wrong, wrong, wrong, right)).report
    assert report["smallest"]["case"] == "small"
    assert report["passing"] == ["right"]
    assert report["failing"] == ["large", "tiny", "small"]


def test_should_show_what_the_attempt_printed_in_the_case_that_is_shown(kata):
    cases = [dataclasses.replace(due, call=ShownCall(size=size)) for due, size in zip(CASE, (9, 1), strict=True)]
    ran = attempt(WRONG, WRONG, output="loading\nfirst\nsecond\nlast\n", outputs=("first\n", "second\nlast\n"))
    verdict = judge(spec(kata), cases, ran)
    assert verdict.report["smallest"]["output"] == "second\nlast\n"
    assert "printed: second\n           last\n" in verdict.message
    assert "first" not in verdict.message
    assert "first" not in why_text(verdict, "en")


def test_should_show_what_was_printed_in_the_case_in_which_it_ended(kata):
    ended = Ended("timeout", "two", "10.0 s")
    ran = attempt(WRONG, ended=ended, output="loading\nfirst\nlast\n", outputs=("first\n",), last_output="last\n")
    verdict = judge(spec(kata), CASE, ran)
    assert "printed: last\n" in verdict.message
    assert "first" not in verdict.message
    rest = why_text(verdict, "en")  # which shows the case that was answered wrong
    assert "first" in rest
    assert "last" not in rest
    right = judge(spec(kata), CASE, dataclasses.replace(ran, answers=(RIGHT,)))
    assert "first" not in why_text(right, "en")
    assert "It printed in this case:\n    last" in why_text(right, "en")


def test_should_cut_long_prints_to_their_end(kata):
    ran = attempt(WRONG, RIGHT, outputs=("".join(f"line {n}\n" for n in range(99)), ""))
    shown = judge(spec(kata), CASE, ran).message.splitlines()
    assert [line.strip() for line in shown if "line" in line or "…" in line][-4:] == [
        "printed: …",
        "line 96",
        "line 97",
        "line 98",
    ]


# The whole room: a kernel graded on a kata


def graded(kata, kernel, seed=0, language="en", file="attempt.py", folder=None):
    loaded = load(kata)
    questions, expected = prepare(loaded, "rows", seed, folder or kata.folder)
    answers = [ask(loaded, Caller("cpu", file), kernel, question) for question in questions]
    return judge(spec(kata, seed=seed, file=file, language=language), list(expected), attempt(*answers))


def test_should_name_another_variant_in_the_learners_language(kata):
    kernel = load(kata).references["columns"]
    for language, said in (("en", "You centre columns."), ("zh", "你按列居中。")):
        verdict = graded(kata, kernel, language=language)
        assert (verdict.diagnosis.id, verdict.diagnosis.message) == ("variant-columns", said)
        assert said in verdict.message


def test_should_give_two_bugs_at_once_the_best_partial(kata):
    def kernel(x, scale=1.0):
        return x * scale  # no mean, and anything goes

    verdict = graded(kata, kernel)
    assert (verdict.outcome, verdict.diagnosis) == ("wrong", None)
    assert (verdict.note.kind, verdict.note.id) == ("partial", "no-mean")
    assert verdict.note.explains == verdict.note.failing - 1
    assert f"{verdict.note.explains} of the {verdict.note.failing}" in verdict.note.message
    assert verdict.note.message in " ".join(verdict.message.split())


def test_should_say_plainly_that_nothing_explains_it(kata):
    def kernel(x, scale=1.0):
        if x.dim() != 2:
            raise ValueError
        return torch.sin(x * 17) + torch.cos(x.flip(0))

    verdict = graded(kata, kernel)
    assert verdict.diagnosis is None
    assert (verdict.note, verdict.where) == (None, None)
    assert "→" not in verdict.message
    assert "None of the known mistakes" in why_text(verdict, "en")


def test_should_name_changing_an_input(kata):
    def kernel(x, scale=1.0):
        if x.dim() != 2:
            raise ValueError
        with torch.no_grad():
            x -= x.mean(dim=1, keepdim=True)
        return x * scale

    verdict = graded(kata, kernel)
    assert "input-changed" in {finding["kind"] for case in verdict.cases for finding in case.findings}
    assert verdict.where.kind == "input-changed"
    assert "`x`" in verdict.where.message


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
    question = prepare(loaded, "rows", 9, tmp_path, slips=False)[0][3]
    args, kwargs = inputs(str(kata.folder), "rows", "base-non-contiguous", seed=9)
    assert not args[0].is_contiguous()
    assert args[0].contiguous().numpy().tobytes() == question.args[0].data
    assert kwargs == {}


def test_should_name_seed_shapes_rows_and_the_next_step_in_the_report(kata):
    def kernel(x, scale=1.0):
        if x.dim() != 2:
            raise ValueError
        return x * scale

    verdict = graded(kata, kernel, seed=77)
    for part in ("seed 77", "expected", "got", "llmdrills hint centred-scale"):
        assert part in verdict.message, part
    for part in ("float32 (", "expected", "got", "^", "To see it again:"):
        assert part in why_text(verdict, "en"), part
    verdict = graded(kata, kernel, seed=77, language="zh")
    for part in ("随机种子 77", "应为", "得到"):
        assert part in verdict.message, part
    for part in ("应为", "得到", "重现方法", "所示的用例"):
        assert part in why_text(verdict, "zh"), part


def test_should_judge_the_same_seed_the_same(kata):
    def kernel(x, scale=1.0):
        return x

    def plain(verdict):
        data = verdict.to_json()
        data["report"].pop("seconds")
        return data

    assert plain(graded(kata, kernel, seed=4)) == plain(graded(kata, kernel, seed=4))


def test_should_show_a_failure_of_several_calls_again_in_the_snippet(kata, tmp_path):
    text = (
        "import torch\n\nKEPT = {}\n\n\ndef centre(x, scale=1.0):\n    if x.dim() != 2:\n        raise ValueError\n"
        "    if not x.is_contiguous() or x.requires_grad or scale != 1.0:\n"
        "        return (x - x.mean(dim=1, keepdim=True)) * scale\n"
        "    return KEPT.setdefault('first', x - x.mean(dim=1, keepdim=True))\n"
    )
    file = tmp_path / "kept.py"
    file.write_text(text)
    space = {}
    exec(text, space)
    verdict = graded(kata, space["centre"], file=str(file))
    assert verdict.report["smallest"]["case"] == "base-again"
    assert "call 1: result at [0, 0]" in verdict.message
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(verdict.report["smallest"]["snippet"], {})
    assert printed.getvalue().count("tensor(") == 3
