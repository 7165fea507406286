"""Build the packages. Only this module updates decks/deck.lock, apart from retiring a note."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from llmdrills.content.computed import load_computed
from llmdrills.content.yamlfile import paused_gc
from llmdrills.decks.cache import RenderCache
from llmdrills.decks.compose import Composer
from llmdrills.decks.figures import Figures
from llmdrills.decks.files import PreparedFile, prepare, sweep
from llmdrills.decks.lock import Lock, lock_file, read_lock
from llmdrills.decks.lostlines import with_lost_lines
from llmdrills.decks.markdown import renderer
from llmdrills.decks.notetypes import Look, note_types
from llmdrills.decks.release import Release, plan_release
from llmdrills.decks.values import Values
from llmdrills.errors import LockError, SettingError
from llmdrills.language import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from llmdrills.content.computed import Computed
    from llmdrills.content.model import Deck, NoteType, Workspace
    from llmdrills.decks.compose import ComposedNote
    from llmdrills.decks.forecast import Forecast
    from llmdrills.decks.notetypes import NoteTypeSpec
    from llmdrills.language import Language

    Progress = Callable[[str, int, int], None]  # what is being done, how many are done, of how many

__all__ = [
    "BuildOptions",
    "BuildReport",
    "LockMove",
    "PackageReport",
    "all_decks",
    "build",
    "languages_of",
    "look_of",
    "package_path",
    "planned",
    "release_time_from_environment",
]

_DAY = 86_400


@dataclass(frozen=True)
class BuildOptions:
    """How to build. The defaults are those of `llmdrills build`."""

    languages: Sequence[Language] | None = None  # None: those of the decks, and of the tombstones
    release_time: int | None = None  # seconds since 1970, for what changed; None: SOURCE_DATE_EPOCH, else now
    frozen: bool = False  # raise LockError when the lock would move: for CI
    dry_run: bool = False  # write nothing at all
    accept_lock: bool = False  # go on with the lines of a lock that is not whole
    new_lock: bool = False  # start a new lock where the old one is lost; every note then counts as changed
    read_only_content: bool = False  # the content came with the wheel: the lock is read and never moved
    cache_dir: Path | None = None  # of rendered notes; None: nothing is kept
    progress: Progress | None = None
    types: Callable[[Language], dict[NoteType, NoteTypeSpec]] = note_types


_DEFAULT = BuildOptions()


@dataclass(frozen=True)
class PackageReport:
    """One .apkg. `sha256` holds for the pinned libraries, `digest` for all; a dry run leaves both empty."""

    language: Language
    path: Path
    upgrade: bool
    notes: int
    cards: int
    bytes: int = 0
    sha256: str = ""
    digest: str = ""


@dataclass(frozen=True)
class LockMove:
    """What happened to decks/deck.lock: `stale` if it differed from the content, `moved` if it was updated."""

    path: Path
    moved: bool
    stale: bool
    created: bool


@dataclass(frozen=True)
class BuildReport:
    """Everything that a build did, or in a dry run would do."""

    packages: tuple[PackageReport, ...]
    forecasts: tuple[Forecast, ...]
    lock: LockMove
    release_time: int
    dry_run: bool
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Schema 1: it may gain keys, never lose one."""
        return {
            "schema": 1,
            "dry_run": self.dry_run,
            "release_time": self.release_time,
            "seconds": round(self.seconds, 3),
            "lock": {**asdict(self.lock), "path": str(self.lock.path)},
            "packages": [{**asdict(package), "path": str(package.path)} for package in self.packages],
            "forecasts": [forecast.to_json() for forecast in self.forecasts],
        }


