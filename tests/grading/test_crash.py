"""A crash with its operands: what is kept of it while the kernel runs, and what is said of it."""

from __future__ import annotations

import linecache

import pytest
import torch

from llmdrills.grading.judging.operands import disagreement, given
from llmdrills.grading.kernels.calling import Caller
from llmdrills.grading.protocol.answer import Question
from llmdrills.grading.protocol.tensors import Freezer

FILE = "/practice/attempt.py"


def crash(body: str, *args: torch.Tensor):
    """What is kept of a kernel with this body, called with these arguments as `a`, `b`, …"""
    names = "abcdef"[: len(args)]
    text = f"import torch\n\n\ndef kernel({', '.join(names)}):\n    {body}\n"
    linecache.cache[FILE] = (len(text), None, text.splitlines(keepends=True), FILE)
    space: dict[str, object] = {}
    exec(compile(text, FILE, "exec", dont_inherit=True), space)
    freeze = Freezer().freeze
    return Caller("cpu", FILE).ask(space["kernel"], Question("x", tuple(map(freeze, args)), {}, 0)).value


A, B = torch.ones(2, 3), torch.ones(4, 5)


@pytest.mark.parametrize(
    ("body", "operation", "operands", "expression"),
    [
        ("return (a * 2) @ b", "matmul", ("float32 (2, 3)", "float32 (4, 5)"), "(a * 2) @ b"),
        (
            "return torch.cat([a, b], dim=1)",
            "cat",
            ("float32 (2, 3)", "float32 (4, 5)", "dim=1"),
            "torch.cat([a, b], dim=1)",
        ),
        ("return a.mT.view(-1)", "view", ("float32 (3, 2), not contiguous", "-1"), "a.mT.view(-1)"),
        ("return a[:, 7]", "getitem", ("float32 (2, 3)", "(:, 7)"), "a[:, 7]"),
        ("a += b", "add_", ("float32 (2, 3)", "float32 (4, 5)"), "a += b"),
        ("return [1][3]", "getitem", (), "[1][3]"),
        ("return {}['x']", "getitem", (), "{}['x']"),
        ("return None + 1", "add", (), "None + 1"),
        ("return undefined", "name", (), "undefined"),
        ("return a.nothing", "getattr", (), "a.nothing"),
        ("raise ValueError('odd')", "raise", (), "raise ValueError('odd')"),
        ("x, y = 1, 2, 3", "unpack", (), "x, y"),
    ],
)
def test_should_keep_the_operation_its_operands_and_the_expression(body, operation, operands, expression):
    raised = crash(body, A, B)
    assert (raised.operation, raised.operands, raised.expression) == (operation, operands, expression)
    assert raised.line == 5


def test_should_keep_the_axis_beside_a_long_list():
    raised = crash("return torch.cat([a] * 20 + [b], axis=1)", A, B)
    assert raised.operands == ("float32 (2, 3)",) * 5 + ("axis=1",)


def test_should_throw_away_what_the_second_call_prints(capsys):
    crash("print('once'); return a @ b", A, B)
    assert capsys.readouterr().out == "once\n"


def test_should_keep_no_operands_of_an_exception_that_was_caught():
    raised = crash(
        "\n    try:\n        a @ b\n    except RuntimeError:\n        raise ValueError('mine') from None", A, B
    )
    assert (raised.type, raised.operation, raised.operands) == ("ValueError", "raise", ())


def test_should_not_call_again_what_only_crashes_at_first():
    raised = crash("import sys; sys.calls = getattr(sys, 'calls', 0) + 1; return a @ b if sys.calls == 1 else a", A, B)
    assert (raised.type, raised.operands) == ("RuntimeError", ())


