"""Where an attempt is: the line of its file that is being run."""

from __future__ import annotations

import sys
from types import FrameType

__all__ = ["line_of", "line_of_error"]


def line_of(files: frozenset[str] | set[str]) -> int | None:
    """The line of the innermost frame that runs one of these files; None where none does."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename in files:
            return frame.f_lineno
        frame = frame.f_back
    return None


def line_of_error(error: BaseException, files: frozenset[str] | set[str]) -> int | None:
    """The line of these files in which the exception was raised: the innermost that its traceback holds."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in files:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
