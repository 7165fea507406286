"""Runs a kernel's file on its cases under the watch, and says what was found: what the tests of the engine share."""

from __future__ import annotations

import linecache
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from llmdrills.grading.engines import triton as engine

KERNELS = Path(__file__).parent / "kernels"
HEAD = "import torch\nimport triton\nimport triton.language as tl\n\n\n"
Case = tuple[Any, ...]


def module(text: str, name: str) -> ModuleType:
    """An attempt's file that lies nowhere on disk, as the learner's process loads it."""
    path = f"/attempts/{name}.py"
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    made = ModuleType("solution")
    made.__file__ = path
    exec(compile(text, path, "exec", dont_inherit=True), made.__dict__)
    return made


def attempt(text: str, name: str = "attempt") -> ModuleType:
    """The same with the imports in front (five lines), from an indented string."""
    return module(HEAD + textwrap.dedent(text).lstrip("\n"), name)


@dataclass
class Run:
    """One watched call."""

    report: engine.Report
    result: Any = None
    stopped: engine.KernelStoppedError | None = None
    raised: Exception | None = None

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.report.events]

    @property
    def event(self) -> engine.Event:
        (event,) = self.report.events
        return event


def call(made: ModuleType, *args: Any, limits: engine.Limits | None = None, entry: str = "entry") -> Run:
    """Call the entry function under the watch."""
    result, stopped, raised = None, None, None
    with engine.watching(limits or engine.Limits(seconds=60), file=made.__file__, given=args) as watch:
        try:
            result = getattr(made, entry)(*args)
        except engine.KernelStoppedError as error:
            stopped = error
        except Exception as error:
            raised = error
    return Run(watch.report(), result, stopped, raised)


# ---- the eight kernels: inputs and what is expected, in float64 -----------------------------------


def apart(t: torch.Tensor) -> torch.Tensor:
    """The same numbers in rows that lie apart, NaN between them."""
    room = torch.full((t.shape[0] + 2, t.shape[1] + 7), float("nan"), dtype=t.dtype)
    room[1:-1, 3:-4] = t
    return room[1:-1, 3:-4]


def _softmax(x: torch.Tensor) -> torch.Tensor:
    return torch.softmax(x.double(), -1).to(x.dtype)


def _rms_norm_backward(x: torch.Tensor, w: torch.Tensor, dy: torch.Tensor, eps: float) -> tuple[torch.Tensor, ...]:
    x, w = x.double().requires_grad_(), w.double().requires_grad_()
    (w * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)).backward(dy.double())
    return x.grad.float(), w.grad.float()


