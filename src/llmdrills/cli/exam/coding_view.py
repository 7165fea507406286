"""One kata of an exam: as in the daily loop, but nothing is explained, and no hint or solution is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmdrills.cli.day.events import Graded
from llmdrills.cli.day.repetition_view import RepetitionView
from llmdrills.cli.day.words import WORDS as DAY
from llmdrills.cli.exam.question_view import fitting
from llmdrills.cli.exam.words import HELP_KATA, WORDS
from llmdrills.cli.rating_view import RATED, days_of
from llmdrills.cli.record import earned
from llmdrills.cli.verdict_view import verdict_text
from llmdrills.errors import UsageError
from llmdrills.practice.exam_words import part_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmdrills.cli.day.events import Event
    from llmdrills.cli.day.repetition_view import Tools
    from llmdrills.cli.exam.clock import Clock
    from llmdrills.cli.exam.question_view import Left
    from llmdrills.content.model import Kata
    from llmdrills.practice.exam import Exam, Task
    from llmdrills.practice.repetition import Repetition

__all__ = ["CodingView"]

_HELP_KEYS = frozenset("hHvsdcruk1234")  # what the daily loop has on them would help, or rate


class CodingView(RepetitionView):
    """Shows a repetition in an exam, and reads events until it is left: passed, put off, broken off, out of time."""

    def __init__(self, tools: Tools, kata: Kata, repetition: Repetition, *, resumed: bool) -> None:
        super().__init__(tools, kata, repetition, resumed=resumed)
        self._exam: Exam
        self._task: Task
        self._clock: Clock
        self._ending = False  # x was pressed, and again ends the exam
        self._left: Left = "quit"

    def sit(self, exam: Exam, task: Task, clock: Clock) -> Left:
        """Go on until the kata is left. A pass takes the rating that was earned."""
        self._exam, self._task, self._clock = exam, task, clock
        if self._repetition.passed:  # killed, or graded elsewhere, before it was rated
            self._settle()
        else:
            self.run()
        return self._left

    # ---- what happens ----------------------------------------

    def _take(self, event: Event) -> None:
        self._clock.tick()
        super()._take(event)
        if self._outcome is None and self._clock.over and not self._tools.grader.busy:
            self._leave("time")

    def _leave(self, left: Left) -> None:
        self._left, self._outcome = left, "again"

    def _press(self, key: str) -> None:
        if key == "":
            self._leave("quit")
            return
        if key == "x" and self._ending:
            self._leave("end")
            return
        self._ending = key == "x"
        if key in _HELP_KEYS:
            self._tell("no_help")
            return
        act = self._exam_keys().get(key)
        if act is not None:
            act()

    def _exam_keys(self) -> dict[str, Callable[[], None]]:
        return {
            "e": self._edit,
            "g": self._grade_now,
            "p": self._prompt,
            "w": self._write_back,
            "n": self._later,
            "q": lambda: self._leave("quit"),
            "x": lambda: self._tell("sure_end"),
            "?": lambda: self._screen.text(HELP_KATA[self._language]),
        }

    def _later(self) -> None:
        if self._exam.later(self._task):
            self._leave("later")
        else:
            self._tell("last_open")

    # ---- verdicts ----------------------------------------

    def _graded(self, event: Graded) -> None:
        verdict = event.verdict
        if verdict.kata != self._kata.id or verdict.outcome == "error":
            if verdict.outcome == "error" and not event.superseded:
                self._say("grader_failed", error=verdict.message)
            return
        self._repetition.attempt(event.code, verdict.to_json())
        if verdict.passed:
            self._settle()
            return
        self._exam.fail_kata(self._task, verdict_text(verdict, self._language, colour=False).strip())
        if not event.superseded:
            self._tell("not_passed")

    def _settle(self) -> None:
        """It is passed: record the rating that was earned, unless another window has done so."""
        self._tell("passed")
        found = earned(self._tools.here, self._repetition)
        try:
            review = self._repetition.rate()
        except UsageError as error:
            self._screen.text(error.told(self._language))
        else:
            choice = next(one for one in (found.choices if found else ()) if one.rating == review.rating)
            label, days = review.rating.label[self._language], days_of(choice)[self._language]
            self._print(RATED.format(kata=self._kata.id, rating=label, due=choice.due, days=days)[self._language])
            self._tell("take_back")
        self._exam.pass_kata(self._task)
        self._leave("done")

    # ---- what is shown ----------------------------------------

    def _introduce(self) -> None:
        number, count = self._exam.number(self._task), len(self._exam.tasks)
        part = part_name(self._task.course)[self._language]
        head = WORDS["head"].format(number=number, count=count, part=part)[self._language]
        self._screen.leave()  # the keys of the task before
        self._screen.text("\n" + self._screen.strong(head))
        super()._introduce()

    def _tell(self, name: str, **values: object) -> None:
        self._print(WORDS[name].format(**values)[self._language])

    def _print(self, text: str) -> None:
        self._screen.text(text)

    def _status(self) -> str:
        clock = f"{self._exam.number(self._task)}/{len(self._exam.tasks)} · {self._clock.shown(self._language)}"
        doing = DAY["grading" if self._tools.grader.busy else "waiting"][self._language]
        choices = (WORDS[name].format(doing=doing)[self._language] for name in ("kata_keys", "kata_keys_short"))
        return fitting(self._screen.width, *(f"{clock} · {keys}" for keys in choices), f"{clock} · {doing}")
