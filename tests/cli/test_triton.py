"""Katas of engine triton from the command line, with triton and without."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.helpers.triton_kata import changed, solution, triton_kata

HIDDEN = '''\
"""Python imports this at its start: triton is not installed."""

import importlib.metadata
import sys

sys.modules["triton"] = None
_version = importlib.metadata.version


def version(name):
    if name == "triton":
        raise importlib.metadata.PackageNotFoundError(name)
    return _version(name)


importlib.metadata.version = version
'''
EXTRA = "pip install 'llmdrills[triton]'"


@pytest.fixture
def both(small: Path) -> Path:
    """A workspace with a kata of torch and one of triton."""
    triton_kata(small)
    return small


@pytest.fixture
def without(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that finds no triton."""
    folder = tmp_path / "hidden"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HIDDEN, "utf-8")
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths)}


@pytest.fixture
def mine(both: Path, tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(solution(triton_kata(both)), "utf-8")
    return path


def test_should_show_what_was_moved_against_the_least_possible(run: Run, both: Path, mine: Path):
    pytest.importorskip("triton")
    english = run("grade", mine, "--cost", "--workspace", both)
    assert english.code == 0, english.err
    rows = [line.split() for line in english.out.splitlines()]
    assert ["wide", "6,400", "6,400", "1.00", "1", "4", "256"] in rows
    assert "The least possible: every element that goes in" in english.out
    chinese = run("grade", mine, "--cost", "--workspace", both, "--lang", "zh")
    assert "理论下限" in chinese.out
    traffic = run("grade", mine, "--json", "--workspace", both).json["report"]["traffic"]
    assert {one["case"]: one["least"] for one in traffic}["wide"] == 6400


def test_should_show_the_cost_of_a_torch_kata_too(run: Run, small: Path, tmp_path: Path):
    ran = run("solution", "rms-norm", "--workspace", small)
    (tmp_path / "norm.py").write_text(ran.out, "utf-8")
    graded = run("grade", tmp_path / "norm.py", "--cost", "--workspace", small)
    assert graded.code == 0, graded.err
    assert "Nothing was counted" in graded.out


def test_should_tell_a_fault_on_the_first_screen(run: Run, both: Path, tmp_path: Path):
    pytest.importorskip("triton")
    path = tmp_path / "bad.py"
    path.write_text(changed(triton_kata(both), "values / total, mask=inside)", "values / total)"), "utf-8")
    ran = run("grade", path, "--workspace", both)
    assert ran.code == 1
    assert ran.out.startswith("✗ row-shares (rows): kernel fault 0/")
    assert "15 | tl.store(y + row * n + columns, values / total)" in ran.out
    assert "→ Mask the store, too." in ran.out


def test_should_run_the_snippet_that_shows_a_fault_again(run: Run, both: Path, tmp_path: Path):
    pytest.importorskip("triton")
    import subprocess
    import sys

    path = tmp_path / "bad.py"
    path.write_text(changed(triton_kata(both), "values / total, mask=inside)", "values / total)"), "utf-8")
    shown = run("grade", path, "--json", "--workspace", both).json["report"]["smallest"]
    (tmp_path / "again.py").write_text(shown["snippet"], "utf-8")
    ran = subprocess.run([sys.executable, "again.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "StoppedCallError: out-of-bounds at line 15" in ran.stderr


def test_should_say_what_to_install_where_triton_is_missing(run: Run, both: Path, mine: Path, without: dict[str, str]):
    graded = run("grade", mine, "--workspace", both, env=without)
    assert graded.code == 2
    assert EXTRA in graded.err
    assert "Linux" in graded.err
    chinese = run("grade", mine, "--workspace", both, "--lang", "zh", env=without)
    assert "这道题要运行 Triton kernel" in chinese.err
    started = run("start", "row-shares", "--workspace", both, env=without)
    assert started.code == 0, started.err
    assert "needs triton" in started.err
    other = run("solution", "rms-norm", "--workspace", both, env=without)
    (both / "norm.py").write_text(other.out, "utf-8")
    assert run("grade", both / "norm.py", "--workspace", both, env=without).code == 0  # torch's own katas go on


def test_should_leave_out_and_mark_what_cannot_run_here(run: Run, both: Path, without: dict[str, str]):
    listed = run("list", "--workspace", both, env=without)
    assert f"[not installed: triton; {EXTRA}]" in listed.out
    assert "[" not in run("list", "--workspace", both).out
    rows = {row["kata"]: row for row in run("list", "--json", "--workspace", both, env=without).json["katas"]}
    assert (rows["row-shares"]["engine"], rows["row-shares"]["installed"]) == ("triton", False)
    assert (rows["rms-norm"]["engine"], rows["rms-norm"]["installed"]) == ("torch", True)

    def planned(env: dict[str, str] | None) -> set[str]:
        plan = run("today", "--json", "--minutes", 60, "--new", 5, "--workspace", both, env=env).json
        return {item["kata"] for item in plan["items"]}

    assert planned(without) == {"rms-norm"}
    assert planned(None) == {"rms-norm", "row-shares"}


def test_should_skip_such_katas_in_check_and_say_so(run: Run, both: Path, without: dict[str, str]):
    shutil.rmtree(both / "drills" / "rms-norm")
    checked = run("check", "--workspace", both, env=without)
    assert "left out: 1 kata, for triton is not installed" in checked.err
    assert "row-shares" in checked.err
    named = run("check", "row-shares", "--workspace", both, env=without)
    assert named.code == 2
    assert EXTRA in named.err
    assert run("check", "--holes", "row-shares", "--workspace", both, env=without).code == 2
    assert run("check", "--write", "--workspace", both, env=without).code == 2


def test_should_say_in_doctor_whether_triton_is_there(run: Run, both: Path, without: dict[str, str]):
    def found(env: dict[str, str] | None) -> dict[str, str]:
        checks = run("doctor", "--json", "--workspace", both, env=env).json["checks"]
        return next(check for check in checks if check["name"] == "triton")

    missing = found(without)
    assert EXTRA in missing["found"]
    assert missing["fault"] == ""
    pytest.importorskip("triton")
    assert found(None)["found"][0].isdigit()
