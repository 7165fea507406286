"""The search for holes: which wrong kernels it makes, which draws it keeps, and what it says is open."""

from __future__ import annotations

import dataclasses
import random

import pytest
import torch

from llmdrills.content.drawslock import read_lock, source_of
from llmdrills.content.kata import Same
from llmdrills.grading.authoring import call
from llmdrills.grading.kernels.features import features, worded
from llmdrills.grading.kernels.registry import load
from llmdrills.grading.kernels.wrappers import wrappers
from llmdrills.grading.proving.check import search_holes
from llmdrills.grading.proving.cover import choose
from llmdrills.grading.proving.edits import text_edits
from llmdrills.grading.proving.holes import search
from llmdrills.grading.proving.kata_proof import check_kata
from llmdrills.grading.proving.lock import renew, write_draws
from llmdrills.grading.proving.mutants import mutants
from tests.helpers.small_kata import CASES, load_kata, write_kata

DOMAIN = '''

@domain(raises=("ValueError",))
def any_matrix(draw: Draw):
    """Any matrix, and a vector, which is refused."""
    if draw.chance(0.1):
        return call(draw.normal(4))
    shape = draw.pick((1, 4), (2, 2), (3, 5), (4, 1))
    draw.gradients(0)
    kwargs = {"scale": draw.option(0.5, 1.0, 3.0)} if draw.given(0.5) else {}
    return call(draw.layout(draw.normal(*shape, mean=1.0)), **kwargs)
'''
WITH_DOMAIN = CASES.replace("import Inputs, call, case,", "import Draw, Inputs, call, case, domain, same,") + DOMAIN


def test_should_edit_comparisons_constants_calls_and_slices():
    text = "def f(x, n):\n    if n > 1:\n        return x[:n].sum() * 2.0\n    return -x\n"
    made = {edit.words: edit for edit in text_edits(text)}
    assert made["`n > 1` becomes `n >= 1`"].kind == "comparison"
    assert made["`1` becomes `2`"].line == 2
    assert "x[:n].mean()" in made["`x[:n].sum` becomes `x[:n].mean`"].text
    assert made["`x[:n]` becomes `x`"].kind == "index dropped"
    assert made["`-x` becomes `x`"].kind == "sign or not dropped"
    assert all(edit.text != text for edit in made.values())


def test_should_leave_docstrings_annotations_and_exceptions_alone():
    text = 'def f(x: int = 3) -> int:\n    """Add 1."""\n    raise ValueError("1" + "2")\n'
    assert [edit.words for edit in text_edits(text)] == []


def test_should_keep_the_text_that_it_edits_as_it_was():
    text = "def f(x):\n    return x + 1\n"
    assert [edit.words for edit in text_edits(text)] == [edit.words for edit in text_edits(text)]


def centre(x, scale=1.0):
    return (x - x.mean(dim=1, keepdim=True)) * scale


def made_by(words):
    calls = [call(torch.ones(2, 2)), call(torch.ones(2, 2), scale=2.0)]
    found = {one.words: one for one in wrappers(centre, calls, {"x"}, floating=True)}
    return found[words].make()


def test_should_wrap_only_what_can_change_something():
    calls = [call(torch.ones(2, 2))]
    words = {one.words for one in wrappers(centre, calls, (), floating=False)}
    assert "`x` is transposed where it is square" in words
    assert "`scale` is written" not in words
    assert not any("float16" in one or "detached" in one for one in words)


def test_should_make_the_wrong_kernels_that_no_edit_makes():
    x, y = torch.tensor([[1.0, 2.0], [3.0, 5.0]]), torch.tensor([[0.0, 9.0], [4.0, 4.0]])
    kept = made_by("a result is kept by shapes")
    assert torch.equal(kept(x), kept(y))
    buffered = made_by("the result is a buffer that is used again")
    assert buffered(x) is buffered(y)
    assert torch.equal(made_by("`scale` is ignored")(x, 2.0), centre(x))
    assert torch.equal(made_by("`x` is transposed where it is square")(x), centre(x.T))
    assert not made_by("the result is detached")(x.clone().requires_grad_()).requires_grad
    written = x.clone()
    made_by("`x` is written")(written)
    assert not torch.equal(written, x)


def test_should_see_sizes_of_one_equal_sizes_and_arguments_left_out():
    calls = [call(torch.ones(1, 4)), call(torch.ones(2, 2), scale=1.0), call(torch.ones(3, 5), scale=2.0)]
    one, two, three = ({worded(feature) for feature in row} for row in features(centre, calls, [{}, {}, {"mine": 1}]))
    assert "x.size(-2) is 1" in one
    assert "scale is absent" in one
    assert "x.size(-1) equal to x.size(-2)" in two
    assert "scale at its default" in two
    assert "mine is 1" in three


def test_should_choose_draws_that_expose_everything_first_and_then_everywhere():
    fails = {"a": [True, False, False, True], "b": [False, True, False, True], "c": [False, False, True, False]}
    seen = [frozenset({("n", n)}) for n in (1, 1, 2, 2)]
    chosen = choose(fails, seen, most=4, least=0)
    assert chosen[:2] == [3, 2]  # a and b at once, then c
    assert set(chosen) == {0, 1, 2, 3}  # then a and b where n is 1
    assert choose(fails, seen, most=2, least=0) == [3, 2]
    assert choose({}, seen, most=4, least=3) == [0, 1, 2]


