"""What an attempt is read from: a file, a notebook, a cell, or a text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.content.notebookfile import Cell, entry_cell, is_notebook
from llmdrills.errors import UsageError
from llmdrills.files import check_size, read_source

if TYPE_CHECKING:
    from llmdrills.content.model import Kata

__all__ = ["Source", "read_attempt"]


class Source(NamedTuple):
    """An attempt's bytes, its name as tracebacks show it, and the cell that it is, if it is one."""

    code: bytes
    name: str
    cell: Cell | None = None


def read_attempt(source: Path | str | bytes | Cell, file: str, kata: Kata) -> Source:
    """Read what is to be graded. Raises UsageError."""
    if isinstance(source, Path):
        try:
            if not is_notebook(source):
                return Source(read_source(source), str(source))
            source = entry_cell(source, kata.entry, kata.id)
        except OSError as error:
            raise UsageError(f"cannot read {source}: {error.strerror}", "give the path of your file") from error
    if isinstance(source, Cell):
        return Source(source.code, source.name, source)
    code = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    check_size(len(code), file)
    return Source(code, file)
