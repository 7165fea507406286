"""The process that proves katas and runs proofs: `python -m llmdrills.grading.proving.check_process PARENT`.

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
from collections.abc import Callable, Mapping
from typing import Any

from llmdrills.content.model import Kata
from llmdrills.content.playtable import PlayTable, play_from_json
from llmdrills.errors import LLMDrillsError
from llmdrills.grading.proving.proofs import run_proof
from llmdrills.parent import die_with_parent

__all__ = ["main"]


def main() -> None:
    """Answer requests until stdin ends, or the parent does."""
    die_with_parent(int(sys.argv[1]))
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
    return {"report": check_kata(kata, request["seed"], request["seeds"]).to_json()}


def _holes(request: Mapping[str, Any]) -> dict[str, Any]:
    from llmdrills.grading.proving.holes import TRIES, search

    kata: Kata = pickle.loads(base64.b64decode(request["kata"]))  # noqa: S301  # written by the command that started us
    return {"report": search(kata, request["tries"] or TRIES).to_json()}


def _proof(request: Mapping[str, Any]) -> dict[str, Any]:
    return run_proof(request["text"], request["values"], {"cost": _table(request["played"]).cost})


def _table(text: str) -> PlayTable:
    return play_from_json(json.loads(text)) if text else PlayTable()


def _play(request: Mapping[str, Any]) -> dict[str, Any]:
    from llmdrills.grading.proving.play_proof import measure

    katas: list[Kata] = pickle.loads(base64.b64decode(request["katas"]))  # noqa: S301  # written by the command that started us
    return measure(katas, request["kata"])


_HANDLERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "kata": _kata,
    "holes": _holes,
    "play": _play,
    "proof": _proof,
}

if __name__ == "__main__":
    main()
