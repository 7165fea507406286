"""The options that several commands share, and the place and settings that they resolve to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from llmdrills import __version__, paths, settings
from llmdrills.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmdrills.content.model import Kata, Variant
    from llmdrills.language import Language

__all__ = [
    "DeviceOption",
    "JsonOption",
    "KataArgument",
    "LangOption",
    "Place",
    "VariantOption",
    "WorkspaceOption",
    "find_kata",
    "find_variant",
    "own_workspace",
    "place",
    "version_callback",
]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"llmdrills {__version__}")
        raise typer.Exit


def version_callback(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """The options of `llmdrills` itself."""


def _complete_kata(incomplete: str) -> list[str]:
    from llmdrills.content.catalogue import load_catalogue

    try:
        here = place()
        return [
            kata.id for kata in load_catalogue(here.workspace, here.locations.cache) if kata.id.startswith(incomplete)
        ]
    except Exception:  # a shell that completes has no place to show an error
        return []


KataArgument = Annotated[
    str,
    typer.Argument(metavar="KATA", help="The kata's id.", autocompletion=_complete_kata, show_default=False),
]
VariantOption = Annotated[
    str | None,
    typer.Option("--variant", metavar="VARIANT", help="Which contract of the kata.", show_default=False),
]
LangOption = Annotated[
    str | None,
    typer.Option("--lang", metavar="en|zh", help="Language of prompts, feedback and labels.", show_default=False),
]
DeviceOption = Annotated[
    str | None,
    typer.Option("--device", metavar="auto|cpu|cuda|mps", help="Where the attempt runs.", show_default=False),
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


def place(workspace: Path | None = None, **flags: Any) -> Place:
    """Resolve the workspace and the settings; a flag of None counts as not given."""
    root = paths.find_workspace(workspace)
    found = paths.locations(root)
    return Place(root, found, settings.load_settings(found.config_file, root, flags))


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
    raise UsageError(f"there is no kata {wanted!r}", _nearest(wanted, known, "`llmdrills list` shows all of them"))


def find_variant(kata: Kata, wanted: str | None) -> Variant:
    """The variant of that id, the first when none is asked for; UsageError otherwise."""
    if wanted is None:
        return kata.variants[0]
    found = kata.variant(wanted)
    if found is None:
        ids = [variant.id for variant in kata.variants]
        raise UsageError(f"{kata.id} has no variant {wanted!r}", f"use one of {', '.join(ids)}")
    return found


def _nearest(wanted: str, known: Iterable[str], otherwise: str) -> str:
    import difflib

    near = difflib.get_close_matches(wanted, list(known), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}? {otherwise}" if near else otherwise
