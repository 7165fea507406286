"""Figures on masks, positions, blocks, mixtures of experts, LoRA, tokens and images; `draw.py` writes them too."""

from __future__ import annotations

import math

from drawing import Drawing, Figure, Palette, Words

SUB = "₀₁₂₃₄₅₆₇₈₉"


def packed_mask(p: Palette, t: Words) -> Drawing:
    """Documents of 3, 2 and 4 tokens in one row: the block-diagonal causal mask and its cumulative lengths."""
    d = Drawing(440, 240, p, t("The mask of packed documents", "打包文档的掩码"))
    lengths, size, x0, y0 = (3, 2, 4), 21, 96, 44
    owner = [document for document, length in enumerate(lengths) for _ in range(length)]
    n, kept = len(owner), 0
    for row in range(n):
        for s in range(n):
            same, past = owner[row] == owner[s], s <= row
            kept += same and past
            kind = "blank" if not past else "main" if same else "gone"
            d.tile(x0 + s * size, y0 + row * size, size - 3, size - 3, kind=kind)
    ends = [sum(lengths[:count]) for count in range(len(lengths) + 1)]
    d.text(x0 - 16, 28, "cu_seqlens", anchor="end", size=12)
    for end in ends:
        d.text(x0 + end * size - 1.5, 28, str(end), size=14)
        d.line([(x0 + end * size - 1.5, 34), (x0 + end * size - 1.5, 41)], p.ink)
    for document, length in enumerate(lengths):
        y = y0 + (ends[document] + length / 2) * size + 3
        d.text(x0 - 12, y, t(f"document {document + 1}", f"文档 {document + 1}"), p.faint, 12, anchor="end")
    x = x0 + n * size + 18
    d.key(x, 62, "main", t("attends", "可关注"))
    d.key(x, 90, "gone", t("other document", "其他文档，屏蔽"))
    d.key(x, 118, "blank", t("later token", "之后的 token"))
    causal = n * (n + 1) // 2
    d.text(x, 172, t(f"{kept} of the {causal}", f"{causal} 个因果对中"), anchor="start", size=12)
    d.text(x, 190, t("causal pairs remain", f"只保留 {kept} 个"), anchor="start", size=12)
    return d


def left_padded_positions(p: Palette, t: Words) -> Drawing:
    """Five tokens left-padded to eight: the position ids by the mask, and the gap that the cache's length leaves."""
    d = Drawing(440, 222, p, t("Positions of a left-padded row", "左填充行的位置"))
    pads, real, size, x0 = 3, 5, 34, 112
    mask = [0] * pads + [1] * (real + 1)
    names = (t("tokens", "token"), t("mask", "掩码"), t("running sum − 1", "累加减 1"), t("cache's length", "缓存长度"))
    for row, words in enumerate(names):
        d.text(104, 38 + row * 42, words, anchor="end", size=12)
    for s, seen in enumerate(mask):
        x, last, position = x0 + s * size, s == pads + real, sum(mask[: s + 1]) - 1
        kind = "warm" if last else "blank" if seen else "gone"
        name = t("new", "新") if last else f"t{SUB[s - pads + 1]}" if seen else "pad"
        d.tile(x, 18, size - 3, 30, name, kind=kind)
        d.tile(x, 60, size - 3, 30, str(seen), kind=kind)
        place = str(position) if seen else "–"
        d.tile(x, 102, size - 3, 30, place, kind="main" if seen and not last else kind)
        d.tile(x, 144, size - 3, 30, str(s) if last else place, kind="blank" if seen else "gone")
    d.text(x0 + len(mask) * size + 9, 123, "✓", p.series[2], 16)
    d.text(x0 + len(mask) * size + 9, 165, "✗", p.series[1], 16)
    cut = x0 + (pads + real) * size - 1.5
    d.line([(cut, 138), (cut, 180)], p.series[1], 2, dashed=True)
    words = t(
        f"from {real - 1} to {pads + real}: a gap of {pads}, one for each pad",
        f"从 {real - 1} 跳到 {pads + real}：空出 {pads} 个位置，正是填充的个数",
    )
    d.text(418, 202, words, p.series[1], 12, anchor="end")
    return d


