"""In which language a command speaks, known before its module is imported: help and usage errors need it then.

`--lang` before or after the command, else LLMDRILLS_LANG, else a settings file, else the locale, else English.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llmdrills import paths, settings
from llmdrills.errors import LLMDrillsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmdrills.language import Language

__all__ = ["first_word", "language_of"]

_OPTION = next(option for option in settings.OPTIONS if option.is_language)
_WITH_VALUE = ("--lang",)  # the options of `llmdrills` itself that take a value


def language_of(arguments: Sequence[str]) -> Language:
    """The language for these arguments. What is wrong with them, or with a setting, is told later, in the next best."""
    given = _values(arguments, "--lang")
    named = next(iter(_values(arguments, "--workspace", "-w")), None)
    try:
        workspace = paths.find_workspace(Path(named) if named else None)
    except (LLMDrillsError, OSError):  # OSError: the current folder is gone
        workspace = None
    return settings.find_language(paths.locations().config_file, workspace, given)


def first_word(arguments: Sequence[str]) -> str:
    """The command that these arguments name: the first word that is no option; empty where there is none."""
    rest = iter(arguments)
    for word in rest:
        if word in _WITH_VALUE:
            next(rest, None)
        elif not word.startswith("-"):
            return word
    return ""


def _values(arguments: Sequence[str], *names: str) -> list[str]:
    """The values that an option is given, the last first: that is the one which the parser will take."""
    found: list[str] = []
    for at, word in enumerate(arguments):
        if word == "--":
            break
        name, sign, value = word.partition("=")
        if name in names:
            found[:0] = [value] if sign else arguments[at + 1 : at + 2]
    return found
