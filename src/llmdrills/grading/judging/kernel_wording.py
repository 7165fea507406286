"""What the watch on Triton's kernels saw, in words, in both languages.

A kernel runs here in an interpreter, so its own messages speak of numpy and of the interpreter's files; these speak of
the learner's line, tensor and program.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from llmdrills.grading.judging import findings as f
from llmdrills.language import Bilingual
from llmdrills.messages import in_chinese

__all__ = ["KERNEL_WORDS", "over_traffic"]


def _whole(facts: dict[str, Any], name: str) -> int:
    """A whole number among the facts; 0 where it is none: they are the learner's process's own word."""
    found = facts.get(name)
    return found if type(found) is int else 0


def _axes(facts: dict[str, Any], name: str) -> tuple[Any, ...]:
    """A shape or an index among the facts."""
    found = facts.get(name)
    return found if type(found) is tuple else ()


def _at(x: f.OfKernel) -> Bilingual:
    """How a sentence about a line begins."""
    return Bilingual(f"line {x.line}: ", f"第 {x.line} 行：") if x.line else Bilingual("", "")


def _program(x: f.OfKernel) -> Bilingual:
    """Which program it was, in the axes that its grid has."""
    if not x.program:
        return Bilingual("", "")
    return Bilingual(f", in program {_index(x.program)}", f"（program {_index(x.program)}）")


def _shape(sizes: Any) -> str:
    return f"({', '.join(map(str, sizes))}{',' if len(sizes) == 1 else ''})"


def _element(facts: dict[str, Any]) -> str:
    """`x`[2, 5], as Python writes it."""
    index = ", ".join(map(str, _axes(facts, "index")))
    return f"`{facts.get('parameter') or '?'}[{index}]`"


def _fault(x: f.Fault) -> Bilingual:
    return _FAULTS[x.event](x)


def _out_of_bounds(x: f.OfKernel) -> Bilingual:
    facts, at, where = x.facts, _at(x), _program(x)
    access, outside, of = facts.get("access", "load"), _whole(facts, "outside"), _whole(facts, "of")
    call = {"load": "tl.load", "store": "tl.store"}.get(access, "the atomic operation")
    call_zh = {"load": "tl.load", "store": "tl.store"}.get(access, "原子操作")
    if not facts.get("parameter"):
        return Bilingual(
            f"{at.en}{call} touches {outside:,} of {of:,} addresses that belong to no tensor{where.en}: "
            "is an offset added to the wrong pointer?",
            f"{at.zh}{call_zh} 的 {of:,} 个地址中有 {outside:,} 个不属于任何张量{where.zh}："
            "偏移是不是加到了别的指针上？",
        )
    shape = _shape(_axes(facts, "shape"))
    return Bilingual(
        f"{at.en}{call} touches {outside:,} of {of:,} addresses outside `{facts['parameter']}` of shape {shape}: "
        f"first {_element(facts)}{where.en}",
        f"{at.zh}{call_zh} 的 {of:,} 个地址中有 {outside:,} 个超出了形状为 {shape} 的 `{facts['parameter']}`："
        f"第一个是 {_element(facts)}{where.zh}",
    )


def _none_pointer(x: f.OfKernel) -> Bilingual:
    at, name = _at(x), x.facts.get("parameter")
    what = Bilingual(f"`{name}` is None", f"`{name}` 是 None") if name else Bilingual("None", "None")
    return Bilingual(
        f"{at.en}{what.en}{'' if name else ' is used as a pointer'} in `{x.kernel}`: pass a tensor, or decide by a "
        "tl.constexpr before the load or store",
        f"{at.zh}`{x.kernel}` 里的 {what.zh}{'' if name else ' 被当作指针'}：请传入张量，"
        "或者在 load/store 之前用 tl.constexpr 分支判断",
    )


def _no_grid(x: f.OfKernel) -> Bilingual:
    at = _at(x)
    if x.facts.get("how", "called") != "called":
        grid = x.facts.get("grid", "?")
        return Bilingual(
            f"{at.en}`{x.kernel}` is launched on the grid {grid}: a grid is a tuple of one to three whole numbers",
            f"{at.zh}`{x.kernel}` 启动时的 grid 是 {grid}：grid 应是由一到三个整数组成的元组",
        )
    return Bilingual(
        f"{at.en}`{x.kernel}` is called without a grid: launch it as `{x.kernel}[(programs,)](…)`",
        f"{at.zh}调用 `{x.kernel}` 时没有给 grid：应写成 `{x.kernel}[(programs,)](…)` 来启动",
    )


def _too_large_grid(x: f.OfKernel) -> Bilingual:
    at, programs, limit = _at(x), _whole(x.facts, "programs"), _whole(x.facts, "limit")
    return Bilingual(
        f"{at.en}`{x.kernel}` is launched with {programs:,} programs; at most {limit:,} run here: "
        "is the block's size missing in the grid?",
        f"{at.zh}`{x.kernel}` 启动了 {programs:,} 个 program；这里最多运行 {limit:,} 个：grid 是不是忘了除以块大小？",
    )


_FAULTS: dict[str, Callable[[f.OfKernel], Bilingual]] = {
    "out-of-bounds": _out_of_bounds,
    "none-pointer": _none_pointer,
    "no-grid": _no_grid,
    "too-large-grid": _too_large_grid,
}


def _race(x: f.Race) -> Bilingual:
    at, facts, where = _at(x), x.facts, _program(x)
    element = _element(facts)
    more = _whole(facts, "elements")
    count = Bilingual(f" ({more:,} elements)", f"（共 {more:,} 个元素）") if more > 1 else Bilingual("", "")
    if x.event == "read-back":
        line = facts.get("stored_line")
        stored = Bilingual(f"in line {line}", f"第 {line} 行") if line else Bilingual("before", "之前")
        return Bilingual(
            f"{at.en}the program reads {element}, which it stored {stored.en}, without a barrier between{count.en}: "
            "other threads of it may not have written yet. Keep the value, or call tl.debug_barrier()",
            f"{at.zh}program 读回了它在{stored.zh}写入的 {element}，中间没有 barrier{count.zh}："
            "其他线程可能还没写完。请把值留在寄存器里，或先调用 tl.debug_barrier()",
        )
    if facts.get("how") == "lanes":
        return Bilingual(
            f"{at.en}one store writes different values to {element}{count.en}{where.en}: "
            "which one stays is not certain",
            f"{at.zh}同一次 store 向 {element} 写入了不同的值{count.zh}{where.zh}：最后留下哪一个并不确定",
        )
    one, other = _index(x.program), _index(_axes(facts, "other"))
    both = Bilingual(f"programs {other} and {one}", f"program {other} 和 program {one}")
    if facts.get("how") == "read-write":
        return Bilingual(
            f"{at.en}of {both.en} one reads {element}, which the other writes{count.en}: "
            "programs run in no certain order",
            f"{at.zh}{both.zh} 一个读取、一个写入 {element}{count.zh}：program 之间没有确定的执行顺序",
        )
    return Bilingual(
        f"{at.en}{both.en} write different values to {element}{count.en}: which one stays is not certain",
        f"{at.zh}{both.zh} 向 {element} 写入了不同的值{count.zh}：最后留下哪一个并不确定",
    )


def _index(axes: Any) -> str:
    """A program's index in the axes that its grid has, as far as that shows."""
    shown = list(axes)
    while len(shown) > 1 and shown[-1] == 0:
        shown.pop()
    return str(shown[0]) if len(shown) == 1 else f"({', '.join(map(str, shown))})"


