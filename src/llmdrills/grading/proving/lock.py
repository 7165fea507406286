"""draws.lock: written after a search for holes, and held against the sources that it was made from."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Iterator

from llmdrills.content.drawslock import DrawsLock, lock_file, meaning_of, read_lock, source_of, write_lock
from llmdrills.content.model import Kata
from llmdrills.errors import Problem
from llmdrills.grading.proving.reports import KataHoles

__all__ = ["renew", "stale", "write_draws"]


def write_draws(kata: Kata, found: KataHoles) -> bool:
    """Write the seeds that the search chose; whether the file changed. A kata without a domain has no lock."""
    if not found.variants:
        return False
    seeds = {report.variant: report.seeds for report in found.variants}
    torch = importlib.metadata.version("torch").partition("+")[
        0
    ]  # which build it is, CPU or CUDA, changes no answer here
    return write_lock(kata.folder, DrawsLock(source_of(kata.folder), torch, seeds, meaning_of(kata.folder)))


def renew(kata: Kata) -> bool:
    """Bring the hashes of a lock that still fits up to date, so that a grade need not look closely; whether they were
    not."""
    lock = read_lock(kata.folder)
    if lock is None or not lock.fits(kata.folder):
        return False
    source, meaning = source_of(kata.folder), meaning_of(kata.folder)
    return write_lock(kata.folder, dataclasses.replace(lock, source=source, meaning=meaning))


def stale(kata: Kata, domains: set[str]) -> Iterator[Problem]:
    """What is wrong with the lock of a kata, whose variants `domains` have a domain."""
    if not domains:
        return
    lock, path = read_lock(kata.folder), lock_file(kata.folder)
    todo = f"run `llmdrills check --holes {kata.id}` and commit draws.lock"
    if lock is None:
        yield Problem(path, 1, 1, "the kata has a domain and no draws.lock that can be read", todo, rule="stale-draws")
    elif not lock.fits(kata.folder):
        yield Problem(
            path, 1, 1, "draws.lock is stale: the kata's kernels or cases changed since", todo, rule="stale-draws"
        )
    elif domains != set(lock.variants):
        yield Problem(path, 1, 1, "draws.lock lacks a variant that has a domain", todo, rule="stale-draws")
