"""Find in git the lines of decks/deck.lock that a merge lost by taking one side of it.

A lost line means that a text which learners have counts as never released: if the merge also took the older text, they
would keep the newer one for ever. A line with a greater time never does harm, so what is found is taken back.
What is not covered: a merge older than the last five, and a lock that no repository knows.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from llmdrills.decks.lock import Lock, lock_file, parse_lock
from llmdrills.errors import LockError

if TYPE_CHECKING:
    from llmdrills.decks.lock import NoteLine
    from llmdrills.language import Language

__all__ = ["with_lost_lines"]

_MERGES = "5"


def with_lost_lines(lock: Lock, root: Path) -> Lock:
    """The lock with the newer lines that the sides of recent merges had; the lock itself where there are none."""
    git = shutil.which("git")
    if git is None or not _in_repository(root):
        return lock
    found: dict[tuple[str, Language], NoteLine] = {}
    for side in _sides(git, root):
        for key, line in side.notes.items():
            known = found.get(key) or lock.notes.get(key)
            newer = known.mtime < line.mtime if known else bool(line.retired)
            if side.namespace == lock.namespace and newer:
                found[key] = line
    return replace(lock, notes={**lock.notes, **found}) if found else lock


def _in_repository(root: Path) -> bool:
    return any((folder / ".git").exists() for folder in (root, *root.parents))


def _sides(git: str, root: Path) -> list[Lock]:
    """The locks of both sides of the last merges, each text once."""
    log = _run(git, root, "log", "--merges", "-n", _MERGES, "--format=%P")
    commits = dict.fromkeys([*log.split(), *_run(git, root, "rev-parse", "-q", "--verify", "MERGE_HEAD").split()])
    names = "".join(f"{commit}:./decks/deck.lock\n" for commit in commits)
    listed = _run(git, root, "cat-file", "--batch-check=%(objectname) %(objecttype)", told=names) if names else ""
    sides = []
    for blob in dict.fromkeys(line.split()[0] for line in listed.splitlines() if line.endswith(" blob")):
        try:
            sides.append(parse_lock(_run(git, root, "cat-file", "blob", blob), lock_file(root), accept=True))
        except LockError:
            continue  # an older commit may hold conflict markers or a damaged line: there is nothing to take from it
    return sides


def _run(git: str, root: Path, *words: str, told: str = "") -> str:
    done = subprocess.run([git, "-C", str(root), *words], input=told.encode(), capture_output=True, check=False)
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""
