"""docs/authoring.md quotes a real kata: its code must stand there as it is quoted, and name only what there is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from llmdrills.grading import authoring

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "authoring.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_should_quote_each_example(block):
    folder = ROOT / "drills" / "rms-norm"
    assert any(block.strip() in (folder / name).read_text("utf-8") for name in ("reference.py", "cases.py"))


def test_should_have_an_example_of_each_decorator_and_of_the_reference():
    assert len(BLOCKS) == 5
    assert all(any(f"@{name}" in block for block in BLOCKS) for name in ("case", "misconception", "equivalent", "peer"))


def test_should_list_every_option_of_a_case():
    listed = set(re.findall(r"^\| .*?\|", GUIDE, re.MULTILINE))
    options = set(inspect.signature(authoring.case).parameters) - {"name", "why", "tags"}
    missing = {option for option in options if not any(f"{option}=" in row for row in listed)}
    assert not missing
