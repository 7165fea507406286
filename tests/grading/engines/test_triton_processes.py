"""The watch in processes: what is imported when, forks, and the names that the learner's process forgets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from llmdrills.grading.engines import triton as engine
from llmdrills.grading.protocol.wire import pack, unpack
from tests.grading.engines import lab

ROOT = Path(__file__).parents[3]


def python(text: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", text],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    assert done.stderr == ""
    return done.stdout


def test_should_say_whether_triton_is_there_without_importing_it():
    text = """
import sys
from llmdrills.grading.engines import triton as engine
print(engine.available(), {"triton", "torch", "numpy"} & set(sys.modules))
"""
    assert python(text) == "True set()\n"


@pytest.mark.parametrize(
    ("version", "there"), [("3.5.1", False), ("3.6.0", True), ("3.10.0+git1", True), ("4.0", True)]
)
def test_should_want_triton_3_6(monkeypatch, version, there):
    monkeypatch.setattr("importlib.metadata.version", lambda name: version)
    assert engine.available() is there


PREPARED = """
import os, sys
import torch
torch.set_num_threads(1)
before = len(os.listdir("/proc/self/task"))
from llmdrills.grading.engines import triton as engine
engine.prepare()
engine.prepare()
assert len(os.listdir("/proc/self/task")) == before
for name in [name for name in sys.modules if name.partition(".")[0] == "llmdrills"]:
    del sys.modules[name]
import linecache, types
TEXT = '''
import torch, triton, triton.language as tl
@triton.jit
def k(x, y, n):
    i = tl.arange(0, 16)
    tl.store(y + i, tl.load(x + i, mask=i < n) * 2, mask=i < n)
def entry(x):
    y = torch.empty_like(x)
    k[(1,)](x, y, 12 if x.numel() == 11 else x.numel())
    return y
'''
linecache.cache["a.py"] = (len(TEXT), None, TEXT.splitlines(True), "a.py")
made = types.ModuleType("solution")
exec(compile(TEXT, "a.py", "exec"), made.__dict__)
def child(n):
    x = torch.arange(float(n))
    with engine.watching(engine.Limits(), file="a.py", given=(x,)) as watch:
        try:
            y = made.entry(x)
        except engine.KernelStoppedError as stopped:
            print(n, stopped.event.kind, stopped.event.line, flush=True)
        else:
            print(n, y.sum().item(), watch.report().cost.loaded, flush=True)
    assert not [name for name in sys.modules if name.partition(".")[0] == "llmdrills"]
for n in (10, 11):
    pid = os.fork()
    if not pid:
        child(n)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
"""


def test_should_work_in_forks_of_a_process_that_forgot_the_graders_modules_and_start_no_thread():
    assert python(PREPARED, TRITON_INTERPRET="") == "10 90.0 40\n11 out-of-bounds 6\n"


def test_should_refuse_to_prepare_where_triton_is_there_already_to_compile():
    text = """
import triton
from llmdrills.grading.engines import triton as engine
try:
    engine.prepare()
except RuntimeError as error:
    print(error)
"""
    said = "triton was imported without TRITON_INTERPRET=1: its own functions cannot be interpreted\n"
    assert python(text, TRITON_INTERPRET="", TRITON_DEFAULT_FP_FUSION="1") == said


def test_should_want_to_be_prepared():
    text = """
from llmdrills.grading.engines import triton as engine
for attempt in (lambda: engine.watching(engine.Limits()).__enter__(), lambda: engine.compile_gate(None, {})):
    try:
        attempt()
    except RuntimeError as error:
        print(error)
"""
    said = "engines.triton.prepare was not called in this process or before its fork\n"
    assert python(text) == 2 * said


def test_should_send_a_report_across_the_boundary_of_a_process():
    made = lab.attempt(
        "@triton.jit\ndef k(y):\n    tl.store(y + 3, 1.0)\n\ndef entry():\n    k[(1,)](torch.empty(2))\n"
    )
    report = lab.call(made).report
    assert report.events
    assert unpack(pack(report), (engine.Report, engine.Event, engine.Cost)) == report


def test_should_not_be_entered_twice_and_be_off_afterwards():
    with engine.watching(engine.Limits()), pytest.raises(RuntimeError, match="already"):  # noqa: SIM117
        with engine.watching(engine.Limits()):
            pass
    made = lab.attempt("@triton.jit\ndef k(y):\n    tl.store(y, 1.0)\n\ndef entry():\n    k[(1,)](torch.empty(1))\n")
    assert lab.call(made).kinds == []
    assert not torch.empty(0).isnan().any()


def test_should_refuse_a_launch_that_nobody_watches():
    text = "@triton.jit\ndef k(y):\n    tl.store(y, 1.0)\n\nk[(1,)](torch.empty(1))\n"
    with pytest.raises(RuntimeError, match="while the file is imported"):
        lab.attempt(text)


def test_should_leave_triton_as_it_was_after_a_stop():
    """The language is given back, so that the next kernel compiles and runs."""
    wrong = "@triton.jit\ndef k(y):\n    tl.store(y + 3, tl.sum(tl.zeros((4,), tl.float32)))\n\n"
    wrong += "def entry():\n    k[(1,)](torch.empty(2))\n"
    for _ in range(2):
        assert lab.call(lab.attempt(wrong)).kinds == ["out-of-bounds"]
        assert lab.call(lab.attempt(wrong.replace("y + 3", "y"))).kinds == []
