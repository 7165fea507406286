"""Anki decks and PyTorch katas, from one source, for people who learn how large language models work.

docs/api.md says what may be imported from here, `llmdrills.content` and `llmdrills.grading`.
"""

__all__ = ["__version__", "load_ipython_extension", "unload_ipython_extension"]

__version__ = "0.1.0"


def load_ipython_extension(shell: object) -> None:
    """`%load_ext llmdrills` in a notebook: the magics of `llmdrills.notebook`, for that shell of IPython."""
    import importlib  # only here: whoever imports llmdrills may have no IPython

    importlib.import_module("llmdrills.notebook.magics").load(shell)


def unload_ipython_extension(shell: object) -> None:
    """`%unload_ext llmdrills`: the magics go, and so do the grader's processes."""
    import importlib

    importlib.import_module("llmdrills.notebook.magics").unload(shell)
