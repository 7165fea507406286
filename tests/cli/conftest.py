"""Running the real command in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`run("grade", "rope-pairing", file, env={…}, cwd=…)`: no command may ever show a traceback."""

    def _run(*words: object, env: dict[str, str] | None = None, cwd: Path | None = None, stdin: str = "") -> Ran:
        import os

        done = subprocess.run(
            [sys.executable, "-m", "llmdrills", *map(str, words)],
            cwd=cwd or tmp_path,
            env={**os.environ, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    return _run
