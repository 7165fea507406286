"""Writes the table of docs/play.md from drills/play.json: `python docs/make_play.py`; a test holds the page to it."""

from __future__ import annotations

import math
from pathlib import Path

from llmdrills.content.playtable import PlayedSlip, PlayTable, load_play
from llmdrills.grading.play.parts import PARTS

HERE = Path(__file__).parent
BEGIN, END = "<!-- table: written by docs/make_play.py from drills/play.json -->\n", "<!-- end of table -->\n"
WORDS = {"nan": "NaN", "infinite": "∞"}


def page() -> str:
    """The page with the table of today."""
    text = (HERE / "play.md").read_text("utf-8")
    table = load_play(HERE.parent)
    assert table is not None, "run `llmdrills check --write`"
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n" + "\n".join(rows(table)) + "\n\n" + END + rest.partition(END)[2]


def rows(table: PlayTable) -> list[str]:
    """One row a slip, kata by kata, those that cost most first."""
    found = ["| kata | known mistake | perplexity | text |", "|---|---|---|---|"]
    found.append(f"| | none: all references | {table.perplexity:.3f} | |")
    for part in PARTS:
        slips = sorted(table.katas.get(part.kata, {}).items(), key=lambda one: (-rank(one[1]), one[0]))
        found += [f"| {part.kata} | `{name}` | {number(slip)} | {text(slip)} |" for name, slip in slips]
    return found


def rank(slip: PlayedSlip) -> float:
    """By what the slips are ordered: no run at all, then no number, then the perplexity."""
    if slip.perplexity is not None:
        return slip.perplexity
    return {"nan": 1e301, "infinite": 1e300}.get(slip.why, math.inf)


def number(slip: PlayedSlip) -> str:
    """The perplexity, or why there is none."""
    if slip.perplexity is None:
        return WORDS.get(slip.why, "–")
    if slip.perplexity < 1000:
        return f"{slip.perplexity:.3f}"
    return f"{slip.perplexity:,.0f}" if slip.perplexity < 1e6 else f"{slip.perplexity:.1e}"


def text(slip: PlayedSlip) -> str:
    """What becomes of the text."""
    if slip.perplexity is None and slip.why not in WORDS:
        return f"none: {slip.why}"
    return "another" if slip.changes_text else "the same"


if __name__ == "__main__":
    (HERE / "play.md").write_text(page(), "utf-8")
