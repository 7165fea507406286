"""Write an answer as plain values in the learner's process, and read it in the command, which checks every one.

No torch.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from llmdrills.grading.protocol.answer import Answer, Counts
from llmdrills.grading.protocol.wire import Opaque, Value, WireError, pack
from llmdrills.grading.rules.forbidden import HOWS, ForbiddenUse

__all__ = ["ANSWER_BYTES", "ANSWER_VALUES", "pack_answer", "read_answer", "write_answer"]

ANSWER_BYTES = 65 << 20
"""Bytes that one packed answer may hold: the tensor data that one result may hold (64 MiB), and a mebibyte around it.
The command refuses a longer frame by its header, before it reads it."""
ANSWER_VALUES = 1_000_000
"""Values that one packed answer may hold: each becomes a Python object in the command."""


def pack_answer(case: str, answer: Answer) -> bytes:
    """The message that answers `case`; a result that is too large for one message becomes Opaque."""
    try:
        return pack(("answer", case, write_answer(answer)), most_bytes=ANSWER_BYTES, most_values=ANSWER_VALUES)
    except WireError:
        large = Opaque("a result too large to be read")
        grads = tuple(None if grad is None else large for grad in answer.grads)
        return pack(("answer", case, write_answer(dataclasses.replace(answer, value=large, grads=grads))))


def write_answer(answer: Answer) -> Value:
    """The answer as nested tuples of basic values."""
    counts = answer.counts
    return (
        answer.value,
        answer.inputs_changed,
        answer.grads,
        None if counts is None else tuple(getattr(counts, field.name) for field in dataclasses.fields(Counts)),
        tuple((use.call, use.line, use.how) for use in answer.forbidden),
        answer.globals_changed,
        answer.seconds,
    )


def read_answer(parts: Value) -> Answer:
    """The answer that `write_answer` wrote. Raises WireError for anything else."""
    if type(parts) is not tuple or len(parts) != 7:
        raise WireError("an answer has seven parts")
    value, changed, grads, counts, forbidden, settings, seconds = parts
    _tuple_of(changed, int)
    _need(type(grads) is tuple)
    _tuple_of(forbidden, tuple)
    _tuple_of(settings, str)
    _need(type(seconds) is float and seconds >= 0)
    uses = tuple(_read_use(use) for use in forbidden)
    return Answer(
        value=value,
        inputs_changed=changed,
        grads=grads,
        counts=_read_counts(counts),
        forbidden=uses,
        globals_changed=settings,
        seconds=seconds,
    )


def _read_counts(parts: Value) -> Counts | None:
    if parts is None:
        return None
    _need(type(parts) is tuple and len(parts) == len(dataclasses.fields(Counts)))
    flops, largest, shape, operator, line, calls, costliest, costliest_line, alive, alive_line = parts
    numbers = (flops, largest, line, costliest_line, alive, alive_line)
    _need(all(type(number) is int and number >= 0 for number in numbers))
    _tuple_of(shape, int)
    _need(type(operator) is str and type(costliest) is str and type(calls) is dict)
    _need(all(type(name) is str and type(number) is int for name, number in calls.items()))
    return Counts(*parts)


def _read_use(parts: Any) -> ForbiddenUse:
    _need(len(parts) == 3)
    call, line, how = parts
    _need(type(call) is str and type(line) is int and how in HOWS)
    return ForbiddenUse(call, line, how)


def _tuple_of(parts: Value, kind: type) -> None:
    _need(type(parts) is tuple and all(type(item) is kind for item in parts))


def _need(right: bool) -> None:
    if not right:
        raise WireError("an answer's part is of the wrong type")
