"""Each kind of event, with its facts and its line; and what must not be one."""

from __future__ import annotations

import pytest
import torch

from llmdrills.grading.engines import triton as engine
from tests.grading.engines import lab

ONE = """
@triton.jit
def k(x, y, n, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    v = tl.load(x + i, mask=i < n, other=0.0)
    BODY
    tl.store(y + i, v, mask=i < n)

def entry(x):
    y = torch.empty_like(x)
    LAUNCH
    return y
"""
BODY, LAUNCH = 10, 15  # the lines that these two become


def one(body: str = "pass", launch: str = "k[(triton.cdiv(x.numel(), 8),)](x, y, x.numel(), BLOCK=8)") -> lab.Run:
    text = ONE.replace("BODY", body).replace("LAUNCH", launch)
    return lab.call(lab.attempt(text), torch.arange(10.0), limits=engine.Limits(seconds=20))


def test_should_find_nothing_in_the_kernel_that_the_others_are_made_of():
    run = one()
    assert run.kinds == []
    assert run.result.tolist() == list(range(10))


def test_should_name_every_kind_once():
    assert len(set(engine.KINDS)) == len(engine.KINDS) == 11


# ---- out of bounds --------------------------------------------------------------------------------


def test_should_tell_which_element_of_which_tensor_an_access_leaves():
    run = one(launch="k[(2,)](x, y, 12, BLOCK=8)")
    assert run.event == engine.Event(
        "out-of-bounds",
        BODY - 1,
        "k",
        (1, 0, 0),
        {"access": "load", "outside": 2, "of": 4, "parameter": "x", "shape": (10,), "index": (10,)},
    )
    assert run.stopped is not None
    assert run.stopped.event == run.event


BOUNDS = """
@triton.jit
def k(x, y, xs, rows, n, shift, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    v = tl.load(x + tl.program_id(0) * xs + i + shift, mask=i < n, other=0.0)
    tl.store(y + tl.program_id(0) * n + i, v, mask=i < n)

def entry(x, xs, rows, n, shift):
    y = torch.empty(rows, n)
    k[(rows,)](x, y, xs, rows, n, shift, BLOCK=triton.next_power_of_2(n))
    return y
"""


def bounds(x: torch.Tensor, xs: int, rows: int, n: int, shift: int = 0) -> lab.Run:
    return lab.call(lab.attempt(BOUNDS), x, xs, rows, n, shift)


def test_should_know_the_elements_of_a_view_and_nothing_between_them():
    x = lab.apart(torch.arange(12.0).view(3, 4))
    right = bounds(x, x.stride(0), 3, 4)
    assert right.kinds == []
    assert torch.equal(right.result, x)
    wrong = bounds(x, x.stride(0), 3, 5).event
    assert wrong.facts["index"] == (0, 4)
    assert wrong.facts["outside"] == 1
    beyond = bounds(x, x.stride(0), 4, 4).event
    assert beyond.facts["index"] == (3, 0)
    assert beyond.program == (3, 0, 0)
    before = bounds(x, x.stride(0), 3, 4, -1).event
    assert before.facts["index"] == (0, -1)
    assert before.facts["outside"] == 1


def test_should_know_the_elements_of_a_view_with_steps_and_say_how_far_past_one_an_address_is():
    x = torch.arange(20.0)[::2]
    event = bounds(x, 1, 1, 4).event
    assert event.facts["shape"] == (10,)
    assert event.facts["index"] == (0,)
    assert event.facts["past"] == 1


def test_should_take_a_transposed_and_an_expanded_tensor_as_they_lie():
    text = """
    @triton.jit
    def k(x, y, a, b, M: tl.constexpr, N: tl.constexpr):
        i, j = tl.arange(0, M)[:, None], tl.arange(0, N)[None, :]
        tl.store(y + i * N + j, tl.load(x + i * a + j * b))

    def entry(x):
        y = torch.empty(x.shape)
        k[(1,)](x, y, x.stride(0), x.stride(1), x.shape[0], x.shape[1])
        return y
    """
    for x in (torch.arange(32.0).view(8, 4).T, torch.arange(8.0).expand(4, 8), torch.arange(64.0).view(4, 16)[:, ::2]):
        run = lab.call(lab.attempt(text), x)
        assert run.kinds == []
        assert torch.equal(run.result, x)


