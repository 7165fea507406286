"""Figures on fine-tuning, attention's scale, tokens, retrieval and images; `draw.py` writes them with the others."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import NormalDist

from drawing import Drawing, Figure, Palette, Words


def softmax_scale(p: Palette, t: Words) -> Drawing:
    """The softmax of eight scores of width 64: as they are, divided by √64, and divided by 64."""
    d = Drawing(440, 250, p, t("Softmax of scaled scores", "缩放后分数的 softmax"))
    width, keys, base, high, pitch = 64, 8, 152, 112, 142
    unit = [NormalDist().inv_cdf((2 * key + 1) / (2 * keys)) for key in (3, 0, 5, 7, 1, 4, 6, 2)]
    scale = math.sqrt(sum(score * score for score in unit) / keys)  # so that their standard deviation is 1 exactly
    panels = (("qᵀk", 1.0), ("qᵀk / √64", width**0.5), ("qᵀk / 64", float(width)))
    for panel, (title, divisor) in enumerate(panels):
        x0, spread = 18 + panel * pitch, width**0.5 / divisor
        powers = [math.exp(spread * score / scale) for score in unit]
        weights = [power / sum(powers) for power in powers]
        d.text(x0 + 60, 20, title, size=14)
        d.line([(x0 - 3, base), (x0 + 121, base)], p.line)
        for key, weight in enumerate(weights):
            fill = p.main if panel == 1 else p.series[1]
            d.rect(x0 + key * 15, base - weight * high, 12, weight * high, fill, radius=0)
        largest = max(weights)
        slope = max(weight * (1 - weight) for weight in weights)
        words = (f"{spread:g}" if spread >= 1 else f"1/{1 / spread:g}", f"{largest:.3f}", f"{slope:.2g}")
        names = (t("std", "标准差"), t("top weight", "最大权重"), t("slope", "斜率"))
        for row, (name, value) in enumerate(zip(names, words, strict=True)):
            d.text(x0 + 60, base + 22 + row * 19, f"{name} {value}", p.faint if row == 0 else p.ink, 12)
    words = t(
        "slope: the largest w(1 − w), on the Jacobian's diagonal", "斜率：softmax 雅可比矩阵对角线上最大的 w(1 − w)"
    )
    d.text(220, 240, words, p.faint, 12)
    return d


def lora_start(p: Palette, t: Words) -> Drawing:
    """The frozen matrix, the side path of rank r beside it, and which gradient each factor gets at the first step."""
    d = Drawing(440, 258, p, t("LoRA's side path at the first step", "LoRA 旁路的第一步"))
    d.tile(14, 78, 34, 34, "x")
    d.line([(48, 95), (70, 95), (70, 60)], p.line)
    d.arrow(70, 60, 98, 60, p.line)
    d.line([(70, 95), (70, 144)], p.line)
    d.arrow(70, 144, 98, 144, p.line)
    d.tile(104, 18, 84, 84, "W")
    d.text(200, 50, t("d × d, frozen", "d × d，冻结"), p.faint, 12, anchor="start")
    d.tile(104, 136, 84, 16, "A", kind="main")
    d.text(146, 170, t("r × d, random", "r × d，随机"), p.faint, 12)
    d.arrow(192, 144, 222, 144, p.line)
    d.tile(228, 108, 16, 84, "B", kind="warm")
    d.text(252, 174, t("d × r, zero", "d × r，零"), p.faint, 12, anchor="start")
    d.line([(192, 60), (372, 60)], p.line)
    d.arrow(372, 60, 372, 80, p.line)
    d.line([(248, 144), (372, 144)], p.line)
    d.arrow(372, 144, 372, 110, p.line)
    d.rect(361, 84, 22, 22, p.blank, p.line, radius=11)
    d.text(372, 100, "+", size=15)
    d.arrow(386, 95, 424, 95, p.line)
    d.text(304, 138, "s B A x = 0", size=12)
    lines = (
        (t("gradient of B: factor A x ≠ 0, so B moves", "B 的梯度含因子 A x ≠ 0，B 开始更新"), p.series[2]),
        (t("gradient of A: factor B = 0, so A waits one step", "A 的梯度含因子 B = 0，A 晚一步才动"), p.ink),
        (t("with A = 0 as well, both stay 0 forever", "若 A 也为 0，两者永远为 0"), p.series[1]),
    )
    for row, (words, colour) in enumerate(lines):
        d.text(14, 212 + row * 19, words, colour, 13, anchor="start")
    return d


def supervised_labels(p: Palette, t: Words) -> Drawing:
    """The last turns of a chat, their labels, and the shift: each position predicts the label to its right."""
    d = Drawing(458, 212, p, t("Labels of an assistant's turn", "assistant 轮次的标签"))
    tokens = (
        (t("user turn", "用户轮次"), 64, False),
        ("<|im_start|>", 86, False),
        ("assistant", 66, False),
        ("\\n", 42, False),
        ("Hello", 44, True),
        ("!", 24, True),
        ("<|im_end|>", 80, True),
    )
    x, places = 12, []
    for words, width, target in tokens:
        end = target and words.startswith("<")
        kind = "warm" if end else "main" if target else "blank"
        d.tile(x, 54, width, 30, words, kind=kind)
        d.tile(x, 136, width, 30, words if target else "−100", kind=kind if target else "gone")
        places.append((x + width / 2, target))
        x += width + 5
    for (left, _), (right, target) in pairwise(places):
        if target:
            d.arrow(left, 88, right, 131, p.series[1])
    split = 12 + sum(width + 5 for _, width, target in tokens if not target) - 2.5
    d.line([(split, 14), (split, 172)], p.line, 1.5, dashed=True)
    d.text(split - 10, 24, t("the prompt supplies", "由提示给出"), p.faint, 12, anchor="end")
    d.text(split + 10, 24, t("the model must write", "由模型生成"), size=12, anchor="start")
    d.text(12, 46, "input_ids", p.faint, 12, anchor="start")
    d.text(12, 128, t("labels (−100: no loss)", "labels（−100 不计损失）"), p.faint, 12, anchor="start")
    words = t("without <|im_end|> as a target it does not learn to stop", "不把 <|im_end|> 作为目标，模型就学不会停")
    d.text(229, 198, words, p.faint, 12)
    return d


def byte_fallback(p: Palette, t: Words) -> Drawing:
    """The 16 bits of a Chinese character, dealt to the three bytes of its UTF-8 form, each a token."""
    d = Drawing(440, 238, p, t("Byte fallback of one character", "一个汉字的字节回退"))
    character, shares = "猫", (4, 6, 6)
    kinds, x0, bit = ("main", "warm", p.series[2]), 14, 17
    encoded = character.encode("utf-8")
    bits, first = f"{ord(character):016b}", 0
    d.text(220, 26, f"{character}   U+{ord(character):04X}", size=17)
    for byte, (value, share, kind) in enumerate(zip(encoded, shares, kinds, strict=True)):
        above, left = 64 + byte * 8, x0 + byte * (8 * bit + 4)
        for place in range(share):
            d.tile(above + (first + place) * 18.5, 42, 16.5, 26, bits[first + place], kind=kind)
        whole, prefix = f"{value:08b}", 8 - share
        if whole[prefix:] != bits[first : first + share]:
            raise ValueError(f"the bits of byte {byte} are not those of the code point")
        for place, digit in enumerate(whole):
            d.tile(left + place * bit, 112, bit - 2, 26, digit, kind="gone" if place < prefix else kind)
        middle = above + (first + share / 2) * 18.5
        d.arrow(middle, 72, left + (prefix + share / 2) * bit, 107, p.faint)
        d.arrow(left + 4 * bit, 142, left + 4 * bit, 160, p.faint)
        d.tile(left + 26, 164, 8 * bit - 54, 30, f"<0x{value:02X}>")
        first += share
    words = t(
        f"{len(encoded)} bytes in UTF-8, so {len(encoded)} tokens",
        f"UTF-8 编码 {len(encoded)} 个字节，即 {len(encoded)} 个 token",
    )
    d.text(220, 224, words)
    return d


FIGURES: dict[str, Figure] = {
    "softmax-scale": softmax_scale,
    "lora-start": lora_start,
    "supervised-labels": supervised_labels,
    "byte-fallback": byte_fallback,
}
