"""Findings and next steps in words, in both languages. Rendering comes last: nothing here decides anything.

Over 400 lines, because each finding has its sentences in both languages side by side.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from typing import Any

from llmdrills.grading.judging import findings as f
from llmdrills.grading.judging.kernel_wording import KERNEL_WORDS, over_traffic
from llmdrills.grading.judging.verdict import Outcome
from llmdrills.grading.protocol.answer import TOGETHER, Ended
from llmdrills.language import Bilingual, chinese

__all__ = [
    "ENDED",
    "FORBIDDEN_WHY",
    "NEXT_BY_KEY",
    "NEXT_STEPS",
    "NOT_LOADED",
    "describe",
    "end_of_process",
    "missing_entry",
    "number",
    "result_at",
    "shape",
]

MOST_NAMES = 3
"""So many of the functions that a file defines are named where none of them is near the one that is asked for."""

NEXT_STEPS: dict[Outcome, Bilingual] = {
    "passed": Bilingual("", ""),
    "wrong": Bilingual("`llmdrills hint {kata}` gives a hint.", "`llmdrills hint {kata}` 会给出提示。"),
    "unimplemented": Bilingual(
        "Write the function, save, and grade again; `llmdrills hint {kata}` gives a hint.",
        "写完函数、保存，然后再评一次；`llmdrills hint {kata}` 会给出提示。",
    ),
    "crashed": Bilingual("`llmdrills hint {kata}` gives a hint.", "`llmdrills hint {kata}` 会给出提示。"),
    "fault": Bilingual(
        "Look at the mask and the offsets of that line, or at the launch; `llmdrills hint {kata}` gives a hint.",
        "检查这一行的 mask 和偏移，或者 kernel 的启动；`llmdrills hint {kata}` 会给出提示。",
    ),
    "race": Bilingual(
        "Let one program own each element, or use an atomic; `llmdrills hint {kata}` gives a hint.",
        "让每个元素只归一个 program，或改用原子操作；`llmdrills hint {kata}` 会给出提示。",
    ),
    "does-not-compile": Bilingual(
        "A GPU's compiler refuses this line, whatever the interpreter makes of it. "
        "`llmdrills hint {kata}` gives a hint.",
        "不管解释器能否运行，GPU 编译器都不接受这一行；`llmdrills hint {kata}` 会给出提示。",
    ),
    "timeout": Bilingual(
        "Look for a loop that does not end, or for one Python loop per element.",
        "检查是否有不会结束的循环，或者逐元素的 Python 循环。",
    ),
    "memory": Bilingual(
        "Look for a tensor that is far larger than the inputs.",
        "检查是否有远大于输入的张量。",
    ),
    "forbidden": Bilingual(
        "Write that step yourself: it is the point of this kata.",
        "这一步要自己写：它正是这道题要练的。",
    ),
    "over-budget": Bilingual(
        "The values are right. Find what is computed or stored and not needed.",
        "数值是对的。找出哪些计算或存储是不必要的。",
    ),
    "error": Bilingual(
        "This says nothing about your attempt. `llmdrills doctor` shows what is wrong with the set-up.",
        "这与你的代码无关。`llmdrills doctor` 会指出环境的问题。",
    ),
}
NEXT_BY_KEY: dict[Outcome, Bilingual] = {
    "wrong": Bilingual("h gives a hint.", "按 h 查看提示。"),
    "crashed": Bilingual("h gives a hint.", "按 h 查看提示。"),
    "fault": Bilingual(
        "Look at the mask and the offsets of that line, or at the launch; h gives a hint.",
        "检查这一行的 mask 和偏移，或者 kernel 的启动；按 h 查看提示。",
    ),
    "race": Bilingual(
        "Let one program own each element, or use an atomic; h gives a hint.",
        "让每个元素只归一个 program，或改用原子操作；按 h 查看提示。",
    ),
    "does-not-compile": Bilingual(
        "A GPU's compiler refuses this line, whatever the interpreter makes of it; h gives a hint.",
        "不管解释器能否运行，GPU 编译器都不接受这一行；按 h 查看提示。",
    ),
    "unimplemented": Bilingual(
        "Write the function and save: it is graded then; h gives a hint.",
        "写完函数并保存，就会自动评分；按 h 查看提示。",
    ),
}
"""The same in the daily loop, which has keys, for every next step above that names the command for hints."""
NOT_LOADED = Bilingual(
    "No case was run: make the file load, and grade again.", "还没有运行任何用例：先让文件能够加载，再评一次。"
)
"""The next step where the file itself raises, or has no entry function."""
ENDED = Bilingual(
    "The process ended before it had answered: take out what ends it.",
    "进程在给出答案之前就结束了：去掉使它结束的代码。",
)
"""The next step where the attempt's process is gone."""


