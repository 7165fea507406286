"""drills/KATA/: kata.yaml, its keys, and how a folder becomes a Kata."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmdrills.content.deckfile import SOURCES, Reference
from llmdrills.content.kernels import CasesFile, read_cases
from llmdrills.content.model import TOPICS, Budget, Forbidden, Kata, Variant
from llmdrills.content.places import Places
from llmdrills.content.references import check_references
from llmdrills.content.report import did_you_mean
from llmdrills.content.shapes import Both, Choice, Key, Many, Number, Reader, Record, Table, Word, slug
from llmdrills.content.yamlfile import compose

if TYPE_CHECKING:
    from pathlib import Path

    from llmdrills.content.report import Report

__all__ = ["KATA", "KataDraft", "read_kata"]

_NAME = Word(r"[^\W\d]\w*", "a Python name")
_DOTTED = Word(r"[^\W\d]\w*(\.[^\W\d]\w*)+", "a dotted name, as in `torch.nn.functional.softmax`")

_VARIANT = Record(
    "a variant",
    {
        "title": Key(Both(), "its name", needed=True),
        "reference": Key(_NAME, "a function of reference.py; the entry unless said"),
        "contract": Key(
            Many(Both(), at_least=1, what="line"), "what is graded, line by line, with shapes", needed=True
        ),
        "mistaken": Key(Both(), "what to say to whoever wrote this variant when another was asked for"),
    },
)
_FORBIDDEN = Record(
    "a forbidden call",
    {
        "call": Key(_DOTTED, "the dotted name of the call", needed=True),
        "why": Key(Both(), "why it would make the kata pointless", needed=True),
    },
)
_MULTIPLE = Number(0, 1e9)
_BUDGET = Record(
    "a budget",
    {
        "case": Key(slug(), "a case of cases.py", needed=True),
        "largest_tensor": Key(_MULTIPLE, "elements of the largest tensor, as a multiple of the reference's"),
        "flops": Key(_MULTIPLE, "floating-point operations, as a multiple of the reference's"),
        "why": Key(Both(), "what a learner is told who goes over", needed=True),
    },
)

KATA = Record(
    "a kata",
    {
        "kata": Key(slug(), "the folder's name", needed=True),
        "title": Key(Both(), "its name", needed=True),
        "topic": Key(Choice(TOPICS), "what it belongs to", needed=True),
        "minutes": Key(Number(1, 120, whole=True), "how long it takes", needed=True),
        "entry": Key(_NAME, "the function that the learner writes", needed=True),
        "requires": Key(Many(slug()), "katas to be met first"),
        "needs": Key(Many(_NAME), "libraries beyond torch that must be loaded"),
        "proves": Key(Many(slug()), "notes of the deck `readiness` that this is evidence for"),
        "prompt": Key(Both(), "the task, in a few sentences of Markdown", needed=True),
        "hints": Key(Many(Both(), at_least=3, what="hint"), "from a nudge to nearly the answer", needed=True),
        "variants": Key(
            Table(slug(), _VARIANT, at_least=1), "the pinned contracts; the first is the default", needed=True
        ),
        "forbidden": Key(Many(_FORBIDDEN), "calls that would make the kata pointless"),
        "budgets": Key(Many(_BUDGET), "how much an attempt may cost on a case"),
        "sources": Key(SOURCES, "where the technique can be looked up"),
    },
)


@dataclass
class KataDraft:
    """A kata's folder as read, its references not yet looked up; `kata` is None where the folder has problems."""

    id: str
    file: Path
    kata: Kata | None = None
    references: list[Reference] = field(default_factory=list)
    requires: list[tuple[str, tuple[int, int]]] = field(default_factory=list)


