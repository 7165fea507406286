"""Loading a kata: authors' mistakes are told with file and line, and katas do not meet."""

from __future__ import annotations

import sys

import pytest
import torch

from llmdrills.errors import ContentError
from llmdrills.grading.authoring import AuthoringError, Inputs, case, misconception, registering
from llmdrills.grading.judging.compare import compare
from llmdrills.grading.kernels.expectations import prepare
from llmdrills.grading.kernels.registry import load
from llmdrills.grading.protocol.answer import Raised
from tests.helpers.small_kata import CASES, REFERENCE, YAML, load_kata, make_kata, write_kata


def problems_of(root, **texts):
    """What loading says; content has its own opinion of some of it, so the kata is read as it was before the defect."""
    kata = make_kata(root)
    write_kata(root, **texts)
    with pytest.raises(ContentError) as caught:
        _prepare_all(kata, root)
    return [f"{p.file.name}:{p.line}: {p.what}: {p.todo}" for p in caught.value.problems]


def _prepare_all(kata, root):
    loaded = load(kata)
    for variant in kata.variants:
        list(prepare(loaded, variant.id, 0, root)[1])


def line_of(text, part):
    return next(i for i, line in enumerate(text.lstrip("\n").splitlines(), 1) if part in line)


@pytest.mark.parametrize(
    ("old", "new", "at", "says"),
    [
        ("import torch\n", "import torch\n)\n", ")", "not Python"),
        ("import torch\n", "import torch\n1 / 0\n", "1 / 0", "ZeroDivisionError"),
        ("import torch\n", "import torch\nimport nowhere_at_all\n", "nowhere_at_all", "nowhere_at_all"),
        ("def scaled(", "def base(", "scale is used", "two cases are named 'base'"),
        ('"no-mean"', '"No Mean"', "No Mean", "lower-case words"),
        ("def no_scale(x, scale=1.0)", "def no_scale(x, factor=1.0)", '"no-scale"', "takes other arguments"),
        ('variants=("rows",))\ndef by', 'variants=("diagonals",))\ndef by', "by-sum", "no variant 'diagonals'"),
        ('raises="ValueError"', 'raises="Valueerror"', "Valueerror", "no built-in exception"),
        ('{"refused": "raises', '{"refusd": "raises', "refusd", "which is no case"),
        ("return call(make.normal(3, 4, mean=1.0))", "return make.normal(3, 4)", "both dimensions", "return call(…)"),
        ("return call(make.normal(3, 4, mean=1.0))", "return call(make.nrmal(3))", "make.nrmal", "AttributeError"),
        ("return call(make.normal(3, 4, mean=1.0))", "return call(object())", "both dimensions", "holds a object"),
        ('(why="both dimensions differ")', '(why="both dimensions differ", grads=(1,))', "both", "no floating tensor"),
        ('raises="ValueError")', 'raises="TypeError")', "refused", "raises ValueError"),
        ("call(make.normal(2, 5, mean=1.0), scale=2.5)", "call(make.normal(2))", "scale is used", "reference raises"),
    ],
)  # fmt: skip
def test_should_name_the_line_of_a_mistake_in_cases(tmp_path, old, new, at, says):
    assert old in CASES
    broken = CASES.replace(old, new)
    found = problems_of(tmp_path, cases=broken)
    assert any(says in problem for problem in found), found
    lines = {int(problem.split(":")[1]) for problem in found if says in problem}
    assert min(abs(line - line_of(broken, at)) for line in lines) <= 1, (found, line_of(broken, at))


def test_should_report_a_reference_that_is_missing_or_differs_in_signature(tmp_path):
    renamed = REFERENCE.replace("def centre_rows", "def center_rows")
    assert any("centre_rows, which is not a function" in p for p in problems_of(tmp_path, reference=renamed))
    other = REFERENCE.replace("def centre_columns(x, scale=1.0)", "def centre_columns(x, s=1.0)")
    assert any("give every variant the same signature" in p for p in problems_of(tmp_path, reference=other))


def test_should_report_a_reference_that_changes_its_input_or_returns_nan(tmp_path):
    changing = REFERENCE.replace("return (x - x.mean(dim=1", "x.add_(1)\n    return (x - x.mean(dim=1")
    assert any("the reference changes its inputs" in p for p in problems_of(tmp_path, reference=changing))
    nan = REFERENCE.replace("keepdim=True)) * scale", "keepdim=True)) * scale * float('nan')")
    assert any("returns NaN" in p and "nan_ok" in p for p in problems_of(tmp_path, reference=nan))


def test_should_take_the_reference_as_it_rounds_where_a_case_says_own_precision(tmp_path):
    old = "return (x - x.mean(dim=1"
    new = f"if x.dtype == torch.float32:\n        x = x.half().float()\n    {old}"
    assert old in REFERENCE
    rounding = REFERENCE.replace(old, new)
    for said, rounded in (("", False), (", own_precision=True", True)):
        cases = CASES.replace('(why="both dimensions differ")', f'(why="both dimensions differ"{said})')
        kata = make_kata(tmp_path / str(rounded), cases=cases, reference=rounding)
        due = next(iter(prepare(load(kata), "rows", 0, tmp_path)[1]))
        assert (due.tolerance.baselines == (0.0,)) is rounded


def test_should_report_all_mistakes_in_one_run(tmp_path):
    broken = CASES.replace('"no-mean"', '"a-a"').replace("call(make.normal(3, 4, mean=1.0))", "call(object())")
    broken = broken.replace("call(make.normal(2, 5, mean=1.0), scale=2.5)", "1 / 0")
    assert len(problems_of(tmp_path, cases=broken)) >= 2


