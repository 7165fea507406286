"""What a learner works with at a terminal, set up for as long as they work and put back after it."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

from llmdrills.cli.day.background_grader import BackgroundGrader
from llmdrills.cli.day.desk import Desk
from llmdrills.cli.day.events import EditorFailed, Redraw
from llmdrills.cli.day.keys import Keyboard
from llmdrills.cli.day.repetition_view import Tools

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType

    from llmdrills.cli.day.events import Events
    from llmdrills.cli.day.screen import Screen
    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata
    from llmdrills.practice.history import History

__all__ = ["at_the_desk"]

_TERMINATED = 128 + signal.SIGTERM


@contextlib.contextmanager
def at_the_desk(
    here: Place, screen: Screen, events: Events, history: History, katas: Mapping[str, Kata]
) -> Iterator[Tools]:
    """The keyboard, the editor and the grader; what is wrong with the editor is told. KeyboardInterrupt passes."""
    grader = BackgroundGrader(events, here.settings.text("device"))
    desk = Desk(here.settings, lambda failure: events.post(EditorFailed(failure)))
    if desk.trouble is not None:
        screen.text(desk.trouble.told(here.language))
    try:
        with contextlib.closing(desk), grader, Keyboard() as keyboard, _signals(events, keyboard):
            yield Tools(
                screen=screen,
                keyboard=keyboard,
                events=events,
                grader=grader,
                history=history,
                here=here,
                katas=katas,
                desk=desk,
            )
    finally:
        screen.leave()


@contextlib.contextmanager
def _signals(events: Events, keyboard: Keyboard) -> Iterator[None]:
    """Redraw after a resize, take the terminal again after a stop (Ctrl-Z, fg), leave in order when asked to end."""

    def resized(_number: int, _frame: FrameType | None) -> None:
        events.post(Redraw())

    def continued(_number: int, _frame: FrameType | None) -> None:
        keyboard.resume()
        events.post(Redraw())

    def terminated(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(_TERMINATED)

    wanted = {signal.SIGWINCH: resized, signal.SIGCONT: continued, signal.SIGTERM: terminated}
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
