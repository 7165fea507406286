"""The proof of the grader: each planted defect of a kata makes `check` fail, and says where."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from llmdrills.content.model import Note, Position
from llmdrills.errors import GraderError
from llmdrills.grading.kernels.registry import load
from llmdrills.grading.proving.check import check_katas, exposed, run_proofs
from llmdrills.grading.proving.kata_proof import check_kata
from llmdrills.grading.proving.matrix import Matrix
from llmdrills.grading.proving.proofs import run_proof
from llmdrills.grading.proving.reports import KataReport
from llmdrills.language import Bilingual
from tests.helpers.small_kata import CASES, REFERENCE, YAML, load_kata, make_kata, write_kata

SURVIVOR = """
@misconception("harmless", en="x", zh="x", seen="a test")
def harmless(x, scale=1.0):
    if x.dim() != 2:
        raise ValueError
    return (x - x.mean(dim={dim}, keepdim=True)) * abs(scale)
"""
TWIN = """
@misconception("twin", en="x", zh="x", seen="a test"{more})
def twin(x, scale=1.0):
    if x.dim() != 2:
        raise ValueError
    return x * scale + 0.0
"""
REJECTED = """
@equivalent("almost", why="wrong by a little", variants=("rows",))
def almost(x, scale=1.0):
    if x.dim() != 2:
        raise ValueError
    return (x - x.mean(dim=1, keepdim=True)) * scale * 1.001
"""
HANG = """
@misconception("dies", en="x", zh="x", seen="a test")
def dies(x, scale=1.0):
    import os
    os._exit(3)