def test_should_stop_before_memory_is_written():
    text = """
    @triton.jit
    def k(y):
        tl.store(y + tl.arange(0, 8), 1.0)

    def entry(whole):
        k[(1,)](whole[2:8])
    """
    whole = torch.zeros(16)
    run = lab.call(lab.attempt(text), whole[:8])
    assert run.event.facts["access"] == "store"
    assert run.event.facts["parameter"] == "y"
    assert whole.tolist() == [0.0] * 16


def test_should_let_an_attempt_walk_through_memory_of_its_own_and_the_callers_tensors():
    """A pointer into the middle of a tensor may go to its other end: on a GPU that is the same memory."""
    text = """
    @triton.jit
    def k(middle, y):
        i = tl.arange(0, 8)
        tl.store(y + i, tl.load(middle - 4 + i))

    def entry(x):
        y = torch.empty(2, 8)
        k[(1,)](x[4:], y[0])
        k[(1,)](y[0, 4:], y[1])
        return y
    """
    run = lab.call(lab.attempt(text), torch.arange(8.0))
    assert run.kinds == []
    assert run.result.tolist() == [list(range(8))] * 2


def test_should_take_each_tensor_for_a_whole_view_where_nothing_is_said_to_be_given():
    made = lab.attempt(BOUNDS)
    room = torch.zeros(4, 8)
    with engine.watching(engine.Limits(), file=made.__file__) as watch, pytest.raises(engine.KernelStoppedError):
        made.entry(room[:, :6], 8, 4, 7, 0)
    (event,) = watch.report().events
    assert event.facts["index"] == (0, 6)


def test_should_say_that_an_address_belongs_to_no_tensor():
    text = """
    @triton.jit
    def k(addresses, y):
        p = tl.load(addresses).to(tl.pointer_type(tl.float32))
        tl.store(y, tl.load(p))

    def entry(x):
        y = torch.empty(1)
        k[(1,)](x, y)
    """
    event = lab.call(lab.attempt(text), torch.tensor([64])).event
    assert (event.kind, event.line) == ("out-of-bounds", 9)
    assert event.facts == {"access": "load", "outside": 1, "of": 1, "parameter": "", "shape": (), "index": ()}


def test_should_name_the_right_tensor_however_far_an_address_is_off():
    run = one("v += tl.load(y + i * 1000000007)")
    assert run.event.facts["parameter"] == "y"
    assert run.event.facts["index"] == (1000000007,)
    wide = one("v += tl.load(y + i.to(tl.int64) * -4611686018427387904)")
    assert wide.event.facts["parameter"] == "y"


def test_should_find_an_index_that_a_masked_load_left_undefined():
    run = one("w = tl.load(x + i, mask=i < 5).to(tl.int32)\n    v += tl.load(x + w % 16, mask=w > 100)")
    assert run.kinds == []
    text = """
    @triton.jit
    def k(at, x, y):
        i = tl.arange(0, 8)
        chosen = tl.load(at + i, mask=i < 5)
        tl.store(y + i, tl.load(x + chosen), mask=i < 5)

    def entry(at, x):
        y = torch.empty(5)
        k[(1,)](at, x, y)
    """
    event = lab.call(lab.attempt(text), torch.arange(5, dtype=torch.int32), torch.arange(8.0)).event
    assert event.facts["outside"] == 3
    assert event.facts["index"] == (715827882,)


def test_should_run_on_tensors_of_no_elements():
    text = ONE.replace("BODY", "pass").replace("LAUNCH", "k[(2,)](x, y, x.numel(), BLOCK=8)")
    run = lab.call(lab.attempt(text), torch.empty(0))
    assert run.kinds == []
    unmasked = lab.call(lab.attempt(text.replace("mask=i < n, other=0.0", "mask=i < n + 1, other=0.0")), torch.empty(0))
    assert unmasked.event.facts["shape"] == (0,)
    none = lab.call(lab.attempt(text.replace("k[(2,)]", "k[(0,)]")), torch.empty(0))
    assert none.kinds == []
    assert none.report.cost.programs == 0


# ---- races ----------------------------------------------------------------------------------------