def _rope(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    a, b = x.double().chunk(2, -1)
    c, s = cos.double()[:, None], sin.double()[:, None]
    return torch.cat([a * c - b * s, b * c + a * s], -1).float()


def _matmul(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a.double() @ b.double()).to(a.dtype)


def _attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    allowed = torch.ones(len(q), len(k), dtype=torch.bool).tril(len(k) - len(q))
    scores = q.double() @ k.double().T * q.shape[1] ** -0.5
    return (scores.masked_fill(~allowed, float("-inf")).softmax(-1) @ v.double()).float()


def _int4(packed: torch.Tensor, scale: torch.Tensor, x: torch.Tensor, group: int) -> torch.Tensor:
    numbers = torch.stack([packed & 15, packed >> 4], -1).flatten(1).double() - 8
    grouped = numbers.view(len(packed), -1, group) * scale.double()[..., None]
    return (grouped.flatten(1) @ x.double()).float()


def _cross_entropy(logits: torch.Tensor, target: torch.Tensor, ignore: int) -> torch.Tensor:
    ask = torch.nn.functional.cross_entropy
    return ask(logits.double(), target, ignore_index=ignore, reduction="none").float()


def _gate(logits: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    experts = logits.argsort(dim=-1, descending=True, stable=True)[:, :k]
    return torch.softmax(logits.gather(1, experts).float(), -1), experts.int()


def _cases(normal: Callable[..., torch.Tensor], seeded: torch.Generator) -> dict[str, list[Case]]:
    """Ragged last blocks, rows that lie apart, one element, half precision; small, since each program takes 1 ms."""
    whole = torch.tensor
    bytes_ = torch.randint(0, 256, (20, 40), generator=seeded, dtype=torch.uint8)
    return {
        "softmax": [
            (normal(5, 300) * 3,),
            (apart(normal(4, 33)),),
            (normal(3, 1),),
            (normal(3, 64) - 200,),
            (normal(2, 100).half() * 3,),
            (normal(2, 700),),
        ],
        "rms_norm_backward": [
            (normal(5, 48), normal(48), normal(5, 48), 1e-6),
            (normal(7, 33) * 1e-3, normal(33), normal(7, 33), 1e-5),
        ],
        "rope": [(normal(5, 3, 12), normal(5, 6), normal(5, 6)), (normal(4, 4, 16), normal(4, 8), normal(4, 8))],
        "matmul": [
            (normal(40, 70), normal(70, 50)),
            (normal(33, 64), normal(90, 64).T),
            (normal(20, 65).half(), normal(65, 35).half()),
        ],
        "flash_attention": [
            (normal(70, 32), normal(90, 32), normal(90, 32)),
            (normal(40, 16) * 4, normal(40, 16) * 4, normal(40, 16)),
            (normal(1, 16), normal(65, 16), normal(65, 16)),
        ],
        "int4_matvec": [(bytes_, normal(20, 5), normal(80), 16)],
        "cross_entropy": [
            (normal(6, 150) * 3, whole([-100, 149, 0, 64, 3, 63]), -100),
            (normal(3, 70) + 150, whole([1, 69, 2]), -100),
            (-normal(2, 64).abs() - 90, whole([1, 63]), -100),
        ],
        "top_k_gate": [
            (normal(5, 10), 3),
            (-normal(4, 8).abs() - 1, 2),
            (whole([[1.0, 3, 3, 2, 0], [5, 5, 5, 4, 4]]), 2),
            (-normal(4, 5).abs() - 1, 5),
        ],
    }


EXPECTED: dict[str, Callable[..., Any]] = {
    "softmax": _softmax,
    "rms_norm_backward": _rms_norm_backward,
    "rope": _rope,
    "matmul": _matmul,
    "flash_attention": _attention,
    "int4_matvec": _int4,
    "cross_entropy": _cross_entropy,
    "top_k_gate": _gate,
}
IN_PLACE = {"rope": 0}
"""The argument that a kernel gives back, written over."""


def cases(name: str) -> list[Case]:
    """Fresh inputs, the same each time."""
    seeded = torch.Generator().manual_seed(3)
    return _cases(lambda *shape: torch.randn(*shape, generator=seeded), seeded)[name]


@dataclass
class Judged:
    """What was found over all cases, and the cost of each."""

    found: set[str] = field(default_factory=set)
    events: list[engine.Event] = field(default_factory=list)
    costs: list[engine.Cost] = field(default_factory=list)


def judge(name: str, text: str, right: list[engine.Cost] | None = None) -> Judged:
    """Run an attempt on every case; `found` holds kinds of events, and "values", "input", "bytes", "tile", "raised".

    `right` are the costs of the right kernel: a twentieth more bytes, or half as much tile again, is found.
    """
    made, judged = module(text, name), Judged()
    for number, args in enumerate(cases(name)):
        before = [one.clone() if isinstance(one, torch.Tensor) else one for one in args]
        run = call(made, *args)
        cost = run.report.cost
        judged.costs.append(cost)
        judged.events += run.report.events
        judged.found |= set(run.kinds)
        if run.raised is not None:
            judged.found.add("raised")
        if run.raised is None and run.stopped is None:
            judged.found |= set(_differences(name, args, before, run.result))
            if right is not None:
                judged.found |= set(_dearer(cost, right[number]))
    return judged


def _dearer(cost: engine.Cost, right: engine.Cost) -> Iterator[str]:
    if cost.loaded + cost.stored > 1.05 * (right.loaded + right.stored):
        yield "bytes"
    if cost.largest_tile > 1.5 * right.largest_tile:
        yield "tile"


def _differences(name: str, args: Case, before: list[Any], result: Any) -> Iterator[str]:
    kept = IN_PLACE.get(name)
    if kept is not None and result is not args[kept]:
        yield "values"
    for at, (now, then) in enumerate(zip(args, before, strict=True)):
        if at != kept and isinstance(now, torch.Tensor) and not torch.equal(now.nan_to_num(7), then.nan_to_num(7)):
            yield "input"
    wanted = EXPECTED[name](*before)
    pairs = zip(_several(result), _several(wanted), strict=False)
    if len(_several(result)) != len(_several(wanted)) or not all(close(got, due) for got, due in pairs):
        yield "values"


def _several(one: Any) -> tuple[Any, ...]:
    return one if isinstance(one, tuple) else (one,)


def close(got: Any, due: torch.Tensor) -> bool:
    """Equal within what float16 or float32 allow; whole numbers exactly; of one shape and dtype."""
    if not isinstance(got, torch.Tensor) or got.shape != due.shape or got.dtype != due.dtype:
        return False
    if not due.is_floating_point():
        return torch.equal(got, due)
    rtol, atol = (2e-3, 1e-4) if due.dtype is torch.float16 else (2e-5, 2e-5)
    return torch.allclose(got.double(), due.double(), rtol=rtol, atol=atol)
