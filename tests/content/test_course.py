"""The course as the tags of the notes give it: each question leads to its own notes, and the shipped ones are whole."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from llmdrills.content import load_workspace
from llmdrills.content.course import course_of
from llmdrills.content.model import Deck, Note, Position, Workspace
from llmdrills.language import Bilingual
from tests.helpers.kata_learner import make_kata

HEADS = {
    "q1": "attention-cost",
    "q2": "scale-sqrt-dk",
    "q3": "rope-against-absolute",
    "q4": "alibi-idea",
    "q5": "three-architectures",
    "q6": "why-decoder-only",
    "q7": "kv-cache",
    "q8": "flash-attention",
    "q9": "bpe-training",
    "q10": "special-tokens",
    "d1": "design-long-context",
    "d2": "design-faster-inference",
    "d3": "design-multimodal",
}


@pytest.fixture(scope="module")
def shipped(root: Path) -> Workspace:
    return load_workspace(root)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_should_find_ten_questions_three_tasks_and_three_designs_in_order(shipped, language):
    course = course_of(shipped, language)
    assert {part.id: part.head.id for part in (*course.questions, *course.designs)} == HEADS
    assert [part.id for part in (*course.questions, *course.designs)] == list(HEADS)
    assert course.tasks == (
        ("t1", "scaled-dot-product-attention"),
        ("t2", "rotary-embedding"),
        ("t3", "generate-text"),
    )
    assert min(len(part.atoms) for part in (*course.questions, *course.designs)) >= 4


def test_should_tag_each_item_of_the_checklist_as_the_notes_that_prove_it(shipped):
    """So one search in Anki leads from an item to its own card and to all that proves it."""
    notes = {note.id: note for note in shipped.notes}
    assert [item for item in shipped.readiness if f"llmdrills::proves::{item}" not in notes[item].tags] == []
    assert len(shipped.readiness) == 10


def test_should_use_no_tag_of_ours_that_leads_nowhere(shipped):
    parts = {f"llmdrills::course::{part}" for part in (*HEADS, "t1", "t2", "t3")}
    proves = {f"llmdrills::proves::{item}" for item in shipped.readiness}
    used = {tag for note in shipped.notes for tag in note.tags if tag.startswith("llmdrills::")}
    assert used == parts | proves


def note(name: str, *tags: str, kind: str = "question", kata: str | None = None) -> Note:
    made = Note(
        name, "question", "systems", Position(Path("d.yaml"), 1, 1), Bilingual(name, name), tags=tags, kata=kata
    )
    return dataclasses.replace(made, type=kind)


def workspace(*notes: Note, languages: tuple[str, ...] = ("en", "zh")) -> Workspace:
    text = Bilingual("d", "d")
    deck = Deck("d", text, text, notes, Position(Path("d.yaml"), 1, 1), languages)
    return Workspace(Path(), (deck,), (make_kata("rope"), make_kata("norm")))


def test_should_take_the_first_checklist_for_the_whole_question_and_order_by_number():
    course = course_of(
        workspace(
            note("ten", "llmdrills::course::q10"),
            note("fact", "llmdrills::course::q2", "mine"),
            note("whole", "llmdrills::course::q2", kind="checklist"),
            note("other", "llmdrills::course::q2x", "course::q3"),
        ),
        "en",
    )
    assert [(part.id, part.head.id, [one.id for one in part.atoms]) for part in course.questions] == [
        ("q2", "whole", ["fact"]),
        ("q10", "ten", []),
    ]


def test_should_name_the_kata_of_a_task_by_its_notes():
    course = course_of(
        workspace(
            note("none", "llmdrills::course::t1"),
            note("gone", "llmdrills::course::t1", kata="gone"),
            note("first", "llmdrills::course::t1", kata="norm"),
            note("second", "llmdrills::course::t1", kata="rope"),
            note("zero", "llmdrills::course::t2", kata="rope"),
        ),
        "en",
    )
    assert course.tasks == (("t1", "norm"), ("t2", "rope"))
    assert course.part_of_kata("rope") == "t2"
    assert course.part_of_kata("mask") == ""


def test_should_leave_out_a_deck_that_is_not_in_the_language():
    found = workspace(note("fact", "llmdrills::course::q2"), languages=("en",))
    assert len(course_of(found, "en").questions) == 1
    assert course_of(found, "zh").questions == ()