SUM = """
@triton.jit
def k(x, total, lock, n, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    v = tl.sum(tl.load(x + i, mask=i < n, other=0.0), 0)
    while tl.atomic_cas(lock, 0, 1) == 1:
        pass
    old = tl.load(total)
    tl.store(total, old + v)
    tl.debug_barrier()
    tl.atomic_xchg(lock, 0)

def entry(x):
    total = torch.zeros(1)
    lock = torch.zeros(1, dtype=torch.int32)
    k[(triton.cdiv(x.numel(), 4),)](x, total, lock, x.numel(), BLOCK=4)
    return total
"""


def summed(text: str = SUM, limits: engine.Limits | None = None) -> lab.Run:
    return lab.call(lab.attempt(text), torch.arange(10.0), limits=limits)


def test_should_find_no_race_under_a_lock():
    run = summed()
    assert run.kinds == []
    assert run.result.item() == 45


def test_should_find_what_races_without_the_lock():
    run = summed(SUM.replace("    while tl.atomic_cas(lock, 0, 1) == 1:\n        pass\n", ""))
    assert run.result.item() == 45  # the interpreter runs one program after another
    read, written, _ = run.report.events
    facts = {"parameter": "total", "shape": (1,), "index": (0,), "elements": 1, "other": (0, 0, 0)}
    assert read == engine.Event("race", 10, "k", (1, 0, 0), {"how": "read-write", **facts})
    assert written == engine.Event("race", 11, "k", (1, 0, 0), {"how": "write-write", **facts})


def test_should_find_a_race_under_a_lock_that_orders_nothing():
    assert "race" in summed(SUM.replace("(lock, 0, 1)", "(lock, 0, 1, sem='relaxed')")).kinds
    assert "race" in summed(SUM.replace("(lock, 0)", "(lock, 0, sem='relaxed')")).kinds
    other = SUM.replace("(lock, 0, 1)", "(lock + tl.program_id(0), 0, 1)").replace("zeros(1, dtype", "zeros(3, dtype")
    assert "race" in summed(other.replace("(lock, 0)", "(lock + tl.program_id(0), 0)")).kinds


LAST = """
@triton.jit
def k(x, parts, total, done, n, BLOCK: tl.constexpr):
    p = tl.program_id(0)
    i = p * BLOCK + tl.arange(0, BLOCK)
    tl.store(parts + p, tl.sum(tl.load(x + i, mask=i < n, other=0.0), 0))
    tl.debug_barrier()
    before = tl.atomic_add(done, 1)
    if before == tl.num_programs(0) - 1:
        j = tl.arange(0, 16)
        tl.store(total, tl.sum(tl.load(parts + j, mask=j < tl.num_programs(0), other=0.0), 0))

def entry(x):
    total, parts = torch.empty(1), torch.empty(triton.cdiv(x.numel(), 4))
    done = torch.zeros(1, dtype=torch.int32)
    k[(triton.cdiv(x.numel(), 4),)](x, parts, total, done, x.numel(), BLOCK=4)
    return total
"""


def test_should_find_no_race_where_the_last_program_gathers_what_the_others_counted():
    run = summed(LAST)
    assert run.kinds == []
    assert run.result.item() == 45
    event = summed(LAST.replace("before = tl.atomic_add(done, 1)", "before = p")).event
    assert (event.kind, event.line, event.program) == ("race", 15, (2, 0, 0))
    assert event.facts["elements"] == 2


def stored(body: str, grid: str = "(3,)") -> lab.Run:
    """A kernel of one statement that writes `y`, eight zeros."""
    text = f"""
    @triton.jit
    def k(y):
        i, p = tl.arange(0, 4), tl.program_id(0)
        {body}

    def entry():
        y = torch.zeros(8)
        k[{grid}](y)
        return y
    """
    return lab.call(lab.attempt(text))


def test_should_find_two_lanes_that_store_different_values_to_one_element():
    event = stored("tl.store(y + i // 2, i.to(tl.float32) + 1)", "(1,)").event
    assert event.kind == "race"
    assert event.facts == {"how": "lanes", "parameter": "y", "shape": (8,), "index": (0,), "elements": 2}


