"""`llmdrills ask`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from llmdrills.cli.console import note, print_json, told
from llmdrills.cli.manual import manual
from llmdrills.cli.options import JsonOption, LangOption, WorkspaceOption, place
from llmdrills.language import Bilingual

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Ask for numbers, with fresh values each time: sizes, costs, times that follow from a formula.",
        "数值题：每次抽取新的数值，考查由公式得出的大小、开销和时间。",
    ),
    "llmdrills ask",
    "llmdrills ask kv-cache-llama2-token --count 3",
    "llmdrills ask --seed 7 --json",
    "llmdrills ask --seed 7 --count 1 --answer '13.1 GB'",
    more=Bilingual(
        "Answers may be written as 8192, 8,192, 1.5e9, 1.5×10^9, 2^13, 3/4, 12 % or 1.5 GB, in the unit that is asked "
        "for or one of its kind. Enter alone shows the answer, `?` these notations, `q` or Ctrl-D ends. Each answer is "
        "told right or wrong within the note's tolerance, with the formula worked out; nothing is recorded.\n\n"
        "--json asks nothing and prints the questions with their answers. With --answer the exit status is 1 if one "
        "is wrong or cannot be read.",
        "答案可以写成 8192、8,192、1.5e9、1.5×10^9、2^13、3/4、12 % 或 1.5 GB，单位用题目所要的或同类的。"
        "直接按 Enter 查看答案，`?` 查看写法，`q` 或 Ctrl-D 结束。"
        "每次作答都按笔记的允许误差判定对错，并写出代入数值的公式；"
        "不记入练习记录。\n\n"
        "--json 不提问，只输出题目和答案。给出 --answer 时，若有答错或无法识别的，退出状态为 1。",
    ),
)


def complete_family(incomplete: str) -> list[str]:
    """The notes with a family whose ids begin so, for a shell; none where the decks cannot be read."""
    from llmdrills.cli.ask_view import families
    from llmdrills.errors import LLMDrillsError

    try:
        return [one.id for one in families(place()) if one.id.startswith(incomplete)]
    except (LLMDrillsError, OSError):  # a shell has no place for what is wrong; the command has
        return []


_NotesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NOTE",
        help=told(Bilingual("Ask of these notes; of all unless given.", "只问这些笔记；默认从全部数值题中抽取。")),
        autocompletion=complete_family,
        show_default=False,
    ),
]
_CountOption = Annotated[
    int, typer.Option("--count", "-n", metavar="N", min=1, max=1000, help=told(Bilingual("Questions.", "题目数量。")))
]
_SeedOption = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        min=0,
        help=told(Bilingual("Draw the questions of this seed.", "用这个随机种子抽题。")),
        show_default=False,
    ),
]
_AnswerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--answer",
        metavar="TEXT",
        help=told(
            Bilingual(
                "Judge this answer instead of asking; one a question, in order.",
                "不提问，直接判定此答案；按题目顺序逐个给出。",
            )
        ),
        show_default=False,
    ),
]


def command(
    notes: _NotesArgument = None,
    count: _CountOption = 5,
    seed: _SeedOption = None,
    answers: _AnswerOption = None,
    json: JsonOption = False,
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills ask`."""
    from llmdrills.cli.ask_view import WORDS, Asking, as_json, draw_questions, judge_given, refuse_many

    here = place(workspace, lang=lang)
    drawn = draw_questions(here, notes or [], count, seed)
    given = answers or []
    refuse_many(given, drawn)
    if json:
        print_json(as_json(drawn, given))
    elif given:
        judge_given(drawn, given)
    else:
        try:
            Asking(drawn, sys.stdin).run()
        except KeyboardInterrupt:
            note("\n" + WORDS["broken_off"].format(seed=drawn.seed)[here.language])
            raise typer.Exit(130) from None
        return
    raise typer.Exit(0 if all(one.right_or_none for one in drawn.judged(given)) else 1)
