"""A workspace of one small kata, and files that answer it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.helpers.small_kata import REFERENCE, write_kata

RIGHT = f"{REFERENCE}\ncentre = centre_rows\n"
NO_MEAN = """
def centre(x, scale=1.0):
    if x.dim() != 2:
        raise ValueError("x must be (T, D)")
    return x * scale
"""
SLOW = f"import time\n\ntime.sleep(0.4)\n{RIGHT}"


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class Room:
    """A folder with a workspace, submissions and a place for the report."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.workspace = root / "workspace"
        self.submissions = root / "submissions"
        self.report = root / "report"
        write_kata(self.workspace)
        self.submissions.mkdir()

    def hand_in(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.submissions / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")

    def words(self, *more: object, what: Path | None = None) -> list[str]:
        words = ["grade-all", what or self.submissions, "--out", self.report, "--workspace", self.workspace, *more]
        return [sys.executable, "-m", "llmdrills", *map(str, words)]

    def run(
        self, *more: object, what: Path | None = None, env: Mapping[str, str] | None = None, timeout: float = 240
    ) -> Done:
        done = subprocess.run(
            self.words(*more, what=what),
            cwd=self.root,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *more: object, **options: Any) -> subprocess.Popen[bytes]:
        """The command as it runs; with `stderr` its messages go there, and with `start_new_session` it has a group."""
        null = subprocess.DEVNULL
        options = {"stdin": null, "stdout": null, "stderr": null, **options}
        return subprocess.Popen(self.words(*more), cwd=self.root, **options)

    @property
    def results(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.report / "results.json").read_bytes())
        return found

    def outcomes(self) -> dict[str, str]:
        """The outcome of each file."""
        return {row["file"]: row["outcome"] for row in self.results["rows"]}

    def kept(self) -> dict[str, int]:
        """The results in the folder of work, and when each was written."""
        return {path.name: path.stat().st_mtime_ns for path in (self.report / "work").glob("*.json")}


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@pytest.fixture
def find(room: Room) -> Callable[..., Any]:
    """What `find_submissions` says of this room's submissions, or of a table."""
    from llmdrills.classroom.submissions import find_submissions
    from llmdrills.content.load import load_katas

    return lambda what=None: find_submissions(what or room.submissions, load_katas(room.workspace))
