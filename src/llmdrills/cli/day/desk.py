"""Where the learner's file is opened: in a window, in one pane of tmux, or, on request, in this terminal."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Literal

from llmdrills.cli.day.editor import SOON, find_editor
from llmdrills.cli.day.pane import Pane, find_tmux
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llmdrills.cli.day.editor import Editor, Failure
    from llmdrills.settings import Settings

__all__ = ["Desk", "open_once"]

_NO_EDITOR = Bilingual(
    "no editor: set LLMDRILLS_EDITOR, VISUAL or EDITOR", "没有编辑器：请设置 LLMDRILLS_EDITOR、VISUAL 或 EDITOR"
)
_NO_TERMINAL = Bilingual("the editor needs a terminal: open {path} yourself", "编辑器需要终端：请自行打开 {path}")


class Desk:
    """The learner's editor for a day. `trouble` is what is wrong with it, to be told once; None: nothing.

    An editor that cannot be used is no reason to end a day: the file can be opened by hand.
    """

    def __init__(self, settings: Settings, failed: Callable[[Failure], None]) -> None:
        self.editor: Editor | None = None
        self.trouble: UsageError | None = None
        self._failed = failed
        self._pane: Pane | None = None
        try:
            self.editor = find_editor(settings.text("editor"), settings.text("editor_kind"))
            if self.editor is not None and self.editor.in_terminal and find_tmux():
                self._pane = Pane(self.editor)
        except UsageError as error:
            self.trouble = error

    def open(self, path: Path) -> Literal["opened", "here", "none"]:
        """Open the file beside the loop. "here": the editor needs this terminal, see `run`; "none": there is none.

        Raises UsageError when it cannot be started.
        """
        if self.editor is None:
            return "none"
        if self._pane is not None:
            try:
                self._pane.show(path, self._failed)
            except UsageError:
                self.close()  # it is not asked again: this terminal is left
                raise
            return "opened"
        if self.editor.in_terminal:
            return "here"
        self.editor.open(path, self._failed)
        return "opened"

    def run(self, path: Path) -> Failure | None:
        """Open the file in this terminal and wait. Raises UsageError when the editor cannot be started."""
        return None if self.editor is None else self.editor.run(path)

    def close(self) -> None:
        """Close the pane."""
        if self._pane is not None:
            self._pane.close()
            self._pane = None

    def leave(self) -> None:
        """Let the pane stay for as long as its editor runs."""
        if self._pane is not None:
            self._pane.leave()
            self._pane = None


def open_once(settings: Settings, path: Path) -> Bilingual | None:
    """Open the file for a command that then ends; what went wrong, None where nothing did.

    Waits for an editor that runs in this terminal; for any other as long as it takes to see that it started.
    """
    failures: list[Failure] = []
    ended = threading.Event()

    def failed(failure: Failure) -> None:
        failures.append(failure)
        ended.set()

    desk = Desk(settings, failed)
    try:
        if desk.trouble is not None and desk.editor is None:
            raise desk.trouble
        found = desk.open(path)
        if found == "none":
            return _NO_EDITOR
        if found == "here" and not sys.stdin.isatty():
            return _NO_TERMINAL.format(path=path)
        if found == "here":
            failure = desk.run(path)
            return None if failure is None else failure.text
        ended.wait(SOON + 0.2)
    except UsageError as error:
        return error.in_both
    finally:
        desk.leave()
    return failures[0].text if failures else None
