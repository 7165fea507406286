"""slips.yaml: the mistakes that people make, each as an edit of a right kernel.

A slip names a right kernel (`of`: the variant's reference or, where solution.py holds one, its solution; or an
equivalent of cases.py) and says which of its lines become which. The edit must fit exactly once in every variant that
the slip belongs to; anything else is a problem at the slip's own line. Nothing is run: `build` makes cards from the
edited text, and the grader compiles the same text.

Under `same:` the file lists edits that are no mistake, in the words of `check --holes`, each with the reason.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import io
import itertools
import textwrap
import tokenize
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from llmdrills.content.definitions import own_text
from llmdrills.content.kata import Card, Edit, Same, Slip
from llmdrills.content.report import did_you_mean
from llmdrills.content.shapes import FlagOr, Key, Many, Reader, Record, Table, Text, slug
from llmdrills.content.syntax import parsed
from llmdrills.content.yamlfile import compose
from llmdrills.language import LANGUAGES, Language, many_languages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from llmdrills.content.pythonfile import PythonFile
    from llmdrills.content.report import Report

__all__ = ["REFERENCE", "SLIPS", "EditError", "RightKernel", "RightKernels", "SlipsFile", "apply", "read_slips"]

REFERENCE = "reference"
"""What `of` says for the variant's own reference."""

_CODE = Text(empty=True)
_EDIT = Record(
    "an edit",
    {
        "line": Key(Text(), "the line, or lines, of the right kernel; they must stand there exactly once", needed=True),
        "becomes": Key(_CODE, "what stands there instead; empty: nothing does", needed=True),
    },
)
_CARD = Record(
    "a card",
    {
        "call": Key(Text(), "one expression that shows the mistake; at most twelve literal numbers", needed=True),
        "en": Key(Text(), "what goes wrong, followed by hand, in the third person", needed=True),
        "zh": Key(Text(), "the same in Chinese"),
        "steps": Key(Many(Text()), "comparisons in Python that prove the numbers of the text"),
        "waive": Key(Table(slug(), Text(), at_least=1), "rule: why it does not hold here"),
    },
)
_SLIP = Record(
    "a slip",
    {
        "id": Key(slug(), "its identity for ever: history and cards know it by this", needed=True),
        "of": Key(slug(), "the right kernel that is edited: reference (or solution), or an equivalent of cases.py"),
        "line": Key(Text(), "the line, or lines, of the right kernel; they must stand there exactly once"),
        "becomes": Key(_CODE, "what stands there instead; empty: nothing does"),
        "edits": Key(Many(_EDIT, at_least=1, what="edit"), "several places, where one mistake needs them"),
        "kernel": Key(Text(), "the whole wrong kernel, where it is no edit of a right one"),
        "en": Key(Text(), "what to tell whoever wrote it, in one or two sentences", needed=True),
        "zh": Key(Text(), "the same in Chinese"),
        "seen": Key(Text(), "where it was met", needed=True),
        "variants": Key(Many(slug(), at_least=1, what="variant"), "the variants in which it is wrong; all unless said"),
        "card": Key(FlagOr(_CARD), "whether it makes a spot-the-bug card, and what its back says"),
        "fix": Key(Text(), "the right lines for the card, where the edit's own lines do not say it"),
        "note": Key(slug(), "the id of its note, where it must differ from the one that id and variants make"),
        "same_as": Key(slug(), "another slip that no call tells apart from this one"),
        "proof": Key(Text(), "Python that must hold: the fact that the feedback states"),
    },
)
_SAME = Record(
    "an entry of `same`",
    {
        "edits": Key(Many(Text(), at_least=1, what="edit"), "edits, as `check --holes` words them", needed=True),
        "why": Key(Text(), "why no legal call tells them from the reference", needed=True),
        "variants": Key(Many(slug(), at_least=1, what="variant"), "the variants in which it holds; all unless said"),
    },
)
SLIPS = Record(
    "a slips file",
    {
        "slips": Key(Many(_SLIP, at_least=1, what="slip"), "the mistakes", needed=True),
        "same": Key(Many(_SAME, at_least=1, what="entry"), "edits of the reference that are no mistake"),
    },
)


