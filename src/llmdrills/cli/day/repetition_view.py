"""One repetition at the terminal: reads keys and prints; what may be done and what follows is `Repetition`'s."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from llmdrills.cli.day.comparison import Comparison
from llmdrills.cli.day.events import EditorFailed, Failed, Graded, Key, Looked, Redraw, Saved
from llmdrills.cli.day.keys import ENTER
from llmdrills.cli.day.words import HELP, WORDS, keys_of
from llmdrills.cli.kata_view import kata_markdown
from llmdrills.cli.rating_view import RATED, choice_lines, days_of
from llmdrills.cli.record import earned
from llmdrills.cli.repair import mistake_of
from llmdrills.cli.undo_view import name_step, undo_last
from llmdrills.cli.verdict_view import BY_KEY, verdict_text
from llmdrills.content.starter import solution_text
from llmdrills.errors import UsageError
from llmdrills.files import read_source
from llmdrills.language import counted
from llmdrills.lines import whole
from llmdrills.messages import in_both
from llmdrills.practice.moments import Moment
from llmdrills.practice.rating import Rating, reason
from llmdrills.practice.undoing import last_step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llmdrills.cli.day.background_grader import BackgroundGrader
    from llmdrills.cli.day.desk import Desk
    from llmdrills.cli.day.events import Event, Events
    from llmdrills.cli.day.keys import Keyboard
    from llmdrills.cli.day.screen import Screen
    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata
    from llmdrills.grading.judging.verdict import Verdict
    from llmdrills.language import Bilingual
    from llmdrills.practice.history import History
    from llmdrills.practice.repetition import Action, Repetition, View

__all__ = ["Outcome", "RepetitionView", "Tools"]

Outcome = Literal["rated", "skipped", "again", "quit"]  # again: ask for the plan anew (a rating was undone)
_VIEWS: dict[str, View] = {"s": "solution", "d": "diff", "c": "beside"}
_LOOK = 1.0  # seconds without an event after which the file is looked for


@dataclass(frozen=True)
class Tools:
    """What every repetition at the terminal works with."""

    screen: Screen
    keyboard: Keyboard
    events: Events
    grader: BackgroundGrader
    history: History
    here: Place
    katas: Mapping[str, Kata]
    desk: Desk


class RepetitionView:
    """Shows a repetition in progress, and reads events until there is an outcome."""

    def __init__(self, tools: Tools, kata: Kata, repetition: Repetition, *, resumed: bool) -> None:
        variant = kata.variant(repetition.variant)
        if variant is None:
            raise UsageError(f"{kata.id} has no variant {repetition.variant!r} any more", "run `llmdrills list`")
        self._tools = tools
        self._screen = tools.screen
        self._language = tools.here.language
        self._kata = kata
        self._variant = variant
        self._repetition = repetition
        self._file = repetition.file
        self._resumed = resumed
        self._verdict: Verdict | None = None  # the last that was shown
        self._gone = False
        self._outcome: Outcome | None = None  # set when this is over

    def run(self) -> Outcome:
        """Go on until the kata is rated, skipped or left."""
        self._tools.grader.prepare(self._repetition, self._language)
        self._introduce()
        from llmdrills.cli.watch import Watcher

        with Watcher(self._file) as watcher:
            if self._repetition.passed:
                self._ask()
            self._grade_if_new()
            while True:
                self._screen.status(self._status())
                for event in self._tools.events.wait(self._tools.keyboard, watcher, _LOOK):
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
            self._say("grader_failed", error=event.error.in_both)
        elif isinstance(event, EditorFailed):
            self._editor_failed(event.failure.text)
        elif isinstance(event, Redraw):
            self._screen.redraw()

    def _press(self, key: str) -> None:
        if key == "":
            self._outcome = "quit"
            return
        if key in _VIEWS:
            self._reveal(key)
            return
        if key not in {"k", "u"}:
            self._repetition.withdraw()
        if key in "1234":
            if self._repetition.may("rate"):
                self._rate(Rating(int(key)))
        elif key == ENTER:
            self._enter()
        else:
            needs, act = self._keys().get(key, (None, None))
            if act is not None and (needs is None or self._repetition.may(needs)):
                act()

    def _keys(self) -> dict[str, tuple[Action | None, Callable[[], None]]]:
        """What each key does, and what the repetition must allow for it; None: at any time."""
        return {
            "h": (None, self._hint),
            "H": (None, self._all_hints),
            "e": (None, self._edit),
            "g": (None, self._grade_now),
            "p": (None, self._prompt),
            "v": (None, self._why),
            "w": (None, self._write_back),
            "r": ("offer", self._ask),
            "k": ("skip", self._skip),
            "u": (None, self._undo),
            "?": (None, lambda: self._screen.text(HELP[self._language])),
            "q": (None, lambda: self._press("")),
        }

    def _enter(self) -> None:
        if self._repetition.may("rate"):
            self._rate(self._repetition.choices[-1].rating)
        elif self._repetition.may("next"):
            self._outcome = "rated" if self._repetition.rated else "again"

    # ---- saves and verdicts ----------------------------------------

    def _read(self) -> bytes | None:
        try:
            return read_source(self._file)
        except FileNotFoundError:
            return None
        except (OSError, UsageError) as error:
            why = error.what_in_both if isinstance(error, UsageError) else in_both(error.strerror)
            self._say("unreadable", file=self._file, why=why)
            return None

    def _grade_if_new(self) -> None:
        """Grade what the file says, unless the repetition knows it already."""
        code = self._read()
        if code is None:
            self._look()
            return
        self._gone = False
        if self._repetition.is_new(code):
            self._grade(code)

    def _look(self) -> None:
        """Say once that the file is gone: editors that save by a rename are without it for an instant."""
        if not self._gone and not self._file.exists():
            self._gone = True
            self._say("gone", file=self._file)

    def _grade_now(self) -> None:
        code = self._read()
        if code is not None:
            self._repetition.is_new(code)  # it counts as seen, whatever the answer
            self._grade(code)

    def _grade(self, code: bytes) -> None:
        self._tools.grader.grade(self._repetition, code, self._language)

    def _graded(self, event: Graded) -> None:
        if event.verdict.kata != self._kata.id or event.verdict.outcome == "error":
            if event.verdict.outcome == "error" and not event.superseded:
                self._say("grader_failed", error=in_both(event.verdict.message))
            return
        try:
            # Recorded before it is shown: what a learner has seen is on the disk.
            self._repetition.attempt(event.code, event.verdict.to_json())
        finally:
            # What cannot be recorded is shown all the same, before the loop ends over it.
            if not event.superseded:
                colour, width = self._screen.colour, self._screen.width
                self._screen.text(verdict_text(event.verdict, self._language, colour=colour, rest=BY_KEY, width=width))
        if event.superseded:
            return
        self._verdict = event.verdict
        if event.verdict.passed and not self._repetition.choices:
            self._ask()

    def _why(self) -> None:
        """Show what the first screen of the last verdict left out."""
        from llmdrills.grading.judging.report import why_text

        told = "" if self._verdict is None else why_text(self._verdict, self._language, self._screen.width)
        self._screen.text(told, laid=True) if told else self._say("nothing_more")

    # ---- hints and solutions ----------------------------------------

    def _hint(self) -> None:
        costs = self._repetition.next_look_costs
        number = self._repetition.next_hint()
        if number is None:
            self._say("no_more_hints")
            return
        self._show_hint(number)
        if costs:
            self._say("hint_costs")

    def _all_hints(self) -> None:
        for number in range(1, self._repetition.hints_shown + 1):
            self._show_hint(number)

    def _show_hint(self, number: int) -> None:
        head = WORDS["hint"].format(number=number, count=len(self._kata.hints))[self._language]
        self._screen.markdown(f"**{head}** {self._kata.hints[number - 1][self._language].strip()}")

    def _reveal(self, key: str) -> None:
        """Show the solution (s), a diff with it (d) or both side by side (c); before a pass, only when asked twice."""
        view = _VIEWS[key]
        answer = self._repetition.reveal(view)
        if answer == "ask":
            self._say("sure_solution", key=key)
            return
        mine = (self._read() or b"").decode("utf-8", errors="replace")
        found = Comparison(self._kata, self._variant, mine)
        if view == "solution":
            self._screen.markdown(f"```python\n{solution_text(self._kata, self._variant, self._language)}```")
        elif view == "beside":
            self._screen.table(found.side_by_side(self._screen.width, self._language))
        else:
            shown = found.difference(self._language)
            self._screen.markdown(f"```diff\n{shown}```") if shown else self._say("no_difference")
        if answer == "costly":
            self._say("solution_seen")

    # ---- rating ----------------------------------------

    def _ask(self) -> None:
        """Show the ratings that may be given, with the date that each leads to."""
        mistake = mistake_of(self._repetition)
        if mistake is not None:
            self._say("repaired", mistake=mistake.told(self._language))
            return
        if self._repetition.state == "passed":
            self._say("easier", kata=self._kata.id, variant=self._variant.id)
            return
        found = earned(self._tools.here, self._repetition)
        if found is None:
            self._say("not_rateable")
            return
        self._say("choose")
        mark = WORDS["derived"].format(reason=reason(found.facts)[self._language])[self._language]
        self._screen.text("\n".join(choice_lines(found.choices, self._language, mark=mark)))

    def _rate(self, rating: Rating) -> None:
        choice = next((choice for choice in self._repetition.choices if choice.rating == rating), None)
        if choice is None:
            return  # higher than earned: the list shows which there are
        try:
            self._repetition.rate(rating)
        except UsageError as error:  # rated in another window
            self._screen.text(error.told(self._language))
        else:
            label, days = rating.label[self._language], days_of(choice)[self._language]
            self._screen.text(RATED.format(kata=self._kata.id, rating=label, due=choice.due, days=days)[self._language])

    def _undo(self) -> None:
        """Undo a skip of today at once; a rating, or what is of another day, only when asked twice."""
        step = last_step(self._tools.history)
        if step is None:
            self._say("nothing_to_undo")
            return
        what = name_step(step)[self._language]
        own = (step.kata, step.repair) == (self._kata.id, self._repetition.repair)
        same = own and step.session != self._repetition.id
        at_once = step.kind == "skip" and step.at.day_number == Moment.now().day_number and not same
        if not at_once and not self._repetition.confirmed(f"undo {step.id}"):
            self._say("sure_undo_same" if same else "sure_undo", what=what)
            return
        try:
            undo_last(self._tools.here, self._tools.history, self._tools.katas)
        except UsageError as error:
            self._screen.text(error.told(self._language))
            return
        self._say("undone", what=what)
        self._outcome = "again"

    def _skip(self) -> None:
        """Skip the kata; what was scored in it is named first, and it is skipped only when asked twice."""
        if self._repetition.scored and not self._repetition.confirmed("skip"):
            facts = self._repetition.facts()
            name = "sure_skip_seen" if facts.solution else "sure_skip"
            self._say(name, kata=self._kata.id, runs=counted(facts.runs, "graded run", "").en, count=facts.runs)
            return
        self._repetition.skip()
        self._say("repair_skipped" if self._repetition.repair else "skipped", kata=self._kata.id)
        self._outcome = "skipped"

    # ---- the file ----------------------------------------

    def _edit(self) -> None:
        """Open the file; in this terminal where there is no other place."""
        desk = self._tools.desk
        if self._open() != "here":
            return
        self._screen.leave()
        self._tools.keyboard.suspend()
        try:
            failure = desk.run(self._file)
        except UsageError as error:
            self._screen.text(error.told(self._language))
        else:
            if failure is not None:
                self._editor_failed(failure.text)
        finally:
            self._tools.keyboard.resume()
        self._grade_if_new()

    def _open(self) -> str:
        """Open the file beside the loop, and say so; what `Desk.open` says, or "failed": a wrong editor ends no day."""
        desk = self._tools.desk
        try:
            found = desk.open(self._file)
        except UsageError as error:
            self._screen.text(error.told(self._language))
            return "failed"
        if found == "none":
            self._say("no_editor")
        elif found == "opened" and desk.editor is not None:
            self._say("opened", editor=desk.editor.name)
        return found

    def _editor_failed(self, what: Bilingual) -> None:
        self._say("editor_failed", what=what[self._language])

    def _write_back(self) -> None:
        if self._repetition.write_back():
            self._gone = False
            self._say("written", file=self._file)

    # ---- what is shown ----------------------------------------

    def _introduce(self) -> None:
        self._screen.text()
        if self._resumed:
            self._say("resumed", file=self._file)
        if self._repetition.passed:
            return
        found = self._open()  # first: a pane that it splits off leaves less room for the prompt
        self._prompt()
        self._say("repair_begin" if self._repetition.repair else "begin", file=self._file)
        if found == "here" and self._tools.desk.editor is not None:
            self._say("terminal_editor", editor=self._tools.desk.editor.name)

    def _prompt(self) -> None:
        self._screen.markdown(kata_markdown(self._kata, self._variant, self._language))

    def _say(self, name: str, **values: object) -> None:
        kept = {key: whole(value) if isinstance(value, Path) else value for key, value in values.items()}
        self._screen.text(WORDS[name].format(**kept)[self._language])

    def _status(self) -> str:
        state = self._repetition.state
        if state in {"rated", "passed"}:
            return WORDS["after_keys" if state == "rated" else "unrated_keys"][self._language]
        if state == "rating":
            return keys_of(self._repetition.choices, self._language)
        count = len(self._kata.hints)
        number = min(self._repetition.hints_shown + 1, count)
        keys = WORDS["keys"].format(next=number, hints=count)[self._language]
        doing = WORDS["grading" if self._tools.grader.busy else "waiting"][self._language]
        return f"{doing} · {keys}"