def test_should_choose_the_same_draws_from_the_same_matrix():
    rng = random.Random(0)
    fails = {name: [rng.random() < 0.1 for _ in range(80)] for name in "abcdefgh"}
    seen = [frozenset({("n", rng.randrange(4))}) for _ in range(80)]
    assert choose(fails, seen, 20, 10) == choose(dict(fails), list(seen), 20, 10)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The search in the small kata."""
    kata = load_kata(write_kata(tmp_path_factory.mktemp("holes"), cases=WITH_DOMAIN))
    return kata, search(kata, 120)


def test_should_find_what_the_named_cases_let_pass(found):
    _, report = found
    assert {variant.variant for variant in report.variants} == {"rows", "columns"}
    rows = report.variants[0]
    assert rows.complete
    assert rows.draws > 90
    assert 64 <= len(rows.seeds) <= 128
    states = {hole.mutant: hole.state for hole in rows.holes}
    # The domain draws no negative scale and no other number of dimensions: these it cannot tell apart.
    assert all(state.startswith("not told apart") for state in states.values()), states
    assert [p.rule for p in report.problems] == ["hole"] * len(report.problems)


def test_should_kill_with_the_draws_of_every_grade_what_any_draw_kills(found):
    kata, report = found
    loaded = load(kata)
    calls = [call(torch.ones(2, 2))]
    ids = {mutant.id for mutant in mutants(loaded, "rows", calls, floating=True)}
    assert len(ids) > 20
    assert {hole.mutant for hole in report.variants[0].holes} <= ids


def test_should_close_by_same_what_the_author_explains(found, tmp_path):
    _, report = found
    rows = report.variants[0]
    assert rows.holes
    lines = "".join(f"same({hole.mutant!r}, why='it changes nothing')\n" for hole in rows.holes)
    closed = load_kata(write_kata(tmp_path, cases=WITH_DOMAIN + lines))
    assert search(closed, 120).variants[0].holes == ()


def test_should_close_by_the_slips_file_what_the_author_explains(found):
    """Not tied to a search of its own: cases.py and slips.yaml fill the same list."""
    kata, report = found
    explained = tuple(Same(hole.mutant, "it changes nothing") for hole in report.variants[0].holes)
    assert explained
    assert search(dataclasses.replace(kata, same=explained), 120).variants[0].holes == ()


def test_should_refuse_a_same_that_a_draw_tells_apart(tmp_path):
    lines = "\nsame('`scale` is ignored', why='nobody scales')\n"
    no_scale = WITH_DOMAIN.replace("call(make.normal(2, 5, mean=1.0), scale=2.5)", "call(make.normal(2, 5, mean=1.0))")
    kata = load_kata(write_kata(tmp_path, cases=no_scale + lines))
    report = search(kata, 120)
    assert report.variants  # what the draws of every grade expose is no hole, whatever the author says of it
    assert not any(hole.mutant == "`scale` is ignored" for hole in report.variants[0].holes)


def test_should_write_a_lock_that_check_holds_against_the_sources(tmp_path):
    kata = load_kata(write_kata(tmp_path, cases=WITH_DOMAIN))
    assert {p.rule for p in check_kata(kata, 0).problems} == {"stale-draws"}
    (report,) = search_holes([kata], tries=120, cache_dir=tmp_path / "cache", jobs=1)
    assert write_draws(kata, report)
    assert not write_draws(kata, report)
    assert read_lock(kata.folder).source == source_of(kata.folder)
    assert check_kata(kata, 0).ok
    (again,) = search_holes([kata], tries=120, cache_dir=tmp_path / "cache", jobs=1)
    assert again.cached
    assert dataclasses.replace(again, cached=False) == report
    kata.cases_file.write_text(kata.cases_file.read_text("utf-8") + "\n# later\n", "utf-8")
    assert check_kata(kata, 0).ok  # a comment changes no case
    assert read_lock(kata.folder).source != source_of(kata.folder)
    assert renew(kata)
    assert read_lock(kata.folder).source == source_of(kata.folder)
    assert not renew(kata)
    kata.cases_file.write_text(kata.cases_file.read_text("utf-8").replace("mean=1.0", "mean=1.5"), "utf-8")
    assert not renew(kata)
    stale = [p for p in check_kata(kata, 0).problems if p.rule == "stale-draws"]
    assert "draws.lock is stale" in stale[0].what
    assert "llmdrills check --holes centred-scale" in stale[0].todo


def test_should_find_a_locked_draw_that_a_right_kernel_no_longer_passes(tmp_path):
    kata = load_kata(write_kata(tmp_path, cases=WITH_DOMAIN))
    (report,) = search_holes([kata], tries=120, jobs=1)
    broken = WITH_DOMAIN.replace("x.sum(1) / x.size(1)", "x.sum(1) / (x.size(1) + (x.size(0) == 1))")
    kata.cases_file.write_text(broken, "utf-8")
    write_draws(kata, report)
    assert any(p.rule == "draw" and "equivalent by-sum fails" in p.what for p in check_kata(kata, 0).problems)
