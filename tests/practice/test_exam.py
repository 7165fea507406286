"""An exam without a terminal: what is drawn, how it is marked, what its file keeps, and what its report says."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from llmdrills.content import load_workspace
from llmdrills.content.computed import Computed, load_computed
from llmdrills.content.course import Course, course_of
from llmdrills.content.model import Workspace
from llmdrills.errors import UsageError
from llmdrills.practice import exchange
from llmdrills.practice.exam import Exam, Task, Terms
from llmdrills.practice.exam_cards import card_of, rating_of
from llmdrills.practice.exam_draw import Drawn, Wanted, draw, listed, listed_minutes
from llmdrills.practice.exam_report import Sources, gather
from llmdrills.practice.history import History
from llmdrills.practice.note_reviews import of_note
from llmdrills.practice.rating import Rating
from llmdrills.readiness import assess
from tests.helpers.kata_learner import START, KataLearner

SEEDS = range(40)


@pytest.fixture(scope="module")
def shipped(root: Path) -> Workspace:
    return load_workspace(root)


@pytest.fixture(scope="module")
def course(shipped: Workspace) -> Course:
    return course_of(shipped, "en")


@pytest.fixture(scope="module")
def computed(root: Path) -> Computed:
    return load_computed(root)


# ---- the draw ----------------------------------------


def test_should_draw_the_same_exam_for_the_same_seed_and_others_for_others(shipped, course):
    exams = [draw(course, shipped.katas, Wanted(), seed) for seed in SEEDS]
    assert exams == [draw(course, shipped.katas, Wanted(), seed) for seed in SEEDS]
    assert len(set(exams)) == len(SEEDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_should_ask_each_question_of_the_course_once_and_by_a_note_of_its_own(shipped, course, seed):
    drawn = draw(course, shipped.katas, Wanted(), seed)
    questions = [one for one in drawn if one.kind == "question"]
    parts = {part.id: {part.head.id, *(note.id for note in part.atoms)} for part in course.questions}
    heads = {part.head.id for part in course.questions}
    assert sorted(one.course for one in questions) == sorted(parts)
    assert [one for one in questions if one.id not in parts[one.course]] == []
    assert sum(one.id in heads for one in questions) == 5
    assert [one.kind for one in drawn] == ["question"] * 10 + ["kata"] * 3 + ["design"]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("count", [1, 7, 23, 60, 1000])
def test_should_ask_no_note_and_no_kata_twice(shipped, course, seed, count):
    drawn = draw(course, shipped.katas, Wanted(600, min(count, 30), count), seed)
    assert [one for one, times in Counter((one.kind, one.id) for one in drawn).items() if times > 1] == []
    every = {note.id for part in course.questions for note in (part.head, *part.atoms)}
    questions = [one for one in drawn if one.kind == "question"]
    assert len(questions) == min(count, len(every))
    rounds = Counter(one.course for one in questions[:count]).values()
    assert max(rounds) - min(rounds) <= 1 or count > 23


def test_should_draw_questions_whatever_katas_are_asked_for(shipped, course):
    one, other = (draw(course, shipped.katas, Wanted(45, katas, 10), 7) for katas in (0, 5))
    assert [task for task in one if task.kind != "kata"] == [task for task in other if task.kind != "kata"]


@pytest.mark.parametrize("seed", SEEDS)
def test_should_choose_katas_that_fit_of_topics_of_their_own(shipped, course, seed):
    katas = {kata.id: kata for kata in shipped.katas}
    drawn = [katas[one.id] for one in draw(course, shipped.katas, Wanted(), seed) if one.kind == "kata"]
    assert sum(kata.minutes for kata in drawn) <= 45 * 0.75
    topics = Counter(kata.topic for kata in drawn)
    assert sum(topics.values()) - len(topics) <= 1


def test_should_leave_out_katas_that_are_in_progress_and_take_more_where_few_fit(shipped, course):
    all_but = [kata.id for kata in shipped.katas if kata.id not in {"debug-decoder", "rms-norm"}]
    drawn = draw(course, shipped.katas, Wanted(10, 3, 0), 1, all_but)
    assert {one.id for one in drawn if one.kind == "kata"} == {"debug-decoder", "rms-norm"}


def test_should_name_the_task_of_the_course_that_a_kata_is(shipped, course):
    drawn = {one.id: one.course for one in draw(course, shipped.katas, Wanted(1200, len(shipped.katas), 0), 1)}
    assert drawn["rotary-embedding"] == "t2"
    assert drawn["rms-norm"] == ""


def test_should_list_the_courses_own_in_order(shipped, course):
    found = listed(course)
    assert [one.course for one in found] == [
        *(f"q{number}" for number in range(1, 11)),
        "t1",
        "t2",
        "t3",
        "d1",
        "d2",
        "d3",
    ]
    assert listed_minutes(found, shipped.katas) == 10 * 2 + 3 * 10 + 3 * 5


# ---- cards ----------------------------------------


@pytest.mark.parametrize("language", ["en", "zh"])
def test_should_make_a_card_of_every_note_of_the_course(course, computed, language):
    """Nothing is left of the markup of a cloze, nor of a value that a proof computed; something is there to mark."""
    notes = [note for part in (*course.questions, *course.designs) for note in (part.head, *part.atoms)]
    cards = [card_of(note, language, computed) for note in notes]
    texts = [text for card in cards for text in (card.front, *card.atoms, *card.more)]
    assert len(cards) > 100
    assert [text for text in texts if "{{c" in text or "[[" in text or not text.strip()] == []
    assert [card.front for card in cards if not card.atoms] == []


def test_should_hide_what_a_cloze_hides_and_ask_for_each_number(shipped, computed):
    note = next(note for note in shipped.notes if note.id == "kv-cache-bytes-formula")
    card = card_of(note, "en", computed)
    assert "…" in card.front
    assert [atom for atom in card.atoms if atom in card.front] == []
    assert [atom for atom in card.atoms if atom not in card.more[0]] == []


def test_should_mark_a_checklist_item_by_item(shipped, computed):
    note = next(note for note in shipped.notes if note.id == "alibi-idea")
    assert card_of(note, "zh", computed).atoms == tuple(item.zh for item in note.items)


@pytest.mark.parametrize(
    ("marks", "rating"),
    [
        ([True], Rating.GOOD),
        ([False], Rating.AGAIN),
        ([True, False], Rating.HARD),
        ([True, True, True], Rating.GOOD),
        ([True, False, False], Rating.AGAIN),
    ],
)
def test_should_rate_an_answer_by_its_marks(marks, rating):
    assert rating_of(marks) == rating


# ---- an exam in its file ----------------------------------------

DRAWN = (
    Drawn("question", "q1", "attention-cost"),
    Drawn("question", "q7", "kv-cache-no-queries"),
    Drawn("kata", "t2", "rotary-embedding"),
    Drawn("design", "d1", "design-long-context"),
)


@pytest.fixture
def exam(tmp_path: Path, root: Path) -> Exam:
    terms = Terms(id="exam-1", seed=3, minutes=45, listed=False, workspace=str(root))
    return Exam.begin(tmp_path / "exam.json", DRAWN, terms, START)


def answer(exam: Exam, history: History, place: int, marks: str, language: str = "en") -> Task:
    """Mark a task: + for had, - for missed."""
    task = exam.tasks[place]
    exam.reveal(task, len(marks), language)
    for number, mark in enumerate(marks):
        exam.mark(task, mark == "+", history, START.plus(number))
    return task


def test_should_find_an_exam_as_it_was_left(exam, history):
    exam.note_typed(exam.tasks[1], "半个 answer \ud800")
    answer(exam, history, 0, "+-+")
    exam.open_kata(exam.tasks[2], "session", "interleaved")
    exam.fail_kata(exam.tasks[2], "✗")
    exam.spend(61.5)
    found = Exam.load(exam.path)
    assert found is not None
    assert found.to_json() == json.loads(exam.path.read_text("utf-8"))
    assert found.terms == exam.terms
    assert found.tasks[0] == exam.tasks[0]
    assert found.used == 61.5
    assert found.current is found.tasks[2]


def test_should_record_an_answer_when_its_last_atom_is_marked_and_once_only(exam, history):
    task = exam.tasks[1]
    exam.reveal(task, 2, "zh")
    exam.mark(task, True, history, START)
    assert of_note(history, task.id) == []
    exam.mark(task, False, history, START)
    exam.mark(task, True, history, START)
    assert exam.record(history) == 0
    (found,) = of_note(history, task.id)
    assert (found.rating, found.source, found.language, found.origin) == (2, "self", "zh", "exam exam-1 2")
    assert task.marks == [True, False]


def test_should_record_what_was_marked_before_a_kill(exam, history, monkeypatch):
    """The mark is in the file before it is in the history: killed between the two, the next start records it."""

    def killed(_history: History) -> int:
        raise SystemExit

    monkeypatch.setattr(exam, "record", killed)
    with pytest.raises(SystemExit):
        answer(exam, history, 0, "++")
    assert of_note(history, "attention-cost") == []
    found = Exam.load(exam.path)
    assert found is not None
    assert found.record(history) == 1
    assert of_note(history, "attention-cost")[0].rating == 3


def test_should_take_a_mark_back_until_the_answer_is_marked(exam, history):
    task = exam.tasks[0]
    exam.reveal(task, 2, "en")
    assert not exam.unmark(task)
    exam.mark(task, True, history)
    assert exam.unmark(task)
    exam.mark(task, False, history)
    exam.mark(task, False, history)
    assert not exam.unmark(task)
    assert task.marks == [False, False]


def test_should_come_back_to_what_was_put_off_and_end_with_the_last(exam, history):
    first, second = exam.tasks[:2]
    assert exam.current is first
    assert exam.later(first)
    assert exam.current is second
    answer(exam, history, 1, "+")
    exam.pass_kata(exam.tasks[2])
    answer(exam, history, 3, "+")
    assert exam.current is first
    assert not exam.later(first)
    answer(exam, history, 0, "-")
    assert exam.current is None


def test_should_write_the_clock_every_few_seconds_and_at_its_end(exam):
    for _ in range(4):
        exam.spend(1)
    assert json.loads(exam.path.read_text())["used"] == 0
    exam.spend(1)
    assert json.loads(exam.path.read_text())["used"] == 5
    exam.spend(45 * 60)
    assert exam.left == 0
    assert json.loads(exam.path.read_text())["used"] == 2705


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "\xff", '{"schema": 2}', '{"schema": 1, "id": "a"}', '{"schema": 1, "tasks": []}', "[" * 99999],
)
def test_should_say_that_a_file_holds_no_exam(tmp_path, text):
    path = tmp_path / "exam.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match="holds no exam"):
        Exam.load(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "riddle"),
        ("course", "x1"),
        ("marks", [1]),
        ("marks", [True] * 9),
        ("marks", "ab"),
        ("language", "fr"),
        ("at", "yesterday"),
        ("atoms", None),
        ("unknown", 1),
    ],
)
def test_should_say_that_a_task_is_none_before_anything_stumbles_over_it(exam, history, field, value):
    answer(exam, history, 0, "+-+")
    data = exam.to_json()
    data["tasks"][0][field] = value
    exam.path.write_text(json.dumps(data))
    with pytest.raises(UsageError, match="holds no exam"):
        Exam.load(exam.path)


def test_should_find_no_exam_where_none_was_begun(tmp_path):
    assert Exam.load(tmp_path / "exam.json") is None


def test_should_export_and_merge_answers_like_every_event(exam, history, tmp_path):
    answer(exam, history, 0, "+-")
    answer(exam, history, 3, "++", "zh")
    lines = list(exchange.export_lines(history))
    with History.open(tmp_path / "other" / "history.sqlite3") as other:
        assert exchange.import_lines(other, lines)[:2] == (2, 0)
        assert exchange.import_lines(other, lines)[:2] == (0, 2)
        assert exam.record(other) == 0  # the same exam, on the other machine
        assert [one.rating for note in ("attention-cost", "design-long-context") for one in of_note(other, note)] == [
            2,
            3,
        ]


# ---- the report ----------------------------------------


def report(exam: Exam, history: History, shipped: Workspace, computed: Computed) -> dict:
    ready = assess(shipped, history, START).to_json()
    return gather(exam, Sources(shipped, computed, history, ready, "en"))


def items(found: dict) -> dict[str, str]:
    return {item["id"]: item["evidence"] for item in found["items"]}


def test_should_let_own_marks_never_count_alone_for_an_item(exam, history, shipped, computed):
    before = assess(shipped, history, START).to_json()
    answer(exam, history, 0, "++++")
    answer(exam, history, 1, "+")
    exam.end(START)
    found = report(exam, history, shipped, computed)
    assert items(found)["ready-attention-cost"] == "own-marks"
    assert set(items(found).values()) == {"own-marks", "none"}
    assert assess(shipped, history, START).to_json() == before


def test_should_report_a_passed_kata_as_proof_with_its_rating(exam, history, shipped, computed, tmp_path):
    kata = next(kata for kata in shipped.katas if kata.id == "rotary-embedding")
    learner = KataLearner(history, tmp_path / "practice")
    learner.passes(kata)
    (session,) = (row["id"] for row in history.rows("SELECT id FROM sessions"))
    exam.open_kata(exam.tasks[2], session, kata.variants[0].id)
    exam.pass_kata(exam.tasks[2])
    found = report(exam, history, shipped, computed)
    assert items(found)["ready-position-schemes"] == items(found)["ready-three-tasks"] == "code"
    assert found["tasks"][2]["rating"] in {"good", "easy"}
    assert found["totals"]["katas"] == {"all": 1, "passed": 1}


def test_should_report_a_kata_that_was_begun_and_not_passed_as_failed(exam, history, shipped, computed):
    exam.open_kata(exam.tasks[2], "session", "interleaved")
    exam.fail_kata(exam.tasks[2], "✗ what is wrong")
    found = report(exam, history, shipped, computed)
    assert items(found)["ready-position-schemes"] == "failed"
    assert found["tasks"][2]["told"] == "✗ what is wrong"


def test_should_report_what_was_not_reached_and_half_marked_as_such(exam, history, shipped, computed):
    answer(exam, history, 1, "-")
    exam.reveal(exam.tasks[0], 4, "en")
    exam.mark(exam.tasks[0], True, history)
    found = report(exam, history, shipped, computed)
    assert [task["state"] for task in found["tasks"]] == ["begun", "done", "not-reached", "not-reached"]
    assert found["totals"]["not_reached"] == 2
    assert found["totals"]["questions"] == {"all": 2, "answered": 1, "had": 0, "of": 1}
    assert [atom["had"] for atom in found["tasks"][0]["atoms"]] == [True, None, None, None]
    assert found["others"] == [4]
    assert of_note(history, "attention-cost") == []