FORBIDDEN_WHY: dict[str, Bilingual] = {
    "evasion": Bilingual(
        "what it does cannot be watched, and this kata watches", "它的行为无法被监测，而这道题需要监测"
    ),
    "outside": Bilingual(
        "this kata counts operations, and what is computed outside torch is not counted",
        "这道题统计计算量，而 torch 之外的计算统计不到",
    ),
    "taken": Bilingual(
        "it takes many numbers out of tensors, and this kata counts operations: compute with the tensors",
        "它把大量数值取出张量，而这道题统计计算量：请直接用张量计算",
    ),
    "torch": Bilingual(
        "here torch may only allocate and make views: compute it in a kernel",
        "这道题里 torch 只能用来分配张量和取视图：计算要写在 kernel 里",
    ),
    "unknown": Bilingual(
        "this kata counts operations and does not know what this one costs; write it with products, elementwise "
        "operators, reductions and indexing",
        "这道题统计计算量，却不知道这个算子的计算量；请改用矩阵乘法、逐元素运算、归约和索引来写",
    ),
}
"""Why a use is forbidden that the kata's own list does not name, by how it was found."""


def describe(finding: f.Finding) -> Bilingual:
    """One finding as one or two plain sentences."""
    return _WORDS[type(finding)](finding)


def missing_entry(entry: str, defined: Sequence[str]) -> Bilingual:
    """That the file lacks its entry function, with the nearest of the functions and classes that it `defined`."""
    near = difflib.get_close_matches(entry, defined, 1, cutoff=0.6) or [
        name for name in defined if name.replace("_", "").lower() == entry.replace("_", "").lower()
    ]
    names = near[:1] or list(defined[:MOST_NAMES])
    if not names:
        return Bilingual(
            f"the file defines no function; this kata asks for `{entry}`",
            f"文件里没有定义函数；这道题要求的是 `{entry}`",
        )
    shown = [f"`{name}`" for name in names]
    more = len(defined) - len(names) if not near else 0
    return Bilingual(
        f"you define {', '.join(shown)}{f' and {more} more' if more else ''}; this kata asks for `{entry}`",
        f"你定义的是 {'、'.join(shown)}{f' 等 {len(defined)} 个' if more else ''}；这道题要求的是 `{entry}`",
    )


def end_of_process(ended: Ended, title: str = "") -> Bilingual:
    """Why the process stopped, and in which case; `title` is what that is called in Chinese."""
    text, detail = Bilingual(ended.detail, ended.detail), ended.detail
    if ended.by == "timeout":
        together = detail.removeprefix(TOGETHER)
        text = Bilingual(f"no answer within {detail}", f"{detail} 内没有给出答案")
        if together != detail:
            text = Bilingual(
                f"no time is left: all cases have {together} together", f"时间已用完：所有用例合计 {together}"
            )
    for en, zh in _ENDS.items():
        if detail.startswith(en):
            text = Bilingual(detail, chinese(zh, detail.removeprefix(en).replace(": ", "：").strip()))
    if not ended.case:
        return text
    return Bilingual(f"{text.en} in case {ended.case}", f"{text.zh}（用例“{title or ended.case}”）")


