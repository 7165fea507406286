"""A piece of Python that shows a failure again when it is pasted."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from llmdrills.grading.judging import findings as f
from llmdrills.grading.protocol.answer import Expected
from llmdrills.grading.protocol.attempt_spec import AttemptSpec
from llmdrills.language import Bilingual, Language

__all__ = ["snippet"]

_DUE = Bilingual("{due} is due", "应为 {due}")
_DUE_AND_CAME = Bilingual("{due} is due, {came} came", "应为 {due}，得到 {came}")


_INTERPRETED = ("import os", "", 'os.environ["TRITON_INTERPRET"] = "1"  # before anything imports triton', "")


def snippet(spec: AttemptSpec, expected: Expected, findings: Sequence[f.Finding]) -> str:
    """Complete Python: it loads the attempt, makes the inputs of the case, calls, and prints what is wrong.

    Small inputs are written out; larger ones are made again from the seed by `llmdrills.grading.reproduce`, and so
    are those of a case with several calls.
    """
    entry, device, literals = spec.kata.entry, spec.device, expected.call.literals
    where = f"{str(spec.kata.folder)!r}, {spec.variant!r}, {expected.case!r}, seed={spec.seed}"
    where += "" if device == "cpu" else f", device={device!r}"
    if expected.calls > 1:
        imports = ["import runpy", "", "from llmdrills.grading.reproduce import calls", ""]
        made = [f"for args, kwargs in calls({where}):"]
        arguments = "*args, **kwargs"
    elif literals and device == "cpu":
        imports = ["import runpy", "", "import torch", ""]
        made = [f"{name} = {text}" for name, text in literals.items()]
        positional = expected.call.positional
        arguments = ", ".join(name if at < positional else f"{name}={name}" for at, name in enumerate(literals))
    else:
        imports = ["import runpy", "", "from llmdrills.grading.reproduce import inputs", ""]
        made = [f"args, kwargs = inputs({where})"]
        arguments = "*args, **kwargs"
    if spec.cell is not None and spec.cell.number:
        imports = ["from llmdrills.grading.reproduce import from_notebook", *imports[1:]]
        found = f"from_notebook({str(spec.cell.path)!r}, {entry!r})"
    else:
        found = f"runpy.run_path({str(spec.cell.path) if spec.cell else spec.file!r})[{entry!r}]"
    if spec.kata.engine == "triton" and device == "cpu":
        imports = [*_INTERPRETED, *imports[:-1], "from llmdrills.grading.reproduce import watched", ""]
        found = f"watched({found})"
    loaded = f"{entry} = {found}"
    if expected.calls > 1:
        ending = [f"    print({entry}({arguments}))"]
    else:
        ending = _ending(f"{entry}({arguments})", findings, spec.language)
    return "\n".join([*imports, loaded, *made, *ending]) + "\n"


def _ending(call: str, findings: Sequence[f.Finding], language: Language) -> list[str]:
    """The call, and a comment with what should have come."""
    first = findings[0] if findings else None
    due, both = _DUE[language], _DUE_AND_CAME[language]
    if isinstance(first, (f.WrongValues, f.NotFinite)) and not first.path.startswith("gradient"):
        index = f"[{', '.join(map(str, first.index))}]" if first.index else ""
        comment = both.format(due=f"{first.expected:.6g}", came=f"{first.got:.6g}")
        return [f"result = {call}", f"print(result{first.path}{index})  # {comment}"]
    if isinstance(first, f.WrongShape):
        return [f"result = {call}", f"print(result{first.path}.shape)  # {due.format(due=tuple(first.expected))}"]
    if isinstance(first, f.WrongDtype):
        return [f"result = {call}", f"print(result{first.path}.dtype)  # {due.format(due=f'torch.{first.expected}')}"]
    if isinstance(first, f.DidNotRaise):
        return [f"print({call})  # {due.format(due=first.expected)}"]
    if isinstance(first, (f.WrongScalar, f.WrongText)):
        comment = due.format(due=textwrap.shorten(repr(first.expected), 80))
        return [f"result = {call}", f"print(result{first.path})  # {comment}"]
    return [f"print({call})"]
