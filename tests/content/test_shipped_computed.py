"""decks/computed.json says the same on every machine: nothing in it names a folder of the one that wrote it."""

from __future__ import annotations

from pathlib import Path


def test_should_hold_no_path_of_a_machine(root: Path):
    text = (root / "decks" / "computed.json").read_text("utf-8")
    assert "/tmp" not in text
    assert "llmdrills-check-" not in text
    assert str(root) not in text
