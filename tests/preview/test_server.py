"""The preview's server: what it shows, to whom, and that it reloads."""

from __future__ import annotations

import http.client
import json
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from llmdrills.decks.preview.gallery import Gallery, load_gallery
from llmdrills.decks.preview.server import PreviewServer


def get(server: PreviewServer, path: str, host: str | None = None) -> tuple[int, bytes]:
    split = urlsplit(server.address)
    connection = http.client.HTTPConnection(split.hostname, split.port, timeout=10)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def test_should_list_every_card_of_both_languages(server: PreviewServer, gallery: Gallery):
    status, body = get(server, "/cards.json")
    listed = json.loads(body)
    assert status == 200
    assert len(listed["cards"]) == len(gallery.cards)
    assert {card["language"] for card in listed["cards"]} == {"en", "zh"}
    assert listed["problems"] == []


def test_should_answer_to_the_loopback_only(server: PreviewServer):
    assert server.address.startswith("http://127.0.0.1:")
    assert get(server, "/", host="evil.example")[0] == 403


@pytest.mark.parametrize(
    "path", ["/mathjax/../../settings.py", "/mathjax/%2e%2e/README.md", "/../pyproject.toml", "/x.svg"]
)
def test_should_serve_nothing_but_its_own_files(server: PreviewServer, path: str):
    assert get(server, path)[0] == 404


def test_should_serve_mathjax_from_the_package(server: PreviewServer):
    status, body = get(server, "/mathjax/tex-chtml-full.js")
    assert status == 200
    assert len(body) > 1_000_000


@pytest.mark.browser
def test_should_show_the_list_and_reload_when_the_workspace_changes(browser: Browser, root: Path, tmp_path: Path):
    workspace = tmp_path / "ws"
    for part in ("decks", "drills"):
        shutil.copytree(root / part, workspace / part)
    server = PreviewServer(load_gallery(workspace))
    server.start()
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(server.address)
    page.locator("nav button").first.wait_for()
    front = page.frame_locator("#front")
    front.locator(".prompt").wait_for()
    deck = next(path for path in sorted((workspace / "decks").glob("*.yaml")))
    first = next(card for card in load_gallery(workspace).cards if card.language == "en")
    text = deck.read_text("utf-8")
    at = text.index("      en: ", text.index(f"id: {first.note}")) + len("      en: ")
    deck.write_text(text[:at] + "ZZREWORDED " + text[at:], "utf-8")
    server.show(load_gallery(workspace))
    front.get_by_text("ZZREWORDED").first.wait_for()
    assert not errors
    page.close()
    server.close()


def test_should_keep_the_cards_and_tell_the_problems_of_a_broken_workspace(
    root: Path, tmp_path: Path, gallery: Gallery
):
    shutil.copytree(root / "decks", tmp_path / "decks")
    shutil.copytree(root / "drills", tmp_path / "drills")
    next((tmp_path / "decks").glob("*.yaml")).write_text("deck: [")
    broken = load_gallery(tmp_path, before=gallery)
    assert broken.cards == gallery.cards
    assert any("yaml" in problem for problem in broken.problems)
