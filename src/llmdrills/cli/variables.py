"""Tell of an environment variable that was meant for llmdrills and has no effect, because its name is misspelt."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from llmdrills.cli.console import note, told
from llmdrills.language import Bilingual
from llmdrills.settings import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["tell_misspelt"]

_PREFIX = "LLMDRILLS_"
_KNOWN = (*(option.variable for option in OPTIONS), "LLMDRILLS_HOME", "LLMDRILLS_WORKSPACE", "LLMDRILLS_DEBUG")
_ALIKE = 0.7  # of the letters behind the prefix; other tools may have variables of their own with our prefix
_MISSPELT = Bilingual(
    "notice: the environment variable {name} has no effect; did you mean {known}?",
    "提示：环境变量 {name} 不起作用；是不是要写 {known}？",
)


def tell_misspelt() -> None:
    """A line on stderr for each variable whose name is nearly, but not quite, one that we read."""
    for name, known in _misspelt():
        note(told(_MISSPELT.format(name=name, known=known)))


def _misspelt() -> Iterator[tuple[str, str]]:
    unknown = [name for name in os.environ if name.upper().startswith(_PREFIX) and name not in _KNOWN]
    if not unknown:
        return
    import difflib  # here, because hardly any command needs it

    behind = {known.removeprefix(_PREFIX): known for known in _KNOWN}
    for name in sorted(unknown):
        own = name.upper()[len(_PREFIX) :]
        begins = [one for one in behind if own.startswith(one) or (own and one.startswith(own))]
        near = begins or difflib.get_close_matches(own, list(behind), n=1, cutoff=_ALIKE)
        if near:
            yield name, behind[max(near, key=len)]
