"""The first part of a long kernel that differs: said of values that were seen, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from llmdrills.content.model import Kata
from llmdrills.content.repair import broken_text
from llmdrills.grading.client import Grader
from llmdrills.grading.judging.verdict import Verdict
from llmdrills.language import Language

# Of each slip: how it is told, and of which part. The others of the decoder make other calls from the start.
TOLD = {
    "embedding-scaled": ("start", "the embedding"),
    "no-residual-around-attention": ("input", "the norm before the MLP in layer 1"),
    "no-residual-around-the-mlp": ("input", "the final norm"),
    "norm-after-the-mlp": ("after", "attention in layer 1"),
    "norms-swapped": ("input", "the norm before attention in layer 1"),
    "head-tied-to-the-embedding": ("end", "the head"),
    "centred-norm": ("result", "the final norm"),
    "keys-not-rotated": ("result", "attention in layer 1"),
    "values-rotated": ("result", "attention in layer 1"),
    "rotated-backwards": ("result", "RoPE of the queries in layer 1"),
    "softmax-over-the-queries": ("result", "attention in layer 1"),
    "gelu-for-silu": ("result", "SwiGLU in layer 1"),
    "norm-after-the-attention": None,
    "no-final-norm": None,
}


@pytest.fixture(scope="module")
def decoder(shipped_kata) -> Kata:
    return shipped_kata("debug-decoder")


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader() as found:
        yield found


def text_of(kata: Kata, *names: str) -> str:
    slips = {slip.id: slip for slip in kata.slips}
    return broken_text(kata, kata.variants[0], tuple(slips[name] for name in names))


def grade(grader: Grader, kata: Kata, text: str, language: Language = "en") -> Verdict:
    return grader.grade(kata, "standard", text, seed=3, language=language)


@pytest.mark.slow
@pytest.mark.parametrize("slip", TOLD)
def test_should_name_the_first_part_that_differs(grader: Grader, decoder: Kata, slip: str) -> None:
    found = grade(grader, decoder, text_of(decoder, slip))
    assert not found.passed
    assert (found.stage and (found.stage.kind, found.stage.stage)) == TOLD[slip]


def test_should_name_the_earlier_of_two_mistakes_in_both_languages(grader: Grader, decoder: Kata) -> None:
    text = text_of(decoder, "no-residual-around-attention", "heads-tiled")
    english, chinese = grade(grader, decoder, text), grade(grader, decoder, text, "zh")
    assert english.stage is not None
    assert chinese.stage is not None
    assert english.stage.stage == "attention in layer 1"
    assert "The first that differs in case" in english.message.replace("\n", " ")
    assert "最先出现差异的是：第 1 层的注意力" in chinese.stage.message
    assert english.to_json()["stage"]["kind"] == "result"
    shown = english.report["smallest"]
    assert shown is not None
    assert english.stage.case == shown["case"]


def test_should_say_nothing_where_the_learner_kept_none_of_the_functions(grader: Grader, decoder: Kata) -> None:
    text = text_of(decoder, "no-scale")
    for name in ("rms_norm", "attention", "rotate", "swiglu"):
        text = text.replace(f"{name}(", f"own_{name}(")
    found = grade(grader, decoder, text)
    assert found.outcome == "wrong"
    assert found.stage is None


def test_should_not_blame_a_part_that_is_written_otherwise_and_right(grader: Grader, decoder: Kata) -> None:
    """Attention that turns queries and keys at once makes other calls, and gives the same: the MLP is what differs."""
    text = text_of(decoder, "gelu-for-silu")
    turned = text.replace(
        "    q = rotate(q)\n    k = rotate(k)\n",
        "    both = rotate(torch.cat((q, k), dim=1))\n    q, k = both[:, :heads], both[:, heads:]\n",
    )
    assert turned != text
    found = grade(grader, decoder, turned)
    assert found.stage is not None
    assert (found.stage.kind, found.stage.stage) == ("result", "SwiGLU in layer 1")


def test_should_say_nothing_where_a_function_takes_other_arguments(grader: Grader, decoder: Kata) -> None:
    text = text_of(decoder, "gelu-for-silu").replace("def rms_norm(x:", "def rms_norm(states:")
    text = text.replace("x.pow(2)", "states.pow(2)").replace("return x * torch.rsqrt", "return states * torch.rsqrt")
    found = grade(grader, decoder, text)
    assert found.outcome == "wrong"
    assert found.stage is None


def test_should_say_nothing_of_a_right_attempt_and_of_a_kata_without_stages(grader: Grader, decoder: Kata) -> None:
    assert grade(grader, decoder, text_of(decoder)).stage is None
    assert grade(grader, replace(decoder, stages=None), text_of(decoder, "no-scale")).stage is None
