"""Anki decks and PyTorch katas, from one source, for people who learn how large language models work."""

__all__ = ["__version__"]

__version__ = "0.1.0"
