"""Where llmdrills keeps things, and where the workspace is.

`LLMDRILLS_HOME` overrides every location at once: it then holds `config/`, `data/`, `cache/` and `practice/`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from llmdrills.errors import UsageError

__all__ = ["Locations", "bundled_workspace", "came_with_the_package", "find_workspace", "is_workspace", "locations"]


@dataclass(frozen=True)
class Locations:
    """The user's folders. A folder is made only when something is written to it."""

    config: Path
    data: Path
    cache: Path
    practice: Path

    @property
    def config_file(self) -> Path:
        """The user's settings."""
        return self.config / "config.toml"

    @property
    def packs_file(self) -> Path:
        """Which content packs the user has allowed."""
        return self.config / "packs.json"

    @property
    def history_file(self) -> Path:
        """The SQLite database of attempts and reviews."""
        return self.data / "history.sqlite3"


def locations() -> Locations:
    """The user's folders; `practice/` is beside the history, whatever workspace one works in."""
    home = os.environ.get("LLMDRILLS_HOME")
    if home:
        root = Path(home).expanduser().absolute()
        return Locations(root / "config", root / "data", root / "cache", root / "practice")
    dirs = platformdirs.PlatformDirs("llmdrills", appauthor=False)
    data = Path(dirs.user_data_dir)
    return Locations(Path(dirs.user_config_dir), data, Path(dirs.user_cache_dir), data / "practice")


def is_workspace(folder: Path) -> bool:
    """Whether `folder` holds a workspace.toml, or `decks/` and `drills/` with something in them."""
    return (
        (folder / "workspace.toml").is_file()
        or any((folder / "decks").glob("*.yaml"))
        or any((folder / "drills").glob("*/kata.yaml"))
    )


def bundled_workspace() -> Path:
    """The workspace that came with the package: inside the wheel, or the checkout of an editable install."""
    package = Path(__file__).resolve().parent
    shipped = package / "_workspace"
    return shipped if shipped.is_dir() else package.parents[1]


def find_workspace(given: Path | None = None, start: Path | None = None) -> Path:
    """The workspace to use: the one given, `LLMDRILLS_WORKSPACE`, the nearest above `start`, or the bundled one.

    Raises UsageError when the one asked for is not a workspace.
    """
    wanted = given or (Path(os.environ["LLMDRILLS_WORKSPACE"]) if os.environ.get("LLMDRILLS_WORKSPACE") else None)
    if wanted is not None:
        if not is_workspace(wanted):
            raise UsageError(
                f"{wanted} is not a workspace",
                "it needs workspace.toml, decks/*.yaml or drills/*/kata.yaml; `llmdrills init` makes one",
            )
        return wanted.resolve()
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if is_workspace(folder):
            return folder
    return bundled_workspace()


def came_with_the_package(workspace: Path) -> bool:
    """Whether this workspace is part of an installed llmdrills, which the user should not change."""
    return workspace == Path(__file__).resolve().parent / "_workspace"
