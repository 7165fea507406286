"""What the commands `llmdrills anki …` share: which notes are ours, and where their collection is read from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmdrills.anki.connect import AnkiConnect
from llmdrills.cli.console import note, told
from llmdrills.cli.record import open_history
from llmdrills.errors import LLMDrillsError, UsageError
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmdrills.anki.reading import Collection
    from llmdrills.cli.options import Place
    from llmdrills.content.model import Workspace
    from llmdrills.decks.lock import Lock
    from llmdrills.decks.package import PackageNote
    from llmdrills.language import Language

__all__ = [
    "LiveOption",
    "PathArgument",
    "agreed",
    "collection_of",
    "connect",
    "packages_of",
    "planned_notes",
    "released_lock",
    "remember_ready",
    "tell_none",
]

PathArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[PATH]",
        help=told(
            Bilingual(
                "collection.anki2, the folder that holds it, a .colpkg, or an .apkg exported with scheduling.",
                "collection.anki2、它所在的文件夹、.colpkg，或带学习进度导出的 .apkg。",
            )
        ),
        show_default=False,
    ),
]
LiveOption = Annotated[
    bool,
    typer.Option(
        "--live",
        help=told(
            Bilingual(
                "Ask a running Anki, through its add-on AnkiConnect.", "通过 AnkiConnect 插件询问正在运行的 Anki。"
            )
        ),
    ),
]

_WHICH = Bilingual("a path or --live is needed", "需要给出路径或 --live")
_ONE = Bilingual("a path and --live are two sources", "路径和 --live 是两个不同的来源")
_GIVE = Bilingual(
    "give collection.anki2 of your profile{near}, an exported .colpkg or .apkg, or --live for a running Anki",
    "请给出个人资料中的 collection.anki2{near}、导出的 .colpkg 或 .apkg，或用 --live 连接正在运行的 Anki",
)
_NEAR = Bilingual(" (here: {path})", "（本机：{path}）")
_NOT_RELEASED = Bilingual("nothing was built yet in {path}", "{path} 还没有构建过")
_BUILD = Bilingual(
    "run `llmdrills build`, and import its packages in Anki", "请先运行 `llmdrills build`，再在 Anki 中导入"
)
_NO_PACKAGE = Bilingual("there is no package in {folder}", "{folder} 中没有牌组包")
_NO_FILE = Bilingual("there is no file {path}", "没有文件 {path}")
_NONE = Bilingual(
    "None of the notes there ({total}) is from this workspace: import its package in Anki first (`llmdrills build`), "
    "or name the workspace with --workspace.",
    "其中 {total} 条笔记都不属于这个工作区：请先在 Anki 中导入它的牌组包（`llmdrills build`），"
    "或用 --workspace 指定工作区。",
)


def connect(here: Place) -> AnkiConnect:
    """The AnkiConnect of the settings."""
    return AnkiConnect(here.settings.text("anki_url"), here.settings.text("anki_key"))


def collection_of(here: Place, path: Path | None, guids: Iterable[str], *, live: bool) -> Collection:
    """What the collection that is meant says of those notes. Raises UsageError."""
    from llmdrills.anki.live import read_live, read_path

    if live and path is not None:
        raise UsageError(_ONE, _GIVE.format(near=""))
    if live:
        return read_live(connect(here), guids)
    if path is None:
        raise UsageError(_WHICH, _GIVE.format(near=_near()[here.language]))
    return read_path(path, guids)


def _near() -> Bilingual:
    """A collection that lies where Anki keeps them on this machine; nothing where there is none."""
    from llmdrills.anki.connect import anki_folder

    try:
        found = sorted(anki_folder().glob("*/collection.anki2"))
    except OSError:  # a folder that may not be looked into: the advice is whole without an example
        found = []
    return _NEAR.format(path=found[0]) if found else Bilingual("", "")


def agreed(question: Bilingual, language: Language) -> bool:
    """Whether the user says yes; without a terminal nobody is asked, and the answer is no."""
    return sys.stdin.isatty() and sys.stdout.isatty() and typer.confirm(question[language])


def packages_of(given: list[Path] | None, folder: Path) -> list[Path]:
    """The packages to import: those given, or those that `build` wrote. Raises UsageError."""
    found = given or [path for path in sorted(folder.glob("llmdrills-*.apkg")) if "-mine-" not in path.name]
    if not found:
        raise UsageError(_NO_PACKAGE.format(folder=folder), _BUILD)
    for path in found:
        if not path.is_file():
            raise UsageError(_NO_FILE.format(path=path), _BUILD)
    return found


def released_lock(workspace: Workspace) -> Lock:
    """The lock of the last release. Raises UsageError where nothing was released, and LockError."""
    from llmdrills.decks.lock import read_lock

    lock = read_lock(workspace.root)
    if lock is None:
        raise UsageError(_NOT_RELEASED.format(path=workspace.root), _BUILD)
    return lock


def planned_notes(here: Place, workspace: Workspace) -> tuple[PackageNote, ...]:
    """The notes as the decks say them now: those of the last release, where the decks have not changed since."""
    from llmdrills.decks.build import BuildOptions, planned
    from llmdrills.paths import came_with_the_package

    options = BuildOptions(read_only_content=came_with_the_package(here.workspace), cache_dir=here.locations.cache)
    return tuple(note for release in planned(workspace, options) for note in release.notes)


def tell_none(here: Place, collection: Collection) -> None:
    """Say that a collection holds nothing of ours."""
    note(_NONE.format(total=collection.total)[here.language])


def remember_ready(here: Place, workspace: Workspace | None = None) -> None:
    """Record what is ready as of now, before reviews come in that may change it."""
    from llmdrills.practice.moments import Moment
    from llmdrills.readiness import assess, keep_shown

    if workspace is None:
        from llmdrills.content import load_workspace

        try:
            workspace = load_workspace(here.workspace, here.locations.cache)
        except LLMDrillsError:
            return  # what is wrong with the decks must not keep anybody's reviews out, and `check` says it
    now = Moment.now()
    with open_history(here) as history:
        keep_shown(history, assess(workspace, history, now, here.settings.scheduling), now)
