"""Which part of a long kernel is the first to differ from the reference's. No torch.

Both were traced in one case (`llmdrills.grading.kernels.tracing`). Their calls are compared in order, and the answer is
a fact about values that were seen: up to a place everything agrees, and there something differs. Where an attempt makes
other calls than the reference, nothing is said about what comes after them; where two values neither agree nor clearly
differ, nothing is said at all. What agrees lies within `_ALIKE` of the largest number, what differs beyond `_UNLIKE`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from llmdrills.content.kata import Stage, Stages
from llmdrills.grading.judging.verdict import StageFound
from llmdrills.grading.protocol.answer import Answer, Expected
from llmdrills.grading.protocol.numbers import array, load_numpy
from llmdrills.grading.protocol.wire import TensorValue, Value
from llmdrills.language import Bilingual, Language

__all__ = ["first_difference"]

_ALIKE, _UNLIKE = 2e-5, 1e-3  # times the largest number of the reference's tensor

_SAID = {
    "result": Bilingual(
        "The first that differs in case {case}: {stage}. `{call}` gets what the reference's gets there, and gives "
        "something else.",
        "用例 {case} 中最先出现差异的是：{stage}。`{call}` 的输入与参考实现相同，结果不同。",
    ),
    "input": Bilingual(
        "The first that differs in case {case}: what goes into {stage} (`{argument}` of `{call}`). All before "
        "it agrees.",
        "用例 {case} 中最先出现差异的是{stage}的输入（`{call}` 的 `{argument}`）。在它之前全部一致。",
    ),
    "start": Bilingual(
        "The first that differs in case {case}: {stage}. `{call}` gets another `{argument}` in its first call.",
        "用例 {case} 中最先出现差异的是：{stage}。`{call}` 第一次调用时的 `{argument}` 就不同。",
    ),
    "end": Bilingual(
        "The first that differs in case {case}: {stage}. All that is called before it agrees.",
        "用例 {case} 中最先出现差异的是：{stage}。在它之前的调用全部一致。",
    ),
    "after": Bilingual(
        "In case {case} all agrees up to {stage}; the first that differs comes after it.",
        "用例 {case} 中直到{stage}都一致，差异出现在它之后。",
    ),
}


class _Call(NamedTuple):
    """One call as it was traced."""

    name: str
    arguments: dict[str, Value]
    result: Value
    inside: tuple[_Call, ...]


class _Found(NamedTuple):
    """A difference: at the call that `path` leads to, from call to call inside of it."""

    kind: str
    path: tuple[int, ...] = ()
    call: str = ""
    argument: str = ""
    first: bool = False  # whether it is the first argument


def first_difference(stages: Stages, due: Expected, answer: Answer, language: Language) -> StageFound | None:
    """The first part whose values differ; None where that was not seen for certain."""
    reference, attempt = _read(due.answer.value), _read(answer.value)
    if reference is None or attempt is None or _alike(reference[0], attempt[0]) is not False:
        return None
    found = _compare(reference[1], attempt[1])
    names = _names(stages, [call.name for call in reference[1]])
    if found is None or names is None:
        return None
    kind, stage = found.kind, stages.end
    if kind == "input" and found.path == (0,) and found.first:
        kind, stage = "start", stages.start
    elif found.path:
        named = _at(names, found.path)
        if named is None:
            return None
        stage = named
    words = {"case": due.case, "call": found.call, "argument": found.argument}
    message = _SAID[kind][language].format(stage=stage[language], **words)
    return StageFound(kind, stage.en, due.case, message)  # type: ignore[arg-type]  # a key of _SAID


def _compare(reference: Sequence[_Call], attempt: Sequence[_Call]) -> _Found | None:
    """Where two rows of calls, whose caller got the same and gave something else, differ first."""
    agreed = 0
    for at, (due, got) in enumerate(zip(reference, attempt, strict=False)):
        if due.name != got.name or due.arguments.keys() != got.arguments.keys():
            return _after(agreed, reference)
        for number, (name, value) in enumerate(due.arguments.items()):
            alike = _alike(value, got.arguments[name])
            if alike is None:
                return None
            if not alike:
                return _Found("input", (at,), due.name, name, number == 0)
        alike = _alike(due.result, got.result)
        if alike is None:
            return None
        if not alike:
            return _within(at, due, got)
        agreed += 1
    return _Found("end") if agreed and len(reference) == len(attempt) else _after(agreed, reference)


def _after(agreed: int, reference: Sequence[_Call]) -> _Found | None:
    return _Found("after", (agreed - 1,), reference[agreed - 1].name) if agreed else None


def _within(at: int, due: _Call, got: _Call) -> _Found:
    """Inside of a call that got the same and gave something else: a call of its own that differs, else itself."""
    inner = _compare(due.inside, got.inside)
    if inner is not None and inner.kind in {"result", "input"}:
        return inner._replace(path=(at, *inner.path), first=False)
    return _Found("result", (at,), due.name)


# The names of the parts


class _Named(NamedTuple):
    stage: Stage
    round: int

    @property
    def text(self) -> Bilingual:
        return self.stage.name.format(n=self.round)


def _names(stages: Stages, calls: Sequence[str]) -> list[_Named] | None:
    """The part that each call of the reference is; None where they are not those that the kata lists."""
    count, rest = divmod(len(calls) - len(stages.last), len(stages.rounds)) if stages.rounds else (0, 0)
    if count < 0 or rest:
        return None
    named = [_Named(stage, number) for number in range(1, count + 1) for stage in stages.rounds]
    named += [_Named(stage, count) for stage in stages.last]
    return named if [one.stage.call for one in named] == list(calls) else None


def _at(names: Sequence[_Named], path: tuple[int, ...]) -> Bilingual | None:
    """The name of the part that a path leads to; None where the kata does not name it."""
    first, *inner = path
    found = names[first]
    for at in inner:
        if at >= len(found.stage.inside):
            return None
        found = _Named(found.stage.inside[at], found.round)
    return found.text


# Values


def _read(value: Any) -> tuple[Value, tuple[_Call, ...]] | None:
    """A traced kernel's answer; None for anything else: an attempt can answer what it likes."""
    if not (isinstance(value, list) and len(value) == 2):
        return None
    calls = _calls(value[1])
    return None if calls is None else (value[0], calls)


