"""Repairs: a wrong kernel instead of a blank, whose mistakes follow from a seed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from llmdrills.content.load import load_katas
from llmdrills.content.repair import broken_text, candidates, choose, first_text, repair_text
from llmdrills.content.starter import read_header, starter_text

ROOT = Path(__file__).parents[2]
KATAS = {kata.id: kata for kata in load_katas(ROOT)}
VARIANTS = [(kata, variant) for kata in KATAS.values() for variant in kata.variants]


@pytest.mark.parametrize(("kata", "variant"), VARIANTS, ids=lambda one: one.id)
def test_should_be_able_to_begin_from_every_slip_of_the_variant(kata, variant):
    known = candidates(kata, variant)
    assert [slip.id for slip in known] == [slip.id for slip in kata.slips if variant.id in slip.texts]
    for slip in known:
        text = broken_text(kata, variant, (slip,))
        functions = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
        assert kata.entry in functions, slip.id
        assert "#" not in "".join(line.partition("#")[1] for line in text.splitlines() if '"' not in line), slip.id


def test_should_take_the_same_mistake_for_the_same_seed_and_others_for_others():
    kata = KATAS["rms-norm"]
    met = [choose(kata, kata.variants[0], seed)[0].id for seed in range(40)]
    assert met == [choose(kata, kata.variants[0], seed)[0].id for seed in range(40)]
    assert len(set(met)) > 8


def test_should_leave_out_what_was_met_lately_while_something_else_is_left():
    kata = KATAS["rms-norm"]
    variant = kata.variants[0]
    known = [slip.id for slip in candidates(kata, variant)]
    assert {choose(kata, variant, seed, known[:-1])[0].id for seed in range(5)} == {known[-1]}
    assert choose(kata, variant, 3, known)[0].id in known


def test_should_say_in_the_header_that_it_is_a_repair_and_from_which_seed():
    kata = KATAS["rms-norm"]
    variant = kata.variants[0]
    text = repair_text(kata, variant, "en", 7, choose(kata, variant, 7))
    assert text.splitlines()[0] == "# llmdrills: kata=rms-norm variant=cast-first mode=repair seed=7"
    assert read_header(text) == ("rms-norm", "cast-first")


def test_should_put_one_to_four_mistakes_into_the_decoder():
    kata = KATAS["debug-decoder"]
    variant = kata.variants[0]
    drawn = [choose(kata, variant, seed) for seed in range(60)]
    assert {len(slips) for slips in drawn} == {1, 2, 3, 4}
    right = broken_text(kata, variant, ())
    for seed, slips in enumerate(drawn):
        text = first_text(kata, variant, "en", seed)
        assert text.endswith(broken_text(kata, variant, slips))
        assert broken_text(kata, variant, slips) != right


def test_should_begin_from_the_function_that_the_kata_names():
    kata = KATAS["add-kv-cache"]
    text = first_text(kata, kata.variants[0], "zh")
    assert "def step(tokens: torch.Tensor" in text
    assert "without_cache" not in text
    assert "NotImplementedError" not in text


def test_should_begin_from_a_blank_unless_the_kata_says_otherwise():
    kata = KATAS["rms-norm"]
    assert first_text(kata, kata.variants[0], "en", 3) == starter_text(kata, kata.variants[0], "en")
