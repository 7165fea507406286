"""Math on a terminal: Unicode, and no TeX left in anything that the shipped workspace says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmdrills.content import load_workspace
from llmdrills.content.computed import load_computed
from llmdrills.language import LANGUAGES
from llmdrills.mathtext import unicode_math
from llmdrills.practice.exam_cards import card_of
from llmdrills.practice.report import plain

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
    r"$1 - \binom{n-c}{k}/\binom{n}{k}$": "1 − C(n−c, k)/C(n, k)",
    r"$i \bmod V$": "i mod V",
    r"$\sqrt{\hat v} = |g|$": "√v̂ = |g|",
    r"$\hat\theta_t$": "θ̂ₜ",
    r"$\bar x_i + \sqrt d + \sqrt2$": "x\u0305ᵢ + √d + √2",
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
        if re.search(r"\$[^$`]+\$|\\[a-zA-Z]{2,}|[_^]\{|ℎ[a-z]", code_free(line))
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


def test_should_leave_no_tex_in_what_an_exam_asks(root: Path) -> None:
    workspace, computed = load_workspace(root), load_computed(root)
    left = {}
    for note in workspace.notes:
        for language in LANGUAGES:
            card = card_of(note, language, computed)
            shown = unicode_math("\n".join((card.front, *card.atoms, *card.more)))
            if found := re.findall(r"\$|\\[a-z]+|ℎ[a-z]+", re.sub(r"`[^`]*`", "", shown)):
                left[note.id, language] = found
            page = plain("\n".join((card.front, *card.atoms)))
            if re.search(r"\b(?:frac|sqrt|mathrm|text)\{", page):
                left[note.id, "page"] = page
    assert left == {}