def _does_not_compile(x: f.DoesNotCompile) -> Bilingual:
    at, facts = _at(x), x.facts
    if x.event == "helper-axes":
        name = f"tl.{facts['function']}" if facts.get("function") else "this call"
        name_zh = name if facts.get("function") else "这个调用"
        axis = f" {facts['axis']}" if "axis" in facts else ""
        if facts.get("function") in ("program_id", "num_programs"):
            return Bilingual(
                f"{at.en}{name} has the axes 0, 1 and 2, not{axis or ' this one'}",
                f"{at.zh}{name_zh} 只有 0、1、2 三个轴，没有{axis or '这个轴'}",
            )
        shape = f" of shape {_shape(_axes(facts, 'shape'))}" if _axes(facts, "shape") else ""
        shape_zh = f"形状为 {_shape(facts['shape'])} 的" if facts.get("shape") else ""
        return Bilingual(
            f"{at.en}{name} is given the axis{axis}, which its block{shape} does not have: "
            "a block that was reduced has one axis less",
            f"{at.zh}传给 {name_zh} 的轴{axis} 在{shape_zh}块里不存在：块每归约一次就少一个轴",
        )
    said = str(facts.get("message", "")).rstrip(".")
    source = f" (`{facts['source']}`)" if facts.get("source") and "`" not in str(facts["source"]) else ""
    source_zh = f"（`{facts['source']}`）" if source else ""
    return Bilingual(
        f"{at.en}Triton does not compile `{x.kernel}`{source}: {said}",
        f"{at.zh}Triton 无法编译 `{x.kernel}`{source_zh}：{_compiler_in_chinese(said)}",
    )


