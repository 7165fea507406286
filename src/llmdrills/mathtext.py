"""TeX as Unicode, for a terminal: `$\\frac{1}{\\sqrt{d_k}}$` becomes 1/√dₖ. Cards keep their TeX: MathJax sets it.

unicodeit knows the symbols, and the letters that Unicode has above and below the line. What it leaves in braces is
written here: words, names of functions, roots, fractions and binomial coefficients (C(n, k)), and exponents that
Unicode has no letters for, which become `^(…)`. What is not covered: matrices, and accents over more than one letter.
"""

from __future__ import annotations

import functools
import re

__all__ = ["unicode_math"]

_CODE_OR_MATH = re.compile(
    r"(?P<fence>```.*?```)|(?P<code>`[^`]*`)|\$\$(?P<block>.+?)\$\$|\$(?P<line>[^$\n]+)\$", re.DOTALL
)
_GROUP = r"\{((?:[^{}]|\{[^{}]*\})*)\}"
_WORDS = re.compile(rf"\\(?:text|mathrm|mathbf|mathit|operatorname\*?|textbf|textit){_GROUP}")
# An argument without braces: `\hat v`, `\sqrt2`.
_BARE = re.compile(r"\\(hat|bar|tilde|vec|dot|ddot|sqrt|mathbf|mathrm|mathit)\s*((?<=\s)[A-Za-z0-9]|\\[A-Za-z]+|[0-9])")
_NAMES = re.compile(r"\\(min|max|log|ln|exp|sin|cos|tan|tanh|arg|argmax|softmax|Pr|det|dim)(?![A-Za-z])")
_ROOT = re.compile(rf"\\sqrt\s*{_GROUP}")
_FRACTION = re.compile(rf"\\[dt]?frac\s*{_GROUP}\s*{_GROUP}")
_CHOOSE = re.compile(rf"\\[dt]?binom\s*{_GROUP}\s*{_GROUP}")
_MODULO = re.compile(r"\s*\\bmod(?![A-Za-z])\s*")
_SHIFTED = re.compile(rf"([\^_]){_GROUP}")
_SPACES = re.compile(r"\\[,;:! ]|~|\\q?quad(?![A-Za-z])")
_TRANSPOSED = re.compile(r"\^\{?\\(?:top|intercal)\}?")
_DELIMITERS = re.compile(r"\\(?:left|right|bigl?|bigr?|Bigl?|Bigr?)(?![A-Za-z])")
_DOTS = re.compile(r"\\[lc]?dots(?![A-Za-z])")
_APART = "\ue001"  # between ^ and a bracket that stays on the line: unicodeit would raise the bracket alone
_HAS_RAISED = frozenset("0123456789+-=()ABDEGHIJKLMNOPRTUWabcdefghijklmnoprstuvwxyz")
_HAS_LOWERED = frozenset("0123456789+-=()aeoxjhklmnpstiruv")


def unicode_math(text: str) -> str:
    """The text with the math in it as Unicode; code between backticks stays as it is."""
    return _CODE_OR_MATH.sub(_replaced, text) if "$" in text else text


def _replaced(match: re.Match[str]) -> str:
    formula = match["block"] or match["line"]
    return _formula(formula.strip()) if formula else match.group()


@functools.cache
def _formula(tex: str) -> str:
    import unicodeit  # here: most texts hold no math

    tex = _BARE.sub(r"\\\1{\2}", _TRANSPOSED.sub("ᵀ", _DELIMITERS.sub("", tex)))
    before = None
    while before != tex:  # from the innermost braces outwards
        before = tex
        tex = _WORDS.sub(r"\1", tex)
        tex = _SHIFTED.sub(_shifted, tex)
        tex = _ROOT.sub(lambda m: f"√{_one(m[1])}", tex)
        tex = _CHOOSE.sub(lambda m: f"C({m[1].strip()}, {m[2].strip()})", tex)
        tex = _FRACTION.sub(lambda m: f"{_one(m[1])}/{_one(m[2])}", tex)
    tex = _MODULO.sub(" mod ", tex)
    tex = _DOTS.sub("…", _SPACES.sub(" ", _NAMES.sub(_name, tex)))
    said = str(unicodeit.replace(tex)).replace(_APART, "")
    return re.sub(r" {2,}", " ", said.replace(r"\{", "{").replace(r"\}", "}").replace(r"\%", "%")).strip()


def _name(match: re.Match[str]) -> str:
    """A function's name, with the space that TeX sets between it and its argument or what stands before it."""
    after = match.string[match.end() : match.end() + 1]
    before = match.string[: match.start()][-1:]
    lead = " " if before.isalnum() else ""
    return f"{lead}{match[1]}{'' if after in {'', '(', ' ', '_', '{'} else ' '}"


def _shifted(match: re.Match[str]) -> str:
    """What stands above or below the line, in letters that unicodeit can set; else in brackets."""
    sign, inside = match[1], match[2].strip()
    if "{" in inside:
        return match.group()
    letters = _HAS_RAISED if sign == "^" else _HAS_LOWERED
    tight = inside.replace(" ", "")
    if set(tight) <= letters:
        return "".join(f"{sign}{letter}" for letter in tight)
    return f"{sign}{inside}" if sign == "_" and inside.isalpha() else f"{sign}{_APART}({inside})"


def _one(inside: str) -> str:
    """A root's or fraction's part, in brackets where it is more than one number, letter or call."""
    inside = inside.strip()
    return inside if re.fullmatch(r"√?[\w.]+(?:[\^_]\w)*|\\[A-Za-z]+(?:\{\\?\w+\})?", inside) else f"({inside})"
