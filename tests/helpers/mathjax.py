"""The bundled MathJax in a browser: what it says of a formula, and which commands it knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from llmdrills.decks.preview.page import MATHJAX_SETUP

SCRIPT = Path(__file__).parents[2] / "src/llmdrills/_vendor/mathjax/tex-chtml-full.js"

_PREPARE = """() => {
  const doc = MathJax.startup.document, jax = doc.inputJax[0];
  window.faultOf = tex => {
    let message = '';
    jax.formatError = error => { message = error.message; return jax.parseOptions.nodeFactory.create('node', 'math'); };
    try { doc.convert(tex, {display: true, end: 20}); } catch (error) { message = message || String(error); }
    return message;
  };
  window.namesOf = kind => {
    const names = new Set();
    for (const one of jax.parseOptions.handlers.get(kind)._configuration)
      for (const name of (one.item && one.item.map ? one.item.map.keys() : [])) names.add(name);
    return [...names];
  };
}"""


def start(page: Page) -> None:
    """Load MathJax, set up as Anki sets it up, into an empty page."""
    page.set_content(f"<html><body><script>{MATHJAX_SETUP}</script></body></html>")
    page.add_script_tag(content=SCRIPT.read_text("utf-8"))
    page.evaluate("MathJax.startup.promise")
    page.evaluate(_PREPARE)


def faults(page: Page, formulas: list[str]) -> list[str]:
    """What MathJax says of each formula; empty where it sets it."""
    return list(page.evaluate("all => all.map(faultOf)", formulas))


def names(page: Page, kind: str) -> list[str]:
    """The macros, environments or delimiters that it knows."""
    return sorted(page.evaluate("kind => namesOf(kind)", kind))


def arguments(page: Page, command: str) -> str:
    """How many arguments a command takes, found by trying: `0` to `4`, `d` for a delimiter, `-` for none of these."""
    tries = [command + " " + one * count for one in ("{a}", "{1em}", "{red}", "{array}") for count in range(5)]
    told = faults(page, [*tries, command + "("])
    if not told[-1] and any("delimiter" in one for one in told):
        return "d"
    counts = [at % 5 for at, one in enumerate(told[:-1]) if not one]
    return str(min(counts)) if counts else "-"


def table(page: Page) -> dict[str, Any]:
    """What src/llmdrills/decks/tex_commands.txt says."""
    found: dict[str, list[str]] = {}
    for name in names(page, "macro"):
        found.setdefault(arguments(page, "\\" + name), []).append(name)
    return found