_ENDS = {
    "exit status": "退出状态",
    "no memory was left": "内存已用完",
    "the private channel was closed": "私有通道被关闭",
    "the private channel was written to": "私有通道被写入",
    "the grader's server ended": "评分服务进程结束",
}
"""How an ending begins in English, and in Chinese; what is left out is the name of a signal or a time."""


def number(value: float) -> str:
    """A number as a reader wants it: six digits, and nan, inf as they are."""
    if math.isnan(value) or math.isinf(value):
        return str(value)
    return f"{value:.6g}"


def shape(sizes: tuple[int, ...]) -> str:
    """A shape as Python writes it."""
    return f"({', '.join(map(str, sizes))}{',' if len(sizes) == 1 else ''})"


def result_at(path: str) -> str:
    """A place in the answer as Python: `result[1]`, or `call 2: result[1]` of several calls in a row."""
    call, _, rest = path.rpartition(" ") if path.startswith("call ") else ("", "", path)
    return f"{call}: result{rest}" if call else f"result{rest}"


def _place(path: str) -> Bilingual:
    if path.startswith("call "):  # one of several calls in a row
        number, _, rest = path.removeprefix("call ").partition(" ")
        return Bilingual(f"call {number}: result{rest}", f"第 {number} 次调用的 result{rest}")
    if path.startswith("gradient of "):
        name = path.removeprefix("gradient of ")
        return Bilingual(f"the gradient of {name}", f"对 {name} 的梯度")
    return Bilingual(f"result{path}", f"result{path}") if path else Bilingual("the result", "返回值")


def _at(path: str, index: tuple[int, ...]) -> Bilingual:
    place = _place(path)
    where = f"[{', '.join(map(str, index))}]" if index else ""
    return Bilingual(
        f"{place.en} at {where}" if where else place.en,
        chinese(place.zh, "在", where, "处") if where else place.zh,
    )


def _due(path: str, due: Bilingual, got: Bilingual) -> Bilingual:
    """`due` and `got` follow the place; the Chinese of both begin with their verb."""
    place = _place(path)
    return Bilingual(f"{place.en} must be {due.en}, got {got.en}", f"{chinese(place.zh, due.zh)}，{got.zh}")


def _is_due(path: str, what: str, due: str, got: str) -> Bilingual:
    """The Chinese names `what` is due (a shape, a dtype), the English leaves it out."""
    return _due(path, Bilingual(due, chinese(what, "应为", due)), Bilingual(got, chinese("得到的是", got)))


def _wrong_type(x: f.WrongType) -> Bilingual:
    extra = Bilingual("", "")
    if x.expected == "torch.Tensor" and x.got not in {"None", "tuple", "list", "dict", "float", "int", "bool", "str"}:
        extra = Bilingual(" (the exact type counts, not a subclass)", "（类型必须完全一致，子类不算）")
    text = _due(
        x.path,
        Bilingual(f"a {x.expected}", chinese("的类型应为", x.expected)),
        Bilingual(x.got, chinese("得到的是", x.got)),
    )
    if x.got == "None":
        text = Bilingual(f"{text.en}: is a `return` missing?", f"{text.zh}：是不是漏了 `return`？")
    return Bilingual(text.en + extra.en, text.zh + extra.zh)


def _wrong_structure(x: f.WrongStructure) -> Bilingual:
    place = _place(x.path)
    if x.expected_items:
        here = f"{place.en if x.path else 'result'}[{x.at}]"
        return Bilingual(
            f"{place.en}: expected {x.expected_items}, got {x.got_items}; {x.expected} are due, {x.got} came, "
            f"and they differ from {here} on",
            f"{place.zh}：应为 {x.expected_items}，得到 {x.got_items}；应有 {_counted(x.expected)}，"
            f"实有 {_counted(x.got)}，从 {here} 起不同",
        )
    return Bilingual(
        f"{place.en} must have {x.expected}, got {x.got}",
        f"{chinese(place.zh, '应有', _counted(x.expected))}，{chinese('得到的是', _counted(x.got))}",
    )


