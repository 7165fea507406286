"""What every figure is drawn with: the colours of a mode, and an SVG in the making."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape


@dataclass(frozen=True)
class Palette:
    """The colours of a mode; each `on_…` reads at 4.5:1 or more on its ground."""

    ink: str
    faint: str
    line: str
    blank: str  # a cell with nothing in it
    main: str
    on_main: str
    warm: str
    on_warm: str
    series: tuple[str, ...]


PALETTES = {
    "light": Palette(
        ink="#1c1f24",
        faint="#5b626d",
        line="#9aa2ad",
        blank="#eceff3",
        main="#1f5fbf",
        on_main="#ffffff",
        warm="#f2b84b",
        on_warm="#1c1f24",
        series=("#1f5fbf", "#b3541e", "#1d7a46", "#8a3fa0"),
    ),
    "night": Palette(
        ink="#eceff3",
        faint="#aab2bd",
        line="#6b7380",
        blank="#3a3f47",
        main="#7fb2ff",
        on_main="#14171b",
        warm="#f2b84b",
        on_warm="#14171b",
        series=("#7fb2ff", "#ffab73", "#7ddba3", "#d9a3ec"),
    ),
}


@dataclass
class Drawing:
    """An SVG in the making; lengths are in its own units, the origin is the upper left."""

    width: int
    height: int
    palette: Palette
    title: str
    parts: list[str] = field(default_factory=list)

    def rect(self, x: float, y: float, w: float, h: float, fill: str, stroke: str = "none", radius: float = 2) -> None:
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="{radius:g}" fill="{fill}" stroke="{stroke}"/>'
        )

    def line(self, points: list[tuple[float, float]], stroke: str, width: float = 1.5, *, dashed: bool = False) -> None:
        path = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="{width:g}" '
            f'stroke-linejoin="round" stroke-linecap="round"{dash}/>'
        )

    def arrow(self, x1: float, y1: float, x2: float, y2: float, stroke: str, width: float = 1.5) -> None:
        self.line([(x1, y1), (x2, y2)], stroke, width)
        angle = math.atan2(y2 - y1, x2 - x1)
        for side in (-1, 1):
            turn = angle + math.pi + side * 0.45
            self.line([(x2, y2), (x2 + 7 * math.cos(turn), y2 + 7 * math.sin(turn))], stroke, width)

    def circle(self, x: float, y: float, r: float, stroke: str) -> None:
        self.parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="{r:g}" fill="none" stroke="{stroke}"/>')

    def text(
        self,
        x: float,
        y: float,
        words: str,
        fill: str | None = None,
        size: float = 13,
        anchor: str = "middle",
    ) -> None:
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" fill="{fill or self.palette.ink}" font-size="{size:g}" '
            f'text-anchor="{anchor}">{escape(words)}</text>'
        )

    def cell(self, x: float, y: float, size: float, words: str = "", *, kind: str = "blank") -> None:
        """A square with a few letters in it: `main`, `warm` or `blank`."""
        colours = {
            "main": (self.palette.main, self.palette.on_main),
            "warm": (self.palette.warm, self.palette.on_warm),
            "blank": (self.palette.blank, self.palette.faint),
        }
        fill, ink = colours[kind]
        self.rect(x, y, size - 2, size - 2, fill)
        if words:
            self.text(x + size / 2 - 1, y + size / 2 + 4, words, ink, size=12)

    def tile(self, x: float, y: float, w: float, h: float, words: str = "", *, kind: str = "blank") -> None:
        """A box of any size with a few words in its middle: `main`, `warm`, `blank`, `gone` for what is dropped, or a
        colour of the palette's series.
        """
        p = self.palette
        fill, ink, stroke = {
            "main": (p.main, p.on_main, "none"),
            "warm": (p.warm, p.on_warm, "none"),
            "blank": (p.blank, p.ink, "none"),
            "gone": ("none", p.faint, p.line),
        }.get(kind, (kind, p.on_main, "none"))
        self.rect(x, y, w, h, fill, stroke)
        if words:
            self.text(x + w / 2, y + h / 2 + 4.5, words, ink, 12)

    def key(self, x: float, y: float, kind: str, words: str) -> None:
        """One entry of a legend: a small box and what it stands for."""
        self.tile(x, y, 15, 15, kind=kind)
        self.text(x + 22, y + 12, words, anchor="start", size=12)

    def svg(self) -> str:
        body = "\n".join(self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" '
            f'font-family="-apple-system, Roboto, Noto Sans, Noto Sans CJK SC, PingFang SC, sans-serif" '
            f'role="img"><title>{escape(self.title)}</title>\n{body}\n</svg>\n'
        )


Words = Callable[[str, str], str]  # (English, Chinese) → the one that is wanted
Figure = Callable[[Palette, Words], Drawing]
