"""The note types as Anki sees them: ids, fields, templates.

Everything here is kept for ever. Anki matches a note type by its id and compares fields and templates by theirs, in
order; one more field, one fewer, or another order forks the note type in every collection ("Name+"), and the notes
there never update again. So each type has three reserved fields from its first release, and each but cloze (which can
have one template only) a reserved template that makes no card while `Reserved3` is empty: giving one of them a name is
a rename, which Anki follows in place. tests/decks/test_notetypes.py pins all of it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from llmdrills.content.model import NoteType
from llmdrills.content.workspacefile import NOTE_TYPE
from llmdrills.decks.labels import LABELS
from llmdrills.decks.style import CSS

if TYPE_CHECKING:
    from llmdrills.language import Language

__all__ = ["NOTE_TYPES", "Field", "Look", "NoteTypeSpec", "Template", "note_types"]


@dataclass(frozen=True)
class Field:
    """A field: its name and its id, which outlives the name."""

    id: int
    name: str


@dataclass(frozen=True)
class Template:
    """A card template; `front` and `back` are Anki's mustache."""

    id: int
    name: str
    front: str
    back: str


@dataclass(frozen=True)
class NoteTypeSpec:
    """A note type in one language."""

    id: int
    name: str
    cloze: bool
    fields: tuple[Field, ...]
    templates: tuple[Template, ...]
    css: str
    sort_field: int = 0

    def index(self, field: str) -> int:
        """Where the field of that name stands; KeyError when there is none."""
        for place, known in enumerate(self.fields):
            if known.name == field:
                return place
        raise KeyError(field)


NOTE_TYPES: tuple[NoteType, ...] = ("question", "cloze", "checklist", "number", "bug")

# (type, language) → id. Ids in Anki are times in milliseconds; these are of the week of the first release.
_MODEL_IDS: dict[tuple[NoteType, Language], int] = {
    ("question", "en"): 1795100010101,
    ("question", "zh"): 1795100010102,
    ("cloze", "en"): 1795100010201,
    ("cloze", "zh"): 1795100010202,
    ("checklist", "en"): 1795100010301,
    ("checklist", "zh"): 1795100010302,
    ("number", "en"): 1795100010401,
    ("number", "zh"): 1795100010402,
    ("bug", "en"): 1795100010501,
    ("bug", "zh"): 1795100010502,
}
_NAMES: dict[NoteType, str] = {
    "question": "LLM Drills Question",
    "cloze": "LLM Drills Cloze",
    "checklist": "LLM Drills Checklist",
    "number": "LLM Drills Number",
    "bug": "LLM Drills Bug",
}
_OWN_FIELDS: dict[NoteType, tuple[Field, ...]] = {
    "question": (Field(410101, "Front"), Field(410102, "Back")),
    "cloze": (Field(410201, "Text"), Field(410202, "Back")),
    "checklist": (Field(410301, "Front"), Field(410302, "Items"), Field(410303, "Steps"), Field(410304, "Back")),
    "number": (
        Field(410401, "Front"),
        Field(410402, "Answer"),
        Field(410403, "Unit"),
        Field(410404, "Tolerance"),
        Field(410405, "Back"),
    ),
    "bug": (Field(410501, "Front"), Field(410502, "Back")),
}
_SHARED_FIELDS = (
    Field(419001, "Extra"),
    Field(419002, "Figure"),
    Field(419003, "Topic"),
    Field(419004, "Kata"),
    Field(419005, "Sources"),
    Field(419006, "NoteId"),
    Field(419007, "Retired"),
    Field(419008, "Reserved1"),
    Field(419009, "Reserved2"),
    Field(419010, "Reserved3"),
)
_TEMPLATE_IDS: dict[NoteType, tuple[int, int]] = {
    "question": (420101, 420102),
    "cloze": (420201, 0),
    "checklist": (420301, 420302),
    "number": (420401, 420402),
    "bug": (420501, 420502),
}
_LOCALE: dict[Language, str] = {"en": "en", "zh": "zh-CN"}

