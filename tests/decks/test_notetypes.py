"""What was released of the note types stays for ever: Anki would fork or break every collection otherwise."""

from __future__ import annotations

import re

import pytest

from llmdrills.decks.forecast import classify
from llmdrills.decks.labels import LABELS, TOPIC_LABELS
from llmdrills.decks.lock import NoteTypeLine
from llmdrills.decks.notetypes import NOTE_TYPES, note_types
from llmdrills.decks.style import CODE_COLOURS, CSS, LIGHT, NIGHT
from llmdrills.language import LANGUAGES

_SHARED = (
    "419001 Extra, 419002 Figure, 419003 Topic, 419004 Kata, 419005 Sources, 419006 NoteId, 419007 Retired, "
    "419008 Reserved1, 419009 Reserved2, 419010 Reserved3"
)
# Version 0.1.0. A name may change (a rename is safe); an id, the order and the counts may not.
RELEASED = {
    "question": (1795100010101, 1795100010102, f"410101 Front, 410102 Back, {_SHARED}", "420101, 420102"),
    "cloze": (1795100010201, 1795100010202, f"410201 Text, 410202 Back, {_SHARED}", "420201"),
    "checklist": (
        1795100010301,
        1795100010302,
        f"410301 Front, 410302 Items, 410303 Steps, 410304 Back, {_SHARED}",
        "420301, 420302",
    ),
    "number": (
        1795100010401,
        1795100010402,
        f"410401 Front, 410402 Answer, 410403 Unit, 410404 Tolerance, 410405 Back, {_SHARED}",
        "420401, 420402",
    ),
    "bug": (1795100010501, 1795100010502, f"410501 Front, 410502 Back, {_SHARED}", "420501, 420502"),
}


@pytest.mark.parametrize("kind", NOTE_TYPES)
def test_should_keep_ids_order_and_counts_as_first_released(kind):
    en, zh, fields, templates = RELEASED[kind]
    for language, model in (("en", en), ("zh", zh)):
        spec = note_types(language)[kind]
        assert spec.id == model
        assert ", ".join(f"{field.id} {field.name}" for field in spec.fields) == fields
        assert ", ".join(str(template.id) for template in spec.templates) == templates
        assert spec.sort_field == 0
        assert spec.cloze == (kind == "cloze")


def test_should_blank_every_front_when_retired_and_name_only_fields_that_there_are():
    for language in LANGUAGES:
        for spec in note_types(language).values():
            names = {field.name for field in spec.fields} | {"FrontSide"}
            for template in spec.templates:
                assert re.fullmatch(r"\{\{\^Retired\}\}.*\{\{/Retired\}\}", template.front, re.DOTALL)
                used = re.findall(r"\{\{[#^/]?(?:type:|cloze:)*([^{}:]+)\}\}", template.front + template.back)
                assert set(used) <= names


def test_should_have_templates_without_script_that_ask_for_nothing_from_elsewhere():
    for language in LANGUAGES:
        for spec in note_types(language).values():
            text = spec.css + "".join(template.front + template.back for template in spec.templates)
            assert not re.search(r"<script|javascript:|\bon\w+=|@import|url\(|https?:", text)


def test_should_fill_every_label_and_have_chinese_ones():
    for language in LANGUAGES:
        for spec in note_types(language).values():
            for template in spec.templates:
                assert not re.search(r"@[a-z]+@", template.front + template.back)
    for label in LABELS.values():
        assert label.en != label.zh
    from llmdrills.content.model import TOPICS

    assert set(TOPIC_LABELS) == set(TOPICS)


def _line(**changes) -> NoteTypeLine:
    values = {
        "note_type": "question",
        "language": "en",
        "id": 1,
        "name": "Q",
        "cloze": False,
        "fields": ((1, "A"), (2, "B")),
        "templates": ((5, "C"),),
        "sort_field": 0,
        "hash": "0",
        "mtime": 1,
    }
    return NoteTypeLine(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "safe"),
        ({"hash": "1"}, "safe"),
        ({"fields": ((1, "A"), (2, "X"))}, "safe"),
        ({"templates": ((5, "D"),)}, "safe"),
        ({"fields": ((1, "A"), (2, "B"), (3, "C"))}, "needs-option"),
        ({"fields": ((1, "A"),)}, "needs-option"),
        ({"fields": ((2, "B"), (1, "A"))}, "needs-option"),
        ({"templates": ((5, "C"), (6, "D"))}, "needs-option"),
        ({"sort_field": 1}, "needs-option"),
        ({"id": 2}, "refused"),
        ({"cloze": True}, "refused"),
    ],
)
def test_should_classify_a_change_of_a_note_type(changes, verdict):
    """Each of these is held against Anki in test_reimport_rules.py."""
    found = classify(_line(), _line(**changes))
    assert found.verdict == verdict
    assert (found.settings is not None) == (verdict == "needs-option")


# Style: contrast by the formula of WCAG 2, for every pair of colours that can meet.


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


MEETING = [
    *(("page", name) for name in ("text", "muted", "link", "cloze")),
    *(("code-page", name) for name in ("code-text", "cloze", *CODE_COLOURS)),
    *((page, "typed-text") for page in ("good-page", "bad-page", "missed-page")),
]


@pytest.mark.parametrize("mode", ["light", "night"])
@pytest.mark.parametrize("pair", MEETING, ids=lambda pair: "-on-".join(reversed(pair)))
def test_should_have_a_contrast_of_at_least_4_5(mode: str, pair: tuple[str, str]):
    colours = LIGHT if mode == "light" else NIGHT
    assert contrast(colours[pair[0]], colours[pair[1]]) >= 4.5


def test_should_define_the_same_colours_in_both_modes_and_all_that_are_used():
    assert set(LIGHT) == set(NIGHT)
    assert set(re.findall(r"var\(--([\w-]+)\)", CSS)) == set(LIGHT)
