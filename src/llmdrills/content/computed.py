"""Read and write decks/computed.json: with it, `llmdrills build` needs neither torch nor the katas' code.

    {"schema": 1,
     "notes":   {"NOTE": {"proof": "sha256 of the proof's text", "values": {"name": 42}}},
     "kernels": {"KATA": {"SLIP/VARIANT": {"case": …, "call": …, "expected": …, "got": …, "source": …}}},
     "cards":   {"KATA": {"SLIP/VARIANT": {"expected": …, "got": …, "source": …}}},
     "translations": {"NOTE": {"en": "hash of the English", "zh": "hash of the Chinese"}}}

`kernels` holds one input that exposes each wrong kernel, as text: the call and both results, as a card shows them;
`source` is the hash of the kernel's text, by which a stale entry is known. `cards` holds what the call of a card that
names its own gives: on the right kernel, and on the wrong one; `source` is the hash of kernel and call.
`translations` holds the pair of texts that were last seen together: English that changed without the Chinese is a
stale translation (see `lint`).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmdrills.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from llmdrills.content.model import Note, Slip
    from llmdrills.content.report import Report

__all__ = [
    "Computed",
    "Exposed",
    "NoteValues",
    "ShownCard",
    "Translation",
    "Value",
    "card_digest",
    "computed_file",
    "digest",
    "fill",
    "load_computed",
    "placeholders",
    "read_computed",
    "write_computed",
]

Value = int | float | str
_PLACEHOLDER = re.compile(r"\[\[([^\W\d]\w*)(?::([^\[\]]*))?\]\]")
_SCHEMA = 1


CLOSE = 1e-5
"""How far, relatively, a float may be from the one that was computed before: processors and versions of torch add up in
different orders, and what a card shows of a number is shorter than that."""

_LAST_DIGIT = 1.01e-3  # results are shown with four digits: 1.000 and 1.001
_DECIMAL = re.compile(r"-?\d+\.\d*(?:e[-+]\d+)?")  # a whole number has no last digit that may be another one


def digest(text: str) -> str:
    """The first 12 hex digits of a text's SHA-256: enough to see that it changed."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class NoteValues:
    """What a note's proof left behind; `proof` is the digest of the proof that computed it."""

    proof: str
    values: Mapping[str, Value] = field(default_factory=dict)

    def agrees(self, other: NoteValues) -> bool:
        """Whether both come from the same proof, and every number is as good as the same."""
        return (self.proof, self.values.keys()) == (other.proof, other.values.keys()) and all(
            _agree(value, other.values[name]) for name, value in self.values.items()
        )


@dataclass(frozen=True)
class Exposed:
    """An input that exposes a wrong kernel: the call and both results as text; `source` is the kernel's digest."""

    case: str
    call: str
    expected: str
    got: str
    source: str = ""

    def agrees(self, other: Exposed) -> bool:
        """Whether both show the same, but for the last digits of the results."""
        same = (self.case, self.call, self.source) == (other.case, other.call, other.source)
        return same and _alike(self.expected, other.expected) and _alike(self.got, other.got)


def _agree(one: Value, other: Value) -> bool:
    if type(one) is float and type(other) is float:
        return math.isclose(one, other, rel_tol=CLOSE)
    return type(one) is type(other) and one == other


def _alike(one: str, other: str) -> bool:
    """Whether two results, as text, differ in the last of four digits at most."""
    if one == other:
        return True
    if _DECIMAL.split(one) != _DECIMAL.split(other):
        return False
    numbers = zip(_DECIMAL.findall(one), _DECIMAL.findall(other), strict=True)
    return all(math.isclose(float(a), float(b), rel_tol=_LAST_DIGIT) for a, b in numbers)


@dataclass(frozen=True)
class ShownCard:
    """What the call of a card gives, as text: on the right kernel and on the wrong one; `source` is `card_digest`."""

    expected: str
    got: str
    source: str

    def agrees(self, other: ShownCard) -> bool:
        """Whether both show the same, but for the last digits of the results."""
        same = self.source == other.source
        return same and _alike(self.expected, other.expected) and _alike(self.got, other.got)


def card_digest(slip: Slip) -> str:
    """By what the results on a slip's card are known to be those of its kernel and its call."""
    return digest(f"{slip.source}\x1f{slip.shown.call if slip.shown else ''}")


@dataclass(frozen=True)
class Translation:
    """Digests of the English and the Chinese of a note that were last seen together."""

    en: str
    zh: str


@dataclass(frozen=True)
class Computed:
    """The whole file."""

    notes: Mapping[str, NoteValues] = field(default_factory=dict)
    kernels: Mapping[str, Mapping[str, Exposed]] = field(default_factory=dict)
    translations: Mapping[str, Translation] = field(default_factory=dict)
    cards: Mapping[str, Mapping[str, ShownCard]] = field(default_factory=dict)

    def exposed(self, kata: str, slip: str, variant: str) -> Exposed | None:
        """The input that exposes a wrong kernel in a variant, if one was computed."""
        known = self.kernels.get(kata, {})
        return known.get(f"{slip}/{variant}") or known.get(slip)

    def shown(self, kata: str, slip: Slip, variant: str) -> ShownCard | None:
        """What the call of the slip's card gives; None where it was not computed, or for another kernel or call."""
        found = self.cards.get(kata, {}).get(f"{slip.id}/{variant}")
        return found if found is not None and found.source == card_digest(slip) else None

    def values(self, note: Note) -> Mapping[str, Value]:
        """The values that a note's texts show: those of its proof, unless stale, and the card's of its family.

        What a proof computes is never taken from the family: a stale one must be told, not covered up.
        """
        proved = self._proved(note)
        if note.family is None:
            return proved
        return {name: one for name, one in note.family.card().names.items() if name not in note.values} | {**proved}

    def _proved(self, note: Note) -> Mapping[str, Value]:
        found = self.notes.get(note.id)
        if found is None or note.proof is None or found.proof != digest(note.proof):
            return {}
        return found.values

    def is_stale(self, note: Note) -> bool:
        """Whether a note shows values that its present proof did not compute."""
        return bool(note.values) and not set(note.values) <= set(self._proved(note))