_COMPILER = {
    r"arange's range must be a power of 2": "tl.arange 的长度必须是 2 的幂",
    r"arange's arguments must be of type tl\.constexpr": "tl.arange 的参数必须是 tl.constexpr",
    r"arange's end argument must be greater than the start argument": "tl.arange 的终点必须大于起点",
    r"Input shapes should have M >= (\d+), N >= (\d+) and K >= (\d+)": "tl.dot 的输入必须满足 M ≥ {}、N ≥ {}、K ≥ {}",
    r"`other` cannot be provided without `mask`": "给出 `other` 时必须同时给出 `mask`",
    r"Mask argument cannot be block type if pointer argument is not a block": "指针不是块时，掩码也不能是块",
    r"Cannot make_shape_compatible: incompatible dimensions at index (\d+): (\d+) and (\d+)": (
        "两个块的第 {} 维分别是 {} 和 {}，无法广播"
    ),
    r"reshape\(\) cannot change total number of elements in tensor": "reshape 不能改变元素的总数",
}
"""What Triton's compiler says most often of a learner's kernel; anything else is shown in its own words."""


def _compiler_in_chinese(said: str) -> str:
    for pattern, chinese in _COMPILER.items():
        if found := re.fullmatch(pattern, said):
            return chinese.format(*found.groups())
    return in_chinese(said)


def _too_much_work(x: f.TooMuchWork) -> Bilingual:
    at, facts = _at(x), x.facts
    limit = facts.get("limit", 0)
    amount = Bilingual(f"{limit} s of work", f" {limit} 秒的计算")
    if facts.get("what") == "operations":
        amount = Bilingual(f"{_whole(facts, 'limit'):,} operations", f" {_whole(facts, 'limit'):,} 次操作")
    return Bilingual(
        f"{at.en}`{x.kernel}` was ended after {amount.en}: does its loop end, and is its lock released?",
        f"{at.zh}`{x.kernel}` 运行了{amount.zh}后被终止：循环会结束吗？锁释放了吗？",
    )


def over_traffic(x: f.OverBudget) -> Bilingual | None:
    """What a kernel moved, made or launched too much of; None where another cost is exceeded."""
    unit = _UNITS.get(x.what)
    if unit is None:
        return None
    times = x.got / x.allowed if x.allowed else math.inf
    return Bilingual(
        f"{x.got:,} {unit.en}; {x.allowed:,} are allowed: {times:.3g} times the limit (the solution: {x.reference:,})",
        f"{unit.zh} {x.got:,}；允许 {x.allowed:,}：是上限的 {times:.3g} 倍（参考解：{x.reference:,}）",
    )


_UNITS = {
    "bytes": Bilingual("bytes are loaded and stored", "读写的字节数为"),
    "largest_tile": Bilingual("elements are in the largest tile, padding included", "最大的 tile 含填充的元素个数为"),
    "launches": Bilingual("kernels are launched", "启动的 kernel 个数为"),
    "dot_flops": Bilingual("operations are in tl.dot, padding included", "tl.dot 含填充的运算次数为"),
}

KERNEL_WORDS: dict[type[f.Finding], Callable[[Any], Bilingual]] = {
    f.Fault: _fault,
    f.Race: _race,
    f.DoesNotCompile: _does_not_compile,
    f.TooMuchWork: _too_much_work,
}
"""The sentences of each finding about a kernel."""
