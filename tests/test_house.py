"""The house rules that a program can check: names of tests, and examples in docstrings."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent


def test_should_name_every_test_for_what_should_be():
    """One dialect: `test_should_refuse_a_cache_of_another_renderer`."""
    wrong = []
    for path in sorted(TESTS.rglob("test_*.py")):
        names = re.findall(r"^ *def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
        wrong += [f"{path.relative_to(TESTS)}: {name}" for name in names if not name.startswith("test_should_")]
    assert wrong == []
