"""docs/api.md is what other programs may rely on: every name is there, and its example runs."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import llmdrills
from llmdrills import content, grading

PAGE = (Path(__file__).parents[1] / "docs/api.md").read_text("utf-8")
PUBLIC = [content, grading, llmdrills]


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_should_have_and_describe_everything_that_all_promises(module):
    named = {name for place, name in re.findall(r"`(llmdrills[.\w]*)\.(\w+)[(`]", PAGE) if place == module.__name__}
    assert named == set(module.__all__)
    for name in module.__all__:
        assert inspect.getdoc(getattr(module, name)), name


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_should_give_nothing_that_is_not_promised(module):
    with pytest.raises(AttributeError, match="no attribute 'nothing_of_ours'"):
        module.nothing_of_ours  # noqa: B018  # looking is what is tested


def test_should_import_nothing_heavy_before_something_is_asked_for():
    code = "import sys, llmdrills.grading, llmdrills.content; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "yaml", "llmdrills.grading.client"} & set(loaded)
    assert importlib.import_module("llmdrills.grading").Grader.__module__ == "llmdrills.grading.client"


def test_should_run_the_example_as_it_stands(tmp_path: Path):
    code, printed = (
        re.search(rf"^```{kind}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[1] for kind in ("python", "text")
    )
    (tmp_path / "example.py").write_text(code, "utf-8")
    ran = subprocess.run([sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.returncode) == (printed, 0), ran.stderr


def test_should_run_as_a_module_as_by_its_name():
    ran = subprocess.run([sys.executable, "-m", "llmdrills", "-V"], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.returncode) == (f"llmdrills {llmdrills.__version__}\n", 0)
    assert (Path(llmdrills.__file__).parent / "py.typed").exists()
