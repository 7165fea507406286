"""Draws who imports whom in llmdrills, from the imports themselves: `python docs/make_drawing.py`; a test holds it.

Two drawings of the same: docs/images/parts.svg, and the block of text in docs/architecture.md for who reads it in an
editor. A part stands above every part that it imports, and an import that follows from others is left out: cli imports
content, but through decks it would anyway.
"""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "src" / "llmdrills"
PICTURE = HERE / "images" / "parts.svg"
PAGE = HERE / "architecture.md"
BASE = "base"
"""What the modules without a folder are called together that import no part."""

_WIDE, _HIGH, _GAP, _STEP = 118, 34, 22, 84
_BEGIN = "<!-- drawing: written by docs/make_drawing.py -->"
_END = "<!-- end of drawing -->"


def imports() -> dict[str, set[str]]:
    """Part → the parts that its modules import, wherever in a module; `base` holds the modules that import none."""
    found: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).parts
        if place[0] in {"_vendor", "_workspace", "__init__.py", "__main__.py"}:
            continue
        part = place[0].removesuffix(".py")
        for name in _imported(ast.parse(path.read_text("utf-8"))):
            found.setdefault(part, set()).add(name)
        found.setdefault(part, set())
    folders = {part for part in found if (PACKAGE / part).is_dir()}
    low = {part for part in found if part not in folders and not _reaches(found, part) & folders}
    return {
        part: {BASE if name in low else name for name in names if name in found} - {part}
        for part, names in found.items()
        if part not in low
    } | {BASE: set()}


def _imported(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name.split(".")[1] for name in names if name.startswith("llmdrills.")}


def _reaches(graph: dict[str, set[str]], part: str) -> set[str]:
    seen: set[str] = set()
    waiting = [part]
    while waiting:
        for name in graph.get(waiting.pop(), set()) - seen:
            seen.add(name)
            waiting.append(name)
    return seen


def beside(graph: dict[str, set[str]], part: str) -> set[str]:
    """The parts that a part imports and is imported by, through others too: they stand on one level with it."""
    return {name for name in _reaches(graph, part) if part in _reaches(graph, name)} - {part}


def levels(graph: dict[str, set[str]]) -> list[list[str]]:
    """The parts from the top: each stands one level above the highest part that it imports, or beside it if the two
    import each other.
    """
    group = {part: frozenset({part} | beside(graph, part)) for part in graph}
    below = {one: {group[name] for part in one for name in graph[part]} - {one} for one in group.values()}
    height: dict[frozenset[str], int] = {}
    while len(height) < len(below):
        for one in [one for one in below if one not in height and below[one] <= height.keys()]:
            height[one] = 1 + max((height[name] for name in below[one]), default=-1)
    rows = range(max(height.values()), -1, -1)
    return [[part for part in sorted(graph) if height[group[part]] == level] for level in rows]


