"""Contracts: clauses by id, the lines that the framework writes, and the older plain form."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmdrills.content.catalogue import load_catalogue
from llmdrills.content.lint import lint
from llmdrills.content.load import load_katas
from llmdrills.content.starter import starter_text
from tests.helpers.content_folder import Folder

KATA = "drills/twice/kata.yaml"
PLAIN = '      - {en: "x: (N,) floats", zh: "x：(N,) 浮点数"}\n'
NAMED = '      input: {en: "x: (N,) floats", zh: "x：(N,) 浮点数"}\n'


@pytest.fixture
def named(folder: Folder) -> Folder:
    """The small workspace with its contract in clauses."""
    folder.edit(KATA, PLAIN, NAMED)
    return folder.edit("drills/twice/cases.py", '@case(why="plain")', '@case(why="plain", clauses=("input",))')


def test_should_give_each_line_its_id_and_add_what_always_holds(named: Folder):
    variant = named.load().katas[0].variants[0]
    assert variant.ids == ["input", "always"]
    assert variant.clauses[-1].text.en == (
        "Inputs may be non-contiguous and stay as they were; no size is 0; gradients are not asked for; "
        "calls may be repeated: none depends on an earlier one or overwrites its result."
    )


def test_should_say_which_sizes_may_be_0_and_where_gradients_flow(named: Folder):
    named.edit(KATA, "sources: [Any primer]", "sources: [Any primer]\nholds: {empty: [B, L], gradients: [Q, K, V]}")
    variant = named.load().katas[0].variants[0]
    assert "B and L may be 0, no other size is; gradients flow to Q, K and V;" in variant.clauses[-1].text.en
    assert "B、L 可以为 0，其余尺寸不会为 0；梯度要能传到 Q、K、V；" in variant.clauses[-1].text.zh
    assert (variant.empty, variant.gradients) == (("B", "L"), ("Q", "K", "V"))


def test_should_name_in_the_starter_every_call_that_is_refused(named: Folder):
    rule = "forbidden: [{call: torch.add, why: {en: It is the kata., zh: 这就是题目。}}]\n"
    named.edit(KATA, "sources: [Any primer]", f"{rule}sources: [Any primer]")
    kata = named.load().katas[0]
    starter = starter_text(kata, kata.variants[0], "en")
    assert "# - Refused: `torch.add`; what hides calls from the grader (torch.compile, torch.jit" in starter
    assert "numpy" not in starter


def test_should_put_the_clauses_that_variants_share_first(named: Folder):
    named.edit(KATA, "sources: [Any primer]", "sources: [Any primer]\ncontract: {shape: {en: One axis, zh: 一维}}")
    assert named.load().katas[0].variants[0].ids == ["shape", "input", "always"]


def test_should_tell_a_case_that_names_no_clause(named: Folder):
    named.edit("drills/twice/cases.py", '("input",)', '("inputs",)')
    problem = named.only_problem()
    assert (problem.file, problem.line) == (Path("drills/twice/cases.py"), 7)
    assert (problem.what, problem.todo) == ("the case names the unknown clause `inputs`", "did you mean `input`?")


def test_should_refuse_one_id_for_two_clauses(named: Folder):
    named.edit(KATA, "sources: [Any primer]", "sources: [Any primer]\ncontract: {input: {en: One axis, zh: 一维}}")
    assert "has two clauses `input`" in named.only_problem().what


def test_should_load_plain_lines_as_older_copies_have_them(folder: Folder):
    variant = folder.load().katas[0].variants[0]
    assert [(clause.id, clause.text.en) for clause in variant.clauses] == [("", "x: (N,) floats")]


def test_should_find_a_contract_that_nobody_reads_to_its_end(named: Folder):
    assert "contract-too-long" not in {problem.rule for problem in lint(named.load())}
    more = "".join(f'      more-{i}: {{en: "Line {i}", zh: "第 {i} 行"}}\n' for i in range(9))
    named.edit(KATA, NAMED, NAMED + more)
    assert "contract-too-long" in {problem.rule for problem in lint(named.load())}


def test_should_keep_clauses_in_the_catalogue(named: Folder, tmp_path: Path):
    fresh, cached = (load_catalogue(named.root, tmp_path / "cache") for _ in range(2))
    (loaded,) = load_katas(named.root)
    assert cached == fresh
    assert cached[0].variants == loaded.variants


WEAKER = """\
  easy:
    title: {en: Easy, zh: 简单}
    reference: twice
    weaker_than: standard
    contract:
      easy: {en: "x: one number", zh: "x：一个数"}
"""


def test_should_take_a_variant_that_asks_for_less_after_the_stronger_one(named: Folder):
    named.edit(KATA, NAMED, NAMED + WEAKER)
    named.edit("drills/twice/cases.py", '("input",)', '("input", "easy")')
    easy = named.load().katas[0].variants[1]
    assert (easy.weaker_than, easy.mistaken) == ("standard", None)


def test_should_refuse_a_weaker_variant_of_nothing(named: Folder):
    named.edit(KATA, NAMED, NAMED + WEAKER.replace("than: standard", "than: standart"))
    problem = named.only_problem()
    assert (problem.what, problem.todo) == ("there is no other variant `standart`", "did you mean `standard`?")
