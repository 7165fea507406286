"""The katas of the workspace together with those of content packs, and the question whether a pack may be used.

A pack is asked about once, on a terminal, by whatever command needs the katas first. Without a terminal it is left out,
and that is said on stderr, once a process.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.cli.console import note, told
from llmdrills.content.catalogue import load_catalogue
from llmdrills.content.packs import (
    Consent,
    Pack,
    contents,
    digest,
    installed,
    read_consents,
    state_of,
    write_consents,
)
from llmdrills.errors import ContentError, LLMDrillsError, UsageError
from llmdrills.language import Bilingual, counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata, Workspace
    from llmdrills.content.packs import State
    from llmdrills.content.workspacefile import WorkspaceFile

__all__ = ["Found", "all_katas", "allowed_packs", "answer", "holds", "left_out", "load_pack", "look", "refuse_clashes"]

_HOLDS = Bilingual("{katas} and {decks}", "{katas}和{decks}")
_ABOUT = Bilingual(
    "The content pack `{name}` ({package} {version}) brings {holds}.",
    "内容包 `{name}`（{package} {version}）提供 {holds}。",
)
_CHANGED = Bilingual(
    "The content pack `{name}` ({package} {version}, {holds}) has changed since you allowed {before}.",
    "内容包 `{name}`（{package} {version}，{holds}）在你允许 {before} 之后有改动。",
)
_CODE = Bilingual(
    "Its katas are code that runs on this machine as you. Allow it only if you trust whoever made it.",
    "其中的练习是代码，会以你的身份在本机运行。只有信任其作者时才应允许。",
)
_ALLOW = Bilingual("Use it?", "是否使用？")
_LEFT_OUT = Bilingual(
    "The content pack `{name}` ({package} {version}) is left out, because nobody has allowed it yet. It is code: "
    "`llmdrills packs allow {name}` allows it.",
    "内容包 `{name}`（{package} {version}）未被使用，因为还没有人允许它。它是代码："
    "运行 `llmdrills packs allow {name}` 即可允许。",
)
_LEFT_CHANGED = Bilingual(
    "The content pack `{name}` ({package} {version}) is left out, because it has changed since you allowed {before}: "
    "`llmdrills packs allow {name}` allows it as it is now.",
    "内容包 `{name}`（{package} {version}）未被使用，因为它在你允许 {before} 之后有改动："
    "运行 `llmdrills packs allow {name}` 允许现在的内容。",
)
_BROKEN = Bilingual(
    "The content pack `{name}` ({package} {version}) is left out: {what}. `llmdrills check -w {folder}` lists them; "
    "tell its author.",
    "内容包 `{name}`（{package} {version}）未被使用：{what}。运行 `llmdrills check -w {folder}` 查看，并告知其作者。",
)
_NO_SPACE = Bilingual(
    "The content pack `{name}` ({package} {version}) is left out: its workspace.toml gives its notes no namespace of "
    "their own. Tell its author.",
    "内容包 `{name}`（{package} {version}）未被使用：它的 workspace.toml 没有为笔记设定自己的命名空间。请告知其作者。",
)
_CLASH = Bilingual(
    "there are two katas `{kata}`: in {first}, and in {second}", "有两道题都叫 `{kata}`：一道在{first}，一道在{second}"
)
_NAMESPACES = Bilingual(
    "the notes of {first} and of {second} have the same namespace: Anki would take them for each other",
    "{first}和{second}的笔记使用相同的命名空间：Anki 会把它们混为一谈",
)
_TWO_PACKS = Bilingual(
    "two packages bring a content pack `{name}`: {first} and {second}",
    "有两个包都提供了内容包 `{name}`：{first} 和 {second}",
)
_WORKSPACE = Bilingual("the workspace {folder}", "工作区 {folder} ")
_PACK = Bilingual("the content pack `{name}` ({package} {version})", "内容包 `{name}`（{package} {version}）")
_REFUSE = Bilingual(
    "`llmdrills packs refuse {name}` leaves that pack out, or uninstall {package}",
    "运行 `llmdrills packs refuse {name}` 停用该内容包，或卸载 {package}",
)
_UNINSTALL = Bilingual("uninstall one of them", "请卸载其中一个")

_SAID: set[str] = set()  # what this process has told already


class Found(NamedTuple):
    """An installed pack, how it stands, its hash, and what was answered before."""

    pack: Pack
    state: State
    hash: str
    before: Consent | None = None


def look(here: Place) -> list[Found]:
    """Every installed pack and how it stands; those that cannot be used have no hash. Raises UsageError, SettingError.

    The folder that one works in is no pack: an author may have installed it so that edits count at once.
    """
    packs = [pack for pack in installed() if pack.fault is not None or pack.folder != here.workspace.resolve()]
    names: dict[str, Pack] = {}
    for pack in packs:
        if pack.name in names:
            words = {"name": pack.name, "first": names[pack.name].distribution, "second": pack.distribution}
            raise UsageError(_TWO_PACKS.format(**words), _UNINSTALL)
        names[pack.name] = pack
    consents = read_consents(here.locations.packs_file) if packs else {}
    found = []
    for pack in packs:
        own = "" if pack.fault is not None else digest(pack, here.locations.cache)
        found.append(Found(pack, state_of(pack, consents, own), own, consents.get(pack.name)))
    return found


def allowed_packs(here: Place, *, quiet: bool = False) -> list[Pack]:
    """The packs that may be used. On a terminal, asks about those that are new or have changed; else says that they are
    left out. `quiet`: does neither. Raises as `look` does."""
    allowed = []
    for one in look(here):
        pack, state = one.pack, one.state
        if pack.fault is not None:
            _say(pack.fault, quiet=quiet)
            continue
        if state in {"new", "changed"} and not quiet:
            state = _asked(here, one)
        if state == "allowed":
            allowed.append(pack)
    return allowed


def all_katas(here: Place, *, quiet: bool = False) -> tuple[Kata, ...]:
    """The katas of the workspace and of the packs that are allowed, without slips. Raises ContentError for problems of
    the workspace, UsageError where two katas have one id."""
    katas = list(load_catalogue(here.workspace, here.locations.cache))
    owners: dict[str, Pack | None] = dict.fromkeys(kata.id for kata in katas)
    for pack in allowed_packs(here, quiet=quiet):
        try:
            own = load_catalogue(pack.folder, here.locations.cache)
        except ContentError as error:
            _say(_broken(pack, error), quiet=quiet)
            continue
        for kata in own:
            if kata.id in owners:
                first = owners[kata.id]
                words = {"kata": kata.id, "first": _shown(first, here.workspace), "second": _shown(pack)}
                raise UsageError(_CLASH.format(**words), _REFUSE.format(name=pack.name, package=pack.distribution))
            owners[kata.id] = pack
        katas += own
    return tuple(katas)


def left_out(here: Place) -> list[Bilingual]:
    """What is to be said of every pack that is not used, other than by the learner's own will: where there is no
    terminal to ask on, and stderr is read by nobody. Raises as `look` does."""
    said = []
    for one in look(here):
        if one.pack.fault is not None:
            said.append(one.pack.fault)
        elif one.state in {"new", "changed"}:
            said.append(_left(one))
        elif one.state == "allowed":
            try:
                load_catalogue(one.pack.folder, here.locations.cache)
            except ContentError as error:
                said.append(_broken(one.pack, error))
    return said


def load_pack(here: Place, pack: Pack) -> Workspace | None:
    """A pack's decks and katas as a workspace; None, which is said, where it has problems or no own namespace."""
    from llmdrills.content import load_workspace
    from llmdrills.content.workspacefile import DEFAULT_NAMESPACE

    try:
        loaded = load_workspace(pack.folder, here.locations.cache)
    except ContentError as error:
        _say(_broken(pack, error))
        return None
    if loaded.namespace == DEFAULT_NAMESPACE:
        _say(_NO_SPACE.format(**_words(pack)))
        return None
    return loaded