class EditError(ValueError):
    """An edit does not fit its kernel; the message says why, and `todo` what to write instead."""

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(what)
        self.todo = todo


@dataclass(frozen=True)
class RightKernel:
    """A right kernel that slips may edit: a function and the file that it stands in."""

    file: PythonFile
    function: ast.FunctionDef
    variants: tuple[str, ...] = ()  # empty: all

    @cached_property
    def text(self) -> str:
        """The function with its helpers, as written: many slips edit the same one."""
        return own_text(self.file, self.function)


@dataclass(frozen=True)
class RightKernels:
    """Every right kernel of a kata: the reference of each variant, which goes by `own`, and the equivalents by id."""

    references: Mapping[str, RightKernel] = field(default_factory=dict)
    equivalents: Mapping[str, RightKernel] = field(default_factory=dict)
    own: str = REFERENCE

    def names(self) -> list[str]:
        """What `of` may say."""
        return [self.own, *self.equivalents]


@dataclass(frozen=True)
class SlipsFile:
    """What slips.yaml says: the mistakes, and the edits of the reference that change nothing."""

    slips: tuple[Slip, ...] = ()
    same: tuple[Same, ...] = ()


def apply(text: str, edits: tuple[Edit, ...]) -> str:
    """The text with each edit made. Raises EditError unless each fits exactly once, apart from the others."""
    lines = text.split("\n")
    places = sorted((*_place(lines, edit.line), edit.becomes) for edit in edits)
    for (_, end, _), (start, _, _) in itertools.pairwise(places):
        if start < end:
            raise EditError("two of its edits change the same line", "join them into one edit")
    for start, end, becomes in reversed(places):
        margin = lines[start][: len(lines[start]) - len(lines[start].lstrip())]
        fresh = textwrap.indent(textwrap.dedent(becomes).strip("\n"), margin).split("\n") if becomes.strip() else []
        lines[start:end] = fresh
    return "\n".join(lines)


def _place(lines: list[str], wanted: str) -> tuple[int, int]:
    """Where the wanted lines stand, as a half-open range. Comments and indentation do not count."""
    codes = [(at, code) for at, line in enumerate(lines) if (code := _code(line))]
    sought = [code for line in wanted.strip("\n").split("\n") if (code := _code(line))]
    width = len(sought)
    found = [i for i in range(len(codes) - width + 1) if [code for _, code in codes[i : i + width]] == sought]
    shown = f"`{sought[0] if sought else wanted.strip()}`" + (" …" if width > 1 else "")
    if not sought or not found:
        near = difflib.get_close_matches(sought[0] if sought else "", [code for _, code in codes], 1, 0.5)
        todo = f"did you mean `{near[0]}`?" if near else "copy the line from the right kernel"
        raise EditError(f"{shown} stands nowhere in the right kernel", todo)
    if len(found) > 1:
        places = len(found)
        raise EditError(f"{shown} stands {places} times in the right kernel", "add the line before or after it")
    return codes[found[0]][0], codes[found[0] + width - 1][0] + 1


def _code(line: str) -> str:
    """A line without indentation and comment."""
    if "#" not in line:
        return line.strip()
    with contextlib.suppress(tokenize.TokenError, IndentationError, SyntaxError):
        for token in tokenize.generate_tokens(io.StringIO(line.strip()).readline):
            if token.type == tokenize.COMMENT:
                return line.strip()[: token.start[1]].strip()
    return line.strip()


def read_slips(
    path: Path, kernels: RightKernels, report: Report, languages: tuple[Language, ...] = LANGUAGES
) -> SlipsFile:
    """The file's slips and same edits, those with problems left out; problems go to `report`. No file: nothing."""
    if not path.exists():
        return SlipsFile()
    node = compose(path, report)
    if node is None:
        return SlipsFile()
    reader = Reader(path, report)
    reader.speak(languages)
    values = SLIPS.read(reader, node, "") or {}
    found: list[Slip] = []
    for at, value in enumerate(values.get("slips") or ()):
        if value is None or not (value.keys() >= _SLIP_NEEDS and _all_read(value)):
            continue
        card = value.get("card")
        if not isinstance(card, dict) or card.keys() >= _CARD_NEEDS:
            slip = _SlipReader(reader, kernels, f"slips.{at}").read(value)
            if slip is not None:
                found.append(slip)
    _check_ids(found, reader)
    return SlipsFile(tuple(found), tuple(_sames(values.get("same") or (), kernels, reader)))


