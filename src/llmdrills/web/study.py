"""What the page works with: the place, the history, the katas, the grader, and the pages that are open."""

from __future__ import annotations

import dataclasses
import socket
from typing import TYPE_CHECKING, Any

from llmdrills.cli.console import speak
from llmdrills.cli.day.background_grader import BackgroundGrader
from llmdrills.cli.options import find_kata
from llmdrills.cli.packs import all_katas, left_out
from llmdrills.content.engines import with_engines
from llmdrills.errors import UsageError
from llmdrills.language import LANGUAGES
from llmdrills.settings import Setting
from llmdrills.web.words import TOLD

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from llmdrills.cli.day.events import Failed, Graded
    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata
    from llmdrills.language import Bilingual, Language
    from llmdrills.practice.history import History
    from llmdrills.practice.repetition import Repetition
    from llmdrills.web.stream import Stream

__all__ = ["Study"]


class _Post:
    """What the grader gives its verdicts to."""

    def __init__(self, take: Callable[[Graded | Failed], None]) -> None:
        self.post = take


class Study:
    """Used by the owner's thread alone. `taken` is called with every verdict, from the grading thread."""

    def __init__(self, here: Place, history: History, stream: Stream, taken: Callable[[Graded | Failed], None]) -> None:
        self.here = here
        self.history = history
        self.stream = stream
        self.katas: dict[str, Kata] = {}
        self._stamp: tuple[Kata, ...] = ()
        self._grader = BackgroundGrader(_Post(taken), here.settings.text("device"))
        self.read_katas()

    def __enter__(self) -> Study:
        self._grader.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._grader.__exit__(kind, error, trace)

    # ---- language ----------------------------------------

    @property
    def language(self) -> Language:
        """The language of everything shown."""
        return self.here.language

    def say(self, name: str, **values: object) -> str:
        """One of the server's own texts."""
        return TOLD[name].format(**values)[self.language]

    def told(self, words: Bilingual) -> str:
        """A text of another room."""
        return words[self.language]

    def speak(self, language: str) -> None:
        """Show everything in that language from now on; the settings of the user stay as they are."""
        if language not in LANGUAGES:
            raise UsageError(TOLD["bad_request"].format(what=f"language {language!r}"), TOLD["reload"])
        settings = self.here.settings
        values = {**settings.values, "lang": Setting(language, "page")}
        self.here = dataclasses.replace(self.here, settings=dataclasses.replace(settings, values=values))
        speak(self.here.language)

    # ---- katas ----------------------------------------

    def read_katas(self) -> dict[str, Kata]:
        """The katas of the workspace and of the packs that are allowed, by id, read again where a file changed.

        Nobody is asked here: the command has done that on its terminal, and what is left out stands on the page. Raises
        ContentError, and UsageError where two katas have one id.
        """
        found = with_engines(all_katas(self.here, quiet=True))
        if found != self._stamp:  # the grader knows a kata by its object
            self._stamp = found
            self.katas = {kata.id: kata for kata in found}
        return self.katas

    def packs_left_out(self) -> list[str]:
        """Why installed content packs are not used, where the learner has not refused them."""
        return [self.told(words) for words in left_out(self.here)]

    def kata(self, name: str) -> Kata:
        """The kata of that id. Raises UsageError where there is none."""
        return find_kata(self.katas.values(), name)

    # ---- grading ----------------------------------------

    def prepare(self, repetition: Repetition) -> None:
        """Get ready to grade the repetition, while the learner reads."""
        if _CAN_GRADE:
            self._grader.prepare(repetition, self.language)

    def grade(self, repetition: Repetition, code: bytes) -> None:
        """Have this code graded; an event follows. Raises UsageError on a system that cannot grade."""
        if not _CAN_GRADE:
            raise UsageError("grading needs Linux or macOS", "on Windows, run llmdrills inside WSL")
        self._grader.grade(repetition, code, self.language)

    @property
    def busy(self) -> bool:
        """Whether code is being graded."""
        return self._grader.busy

    def send(self, kind: str, data: dict[str, Any]) -> None:
        """Tell every open page."""
        self.stream.send(kind, data)


_CAN_GRADE = hasattr(socket, "send_fds")  # as the launcher asks, which cannot be imported where there is none
