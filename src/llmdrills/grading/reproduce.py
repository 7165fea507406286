"""The inputs of one case again, for a learner to look at: what a failure's snippet imports. Needs torch."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmdrills.content.katafile import read_kata
from llmdrills.content.notebookfile import entry_cell
from llmdrills.content.report import Report
from llmdrills.errors import UsageError
from llmdrills.grading.engines import triton
from llmdrills.grading.kernels.expectations import make_question
from llmdrills.grading.kernels.launches import marked
from llmdrills.grading.kernels.launches import watched as run_watched
from llmdrills.grading.kernels.overwriting import written_over
from llmdrills.grading.kernels.registry import load
from llmdrills.grading.protocol.answer import Question
from llmdrills.grading.protocol.tensors import thaw
from llmdrills.grading.protocol.wire import Value

__all__ = ["calls", "from_notebook", "inputs", "watched"]

Arguments = tuple[list[Any], dict[str, Any]]


def inputs(folder: str, variant: str, case: str, *, seed: int, device: str = "cpu") -> Arguments:
    """The arguments with which the entry function of the kata in `folder` is called in `case`; first, where it is
    called several times.

    Raises UsageError when the variant has no case of that name, ContentError when the kata has problems.
    """
    question = _question(folder, variant, case, seed)
    return _thawed(question.args, question.kwargs, device)


def calls(folder: str, variant: str, case: str, *, seed: int, device: str = "cpu") -> Iterator[Arguments]:
    """The arguments of every call of the case, in order; from the third on in the objects of the call before, as they
    are graded. Raises what `inputs` raises.
    """
    question = _question(folder, variant, case, seed)
    given = _thawed(question.args, question.kwargs, device)
    yield given
    for at, (args, kwargs) in enumerate(question.then):
        fresh = _thawed(args, kwargs, device)
        given = fresh if at == 0 else written_over(given, fresh)
        yield given


def watched(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """A wrapper of Triton kernels as it is graded: it raises StoppedCallError, with the kind of what the watch saw.

    The environment must say TRITON_INTERPRET=1 before anything imports triton. Raises RuntimeError where it does not.
    """
    triton.prepare()
    return run_watched(marked(kernel, "triton"))


def from_notebook(path: str, entry: str) -> Any:
    """What the notebook's last cell that defines `entry` gives that name; the cell is run alone, as it is graded.

    Raises UsageError when no cell defines it, and what the cell raises.
    """
    cell = entry_cell(Path(path), entry)
    space: dict[str, Any] = {"__name__": "solution"}
    exec(compile(cell.code, cell.name, "exec", dont_inherit=True), space)  # noqa: S102  # the learner's own code
    return space[entry]


def _thawed(args: Sequence[Value], kwargs: Mapping[str, Value], device: str) -> Arguments:
    return [thaw(value, device) for value in args], {name: thaw(value, device) for name, value in kwargs.items()}


def _question(folder: str, variant: str, case: str, seed: int) -> Question:
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
                return make_question(loaded, known, seed, private).question
    raise UsageError(f"there is no case {case!r}", "use a name that `llmdrills grade --json` lists under `cases`")
