"""Number families: what a deck may say of them, what `check` finds, and that the card keeps its one instance."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmdrills.content.computed import Computed, NoteValues, digest
from llmdrills.content.family import Family, Quantity
from llmdrills.content.lint import lint
from llmdrills.content.model import Note
from llmdrills.content.nearness import bounds, is_right, plain
from llmdrills.decks.values import Values
from llmdrills.errors import ContentError
from llmdrills.messages import in_chinese
from tests.helpers.content_folder import Folder

CACHE = """\
id: cache
type: number
topic: systems
front:
  en: "A model has [[layers]] layers. How many KiB for [[tokens:,]] tokens?"
  zh: "模型有 [[layers]] 层，[[tokens]] 个 token 占多少 KiB？"
answer: {value: "[[kib:.0f]]", unit: KiB, tolerance: 1%}
back: {en: "[[per]] bytes each, [[kib:.0f]] KiB.", zh: "每个 [[per]] 字节，共 [[kib:.0f]] KiB。"}
family:
  quantities:
    layers: {choices: [8, 16, 32], card: 32}
    tokens: {low: 1000, high: 9000, step: 500, card: 4000}
  where: tokens >= layers
  steps:
    per: 2 * layers * 64
  formula: per * tokens / 1024
sources: [A book]
"""


def with_family(folder: Folder, old: str = "", new: str = "") -> Folder:
    """The small workspace with that note, one text of it replaced."""
    assert not old or CACHE.count(old) == 1, old
    return folder.note(CACHE.replace(old, new) if old else CACHE)


def family_of(folder: Folder) -> tuple[Note, Family]:
    note = next(note for note in folder.load().notes if note.id == "cache")
    assert note.family is not None
    return note, note.family


def found(folder: Folder, computed: Computed | None = None) -> list[str]:
    return [f"{one.rule}: {one.what}" for one in lint(folder.load(), computed) if one.rule.startswith("family-")]


def test_should_read_a_family_and_find_nothing_wrong_with_it(folder: Folder) -> None:
    _, family = family_of(with_family(folder))
    assert family.count == 3 * 17
    assert family.names == {"layers", "tokens", "per", "kib"}
    assert family.card().names == {"layers": 32, "tokens": 4000, "per": 4096, "kib": 16000.0}
    assert family.tolerance == "1%"
    assert found(folder) == []


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("choices: [8, 16, 32], card: 32", "choices: [], card: 32", "has 0 numbers"),
        ("choices: [8, 16, 32], card: 32", "card: 32", "`layers` has no range"),
        ("choices: [8, 16, 32], card: 32", "choices: [8, 16, 32], low: 3, card: 32", "`layers` has no range"),
        ("choices: [8, 16, 32], card: 32", "choices: [8, 16, 32]", "has no `card`"),
        ("choices: [8, 16, 32], card: 32", "choices: [8, 16, 16, 32], card: 32", "names a number twice"),
        ("choices: [8, 16, 32], card: 32", "choices: [8, many, 32], card: 32", "is `many`"),
        ("choices: [8, 16, 32], card: 32", "choices: [8, 16, 32], card: 24", "the card's 24 is not in the range"),
        ("step: 500, card: 4000", "step: 500, card: 4001", "the card's 4001 is not in the range"),
        ("step: 500, card: 4000", "step: 0, card: 4000", "the range of `tokens` is empty"),
        ("step: 500, card: 4000", "step: -5, card: 4000", "the range of `tokens` is empty"),
        ("low: 1000, high: 9000", "low: 9001, high: 9000", "the range of `tokens` is empty"),
        ("step: 500, card: 4000", "step: 0.01, card: 4000", "more than 10000 values"),
        ("low: 1000, high: 9000", "low: 1000, high: 1e99", "more than 10000 values"),
        ("low: 1000, high: 9000", "low: 1000", "`tokens` has no range"),
        ("per * tokens / 1024", "per * token / 1024", "`token` in `formula` is no quantity or step"),
        ("per * tokens / 1024", "per * tokens / (layers - 32)", "on the card's numbers `per * tokens"),
        ("per * tokens / 1024", "per * tokens /", "is no formula"),
        ("per * tokens / 1024", "__import__('os').system('true')", "there is no function"),
        ("per: 2 * layers * 64", "per: 2 * kib", "`kib` in `steps.per` is no quantity or step"),
        ("per: 2 * layers * 64", "layers: 2 * 64", "`layers` has a meaning already"),
        ("per: 2 * layers * 64", "kib: 2 * 64", "both called `kib`"),
        ("    layers: {", "    sqrt: {", "`sqrt` has a meaning already"),
        ("tokens >= layers", "tokens < layers", "`where` refuses the card's own numbers"),
        ("tokens >= layers", "tokens >= per", "`per` in `where` is no quantity or step"),
        ("A model has [[layers]] layers", "A model has layers", "front.en does not show the quantity `layers`"),
        ("[[tokens]] 个 token", "若干个 token", "front.zh does not show the quantity `tokens`"),
        ("A model has [[layers]]", "A model of [[width]] has [[layers]]", "`[[width]]` in front is no quantity"),
        ("A model has [[layers]]", "A model of [[kib]] has [[layers]]", "front.en shows the answer"),
        ("[[per]] bytes each", "[[each]] bytes each", "`[[each]]` in back is no quantity"),
        ("  formula: per", "  back: {en: So., zh: 所以。}\n  formula: per", "`back` of a family without its `front`"),
        ("  formula: per", "  formulas: per", "unknown key `family.formulas`"),
        ("tolerance: 1%}", "tolerance: some}", "tolerance is `some`"),
        ("id: cache\ntype: number", "id: cache\ntype: question", "`family` does not belong to type `question`"),
    ],
)
def test_should_refuse_what_does_not_fit_together(folder: Folder, old: str, new: str, what: str) -> None:
    problems = with_family(folder, old, new).problems()
    assert any(what in problem.what for problem in problems), [str(one) for one in problems]
    for problem in problems:
        assert problem.todo
        assert problem.line >= 12  # in the note, not at the top of the file
        assert in_chinese(problem.what) != problem.what


def test_should_name_what_a_text_of_its_own_cannot_show(folder: Folder) -> None:
    own = '  front: {en: "[[layers]] and [[tokens]], [[depth]]?", zh: "[[layers]]、[[tokens]]？"}\n  formula: per'
    problems = with_family(folder, "  formula: per", own).problems()
    assert [one.what for one in problems] == ["`[[depth]]` in family.front is no quantity, step or answer"]


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("per * tokens / 1024", "per * tokens / (tokens - 1000)", "family-draw: with layers = 8, tokens = 1000: "),
        ("per * tokens / 1024", "exp(per) * tokens", None),  # not even the card's
        ("per * tokens / 1024", "16000 * log(layers - 8) / log(24)", "family-draw: with layers = 8, tokens = 1000: "),
        ("per * tokens / 1024", "16000 + 0 * tokens", "family-alike: the answer is 16000 in all draws"),
        ("high: 9000, step: 500", "high: 4000, step: 3000", None),  # six questions, and one number is no fault
        ("choices: [8, 16, 32], card", "choices: [32], card", None),
        ("high: 9000, step: 500, card: 4000", "high: 4000, step: 9000, card: 1000", "family-alike: the family has 3 "),
        ("tolerance: 1%}", "tolerance: exact}", None),  # whole or short
        (", tolerance: 1%}", "}", "family-tolerance: the family has no tolerance"),
        ("per * tokens / 1024", "16000 * (layers - 8) / 24", "family-tolerance: the tolerance is a share, and with "),
    ],
)
def test_should_find_what_a_draw_would_show(folder: Folder, old: str, new: str, wanted: str | None) -> None:
    with_family(folder, old, new)
    try:
        said = found(folder)
    except ContentError:
        assert wanted is None
        return
    assert [one.startswith(wanted) for one in said if wanted] == [True] * bool(wanted)


def test_should_find_a_format_that_there_is_none_of(folder: Folder) -> None:
    own = '  front: {en: "[[layers:q]], [[tokens]]?", zh: "[[layers]]、[[tokens]]？"}\n  formula: per'
    assert found(with_family(folder, "  formula: per", own))[0].startswith("family-draw: `[[layers:q]]` cannot be form")


def test_should_find_an_exact_answer_whose_digits_never_end(folder: Folder) -> None:
    text = CACHE.replace("tolerance: 1%", "tolerance: exact").replace(
        "per * tokens / 1024", "tokens * 12 / (layers - 29)"
    )
    folder.note(text)
    (one,) = found(folder)
    assert one.startswith("family-tolerance: the tolerance is exact, and with layers = 8, tokens = 1000 the answer is")


def test_should_find_a_condition_that_refuses_nearly_everything(folder: Folder) -> None:
    with_family(folder, "tokens >= layers", "tokens == 4000 and layers == 32")
    assert found(folder)[0] == "family-alike: the family has 1 different questions"
    assert "family-draw: `where` refuses 50 of 51 draws" in found(folder)


@pytest.mark.parametrize("rule", ["family-draw", "family-card", "family-alike", "family-tolerance"])
def test_should_let_each_rule_be_waived_with_a_reason(folder: Folder, rule: str) -> None:
    spoilt = {
        "family-draw": ("per * tokens / 1024", "16000 * log(layers - 8) / log(24)"),
        "family-card": ('value: "[[kib:.0f]]"', "value: 16001"),
        "family-alike": ("per * tokens / 1024", "16000 + 0 * tokens"),
        "family-tolerance": (", tolerance: 1%}", "}"),
    }[rule]
    text = CACHE.replace(*spoilt)
    if rule == "family-card":
        text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("back:"))
    folder.note(text + f"waive: {{{rule}: it is meant so}}\n")
    assert not [one for one in lint(folder.load()) if one.rule in {rule, "waiver"}]


# ---- the card --------------------------------------------


def test_should_fill_the_cards_own_numbers_in_without_a_proof(folder: Folder) -> None:
    note, _ = family_of(with_family(folder))
    fill = Values(Computed())
    assert fill(note, note.front.en, "front.en") == "A model has 32 layers. How many KiB for 4,000 tokens?"
    assert fill(note, note.back.zh if note.back else "", "back.zh") == "每个 4096 字节，共 16000 KiB。"
    assert fill(note, note.answer.value if note.answer else "", "answer.value") == "16000"
    fill.raise_if_any()


def test_should_take_from_a_proof_what_it_computes_and_tell_where_that_is_stale(folder: Folder) -> None:
    folder.note(CACHE + "proof: kib = 16000\nvalues: [kib]\n")
    note, _ = family_of(folder)
    proved = Computed({"cache": NoteValues(digest(note.proof or ""), {"kib": 16001})})
    assert Values(proved)(note, "[[kib]] [[layers]]", "back.en") == "16001 32"
    assert not proved.is_stale(note)
    assert found(folder, proved) == [
        "family-card: for the card's numbers the formula gives 16000, and the card says 16001"
    ]
    stale = Computed({"cache": NoteValues("another", {"kib": 16001})})
    fill = Values(stale)
    fill(note, "[[kib]] [[layers]]", "back.en")
    assert stale.is_stale(note)
    with pytest.raises(ContentError, match="has no computed value"):
        fill.raise_if_any()


# ---- drawing --------------------------------------------


def test_should_draw_the_same_of_a_seed_and_others_of_others(folder: Folder) -> None:
    _, family = family_of(with_family(folder))
    assert family.draw("7") == family.draw("7")
    assert len({family.draw(str(seed)).answer for seed in range(200)}) > 20


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_should_draw_from_the_ranges_what_goes_together_and_compute_the_answer(data: st.DataObject) -> None:
    numbers = st.lists(st.integers(1, 50), min_size=1, max_size=6, unique=True)
    first, second = data.draw(numbers), data.draw(numbers)
    card = data.draw(st.tuples(st.sampled_from(first), st.sampled_from(second)))
    family = Family(
        quantities=(Quantity("a", tuple(first), card[0]), Quantity("b", tuple(second), card[1])),
        steps={"total": "a + b"},
        formula="total * a / b",
        where=f"a >= b or a + b == {sum(card)}",
    )
    drawn = family.draw(str(data.draw(st.integers(0, 1000))))
    a, b = drawn.names["a"], drawn.names["b"]
    assert a in first
    assert b in second
    assert a >= b or a + b == sum(card)
    assert drawn.answer == (a + b) * a / b


def test_should_draw_every_value_of_a_range_its_ends_too(folder: Folder) -> None:
    _, family = family_of(with_family(folder))
    drawn = [family.draw(f"seed {seed}").names for seed in range(600)]
    assert {one["tokens"] for one in drawn} == set(range(1000, 9001, 500))
    assert {one["layers"] for one in drawn} == {8, 16, 32}


def test_should_count_in_decimals_without_the_noise_of_floats(folder: Folder) -> None:
    note = CACHE.replace("low: 1000, high: 9000, step: 500, card: 4000", "low: 0.1, high: 0.7, step: 0.1, card: 0.3")
    folder.note(note.replace("  where: tokens >= layers\n", "").replace("[[tokens:,]]", "[[tokens]]"))
    _, family = family_of(folder)
    assert family.quantities[1].values == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


def test_should_pass_over_numbers_that_have_no_answer() -> None:
    family = Family((Quantity("a", (0, 1, 2), 1),), "6 / a")
    assert {family.draw(str(seed)).answer for seed in range(50)} == {3, 6}


def test_should_end_when_a_condition_refuses_everything_else() -> None:
    family = Family((Quantity("a", (1, 2), 1),), "a * 3", where="a > 5")
    assert family.draw("1").names == {"a": 1}
    assert random.Random("seed 1").choice(range(1000)) == random.Random("seed 1").choice(range(1000))


# ---- how near is right --------------------------------------------


@pytest.mark.parametrize(
    ("given_", "answer", "tolerance", "right"),
    [
        (8192, 8192.0, "exact", True),
        (8191, 8192, "exact", False),
        (0.3, 0.1 + 0.2, "exact", True),
        (101, 100, "1%", True),
        (101.01, 100, "1%", False),
        (99, 100, "1%", True),
        (-99, -100, "1%", True),
        (-98.9, -100, "1%", False),
        (4.5, 5, "0.5", True),
        (4.49, 5, "0.5", False),
        (0, 0, "1%", True),
        (1.65e-3, 1.6e-3, "5e-5", True),
        (math.pi, 3.14159265, "1e-6", True),
    ],
)
def test_should_count_as_right_what_lies_within_the_tolerance(
    given_: float, answer: float, tolerance: str, right: bool
) -> None:
    assert is_right(given_, answer, tolerance) is right


@settings(max_examples=300, deadline=None)
@given(st.floats(-1e12, 1e12), st.sampled_from(["exact", "1%", "0.5", "15%", "1e-3"]))
def test_should_take_both_bounds_and_nothing_far_beyond(answer: float, tolerance: str) -> None:
    low, high = bounds(answer, tolerance)
    assert all(is_right(one, answer, tolerance) for one in (low, answer, high))
    beyond = 1 + abs(answer) * 1e-6
    assert not is_right(high + beyond, answer, tolerance)
    assert not is_right(low - beyond, answer, tolerance)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (8192, "8192"),
        (8192.0, "8192"),
        (0.1 + 0.2, "0.3"),
        (62831.853, "62832"),
        (13.10724, "13.107"),
        (0.1353352832, "0.13534"),
        (2.0e-7, "2e-07"),
        (1.5e18, "1.5e+18"),
        (0.0, "0"),
        (-2.5, "-2.5"),
        (1.00000001, "1"),
    ],
)
def test_should_show_a_number_as_people_write_it(value: float, shown: str) -> None:
    assert plain(value) == shown


@settings(max_examples=300, deadline=None)
@given(st.floats(-1e14, 1e14))
def test_should_show_a_number_that_is_nearly_the_one_it_stands_for(value: float) -> None:
    assert math.isclose(float(plain(value)), value, rel_tol=1e-4)