def rope_pairings(p: Palette, t: Words) -> Drawing:
    """Which of eight components turn together, interleaved and half-split."""
    d = Drawing(400, 258, p, t("The two pairings of RoPE", "RoPE 的两种配对"))
    width, size, x0 = 8, 42, 32
    half = width // 2
    panels = (
        (t("interleaved: (2i, 2i + 1)", "相邻配对：(2i, 2i + 1)"), 48, [(2 * i, 2 * i + 1) for i in range(half)], 0),
        (t("half-split: (i, i + D/2)", "前后半配对：(i, i + D/2)"), 180, [(i, i + half) for i in range(half)], 9),
    )
    for title, y, pairs, rise in panels:
        d.text(200, y - 20 - (half - 1) * rise, title)
        for i, pair in enumerate(pairs):
            colour, top = p.series[i], y - 10 - (half - 1 - i) * rise
            ends = [x0 + s * size + size / 2 - 1.5 for s in pair]
            d.line([(ends[0], y - 3), (ends[0], top), (ends[1], top), (ends[1], y - 3)], colour, 2)
            for s in pair:
                d.tile(x0 + s * size, y, size - 3, 30, f"x{SUB[s]}", kind=colour)
                d.text(x0 + s * size + size / 2 - 1.5, y + 46, f"mθ{SUB[i]}", p.faint, 12)
    d.text(200, 250, t("D = 8; one colour, one angle", "D = 8；同色的两个分量转同一角度"), p.faint, 12)
    return d


