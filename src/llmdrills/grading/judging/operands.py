"""Which axis or dtype disagrees in a torch call that raised. Pure functions of what `Raised.operands` says.

A sentence is given only where the shapes themselves show the fault; else there is none.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from llmdrills.grading.judging.wording import shape as shape_text
from llmdrills.language import Bilingual

__all__ = ["disagreement", "given"]

Shape = tuple[int, ...]


class _Tensor(NamedTuple):
    dtype: str
    shape: Shape
    contiguous: bool


_TENSOR = re.compile(r"([a-z]+[0-9]+[a-z0-9_]*|bool) \(((?:\d+, ?)*(?:\d+)?)\)(, not contiguous)?")
_NAMED_TENSOR = re.compile(rf"[a-z_]+={_TENSOR.pattern}")
_ELEMENTWISE = {
    *("add", "sub", "mul", "div", "pow", "remainder", "floor_divide", "maximum", "minimum", "where", "masked_fill"),
    *("eq", "ne", "lt", "le", "gt", "ge", "and", "or", "xor", "logical_and", "logical_or", "logical_xor"),
    *("bitwise_and", "bitwise_or", "lerp", "addcmul", "addcdiv", "copy", "clamp"),
}
_ONE_DTYPE = {"matmul", "mm", "bmm", "linear", "einsum", "addmm", "baddbmm", "mv", "dot"}


def given(operation: str, operands: Sequence[str]) -> str:
    """What the call was given, as one text: `(2, 3) @ (4, 5)` for a product, else the operands one after another."""
    tensors = _tensors(operands)
    if operation in ("matmul", "mm", "bmm") and len(tensors) == 2 and tensors[0].dtype == tensors[1].dtype:
        return f"{shape_text(tensors[0].shape)} @ {shape_text(tensors[1].shape)}"
    return ", ".join(operands)


def disagreement(operation: str, operands: Sequence[str]) -> Bilingual | None:
    """What in the operands cannot go together; None where their shapes and dtypes do not show it."""
    tensors = _tensors(operands)
    shapes = [tensor.shape for tensor in tensors]
    bare = operation.removesuffix("_")
    found: Bilingual | None = None
    if bare in ("cat", "stack"):
        found = _joined(bare, shapes, operands)
    elif bare in ("view", "reshape") and len(shapes) == 1:
        found = _viewed(bare, tensors[0], operands)
    elif len(shapes) >= 2 and bare in _PRODUCTS:
        found = _PRODUCTS[bare](shapes[0], shapes[1])
    elif len(shapes) >= 2 and bare in _ELEMENTWISE:
        found = _broadcast(shapes)
    elif bare == "getitem" and len(operands) == 2 and len(shapes) == 1:
        found = _indexed(shapes[0], operands[1])
    elif bare == "topk" and shapes:
        found = _chosen(shapes[0], operands[1:])
    if found is None and bare in _ONE_DTYPE and len({tensor.dtype for tensor in tensors}) > 1:
        names = list(dict.fromkeys(tensor.dtype for tensor in tensors))
        found = Bilingual(
            f"{bare} needs one dtype, and is given {' and '.join(names)}",
            f"{bare} 要求 dtype 一致，这里却是 {' 和 '.join(names)}",
        )
    return found


def _tensors(operands: Sequence[str]) -> list[_Tensor]:
    found = []
    for operand in operands:
        match = _TENSOR.fullmatch(operand) or _NAMED_TENSOR.fullmatch(operand)
        if match is not None:
            sizes = tuple(int(size) for size in match[2].split(",") if size.strip())
            found.append(_Tensor(match[1], sizes, match[3] is None))
    return found


def _axis(at: int) -> str:
    """An axis counted from the end, with a real minus sign."""
    return f"−{-at}"


# Products


def _matmul(left: Shape, right: Shape) -> Bilingual | None:
    if not left or not right:
        return Bilingual("a product needs at least one axis on each side", "矩阵乘法的两边至少各有一个轴")
    inner = right[-2] if len(right) > 1 else right[0]
    if left[-1] != inner:
        of = (
            Bilingual("axis −2 of the right", "右边的轴 −2")
            if len(right) > 1
            else Bilingual("the right's axis", "右边的轴")
        )
        return Bilingual(
            f"the last axis of the left, {left[-1]}, must equal {of.en}, {inner}",
            f"左边的最后一个轴（{left[-1]}）必须等于{of.zh}（{inner}）",
        )
    return _broadcast([left[:-2], right[:-2]], skipped=2)


def _plain_product(axes: int) -> Callable[[Shape, Shape], Bilingual | None]:
    """`mm` and `bmm`: exactly so many axes, and nothing is broadcast."""

    def product(left: Shape, right: Shape) -> Bilingual | None:
        for en, zh, shape in (("left", "左边", left), ("right", "右边", right)):
            if len(shape) != axes:
                return Bilingual(
                    f"the {en} must have {axes} axes, and has {len(shape)}",
                    f"{zh}必须有 {axes} 个轴，这里有 {len(shape)} 个",
                )
        if axes == 3 and left[0] != right[0]:
            return Bilingual(
                f"the first axis is {left[0]} on the left and {right[0]} on the right: they must be equal",
                f"轴 0 左边是 {left[0]}，右边是 {right[0]}：两者必须相等",
            )
        return _matmul(left, right)

    return product


def _linear(given: Shape, weight: Shape) -> Bilingual | None:
    if not given or not weight or given[-1] == weight[-1]:
        return None
    return Bilingual(
        f"the last axis of the input, {given[-1]}, must equal the last axis of the weight, {weight[-1]}",
        f"输入的最后一个轴（{given[-1]}）必须等于权重的最后一个轴（{weight[-1]}）",
    )


_PRODUCTS: dict[str, Callable[[Shape, Shape], Bilingual | None]] = {
    "matmul": _matmul,
    "mm": _plain_product(2),
    "bmm": _plain_product(3),
    "linear": _linear,
}


# Broadcasting, joining, viewing, indexing


def _broadcast(shapes: Sequence[Shape], skipped: int = 0) -> Bilingual | None:
    """The last axis on which sizes other than 1 differ. `skipped` axes at the end are no part of the shapes."""
    for back in range(1, max(map(len, shapes), default=0) + 1):
        sizes = [shape[-back] for shape in shapes if len(shape) >= back and shape[-back] != 1]
        if len(set(sizes)) > 1:
            both = list(dict.fromkeys(sizes))
            return Bilingual(
                f"axis {_axis(-back - skipped)} is {both[0]} in one and {both[1]} in the other: "
                f"they must be equal, or one of them 1",
                f"轴 {_axis(-back - skipped)} 一个是 {both[0]}，另一个是 {both[1]}：两者必须相等，或其中之一为 1",
            )
    return None


def _joined(how: str, shapes: Sequence[Shape], operands: Sequence[str]) -> Bilingual | None:
    if not shapes:
        return Bilingual(f"{how} is given no tensor", f"{how} 没有得到任何张量")
    numbers = [int(text.rpartition("=")[2]) for text in operands if re.fullmatch(r"((dim|axis)=)?-?\d+", text)]
    dim = numbers[0] if numbers else 0
    first = shapes[0]
    for at, other in itertools.islice(enumerate(shapes), 1, None):
        if len(first) != len(other):
            if how == "cat" and (0 in first or 0 in other):
                continue  # an old rule of torch lets an empty tensor of one axis join anything
            return Bilingual(
                f"tensor [{at}] has {len(other)} axes and tensor [0] has {len(first)}",
                f"张量 [{at}] 有 {len(other)} 个轴，张量 [0] 有 {len(first)} 个",
            )
        free = dim % len(first) if how == "cat" and first else None
        for axis, (one, two) in enumerate(zip(first, other, strict=True)):
            if one != two and axis != free:
                return Bilingual(
                    f"axis {axis} is {one} in tensor [0] and {two} in tensor [{at}]: they must be equal",
                    f"轴 {axis} 在张量 [0] 中是 {one}，在张量 [{at}] 中是 {two}：两者必须相等",
                )
    return None


def _viewed(how: str, tensor: _Tensor, operands: Sequence[str]) -> Bilingual | None:
    text = " ".join(operands[1:])
    if not re.fullmatch(r"[-\d,()\[\] ]+|torch\.Size\([-\d,\[\] ]+\)", text):
        return None
    sizes = [int(number) for number in re.findall(r"-?\d+", text)]
    numel, known = math.prod(tensor.shape), math.prod(size for size in sizes if size != -1)
    fits = numel == known if -1 not in sizes else known != 0 and numel % known == 0
    if not fits:
        product = " · ".join(map(str, tensor.shape)) or "1"
        return Bilingual(
            f"it holds {product} = {numel} numbers, which do not fill {shape_text(tuple(sizes))}",
            f"它共有 {product} = {numel} 个数，填不成 {shape_text(tuple(sizes))}",
        )
    if how == "view" and not tensor.contiguous:
        return Bilingual(
            "its numbers do not lie in one row in memory (a transpose or an expand leaves them so): "
            "`.reshape` copies where `.view` cannot",
            "它的数在内存中不是连续排列的（transpose 或 expand 之后就是这样）：`.view` 做不到时，`.reshape` 会复制一份",
        )
    return None


def _chosen(shape: Shape, rest: Sequence[str]) -> Bilingual | None:
    """`topk` of more than there are."""
    numbers = [int(text.rpartition("=")[2]) for text in rest if re.fullmatch(r"(k=|dim=)?-?\d+", text)]
    if not numbers or not shape:
        return None
    k, dim = numbers[0], numbers[1] if len(numbers) > 1 else -1
    if not -len(shape) <= dim < len(shape) or k <= shape[dim]:
        return None
    axis = dim % len(shape)
    return Bilingual(f"k is {k}, and axis {axis} has {shape[dim]}", f"k 是 {k}，而轴 {axis} 只有 {shape[dim]} 个")


def _indexed(shape: Shape, index: str) -> Bilingual | None:
    """Whole numbers beyond an axis; any other index is left alone."""
    if not re.fullmatch(r"-?\d+|\(((-?\d+|:)(, |,)?)+\)", index):
        return None
    parts = re.findall(r"-?\d+|:", index)
    if len(parts) > len(shape):
        return Bilingual(
            f"{len(parts)} indices are given, and there are {len(shape)} axes",
            f"给了 {len(parts)} 个下标，而只有 {len(shape)} 个轴",
        )
    for axis, (part, size) in enumerate(zip(parts, shape, strict=False)):
        if part != ":" and not -size <= int(part) < size:
            return Bilingual(
                f"index {part} is outside of axis {axis}, whose size is {size}",
                f"下标 {part} 超出了轴 {axis} 的范围，它的大小是 {size}",
            )
    return None
