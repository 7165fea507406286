"""decks/computed.json: what proofs computed is read, written and shown, and damage is told with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmdrills.content.computed import (
    Computed,
    Exposed,
    NoteValues,
    ShownCard,
    Translation,
    Value,
    computed_file,
    digest,
    fill,
    load_computed,
    placeholders,
    write_computed,
)
from llmdrills.errors import ContentError
from tests.helpers.content_folder import Folder

FULL = Computed(
    notes={"scale": NoteValues(digest("n = 2"), {"n": 2, "share": 0.1, "name": "四"})},
    kernels={"twice": {"squared/standard": Exposed("base", "twice(3)", "6", "9", "abc")}},
    translations={"scale": Translation("a", "b")},
)


def test_should_read_again_what_is_written(folder: Folder) -> None:
    assert load_computed(folder.root) == Computed()
    assert write_computed(folder.root, FULL)
    assert load_computed(folder.root) == FULL


def test_should_leave_the_file_alone_when_the_same_is_written_again(folder: Folder) -> None:
    write_computed(folder.root, FULL)
    before = computed_file(folder.root).stat()
    assert not write_computed(folder.root, FULL)
    assert computed_file(folder.root).stat().st_mtime_ns == before.st_mtime_ns


def test_should_not_depend_on_the_order_of_what_is_written(folder: Folder) -> None:
    first = {"b": Translation("1", "2"), "a": Translation("3", "4")}
    write_computed(folder.root, Computed(translations=first))
    text = computed_file(folder.root).read_text("utf-8")
    assert not write_computed(folder.root, Computed(translations=dict(reversed(first.items()))))
    assert text.index('"a"') < text.index('"b"')
    assert [path.name for path in computed_file(folder.root).parent.iterdir() if path.name.startswith(".")] == []


def test_should_not_write_a_number_that_is_none(folder: Folder) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_computed(folder.root, Computed(notes={"scale": NoteValues("x", {"n": float("nan")})}))
    assert not computed_file(folder.root).exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[]", "has an unexpected structure"),
        ("null", "has an unexpected structure"),
        ('{"schema": 2}', "newer version of llmdrills"),
        ('{"schema": 1, "notes": []}', "has an unexpected structure"),
        ('{"schema": 1, "notes": {"a": {"proof": "x", "values": {"n": [1]}}}}', "neither a number nor text"),
        ('{"schema": 1, "kernels": {"a": {"b": {"case": "c"}}}}', "has an unexpected structure"),
        ("<<<<<<< HEAD\n{}", "merge conflict"),
        ("[" * 100_000, "nested too deeply"),
        (b"\xff\xfe", "byte-order mark"),
    ],
)
def test_should_name_the_place_of_damage_in_a_file(folder: Folder, text: str | bytes, says: str) -> None:
    folder.write("decks/computed.json", text)
    with pytest.raises(ContentError) as caught:
        load_computed(folder.root)
    (problem,) = caught.value.problems
    assert problem.file == Path("decks/computed.json")
    assert says in str(problem)


def test_should_not_count_values_of_another_proof(folder: Folder) -> None:
    more = "extra: {en: '[[n]]', zh: '[[n]]'}\n    proof: n = 2\n    values: [n]"
    folder.edit("decks/small.yaml", "    kata: twice", f"    kata: twice\n    {more}")
    note = folder.load().decks[1].notes[0]
    assert FULL.values(note) == {"n": 2, "share": 0.1, "name": "四"}
    assert not FULL.is_stale(note)
    old = Computed(notes={"scale": NoteValues(digest("n = 3"), {"n": 3})})
    assert old.values(note) == {}
    assert old.is_stale(note)
    assert Computed().is_stale(note)


def test_should_find_the_input_of_a_variant_before_that_of_all(folder: Folder) -> None:
    assert FULL.exposed("twice", "squared", "standard") == FULL.kernels["twice"]["squared/standard"]
    assert FULL.exposed("twice", "squared", "other") is None
    assert FULL.exposed("thrice", "squared", "standard") is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[[n]] of [[big:,.1f]]", "2 of 1,234.6"),
        ("$[[n]]$ `[[share]]`", "$2$ `0.3`"),
        ("[[big:.2e]] [[whole]] [[name]]", "1.23e+03 5 四"),
        ("[[1, 2]] and x[[0]]", "[[1, 2]] and x[[0]]"),
        ("nothing", "nothing"),
    ],
)
def test_should_fill_placeholders(text: str, shown: str) -> None:
    values = {"n": 2, "big": 1234.567, "share": 0.1 + 0.2, "whole": 5.0, "name": "四"}
    assert fill(text, values) == (shown, ())


@pytest.mark.parametrize(("text", "says"), [("[[m]]", "no computed value"), ("[[n:q]]", "cannot be formatted")])
def test_should_leave_and_report_a_placeholder_that_cannot_be_filled(text: str, says: str) -> None:
    shown, (fault,) = fill(text, {"n": 2})
    assert shown == text
    assert says in fault


def test_should_name_placeholders() -> None:
    assert placeholders("[[a]] [[b:.1f]] [[1]]") == {"a", "b"}


def test_should_read_the_shipped_file(root: Path) -> None:
    assert json.loads(computed_file(root).read_text("utf-8"))["schema"] == 1
    load_computed(root)


@pytest.mark.parametrize(
    ("name", "value", "agrees"),
    [
        ("share", 0.1 * (1 + 4e-6), True),  # another processor added up in another order
        ("share", 0.1 * (1 - 4e-5), False),
        ("n", 3, False),
        ("n", 2.0, False),  # shown as 2.0 where 2 stood
        ("name", "五", False),
    ],
)
def test_should_take_a_number_for_the_same_up_to_its_rounding(name: str, value: Value, agrees: bool) -> None:
    known = FULL.notes["scale"]
    fresh = NoteValues(known.proof, {**known.values, name: value})
    assert known.agrees(fresh) is fresh.agrees(known) is agrees
    assert not known.agrees(NoteValues("another proof", known.values))
    assert not known.agrees(NoteValues(known.proof, {**known.values, "more": 1}))


@pytest.mark.parametrize(
    ("text", "agrees"),
    [
        ("[[0.2349, 1.309, -0.1318]]", True),  # another processor rounds the last digit
        ("[[0.2349, 1.308, -0.1338]]", False),
        ("[[0.2349, 1.308]]", False),
        ("[[0.2349, 1.308, nan]]", False),
        ("[(0.2349, 1.308, -0.1317)]", False),
    ],
)
def test_should_take_a_shown_result_for_the_same_up_to_its_last_digit(text: str, agrees: bool) -> None:
    known = Exposed("base", "twice(3)", "6", "[[0.2349, 1.308, -0.1317]]", "abc")
    assert known.agrees(Exposed("base", "twice(3)", "6", text, "abc")) is agrees
    assert not known.agrees(Exposed("base", "twice(3)", "7", known.got, "abc")), "whole numbers are exact"
    assert not known.agrees(Exposed("base", "twice(3)", "6", known.got, "of another kernel"))
    card = ShownCard("6", known.got, "abc")
    assert card.agrees(ShownCard("6", text, "abc")) is agrees