def yarn_bands(p: Palette, t: Words) -> Drawing:
    """Which part of its frequency each of 64 pairs keeps under YaRN with factor 16, and its turns before."""
    d = Drawing(440, 254, p, t("YaRN by the number of turns", "YaRN 按圈数分段"))
    width, base, context, factor, fast, slow = 128, 10_000.0, 4096, 16, 32, 1
    x0, bottom, high, step = 44, 182, 128, 6

    def pair_of(turns: float) -> float:
        return width * math.log(context / (turns * 2 * math.pi)) / (2 * math.log(base))

    low, top = math.floor(pair_of(fast)), math.ceil(pair_of(slow))
    for i in range(width // 2):
        ramp = min(1.0, max(0.0, (i - low) / (top - low)))
        share = (1 - ramp) + ramp / factor
        fill = p.main if share == 1 else p.series[1] if ramp == 1 else p.warm
        d.rect(x0 + i * step, bottom - share * high, step - 1, share * high, fill, radius=0)
    d.line([(x0 - 4, bottom), (x0 + 64 * step, bottom)], p.line)
    for value, words in ((1, "1"), (1 / factor, f"1/{factor}")):
        d.text(x0 - 8, bottom - value * high + 5, words, p.faint, 12, anchor="end")
    d.text(8, 20, t("share of its frequency that pair i keeps", "第 i 对保留的频率比例"), anchor="start")
    for turns in (fast, slow):
        x = x0 + (pair_of(turns) + 0.5) * step
        d.line([(x, 36), (x, bottom + 6)], p.ink, 1.2, dashed=True)
        words = t(f"{turns} turns" if turns > 1 else "1 turn", f"{turns} 圈")
        d.text(x, bottom + 20, words, size=13)
    for left, right, words in (
        (0, low + 1, t("kept", "保持不变")),
        (low + 1, top, t("blended", "平滑过渡")),
        (top, 64, t("interpolated", "完全插值")),
    ):
        d.text(x0 + (left + right) / 2 * step, 46, words, size=12)
    for i in (0, 63):
        turns = context * base ** (-2 * i / width) / (2 * math.pi)
        anchor = "start" if i == 0 else "end"
        x = x0 if i == 0 else x0 + 64 * step
        d.text(x, bottom + 20, t(f"{turns:.2g} turns", f"{turns:.2g} 圈") if i else f"{turns:.0f}", p.faint, 12, anchor)
    words = t("turns within 4096 positions; D = 128, base 10,000", "在 4096 个位置内转的圈数；D = 128，底数 10000")
    d.text(x0 + 32 * step, bottom + 42, words, p.faint, 12)
    words = t(f"i = 0 … 63 from left to right; factor {factor}", f"从左到右 i = 0 … 63；扩展倍数 {factor}")
    d.text(x0 + 32 * step, bottom + 60, words, p.faint, 12)
    return d


def local_global_layers(p: Palette, t: Words) -> Drawing:
    """What the last token of a text of 128K tokens sees in twelve of Gemma 3's layers, drawn to scale."""
    d = Drawing(440, 258, p, t("Local and global layers of Gemma 3", "Gemma 3 的局部层与全局层"))
    layers, every, context, window, x0, w, h = 12, 6, 131_072, 1024, 20, 270, 16
    d.text(x0, 18, t("what the last of 131,072 tokens sees", "131072 个 token 中最后一个能看到的键"), anchor="start")
    for layer in range(layers):
        y = 30 + (layers - 1 - layer) * h
        whole = (layer + 1) % every == 0
        seen = w if whole else w * window / context
        d.rect(x0, y, w, h - 4, p.blank, radius=0)
        d.rect(x0 + w - seen, y, seen, h - 4, p.main if whole else p.series[1], radius=0)
        if whole:
            d.text(x0 + w + 12, y + 11, t("global, base 1,000,000", "全局层，底数 1000000"), anchor="start", size=12)
        elif (layer + 1) % every == 3:
            words = t(f"{every - 1} local layers:", f"{every - 1} 个局部层：")
            d.text(x0 + w + 12, y - 8, words, p.series[1], 12, anchor="start")
            d.text(x0 + w + 12, y + 9, t("1024 keys,", "1024 个键，"), p.series[1], 12, anchor="start")
            d.text(x0 + w + 12, y + 26, t("base 10,000", "底数 10000"), p.series[1], 12, anchor="start")
    d.text(x0 + w / 2, 238, t("position in the text, to scale →", "在文本中的位置（按比例）→"), p.faint, 12)
    return d


def moe_capacity(p: Palette, t: Words) -> Drawing:
    """Four experts with capacity factor 1: a prompt's tokens alone, and behind those of another prompt."""
    d = Drawing(440, 244, p, t("Neighbours decide who is dropped", "同批的其他提示词决定谁被丢弃"))
    experts, size = 4, 38
    own, other = (("a", s, e) for s, e in enumerate((0, 1, 2, 3))), [("b", s, e) for s, e in enumerate((1, 1, 0, 1))]
    alone = list(own)
    panels = ((92, alone, t("A alone", "只有 A")), (272, other + alone, t("B and A in one batch", "B 与 A 同批")))
    d.text(84, 88, t("taken", "接收"), anchor="end")
    d.text(84, 174, t("dropped", "丢弃"), anchor="end")
    for x0, tokens, title in panels:
        capacity = len(tokens) // experts
        d.text(x0 + 2 * size, 20, title)
        taken: list[list[str]] = [[] for _ in range(experts)]
        lost: list[list[str]] = [[] for _ in range(experts)]
        for prompt, s, expert in tokens:
            room = len(taken[expert]) < capacity
            (taken if room else lost)[expert].append(f"{prompt}{SUB[s + 1]}")
        for expert in range(experts):
            x = x0 + expert * size
            d.text(x + 17, 44, f"E{SUB[expert + 1]}", p.faint, 12)
            for place in range(capacity):
                name = taken[expert][place] if place < len(taken[expert]) else ""
                kind = {"a": "main", "b": "warm"}.get(name[:1], "blank")
                d.tile(x, 52 + place * 34, size - 4, 30, name, kind=kind)
            for place, name in enumerate(lost[expert]):
                y = 138 + place * 34
                d.rect(x, y, size - 4, 30, "none", p.main if name[0] == "a" else p.line)
                d.text(x + 17, y + 19.5, name, p.ink if name[0] == "a" else p.faint, 12)
        if not any(lost):
            d.text(x0 + 2 * size, 174, t("none", "无"), p.faint)
        d.line([(x0 - 4, 128), (x0 + experts * size, 128)], p.series[1], 1.5, dashed=True)
        words = t(
            f"capacity 1.0 × {len(tokens)} / {experts} = {capacity}",
            f"容量 1.0 × {len(tokens)} / {experts} = {capacity}",
        )
        d.text(x0 + 2 * size, 226, words, p.faint, 12)
    return d


def pre_post_norm(p: Palette, t: Words) -> Drawing:
    """Two sublayers of each kind: where the norms stand, on the residual path or beside it."""
    d = Drawing(460, 240, p, t("Post-norm and pre-norm", "post-norm 与 pre-norm"))
    panels = (
        (54, "post", t("post-norm: norms on the residual path", "post-norm：归一化在残差通路上")),
        (172, "pre", t("pre-norm: nothing on the path but sums", "pre-norm：残差通路上只有加法")),
    )
    for y, kind, title in panels:
        d.text(20, y - 30, title, anchor="start")
        d.text(20, y + 5, "x", size=15)
        colour = p.series[2] if kind == "pre" else p.line
        d.line([(32, y), (416, y)], colour, 4 if kind == "pre" else 2)
        for sublayer, name in enumerate(("attn", "ffn")):
            left = 48 + sublayer * 176
            plus = left + (110 if kind == "post" else 134)
            d.line([(left, y), (left, y + 44), (plus, y + 44)], p.line)
            d.arrow(plus, y + 44, plus, y + 13, p.line)
            if kind == "pre":
                d.tile(left + 12, y + 30, 48, 28, "norm", kind="warm")
            d.tile(left + (72 if kind == "pre" else 34), y + 30, 48, 28, name, kind="main")
            d.rect(plus - 10, y - 10, 20, 20, p.blank, p.line, radius=10)
            d.text(plus, y + 5, "+", size=15)
            if kind == "post":
                d.tile(plus + 14, y - 14, 44, 28, "norm", kind="warm")
        d.arrow(414, y, 440, y, colour, 4 if kind == "pre" else 2)
    return d


def mla_cache(p: Palette, t: Words) -> Drawing:
    """A score of MLA as a product of matrices: without a rotation, with one in between, and with the key apart."""
    d = Drawing(440, 262, p, t("Why MLA keeps a rotary key apart", "MLA 为何另存一个旋转键"))

    def product(y: float, *factors: tuple[str, str, str]) -> None:
        x = 30.0
        for words, sub, kind in factors:
            width = 58 if sub else 40
            d.tile(x, y, width, 30, "" if sub else words, kind=kind)
            if sub:
                ink = {"main": p.on_main, "warm": p.on_warm}.get(kind, p.ink)
                middle = x + width / 2 + 6 - 4 * len(sub)
                d.text(middle, y + 20, words[0], ink, 13, anchor="end")
                d.text(middle + 1, y + 19, words[1:], ink, 13, anchor="start")
                d.text(middle + 1, y + 26, sub, ink, 12, anchor="start")
            x += width + 6

    query, up = ("Wᵀ", "Q", "main"), ("W", "UK", "main")
    d.text(20, 20, t("no rotation: one fixed matrix, absorbed", "没有旋转：合成一个固定矩阵，可以吸收"), anchor="start")
    product(30, ("hᵀ", "", "blank"), query, up, ("c", "", "warm"))
    d.line([(76, 66), (76, 70), (198, 70), (198, 66)], p.series[2], 2)
    d.text(262, 50, t("merged once", "预先合并"), p.series[2], 13, anchor="start")
    d.text(20, 100, t("RoPE on the up-projected key", "对上投影后的键施加 RoPE"), anchor="start")
    product(110, ("hᵀ", "", "blank"), query, ("R", "", p.series[1]), up, ("c", "", "warm"))
    d.text(308, 122, t("R differs for", "R 随距离"), p.series[1], 13, anchor="start")
    d.text(308, 139, t("each distance", "变化"), p.series[1], 13, anchor="start")
    latent, rotary, heads, width = 512, 64, 128, 128
    words = t("MLA caches for a token, in each layer (DeepSeek-V2)", "MLA 每个 token、每层缓存（DeepSeek-V2）")
    d.text(20, 172, words, anchor="start")
    unit = 300 / latent
    d.tile(30, 182, latent * unit, 30, t(f"latent c: {latent}", f"潜向量 c：{latent}"), kind="warm")
    d.tile(34 + latent * unit, 182, rotary * unit, 30, f"{rotary}", kind=p.series[1])
    d.text(38 + (latent + rotary) * unit, 202, "k (RoPE)", size=12, anchor="start")
    full = 2 * heads * width
    words = t(
        f"{latent + rotary} numbers; keys and values of {heads} heads: {full:,}",
        f"共 {latent + rotary} 个数；{heads} 个头的键和值则有 {full} 个",
    )
    d.text(30, 236, words, p.faint, 12, anchor="start")
    words = t("a score adds the dot products of both parts", "分数是两部分点积之和")
    d.text(30, 254, words, p.faint, 12, anchor="start")
    return d


def linear_attention_order(p: Palette, t: Words) -> Drawing:
    """The two orders of multiplication without a softmax, as rectangles: one passes by an n × n matrix."""
    d = Drawing(440, 250, p, t("The order of multiplication", "相乘的次序"))
    n, width, long, short = 4096, 128, 80, 18
    boxes = (("Q", 92, short, long), ("Kᵀ", 130, long, short), ("V", 230, short, long))
    rows = (
        ("(QKᵀ)V", (92, 210), long, "n × n", p.series[1], 4 * n * n * width / 1e9),
        ("Q(KᵀV)", (130, 248), short, "d × d", p.series[0], 4 * n * width * width / 1e9),
    )
    for row, (title, (left, right), side, name, colour, cost) in enumerate(rows):
        middle = 64 + row * 110
        d.text(14, middle + 5, title, size=15, anchor="start")
        for words, x, w, h in boxes:
            d.tile(x, middle - h / 2, w, h, words)
        d.text(120, middle + 5, "·", size=16)
        d.text(220, middle + 5, "·", size=16)
        top = middle - 46
        d.line([(left, top + 4), (left, top - 2), (right, top - 2), (right, top + 4)], colour, 2)
        d.arrow(254, middle, 274, middle, p.faint)
        d.tile(282, middle - side / 2, side, side, name if side > 40 else "", kind=colour)
        if side < 40:
            d.text(308, middle + 5, name, colour, anchor="start")
        d.text(374, middle - 2, f"{cost:.2g}", size=15, anchor="start")
        d.text(374, middle + 15, "GFLOP", p.faint, 12, anchor="start")
    words = t(
        f"one head, n = {n} tokens, d = {width}: n/d = {n // width} times less",
        f"一个头，n = {n} 个 token，d = {width}：计算量降为 d/n = 1/{n // width}",
    )
    d.text(220, 242, words, p.faint, 12)
    return d


def mrope_positions(p: Palette, t: Words) -> Drawing:
    """Text, an image of 24 × 24 tokens from position 10 on, and text again, by their M-RoPE positions."""
    d = Drawing(440, 232, p, t("M-RoPE positions around an image", "图片前后的 M-RoPE 位置"))
    start, side, size, x0, y0 = 10, 24, 6, 148, 44
    for row in range(side):
        for column in range(side):
            d.rect(x0 + column * size, y0 + row * size, size - 1, size - 1, p.main, radius=0)
    end, last = x0 + side * size, start + side - 1
    for place, position in enumerate((start - 2, start - 1)):
        d.tile(56 + place * 40, 100, 34, 34, str(position))
    for place, position in enumerate((last + 1, last + 2)):
        d.tile(end + 24 + place * 40, 100, 34, 34, str(position), kind="blank" if place else "warm")
    d.text(92, 92, t("text", "文本"), p.faint, 12)
    d.text(end + 61, 92, t("text", "文本"), p.faint, 12)
    d.text(40, 122, "…")
    d.text(x0 + 6, 36, str(start), size=12)
    d.text(end - 8, 36, str(last), size=12)
    d.text((x0 + end) / 2, 36, t("width →", "宽 →"), p.faint, 12)
    d.text(end + 6, y0 + 11, str(start), size=12, anchor="start")
    d.text(end + 6, y0 + side * size - 2, str(last), size=12, anchor="start")
    d.text(end + 28, y0 + side * size - 2, t("height ↓", "高 ↓"), p.faint, 12, anchor="start")
    words = t(
        f"{side * side} tokens, but text goes on at {last} + 1 = {last + 1}",
        f"共 {side * side} 个 token，文本却从 {last} + 1 = {last + 1} 继续",
    )
    d.text(220, 218, words)
    return d


FIGURES: dict[str, Figure] = {
    "packed-mask": packed_mask,
    "left-padded-positions": left_padded_positions,
    "rope-pairings": rope_pairings,
    "yarn-bands": yarn_bands,
    "local-global-layers": local_global_layers,
    "moe-capacity": moe_capacity,
    "pre-post-norm": pre_post_norm,
    "mla-cache": mla_cache,
    "linear-attention-order": linear_attention_order,
    "mrope-positions": mrope_positions,
}
