"""A kata as a learner reads it: prompt, contract, hints, as Markdown."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from llmdrills.cli.console import coloured, rich_console, tell
from llmdrills.decks.labels import topic_label
from llmdrills.language import Bilingual
from llmdrills.mathtext import unicode_math

if TYPE_CHECKING:
    from llmdrills.content.model import Kata, Variant
    from llmdrills.language import Language

__all__ = ["kata_markdown", "print_markdown"]

CONTRACT = Bilingual("Contract", "约定")
FORBIDDEN = Bilingual("Not allowed", "禁用")
BUDGET = Bilingual("Cost", "开销")
VARIANT = Bilingual("Variant", "变体")
COLON = Bilingual(": ", "：")
MINUTES = Bilingual("{minutes} min · {topic} · write `{entry}`", "{minutes} 分钟 · {topic} · 编写 `{entry}`")


def kata_markdown(kata: Kata, variant: Variant, language: Language) -> str:
    """The kata's task: title, prompt, contract, what is not allowed and what it may cost."""
    lines = [f"# {kata.title[language]}", ""]
    topic = topic_label(kata.topic, kata.own_topic)
    lines += [MINUTES.format(minutes=kata.minutes, topic=topic, entry=kata.entry)[language], ""]
    lines += [kata.prompt[language].strip(), "", f"## {CONTRACT[language]}", ""]
    if len(kata.variants) > 1:
        lines += [f"**{VARIANT[language]}{COLON[language]}{variant.title[language]}** (`{variant.id}`)", ""]
    lines += [f"- {line[language]}" for line in variant.contract]
    if kata.forbidden:
        lines += ["", f"## {FORBIDDEN[language]}", ""]
        lines += [f"- `{item.call}` — {item.why[language]}" for item in kata.forbidden]
    if kata.budgets:
        lines += ["", f"## {BUDGET[language]}", ""]
        lines += [f"- `{item.case}` — {item.why[language]}" for item in kata.budgets]
    return "\n".join(lines) + "\n"


def print_markdown(text: str) -> None:
    """Rendered on a terminal, as written on a pipe; the math in it as Unicode on both."""
    dumb = os.environ.get("TERM", "") in {"", "dumb"}
    if coloured(sys.stdout) or (sys.stdout.isatty() and not dumb):
        from llmdrills.cli.markdown_view import rendered

        rich_console().print(rendered(text))
    else:
        tell(unicode_math(text).removesuffix("\n"))
