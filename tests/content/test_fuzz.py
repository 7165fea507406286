"""Thousands of mutations of small slices of the shipped content: nothing but ContentError, and always a position."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from llmdrills.content.computed import Computed, load_computed
from llmdrills.content.derive import bug_notes
from llmdrills.content.lint import lint
from llmdrills.content.model import Workspace
from llmdrills.content.starter import solution_text, starter_text
from llmdrills.errors import ContentError
from tests.helpers.content_folder import Folder

Mutation = Callable[[random.Random, bytes], bytes]

NASTY = [
    *b"[ ] { } {{c1:: }} :_ -_ ?_ |_ >_ &a_ *a !!python/object:a !x ' \" # % @ ` \\ $ $$".split(),
    *b"[[x]] <<:_*a null ~ yes".split(),
    *b"1e999 0o7 2026-01-01 1_000 - .inf lambda:_ **k,_ \xff \xef\xbb\xbf \x00 \xc2\x85 \xe2\x80\xa8".split(b" "),
    *("\U0001f600".encode(), "é".encode(), "，".encode()),
    *(b"\t", b"\n", b"\r", b"\r\n", b"---\n", b"...\n", b"(" * 250, b"[" * 120, b" " * 120),
]
NASTY = [one.replace(b"_", b" ") for one in NASTY]


def insert(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(NASTY) + data[at:]


def delete(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at + rng.choice((1, 1, 2, 5, 40)) :]


def cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def flip(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data)) if data else 0
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def lines(rng: random.Random, data: bytes) -> bytes:
    """Drop, repeat, swap or indent lines."""
    rows = data.split(b"\n")
    i, j = rng.randrange(len(rows)), rng.randrange(len(rows))
    kind = rng.randrange(4)
    if kind == 0:
        del rows[i]
    elif kind == 1:
        rows.insert(i, rows[j])
    elif kind == 2:
        rows[i], rows[j] = rows[j], rows[i]
    else:
        rows[i] = b" " * rng.randrange(5) + rows[i].lstrip()
    return b"\n".join(rows)


def value(rng: random.Random, data: bytes) -> bytes:
    """Put something else behind a key."""
    found = list(re.finditer(rb"(?m)^[ -]*[a-z_]+:(.*)$", data))
    if not found:
        return data
    one = rng.choice(found)
    start, end = one.span(1)
    return data[:start] + b" " + rng.choice(NASTY) + data[end:]


MUTATIONS: list[Mutation] = [insert, insert, delete, cut, flip, lines, lines, value, value]


def mutated(rng: random.Random, data: bytes) -> bytes:
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice(MUTATIONS)(rng, data)
    return data


def examine(folder: Folder) -> bool:
    """Load and use everything; whether it loaded. A problem without a place, or another error, fails the test."""
    try:
        workspace = folder.load()
        computed = load_computed(folder.root)
    except ContentError as error:
        problems = error.problems
    else:
        return use(workspace, computed)
    assert problems
    for problem in problems:
        assert not problem.file.is_absolute()
        path = folder.root / problem.file
        length = path.read_bytes().count(b"\n") + 1 if path.is_file() else 1
        # U+0085, U+2028 and a lone carriage return end a line for YAML: a mutation adds a few of them at most.
        assert 1 <= problem.line <= length + 4
        assert problem.column >= 1
        assert problem.what
        assert problem.todo
        assert "\n" not in str(problem)
    return False


def use(workspace: Workspace, computed: Computed) -> bool:
    for problem in lint(workspace, computed):
        assert problem.line >= 1
        assert problem.rule
    bug_notes(workspace.katas, computed)
    for kata in workspace.katas:
        for variant in kata.variants:
            compile(starter_text(kata, variant, "zh"), "starter", "exec")
            compile(solution_text(kata, variant), "solution", "exec")
    return True


def slices(root: Path) -> list[bytes]:
    """The notes of the shipped decks, one or two at a time, as the small deck."""
    head = "deck: small\ntitle: {en: Small, zh: 小}\nnotes:\n"
    blocks = []
    for path in sorted((root / "decks").glob("*.yaml")):
        text = path.read_text("utf-8").partition("\nnotes:\n")[2]
        blocks += [f"  - id: {one}" for one in re.split(r"(?m)^  - id: ", text)[1:]]
    keep = [re.sub(r"(?m)^    (kata|figure|proves):.*\n", "", block) for block in blocks]
    return [(head + one + two).encode() for one, two in zip(keep[::2], keep[1::2], strict=False)]


def test_should_raise_nothing_but_content_errors_for_mutated_decks(folder: Folder, root: Path) -> None:
    shutil.rmtree(folder.root / "drills")
    folder.write("decks/readiness.yaml", (folder.root / "decks/readiness.yaml").read_bytes())
    pieces = slices(root)
    assert len(pieces) > 50
    rng = random.Random(20261122)
    loaded = 0
    for i in range(2500):
        folder.write("decks/small.yaml", mutated(rng, pieces[i % len(pieces)]))
        loaded += examine(folder)
    assert 100 < loaded < 2000  # else the mutations are too strong, or too weak, to say anything


@pytest.mark.parametrize(("file", "times"), [("kata.yaml", 500), ("cases.py", 350), ("reference.py", 350)])
def test_should_raise_nothing_but_content_errors_for_mutated_katas(folder: Folder, file: str, times: int) -> None:
    (folder.root / "decks/small.yaml").unlink()
    path = folder.root / "drills/twice" / file
    original = path.read_bytes()
    rng = random.Random(20261122)
    loaded = 0
    for _ in range(times):
        path.write_bytes(mutated(rng, original))
        loaded += examine(folder)
    assert loaded > 10


def test_should_raise_nothing_but_content_errors_for_mutated_shipped_katas(folder: Folder, root: Path) -> None:
    shutil.rmtree(folder.root / "decks")
    rng = random.Random(20261122)
    sources = sorted(path.parent for path in (root / "drills").glob("*/kata.yaml"))
    assert sources
    for i in range(150):
        shutil.rmtree(folder.root / "drills")
        source = sources[i % len(sources)]
        for name in ("kata.yaml", "reference.py", "cases.py"):
            folder.write(f"drills/{source.name}/{name}", (source / name).read_bytes())
        name = rng.choice(("kata.yaml", "reference.py", "cases.py"))
        folder.write(f"drills/{source.name}/{name}", mutated(rng, (source / name).read_bytes()))
        examine(folder)


def test_should_raise_nothing_but_content_errors_for_mutated_computed_files(folder: Folder) -> None:
    text = '{"schema": 1, "notes": {"scale": {"proof": "x", "values": {"n": 2}}}, "kernels": {"twice": {"squared": {"case": "base", "call": "f(1)", "expected": "2", "got": "1"}}}, "translations": {"scale": {"en": "a", "zh": "b"}}}'  # noqa: E501  # one line on purpose
    rng = random.Random(20261122)
    for _ in range(400):
        folder.write("decks/computed.json", mutated(rng, text.encode()))
        examine(folder)


def test_should_say_where_a_stage_names_no_function(folder: Folder, root: Path) -> None:
    shutil.rmtree(folder.root / "decks")
    source = root / "drills" / "debug-decoder"
    for name in ("kata.yaml", "reference.py", "cases.py"):
        folder.write(
            f"drills/debug-decoder/{name}", (source / name).read_bytes().replace(b"def swiglu(", b"def gated(")
        )
    with pytest.raises(ContentError) as caught:
        folder.load()
    told = [problem for problem in caught.value.problems if "has no function `swiglu`" in problem.what]
    lines = (source / "kata.yaml").read_text("utf-8").splitlines()
    assert ["call: swiglu" in lines[problem.line - 1] for problem in told] == [True]
