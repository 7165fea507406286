"""A piece of Python that shows a failure again when it is pasted."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from llmdrills.content.model import Kata
from llmdrills.grading.judging import findings as f
from llmdrills.grading.protocol.answer import Expected

__all__ = ["snippet"]


def snippet(
    kata: Kata,
    variant: str,
    expected: Expected,
    findings: Sequence[f.Finding],
    seed: int,
    file: str,
    device: str = "cpu",
) -> str:
    """Complete Python: it loads the attempt, makes the inputs of the case, calls, and prints what is wrong.

    Small inputs are written out; larger ones are made again from the seed by `llmdrills.grading.reproduce`.
    """
    literals = expected.call.literals
    lines = ["import runpy", ""]
    lines += [f"{kata.entry} = runpy.run_path({file!r})[{kata.entry!r}]"]
    if literals and device == "cpu":
        lines[0:1] = ["import runpy", "", "import torch"]
        lines += [f"{name} = {text}" for name, text in literals.items()]
        given = [name if at < expected.call.positional else f"{name}={name}" for at, name in enumerate(literals)]
        arguments = ", ".join(given)
    else:
        lines[0:1] = ["import runpy", "", "from llmdrills.grading.reproduce import inputs"]
        where = f"{str(kata.folder)!r}, {variant!r}, {expected.case!r}, seed={seed}"
        lines += [f"args, kwargs = inputs({where}{'' if device == 'cpu' else f', device={device!r}'})"]
        arguments = "*args, **kwargs"
    lines += [*_ending(f"{kata.entry}({arguments})", findings)]
    return "\n".join(lines) + "\n"


def _ending(call: str, findings: Sequence[f.Finding]) -> list[str]:
    """The call, and a comment with what should have come."""
    first = findings[0] if findings else None
    if isinstance(first, (f.WrongValues, f.NotFinite)) and not first.path.startswith("gradient"):
        index = f"[{', '.join(map(str, first.index))}]" if first.index else ""
        return [
            f"result = {call}",
            f"print(result{first.path}{index})  # {first.expected:.6g} is due, {first.got:.6g} came",
        ]
    if isinstance(first, f.WrongShape):
        return [f"result = {call}", f"print(result{first.path}.shape)  # {tuple(first.expected)} is due"]
    if isinstance(first, f.WrongDtype):
        return [f"result = {call}", f"print(result{first.path}.dtype)  # torch.{first.expected} is due"]
    if isinstance(first, f.DidNotRaise):
        return [f"print({call})  # {first.expected} is due"]
    if isinstance(first, (f.WrongScalar, f.WrongText)):
        return [f"result = {call}", f"print(result{first.path})  # {textwrap.shorten(repr(first.expected), 80)} is due"]
    return [f"print({call})"]
