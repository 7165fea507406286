"""The lines in which a call writes into an argument, drops a gradient, or first calculates in half precision."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
import torch

from llmdrills.content.load import load_katas
from llmdrills.grading.client import Grader
from llmdrills.grading.kernels.calling import Caller
from llmdrills.grading.protocol.answer import Question
from llmdrills.grading.protocol.tensors import Freezer

ROOT = Path(__file__).resolve().parents[2]
FILE = "attempt.py"


def lines(body: str, seek: str, *, grads: tuple[int, ...] = ()) -> list[int]:
    """The lines that are found in a kernel of x (3, 4) and w (4,); its body begins in line 2."""
    source = "def kernel(x, w):\n" + textwrap.indent(textwrap.dedent(body), "    ")
    names = {"torch": torch}
    exec(compile(source, FILE, "exec"), names)
    freeze = Freezer().freeze
    x, w = torch.arange(12, dtype=torch.float32).reshape(3, 4), torch.ones(4)
    question = Question("case", (freeze(x), freeze(w)), {}, 0, grads=grads, seek=seek)
    return Caller("cpu", FILE).ask(names["kernel"], question).value


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("y = x * 2\nx.view(-1).mul_(3)\ny += 1\nreturn y", [3]),  # through a view; the call's own tensor is its own
        ("x[0] = 5\nreturn x + w", [2]),
        ("torch.mul(x, w, out=x)\nw.add_(1)\nreturn x", [2, 3]),
        ("y = x.clone()\ny[0] = 5\nreturn y", []),
    ],
)
def test_should_tell_where_an_argument_is_written(body, found):
    assert lines(body, "input-changed") == found


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("m = x.amax(-1, keepdim=True)\ny = (x - m).detach()\nreturn y.softmax(-1) * w", [3]),
        ("with torch.no_grad():\n    y = x * 2\n    z = y + 1\nreturn z * w", [3]),
        ("return torch.tensor(x.tolist()) * w", [2]),
        ("y = x.data\nreturn y * w", [2]),
        ("w = w.detach()\nreturn x * w", []),  # another argument's
        ("keep = x > 0\nreturn x * keep", []),  # truth values carry none
    ],
)
def test_should_tell_where_a_gradient_is_lost(body, found):
    assert lines(body, "no-gradient", grads=(0,)) == found


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("h = x.to(torch.bfloat16).mT\ny = h.mT @ h\nreturn y.exp()", [3]),  # a cast calculates nothing
        ("return (x * 2).half()", []),
        ("return x.softmax(-1)", []),
    ],
)
def test_should_tell_where_half_precision_begins(body, found):
    assert lines(body, "half-precision") == found


def test_should_tell_the_lines_before_the_call_raises():
    assert lines("x.mul_(2)\nraise ValueError", "input-changed") == [2]


@pytest.fixture(scope="module")
def norm():
    """The shipped kata of RMSNorm, and a grader."""
    (kata,) = (kata for kata in load_katas(ROOT) if kata.id == "rms-norm")
    with Grader() as grader:
        yield lambda body, language="en": grader.grade(
            kata,
            "cast-first",
            "import torch\n\n\ndef rms_norm(x, weight, eps=1e-6):\n" + textwrap.indent(body, "    "),
            seed=5,
            language=language,
        )


WRITES = "y = x.float()\ny.mul_(torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + eps))\nreturn weight * y.to(x.dtype)\n"
LOSES = (
    "y = x.float()\ns = y.pow(2).mean(-1, keepdim=True)\n"
    "n = y.detach() * torch.rsqrt(s.detach() + eps)\nreturn weight * n.to(x.dtype)\n"
)
TWICE = LOSES.replace("y.detach()", "y").replace("y = x.float()", "y = x.detach().float()")
HALF = "return weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps))\n"


@pytest.mark.parametrize(
    ("body", "kind", "line"),
    [(WRITES, "input-changed", 6), (LOSES, "no-gradient", 7), (TWICE, "no-gradient", 5), (HALF, "half-precision", 5)],
)
def test_should_tell_a_learner_the_line(norm, body, kind, line):
    for language, words in (("en", f"in line {line}"), ("zh", f"在第 {line} 行")):
        verdict = norm(body, language)
        assert (verdict.where.kind, verdict.where.line) == (kind, line)
        assert verdict.where.message.endswith(words)
        text = ("import torch\n\n\ndef rms_norm(x, weight, eps=1e-6):\n" + body).splitlines()[line - 1].strip()
        assert verdict.where.expression == text
        assert f"  {line} | {text}" in verdict.message


def test_should_not_tell_of_half_precision_where_the_reference_calculates_in_it(norm):
    verdict = norm("wide = x.to(torch.promote_types(x.dtype, torch.float32))\nreturn weight * (wide + 1).to(x.dtype)\n")
    assert not verdict.passed
    assert verdict.where is None
