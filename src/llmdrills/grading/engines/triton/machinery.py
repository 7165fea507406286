"""Everything that needs torch and triton, put together once in a process."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from llmdrills.grading.engines.triton.report import Event, Limits
from llmdrills.grading.engines.triton.watch import Watch, install, installed, watching

__all__ = ["prepare"]


class _Machinery:
    """What `watch.Machinery` promises."""

    def __init__(self, given: Any, operators: Any, compiler: Any) -> None:
        self._given = given
        self._operators = operators
        self._compiler = compiler

    def given(self, arguments: Any) -> Any:
        return self._given(arguments)

    def operators(self, watch: Watch) -> AbstractContextManager[Any]:
        operators: AbstractContextManager[Any] = self._operators(watch)
        return operators

    def compile_gate(self, kernel: Any, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> Event | None:
        event: Event | None = self._compiler.gate(kernel, arguments, options)
        return event


def prepare() -> None:
    """Make this process ready: to be called in the server, before it forks and before an attempt is imported.

    Sets TRITON_INTERPRET=1, imports triton, installs the watch's patches, and launches and compiles one small kernel,
    because the first of each is slow. A second call does nothing.
    Raises RuntimeError where triton was imported before without TRITON_INTERPRET=1, and ModuleNotFoundError without it.
    """
    if installed() is not None:
        return
    if "triton" in sys.modules and os.environ.get("TRITON_INTERPRET") != "1":
        raise RuntimeError("triton was imported without TRITON_INTERPRET=1: its own functions cannot be interpreted")
    os.environ["TRITON_INTERPRET"] = "1"  # read when a function is decorated, the language's own ones included
    os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")  # unset, triton 3.9 warns on standard error
    from llmdrills.grading.engines.triton.compiling import Compiler
    from llmdrills.grading.engines.triton.hooks import install_hooks
    from llmdrills.grading.engines.triton.launching import install_launching
    from llmdrills.grading.engines.triton.memory import Given
    from llmdrills.grading.engines.triton.torch_use import Operators, tensors

    compiler = Compiler()
    install_hooks()
    install_launching(compiler)
    install(_Machinery(lambda arguments: Given(tensors(arguments)), Operators, compiler))
    _warm()


def _warm() -> None:
    """One launch and one compilation: the first of each is slow."""
    import torch

    from llmdrills.grading.engines.triton.warming import double

    x = torch.ones(5)
    with watching(Limits(), given=(x,)):
        y = torch.empty(5)
        double[(1,)](x, y, 5, BLOCK=8)
