"""`llmdrills show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmdrills.cli.console import print_json, tell
from llmdrills.cli.kata_view import kata_markdown, print_markdown
from llmdrills.cli.manual import manual
from llmdrills.cli.options import (
    JsonOption,
    KataArgument,
    LangOption,
    VariantOption,
    WorkspaceOption,
    find_kata,
    find_variant,
    place,
)
from llmdrills.cli.packs import all_katas
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from llmdrills.content.kata import Kata, Variant

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Show a kata: what to write, and the contract that is graded.", "查看一个练习：要写什么，以及评分依据的约定。"
    ),
    "llmdrills show rope-pairing",
    "llmdrills show rope-pairing --variant half-split --lang zh",
)

_OTHERS = Bilingual(
    "This is variant {variant}. Others: {others} (`--variant`).",
    "以上是变体 {variant}。其他变体：{others}（`--variant`）。",
)


def command(
    kata: KataArgument,
    variant: VariantOption = None,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills show`."""
    here = place(workspace, lang=lang)
    found = find_kata(all_katas(here), kata)
    chosen = find_variant(found, variant)
    if not json:
        print_markdown(kata_markdown(found, chosen, here.language))
        if len(found.variants) > 1:
            tell(_others(found, chosen)[here.language])
        return
    print_json(
        {
            "schema": 1,
            "kata": found.id,
            "variant": chosen.id,
            "variants": [one.id for one in found.variants],
            "entry": found.entry,
            "minutes": found.minutes,
            "topic": found.topic,
            "title": {"en": found.title.en, "zh": found.title.zh},
            "prompt": {"en": found.prompt.en, "zh": found.prompt.zh},
            "contract": [{"en": line.en, "zh": line.zh} for line in chosen.contract],
            "hints": len(found.hints),
            "forbidden": [item.call for item in found.forbidden],
            "engine": found.engine,
        }
    )


def _others(kata: Kata, chosen: Variant) -> Bilingual:
    """Which variant was shown, and which there are besides."""
    names = [one.id for one in kata.variants if one.id != chosen.id]
    return Bilingual(
        _OTHERS.en.format(variant=chosen.id, others=", ".join(names)),
        _OTHERS.zh.format(variant=chosen.id, others="、".join(names)),
    )
