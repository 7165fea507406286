"""One question at the terminal: it is asked, answered in thought or by typing, shown, and marked point by point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from llmdrills.cli.day.events import Key, Redraw
from llmdrills.cli.day.keys import ENTER
from llmdrills.cli.exam.words import HELP_NOTE, WORDS
from llmdrills.decks.labels import tolerance_text
from llmdrills.lines import columns
from llmdrills.mathtext import unicode_math
from llmdrills.practice.exam_words import part_name
from llmdrills.practice.typed_number import Unread

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmdrills.cli.day.events import Event
    from llmdrills.cli.day.repetition_view import Tools
    from llmdrills.cli.exam.clock import Clock
    from llmdrills.practice.exam import Exam, Task
    from llmdrills.practice.exam_cards import Card

__all__ = ["Left", "QuestionView", "fitting"]

Left = Literal["done", "later", "end", "quit", "time"]
_LOOK = 1.0  # seconds without an event after which the clock is looked at
_BACKSPACE, _CLEAR = {"\x7f", "\x08"}, "\x15"


class QuestionView:
    """Shows a note of the exam, and reads keys until it is left: marked, put off, broken off, or out of time."""

    def __init__(self, tools: Tools, exam: Exam, task: Task, card: Card, clock: Clock) -> None:
        self._tools = tools
        self._screen = tools.screen
        self._language = tools.here.language
        self._exam = exam
        self._task = task
        self._card = card._replace(
            front=unicode_math(card.front),
            atoms=tuple(map(unicode_math, card.atoms)),
            more=tuple(map(unicode_math, card.more)),
        )
        self._clock = clock
        self._draft: str | None = None  # what is being typed; None: keys are commands
        self._ending = False  # x was pressed, and again ends the exam
        self._left: Left | None = None

    def run(self) -> Left:
        """Go on until the question is left."""
        self._screen.leave()  # the keys of the task before
        self._introduce()
        try:
            while True:
                self._screen.status(self._status())
                for event in self._tools.events.wait(self._tools.keyboard, None, _LOOK):
                    self._take(event)
                    if self._left is not None:
                        return self._left
        finally:
            self._keep_draft()

    # ---- what happens ----------------------------------------

    def _take(self, event: Event) -> None:
        self._clock.tick()
        if isinstance(event, Key):
            if event.key == "":
                self._left = "quit"
            elif self._draft is not None:
                self._type(event.key)
            else:
                self._press(event.key)
        elif isinstance(event, Redraw):
            self._screen.redraw()
        else:
            self._keep_draft()
        if self._left is None and self._clock.over and not self._task.atoms:
            self._left = "time"  # what is shown already may be marked to its end

    def _press(self, key: str) -> None:
        if key == "x" and self._ending:
            self._left = "end"
            return
        self._ending = key == "x"
        act = self._keys().get(key)
        if act is not None:
            act()

    def _keys(self) -> dict[str, Callable[[], None]]:
        """What each key does now."""
        always: dict[str, Callable[[], None]] = {
            "p": self._introduce,
            "q": self._quit,
            "x": lambda: self._say("sure_end"),
            "?": lambda: self._print(HELP_NOTE[self._language]),
        }
        if self._task.atoms:
            return {**always, "y": lambda: self._mark(True), "n": lambda: self._mark(False), "u": self._unmark}
        return {**always, ENTER: self._reveal, "t": self._begin_typing, "n": self._later}

    def _quit(self) -> None:
        self._left = "quit"

    def _later(self) -> None:
        if self._exam.later(self._task):
            self._left = "later"
        else:
            self._say("last_open")

    # ---- typing ----------------------------------------

    def _begin_typing(self) -> None:
        self._draft = self._task.typed

    def _type(self, key: str) -> None:
        draft = self._draft or ""
        if key == ENTER:
            self._keep_draft()
            self._submit(draft)
        elif key in _BACKSPACE:
            self._draft = draft[:-1]
        elif key == _CLEAR:
            self._draft = ""
        elif key.isprintable():
            self._draft = draft + key

    def _submit(self, draft: str) -> None:
        """End the typing: a number is judged, and stays to be corrected where it cannot be read."""
        asked = self._card.question
        found = asked.judge(draft) if asked is not None and draft.strip() else None
        if isinstance(found, Unread):
            self._print(found.told[self._language])
            return
        self._draft = None
        self._reveal()
        if found is not None:
            self._mark(found.right)

    def _keep_draft(self) -> None:
        if self._draft is not None and self._draft != self._task.typed:
            self._exam.note_typed(self._task, self._draft)

    # ---- the answer and its marks ----------------------------------------

    def _reveal(self) -> None:
        self._exam.reveal(self._task, len(self._card.atoms), self._language)
        self._print(*self._answer())

    def _answer(self) -> list[str]:
        """What was typed, and the first atom that is not marked."""
        typed = [self._words("your_answer", typed=self._task.typed)] if self._task.typed else []
        return [*typed, self._screen.strong(self._words("answer")), self._point()]

    def _point(self) -> str:
        """The next atom to mark."""
        count, at = len(self._card.atoms), len(self._task.marks)
        text = self._card.atoms[at]
        return self._words("point", number=at + 1, count=count, text=text) if count > 1 else text

    def _mark(self, had: bool) -> None:
        self._exam.mark(self._task, had, self._tools.history)
        said = self._words("had" if had else "missed")
        if self._task.done:
            self._print(said, *self._card.more)
            self._left = "done"
        else:
            self._print(said, self._point())

    def _unmark(self) -> None:
        if self._exam.unmark(self._task):
            self._print(self._words("unmarked"), self._point())

    # ---- what is shown ----------------------------------------

    def _introduce(self) -> None:
        number, count = self._exam.number(self._task), len(self._exam.tasks)
        part = part_name(self._task.course)[self._language]
        if len(self._card.atoms) > 1:
            part = self._words("in_full", part=part, atoms=len(self._card.atoms))
        head = self._screen.strong(self._words("head", number=number, count=count, part=part))
        # Where it was broken off while it was marked, the answer is shown again.
        asked = self._card.question
        fresh = [] if asked is None else [self._words("number", tolerance=tolerance_text(asked.tolerance))]
        self._print("", head, self._card.front, *fresh, *(self._answer() if self._task.atoms else ()))

    def _say(self, name: str) -> None:
        self._print(self._words(name))

    def _words(self, name: str, **values: object) -> str:
        return WORDS[name].format(**values)[self._language]

    def _print(self, *texts: str) -> None:
        """Print them one below the other, in one go: a terminal that cannot redraw shows the keys after each print."""
        self._screen.text("\n".join(texts))

    def _status(self) -> str:
        clock = f"{self._exam.number(self._task)}/{len(self._exam.tasks)} · {self._clock.shown(self._language)}"
        width = self._screen.width
        if self._draft is not None:
            return f"{clock} > {_tail(self._draft, width - columns(clock) - 5)}▏"
        name = "mark_keys" if self._task.atoms else "answer_keys"
        keys = (WORDS[name][self._language], WORDS[f"{name}_short"][self._language])
        return fitting(width, *(f"{clock} · {one}" for one in keys))


def fitting(width: int, *choices: str) -> str:
    """The first of the texts that fits, else the last."""
    return next((text for text in choices if columns(text) < width), choices[-1])


def _tail(text: str, width: int) -> str:
    """The end of what was typed, as far as it fits."""
    while text and columns(text) > width:
        text = text[1:]
    return text
