"""What an exam came to, as one report: by item of the readiness checklist, then task by task.

What the learner marked is shown as what it is. It never counts alone for an item: only a kata that was passed proves
something, and `readiness` asks for more than one day of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from llmdrills.practice.evidence import before_pass
from llmdrills.practice.exam_cards import card_of
from llmdrills.practice.rating import Rating

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmdrills.content.computed import Computed
    from llmdrills.content.model import Kata, Note, Workspace
    from llmdrills.language import Language
    from llmdrills.practice.exam import Exam, Task
    from llmdrills.practice.history import History

__all__ = ["Sources", "gather"]

Json = dict[str, Any]


class Sources(NamedTuple):
    """What a report is made from. `readiness`: what `Readiness.to_json` gives after the exam."""

    workspace: Workspace
    computed: Computed
    history: History
    readiness: Mapping[str, Any]
    language: Language


def gather(exam: Exam, sources: Sources) -> Json:
    """The report. Schema 1: it may gain keys, never lose one. Raises HistoryError.

    `tasks` are in the order in which they were asked. An item's `evidence` is "code" where a kata of the exam that
    proves it was passed and none failed, "failed" where one was begun and not passed, "own-marks" where only the
    learner's own marks speak for it, and "none" otherwise.
    """
    notes = {note.id: note for note in sources.workspace.notes}
    katas = {kata.id: kata for kata in sources.workspace.katas}
    tasks = [
        _kata(number, task, katas.get(task.id), sources)
        if task.kind == "kata"
        else _note(number, task, notes.get(task.id), sources, exam.terms.seed)
        for number, task in enumerate(exam.tasks, 1)
    ]
    return {
        "schema": 1,
        "exam": exam.terms.id,
        "seed": exam.terms.seed,
        "listed": exam.terms.listed,
        "language": sources.language,
        "begun": str(exam.begun),
        "ended": None if exam.ended is None else str(exam.ended),
        "minutes": exam.terms.minutes,
        "used_minutes": round(min(exam.used, exam.terms.minutes * 60.0) / 60, 1),
        "totals": _totals(tasks),
        "items": [_item(item, tasks) for item in sources.readiness["items"]],
        "others": [task["number"] for task in tasks if not task["proves"]],
        "tasks": tasks,
    }


def _note(number: int, task: Task, note: Note | None, sources: Sources, seed: int) -> Json:
    """A question or a design question: what was asked, and how each atom was marked (null: not).

    `numbers`: what was drawn for it; null where nothing was.
    """
    card = None if note is None else card_of(note, sources.language, sources.computed, seed)
    atoms = () if card is None else card.atoms
    marks = [task.marks[place] if place < len(task.marks) else None for place in range(len(atoms))]
    return {
        **_common(number, task, () if note is None else note.proves),
        "title": task.id if card is None else card.front,
        "typed": task.typed,
        "numbers": None if card is None or card.question is None else card.question.quantities,
        "atoms": [{"text": text, "had": had} for text, had in zip(atoms, marks, strict=True)],
        "had": sum(had is True for had in marks),
        "of": len(atoms),
    }


def _kata(number: int, task: Task, kata: Kata | None, sources: Sources) -> Json:
    """A kata: whether it was passed, how it was rated, and why the last attempt failed."""
    common = _common(number, task, () if kata is None else kata.proves)
    title = task.id if kata is None else kata.title[sources.language]
    rating = _rating(sources.history, task.session)
    before = None if kata is None or not task.session else before_pass(sources.history, task.session, kata)
    return {
        **common,
        "title": title,
        "kata": task.id,
        "variant": task.variant,
        "passed": task.passed,
        "runs": 0 if before is None else before.runs,
        "hints": 0 if before is None else before.hints,
        "rating": None if rating is None else rating.name.lower(),
        "told": task.told,
    }


def _common(number: int, task: Task, proves: Sequence[str]) -> Json:
    return {
        "number": number,
        "kind": task.kind,
        "course": task.course,
        "id": task.id,
        "state": task.state,
        "proves": list(proves),
    }


def _rating(history: History, session: str) -> Rating | None:
    query = "SELECT rating FROM reviews WHERE session = ? AND id NOT IN (SELECT review FROM undos)"
    rows = history.rows(query, session) if session else []
    return Rating(rows[0]["rating"]) if rows else None


def _totals(tasks: Sequence[Json]) -> Json:
    asked = [task for task in tasks if task["kind"] == "question"]
    katas = [task for task in tasks if task["kind"] == "kata"]
    designs = [task for task in tasks if task["kind"] == "design"]
    return {
        "questions": _marks(asked),
        "katas": {"all": len(katas), "passed": sum(task["passed"] for task in katas)},
        "designs": _marks(designs),
        "not_reached": sum(task["state"] == "not-reached" for task in tasks),
    }


def _marks(tasks: Sequence[Json]) -> Json:
    """What was answered of how many, and what was had of what was marked."""
    done = [task for task in tasks if task["state"] == "done"]
    return {
        "all": len(tasks),
        "answered": len(done),
        "had": sum(task["had"] for task in done),
        "of": sum(task["of"] for task in done),
    }


def _item(item: Mapping[str, Any], tasks: Sequence[Json]) -> Json:
    """An item of the checklist, with what the exam says of it and where it stands in `readiness`."""
    own = [task for task in tasks if item["id"] in task["proves"]]
    katas = [task for task in own if task["kind"] == "kata" and task["state"] != "not-reached"]
    marked = [task for task in own if task["kind"] != "kata" and task["state"] == "done"]
    if katas:
        evidence = "code" if all(task["passed"] for task in katas) else "failed"
    else:
        evidence = "own-marks" if marked else "none"
    return {
        "id": item["id"],
        "title": item["title"],
        "evidence": evidence,
        "katas": {"all": len(katas), "passed": sum(task["passed"] for task in katas)},
        "had": sum(task["had"] for task in marked),
        "of": sum(task["of"] for task in marked),
        "tasks": [task["number"] for task in own],
        "readiness": item["state"],
    }
