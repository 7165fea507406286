"""What is asked of number families, and how it is judged: drawn by a seed, right within the tolerance."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from llmdrills.content.load import load_decks, load_workspace
from llmdrills.content.model import Note
from llmdrills.language import LANGUAGES, Language
from llmdrills.practice.asking import Judged, asked_of, draw, number_text, question_of


@pytest.fixture(scope="module")
def notes(root: Path) -> list[Note]:
    return [note for deck in load_decks(root) for note in deck.notes if note.family is not None]


def test_should_find_the_families_that_the_whole_workspace_has(root: Path, notes: list[Note]) -> None:
    assert [note.id for note in load_workspace(root).notes if note.family] == [note.id for note in notes]
    assert len(notes) >= 20


@pytest.mark.parametrize("language", LANGUAGES)
def test_should_ask_every_shipped_family_in_full_and_take_its_own_answer(notes: list[Note], language: Language) -> None:
    for note in notes:
        for seed in range(40):
            one = question_of(note, language, f"{seed}")
            assert "[[" not in one.text + one.more, note.id
            assert math.isfinite(one.drawn.answer)
            assert one.judge(f"{one.drawn.answer!r}") == Judged(one.drawn.answer, True)
            shown = one.judge(f"{one.answer} {one.unit[language]}".strip())
            assert isinstance(shown, Judged), (note.id, one.answer)
            assert shown.right, (note.id, one.answer, one.drawn.answer)
            far = one.judge(f"{one.drawn.answer * 2 + 1!r}")
            assert isinstance(far, Judged)
            assert not far.right


def test_should_ask_for_the_same_numbers_in_either_language(notes: list[Note]) -> None:
    english, chinese = (draw(notes, 60, 7, language) for language in LANGUAGES)
    assert [(one.note, one.quantities, one.drawn.answer) for one in english] == [
        (one.note, one.quantities, one.drawn.answer) for one in chinese
    ]


def test_should_ask_of_each_note_before_any_again_and_never_the_same_twice(notes: list[Note]) -> None:
    found = draw(notes, 2 * len(notes), 3, "en")
    assert {one.note for one in found[: len(notes)]} == {note.id for note in notes}
    assert len({one.text for one in found}) == len(found)
    assert asked_of([], 5, 1) == []


def test_should_draw_the_numbers_of_a_note_whatever_else_is_asked(notes: list[Note]) -> None:
    alone = draw(notes[:1], 1, 11, "en")[0]
    among = next(one for one in draw(notes, len(notes), 11, "en") if one.note == notes[0].id)
    assert alone == among


def test_should_work_the_formula_out_so_that_it_can_be_followed(notes: list[Note]) -> None:
    note = next(note for note in notes if note.id == "design-long-context-kv-bytes")
    one = question_of(note, "en", "1")
    q = one.quantities
    head, _, answer = one.worked.partition(" ≈ " if "≈" in one.worked else " = ")
    tokens = number_text(q["tokens"], "en")
    assert head == f"2 × {q['layers']} × {q['heads']} × {q['width']} × {tokens} × 2 / 10^9"
    assert answer == one.answer


@pytest.mark.parametrize(
    ("value", "en", "zh"),
    [
        (8192, "8192", "8192"),
        (88262, "88,262", "88262"),
        (62831.85, "62,832", "62832"),
        (-12345.5, "-12,346", "-12346"),
    ],
)
def test_should_write_large_numbers_as_each_language_does(value: float, en: str, zh: str) -> None:
    assert (number_text(value, "en"), number_text(value, "zh")) == (en, zh)
