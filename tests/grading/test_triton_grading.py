"""Katas of engine triton from end to end: the learner's process runs kernels under the watch, the command judges."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmdrills.content.model import Kata
from llmdrills.content.starter import solution_text, starter_text
from llmdrills.errors import ContentError
from llmdrills.grading.client import Grader, Limits
from llmdrills.grading.engines.triton.report import KINDS, Cost, Event, Report
from llmdrills.grading.judging.compare import compare
from llmdrills.grading.judging.verdict import Verdict
from llmdrills.grading.judging.wording import describe
from llmdrills.grading.protocol.answer import STOPPED, Answer, Expected
from llmdrills.grading.protocol.answer_codec import pack_answer, read_answer
from llmdrills.grading.protocol.wire import Raised, WireError, unpack
from llmdrills.language import LANGUAGES, Language
from tests.helpers.triton_kata import SLIPS, changed, solution, triton_kata

pytest.importorskip("triton")

SUM = "    total = tl.sum(values, 0)\n"
STORE = "values / total, mask=inside)"
LOAD = "tl.load(x + row * stride_r + columns * stride_n, mask=inside, other=0.0)"
LOAD_BACK = "tl.load(y + row * n + (columns + 1) % n, mask=inside, other=0.0)"


@pytest.fixture(scope="module")
def kata(tmp_path_factory: pytest.TempPathFactory) -> Kata:
    return triton_kata(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader() as made:
        yield made


def grade(grader: Grader, kata: Kata, text: str, language: Language = "en") -> Verdict:
    return grader.grade(kata, "rows", text, language=language, file="mine.py")


def line_of(text: str, part: str) -> int:
    return next(at for at, line in enumerate(text.splitlines(), 1) if part in line)


def test_should_pass_the_solution_and_count_what_it_moves(grader: Grader, kata: Kata):
    verdict = grade(grader, kata, solution(kata))
    assert verdict.outcome == "passed", verdict.message
    moved = {one["case"]: one for one in verdict.report["traffic"]}
    # 4 rows of 200 float32, read once and written once, each row in a tile of 256.
    assert moved["wide"] == {
        "case": "wide",
        "loaded": 4 * 200 * 4,
        "stored": 4 * 200 * 4,
        "moved": 2 * 4 * 200 * 4,
        "least": 2 * 4 * 200 * 4,
        "launches": 1,
        "programs": 4,
        "largest_tile": 256,
        "dot_flops": 0,
        "atomics": 0,
        "budget": {"bytes": [7680, 6400], "largest_tile": [512, 256], "launches": [1, 1]},
    }
    assert moved["half"]["least"] == 2 * 2 * 33 * 2
    assert moved["base-again"]["launches"] == 3
    json.dumps(verdict.to_json())


@pytest.mark.parametrize("language", LANGUAGES)
def test_should_begin_from_a_starter_that_imports_triton(grader: Grader, kata: Kata, language: Language):
    text = starter_text(kata, kata.variants[0], language)
    assert "import triton\nimport triton.language as tl\n" in text
    assert "torch.empty" in text  # the generated line of the contract
    assert grade(grader, kata, text).outcome == "unimplemented"


def test_should_show_the_solution_with_its_kernels(kata: Kata):
    text = solution_text(kata, kata.variants[0], "zh")
    assert "@triton.jit\ndef shares_kernel(" in text
    assert "每行除以该行之和" in text


FAULTS = {
    "store beyond the row": (
        STORE,
        "values / total)",
        "fault",
        "tl.store touches 3 of 8 addresses outside `y` of shape (3, 5): first `y[3, 0]`, in program 2",
        "tl.store 的 8 个地址中有 3 个超出了形状为 (3, 5) 的 `y`：第一个是 `y[3, 0]`（program 2）",
    ),
    "every program writes one row": (
        "y + row * n",
        "y",
        "race",
        "programs 0 and 1 write different values to `y[0, 0]` (5 elements)",
        "program 0 和 program 1 向 `y[0, 0]` 写入了不同的值（共 5 个元素）",
    ),
    "reads what it stored": (
        STORE + "\n",
        f"{STORE}\n    again = {LOAD_BACK}\n    tl.store(y + row * n + columns, again, mask=inside)\n",
        "race",
        "without a barrier between",
        "中间没有 barrier",
    ),
    "a sum over an axis that is gone": (
        "tl.sum(values, 0)",
        "tl.sum(values, 1)",
        "does-not-compile",
        "tl.sum is given the axis 1, which its block does not have",
        "传给 tl.sum 的轴 1 在块里不存在",
    ),
    "a block that is no power of two": (
        "triton.next_power_of_2(n)",
        "n",
        "does-not-compile",
        "(`columns = tl.arange(0, BLOCK)  # (BLOCK,)`): arange's range must be a power of 2",
        "Triton 无法编译 `shares_kernel`（`columns = tl.arange(0, BLOCK)  # (BLOCK,)`）：tl.arange 的长度必须是 2 的幂",
    ),
    "no grid": (
        "shares_kernel[(rows,)](",
        "shares_kernel(",
        "fault",
        "`shares_kernel` is called without a grid: launch it as `shares_kernel[(programs,)](…)`",
        "调用 `shares_kernel` 时没有给 grid",
    ),
    "a grid of fractions": (
        "shares_kernel[(rows,)](",
        "shares_kernel[(rows / 1,)](",
        "fault",
        "is launched on the grid (3.0,): a grid is a tuple of one to three whole numbers",
        "启动时的 grid 是 (3.0,)：grid 应是由一到三个整数组成的元组",
    ),
    "None for a tensor": (
        "shares_kernel[(rows,)](x, ",
        "shares_kernel[(rows,)](None, ",
        "fault",
        "`x` is None in `shares_kernel`: pass a tensor",
        "`shares_kernel` 里的 `x` 是 None：请传入张量",
    ),
    "a program for each of many elements": (
        "(rows,)](",
        "(rows * 100000,)](",
        "fault",
        "is launched with 300,000 programs; at most 20,000 run here",
        "启动了 300,000 个 program；这里最多运行 20,000 个",
    ),
    "a sum in torch": (
        "    return y",
        "    return x / x.sum(-1, keepdim=True)",
        "forbidden",
        "torch.sum is forbidden here: here torch may only allocate and make views: compute it in a kernel",
        "这里禁用 torch.sum：这道题里 torch 只能用来分配张量和取视图：计算要写在 kernel 里",
    ),
    "the row read twice": (
        SUM,
        f"    again = {LOAD}\n    total = tl.sum(again.to(tl.float32), 0)\n",
        "over-budget",
        "9,600 bytes are loaded and stored; 7,680 are allowed: 1.25 times the limit (the solution: 6,400)",
        "读写的字节数为 9,600；允许 7,680：是上限的 1.25 倍（参考解：6,400）",
    ),
    "a tile that is far too wide": (
        "triton.next_power_of_2(n)",
        "4 * triton.next_power_of_2(n)",
        "over-budget",
        "1,024 elements are in the largest tile, padding included; 512 are allowed",
        "最大的 tile 含填充的元素个数为 1,024；允许 512",
    ),
    "a second launch": (
        "    return y",
        "    shares_kernel[(rows,)](x, y, x.stride(0), x.stride(1), n, BLOCK=block)\n    return y",
        "over-budget",
        "2 kernels are launched; 1 are allowed",
        "启动的 kernel 个数为 2；允许 1",
    ),
}
"""Each wrong attempt as an edit of the solution, its outcome, and what is said of it in both languages."""


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", FAULTS)
def test_should_tell_what_is_wrong_with_a_kernel_in_both_languages(
    grader: Grader, kata: Kata, name: str, language: Language
):
    line, becomes, outcome, english, chinese = FAULTS[name]
    verdict = grade(grader, kata, changed(kata, line, becomes), language)
    assert verdict.outcome == outcome, verdict.message
    shown = verdict.report["smallest"]
    said = [verdict.report["headline"], *(one["text"] for one in (shown["findings"] if shown else ()))]
    assert any((english if language == "en" else chinese) in text for text in said), said


def test_should_name_the_line_the_kernel_and_the_program(grader: Grader, kata: Kata):
    text = changed(kata, STORE, "values / total)")
    verdict = grade(grader, kata, text)
    assert verdict.where is not None
    assert (verdict.where.kind, verdict.where.line) == ("kernel", line_of(text, "tl.store("))
    assert verdict.where.expression == "tl.store(y + row * n + columns, values / total)"
    finding = verdict.cases[0].findings[0]
    assert (finding["kind"], finding["event"], finding["kernel"]) == ("fault", "out-of-bounds", "shares_kernel")
    assert finding["program"] == [2, 0, 0]
    assert finding["facts"]["index"] == [3, 0]


@pytest.mark.parametrize("slip", ["no-store-mask", "other-one", "contiguous-only", "one-row", "read-twice"])
def test_should_diagnose_each_slip_of_the_kata(grader: Grader, kata: Kata, slip: str):
    found = next(one for one in kata.slips if one.id == slip)
    imports = "import torch\nimport triton\nimport triton.language as tl\n\n\n"
    verdict = grade(grader, kata, imports + found.texts["rows"])
    assert verdict.diagnosis is not None, verdict.message
    assert verdict.diagnosis.id == slip


def test_should_end_a_loop_that_does_not_end_and_name_its_line(grader: Grader, kata: Kata):
    text = changed(kata, SUM, SUM + "    while total > -1:\n        total += 1.0\n")
    patient = Limits(call=120.0, total=240.0)  # on a busy machine its clock comes before the watch's CPU seconds
    verdict = grader.grade(kata, "rows", text, limits=patient)
    assert verdict.outcome == "timeout", verdict.message
    assert "does its loop end" in verdict.report["headline"]
    assert verdict.where is not None
    assert verdict.where.line in (line_of(text, "while total"), line_of(text, "while total") + 1)


def test_should_pass_every_right_kernel(grader: Grader, kata: Kata):
    scaled = changed(kata, "values / total", "values * (1.0 / total)")
    wider = changed(kata, "triton.next_power_of_2(n)", "2 * triton.next_power_of_2(n)")
    zeroed = changed(kata, "torch.empty((rows, n), dtype=x.dtype, device=x.device)", "torch.zeros_like(x.contiguous())")
    assert grade(grader, kata, scaled).passed
    assert grade(grader, kata, wider).passed
    assert grade(grader, kata, zeroed).outcome == "forbidden"  # `contiguous` copies where x is not


def test_should_refuse_threads_and_numpy_in_a_triton_kata(grader: Grader, kata: Kata):
    numpy = "import numpy as np\n" + changed(kata, "    return y", "    return torch.from_numpy(np.zeros((1, 1)))")
    threads = "import threading\n" + solution(kata)
    assert grade(grader, kata, numpy).outcome == "forbidden"
    assert grade(grader, kata, threads).outcome == "forbidden"


def test_should_see_through_an_attempt_that_catches_what_ends_it(grader: Grader, kata: Kata):
    """The watch's own report counts, whatever becomes of the exception."""
    text = changed(kata, STORE, "values / total)")
    launch = "    shares_kernel[(rows,)](x, y, x.stride(0), x.stride(1), n, BLOCK=block)\n"
    assert launch in text
    caught = text.replace(launch, f"    try:\n    {launch}    except BaseException:\n        pass\n")
    assert grade(grader, kata, caught).outcome == "fault"