def test_should_find_a_write_of_what_an_earlier_program_read():
    event = stored("tl.store(y + p + 1, tl.load(y + p) + 1)").report.events[0]
    assert event.facts["how"] == "read-write"
    back = stored("tl.store(y + 5 - p, tl.load(y + 6 - p) + 1)").report.events[0]
    assert back.facts["other"] == (0, 0, 0)


def test_should_find_an_atomic_addition_to_what_another_program_stores():
    assert stored("tl.atomic_add(y + p * 0, 1.0)").kinds == []
    assert stored("tl.atomic_add(y + i * 0, 1.0)").kinds == []
    mixed = stored("if p == 0:\n            tl.store(y, 5.0)\n        tl.atomic_add(y, 1.0)")
    assert mixed.event.facts["how"] == "write-write"
    assert stored("tl.atomic_add(y, 1.0)\n        tl.store(y + p + 1, tl.load(y))").event.facts["how"] == "read-write"


def test_should_let_programs_write_the_same_value_to_one_element():
    assert stored("tl.store(y + i, 1.0)").kinds == []
    assert stored("tl.store(y + i * 0, 1.0)").kinds == []
    assert stored("tl.store(y + i, 0.0)\n        tl.store(y + p, tl.load(y + p))").kinds == []


def test_should_see_one_memory_behind_two_parameters():
    text = """
    @triton.jit
    def k(x, y):
        p = tl.program_id(0)
        tl.store(y + 1 + p, tl.load(x + p) + 1)

    def entry(x):
        y = torch.zeros(8)
        k[(4,)](y, y)
        k[(4,)](x, y)
    """
    event = lab.call(lab.attempt(text), torch.arange(8.0)).event
    assert event.facts["parameter"] == "x"
    assert event.facts["how"] == "read-write"


def test_should_see_one_memory_through_views_of_other_types():
    text = """
    @triton.jit
    def k(halves, words):
        p = tl.program_id(0)
        if p == 0:
            tl.store(halves + 3, 1.0)
        else:
            tl.store(words + 1, 7)

    def entry():
        words = torch.zeros(4, dtype=torch.int32)
        k[(2,)](words.view(torch.float16), words)
    """
    event = lab.call(lab.attempt(text)).event
    assert event.facts["how"] == "write-write"
    assert event.facts["index"] == (1,)


# ---- read back ------------------------------------------------------------------------------------


def test_should_find_what_is_read_back_by_another_thread_without_a_barrier():
    text = (
        "tl.store(y + i, i.to(tl.float32) + 1)\n        BARRIER\n        tl.store(y + 4 + i, tl.load(y + (i + 1) % 4))"
    )
    event = stored(text.replace("BARRIER", "pass"), "(1,)").event
    assert (event.kind, event.line) == ("read-back", 11)
    facts = {"parameter": "y", "shape": (8,), "index": (1,), "elements": 4, "stored_line": 9}
    assert event.facts == facts
    assert stored(text.replace("BARRIER", "tl.debug_barrier()"), "(1,)").kinds == []


def test_should_take_a_scalar_for_one_that_every_thread_reads():
    assert stored("tl.store(y, 3.0)\n        tl.store(y + 1, tl.load(y) + 1)", "(1,)").kinds == ["read-back"]


def test_should_let_a_block_be_read_back_by_the_threads_that_wrote_it():
    assert stored("tl.store(y + i, i + 1.0)\n        tl.store(y + i, tl.load(y + i) * 2)", "(1,)").kinds == []


# ---- torch ----------------------------------------------------------------------------------------


def used(body: str) -> list[tuple[str, int | None]]:
    """The operators that are noted of an entry function, with their lines."""
    run = lab.call(lab.attempt(f"def entry(x):\n    {body}\n    return x"), torch.randn(4, 6))
    assert set(run.kinds) <= {"torch-used"}
    assert run.raised is None
    assert {event.facts["where"] for event in run.report.events} <= {"outside"}
    return [(str(event.facts["operator"]), event.line) for event in run.report.events]


