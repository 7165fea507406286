"""Every error that llmdrills raises on purpose.

LLMDrillsError                exit 2, unless a subclass says otherwise
├── UsageError                the command line, or the place it is run in, is wrong
│   └── SettingError          a setting has a value that cannot be used
├── ContentError              the workspace has problems: all of them, each with file, line and column
├── BuildError                a package or the lock cannot be written
│   └── LockError             decks/deck.lock is lost, damaged, conflicted or stale
├── GraderError               the grader itself failed: nothing was said about the attempt
│   └── MissingExtraError     torch, transformers or triton is not installed
└── HistoryError              the history cannot be read or written

One place catches them: `llmdrills.cli.main`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmdrills.language import Bilingual, counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmdrills.language import Language

__all__ = [
    "BuildError",
    "ContentError",
    "GraderError",
    "HistoryError",
    "LLMDrillsError",
    "LockError",
    "MissingExtraError",
    "Problem",
    "SettingError",
    "UsageError",
]


_NO_TODO = Bilingual("", "")


class LLMDrillsError(Exception):
    """Something the user can act on; `what` says what is wrong and `todo` what to do next, both in English.

    Their Chinese is the one of a `Bilingual`, or the one that messages.zh.txt has for the English.
    """

    exit_code = 2

    def __init__(self, what: str | Bilingual, todo: str | Bilingual = "") -> None:
        super().__init__(what, todo)
        self._what = what if isinstance(what, Bilingual) else Bilingual(what, what)
        self._todo = todo if isinstance(todo, Bilingual) else Bilingual(todo, todo)
        self.what = self._what.en
        self.todo = self._todo.en

    def __str__(self) -> str:
        return f"{self.what}: {self.todo}" if self.todo else self.what

    def told(self, language: Language) -> str:
        """What `str` says, in that language."""
        return _told(self._what, self._todo, language)

    @property
    def what_in_both(self) -> Bilingual:
        """What is wrong, without what to do, in both languages."""
        return Bilingual(self.what, _told(self._what, _NO_TODO, "zh"))

    @property
    def in_both(self) -> Bilingual:
        """What `str` says, in both languages."""
        return Bilingual(self.told("en"), self.told("zh"))


def _told(what: Bilingual, todo: Bilingual, language: Language) -> str:
    """The two parts of a message; what has no Chinese yet stays in English."""
    if language == "en":
        return ": ".join(part for part in (what.en, todo.en) if part)
    from llmdrills.messages import in_chinese

    parts = [one.zh if one.zh != one.en else in_chinese(one.en) for one in (what, todo)]
    return "：".join(part for part in parts if part)


class UsageError(LLMDrillsError):
    """The command line, or the place it is run in, is wrong."""


class SettingError(UsageError):
    """A setting has a value that cannot be used."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in the workspace, where it is (1-based), and what to write instead."""

    file: Path
    line: int
    column: int
    what: str
    todo: str
    rule: str = ""

    def __str__(self) -> str:
        return self.told("en")

    def told(self, language: Language) -> str:
        """The place, what is wrong and what to write, on one line; the place is the same in both languages."""
        both = Bilingual(self.what, self.what), Bilingual(self.todo, self.todo)
        return f"{self.file}:{self.line}:{self.column}: {_told(*both, language)}"


class ContentError(LLMDrillsError):
    """The workspace has problems; all of them are listed, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(problems))
        count = len(self.problems)
        super().__init__(
            Bilingual(counted(count, "problem", "").en + " in the workspace", f"工作区有 {count} 处问题"),
            Bilingual("fix the places above and run again", "请修正上面列出的位置后重新运行"),
        )

    def __str__(self) -> str:
        return self.told("en")

    def told(self, language: Language) -> str:
        """Every problem, one a line."""
        return "\n".join(problem.told(language) for problem in self.problems)

    def summary(self, language: Language) -> str:
        """How many problems there are, and what to do: to be said below them."""
        return _told(self._what, self._todo, language)


class BuildError(LLMDrillsError):
    """A package or the lock cannot be written."""


class LockError(BuildError):
    """decks/deck.lock is lost, damaged, conflicted or stale."""


class GraderError(LLMDrillsError):
    """The grader itself failed: nothing is said about the attempt."""


class MissingExtraError(GraderError):
    """torch, transformers or triton is not installed."""

    def __init__(self, package: str) -> None:
        if package == "triton":
            super().__init__(
                "this kata runs Triton kernels and needs triton 3.6 or newer, which is not installed",
                "run `pip install 'llmdrills[triton]'` (Linux only; it needs no GPU)",
            )
            return
        super().__init__(
            f"this needs {package}, which is not installed",
            "run `pip install 'llmdrills[torch]'`; pytorch.org shows the --extra-index-url of the small CPU build",
        )


class HistoryError(LLMDrillsError):
    """The history cannot be read or written."""