def _counted(text: str) -> str:
    """`3 items`, `keys 'a', 'b'` or `5 results` in Chinese."""
    for en, zh in (("items", "项"), ("results", "个结果"), ("keys", "键"), ("another number", "另一个数目")):
        if text.endswith(en):
            return chinese(text.removesuffix(en).rstrip(), zh)
        if text.startswith(en):
            return chinese(zh, text.removeprefix(en).lstrip())
    return text


def _wrong_shape(x: f.WrongShape) -> Bilingual:
    due, got = shape(x.expected), shape(x.got)
    return _due(
        x.path, Bilingual(f"of shape {due}", chinese("的形状应为", due)), Bilingual(got, chinese("得到的是", got))
    )


def _wrong_dtype(x: f.WrongDtype) -> Bilingual:
    return _is_due(x.path, "的 dtype", x.expected, x.got)


def _wrong_device(x: f.WrongDevice) -> Bilingual:
    return _due(
        x.path,
        Bilingual(f"on {x.expected}", chinese("应位于", x.expected)),
        Bilingual(x.got, chinese("得到的在", x.got)),
    )


def _unreadable(x: f.Unreadable) -> Bilingual:
    place = _place(x.path)
    why = _UNREADABLE.get(x.why, Bilingual(x.why, x.why))
    return Bilingual(
        f"{place.en} holds no numbers to compare ({why.en})", f"{chinese(place.zh, '里没有可以比较的数值')}（{why.zh}）"
    )


_UNREADABLE = {
    "unreadable": Bilingual("unreadable", "读不出来"),
    "subclass": Bilingual("subclass", "张量的子类"),
    "meta": Bilingual("meta", "位于 meta 设备"),
    "layout": Bilingual("layout", "不是普通的存储布局"),
    "dtype": Bilingual("dtype", "这种 dtype 无法比较"),
    "too large": Bilingual("too large", "太大"),
}
"""Why a tensor's numbers are not there; any other text is the name of a layout."""


def _not_finite(x: f.NotFinite) -> Bilingual:
    place = _at(x.path, x.index)
    more = (
        Bilingual(f" ({x.wrong} of {x.total} like that)", f"（{x.total} 个数中有 {x.wrong} 个如此）")
        if x.wrong > 1
        else Bilingual("", "")
    )
    return Bilingual(
        f"{place.en}: expected {number(x.expected)}, got {number(x.got)}{more.en}",
        f"{place.zh}：应为 {number(x.expected)}，得到 {number(x.got)}{more.zh}",
    )


def _wrong_values(x: f.WrongValues) -> Bilingual:
    place = _at(x.path, x.index)
    worst = f"[{', '.join(map(str, x.greatest_index))}]"
    return Bilingual(
        f"{place.en}: expected {number(x.expected)}, got {number(x.got)}. {x.wrong} of {x.total} numbers are wrong; "
        f"the greatest difference is {number(x.greatest)} at {worst}, "
        f"up to {number(x.greatest_allowed)} is allowed there.",
        f"{place.zh}：应为 {number(x.expected)}，得到 {number(x.got)}。{x.total} 个数中有 {x.wrong} 个不对；"
        f"最大误差为 {number(x.greatest)}（{worst} 处），该处允许 {number(x.greatest_allowed)}。",
    )


def _wrong_scalar(x: f.WrongScalar) -> Bilingual:
    shown = [number(v) if isinstance(v, float) else repr(v) for v in (x.expected, x.got)]
    place = _place(x.path)
    return Bilingual(
        f"{place.en}: expected {shown[0]}, got {shown[1]}", f"{place.zh}：应为 {shown[0]}，得到 {shown[1]}"
    )


def _wrong_text(x: f.WrongText) -> Bilingual:
    place, cut = _place(x.path), [_clip(text, x.at) for text in (x.expected, x.got)]
    text = Bilingual(f"{place.en}: expected {cut[0]}, got {cut[1]}", f"{place.zh}：应为 {cut[0]}，得到 {cut[1]}")
    if not any("…" in text for text in cut):
        return text
    here = f"{place.en if x.path else 'result'}[{x.at}:]"
    return Bilingual(f"{text.en}; they differ from {here} on", f"{text.zh}；从 {here} 起不同")


