"""What the page may ask for: each address with the call that answers it. Every answer is JSON.

Whatever touches the history, a repetition or the exam is done by the owner's thread; what takes seconds to read is read
before, in the thread of the request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmdrills.cli.day.events import Failed
from llmdrills.cli.exam.papers import Asked
from llmdrills.errors import LLMDrillsError, UsageError
from llmdrills.web.day import Day
from llmdrills.web.exam import ExamRoom
from llmdrills.web.library import Library
from llmdrills.web.owner import Owner
from llmdrills.web.practice import Practice, Save
from llmdrills.web.stream import Stream
from llmdrills.web.study import Study
from llmdrills.web.words import TOLD, WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llmdrills.cli.day.events import Graded
    from llmdrills.cli.options import Place
    from llmdrills.language import Bilingual, Language
    from llmdrills.practice.history import History
    from llmdrills.practice.repetition import View

__all__ = ["Api", "Body"]

Json = dict[str, Any]
_LOOK = 0.25  # seconds between two looks at the learner's files and at the clock
_VIEWS: tuple[View, ...] = ("solution", "diff", "beside")


class Body:
    """The JSON object of a request; what has a wrong type is refused."""

    def __init__(self, found: Any) -> None:
        if not isinstance(found, dict):
            raise _wrong("an object is expected")
        self._found: Json = found

    def text(self, name: str, default: str | None = None) -> str:
        """A text; without a default it must be there."""
        value = self._found.get(name, default)
        if not isinstance(value, str):
            raise _wrong(name)
        return value

    def number(self, name: str, default: int | None = None, *, most: int = 1_000_000_000) -> int:
        """A whole number from 0."""
        value = self._found.get(name, default)
        if type(value) is not int or not 0 <= value <= most:
            raise _wrong(name)
        return value

    def flag(self, name: str) -> bool:
        """True or false; not given is false."""
        value = self._found.get(name, False)
        if type(value) is not bool:
            raise _wrong(name)
        return value

    def perhaps(self, name: str, *, most: int) -> int | None:
        """A whole number from 0, or nothing."""
        return None if self._found.get(name) is None else self.number(name, most=most)


def _wrong(what: str) -> UsageError:
    return UsageError(TOLD["bad_request"].format(what=what), TOLD["reload"])


class Api:
    """Everything behind the addresses. `close` ends the grader; the history is the caller's."""

    def __init__(self, here: Place, history: History, *, topic: str | None = None, seed: int = 0) -> None:
        self.stream = Stream()
        self._owner = Owner(self._look, _LOOK)
        self._study = Study(here, history, self.stream, self._taken)
        self._library = Library(here.workspace, here.locations.cache)
        self._day = Day(self._study, topic, seed)
        self._practice = Practice(self._study)
        self._exam = ExamRoom(self._study, self._practice)
        self.gets: Mapping[str, Callable[[Mapping[str, str]], Json]] = {
            "words": lambda _query: self._words(),
            "plan": lambda _query: self._owner.ask(self._day.plan),
            "katas": lambda _query: self._owner.ask(self._day.katas),
            "stats": lambda _query: self._owner.ask(self._day.stats),
            "readiness": lambda _query: self._readiness(),
            "cards": self._cards,
            "exam": lambda _query: self._owner.ask(self._exam.shown),
            "exam/report": lambda _query: self._owner.ask(self._exam.last),
            "undo": lambda query: self._owner.ask(lambda: self._practice.last(query.get("session", ""))),
        }
        self.posts: Mapping[str, Callable[[Body], Json]] = {
            "language": self._speak,
            "undo": lambda body: self._owner.ask(lambda: self._day.undo(body.text("id"))),
            **{name: self._owned(act) for name, act in self._repetition_acts().items()},
            "exam/begin": self._sit,
            **{f"exam/{name}": self._owned(act) for name, act in self._exam_acts().items()},
        }

    def start(self) -> None:
        """From now on requests are answered."""
        self._study.__enter__()
        self._owner.start()

    def close(self) -> None:
        """Break off an exam, end open pages and the grader."""
        self._owner.ask(self._exam.close)
        self._owner.close()
        self.stream.close()
        self._study.__exit__(None, None, None)

    @property
    def language(self) -> Language:
        """The language of everything shown."""
        return self._study.language

    def told(self, words: Bilingual) -> str:
        """A text in that language."""
        return words[self.language]

    def media(self, name: str) -> bytes | None:
        """A picture or sound of a card that was shown."""
        return self._library.media(name)

    # ---- what each address does ----------------------------------------

    def _repetition_acts(self) -> dict[str, Callable[[Body], Json]]:
        practice = self._practice
        return {
            "open": self._open,
            "save": lambda body: practice.save(_save(body)),
            "hint": lambda body: practice.hint(body.text("session")),
            "reveal": self._reveal,
            "withdraw": lambda body: practice.withdraw(body.text("session")),
            "offer": lambda body: practice.offer(body.text("session")),
            "rate": lambda body: practice.rate(body.text("session"), body.number("rating", most=4)),
            "skip": lambda body: practice.skip(body.text("session")),
        }

    def _exam_acts(self) -> dict[str, Callable[[Body], Json]]:
        exam = self._exam
        return {
            "type": lambda body: exam.type(body.text("text")),
            "reveal": lambda body: exam.reveal(body.text("text", "")),
            "mark": lambda body: exam.mark(body.flag("had")),
            "unmark": lambda _body: exam.unmark(),
            "later": lambda _body: exam.later(),
            "leave": lambda _body: exam.leave(),
            "end": lambda _body: exam.end(),
        }

    def _owned(self, act: Callable[[Body], Json]) -> Callable[[Body], Json]:
        return lambda body: self._owner.ask(lambda: act(body))

    def _words(self) -> Json:
        return {"language": self.language, "words": {name: self.told(words) for name, words in WORDS.items()}}

    def _speak(self, body: Body) -> Json:
        self._owner.ask(lambda: self._study.speak(body.text("language")))
        return self._words()

    def _open(self, body: Body) -> Json:
        variant = body.text("variant", "") or None
        return self._practice.open(body.text("kata"), variant, as_repair=body.flag("repair"))

    def _reveal(self, body: Body) -> Json:
        wanted = body.text("view")
        view = next((one for one in _VIEWS if one == wanted), None)
        if view is None:
            raise _wrong("view")
        return self._practice.reveal(body.text("session"), view)

    def _cards(self, query: Mapping[str, str]) -> Json:
        kata = self._owner.ask(lambda: self._study.kata(query.get("kata", "")))
        return {"kata": kata.id, "title": self.told(kata.title), **self._library.cards(kata, self.language)}

    def _readiness(self) -> Json:
        workspace = self._library.workspace()
        return self._owner.ask(lambda: self._day.readiness(workspace))

    def _sit(self, body: Body) -> Json:
        workspace = self._library.workspace()
        asked = Asked(
            minutes=body.perhaps("minutes", most=600),
            katas=body.perhaps("katas", most=100),
            questions=body.perhaps("questions", most=1000),
            seed=body.perhaps("seed", most=2**31 - 1),
            listed=body.flag("listed"),
        )
        return self._owner.ask(lambda: self._exam.sit(workspace, asked))

    # ---- what happens by itself ----------------------------------------

    def _taken(self, event: Graded | Failed) -> None:
        """Called in the grading thread."""
        self._owner.post(lambda: self._take(event))

    def _take(self, event: Graded | Failed) -> None:
        def take() -> None:
            if isinstance(event, Failed):
                self._practice.failed(event)
                return
            sheet = self._practice.graded(event)
            if sheet is not None and sheet.silent:
                self._exam.graded(sheet)

        self._tell_trouble(take)

    def _look(self) -> None:
        self._tell_trouble(self._practice.look)
        self._tell_trouble(self._exam.look)

    def _tell_trouble(self, work: Callable[[], None]) -> None:
        """Nobody waits for the answer of this work: what goes wrong in it is told on the page, and the thread lives."""
        try:
            work()
        except LLMDrillsError as error:
            self.stream.send("failed", {"why": error.told(self.language), "number": 0})
        except Exception as error:  # a fault of ours must not end the thread that owns the history
            words = TOLD["internal"].format(what=f"{type(error).__name__}: {error}")
            self.stream.send("failed", {"why": self.told(words), "number": 0})


def _save(body: Body) -> Save:
    return Save(
        session=body.text("session"),
        code=body.text("code"),
        version=body.text("version"),
        number=body.number("number"),
        columns=body.number("columns", 80),
        over=body.flag("over"),
        page=body.text("page", ""),
    )
