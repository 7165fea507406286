"""Math on a terminal: Unicode, and no TeX left in anything that the shipped workspace says."""

from __future__ import annotations

import re

import pytest

from llmdrills.content import load_workspace
from llmdrills.mathtext import unicode_math

EXAMPLES = {
    r"$\epsilon$": "ε",
    r"$300^2$": "300²",
    r"$1/\sqrt{d_k}$": "1/√dₖ",
    r"$\sqrt{\mathrm{mean}(x^2) + \epsilon}$": "√(mean(x²) + ε)",
    r"$\mathrm{softmax}(QK^\top/\sqrt{d_k})\,V$": "softmax(QKᵀ/√dₖ) V",
    r"$10000^{-2i/D}$": "10000^(−2i/D)",
    r"$e^{s - L}$": "eˢ⁻ᴸ",
    r"$-\log p(\text{label})$": "−log p(label)",
    r"$a\sin\phi + b$": "a sin ϕ + b",
    r"$\frac{1}{\sqrt{d_k}}$": "1/√dₖ",
    "`$n$` costs $5": "`$n$` costs $5",
    "$$i = 0, \\dots, D/2$$": "i = 0, …, D/2",
}


@pytest.mark.parametrize("tex", EXAMPLES)
def test_should_write_math_as_it_is_read(tex):
    assert unicode_math(tex) == EXAMPLES[tex]


def test_should_leave_no_tex_in_any_text_of_the_workspace(root):
    texts = []
    loaded = load_workspace(root)
    for kata in loaded.katas:
        texts += [kata.title, kata.prompt, *kata.hints, *(line for one in kata.variants for line in one.contract)]
    texts += [field for note in loaded.notes for field in texts_of(note)]
    said = [unicode_math(text[language]) for text in texts for language in ("en", "zh")]
    assert len(said) > 500
    left = [
        line
        for text in said
        for line in text.split("\n")
        if re.search(r"\$[^$`]+\$|\\[a-zA-Z]{2,}|[_^]\{", code_free(line))
    ]
    assert left == []


def code_free(line: str) -> str:
    return re.sub(r"`[^`]*`", "", line)


def texts_of(note):
    from llmdrills.language import Bilingual

    found = []
    for value in vars(note).values():
        found += [one for one in (value if isinstance(value, (list, tuple)) else [value]) if isinstance(one, Bilingual)]
    return found
