"""Describe once what a YAML file may contain: the same shapes read a file and make its JSON Schema.

A shape's `read` returns the plain value, or None after reporting to the reader what is wrong; it never raises.

Over 400 lines, because the shapes need each other (a Record holds Keys, a Key any shape, Many and Table as well), and
each keeps its reading and its schema side by side.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from llmdrills.content.model import TOPICS, Position
from llmdrills.content.remarks import Remark, remarks_on
from llmdrills.content.report import did_you_mean
from llmdrills.language import LANGUAGE_TAG, LANGUAGES, Bilingual, Language, many_languages

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from llmdrills.content.report import Report

__all__ = [
    "Both",
    "Choice",
    "Either",
    "Flag",
    "FlagOr",
    "Key",
    "Many",
    "Number",
    "Reader",
    "Record",
    "Shape",
    "Table",
    "Text",
    "Topic",
    "Word",
    "slug",
]

Schema = dict[str, Any]
_STR, _NULL, _BOOL = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null", "tag:yaml.org,2002:bool"
_KINDS = {
    "tag:yaml.org,2002:int": "a number",
    "tag:yaml.org,2002:float": "a number",
    "tag:yaml.org,2002:bool": "true or false",
    "tag:yaml.org,2002:timestamp": "a date",
    _NULL: "nothing",
    _STR: "text",
}


class Reader:
    """One file being read: where problems go, which languages its texts need, and where each key's value stands."""

    __slots__ = (
        "_seen",
        "doubtful",
        "file",
        "languages",
        "places",
        "remarks",
        "report",
        "same_for_all",
        "shown",
        "shows_values",
        "text",
        "topics",
    )

    def __init__(self, file: Path, report: Report) -> None:
        self.file = file
        self.report = report
        self.shown = report.shown(file)
        self.languages: tuple[Language, ...] = LANGUAGES
        self.same_for_all = False  # whether a text stands also for the languages in which it is not written
        self.places: dict[str, tuple[int, int]] = {}
        self.topics: tuple[str, ...] = TOPICS
        self.text = ""  # the whole file, by which a value is held against what was written
        self.shows_values = True  # whether a text of the file may hold a `[[name]]`
        self.doubtful = True  # whether the file holds anything that `remarks_on` could speak of
        self.remarks: list[Remark] = []
        self._seen: set[int] = set()

    def speak(self, languages: tuple[Language, ...]) -> None:
        """Read a kata of a workspace in those languages: a text that is missing in one is that of another."""
        self.languages = languages
        self.same_for_all = set(languages) != set(LANGUAGES)

    def wrong(self, node: Node, what: str, todo: str) -> None:
        """Report a problem where `node` begins."""
        mark = node.start_mark
        self.report.add(self.file, mark.line + 1, mark.column + 1, what, todo)

    def position(self, node: Node) -> Position:
        """Where `node` begins."""
        mark = node.start_mark
        return Position(self.shown, mark.line + 1, mark.column + 1)

    def again(self, node: Node, path: str) -> bool:
        """Whether an alias leads to `node` again. That is reported and not read a second time, so reading ends."""
        key = id(node)
        if key in self._seen:
            self.wrong(node, f"{path or 'this part'} is used again through a YAML alias", "write it out in both places")
            return True
        self._seen.add(key)
        return False


def kind_of(node: Node) -> str:
    """What a node is, in words that an author knows."""
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, SequenceNode):
        return "a list"
    return _KINDS.get(node.tag, f"tagged {node.tag}")


class Shape(Protocol):
    """One kind of value."""

    def read(self, reader: Reader, node: Node, path: str) -> Any:
        """The value, or None after reporting what is wrong."""

    def schema(self) -> Schema:
        """The same as JSON Schema."""


