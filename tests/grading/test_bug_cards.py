"""The calls and steps of spot-the-bug cards, run in the checker: what is shown was computed, what is said holds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from llmdrills.content import load_workspace
from llmdrills.content.computed import computed_file, load_computed
from llmdrills.content.derive import bug_notes
from llmdrills.content.scaffold import copy_workspace, new_kata
from llmdrills.grading.kernels.registry import load
from llmdrills.grading.proving.audit import audit, write_audit
from llmdrills.grading.proving.cards import prove_cards
from llmdrills.grading.proving.reports import CardReport

CALL = 'call: "row_softmax(torch.tensor([[0.0, 0.0], [math.log(3), 0.0]]))"'
STEPS = 'steps: ["0.5 + 0.75 == 1.25", "0.5 + 0.25 == 0.75"]'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace of one kata, as `llmdrills new kata` writes it, without its domain: its two slips have cards."""
    folder = tmp_path / "workspace"
    copy_workspace(None, folder, namespace="cards")
    new_kata(folder, "row-softmax")
    cases = folder / "drills/row-softmax/cases.py"
    cases.write_text(cases.read_text("utf-8").partition("@domain()")[0], "utf-8")  # else draws.lock would be due first
    return folder


def spoil(root: Path, old: str, new: str) -> None:
    path = root / "drills/row-softmax/slips.yaml"
    text = path.read_text("utf-8")
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new), "utf-8")


def proven(root: Path, slip: str = "wrong-axis") -> CardReport:
    (kata,) = load_workspace(root).katas
    loaded = load(kata)
    return prove_cards(loaded, loaded.variant("standard"))[slip]


def test_should_show_what_both_kernels_give(root: Path):
    report = proven(root)
    assert report.faults == ()
    assert report.expected == "tensor([[0.5, 0.5], [0.75, 0.25]])"
    assert report.got == "tensor([[0.5, 0.75], [0.5, 0.25]])"
    assert proven(root, "overflow").got == "tensor([nan, 0.0])"


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        ("row_softmax(torch.tensor([1.0, 1.0], dtype=torch.float16))", "tensor([0.5, 0.5], dtype=torch.float16)"),
        ("row_softmax(torch.tensor([[1.0]])).shape", "torch.Size([1, 1])"),
        ("(row_softmax(torch.tensor([[0.0, math.log(2)]]))[0].tolist(), 'x')", "([0.3333, 0.6667], 'x')"),
        ("{'p': row_softmax(torch.tensor([[7.0]])).item(), 'n': None}", "{'p': 1.0, 'n': None}"),
        ("row_softmax(torch.empty(0, 3))", "torch.empty([0, 3])"),
        ("row_softmax(3)", "raises AttributeError"),
    ],
)
def test_should_write_a_result_in_a_few_characters(root: Path, call: str, shown: str):
    spoil(root, CALL, f'call: "{call}"')
    assert proven(root).expected == shown


@pytest.mark.parametrize(
    ("old", "new", "rule", "says"),
    [
        ("[math.log(3), 0.0]", "[0.0, 0.0]", "card-agrees", "give the same: `tensor([[0.5, 0.5], [0.5, 0.5]])`"),
        (CALL, 'call: "softmax(torch.ones(2))"', "card-call", "name 'softmax' is not defined"),
        (CALL, 'call: "row_softmax(torch.ones(2)"', "card-call", "no Python that runs"),
        (CALL, 'call: "row_softmax(3) if 1 else 0"', "card-agrees", "raises AttributeError"),
        (CALL, 'call: "row_softmax(torch.ones(5, 7))"', "card-result", "gives 35 numbers"),
        (CALL, 'call: "row_softmax(torch.randn(2, 2))"', "card-result", "and then `tensor("),
        ("0.5 + 0.75 == 1.25", "0.5 + 0.75 == 1.5", "card-step", "`0.5 + 0.75 == 1.5` does not hold"),
        ("0.5 + 0.75 == 1.25", "0.5 + 0.75", "card-step", "`0.5 + 0.75` is no comparison"),
        ("0.5 + 0.75 == 1.25", "nothing == 1.25", "card-step", "NameError"),
        (STEPS, "steps: []", "card-number", "its text says 1.25, which"),
        ("于是两行之和是 1.25", "于是两行之和是 1.75", "card-number", "its text says 1.75, which"),
    ],
)
def test_should_find_a_planted_fault(root: Path, old: str, new: str, rule: str, says: str):
    spoil(root, old, new)
    found = {fault.rule: fault.what for fault in proven(root).faults}
    assert rule in found
    assert says in found[rule]


def test_should_let_steps_use_math_bare_and_torch(root: Path):
    steps = '["sqrt(4) == math.sqrt(4)", "torch.tensor(2) == 2", "1.25 < inf", "0.75 < 1"]'
    spoil(root, STEPS, f"steps: {steps}")
    assert proven(root).faults == ()