def _clip(text: str, at: int) -> str:
    start, end = max(0, at - 20), at + 40
    return f"{'…' if start else ''}{text[start:end]!r}{'…' if end < len(text) else ''}"


def _input_changed(x: f.InputChanged) -> Bilingual:
    return Bilingual(f"the call changed its caller's `{x.path}` in place", f"调用原地改动了调用者传入的 `{x.path}`")


def _no_gradient(x: f.NoGradient) -> Bilingual:
    place = _place(x.path)
    return Bilingual(
        f"{place.en} never arrives: something detaches the graph",
        chinese(place.zh, "没有传回来：计算图在某处断开了"),
    )


def _stray_gradient(x: f.StrayGradient) -> Bilingual:
    place = _place(x.path)
    return Bilingual(
        f"{place.en} is not zero: this argument is to be detached from the graph",
        chinese(place.zh, "不为零：这个参数应当与计算图断开"),
    )


def _did_not_raise(x: f.DidNotRaise) -> Bilingual:
    return Bilingual(f"the call must raise {x.expected}, and returned", f"这次调用应当抛出 {x.expected}，却正常返回了")


def _raises_other(x: f.RaisesOther) -> Bilingual:
    text = _message(x.got, x.message, x.line)
    return Bilingual(
        f"the call must raise {x.expected}, and raised {text.en}",
        f"这次调用应当抛出 {x.expected}，实际抛出了 {text.zh}",
    )


def _raises(x: f.Raises) -> Bilingual:
    text = _message(x.type, x.message, x.line)
    if x.path.startswith("gradient"):
        return Bilingual(f"the backward pass raises {text.en}", f"反向传播抛出 {text.zh}")
    return Bilingual(f"the call raises {text.en}", f"调用抛出 {text.zh}")


def _message(kind: str, message: str, line: int) -> Bilingual:
    first = message.strip().split("\n")[0][:300]
    text = f"{kind}: {first}" if first else kind
    return Bilingual(f"{text} (line {line})", f"{text}（第 {line} 行）") if line else Bilingual(text, text)


def _wrong_draws(x: f.WrongDraws) -> Bilingual:
    en, zh = ["In one call" if x.draws == 1 else f"In {x.draws} calls"], [f"{x.draws} 次调用中"]
    if x.unwanted:
        en.append(f"came what may never come: {', '.join(x.unwanted)}")
        zh.append(f"出现了不该出现的结果：{'、'.join(x.unwanted)}")
    if x.missing:
        en.append(f"{'and ' if x.unwanted else ''}never came what must come: {', '.join(x.missing)}")
        zh.append(f"{'并且' if x.unwanted else ''}始终没有出现应当出现的结果：{'、'.join(x.missing)}")
    if x.uneven:
        others = bool(x.unwanted or x.missing)
        en.append(f"{'and ' if others else ''}some came far too often or too seldom: {', '.join(x.uneven)}")
        zh.append(f"{'并且' if others else ''}有的结果次数明显不对：{'、'.join(x.uneven)}")
    return Bilingual(" ".join(en), "，".join(zh))


def _earlier_result(x: f.EarlierResultChanged) -> Bilingual:  # noqa: ARG001  # one signature for all findings
    return Bilingual(
        "a later call changed the result of an earlier one: both share memory that the function keeps",
        "后一次调用改动了前一次调用的返回值：两者共用了函数自己保留的内存",
    )


def _globals(x: f.GlobalsChanged) -> Bilingual:
    names = {"default dtype": "默认 dtype", "grad mode": "梯度模式"}
    told = "、".join(names.get(name, name) for name in x.names)
    return Bilingual(f"the call left torch's {' and '.join(x.names)} changed", f"调用结束后，torch 的{told}被改动了")