@pytest.mark.parametrize(
    "body",
    [
        "torch.empty(3); torch.empty_like(x); x.new_empty(2); torch.empty_strided((2, 2), (1, 2))",
        "torch.zeros(3); torch.zeros_like(x); x.new_zeros(2); torch.ones(3); torch.full((2,), 7.0)",
        "torch.empty(3).zero_(); torch.empty(3).fill_(2); x.new_full((2,), 1); torch.empty(3, dtype=torch.int32)",
        "x.view(6, 4); x.T; x.mT; x.transpose(0, 1); x.permute(1, 0); x[1:, None]; x[0, ::2]",
        "x.unsqueeze(0).squeeze(0); x.reshape(24)",
        "x.flatten(); x.expand(2, 4, 6); x.detach(); x.unbind(0); x.chunk(2, -1); x.split(3, -1)",
        "x.view(torch.int32); x.as_strided((2, 2), (1, 1)); x.unflatten(1, (2, 3)); x.diagonal(); x.narrow(0, 1, 2)",
        "x.contiguous(); x.to(torch.float32); x.shape; x.stride(); x.numel(); x.is_contiguous(); x.data_ptr()",
    ],
)
def test_should_let_a_wrapper_allocate_and_make_views(body):
    assert used(body) == []


@pytest.mark.parametrize(
    ("body", "operator"),
    [
        ("x.T.contiguous()", "clone"),
        ("x.to(torch.float16)", "_to_copy"),
        ("torch.empty_like(x).copy_(x)", "copy_"),
        ("x.T.reshape(24)", "clone"),
        ("x.add_(1)", "add_"),
        ("int(x[0, 0])", "_local_scalar_dense"),
        ("torch.softmax(x, -1)", "_softmax"),
        ("torch.arange(5)", "arange"),
        ("x @ x.T", "mm"),
        ("torch.zeros(4, 6).index_put_((torch.tensor([0]),), x[0])", "index_put_"),
    ],
)
def test_should_note_what_computes_or_copies(body, operator):
    assert used(body)[-1] == (operator, 7)


def test_should_note_an_operator_once_a_line_and_let_the_call_go_on():
    assert used("y = x\n    for _ in range(5):\n        y = y + 1") == [("add", 9)]


def test_should_see_what_a_composite_operator_does_in_inference_mode():
    made = lab.attempt("def entry(x):\n    with torch.inference_mode():\n        return x.reshape(24), x.T.reshape(24)")
    assert [event.facts["operator"] for event in lab.call(made, torch.randn(4, 6)).report.events] == ["clone"]


def test_should_name_torch_inside_a_kernel():
    event = one("v = torch.relu(v)").event
    assert event == engine.Event("torch-used", BODY, "k", None, {"operator": "relu", "where": "inside"})


# ---- what does not compile ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words", "source"),
    [
        ("for j in range(3):\n        break", "Break", "break"),
        ("if v > 0:\n        v += 1", "Boolean value of Tensor", "if v > 0:"),
        ("v = v + tl.arange(0, 16)", "incompatible dimensions", "v = v + tl.arange(0, 16)"),
        ("v = v + missing", "missing is not defined", "v = v + missing"),
        ("tl.static_assert(BLOCK == 9)", "assertion does not hold", "tl.static_assert(BLOCK == 9)"),
        ("v += tl.arange(0, 12)", "power of 2", "v += tl.arange(0, 12)"),
        ("import math", "Import", "import math"),
    ],
)
def test_should_refuse_what_the_front_end_refuses(body, words, source):
    run = one(body)
    assert run.event.kind == "does-not-compile"
    assert words in str(run.event.facts["message"])
    assert run.event.line == BODY + [line.strip() for line in body.splitlines()].index(source)
    assert run.event.facts["source"] == source
    assert run.report.cost.launches == 0


def test_should_name_the_line_of_a_helper_that_does_not_compile():
    text = """
    @triton.jit
    def helper(v):
        return v + undefined

    @triton.jit
    def k(y):
        tl.store(y, helper(1.0))

    def entry():
        k[(1,)](torch.empty(1))
    """
    event = lab.call(lab.attempt(text)).event
    assert (event.kind, event.line, event.kernel) == ("does-not-compile", 8, "k")


def test_should_refuse_options_that_no_launch_takes():
    assert "num_warp" in one(launch="k[(2,)](x, y, 10, 8, num_warp=4)").event.facts["message"]
    assert one(launch="k[(2,)](x, y, 10, 8, num_warps=3)").event.line == LAUNCH
    assert one(launch="k[(2,)](x, y, 10, 8, num_warps=4, num_stages=2)").kinds == []


