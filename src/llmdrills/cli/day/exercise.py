"""One kata at the terminal: from the starter on the learner's disk to a rating."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from llmdrills.cli.day.comparison import difference, side_by_side
from llmdrills.cli.day.events import Failed, Graded, Key, Looked, Redraw, Saved
from llmdrills.cli.day.keys import ENTER
from llmdrills.cli.day.words import HELP, WORDS
from llmdrills.cli.kata_view import kata_markdown
from llmdrills.cli.verdict_view import verdict_text
from llmdrills.content.starter import solution_text
from llmdrills.errors import UsageError
from llmdrills.practice import repetition as repetitions
from llmdrills.practice import schedule
from llmdrills.practice.rating import Rating, reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmdrills.cli.day.bench import Bench
    from llmdrills.cli.day.editor import Editor
    from llmdrills.cli.day.events import Event, Events
    from llmdrills.cli.day.keys import Keyboard
    from llmdrills.cli.day.screen import Screen
    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata
    from llmdrills.practice.history import History
    from llmdrills.practice.repetition import Choice, Repetition

__all__ = ["Exercise", "Outcome", "Table"]

Outcome = Literal["rated", "skipped", "again", "quit"]  # again: ask for the plan anew (a rating was undone)
_State = Literal["writing", "rating", "rated"]
_LOOK = 1.0  # seconds without an event after which the file is looked for


@dataclass(frozen=True)
class Table:
    """What every exercise works with."""

    screen: Screen
    keyboard: Keyboard
    events: Events
    bench: Bench
    history: History
    here: Place
    editor: Editor | None


class Exercise:
    """A repetition in progress: it reads events until there is an outcome."""

    def __init__(self, table: Table, kata: Kata, repetition: Repetition, starter: str, *, resumed: bool) -> None:
        variant = kata.variant(repetition.variant)
        if variant is None:
            raise UsageError(f"{kata.id} has no variant {repetition.variant!r} any more", "run `llmdrills list`")
        self._table = table
        self._screen = table.screen
        self._language = table.here.language
        self._kata = kata
        self._variant = variant
        self._repetition = repetition
        self._file = repetition.file
        self._starter = starter.encode()
        self._resumed = resumed
        self._state: _State = "rating" if repetition.passed else "writing"
        self._choices: list[Choice] = []
        self._code: bytes | None = None  # as last graded, or as begun
        self._gone = False
        self._sure = ""  # the key that was pressed once and asks to be pressed again
        self._outcome: Outcome | None = None  # set when this exercise is over

    def run(self) -> Outcome:
        """Go on until the kata is rated, skipped or left."""
        self._table.bench.prepare(self._kata, self._variant.id, self._language)
        self._introduce()
        from llmdrills.cli.watch import Watcher

        with Watcher(self._file) as watcher:
            if self._state == "rating":
                self._ask()
            self._grade_if_new()
            while True:
                self._screen.status(self._status())
                for event in self._table.events.wait(self._table.keyboard, watcher, _LOOK):
                    self._take(event)
                    if self._outcome is not None:
                        return self._outcome

    # ---- what happens ----------------------------------------

    def _take(self, event: Event) -> None:
        if isinstance(event, Key):
            self._press(event.key)
        elif isinstance(event, Saved):
            self._grade_if_new()
        elif isinstance(event, Looked):
            self._look()
        elif isinstance(event, Graded):
            self._graded(event)
        elif isinstance(event, Failed):
            self._say("grader_failed", error=event.error)
        elif isinstance(event, Redraw):
            self._screen.redraw()

    def _press(self, key: str) -> None:
        if key == "":
            self._outcome = "quit"
            return
        sure, self._sure = self._sure == key, ""
        if self._state == "rating" and key in "1234":
            self._rate(Rating(int(key)))
        elif key == ENTER:
            self._enter()
        elif key in "sdc":
            self._reveal(key, sure=sure)
        else:
            act = self._keys().get(key)
            if act is not None:
                act()

    def _keys(self) -> dict[str, Callable[[], None]]:
        return {
            "h": self._hint,
            "H": self._all_hints,
            "e": self._edit,
            "g": self._grade_now,
            "p": self._prompt,
            "w": self._write_back,
            "r": self._ask,
            "k": self._skip,
            "u": self._undo,
            "?": lambda: self._screen.text(HELP[self._language]),
            "q": self._quit,
        }

    def _enter(self) -> None:
        if self._state == "rating" and self._choices:
            self._rate(self._choices[-1].rating)
        elif self._state == "rated":
            self._outcome = "rated"

    # ---- saves and verdicts ----------------------------------------

    def _read(self) -> bytes | None:
        try:
            return self._file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._say("unreadable", file=self._file, why=error.strerror)
            return None

    def _grade_if_new(self) -> None:
        """Grade what the file says, unless that was graded already or is the blank starter of a fresh repetition."""
        code = self._read()
        if code is None:
            self._look()
            return
        self._gone = False
        known = self._code if self._code is not None else self._repetition.last_code()
        if code == known or (known is None and code == self._starter):
            self._code = code
            return
        self._code = code
        self._table.bench.grade(self._kata, self._variant.id, code, str(self._file), self._language)

    def _look(self) -> None:
        """Say once that the file is gone: editors that save by a rename are without it for an instant."""
        if not self._gone and not self._file.exists():
            self._gone = True
            self._say("gone", file=self._file)

    def _grade_now(self) -> None:
        code = self._read()
        if code is not None:
            self._code = code
            self._table.bench.grade(self._kata, self._variant.id, code, str(self._file), self._language)

    def _graded(self, event: Graded) -> None:
        if event.verdict.kata != self._kata.id or event.verdict.outcome == "error":
            if event.verdict.outcome == "error" and not event.superseded:
                self._say("grader_failed", error=event.verdict.message)
            return
        # Recorded before it is shown: what a learner has seen is on the disk.
        self._repetition.attempt(event.code, event.verdict.to_json())
        if event.superseded:
            return
        self._screen.text(verdict_text(event.verdict, self._language, colour=self._screen.colour))
        if event.verdict.passed and self._state == "writing":
            self._ask()

    # ---- hints and solutions ----------------------------------------

    def _hint(self) -> None:
        number, count = self._repetition.hints_shown + 1, len(self._kata.hints)
        if number > count:
            self._say("no_more_hints")
            return
        self._repetition.hint(number)
        self._show_hint(number)

    def _all_hints(self) -> None:
        for number in range(1, self._repetition.hints_shown + 1):
            self._show_hint(number)

    def _show_hint(self, number: int) -> None:
        head = WORDS["hint"].format(number=number, count=len(self._kata.hints))[self._language]
        self._screen.markdown(f"**{head}** {self._kata.hints[number - 1][self._language].strip()}")

    def _reveal(self, key: str, *, sure: bool) -> None:
        """Show the solution (s), a diff with it (d) or both side by side (c); before a pass, only when asked twice."""
        costs = not self._repetition.passed and not self._repetition.rateable
        if costs and not sure:
            self._sure = key
            self._say("sure_solution", key=key)
            return
        how = {"s": "solution", "d": "diff", "c": "diff"}[key]
        self._repetition.solution(how)
        solution = solution_text(self._kata, self._variant)
        mine = (self._read() or b"").decode("utf-8", errors="replace")
        if key == "s":
            self._screen.markdown(f"```python\n{solution}```")
        elif key == "c":
            self._screen.table(side_by_side(mine, solution, self._screen.width, self._language))
        else:
            shown = difference(mine, solution, self._language)
            self._screen.markdown(f"```diff\n{shown}```") if shown else self._say("no_difference")
        if costs:
            self._say("solution_seen")

    # ---- rating ----------------------------------------

    def _ask(self) -> None:
        """Show the ratings that may be given, with the date that each leads to."""
        plan = schedule.load(self._table.history, self._table.here.settings.scheduling)
        self._choices = self._repetition.choices(plan)
        if not self._choices:
            self._say("not_rateable")
            return
        self._state = "rating"
        self._say("choose")
        for choice in self._choices:
            days = WORDS["in_days"].format(days=choice.days)[self._language]
            mark = ""
            if choice is self._choices[-1]:
                why = reason(self._repetition.facts())[self._language]
                mark = "  " + WORDS["derived"].format(reason=why)[self._language]
            self._screen.text(
                f"  {int(choice.rating)} {choice.rating.label[self._language]:<6} {choice.due} ({days}){mark}"
            )

    def _rate(self, rating: Rating) -> None:
        choice = next((choice for choice in self._choices if choice.rating == rating), None)
        if choice is None:
            return  # higher than earned: the list shows which there are
        try:
            self._repetition.rate(rating)
        except UsageError as error:  # rated in another window
            self._screen.text(str(error))
        else:
            label = rating.label[self._language]
            self._say("rated", kata=self._kata.id, rating=label, due=choice.due, days=choice.days)
        self._state = "rated"

    def _undo(self) -> None:
        kata = repetitions.undo(self._table.history)
        if kata is None:
            self._say("nothing_to_undo")
            return
        self._say("undone", kata=kata)
        self._outcome = "again"

    def _skip(self) -> None:
        if self._state != "rated":
            self._repetition.skip()
            self._say("skipped", kata=self._kata.id)
            self._outcome = "skipped"

    def _quit(self) -> None:
        self._outcome = "quit"

    # ---- the file ----------------------------------------

    def _edit(self) -> None:
        editor = self._table.editor
        if editor is None:
            self._say("no_editor")
        elif editor.open(self._file):
            self._say("opened", editor=editor.name)
        else:
            self._screen.leave()
            self._table.keyboard.suspend()
            try:
                editor.run(self._file)
            finally:
                self._table.keyboard.resume()
            self._grade_if_new()

    def _write_back(self) -> None:
        if not self._file.exists():
            repetitions.resume(self._table.history, self._kata, self._starter.decode(), self._file)
            self._code, self._gone = self._read(), False
            self._say("written", file=self._file)

    # ---- what is shown ----------------------------------------

    def _introduce(self) -> None:
        self._screen.text()
        if self._resumed:
            self._say("resumed", file=self._file)
        if self._state == "writing":
            self._prompt()
            self._say("begin", file=self._file)
            self._open_first()

    def _open_first(self) -> None:
        editor = self._table.editor
        try:
            if editor is None:
                self._say("no_editor")
            elif editor.open(self._file):
                self._say("opened", editor=editor.name)
            else:
                self._say("terminal_editor", editor=editor.name)
        except UsageError as error:  # a wrong editor must not end the day
            self._screen.text(str(error))

    def _prompt(self) -> None:
        self._screen.markdown(kata_markdown(self._kata, self._variant, self._language))

    def _say(self, name: str, **values: object) -> None:
        self._screen.text(WORDS[name].format(**values)[self._language])

    def _status(self) -> str:
        if self._state == "rated":
            return WORDS["after_keys"][self._language]
        if self._state == "rating" and self._choices:
            return self._rating_status()
        count = len(self._kata.hints)
        number = min(self._repetition.hints_shown + 1, count)
        keys = WORDS["keys"].format(next=number, hints=count)[self._language]
        doing = WORDS["grading" if self._table.bench.busy else "waiting"][self._language]
        return f"{doing} · {keys}"

    def _rating_status(self) -> str:
        label = self._choices[-1].rating.label[self._language]
        lower = [str(int(choice.rating)) for choice in self._choices[:-1]]
        if not lower:
            return WORDS["rating_key"].format(rating=label)[self._language]
        keys = f"{lower[0]}–{lower[-1]}" if len(lower) > 1 else lower[0]
        return WORDS["rating_keys"].format(rating=label, keys=keys)[self._language]