def test_should_report_a_budget_for_no_case(tmp_path):
    kata = make_kata(tmp_path)
    yaml = YAML + "budgets:\n  - {case: bsae, flops: 2, why: {en: x, zh: x}}\n"
    (kata.folder / "kata.yaml").write_text(yaml.lstrip("\n"), "utf-8")
    with pytest.raises(ContentError, match="bsae"):
        load(load_kata(kata.folder))


def test_should_give_two_katas_their_own_references_and_leave_nothing_behind(tmp_path):
    before = list(sys.path)
    one = load(make_kata(tmp_path / "a"))
    other = load(make_kata(tmp_path / "b", reference=REFERENCE.replace("* scale", "* scale + 1")))
    x = torch.zeros(2, 3)
    with one.importable():
        assert one.references["rows"](x).sum() == 0
    with other.importable():
        assert other.references["rows"](x).sum() == 6
    assert "reference" not in sys.modules
    assert "cases" not in sys.modules
    assert sys.path == before
    assert not list(tmp_path.rglob("__pycache__"))


def test_should_count_another_variant_s_reference_among_the_wrong_kernels(tmp_path):
    kernels = load(make_kata(tmp_path)).variant("rows")
    assert [wrong.id for wrong in kernels.wrong] == ["no-mean", "no-scale", "anything-goes", "variant-columns"]


def test_should_not_tell_a_weaker_variant_from_the_stronger_one(tmp_path):
    weaker = YAML.replace("    mistaken: {en: You centre columns., zh: 你按列居中。}\n", "    weaker_than: rows\n")
    loaded = load(make_kata(tmp_path, yaml=weaker))
    for variant in ("rows", "columns"):
        assert not [wrong.id for wrong in loaded.variant(variant).wrong if wrong.id.startswith("variant-")]


def test_should_repeat_the_first_case_with_awkward_inputs(tmp_path):
    loaded = load(make_kata(tmp_path))
    questions, _ = prepare(loaded, "rows", 0, tmp_path, slips=False)
    made = {question.name: question.args[0] for question in questions}
    assert list(made) == ["base", "scaled", "refused", "base-non-contiguous", "base-requires-grad", "base-again"]
    assert made["base"].strides == (4, 1)
    assert made["base-non-contiguous"].strides == (1, 3)
    assert made["base-requires-grad"].requires_grad


def test_should_let_derived_cases_be_turned_off(tmp_path):
    cases = CASES.replace('differ")', 'differ", derive=False)')
    questions, _ = prepare(load(make_kata(tmp_path, cases=cases)), "rows", 0, tmp_path, slips=False)
    assert [question.name for question in questions] == ["base", "scaled", "refused"]


def test_should_compute_the_oracle_in_float64_and_the_dtype_of_the_inputs(tmp_path):
    cases = CASES.replace("make.normal(3, 4, mean=1.0)", "make.normal(3, 4, mean=1.0, dtype=torch.float16)")
    _, expected = prepare(load(make_kata(tmp_path, cases=cases)), "rows", 0, tmp_path)
    base = next(iter(expected))
    assert base.answer.value.dtype == "float64"
    assert base.dtypes == ("float16",)
    assert 0 < base.tolerance.baselines[0] < 0.01


def test_should_give_the_same_inputs_for_the_same_seed_and_others_for_another(tmp_path):
    loaded = load(make_kata(tmp_path))
    first, again, other = (prepare(loaded, "rows", seed, tmp_path, slips=False)[0] for seed in (3, 3, 4))
    assert first == again
    assert first[0].args != other[0].args


def test_should_bring_a_wrong_kernels_answers_with_each_case(tmp_path):
    _, expected = prepare(load(make_kata(tmp_path)), "rows", 0, tmp_path)
    due = {one.case: one for one in expected}
    assert not compare(due["base"], due["base"].slips["no-scale"])
    assert compare(due["scaled"], due["scaled"].slips["no-scale"])
    assert isinstance(due["refused"].slips["no-mean"].value, Raised)


def test_should_make_names_of_the_function_unless_they_are_given():
    with registering() as registered:

        @case(why="x")
        def ragged_padding(make): ...

        @case("other-name", why="x")
        def _(make): ...

    assert [one.name for one in registered.cases] == ["ragged-padding", "other-name"]


def test_should_let_the_decorators_do_nothing_outside_of_a_book():
    @misconception("a-b", en="x", zh="x", seen="x")
    def kernel(x):
        return x

    assert kernel(3) == 3


def test_should_ask_for_two_names_for_two_slips_of_one_variant():
    with registering():
        misconception("a", en="x", zh="x", seen="x", variants=("one",))(lambda x: x)
        misconception("a", en="x", zh="x", seen="x", variants=("two",))(lambda x: x)
        with pytest.raises(AuthoringError, match="two slips"):
            misconception("a", en="x", zh="x", seen="x")(lambda x: x)


def test_should_make_inputs_of_the_kind_that_is_asked_for(tmp_path):
    make = Inputs(0, "base", tmp_path)
    assert make.normal(2, 3, dtype=torch.bfloat16).dtype == torch.bfloat16
    assert make.uniform(50, low=2, high=3).min() >= 2
    assert set(make.integers(0, 3, 100).tolist()) == {0, 1, 2}
    assert make.boolean(10).dtype == torch.bool
    assert sorted(make.permutation(5).tolist()) == [0, 1, 2, 3, 4]
    assert 2 <= make.size(2, 4) <= 4
