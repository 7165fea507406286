"""Draws the figures of the decks: each in English and Chinese, for light and for night mode.

    python decks/figures/draw.py            # writes NAME.LANG.MODE.svg beside this file
    python decks/figures/draw.py --check    # exit 1 when a file is not what this script draws

Anki shows a figure as an image, and an image cannot see the card's mode: hence one file a mode, and the card's style
shows the right one. Text is set in the system's sans-serif, so that Chinese needs no font of ours.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from drawing import PALETTES, Drawing, Figure, Palette, Words
from input_figures import FIGURES as INPUTS
from model_figures import FIGURES as MODELS
from serving_figures import FIGURES as SERVING

HERE = Path(__file__).parent
LANGUAGES = ("en", "zh")


def attention_mask_matrix(p: Palette, t: Words) -> Drawing:
    """Causal, aligned lower-right, with one padded key: 3 queries that see a cache of 3 earlier keys."""
    d = Drawing(360, 236, p, t("Causal mask with a cache and padding", "带缓存和填充的因果掩码"))
    queries, keys, size, x0, y0 = 3, 6, 34, 112, 56
    d.text(x0 + keys * size / 2, 20, t("keys", "键"))
    d.text(50, y0 + queries * size / 2 + 4, t("queries", "查询"))
    for s in range(keys):
        d.text(x0 + s * size + 16, 44, f"k{s}" if s else "pad", p.faint, 12)
    for row in range(queries):
        d.text(x0 - 14, y0 + row * size + 21, f"q{row + keys - queries}", p.faint, 12)
        for s in range(keys):
            sees = s <= row + keys - queries and s != 0
            d.cell(x0 + s * size, y0 + row * size, size, "1" if sees else "0", kind="main" if sees else "blank")
    d.cell(40, 182, 22, kind="main")
    d.text(70, 197, t("1 = attend", "1 = 参与注意力"), anchor="start")
    d.cell(180, 182, 22, kind="blank")
    d.text(210, 197, t("0 = masked", "0 = 屏蔽"), anchor="start")
    d.text(180, 226, t("the last query sees every real key", "最后一个查询能看到所有真实的键"), p.faint, 12)
    return d


def rope_rotation(p: Palette, t: Words) -> Drawing:
    """Pair i turns by position × θ_i: the first pair fast, the last slowly."""
    d = Drawing(440, 190, p, t("RoPE turns each pair at its own speed", "RoPE 以各自的速度旋转每一对分量"))
    pairs, positions, dim = 4, 5, 8
    for i in range(pairs):
        x, y, r = 60 + i * 106, 84, 42
        theta = 100.0 ** (-2 * i / dim)  # base 100, so that the slow pairs still move visibly
        d.circle(x, y, r, p.line)
        for position in range(positions):
            angle = -position * theta
            colour = p.main if position else p.faint
            end = (x + (r - 2) * math.cos(angle), y + (r - 2) * math.sin(angle))
            if position == positions - 1:
                d.arrow(x, y, *end, p.series[1], 2.2)
            else:
                d.line([(x, y), end], colour, 1.1)
        d.text(x, 24, t(f"pair {i}", f"第 {i} 对"))
        d.text(x, 150, f"θ{'₀₁₂₃'[i]} = {theta:.3g}", p.faint, 12)
    d.text(
        220,
        178,
        t("base 100; positions 0 … 4, the thick arrow is position 4", "底数 100；位置 0 … 4，粗箭头为位置 4"),
        p.faint,
        12,
    )
    return d


def alibi_slopes(p: Palette, t: Words) -> Drawing:
    """The bias −m·distance of 8 heads: slopes 1/2 … 1/256."""
    d = Drawing(420, 250, p, t("ALiBi: each head has its own slope", "ALiBi：每个头有自己的斜率"))
    x0, y0, w, h, far, deep = 52, 28, 290, 170, 16, 8.0
    d.line([(x0, y0), (x0, y0 + h), (x0 + w, y0 + h)], p.line)
    d.text(x0 + w / 2, y0 + h + 36, t("distance between query and key", "查询与键的距离"))
    d.text(x0, 18, t("bias added to the score", "加到分数上的偏置"), anchor="start")
    for tick in (0, 4, 8, 12, 16):
        d.text(x0 + w * tick / far, y0 + h + 17, str(tick), p.faint, 12)
    for bias in (0, -4, -8):
        d.text(x0 - 8, y0 - h * bias / deep + 4, f"{bias}".replace("-", "−"), p.faint, 12, anchor="end")
    for head in range(8):
        slope = 2.0 ** -(head + 1)
        reach = min(far, deep / slope)
        end = (x0 + w * reach / far, y0 + h * reach * slope / deep)
        d.line([(x0, y0), end], p.series[head % 4], 1.8)
        if head < 4:
            shift = (4, 14) if end[1] >= y0 + h - 1 else (8, 4)
            place = (end[0] + 4, end[1] - 8) if shift == (4, 14) else (end[0] + shift[0], end[1] + shift[1])
            d.text(*place, f"1/{2 ** (head + 1)}", p.series[head % 4], 12, anchor="start")
    d.text(x0 + w + 8, y0 + 4, "… 1/256", p.faint, 12, anchor="start")
    return d


def kv_cache_growth(p: Palette, t: Words) -> Drawing:
    """Each step computes one new K and V and reuses all earlier ones."""
    d = Drawing(400, 232, p, t("The KV cache grows by one column a step", "KV 缓存每步增加一列"))
    size, x0, y0 = 34, 118, 40
    d.text(x0 + 3 * size, 22, t("keys and values in the cache", "缓存中的键和值"))
    for step in range(4):
        y = y0 + step * (size + 4)
        d.text(100, y + 21, t(f"step {step + 1}", f"第 {step + 1} 步"), anchor="end")
        for s in range(3 + step):
            new = s == 2 + step if step else True
            d.cell(x0 + s * size, y, size, f"{s}", kind="warm" if new else "main")
    d.cell(40, 200, 20, kind="warm")
    d.text(66, 214, t("computed now", "本步计算"), anchor="start", size=12)
    d.cell(200, 200, 20, kind="main")
    d.text(226, 214, t("reused", "复用"), anchor="start", size=12)
    return d


def flash_attention_tiles(p: Palette, t: Words) -> Drawing:
    """The score matrix by tiles: only one tile at a time exists, in SRAM."""
    d = Drawing(440, 236, p, t("FlashAttention works tile by tile", "FlashAttention 逐块计算"))
    size, x0, y0 = 34, 58, 52
    d.text(x0 + 2 * size, 20, "HBM")
    for s in range(4):
        d.text(x0 + s * size + 16, 44, f"K{'₀₁₂₃'[s]}", p.faint, 12)
    for row in range(4):
        d.text(x0 - 18, y0 + row * size + 21, f"Q{'₀₁₂₃'[row]}", p.faint, 12)
        for s in range(4):
            done = row < 1 or (row == 1 and s < 2)
            now = row == 1 and s == 2
            d.cell(x0 + s * size, y0 + row * size, size, "✓" if done else "", kind="warm" if now else "blank")
    d.text(x0 + 2 * size, 212, t("never stored whole", "从不写出整个矩阵"), p.faint, 12)
    d.arrow(x0 + 3 * size, y0 + 1.5 * size, 254, y0 + 1.5 * size, p.series[1])
    d.rect(262, 48, 164, 132, "none", p.line, 6)
    d.text(344, 36, "SRAM")
    d.cell(276, 62, size, "S", kind="warm")
    d.text(318, 82, "Q₁K₂ᵀ / √d", anchor="start")
    for index, row in enumerate(
        (t("running max m", "行最大值 m"), t("running sum ℓ", "行指数和 ℓ"), t("output O₁", "输出 O₁"))
    ):
        d.text(276, 122 + index * 22, row, p.ink, 13, anchor="start")
    d.text(344, 212, t("rescaled at every tile", "每块都重新缩放"), p.faint, 12)
    return d


def bpe_merges(p: Palette, t: Words) -> Drawing:
    """Merging by rank: the best-ranked adjacent pair first."""
    d = Drawing(440, 240, p, t("BPE merges the best-ranked pair first", "BPE 先合并排名最靠前的相邻对"))
    steps = [
        (["l", "o", "w", "e", "r"], ""),
        (["lo", "w", "e", "r"], "l + o"),
        (["low", "e", "r"], "lo + w"),
        (["low", "er"], "e + r"),
        (["lower"], "low + er"),
    ]
    for row, (pieces, merged) in enumerate(steps):
        y, x = 18 + row * 40, 150.0
        rule = t(f"{row}. {merged}", f"{row}. {merged}") if merged else t("characters", "字符")
        d.text(130, y + 20, rule, p.faint if not merged else p.ink, 13, anchor="end")
        for piece in pieces:
            width = 30 * len(piece) + 4 * (len(piece) - 1)
            new = bool(merged) and piece == merged.replace(" + ", "")
            d.rect(x, y, width, 28, p.warm if new else p.blank, radius=4)
            d.text(x + width / 2, y + 19, piece, p.on_warm if new else p.ink, 14)
            x += width + 4
    d.text(
        220,
        232,
        t("rank = the order in which training learned the merge", "排名 = 训练时学到该合并的先后次序"),
        p.faint,
        12,
    )
    return d


def top_p_bars(p: Palette, t: Words) -> Drawing:
    """The nucleus is the shortest prefix of the sorted tokens whose mass reaches p."""
    d = Drawing(
        420,
        250,
        p,
        t("Top-p keeps the shortest prefix that reaches p", "Top-p 保留累计概率达到 p 的最短前缀"),
    )
    probabilities, limit = (0.42, 0.23, 0.15, 0.09, 0.06, 0.05), 0.75
    x0, base, high, total = 40, 190, 320, 0.0
    d.line([(x0 - 8, base), (x0 + 6 * 60, base)], p.line)
    for rank, value in enumerate(probabilities):
        kept = total < limit
        total += value
        x = x0 + rank * 60
        d.rect(x, base - value * high, 44, value * high, p.main if kept else p.blank, "none" if kept else p.line)
        d.text(x + 22, base - value * high - 7, f"{value:.2f}")
        d.text(x + 22, base + 18, f"Σ {total:.2f}", p.faint if not kept else p.ink, 12)
    cut = x0 + 3 * 60 - 8
    d.line([(cut, 30), (cut, base + 24)], p.series[1], 1.8, dashed=True)
    d.text(cut + 8, 44, f"p = {limit}", p.series[1], 13, anchor="start")
    d.text(cut - 8, 240, t("kept", "保留"), anchor="end")
    d.text(cut + 8, 240, t("dropped", "丢弃"), p.faint, anchor="start")
    return d


def three_architectures(p: Palette, t: Words) -> Drawing:
    """Who sees whom: full, causal, and full plus causal with cross-attention."""
    d = Drawing(480, 250, p, t("The three architectures by who sees whom", "从“谁能看到谁”看三种架构"))
    size = 26

    def matrix(
        x: float, y: float, rows: int, columns: int, sees: Callable[[int, int], bool], kind: str = "main"
    ) -> None:
        for row in range(rows):
            for column in range(columns):
                d.cell(x + column * size, y + row * size, size, kind=kind if sees(row, column) else "blank")

    def always(_row: int, _column: int) -> bool:
        return True

    def causal(row: int, column: int) -> bool:
        return column <= row

    d.text(74, 20, "encoder-only")
    matrix(22, 38, 4, 4, always)
    d.text(74, 164, "BERT", p.faint)
    d.text(74, 186, t("every token sees all", "每个 token 看到全部"), p.faint, 12)
    d.text(216, 20, "decoder-only")
    matrix(164, 38, 4, 4, causal)
    d.text(216, 164, "GPT", p.faint)
    d.text(216, 186, t("only the past", "只看过去"), p.faint, 12)
    d.text(384, 20, "encoder-decoder")
    matrix(304, 38, 3, 3, always)
    matrix(304, 38 + 3 * size + 6, 3, 3, always, "warm")
    matrix(304 + 3 * size + 6, 38 + 3 * size + 6, 3, 3, causal)
    d.text(426, 78, t("encoder", "编码器"), p.faint, 12)
    d.text(384, 218, "T5", p.faint)
    d.text(384, 240, t("yellow: cross-attention", "黄色：交叉注意力"), p.faint, 12)
    return d


FIGURES: dict[str, Figure] = {
    "attention-mask-matrix": attention_mask_matrix,
    "rope-rotation": rope_rotation,
    "alibi-slopes": alibi_slopes,
    "kv-cache-growth": kv_cache_growth,
    "flash-attention-tiles": flash_attention_tiles,
    "bpe-merges": bpe_merges,
    "top-p-bars": top_p_bars,
    "three-architectures": three_architectures,
    **INPUTS,
    **MODELS,
    **SERVING,
}


def drawn() -> Iterator[tuple[Path, str]]:
    """Every file of every figure, with its text."""
    for name, figure in FIGURES.items():
        for language in LANGUAGES:
            for mode, palette in PALETTES.items():
                drawing = figure(palette, lambda en, zh, language=language: en if language == "en" else zh)
                yield HERE / f"{name}.{language}.{mode}.svg", drawing.svg()


def main() -> int:
    """Write every file, or with `--check` only compare."""
    stale = 0
    for path, text in drawn():
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_text("utf-8") != text:
                print(
                    f"{path.name} is not what draw.py draws: run `python decks/figures/draw.py`",
                    file=sys.stderr,
                )
                stale += 1
        else:
            path.write_text(text, "utf-8")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