def computed_file(root: Path) -> Path:
    """Where the file lies in a workspace."""
    return root / "decks" / "computed.json"


def load_computed(root: Path) -> Computed:
    """Read the workspace's file. Raises ContentError when it is damaged; a missing one is empty."""
    from llmdrills.content.report import Report

    report = Report(root)
    computed = read_computed(root, report)
    report.raise_if_any()
    return computed


def read_computed(root: Path, report: Report) -> Computed:
    """Read the workspace's file; a missing one is empty, what is wrong with it goes to `report`."""
    from llmdrills.content.yamlfile import read_text

    path = computed_file(root)
    if not path.exists():
        return Computed()
    text = read_text(path, report)
    if text is None:
        return Computed()
    todo = "write it again with `llmdrills check --write`"
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        what = "contains merge conflict markers" if "<<<<<<<" in text else f"not valid JSON ({error.msg})"
        report.add(path, error.lineno, error.colno, what, f"delete it, then {todo}")
        return Computed()
    except RecursionError:
        report.add(path, 1, 1, "nested too deeply", f"delete it, then {todo}")
        return Computed()
    if isinstance(data, dict) and isinstance(data.get("schema"), int) and data["schema"] > _SCHEMA:
        report.add(
            path, 1, 1, f"was written by a newer version of llmdrills (schema {data['schema']})", "update llmdrills"
        )
        return Computed()
    try:
        return _from_json(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        report.add(
            path, 1, 1, f"has an unexpected structure ({type(error).__name__}: {error})", f"delete it, then {todo}"
        )
        return Computed()


def _from_json(data: Any) -> Computed:
    if data["schema"] != _SCHEMA:
        raise ValueError(f"schema {data['schema']!r}")
    notes = {}
    for name, entry in data.get("notes", {}).items():
        values = dict(entry.get("values", {}))
        for key, value in values.items():
            if isinstance(value, bool) or not isinstance(value, (int, float, str)):
                raise TypeError(f"{name}: {key} is neither a number nor text")
        notes[name] = NoteValues(_text(entry["proof"]), values)
    kernels = {
        kata: {name: Exposed(**{key: _text(value) for key, value in entry.items()}) for name, entry in entries.items()}
        for kata, entries in data.get("kernels", {}).items()
    }
    translations = {
        name: Translation(_text(entry["en"]), _text(entry["zh"]))
        for name, entry in data.get("translations", {}).items()
    }
    cards = {
        kata: {name: ShownCard(**{key: _text(value) for key, value in entry.items()}) for name, entry in found.items()}
        for kata, found in data.get("cards", {}).items()
    }
    return Computed(notes, kernels, translations, cards)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def write_computed(root: Path, computed: Computed) -> bool:
    """Write the workspace's file in a stable order, whole or not at all; False when it already said so."""
    data = {
        "schema": _SCHEMA,
        "notes": {name: {"proof": one.proof, "values": dict(one.values)} for name, one in computed.notes.items()},
        "kernels": {
            kata: {name: vars(one) for name, one in entries.items()} for kata, entries in computed.kernels.items()
        },
        "cards": {kata: {name: vars(one) for name, one in found.items()} for kata, found in computed.cards.items()},
        "translations": {name: vars(one) for name, one in computed.translations.items()},
    }
    text = json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n"
    path = computed_file(root)
    if path.exists() and path.read_bytes() == text.encode():
        return False
    write_atomically(path, text)
    return True


def placeholders(text: str) -> set[str]:
    """The names that a text shows as `[[name]]`."""
    return {name for name, _ in _PLACEHOLDER.findall(text)}


def fill(text: str, values: Mapping[str, Value]) -> tuple[str, tuple[str, ...]]:
    """Replace `[[name]]` and `[[name:spec]]`; returns the text and what was wrong, one sentence each.

    A note without `values` has no placeholders (`[[x]]` in its code is code): don't call this for it.
    """
    faults: list[str] = []

    def shown(found: re.Match[str]) -> str:
        name, spec = found[1], found[2] or ""
        if name not in values:
            faults.append(f"`{found[0]}` has no computed value: run `llmdrills check --write`")
            return found[0]
        value = values[name]
        try:
            return format(value, spec) if spec or not isinstance(value, float) else _plain(value)
        except (ValueError, TypeError) as error:
            faults.append(f"`{found[0]}` cannot be formatted ({error}): fix what follows the colon")
            return found[0]

    return _PLACEHOLDER.sub(shown, text), tuple(faults)


def _plain(value: float) -> str:
    """A float without noise: 0.1 + 0.2 is shown as 0.3."""
    return str(int(value)) if math.isfinite(value) and value == int(value) and abs(value) < 1e15 else f"{value:.12g}"