@dataclass(frozen=True)
class Text:
    """Text that is not empty; trailing white space is dropped. With `numbers`, a bare number counts as its own text."""

    numbers: bool = False
    empty: bool = False
    shown: bool = False  # on a card: told where the value is not what was written

    def read(self, reader: Reader, node: Node, path: str) -> str | None:
        """See Shape."""
        if node.__class__ is ScalarNode:
            tag = node.tag
            if tag == _STR or (self.numbers and _KINDS.get(tag) == "a number"):
                text: str = node.value.rstrip()
                if text or self.empty:
                    mark = node.start_mark
                    reader.places[path] = (mark.line + 1, mark.column + 1)
                    if self.shown and reader.doubtful and node.style not in ("'", "|", ">"):
                        reader.remarks += remarks_on(node, reader.text, path)
                    return text
                reader.wrong(node, f"{path} is empty", "write a text, or leave the key out")
            elif tag == _NULL:
                reader.wrong(node, f"{path} has no value", "write a text, or leave the key out")
            else:
                reader.wrong(node, f"{path} is {kind_of(node)}, not text", f"put it in quotes: '{node.value[:40]}'")
        else:
            reader.wrong(
                node, f"{path} is {kind_of(node)}, not text", "write one text; quote it if it begins with [ or {"
            )
        return None

    def schema(self) -> Schema:
        """See Shape."""
        text: Schema = {"type": "string"} if self.empty else {"type": "string", "minLength": 1}
        return {"anyOf": [text, {"type": "number"}]} if self.numbers else text


# Made once: a deck of ten thousand notes reads a hundred thousand texts.
_TEXT, _SHOWN = Text(), Text(shown=True)
_TEXT_OR_NUMBER, _TEXT_OR_NOTHING = Text(numbers=True), Text(empty=True, shown=True)


@dataclass(frozen=True)
class Word:
    """Text of one pattern; `like` is said to whoever writes another."""

    pattern: str
    like: str
    numbers: bool = False
    compiled: re.Pattern[str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "compiled", re.compile(self.pattern))

    def read(self, reader: Reader, node: Node, path: str) -> str | None:
        """See Shape."""
        text = (_TEXT_OR_NUMBER if self.numbers else _TEXT).read(reader, node, path)
        if text is None or self.compiled.fullmatch(text):
            return text
        reader.wrong(node, f"{path} is `{text[:60]}`", f"write {self.like}")
        return None

    def schema(self) -> Schema:
        """See Shape."""
        text: Schema = {"type": "string", "pattern": f"^(?:{self.pattern})$"}
        return {"anyOf": [text, {"type": "number"}]} if self.numbers else text


def slug() -> Word:
    """An id: lower-case words joined by hyphens."""
    return Word(r"[a-z0-9]+(-[a-z0-9]+)*", "lower-case words joined by hyphens, as in `rope-pairing`")


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    options: tuple[str, ...]
    instead: Mapping[str, str] = field(default_factory=dict)  # a word that is no option → what to do about it

    def read(self, reader: Reader, node: Node, path: str) -> str | None:
        """See Shape."""
        text = _TEXT.read(reader, node, path)
        if text is None or text in self.options:
            return text
        todo = self.instead.get(text) or did_you_mean(text, self.options)
        reader.wrong(node, f"{path} is `{text[:60]}`", todo)
        return None

    def schema(self) -> Schema:
        """See Shape."""
        return {"enum": list(self.options)}


@dataclass(frozen=True)
class Topic:
    """One of the topics, those of the workspace among them."""

    def read(self, reader: Reader, node: Node, path: str) -> str | None:
        """See Shape."""
        return Choice(reader.topics).read(reader, node, path)

    def schema(self) -> Schema:
        """See Shape; which words of an author's own there are is left to the loader."""
        return {"anyOf": [Choice(TOPICS).schema(), slug().schema()]}


@dataclass(frozen=True)
class Number:
    """A number from `low`; `whole` numbers only if so said."""

    low: float
    high: float
    whole: bool = False

    def read(self, reader: Reader, node: Node, path: str) -> float | int | None:
        """See Shape."""
        todo = f"write a {'whole ' if self.whole else ''}number from {self.low:g} to {self.high:g}"
        if isinstance(node, ScalarNode) and _KINDS.get(node.tag) == "a number":
            try:
                value = int(node.value) if self.whole else float(node.value)
            except ValueError:  # octal, sexagesimal, 1.5 where a whole number is wanted
                value = None
            if value is not None and self.low <= value <= self.high:
                mark = node.start_mark
                reader.places[path] = (mark.line + 1, mark.column + 1)
                return value
            reader.wrong(node, f"{path} is {node.value[:40]}", todo)
        else:
            reader.wrong(node, f"{path} is {kind_of(node)}", todo)
        return None

    def schema(self) -> Schema:
        """See Shape."""
        return {"type": "integer" if self.whole else "number", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True)
