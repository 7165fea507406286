"""What every slip of a kata costs the small model, and whether drills/play.json says so.

`measure` runs in a checker process, which has torch; `prove_play` is for the command.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmdrills.content.catalogue import with_slips
from llmdrills.content.playtable import PlayedSlip, PlayTable, load_play, play_file
from llmdrills.errors import Problem
from llmdrills.grading.play.digest import model_digest
from llmdrills.grading.play.parts import PARTS, part_of
from llmdrills.grading.proving.check import measure_slips

if TYPE_CHECKING:
    from llmdrills.content.model import Kata, Workspace
    from llmdrills.grading.play.kernels import Kernel

__all__ = ["STALE_PLAY", "PlayProof", "measure", "prove_play"]

STALE_PLAY = "stale-play"
_WRITE = "run `llmdrills check --write` and commit drills/play.json"
_DIGITS = 5
"""Digits of a perplexity that are kept: the sixth differs between processors."""


@dataclass(frozen=True)
class PlayProof:
    """What the table should say, None where the workspace has none and wants none; and what is wrong with it."""

    table: PlayTable | None = None
    problems: tuple[Problem, ...] = ()


def measure(katas: Sequence[Kata], name: str) -> dict[str, Any]:
    """`{"perplexity", "text", "closing"}` of the references, and `slips`: by id, the same with that slip of the kata.

    A perplexity that is no number is None, with `why`; a text that is the references' is None. Runs the katas' code.
    Raises ContentError for their faults.
    """
    import torch

    from llmdrills.grading.kernels.registry import load, reference_of
    from llmdrills.grading.play.model import Model
    from llmdrills.grading.play.request import CLOSING, SHORT

    torch.set_num_threads(1)
    variants = {part.kata: part.variant for part in PARTS}
    right = {kata.id: reference_of(kata, variants[kata.id]) for kata in katas}
    model = Model.read(right["bpe-encode"])

    def run(kernels: Mapping[str, Kernel]) -> dict[str, Any]:
        running = model.run(kernels)
        perplexity = running.perplexity()
        return {**_number(perplexity), "text": running.write(SHORT).text, "closing": running.write(CLOSING).text}

    shown = run(right)
    kata = next(one for one in katas if one.id == name)
    wrong = {one.id: one.kernel for one in load(kata).variant(variants[name]).wrong}
    slips = {one: _tried(run, {**right, name: kernel}, shown) for one, kernel in wrong.items()}
    return {**shown, "slips": slips}


def _tried(
    run: Callable[[Mapping[str, Kernel]], dict[str, Any]], kernels: Mapping[str, Kernel], right: Mapping[str, Any]
) -> dict[str, Any]:
    from llmdrills.grading.play.kernels import KernelFailed

    try:
        found = run(kernels)
    except KernelFailed as failed:
        return {"perplexity": None, "why": _why(failed.what, failed.error), "text": None, "closing": None}
    return {**found, **{one: None for one in ("text", "closing") if found[one] == right[one]}}


def _number(perplexity: float) -> dict[str, Any]:
    if math.isnan(perplexity):
        return {"perplexity": None, "why": "nan"}
    if math.isinf(perplexity):
        return {"perplexity": None, "why": "infinite"}
    return {"perplexity": float(f"{perplexity:.{_DIGITS}g}"), "why": ""}


def _why(what: str, error: BaseException | None) -> str:
    return what if error is None else f"it raised {type(error).__name__}"


def prove_play(
    workspace: Workspace,
    wanted: Sequence[Kata],
    *,
    make: bool = False,
    cache_dir: Path | None = None,
    jobs: int | None = None,
    progress: Callable[[str, bool], None] | None = None,
) -> PlayProof:
    """Measure the slips of the wanted katas that have a part in the model, and compare with drills/play.json.

    A workspace without that file, or without one of the katas, is left alone, unless `make` is set and it has all of
    them. Raises ContentError for a damaged file, GraderError when nothing can be run.
    """
    known = load_play(workspace.root)
    by_id = {kata.id: kata for kata in workspace.katas}
    complete = all(part.kata in by_id and by_id[part.kata].variant(part.variant) for part in PARTS)
    if not complete or (known is None and not make):
        return PlayProof(known)
    katas = [one if one.slips else with_slips(one) for one in (by_id[part.kata] for part in PARTS)]
    names = [kata.id for kata in wanted if part_of(kata.id)]
    measured = measure_slips(katas, names, cache_dir=cache_dir, jobs=jobs, progress=progress)
    known = known or PlayTable()
    table = _table(known, measured)
    problems = [*_failures(by_id, measured), *_differences(by_id, known, table, workspace.root)]
    return PlayProof(table, tuple(sorted(set(problems))))


def _table(known: PlayTable, measured: Mapping[str, Mapping[str, Any]]) -> PlayTable:
    """What was known with what was measured; where both say the same, what was known stays to the last digit."""
    sound = {name: answer for name, answer in measured.items() if "slips" in answer}
    if not sound:
        return known
    first = next(iter(sound.values()))
    katas = {name: dict(slips) for name, slips in known.katas.items() if part_of(name)}
    for name, answer in sound.items():
        fresh = {one: PlayedSlip(**entry) for one, entry in answer["slips"].items()}
        old = known.katas.get(name, {})
        katas[name] = {one: old[one] if one in old and old[one].agrees(now) else now for one, now in fresh.items()}
    same = PlayedSlip(known.perplexity).agrees(PlayedSlip(first["perplexity"]))
    perplexity = known.perplexity if same else first["perplexity"]
    return PlayTable(model_digest(), perplexity, first["text"], first["closing"], katas)


def _failures(katas: Mapping[str, Kata], measured: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    for name, answer in measured.items():
        if "slips" not in answer:
            what = f"the small model with the slips of {name}: the checker {answer['failed']}"
            yield Problem(katas[name].slips_file, 1, 1, what, "fix the kata; if nothing there explains it, report this")


def _differences(katas: Mapping[str, Kata], known: PlayTable, table: PlayTable, root: Path) -> Iterator[Problem]:
    if (known.perplexity, known.text, known.closing) != (table.perplexity, table.text, table.closing):
        what = f"drills/play.json is stale: the perplexity was {known.perplexity:.4f} and is {table.perplexity:.4f}"
        yield Problem(play_file(root), 1, 1, what, _WRITE, rule=STALE_PLAY)
    for name, slips in table.katas.items():
        old = known.katas.get(name, {})
        changed = [one for one in {**old, **slips} if old.get(one) != slips.get(one)]
        if changed:
            what = f"drills/play.json is stale for {name}, first for `{min(changed)}`"
            yield Problem(katas[name].slips_file, 1, 1, what, _WRITE, rule=STALE_PLAY)
    if known.model != table.model and known.model:
        yield Problem(play_file(root), 1, 1, "drills/play.json was written for another model", _WRITE, rule=STALE_PLAY)