def _sames(values: Iterable[dict[str, Any] | None], kernels: RightKernels, reader: Reader) -> Iterator[Same]:
    for at, value in enumerate(values):
        if value is None or None in value.values() or not value.keys() >= {"edits", "why"}:
            continue
        variants = tuple(value.get("variants") or ())
        for place, name in enumerate(variants):
            if name not in kernels.references:
                where, todo = reader.places[f"same.{at}.variants.{place}"], did_you_mean(name, kernels.references)
                reader.report.add(reader.file, *where, f"there is no variant `{name}`", todo)
        for edit in value["edits"]:
            yield Same(edit, value["why"], variants)


_SLIP_NEEDS = frozenset(name for name, key in _SLIP.keys.items() if key.needed)
_CARD_NEEDS = frozenset(name for name, key in _CARD.keys.items() if key.needed)


def _all_read(value: Any) -> bool:
    """Whether nothing in it was reported as unreadable."""
    if isinstance(value, dict):
        value = tuple(value.values())
    return all(map(_all_read, value)) if isinstance(value, tuple) else value is not None


class _SlipReader:
    """One slip being read; every problem is told at the key that has it."""

    def __init__(self, reader: Reader, kernels: RightKernels, path: str) -> None:
        self._reader = reader
        self._kernels = kernels
        self._path = path
        self._sound = True

    def read(self, value: dict[str, Any]) -> Slip | None:
        """The slip; None after reporting what is wrong."""
        self._check_forms(value)
        edits = _edits(value)
        variants = tuple(value.get("variants") or ())
        for at, name in enumerate(variants):
            if name not in self._kernels.references:
                todo = did_you_mean(name, self._kernels.references)
                self._wrong(f"variants.{at}", f"there is no variant `{name}`", todo)
        of = "" if "kernel" in value else value.get("of", self._kernels.own)
        if of and of not in self._kernels.names():
            self._wrong("of", f"there is no right kernel `{of}`", did_you_mean(of, self._kernels.names()))
        if not self._reader.same_for_all:
            for name in LANGUAGES:
                if name not in value:
                    self._wrong("id", f"a slip has no `{name}`", f"add `{name}:`, what a learner is told")
                if isinstance(value.get("card"), dict) and name not in value["card"]:
                    self._wrong("card", f"a card has no `{name}`", f"add `{name}:`, what its back says")
        texts, names = self._texts(value, of, edits, variants) if self._sound else ({}, {})
        if not texts:
            return None
        return Slip(
            id=value["id"],
            feedback=many_languages({name: value[name] for name in LANGUAGES if name in value}),
            seen=value["seen"],
            position=self._position("id"),
            variants=variants,
            of=of,
            edits=edits,
            kernel=value.get("kernel", ""),
            fix=value.get("fix", "").strip("\n") or "\n".join(edit.line.strip("\n") for edit in edits),
            card=bool(value.get("card", False)),
            shown=self._card(value.get("card", False)),
            note=value.get("note", ""),
            same_as=value.get("same_as", ""),
            proof=value.get("proof", ""),
            texts=texts,
            names=names,
        )

    def _card(self, value: bool | dict[str, Any]) -> Card | None:
        """What the card's back says; None where the slip has no card, or says `true` alone."""
        if isinstance(value, bool):
            return None
        texts: dict[str, str] = {name: value[name] for name in LANGUAGES if name in value}
        keys = [key for key in value if key not in ("steps", "waive")]
        keys += [f"steps.{at}" for at in range(len(value.get("steps") or ()))]
        keys += [f"waive.{name}" for name in value.get("waive") or {}]
        return Card(
            call=value["call"].strip("\n"),
            text=many_languages(texts),
            steps=tuple(value.get("steps") or ()),
            waive=value.get("waive") or {},
            positions={key: self._position(f"card.{key}") for key in keys},
        )

    def _check_forms(self, value: dict[str, Any]) -> None:
        """One way to say what changes: line and becomes, or edits, or kernel."""
        if ("line" in value) != ("becomes" in value):
            given, lacking = ("line", "becomes") if "line" in value else ("becomes", "line")
            self._wrong(given, f"`{given}` stands without `{lacking}`", f"add `{lacking}:`")
            return
        forms = [name for name in ("line", "edits", "kernel") if name in value]
        if len(forms) != 1:
            what = f"it has both `{forms[0]}` and `{forms[1]}`" if forms else "it does not say what is wrong"
            self._wrong(forms[-1] if forms else "id", what, "write `line:` and `becomes:`, or `edits:`, or `kernel:`")
        elif "kernel" in value and "of" in value:
            self._wrong("of", "`of` stands beside `kernel`", "drop `of`: the kernel is whole")
        elif value.get("card") and "kernel" in value and "fix" not in value:
            self._wrong("card", "a card needs the right line, and `kernel` does not say it", "add `fix:`")

    def _texts(
        self, value: dict[str, Any], of: str, edits: tuple[Edit, ...], variants: tuple[str, ...]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """The wrong kernel's text, and the name of its entry function, in each variant that it belongs to."""
        texts: dict[str, str] = {}
        names: dict[str, str] = {}
        for variant in variants or tuple(self._kernels.references):
            try:
                text, name = self._whole(value) if not of else self._edited(of, edits, variant)
            except EditError as error:
                what = f"{error} of variant `{variant}`" if of else str(error)
                self._wrong("kernel" if not of else "line" if "line" in value else "edits", what, error.todo)
                return {}, {}
            texts[variant], names[variant] = text, name
        return texts, names

    def _whole(self, value: dict[str, Any]) -> tuple[str, str]:
        text = value["kernel"].strip("\n") + "\n"
        functions = [node for node in _parsed(text).body if isinstance(node, ast.FunctionDef)]
        if not functions:
            raise EditError("`kernel` defines no function", "write the whole wrong kernel, from `def` on")
        return text, functions[-1].name

    def _edited(self, of: str, edits: tuple[Edit, ...], variant: str) -> tuple[str, str]:
        right = self._kernels.references[variant] if of == self._kernels.own else self._kernels.equivalents[of]
        if right.variants and variant not in right.variants:
            todo = "name a right kernel of every variant, or list the slip's variants"
            raise EditError(f"`{of}` is no right kernel", todo)
        text = right.text
        edited = apply(text, edits)
        if edited == text:
            raise EditError("`becomes` says what stands there already", "write what people write instead")
        _parsed(edited)
        return edited, right.function.name

    def _wrong(self, key: str, what: str, todo: str) -> None:
        self._sound = False
        places = self._reader.places
        at = places.get(f"{self._path}.{key}") or places.get(f"{self._path}.id") or (1, 1)
        self._reader.report.add(self._reader.file, *at, what, todo)

    def _position(self, key: str) -> Any:
        from llmdrills.content.kata import Position

        return Position(self._reader.shown, *self._reader.places[f"{self._path}.{key}"])


def _edits(value: dict[str, Any]) -> tuple[Edit, ...]:
    if "line" in value and "becomes" in value:
        return (Edit(value["line"], value["becomes"]),)
    return tuple(
        Edit(one["line"], one["becomes"]) for one in value.get("edits") or () if one and None not in one.values()
    )


def _parsed(text: str) -> ast.Module:
    try:
        return parsed(text)
    except SyntaxError as error:
        todo = "indent `becomes` as its first line stands; the framework adds the margin"
        raise EditError(f"the wrong kernel is not valid Python ({error.msg})", todo) from error


def _check_ids(slips: list[Slip], reader: Reader) -> None:
    """Ids are apart within a variant, and `same_as` names another slip."""
    for known, slip in _pairs(slips):
        if known.id == slip.id and (
            not known.variants or not slip.variants or set(known.variants) & set(slip.variants)
        ):
            todo = f"give one of them another id (the other is on line {known.position.line})"
            place = slip.position
            reader.report.add(reader.file, place.line, place.column, f"two slips are named `{slip.id}`", todo)


def _pairs(slips: list[Slip]) -> Iterator[tuple[Slip, Slip]]:
    for at, slip in enumerate(slips):
        for known in slips[:at]:
            yield known, slip
