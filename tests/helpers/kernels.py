"""A real kernel of Jupyter's, to run cells in one after another."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from llmdrills.notebook.shown import JSON_TYPE

__all__ = ["Kernel", "Output", "kernel"]


@dataclass(frozen=True)
class Output:
    """What a cell displayed: all media types joined, what was streamed, and the error that ended it, if one did."""

    plain: str
    html: str
    json: dict[str, Any]
    markdown: str
    streamed: str
    error: str

    @property
    def all(self) -> str:
        return self.plain + self.markdown + self.streamed + self.error


class Kernel:
    """Runs cells in a kernel that is up already."""

    def __init__(self, client: NotebookClient) -> None:
        self._client = client
        self.notebook = client.nb

    def run(self, source: str) -> Output:
        """Run it as the next cell of the notebook."""
        cell = nbformat.v4.new_code_cell(source)
        self.notebook.cells.append(cell)
        error = ""
        try:
            self._client.execute_cell(cell, len(self.notebook.cells) - 1)
        except CellExecutionError as failed:
            error = f"{failed.ename}: {failed.evalue}"
        data = [one.data for one in cell.outputs if one.output_type in {"display_data", "execute_result"}]
        streamed = "".join(one.text for one in cell.outputs if one.output_type == "stream")

        def joined(kind: str) -> str:
            return "\n".join(one[kind] for one in data if kind in one)

        json = next((one[JSON_TYPE] for one in data if JSON_TYPE in one), {})
        return Output(joined("text/plain"), joined("text/html"), json, joined("text/markdown"), streamed, error)


@contextlib.contextmanager
def kernel(folder: Path, **environment: str) -> Iterator[Kernel]:
    """A kernel that works in that folder, with these variables besides this process's own."""
    notebook = nbformat.v4.new_notebook()
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    with client.setup_kernel(env={**os.environ, **environment}):
        yield Kernel(client)
