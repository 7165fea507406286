"""Find English that is left in a text which a Chinese reader gets, and the texts that the program holds.

Code, formulas, paths, options, identifiers and standard terms are no English. What is left counts as English where
three words of it follow one another, or two with a word between them that only a sentence has ("is", "the").
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

from llmdrills.language import Bilingual

__all__ = ["TERMS", "bilingual_constants", "english_left", "half_width_left"]

TERMS = (
    *(
        "Speculative Decoding",
        "Continuous Batching",
        "Gradient Checkpointing",
        "Sequence Parallel",
        "Pre-LN",
        "Post-LN",
    ),
    *("Flash Attention", "Mixture of Experts", "Byte Pair Encoding", "Rotary Position Embedding", "Beam Search"),
    *("Llama 3", "Chinchilla", "decoder-only", "encoder-only", "encoder-decoder", "Hugging Face", "GitHub Actions"),
    *("top-k", "top-p", "one-hot", "in-place", "bag of words", "batch size", "byte-level BPE", "learning rate"),
)
"""Terms that are said in English, or that stand in parentheses behind the Chinese one."""

_NO_PROSE = re.compile(
    r"```.*?```|\$\$.*?\$\$|`[^`]*`|\$[^$]*\$"  # code and formulas
    r"|^ {4,}.*$|^\S*[>$] .*$"  # a snippet, a shell's line
    r"|\x08\nExamples:(?:\n  .*)+"  # the examples of a command's help, which are told where it is written
    r"|https?://\S+|\]\([^)]*\)|<[^<>]*>"
    r"|--?[a-z][\w-]*(?:[= ][A-Z]+\b)?|\{[^{}]*\}"  # options, fields
    r"|[\w.~-]*/[\w./~*-]+|[\w-]+\.(?:py|yaml|lock|json|toml|md|html|apkg|svg|sqlite3?|csv|txt|db)\b"  # paths
    r"|\w+(?:\.\w+)+(?:\([^()]*\))?|\w*_\w*|\w+\([^()]*\)|\b[a-z0-9]+(?:-[a-z0-9]+)+\b",  # identifiers
    re.DOTALL | re.MULTILINE,
)
_SENTENCE = frozenset(
    re.findall(
        r"\w+",
        """
    a an the is are was were be been has have had does do did not no of to in on at by for from with without
    and or but it its this that these those which who what where when why how than as if so there here you
    your must may can cannot could should would will each every all any none only one more most too also again
    """,
    )
)
_RUN = re.compile(r"[A-Za-z][A-Za-z'’]*(?:(?:[ -]|, |; |: )[A-Za-z][A-Za-z'’]*)+")
_WORD = re.compile(r"[A-Za-z'’]+")


def english_left(text: str, known: tuple[str, ...] = ()) -> list[str]:
    """The English phrases in a Chinese text; `known` are names that may stand in it, beside TERMS."""
    shown = _NO_PROSE.sub(" ⟨⟩ ", text)
    for term in sorted((*TERMS, *known), key=len, reverse=True):
        shown = re.sub(rf"(?<!\w){re.escape(term)}(?!\w)", "⟨⟩", shown)
    return [found[0] for found in _RUN.finditer(shown) if _is_english(_WORD.findall(found[0]))]


def _is_english(words: list[str]) -> bool:
    lower = [word for word in words if word.islower() and len(word) > 1]
    return len(lower) >= 3 or (len(lower) >= 2 and not _SENTENCE.isdisjoint(lower))


def bilingual_constants(package: str = "llmdrills") -> Iterator[tuple[str, Bilingual]]:
    """Every text in two languages that a module of the package holds, in tables too, with the place."""
    root = importlib.import_module(package)
    assert root.__path__
    names = [one.name for one in pkgutil.walk_packages(root.__path__, f"{package}.") if "__main__" not in one.name]
    for name in names:
        module = importlib.import_module(name)
        for key, value in vars(module).items():
            yield from _inside(value, f"{name}.{key}")


def _inside(value: object, place: str) -> Iterator[tuple[str, Bilingual]]:
    if isinstance(value, Bilingual):
        yield place, value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _inside(one, f"{place}[{key!r}]")
    elif isinstance(value, (tuple, list)):
        for at, one in enumerate(value):
            yield from _inside(one, f"{place}[{at}]")


_CJK = "\u3400-\u9fff"
_HALF_WIDTH = re.compile(
    rf"[{_CJK}”’）] ?[,;:?!](?![\w/])|(?:[,;]|(?<!:):) ?[{_CJK}]|\)[{_CJK}]|[?!][{_CJK}]|[{_CJK}]\.(?!\w)"
    rf"|\([^()]*[{_CJK}][^()]*\)"
)


def half_width_left(text: str) -> list[str]:
    """The places in a Chinese text where half-width punctuation stands beside a Chinese character; code apart."""
    said = re.sub(r"^(?:llmdrills: )?(?:\S+:\d+: )?", "", text)  # the program's name, a place: as in any language
    return [found[0] for found in _HALF_WIDTH.finditer(_NO_PROSE.sub("⟨⟩", said))]
