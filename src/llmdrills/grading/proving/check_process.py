"""The process that proves katas and runs proofs: `python -m llmdrills.grading.proving.check_process`.

`llmdrills.grading.proving.check` starts it and speaks to it: one JSON object a line, each way. torch is imported
when the first request needs it. What the katas' code prints goes to stderr, never between the answers.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llmdrills.content.model import Kata
from llmdrills.errors import LLMDrillsError

__all__ = ["main", "run_proof"]


def run_proof(text: str, names: Sequence[str]) -> dict[str, Any]:
    """Run a proof: `{"values": …}`, or `{"error": text, "line": n}` with the line of the proof, 0 when unknown."""
    if "torch" in text:
        import torch

        torch.manual_seed(0)
    space: dict[str, Any] = {"__name__": "proof"}
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
        said = f"does not hold: {written}" if silent else f"raises {type(error).__name__}: {error}"
        return {"error": said, "line": line}


def _scalar(name: str, space: Mapping[str, Any]) -> int | float | str:
    if name not in space:
        raise NameError(f"the proof leaves no {name!r} behind")
    value = space[name]
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError(f"{name!r} is a {type(value).__name__}; leave a number or a text")
    return value


def main() -> None:
    """Answer requests until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        started = time.perf_counter()
        try:
            answer = _HANDLERS[request["what"]](request)
        except LLMDrillsError as error:
            answer = {"failed": f"failed: {error}"}
        except Exception as error:  # a fault of ours: told, and the next request is served
            traceback.print_exc()
            answer = {"failed": f"failed: {type(error).__name__}: {error}"}
        answer["seconds"] = time.perf_counter() - started
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _kata(request: Mapping[str, Any]) -> dict[str, Any]:
    from llmdrills.grading.proving.kata_proof import check_kata

    kata: Kata = pickle.loads(base64.b64decode(request["kata"]))  # noqa: S301  # written by the command that started us
    return {"report": check_kata(kata, request["seed"]).to_json()}


def _proof(request: Mapping[str, Any]) -> dict[str, Any]:
    return run_proof(request["text"], request["values"])


_HANDLERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {"kata": _kata, "proof": _proof}

if __name__ == "__main__":
    main()