def read_kata(folder: Path, report: Report) -> KataDraft:
    """Read kata.yaml, reference.py and cases.py of one folder; problems go to `report`."""
    file = folder / "kata.yaml"
    draft = KataDraft(folder.name, file)
    before = len(report.problems)
    node = compose(file, report)
    if node is None:
        return draft
    reader = Reader(file, report)
    values = KATA.read(reader, node, "")
    if values is None:
        return draft
    if values.get("kata") and values["kata"] != folder.name:
        what = f"kata is `{values['kata']}` in the folder {folder.name}"
        report.add(file, *reader.places["kata"], what, f"write `kata: {folder.name}`, or rename the folder")
    _refer(reader, values, draft)
    if not isinstance(values.get("variants"), dict):
        return draft
    cases = read_cases(folder / "cases.py", tuple(values["variants"]), report)
    if len(report.problems) > before and not _complete(values):
        return draft
    kata = _make(folder, reader, node, values, cases)
    check_references(kata, reader.places, file, report)
    _check_kata(kata, cases, reader)
    if len(report.problems) == before:
        draft.kata = kata
    return draft


def _complete(values: dict[str, Any]) -> bool:
    """Whether the keys that `_make` uses were all readable, so that what stands in reference.py can be checked too."""
    needed = [values.get(name) for name, key in KATA.keys.items() if key.needed]
    variants = values["variants"].values()
    lists = [values.get(name, ()) for name in ("requires", "needs", "proves", "forbidden", "budgets", "sources")]
    return (
        all(value is not None for value in needed + lists)
        and all(one and one.get("title") and one.get("contract") and None not in one.values() for one in variants)
        and all(
            isinstance(one, dict) and None not in one.values() and one.get("why")
            for key in ("forbidden", "budgets")
            for one in values.get(key, ())
        )
        and all(one.get("call") for one in values.get("forbidden", ()))
        and all(one.get("case") for one in values.get("budgets", ()))
    )


def _make(folder: Path, reader: Reader, node: Any, values: dict[str, Any], cases: CasesFile | None) -> Kata:
    variants = tuple(
        Variant(name, one["title"], one["contract"], one.get("reference") or values["entry"], one.get("mistaken"))
        for name, one in values["variants"].items()
    )
    return Kata(
        id=folder.name,
        title=values["title"],
        topic=values["topic"],
        minutes=values["minutes"],
        entry=values["entry"],
        prompt=values["prompt"],
        hints=values["hints"],
        variants=variants,
        folder=folder,
        position=reader.position(node),
        requires=values.get("requires", ()),
        proves=values.get("proves", ()),
        needs=values.get("needs", ()),
        forbidden=tuple(Forbidden(one["call"], one["why"]) for one in values.get("forbidden", ())),
        budgets=tuple(
            Budget(one["case"], one["why"], one.get("flops"), one.get("largest_tensor"))
            for one in values.get("budgets", ())
        ),
        sources=values.get("sources", ()),
        wrong_kernels=tuple(cases.wrong) if cases else (),
        positions=Places(reader.shown, reader.places),
    )


def _check_kata(kata: Kata, cases: CasesFile | None, reader: Reader) -> None:
    add, file, places = reader.report.add, reader.file, reader.places
    for variant in kata.variants:
        if len(kata.variants) > 1 and variant.mistaken is None:
            todo = "add `mistaken:`: what to say to whoever wrote this variant when another was asked for"
            add(file, *places[f"variants.{variant.id}"], f"variant `{variant.id}` has no `mistaken`", todo)
    for i, budget in enumerate(kata.budgets):
        at = places[f"budgets.{i}.case"]
        if budget.flops is None and budget.largest_tensor is None:
            add(file, *at, f"the budget of `{budget.case}` limits nothing", "add `flops:` or `largest_tensor:`")
        if cases and cases.cases and budget.case not in cases.cases:
            add(file, *at, f"cases.py has no case `{budget.case}`", did_you_mean(budget.case, cases.cases))


def _refer(reader: Reader, values: dict[str, Any], draft: KataDraft) -> None:
    for i, word in enumerate(values.get("proves") or ()):
        if word:
            draft.references.append(Reference("proves", word, (reader.file, *reader.places[f"proves.{i}"])))
    for i, word in enumerate(values.get("requires") or ()):
        if word:
            draft.references.append(Reference("kata", word, (reader.file, *reader.places[f"requires.{i}"])))
            draft.requires.append((word, reader.places[f"requires.{i}"]))
