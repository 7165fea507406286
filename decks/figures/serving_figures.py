"""Figures on serving, quantisation and training; `draw.py` writes them with the others."""

from __future__ import annotations

import math
from itertools import pairwise

from drawing import Drawing, Figure, Palette, Words


def _legend(d: Drawing, y: float, *entries: tuple[float, str, str]) -> None:
    """A line of keys at height y, each (x, kind, words)."""
    for x, kind, words in entries:
        d.key(x, y, kind, words)


def roofline(p: Palette, t: Words) -> Drawing:
    """One bf16 matrix product on an H100: decoding under the slope of the bandwidth, prefill under the flat roof."""
    d = Drawing(440, 264, p, t("Roofline: decoding and prefill", "Roofline：解码与预填充"))
    peak, bandwidth, width = 989.0, 3.35, 4096  # TFLOP/s, TB/s
    x0, bottom, right, decade_x, decade_y, least = 56, 206, 404, 90, 52, -0.2

    def place(flops_a_byte: float, tflops: float) -> tuple[float, float]:
        return x0 + (math.log10(flops_a_byte) - least) * decade_x, bottom - math.log10(tflops) * decade_y

    d.line([(x0, 30), (x0, bottom), (right, bottom)], p.line)
    for power in range(4):
        x, y = place(10.0**power, 10.0**power)
        d.text(x, bottom + 16, str(10**power), p.faint, 12)
        d.text(x0 - 7, y + 4, str(10**power), p.faint, 12, anchor="end")
    d.text(12, 20, "TFLOP/s", anchor="start")
    d.text((x0 + right) / 2, bottom + 34, t("FLOPs per byte read or written", "每读写一字节的 FLOPs"))
    ridge = peak / bandwidth
    corner = place(ridge, peak)
    d.line([corner, (corner[0], bottom)], p.series[1], dashed=True)
    d.line([place(10.0**least, 10.0**least * bandwidth), corner, (right, corner[1])], p.ink, 2)
    d.text(corner[0] + 8, 122, t(f"ridge: {ridge:.0f}", f"拐点：{ridge:.0f}"), p.series[1], anchor="start")
    d.text(corner[0] + 8, 152, t("compute-bound", "受算力限制"), p.faint, 12, anchor="start")
    d.text(corner[0] - 8, 152, t("bandwidth-bound", "受带宽限制"), p.faint, 12, anchor="end")
    labels = (
        (1, t("decoding, 1 sequence", "解码，1 条序列"), (12, 14), "start"),
        (32, t("decoding, 32", "解码，32 条"), (-9, -6), "end"),
        (2048, t("prefill, 2048 tokens", "预填充，2048 token"), (4, -12), "middle"),
    )
    for tokens, words, (dx, dy), anchor in labels:
        flops, moved = 2 * tokens * width**2, 2 * (width**2 + 2 * tokens * width)
        x, y = place(flops / moved, min(peak, flops / moved * bandwidth))
        d.rect(x - 5, y - 5, 10, 10, p.main, radius=5)
        d.text(x + dx, y + dy, words, p.main, anchor=anchor)
    d.text(220, 258, t("bf16 weights of 4096 × 4096; H100 SXM", "4096 × 4096 的 bf16 权重；H100 SXM"), p.faint, 12)
    return d