def test_should_let_cases_name_what_a_call_cannot_write_out(root: Path):
    cases = root / "drills/row-softmax/cases.py"
    text = cases.read_text("utf-8")
    named = "def on_cards(make):\n    assert make.folder.is_dir()\n    return {'rows': torch.zeros(2, 2)}\n"
    cases.write_text(text + "\n\n" + named, "utf-8")
    spoil(root, CALL, 'call: "row_softmax(rows + torch.eye(2) * math.log(3))"')
    assert proven(root).expected == "tensor([[0.75, 0.25], [0.25, 0.75]])"
    cases.write_text(text + "\n\ndef on_cards(make):\n    return {}[0]\n", "utf-8")
    (fault,) = proven(root).faults
    assert (fault.rule, fault.what) == ("card-call", "`on_cards` of cases.py raises KeyError: 0")


def test_should_tell_a_right_kernel_that_refuses_the_call(root: Path):
    spoil(root, "becomes: shifted = x", "becomes: return x\n    fix: shifted = x - x.amax(dim=-1, keepdim=True)")
    spoil(root, 'call: "row_softmax(torch.tensor([500.0, 0.0]))"', 'call: "row_softmax(3)"')
    found = {fault.rule: fault.what for fault in proven(root, "overflow").faults}
    assert found["card-call"] == "the right kernel raises AttributeError"


def test_should_write_what_the_cards_show_and_print_it(root: Path, tmp_path: Path):
    workspace = load_workspace(root)
    found = audit(workspace, workspace.katas, jobs=1, cache_dir=tmp_path / "cache")
    assert {problem.rule for problem in found.problems} == {"stale-input"}
    assert write_audit(workspace, found)
    again = audit(workspace, workspace.katas, jobs=1, cache_dir=tmp_path / "cache")
    assert again.clean
    assert again.katas[0].cached
    backs = [note.back.en for note in bug_notes(workspace.katas, load_computed(root)) if note.back]
    assert "# right: tensor([1.0, 0.0])\n# this kernel: tensor([nan, 0.0])" in backs[1]


def test_should_keep_a_result_that_another_processor_rounded_otherwise(root: Path, tmp_path: Path):
    workspace = load_workspace(root)
    write_audit(workspace, audit(workspace, workspace.katas, jobs=1, cache_dir=tmp_path / "cache"))
    file = computed_file(root)
    before = json.loads(file.read_text("utf-8"))
    shown = next(one for one in before["kernels"]["row-softmax"].values() if re.search(r"0\.\d{3}\d", one["got"]))
    for change, clean in ((1, True), (30, False)):
        number = re.search(r"0\.\d{4}", shown["got"])
        shown["got"] = shown["got"].replace(number[0], f"{float(number[0]) + change * 1e-4:.4f}", 1)
        file.write_text(json.dumps(before), "utf-8")
        found = audit(workspace, workspace.katas, jobs=1, cache_dir=tmp_path / "cache")
        assert found.clean is clean
        assert (found.computed == load_computed(root)) is clean


def test_should_tell_the_faults_of_a_card_where_they_stand_and_waive_them(root: Path, tmp_path: Path):
    spoil(root, "0.5 + 0.75 == 1.25", "0.5 + 0.75 == 1.5")
    workspace = load_workspace(root)
    found = audit(workspace, workspace.katas, jobs=1, cache_dir=tmp_path / "cache")
    said = {problem.rule: problem for problem in found.problems}
    assert str(said["card-step"]).startswith("drills/row-softmax/slips.yaml:14:15: the card of `wrong-axis`: the step")
    assert [problem.line for problem in found.problems if problem.rule == "card-number"] == [10, 13]
    assert found.computed.cards["row-softmax"]["wrong-axis/standard"].got, "the kata itself is sound"

    waived = "{card-step: so, card-number: so, card-call: so}"
    spoil(
        root,
        '"0.5 + 0.75 == 1.5", "0.5 + 0.25 == 0.75"]',
        f'"0.5 + 0.75 == 1.5", "0.5 + 0.25 == 0.75"]\n      waive: {waived}',
    )
    workspace = load_workspace(root)
    write_audit(workspace, found)
    found = audit(workspace, workspace.katas, jobs=1, cache_dir=tmp_path / "cache")
    assert [(problem.rule, problem.what) for problem in found.problems] == [
        ("waiver", "`wrong-axis` waives `card-call`, which finds nothing there")
    ]


def test_should_call_a_card_stale_when_its_call_changed(root: Path, tmp_path: Path):
    workspace = load_workspace(root)
    write_audit(workspace, audit(workspace, workspace.katas, jobs=1, cache_dir=tmp_path / "cache"))
    spoil(root, "[math.log(3), 0.0]", "[0.0, math.log(3)]")
    workspace = load_workspace(root)
    found = audit(workspace, workspace.katas, jobs=1, cache_dir=tmp_path / "cache")
    assert [problem.what for problem in found.problems] == [
        "decks/computed.json is stale for the slip `wrong-axis` of row-softmax"
    ]
