"""A small kata to plant defects in, and values to compare."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from llmdrills.content.katafile import read_kata
from llmdrills.content.model import Kata
from llmdrills.content.report import Report
from llmdrills.grading.judging.differences import leaves
from llmdrills.grading.protocol.answer import Answer, Expected, ShownCall
from llmdrills.grading.protocol.wire import Raised, TensorValue, Value

YAML = """
kata: centred-scale
title: {en: Centre and scale, zh: 居中与缩放}
topic: transformer
minutes: 5
entry: centre
requires: []
needs: []
proves: []
prompt: {en: Take off the mean., zh: 减去均值。}
hints:
  - {en: one, zh: 一}
  - {en: two, zh: 二}
  - {en: three, zh: 三}
variants:
  rows:
    title: {en: Rows, zh: 行}
    reference: centre_rows
    contract: [{en: "x: (T, D)", zh: "x：(T, D)"}]
    mistaken: {en: You centre rows., zh: 你按行居中。}
  columns:
    title: {en: Columns, zh: 列}
    reference: centre_columns
    contract: [{en: "x: (T, D)", zh: "x：(T, D)"}]
    mistaken: {en: You centre columns., zh: 你按列居中。}
sources: [{title: a book}]
"""

REFERENCE = '''
"""Centring."""

import torch


def centre_rows(x, scale=1.0):
    """Take each row's mean off, then multiply by `scale`."""
    if x.dim() != 2:
        raise ValueError("x must be (T, D)")
    return (x - x.mean(dim=1, keepdim=True)) * scale


def centre_columns(x, scale=1.0):
    """Take each column's mean off, then multiply by `scale`."""
    if x.dim() != 2:
        raise ValueError("x must be (T, D)")
    return (x - x.mean(dim=0, keepdim=True)) * scale
'''

CASES = """
import torch
from reference import centre_columns

from llmdrills.grading.authoring import Inputs, call, case, equivalent, misconception, peer


@case(why="both dimensions differ")
def base(make: Inputs):
    return call(make.normal(3, 4, mean=1.0))


@case(why="the scale is used")
def scaled(make: Inputs):
    return call(make.normal(2, 5, mean=1.0), scale=2.5)


@case(why="one dimension is refused", raises="ValueError")
def refused(make: Inputs):
    return call(make.normal(4))


@misconception("no-mean", en="Take the mean off.", zh="减去均值。", seen="a test")
def no_mean(x, scale=1.0):
    if x.dim() != 2:
        raise ValueError("x must be (T, D)")
    return x * scale


@misconception("no-scale", en="Use the scale.", zh="用上缩放系数。", seen="a test")
def no_scale(x, scale=1.0):
    if x.dim() != 2:
        raise ValueError("x must be (T, D)")
    return x - x.mean(dim=1, keepdim=True)


@misconception("anything-goes", en="Refuse one dimension.", zh="拒绝一维输入。", seen="a test")
def anything_goes(x, scale=1.0):
    return (x - x.mean(dim=-1, keepdim=True)) * scale


@equivalent("by-sum", why="a sum divided", variants=("rows",))
def by_sum(x, scale=1.0):
    if x.dim() != 2:
        raise ValueError
    return scale * x - scale * (x.sum(1) / x.size(1))[:, None]


@peer("torch", skips={"refused": "raises another error"}, variants=("rows",))
def layer_norm(x, scale=1.0):
    return (x - torch.nn.functional.adaptive_avg_pool1d(x[:, None], 1)[:, 0]) * scale
"""


def write_kata(root: Path, cases: str = CASES, reference: str = REFERENCE, yaml: str = YAML) -> Path:
    """The kata's folder, in the workspace `root`."""
    folder = root / "drills" / "centred-scale"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("kata.yaml", yaml), ("reference.py", reference), ("cases.py", cases)):
        (folder / name).write_text(textwrap.dedent(text).lstrip("\n"), "utf-8")
    return folder


def load_kata(folder: Path) -> Kata:
    """The kata as content loads it, with its problems raised."""
    report = Report(folder.parents[1])
    kata = read_kata(folder, report).kata
    report.raise_if_any()
    assert kata is not None
    return kata


def make_kata(root: Path, **texts: str) -> Kata:
    """Write and load."""
    return load_kata(write_kata(root, **texts))


def tensor(values: Any, dtype: str = "float32", **fields: Any) -> TensorValue:
    """A tensor value of nested lists; bfloat16 is rounded towards zero."""
    if dtype == "bfloat16":
        raw = (np.asarray(values, "<f4").view("<u4") >> 16).astype("<u2")
        return TensorValue(dtype, raw.shape, raw.tobytes(), **fields)
    array = np.asarray(values, dtype=dtype)
    return TensorValue(dtype, array.shape, array.tobytes(), **fields)


def expect(value: Value, dtype: str = "float32", **fields: Any) -> Expected:
    """What the oracle would say: `value` in float64, due in `dtype`."""
    dtypes = tuple(dtype if isinstance(leaf, TensorValue) else "" for _, leaf in leaves(value))
    call = fields.pop("call", ShownCall(names=("x", "y"), size=4))
    return Expected(fields.pop("case", "base"), "why", Answer(value), dtypes, call=call, **fields)


def raised(name: str, *bases: str, message: str = "", line: int = 0, **crash: Any) -> Answer:
    """An answer that is an exception; `crash` are the operation, the operands and the expression."""
    classes = (name, *bases, "Exception", "BaseException")
    return Answer(Raised(name, classes, message, "attempt.py" if line else "", line, **crash))
