"""A notebook as an attempt, by the command and by `Grader`: feedback names the cell and the line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from llmdrills.content.catalogue import with_slips
from llmdrills.content.load import load_katas
from llmdrills.content.model import Kata
from llmdrills.content.starter import solution_text
from llmdrills.grading.client import Grader
from tests.helpers.notebooks import write_notebook

WRONG = """\
%%kata rms-norm --variant cast-first
%time 1
def rms_norm(x, weight, eps=1e-6):
    y = helper(x) / m.sqrt(2)
    return y
"""


@pytest.fixture(scope="module")
def kata(root: Path) -> Kata:
    return with_slips(next(one for one in load_katas(root) if one.id == "rms-norm"))


@pytest.fixture(scope="module")
def grader():
    with Grader() as started:
        yield started


def command(root: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "llmdrills", "grade", *map(str, words)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_should_pass_the_cell_that_answers_whatever_stands_around_it(
    tmp_path: Path, kata: Kata, grader: Grader
) -> None:
    right = solution_text(kata, kata.variants[0])
    path = write_notebook(
        tmp_path / "a.ipynb", "def rms_norm(): 0 / 0", "# md prose", f"%matplotlib inline\n{right}", "0/0"
    )
    verdict = grader.grade(kata, "cast-first", path)
    assert (verdict.outcome, verdict.report.get("elsewhere")) == ("passed", None)


def test_should_name_cell_and_line_and_where_the_missing_name_stands(
    tmp_path: Path, kata: Kata, grader: Grader
) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "import math as m\ndef helper(x): return x", WRONG)
    verdict = grader.grade(kata, "cast-first", path)
    assert verdict.outcome == "crashed"
    assert verdict.report["headline"].startswith("cell 2, case ")
    assert "NameError: name 'helper' is not defined (line 4)" in verdict.message
    assert "`helper` is defined in cell 1, and a cell is graded alone" in " ".join(verdict.message.split())
    assert f'File "{path}, cell 2", line 4' in (verdict.report["smallest"] or {"traceback": ""})["traceback"]
    chinese = grader.grade(kata, "cast-first", path, language="zh")
    assert chinese.report["headline"].startswith("第 2 个单元格，用例“")
    assert "`helper` 是在第 1 个单元格中定义的" in chinese.message


def test_should_name_cell_and_line_of_what_does_not_load(tmp_path: Path, kata: Kata, grader: Grader) -> None:
    path = write_notebook(
        tmp_path / "a.ipynb", "import torch", "%%time\ndef rms_norm(x, weight: torch.Tensor):\n    pass"
    )
    verdict = grader.grade(kata, "cast-first", path)
    assert verdict.report["headline"] == f"{path}, cell 2, line 2: NameError: name 'torch' is not defined"
    assert "write `import torch` in this cell, too." in " ".join(verdict.message.split())
    write_notebook(path, "def rms_norm(x, weight)\n    return x")
    said = grader.grade(kata, "cast-first", path).report["headline"]
    assert said.startswith(f"{path}, cell 1, line 1: SyntaxError")
    chinese = grader.grade(kata, "cast-first", path, language="zh")
    assert chinese.report["headline"].startswith(f"{path}, cell 1，第 1 行：SyntaxError")


def test_should_not_blame_another_cell_for_a_name_that_nobody_defines(
    tmp_path: Path, kata: Kata, grader: Grader
) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "x = 1", "def rms_norm(x, weight, eps=1e-6):\n    return nobody")
    verdict = grader.grade(kata, "cast-first", path)
    assert "nobody" in verdict.message
    assert "elsewhere" not in verdict.report


def test_should_give_a_snippet_that_shows_the_failure_again(tmp_path: Path, kata: Kata, grader: Grader) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "%%time\ndef rms_norm(x, weight, eps=1e-6):\n    return x * weight")
    verdict = grader.grade(kata, "cast-first", path)
    shown = verdict.report["smallest"]
    assert shown is not None
    ran = subprocess.run(
        [sys.executable, "-c", shown["snippet"]], capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    said = shown["findings"][0]
    printed = float(ran.stdout.strip().removeprefix("tensor(").removesuffix(")"))
    assert printed == pytest.approx(said["got"], rel=1e-4)
    assert printed != pytest.approx(said["expected"], rel=1e-4)


def test_should_grade_a_notebook_by_command(tmp_path: Path, root: Path, kata: Kata) -> None:
    right = solution_text(kata, kata.variants[1])
    path = write_notebook(tmp_path / "a.ipynb", "x = 1", f"%%kata rms-norm --variant {kata.variants[1].id}\n{right}")
    ran = command(root, "rms-norm", path)
    assert (ran.returncode, ran.stdout.split(":")[0]) == (0, f"✓ rms-norm ({kata.variants[1].id})")
    assert command(root, path).stdout.splitlines()[::2] == ran.stdout.splitlines()[::2]  # the magic names the kata
    ran = command(root, path, "--lang", "zh")
    assert ran.stdout.startswith(f"✓ rms-norm（{kata.variants[1].id}）：通过")


def test_should_say_what_is_wrong_with_the_notebook(tmp_path: Path, root: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "x = 1")
    for words, told in [
        (("rms-norm", path), "defines `rms_norm`"),
        ((path,), "no cell of"),
        (("rms-norm", tmp_path / "b.ipynb"), "there is no"),
        ((tmp_path / "b.ipynb",), "there is no"),
        ((write_notebook(tmp_path / "c.ipynb", "%%kata a\n1", "%%kata b\n2"),), "name several katas: a, b"),
    ]:
        ran = command(root, *words)
        assert ran.returncode == 2
        assert told in ran.stderr
        assert "Traceback" not in ran.stderr
