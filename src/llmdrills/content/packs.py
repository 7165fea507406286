"""Content packs: packages that pip installed and that bring decks and katas of their own.

A package declares one by an entry point of the group `llmdrills.content`, such as `tiny = "tiny_pack.content"`: the
value names a package, or a folder in one, by dots. That folder is a workspace: it holds `decks/`, `drills/` and a
`workspace.toml`.

Katas are code of whoever wrote them. So nothing of a pack is imported or read as content here: entry points are read
as text (importlib.metadata takes longer to import than a plan may take), the folder is found by the import system
without running the package, and files are only hashed. Which pack, with which hash, the learner has allowed stands in
`packs.json` of the config folder.

What is not covered: packages in zip files, and what a pack imports from other packages.
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from llmdrills.errors import SettingError, UsageError
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "GROUP",
    "Consent",
    "Contents",
    "Pack",
    "State",
    "contents",
    "digest",
    "installed",
    "read_consents",
    "state_of",
    "write_consents",
]

GROUP = "llmdrills.content"
State = Literal["new", "allowed", "changed", "refused"]

_VALUE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_NAME = re.compile(r"[a-z0-9]+([-_.][a-z0-9]+)*", re.IGNORECASE)
_NOT_SAID = Bilingual(
    "{package} {version} brings a content pack that cannot be used: `{name} = {value}`",
    "{package} {version} 提供的内容包无法使用：`{name} = {value}`",
)
_SAY = Bilingual(
    "its author names a package with decks/ or drills/ in it, such as `tiny_pack.content`",
    "应由其作者写明含有 decks/ 或 drills/ 的包，例如 `tiny_pack.content`",
)
_CANNOT_READ = Bilingual("cannot read {path}", "无法读取 {path}")
_DELETE = Bilingual("delete it: every content pack is then asked about again", "请删除它：之后会重新询问每个内容包")


@dataclass(frozen=True, kw_only=True)
class Pack:
    """A content pack that is installed: its name, the package that brings it, and its folders.

    `folder` is the workspace; `package` the folder of the whole package, all of which is hashed, because katas may
    import it. `fault` says why it cannot be used.
    """

    name: str
    distribution: str
    version: str
    folder: Path = Path()
    package: Path = Path()
    fault: Bilingual | None = None


class Contents(NamedTuple):
    """How many katas and decks a pack has, counted by its files alone."""

    katas: int
    decks: int


# ---- which are there ------------------------------------------------------------------------------


def installed(places: Sequence[str] | None = None) -> list[Pack]:
    """The packs that are installed, by name; `places`: folders of packages, `sys.path` unless given.

    Nothing of them is run. Of two versions of one package the first counts, as it does for `import`.
    """
    found: dict[tuple[str, str], Pack] = {}
    for metadata in _metadata_folders(sys.path if places is None else places):
        declared = _declared(metadata)
        if declared:
            distribution, version = _named(metadata)
            for name, value in declared.items():
                key = (re.sub(r"[-_.]+", "-", distribution).lower(), name)
                if key not in found:
                    found[key] = _located(name, value, distribution, version)
    return sorted(found.values(), key=lambda pack: (pack.name, pack.distribution))


def _metadata_folders(places: Sequence[str]) -> Iterator[str]:
    for place in dict.fromkeys(places):
        try:
            names = sorted(os.listdir(place or "."))  # noqa: PTH208  # str paths: every command waits for this
        except OSError:
            continue  # not a folder, or a zip file
        yield from (os.path.join(place, name) for name in names if name.endswith((".dist-info", ".egg-info")))  # noqa: PTH118  # the same


def _declared(metadata: str) -> dict[str, str]:
    """What the package's entry points say for our group."""
    try:
        with open(os.path.join(metadata, "entry_points.txt"), encoding="utf-8") as file:  # noqa: PTH118, PTH123  # the same
            text = file.read()
    except (OSError, UnicodeDecodeError):
        return {}
    if GROUP not in text:
        return {}
    found: dict[str, str] = {}
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[] ")
        elif section == GROUP and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            found[name.strip()] = value.strip()
    return found


def _named(metadata: str) -> tuple[str, str]:
    """The package's name and version: from METADATA, else from the folder's name."""
    for file in ("METADATA", "PKG-INFO"):
        try:
            head = Path(metadata, file).read_text("utf-8", errors="replace").split("\n\n", 1)[0]
        except OSError:
            continue
        name, version = (re.search(rf"^{key}: *(\S+)", head, re.MULTILINE) for key in ("Name", "Version"))
        if name and version:
            return name[1], version[1]
    name_and_version = Path(metadata).stem.split("-")
    return name_and_version[0], (name_and_version[1:] or ["?"])[0]


