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
        values = (f"{spread:g}" if spread >= 1 else f"1/{1 / spread:g}", f"{largest:.3f}", f"{slope:.2g}")
        names = (t("std", "标准差"), t("top weight", "最大权重"), t("slope", "斜率"))
        for row, (name, value) in enumerate(zip(names, values, strict=True)):
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


def patchify(p: Palette, t: Words) -> Drawing:
    """The first row that a 3 × 12 × 12 image gives with patches of 4 × 4: reshaped at once, and with axes moved."""
    d = Drawing(440, 262, p, t("What the first row of a patchify holds", "patchify 的第一行装了什么"))
    channels, side, patch, size = 3, 12, 4, 8
    row = channels * patch * patch
    plain = [divmod(index, side * side) for index in range(row)]
    pixels = [(c, y * side + x) for c in range(channels) for y in range(patch) for x in range(patch)]
    panels = (
        (
            plain,
            p.series[1],
            t(f"reshape alone: row 0 is {row} numbers of red", f"直接 reshape：第 0 行是红色通道的 {row} 个数"),
        ),
        (pixels, p.main, t("axes split and moved first: row 0 is one patch", "先拆分并调换轴：第 0 行是一个 patch")),
    )
    for panel, (held, colour, title) in enumerate(panels):
        top = 30 + panel * 132
        d.text(220, top - 10, title)
        for channel, name in enumerate("RGB"):
            left = 42 + channel * 136
            d.text(left - 14, top + 52, name, p.faint)
            d.rect(left, top, side * size, side * size, p.blank, radius=0)
            for y in range(side):
                columns = [place % side for c, place in held if c == channel and place // side == y]
                if columns:
                    d.rect(left + min(columns) * size, top + y * size, len(columns) * size, size - 1, colour, radius=0)
            for cut in range(0, side + 1, patch):
                d.line([(left + cut * size, top), (left + cut * size, top + side * size)], p.line, 1)
                d.line([(left, top + cut * size), (left + side * size, top + cut * size)], p.line, 1)
    return d


def clip_matrix(p: Palette, t: Words) -> Drawing:
    """The logits of four image–caption pairs: a softmax along each row and one along each column."""
    d = Drawing(440, 244, p, t("The two directions of CLIP's loss", "CLIP 损失的两个方向"))
    pairs, size, x0, y0, row, column = 4, 38, 94, 54, 1, 2
    d.text(x0 + 2 * size, 18, t("captions", "描述"))
    d.text(16, y0 + 2 * size + 4, t("images", "图片"), anchor="start")
    for i in range(pairs):
        d.text(x0 + i * size + 18, 42, f"T{'₀₁₂₃'[i]}", p.faint, 12)
        d.text(x0 - 16, y0 + i * size + 22, f"I{'₀₁₂₃'[i]}", p.faint, 12)
        for j in range(pairs):
            d.tile(
                x0 + j * size,
                y0 + i * size,
                size - 4,
                size - 4,
                str(i) if i == j else "",
                kind="main" if i == j else "blank",
            )
    d.rect(x0 - 5, y0 + row * size - 4, pairs * size + 6, size + 4, "none", p.series[1], 5)
    d.rect(x0 + column * size - 4, y0 - 5, size + 4, pairs * size + 6, "none", p.series[2], 5)
    right = x0 + pairs * size
    d.arrow(right + 2, y0 + (row + 0.5) * size - 2, right + 20, y0 + (row + 0.5) * size - 2, p.series[1])
    rows = (
        t("each row: softmax", "每行：对各描述"),
        t("over the captions,", "做 softmax，"),
        t(f"I{'₁'}'s label is {row}", f"I₁ 的标签是 {row}"),
    )
    for line, words in enumerate(rows):
        d.text(right + 28, y0 + (row + 0.5) * size - 16 + line * 18, words, p.series[1], 13, anchor="start")
    below = y0 + pairs * size
    d.arrow(x0 + (column + 0.5) * size - 2, below + 2, x0 + (column + 0.5) * size - 2, below + 14, p.series[2])
    words = t("each column: softmax over the images, T₂'s label is 2", "每列：对各图片做 softmax，T₂ 的标签是 2")
    d.text(220, below + 30, words, p.series[2])
    d.text(right + 28, y0 + 3 * size + 10, t("loss = mean of both", "损失 = 两者的平均"), size=13, anchor="start")
    return d


def image_splice(p: Palette, t: Words) -> Drawing:
    """A prompt of 40 ids with two image placeholders, and the positions after each became 576 features."""
    d = Drawing(460, 206, p, t("Image features take the placeholders' places", "图像特征替换占位符"))
    image, parts = 576, (12, 0, 8, 0, 18)  # text ids, and 0 for a placeholder
    length = sum(part or 1 for part in parts)
    total = sum(part or image for part in parts)
    words = t(
        f"{length} token ids → {total} positions (not to scale)", f"{length} 个 token id → {total} 个位置（未按比例）"
    )
    d.text(230, 20, words)
    x, place, left = 14.0, 0, 28.0
    widths = {12: (44, 84), 8: (56, 60), 18: (72, 120), 0: (124, 62)}
    for part in parts:
        wide, narrow = widths[part]
        kind, many = ("blank", part) if part else ("warm", image)
        d.tile(left, 32, narrow, 30, str(part) if part else "<image>", kind=kind)
        d.line([(left, 66), (x, 100)], p.line, 1, dashed=True)
        d.line([(left + narrow, 66), (x + wide, 100)], p.line, 1, dashed=True)
        d.tile(x, 104, wide, 30, str(many), kind=kind)
        d.text(x + wide / 2, 152, f"{place}–{place + many - 1}", p.faint, 12)
        x, left, place = x + wide + 4, left + narrow + 4, place + many
    d.text(230, 178, f"{length} − 2 + 2 × {image} = {total}", size=14)
    words = t("mask, labels and positions grow at the same places", "掩码、标签和位置在同样的地方扩展")
    d.text(230, 198, words, p.faint, 12)
    return d


def rank_fusion(p: Palette, t: Words) -> Drawing:
    """Two lists of ten: A first in one and missing in the other, B tenth in both; their fused scores as bars."""
    d = Drawing(440, 240, p, t("Reciprocal rank fusion of two lists", "两个列表的倒数排名融合"))
    k, ranks, h = 60, {"A": (1, None), "B": (10, 10)}, 19
    for column, name in enumerate(("BM25", t("dense", "稠密"))):
        x = 44 + column * 66
        d.text(x + 27, 20, name)
        for rank in range(1, 11):
            y = 28 + (rank - 1) * h
            here = [document for document, places in ranks.items() if places[column] == rank]
            d.tile(
                x,
                y,
                54,
                h - 3,
                here[0] if here else "",
                kind={"A": "warm", "B": "main"}["".join(here)] if here else "blank",
            )
            if column == 0:
                d.text(36, y + 13, str(rank), p.faint, 12, anchor="end")
    scores = {}
    for row, (document, places) in enumerate(ranks.items()):
        bar, y, kind = 200.0, 70 + row * 74, ("warm", "main")[row]
        terms = [k + place for place in places if place]
        scores[document] = sum(1 / term for term in terms)
        words = " + ".join(f"1/{term}" for term in terms)
        d.text(200, y - 10, f"{document}: {words} = {scores[document]:.4f}", anchor="start")
        for term in terms:
            d.tile(bar, y, 7400 / term - 2, 24, f"1/{term}", kind=kind)
            bar += 7400 / term
    words = t(f"B / A = {scores['B'] / scores['A']:.2f}; k = {k}", f"B / A = {scores['B'] / scores['A']:.2f}，k = {k}")
    d.text(200, 204, words, size=14, anchor="start")
    return d


def image_mask(p: Palette, t: Words) -> Drawing:
    """Three text tokens, an image of four, two more text tokens: causal, and both ways within the image."""
    d = Drawing(440, 246, p, t("Both ways within an image", "图片内部双向可见"))
    kinds, size, x0, y0 = "tttiiiitt", 22, 70, 36
    for row, own in enumerate(kinds):
        for s, other in enumerate(kinds):
            later = s > row and own == other == "i"
            kind = "main" if s <= row else "warm" if later else "blank"
            d.tile(x0 + s * size, y0 + row * size, size - 3, size - 3, kind=kind)
    first, count = kinds.index("i"), kinds.count("i")
    a, b = first * size, (first + count) * size - 3
    d.line([(x0 + a, 30), (x0 + a, 26), (x0 + b, 26), (x0 + b, 30)], p.ink)
    d.text(x0 + (a + b) / 2, 18, t("image", "图片"), size=12)
    d.line([(x0 - 6, y0 + a), (x0 - 10, y0 + a), (x0 - 10, y0 + b), (x0 - 6, y0 + b)], p.ink)
    d.text(x0 - 16, y0 + (a + b) / 2 + 4, t("image", "图片"), size=12, anchor="end")
    x = x0 + len(kinds) * size + 14
    d.key(x, 76, "main", t("causal, as ever", "因果，照常"))
    d.key(x, 106, "warm", t("later token,", "之后的 token，"))
    d.text(x + 22, 136, t("same image", "同一张图片"), size=12, anchor="start")
    d.key(x, 154, "blank", t("masked", "屏蔽"))
    return d


def ppo_clip(p: Palette, t: Words) -> Drawing:
    """PPO's surrogate over the ratio for an advantage of either sign: where it is flat, no gradient passes."""
    d = Drawing(440, 252, p, t("Where PPO's surrogate is flat", "PPO 替代目标的平坦段"))
    epsilon, top, w, h, unit = 0.2, 2.0, 170, 150, 68
    for panel, advantage in enumerate((1, -1)):
        x0, zero = 32 + panel * 216, 184 if advantage > 0 else 44

        def at(ratio: float, value: float, x0: float = x0, zero: float = zero) -> tuple[float, float]:
            return x0 + ratio / top * w, zero - value * unit

        d.line([(x0, zero), (x0 + w, zero)], p.line)
        d.line([(x0, 184 - h + 8), (x0, 192)], p.line)
        d.text(x0 + w / 2, 20, "A > 0" if advantage > 0 else "A < 0", size=14)
        edge = 1 + epsilon if advantage > 0 else 1 - epsilon
        flat = edge * advantage
        d.line([at(0, 0), at(top, top * advantage)], p.line, 1.3, dashed=True)
        if advantage > 0:
            d.line([at(0, 0), at(edge, flat)], p.series[0], 2.6)
            d.line([at(edge, flat), at(top, flat)], p.series[1], 2.6)
        else:
            d.line([at(0, flat), at(edge, flat)], p.series[1], 2.6)
            d.line([at(edge, flat), at(top, top * advantage)], p.series[0], 2.6)
        d.line([at(edge, 0), at(edge, flat)], p.faint, 1, dashed=True)
        x, y = at(edge, 0)
        d.text(x, y + (18 if advantage > 0 else -8), f"{edge:g}", p.faint, 12)
        ratio = 1.3 if advantage > 0 else 1.5
        x, y = at(ratio, min(ratio * advantage, max(1 - epsilon, min(1 + epsilon, ratio)) * advantage))
        d.rect(x - 5, y - 5, 10, 10, p.ink, radius=5)
        d.text(x + 8, y + (20 if advantage > 0 else -6), f"r = {ratio}", size=12, anchor="start")
    d.line([(34, 220), (56, 220)], p.series[1], 2.6)
    d.text(64, 224, t("flat: no gradient", "平坦：没有梯度"), size=12, anchor="start")
    d.line([(228, 220), (250, 220)], p.series[0], 2.6)
    d.text(258, 224, t("slope A: gradient", "斜率为 A：有梯度"), size=12, anchor="start")
    words = t("min(r A, clip(r) A) over the ratio r; dashed: r A", "横轴为概率比 r：min(r A, clip(r) A)；虚线为 r A")
    d.text(220, 246, words, p.faint, 12)
    return d


def span_corruption(p: Palette, t: Words) -> Drawing:
    """T5's example: spans are dropped, the encoder reads sentinels in their place, the decoder writes the spans."""
    d = Drawing(460, 210, p, t("Span corruption", "span corruption"))
    words = ("Thank", "you", "for", "inviting", "me", "to", "your", "party", "last", "week")
    spans = {2: 2, 8: 1}  # first word dropped: how many
    source: list[tuple[str, str]] = []
    target: list[tuple[str, str]] = []
    dropped = {first + step for first, count in spans.items() for step in range(count)}
    for s, word in enumerate(words):
        if s in spans:
            sentinel = f"<{'XYZ'[list(spans).index(s)]}>"
            source.append((sentinel, "main"))
            target.append((sentinel, "main"))
        (target if s in dropped else source).append((word, "warm" if s in dropped else "blank"))
    target.append((f"<{'XYZ'[len(spans)]}>", "main"))
    whole = [(word, "warm" if s in dropped else "blank") for s, word in enumerate(words)]
    titles = (t("text", "原文"), t("the encoder reads", "编码器读入"), t("the decoder writes", "解码器输出"))
    for row, (title, tiles) in enumerate(zip(titles, (whole, source, target), strict=True)):
        x, y = 16.0, 30 + row * 68
        d.text(16, y - 10, title, anchor="start")
        for word, kind in tiles:
            width = 7.4 * len(word) + 12
            d.tile(x, y, width, 30, word, kind=kind)
            x += width + 3
    return d


FIGURES: dict[str, Figure] = {
    "softmax-scale": softmax_scale,
    "lora-start": lora_start,
    "supervised-labels": supervised_labels,
    "byte-fallback": byte_fallback,
    "patchify": patchify,
    "clip-matrix": clip_matrix,
    "image-splice": image_splice,
    "rank-fusion": rank_fusion,
    "image-mask": image_mask,
    "ppo-clip": ppo_clip,
    "span-corruption": span_corruption,
}