def kv_head_layouts(p: Palette, t: Words) -> Drawing:
    """Eight query heads over 8, 2 and 1 KV heads: what MHA, GQA and MQA keep in the cache."""
    d = Drawing(456, 196, p, t("KV heads of MHA, GQA and MQA", "MHA、GQA 与 MQA 的 KV 头"))
    heads, size = 8, 16
    for panel, (name, kv) in enumerate((("MHA", 8), ("GQA", 2), ("MQA", 1))):
        x0 = 36 + panel * 142
        d.text(x0 + heads * size / 2, 20, name, size=14)
        for head in range(heads):
            d.tile(x0 + head * size, 36, size - 2, 32, kind="main")
        group = heads // kv * size
        for head in range(heads):
            centre = x0 + (head * size // group) * group + group / 2
            d.line([(x0 + head * size + 7, 70), (centre - 1, 104)], p.line, 1.2)
        for head in range(kv):
            wide = size - 2
            d.tile(x0 + head * group + group / 2 - 1 - wide / 2, 106, wide, 32, kind="warm")
        share = "1" if kv == heads else f"1/{heads // kv}"
        d.text(x0 + heads * size / 2, 160, t(f"cache × {share}", f"缓存 × {share}"))
    d.text(18, 57, "Q")
    d.text(16, 127, "KV")
    words = t("8 query heads; each line: reads this KV head", "8 个查询头；连线表示使用该 KV 头")
    d.text(228, 186, words, p.faint, 12)
    return d


def paged_block_table(p: Palette, t: Words) -> Drawing:
    """Position 37 through the block table [7, 2, 9] to its slot in the pool."""
    d = Drawing(440, 262, p, t("A paged cache looks up the block", "分页缓存：查块表定位"))
    table, size, position = (7, 2, 9), 16, 37
    entry, slot = divmod(position, size)
    d.text(98, 31, t("positions", "位置"), anchor="end")
    d.text(98, 69, t("block table", "块表"), anchor="end")
    d.text(20, 108, t("pool", "块池"), anchor="start")
    step, x0 = 40, 22
    for index, block in enumerate(table):
        x, kind = 110 + index * 106, "warm" if index == entry else "main"
        last = min((index + 1) * size - 1, position)
        d.tile(x, 14, 100, 26, f"{index * size} … {last}", kind=kind)
        d.tile(x + 34, 52, 32, 26, str(block), kind=kind)
        d.line([(x + 50, 40), (x + 50, 52)], p.line)
        d.arrow(x + 50, 80, x0 + block * step + 18, 116, p.series[1] if index == entry else p.faint)
    for block in range(10):
        kind = "warm" if block == table[entry] else "main" if block in table else "blank"
        d.tile(x0 + block * step, 118, step - 3, 28, str(block), kind=kind)
    left = x0 + table[entry] * step
    d.line([(left, 148), (x0, 182)], p.line, 1, dashed=True)
    d.line([(left + step - 3, 148), (x0 + 16 * 25 - 2, 182)], p.line, 1, dashed=True)
    for s in range(size):
        kind = "warm" if s == slot else "main" if s < slot else "blank"
        d.tile(x0 + s * 25, 184, 23, 26, str(s), kind=kind)
    flat = table[entry] * size + slot
    words = f"{position} = {entry} × {size} + {slot}  →  {table[entry]} × {size} + {slot} = {flat}"
    d.text(220, 230, words, size=14)
    words = t("slots of block 9: 6 of 16 in use", "块 9 的槽：16 个中已用 6 个")
    d.text(220, 252, words, p.faint, 12)
    return d


def continuous_batching(p: Palette, t: Words) -> Drawing:
    """Four rows over twelve steps: static batches wait for their longest, continuous batching refills at once."""
    d = Drawing(420, 262, p, t("Static and continuous batching", "静态批处理与连续批处理"))
    lengths, rows, steps, w, h, x0 = (3, 5, 2, 8, 4, 3, 6, 5, 4, 4, 3, 3, 2), 4, 12, 24, 20, 112
    for panel, name in enumerate((t("static", "静态批处理"), t("continuous", "连续批处理"))):
        y0, free, start, busy = 28 + panel * 104, [0] * rows, 0, 0
        for row in range(rows):
            for step in range(steps):
                d.tile(x0 + step * w, y0 + row * h, w - 2, h - 2)
        for request, length in enumerate(lengths):
            row = free.index(min(free)) if panel else request % rows
            start = free[row] if panel else start if row else max(free)
            free[row] = start + length
            for step in range(start, min(free[row], steps)):
                kind = "main" if request < rows else "warm"
                d.tile(x0 + step * w, y0 + row * h, w - 2, h - 2, "ABCDEFGHIJKLM"[request], kind=kind)
                busy += 1
        share = 100 * busy / (rows * steps)
        d.text(14, y0 + 36, name, anchor="start")
        d.text(14, y0 + 55, t(f"{share:.0f}% busy", f"{share:.0f}% 有效"), p.faint, 12, anchor="start")
    d.text(x0 + steps * w / 2, 18, t("decoding steps →", "解码步 →"), p.faint, 12)
    _legend(
        d,
        236,
        (24, "main", t("first four", "前四个请求")),
        (142, "warm", t("had been waiting", "后续排队的请求")),
        (300, "blank", t("row idle", "空闲行")),
    )
    return d


def chunked_prefill(p: Palette, t: Words) -> Drawing:
    """When the running requests get their tokens while a long prompt is prefilled, whole or in four chunks."""
    d = Drawing(440, 234, p, t("Chunked prefill bounds the wait", "分块预填充限制等待时间"))
    x0, decode, whole, chunks = 20, 20, 260, 4
    plans = (
        (t("prompt prefilled in one step", "提示词在一步内整条预填充"), [0, 0, whole, 0, 0, 0, 0]),
        (t("prefilled in four chunks", "分四块预填充"), [0, 0] + [whole / chunks] * chunks + [0]),
    )
    d.text(424, 24, t("time, not to scale →", "时间（未按比例）→"), p.faint, 12, anchor="end")
    for panel, (title, prefills) in enumerate(plans):
        y, x, ends = 44 + panel * 88, float(x0), []
        d.text(x0, y - 20, title, anchor="start")
        for prefill in prefills:
            if prefill:
                d.tile(x, y, prefill, 26, t("prefill", "预填充"), kind="main")
                x += prefill
            d.tile(x, y, decode - 4, 26, kind="warm")
            x += decode
            ends.append(x)
        for end in ends:
            d.rect(end - 17, y + 32, 10, 10, p.series[1], radius=5)
        gap = max(pairwise(ends), key=lambda pair: pair[1] - pair[0])
        d.arrow(gap[0] - 2, y + 37, gap[1] - 23, y + 37, p.faint)
    _legend(
        d,
        206,
        (20, "main", t("the prompt", "新提示词")),
        (126, "warm", t("decoding step", "解码步")),
    )
    d.rect(252, 209, 10, 10, p.series[1], radius=5)
    words = t("token of running requests", "运行中请求的 token")
    d.text(268, 218, words, anchor="start", size=12)
    return d


def speculative_residual(p: Palette, t: Words) -> Drawing:
    """Draft q under target p: the overlap is accepted, the replacement comes from where p exceeds q."""
    d = Drawing(440, 244, p, t("Accept the overlap, resample the rest", "接受重叠部分，其余重采样"))
    target, draft, base, high, x0 = (0.5, 0.3, 0.2), (0.2, 0.7, 0.1), 162, 190, 108
    rest = [max(0.0, a - b) for a, b in zip(target, draft, strict=True)]
    d.line([(x0 - 14, base), (x0 + 320, base)], p.line)
    for token, (a, b) in enumerate(zip(target, draft, strict=True)):
        x, low = x0 + token * 108, min(a, b)
        for bar, (value, kind) in enumerate(((b, "gone"), (a, "warm"))):
            left = x + bar * 46
            d.rect(left, base - value * high, 42, value * high, p.warm if kind == "warm" else "none", p.line)
            d.rect(left, base - low * high, 42, low * high, p.main)
            d.text(left + 21, base - value * high - 6, f"{'qp'[bar]} = {value}", size=12)
        if rest[token]:
            share = rest[token] / sum(rest)
            d.text(x + 44, base + 34, f"{rest[token]:.1f} → {share:.2f}", size=13)
        else:
            d.text(x + 44, base + 34, "0", p.faint)
        d.text(x + 44, base + 16, "xyz"[token], p.faint)
    d.text(10, base + 34, "max(0, p − q)", anchor="start", size=12)
    _legend(
        d,
        216,
        (10, "main", t("accepted", "接受")),
        (110, "gone", t("rejected", "拒绝")),
        (206, "warm", t("replacement drawn from here", "替换 token 从这里采样")),
    )
    return d


def speculative_rollback(p: Palette, t: Words) -> Drawing:
    """Five drafted tokens, two accepted: the cache keeps those two, and the new token is not in it yet."""
    d = Drawing(440, 232, p, t("After a rejection the cache is cut", "拒绝之后截断缓存"))
    text, drafted, accepted, size, x0 = 3, 5, 2, 36, 126
    rows = (t("drafted", "草稿"), t("target's check", "大模型验证"), t("cache, checked", "验证后的缓存"))
    for row, words in enumerate((*rows, t("cache, cut", "截断后的缓存"))):
        d.text(114, 37 + row * 44, words, anchor="end")
    for s in range(text + drafted):
        x, draft = x0 + s * size, s - text
        name = f"d{'₁₂₃₄₅'[draft]}" if draft >= 0 else f"t{'₁₂₃'[s]}"
        d.tile(x, 18, size - 3, 30, name, kind="blank" if draft < 0 else "warm")
        if draft >= 0:
            mark = "✓" if draft < accepted else "✗" if draft == accepted else "–"
            d.text(x + 16, 82, mark, p.series[2] if draft < accepted else p.series[1], 16)
        kept = draft < accepted
        d.tile(x, 106, size - 3, 30, name, kind="main" if kept else "warm")
        d.tile(x, 150, size - 3, 30, name if kept else "", kind="main" if kept else "gone")
    cut = x0 + (text + accepted) * size - 1.5
    d.line([(cut, 98), (cut, 188)], p.series[1], 2, dashed=True)
    words = t("next input: the token resampled in place of d₃", "下一步的输入：在 d₃ 处重新采样得到的 token")
    d.text(220, 206, words, size=12)
    d.text(220, 225, t("the draft's cache is cut to the same length", "小模型的缓存也截到同样长度"), p.faint, 12)
    return d


def int8_outlier(p: Palette, t: Words) -> Drawing:
    """Six small weights on the int8 grid of their row: as it is, and with an outlier of 6.0 in the row."""
    d = Drawing(440, 240, p, t("One outlier coarsens the grid", "一个离群值使量化网格变粗"))
    weights, reach, x0, w = (-0.083, -0.06, -0.018, 0.012, 0.041, 0.1), 0.11, 220, 196
    for panel, top in enumerate((0.1, 6.0)):
        y, scale = 62 + panel * 104, top / 127
        title = t(f"largest weight {top}: step {scale:.4f}", f"最大权重 {top}：步长 {scale:.4f}")
        d.text(20, y - 36, title, anchor="start")
        if panel:
            words = t("6.0 is code 127, far off →", "6.0 的编码为 127，远在右侧 →")
            d.text(424, y - 36, words, p.faint, 12, anchor="end")
        codes = range(-int(reach / scale), int(reach / scale) + 1)
        for code in codes:
            if abs(code) <= 127:
                x = x0 + code * scale / reach * w
                d.line([(x, y + 26), (x, y + 36)], p.ink if panel else p.line, 1.6 if panel else 0.7)
                if panel:
                    d.text(x, y + 52, f"{code}".replace("-", "−"), p.faint, 12)
        d.line([(x0 - w, y + 36), (x0 + w, y + 36)], p.line)
        for weight in weights:
            code = round(weight / scale)
            x, landed = x0 + weight / reach * w, x0 + code * scale / reach * w
            d.rect(x - 5, y - 23, 10, 10, p.main, radius=5)
            d.arrow(x, y - 8, landed, y + 22, p.series[1] if code == 0 else p.faint)
    landed_on = [round(weight / scale) for weight in weights]
    used, lost = len(set(landed_on)), landed_on.count(0)
    words = t(
        f"{len(weights)} weights on {used} codes; {lost} became 0",
        f"{len(weights)} 个权重只占 {used} 个编码，其中 {lost} 个变成 0",
    )
    d.text(220, 236, words, p.faint, 12)
    return d


def int4_byte(p: Palette, t: Words) -> Drawing:
    """The codes 3 and 12 in one byte: the first in the low half, which is written on the right."""
    d = Drawing(400, 226, p, t("Two 4-bit codes in one byte", "两个 4 位编码放进一个字节"))
    codes, size, x0 = (3, 12), 34, 64
    byte = codes[0] | codes[1] << 4
    for index, (code, kind) in enumerate(zip(codes, ("main", "warm"), strict=True)):
        x, half = x0 + index * 4 * size, 1 - index
        order = t(("first", "second")[index], ("第一个", "第二个")[index])
        d.text(x + 2 * size, 20, t(f"{order}: {code}", f"{order}：{code}"))
        for bit in range(4):
            d.tile(x + bit * size, 30, size - 3, 30, f"{code >> (3 - bit) & 1}", kind=kind)
            d.tile(x0 + (4 * half + bit) * size, 116, size - 3, 30, f"{code >> (3 - bit) & 1}", kind=kind)
        d.arrow(x + 2 * size, 64, x0 + (4 * half + 2) * size, 110, p.faint)
    d.text(x0 + 2 * size, 166, t("high half", "高 4 位"), p.faint, 12)
    d.text(x0 + 6 * size, 166, t("low half", "低 4 位"), p.faint, 12)
    d.text(200, 192, f"3 | 12 << 4 = 3 + 12 × 16 = {byte}", size=14)
    low, high = byte & 15, byte >> 4
    words = t(
        f"back: {byte} & 15 = {low}, {byte} >> 4 = {high}",
        f"解包：{byte} & 15 = {low}，{byte} >> 4 = {high}",
    )
    d.text(200, 216, words, p.faint, 12)
    return d


def tensor_parallel_mlp(p: Palette, t: Words) -> Drawing:
    """An MLP on two GPUs: the columns of the first matrix, the rows of the second, one all-reduce at the end."""
    d = Drawing(476, 236, p, t("Columns, then rows, then one all-reduce", "先按列切，再按行切，最后一次 all-reduce"))
    names = (("X", 20), ("A", 92), ("H = gelu(XA)", 178), ("B", 262), (t("partial", "部分和"), 348))
    for words, x in names:
        d.text(x + 24, 22, words, size=12)
    for gpu, kind in enumerate(("main", "warm")):
        y, sub = 40 + gpu * 92, "₀₁"[gpu]
        d.text(44, y + 60, f"GPU {gpu}", p.faint, 12)
        d.tile(24, y + 14, 40, 28, "X")
        d.text(77, y + 33, "·", size=18)
        for part in range(2):
            d.tile(90 + part * 28, y, 26, 56, f"A{sub}" if part == gpu else "", kind=kind if part == gpu else "gone")
        d.arrow(148, y + 28, 164, y + 28, p.faint)
        for part in range(2):
            own = part == gpu
            d.tile(172 + part * 30, y + 14, 28, 28, f"H{sub}" if own else "", kind=kind if own else "gone")
        d.text(243, y + 33, "·", size=18)
        for part in range(2):
            own = part == gpu
            d.tile(256, y + part * 29, 58, 27, f"B{sub}" if own else "", kind=kind if own else "gone")
        d.arrow(320, y + 28, 338, y + 28, p.faint)
        d.tile(346, y + 14, 52, 28, f"H{sub}B{sub}", kind=kind)
        d.arrow(400, y + 28, 418, 104 + (gpu - 0.5) * 24, p.series[1], 2)
    d.text(442, 92, "all-", p.series[1], 13)
    d.text(442, 109, "reduce", p.series[1], 13)
    d.text(442, 126, "= Y", size=13)
    words = t("H₀ meets only the rows B₀: nothing is sent in between", "H₀ 只与 B₀ 的行相乘，中间无需通信")
    d.text(238, 226, words, p.faint, 12)
    return d


def pipeline_bubble(p: Palette, t: Words) -> Drawing:
    """Twelve micro-batches through four stages: the idle corners are the bubble."""
    d = Drawing(448, 172, p, t("The bubble of a pipeline", "流水线气泡"))
    stages, micro, w, h, x0, y0 = 4, 12, 25, 26, 66, 28
    steps = micro + stages - 1
    d.text(x0 + steps * w / 2, 18, t("time →", "时间 →"), p.faint, 12)
    for stage in range(stages):
        d.text(58, y0 + stage * h + 17, t(f"stage {stage + 1}", f"第 {stage + 1} 级"), anchor="end")
        for step in range(steps):
            batch = step - stage
            works = 0 <= batch < micro
            words, kind = (str(batch + 1), "main") if works else ("", "warm")
            d.tile(x0 + step * w, y0 + stage * h, w - 2, h - 2, words, kind=kind)
    idle, whole = stages * (stages - 1), stages * steps
    words = t(
        f"idle: {idle} of {whole} boxes = {stages - 1}/{steps} = {100 * idle / whole:.0f}%",
        f"空闲：{whole} 格中的 {idle} 格，即 {stages - 1}/{steps} = {100 * idle / whole:.0f}%",
    )
    d.tile(92, 144, 15, 15, kind="warm")
    d.text(116, 156, words, anchor="start")
    return d


def sink_window(p: Palette, t: Words) -> Drawing:
    """Four sinks and a window of five: where a token stands in the text, and by which position it is rotated."""
    d = Drawing(440, 222, p, t("Sinks, window, and positions in the cache", "汇聚点、窗口与缓存中的位置"))
    sinks, window, length, size, x0 = 4, 5, 16, 26, 12
    kept = [s for s in range(length) if s < sinks or s >= length - window]
    shift = x0 + (length - len(kept)) * size / 2
    d.text(220, 20, t("position in the text", "在原文中的位置"))
    d.text(220, 180, t("position in the cache = the one RoPE rotates by", "在缓存中的位置，即 RoPE 所用的位置"))
    for s in range(length):
        kind = "warm" if s < sinks else "main" if s in kept else "gone"
        d.tile(x0 + s * size, 32, size - 3, 26, str(s), kind=kind)
    for place, s in enumerate(kept):
        x = shift + place * size
        d.line([(x0 + s * size + 11.5, 60), (x + 11.5, 128)], p.series[1] if s >= sinks else p.faint, 1.3)
        d.tile(x, 130, size - 3, 26, str(place), kind="warm" if s < sinks else "main")
    _legend(
        d,
        198,
        (50, "warm", t("sinks", "汇聚点")),
        (150, "main", t("recent window", "最近的窗口")),
        (298, "gone", t("dropped", "丢弃")),
    )
    return d


FIGURES: dict[str, Figure] = {
    "roofline": roofline,
    "kv-head-layouts": kv_head_layouts,
    "paged-block-table": paged_block_table,
    "continuous-batching": continuous_batching,
    "chunked-prefill": chunked_prefill,
    "speculative-residual": speculative_residual,
    "speculative-rollback": speculative_rollback,
    "int8-outlier": int8_outlier,
    "int4-byte": int4_byte,
    "tensor-parallel-mlp": tensor_parallel_mlp,
    "pipeline-bubble": pipeline_bubble,
    "sink-window": sink_window,
}
