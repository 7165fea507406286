"""`llmdrills build`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmdrills.cli.build_view import build_text
from llmdrills.cli.console import print_json, tell, tell_notices, told
from llmdrills.cli.manual import manual
from llmdrills.cli.options import JsonOption, LangOption, Place, WorkspaceOption, place, tell_shipped
from llmdrills.cli.packs import allowed_packs, load_pack, refuse_clashes
from llmdrills.content import load_workspace
from llmdrills.language import Bilingual
from llmdrills.messages import in_both
from llmdrills.paths import came_with_the_package

if TYPE_CHECKING:
    from llmdrills.content.model import Workspace
    from llmdrills.decks.build import Progress

__all__ = ["HELP", "command", "out_folder"]

HELP = manual(
    Bilingual(
        "Build the Anki packages, and say what Anki will do with them.",
        "构建 Anki 牌组包，并说明导入后 Anki 会做什么。",
    ),
    "llmdrills build",
    "llmdrills build --dry-run",
    "llmdrills build --frozen --out dist",
    "llmdrills build --mine",
    more=Bilingual(
        "Import build/llmdrills-en.apkg or build/llmdrills-zh.apkg with Anki's default options.",
        "用 Anki 的默认选项导入 build/llmdrills-en.apkg 或 build/llmdrills-zh.apkg。",
    ),
)

_OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="FOLDER",
        help=told(Bilingual("Where packages go; build/ unless given.", "牌组包的输出文件夹；默认为 build/。")),
    ),
]
_DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help=told(Bilingual("Say what Anki would do, and write nothing.", "只说明 Anki 会做什么，不写任何文件。")),
    ),
]
_FrozenOption = Annotated[
    bool,
    typer.Option(
        "--frozen", help=told(Bilingual("Fail when the lock is stale (for CI).", "锁文件过期即报错（用于 CI）。"))
    ),
]
_AcceptLockOption = Annotated[
    bool,
    typer.Option(
        "--accept-lock",
        help=told(Bilingual("Go on with the lines of a lock that is not whole.", "锁文件不完整时，以现有的行继续。")),
    ),
]
_NewLockOption = Annotated[
    bool,
    typer.Option(
        "--new-lock",
        help=told(
            Bilingual(
                "Start a new lock, because the old one is lost and cannot be restored.",
                "旧的锁文件已丢失且无法恢复时，重新建立一份。",
            )
        ),
    ),
]
_BriefOption = Annotated[
    bool,
    typer.Option(
        "--brief", help=told(Bilingual("Print the packages and what to do with them.", "只打印牌组包和使用方法。"))
    ),
]
_MineOption = Annotated[
    bool,
    typer.Option(
        "--mine",
        help=told(
            Bilingual(
                "Build a deck of your own mistakes instead: llmdrills-mine-LANG.apkg.",
                "改为构建你自己的错误组成的牌组：llmdrills-mine-LANG.apkg。",
            )
        ),
    ),
]
_VerboseOption = Annotated[
    bool,
    typer.Option("--verbose", "-v", help=told(Bilingual("Name every note that changes.", "逐条列出有变动的笔记。"))),
]

_PACK = Bilingual("Content pack {name}:", "内容包 {name}：")
_PROGRESS = Bilingual("{what}: {done}/{total}", "{what}：{done}/{total}")


def command(
    out: _OutOption = None,
    dry_run: _DryRunOption = False,
    frozen: _FrozenOption = False,
    accept_lock: _AcceptLockOption = False,
    new_lock: _NewLockOption = False,
    mine: _MineOption = False,
    brief: _BriefOption = False,
    verbose: _VerboseOption = False,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills build`."""
    from llmdrills.decks.build import BuildOptions, build

    here = place(workspace, lang=lang)
    tell_shipped(workspace, here)
    loaded = load_workspace(here.workspace, here.locations.cache)
    tell_notices(loaded.katas)
    if mine:
        _build_mine(here, loaded, out or out_folder(here), json=json)
        return
    options = BuildOptions(
        frozen=frozen,
        dry_run=dry_run,
        accept_lock=accept_lock,
        new_lock=new_lock,
        read_only_content=came_with_the_package(here.workspace),
        cache_dir=here.locations.cache,
        progress=_progress(),
    )
    target = out or out_folder(here)
    packs = [(pack, one) for pack in allowed_packs(here) if (one := load_pack(here, pack)) is not None]
    refuse_clashes(here, loaded.about, packs)
    report = build(loaded, target, options)
    # The lock of a pack came with it and is not ours to move, as that of the shipped workspace.
    theirs = replace(options, read_only_content=True, new_lock=False, accept_lock=False)
    reports = {pack.name: build(one, target / pack.name, theirs) for pack, one in packs}
    if json:
        more = {"packs": {name: one.to_json() for name, one in reports.items()}} if reports else {}
        print_json({**report.to_json(), **more})
        return
    tell(build_text(report, Path.cwd(), here.language, verbose=verbose, brief=brief))
    for name, built in reports.items():
        tell("\n" + _PACK.format(name=name)[here.language])
        tell(build_text(built, Path.cwd(), here.language, verbose=verbose, brief=brief))


def _build_mine(here: Place, workspace: Workspace, out: Path, *, json: bool) -> None:
    from llmdrills.cli.record import open_history
    from llmdrills.mine import build_mine

    with open_history(here) as history:
        built = build_mine(workspace, history, here.locations.data / "mine", out)
    if json:
        shown = {**built._asdict(), "packages": [str(path) for path in built.packages]}
        print_json({"schema": 1, **shown})
        return
    if not built.packages:
        tell(_NO_MISTAKES[here.language])
        return
    for path in built.packages:
        print(path)
    tell(_MINE.format(notes=built.notes, retired=built.retired)[here.language])


_MINE = Bilingual(
    "Mistakes of your own: {notes} to recall, {retired} beaten. Import it in Anki (deck “LLM Drills::Mine”).",
    "你自己的错误：{notes} 条待复习，{retired} 条已克服。请导入 Anki（牌组“LLM Drills::我的错误”）。",
)
_NO_MISTAKES = Bilingual(
    "No attempt of yours ran into a known mistake so far: there is nothing to build.",
    "你的提交里还没有出现过常见错误，没有可构建的内容。",
)


def out_folder(here: Place) -> Path:
    """`build/` in the workspace around the current folder, or else in the current folder."""
    current = Path.cwd().resolve()
    return (here.workspace if current.is_relative_to(here.workspace) else current) / "build"


def _progress() -> Progress | None:
    """Show progress as one line on stderr that is overwritten; show nothing if stderr is no terminal."""
    if not sys.stderr.isatty():
        return None

    def show(what: str, done: int, total: int) -> None:
        end = "\n" if done >= total else ""
        line = _PROGRESS.format(what=in_both(what), done=done, total=total)
        print(f"\r{told(line)}\x1b[K", end=end, file=sys.stderr, flush=True)

    return show
