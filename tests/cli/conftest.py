"""Running the real command in a process of its own."""

from __future__ import annotations

import json
import shutil
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


@pytest.fixture
def small(tmp_path: Path, root: Path) -> Path:
    """A workspace to write in: the kata rms-norm, which requires no other and loads quickly, and a deck of one note."""
    folder = tmp_path / "small"
    shutil.copytree(root / "drills" / "rms-norm", folder / "drills" / "rms-norm")
    kata = folder / "drills" / "rms-norm" / "kata.yaml"
    kept = [line for line in kata.read_text().splitlines() if not line.startswith(("requires:", "proves:"))]
    kata.write_text("\n".join(kept) + "\n")
    (folder / "decks").mkdir()
    (folder / "decks" / "small.yaml").write_text(DECK)
    return folder


DECK = """\
deck: small
title: {en: Small, zh: 小}
description: {en: A small deck., zh: 一个小牌组。}
notes:
  - id: scale
    type: question
    topic: transformer
    front: {en: "Why divide by $\\\\sqrt{d_k}$?", zh: "为什么除以 $\\\\sqrt{d_k}$？"}
    back: {en: To keep the variance at 1., zh: 使方差保持为 1。}
    sources: [{title: "Vaswani et al. 2017", url: "https://arxiv.org/abs/1706.03762"}]
"""
