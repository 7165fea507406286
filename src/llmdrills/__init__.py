"""Anki decks and PyTorch katas, from one source, for people who learn how large language models work.

docs/api.md says what may be imported from here, `llmdrills.content` and `llmdrills.grading`.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