def release_time_from_environment(now: float | None = None) -> int:
    """SOURCE_DATE_EPOCH where it is set, else now, in seconds. Raises SettingError when it is no time."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if not given:
        return int(time.time() if now is None else now)
    try:
        seconds = int(given)
    except ValueError:
        seconds = 0
    if seconds <= 0:
        raise SettingError(
            f"SOURCE_DATE_EPOCH is {given!r}",
            "write seconds since 1970, as `git log -1 --format=%ct` prints, or unset it",
        )
    return seconds


def package_path(out_dir: Path, language: Language, *, upgrade: bool = False) -> Path:
    """Where a package is written."""
    return out_dir / f"llmdrills-{language}{'-upgrade' if upgrade else ''}.apkg"


def languages_of(workspace: Workspace, lock: Lock | None = None) -> tuple[Language, ...]:
    """The languages for which a workspace has something to release: those of its decks, katas and released notes."""
    found = [language for deck in workspace.decks for language in deck.languages]
    if any(slip.card for kata in workspace.katas for slip in kata.slips):
        found += [language for language in workspace.about.languages if language in LANGUAGES]
    found += [line.language for line in lock.notes.values()] if lock else []
    return tuple(sorted(set(found), key=lambda name: (name not in LANGUAGES, name)))


def look_of(workspace: Workspace, language: Language, lock: Lock | None) -> Look:
    """How the note types of a workspace are called and styled in one language, under the ids of its lock."""
    released = lock.note_types if lock else {}
    ids = tuple(sorted((kind, line.id) for (kind, name), line in released.items() if name == language))
    return Look(workspace.namespace, workspace.about.note_type, workspace.about.css, ids)


def all_decks(workspace: Workspace, computed: Computed) -> list[Deck]:
    """The decks as written, and the one that is derived from the wrong kernels."""
    if not workspace.katas:
        return list(workspace.decks)
    from llmdrills.content.derive import bug_deck

    bugs = bug_deck(workspace.katas, computed)
    spoken = tuple(language for language in workspace.about.languages if language in LANGUAGES)
    return [*workspace.decks, *([replace(bugs, languages=spoken)] if bugs else [])]


@paused_gc()
def build(workspace: Workspace, out_dir: Path, options: BuildOptions = _DEFAULT) -> BuildReport:
    """Write `llmdrills-LANG.apkg`, and `llmdrills-LANG-upgrade.apkg` when there are tombstones, and move the lock.

    The lock is updated before the packages are replaced, so that every package that exists is in the lock.

    Raises BuildError, LockError, SettingError, or ContentError (a value that a note shows was not computed); the old
    packages are then whole.
    """
    started = time.monotonic()
    moment = _release_time(options)
    start = _starting_lock(workspace, out_dir, options)
    cache = RenderCache(options.cache_dir, renderer())
    releases = _releases(workspace, start.lock, cache, moment, options)
    lock = releases[-1].lock if releases else start.lock
    stale = (start.first or not lock.says_the_same(start.lock)) and not options.read_only_content
    # A lock of an older format, or one that a merge left with both sides' lines, says the same in other words.
    rewrite = stale or (lock.text() != start.text and not options.read_only_content)
    if options.frozen and stale:
        raise LockError(_stale(workspace.root, releases), "run `llmdrills build` and commit decks/deck.lock")
    moves = rewrite and not (options.dry_run or options.frozen)
    if options.dry_run:
        packages = tuple(report for release in releases for report in _listed(release, out_dir))
    else:
        cache.save()
        packages = _write(workspace.root, out_dir, releases, lock if moves else None, options.progress)
    return BuildReport(
        packages=packages,
        forecasts=tuple(release.forecast for release in releases),
        lock=LockMove(lock_file(workspace.root), moved=moves, stale=stale, created=start.first),
        release_time=moment,
        dry_run=options.dry_run,
        seconds=time.monotonic() - started,
    )


def planned(workspace: Workspace, options: BuildOptions = _DEFAULT) -> tuple[Release, ...]:
    """What a build with these options would release, one a language: nothing is written, and no lock is moved.

    Raises as `build` does.
    """
    start = _starting_lock(workspace, workspace.root / "build", options)
    cache = RenderCache(options.cache_dir, renderer())
    releases = _releases(workspace, start.lock, cache, _release_time(options), options)
    cache.save()
    return tuple(releases)


def _release_time(options: BuildOptions) -> int:
    moment = release_time_from_environment() if options.release_time is None else options.release_time
    if moment > time.time() + _DAY:
        raise SettingError(
            f"the release time {moment} is more than a day ahead",
            "Anki would rewrite the ids: set SOURCE_DATE_EPOCH to a past time",
        )
    return moment


def _releases(
    workspace: Workspace, lock: Lock, cache: RenderCache, moment: int, options: BuildOptions
) -> list[Release]:
    """The release of each language; each starts from the lock that the one before it leaves."""
    releases: list[Release] = []
    figures, computed = Figures(workspace.root), load_computed(workspace.root)
    values, sources = Values(computed), all_decks(workspace, computed)
    for language in options.languages or languages_of(workspace, lock):
        own = options.types is note_types
        specs = note_types(language, look_of(workspace, language, lock)) if own else options.types(language)
        composer = Composer(
            katas=workspace.katas,
            language=language,
            specs=specs,
            figures=figures,
            cache=cache,
            fill=values,
            topics=workspace.about.topics,
        )
        decks = _compose(sources, composer, language, options.progress)
        planned = plan_release(
            lock,
            decks,
            language,
            specs,
            time=moment,
            pinned=options.read_only_content,
            root=workspace.about.deck_root,
        )
        releases.append(planned)
        lock = releases[-1].lock
    values.raise_if_any()
    return releases


class _Start(NamedTuple):
    """The lock that a build starts from, whether it is the first, and the text of its file."""

    lock: Lock
    first: bool
    text: str = ""


def _starting_lock(workspace: Workspace, out_dir: Path, options: BuildOptions) -> _Start:
    """Read the lock. Raises LockError when there should be one, or another."""
    path = lock_file(workspace.root)
    lock = None if options.new_lock else read_lock(workspace.root, accept=options.accept_lock)
    if lock is None:
        ours = not options.read_only_content
        if ours and not options.new_lock and _was_released(workspace.root, out_dir):
            raise LockError(
                f"{path} is lost",
                "restore it with `git checkout HEAD -- decks/deck.lock` (or from a backup). If it is gone for good, "
                "`llmdrills build --new-lock` starts another: no review is lost, but every note counts as changed "
                "and tombstones are forgotten",
            )
        return _Start(Lock(workspace.namespace), first=True)
    if lock.namespace != workspace.namespace:
        raise LockError(
            f"{path} was written for the namespace {lock.namespace!r}, this workspace has {workspace.namespace!r}",
            "in a copy that is to be a deck of its own delete the lock; otherwise restore workspace.toml",
        )
    lock = with_lost_lines(lock, workspace.root)
    return _Start(lock, first=False, text=path.read_text("utf-8"))


def _was_released(root: Path, out_dir: Path) -> bool:
    """Whether there are signs of an earlier build: packages, or a lock that git knows."""
    if any(out_dir.glob("llmdrills-*.apkg")):
        return True
    git = shutil.which("git")
    if git is None:
        return False
    import subprocess

    known = subprocess.run(  # a failure, as outside of a repository, means no
        [git, "-C", str(root), "cat-file", "-e", "HEAD:./decks/deck.lock"], capture_output=True, check=False
    )
    return known.returncode == 0


def _compose(
    decks: Sequence[Deck], composer: Composer, language: Language, progress: Progress | None
) -> list[tuple[Deck, list[ComposedNote]]]:
    decks = [deck for deck in decks if language in deck.languages]
    total, done = sum(len(deck.notes) for deck in decks), 0
    composed = []
    for deck in decks:
        notes = []
        for note in deck.notes:
            notes.append(composer.compose(note))
            done += 1
            if progress and (done % 100 == 0 or done == total):
                progress(f"render {language}", done, total)
        composed.append((deck, notes))
    return composed


def _stale(root: Path, releases: Sequence[Release]) -> str:
    changed = sorted({note.id for release in releases for note in release.forecast.notes if note.status != "unchanged"})
    shown = f": {', '.join(changed[:5])}{' …' if len(changed) > 5 else ''}" if changed else ""
    return f"{lock_file(root)} is stale ({len(changed)} note{'s' if len(changed) != 1 else ''} differ{shown})"


def _listed(release: Release, out_dir: Path) -> list[PackageReport]:
    """The packages of a release, not yet written."""
    cards = sum(len(note.cards) for note in release.notes)
    plain = PackageReport(
        language=release.language,
        path=package_path(out_dir, release.language),
        upgrade=False,
        notes=len(release.notes),
        cards=cards,
    )
    if not release.tombstones:
        return [plain] if release.notes else []
    path = package_path(out_dir, release.language, upgrade=True)
    return [
        *([plain] if release.notes else []),
        replace(plain, path=path, upgrade=True, notes=len(release.notes) + len(release.tombstones)),
    ]


def _write(
    root: Path, out_dir: Path, releases: Sequence[Release], lock: Lock | None, progress: Progress | None
) -> tuple[PackageReport, ...]:
    """Write everything beside its place, then put the lock and the packages in place."""
    sweep(out_dir)
    reports: list[PackageReport] = []
    prepared: list[PreparedFile] = []
    listed = [(release, report) for release in releases for report in _listed(release, out_dir)]
    try:
        for release, report in listed:
            data, digest = _package(release, upgrade=report.upgrade)
            prepared.append(prepare(report.path, data))
            reports.append(_with(report, data, digest))
            if progress:
                progress("write packages", len(reports), len(listed))
        if lock is not None:
            prepare(lock_file(root), lock.text().encode()).commit()
        for file in prepared:
            file.commit()
    finally:
        for file in prepared:
            file.discard()
    for release in releases:
        # An upgrade package of an earlier release would retire a note that is back; a plain one, of a language that
        # was dropped, would bring back notes that are retired and deleted.
        for upgrade, needed in ((True, release.tombstones), (False, release.notes)):
            if not needed:
                package_path(out_dir, release.language, upgrade=upgrade).unlink(missing_ok=True)
    return tuple(reports)


def _package(release: Release, *, upgrade: bool) -> tuple[bytes, str]:
    from llmdrills.decks.package import logical_digest, package_bytes

    notes = [*release.notes, *(release.tombstones if upgrade else ())]
    return (
        package_bytes(notes, release.note_type_times, release.media),
        logical_digest(notes, release.note_type_times, release.media),
    )


def _with(report: PackageReport, data: bytes, digest: str) -> PackageReport:
    return replace(report, bytes=len(data), sha256=hashlib.sha256(data).hexdigest(), digest=digest)
