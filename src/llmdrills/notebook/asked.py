"""What stands behind a magic, read: a kata, and options. No IPython here."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from llmdrills.cli.options import ONE_OF, nearest
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual, listed

__all__ = ["Asked", "read_asked"]

_NO_OPTION = Bilingual("%{magic} has no option {word!r}", "%{magic} 没有选项 {word!r}")
_NO_VALUE = Bilingual("%{magic}: a value is missing behind {word}", "%{magic}：{word} 后面缺少值")
_TOO_MUCH = Bilingual("%{magic} takes no {word!r}", "%{magic} 不接受 {word!r}")
_QUOTES = Bilingual("%{magic}: a quotation mark is missing", "%{magic}：缺少引号")
_USE = Bilingual("write `{usage}`", "请写 `{usage}`")


@dataclass(frozen=True)
class Asked:
    """The words of a magic: what stands alone, the variant, and the switches that are on."""

    words: tuple[str, ...] = ()
    variant: str | None = None
    switches: frozenset[str] = frozenset()

    @property
    def kata(self) -> str | None:
        """The kata that is named, if one is."""
        return self.words[0] if self.words else None


def read_asked(magic: str, line: str, usage: str, *, most: int = 1, switches: tuple[str, ...] = ()) -> Asked:
    """Read the rest of a magic's line: at most so many words, `--variant V` or `--variant=V`, and switches.

    Raises UsageError with the usage.
    """
    use = _USE.format(usage=usage)
    try:
        given = shlex.split(line, comments=True)
    except ValueError:
        raise UsageError(_QUOTES.format(magic=magic), use) from None
    words: list[str] = []
    found: set[str] = set()
    variant: str | None = None
    options = [*(["--variant"] if "--variant" in usage else []), *(f"--{name}" for name in switches)]
    rest = iter(given)
    for word in rest:
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            words.append(word)
        elif name == "--variant" and name in options:
            variant = value if equals else next(rest, "")
            if not variant or variant.startswith("-"):
                raise UsageError(_NO_VALUE.format(magic=magic, word=name), use)
        elif word in options:
            found.add(word.removeprefix("--"))
        else:
            known = ONE_OF.format(words=listed(options)) if options else use
            raise UsageError(_NO_OPTION.format(magic=magic, word=word), nearest(word, options, known))
    if len(words) > most:
        raise UsageError(_TOO_MUCH.format(magic=magic, word=words[most]), use)
    return Asked(tuple(words), variant, frozenset(found))