def _over_budget(x: f.OverBudget) -> Bilingual:
    if (traffic := over_traffic(x)) is not None:
        return traffic
    times = x.got / x.allowed if x.allowed else math.inf
    where = Bilingual(f" at line {x.line}", f"第 {x.line} 行") if x.line else Bilingual("", "")
    if x.what == "flops":
        most = (
            Bilingual(f", most of them in `{x.operator}`{where.en}", f"，大部分来自{where.zh}的 `{x.operator}`")
            if x.operator
            else Bilingual("", "")
        )
        return Bilingual(
            f"{x.got:,} floating-point operations{most.en}; {x.allowed:,} are allowed: {times:.3g} times the limit "
            f"(the reference takes {x.reference:,})",
            f"用了 {x.got:,} 次浮点运算{most.zh}；允许 {x.allowed:,} 次：是上限的 {times:.3g} 倍"
            f"（参考实现用 {x.reference:,} 次）",
        )
    if x.what == "alive":
        return Bilingual(
            f"tensors of {x.got:,} elements in all are alive at once{where.en}; {x.allowed:,} are allowed: "
            f"{times:.3g} times the limit (the reference keeps {x.reference:,})",
            f"{where.zh}同时存活的张量共有 {x.got:,} 个元素；允许 {x.allowed:,} 个：是上限的 {times:.3g} 倍"
            f"（参考实现最多保留 {x.reference:,} 个）",
        )
    held = shape(x.shape) if math.prod(x.shape) == x.got else ""  # a view shows a part of what was allocated
    made = Bilingual(f"shape {held}, ", f"形状为 {held}、") if held else Bilingual("", "")
    return Bilingual(
        f"a tensor of {made.en}{x.got:,} elements{',' if where.en else ''}{where.en}; {x.allowed:,} are allowed: "
        f"{times:.3g} times the limit (the reference's largest has {x.reference:,})",
        f"{where.zh}用到一个{made.zh}含 {x.got:,} 个元素的张量；允许 {x.allowed:,} 个：是上限的 {times:.3g} 倍"
        f"（参考实现最大的张量有 {x.reference:,} 个元素）",
    )


def _not_counted(x: f.NotCounted) -> Bilingual:
    what = (
        Bilingual("floating-point operations were counted", "次浮点运算")
        if x.what == "flops"
        else Bilingual("elements of memory were counted", "个元素的内存")
    )
    return Bilingual(
        f"{x.got:,} {what.en}, the reference takes {x.reference:,}: the work was done where nothing is counted. "
        "Compute the result in this call, with torch's operators.",
        f"只统计到 {x.got:,} {what.zh}，参考实现用 {x.reference:,}：计算发生在统计不到的地方。"
        "请在这次调用里用 torch 的算子算出结果。",
    )


def _forbidden(x: f.Forbidden) -> Bilingual:
    place = Bilingual(f"line {x.line}: ", f"第 {x.line} 行：") if x.line else Bilingual("", "")
    return Bilingual(
        f"{place.en}{x.call} is forbidden here{': ' + x.why_en if x.why_en else ''}",
        f"{place.zh}这里禁用 {x.call}{'：' + x.why_zh if x.why_zh else ''}",
    )


_WORDS: dict[type[f.Finding], Callable[[Any], Bilingual]] = {
    f.WrongType: _wrong_type,
    f.WrongStructure: _wrong_structure,
    f.WrongShape: _wrong_shape,
    f.WrongDtype: _wrong_dtype,
    f.WrongDevice: _wrong_device,
    f.Unreadable: _unreadable,
    f.NotFinite: _not_finite,
    f.WrongValues: _wrong_values,
    f.WrongScalar: _wrong_scalar,
    f.WrongText: _wrong_text,
    f.InputChanged: _input_changed,
    f.NoGradient: _no_gradient,
    f.StrayGradient: _stray_gradient,
    f.DidNotRaise: _did_not_raise,
    f.RaisesOther: _raises_other,
    f.Raises: _raises,
    f.WrongDraws: _wrong_draws,
    f.EarlierResultChanged: _earlier_result,
    f.GlobalsChanged: _globals,
    f.OverBudget: _over_budget,
    f.NotCounted: _not_counted,
    f.Forbidden: _forbidden,
    **KERNEL_WORDS,
}
