"""Every shipped card, rendered: by our template renderer as by Anki's, and in a browser in four settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from anki.collection import Collection, ImportAnkiPackageOptions, ImportAnkiPackageRequest
from playwright.sync_api import Browser, Page

from llmdrills.content import load_workspace
from llmdrills.decks.build import BuildOptions, build
from llmdrills.decks.preview.gallery import Gallery, PreviewCard
from llmdrills.decks.preview.server import PreviewServer

pytestmark = pytest.mark.browser

SETTINGS = [
    pytest.param("light", "desktop", id="light-desktop"),
    pytest.param("night", "desktop", id="night-desktop"),
    pytest.param("light", "phone", id="light-phone"),
    pytest.param("night", "phone", id="night-phone"),
]
SIZES = {"desktop": {"width": 1000, "height": 800}, "phone": {"width": 360, "height": 740}}

INSPECT = (Path(__file__).parents[1] / "helpers" / "inspect.js").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "device"), SETTINGS)
def test_should_show_every_card_whole_readable_and_typeset(
    browser: Browser, server: PreviewServer, gallery: Gallery, mode: str, device: str
):
    page = browser.new_page(viewport=SIZES[device])
    console: list[str] = []
    page.on("console", lambda message: console.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: console.append(str(error)))
    page.on("request", lambda request: _stays_here(request.url, server.address, console))
    page.goto(f"{server.address}card?{_query(gallery.cards[0], 'back', mode, device)}")
    faults: dict[str, list[str]] = {}
    for card in gallery.cards:
        found = _inspect(page, card)
        if found or console:
            faults[f"{card.language} {card.note}/{card.number}"] = found + console
            console.clear()
    page.close()
    assert gallery.cards
    assert not faults, "\n".join(f"{name}: {what}" for name, what in list(faults.items())[:20])


def _inspect(page: Page, card: PreviewCard) -> list[str]:
    """Both sides of a card, put into one page: loading MathJax anew for each would take minutes."""
    found = []
    for html in (card.question, card.answer):
        page.evaluate(
            "async ([html, css]) => {"
            "  document.head.querySelectorAll('style')[1].textContent = css;"
            "  const qa = document.getElementById('qa');"
            "  MathJax.typesetClear([qa]); qa.innerHTML = html;"
            "  for (const d of qa.querySelectorAll('details')) d.open = true;"
            "  await MathJax.typesetPromise([qa]);"
            "  await Promise.all([...document.images].map((i) => i.decode().catch(() => null)));"
            "}",
            [html, card.css],
        )
        found += page.evaluate(INSPECT)
    return found


def _stays_here(url: str, address: str, console: list[str]) -> None:
    if not url.startswith((address, "data:")):
        console.append(f"asks for {url}")


def _query(card: PreviewCard, side: str, mode: str, device: str) -> str:
    return f"lang={card.language}&id={card.note}&n={card.number}&side={side}&mode={mode}&device={device}&still=1"


def test_should_find_what_the_inspection_is_there_to_find(browser: Browser, server: PreviewServer, gallery: Gallery):
    page = browser.new_page(viewport=SIZES["phone"])
    page.goto(f"{server.address}card?{_query(gallery.cards[0], 'back', 'light', 'phone')}")
    planted = {
        '<div style="width: 900px">x</div>': "overflow",
        '<p style="color: #aaaaaa">pale</p>': "contrast",
        "<p>costs $n^2$</p>": "unrendered",
        "<p>{{Front}}</p>": "unrendered",
        r"<p>\(\notacommand{x}\)</p>": "math error",
        '<img src="missing.svg">': "image",
    }
    for html, fault in planted.items():
        found = _inspect(page, PreviewCard("x", "x", "question", "en", 1, html, html, gallery.cards[0].css))
        assert any(fault in one for one in found), (html, found)
    page.close()


SIXTY = "    return " + "x" * 49
KERNELS = f"""
<div class="llm llm-bug"><pre><code class="language-python">def f(x):
{SIXTY}
</code></pre></div>
"""
LINES = """() => {
  const code = document.querySelector("pre code"), size = parseFloat(getComputedStyle(code).fontSize);
  const height = parseFloat(getComputedStyle(code.parentElement).lineHeight);
  const pre = code.parentElement, root = document.documentElement;
  return {
    lines: Math.round(code.getBoundingClientRect().height / height), size,
    sideways: pre.scrollWidth > pre.clientWidth || root.scrollWidth > root.clientWidth,
  };
}"""


@pytest.mark.parametrize(("width", "lines"), [(390, 2), (430, 2), (640, 2), (1000, 2), (320, 3)])
def test_should_show_sixty_columns_of_a_kernel_without_scrolling(
    browser: Browser, server: PreviewServer, gallery: Gallery, width: int, lines: int
):
    """On a phone of 390 px a line of 60 columns stands on one line, in letters of 10 px; on a narrower one it wraps."""
    assert len(SIXTY) == 60
    page = browser.new_page(viewport={"width": width, "height": 740})
    page.goto(f"{server.address}card?{_query(gallery.cards[0], 'back', 'light', 'phone')}")
    _inspect(page, PreviewCard("x", "x", "bug", "en", 1, KERNELS, KERNELS, gallery.cards[0].css))
    found = page.evaluate(LINES)
    page.close()
    assert (found["sideways"], found["lines"]) == (False, lines)
    assert found["size"] >= 10


@pytest.fixture(scope="module")
def rendered_by_anki(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str, int], tuple[str, str]]:
    """(language, note id, ordinal) → question and answer, as the real backend renders them."""
    folder = tmp_path_factory.mktemp("anki")
    build(load_workspace(root), folder, BuildOptions(read_only_content=True))
    found: dict[tuple[str, str, int], tuple[str, str]] = {}
    for language in ("en", "zh"):
        collection = Collection(str(folder / f"{language}.anki2"))
        request = ImportAnkiPackageRequest(
            package_path=str(folder / f"llmdrills-{language}.apkg"), options=ImportAnkiPackageOptions()
        )
        collection.import_anki_package(request)
        for card_id in collection.find_cards(""):
            card = collection.get_card(card_id)
            output = card.render_output()
            found[language, card.note()["NoteId"], card.ord] = (output.question_text, output.answer_text)
        collection.close()
    return found


def test_should_render_every_card_as_anki_does(gallery: Gallery, rendered_by_anki):
    ours = {(c.language, c.note, c.number - 1): (c.question, c.answer) for c in gallery.cards}
    assert ours.keys() == rendered_by_anki.keys()
    for key, sides in ours.items():
        for mine, theirs in zip(sides, rendered_by_anki[key], strict=True):
            assert _plain(mine) == _plain(theirs), key


def _plain(html: str) -> str:
    """What a reader could see: Anki leaves the typing box to its reviewer, and escapes attributes its own way."""
    html = re.sub(
        r"\[\[type:.*?\]\]|<center><input[^>]*></center>|<div><code id=\"typeans\">.*?</code></div>", "⌨", html
    )
    html = re.sub(r' data-cloze="[^"]*"', "", html)
    html = html.replace("&#x27;", "'").replace("&quot;", '"').replace("&#39;", "'")
    return re.sub(r"\s+", " ", re.sub(r"<!--.*?-->", "", html)).strip()
