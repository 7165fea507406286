"""Domains and draws: what is drawn, what is admitted, and what a grade takes of the lock."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch

from llmdrills.content.drawslock import DrawsLock, lock_file, meaning_of, read_lock, source_of, write_lock
from llmdrills.grading import Grader
from llmdrills.grading.authoring import Domain, Draw, call
from llmdrills.grading.client import seed_of
from llmdrills.grading.judging.compare import compare
from llmdrills.grading.kernels import draws
from llmdrills.grading.kernels.asking import ask
from llmdrills.grading.kernels.calling import Caller
from llmdrills.grading.kernels.draws import NotAdmitted, admitted, draw_case, expect_draw, pose, prepare_draws
from llmdrills.grading.kernels.registry import load
from tests.helpers.small_kata import CASES, REFERENCE, load_kata, write_kata

DOMAIN = """

@domain(raises=("ValueError",))
def any_matrix(draw: Draw):
    shape = draw.pick((1, 4), (2, 2), (3, 5), (4,))
    draw.mark("flat", len(shape) == 1)
    kwargs = {"scale": draw.option(0.5, 1.0, 3.0)} if draw.given(0.5) else {}
    return call(draw.layout(draw.normal(*shape, mean=1.0)), **kwargs)
"""
WITH_DOMAIN = CASES.replace("import Inputs, call, case,", "import Draw, Inputs, call, case, domain,") + DOMAIN


@pytest.fixture
def kata(tmp_path: Path):
    return load_kata(write_kata(tmp_path, cases=WITH_DOMAIN))


def locked(kata, count=60, **changes):
    lock = DrawsLock(
        source_of(kata.folder),
        torch.__version__.partition("+")[0],
        {"rows": tuple(range(count))},
        meaning_of(kata.folder),
    )
    write_lock(kata.folder, dataclasses.replace(lock, **changes))


def test_should_draw_the_same_call_from_the_same_seed(tmp_path):
    domain = Domain(lambda draw: call(draw.normal(draw.size(2, 5), 3)), 1)
    one, same, other = (draw_case(domain, seed, tmp_path).calls[0].args[0] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert one.shape != other.shape or not torch.equal(one, other)


def test_should_keep_shapes_and_change_values_or_options_in_a_sequence(tmp_path):
    def draw(source: Draw):
        return call(source.normal(source.size(2, 9)), source.option(*range(50)))

    drawn = [draw_case(Domain(draw, 1), seed, tmp_path) for seed in range(60)]
    several = [one.calls for one in drawn if one.marks.get("several calls")]
    assert 4 <= len(several) <= 24
    for first, values, options in several:
        assert first.args[0].shape == values.args[0].shape == options.args[0].shape
        assert not torch.equal(first.args[0], values.args[0])
        assert first.args[1] == values.args[1]
        assert torch.equal(first.args[0], options.args[0])
    assert any(first.args[1] != options.args[1] for first, _, options in several)


def due(kata, seed, folder, draw=None):
    loaded = load(kata)
    kernels = loaded.variant("rows")
    kernels = dataclasses.replace(kernels, domain=Domain(draw, 1, (), ("ValueError",))) if draw else kernels
    posed = pose(loaded, kernels.domain, seed, folder)
    caller = Caller("cpu")
    return loaded, kernels, posed.question, expect_draw(loaded, kernels, posed, caller), caller


def test_should_take_an_exception_that_the_domain_allows_for_the_right_answer(kata, tmp_path):
    *_, expected, _ = due(kata, 0, tmp_path, lambda draw: call(torch.ones(4)))
    assert expected.raises == "ValueError"


def test_should_refuse_a_draw_in_which_the_reference_raises_otherwise(kata, tmp_path):
    with pytest.raises(NotAdmitted, match="the reference raises TypeError"):
        due(kata, 0, tmp_path, lambda draw: call(torch.ones(2, 2), "three"))


def test_should_refuse_a_draw_that_sits_on_a_boundary_by_chance(tmp_path):
    step = REFERENCE.replace("(x - x.mean(dim=1, keepdim=True)) * scale", "torch.sign(x - 1.0) * scale")
    kata = load_kata(write_kata(tmp_path, cases=WITH_DOMAIN, reference=step))
    with pytest.raises(NotAdmitted, match="more than a percent"):
        due(kata, 0, tmp_path, lambda draw: call(torch.ones(2, 2)))


def test_should_judge_a_marked_boundary_exactly(tmp_path):
    step = REFERENCE.replace("(x - x.mean(dim=1, keepdim=True)) * scale", "torch.sign(x - 1.0) * scale")
    kata = load_kata(write_kata(tmp_path, cases=WITH_DOMAIN, reference=step))

    def on_the_step(draw: Draw):
        draw.mark("boundary")
        return call(torch.ones(2, 2))

    loaded, _, question, expected, caller = due(kata, 0, tmp_path, on_the_step)
    assert not compare(expected, ask(loaded, caller, lambda x, scale=1.0: torch.zeros(2, 2), question))
    assert compare(expected, ask(loaded, caller, lambda x, scale=1.0: torch.full((2, 2), 1e-3), question))


def test_should_allow_what_one_ulp_in_the_inputs_does(kata, tmp_path):
    def nearly_equal(draw: Draw):
        return call(1e6 + draw.normal(2, 4))

    with pytest.raises(NotAdmitted):  # the differences are rounding alone
        due(kata, 3, tmp_path, nearly_equal)


def test_should_not_admit_a_draw_that_a_right_kernel_fails(kata, tmp_path):
    loaded, kernels, question, expected, caller = due(kata, 1, tmp_path, lambda draw: call(draw.normal(2, 3)))
    assert admitted(loaded, kernels, expected, question, caller) == ""
    wrong = dataclasses.replace(kernels.equivalents[0], kernel=lambda x, scale=1.0: x)
    assert "by-sum fails" in admitted(
        loaded, dataclasses.replace(kernels, equivalents=(wrong,)), expected, question, caller
    )


def test_should_take_the_first_draws_always_and_others_by_the_seed(kata, tmp_path):
    locked(kata)
    names = []
    for seed in (1, 1, 2):
        questions, expected = prepare_draws(load(kata), "rows", seed, tmp_path)
        assert [question.name for question in questions] == [one.case for one in expected]
        names.append([question.name for question in questions])
    assert names[0] == names[1] != names[2]
    always = [f"draw-{seed}" for seed in range(draws.ALWAYS_DRAWN)]
    assert names[0][: len(always)] == names[2][: len(always)] == always
    assert len(set(names[0])) == draws.ALWAYS_DRAWN + draws.DRAWN_BY_SEED


def test_should_take_further_draws_that_the_grade_leaves_out(kata, tmp_path):
    locked(kata)
    graded, further = (
        {question.name for question in prepare_draws(load(kata), "rows", 5, tmp_path, further=more)[0]}
        for more in (False, True)
    )
    assert further
    assert not graded & further


@pytest.mark.parametrize("how", ["missing", "stale", "damaged"])
def test_should_draw_nothing_from_a_lock_that_does_not_hold(kata, tmp_path, how):
    locked(kata)
    if how == "missing":
        lock_file(kata.folder).unlink()
    elif how == "stale":
        kata.cases_file.write_text(kata.cases_file.read_text("utf-8") + "\nCHANGED = True\n", "utf-8")
    else:
        lock_file(kata.folder).write_text('{"schema": 1, "variants": {"rows": [-1]}}', "utf-8")
        assert read_lock(kata.folder) is None
    assert prepare_draws(load(kata), "rows", 5, tmp_path)[0] == []


def test_should_leave_out_under_another_torch_what_a_right_kernel_fails(kata, tmp_path):
    broken = WITH_DOMAIN.replace("scale * x - scale * (x.sum(1) / x.size(1))[:, None]", "x * 0")
    kata.cases_file.write_text(broken, "utf-8")
    locked(kata)
    assert not any("by-sum" in one.left_out for one in prepare_draws(load(kata), "rows", 5, tmp_path)[1])
    own = torch.__version__.partition("+")[0]
    locked(kata, torch=f"{own}+cpu")  # the same release, whatever it was built for
    assert not any("by-sum" in one.left_out for one in prepare_draws(load(kata), "rows", 5, tmp_path)[1])
    locked(kata, torch="1.0.0")
    assert any("by-sum fails" in one.left_out for one in prepare_draws(load(kata), "rows", 5, tmp_path)[1])


RIGHT = """def centre(x, scale=1.0):
    if x.dim() != 2:
        raise ValueError
    return (x - x.mean(1, True)) * scale
