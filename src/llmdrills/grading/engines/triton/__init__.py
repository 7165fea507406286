"""Triton kernels on any CPU: Triton's interpreter, watched.

    from llmdrills.grading.engines import triton as engine

    engine.prepare()                                  # once, in the server, before the attempt's file is imported
    with engine.watching(engine.Limits(), file=path, given=args) as watch:
        try:
            result = entry(*args)
        except engine.KernelStoppedError:
            ...
    report = watch.report()

This module imports neither torch nor triton: `available` may be asked anywhere, and `prepare` is for the processes that
run attempts. What the interpreter cannot show: speed, coalescing, shared memory, the order of threads within a program.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from llmdrills.grading.engines.triton.machinery import prepare
from llmdrills.grading.engines.triton.report import (
    KINDS,
    Cost,
    Event,
    Fact,
    KernelStoppedError,
    Kind,
    Limits,
    Report,
)
from llmdrills.grading.engines.triton.watch import Watch, installed
from llmdrills.grading.engines.triton.watch import watching as _watching

__all__ = [
    "KINDS",
    "OLDEST",
    "Cost",
    "Event",
    "Fact",
    "KernelStoppedError",
    "Kind",
    "Limits",
    "Report",
    "Watch",
    "available",
    "compile_gate",
    "prepare",
    "watching",
]

OLDEST = (3, 6)
"""The oldest Triton that is supported."""


def available() -> bool:
    """Whether attempts in Triton can be run here: Linux, with triton >= 3.6 installed. Imports nothing of it."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        version = importlib.metadata.version("triton")
    except importlib.metadata.PackageNotFoundError:
        return False
    found = re.match(r"(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= OLDEST


def watching(limits: Limits, *, file: str | None = None, given: Iterable[Any] = ()) -> AbstractContextManager[Watch]:
    """Watch one call of the attempt's entry function; see `watch.watching`. Needs `prepare`."""
    return _watching(limits, file=file, given=given)


def compile_gate(kernel: Any, arguments: Mapping[str, Any], options: Mapping[str, Any] | None = None) -> Event | None:
    """Put one kernel through Triton's own front end, as a launch with these arguments would; None where it compiles.

    `kernel` is what `@triton.jit` made, `arguments` its parameters by name (tensors and numbers as they are launched),
    `options` what else the launch gives (`num_warps`). Inside `watching` this happens by itself, once for each kernel
    and signature; it takes about 15 ms, and needs no GPU: the text is lowered to Triton's IR for sm_80, not further.
    """
    machinery = installed()
    if machinery is None:
        raise RuntimeError("engines.triton.prepare was not called in this process or before its fork")
    return machinery.compile_gate(kernel, arguments, options or {})
