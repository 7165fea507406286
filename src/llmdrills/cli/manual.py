"""The help of a command, in both languages: what it does, examples, and what else is to be known."""

from __future__ import annotations

from llmdrills.language import LANGUAGES, Bilingual

__all__ = ["manual"]


def manual(does: Bilingual, *examples: str, more: Bilingual | None = None) -> Bilingual:
    """Help as Typer takes it. The first sentence of `does` stands in the list of commands of a group.

    An empty line parts paragraphs. The examples are the same in both languages, because they are commands.
    """
    shown = "".join(f"\n  {example}" for example in examples)
    rest = Bilingual("", "") if more is None else Bilingual(f"\n\n{more.en}", f"\n\n{more.zh}")
    # The backspace keeps the lines as they are; "Examples:" itself is told where help is written.
    en, zh = (f"{does[one]}\n\n\b\nExamples:{shown}{rest[one]}" for one in LANGUAGES)
    return Bilingual(en, zh)
