"""Proving the graders of katas, and running the proofs of notes, in processes of their own. No torch here.

    reports = check_katas(workspace.katas, cache_dir=locations.cache, seed=0, jobs=2)
    proofs = run_proofs(workspace.notes, cache_dir=locations.cache)

What has not changed since it was last found sound comes from the cache.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.metadata
import json
import os
import pickle
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from llmdrills.content.computed import Exposed, ShownCard, card_digest, digest
from llmdrills.content.derive import cards_in
from llmdrills.content.drawslock import meaning_of, source_of
from llmdrills.content.model import Kata, Note
from llmdrills.errors import Problem
from llmdrills.files import write_atomically
from llmdrills.grading.play.digest import model_digest
from llmdrills.grading.proving.check_pool import Checkers
from llmdrills.grading.proving.reports import KataHoles, KataReport, ProofReport

__all__ = ["SEEDS", "check_katas", "exposed", "measure_slips", "run_proofs", "search_holes", "shown_cards"]

KATA_SECONDS = 300.0
"""CPU seconds that one kata may take, on up to `SEEDS` seeds; more seeds take as much more."""
PROOF_SECONDS = 30.0
SEEDS = 5
"""On so many seeds every wrong kernel must die and every right one pass; more before a release."""
SCHEMA = 1
_ASKS = "cost("
"""What a proof holds that asks what a slip costs the small model."""


def check_katas(
    katas: Sequence[Kata],
    *,
    cache_dir: Path | None = None,
    seed: int = 0,
    seeds: int = SEEDS,
    jobs: int | None = None,
    progress: Callable[[KataReport], None] | None = None,
) -> list[KataReport]:
    """Prove the grader of every kata; reports in the order of `katas`, each handed to `progress` as it comes.

    `seeds` says on how many seeds, from `seed` on. `cache_dir` keeps the reports of katas that are sound; None turns
    that off. `jobs` processes run at once (default:
    a process a core). Raises GraderError when torch is not installed or no process can be started.
    """
    found: dict[int, KataReport] = {}
    requests: list[tuple[int, dict[str, Any]]] = []
    for place, kata in enumerate(katas):
        known = _recall(cache_dir, f"kata-{kata.id}", _kata_key(kata, seed, seeds)) if cache_dir else None
        if known is not None:
            found[place] = KataReport.from_json({**known, "cached": True})
            if progress is not None:
                progress(found[place])
        else:
            sent = base64.b64encode(pickle.dumps(kata)).decode()
            requests.append((place, {"what": "kata", "kata": sent, "seed": seed, "seeds": seeds}))

    def done(index: int, answer: dict[str, Any]) -> None:
        place = requests[index][0]
        kata = katas[place]
        report = found[place] = _kata_report(kata, seed, answer)
        if cache_dir and report.ok:
            _remember(cache_dir, f"kata-{kata.id}", _kata_key(kata, seed, seeds), report.to_json())
        if progress is not None:
            progress(report)

    # Those that need more libraries take longest: begun last, one would run alone at the end.
    requests.sort(key=lambda item: not katas[item[0]].libraries)
    limit = KATA_SECONDS * max(1.0, seeds / SEEDS)
    with Checkers(min(_jobs(jobs), len(requests))) as checkers:
        checkers.run([request for _, request in requests], limit, done)
    return [found[place] for place in range(len(katas))]


def search_holes(
    katas: Sequence[Kata],
    *,
    tries: int | None = None,
    cache_dir: Path | None = None,
    jobs: int | None = None,
    progress: Callable[[KataHoles], None] | None = None,
) -> list[KataHoles]:
    """Look for mutants that the cases let pass, in every kata that has a domain; reports in the order of `katas`.

    `tries` is how many seeds are drawn, 500 unless told. A search takes up to a minute and a half of CPU time a kata.
    Its result is kept, open or not, as long as the kata's reference, cases and slips stay as they are.
    """
    found: dict[int, KataHoles] = {}
    requests: list[tuple[int, dict[str, Any]]] = []
    for place, kata in enumerate(katas):
        known = _recall(cache_dir, f"holes-{kata.id}", _holes_key(kata, tries)) if cache_dir else None
        if known is not None:
            found[place] = KataHoles.from_json({**known, "cached": True})
            if progress is not None:
                progress(found[place])
        else:
            sent = base64.b64encode(pickle.dumps(kata)).decode()
            requests.append((place, {"what": "holes", "kata": sent, "tries": tries}))

    def done(index: int, answer: dict[str, Any]) -> None:
        place = requests[index][0]
        kata = katas[place]
        report = found[place] = _holes_report(kata, answer)
        if cache_dir and "report" in answer:
            _remember(cache_dir, f"holes-{kata.id}", _holes_key(kata, tries), report.to_json())
        if progress is not None:
            progress(report)

    with Checkers(min(_jobs(jobs), len(requests))) as checkers:
        checkers.run([request for _, request in requests], KATA_SECONDS, done)
    return [found[place] for place in range(len(katas))]


def exposed(katas: Sequence[Kata], reports: Sequence[KataReport]) -> dict[str, dict[str, Exposed]]:
    """For decks/computed.json: the input that exposes each wrong kernel, by kata, then by `SLIP/VARIANT`."""
    found: dict[str, dict[str, Exposed]] = {}
    for kata, report in zip(katas, reports, strict=True):
        for variant in report.variants:
            for slip in kata.slips:
                shown = variant.exposures.get(slip.id)
                if shown is not None and slip.belongs_to(variant.variant):
                    found.setdefault(kata.id, {})[f"{slip.id}/{variant.variant}"] = Exposed(
                        shown.case, shown.call, shown.expected, shown.got, digest(slip.source)
                    )
    return found


def shown_cards(katas: Sequence[Kata], reports: Sequence[KataReport]) -> dict[str, dict[str, ShownCard]]:
    """For decks/computed.json: what the call of each card gives, by kata, then by `SLIP/VARIANT`."""
    found: dict[str, dict[str, ShownCard]] = {}
    for kata, report in zip(katas, reports, strict=True):
        for variant in report.variants:
            for slip, _ in cards_in(kata, variant.variant):
                card = variant.cards.get(slip.id)
                if card is not None:
                    results = ShownCard(card.expected, card.got, card_digest(slip))
                    found.setdefault(kata.id, {})[f"{slip.id}/{variant.variant}"] = results
    return found


def run_proofs(
    notes: Sequence[Note],
    *,
    played: str = "",
    cache_dir: Path | None = None,
    jobs: int | None = None,
    timeout: float = PROOF_SECONDS,
    progress: Callable[[ProofReport], None] | None = None,
) -> list[ProofReport]:
    """Run the proof of every note that has one; reports in their order. A failing proof's problem points into the
    YAML file.

    `played` is the text of drills/play.json, for proofs that ask what a slip costs the small model; "" where there is
    none. `timeout` is in seconds, for each proof. Raises GraderError when torch is not installed.
    """
    proving = [note for note in notes if note.proof is not None]
    found: dict[str, ProofReport] = {}
    requests: list[tuple[Note, dict[str, Any]]] = []
    for note in proving:
        table = played if _ASKS in (note.proof or "") else ""
        known = _recall(cache_dir, f"proof-{note.id}", _proof_key(note, table)) if cache_dir else None
        if known is not None:
            found[note.id] = ProofReport(note.id, known["values"], cached=True)
            if progress is not None:
                progress(found[note.id])
        else:
            asked = {"what": "proof", "text": note.proof, "values": list(note.values), "played": table}
            requests.append((note, asked))

    def done(index: int, answer: dict[str, Any]) -> None:
        note = requests[index][0]
        report = _proof_report(note, answer)
        found[note.id] = report
        if cache_dir and report.problem is None:
            key = _proof_key(note, requests[index][1]["played"])
            _remember(cache_dir, f"proof-{note.id}", key, {"values": dict(report.values)})
        if progress is not None:
            progress(report)

    # A process a hundred proofs: starting one costs more than running most of them.
    with Checkers(min(_jobs(jobs), (len(requests) + 19) // 20)) as checkers:
        checkers.run([request for _, request in requests], timeout, done)
    return [found[note.id] for note in proving]


def measure_slips(
    katas: Sequence[Kata],
    wanted: Sequence[str],
    *,
    cache_dir: Path | None = None,
    jobs: int | None = None,
    progress: Callable[[str, bool], None] | None = None,
) -> dict[str, dict[str, Any]]:
    """Run the small model with every slip of the wanted katas: by kata, what `proving.play_proof.measure` returns, or
    `{"failed": why}`.

    `katas` are all that have a part in the model, with their slips. `progress` is told the kata, and whether it came
    from the cache. Raises GraderError when torch is not installed.
    """
    found: dict[str, dict[str, Any]] = {}
    missing: list[str] = []
    key = _play_key(katas)
    for name in wanted:
        known = _recall(cache_dir, f"play-{name}", key) if cache_dir else None
        if known is not None:
            found[name] = known
            if progress is not None:
                progress(name, True)
        else:
            missing.append(name)
    # Where all is known, as after a change elsewhere, nothing is packed.
    sent = base64.b64encode(pickle.dumps(list(katas))).decode() if missing else ""
    requests = [{"what": "play", "kata": name, "katas": sent} for name in missing]

    def done(index: int, answer: dict[str, Any]) -> None:
        name = missing[index]
        found[name] = answer
        if cache_dir and "slips" in answer:
            _remember(cache_dir, f"play-{name}", key, answer)
        if progress is not None:
            progress(name, False)

    with Checkers(min(_jobs(jobs), len(requests))) as checkers:
        checkers.run(requests, KATA_SECONDS, done)
    return found


def _kata_report(kata: Kata, seed: int, answer: dict[str, Any]) -> KataReport:
    if "report" in answer:
        return KataReport.from_json(answer["report"])
    what, todo = f"the checker {answer['failed']}", "fix the kata; if nothing there explains it, report this"
    problem = Problem(kata.cases_file, 1, 1, what, todo)
    return KataReport(kata.id, seed, (problem,), (), answer.get("seconds", 0.0))


def _holes_report(kata: Kata, answer: dict[str, Any]) -> KataHoles:
    if "report" in answer:
        return KataHoles.from_json(answer["report"])
    what, todo = f"the search for holes {answer['failed']}", "fix the kata; if nothing there explains it, report this"
    return KataHoles(kata=kata.id, variants=(), problems=(Problem(kata.cases_file, 1, 1, what, todo),))


def _proof_report(note: Note, answer: dict[str, Any]) -> ProofReport:
    if "values" in answer:
        return ProofReport(note.id, answer["values"], seconds=answer["seconds"])
    fault, line = answer.get("error") or answer["failed"], answer.get("line", 0)
    place = note.positions.get("proof", note.position)
    # A block's first line stands below its key; a proof of one line may stand beside it.
    at = place.line + line if "\n" in (note.proof or "").rstrip("\n") or place.column == 1 else place.line
    what = f"the proof of {note.id} {fault}"
    problem = Problem(place.file, at, place.column, what, "fix the proof or the note", rule="proof")
    return ProofReport(note.id, {}, problem, answer.get("seconds", 0.0))


def _jobs(jobs: int | None) -> int:
    if jobs:
        return jobs
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# The cache


def _kata_key(kata: Kata, seed: int, seeds: int) -> str:
    parts = [_surroundings(), str(seed), str(seeds), str(kata.folder), *(_version(name) for name in kata.libraries)]
    for path in sorted(kata.folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            parts += [str(path.relative_to(kata.folder)), hashlib.sha256(path.read_bytes()).hexdigest()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _holes_key(kata: Kata, tries: int | None) -> str:
    parts = [_surroundings(), str(tries), source_of(kata.folder), *(_version(name) for name in kata.libraries)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _proof_key(note: Note, played: str) -> str:
    parts = [_surroundings(), played, note.proof or "", *note.values]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _play_key(katas: Sequence[Kata]) -> str:
    """Every kata's kernels: a slip is run among the references of the others."""
    meanings = (meaning_of(kata.folder) or source_of(kata.folder) for kata in katas)
    return hashlib.sha256("\n".join((_surroundings(), model_digest(), *meanings)).encode()).hexdigest()


@functools.cache
def _surroundings() -> str:
    """What a result depends on besides the workspace: this package's code, torch, Python."""
    own = Path(__file__).resolve().parents[1]
    code = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(own.rglob("*.py"))]
    for name in ("starter", "slips", "contract", "definitions", "derive", "cardtext"):
        code.append(hashlib.sha256((own.parent / "content" / f"{name}.py").read_bytes()).hexdigest())
    versions = [_version(name) for name in ("torch", "numpy", "transformers")]
    return "/".join([str(SCHEMA), sys.version, *versions, *code])


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def _recall(cache_dir: Path, name: str, key: str) -> dict[str, Any] | None:
    try:
        entry = json.loads((cache_dir / "check" / f"{name}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None  # never written, or damaged: it is computed again
    if not isinstance(entry, dict) or entry.get("key") != key:
        return None
    value: dict[str, Any] = entry["value"]
    return value


def _remember(cache_dir: Path, name: str, key: str, value: dict[str, Any]) -> None:
    entry = json.dumps({"key": key, "value": value})
    try:
        write_atomically(cache_dir / "check" / f"{name}.json", entry, durable=False)
    except OSError:
        return  # a cache that cannot be written only costs time
