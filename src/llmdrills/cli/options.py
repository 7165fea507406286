"""The options that several commands share, and the place and settings that they resolve to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from llmdrills import __version__, paths, settings
from llmdrills.cli.console import note, speak, tell, told
from llmdrills.cli.panels import POINTER
from llmdrills.errors import LLMDrillsError, UsageError
from llmdrills.language import LANGUAGES, Bilingual, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from llmdrills.content.kata_notes import KataNote
    from llmdrills.content.model import Kata, Variant
    from llmdrills.language import Language

__all__ = [
    "ONE_OF",
    "DeviceOption",
    "JsonOption",
    "KataArgument",
    "LangOption",
    "Place",
    "TopicOption",
    "VariantOption",
    "WorkspaceOption",
    "check_topic",
    "complete_kata",
    "complete_topic",
    "complete_variant",
    "find_kata",
    "find_variant",
    "group_callback",
    "kata_notes",
    "nearest",
    "one_of",
    "own_workspace",
    "place",
    "root_callback",
]


ONE_OF = Bilingual("use one of {words}", "请使用以下之一：{words}")
_NO_KATA = Bilingual("there is no kata {wanted!r}", "没有名为 {wanted!r} 的练习")
_LIST = Bilingual("`llmdrills list` shows all of them", "运行 `llmdrills list` 查看全部练习")
_NOT_YOURS = Bilingual("this workspace came with the package", "此工作区是随软件包安装的，不能修改")
_COPY = Bilingual(
    "`llmdrills init` makes a copy that is yours to change", "请运行 `llmdrills init` 复制一份，再修改自己的副本"
)
_OUTSIDE = Bilingual("{folder} is not in a workspace", "{folder} 不在任何工作区中")
_GO_INSIDE = Bilingual(
    "change to a workspace, name one with --workspace, or make one with `llmdrills init`",
    "请进入一个工作区，用 --workspace 指定，或运行 `llmdrills init` 新建",
)
_NO_TOPIC = Bilingual("there is no topic {wanted!r}", "没有名为 {wanted!r} 的主题")
_NO_VARIANT = Bilingual("{kata} has no variant {wanted!r}", "{kata} 没有名为 {wanted!r} 的变体")


_LANG_HELP = Bilingual("Language of everything shown.", "显示语言。")
_VERSION_HELP = Bilingual("Print the version and exit.", "打印版本并退出。")
_BEFORE_COMMAND: list[str | None] = [None]  # the --lang that stood before the command


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"llmdrills {__version__}")
        raise typer.Exit


def complete_kata(incomplete: str) -> list[str]:
    """The katas whose ids begin so, for a shell."""
    return [kata.id for kata in _katas() if kata.id.startswith(incomplete)]


def complete_variant(ctx: typer.Context, incomplete: str) -> list[str]:
    """The variants of the kata that stands before, for a shell."""
    katas = _katas()
    wanted = [kata for kata in katas if kata.id == ctx.params.get("kata")] or katas
    found = dict.fromkeys(variant.id for kata in wanted for variant in kata.variants)
    return [name for name in found if name.startswith(incomplete)]


def _katas() -> Sequence[Kata]:
    """The katas to complete; none where they cannot be read: a shell has no place for what is wrong, a command has."""
    from llmdrills.cli.packs import all_katas

    try:
        return all_katas(place(), quiet=True)
    except (LLMDrillsError, OSError):
        return ()


def complete_topic(incomplete: str) -> list[str]:
    """The topics of the katas, for a shell."""
    return [topic for topic in _topics(_katas()) if topic.startswith(incomplete)]


def one_of(*words: str) -> Callable[[str], list[str]]:
    """Completes these words."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete


KataArgument = Annotated[
    str,
    typer.Argument(
        metavar="KATA",
        help=told(Bilingual("The kata's id.", "练习的 id。")),
        autocompletion=complete_kata,
        show_default=False,
    ),
]
VariantOption = Annotated[
    str | None,
    typer.Option(
        "--variant",
        metavar="VARIANT",
        help=told(Bilingual("Which contract of the kata.", "练习的变体，即采用哪一种约定。")),
        autocompletion=complete_variant,
        show_default=False,
    ),
]
LangOption = Annotated[
    str | None,
    typer.Option(
        "--lang", metavar="en|zh", help=told(_LANG_HELP), autocompletion=one_of(*LANGUAGES), show_default=False
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda|mps",
        help=told(Bilingual("Where the attempt runs.", "在哪种设备上运行你的代码。")),
        autocompletion=one_of("auto", "cpu", "cuda", "mps"),
        show_default=False,
    ),
]
TopicOption = Annotated[
    str | None,
    typer.Option(
        "--topic",
        metavar="TOPIC",
        help=told(Bilingual("Only katas of this topic.", "只看这个主题的练习。")),
        autocompletion=complete_topic,
        show_default=False,
    ),
]
WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        "-w",
        metavar="FOLDER",
        help=told(Bilingual("The folder with decks/ and drills/.", "含有 decks/ 和 drills/ 的工作区文件夹。")),
        show_default=False,
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help=told(Bilingual("Print JSON for programs.", "输出供程序读取的 JSON。")))
]


