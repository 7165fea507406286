"""The page around a card: the same HTML, classes and MathJax set-up as Anki's reviewer."""

from __future__ import annotations

from html import escape

__all__ = ["MATHJAX_SETUP", "card_page"]

# Anki's own set-up of MathJax 3: \( … \) and \[ … \], nothing else; code is left alone.
MATHJAX_SETUP = r"""
window.MathJax = {
  tex: {
    inlineMath: [["\\(", "\\)"]],
    displayMath: [["\\[", "\\]"]],
    processEscapes: false,
    processEnvironments: false,
    processRefs: false,
    packages: {"[+]": ["noerrors", "mathtools", "mhchem"]},
  },
  loader: {load: ["[tex]/noerrors", "[tex]/mathtools", "[tex]/mhchem"], paths: {mathjax: "/mathjax"}},
  startup: {
    pageReady: () => MathJax.startup.defaultPageReady().then(() => { document.body.dataset.typeset = "done"; }),
  },
  options: {enableMenu: false},
};
"""

# What Anki's reviewer sets on every card, before the note type's own style.
_REVIEWER_CSS = """
html { font-size: 16px; }
body { margin: 20px; overflow-wrap: break-word; background-color: #ffffff; color: #000000; }
body.nightMode { background-color: #2c2c2c; color: #fcfcfc; }
img { max-width: 100%; max-height: 95vh; }
pre { text-align: left; }
#typeans { width: 100%; box-sizing: border-box; line-height: 1.75; }
hr { margin: 1em 0; }
"""


def card_page(html: str, css: str, *, night: bool, ordinal: int = 1, mobile: bool = False, live: bool = False) -> str:
    """One side of one card as a whole page.

    `live` adds a script of ours that reloads the page when the workspace changes; it is not part of the card.
    """
    classes = ["card", f"card{ordinal}"]
    if night:
        classes += ["nightMode", "night_mode"]
    if mobile:
        classes += ["mobile"]
    reload = '<script src="/reload.js"></script>' if live else ""
    return (
        f'<!doctype html>\n<html class="{"night-mode" if night else ""}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>llmdrills</title><style>{_REVIEWER_CSS}</style><style>{css}</style>"
        f"<script>{MATHJAX_SETUP}</script>"
        '<script src="/mathjax/tex-chtml-full.js" defer></script>'
        f'{reload}</head><body class="{escape(" ".join(classes))}"><div id="qa">{html}</div></body></html>\n'
    )
