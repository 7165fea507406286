"""Sit an exam at a terminal: draw it or go on with the one that is begun, one task after another, then the report."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.cli.day.events import Events
from llmdrills.cli.day.screen import Screen
from llmdrills.cli.day.workplace import at_the_desk
from llmdrills.cli.exam.clock import Clock
from llmdrills.cli.exam.coding_view import CodingView
from llmdrills.cli.exam.papers import Papers
from llmdrills.cli.exam.question_view import QuestionView
from llmdrills.cli.exam.words import WORDS
from llmdrills.cli.record import open_history, practice_file
from llmdrills.content.repair import first_text
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.alone import alone
from llmdrills.practice.exam import Exam
from llmdrills.practice.exam_cards import card_of
from llmdrills.practice.repetition_record import RepetitionRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llmdrills.cli.day.repetition_view import Tools
    from llmdrills.cli.exam.papers import Asked
    from llmdrills.cli.exam.question_view import Left
    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata
    from llmdrills.practice.exam import Task

__all__ = ["run_exam"]

_ELSEWHERE = Bilingual("an exam is open in another terminal", "另一个终端中正在进行考试")
_GO_THERE = Bilingual("go on there, or break it off there with q", "请在那里继续，或在那里按 q 暂停")
_NO_LOCK = Bilingual("cannot write to {folder}: {why}", "无法写入 {folder}：{why}")
_MAKE_WRITABLE = Bilingual(
    "make it writable, or set LLMDRILLS_HOME to a folder that is", "请使其可写，或将 LLMDRILLS_HOME 设为可写的文件夹"
)


class _Begun(NamedTuple):
    """A kata's repetition, and whether it goes on."""

    repetition: repetitions.Repetition
    resumed: bool


def run_exam(here: Place, asked: Asked) -> int:
    """Sit the exam until it is over or broken off; the exit code. KeyboardInterrupt passes through.

    Raises UsageError where the exam cannot be begun, is open elsewhere, or is another one than was asked for.
    """
    screen = Screen()
    papers = Papers.load(here)
    with _only_one(papers.file), contextlib.closing(Events()) as events, open_history(here, check=True) as history:
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


@contextlib.contextmanager
def _only_one(file: Path) -> Iterator[None]:
    """Hold the exam's file. Raises UsageError when another process does."""
    with contextlib.ExitStack() as held:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(alone(file, wait=False))
        except BlockingIOError as error:
            raise UsageError(_ELSEWHERE, _GO_THERE) from error
        except OSError as error:
            raise UsageError(_NO_LOCK.format(folder=file.parent, why=error.strerror), _MAKE_WRITABLE) from error
        yield


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
        card = card_of(note, self._tools.here.language, self._papers.computed, self._exam.terms.seed)
        if task.atoms and len(card.atoms) != task.atoms:  # the note was edited while the exam was broken off
            task.marks.clear()
            self._exam.reveal(task, len(card.atoms), self._tools.here.language)
        return QuestionView(self._tools, self._exam, task, card, self._clock).run()

    def _code(self, task: Task) -> Left:
        kata = self._tools.katas.get(task.id)
        if kata is None:
            return self._drop(task)
        if task.session and self._is_rated(kata, task):  # by `llmdrills rate`, while the exam was broken off
            self._exam.pass_kata(task)
            return "done"
        begun = self._repetition(kata, task)
        self._exam.open_kata(task, begun.repetition.id, begun.repetition.variant)
        view = CodingView(self._tools, kata, begun.repetition, resumed=begun.resumed)
        return view.sit(self._exam, task, self._clock)

    def _drop(self, task: Task) -> Left:
        self._exam.drop(task)
        self._tools.screen.text(WORDS["gone"].format(id=task.id)[self._tools.here.language])
        return "done"

    def _is_rated(self, kata: Kata, task: Task) -> bool:
        record = RepetitionRecord(self._tools.history, kata, task.session, task.variant)
        return record.rated and record.passed

    def _repetition(self, kata: Kata, task: Task) -> _Begun:
        """Go on with the exam's own repetition, or with one that holds scored work; else begin from a blank starter."""
        history, here = self._tools.history, self._tools.here
        file = practice_file(here, kata)
        found = repetitions.resume(history, kata, None, file, begun="blank")
        if found is not None and not found.easier and (found.id == task.session or found.scored):
            variant = kata.variant(found.variant) or kata.variants[0]
            starter = first_text(kata, variant, here.language, found.seed)
            return _Begun(repetitions.resume(history, kata, starter, file, begun="blank") or found, resumed=True)
        variant = self._papers.next_variant(history, kata)
        seed = repetitions.new_seed()
        starter = first_text(kata, variant, here.language, seed)
        begun = repetitions.start(history, kata, variant.id, file, starter, seed=seed)
        return _Begun(begun, resumed=False)
