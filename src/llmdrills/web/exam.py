"""An exam on the page: the same papers and the same file as at a terminal, marked with buttons.

The clock runs while a page is open. Closing the last one breaks the exam off: nothing is lost, and it can be gone on
with here or with `llmdrills exam`.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any

from llmdrills.cli.exam.clock import Clock
from llmdrills.cli.exam.papers import Papers, last_report, reports_folder
from llmdrills.cli.exam.steps import begin_kata, is_settled, only_one, question_card
from llmdrills.cli.exam.words import WORDS as SAID
from llmdrills.cli.rating_view import RATED, days_of
from llmdrills.cli.record import earned
from llmdrills.cli.verdict_view import verdict_text
from llmdrills.decks.labels import tolerance_text
from llmdrills.decks.markdown import render, render_inline
from llmdrills.errors import UsageError
from llmdrills.practice import exam_page
from llmdrills.practice.exam import Exam
from llmdrills.practice.exam_draw import Wanted
from llmdrills.practice.exam_words import part_name
from llmdrills.practice.typed_number import Unread
from llmdrills.web.words import TOLD

if TYPE_CHECKING:
    from llmdrills.cli.exam.papers import Asked
    from llmdrills.content.model import Workspace
    from llmdrills.practice.exam import Task
    from llmdrills.practice.exam_cards import Card
    from llmdrills.web.practice import Practice, Sheet
    from llmdrills.web.study import Study

__all__ = ["ExamRoom"]

Json = dict[str, Any]
_LEFT_ALONE = 40  # looks without an open page after which the exam is broken off: about ten seconds


class ExamRoom:
    """Used by the owner's thread alone."""

    def __init__(self, study: Study, practice: Practice) -> None:
        self._study = study
        self._practice = practice
        self._file = study.here.locations.data / "exam.json"
        self._held = contextlib.ExitStack()  # the exam's file, while it is sat here
        self._exam: Exam | None = None
        self._papers: Papers
        self._clock: Clock
        self._alone = 0
        self._sheet: Sheet | None = None  # the kata that is open

    # ---- beginning and leaving ----------------------------------------

    def shown(self) -> Json:
        """The task that is open; else what can be begun."""
        if self._exam is not None:
            return self._task()
        begun = Exam.load(self._file)
        standard = Wanted()
        return {
            "state": "none" if begun is None else "begun",
            "left": 0 if begun is None else _minutes(begun),
            "minutes": standard.minutes,
            "katas": standard.katas,
            "questions": standard.questions,
            "reported": any(reports_folder(self._study.here).glob("*.json")),
        }

    def sit(self, workspace: Workspace, asked: Asked) -> Json:
        """Begin an exam, or go on with the one that is begun, where nothing is asked for.

        Raises UsageError where it is open elsewhere, or cannot be begun.
        """
        if self._exam is not None:
            return self._task()
        study = self._study
        study.read_katas()
        papers = Papers(study.here, workspace, list(study.katas.values()))
        with contextlib.ExitStack() as held:
            held.enter_context(only_one(self._file))
            found = Exam.load(self._file)
            exam = papers.begin(study.history, asked) if found is None else papers.go_on(found, asked)
            exam.record(study.history)
            self._held = held.pop_all()
        self._exam, self._papers, self._clock, self._alone = exam, papers, Clock(exam), 0
        return {**self._task(), "said": papers.opening(exam, resumed=found is not None, rules=TOLD["exam_rules"])}

    def leave(self) -> Json:
        """Break it off: the clock stands still, and it can be gone on with anywhere."""
        if self._exam is not None:
            self._tick()
            self._exam.keep()
        self._let_go()
        return self.shown()

    def end(self) -> Json:
        """Nothing more is asked; the report."""
        exam = self._sat()
        self._tick()
        return self._report(exam)

    def close(self) -> None:
        """The server ends."""
        self._let_go()

    def _let_go(self) -> None:
        self._exam = self._sheet = None
        self._held.close()

    # ---- the clock ----------------------------------------

    def look(self) -> None:
        """Let the clock run; end the exam when the time is over, break it off when nobody looks at it any more."""
        exam = self._exam
        if exam is None:
            return
        self._alone = 0 if self._study.stream.pages else self._alone + 1
        if self._alone > _LEFT_ALONE:
            self.leave()
            return
        self._tick()
        if self._over(exam):
            self._study.send("exam", {"over": True})

    def _tick(self) -> None:
        self._clock.tick()

    def _over(self, exam: Exam) -> bool:
        """Whether the time is over. What is shown already may be marked to its end, and a grade is waited for."""
        task = exam.current
        marking = task is not None and bool(task.atoms)
        return self._clock.over and not marking and not (self._sheet is not None and self._sheet.waiting)

    # ---- a task ----------------------------------------

    def _part(self, task: Task) -> str:
        """What it is; its number in the course is not the one of the exam, beside which it stands."""
        name = part_name(task.course)
        return self._study.told(TOLD["exam_part"].format(part=name) if task.course else name)

    def _task(self) -> Json:
        """The task that is open, asked; the report where none is left."""
        exam = self._sat()
        self._tick()
        while (task := exam.current) is not None and not self._over(exam):
            known = self._papers.katas if task.kind == "kata" else self._papers.notes
            if task.id in known and not self._is_settled(exam, task):
                return self._kata(exam, task) if task.kind == "kata" else self._question(exam, task)
            if task.id not in known:
                exam.drop(task)
        return self._report(exam)

    def _is_settled(self, exam: Exam, task: Task) -> bool:
        if task.kind != "kata" or not is_settled(self._study.history, self._papers.katas[task.id], task):
            return False
        exam.pass_kata(task)
        return True

    def _head(self, exam: Exam, task: Task) -> Json:
        return {
            "state": "sitting",
            "kind": task.kind,
            "number": exam.number(task),
            "count": len(exam.tasks),
            "part": self._part(task),
            "left": _minutes(exam),
            "last": sum(not one.done for one in exam.tasks) < 2,
        }

    def _question(self, exam: Exam, task: Task) -> Json:
        self._sheet = None
        return {**self._head(exam, task), **self._asked(task, self._card(exam, task))}

    def _card(self, exam: Exam, task: Task) -> Card:
        note = self._papers.notes[task.id]
        return question_card(self._papers, exam, task, note, self._study.language)

    def _asked(self, task: Task, card: Card) -> Json:
        """The question, what was typed, the atoms that were marked and the one to mark next; more after the last."""
        shown = len(task.marks) + 1 if task.atoms else 0
        return {
            "front": render(card.front),
            "points": len(card.atoms),
            "number_asked": "" if card.question is None else self._study.told(tolerance_text(card.question.tolerance)),
            "typed": task.typed,
            "atoms": [render_inline(atom) for atom in card.atoms[:shown]],
            "marks": list(task.marks),
            "more": [render(text) for text in card.more] if task.done else [],
            "done": task.done,
        }

    def type(self, text: str) -> Json:
        """Keep what the learner typed so far."""
        exam, task = self._sat(), self._asking()
        if not task.atoms and text != task.typed:
            exam.note_typed(task, text)
        return {}

    def reveal(self, text: str) -> Json:
        """Show the answer. A typed number is judged, and stays to be corrected where it cannot be read."""
        exam, task = self._sat(), self._asking()
        card = self._card(exam, task)
        if task.atoms:
            return self._question(exam, task)
        self.type(text)
        judged = card.question.judge(text) if card.question is not None and text.strip() else None
        if isinstance(judged, Unread):
            return {**self._question(exam, task), "unread": self._study.told(judged.told)}
        exam.reveal(task, len(card.atoms), self._study.language)
        if judged is not None:
            exam.mark(task, judged.right, self._study.history)
        return {**self._head(exam, task), **self._asked(task, card)}

    def mark(self, had: bool) -> Json:
        """Mark the next atom."""
        exam, task = self._sat(), self._asking()
        card = self._card(exam, task)
        if task.atoms:
            exam.mark(task, had, self._study.history)
        return {**self._head(exam, task), **self._asked(task, card)}

    def unmark(self) -> Json:
        """Take the last mark back."""
        exam, task = self._sat(), self._asking()
        exam.unmark(task)
        return self._question(exam, task)

    def later(self) -> Json:
        """Leave the task for after the others."""
        exam = self._sat()
        task = exam.current
        if task is not None and not task.atoms:
            exam.later(task)
        return self._task()

    def _sat(self) -> Exam:
        if self._exam is None:
            raise UsageError(TOLD["no_exam"], TOLD["open_exam"])
        return self._exam

    def _asking(self) -> Task:
        task = self._sat().current
        if task is None or task.kind == "kata":
            raise UsageError(TOLD["no_exam"], TOLD["open_exam"])
        return task

    # ---- a kata ----------------------------------------

    def _kata(self, exam: Exam, task: Task) -> Json:
        kata = self._papers.katas[task.id]
        if self._sheet is None or self._sheet.repetition.id != task.session:
            begun = begin_kata(self._study.here, self._papers, self._study.history, kata, task)
            exam.open_kata(task, begun.repetition.id, begun.repetition.variant)
            self._sheet = self._practice.add(begun.repetition, kata, resumed=begun.resumed, silent=True)
        if self._sheet.repetition.passed:  # ended before it was rated
            said = self._settle(exam, task, self._sheet)
            return {**self._head(exam, task), "settled": said}
        return {**self._head(exam, task), "practice": self._practice.shown(self._sheet)}

    def graded(self, sheet: Sheet) -> None:
        """A verdict on a kata of the exam: kept for the report, and nothing of it is explained."""
        exam, verdict = self._exam, sheet.verdict
        if exam is None or verdict is None or sheet is not self._sheet:
            return
        task = next((one for one in exam.tasks if one.session == sheet.repetition.id), None)
        if task is None:
            return
        number = {"session": sheet.repetition.id, "passed": verdict.passed}
        if verdict.passed:
            self._study.send("graded", {**number, "said": self._settle(exam, task, sheet)})
        else:
            exam.fail_kata(task, verdict_text(verdict, self._study.language, colour=False).strip())
            self._study.send("graded", {**number, "said": [self._study.told(SAID["not_passed"])]})

    def _settle(self, exam: Exam, task: Task, sheet: Sheet) -> list[str]:
        """It is passed: record the rating that was earned, unless another window has done so."""
        study = self._study
        said = [study.told(SAID["passed"])]
        found = earned(study.here, sheet.repetition)
        try:
            review = sheet.repetition.rate()
        except UsageError as error:
            said.append(error.told(study.language))
        else:
            choice = next(one for one in (found.choices if found else ()) if one.rating == review.rating)
            words = RATED.format(kata=task.id, rating=review.rating.label, due=choice.due, days=days_of(choice))
            said.append(study.told(words))
        exam.pass_kata(task)
        sheet.silent, self._sheet = False, None
        return said

    # ---- the end ----------------------------------------

    def _report(self, exam: Exam) -> Json:
        exam.end()
        written = self._papers.write_report(exam, self._study.history)
        self._let_go()
        return {
            "state": "over",
            "html": exam_page.body(written.report, self._study.language),
            "file": str(written.page),
        }

    def last(self) -> Json:
        """The report of the exam that was over last. Raises UsageError when there is none."""
        file = max(reports_folder(self._study.here).glob("*.html"), default=None)
        html = exam_page.body(last_report(self._study.here), self._study.language)
        return {"state": "over", "html": html, "file": "" if file is None else str(file)}


def _minutes(exam: Exam) -> int:
    return math.ceil(exam.left / 60)
