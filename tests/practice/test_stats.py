"""The figures, the checklist, and the page that shows both."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from llmdrills.language import LANGUAGES, Language
from llmdrills.practice import report
from llmdrills.practice.rating import Rating
from llmdrills.practice.schedule import load
from llmdrills.readiness import NoteReviews, Readiness
from tests.helpers.kata_learner import KataLearner, verdict
from tests.helpers.progress import ATTENTION, ROPE, full_report, gather, ready


def states(found: Readiness) -> dict[str, str]:
    return {item.id: item.state for item in found.items}


def test_should_have_figures_for_an_empty_history_too(learner: KataLearner) -> None:
    found = gather(learner)
    assert (found.streak, found.reviews, found.measured, found.katas_met) == (0, 0, None, 0)
    assert sum(day.katas for day in found.forecast) == 0
    json.dumps(found.to_json())


def test_should_draw_the_heat_map_as_a_year_in_whole_weeks_that_ends_today(learner: KataLearner) -> None:
    learner.on(0).passes(ATTENTION, minutes=8)
    learner.on(2).passes(ATTENTION)
    found = gather(learner)
    assert found.heat[0].day.weekday() == 0
    assert found.heat[-1].day == date(2026, 3, 4)
    assert 365 <= len(found.heat) <= 371
    assert [(day.day.day, day.reviews) for day in found.heat if day.reviews] == [(2, 1), (4, 1)]
    assert all(
        later.day - earlier.day == timedelta(days=1) for earlier, later in zip(found.heat, found.heat[1:], strict=False)
    )


def test_should_count_streaks(learner: KataLearner) -> None:
    for day in (0, 1, 2, 5, 6):
        learner.on(day).passes(ATTENTION)
    found = gather(learner)
    assert (found.streak, found.longest_streak, found.days_practised) == (2, 3, 5)


def test_should_not_count_what_is_undone(learner: KataLearner) -> None:
    from llmdrills.practice import repetition as repetitions

    learner.passes(ATTENTION)
    repetitions.undo(learner.history, learner.tick())
    found = gather(learner)
    assert (found.reviews, found.minutes, found.streak, found.ratings["good"]) == (0, 0, 0, 0)
    assert found.attempts == 1


def test_should_put_what_is_overdue_on_the_first_day_of_the_forecast(learner: KataLearner) -> None:
    learner.on(0).passes(ATTENTION, Rating.GOOD)
    learner.on(9).passes(ROPE, Rating.GOOD)
    found = gather(learner)
    assert [(day.day.day, day.katas) for day in found.forecast if day.katas] == [(11, 1), (13, 1)]
    assert found.forecast[0].minutes == 8


def test_should_measure_recall_against_what_was_predicted(learner: KataLearner) -> None:
    learner.on(0).passes(ATTENTION, Rating.GOOD)
    schedule = load(learner.history)
    predicted = schedule.retrievability("attention", learner.clock.day_number + 10)
    learner.on(10).fails(ATTENTION)
    learner.on(10, 20).passes(ATTENTION)
    found = gather(learner)
    (only,) = found.bins
    assert (only.reviews, only.measured) == (1, 0.0), "a repetition on the same day measures nothing"
    assert only.predicted == pytest.approx(predicted)
    assert only.low <= predicted < only.high


def test_should_take_the_katas_failed_most_for_the_hardest(learner: KataLearner) -> None:
    learner.on(0).passes(ATTENTION)
    for day in range(3):
        learner.on(day).fails(ROPE)
    found = gather(learner)
    assert [(one.kata, one.lapses, one.reviews) for one in found.hardest] == [("rope", 3, 3)]


def test_should_tell_a_slip_by_its_text_and_one_without_a_text_by_its_id(learner: KataLearner) -> None:
    repetition = learner.on(0).begin(ROPE)
    repetition.attempt("code", verdict("wrong", "wrong-pairs"), learner.tick())
    (met,) = gather(learner).slips
    assert met.text == next(slip.feedback for slip in ROPE.slips if slip.id == "wrong-pairs")
    assert "text" not in gather(learner).to_json()["misconceptions"][0]


def test_should_beat_a_slip_by_a_clean_pass_on_a_later_day(learner: KataLearner) -> None:
    repetition = learner.on(0).begin(ROPE)
    repetition.attempt("code", verdict("wrong", "wrong-pairs"), learner.tick())
    repetition.attempt("code", verdict("wrong", "wrong-pairs"), learner.tick())
    repetition.attempt("code", verdict(), learner.tick(8))
    repetition.rate(now=learner.tick())

    def met() -> list[tuple[str, int, bool]]:
        return [(one.slip, one.times, one.beaten) for one in gather(learner).slips]

    assert met() == [("wrong-pairs", 2, False)]
    learner.on(5).passes(ROPE, variant="half-split")
    assert met() == [("wrong-pairs", 2, False)], "another variant shows nothing of it"
    learner.on(9).passes(ROPE, variant="interleaved")
    assert met() == [("wrong-pairs", 2, True)]


def test_should_count_lowered_ratings(learner: KataLearner) -> None:
    learner.passes(ATTENTION, Rating.HARD)
    found = gather(learner)
    assert (found.ratings, found.overrides) == ({"again": 0, "hard": 1, "good": 0, "easy": 0}, 1)


# ---- readiness ------------------------------------------------------------------------------------


def test_should_show_nothing_at_first_and_name_the_next_step(learner: KataLearner) -> None:
    found = ready(learner)
    assert set(states(found).values()) == {"not-shown"}
    assert found.items[0].next.en == "pass attention without help on 2 days: `llmdrills start attention`"
    assert found.items[0].notes == ("ready-attention", "n-attention")


def test_should_take_one_clean_pass_for_luck_and_two_days_for_evidence(learner: KataLearner) -> None:
    learner.on(0).passes(ATTENTION, Rating.GOOD)
    learner.on(0, 20).passes(ATTENTION, Rating.GOOD)
    assert states(ready(learner))["ready-attention"] == "not-shown"
    assert "one more day" in ready(learner).items[0].next.en
    learner.on(2).passes(ATTENTION, Rating.GOOD)
    assert states(ready(learner)) == {"ready-attention": "ready", "ready-tasks": "not-shown", "ready-moe": "not-shown"}


def test_should_not_take_a_pass_with_help_for_evidence(learner: KataLearner) -> None:
    for day in (0, 2, 4):
        learner.on(day).passes(ATTENTION, Rating.HARD)
    assert states(ready(learner))["ready-attention"] == "not-shown"


def test_should_let_what_was_shown_fade_and_come_back(learner: KataLearner) -> None:
    for day in (0, 2):
        learner.on(day).passes(ATTENTION, Rating.GOOD)
    learner.on(300)
    found = ready(learner).items[0]
    assert found.state == "fading"
    assert found.next.en.startswith("do attention again")
    learner.passes(ATTENTION, Rating.GOOD)
    assert states(ready(learner))["ready-attention"] == "ready"


def test_should_take_readiness_away_by_a_failure(learner: KataLearner) -> None:
    for day in (0, 2):
        learner.on(day).passes(ATTENTION, Rating.GOOD)
    learner.on(12).fails(ATTENTION)
    assert states(ready(learner))["ready-attention"] == "fading"


def test_should_let_an_item_of_notes_alone_wait_for_ankis_reviews(learner: KataLearner) -> None:
    item = ready(learner).items[2]
    assert (item.state, item.notes_reviewed) == ("not-shown", None)
    assert "Anki" in item.next.en
    assert "tag:llmdrills::proves::ready-moe" in item.next.zh
    remembered = {name: NoteReviews(3, 0.95) for name in ("ready-moe", "n-moe")}
    assert states(ready(learner, remembered))["ready-moe"] == "ready"
    assert states(ready(learner, {**remembered, "n-moe": NoteReviews(3, 0.5)}))["ready-moe"] == "fading"


def test_should_version_readiness_json(learner: KataLearner) -> None:
    said = ready(learner).to_json()
    assert (said["schema"], said["not_shown"], len(said["items"])) == (1, 3, 3)
    json.dumps(said)


# ---- the page -------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Checks nesting, and collects tags, attributes and text."""

    VOID = ("meta", "line", "rect", "circle", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, Any]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("language", LANGUAGES)
