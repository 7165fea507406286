"""Proving the grader of a Triton kata: what `check` and `check --holes` find in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmdrills.grading.proving.holes import search
from llmdrills.grading.proving.kata_proof import check_kata
from llmdrills.grading.proving.lock import write_draws
from tests.helpers.triton_kata import CASES, SLIPS, SOLUTION, triton_kata

pytest.importorskip("triton")

pytestmark = pytest.mark.timeout(600)


def test_should_find_nothing_wrong_and_expose_each_slip_by_its_own_fault(tmp_path: Path):
    kata = triton_kata(tmp_path)
    report = check_kata(kata, seed=0, seeds=1)
    assert [problem.rule for problem in report.problems] == ["stale-draws"], report.problems
    [variant] = report.variants
    assert variant.matrix.kinds["no-store-mask"]["base"] == "fault"
    assert variant.matrix.kinds["one-row"]["base"] == "race"
    assert variant.matrix.kinds["read-twice"]["wide"] == "over-budget"
    assert [name for name, kind in variant.matrix.kinds["contiguous-only"].items() if kind] == ["base-non-contiguous"]
    assert variant.equivalents == ("solution", "blocks")
    cards = variant.cards
    assert cards["no-store-mask"].got == "stopped: out-of-bounds"
    assert cards["other-one"].expected == "tensor([[0.125, 0.375, 0.5]])"
    assert not [fault for card in cards.values() for fault in card.faults]


@pytest.mark.parametrize(
    ("changes", "rule", "what"),
    [
        (
            {"solution": SOLUTION.replace("triton.next_power_of_2(n)", "64")},
            "rejected",
            "equivalent solution is rejected by case wide",
        ),
        (
            {"cases": CASES.replace("values * (1.0 / tl.sum(values, 0))", "values")},
            "rejected",
            "equivalent blocks is rejected by case base",
        ),
        (
            {
                "cases": CASES.replace(
                    "y = torch.empty((rows, n), dtype", "x = x.clone()\n    y = torch.empty((rows, n), dtype"
                )
            },
            "rejected",
            "torch.clone",
        ),
        (
            {
                "slips": SLIPS.replace(
                    "    becomes: tl.store(y + columns, values / total, mask=inside)\n",
                    "    becomes: tl.store(y + row * n + columns, values / tl.sum(values, 0), mask=inside)\n",
                )
            },
            "survivor",
            "slip one-row survives",
        ),
        (
            {"cases": CASES + "\n\ndef least_bytes(x):\n    return x.nothing\n"},
            "",
            "`least_bytes` raises AttributeError",
        ),
    ],
)
def test_should_report_what_is_wrong_with_the_kata(tmp_path: Path, changes: dict[str, str], rule: str, what: str):
    problems = check_kata(triton_kata(tmp_path, **changes), seed=0, seeds=1).problems
    assert any(problem.rule == rule and what in problem.what for problem in problems), problems


def test_should_find_holes_by_edits_of_the_solution_and_lock_draws(tmp_path: Path):
    kata = triton_kata(tmp_path)
    found = search(kata, tries=12)
    [report] = found.variants
    assert report.draws == 12
    words = {hole.mutant for hole in report.holes}
    assert any("`tl.sum(values, 0)` becomes `tl.sum(values)`" in one for one in words)  # it changes nothing
    assert not any("other=0.0" in one and "keyword dropped" in one for one in words)
    assert write_draws(kata, found)
    problems = check_kata(triton_kata(tmp_path), seed=0, seeds=1).problems
    assert problems == ()
    solution = SOLUTION.replace("row = tl.program_id(0)", "row = tl.program_id(axis=0)")
    stale = check_kata(triton_kata(tmp_path, solution=solution), seed=0, seeds=1).problems
    assert [problem.rule for problem in stale] == ["stale-draws"]
