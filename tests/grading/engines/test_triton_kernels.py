"""Eight right kernels give no event, and of eighty wrong ones each is found for what it is."""

from __future__ import annotations

import pytest
import yaml

from tests.grading.engines import lab

KERNELS = sorted(lab.EXPECTED)
MUTANTS = yaml.safe_load((lab.KERNELS.parent / "mutants.yaml").read_text("utf-8"))


def text_of(name: str) -> str:
    return (lab.KERNELS / f"{name}.py").read_text("utf-8")


def mutant(name: str, edits: list[list[str]]) -> str:
    text = text_of(name)
    for old, new in edits:
        assert old in text, f"{name}: {old!r} is not in the kernel"
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("name", KERNELS)
def test_should_find_nothing_in_a_right_kernel(name):
    judged = lab.judge(name, text_of(name))
    assert judged.events == []
    assert judged.found == set()


@pytest.mark.parametrize("name", KERNELS)
def test_should_find_each_mistake_for_what_it_is(name):
    right = lab.judge(name, text_of(name)).costs
    found = {
        slug: sorted(lab.judge(name, mutant(name, one["edits"]), right).found) for slug, one in MUTANTS[name].items()
    }
    assert found == {slug: sorted(one["finds"]) for slug, one in MUTANTS[name].items()}


def test_should_let_one_wrong_kernel_in_eighty_pass_because_it_is_right():
    """An edit that changes nothing, so that the table above is known to tell them apart; the other needs no cast."""
    unseen = [f"{name}/{slug}" for name in KERNELS for slug, one in MUTANTS[name].items() if not one["finds"]]
    assert unseen == ["flash_attention/keys-masked-by-causality-alone", "softmax/no-cast"]
    assert sum(len(MUTANTS[name]) for name in KERNELS) == 80
