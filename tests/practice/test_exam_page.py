"""The report of an exam in Chromium: narrow and wide, both modes, both languages, nothing clipped, no request."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from llmdrills.content import load_workspace
from llmdrills.content.computed import load_computed
from llmdrills.content.course import course_of
from llmdrills.language import Language
from llmdrills.practice.exam import Exam, Terms
from llmdrills.practice.exam_cards import card_of
from llmdrills.practice.exam_draw import Wanted, draw
from llmdrills.practice.exam_page import render
from llmdrills.practice.exam_report import Sources, gather
from llmdrills.practice.history import History
from llmdrills.readiness import assess
from tests.helpers.kata_learner import START, KataLearner
from tests.helpers.pages import CLIPPED, contrast

pytestmark = pytest.mark.browser

TOLD = "✗ bpe-encode (pairs): wrong 3/9\ncase empty: <b>&expected " + "[1, 2, 3, 4, 5, 6, 7, 8] " * 6


def sat(learner: KataLearner, folder: Path, root: Path, language: Language) -> str:
    """The page of an exam in which half was had, one kata passed, one failed, and the rest was not reached."""
    workspace, computed = load_workspace(root), load_computed(root)
    katas = {kata.id: kata for kata in workspace.katas}
    drawn = draw(course_of(workspace, language), workspace.katas, Wanted(), 5)
    exam = Exam.begin(folder / "exam.json", drawn, Terms("exam-1", 5, 45, False, str(root)), START)
    notes = {note.id: note for note in workspace.notes}
    for number, task in enumerate(task for task in exam.tasks if task.kind == "question"):
        card = card_of(notes[task.id], language, computed)
        exam.note_typed(task, "因为方差 <i>is</i> `d_k` & so on" if number % 2 else "")
        exam.reveal(task, len(card.atoms), language)
        for place in range(len(card.atoms) - (number == 3)):
            exam.mark(task, (place + number) % 2 == 0, learner.history, START)
    first, second = [task for task in exam.tasks if task.kind == "kata"][:2]
    learner.passes(katas[first.id])
    exam.open_kata(first, learner.history.rows("SELECT id FROM sessions")[0]["id"], katas[first.id].variants[0].id)
    exam.pass_kata(first)
    exam.open_kata(second, learner.begin(katas[second.id]).id, katas[second.id].variants[0].id)
    exam.fail_kata(second, TOLD)
    exam.spend(40 * 60)
    exam.end(START)
    return page_of(exam, learner.history, root, language)


def page_of(exam: Exam, history: History, root: Path, language: Language) -> str:
    workspace = load_workspace(root)
    ready = assess(workspace, history, START).to_json()
    return render(gather(exam, Sources(workspace, load_computed(root), history, ready, language)), language)


@pytest.fixture(params=["en", "zh"])
def file(request: pytest.FixtureRequest, learner: KataLearner, tmp_path: Path, root: Path) -> Path:
    path = tmp_path / f"exam-{request.param}.html"
    path.write_text(sat(learner, tmp_path, root, request.param), encoding="utf-8")
    return path


def test_should_clip_nothing_at_any_width(browser: Any, file: Path) -> None:
    for width in (320, 390, 600, 768, 1280):
        page = browser.new_page(viewport={"width": width, "height": 844})
        page.goto(file.as_uri())
        assert page.evaluate(CLIPPED) == [], width
        page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_should_make_a_page_that_can_be_read_without_a_request(browser: Any, file: Path, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": 390, "height": 844})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    assert asked == [file.as_uri()]
    for selector in ("h1", ".soft", ".state.code", ".state.failed", ".state.own-marks", ".state.none", ".task .failed"):
        assert contrast(page, selector) >= 4.5, selector
    page.close()


def test_should_show_every_item_every_task_and_what_was_typed_as_text(browser: Any, file: Path) -> None:
    page = browser.new_page()
    page.goto(file.as_uri())
    assert page.locator("ul.items > li").count() == 10 + 1  # and what belongs to no item
    assert page.locator(".task").count() == 14
    assert page.locator(".task i, pre b").count() == 0
    assert "<i>is</i>" in page.locator(".task").nth(1).inner_text()
    assert "<b>&expected" in page.locator("pre").inner_text()
    shown = page.locator("body").inner_text()
    assert "$" not in shown
    assert not re.search(r"\\[a-z]+|\b(?:frac|sqrt|mathrm|text)\{", shown), "TeX that is left, or half of it"
    assert "llmdrills::course::" in shown
    page.close()


def test_should_print_light(browser: Any, file: Path) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(file.as_uri())
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.close()
