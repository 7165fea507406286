"""Everything that `llmdrills check` looks at: the linter, the proofs of notes, the graders of katas."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from llmdrills.content.computed import (
    Computed,
    Exposed,
    NoteValues,
    ShownCard,
    Translation,
    digest,
    load_computed,
    write_computed,
)
from llmdrills.content.derive import cards_in
from llmdrills.content.lint import WAIVER, lint, note_digest
from llmdrills.content.lint.rule import CARDS
from llmdrills.content.playtable import play_text
from llmdrills.errors import Problem
from llmdrills.grading.proving.check import SEEDS, check_katas, exposed, run_proofs, shown_cards
from llmdrills.grading.proving.clean import unless_clean

if TYPE_CHECKING:
    from llmdrills.content.model import Kata, Note, Workspace
    from llmdrills.grading.proving.reports import KataReport, ProofReport

__all__ = ["Audit", "audit", "write_audit"]

_Shown = TypeVar("_Shown", NoteValues, Exposed, ShownCard)

STALE = "stale-value"
STALE_INPUT = "stale-input"
_WRITE = "run `llmdrills check --write` and commit decks/computed.json"


@dataclass(frozen=True)
class Audit:
    """What was found. `computed` is what decks/computed.json should say, as far as it was computed this time."""

    problems: tuple[Problem, ...]
    katas: tuple[KataReport, ...]
    proofs: tuple[ProofReport, ...]
    computed: Computed

    @property
    def clean(self) -> bool:
        """Whether nothing has to be fixed."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """Schema 1: it may gain keys, never lose one."""
        return {
            "schema": 1,
            "clean": self.clean,
            "problems": [
                {
                    "file": str(p.file),
                    "line": p.line,
                    "column": p.column,
                    "what": p.what,
                    "todo": p.todo,
                    "rule": p.rule,
                }
                for p in self.problems
            ],
            "katas": [report.to_json() for report in self.katas],
            "proofs": [
                {"note": proof.note, "ok": proof.problem is None, "values": dict(proof.values)} for proof in self.proofs
            ],
        }


def audit(
    workspace: Workspace,
    katas: Sequence[Kata],
    *,
    run: bool = True,
    cache_dir: Path | None = None,
    seeds: range = range(SEEDS),
    jobs: int | None = None,
    progress: Callable[[str, bool], None] | None = None,
) -> Audit:
    """Check a workspace; `katas` are those whose graders are proven, on all of `seeds`; `run=False` only lints.

    `progress` is told of each kata and proof that is done: what, and whether it came from the cache.
    Raises ContentError for a damaged decks/computed.json, GraderError when nothing can be run. What slips cost the
    small model is read from drills/play.json: `proving.play_proof` looks at that file.
    """
    known = load_computed(workspace.root)
    problems = list(unless_clean(workspace.root, cache_dir, "lint", lambda: lint(workspace, known)))
    if not run:
        return Audit(tuple(problems), (), (), known)
    tell = progress or (lambda _what, _cached: None)
    proofs = run_proofs(
        workspace.notes,
        played=play_text(workspace.root),
        cache_dir=cache_dir,
        jobs=jobs,
        progress=lambda proof: tell(proof.note, proof.cached),
    )
    reports = check_katas(
        katas,
        cache_dir=cache_dir,
        seed=seeds.start,
        seeds=len(seeds),
        jobs=jobs,
        progress=lambda report: tell(report.kata, report.cached),
    )
    computed = _computed(workspace, known, katas, reports, proofs)
    problems += [proof.problem for proof in proofs if proof.problem is not None]
    problems += [problem for report in reports for problem in report.problems]
    problems += _stale_values(workspace, known, computed)
    problems += _stale_inputs(katas, known, computed)
    problems += _of_cards(workspace, katas, reports)
    return Audit(tuple(sorted(set(problems))), tuple(reports), tuple(proofs), computed)


def write_audit(workspace: Workspace, found: Audit) -> bool:
    """Write decks/computed.json; whether it changed. Stale translations stay stale until an author looks at them."""
    return write_computed(workspace.root, found.computed)


def _computed(
    workspace: Workspace,
    known: Computed,
    katas: Sequence[Kata],
    reports: Sequence[KataReport],
    proofs: Sequence[ProofReport],
) -> Computed:
    by_id = {note.id: note for note in workspace.notes}
    values = {
        proof.note: NoteValues(digest(by_id[proof.note].proof or ""), proof.values)
        for proof in proofs
        if proof.problem is None and by_id[proof.note].values
    }
    # A kata that was not looked at, or whose grader is unsound, keeps what was computed before.
    sound = [(kata, report) for kata, report in zip(katas, reports, strict=True) if report.ok]
    shown = exposed([kata for kata, _ in sound], [report for _, report in sound])
    fresh = {kata.id: _kept(shown.get(kata.id, {}), known.kernels.get(kata.id, {})) for kata, _ in sound}
    ids = {kata.id for kata in workspace.katas}
    kernels = {name: entries for name, entries in {**known.kernels, **fresh}.items() if name in ids and entries}
    run = shown_cards([kata for kata, _ in sound], [report for _, report in sound])
    new = {kata.id: _kept(run.get(kata.id, {}), known.cards.get(kata.id, {})) for kata, _ in sound}
    cards = {name: entries for name, entries in {**known.cards, **new}.items() if name in ids and entries}
    return Computed(_kept(values, known.notes), kernels, dict(_translations(workspace, known)), cards)


def _kept(fresh: Mapping[str, _Shown], known: Mapping[str, _Shown]) -> dict[str, _Shown]:
    """What was computed, by its name; what is known already where the two agree: no card changes by a last digit."""
    return {name: known[name] if name in known and known[name].agrees(one) else one for name, one in fresh.items()}


def _translations(workspace: Workspace, known: Computed) -> Iterator[tuple[str, Translation]]:
    """The pairs of texts that were seen together; a note whose English alone changed keeps the old pair."""
    for deck in workspace.decks:
        if len(deck.languages) < 2:
            continue
        for note in deck.notes:
            now = Translation(note_digest(note, "en"), note_digest(note, "zh"))
            before = known.translations.get(note.id)
            left_behind = before is not None and before.en != now.en and before.zh == now.zh
            accepted = note.translation.get("of") == now.en
            yield note.id, before if before is not None and left_behind and not accepted else now


def _stale_values(workspace: Workspace, known: Computed, computed: Computed) -> Iterator[Problem]:
    for note in workspace.notes:
        fresh, old = computed.notes.get(note.id), known.notes.get(note.id)
        if fresh is not None and fresh != old:
            yield _problem(note, f"decks/computed.json is stale for `{note.id}`: {_difference(old, fresh)}")


def _difference(old: NoteValues | None, fresh: NoteValues) -> str:
    if old is None:
        return "it was not computed yet"
    changed = [name for name, value in fresh.values.items() if old.values.get(name) != value]
    if not changed:
        return "the proof has changed"
    name = changed[0]
    return f"{name} was {old.values.get(name)!r} and is {fresh.values[name]!r}"


def _problem(note: Note, what: str) -> Problem:
    place = note.positions.get("proof", note.position)
    return Problem(place.file, place.line, place.column, what, _WRITE, rule=STALE)


def _stale_inputs(katas: Sequence[Kata], known: Computed, computed: Computed) -> Iterator[Problem]:
    for kata in katas:
        fresh, old = computed.kernels.get(kata.id, {}), known.kernels.get(kata.id, {})
        new, shown = computed.cards.get(kata.id, {}), known.cards.get(kata.id, {})
        for slip in kata.slips:
            names = [name for name in {*fresh, *old, *new, *shown} if name.partition("/")[0] == slip.id]
            if any(fresh.get(name) != old.get(name) or new.get(name) != shown.get(name) for name in names):
                place = slip.position
                what = f"decks/computed.json is stale for the slip `{slip.id}` of {kata.id}"
                yield Problem(place.file, place.line, place.column, what, _WRITE, rule=STALE_INPUT)


def _of_cards(workspace: Workspace, katas: Sequence[Kata], reports: Sequence[KataReport]) -> Iterator[Problem]:
    """What is wrong with the cards of the katas, found by running them; waivers are applied, and idle ones told."""
    for kata, report in zip(katas, reports, strict=True):
        for variant in report.variants:
            for slip, card in cards_in(kata, variant.variant):
                faults = variant.cards[slip.id].faults if slip.id in variant.cards else ()
                for fault in faults:
                    if fault.rule not in {**card.waive, **workspace.about.waive}:
                        at = card.positions.get(fault.key, slip.position)
                        what = f"the card of `{slip.id}`: {fault.what}"
                        yield Problem(at.file, at.line, at.column, what, fault.todo, rule=fault.rule)
                for rule in (set(card.waive) & set(CARDS)) - {fault.rule for fault in faults}:
                    at = card.positions[f"waive.{rule}"]
                    what = f"`{slip.id}` waives `{rule}`, which finds nothing there"
                    yield Problem(at.file, at.line, at.column, what, "drop the waiver", rule=WAIVER)
