"""docs/authoring.md explains the kata of `llmdrills new kata`: its examples stand there, or are added and proven."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from llmdrills.content.load import load_katas
from llmdrills.content.scaffold import new_kata
from llmdrills.grading import authoring

GUIDE = (Path(__file__).parents[2] / "docs" / "authoring.md").read_text("utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
YAML = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
SLIPS = [block for block in YAML if block.startswith("  - id: ")]
SAME = [block for block in YAML if block.startswith("same:")]
QUOTED = {"wrong-axis", "overflow"}  # the slips that the new kata holds already


def slip_id(block: str) -> str:
    return block.partition("id: ")[2].partition("\n")[0]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the kata of the guide, as `llmdrills new kata row-softmax` writes it."""
    root = tmp_path_factory.mktemp("workspace")
    new_kata(root, "row-softmax")
    return root


@pytest.mark.parametrize("block", PYTHON, ids=range(len(PYTHON)))
def test_should_quote_each_example_of_python(workspace: Path, block: str):
    folder = workspace / "drills" / "row-softmax"
    assert any(block.strip() in (folder / name).read_text("utf-8") for name in ("reference.py", "cases.py"))


@pytest.mark.parametrize("block", [one for one in YAML if slip_id(one) in QUOTED or one not in SLIPS + SAME])
def test_should_quote_each_example_of_yaml_that_is_not_an_addition(workspace: Path, block: str):
    folder = workspace / "drills" / "row-softmax"
    assert any(block.rstrip() in (folder / name).read_text("utf-8") for name in ("kata.yaml", "slips.yaml"))


def test_should_prove_the_kata_with_every_slip_that_the_guide_adds(workspace: Path):
    added = [block for block in SLIPS if slip_id(block) not in QUOTED]
    path = workspace / "drills" / "row-softmax" / "slips.yaml"
    path.write_text(path.read_text("utf-8") + "\n" + "\n".join(added + SAME), "utf-8")
    (kata,) = load_katas(workspace)
    assert len(SAME) == 1
    assert len(kata.same) == 1  # the template's own stand in cases.py
    assert {slip.id for slip in kata.slips} == {slip_id(block) for block in SLIPS}
    command = [sys.executable, "-m", "llmdrills", "check", "row-softmax", "--workspace", str(workspace)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert f"{len(SLIPS)} wrong kernels" in ran.stdout + ran.stderr
    told = [line for line in ran.stdout.splitlines() if "row-softmax/" in line]
    due = ("computed.json is stale", "no draws.lock")  # nothing was written yet
    assert [line for line in told if not any(what in line for what in due)] == []


def test_should_have_an_example_of_each_decorator_and_of_each_form_of_a_slip():
    assert all(any(f"@{name}" in block for block in PYTHON) for name in ("case", "equivalent", "peer"))
    assert any("def row_softmax" in block for block in PYTHON)
    forms = ("    line: ", "    edits:", "    kernel: ", "    of: ", "    proof: ", "    card:\n")
    assert [form for form in forms if not any(form in block for block in SLIPS)] == []


def test_should_list_every_option_of_a_case():
    listed = set(re.findall(r"^\| .*?\|", GUIDE, re.MULTILINE))
    options = set(inspect.signature(authoring.case).parameters) - {"name", "why", "tags"}
    missing = {option for option in options if not any(f"{option}=" in row for row in listed)}
    assert not missing
