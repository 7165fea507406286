"""The inputs of one case again, for a learner to look at: what a failure's snippet imports. Needs torch."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any

from llmdrills.content.katafile import read_kata
from llmdrills.content.report import Report
from llmdrills.errors import UsageError
from llmdrills.grading.kernels.expectations import make_question
from llmdrills.grading.kernels.registry import load
from llmdrills.grading.protocol.tensors import thaw

__all__ = ["inputs"]


def inputs(folder: str, variant: str, case: str, *, seed: int, device: str = "cpu") -> tuple[list[Any], dict[str, Any]]:
    """The arguments with which the entry function of the kata in `folder` is called in `case`.

    Raises UsageError when the variant has no case of that name, ContentError when the kata has problems.
    """
    report = Report(Path(folder))
    kata = read_kata(Path(folder), report).kata
    report.raise_if_any()
    assert kata is not None  # noqa: S101  # a kata without problems is there
    loaded = load(kata)
    for known in loaded.variant(variant).cases:
        if known.name == case:
            private = Path(tempfile.mkdtemp(prefix="llmdrills-inputs-"))
            atexit.register(shutil.rmtree, private, ignore_errors=True)  # the snippet's call reads it until then
            with loaded.importable():
                question, _ = make_question(loaded, known, seed, private)
            args = [thaw(value, device) for value in question.args]
            return args, {name: thaw(value, device) for name, value in question.kwargs.items()}
    raise UsageError(f"there is no case {case!r}", "use a name that `llmdrills grade --json` lists under `cases`")
