"""Sit an exam at a terminal: draw it or go on with the one that is begun, one task after another, then the report."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from llmdrills.cli.day.events import Events
from llmdrills.cli.day.screen import Screen
from llmdrills.cli.day.workplace import at_the_desk
from llmdrills.cli.exam.clock import Clock
from llmdrills.cli.exam.coding_view import CodingView
from llmdrills.cli.exam.papers import Papers
from llmdrills.cli.exam.question_view import QuestionView
from llmdrills.cli.exam.steps import begin_kata, is_settled, only_one, question_card
from llmdrills.cli.exam.words import WORDS
from llmdrills.cli.record import open_history
from llmdrills.practice.exam import Exam

if TYPE_CHECKING:
    from llmdrills.cli.day.repetition_view import Tools
    from llmdrills.cli.exam.papers import Asked
    from llmdrills.cli.exam.question_view import Left
    from llmdrills.cli.options import Place
    from llmdrills.practice.exam import Task

__all__ = ["run_exam"]


def run_exam(here: Place, asked: Asked) -> int:
    """Sit the exam until it is over or broken off; the exit code. KeyboardInterrupt passes through.

    Raises UsageError where the exam cannot be begun, is open elsewhere, or is another one than was asked for.
    """
    screen = Screen()
    papers = Papers.load(here)
    with only_one(papers.file), contextlib.closing(Events()) as events, open_history(here, check=True) as history:
        found = Exam.load(papers.file)
        exam = papers.begin(history, asked) if found is None else papers.go_on(found, asked)
        exam.record(history)
        for line in papers.opening(exam, resumed=found is not None):
            screen.text(line)
        if exam.ended is None:
            with at_the_desk(here, screen, events, history, papers.katas) as tools:
                left = _Sitting(tools, papers, exam).run()
                if left == "time":
                    screen.text(WORDS["time_over"][here.language])
            if left == "quit":
                screen.text(WORDS["broken_off"][here.language])
                return 0
            exam.end()
        screen.text()
        screen.text(papers.report(exam, history))
    return 0


class _Sitting:
    """Takes one task after another until nothing is open, or the learner or the clock ends it."""

    def __init__(self, tools: Tools, papers: Papers, exam: Exam) -> None:
        self._tools = tools
        self._papers = papers
        self._exam = exam
        self._clock = Clock(exam)

    def run(self) -> Left:
        """What it ended with: done, end, quit or time."""
        while (task := self._exam.current) is not None:
            self._clock.tick()
            if self._clock.over and not task.atoms:
                return "time"
            left = self._code(task) if task.kind == "kata" else self._ask(task)
            if left in {"end", "quit", "time"}:
                return left
        return "done"

    def _ask(self, task: Task) -> Left:
        note = self._papers.notes.get(task.id)
        if note is None:
            return self._drop(task)
        card = question_card(self._papers, self._exam, task, note, self._tools.here.language)
        return QuestionView(self._tools, self._exam, task, card, self._clock).run()

    def _code(self, task: Task) -> Left:
        kata = self._tools.katas.get(task.id)
        if kata is None:
            return self._drop(task)
        if is_settled(self._tools.history, kata, task):
            self._exam.pass_kata(task)
            return "done"
        begun = begin_kata(self._tools.here, self._papers, self._tools.history, kata, task)
        self._exam.open_kata(task, begun.repetition.id, begun.repetition.variant)
        view = CodingView(self._tools, kata, begun.repetition, resumed=begun.resumed)
        return view.sit(self._exam, task, self._clock)

    def _drop(self, task: Task) -> Left:
        self._exam.drop(task)
        self._tools.screen.text(WORDS["gone"].format(id=task.id)[self._tools.here.language])
        return "done"
