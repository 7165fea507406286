"""Write an answer as plain values in the learner's process, and read it in the command, which checks every one.

No torch.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from llmdrills.grading.engines.triton.report import KINDS, Cost, Event, Report
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
        None if answer.watched is None else _write_report(answer.watched),
    )


def _write_report(report: Report) -> Value:
    events = tuple((one.kind, one.line, one.kernel, one.program, dict(one.facts)) for one in report.events)
    return events, tuple(getattr(report.cost, field.name) for field in dataclasses.fields(Cost))


def read_answer(parts: Value) -> Answer:
    """The answer that `write_answer` wrote. Raises WireError for anything else."""
    if type(parts) is not tuple or len(parts) != 8:
        raise WireError("an answer has eight parts")
    value, changed, grads, counts, forbidden, settings, seconds, watched = parts
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
        watched=_read_report(watched),
    )


def _read_report(parts: Value) -> Report | None:
    if parts is None:
        return None
    _need(type(parts) is tuple and len(parts) == 2)
    events, cost = parts
    _tuple_of(events, tuple)
    _tuple_of(cost, int)
    _need(len(cost) == len(dataclasses.fields(Cost)) and min(cost) >= 0)
    return Report(tuple(map(_read_event, events)), Cost(*cost))


def _read_event(parts: Any) -> Event:
    _need(len(parts) == 5)
    kind, line, kernel, program, facts = parts
    _need(kind in KINDS and (line is None or type(line) is int) and (kernel is None or type(kernel) is str))
    if program is not None:
        _tuple_of(program, int)
    _need(type(facts) is dict)
    for name, fact in facts.items():
        _need(type(name) is str and type(fact) in (str, int, float, tuple))
        _need(type(fact) is not tuple or all(type(item) in (str, int) for item in fact))
    return Event(kind, line, kernel, program, facts)


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
