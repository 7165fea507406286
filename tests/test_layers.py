"""The house: who may import whom, and who may import torch."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.helpers.rooms import ROOMS

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "llmdrills"
BASE = {"errors", "files", "language", "lines", "mathtext", "messages", "parent", "paths", "settings", "__init__"}
MAY_IMPORT = {
    **dict.fromkeys(BASE, BASE),
    "content": BASE | {"content"},
    "decks": BASE | {"content", "decks"},
    "grading": BASE | {"content", "grading"},
    "practice": BASE | {"content", "practice"},
    "anki": BASE | {"content", "decks", "anki"},  # beside `practice`: `from_anki` brings the two together
    "from_anki": BASE | {"content", "practice", "anki", "from_anki"},
    "importing": BASE | {"content", "decks", "anki", "importing"},
    "classroom": BASE | {"content", "grading", "classroom"},
    "mine": BASE | {"content", "practice", "decks", "mine"},
    "readiness": BASE | {"content", "practice", "grading", "decks", "readiness"},
    # `web` stands beside `cli`: one command starts it, and it shows what the daily loop shows (see below).
    "cli": BASE
    | {"content", "practice", "grading", "decks", "anki", "importing", "from_anki", "mine", "readiness"}
    | {"classroom", "web", "cli"},
    "web": BASE | {"content", "practice", "grading", "decks", "readiness", "cli", "web"},
    "__main__": {"cli"},
    "notebook": BASE | {"content", "practice", "grading", "cli", "notebook"},  # a front end in the words of `cli`
    "__init__": BASE | {"notebook"},  # IPython looks for its extension there
}
HEAVY = {"torch", "transformers", "genanki", "anki", "numpy", "dask", "distributed"}


def modules() -> Iterator[tuple[Path, str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if "_workspace" not in path.parts and "_vendor" not in path.parts:
            yield path, path.relative_to(PACKAGE).parts[0].removesuffix(".py"), ast.parse(path.read_text("utf-8"))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_should_import_only_what_stands_below():
    wrong = []
    for path, room, tree in modules():
        for name in imported(tree):
            parts = name.split(".")
            if parts[0] == "llmdrills" and len(parts) > 1:
                below = (
                    parts[1] if (PACKAGE / parts[1]).exists() or (PACKAGE / f"{parts[1]}.py").exists() else "__init__"
                )
                if below not in MAY_IMPORT[room]:
                    wrong.append(f"{path.relative_to(PACKAGE)} imports {name}")
    assert not wrong


TERMINAL = {"keys", "screen", "loop", "workplace", "repetition_view", "desk", "pane", "editor", "trial"}
SITTING = {"sitting", "coding_view", "question_view"}


def test_should_keep_the_page_apart_from_the_terminal():
    """One command starts the page, and nothing of the page needs a terminal or is a command."""
    wrong = []
    for path, room, tree in modules():
        for name in imported(tree):
            parts = name.split(".")
            if room == "cli" and parts[:2] == ["llmdrills", "web"] and path.name != "web.py":
                wrong.append(f"{path.relative_to(PACKAGE)} imports {name}")
            of_a_terminal = parts[:2] == ["llmdrills", "cli"] and {"commands", *TERMINAL, *SITTING} & set(parts[2:4])
            if room == "web" and of_a_terminal:
                wrong.append(f"{path.relative_to(PACKAGE)} imports {name}")
    assert wrong == []


def test_should_import_only_lower_rooms_within_grading():
    grading = PACKAGE / "grading"
    floor = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}
    wrong = set()
    for path in sorted(grading.rglob("*.py")):
        place = path.relative_to(grading)
        room = place.parts[0].removesuffix(".py")
        for name in imported(ast.parse(path.read_text("utf-8"))):
            inner = name.removeprefix("llmdrills.grading.").split(".")
            if not name.startswith("llmdrills.grading.") or inner[0] not in floor or inner[0] == room:
                continue
            if floor[inner[0]] <= floor[room]:
                wrong.add(f"{place} imports {'.'.join(inner[:2])}")
    assert sorted(wrong) == []


def test_should_give_every_module_of_grading_a_room():
    found = {path.name.removesuffix(".py") for path in (PACKAGE / "grading").iterdir() if path.name != "__pycache__"}
    assert found == set().union(*ROOMS)


def test_should_neither_print_nor_exit_below_the_command_line():
    wrong = []
    for path, room, tree in modules():
        if room in {"cli", "__main__"} or is_process(path):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "sys.exit", "exit", "quit"}:
                wrong.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert not wrong


def is_process(path: Path) -> bool:
    """A module that is started as a process of its own: it has a main, and its output is its answer."""
    return bool(re.search(r"^if __name__ == .__main__.:", path.read_text("utf-8"), re.MULTILINE))


def test_should_name_everything_that_all_promises():
    wrong = []
    for path, _, tree in modules():
        names = {
            name.id if isinstance(name, ast.Name) else getattr(name, "name", "")
            for node in ast.walk(tree)
            for name in [node, *getattr(node, "targets", [])]
            if isinstance(name, (ast.Name, ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef))
        }
        names |= {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for node in tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                wrong += [f"{path}: {name}" for name in ast.literal_eval(node.value) if name not in names]
    assert not wrong


def test_should_keep_heavy_libraries_out_of_what_commands_import():
    """At module level, outside of the workers: `tests/cli/test_surface.py` sees it in the real process."""
    wrong = []
    for path, room, tree in modules():
        for node in tree.body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                heavy = HEAVY & {name.split(".")[0] for name in imported(node)}
                if heavy and room not in {"grading", "decks"} and not is_process(path):
                    wrong.append(f"{path.relative_to(PACKAGE)} imports {heavy}")
    assert not wrong