"""
SQUARE = RIGHT.replace("x.mean(1, True)", "(x.mean(1, True) if x.size(0) != x.size(1) else x.mean(0, True))")


def test_should_fail_by_a_draw_what_no_named_case_tells(kata, tmp_path):
    with Grader() as grader:
        assert grader.grade(kata, "rows", SQUARE, seed=1).passed
        locked(kata)
        verdict = grader.grade(kata, "rows", SQUARE, seed=1)
        assert verdict.outcome == "wrong"
        assert verdict.report["smallest"]["case"].startswith("draw-")
        assert grader.grade(kata, "rows", RIGHT, seed=1).passed


def test_should_drop_a_diagnosis_that_a_further_draw_refutes(tmp_path):
    # Without the scale where it is above 2: the named case with a scale of 2.5 cannot tell it from "no-scale".
    partly = RIGHT.replace("* scale", "* (scale if scale < 2 else 1.0)")
    kata = load_kata(write_kata(tmp_path, cases=WITH_DOMAIN))
    with Grader() as grader:
        assert grader.grade(kata, "rows", partly, seed=1).diagnosis.id == "no-scale"
        locked(kata)
        assert grader.grade(kata, "rows", partly, seed=1).diagnosis is None
        whole = RIGHT.replace(" * scale", "")
        assert grader.grade(kata, "rows", whole, seed=1).diagnosis.id == "no-scale"


def test_should_give_the_same_file_the_same_inputs(kata):
    with Grader() as grader:
        seeds = {grader.grade(kata, "rows", RIGHT).seed for _ in range(2)}
        assert seeds == {seed_of(RIGHT.encode())}
        grader.prepare(kata, "rows")
        assert grader.grade(kata, "rows", RIGHT).seed not in seeds  # prepared beforehand under a seed of its own


def test_should_draw_from_a_lock_whose_sources_mean_the_same(kata, tmp_path):
    slips = "slips:\n  - {id: a, line: x, becomes: y, en: one, zh: 一, seen: here}\n"
    kata.slips_file.write_text(slips, "utf-8")
    locked(kata)
    assert prepare_draws(load(kata), "rows", 5, tmp_path)[0]
    for old, new, fits in (("en: one", "en: two, card: true", True), ("becomes: y", "becomes: z", False)):
        kata.slips_file.write_text(slips.replace(old, new), "utf-8")
        assert read_lock(kata.folder).source != source_of(kata.folder)
        assert bool(prepare_draws(load(kata), "rows", 5, tmp_path)[0]) is fits


def test_should_not_notice_a_lock_that_moved_with_its_sources(kata, tmp_path):
    locked(kata)
    copy = tmp_path / "elsewhere"
    shutil.copytree(kata.folder, copy)
    assert read_lock(copy).source == source_of(copy)
