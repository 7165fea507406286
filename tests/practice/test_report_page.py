"""The report in Chromium: both modes, narrow and wide, on paper, without a request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.kata_learner import KataLearner
from tests.helpers.pages import CLIPPED, contrast
from tests.helpers.progress import full_report

pytestmark = pytest.mark.browser


@pytest.fixture
def file(learner: KataLearner, tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_text(full_report(learner, "zh"), encoding="utf-8")
    return path


SMALLEST = """() => Math.min(...[...document.querySelectorAll('svg text')].map(text => {
  const svg = text.ownerSVGElement;
  return parseFloat(getComputedStyle(text).fontSize) * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width
}))"""


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [320, 390, 600, 768, 1024, 1280])
def test_should_clip_nothing_at_any_width_and_show_today_s_week(
    browser: Any, learner: KataLearner, tmp_path: Path, width: int, language: Any
) -> None:
    """Nothing has to be scrolled to the side, no text of a plot is small, and today is on a phone's first screen."""
    file = tmp_path / "report.html"
    file.write_text(full_report(learner, language), encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 844})
    page.goto(file.as_uri())
    assert page.evaluate(CLIPPED) == []
    assert page.evaluate(SMALLEST) >= 10
    today = page.locator(".today")
    assert today.count() == 1
    assert today.locator("title").text_content().startswith(str(learner.clock.day))
    assert today.bounding_box()["y"] < 844
    page.close()


def test_should_name_the_columns_on_a_phone_where_a_table_has_no_head(browser: Any, file: Path) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(file.as_uri())
    assert not page.locator("th").first.is_visible()
    label = "getComputedStyle(document.querySelector('td.n'), '::before').content"
    assert page.evaluate(label) == '"失败："'
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_should_make_a_page_that_can_be_read(browser: Any, file: Path, scheme: str, width: int) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: wrong.append(message.text))
    page.goto(file.as_uri())
    assert asked == [file.as_uri()]
    assert wrong == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for selector in ("h1", ".soft", "td", ".state.ready", ".state.not-shown", "svg text"):
        assert contrast(page, selector) >= 4.5, selector
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    assert all(box["height"] > 50 for box in (svg.bounding_box() for svg in page.query_selector_all("svg")))
    page.close()


def test_should_print_the_page_light_whatever_the_mode(browser: Any, file: Path) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(file.as_uri())
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf().startswith(b"%PDF")
    page.close()
