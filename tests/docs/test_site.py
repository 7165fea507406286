"""The site of docs/: built strictly, whole, and asking for nothing from outside."""

from __future__ import annotations

import re
import runpy
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, get_args
from urllib.parse import unquote, urlsplit

import comrak
import pytest

from llmdrills.grading.judging.verdict import Outcome
from tests.helpers.doc_pages import ROOT, pages

OUTSIDE = runpy.run_path(str(ROOT / "docs" / "site_hooks.py"))["OUTSIDE"]
# What shows that a page was read as it was written.
SHOWN = ("h1", "h2", "h3", "ol", "ul", "li", "table", "tr", "td", "em", "strong", "code", "img")


def built(page: str) -> str:
    """Where the site has a page of the checkout."""
    return OUTSIDE.get(page, page.removeprefix("docs/")).replace(".md", ".html")


class Page(HTMLParser):
    """What a page of the site names: ids, links, what it loads, and what its article shows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in {"img", "script", "iframe", "source", "video", "audio", "embed"} and "src" in given:
            self.loads.append(given["src"])
        elif tag == "link" and given.get("rel") not in {"canonical", "next", "prev"}:
            self.loads.append(given["href"])


@pytest.fixture(scope="module")
def read(site: Path) -> dict[str, Page]:
    return {path.relative_to(site).as_posix(): Page(path.read_text("utf-8")) for path in site.rglob("*.html")}


def test_should_hold_every_page_that_somebody_reads(site: Path):
    missing = [page for page in pages() if not (site / built(page)).exists()]
    assert missing == []


def test_should_lead_every_link_to_a_page_and_a_heading_that_exist(site: Path, read: dict[str, Page]):
    wrong = []
    for name, page in read.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or name == "404.html":
                continue
            target = ((site / name).parent / unquote(parts.path)).resolve() if parts.path else site / name
            target = target / "index.html" if target.is_dir() else target
            there = read.get(target.relative_to(site).as_posix()) if target.is_relative_to(site) else None
            if not target.exists() or (parts.fragment and there and unquote(parts.fragment) not in there.ids):
                wrong.append(f"{name}: {link}")
    assert wrong == []
    assert sum(len(page.links) for page in read.values()) > 500


def test_should_give_headings_readable_anchors_and_both_languages_the_same(site: Path):
    """Neither `#_1`, which moves with every new heading, nor percent signs, which is how a browser copies Chinese."""
    anchors = {
        path.name: re.findall(r'<h[1-6] id="([^"]*)"', path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))
    }
    assert [one for found in anchors.values() for one in found if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", one)] == []
    assert anchors["tutorial.zh.html"] == anchors["tutorial.html"] != []
    assert anchors["index.zh.html"] == anchors["index.html"] != []


def test_should_load_nothing_from_outside(read: dict[str, Page]):
    outside = [f"{name}: {load}" for name, page in read.items() for load in page.loads if urlsplit(load).netloc]
    assert outside == []


def test_should_name_no_address_of_others_in_its_styles(site: Path):
    found = {
        path.name: re.findall(r"(?:url\(|@import )['\"]?(?:https?:)?//[^)'\"]+", path.read_text("utf-8"))
        for path in site.rglob("*.css")
    }
    assert found
    assert [name for name, urls in found.items() if urls] == []


@pytest.mark.parametrize("page", pages())
def test_should_show_a_page_as_markdown_means_it(page: str, site: Path):
    """What GitHub shows, by CommonMark, is what the site shows: no list or table is lost between the two."""
    options = comrak.ExtensionOptions()
    options.table = True
    expected = comrak.render_markdown((ROOT / page).read_text("utf-8"), extension_options=options)
    whole = (site / built(page)).read_text("utf-8")
    article = re.search(r"<article[^>]*>(.*?)</article>", whole, re.DOTALL)
    assert article
    got = re.sub(r'<div class="[^"]*highlight">.*?</div>', "", article[1], flags=re.DOTALL)
    expected = re.sub(r"<pre[ >].*?</pre>", "", expected, flags=re.DOTALL)
    counts = {tag: tuple(len(re.findall(rf"<{tag}[ >/]", text)) for text in (got, expected)) for tag in SHOWN}
    assert {tag: pair for tag, pair in counts.items() if pair[0] != pair[1]} == {}


def test_should_have_made_its_reference_anew():
    made = runpy.run_path(str(ROOT / "docs" / "make_reference.py"))["PAGES"]
    for name, make in made.items():
        assert (ROOT / "docs/reference" / name).read_text("utf-8") == make(), "run `python docs/make_reference.py`"


def test_should_say_what_to_do_about_each_outcome():
    text = (ROOT / "docs/reference/outcomes.md").read_text("utf-8")
    assert re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE) == list(get_args(Outcome))


# ---- in a browser, offline --------------------------------------------------------------------------


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing: what is asked for is seen in the browser."""


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.browser
def test_should_ask_for_nothing_from_outside_while_it_is_read_and_searched(browser: Any, address: str):
    asked: list[str] = []
    said: list[str] = []
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.route(lambda url: not url.startswith((address, "data:", "blob:")), lambda route: route.abort())
    for name in ("index.html", "tutorial.zh.html", "architecture.html", "how-to/anki.html", "reference/messages.html"):
        page.goto(f"{address}/{name}", wait_until="networkidle")
        assert page.locator("article h1").count() == 1
    for words, found in (("retire tombstone", "decks.html"), ("起始文件", "index.zh.html")):
        page.goto(f"{address}/index.html", wait_until="networkidle")
        page.locator("input.md-search__input").first.click()
        page.keyboard.type(words)
        page.keyboard.press("Shift")  # as an input method does when it commits its characters
        page.locator(".md-search-result__link").first.wait_for()
        links = page.locator(".md-search-result__link").evaluate_all("links => links.map(link => link.href)")
        assert any(found in link for link in links), (words, links)
    page.close()
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert said == []


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_should_fit_a_phone_without_scrolling_aside(browser: Any, address: str, scheme: Any):
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    for name in ("index.html", "tutorial.html", "reference/outcomes.html", "architecture.html", "practice.html"):
        page.goto(f"{address}/{name}", wait_until="networkidle")
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, name
    chosen = page.evaluate("document.body.getAttribute('data-md-color-scheme')")
    page.close()
    assert chosen == {"light": "default", "dark": "slate"}[scheme]


@pytest.mark.browser
def test_should_open_from_the_folder_itself(browser: Any, site: Path):
    page = browser.new_page()
    page.goto((site / "index.html").as_uri())
    page.locator("article a", has_text="tutorial").first.click()
    assert page.url.endswith("tutorial.html")
    page.close()