def refuse_clashes(here: Place, own: WorkspaceFile, packs: Sequence[tuple[Pack, Workspace]]) -> None:
    """Raise UsageError where two workspaces have one namespace: one note of Anki's would be two of ours."""
    owners: dict[str, Pack | None] = {own.namespace: None}
    for pack, loaded in packs:
        if loaded.namespace in owners:
            first = owners[loaded.namespace]
            words = {"first": _shown(first, here.workspace), "second": _shown(pack)}
            raise UsageError(_NAMESPACES.format(**words), _REFUSE.format(name=pack.name, package=pack.distribution))
        owners[loaded.namespace] = pack


def answer(here: Place, one: Found, *, allowed: bool) -> None:
    """Record what the user said of a pack. Raises UsageError when it cannot be written."""
    from llmdrills.practice.moments import Moment

    pack, file = one.pack, here.locations.packs_file
    said = Consent(
        distribution=pack.distribution, version=pack.version, hash=one.hash, allowed=allowed, at=str(Moment.now())
    )
    try:
        write_consents(file, {**read_consents(file), pack.name: said})
    except OSError as error:
        raise UsageError(f"cannot write {file} ({error.strerror})", "check the folder's permissions") from error


def holds(pack: Pack) -> Bilingual:
    """How many katas and decks a pack has."""
    found = contents(pack)
    return _HOLDS.format(katas=counted(found.katas, "kata", "个练习"), decks=counted(found.decks, "deck", "个牌组"))


def _asked(here: Place, one: Found) -> State:
    """What is answered on a terminal; without one the pack is left out, and that is said."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        _say(_left(one))
        return one.state
    import typer

    words = {**_words(one.pack), "holds": holds(one.pack), "before": one.before.version if one.before else ""}
    note(told((_CHANGED if _has_changed(one) else _ABOUT).format(**words)))
    note(told(_CODE))
    yes = typer.confirm(told(_ALLOW), default=False, err=True)
    answer(here, one, allowed=yes)
    return "allowed" if yes else "refused"


def _has_changed(one: Found) -> bool:
    return one.state == "changed" and one.before is not None


def _left(one: Found) -> Bilingual:
    words = {**_words(one.pack), "before": one.before.version if one.before else ""}
    return (_LEFT_CHANGED if _has_changed(one) else _LEFT_OUT).format(**words)


def _broken(pack: Pack, error: LLMDrillsError) -> Bilingual:
    return _BROKEN.format(**_words(pack), what=error.what_in_both, folder=pack.folder)


def _words(pack: Pack) -> dict[str, object]:
    return {"name": pack.name, "package": pack.distribution, "version": pack.version}


def _shown(pack: Pack | None, workspace: Path | None = None) -> Bilingual:
    return _WORKSPACE.format(folder=workspace) if pack is None else _PACK.format(**_words(pack))


def _say(words: Bilingual, *, quiet: bool = False) -> None:
    """A message on stderr, once a process."""
    if not quiet and words.en not in _SAID:
        _SAID.add(words.en)
        note(told(words))
