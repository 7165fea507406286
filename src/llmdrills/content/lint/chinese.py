"""Rules about Chinese typography: full-width punctuation, a space beside Latin letters, and one word for each term."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from llmdrills.content.lint.rule import Context, Found, rule
from llmdrills.content.lint.texts import CJK, prose

__all__ = ["Term", "glossary"]

_HALF = re.compile(
    rf"[{CJK}][,;:?!]|[,;?!][{CJK}]|[{CJK}]\.(?!\w)|[{CJK}]\((?=[^()]*[{CJK}])|[{CJK}]\)|[{CJK}][\"']|[\"'][{CJK}]"
)
_FULL = re.compile("[，。；：？！（）【】、]")
_TIGHT = re.compile(rf"[{CJK}][A-Za-z0-9]|[A-Za-z0-9%][{CJK}]")
_LOOSE = re.compile(r"[^\S\n][，。；：？！）”、]|[，。；：？！（“、][^\S\n]+(?=\S)")
_FULL_DIGIT = re.compile("[０-９Ａ-Ｚａ-ｚ]")


@rule("mixed-punctuation")
def mixed_punctuation(context: Context) -> Iterator[Found]:
    """Half-width punctuation in a Chinese sentence, or full-width in an English one."""
    for note, path, text, at in context.texts("zh"):
        shown = prose(text)
        if found := _HALF.search(shown) or _FULL_DIGIT.search(shown):
            what = f"half-width punctuation in Chinese, {path}: “{_around(shown, found)}”"
            if _FULL_DIGIT.match(found[0]):
                what = f"a full-width letter or digit, {path}: “{_around(shown, found)}”"
                yield Found(at, what, "write it half-width", note)
            else:
                yield Found(at, what, "write ，。；：？！（）“” in a Chinese sentence", note)
    for note, path, text, at in context.texts("en"):
        shown = prose(text)
        if found := _FULL.search(shown):
            what = f"full-width punctuation in English, {path}: “{_around(shown, found)}”"
            yield Found(at, what, "write it half-width", note)


@rule("cjk-spacing")
def cjk_spacing(context: Context) -> Iterator[Found]:
    """A space stands between Chinese and Latin letters, digits, code or math; none beside full-width punctuation."""
    for note, path, text, at in context.texts("zh"):
        shown = prose(text)
        if found := _TIGHT.search(shown):
            what = f"no space between Chinese and Latin, {path}: “{_around(shown, found)}”"
            yield Found(at, what, "put a space between them", note)
        elif found := _LOOSE.search(shown):
            what = f"a space beside full-width punctuation, {path}: “{_around(shown, found)}”"
            yield Found(at, what, "take the space out", note)


def _around(text: str, found: re.Match[str]) -> str:
    return re.sub(r"\s+", " ", text[max(0, found.start() - 6) : found.end() + 6]).strip()


@dataclass(frozen=True)
class Term:
    """One term of the glossary: how it is said in Chinese, and what is not said."""

    en: str
    zh: tuple[str, ...]
    never: tuple[str, ...]


@lru_cache(maxsize=1)
def glossary() -> tuple[Term, ...]:
    """The terms of glossary.toml."""
    text = resources.files("llmdrills.content.lint").joinpath("glossary.toml").read_text("utf-8")
    return tuple(Term(one["en"], tuple(one["zh"]), tuple(one["never"])) for one in tomllib.loads(text)["term"])


@rule("glossary")
def one_word_for_one_term(context: Context) -> Iterator[Found]:
    """A term is said with the same Chinese word everywhere."""
    wrong = {word: term for term in glossary() for word in term.never}
    pattern = re.compile("|".join(re.escape(word) for word in sorted(wrong, key=len, reverse=True)), re.IGNORECASE)
    lower = {word.lower(): term for word, term in wrong.items()}
    for note, path, text, at in context.texts("zh"):
        for found in dict.fromkeys(one[0] for one in pattern.finditer(prose(text))):
            term = lower[found.lower()]
            todo = f"write {' or '.join(f'“{word}”' for word in term.zh)}"
            yield Found(at, f"“{found}” for “{term.en}”, {path}", todo, note)
