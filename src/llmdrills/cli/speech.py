"""In which language a command speaks, known before its module is imported: help and usage errors need it then.

`--lang` before or after the command, else LLMDRILLS_LANG, else a settings file, else the locale, else English.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

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
    given = _option(arguments, "--lang")
    named = _option(arguments, "--workspace", "-w")
    try:
        workspace = paths.find_workspace(Path(named) if named else None)
    except (LLMDrillsError, OSError):  # OSError: the current folder is gone
        workspace = None
    for flags, root in (({"lang": given}, workspace), ({}, workspace), ({}, None)):
        try:
            found = settings.load_settings(paths.locations().config_file, root, flags)
        except (LLMDrillsError, OSError):
            continue
        return cast("Language", found.text("lang"))
    for said in (given, os.environ.get(_OPTION.variable)):  # another setting is wrong: this one may be right
        with contextlib.suppress(LLMDrillsError):
            return cast("Language", settings.convert(_OPTION, said or ""))
    return settings.locale_language()[0]


def first_word(arguments: Sequence[str]) -> str:
    """The command that these arguments name: the first word that is no option; empty where there is none."""
    rest = iter(arguments)
    for word in rest:
        if word in _WITH_VALUE:
            next(rest, None)
        elif not word.startswith("-"):
            return word
    return ""


def _option(arguments: Sequence[str], *names: str) -> str | None:
    """The last value of an option, as the parser will find it."""
    found = None
    for at, word in enumerate(arguments):
        if word == "--":
            break
        name, sign, value = word.partition("=")
        if name in names:
            found = value if sign else next(iter(arguments[at + 1 : at + 2]), None)
    return found
