"""The workspace: decks of notes and katas, read from text and checked.

Nothing is imported before it is asked for: the daily command needs the catalogue alone, neither YAML nor the
linter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmdrills.content.load import load_katas, load_workspace

__all__ = ["load_katas", "load_workspace"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from llmdrills.content import load

        return getattr(load, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
