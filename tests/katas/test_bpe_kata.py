"""The kata bpe-encode: proven here without the grader, and its reference against the tokenizers library."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.helpers import plain_harness as plain

KATA = plain.KataUnderTest("bpe-encode")
encode = KATA.reference.bpe_encode


@pytest.mark.parametrize("seed", range(3))
def test_should_kill_every_wrong_kernel_and_accept_every_right_one(seed: int, tmp_path: Path) -> None:
    plain.prove(KATA, "pairs", tmp_path, seed)


def test_should_kill_every_wrong_kernel_on_a_case_whose_input_is_fixed(tmp_path: Path) -> None:
    made = plain.matrix(KATA, "pairs", tmp_path)
    fixed = {case.name for case in KATA.registered.cases if not case.fresh}
    assert [name for name, cases in made.kills.items() if not cases & fixed] == []


def trained(corpus: list[str], steps: int) -> list[tuple[str, str]]:
    """A table learned by counting pairs, as training does."""
    words, merges = [list(word) for word in corpus], []
    for _ in range(steps):
        counts: dict[tuple[str, str], int] = {}
        for word in words:
            for i in range(len(word) - 1):
                pair = (word[i], word[i + 1])
                counts[pair] = counts.get(pair, 0) + 1
        if not counts:
            break
        best = max(sorted(counts), key=counts.__getitem__)
        merges.append(best)
        words = [KATA.registered.equivalents[0].kernel("".join(word), merges) for word in words]
    return merges


def test_should_agree_with_tokenizers_on_a_trained_table() -> None:
    chance = random.Random(0)
    corpus = ["".join(chance.choice("abcde") for _ in range(chance.randint(1, 12))) for _ in range(60)]
    merges = trained(corpus, 40)
    assert len(merges) == 40
    for word in corpus:
        assert encode(word, merges) == KATA.registered.peers[0].kernel(word, merges)


def test_should_spell_the_word_by_its_tokens() -> None:
    merges = trained(["模型语言模型", "语言语言"], 5)
    for word in ["", "模", "语言模型", "模语言x型"]:
        assert "".join(encode(word, merges)) == word