class Flag:
    """true or false."""

    def read(self, reader: Reader, node: Node, path: str) -> bool | None:
        """See Shape."""
        if isinstance(node, ScalarNode) and node.tag == _BOOL and node.value.lower() in ("true", "false"):
            mark = node.start_mark
            reader.places[path] = (mark.line + 1, mark.column + 1)
            return bool(node.value.lower() == "true")
        reader.wrong(node, f"{path} is {kind_of(node)}", "write true or false")
        return None

    def schema(self) -> Schema:
        """See Shape."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class Either:
    """A list of one shape, or a mapping of another: a form that grew names, and the older one that still loads."""

    listed: Many
    named: Table

    def read(self, reader: Reader, node: Node, path: str) -> tuple[Any, ...] | dict[str, Any] | None:
        """See Shape."""
        return (self.listed if node.__class__ is SequenceNode else self.named).read(reader, node, path)

    def schema(self) -> Schema:
        """See Shape."""
        return {"anyOf": [self.named.schema(), self.listed.schema()]}


@dataclass(frozen=True)
class FlagOr:
    """true or false, or a mapping that says more than true."""

    record: Record

    def read(self, reader: Reader, node: Node, path: str) -> bool | dict[str, Any] | None:
        """See Shape."""
        if not isinstance(node, MappingNode):
            return Flag().read(reader, node, path)
        mark = node.start_mark
        reader.places[path] = (mark.line + 1, mark.column + 1)
        return self.record.read(reader, node, path)

    def schema(self) -> Schema:
        """See Shape."""
        return {"anyOf": [self.record.schema(), Flag().schema()]}


@dataclass(frozen=True)
class Both:
    """A text in English and Chinese. With `plain`, one text may stand for both, and none is needed (a unit).

    In a file that says `languages: [en]` the other text is left out, and the one may be written bare.
    """

    plain: bool = False

    def read(self, reader: Reader, node: Node, path: str) -> Bilingual | None:
        """See Shape."""
        languages = reader.languages
        if node.__class__ is not MappingNode:
            if node.__class__ is ScalarNode and (self.plain or len(languages) == 1) and node.tag != _NULL:
                text = (_TEXT_OR_NUMBER if self.plain else _SHOWN).read(reader, node, path)
                if text is None:
                    return None
                if self.plain or reader.same_for_all:
                    return Bilingual(text, text)
                return _made({languages[0]: text})
            reader.wrong(node, f"{path} is {kind_of(node)}", f"write {_example(languages)}")
            return None
        if reader.again(node, path):
            return None
        shape = _TEXT_OR_NOTHING if self.plain else _SHOWN
        texts: dict[str, str | None] = {}
        for key, value in node.value:
            name = key.value
            known = name in languages or (reader.same_for_all and name in LANGUAGES)
            if not known or key.__class__ is not ScalarNode:
                _unknown_language(reader, key, path, languages)
            elif name in texts:
                reader.wrong(key, f"{path}.{name} is written twice", "keep one of them")
            else:
                texts[name] = shape.read(reader, value, f"{path}.{name}")
        for name in languages:
            if name not in texts:
                reader.wrong(node, f"{path} has no {_NAMES.get(name, f'`{name}`')} text", f"add `{name}: …`")
        if None in texts.values():
            return None
        read = cast("dict[str, str]", texts)
        return many_languages(read) if reader.same_for_all and read else _made(read)

    def schema(self) -> Schema:
        """See Shape; a deck in one language is allowed, so that which languages are needed is left to the loader."""
        texts = {"type": "object", "additionalProperties": False, "minProperties": 1}
        text = Text(empty=self.plain).schema()
        texts["properties"] = dict.fromkeys(LANGUAGES, text)
        texts["patternProperties"] = {f"^(?:{LANGUAGE_TAG.pattern})$": text}
        return {"anyOf": [texts, Text().schema()]}


def _made(texts: dict[str, str]) -> Bilingual:
    """What a deck says, in the languages that it is written in and no other."""
    en, zh = texts.get("en", ""), texts.get("zh", "")
    if _OWN.issuperset(texts):
        return Bilingual(en, zh)
    return Bilingual(en, zh, tuple((name, text) for name, text in texts.items() if name not in _OWN))


_OWN = frozenset(LANGUAGES)
_NAMES = {"en": "English", "zh": "Chinese"}


def _example(languages: tuple[Language, ...]) -> str:
    return "`{" + ", ".join(f"{name}: …" for name in languages) + "}`"


def _unknown_language(reader: Reader, key: Node, path: str, languages: tuple[Language, ...]) -> None:
    if not isinstance(key, ScalarNode):
        reader.wrong(key, f"{path}: a key is {kind_of(key)}", f"write {_example(languages)}")
    elif LANGUAGE_TAG.fullmatch(key.value) and (key.value in LANGUAGES or len(key.value) > 3):
        only = f"in {languages[0]} only" if len(languages) == 1 else f"in {' and '.join(languages)}"
        reader.wrong(key, f"{path}.{key.value}: this deck is {only}", "drop it, or add it to `languages`")
    else:
        comma = "put text that holds a comma in quotes" if " " in key.value.strip() else f"write {_example(languages)}"
        reader.wrong(key, f"{path}: unknown language `{key.value[:40]}`", comma)


@dataclass(frozen=True)
class Many:
    """A list of values of one shape, at least so many."""

    item: Shape
    at_least: int = 0
    what: str = "item"

    def read(self, reader: Reader, node: Node, path: str) -> tuple[Any, ...] | None:
        """See Shape."""
        if node.__class__ is not SequenceNode:
            reader.wrong(node, f"{path} is {kind_of(node)}, not a list", "write `[…]`, or one `- …` a line")
            return None
        if reader.again(node, path):
            return None
        mark = node.start_mark
        reader.places[path] = (mark.line + 1, mark.column + 1)
        values = tuple([self.item.read(reader, value, f"{path}.{i}") for i, value in enumerate(node.value)])
        if len(values) < self.at_least:
            few = f"{len(values)} {self.what}{'' if len(values) == 1 else 's'}"
            reader.wrong(node, f"{path} has {few}", f"write at least {self.at_least}")
            return None
        return values

    def schema(self) -> Schema:
        """See Shape."""
        return {"type": "array", "items": self.item.schema(), "minItems": self.at_least}


@dataclass(frozen=True)
class Table:
    """A mapping whose keys the author chooses, in the order written."""

    key: Word
    value: Shape
    at_least: int = 0

    def read(self, reader: Reader, node: Node, path: str) -> dict[str, Any] | None:
        """See Shape."""
        if node.__class__ is not MappingNode:
            reader.wrong(node, f"{path} is {kind_of(node)}, not a mapping", "write `name: …`, one a line")
            return None
        if reader.again(node, path):
            return None
        mark = node.start_mark
        reader.places[path] = (mark.line + 1, mark.column + 1)
        values: dict[str, Any] = {}
        for key, value in node.value:
            name = self.key.read(reader, key, f"a key of {path}")
            if name is None:
                continue
            if name in values:
                reader.wrong(key, f"{path}.{name} is written twice", "keep one of them")
                continue
            values[name] = self.value.read(reader, value, f"{path}.{name}")
            reader.places[f"{path}.{name}"] = (key.start_mark.line + 1, key.start_mark.column + 1)
        if len(node.value) < self.at_least:
            reader.wrong(node, f"{path} is empty", f"write at least {self.at_least}")
            return None
        return values

    def schema(self) -> Schema:
        """See Shape."""
        pattern = {f"^(?:{self.key.pattern})$": self.value.schema()}
        return {
            "type": "object",
            "patternProperties": pattern,
            "additionalProperties": False,
            "minProperties": self.at_least,
        }


@dataclass(frozen=True)
class Key:
    """One key of a record: its shape, what it is for, who may and who must have it (`kinds` of the record)."""

    shape: Shape
    help: str
    needed: bool = False
    only: tuple[str, ...] = ()  # kinds that may have it; empty: all
    needed_by: tuple[str, ...] = ()
    instead: str = ""  # never allowed: what to do instead


@dataclass(frozen=True)
class Record:
    """A mapping with known keys. `kind` names the key whose value decides who may and must have which others."""

    name: str
    keys: Mapping[str, Key]
    kind: str = ""
    _wanted: dict[str, tuple[frozenset[str], frozenset[str]]] = field(init=False, compare=False, default_factory=dict)

    def read(self, reader: Reader, node: Node, path: str) -> dict[str, Any] | None:
        """The values by key, the unreadable ones as None."""
        if node.__class__ is not MappingNode:
            reader.wrong(node, f"{path or 'the file'} is {kind_of(node)}, not {self.name}", f"write {self._start()}")
            return None
        if reader.again(node, path):
            return None
        prefix = f"{path}." if path else ""
        values: dict[str, Any] = {}
        keys = self.keys
        for key_node, value in node.value:
            name = key_node.value
            key = keys.get(name) if key_node.__class__ is ScalarNode else None
            if key is None:
                self._unknown(reader, key_node, prefix)
            elif name in values:
                reader.wrong(key_node, f"{prefix}{name} is written twice in {self.name}", "keep one of them")
            elif key.instead:
                reader.wrong(key_node, f"{prefix}{name} is not written here", key.instead)
            else:
                values[name] = key.shape.read(reader, value, prefix + name)
        kind = (values.get(self.kind) or "") if self.kind else ""
        needed, banned = self._wanted.get(kind) or self._wants(kind)
        if not (needed <= values.keys() and banned.isdisjoint(values)):
            self._missing(reader, node, values, kind, path)
        return values

    def _wants(self, kind: str) -> tuple[frozenset[str], frozenset[str]]:
        """The keys that a record of that kind must have, and those that it may not."""
        needed = frozenset(name for name, key in self.keys.items() if key.needed or (kind and kind in key.needed_by))
        banned = frozenset(name for name, key in self.keys.items() if kind and key.only and kind not in key.only)
        self._wanted[kind] = needed, banned
        return needed, banned

    def _missing(self, reader: Reader, node: MappingNode, values: dict[str, Any], kind: str, path: str) -> None:
        for name, key in self.keys.items():
            if name not in values:
                if key.needed or (kind and kind in key.needed_by):
                    of = f"a {self.name.removeprefix('a ')} of {self.kind} `{kind}`" if key.needed_by else self.name
                    where = f" ({path})" if path else ""
                    reader.wrong(node, f"{of}{where} has no `{name}`", f"add `{name}:` — {key.help}")
            elif key.only and kind and kind not in key.only:
                line, column = reader.places.get(f"{path}.{name}" if path else name, (0, 0))
                at = (line, column) if line else (node.start_mark.line + 1, node.start_mark.column + 1)
                can = " and ".join(f"`{name}`" for name in key.only)
                reader.report.add(
                    reader.file, *at, f"`{name}` does not belong to {self.kind} `{kind}`", f"only {can} has it"
                )

    def _unknown(self, reader: Reader, key: Node, prefix: str) -> None:
        if not isinstance(key, ScalarNode):
            reader.wrong(key, f"a key of {self.name} is {kind_of(key)}", "write a plain word before the colon")
        else:
            known = [name for name, one in self.keys.items() if not one.instead]
            reader.wrong(key, f"unknown key `{prefix}{key.value[:60]}` in {self.name}", did_you_mean(key.value, known))

    def _start(self) -> str:
        return "`" + "`, `".join(f"{name}:" for name, key in self.keys.items() if key.needed) + "` and their values"

    def schema(self) -> Schema:
        """See Shape."""
        usable = {name: key for name, key in self.keys.items() if not key.instead}
        made: Schema = {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: key.shape.schema() | {"description": key.help} for name, key in usable.items()},
            "required": [name for name, key in usable.items() if key.needed],
        }
        rules = []
        for kind in sorted({kind for key in usable.values() for kind in (*key.only, *key.needed_by)}):
            banned = {name: False for name, key in usable.items() if key.only and kind not in key.only}
            needed = [name for name, key in usable.items() if kind in key.needed_by]
            rules.append(
                {
                    "if": {"properties": {self.kind: {"const": kind}}, "required": [self.kind]},
                    "then": {"properties": banned, "required": needed},
                }
            )
        return made | ({"allOf": rules} if rules else {})