def test_should_refuse_a_global_that_is_no_constant():
    text = ONE.replace("BODY", "v = v + A").replace("LAUNCH", "k[(2,)](x, y, 10, 8)")
    event = lab.call(lab.attempt("A = 3\n" + text.lstrip("\n")), torch.arange(10.0)).event
    assert event.facts["message"].startswith("Cannot access global variable A")
    constant = lab.call(lab.attempt("A = tl.constexpr(3)\n" + text.lstrip("\n")), torch.arange(10.0))
    assert constant.kinds == []
    assert constant.result[0].item() == 3


def test_should_compile_once_for_each_signature():
    made = lab.attempt(ONE.replace("BODY", "tl.static_assert(BLOCK < 16)").replace("LAUNCH", "pass"))
    x = torch.arange(10.0)
    arguments = {"x": x, "y": x, "n": 10}
    assert engine.compile_gate(made.k, {**arguments, "BLOCK": 8}) is None
    refused = engine.compile_gate(made.k, {**arguments, "BLOCK": 16})
    assert refused is not None
    assert refused.line == BODY
    assert engine.compile_gate(made.k, {**arguments, "n": 11, "BLOCK": 16}) is refused


def test_should_say_of_a_kernel_without_source_that_it_cannot_be_compiled():
    names: dict[str, object] = {}
    exec(lab.HEAD + "@triton.jit\ndef k(y):\n    tl.store(y, 1.0)\ndef entry():\n    k[(1,)](torch.empty(1))", names)
    with engine.watching(engine.Limits()) as watch, pytest.raises(engine.KernelStoppedError):
        names["entry"]()
    assert watch.report().events[0].kind == "does-not-compile"


# ---- grids, and what is called wrongly ------------------------------------------------------------


def test_should_refuse_more_programs_than_can_be_run():
    event = one(launch="k[(30000,)](x, y, 10, 8)").event
    assert event.kind == "too-large-grid"
    assert event.facts == {"grid": (30000, 1, 1), "programs": 30000, "limit": 20000}
    assert one(launch="k[(1, 70000)](x, y, 10, 8)").event.facts["limit"] == 65535


@pytest.mark.parametrize(
    ("launch", "how"),
    [
        ("k(x, y, 10, 8)", "called"),
        ("k[2](x, y, 10, 8)", "not-a-tuple"),
        ("k[None](x, y, 10, 8)", "not-a-tuple"),
        ("k[(10 / 5,)](x, y, 10, 8)", "not-integers"),
        ("k[(1, 1, 1, 1)](x, y, 10, 8)", "too-many-axes"),
        ("k[lambda meta: meta['n']](x, y, 10, 8)", "not-a-tuple"),
    ],
)
def test_should_say_that_a_kernel_has_no_grid(launch, how):
    event = one(launch=launch).event
    assert (event.kind, event.line, event.kernel) == ("no-grid", LAUNCH, "k")
    assert event.facts["how"] == how


def test_should_name_the_parameter_that_is_none():
    event = one("v = v + tl.load(y + i)", "k[(2,)](x, None, 10, BLOCK=8)").event
    assert (event.kind, event.line, event.facts) == ("none-pointer", BODY, {"parameter": "y"})
    assert one(launch="k[(2,)](x, y, None, BLOCK=8)").event.facts == {"parameter": "n"}


def test_should_let_a_parameter_be_none_that_the_kernel_asks_about():
    text = """
    @triton.jit
    def k(x, bias, y):
        i = tl.arange(0, 8)
        v = tl.load(x + i)
        if bias is not None:
            v += tl.load(bias + i)
        tl.store(y + i, v)

    def entry(x, bias):
        y = torch.empty(8)
        k[(1,)](x, bias, y)
        return y
    """
    made, x = lab.attempt(text), torch.arange(8.0)
    without, with_bias = lab.call(made, x, None), lab.call(made, x, x)
    assert without.kinds == with_bias.kinds == []
    assert torch.equal(with_bias.result, 2 * without.result)