def _calls(value: Any) -> tuple[_Call, ...] | None:
    found = []
    for node in value if isinstance(value, list) else (None,):
        if not (isinstance(node, list) and len(node) == 4 and isinstance(node[0], str) and isinstance(node[1], dict)):
            return None
        inside = _calls(node[3])
        if inside is None:
            return None
        found.append(_Call(node[0], node[1], node[2], inside))
    return tuple(found)


def _alike(want: Any, got: Any) -> bool | None:
    """Whether two values agree; None where nobody can say: other shapes or kinds, or numbers neither near nor far."""
    if isinstance(want, TensorValue) and isinstance(got, TensorValue):
        return _alike_tensors(want, got)
    if isinstance(want, dict) and isinstance(got, dict) and want.keys() == got.keys():
        return _all(_alike(value, got[name]) for name, value in want.items())
    if isinstance(want, list | tuple) and isinstance(got, list | tuple) and len(want) == len(got):
        return _all(_alike(one, other) for one, other in zip(want, got, strict=True))
    numbers = (int, float)
    if isinstance(want, numbers) and isinstance(got, numbers):
        return abs(want - got) <= _ALIKE * abs(want)
    return True if type(want) is type(got) and want == got else None


def _all(found: Any) -> bool | None:
    """False where one of them clearly differs, else None where one is unclear."""
    results = list(found)
    return False if False in results else None if None in results else True


def _alike_tensors(want: TensorValue, got: TensorValue) -> bool | None:
    np = load_numpy()
    if tuple(want.shape) != tuple(got.shape) or want.missing or got.missing:
        return None
    one, other = (array(tensor).astype("float64") for tensor in (want, got))
    if not one.size:
        return True
    if (np.isfinite(one) != np.isfinite(other)).any():
        return False
    finite = np.isfinite(one)
    scale = float(np.abs(one[finite]).max(initial=0.0))
    distance = float(np.abs(one[finite] - other[finite]).max(initial=0.0))
    return True if distance <= _ALIKE * scale else False if distance > _UNLIKE * scale else None
