"""drills/play.json: what each slip costs the small model. Written by `llmdrills check --write`. No torch.

table = load_play(root)
table.slip("rope-pairing", "positions-ignored")  # its perplexity and its text
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmdrills.errors import ContentError, Problem
from llmdrills.files import write_atomically

__all__ = ["CLOSE", "PlayTable", "PlayedSlip", "load_play", "play_file", "play_from_json", "play_text", "write_play"]

_SCHEMA = 1
_WRITE = "write it again with `llmdrills check --write`"
CLOSE = 1e-3
"""Two perplexities that differ by less, for each 1 of the smaller, are the same: processors add in other orders."""


@dataclass(frozen=True)
class PlayedSlip:
    """What a slip does to the model. `perplexity` is None where there is no number: `why` then says why, "nan",
    "infinite", or what ended the run. `text` begins a story, `closing` ends one; None where it is the right one."""

    perplexity: float | None
    why: str = ""
    text: str | None = None
    closing: str | None = None

    @property
    def changes_text(self) -> bool:
        """Whether one of the two texts is another one."""
        return self.text is not None or self.closing is not None

    def agrees(self, other: PlayedSlip) -> bool:
        """Whether both say the same; a text may be another one where both are: processors draw differently from a
        broken model."""
        if (self.text is None, self.closing is None) != (other.text is None, other.closing is None):
            return False
        if self.perplexity is None or other.perplexity is None:
            return self.perplexity == other.perplexity and self.why == other.why
        return math.isclose(self.perplexity, other.perplexity, rel_tol=CLOSE)


@dataclass(frozen=True)
class PlayTable:
    """The whole file: `katas` holds the slips of each kata by id.

    `model` is the digest of the model that was run; `perplexity` and the two texts are the references'.
    """

    model: str = ""
    perplexity: float = math.nan
    text: str = ""
    closing: str = ""
    katas: Mapping[str, Mapping[str, PlayedSlip]] = field(default_factory=dict)

    def slip(self, kata: str, slip: str) -> PlayedSlip | None:
        """What that slip does, where it was measured."""
        return self.katas.get(kata, {}).get(slip)

    def cost(self, name: str = "") -> float:
        """The perplexity with the slip KATA/ID, with the references for an empty name; inf where it is infinite.

        For the proofs of notes. Raises KeyError for what was not measured, ValueError where there is no number.
        """
        if not name:
            return self.perplexity
        kata, _, slip = name.partition("/")
        found = self.slip(kata, slip)
        if found is None:
            raise KeyError(f"{name}: no such slip was measured")
        if found.why == "infinite":
            return math.inf
        if found.perplexity is None:
            raise ValueError(f"{name}: {found.why}")
        return found.perplexity


def play_file(root: Path) -> Path:
    """Where the file lies in a workspace."""
    return root / "drills" / "play.json"


def play_text(root: Path) -> str:
    """The file as it stands, "" where there is none that can be read."""
    try:
        return play_file(root).read_text("utf-8")
    except (OSError, ValueError):  # `load_play` tells what is wrong with it
        return ""


def load_play(root: Path) -> PlayTable | None:
    """The workspace's table; None where it has none. Raises ContentError when the file is damaged."""
    path = play_file(root)
    try:
        return play_from_json(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ContentError([Problem(path, 1, 1, f"cannot be read: {error.strerror}", _WRITE)]) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        what = f"has an unexpected structure ({type(error).__name__}: {error})"
        raise ContentError([Problem(path, 1, 1, what, f"delete it, then {_WRITE}")]) from error


def play_from_json(data: Mapping[str, Any]) -> PlayTable:
    """The table that the file's JSON holds. Raises ValueError, KeyError, TypeError or AttributeError."""
    if data["schema"] != _SCHEMA:
        raise ValueError(f"schema {data['schema']!r}")
    katas = {name: {one: _slip(entry) for one, entry in slips.items()} for name, slips in data["katas"].items()}
    return PlayTable(str(data["model"]), float(data["perplexity"]), str(data["text"]), str(data["closing"]), katas)


def _slip(entry: Mapping[str, Any]) -> PlayedSlip:
    perplexity, texts = entry["perplexity"], (entry.get("text"), entry.get("closing"))
    text, closing = (None if one is None else str(one) for one in texts)
    return PlayedSlip(None if perplexity is None else float(perplexity), str(entry.get("why", "")), text, closing)


def write_play(root: Path, table: PlayTable) -> bool:
    """Write the workspace's table in a stable order, whole or not at all; False when it already said so."""
    data = {
        "schema": _SCHEMA,
        "model": table.model,
        "perplexity": table.perplexity,
        "text": table.text,
        "closing": table.closing,
        "katas": {name: {one: _entry(slip) for one, slip in slips.items()} for name, slips in table.katas.items()},
    }
    text = json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n"
    path = play_file(root)
    if path.exists() and path.read_bytes() == text.encode():
        return False
    write_atomically(path, text)
    return True


def _entry(slip: PlayedSlip) -> dict[str, Any]:
    entry: dict[str, Any] = {"perplexity": slip.perplexity}
    if slip.why:
        entry["why"] = slip.why
    entry.update({name: one for name, one in (("text", slip.text), ("closing", slip.closing)) if one is not None})
    return entry
