"""A mistake is told by its text wherever a learner's mistakes are listed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from llmdrills.content.catalogue import load_catalogue, with_slips
from llmdrills.content.mistakes import mistakes

ROOT = Path(__file__).parents[2]


def test_should_know_the_text_of_every_slip_of_the_shipped_katas(tmp_path: Path) -> None:
    for kata in load_catalogue(ROOT, tmp_path):
        known = mistakes(kata)
        assert [slip.id for slip in with_slips(kata).slips if not known[slip.id].zh] == []
        assert {f"variant-{one.id}" for one in kata.variants if one.mistaken} <= known.keys()


@pytest.mark.parametrize("text", ["slips: [", "7", "slips: {a: b}", "slips: [7, {id: 1}]", "\ud800"])
def test_should_leave_out_what_cannot_be_read(tmp_path: Path, text: str) -> None:
    kata = load_catalogue(ROOT, tmp_path)[0]
    folder = tmp_path / "kata"
    folder.mkdir()
    (folder / "slips.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    assert set(mistakes(dataclasses.replace(kata, folder=folder))) <= {f"variant-{one.id}" for one in kata.variants}
