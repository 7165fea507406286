"""What the commands `llmdrills anki …` found, as a learner reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmdrills.anki.doctor import ADVICE, FINE, KINDS, TITLES
from llmdrills.language import LANGUAGES, Bilingual

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llmdrills.anki.doctor import Kind, Report, State
    from llmdrills.language import Language

__all__ = ["doctor_text"]

_SHOWN = 8  # notes named of each kind; --json names all
_MARK = {True: "✓", False: "!"}
_HEAD = Bilingual("[{language}] {count} {title}", "[{language}] {count} 条{title}")
_TODO = Bilingual("→ {what}", "→ {what}")
_ABSENT = Bilingual("[{language}] none of these notes is there", "[{language}] 没有这种语言的笔记")
_FINE = Bilingual("Nothing is to be done.", "一切正常，无需处理。")


def doctor_text(report: Report, language: Language) -> str:
    """Kind by kind: how many notes, which, and what to do."""
    lines: list[str] = []
    for spoken in LANGUAGES:
        for kind in KINDS:
            found = report.of(kind, spoken)
            if found:
                lines += _kind(kind, spoken, found, language)
    lines += [_ABSENT.format(language=spoken)[language] for spoken in report.absent]
    if report.healthy:
        lines.append(_FINE[language])
    return "\n".join(lines)


def _kind(kind: Kind, spoken: Language, found: Sequence[State], language: Language) -> Iterator[str]:
    head = _HEAD.format(language=spoken, count=len(found), title=TITLES[kind][language])
    yield f"{_MARK[kind in FINE]} {head[language]}"
    if kind != "current":
        for one in found[:_SHOWN]:
            yield f"    {one.note}{f' ({one.details})' if one.details else ''}"
        if len(found) > _SHOWN:
            yield f"    … +{len(found) - _SHOWN} (--json)"
        words = {
            "package": f"llmdrills-{spoken}.apkg",
            "upgrade": f"llmdrills-{spoken}-upgrade.apkg",
            "language": spoken,
            "example": found[0].note,
        }
        yield f"    {_TODO.format(what=ADVICE[kind].format(**words)[language])[language]}"
