"""Which katas have a place in the small model, in which variant, and where. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from llmdrills.language import Bilingual

__all__ = ["PARTS", "Part", "part_of"]


@dataclass(frozen=True)
class Part:
    """A kata's place in the model: the variant that the model is built for, and what the kernel does there."""

    kata: str
    variant: str
    does: Bilingual


PARTS: tuple[Part, ...] = (
    Part("bpe-encode", "pairs", Bilingual("turns text into tokens", "把文本切成 token")),
    Part(
        "checkpoint-conversion",
        "to-halves",
        Bilingual("brings the weights into the layout that runs", "把权重转换成运行时的排列"),
    ),
    Part(
        "int8-absmax",
        "absmax",
        Bilingual("quantises the feed-forward weights", "量化前馈层的权重"),
    ),
    Part(
        "position-ids",
        "standard",
        Bilingual("numbers the tokens of a padded batch", "给带填充的 batch 中的 token 编号"),
    ),
    Part(
        "attention-mask",
        "standard",
        Bilingual("says which keys a query sees: padding, order, window", "决定每个查询能看到哪些键：填充、因果、窗口"),
    ),
    Part(
        "packed-sequence-mask",
        "standard",
        Bilingual("keeps the texts of a packed row apart", "隔开打包在同一行里的文本"),
    ),
    Part("rms-norm", "cast-first", Bilingual("normalises, nine times a token", "做归一化，每个 token 九次")),
    Part(
        "rope-pairing",
        "half-split",
        Bilingual("turns queries and keys by their positions", "按位置旋转查询和键"),
    ),
    Part(
        "scaled-dot-product-attention",
        "standard",
        Bilingual("attends in layer 1, in batches", "batch 中第 1 层的注意力"),
    ),
    Part(
        "kv-cache-step",
        "rotated-keys",
        Bilingual("attends in layer 1, where a text runs alone", "单独运行一段文本时第 1 层的注意力"),
    ),
    Part(
        "grouped-query-attention",
        "standard",
        Bilingual("attends in layers 2, 3 and 4", "第 2、3、4 层的注意力"),
    ),
    Part("swiglu", "gate-first", Bilingual("is the feed-forward network of each layer", "各层的前馈网络")),
    Part(
        "cross-entropy",
        "shifted",
        Bilingual("measures how well the next token is foreseen", "衡量下一个 token 预测得有多准"),
    ),
    Part(
        "sampling-parameters",
        "standard",
        Bilingual("gives the distribution that the next token is drawn from", "给出抽取下一个 token 的概率分布"),
    ),
    Part("stop-criteria", "standard", Bilingual("says where the text ends", "决定文本在哪里结束")),
)
"""In the order in which a text meets them."""


def part_of(kata: str) -> Part | None:
    """The place of a kata in the model; None where it has none."""
    return next((part for part in PARTS if part.kata == kata), None)