@pytest.mark.parametrize(
    ("operation", "operands", "en", "zh"),
    [
        (
            "matmul",
            ("float32 (2, 3, 4, 8)", "float32 (2, 3, 6, 8)"),
            "the last axis of the left, 8, must equal axis −2 of the right, 6",
            "左边的最后一个轴（8）必须等于右边的轴 −2（6）",
        ),
        (
            "matmul",
            ("float32 (2, 3, 4, 8)", "float32 (5, 8, 6)"),
            "axis −3 is 3 in one and 5 in the other: they must be equal, or one of them 1",
            "轴 −3 一个是 3，另一个是 5：两者必须相等，或其中之一为 1",
        ),
        (
            "bmm",
            ("float32 (2, 3, 4, 8)", "float32 (2, 8, 6)"),
            "the left must have 3 axes, and has 4",
            "左边必须有 3 个轴，这里有 4 个",
        ),
        (
            "linear",
            ("float32 (2, 8)", "float32 (8, 6)"),
            "the last axis of the input, 8, must equal the last axis of the weight, 6",
            "输入的最后一个轴（8）必须等于权重的最后一个轴（6）",
        ),
        (
            "add",
            ("float32 (2, 3, 4, 6)", "bool (2, 6)"),
            "axis −2 is 4 in one and 2 in the other: they must be equal, or one of them 1",
            "轴 −2 一个是 4，另一个是 2：两者必须相等，或其中之一为 1",
        ),
        (
            "cat",
            ("float32 (2, 3)", "float32 (4, 5)", "dim=1"),
            "axis 0 is 2 in tensor [0] and 4 in tensor [1]: they must be equal",
            "轴 0 在张量 [0] 中是 2，在张量 [1] 中是 4：两者必须相等",
        ),
        ("stack", ("[]",), "stack is given no tensor", "stack 没有得到任何张量"),
        (
            "view",
            ("float32 (2, 3)", "4", "-1"),
            "it holds 2 · 3 = 6 numbers, which do not fill (4, -1)",
            "它共有 2 · 3 = 6 个数，填不成 (4, -1)",
        ),
        (
            "getitem",
            ("float32 (2, 3)", "(:, 7)"),
            "index 7 is outside of axis 1, whose size is 3",
            "下标 7 超出了轴 1 的范围，它的大小是 3",
        ),
        ("topk", ("float32 (4, 2)", "10", "dim=1"), "k is 10, and axis 1 has 2", "k 是 10，而轴 1 只有 2 个"),
        (
            "matmul",
            ("float32 (2, 3)", "float16 (3, 5)"),
            "matmul needs one dtype, and is given float32 and float16",
            "matmul 要求 dtype 一致，这里却是 float32 和 float16",
        ),
    ],
)
def test_should_say_which_axis_disagrees_in_both_languages(operation, operands, en, zh):
    found = disagreement(operation, operands)
    assert (found.en, found.zh) == (en, zh)


@pytest.mark.parametrize(
    ("operation", "operands"),
    [
        ("matmul", ("float32 (2, 3)", "float32 (3, 5)")),
        ("matmul", ("float32 (7, 1, 2, 3)", "float32 (4, 3, 5)")),
        ("add", ("float32 (2, 1)", "float32 (3,)", "2")),
        ("cat", ("float32 (2, 3)", "float32 (2, 5)", "dim=-1")),
        ("cat", ("float32 (2, 3)", "float32 (2, 5)", "axis=1")),
        ("view", ("float32 (2, 3)", "(3, -1)")),
        ("getitem", ("float32 (2, 3)", "Tensor")),
        ("topk", ("float32 (4, 12)", "10", "dim=1")),
        ("multinomial", ("float32 (2, 3)", "9")),
        ("getitem", ()),
    ],
)
def test_should_say_nothing_where_the_shapes_do_not_show_the_fault(operation, operands):
    assert disagreement(operation, operands) is None


def test_should_say_what_a_view_needs_of_memory():
    said = disagreement("view", ("float32 (3, 2), not contiguous", "-1"))
    assert "`.reshape`" in said.en
    assert "`.reshape`" in said.zh
    assert disagreement("reshape", ("float32 (3, 2), not contiguous", "-1")) is None


def test_should_write_a_product_as_one():
    assert given("matmul", ("float32 (2, 3)", "float32 (4,)")) == "(2, 3) @ (4,)"
    assert given("matmul", ("float32 (2, 3)", "float16 (3, 5)")) == "float32 (2, 3), float16 (3, 5)"
