"""Proofs: a few lines of Python that must hold, so that a fact on a card or in feedback is one that was executed."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["run_proof"]


def run_proof(text: str, names: Sequence[str], given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Run a proof: `{"values": …}`, or `{"error": text, "line": n}` with the line of the proof, 0 when unknown.

    `names` are those that it must leave behind, `given` those that it may use.
    """
    if "torch" in text:
        import torch

        torch.manual_seed(0)
    space: dict[str, Any] = {"__name__": "proof", **(given or {})}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(text, "<proof>", "exec", dont_inherit=True), space)  # noqa: S102  # running it is the point
        return {"values": {name: _scalar(name, space) for name in names}}
    except SyntaxError as error:
        return {"error": f"not Python: {error.msg}", "line": error.lineno or 0}
    except Exception as error:  # whatever the author's proof raises
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<proof>"]
        line = (frames[-1].lineno or 0) if frames else 0
        written = text.split("\n")[line - 1].strip() if line else ""
        silent = isinstance(error, AssertionError) and not str(error)
        fault = f"does not hold: {written}" if silent else f"raises {type(error).__name__}: {error}"
        return {"error": fault, "line": line}


def _scalar(name: str, space: Mapping[str, Any]) -> int | float | str:
    if name not in space:
        raise NameError(f"the proof leaves no {name!r} behind")
    value = space[name]
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError(f"{name!r} is a {type(value).__name__}; leave a number or a text")
    return value
