"""Build the packages. Only this module updates decks/deck.lock, apart from retiring a note."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from llmdrills.content.computed import load_computed
from llmdrills.content.yamlfile import paused_gc
from llmdrills.decks.cache import RenderCache
from llmdrills.decks.compose import Composer
from llmdrills.decks.figures import Figures
from llmdrills.decks.files import PreparedFile, prepare, sweep
from llmdrills.decks.lock import Lock, lock_file, read_lock
from llmdrills.decks.markdown import renderer
from llmdrills.decks.notetypes import note_types
from llmdrills.decks.release import Release, plan_release
from llmdrills.decks.values import Values
from llmdrills.errors import LockError, SettingError
from llmdrills.language import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from llmdrills.content.computed import Computed
    from llmdrills.content.model import Deck, NoteType, Workspace
    from llmdrills.decks.compose import ComposedNote
    from llmdrills.decks.forecast import Forecast
    from llmdrills.decks.notetypes import NoteTypeSpec
    from llmdrills.language import Language

    Progress = Callable[[str, int, int], None]  # what is being done, how many are done, of how many

__all__ = ["BuildReport", "LockMove", "PackageReport", "build", "package_path", "release_time_from_environment"]

_DAY = 86_400


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


@paused_gc()
def build(
    workspace: Workspace,
    out_dir: Path,
    *,
    languages: Sequence[Language] = LANGUAGES,
    release_time: int | None = None,
    frozen: bool = False,
    dry_run: bool = False,
    new_lock: bool = False,
    read_only_content: bool = False,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
    types: Callable[[Language], dict[NoteType, NoteTypeSpec]] = note_types,
) -> BuildReport:
    """Write `llmdrills-LANG.apkg`, and `llmdrills-LANG-upgrade.apkg` when there are tombstones, and move the lock.

    The lock is updated before the packages are replaced, so that every package that exists is in the lock.

    release_time: seconds since 1970 for what changed; SOURCE_DATE_EPOCH, else now.
    frozen: raise LockError when the lock would move (for CI). dry_run: write nothing at all.
    new_lock: start a new lock where the old one is lost; every note then counts as changed.
    read_only_content: the content came with the wheel; the lock is read and never moved.

    Raises BuildError, LockError, SettingError, or ContentError (a value that a note shows was not computed); the old
    packages are then whole.
    """
    started = time.monotonic()
    moment = release_time_from_environment() if release_time is None else release_time
    if moment > time.time() + _DAY:
        raise SettingError(
            f"the release time {moment} is more than a day ahead",
            "Anki would rewrite the ids: set SOURCE_DATE_EPOCH to a past time",
        )
    old, first = _starting_lock(workspace, out_dir, new_lock=new_lock, ours=not read_only_content)
    lock, releases = old, []
    cache, figures = RenderCache(cache_dir, renderer()), Figures(workspace.root)
    computed = load_computed(workspace.root)
    values, sources = Values(computed), _sources(workspace, computed)
    for language in languages:
        specs = types(language)
        composer = Composer(workspace.katas, language, specs, figures, cache, values)
        decks = _compose(sources, composer, language, progress)
        release = plan_release(lock, decks, language, specs, moment, pinned=read_only_content)
        lock = release.lock
        releases.append(release)
    values.raise_if_any()
    stale = first or lock != old
    if frozen and stale and not read_only_content:
        raise LockError(_stale(workspace.root, releases), "run `llmdrills build` and commit decks/deck.lock")
    moves = stale and not read_only_content and not dry_run
    if dry_run:
        packages = tuple(report for release in releases for report in _listed(release, out_dir))
    else:
        cache.save()
        packages = _write(workspace.root, out_dir, releases, lock if moves else None, progress)
    return BuildReport(
        packages,
        tuple(release.forecast for release in releases),
        LockMove(lock_file(workspace.root), moves, stale and not read_only_content, first),
        moment,
        dry_run,
        time.monotonic() - started,
    )


def _starting_lock(workspace: Workspace, out_dir: Path, *, new_lock: bool, ours: bool) -> tuple[Lock, bool]:
    """The lock to start from, and whether it is the first. Raises LockError when there should be one, or another."""
    path = lock_file(workspace.root)
    lock = None if new_lock else read_lock(workspace.root)
    if lock is None:
        if ours and not new_lock and _was_released(workspace.root, out_dir):
            raise LockError(
                f"{path} is lost",
                "restore it with `git checkout HEAD -- decks/deck.lock` (or from a backup). If it is gone for good, "
                "`llmdrills build --new-lock` starts another: no review is lost, but every note counts as changed "
                "and tombstones are forgotten",
            )
        return Lock(workspace.namespace), True
    if lock.namespace != workspace.namespace:
        raise LockError(
            f"{path} was written for the namespace {lock.namespace!r}, this workspace has {workspace.namespace!r}",
            "in a copy that is to be a deck of its own delete the lock; otherwise restore workspace.toml",
        )
    return lock, False


def _was_released(root: Path, out_dir: Path) -> bool:
    """Whether there are signs of an earlier build: packages, or a lock that git knows."""
    if any(package_path(out_dir, language).exists() for language in LANGUAGES):
        return True
    git = shutil.which("git")
    if git is None:
        return False
    known = subprocess.run(  # a failure, as outside of a repository, means no
        [git, "-C", str(root), "cat-file", "-e", "HEAD:./decks/deck.lock"], capture_output=True, check=False
    )
    return known.returncode == 0


def _sources(workspace: Workspace, computed: Computed) -> list[Deck]:
    """The decks as written, and the one that is derived from the wrong kernels."""
    from llmdrills.content.derive import bug_deck

    bugs = bug_deck(workspace.katas, computed)
    return [*workspace.decks, *([bugs] if bugs else [])]


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
    reports = [
        PackageReport(release.language, package_path(out_dir, release.language), False, len(release.notes), cards)
    ]
    if release.tombstones:
        path = package_path(out_dir, release.language, upgrade=True)
        reports.append(PackageReport(release.language, path, True, len(release.notes) + len(release.tombstones), cards))
    return reports


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
        if not release.tombstones:
            # An upgrade package of an earlier release would retire a note that is back.
            package_path(out_dir, release.language, upgrade=True).unlink(missing_ok=True)
    return tuple(reports)


def _package(release: Release, *, upgrade: bool) -> tuple[bytes, str]:
    from llmdrills.decks.package import logical_digest, package_bytes

    notes = [*release.notes, *(release.tombstones if upgrade else ())]
    return (
        package_bytes(notes, release.note_type_times, release.media),
        logical_digest(notes, release.note_type_times, release.media),
    )


def _with(report: PackageReport, data: bytes, digest: str) -> PackageReport:
    shown: Mapping[str, Any] = {
        **report.__dict__,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "digest": digest,
    }
    return PackageReport(**shown)