def direct(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The imports that do not follow from others; those between parts that import each other are left out."""
    found = {}
    for part, names in graph.items():
        lower = names - beside(graph, part)
        found[part] = {
            name
            for name in lower
            if not any(name in _reaches(graph, other) and other not in beside(graph, name) for other in lower - {name})
        }
    return found


def block(graph: dict[str, set[str]]) -> str:
    """The drawing in text: a line for each part, an empty line between levels."""
    shown = direct(graph)
    wide = max(map(len, graph))
    text = "\n\n".join("\n".join(_row(graph, part, shown[part], wide) for part in level) for level in levels(graph))
    return f"{_BEGIN}\n\n```\n{text}\n```\n\n![Who imports whom](images/parts.svg)\n\n{_END}"


def _row(graph: dict[str, set[str]], part: str, names: set[str], wide: int) -> str:
    both = sorted(beside(graph, part))
    ends = [f"◄─► {', '.join(both)}"] * bool(both) + [f"─► {', '.join(sorted(names))}"] * bool(names)
    return f"{part:<{wide}} {'   '.join(ends)}".rstrip()


def picture(graph: dict[str, set[str]]) -> str:
    """The drawing as SVG: a row for each level, and a line for each import that does not follow from others."""
    ways = _ways(graph)
    rows = _ordered(levels(graph), ways)
    width = max(sum(map(_room, row)) + _GAP for row in rows)
    middle: dict[str, int] = {}
    for row in rows:
        left = (width - sum(map(_room, row)) + _GAP) // 2
        for one in row:
            middle[one] = left + (_room(one) - _GAP) // 2
            left += _room(one)
    top = {one: _GAP + at * _STEP for at, row in enumerate(rows) for one in row}
    lines = [_line([(middle[one], top[one]) for one in way]) for way in ways]
    for part in graph:
        for name in sorted(beside(graph, part) & graph[part]):
            if part in graph[name] and middle[part] < middle[name]:
                start, end, high = middle[part] + _WIDE // 2, middle[name] - _WIDE // 2, top[part] + _HIGH // 2
                ends = 'marker-start="url(#tip)" marker-end="url(#tip)"'
                lines.append(f'<path d="M{start + 6} {high} L{end - 6} {high}" class="line" {ends}/>')
    boxes = []
    for part in graph:
        left = middle[part] - _WIDE // 2
        boxes.append(f'<rect x="{left}" y="{top[part]}" width="{_WIDE}" height="{_HIGH}" rx="6" class="box"/>')
        boxes.append(f'<text x="{middle[part]}" y="{top[part] + 22}" class="name">{part}</text>')
    high = _GAP * 2 + (len(rows) - 1) * _STEP + _HIGH
    return _SVG.format(width=width, high=high, lines="\n".join(lines), boxes="\n".join(boxes))


def _ways(graph: dict[str, set[str]]) -> list[list[str]]:
    """Each import that is drawn, from top to bottom, with a place of its own on every level that it passes."""
    level = {part: at for at, row in enumerate(levels(graph)) for part in row}
    return [
        [part, *(f"{part}>{name}@{at}" for at in range(level[part] + 1, level[name])), name]
        for part, names in sorted(direct(graph).items())
        for name in sorted(names)
    ]


def _ordered(rows: list[list[str]], ways: list[list[str]]) -> list[list[str]]:
    """The rows with the places that lines pass, each row in the order of what stands above it."""
    level = {part: at for at, row in enumerate(rows) for part in row}
    above: dict[str, list[str]] = {}
    full = [list(row) for row in rows]
    for way in ways:
        for at, (upper, lower) in enumerate(pairwise(way)):
            above.setdefault(lower, []).append(upper)
            if ">" in lower:
                full[level[way[0]] + at + 1].append(lower)
    place: dict[str, float] = {}
    for row in full:
        row.sort(key=lambda one: (sum(place[up] for up in above.get(one, ())) / max(len(above.get(one, ())), 1), one))
        place |= {one: (at + 0.5) / len(row) for at, one in enumerate(row)}
    return full


def _room(one: str) -> int:
    """How much of its row a part takes, or a line that passes."""
    return (_GAP if ">" in one else _WIDE) + _GAP


def _line(points: list[tuple[int, int]]) -> str:
    """A curve from below the first point, through the middle of the others, to the top of the last."""
    path = f"M{points[0][0]} {points[0][1] + _HIGH}"
    for (x, y), (to_x, to_y) in pairwise(points):
        end = to_y - 4 if (to_x, to_y) == points[-1] else to_y
        bend = (end - y - _HIGH) // 2
        path += f" C{x} {y + _HIGH + bend} {to_x} {end - bend} {to_x} {end}"
        path += "" if (to_x, to_y) == points[-1] else f" L{to_x} {to_y + _HIGH}"
    return f'<path d="{path}" class="line" marker-end="url(#tip)"/>'


_SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {high}" width="{width}" role="img" \
aria-label="Who imports whom in llmdrills">
<title>Who imports whom in llmdrills</title>
<style>
.sheet {{ fill: #ffffff }}
.box {{ fill: #eef1fb; stroke: #4051b5; stroke-width: 1.2 }}
.name {{ font: 14px ui-monospace, monospace; text-anchor: middle; fill: #1c2340 }}
.line {{ fill: none; stroke: #7a86b8; stroke-width: 1.2 }}
.tip {{ fill: #7a86b8 }}
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" \
orient="auto-start-reverse">\
<path d="M0 0 L8 4 L0 8 z" class="tip"/></marker></defs>
<rect width="{width}" height="{high}" class="sheet"/>
{lines}
{boxes}
</svg>
"""


def page(graph: dict[str, set[str]], text: str) -> str:
    """The page with the drawing in its place."""
    return re.sub(f"{re.escape(_BEGIN)}.*?{re.escape(_END)}", lambda _: block(graph), text, flags=re.DOTALL)


def upside_down(graph: dict[str, set[str]]) -> list[str]:
    """Imports that go up in the drawing: none, unless `levels` is wrong."""
    rows = levels(graph)
    above = {part: row for row, parts in enumerate(rows) for part in parts}
    return [
        f"{part} → {name}"
        for part, names in graph.items()
        for name in names - beside(graph, part)
        if above[name] <= above[part]
    ]


if __name__ == "__main__":
    drawn = imports()
    PICTURE.write_text(picture(drawn), "utf-8")
    PAGE.write_text(page(drawn, PAGE.read_text("utf-8")), "utf-8")