"""


def rules(report):
    return {problem.rule for problem in report.problems}


def test_should_prove_a_sound_kata(tmp_path):
    report = check_kata(make_kata(tmp_path), 0)
    assert report.ok, [str(p) for p in report.problems]
    assert [v.variant for v in report.variants] == ["rows", "columns"]
    rows = report.variants[0]
    assert rows.equivalents == ("by-sum",)
    assert rows.peers == ("torch",)
    assert rows.skipped == ("torch: refused: raises another error",)
    assert rows.matrix.killed_by("no-scale") == ("scaled",)
    assert rows.matrix.killed_by("anything-goes") == ("refused",)
    assert set(rows.exposures) == {"no-mean", "no-scale", "anything-goes", "variant-columns"}


HIDDEN = REFERENCE.replace("* scale", "* scale * globals()['_ONE']") + "\n\n_ONE = 1.0\n"
OTHER_PEER = CASES.replace("[:, 0]) * scale", "[:, 0]) * scale + 1")
FORBIDDEN = YAML + "forbidden:\n  - {call: torch.Tensor.mean, why: {en: x, zh: x}}\n"


@pytest.mark.parametrize(
    ("texts", "rule", "says"),
    [
        ({"cases": CASES + SURVIVOR.format(dim=1)}, "survivor", "cases.py slip harmless survives"),
        ({"cases": CASES + REJECTED}, "rejected", "cases.py equivalent almost is rejected by case base"),
        ({"cases": OTHER_PEER}, "peer", "cases.py reference and torch differ"),
        ({"cases": CASES + TWIN.format(more="")}, "confused", "cases.py slips no-mean and twin give the same"),
        ({"reference": HIDDEN}, "starter", "reference.py the solution of variant rows is crashed"),
        ({"yaml": FORBIDDEN}, "starter", "reference.py the solution of variant rows is forbidden"),
    ],
    ids=["survivor", "rejected", "peer", "confused", "solution", "forbidden"],
)
def test_should_find_a_planted_defect(tmp_path, texts, rule, says):
    report = check_kata(make_kata(tmp_path, **texts), 0)
    assert not report.ok
    found = [problem for problem in report.problems if problem.rule == rule]
    assert found, [str(p) for p in report.problems]
    assert any(says in f"{problem.file.name} {problem.what}" for problem in found), [str(p) for p in found]
    assert all(problem.line >= 1 and problem.todo for problem in report.problems)


def test_should_find_a_starter_that_does_more_than_refuse(tmp_path, monkeypatch):
    text = "def centre(x, scale=1.0):\n    return x\n"
    monkeypatch.setattr("llmdrills.grading.proving.kata_proof.starter_text", lambda kata, variant, language: text)
    report = check_kata(make_kata(tmp_path), 0)
    assert [p.what.split(" (", 1)[0] for p in report.problems if p.rule == "starter"] == ["the starter"] * 4
    assert "is wrong, not unimplemented" in report.problems[0].what


def test_should_let_two_that_cannot_be_told_apart_be_declared_one(tmp_path):
    report = check_kata(make_kata(tmp_path, cases=CASES + TWIN.format(more=', same_as="no-mean"')), 0)
    assert report.ok, [str(p) for p in report.problems]


def test_should_report_a_broken_kata_without_raising(tmp_path):
    report = check_kata(
        make_kata(tmp_path, cases=CASES.replace("return call(make.normal(3, 4", "return call(nope(3, 4")), 0
    )
    assert "NameError" in str(report.problems[0])


def test_should_keep_a_report_whole_through_json(tmp_path):
    report = check_kata(make_kata(tmp_path), 0)
    assert KataReport.from_json(json.loads(json.dumps(report.to_json()))) == report


def matrix(kinds, classes, **more):
    cases, names = tuple(classes), tuple(kinds)
    full = {name: {case: row.get(case, "") for case in cases} for name, row in kinds.items()}
    return Matrix(cases, names, full, classes, **more)


def test_should_call_a_case_redundant_when_nothing_changes_without_it():
    found = matrix(
        {"m": {"a": "x", "b": "x", "c": "x"}, "n": {"b": "x", "c": "x"}},
        {"a": {"m": 1, "n": 0}, "b": {"m": 1, "n": 1}, "c": {"m": 1, "n": 1}, "d": {"m": 0, "n": 0}},
    )
    # a tells m from n, b and c stand in for each other, d shows nothing
    assert found.redundant() == ("b", "c", "d")
    assert found.survivors() == ()
    assert found.confused() == ()
    assert found.table()[1] == ["m", "x", "x", "x", "·"]


def test_should_not_call_an_authors_case_redundant_because_of_derived_ones():
    kinds = {"m": {"a": "x", "a-derived": "x"}}
    classes = {"a": {"m": 1}, "a-derived": {"m": 1}}
    assert matrix(kinds, classes, derived=("a-derived",)).redundant() == ()


def test_should_take_unchanged_katas_from_the_cache_and_changed_ones_not(tmp_path):
    sound, cache = make_kata(tmp_path / "sound"), tmp_path / "cache"
    faulty = make_kata(tmp_path / "faulty", cases=CASES + SURVIVOR.format(dim=1))
    first = check_katas([sound], cache_dir=cache, jobs=1)
    seen = []
    second = check_katas([sound, faulty], cache_dir=cache, jobs=1, progress=seen.append)
    assert [(report.ok, report.cached) for report in (*first, *second)] == [(True, False), (True, True), (False, False)]
    assert seen == second
    assert second[0].variants == first[0].variants
    changed = make_kata(tmp_path / "sound", cases=CASES + "\n# changed\n")
    third = check_katas([changed, faulty], cache_dir=cache, jobs=1)
    assert [report.cached for report in third] == [False, False], "what is not sound is checked again"


def test_should_report_a_kata_that_kills_the_checker_and_check_the_next(tmp_path):
    deadly = make_kata(tmp_path / "a", cases=CASES + HANG)
    sound = make_kata(tmp_path / "b")
    first, second = check_katas([deadly, sound], jobs=1)
    assert "exit status 3" in str(first.problems[0])
    assert second.ok


def test_should_name_the_exposing_inputs_as_the_computed_file_names_them(tmp_path):
    kata = make_kata(tmp_path)
    found = exposed([kata], [check_kata(kata, 0)])["centred-scale"]
    assert "no-scale/rows" in found
    assert found["no-scale/rows"].case == "scaled"
    assert found["no-scale/rows"].expected != found["no-scale/rows"].got
    assert found["no-scale/rows"].source


def test_should_show_on_a_card_what_its_call_gives(tmp_path):
    kata = make_kata(tmp_path)
    shown = check_kata(kata, 0).variants[0].exposures["no-scale"]
    loaded = load(kata)
    kernels = {wrong.id: wrong.kernel for wrong in loaded.variant("rows").wrong}
    for kernel, text in ((loaded.references["rows"], shown.expected), (kernels["no-scale"], shown.got)):
        result = eval(shown.call, {"torch": torch, "centre": kernel})
        assert torch.allclose(result, torch.tensor(eval(text)), rtol=1e-3)
    assert len(shown.call) <= 220
    assert max(map(len, re.findall(r"\d+\.\d+", shown.call))) <= 6


def note(id, proof, values=(), line=10):  # noqa: A002
    place = Position(Path("decks/concepts.yaml"), line, 5)
    text = Bilingual("x", "x")
    return Note(
        id, "question", "transformer", place, text, text, proof=proof, values=values, positions={"proof": place}
    )


def test_should_keep_the_values_of_proofs_and_the_place_of_failures(tmp_path):
    notes = [
        note("right", "import torch\nn = torch.tensor(6) * 7\nhalf = 0.5", ("n", "half")),
        note("wrong", "x = 1\nassert x == 2, 'no'\n"),
        note("silent", "x = 1\n\nassert x == 2\n"),
        note("syntax", "x = = 1\n"),
        note("missing", "x = 1\n", ("y",)),
        note("kind", "x = [1]\n", ("x",)),
        note("dies", "import os\nos._exit(1)\n"),
        note("after", "x = 'text'\n", ("x",)),
    ]
    found = {report.note: report for report in run_proofs([*notes, note("none", None)], jobs=1)}
    assert list(found) == [one.id for one in notes]
    assert found["right"].values == {"n": 42, "half": 0.5}
    assert found["after"].values == {"x": "text"}
    said = {name: str(report.problem) for name, report in found.items() if report.problem}
    assert said["wrong"].startswith("decks/concepts.yaml:12:5: the proof of wrong raises AssertionError: no")
    assert "decks/concepts.yaml:13:5" in said["silent"]
    assert "does not hold: assert x == 2" in said["silent"]
    assert "not Python" in said["syntax"]
    assert "leaves no 'y' behind" in said["missing"]
    assert "leave a number or a text" in said["kind"]
    assert "ends its process" in said["dies"]
    assert set(said) == {"wrong", "silent", "syntax", "missing", "kind", "dies"}


def test_should_end_a_proof_that_takes_too_long(tmp_path):
    (report,) = run_proofs([note("endless", "while True: pass\n")], jobs=1, timeout=8.0)
    assert "takes longer than 8 s" in str(report.problem)


def test_should_end_a_proof_that_waits_for_ever():
    """It uses no CPU time, which is what the limit counts."""
    (report,) = run_proofs([note("asleep", "import time\ntime.sleep(600)\n")], jobs=1, timeout=0.5)
    assert "takes longer than 0.5 s" in str(report.problem)


def test_should_take_proofs_from_the_cache_while_they_stay_as_they_are(tmp_path):
    run_proofs([note("a", "x = 1\n", ("x",))], cache_dir=tmp_path, jobs=1)
    (again,) = run_proofs([note("a", "x = 1\n", ("x",))], cache_dir=tmp_path, jobs=1)
    assert again.cached
    assert again.values == {"x": 1}
    (changed,) = run_proofs([note("a", "x = 2\n", ("x",))], cache_dir=tmp_path, jobs=1)
    assert not changed.cached


def test_should_give_a_proof_what_a_slip_costs_the_small_model_and_run_it_again_for_another_table(tmp_path):
    def table(perplexity: float) -> str:
        slips = {"k": {"s": {"perplexity": perplexity}}}
        return json.dumps({"schema": 1, "model": "", "perplexity": 1.5, "text": "", "closing": "", "katas": slips})

    asking = note("a", "right, wrong = cost(), cost('k/s')\n", ("right", "wrong"))
    for perplexity, cached in ((2.0, False), (2.0, True), (3.0, False)):
        (report,) = run_proofs([asking], played=table(perplexity), cache_dir=tmp_path, jobs=1)
        assert report.values == {"right": 1.5, "wrong": perplexity}
        assert report.cached is cached
    (unknown,) = run_proofs([note("b", "cost('k/t')\n")], played=table(2.0), jobs=1)
    assert "no such slip was measured" in unknown.problem.what


def test_should_start_nothing_where_there_is_nothing_to_do(monkeypatch):
    monkeypatch.setattr("llmdrills.grading.proving.check_pool.subprocess.Popen", lambda *a, **k: pytest.fail("started"))
    assert check_katas([]) == []
    assert run_proofs([note("none", None)]) == []


def test_should_call_a_checker_that_cannot_be_started_a_grader_error(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no more processes")

    monkeypatch.setattr("llmdrills.grading.proving.check_pool.subprocess.Popen", refuse)
    with pytest.raises(GraderError, match="no more processes"):
        run_proofs([note("a", "x = 1\n")])


def test_should_start_a_proof_from_the_same_seed_every_time():
    text = "import torch\nx = torch.rand(1).item()"
    assert run_proof(text, ["x"]) == run_proof(text, ["x"])


SLIPS = """
slips:
  - id: half-scale
    line: return (x - x.mean(dim=1, keepdim=True)) * scale
    becomes: return (x - x.mean(dim=1, keepdim=True)) * scale / 2
    en: The result is half of what it should be.
    zh: 结果只有应有的一半。
    seen: a test
    variants: [rows]
    proof: |
      import torch
      x = torch.arange(6.0).view(2, 3)
      assert torch.equal(2 * wrong(x), right(x))
