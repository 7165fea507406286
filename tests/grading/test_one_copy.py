"""The command and its grader are of one copy of llmdrills, whichever else is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from llmdrills.grading.workers import server

FIND = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
runpy.run_path(sys.argv[2])["_find_package"]()
import llmdrills
print(llmdrills.__file__)
"""


def test_should_grade_with_the_code_of_the_command_where_another_copy_is_found_first(tmp_path: Path) -> None:
    other = tmp_path / "llmdrills/__init__.py"
    other.parent.mkdir()
    other.touch()
    command = [sys.executable, "-c", FIND, str(tmp_path), server.__file__]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    assert Path(found) == Path(server.__file__).parents[2] / "__init__.py"