_PROMPT: dict[NoteType, str] = {
    "question": '<div class="prompt">{{Front}}</div>',
    "cloze": '<div class="prompt">{{cloze:Text}}</div>',
    "checklist": '<div class="prompt">{{Front}}</div>',
    "number": '<div class="prompt">{{Front}}</div>'
    '<div class="asked">{{#Unit}}@unit@<b>{{Unit}}</b>{{/Unit}} '
    '<span class="tolerance">@tolerance@{{Tolerance}}</span></div>',
    "bug": '<div class="prompt">{{Front}}</div>',
}
_ONLY_FRONT: dict[NoteType, str] = {
    "question": "",
    "cloze": "",
    "checklist": '<div class="steps">{{Steps}}</div>',
    "number": "{{type:Answer}}",
    "bug": "",
}
_ANSWER: dict[NoteType, str] = {
    "question": '<div class="answer">{{Back}}</div>',
    "cloze": '{{#Back}}<div class="answer">{{Back}}</div>{{/Back}}',
    "checklist": '<div class="answer">{{Items}}{{#Back}}{{Back}}{{/Back}}</div>',
    "number": "{{type:Answer}}"
    '<div class="answer"><p class="value"><b>{{Answer}}</b>{{#Unit}} {{Unit}}{{/Unit}}</p>'
    "{{#Back}}{{Back}}{{/Back}}</div>",
    "bug": '<div class="answer">{{Back}}</div>',
}
_FOOT = (
    '{{#Figure}}<div class="figure">{{Figure}}</div>{{/Figure}}'
    '{{#Extra}}<div class="extra">{{Extra}}</div>{{/Extra}}'
    '<div class="foot">'
    '{{#Kata}}<div class="kata">@kata@{{Kata}}</div>{{/Kata}}'
    '{{#Sources}}<div class="sources">@source@{{Sources}}</div>{{/Sources}}'
    "</div>"
)


@dataclass(frozen=True)
class Look:
    """An author's own name and style for the note types, and the ids that their lock knows: type → id."""

    namespace: str = ""
    name: str = NOTE_TYPE
    css: str = ""
    ids: tuple[tuple[str, int], ...] = ()

    def id_of(self, kind: NoteType, language: Language) -> int:
        """The id for ever: the released one; ours where nothing is the author's own; else one from the namespace.

        Two workspaces of one id would restyle each other's cards.
        """
        if kind in dict(self.ids):
            return dict(self.ids)[kind]
        own = self.css or self.name != NOTE_TYPE
        if not own and (kind, language) in _MODEL_IDS:
            return _MODEL_IDS[kind, language]
        seed = f"note type\x1f{self.namespace if own else ''}\x1f{kind}\x1f{language}"
        return 1_600_000_000_000 + int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big") % 100_000_000_000


_OURS = Look()


def _labelled(text: str, language: Language) -> str:
    for name, label in LABELS.items():
        text = text.replace(f"@{name}@", label[language])
    return text


def _card(kind: NoteType, language: Language, body: str) -> str:
    """One side of a card, with its topic and kind above."""
    head = f'<div class="meta"><span class="topic">{{{{Topic}}}}</span> · @{kind}@</div>'
    return _labelled(
        f'<div class="llm llm-{kind}" lang="{_LOCALE.get(language, language)}">\n{head}\n{body}\n</div>', language
    )


def _front(kind: NoteType, language: Language) -> str:
    # Anki's Empty Cards offers to delete a card whose front shows no field: this is how a retired note is removed.
    return "{{^Retired}}" + _card(kind, language, _PROMPT[kind] + _ONLY_FRONT[kind]) + "{{/Retired}}"


def _back(kind: NoteType, language: Language) -> str:
    return _card(kind, language, f'{_PROMPT[kind]}\n<hr id="answer">\n{_ANSWER[kind]}\n{_FOOT}')


def _templates(kind: NoteType, language: Language) -> tuple[Template, ...]:
    first, reserved = _TEMPLATE_IDS[kind]
    main = Template(first, "Card 1", _front(kind, language), _back(kind, language))
    if not reserved:
        return (main,)
    gated = "{{^Retired}}{{#Reserved3}}{{Reserved3}}{{/Reserved3}}{{/Retired}}"
    return (main, Template(reserved, "Reserved", gated, "{{Front}}"))


@cache
def note_types(language: Language, look: Look = _OURS) -> dict[NoteType, NoteTypeSpec]:
    """The note types of one language, by the type of note that uses them."""
    return {
        kind: NoteTypeSpec(
            id=look.id_of(kind, language),
            name=f"{_NAMES[kind].replace(NOTE_TYPE, look.name)} ({language})",
            cloze=kind == "cloze",
            fields=_OWN_FIELDS[kind] + _SHARED_FIELDS,
            templates=_templates(kind, language),
            css=f"{CSS}\n{look.css}" if look.css else CSS,
        )
        for kind in NOTE_TYPES
    }