def test_should_grade_torch_and_triton_katas_in_turn(grader: Grader, kata: Kata, shipped_kata: Callable[[str], Kata]):
    other = shipped_kata("swiglu")
    variant = other.variants[0]
    for _ in range(2):
        verdict = grader.grade(other, variant.id, solution_text(other, variant))
        assert verdict.passed, verdict.message
        assert verdict.report["traffic"] == []
        assert grade(grader, kata, solution(kata)).passed


def test_should_refuse_what_engine_triton_has_no_use_for(tmp_path: Path):
    from tests.helpers.triton_kata import YAML

    flops = YAML.replace("    bytes: 1.2\n", "    flops: 1.2\n")
    with pytest.raises(ContentError, match="engine triton does not count `flops`"):
        triton_kata(tmp_path, kata=flops)
    with pytest.raises(ContentError, match=r"solution\.py has no function `shares`"):
        triton_kata(tmp_path, solution="import torch\n")
    with pytest.raises(ContentError, match="there is no right kernel `reference`"):
        triton_kata(tmp_path, slips=SLIPS.replace("  - id: one-row\n", "  - id: one-row\n    of: reference\n"))
    with pytest.raises(ContentError, match="engine torch does not count `bytes`"):
        triton_kata(tmp_path, kata=YAML.replace("engine: triton", "engine: torch"))


