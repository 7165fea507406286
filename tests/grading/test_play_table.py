"""drills/play.json: what it says, how it is held against what is measured, and what proofs read of it."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from llmdrills.content.load import load_katas
from llmdrills.content.playtable import PlayedSlip, PlayTable, load_play, play_file, play_text, write_play
from llmdrills.errors import ContentError
from llmdrills.grading.proving.play_proof import STALE_PLAY, PlayProof, prove_play

ROOT = Path(__file__).resolve().parents[2]
KATA = "packed-sequence-mask"
TABLE = PlayTable(
    "0123",
    1.5,
    "Once.",
    "The end.",
    {
        "k": {
            "a": PlayedSlip(2.25, "", "On"),
            "b": PlayedSlip(None, "nan"),
            "c": PlayedSlip(None, "infinite", "On", "At night"),
        }
    },
)


def test_should_read_what_it_wrote_and_write_nothing_anew(tmp_path):
    assert write_play(tmp_path, TABLE)
    assert load_play(tmp_path) == TABLE
    assert not write_play(tmp_path, TABLE)
    assert load_play(tmp_path / "elsewhere") is None
    assert play_text(tmp_path / "elsewhere") == ""


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"schema": 2}', '{"schema": 1, "katas": {"k": 3}}', "[" * 9999, "\xff"]
)
def test_should_say_what_to_do_about_a_damaged_file(tmp_path, text):
    play_file(tmp_path).parent.mkdir()
    play_file(tmp_path).write_bytes(text.encode("latin-1"))
    with pytest.raises(ContentError, match=r"unexpected structure.*delete it, then write it again"):
        load_play(tmp_path)


def test_should_tell_a_proof_the_perplexity_of_a_slip_and_of_the_references():
    assert (TABLE.cost(), TABLE.cost("k/a"), TABLE.cost("k/c")) == (1.5, 2.25, math.inf)
    with pytest.raises(ValueError, match="nan"):
        TABLE.cost("k/b")
    with pytest.raises(KeyError, match="no such slip"):
        TABLE.cost("k/d")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (PlayedSlip(2.0), PlayedSlip(2.001), True),
        (PlayedSlip(2.0), PlayedSlip(2.01), False),
        (PlayedSlip(2.0, text="a"), PlayedSlip(2.0, text="b"), True),
        (PlayedSlip(2.0, text="a"), PlayedSlip(2.0), False),
        (PlayedSlip(2.0, text="a"), PlayedSlip(2.0, closing="a"), False),
        (PlayedSlip(None, "nan"), PlayedSlip(None, "nan"), True),
        (PlayedSlip(None, "nan"), PlayedSlip(None, "infinite"), False),
        (PlayedSlip(None, "nan"), PlayedSlip(2.0), False),
    ],
)
def test_should_take_two_processors_sums_for_the_same_and_two_perplexities_apart(one, other, same):
    assert one.agrees(other) is same
    assert other.agrees(one) is same


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Any:
    """The shipped katas beside a table of one's own, as `prove_play` looks at a workspace."""
    root = tmp_path_factory.mktemp("workspace")
    (root / "drills").mkdir()
    return SimpleNamespace(root=root, katas=load_katas(ROOT), cache=root / "cache")


def proved(workspace: Any, *names: str, make: bool = False) -> tuple[PlayProof, list[tuple[str, bool]]]:
    told: list[tuple[str, bool]] = []
    wanted = [kata for kata in workspace.katas if kata.id in names]
    found = prove_play(
        workspace,
        wanted,
        make=make,
        cache_dir=workspace.cache,
        jobs=1,
        progress=lambda name, cached: told.append((name, cached)),
    )
    return found, told


def test_should_measure_again_what_the_table_says_and_only_once(workspace):
    shutil.copy(play_file(ROOT), play_file(workspace.root))
    found, told = proved(workspace, KATA, "lora")
    assert found.problems == ()
    assert found.table == load_play(workspace.root)
    assert told == [(KATA, False)]
    assert proved(workspace, KATA)[1] == [(KATA, True)]


def test_should_report_a_number_that_is_not_the_measured_one_and_write_that(workspace):
    shutil.copy(play_file(ROOT), play_file(workspace.root))
    data = json.loads(play_text(workspace.root))
    name = min(data["katas"][KATA])
    right = data["katas"][KATA][name]["perplexity"]
    data["katas"][KATA][name]["perplexity"] = 99.0
    data["katas"][KATA]["gone"] = {"perplexity": 2.0}
    play_file(workspace.root).write_text(json.dumps(data))
    found, _ = proved(workspace, KATA)
    assert [problem.rule for problem in found.problems] == [STALE_PLAY]
    assert f"drills/play.json is stale for {KATA}" in found.problems[0].what
    assert found.table.slip(KATA, name).perplexity == pytest.approx(right, rel=1e-3)
    assert found.table.slip(KATA, "gone") is None


def test_should_leave_a_workspace_alone_that_has_no_table_or_not_all_katas(workspace):
    play_file(workspace.root).unlink(missing_ok=True)
    assert proved(workspace, KATA)[0] == PlayProof()
    some = SimpleNamespace(root=workspace.root, katas=workspace.katas[:3], cache=workspace.cache)
    assert proved(some, KATA, make=True)[0] == PlayProof()
    made, _ = proved(workspace, KATA, make=True)
    assert set(made.table.katas) == {KATA}