@pytest.mark.parametrize(
    ("body", "function", "axis"),
    [
        ("v = v + tl.sum(v, 1)", "sum", 1),
        ("v = v + tl.max(v, axis=2)", "max", 2),
        ("v = v + tl.cumsum(v, 1)", "cumsum", 1),
        ("v = tl.expand_dims(v, 4)", "expand_dims", 4),
        ("v = v + tl.program_id(3)", "program_id", 3),
        ("v = v + tl.num_programs(-1)", "num_programs", -1),
        ("v = v + tl.argmax(v, 1)", "argmax", None),
    ],
)
def test_should_name_the_function_whose_axis_is_not_there(body, function, axis):
    event = one(body).event
    assert (event.kind, event.line) == ("helper-axes", BODY)
    assert event.facts["function"] == function
    assert event.facts.get("axis") == axis


def test_should_leave_pythons_own_exceptions_to_the_attempt():
    missing = one(launch="k[(2,)](x, y, 10)")
    assert isinstance(missing.raised, TypeError)
    assert "BLOCK" in str(missing.raised)
    assert isinstance(one(launch="raise ValueError('mine')").raised, ValueError)


def test_should_unwrap_what_the_interpreter_cannot_do():
    text = """
    from triton.language.extra import libdevice

    @triton.jit
    def helper(v):
        return libdevice.NAME(v)

    @triton.jit
    def k(x, y, n):
        i = tl.arange(0, 16)
        tl.store(y + i, helper(tl.load(x + i, mask=i < n)), mask=i < n)

    def entry(x):
        y = torch.empty_like(x)
        k[(1,)](x, y, x.numel())
        return y
    """
    x = torch.arange(10.0)
    known = lab.call(lab.attempt(text.replace("NAME", "tanh")), x)
    assert known.kinds == []
    torch.testing.assert_close(known.result, torch.tanh(x))
    event = lab.call(lab.attempt(text.replace("NAME", "tgamma")), x).event
    assert (event.kind, event.line, event.kernel, event.program) == ("interpreter", 10, "k", (0, 0, 0))
    assert event.facts == {"type": "NotImplementedError", "message": "Triton's interpreter has no libdevice.tgamma"}


# ---- work -----------------------------------------------------------------------------------------


def test_should_end_an_endless_loop():
    text = ONE.replace("BODY", "while tl.sum(v, 0) > -1.0:\n        v = v + 1.0")
    text = text.replace("LAUNCH", "k[(1,)](x, y, 10, 8)")
    run = lab.call(lab.attempt(text), torch.arange(10.0), limits=engine.Limits(seconds=0.3))
    assert run.event.kind == "too-much-work"
    assert run.event.facts == {"what": "seconds", "limit": 0.3}
    assert run.event.line in (BODY, BODY + 1)
    counted = lab.call(lab.attempt(text), torch.arange(10.0), limits=engine.Limits(operations=5000))
    assert counted.event.facts == {"what": "operations", "limit": 5000}


def test_should_end_a_wait_for_a_lock_that_nobody_releases():
    run = summed(SUM.replace("    tl.atomic_xchg(lock, 0)\n", ""), engine.Limits(operations=5000))
    assert (run.event.kind, run.event.line, run.event.program) == ("too-much-work", 10, (1, 0, 0))


def test_should_count_the_time_of_all_launches_together():
    launch = "for _ in range(10000):\n        k[(1,)](x, y, 10, 8)"
    text = ONE.replace("BODY", "pass").replace("LAUNCH", launch)
    run = lab.call(lab.attempt(text), torch.arange(10.0), limits=engine.Limits(seconds=0.2))
    assert run.event.kind == "too-much-work"
    assert run.report.cost.launches > 1


def test_should_keep_a_few_events_of_each_kind():
    body = "\n        ".join(f"tl.store(y + {at}, tl.load(y + {at}) + p)" for at in range(8))
    run = lab.call(lab.attempt(stored_text(body)), limits=engine.Limits(events=3))
    assert run.kinds == ["race"] * 3


def stored_text(body: str) -> str:
    return f"""
    @triton.jit
    def k(y):
        p = tl.program_id(0)
        {body}

    def entry():
        y = torch.ones(8)
        k[(3,)](y)
    """


def test_should_not_be_stopped_by_an_attempt_that_catches_everything():
    launch = "try:\n        k[(2,)](x, y, 12, BLOCK=8)\n    except Exception:\n        pass"
    run = one(launch=launch)
    assert run.stopped is not None
    assert run.kinds == ["out-of-bounds"]
