"""Who writes one variant when another is asked for is told of what they wrote, not of what was asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmdrills.content.kata import Kata
from llmdrills.content.load import load_katas

WRITTEN = {
    "adamw-step": {"torch": "decay the old parameter", "transformers": "decay the parameter after its update"},
    "bpe-train": {"greater": "learn the greater", "lowest-ids": "by the lowest ids"},
    "checkpoint-conversion": {"to-neighbours": "into neighbouring rows", "to-halves": "into halves"},
    "cross-entropy": {"shifted": "shift the labels", "aligned": "position t on its own token"},
    "distillation-loss": {"forward": "KL(teacher ‖ student)", "reverse": "KL(student ‖ teacher)"},
    "dpo-loss": {"summed": "You sum", "averaged": "You average"},
    "embedding-retrieval": {"mean": "average all token states", "last-token": "the last token's state"},
    "gradient-clipping": {"torch": "add 1e-6", "exact": "the norm as it is"},
    "grpo-loss": {"sequence": "average each sequence first", "token": "all tokens of the batch"},
    "int4-groupwise": {"neighbours": "neighbouring columns", "halves": "the columns j and j + S/2"},
    "int8-absmax": {"absmax": "symmetrically", "zero-point": "return a zero point"},
    "label-smoothing": {"uniform": "over all V classes", "others": "over the other classes only"},
    "load-balance-loss": {"batch": "over the whole batch", "sequence": "each sequence by itself"},
    "logits-processors": {
        "temperature-first": "divide by the temperature and filter",
        "temperature-last": "filter by min-p and divide",
    },
    "lora": {"standard": "α/r", "rank-stabilised": "α/√r"},
    "lr-schedule": {"from-zero": "begins at 0", "from-first": "(step + 1) / (warmup_steps + 1)"},
    "moe-routing": {"renormalised": "by their sum", "raw": "as the softmax over all experts gave them"},
    "pass-at-k": {"any-of-k": "at least one of k", "all-of-k": "all k samples"},
    "patchify": {"channels-first": "all pixels of a channel", "channels-last": "the channels of each pixel together"},
    "rank-fusion": {"from-one": "ranks from 1", "from-zero": "ranks from 0"},
    "rms-norm": {"cast-first": "before the multiplication", "cast-last": "cast at the end"},
    "rope-pairing": {"interleaved": "(2i, 2i+1)", "half-split": "(i, i+r/2)"},
    "rope-scaling": {"linear": "divide every frequency", "llama3": "as Llama 3 does", "yarn": "YaRN's ramp"},
    "supervised-batch": {"model-shifts": "where their tokens stand", "loader-shifts": "shift the labels"},
    "swiglu": {"gate-first": "first half", "up-first": "last half", "interleaved": "every other row"},
}
"""What each variant does, as the sentence for whoever wrote it instead of another begins."""

KATAS = [
    kata
    for kata in load_katas(Path(__file__).parents[2])
    if any(variant.mistaken is not None for variant in kata.variants)
]


@pytest.mark.parametrize("kata", KATAS, ids=lambda kata: kata.id)
def test_should_tell_what_was_written_before_what_was_asked_for(kata: Kata) -> None:
    told = {one.id: one.mistaken.en.split(";")[0] for one in kata.variants if one.mistaken is not None}
    expected = WRITTEN[kata.id]
    assert told.keys() == expected.keys()
    assert {name: words for name, words in expected.items() if words not in told[name]} == {}
