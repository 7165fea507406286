"""docs/architecture.md is a map: every place that it names exists, and no package of llmdrills is missing from it."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

from tests.helpers.rooms import ROOMS
from tests.test_layers import BASE, MAY_IMPORT

DRAWING = runpy.run_path(str(Path(__file__).resolve().parents[1] / "docs" / "make_drawing.py"))
ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "llmdrills"
TEXT = (ROOT / "docs" / "architecture.md").read_text("utf-8")
# What looks like a path and is not one of this repository: placeholders, and what is generated.
ELSEWHERE = {"drills/NAME/", "decks/NAME.yaml", "slips.yaml"}


def named() -> set[str]:
    """What stands in backquotes and looks like a path."""
    return {one for one in re.findall(r"`([\w./-]+)`", TEXT) if one.endswith("/") or re.search(r"/.*\.\w+$|\.py$", one)}


def test_should_name_only_places_that_exist():
    places = named() - ELSEWHERE
    # A kata's files are named without their folder.
    missing = [
        one for one in places if not any((base / one).exists() for base in (PACKAGE, ROOT, ROOT / "drills/rms-norm"))
    ]
    assert sorted(missing) == []
    assert len(places) > 80


def test_should_name_every_package_and_every_module_at_the_top():
    packages = [path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE]
    rooms = {f"{path.relative_to(PACKAGE)}/" for path in packages if "_vendor" not in path.parts}
    top = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py", "__main__.py"}
    inside = {f"grading/{path.name}" for path in (PACKAGE / "grading").glob("*.py")} - {"grading/__init__.py"}
    assert sorted((rooms | top | inside) - named()) == []


def test_should_draw_the_rooms_of_grading_in_the_order_that_is_held():
    table = TEXT.partition("## The rooms of grading")[2].partition("\n## ")[0]
    drawn = [
        name.removeprefix("grading/").strip("/").removesuffix(".py")
        for name in re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)
    ]
    floors = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}
    assert sorted(drawn) == sorted(set(floors) - {"__init__"})
    assert [floors[room] for room in drawn] == sorted(floors[room] for room in drawn)


def test_should_draw_the_imports_as_they_are():
    graph = DRAWING["imports"]()
    assert DRAWING["page"](graph, TEXT) == TEXT, "run `python docs/make_drawing.py`"
    assert DRAWING["picture"](graph) == (ROOT / "docs/images/parts.svg").read_text("utf-8")
    assert DRAWING["block"](graph) in TEXT


def test_should_draw_every_part_once_and_no_import_upwards():
    graph = DRAWING["imports"]()
    rows = DRAWING["levels"](graph)
    assert sorted(part for row in rows for part in row) == sorted(
        {*MAY_IMPORT} - BASE - {"__main__", "__init__"} | {"base"}
    )
    assert DRAWING["upside_down"](graph) == []
    drawn = TEXT.partition(DRAWING["_BEGIN"])[2].partition(DRAWING["_END"])[0]
    assert [part for part in graph if not re.search(rf"^{part}\b", drawn, re.MULTILINE)] == []


def test_should_draw_only_imports_that_the_layers_allow():
    graph = DRAWING["imports"]()
    wrong = [f"{part} → {name}" for part, names in graph.items() if part != "base" for name in names - MAY_IMPORT[part]]
    assert [one for one in wrong if not one.endswith("→ base")] == []


def test_should_leave_out_what_follows_and_draw_side_by_side_what_imports_each_other():
    graph = {"a": {"b", "c"}, "b": {"c"}, "c": set()}
    assert DRAWING["direct"](graph) == {"a": {"b"}, "b": {"c"}, "c": set()}
    assert DRAWING["levels"](graph) == [["a"], ["b"], ["c"]]
    both = {"a": {"b", "c"}, "b": {"a"}, "c": set(), "top": {"a", "b"}}
    assert DRAWING["levels"](both) == [["top"], ["a", "b"], ["c"]]
    assert DRAWING["direct"](both) == {"a": {"c"}, "b": set(), "c": set(), "top": {"a", "b"}}
    assert "a   ◄─► b   ─► c" in DRAWING["block"](both)
