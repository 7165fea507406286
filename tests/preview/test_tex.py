"""The parser of formulas against the bundled MathJax: on the shipped formulas, on random ones, on damaged ones."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from llmdrills.content import load_workspace
from llmdrills.decks.cloze import MARKS, mark
from llmdrills.decks.inspection import _texts
from llmdrills.decks.markdown import formulas
from llmdrills.decks.tex import _known, tex_fault
from tests.helpers import mathjax

pytestmark = pytest.mark.browser

PIECES = re.findall(
    r"\S+",
    r"""
    \frac{a}{b} \sqrt{x} \sqrt[3]{x} x^2 x_i x_i^2 \left( \right) \left[ \right] \alpha \theta
    \text{if} & \\ { } ^ _ ' \begin{matrix} \end{matrix} \begin{cases} \end{cases} + \mathrm{d}
    \operatorname{softmax} \sum_{i=1}^n \lVert \| \{ \} 1 ab ( ) \big( \hat \frac \mathbb{R} \over
    \quad \, \mid # [ ] \top \color{red} \xrightarrow{f} \binom{n}{k} 注意
    """,
)


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    page = browser.new_page()
    mathjax.start(page)
    return page


def shipped(root: Path) -> list[str]:
    found = {}
    workspace = load_workspace(root)
    for deck in workspace.decks:
        for note in deck.notes:
            for language in deck.languages:
                for path, text in _texts(note, language):
                    source = mark(text) if note.type == "cloze" and path == "front" else text
                    found.update(dict.fromkeys(MARKS.sub(" ", one) for one in formulas(source)))
    return list(found)


def test_should_pass_every_shipped_formula_as_mathjax_does(page: Page, root: Path):
    all_of_them = shipped(root)
    assert len(all_of_them) > 150
    assert [one for one, told in zip(all_of_them, mathjax.faults(page, all_of_them), strict=True) if told] == []
    assert [one for one in all_of_them if tex_fault(one)] == []


@pytest.mark.parametrize("count", [1500, pytest.param(20_000, marks=pytest.mark.slow)])
def test_should_agree_with_mathjax_on_random_and_damaged_formulas(page: Page, root: Path, count: int):
    rng = random.Random(7)
    good = shipped(root)
    tried = [" ".join(rng.choice(PIECES) for _ in range(rng.randint(1, 7))) for _ in range(count)]
    for _ in range(count):
        one = rng.choice(good)
        at = rng.randrange(len(one) + 1)
        tried.append(one[:at] + one[at + 1 :] if rng.random() < 0.6 else one[:at] + rng.choice(PIECES) + one[at:])
    told = mathjax.faults(page, tried)
    ours = [tex_fault(one) for one in tried]
    # A command that MathJax does not know is no error to it: it shows the name in red.
    missed = [one for one, theirs, our in zip(tried, told, ours, strict=True) if theirs and not our]
    alarms = [
        one
        for one, theirs, our in zip(tried, told, ours, strict=True)
        if our and not theirs and not our.startswith("there is no command")
    ]
    assert sum(map(bool, told)) > count / 4
    assert len(missed) <= 0.01 * len(tried), missed[:10]
    assert len(alarms) <= 0.002 * len(tried), alarms[:10]


def test_should_know_the_commands_and_environments_that_mathjax_knows(page: Page):
    known = _known()
    macros = [name for name in mathjax.names(page, "macro") if name.strip() and " " not in name]
    assert set(macros) <= set(known.arguments)
    assert set(mathjax.names(page, "environment")) <= known.environments
    some = random.Random(3).sample([name for name in macros if name.isalpha()], 60)
    assert {name: mathjax.arguments(page, "\\" + name) for name in some} == {
        name: known.arguments[name] for name in some
    }
