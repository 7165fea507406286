"""What an attempt is read from: a file, a notebook, a cell, or a text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.content.notebookfile import Cell, entry_cell, is_notebook
from llmdrills.errors import UsageError
from llmdrills.files import check_size, read_source

if TYPE_CHECKING:
    from llmdrills.content.model import Kata

__all__ = ["Source", "read_attempt", "read_file"]


class Source(NamedTuple):
    """An attempt's bytes, its name as tracebacks show it, and the cell that it is, if it is one."""

    code: bytes
    name: str
    cell: Cell | None = None


def read_file(path: Path, kata: Kata) -> Source:
    """Read a file, or the cell of a notebook that answers the kata. Raises UsageError, and OSError."""
    if is_notebook(path):
        cell = entry_cell(path, kata.entry, kata.id)
        return Source(cell.code, cell.name, cell)
    return Source(read_source(path), str(path))


def read_attempt(source: Path | str | bytes | Cell, file: str, kata: Kata) -> Source:
    """Read what is to be graded. Raises UsageError."""
    if isinstance(source, Path):
        try:
            return read_file(source, kata)
        except OSError as error:
            raise UsageError(f"cannot read {source}: {error.strerror}", "give the path of your file") from error
    if isinstance(source, Cell):
        return Source(source.code, source.name, source)
    code = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    check_size(len(code), file)
    return Source(code, file)
