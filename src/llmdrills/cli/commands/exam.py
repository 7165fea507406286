"""`llmdrills exam`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from llmdrills.cli.console import note, print_json, tell, told
from llmdrills.cli.manual import manual
from llmdrills.cli.options import DeviceOption, JsonOption, LangOption, WorkspaceOption, place
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Sit a timed exam: concept questions, katas without help, a design question, one report.",
        "限时考试：概念题、无提示的编码练习和一道设计题，最后给出一份报告。",
    ),
    "llmdrills exam",
    "llmdrills exam --minutes 20 --katas 1 --questions 5",
    "llmdrills exam --list",
    "llmdrills exam --json",
    more=Bilingual(
        "`q` or Ctrl-C breaks it off: nothing is lost, and `llmdrills exam` goes on. Its report is a page, too. "
        "--json prints the report of the last exam, and begins none. Without a terminal, --list prints the list.",
        "按 `q` 或 Ctrl-C 暂停：进度不会丢失，再运行 `llmdrills exam` 即可继续。报告同时写成网页。"
        "--json 输出上一次考试的报告，不开始新的考试。没有终端时，--list 只打印题目列表。",
    ),
)

_NO_TERMINAL = Bilingual("an exam needs a terminal", "考试需要在终端中进行")
_RUN_THERE = Bilingual(
    "run `llmdrills exam` in one; `--list` prints the course's questions, `--json` the last report",
    "请在终端中运行 `llmdrills exam`；`--list` 列出课程的题目，`--json` 输出上一次的报告",
)


_MinutesOption = Annotated[
    int | None,
    typer.Option(
        "--minutes",
        metavar="N",
        min=1,
        max=600,
        help=told(Bilingual("Minutes on the clock; 45.", "限时多少分钟；默认 45。")),
        show_default=False,
    ),
]
_KatasOption = Annotated[
    int | None,
    typer.Option(
        "--katas",
        metavar="N",
        min=0,
        max=100,
        help=told(Bilingual("Katas to draw; 3.", "抽取几道编码练习；默认 3。")),
        show_default=False,
    ),
]
_QuestionsOption = Annotated[
    int | None,
    typer.Option(
        "--questions",
        metavar="N",
        min=0,
        max=1000,
        help=told(Bilingual("Questions to draw; 10.", "抽取几道概念题；默认 10。")),
        show_default=False,
    ),
]
_SeedOption = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        min=0,
        help=told(Bilingual("Draw the exam of this seed.", "用这个随机种子抽题。")),
        show_default=False,
    ),
]
_ListOption = Annotated[
    bool,
    typer.Option(
        "--list",
        help=told(
            Bilingual(
                "The course's own questions, tasks and designs in order; nothing is drawn.",
                "按顺序做课程自带的概念题、编程题和设计题，不抽题。",
            )
        ),
    ),
]


def command(
    minutes: _MinutesOption = None,
    katas: _KatasOption = None,
    questions: _QuestionsOption = None,
    seed: _SeedOption = None,
    listed: _ListOption = False,
    device: DeviceOption = None,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills exam`."""
    here = place(workspace, lang=lang, device=device)
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    if json and not listed:
        from llmdrills.cli.exam.papers import last_report

        print_json(last_report(here))
        return
    if listed and (json or not interactive):
        from llmdrills.cli.exam.papers import Papers

        papers = Papers.load(here)
        print_json(papers.list_json()) if json else tell(papers.list_text())
        return
    if not interactive:
        raise UsageError(_NO_TERMINAL, _RUN_THERE)
    from llmdrills.cli.exam.papers import Asked
    from llmdrills.cli.exam.sitting import run_exam
    from llmdrills.cli.exam.words import WORDS

    asked = Asked(minutes=minutes, katas=katas, questions=questions, seed=seed, listed=listed)
    try:
        code = run_exam(here, asked)
    except KeyboardInterrupt:
        note("\n" + WORDS["broken_off"][here.language])
        raise typer.Exit(130) from None
    raise typer.Exit(code)
