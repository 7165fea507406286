"""Figures on serving, quantisation and training; `draw.py` writes them with the others."""

from __future__ import annotations

import math

from drawing import Drawing, Figure, Palette, Words


def _tile(d: Drawing, x: float, y: float, w: float, h: float, words: str = "", *, kind: str = "blank") -> None:
    """A box of any size with a few words in its middle: `main`, `warm`, `blank`, or `gone` for what is dropped."""
    p = d.palette
    fill, ink, stroke = {
        "main": (p.main, p.on_main, "none"),
        "warm": (p.warm, p.on_warm, "none"),
        "blank": (p.blank, p.ink, "none"),
        "gone": ("none", p.faint, p.line),
    }[kind]
    d.rect(x, y, w, h, fill, stroke)
    if words:
        d.text(x + w / 2, y + h / 2 + 4.5, words, ink, 12)


def _legend(d: Drawing, y: float, *entries: tuple[float, str, str]) -> None:
    """A line of keys at height y, each (x, kind, words)."""
    for x, kind, words in entries:
        _tile(d, x, y, 15, 15, kind=kind)
        d.text(x + 22, y + 12, words, anchor="start", size=12)


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
            _tile(d, x0 + head * size, 36, size - 2, 32, kind="main")
        group = heads // kv * size
        for head in range(heads):
            centre = x0 + (head * size // group) * group + group / 2
            d.line([(x0 + head * size + 7, 70), (centre - 1, 104)], p.line, 1.2)
        for head in range(kv):
            wide = size - 2
            _tile(d, x0 + head * group + group / 2 - 1 - wide / 2, 106, wide, 32, kind="warm")
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
        _tile(d, x, 14, 100, 26, f"{index * size} … {last}", kind=kind)
        _tile(d, x + 34, 52, 32, 26, str(block), kind=kind)
        d.line([(x + 50, 40), (x + 50, 52)], p.line)
        d.arrow(x + 50, 80, x0 + block * step + 18, 116, p.series[1] if index == entry else p.faint)
    for block in range(10):
        kind = "warm" if block == table[entry] else "main" if block in table else "blank"
        _tile(d, x0 + block * step, 118, step - 3, 28, str(block), kind=kind)
    left = x0 + table[entry] * step
    d.line([(left, 148), (x0, 182)], p.line, 1, dashed=True)
    d.line([(left + step - 3, 148), (x0 + 16 * 25 - 2, 182)], p.line, 1, dashed=True)
    for s in range(size):
        kind = "warm" if s == slot else "main" if s < slot else "blank"
        _tile(d, x0 + s * 25, 184, 23, 26, str(s), kind=kind)
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
                _tile(d, x0 + step * w, y0 + row * h, w - 2, h - 2)
        for request, length in enumerate(lengths):
            row = free.index(min(free)) if panel else request % rows
            start = free[row] if panel else start if row else max(free)
            free[row] = start + length
            for step in range(start, min(free[row], steps)):
                kind = "main" if request < rows else "warm"
                _tile(d, x0 + step * w, y0 + row * h, w - 2, h - 2, "ABCDEFGHIJKLM"[request], kind=kind)
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


FIGURES: dict[str, Figure] = {
    "roofline": roofline,
    "kv-head-layouts": kv_head_layouts,
    "paged-block-table": paged_block_table,
    "continuous-batching": continuous_batching,
}
