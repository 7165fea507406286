"""Contracts: the clauses that kata.yaml names, and the two lines that the framework writes beneath them.

The first generated line says what holds in every kata without being a part of its formula: which sizes may be 0, how
the inputs may lie in memory, whether gradients must flow, that calls may be repeated. The second names the calls that
are refused. Both are made from data, so that a starter never hides a rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmdrills.content.kata import Clause
from llmdrills.content.shapes import Both, Either, Flag, Key, Many, Record, Table, Word, slug
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmdrills.content.kata import Budget, Engine, Forbidden

__all__ = ["ALWAYS", "CONTRACT", "HOLDS", "MOST_LINES", "REFUSED", "Holds", "clauses", "generated"]

ALWAYS, REFUSED = "always", "refused"
"""The ids of the generated lines."""
MOST_LINES = 10
"""A contract of more lines is not read."""

_NAME = Word(r"[^\W\d]\w*", "a name, as in `B`")
CONTRACT = Either(Many(Both(), at_least=1, what="line"), Table(slug(), Both(), at_least=1))
HOLDS = Record(
    "what holds",
    {
        "empty": Key(Many(_NAME), "the sizes that may be 0; none unless said"),
        "gradients": Key(Many(_NAME), "the arguments that gradients must reach; none unless said"),
        "tensors": Key(Flag(), "whether the kata takes tensors; true unless said"),
    },
)


@dataclass(frozen=True)
class Holds:
    """What kata.yaml says `holds`: sizes that may be 0, arguments that gradients must reach, tensors or none."""

    empty: tuple[str, ...] = ()
    gradients: tuple[str, ...] = ()
    tensors: bool = True

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Holds:
        """Made from the keys of HOLDS that are there."""
        return cls(tuple(value.get("empty") or ()), tuple(value.get("gradients") or ()), value.get("tensors", True))


def clauses(*contracts: Sequence[Bilingual] | Mapping[str, Bilingual] | None) -> tuple[Clause, ...]:
    """The written clauses of several contracts in order; plain lines have no id."""
    found: list[Clause] = []
    for contract in contracts:
        named = contract.items() if isinstance(contract, Mapping) else (("", text) for text in contract or ())
        found += [Clause(name, text) for name, text in named]
    return tuple(found)


def generated(
    holds: Holds, forbidden: Sequence[Forbidden], budgets: Sequence[Budget], engine: Engine = "torch"
) -> tuple[Clause, ...]:
    """The lines that the framework adds."""
    lines = [Clause(ALWAYS, _always(holds), generated=True)]
    if engine == "triton":
        lines.append(Clause(REFUSED, _refused_beside_kernels(forbidden), generated=True))
    elif forbidden or budgets:
        lines.append(Clause(REFUSED, _refused(forbidden, counted=bool(budgets)), generated=True))
    return tuple(lines)


def _always(holds: Holds) -> Bilingual:
    if not holds.tensors:
        return Bilingual(
            "Arguments stay as they were; calls may be repeated, and none depends on an earlier one.",
            "不得改动参数；函数可以反复调用，每次调用互不影响。",
        )
    en = ["Inputs may be non-contiguous and stay as they were", _sizes_en(holds.empty), _gradients_en(holds.gradients)]
    zh = ["输入可能不连续，且不得被改动", _sizes_zh(holds.empty), _gradients_zh(holds.gradients)]
    en.append("calls may be repeated: none depends on an earlier one or overwrites its result.")
    zh.append("函数可以反复调用，每次调用互不影响，也不得改写先前返回的结果。")
    return Bilingual("; ".join(filter(None, en)), "；".join(filter(None, zh)))


def _sizes_en(names: tuple[str, ...]) -> str:
    return f"{_and(names)} may be 0, no other size is" if names else "no size is 0"


def _sizes_zh(names: tuple[str, ...]) -> str:
    return f"{'、'.join(names)} 可以为 0，其余尺寸不会为 0" if names else "任何尺寸都不会为 0"


def _gradients_en(names: tuple[str, ...]) -> str:
    return f"gradients flow to {_and(names)}" if names else "gradients are not asked for"


def _gradients_zh(names: tuple[str, ...]) -> str:
    return f"梯度要能传到 {'、'.join(names)}" if names else "不考查梯度"


def _refused(forbidden: Sequence[Forbidden], *, counted: bool) -> Bilingual:
    """Which calls are refused: the kata's own, and what would hide a call or its cost from the grader."""
    hiding = ("torch.compile", "torch.jit", "eval", "exec")
    calls = [f"`{one.call}`" for one in forbidden]
    en = [*calls, f"what hides calls from the grader ({', '.join(hiding)}, threads)"]
    zh = [*calls, f"会让评分程序看不到调用的写法（{'、'.join(hiding)}、线程等）"]
    if counted:
        en.append("numpy on arrays, because the cost is counted (np.sqrt of a number and np.inf are fine)")
        zh.append("对数组使用 numpy，因为要统计开销（对单个数用 np.sqrt、用 np.inf 都可以）")
    return Bilingual(f"Refused: {'; '.join(en)}", f"禁用：{'；'.join(zh)}")


def _refused_beside_kernels(forbidden: Sequence[Forbidden]) -> Bilingual:
    """Where kernels do the work: what torch may not do for them."""
    calls = "".join(f"; `{one.call}`" for one in forbidden)
    calls_zh = "".join(f"；`{one.call}`" for one in forbidden)
    return Bilingual(
        f"Refused: torch for anything but allocation (torch.empty, torch.zeros) and views{calls}; "
        "threads, eval and what else hides work from the grader",
        f"禁用：除分配张量（torch.empty、torch.zeros）和取视图以外的 torch 运算{calls_zh}；"
        "线程、eval 等会让评分程序看不到计算的写法",
    )


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
