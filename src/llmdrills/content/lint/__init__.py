"""The linter of the content: each rule finds something that makes a note bad to learn from.

A rule can be waived on a note, with the reason: `waive: {yes-no: "the sign is the fact"}`. A waiver whose rule finds
nothing there is reported too, so that no waiver stays longer than its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from llmdrills.content.computed import Computed
from llmdrills.content.lint import (
    cards,
    cases,
    chinese,
    families,
    kernels,
    markup,
    prompts,
    values,
)  # registers the rules
from llmdrills.content.lint.markup import note_digest
from llmdrills.content.lint.rule import CARDS, GONE, LOOKS, RULES, Context, Found
from llmdrills.content.model import Slip
from llmdrills.content.report import did_you_mean
from llmdrills.errors import Problem

if TYPE_CHECKING:
    from llmdrills.content.model import Deck, Note, Workspace

__all__ = ["RULES", "WAIVER", "lint", "note_digest"]

_MODULES = (cards, cases, chinese, families, kernels, markup, prompts, values)

WAIVER = "waiver"
"""The rule about waivers themselves; it can't be waived."""


def lint(workspace: Workspace, computed: Computed | None = None) -> tuple[Problem, ...]:
    """What every rule finds, waivers applied, in file order; each Problem names its `rule`."""
    context = Context(workspace, computed or Computed())
    used: set[tuple[str, str]] = set()
    problems: list[Problem] = []
    for name, rule in RULES.items():
        for found in rule(context):
            waiver = found.note or found.deck or found.slip
            if waiver is not None and name in _waived(waiver):
                used.add((waiver.id, name))
            elif name in workspace.about.waive:
                continue
            else:
                problems.append(_problem(found, name))
    problems += [_problem(found, WAIVER) for found in _idle_waivers(context, used)]
    return tuple(sorted(dict.fromkeys(problems)))


def _waived(waiver: Note | Deck | Slip) -> Mapping[str, str]:
    if isinstance(waiver, Slip):
        return waiver.shown.waive if waiver.shown is not None else {}
    return waiver.waive


def _problem(found: Found, name: str) -> Problem:
    at = found.position
    return Problem(at.file, at.line, at.column, found.what, found.todo, rule=name)


def _idle_waivers(context: Context, used: set[tuple[str, str]]) -> Iterator[Found]:
    for waiver in _waivers(context):
        for name in _waived(waiver):
            if isinstance(waiver, Slip):
                at = waiver.shown.positions[f"waive.{name}"] if waiver.shown is not None else waiver.position
            else:
                at = waiver.positions.get(f"waive.{name}") or waiver.position
            if name not in (*RULES, *LOOKS, *CARDS, *GONE):
                todo = did_you_mean(name, [*RULES, *LOOKS, *CARDS])
                yield Found(at, f"`{waiver.id}` waives the unknown rule `{name}`", todo)
            elif name in RULES and (waiver.id, name) not in used:
                yield Found(at, f"`{waiver.id}` waives `{name}`, which finds nothing there", "drop the waiver")


def _waivers(context: Context) -> Iterator[Note | Deck | Slip]:
    for deck in context.workspace.decks:
        yield deck
        yield from deck.notes
    for kata in context.workspace.katas:
        yield from kata.slips
