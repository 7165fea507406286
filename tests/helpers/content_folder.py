"""A small workspace that is right, and a hand to spoil it with."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from llmdrills.content import load_workspace
from llmdrills.content.model import Workspace
from llmdrills.errors import ContentError, Problem

DECK = """\
deck: small
title: {en: Small, zh: 小}
notes:
  - id: scale
    type: question
    topic: transformer
    front: {en: "Why divide by $\\\\sqrt{d_k}$?", zh: "为什么除以 $\\\\sqrt{d_k}$？"}
    back: {en: To keep the variance at 1., zh: 使方差保持为 1。}
    sources: [Vaswani et al. 2017]
    proves: [ready-one]
    kata: twice
"""
READINESS = """\
deck: readiness
title: {en: Readiness, zh: 自查}
notes:
  - id: ready-one
    type: checklist
    topic: transformer
    front: {en: Explain attention., zh: 解释注意力。}
    items:
      - {en: scores, zh: 分数}
      - {en: weights, zh: 权重}
    sources: [{title: A book, url: "https://example.org/book"}]
"""
KATA = """\
kata: twice
title: {en: Twice, zh: 两倍}
topic: transformer
minutes: 5
entry: twice
requires: []
proves: [ready-one]
prompt: {en: Double it., zh: 加倍。}
hints:
  - {en: Add., zh: 相加。}
  - {en: Add x., zh: 加 x。}
  - {en: x + x, zh: x + x}
variants:
  standard:
    title: {en: Standard, zh: 标准}
    reference: twice
    contract:
      - {en: "x: (N,) floats", zh: "x：(N,) 浮点数"}
sources: [Any primer]
"""
REFERENCE = '''\
"""Doubling."""

import math

import torch


def twice(x: torch.Tensor, by: float = 2.0) -> torch.Tensor:
    """Return x times `by`."""
    return x * by
'''
CASES = '''\
import torch
from reference import twice

from llmdrills.grading.authoring import Inputs, call, case, equivalent, misconception, peer


@case(why="plain")
def base(make: Inputs):
    return call(make.normal(3))


@misconception("squared", en="Times two, not squared.", zh="是乘以 2，不是平方。", seen="haste", fix="return x * by")
def squared(x, by=2.0):
    """Wrong on purpose."""
    # this is the bug
    y = x.clone()  # (N,)
    return y * squared.__class__ and x * x


@equivalent("added", why="adds")
def added(x, by=2.0):
    return x + x


@peer("torch")
def multiplied(x, by=2.0):
    return torch.mul(x, by)
'''


@dataclass
class Folder:
    """A workspace in a temporary folder."""

    root: Path

    def write(self, path: str, text: str | bytes) -> Folder:
        """Write a file; text is dedented."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
        return self

    def edit(self, path: str, old: str, new: str) -> Folder:
        """Replace `old`, which must stand in the file exactly once."""
        text = (self.root / path).read_text("utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
        return self.write(path, text.replace(old, new).encode())

    def note(self, text: str) -> Folder:
        """Add a note to the small deck; it is given as a YAML mapping without its first dash."""
        path = self.root / "decks" / "small.yaml"
        lines = textwrap.dedent(text).strip("\n").splitlines()
        added = "".join(f"  {'- ' if i == 0 else '  '}{line}\n" for i, line in enumerate(lines))
        path.write_text(path.read_text("utf-8") + added, "utf-8")
        return self

    def load(self) -> Workspace:
        """Load it."""
        return load_workspace(self.root)

    def problems(self) -> tuple[Problem, ...]:
        """The problems that loading raises."""
        with pytest.raises(ContentError) as caught:
            self.load()
        return caught.value.problems

    def only_problem(self) -> Problem:
        """The one problem that loading raises."""
        problems = self.problems()
        assert len(problems) == 1, "\n".join(map(str, problems))
        return problems[0]