def _located(name: str, value: str, distribution: str, version: str) -> Pack:
    """The pack with its folders, which are found without importing anything."""
    import importlib.util

    unusable = _NOT_SAID.format(package=distribution, version=version, name=name, value=value)
    pack = Pack(name=name, distribution=distribution, version=version)
    fault = Bilingual(f"{unusable.en}: {_SAY.en}", f"{unusable.zh}：{_SAY.zh}")
    if not _VALUE.fullmatch(value) or not _NAME.fullmatch(name):
        return replace(pack, fault=fault)
    top, *below = value.split(".")
    try:
        spec = importlib.util.find_spec(top)  # of a package at the top: finding one inside would import the outer one
    except (ImportError, ValueError):
        spec = None
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place, *below)
        if (folder / "decks").is_dir() or (folder / "drills").is_dir():
            return replace(pack, folder=folder.resolve(), package=Path(place).resolve())
    return replace(pack, fault=fault)


def contents(pack: Pack) -> Contents:
    """What there is in the pack."""
    return Contents(
        sum(1 for _ in (pack.folder / "drills").glob("*/kata.yaml")),
        sum(1 for _ in (pack.folder / "decks").glob("*.yaml")),
    )


# ---- whether it is the same -----------------------------------------------------------------------


def digest(pack: Pack, cache_dir: Path | None = None) -> str:
    """SHA-256 over names and bytes of all files of the package, compiled ones left out.

    With `cache_dir` it is computed again only when a file's size or time of change differs. Raises UsageError.
    """
    files = sorted(_files(pack.package))
    stamp = [[str(file), (status := file.stat()).st_mtime_ns, status.st_size] for file in files]
    cache = None if cache_dir is None else cache_dir / "packs.json"
    kept = {} if cache is None else _kept(cache)
    known = kept.get(str(pack.package))
    if isinstance(known, dict) and known.get("stamp") == stamp:
        return str(known.get("digest"))
    import hashlib  # only where a pack is installed

    whole = hashlib.sha256()
    for file in files:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise UsageError(_CANNOT_READ.format(path=file), str(error)) from error
        name = file.relative_to(pack.package).as_posix().encode("utf-8", "surrogateescape")
        whole.update(b"%d %s %d " % (len(name), name, len(content)) + content)
    if cache is not None:
        _keep(cache, {**kept, str(pack.package): {"stamp": stamp, "digest": whole.hexdigest()}})
    return whole.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder, followlinks=False):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (Path(place, name) for name in names if not name.endswith((".pyc", ".pyo")))


def _kept(cache: Path) -> dict[str, Any]:
    try:
        found = json.loads(cache.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}  # no cache, or none that can be used: hashing takes milliseconds
    return found if isinstance(found, dict) else {}


def _keep(cache: Path, kept: Mapping[str, Any]) -> None:
    from llmdrills.files import write_atomically

    try:
        write_atomically(cache, json.dumps(kept), durable=False)
    except OSError:
        return  # in a read-only home only speed is lost


# ---- what the learner said ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Consent:
    """What was answered of a pack, and of which hash; `at` is the time in ISO 8601."""

    distribution: str
    version: str
    hash: str
    allowed: bool
    at: str


def state_of(pack: Pack, consents: Mapping[str, Consent], found: str) -> State:
    """How a pack with that hash stands. A refusal holds for every version, a permission for this hash alone."""
    known = consents.get(pack.name)
    if known is None or known.distribution != pack.distribution:
        return "new"
    if not known.allowed:
        return "refused"
    return "allowed" if known.hash == found else "changed"


def read_consents(file: Path) -> dict[str, Consent]:
    """The answers by the pack's name; none where there is no file. Raises SettingError when it cannot be read."""
    try:
        data = json.loads(file.read_bytes())
        fields = Consent.__annotations__
        return {name: Consent(**{field: one[field] for field in fields}) for name, one in data["packs"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SettingError(_CANNOT_READ.format(path=file), _DELETE) from error


def write_consents(file: Path, consents: Mapping[str, Consent]) -> None:
    """Replace the file. Raises OSError."""
    from llmdrills.files import write_atomically

    packs = {name: asdict(one) for name, one in sorted(consents.items())}
    write_atomically(file, json.dumps({"schema": 1, "packs": packs}, indent=2) + "\n")
