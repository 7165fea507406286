"""`llmdrills list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmdrills.cli.console import print_json, tell, told
from llmdrills.cli.manual import manual
from llmdrills.cli.options import JsonOption, LangOption, TopicOption, WorkspaceOption, check_topic, place
from llmdrills.cli.packs import all_katas
from llmdrills.content.engines import is_installed
from llmdrills.language import Bilingual
from llmdrills.lines import columns, padded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llmdrills.content.model import Kata
    from llmdrills.language import Language

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual("List the katas.", "列出全部练习。"),
    "llmdrills list",
    "llmdrills list --topic position",
    "llmdrills list --tree",
    "llmdrills list --json",
)

_TREE = Bilingual("Show which kata builds on which.", "按前置关系显示成树。")
_NOT_HERE = Bilingual(
    " [not installed: {name}; pip install 'llmdrills[{name}]']", " [未安装：{name}；pip install 'llmdrills[{name}]']"
)
_VARIANTS = Bilingual(" ({})", "（{}）")
_COMMA = Bilingual(", ", "、")
_MIN = Bilingual("min", "分钟")
_ALSO = Bilingual(" (also after {})", "（还要先做 {}）")


def command(
    topic: TopicOption = None,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
    tree: Annotated[bool, typer.Option("--tree", help=told(_TREE))] = False,
) -> None:
    """Run `llmdrills list`."""
    here = place(workspace, lang=lang)
    check_topic(here, topic)
    katas = [k for k in all_katas(here) if topic in (None, k.topic)]
    if json:
        rows = [
            {
                "kata": kata.id,
                "title": {"en": kata.title.en, "zh": kata.title.zh},
                "topic": kata.topic,
                "minutes": kata.minutes,
                "entry": kata.entry,
                "variants": [variant.id for variant in kata.variants],
                "requires": list(kata.requires),
                "needs": list(kata.needs),
                "engine": kata.engine,
                "installed": is_installed(kata),
            }
            for kata in katas
        ]
        print_json({"schema": 1, "katas": rows})
        return
    if tree:
        _tell_tree(katas, here.language)
        return
    widths = [
        max((len(text) for text in column), default=0) for column in ([k.id for k in katas], [k.topic for k in katas])
    ]
    for kata in katas:
        names = [variant.id for variant in kata.variants]
        variants = _VARIANTS[here.language].format(_COMMA[here.language].join(names)) if len(names) > 1 else ""
        minutes = f"{kata.minutes:>2} {_MIN[here.language]}"
        head = f"{kata.id:<{widths[0]}}  {kata.topic:<{widths[1]}}  {minutes}"
        tell(f"{head}  {kata.title[here.language]}{variants}{_missing(kata, here.language)}", table=True)


def _tell_tree(katas: Sequence[Kata], language: Language) -> None:
    """Each kata below one that it builds on; what else it builds on stands beside it."""
    rows = list(branches(katas))
    width = max((columns(f"{branch}{kata.id}") for branch, kata, _ in rows), default=0)
    for branch, kata, others in rows:
        also = _ALSO[language].format(_COMMA[language].join(others)) if others else ""
        name = f"{branch}{kata.id}"
        head = f"{padded(name, width)}  {kata.minutes:>2} {_MIN[language]}"
        tell(f"{head}  {kata.title[language]}{also}{_missing(kata, language)}", table=True)


def _missing(kata: Kata, language: Language) -> str:
    """What a kata needs that is not installed here."""
    return "" if is_installed(kata) else _NOT_HERE.format(name=kata.engine)[language]


def branches(katas: Sequence[Kata]) -> Iterator[tuple[str, Kata, tuple[str, ...]]]:
    """The katas as a tree, those with the lowest rank first: the lines before each, and what it also builds on.

    Of those listed that a kata requires, it stands below the one that is furthest from the left; where none is, at the
    left.
    """
    known = {kata.id: kata for kata in katas}

    def depth(name: str) -> int:
        return 1 + max((depth(before) for before in known[name].requires if before in known), default=0)

    below: dict[str, list[Kata]] = {}
    for kata in sorted(katas, key=lambda kata: kata.rank):
        above = max((name for name in kata.requires if name in known), key=depth, default="")
        below.setdefault(above, []).append(kata)

    def walk(above: str, lines: str) -> Iterator[tuple[str, Kata, tuple[str, ...]]]:
        children = below.get(above, [])
        for kata in children:
            last = kata is children[-1]
            branch = f"{lines}{'└─ ' if last else '├─ '}" if above else ""
            yield branch, kata, tuple(name for name in kata.requires if name != above)
            yield from walk(kata.id, f"{lines}{'   ' if last else '│  '}" if above else "")

    yield from walk("", "")