def test_should_make_a_whole_page_that_asks_for_nothing(learner: KataLearner, language: Language) -> None:
    text = full_report(learner, language)
    page = Page(text)
    assert page.tags.count("svg") == 3 + 2 + 1  # the year in three blocks, the forecast in two, the calibration
    assert "script" not in page.tags
    assert not [name for name, _ in page.attributes if name in {"src", "href"} or name.startswith("on")]
    assert not re.search(r"url\(|@import|https?://", text)
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_should_show_as_text_what_learners_and_authors_wrote(learner: KataLearner) -> None:
    page = Page(full_report(learner, "en"))
    assert "RoPE <pairs> & more" in page.text
    assert "<b>&pairs" in page.text
    assert "&amp;" not in page.text


def test_should_write_the_chinese_page_in_chinese(learner: KataLearner) -> None:
    page = Page(full_report(learner, "zh"))
    assert "学习报告" in page.text
    assert ("lang", "zh-Hans") in page.attributes
    words = re.sub(
        r"llmdrills|Anki|anki|import|FSRS|RoPE|tag\S+|start|today|[a-z-]*(attention|tasks|moe|rope)|pairs|Chromium",
        "",
        page.text,
    )
    assert not re.search(r"[A-Za-z]{4,}", words.split("}")[-1])


def test_should_make_a_page_of_an_empty_history_too(learner: KataLearner) -> None:
    for language in LANGUAGES:
        Page(report.render(gather(learner), ready(learner).to_json(), language))
