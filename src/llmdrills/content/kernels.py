"""cases.py as authors write it, read by parsing: its cases, right kernels, and what is wrong with the decorators.

`build` and `list` need neither torch nor the code of a kata at run time; the grader imports the same file and works
with what `llmdrills.grading.authoring` registers.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmdrills.content.definitions import source
from llmdrills.content.model import Position, Slip
from llmdrills.content.pythonfile import parse
from llmdrills.content.report import did_you_mean
from llmdrills.content.slips import RightKernel
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from llmdrills.content.pythonfile import PythonFile
    from llmdrills.content.report import Report

__all__ = ["DECORATORS", "CasesFile", "read_cases"]

_TEXT, _FLAG, _WHOLE, _REAL = "text", "True or False", "a whole number", "a number"
_WORDS, _WHOLES, _TABLE = "a tuple of texts", "a tuple of whole numbers", "a dict of texts"

DECORATORS: dict[str, dict[str, str]] = {
    "case": {
        "name": _TEXT, "why": _TEXT, "variants": _WORDS, "raises": _TEXT, "grads": _WHOLES, "draws": _WHOLE,
        "rtol": _REAL, "atol": _REAL, "nan_ok": _FLAG, "fresh": _FLAG, "tags": _WORDS, "derive": _FLAG,
        "clauses": _WORDS, "own_precision": _FLAG,
    },
    "misconception": {
        "id": _TEXT, "en": _TEXT, "zh": _TEXT, "seen": _TEXT, "fix": _TEXT, "variants": _WORDS, "same_as": _TEXT,
    },
    "equivalent": {"id": _TEXT, "why": _TEXT, "variants": _WORDS},
    "domain": {"variants": _WORDS, "raises": _WORDS, "sequences": _FLAG},
    "peer": {"library": _TEXT, "skips": _TABLE, "variants": _WORDS},
}  # fmt: skip
"""The arguments of each decorator of `llmdrills.grading.authoring` and what they hold; a test keeps the two alike."""

_NEEDED = {
    "case": ("why",),
    "misconception": ("id", "en", "zh", "seen"),
    "equivalent": ("id", "why"),
    "peer": ("library",),
    "domain": (),
}
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass
class CasesFile:
    """What a cases.py registers, as far as parsing tells."""

    slips: list[Slip] = field(default_factory=list)  # those that @misconception registers, the old form
    cases: dict[str, tuple[str, ...]] = field(default_factory=dict)  # name → variants; none: all
    whys: dict[str, str] = field(default_factory=dict)  # name → why it is there
    equivalents: dict[str, RightKernel] = field(default_factory=dict)
    peers: int = 0
    domains: list[tuple[str, ...]] = field(default_factory=list)  # the variants of each; none: all


def read_cases(path: Path, clauses: Mapping[str, tuple[str, ...]], report: Report) -> CasesFile | None:
    """Read cases.py of a kata; None when it can't be parsed. Problems go to `report`.

    `clauses` are the ids of the clauses that cases may name, by variant: its keys are the kata's variants.
    """
    file = parse(path, report)
    if file is None:
        return None
    return _Reading(file, clauses, report).run()


class _Reading:
    def __init__(self, file: PythonFile, clauses: Mapping[str, tuple[str, ...]], report: Report) -> None:
        self.file, self.clauses, self.report = file, clauses, report
        self.variants = tuple(clauses)
        self.found = CasesFile()

    def run(self) -> CasesFile:
        before = len(self.report.problems)
        for function in self.file.functions:
            for decorator in function.decorator_list:
                name = _name(decorator)
                if name is None:
                    continue
                if not isinstance(decorator, ast.Call):
                    todo = f"write `@{name}({_NEEDED[name][0]}=…)`" if _NEEDED[name] else f"write `@{name}()`"
                    self.wrong(decorator, f"@{name} without arguments", todo)
                    continue
                values = self.arguments(name, decorator, function)
                if values is not None:
                    getattr(self, f"add_{name}")(values, function, decorator)
        if not self.found.cases and len(self.report.problems) == before:
            self.report.add(self.file.path, 1, 1, "cases.py has no case", "write at least one `@case(why=…)`")
        self.check_references()
        return self.found

    def wrong(self, node: ast.AST, what: str, todo: str) -> None:
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
        self.report.add(self.file.path, line, column, what, todo)

    def arguments(self, name: str, call: ast.Call, function: ast.FunctionDef) -> dict[str, Any] | None:
        """The literal arguments of a decorator, or None when one of them is wrong."""
        before = len(self.report.problems)
        known = DECORATORS[name]
        values: dict[str, Any] = {}
        given: list[tuple[str | None, ast.expr]] = [(keyword.arg, keyword.value) for keyword in call.keywords]
        if len(call.args) > 1:
            self.wrong(call.args[1], f"@{name} takes one plain argument", "name the others: `why=…`")
        if call.args:
            given.insert(0, (next(iter(known)), call.args[0]))
        for key, node in given:
            if key is None or isinstance(node, ast.Starred):
                self.wrong(
                    node,
                    f"@{name} unpacks its arguments",
                    "write them out: `build` reads them without running the file",
                )
            elif key not in known:
                self.wrong(node, f"@{name} has no argument `{key}`", did_you_mean(key, known))
            elif key in values:
                self.wrong(node, f"@{name} is given `{key}` twice", "keep one of them")
            else:
                values[key] = self.literal(name, key, node)
        for key in _NEEDED[name]:
            if key not in values:
                self.wrong(call, f"@{name} of `{function.name}` has no `{key}`", f"add `{key}=…`")
        return values if len(self.report.problems) == before else None

    def literal(self, name: str, key: str, node: ast.expr) -> Any:
        try:
            value = ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            todo = f"write {DECORATORS[name][key]} itself: `build` reads it without running the file"
            self.wrong(node, f"`{key}` of @{name} is not a literal", todo)
            return None
        if not _fits(value, DECORATORS[name][key]):
            self.wrong(node, f"`{key}` of @{name} is {_short(value)}", f"write {DECORATORS[name][key]}")
        elif isinstance(value, str) and not value.strip() and key in _NEEDED[name]:
            self.wrong(node, f"`{key}` of @{name} is empty", "write a text")
        elif key == "id" and not _SLUG.fullmatch(value):
            self.wrong(
                node,
                f"`id` of @{name} is {_short(value)}",
                "write lower-case words joined by hyphens, as in `ragged-padding`",
            )
        elif key == "variants":
            for one in value:
                if one not in self.variants:
                    self.wrong(node, f"@{name} names the unknown variant `{one}`", did_you_mean(one, self.variants))
        return value

    def add_case(self, values: dict[str, Any], function: ast.FunctionDef, call: ast.Call) -> None:
        name = values.get("name") or function.name.strip("_").replace("_", "-")
        if not _SLUG.fullmatch(name):
            self.wrong(
                call, f"the case's name is `{name}`", "use lower-case words joined by hyphens, as in `ragged-padding`"
            )
        elif name in self.found.cases:
            self.wrong(call, f"two cases are named `{name}`", "give one of them another name")
        self.found.cases[name] = tuple(values.get("variants", ()))
        self.found.whys[name] = values["why"]
        graded = [self.clauses[one] for one in values.get("variants") or self.variants if one in self.clauses]
        for clause in values.get("clauses", ()):
            if not any(clause in known for known in graded):
                known = dict.fromkeys(name for names in graded for name in names)
                self.wrong(call, f"the case names the unknown clause `{clause}`", did_you_mean(clause, known))

    def add_misconception(self, values: dict[str, Any], function: ast.FunctionDef, call: ast.Call) -> None:
        variants = tuple(values.get("variants", ()))
        for known in self.found.slips:
            if known.id == values["id"] and (not known.variants or not variants or set(known.variants) & set(variants)):
                todo = f"give one of them another id (the other is on line {known.position.line})"
                self.wrong(call, f"two slips are named `{known.id}`", todo)
        text = source(self.file, function)
        belongs = variants or self.variants
        self.found.slips.append(
            Slip(
                id=values["id"],
                feedback=Bilingual(values["en"], values["zh"]),
                seen=values["seen"],
                position=Position(self.report.shown(self.file.path), call.lineno, call.col_offset + 1),
                variants=variants,
                kernel=text,
                fix=values.get("fix", "").strip("\n"),
                card=bool(values.get("fix")),
                same_as=values.get("same_as", ""),
                texts=dict.fromkeys(belongs, text),
                names=dict.fromkeys(belongs, function.name),
                decorated=True,
            )
        )

    def add_equivalent(self, values: dict[str, Any], function: ast.FunctionDef, call: ast.Call) -> None:
        if values["id"] in self.found.equivalents:
            self.wrong(call, f"two equivalents are named `{values['id']}`", "give one of them another id")
        self.found.equivalents[values["id"]] = RightKernel(self.file, function, tuple(values.get("variants", ())))

    def add_domain(self, values: dict[str, Any], function: ast.FunctionDef, call: ast.Call) -> None:  # noqa: ARG002  # one signature for all
        self.found.domains.append(tuple(values.get("variants", ())))

    def add_peer(self, values: dict[str, Any], function: ast.FunctionDef, call: ast.Call) -> None:  # noqa: ARG002  # as above
        self.found.peers += 1

    def check_references(self) -> None:
        """`same_as` and `skips` name something that exists."""
        ids = {one.id for one in self.found.slips} | {f"variant-{name}" for name in self.variants}
        for function in self.file.functions:
            for call in function.decorator_list:
                if isinstance(call, ast.Call) and (name := _name(call)):
                    for keyword in call.keywords:
                        if keyword.arg == "same_as" and isinstance(keyword.value, ast.Constant):
                            self._known(keyword.value, str(keyword.value.value), ids, "slip")
                        elif name == "peer" and keyword.arg == "skips" and isinstance(keyword.value, ast.Dict):
                            for key in keyword.value.keys:
                                if isinstance(key, ast.Constant):
                                    self._known(key, str(key.value), set(self.found.cases), "case")

    def _known(self, node: ast.expr, word: str, known: set[str], kind: str) -> None:
        if word and word not in known:
            self.wrong(node, f"there is no {kind} `{word}`", did_you_mean(word, sorted(known)))


def _name(decorator: ast.expr) -> str | None:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = target.id if isinstance(target, ast.Name) else target.attr if isinstance(target, ast.Attribute) else ""
    return name if name in DECORATORS else None


def _fits(value: object, kind: str) -> bool:
    if kind == _TEXT:
        return isinstance(value, str)
    if kind == _FLAG:
        return isinstance(value, bool)
    if kind == _WHOLE:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == _REAL:
        return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
    if kind == _TABLE:
        return isinstance(value, dict) and all(isinstance(part, str) for pair in value.items() for part in pair)
    of = str if kind == _WORDS else int
    return isinstance(value, tuple) and all(isinstance(one, of) for one in value)


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "…"
