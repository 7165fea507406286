"""What `d` and `c` show: the code, without the contract, and the two functions beside each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from llmdrills.cli.day.comparison import Comparison
from llmdrills.content.catalogue import load_catalogue
from llmdrills.content.model import Kata
from llmdrills.content.starter import solution_text, starter_text


@pytest.fixture(scope="module")
def katas(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kata]:
    return {kata.id: kata for kata in load_catalogue(root, tmp_path_factory.mktemp("cache"))}


@pytest.fixture
def kata(katas) -> Kata:
    return katas["rms-norm"]


def written(kata: Kata, language: str = "en") -> str:
    """The reference's code below the starter's comments: what a learner's file looks like."""
    comments = [line for line in starter_text(kata, kata.variants[0], language).splitlines() if line.startswith("#")]
    code = solution_text(kata, kata.variants[0]).split("\n", 1)[1]
    return "\n".join(comments) + "\n" + code


def compare(kata: Kata, mine: str) -> Comparison:
    return Comparison(kata, kata.variants[0], mine)


def shown(kata: Kata, mine: str, width: int = 160) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(compare(kata, mine).side_by_side(width, "en"))
    return [line.rstrip() for line in capture.get().splitlines()]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_should_find_nothing_different_but_comments_of_the_contract(katas, language):
    for kata in katas.values():
        assert compare(kata, written(kata, language)).difference(language) == ""


def test_should_show_two_lines_where_two_lines_differ(kata):
    mine = written(kata).replace("    return weight", "    return 2 * weight")
    changed = [line for line in compare(kata, mine).difference("en").splitlines() if line[:1] in "+-"][2:]
    assert [line[:1] for line in changed] == ["-", "+"]
    assert changed[0].startswith("-    return 2 * weight")


def test_should_keep_a_learners_own_comments(kata):
    mine = "# I keep forgetting the cast.\n" + written(kata)
    assert "-# I keep forgetting the cast." in compare(kata, mine).difference("en")


def test_should_compare_the_functions_wherever_they_stand(kata):
    helper = "def helper(x):\n    return x\n\n\n"
    mine = written(kata).replace("def rms_norm", f"{helper}def rms_norm")
    found = compare(kata, mine).difference("en")
    assert "@@ def rms_norm @@" not in found
    assert "-def helper(x):" in found
    lines = shown(kata, mine)
    (both,) = [line for line in lines if "def rms_norm(" in line]
    assert both.count("def rms_norm(") == 2


def test_should_put_lines_that_belong_together_in_one_row_and_mark_them(kata):
    mine = written(kata).replace("    return weight", "    extra = 1\n    return 2 * weight")
    lines = shown(kata, mine, 260)
    (extra,) = [line for line in lines if "extra = 1" in line]
    assert extra.endswith("<")
    (last,) = [line for line in lines if "return 2 * weight" in line]
    assert "|" in last
    assert last.count("return") == 2
    assert sum(line.count("wide = x.to(") == 2 for line in lines) == 1


def test_should_put_two_listings_under_each_other_in_a_narrow_terminal(kata):
    lines = shown(kata, written(kata), 80)
    assert [line for line in lines if line in {"yours", "reference"}] == ["yours", "reference"]
    assert not any("What is graded" in line for line in lines)


@pytest.mark.parametrize("mine", ["", "def rms_norm(x:\n  ?", "\x00", "x = 1\n", "# only\n# comments\n"])
def test_should_compare_whatever_the_file_holds(kata, mine):
    assert compare(kata, mine).difference("en")
    assert any("return weight" in line for line in shown(kata, mine))
