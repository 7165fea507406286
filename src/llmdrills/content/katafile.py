"""drills/KATA/: kata.yaml, its keys, and how a folder becomes a Kata."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from llmdrills.content.contract import CONTRACT, HOLDS, Holds, clauses, generated
from llmdrills.content.deckfile import SOURCES, Reference
from llmdrills.content.katachecks import check_kata
from llmdrills.content.kernels import CasesFile, read_cases
from llmdrills.content.model import Budget, Forbidden, Kata, Stage, Stages, Starter, Variant
from llmdrills.content.places import Places
from llmdrills.content.pythonfile import parse
from llmdrills.content.references import check_references, find_reference
from llmdrills.content.report import Report
from llmdrills.content.shapes import Both, Choice, Key, Many, Number, Reader, Record, Table, Topic, Word, slug
from llmdrills.content.slips import REFERENCE, RightKernel, RightKernels, SlipsFile, read_slips
from llmdrills.content.workspacefile import WorkspaceFile, read_workspace_file
from llmdrills.content.yamlfile import compose
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["KATA", "KataDraft", "read_kata", "right_kernels"]

_NAME = Word(r"[^\W\d]\w*", "a Python name")
_DOTTED = Word(r"[^\W\d]\w*(\.[^\W\d]\w*)+", "a dotted name, as in `torch.nn.functional.softmax`")

_VARIANT = Record(
    "a variant",
    {
        "title": Key(Both(), "its name", needed=True),
        "reference": Key(_NAME, "a function of reference.py; the entry unless said"),
        "contract": Key(CONTRACT, "what is graded: clauses by id, with shapes; they follow those of the kata"),
        "holds": Key(HOLDS, "what holds in this variant, where it differs from the kata's"),
        "weaker_than": Key(slug(), "the variant that asks for more of the same: this one is graded by name only"),
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
        "alive": Key(_MULTIPLE, "elements of all tensors alive at once, as a multiple of the reference's"),
        "flops": Key(_MULTIPLE, "floating-point operations, as a multiple of the reference's"),
        "bytes": Key(_MULTIPLE, "engine triton: bytes loaded and stored, as a multiple of the solution's"),
        "largest_tile": Key(_MULTIPLE, "engine triton: elements of the largest tile, as a multiple of the solution's"),
        "launches": Key(_MULTIPLE, "engine triton: kernels launched, as a multiple of the solution's"),
        "dot_flops": Key(_MULTIPLE, "engine triton: operations of tl.dot, as a multiple of the solution's"),
        "why": Key(Both(), "what a learner is told who goes over", needed=True),
    },
)
_STARTER = Record(
    "a starter",
    {
        "function": Key(_NAME, "a function of reference.py that the learner changes"),
        "slips": Key(Number(1, 9, whole=True), "at most so many mistakes, drawn by seed, in the reference"),
    },
)
_CALL = {
    "call": Key(_NAME, "a function of reference.py that the entry calls", needed=True),
    "name": Key(Both(), "what a learner calls this part; {n} is the number of the round", needed=True),
}
_INNER = Record("a call inside of a stage", _CALL)
_STAGE = Record(
    "a stage", {**_CALL, "inside": Key(Many(_INNER), "the calls that this function makes itself, in order")}
)
_STAGES = Record(
    "the stages",
    {
        "start": Key(Both(), "what lies before the first call", needed=True),
        "rounds": Key(Many(_STAGE), "calls that are made again and again, in order: the layers of a model"),
        "last": Key(Many(_STAGE), "the calls after the last round"),
        "end": Key(Both(), "what lies after the last call", needed=True),
    },
)

KATA = Record(
    "a kata",
    {
        "kata": Key(slug(), "the folder's name", needed=True),
        "title": Key(Both(), "its name", needed=True),
        "topic": Key(Topic(), "what it belongs to", needed=True),
        "minutes": Key(Number(1, 120, whole=True), "how long it takes", needed=True),
        "entry": Key(_NAME, "the function that the learner writes", needed=True),
        "requires": Key(Many(slug()), "katas to be met first"),
        "turn": Key(Number(1, 999, whole=True), "its place among the new katas of a course; those without come last"),
        "needs": Key(Many(_NAME), "libraries beyond torch that must be loaded"),
        "engine": Key(Choice(("torch", "triton")), "what runs an attempt; torch unless said"),
        "proves": Key(Many(slug()), "notes of the deck `readiness` that this is evidence for"),
        "prompt": Key(Both(), "the task, in a few sentences of Markdown", needed=True),
        "hints": Key(Many(Both(), at_least=3, what="hint"), "from a nudge to nearly the answer", needed=True),
        "variants": Key(
            Table(slug(), _VARIANT, at_least=1), "the pinned contracts; the first is the default", needed=True
        ),
        "contract": Key(CONTRACT, "the clauses that every variant shares; they come first"),
        "holds": Key(HOLDS, "what holds beside the formula: sizes that may be 0, gradients"),
        "starter": Key(_STARTER, "what the learner begins with; a blank unless said"),
        "stages": Key(_STAGES, "the parts of a long kernel, so that a verdict can name the first that differs"),
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


def read_kata(folder: Path, report: Report, about: WorkspaceFile | None = None) -> KataDraft:
    """Read kata.yaml, reference.py, cases.py and slips.yaml of one folder; problems go to `report`.

    `about` is what its workspace.toml says; it is read where it is not given.
    """
    about = about or read_workspace_file(folder.parent.parent, report)
    file = folder / "kata.yaml"
    draft = KataDraft(folder.name, file)
    before = len(report.problems)
    node = compose(file, report)
    if node is None:
        return draft
    reader = Reader(file, report)
    reader.speak(about.languages)
    reader.topics = about.all_topics
    values = KATA.read(reader, node, "")
    if values is None:
        return draft
    if values.get("kata") and values["kata"] != folder.name:
        what = f"kata is `{values['kata']}` in the folder {folder.name}"
        report.add(file, *reader.places["kata"], what, f"write `kata: {folder.name}`, or rename the folder")
    _refer(reader, values, draft)
    if not isinstance(values.get("variants"), dict):
        return draft
    cases = read_cases(folder / "cases.py", _clause_ids(values), report)
    if len(report.problems) > before and not _complete(values):
        return draft
    written = read_slips(folder / "slips.yaml", _right(folder, values, cases), report, about.languages)
    if cases and cases.slips:
        written = replace(written, slips=(*cases.slips, *written.slips))
    kata = _make(reader, node, values, written, _notices(folder, reader, values, cases))
    kata = replace(kata, own_topic=about.topics.get(kata.topic))
    check_references(kata, reader.places, file, report)
    check_kata(kata, cases, reader)
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
        and all(one and one.get("title") and None not in one.values() for one in variants)
        and all(None not in _texts(one.get("contract")) for one in (values, *variants))
        and all(
            isinstance(one.get("holds", {}), dict) and None not in one.get("holds", {}).values()
            for one in (values, *variants)
        )
        and all(
            isinstance(one, dict) and None not in one.values() and one.get("why")
            for key in ("forbidden", "budgets")
            for one in values.get(key, ())
        )
        and all(one.get("call") for one in values.get("forbidden", ()))
        and all(one.get("case") for one in values.get("budgets", ()))
    )


def _texts(contract: Any) -> list[Any]:
    return list(contract.values()) if isinstance(contract, dict) else list(contract or ())


def _clause_ids(values: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """The ids of the clauses that cases may name, by variant."""
    shared = values.get("contract")
    return {
        name: tuple(c.id for c in (*clauses(shared, (one or {}).get("contract")), *generated(Holds(), (), ())) if c.id)
        for name, one in values["variants"].items()
    }


def right_kernels(kata: Kata, cases: CasesFile | None, report: Report) -> RightKernels:
    """The solution of each variant and the equivalents of cases.py: what slips are edits of."""
    return _kernels(kata.solution_file, {one.id: one.reference for one in kata.variants}, cases, report)


def _right(folder: Path, values: dict[str, Any], cases: CasesFile | None) -> RightKernels:
    names = {name: (one or {}).get("reference") or values.get("entry") for name, one in values["variants"].items()}
    return _kernels(
        folder / f"{_solution(values)}.py", names, cases, Report(folder)
    )  # `check_references` tells what is wrong there


def _solution(values: dict[str, Any]) -> str:
    return "solution" if values.get("engine", "torch") == "triton" else REFERENCE


def _kernels(path: Path, names: dict[str, Any], cases: CasesFile | None, report: Report) -> RightKernels:
    file = parse(path, report)
    found = {name: find_reference(file, function) if file else None for name, function in names.items()}
    references = {name: RightKernel(one.file, one.function, (name,)) for name, one in found.items() if one}
    return RightKernels(references, cases.equivalents if cases else {}, path.stem)


def _notices(folder: Path, reader: Reader, values: dict[str, Any], cases: CasesFile | None) -> tuple[str, ...]:
    """Old forms that still load."""
    found = []
    plain = next((name for name, one in values["variants"].items() if isinstance(one.get("contract"), tuple)), None)
    if plain is not None or isinstance(values.get("contract"), tuple):
        line = reader.places[f"variants.{plain}.contract" if plain is not None else "contract"][0]
        found.append(f"{reader.shown}:{line}: plain contract lines: give each an id, so that cases can name it")
    if cases and cases.slips:
        file, line = reader.report.shown(folder / "cases.py"), cases.slips[0].position.line
        found.append(
            f"{file}:{line}: @misconception is the old form: "
            "write slips.yaml (see the page “Writing a kata” of the documentation)"
        )
    return tuple(found)


def _variant(name: str, one: dict[str, Any], values: dict[str, Any]) -> Variant:
    holds = Holds.of({**values.get("holds", {}), **one.get("holds", {})})
    written = clauses(values.get("contract"), one.get("contract"))
    # Plain lines are an older copy's: what it says is left as it is.
    added = (
        ()
        if any(not clause.id for clause in written)
        else generated(
            holds,
            [Forbidden(rule["call"], rule["why"]) for rule in values.get("forbidden", ())],
            _budgets(values),
            values.get("engine", "torch"),
        )
    )
    return Variant(
        id=name,
        title=one["title"],
        clauses=(*written, *added),
        reference=one.get("reference") or values["entry"],
        mistaken=one.get("mistaken"),
        weaker_than=one.get("weaker_than", ""),
        empty=holds.empty,
        gradients=holds.gradients,
    )


def _budgets(values: dict[str, Any]) -> tuple[Budget, ...]:
    return tuple(
        Budget(case=one["case"], why=one["why"], **{key: one[key] for key in one if key not in ("case", "why")})
        for one in values.get("budgets", ())
    )


def _make(reader: Reader, node: Any, values: dict[str, Any], written: SlipsFile, notices: tuple[str, ...]) -> Kata:
    folder = reader.file.parent
    variants = tuple(_variant(name, one, values) for name, one in values["variants"].items())
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
        turn=values.get("turn"),
        proves=values.get("proves", ()),
        needs=values.get("needs", ()),
        engine=values.get("engine", "torch"),
        forbidden=tuple(Forbidden(one["call"], one["why"]) for one in values.get("forbidden", ())),
        budgets=_budgets(values),
        sources=values.get("sources", ()),
        starter=Starter(**values.get("starter", {})),
        stages=_stages(values.get("stages")),
        slips=written.slips,
        same=written.same,
        notices=notices,
        positions=Places(reader.shown, reader.places),
    )


def _stages(given: dict[str, Any] | None) -> Stages | None:
    """The stages; None where there are none, or where a problem was told of them."""
    if not given or not isinstance(given.get("start"), Bilingual) or not isinstance(given.get("end"), Bilingual):
        return None
    tops = [one for key in ("rounds", "last") for one in given.get(key, ())]
    every = [stage for top in tops for stage in (top, *((top or {}).get("inside") or ()))]
    if not all(stage and stage.get("call") and stage.get("name") for stage in every):
        return None
    return Stages(given["start"], _named(given.get("rounds", ())), _named(given.get("last", ())), given["end"])


def _named(stages: tuple[dict[str, Any], ...]) -> tuple[Stage, ...]:
    return tuple(Stage(one["call"], one["name"], _named(one.get("inside", ()))) for one in stages)


def _refer(reader: Reader, values: dict[str, Any], draft: KataDraft) -> None:
    for i, word in enumerate(values.get("proves") or ()):
        if word:
            draft.references.append(Reference("proves", word, (reader.file, *reader.places[f"proves.{i}"])))
    for i, word in enumerate(values.get("requires") or ()):
        if word:
            draft.references.append(Reference("kata", word, (reader.file, *reader.places[f"requires.{i}"])))
            draft.requires.append((word, reader.places[f"requires.{i}"]))
