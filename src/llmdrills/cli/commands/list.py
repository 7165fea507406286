"""`llmdrills list`."""

from __future__ import annotations

from llmdrills.cli.console import print_json, tell
from llmdrills.cli.manual import manual
from llmdrills.cli.options import JsonOption, LangOption, TopicOption, WorkspaceOption, check_topic, place
from llmdrills.content.catalogue import load_catalogue
from llmdrills.language import Bilingual

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual("List the katas.", "列出全部练习。"),
    "llmdrills list",
    "llmdrills list --topic position",
    "llmdrills list --json",
)

_VARIANTS = Bilingual(" ({})", "（{}）")
_COMMA = Bilingual(", ", "、")
_MIN = Bilingual("min", "分钟")


def command(
    topic: TopicOption = None,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills list`."""
    here = place(workspace, lang=lang)
    check_topic(topic)
    katas = [k for k in load_catalogue(here.workspace, here.locations.cache) if topic in (None, k.topic)]
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
            }
            for kata in katas
        ]
        print_json({"schema": 1, "katas": rows})
        return
    widths = [
        max((len(text) for text in column), default=0) for column in ([k.id for k in katas], [k.topic for k in katas])
    ]
    for kata in katas:
        names = [variant.id for variant in kata.variants]
        variants = _VARIANTS[here.language].format(_COMMA[here.language].join(names)) if len(names) > 1 else ""
        minutes = f"{kata.minutes:>2} {_MIN[here.language]}"
        head = f"{kata.id:<{widths[0]}}  {kata.topic:<{widths[1]}}  {minutes}"
        tell(f"{head}  {kata.title[here.language]}{variants}", table=True)
