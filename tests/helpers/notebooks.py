"""Notebooks to grade and to run, written as Jupyter writes them."""

from __future__ import annotations

from pathlib import Path

import nbformat

__all__ = ["write_notebook"]


def write_notebook(path: Path, *cells: str, version: int = 4) -> Path:
    """A notebook of these cells of code; one that begins with `# md` is prose."""
    made = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    made.cells = [
        nbformat.v4.new_markdown_cell(one) if one.startswith("# md") else nbformat.v4.new_code_cell(one)
        for one in cells
    ]
    path.write_text(nbformat.writes(made).replace('"nbformat": 4', f'"nbformat": {version}'), "utf-8")
    return path
