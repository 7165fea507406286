"""What `check` says of the values that proofs computed before: stale where a card would change, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmdrills.content import load_workspace
from llmdrills.content.computed import computed_file
from llmdrills.content.scaffold import copy_workspace
from llmdrills.grading.proving.audit import Audit, audit, write_audit

DECK = """\
deck: shares
title: {en: Shares}
notes:
  - id: third
    type: question
    topic: transformer
    front: {en: "What is the share?"}
    back: {en: "It is [[share:.2f]] of [[whole]]."}
    sources: [Any primer]
    proof: |
      whole = 3
      share = 1 / whole
    values: [share, whole]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    copy_workspace(None, folder, namespace="audit", languages=("en",))
    (folder / "decks/shares.yaml").write_text(DECK, "utf-8")
    write_audit(load_workspace(folder), looked_at(folder))
    return folder


def looked_at(root: Path) -> Audit:
    return audit(load_workspace(root), (), jobs=1)


@pytest.mark.parametrize(
    ("name", "value", "told"), [("share", 0.333334, False), ("share", 0.34, True), ("whole", 4, True)]
)
def test_should_call_a_value_stale_only_where_it_is_another_one(root: Path, name: str, value: float, told: bool):
    file = computed_file(root)
    before = json.loads(file.read_text("utf-8"))
    before["notes"]["third"]["values"][name] = value
    file.write_text(json.dumps(before), "utf-8")
    found = looked_at(root)
    said = [problem.what for problem in found.problems if problem.rule == "stale-value"]
    assert bool(said) is told
    assert all(f"{name} was {value} and is" in one for one in said)
    kept = found.computed.notes["third"].values[name]
    assert (kept == value) is not told, "what a card shows changes with a reason only"
