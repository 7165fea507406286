"""docs/architecture.md is a map: every place that it names exists, and no package of llmdrills is missing from it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.helpers.rooms import ROOMS

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
