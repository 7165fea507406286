"""What ships: the wheel, installed apart from the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", folder, root], check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(installed: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "llmdrills", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_should_carry_the_workspace_the_preview_and_no_tests(wheel: Path, root: Path):
    names = set(zipfile.ZipFile(wheel).namelist())
    for part in ("decks", "drills"):
        for path in (root / part).rglob("*"):
            if path.is_file() and path.suffix in {".yaml", ".py", ".svg", ".lock", ".json"}:
                assert f"llmdrills/_workspace/{path.relative_to(root).as_posix()}" in names
    assert "llmdrills/_vendor/mathjax/tex-chtml-full.js" in names
    assert "llmdrills/decks/preview/assets/gallery.html" in names
    assert {"llmdrills/web/assets/app.js", "llmdrills/_vendor/codemirror/editor.js"} <= names
    assert "llmdrills/py.typed" in names
    assert not [name for name in names if name.startswith("tests/") or name.endswith(".pyc")]


def test_should_work_in_any_folder(installed: Path, tmp_path: Path):
    listed = run(installed, tmp_path, "list")
    assert listed.returncode == 0, listed.stderr
    assert "rope-pairing" in listed.stdout
    assert str(installed) in run(installed, tmp_path, "paths").stdout
    lock = installed / "llmdrills" / "_workspace" / "decks" / "deck.lock"
    before = lock.read_bytes()
    built = run(installed, tmp_path, "build")
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "build" / "llmdrills-en.apkg").exists()
    assert lock.read_bytes() == before


def test_should_change_nothing_that_came_with_it_and_copy_it_out_to_edit(installed: Path, tmp_path: Path):
    refused = run(installed, tmp_path, "new", "deck", "mine")
    assert refused.returncode == 2
    assert "llmdrills init" in refused.stderr
    assert run(installed, tmp_path, "init", "mine").returncode == 0
    made = run(installed, tmp_path / "mine", "new", "deck", "interview")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "mine" / "decks" / "interview.yaml").exists()


def test_should_play_from_the_wheel(installed: Path, tmp_path: Path):
    solved = run(installed, tmp_path, "solution", "rms-norm")
    (tmp_path / "mine.py").write_text(solved.stdout)
    played = run(installed, tmp_path, "play", "--with", "rms-norm=mine.py", "--json", "--tokens", "8")
    assert played.returncode == 0, played.stdout + played.stderr
    found = json.loads(played.stdout)
    assert found["kernels"]["rms-norm"] == "mine"
    committed = json.loads((installed / "llmdrills" / "_workspace" / "drills" / "play.json").read_text())
    assert found["perplexity"] == pytest.approx(committed["perplexity"], abs=1e-3)
    assert "no-scale" in run(installed, tmp_path, "play", "--costs", "grouped-query-attention").stdout


def test_should_grade_from_the_wheel(installed: Path, tmp_path: Path):
    solved = run(installed, tmp_path, "solution", "rms-norm")
    (tmp_path / "mine.py").write_text(solved.stdout)
    graded = run(installed, tmp_path, "grade", "rms-norm", "mine.py")
    assert graded.returncode == 0, graded.stdout + graded.stderr