"""
NAMED = YAML.replace(
    'contract: [{en: "x: (T, D)", zh: "x：(T, D)"}]', 'contract: {shape: {en: "x: (T, D)", zh: "x：(T, D)"}}'
)
GRADED = CASES.replace('(why="both dimensions differ")', '(why="both dimensions differ", clauses=("shape",))')


def with_slips(tmp_path, slips=SLIPS, **texts):
    write_kata(tmp_path, **texts)
    (tmp_path / "drills/centred-scale/slips.yaml").write_text(slips.lstrip("\n"), "utf-8")
    return check_kata(load_kata(tmp_path / "drills/centred-scale"), 0)


def test_should_prove_slips_and_the_facts_of_their_feedback(tmp_path):
    report = with_slips(tmp_path, cases=GRADED, yaml=NAMED)
    assert report.ok, [str(p) for p in report.problems]
    assert "half-scale" in report.variants[0].matrix.slips


def test_should_find_feedback_whose_proof_does_not_hold(tmp_path):
    report = with_slips(tmp_path, SLIPS.replace("2 * wrong", "3 * wrong"))
    (problem,) = report.problems
    assert (problem.file.name, problem.line, problem.rule) == ("slips.yaml", 2, "proof")
    assert "does not hold: assert torch.equal(3 * wrong(x), right(x))" in problem.what


def test_should_find_a_slip_that_survives_at_its_own_line(tmp_path):
    report = with_slips(tmp_path, SLIPS.replace("scale / 2", "scale * 1.0").split("    proof:", maxsplit=1)[0])
    (problem,) = [p for p in report.problems if p.rule == "survivor"]
    assert (problem.file.name, problem.line) == ("slips.yaml", 2)


def test_should_name_a_clause_that_no_case_grades(tmp_path):
    problems = check_kata(make_kata(tmp_path, yaml=NAMED), 0).problems
    assert [(p.file.name, p.line, p.rule) for p in problems] == [
        ("kata.yaml", 18, "clause"),
        ("kata.yaml", 23, "clause"),
    ]
    assert "grades the clause shape" in problems[0].what


@pytest.mark.parametrize(
    ("holds", "says"), [("{empty: [T]}", "has T of 0"), ("{gradients: [x]}", "compares the gradient of x")]
)
def test_should_ask_for_cases_of_what_the_generated_line_promises(tmp_path, holds, says):
    report = check_kata(make_kata(tmp_path, yaml=NAMED + f"holds: {holds}\n", cases=GRADED), 0)
    assert {p.rule for p in report.problems} == {"clause"}
    assert all(says in p.what for p in report.problems)