def test_should_take_the_least_bytes_that_the_kata_declares(grader: Grader, tmp_path: Path):
    from tests.helpers.triton_kata import CASES

    own = triton_kata(tmp_path, cases=CASES + "\n\ndef least_bytes(x):\n    return 7 * x.shape[0]\n")
    verdict = grade(grader, own, solution(own))
    assert {one["case"]: one["least"] for one in verdict.report["traffic"]}["wide"] == 28


# ---- the data on its way


def answer_of(*events: Event, value: object = None) -> Answer:
    return Answer(value, watched=Report(events, Cost(loaded=8, largest_tile=4)))


def test_should_carry_a_report_to_the_command_and_back():
    facts = {"access": "load", "outside": 3, "shape": (2, 5), "limit": 1.5}
    sent = answer_of(Event("out-of-bounds", 3, "kernel", (0, 1, 0), facts), Event("race"))
    kind, case, parts = unpack(pack_answer("base", sent))
    assert (kind, case) == ("answer", "base")
    assert read_answer(parts).watched == sent.watched


@pytest.mark.parametrize(
    "report",
    [
        ((("nonsense", 1, "k", None, {}),), (0,) * 7),
        ((("race", "1", "k", None, {}),), (0,) * 7),
        ((("race", 1, "k", None, {"a": [1]}),), (0,) * 7),
        ((), (0,) * 6),
        ((), (-1,) + (0,) * 6),
        ((),),
    ],
)
def test_should_refuse_a_forged_report(report: object):
    parts = (None, (), (), None, (), (), 0.0, report)
    with pytest.raises(WireError):
        read_answer(parts)


@pytest.mark.parametrize("kind", KINDS)
def test_should_word_every_event_in_both_languages_whatever_its_facts_are(kind: str):
    """The facts are the learner's process's own word: none may break the command."""
    due = Expected("base", "", Answer(1.0))
    stopped = Raised(kind, (STOPPED,), "", operation="kernel")
    forged = {"shape": "x", "index": 3, "outside": "many", "limit": (), "other": 0, "grid": 1, "elements": "few"}
    for facts in ({}, forged):
        sent = answer_of(Event(kind, 4, "kernel", (1, 0, 0), facts), value=stopped)  # type: ignore[arg-type]
        for finding in compare(due, sent):
            words = describe(finding)
            assert words.en
            assert words.zh
            assert dataclasses.is_dataclass(finding)
