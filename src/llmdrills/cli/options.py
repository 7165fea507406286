"""The options that several commands share, and the place and settings that they resolve to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from llmdrills import __version__, paths, settings
from llmdrills.cli.console import speak, tell, told
from llmdrills.cli.panels import POINTER
from llmdrills.errors import UsageError
from llmdrills.language import LANGUAGES, Bilingual, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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
    "complete_kata",
    "complete_topic",
    "complete_variant",
    "find_kata",
    "find_variant",
    "nearest",
    "one_of",
    "own_workspace",
    "place",
    "root_callback",
]


ONE_OF = Bilingual("use one of {words}", "请使用以下之一：{words}")
_NO_KATA = Bilingual("there is no kata {wanted!r}", "没有名为 {wanted!r} 的练习")
_LIST = Bilingual("`llmdrills list` shows all of them", "运行 `llmdrills list` 查看全部练习")
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
    from llmdrills.content.catalogue import load_catalogue

    try:
        here = place()
        return [
            kata.id for kata in load_catalogue(here.workspace, here.locations.cache) if kata.id.startswith(incomplete)
        ]
    except Exception:  # a shell that completes has no place to show an error
        return []


def complete_variant(ctx: typer.Context, incomplete: str) -> list[str]:
    """The variants of the kata that stands before, for a shell."""
    from llmdrills.content.catalogue import load_catalogue

    try:
        here = place()
        katas = load_catalogue(here.workspace, here.locations.cache)
        wanted = [kata for kata in katas if kata.id == ctx.params.get("kata")] or katas
        found = dict.fromkeys(variant.id for kata in wanted for variant in kata.variants)
        return [name for name in found if name.startswith(incomplete)]
    except Exception:  # a shell that completes has no place to show an error
        return []


def complete_topic(incomplete: str) -> list[str]:
    """The topics of the katas, for a shell."""
    from llmdrills.content.kata import TOPICS

    return [topic for topic in TOPICS if topic.startswith(incomplete)]


def one_of(*words: str) -> Callable[[str], list[str]]:
    """Completes these words."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete


KataArgument = Annotated[
    str,
    typer.Argument(metavar="KATA", help="The kata's id.", autocompletion=complete_kata, show_default=False),
]
VariantOption = Annotated[
    str | None,
    typer.Option(
        "--variant",
        metavar="VARIANT",
        help="Which contract of the kata.",
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
        help="Where the attempt runs.",
        autocompletion=one_of("auto", "cpu", "cuda", "mps"),
        show_default=False,
    ),
]
TopicOption = Annotated[
    str | None,
    typer.Option(
        "--topic", metavar="TOPIC", help="Only katas of this topic.", autocompletion=complete_topic, show_default=False
    ),
]
WorkspaceOption = Annotated[
    Path | None,
    typer.Option("--workspace", "-w", metavar="FOLDER", help="The folder with decks/ and drills/.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


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


def own_workspace(given: Path | None, here: Place) -> Path:
    """The workspace that the user may change: the one named, or the one around the current folder. Else UsageError."""
    if paths.came_with_the_package(here.workspace):
        raise UsageError(
            "this workspace came with the package", "`llmdrills init` makes a copy that is yours to change"
        )
    named = given is not None or bool(os.environ.get("LLMDRILLS_WORKSPACE"))
    if not named and not Path.cwd().resolve().is_relative_to(here.workspace):
        raise UsageError(
            f"{Path.cwd()} is not in a workspace",
            "change to a workspace, name one with --workspace, or make one with `llmdrills init`",
        )
    return here.workspace


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
        ids = [variant.id for variant in kata.variants]
        raise UsageError(_NO_VARIANT.format(kata=kata.id, wanted=wanted), ONE_OF.format(words=listed(ids)))
    return found


def nearest(wanted: str, known: Iterable[str], otherwise: Bilingual) -> Bilingual:
    """What to do about a name that there is none of: the nearest ones, and `otherwise`."""
    import difflib

    near = difflib.get_close_matches(wanted, list(known), n=3, cutoff=0.5)
    if not near:
        return otherwise
    return Bilingual(
        f"did you mean {' or '.join(near)}? {otherwise.en}", f"你要找的是不是 {' 或 '.join(near)}？{otherwise.zh}"
    )
