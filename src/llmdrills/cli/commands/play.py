"""`llmdrills play`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmdrills.cli.console import note, print_json, tell, told
from llmdrills.cli.manual import manual
from llmdrills.cli.options import JsonOption, LangOption, WorkspaceOption, place
from llmdrills.cli.play_kernels import Asked, chosen, katas_of_parts
from llmdrills.cli.play_view import costs_json, costs_text, played_json, played_text
from llmdrills.content.playtable import load_play
from llmdrills.errors import UsageError
from llmdrills.grading.play.digest import model_digest
from llmdrills.grading.play.parts import PARTS, part_of
from llmdrills.grading.play.request import PROMPT, Writing
from llmdrills.language import Bilingual, listed
from llmdrills.paths import bundled_workspace

if TYPE_CHECKING:
    from llmdrills.cli.options import Place
    from llmdrills.content.playtable import PlayTable

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Run a small language model with your own kernels in it, and see what a mistake costs it.",
        "用你自己写的实现运行一个小语言模型，看看一个错误会让它付出什么代价。",
    ),
    "llmdrills play",
    'llmdrills play "Long ago there was a boy named Tom."',
    "llmdrills play --with rope-pairing=mine.py",
    "llmdrills play --slip rope-pairing/positions-ignored",
    "llmdrills play --costs grouped-query-attention",
    more=Bilingual(
        "The model has about a million parameters and writes short English stories. A kernel of yours that has passed "
        "takes its part; the others are the references.\n\n"
        "Exit status: 0 a text was written, 1 a kernel ended the run, 2 usage, configuration or grader error.",
        "模型约有一百万个参数，写的是英文小故事。你已通过的实现会用在对应的位置，其余位置用参考实现。\n\n"
        "退出状态：0 写出了文本，1 某个实现使运行中止，2 用法、配置或评分器出错。",
    ),
)

MOST_TOKENS = 400
"""Behind this the texts are longer than any that the model has seen."""
_NO_PROMPT = Bilingual("the prompt is longer than {most} characters", "提示文本超过 {most} 个字符")
_SHORTEN = Bilingual("give the beginning of a story", "请只给出故事的开头")
_MOST_PROMPT = 600
_WRONG = Bilingual("{kata} has no part in the model", "{kata} 不在这个模型中")
_PARTS = Bilingual("use one of {katas}, or `all`", "请使用以下之一：{katas}；或者 `all`")
_NO_TABLE = Bilingual("this workspace has no drills/play.json", "此工作区没有 drills/play.json")
_WRITE = Bilingual("`llmdrills check --write` measures them", "运行 `llmdrills check --write` 进行测量")


_PromptArgument = Annotated[
    str, typer.Argument(metavar="[PROMPT]", help=told(Bilingual("How the text begins.", "文本的开头。")))
]
_WithOption = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="KATA=FILE",
        help=told(Bilingual("Try this file in the kata's part.", "在该练习对应的位置试用这个文件。")),
        show_default=False,
    ),
]
_SlipOption = Annotated[
    list[str] | None,
    typer.Option(
        "--slip",
        metavar="KATA/SLIP",
        help=told(Bilingual("Put a known mistake into the model.", "把一个常见错误放进模型。")),
        show_default=False,
    ),
]
_ReferencesOption = Annotated[
    bool,
    typer.Option(
        "--references", help=told(Bilingual("Take none of your own kernels.", "不用你自己的实现，只用参考实现。"))
    ),
]
_CostsOption = Annotated[
    str | None,
    typer.Option(
        "--costs",
        metavar="KATA|all",
        help=told(
            Bilingual("List what each known mistake costs, and run nothing.", "列出各个常见错误的代价，不运行模型。")
        ),
        show_default=False,
    ),
]
_TokensOption = Annotated[
    int,
    typer.Option(
        "--tokens", min=1, max=MOST_TOKENS, help=told(Bilingual("Tokens to write at most.", "最多写多少个 token。"))
    ),
]
_TemperatureOption = Annotated[
    float,
    typer.Option(
        "--temperature",
        metavar="T",
        min=0.0,
        max=100.0,
        help=told(Bilingual("0 is greedy.", "0 表示贪心，总取最可能的。")),
    ),
]
_SeedOption = Annotated[
    int, typer.Option("--seed", min=0, help=told(Bilingual("Seed of the draws.", "抽样的随机种子。")))
]


def command(
    prompt: _PromptArgument = PROMPT,
    files: _WithOption = None,
    slips: _SlipOption = None,
    references: _ReferencesOption = False,
    costs: _CostsOption = None,
    tokens: _TokensOption = Writing.tokens,
    temperature: _TemperatureOption = Writing.temperature,
    seed: _SeedOption = Writing.seed,
    json: JsonOption = False,
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills play`."""
    here = place(workspace, lang=lang)
    if costs is not None:
        _costs(here, costs, json=json)
        return
    if len(prompt) > _MOST_PROMPT:
        raise UsageError(_NO_PROMPT.format(most=_MOST_PROMPT), _SHORTEN)
    from llmdrills.grading.player import Player

    with Player() as player:  # imports torch while this process reads the katas
        asked = Asked(tuple(files or ()), tuple(slips or ()), own=not references)
        kernels = chosen(here, asked)
        for remark in kernels.remarks:
            note(remark[here.language])
        writing = Writing(prompt, tokens, temperature, seed)
        played = player.play(kernels.placed, writing)
    if json:
        print_json(played_json(played, kernels))
    else:
        tell(played_text(played, kernels, _known(here), here.language))
    raise typer.Exit(0 if played.failed is None else 1)


def _known(here: Place) -> PlayTable | None:
    """The table of this model: the workspace's, else the one that came with the package."""
    for root in dict.fromkeys((here.workspace, bundled_workspace())):
        table = load_play(root)
        if table is not None and table.model == model_digest():
            return table
    return None


def _costs(here: Place, wanted: str, *, json: bool) -> None:
    if wanted != "all" and part_of(wanted) is None:
        katas = listed(part.kata for part in PARTS)
        raise UsageError(_WRONG.format(kata=wanted), _PARTS.format(katas=katas))
    table = _known(here)
    if table is None:
        raise UsageError(_NO_TABLE, _WRITE)
    names = [part.kata for part in PARTS if wanted in ("all", part.kata)]
    if json:
        print_json(costs_json(table, names))
    else:
        tell(costs_text(table, katas_of_parts(here), names, here.language), table=True)