@dataclass(frozen=True)
class Place:
    """Where a command runs: the workspace, the user's folders, the settings."""

    workspace: Path
    locations: paths.Locations
    settings: settings.Settings

    @property
    def language(self) -> Language:
        """The language of everything shown."""
        return cast("Language", self.settings.text("lang"))

    @property
    def practice(self) -> Path:
        """The folder of the files that the learner writes in."""
        chosen = self.settings.text("practice")
        return Path(chosen) if chosen else self.locations.practice


def place(workspace: Path | None = None, **flags: Any) -> Place:
    """Resolve the workspace and the settings; a flag of None counts as not given."""
    root = paths.find_workspace(workspace)
    if flags.get("lang") is None:
        flags["lang"] = _BEFORE_COMMAND[0]
    found = paths.locations()
    here = Place(root, found, settings.load_settings(found.config_file, root, flags))
    speak(here.language)
    return here


def root_callback(
    ctx: typer.Context,
    lang: Annotated[
        str | None,
        typer.Option(
            "--lang", metavar="en|zh", help=told(_LANG_HELP), autocompletion=one_of(*LANGUAGES), show_default=False
        ),
    ] = None,
    _version: Annotated[
        bool,
        typer.Option("--version", "-V", callback=_print_version, is_eager=True, help=told(_VERSION_HELP)),
    ] = False,
) -> None:
    """The options of `llmdrills` itself; alone, it says where to begin."""
    _BEFORE_COMMAND[:] = [lang]
    if ctx.invoked_subcommand is None and not ctx.resilient_parsing:
        if lang is not None:
            place()  # a language that there is none of is told
        tell(told(POINTER))


def group_callback(lang: LangOption = None) -> None:
    """The option of a group of commands, such as `llmdrills history`: it holds for the command behind it."""
    if lang is not None:
        _BEFORE_COMMAND[:] = [lang]


def kata_notes(here: Place) -> tuple[KataNote, ...]:
    """Which notes belong to which kata; read, or looked up, only when a plan asks for them."""
    from llmdrills.cli.packs import allowed_packs
    from llmdrills.content.kata_notes import notes_of_katas

    roots = (here.workspace, *(pack.folder for pack in allowed_packs(here, quiet=True)))
    return tuple(note for root in roots for note in notes_of_katas(root, here.locations.cache))


def own_workspace(given: Path | None, here: Place) -> Path:
    """The workspace that the user may change: the one named, or the one around the current folder. Else UsageError."""
    if paths.came_with_the_package(here.workspace):
        raise UsageError(_NOT_YOURS, _COPY)
    named = given is not None or bool(os.environ.get("LLMDRILLS_WORKSPACE"))
    if not named and not Path.cwd().resolve().is_relative_to(here.workspace):
        raise UsageError(_OUTSIDE.format(folder=Path.cwd()), _GO_INSIDE)
    return here.workspace


def tell_shipped(given: Path | None, here: Place) -> None:
    """Say that the current folder is in no workspace, so that nobody takes the shipped content for their own."""
    named = given is not None or bool(os.environ.get("LLMDRILLS_WORKSPACE"))
    if not named and not Path.cwd().resolve().is_relative_to(here.workspace):
        words = Bilingual(
            "This folder is in no workspace: what follows is about the decks and drills that came with llmdrills.",
            "当前目录不在任何工作区内：以下内容针对 llmdrills 自带的牌组与练习。",
        )
        note(told(words))


def find_kata(katas: Iterable[Kata], wanted: str) -> Kata:
    """The kata of that id; UsageError with the nearest ids otherwise."""
    known = {kata.id: kata for kata in katas}
    if wanted in known:
        return known[wanted]
    raise UsageError(_NO_KATA.format(wanted=wanted), nearest(wanted, known, _LIST))


def find_variant(kata: Kata, wanted: str | None) -> Variant:
    """The variant of that id, the first when none is asked for; UsageError otherwise."""
    if wanted is None:
        return kata.variants[0]
    found = kata.variant(wanted)
    if found is None:
        ids = listed(variant.id for variant in kata.variants)
        raise UsageError(_NO_VARIANT.format(kata=kata.id, wanted=wanted), ONE_OF.format(words=ids))
    return found


def check_topic(here: Place, wanted: str | None) -> None:
    """Raise UsageError for a topic that there is none of, and ContentError for problems of the workspace."""
    from llmdrills.content.kata import TOPICS

    if wanted is None or wanted in TOPICS:
        return
    from llmdrills.cli.packs import all_katas

    known = _topics(all_katas(here, quiet=True))
    if wanted not in known:
        raise UsageError(_NO_TOPIC.format(wanted=wanted), ONE_OF.format(words=listed(known)))


def _topics(katas: Iterable[Kata]) -> tuple[str, ...]:
    """Ours, and those that a workspace brings and a kata has."""
    from llmdrills.content.kata import TOPICS

    return tuple(dict.fromkeys((*TOPICS, *(kata.topic for kata in katas))))


def nearest(wanted: str, known: Iterable[str], otherwise: Bilingual) -> Bilingual:
    """What to do about a name that there is none of: the nearest ones, and `otherwise`."""
    import difflib

    near = difflib.get_close_matches(wanted, list(known), n=3, cutoff=0.5)
    if not near:
        return otherwise
    return Bilingual(
        f"did you mean {' or '.join(near)}? {otherwise.en}", f"你要找的是不是 {' 或 '.join(near)}？{otherwise.zh}"
    )
