"""One call of a kernel on one question: the same for the learner's file, the reference and every wrong kernel."""

from __future__ import annotations

import builtins
import dataclasses
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NamedTuple, TypeGuard

import torch

from llmdrills.grading.engines.triton import KernelStoppedError, Report
from llmdrills.grading.engines.triton import Limits as LaunchLimits
from llmdrills.grading.kernels.crash import TorchRecorder, expression_of, operation_of
from llmdrills.grading.kernels.culprit import watching
from llmdrills.grading.kernels.launches import LIMITS, SHORT, Launches, launches, stopped_call, together, torch_uses
from llmdrills.grading.kernels.overwriting import written_over
from llmdrills.grading.kernels.settings import current_settings, restored, seed_all
from llmdrills.grading.kernels.tracing import traced
from llmdrills.grading.protocol.answer import EARLIER_RESULT, Answer, Counts, Question, outcome_of
from llmdrills.grading.protocol.tensors import Freezer, thaw, type_name
from llmdrills.grading.protocol.wire import Raised, Value
from llmdrills.grading.rules.counting import Watch
from llmdrills.grading.rules.forbidden import ForbiddenError, ForbiddenUse

__all__ = ["Caller"]

_HERE = str(Path(__file__).resolve().parents[1])
MAX_MESSAGE = 2000
MAX_TRACEBACK = 8000
MOST_SECONDS_AGAIN = 0.5
"""A call that raised sooner than this is repeated to see the operands: it may not use up the attempt's time."""


class _Called(NamedTuple):
    """What one call came to: the value, the live result, and what watched it."""

    value: Value
    result: Any
    watch: Watch | None
    launched: Report | None


class Caller:
    """Puts questions to kernels on one device. Make it before anything untrusted is imported.

    `file` is the path of the kernel's source as it shows in tracebacks, `forbidden` the dotted names whose calls are
    noted. `launching` says that every kernel is one of Triton's, which its interpreter runs and watches on the CPU;
    else those are that are marked so. `limits` are what one call may take in the interpreter.
    """

    def __init__(
        self,
        device: str = "cpu",
        file: str = "",
        forbidden: Sequence[str] = (),
        *,
        launching: bool = False,
        limits: LaunchLimits = LIMITS,
    ) -> None:
        self._launching = launching
        self._limits = limits
        self._device = torch.device(device)
        self._file = file
        self._forbidden = tuple(forbidden)
        self._freezer = Freezer()
        self._clock = time.perf_counter
        self._format = traceback.TracebackException
        self._grad = torch.autograd.grad
        self._synchronize: Callable[[], None] | None = {
            "cuda": torch.cuda.synchronize, "mps": torch.mps.synchronize
        }.get(self._device.type)  # fmt: skip
        self._frame = sys._getframe
        self.guard: Callable[[], AbstractContextManager[None]] = (
            nullcontext  # entered around the kernel's own code only
        )
        self._functions_off = torch._C.DisableTorchFunction
        self._dispatch_off = torch._C._DisableTorchDispatch

    def ask(self, kernel: Callable[..., Any], question: Question) -> Answer:
        """Call `kernel` as the question says. Whatever it raises, BaseException included, is part of the answer."""
        if question.seek:
            return self._seek(kernel, question)
        if question.trace:
            kernel = traced(kernel, question.trace)
        if question.then:
            return self._ask_again(kernel, question)
        return self._ask_with(kernel, question, *self._arguments(question))[0]

    def _ask_with(
        self, kernel: Callable[..., Any], question: Question, args: list[Any], kwargs: dict[str, Any]
    ) -> tuple[Answer, Any]:
        """The answer to a call with these very objects, and the live result."""
        before = [self._freezer.freeze(given) for given in (*args, *kwargs.values())]
        settings = current_settings()
        seed_all(question.seed)
        started = self._clock()
        value, result, watch, launched = self._call(kernel, args, kwargs, question)
        seconds = self._clock() - started
        if isinstance(value, Raised) and seconds < MOST_SECONDS_AGAIN and launched is None:
            value = self._with_operands(value, kernel, question)
        changed = restored(settings)
        grads = self._gradients(result, [args[at] for at in question.grads]) if question.grads else ()
        after = [self._freezer.freeze(given) for given in (*args, *kwargs.values())]
        answer = Answer(
            value=value,
            inputs_changed=tuple(at for at, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]),
            grads=grads,
            counts=_counts(watch) if watch is not None and question.count else None,
            forbidden=(*(() if watch is None else _uses(watch, value)), *torch_uses(launched)),
            globals_changed=changed,
            seconds=seconds,
            watched=launched,
        )
        return answer, result

    def _ask_again(self, kernel: Callable[..., Any], question: Question) -> Answer:
        """Several calls in a row; the first result is read again after each, so that what overwrites it is seen.

        From the third call on, tensors and lists of the call before are given again, holding the new values: what was
        kept by identity is then out of date.
        """
        values: list[Value] = []
        answers: list[Answer] = []
        first: Any = None
        overwritten = False
        objects: tuple[list[Any], dict[str, Any]] | None = None
        for at, (args, kwargs) in enumerate(((question.args, question.kwargs), *question.then)):
            one = dataclasses.replace(question, args=args, kwargs=kwargs, then=(), grads=())
            given = [thaw(value, self._device) for value in args], {k: thaw(v, self._device) for k, v in kwargs.items()}
            if at >= 2 and objects is not None:
                given = written_over(objects, given)
            answer, result = self._ask_with(kernel, one, *given)
            if isinstance(answer.value, Raised):
                return answer
            first = result if at == 0 else first
            overwritten = overwritten or (at > 0 and self._freezer.freeze(first) != values[0])
            values.append(answer.value)
            answers.append(answer)
            objects = given
        earlier = (EARLIER_RESULT,) if overwritten else ()
        return dataclasses.replace(
            answers[0],
            value=values,
            inputs_changed=tuple(sorted({position for answer in answers for position in answer.inputs_changed})),
            forbidden=tuple(use for answer in answers for use in answer.forbidden),
            globals_changed=(*(name for answer in answers for name in answer.globals_changed), *earlier),
            seconds=sum(answer.seconds for answer in answers),
            watched=together([answer.watched for answer in answers]),
        )

    def _call(self, kernel: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], question: Question) -> _Called:
        given = (*args, *kwargs.values())
        watch = (
            Watch(self._forbidden, self._file, counted=question.count, given=given)
            if question.count or self._forbidden
            else None
        )
        seen = self._launches(kernel, given)
        try:
            with self.guard(), watch or nullcontext(), seen:
                result = self._draws(kernel, args, kwargs, question.draws)
            if self._synchronize is not None:
                self._synchronize()
            if watch is not None and question.count:
                watch.charge("the result", (result,))  # memory that no operator of this call made
            return _Called(self._freezer.freeze(result), result, watch, seen.report)
        except KernelStoppedError as stopped:
            if self._launching and stopped.event.kind == "too-much-work":
                self._limits = SHORT
            return _Called(stopped_call(stopped, self._file), None, watch, seen.report)
        except BaseException as error:  # sys.exit inside a kernel is an answer too: a wrong one
            return _Called(self.raised(error), None, watch, seen.report)

    def _launches(self, kernel: Callable[..., Any], given: Sequence[Any]) -> Launches:
        """The watch on Triton's kernels; on a GPU they run as they are."""
        on = self._device.type == "cpu" and (self._launching or launches(kernel))
        return Launches(on=on, file=self._file if self._launching else None, given=given, limits=self._limits)

    def _with_operands(self, raised: Raised, kernel: Callable[..., Any], question: Question) -> Raised:
        """The same exception with the torch function that raised it and that function's arguments.

        They are seen only while the function runs, so the kernel is called once more, on fresh arguments and with
        what it prints thrown away. Left out where Python itself raised, and for what is no crash.
        """
        if raised.operation in ("", "raise", "name", "import", "kernel") or outcome_of(raised) != "crashed":
            return raised
        args, kwargs = self._arguments(question)
        seed_all(question.seed)
        recorder, silent = TorchRecorder(), _Silent()
        try:
            with redirect_stdout(silent), redirect_stderr(silent), self.guard(), recorder:
                self._draws(kernel, args, kwargs, question.draws)
        except BaseException as error:  # whatever the kernel raises
            failure = recorder.failure
            if failure is not None and failure.error is error and self.raised(error).message == raised.message:
                return dataclasses.replace(raised, operation=failure.operation, operands=failure.operands)
        return raised

    def _seek(self, kernel: Callable[..., Any], question: Question) -> Answer:
        """The lines in which what the question seeks happens; those before the exception where the call raises.

        Torch's modes do not see into Triton's kernels.
        """
        if self._launching or launches(kernel):
            return Answer([])
        args, kwargs = self._arguments(question)
        seed_all(question.seed)
        watcher, silent = watching(question.seek, (*args, *kwargs.values()), self.line), _Silent()
        with (
            suppress(BaseException),  # the kernel is judged by another call, which tells what it raises
            redirect_stdout(silent),
            redirect_stderr(silent),
            self.guard(),
            watcher,
        ):
            self._draws(kernel, args, kwargs, question.draws)
        return Answer(list(watcher.lines))

    def _arguments(self, question: Question) -> tuple[list[Any], dict[str, Any]]:
        """The question's arguments as live objects, fresh for each call."""
        args = [thaw(value, self._device) for value in question.args]
        kwargs = {name: thaw(value, self._device) for name, value in question.kwargs.items()}
        for position in question.grads:
            args[position].requires_grad_(True)
        return args, kwargs

    def _draws(self, kernel: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], draws: int) -> Any:
        return [kernel(*args, **kwargs) for _ in range(draws)] if draws else kernel(*args, **kwargs)

    def _gradients(self, result: Any, inputs: list[Any]) -> tuple[Value | None, ...]:
        """The gradients of a fixed weighted sum of all floating tensors in the result; None where none arrives.

        A backward pass that raises gives a Raised in every place.
        """
        try:
            with self._functions_off(), self._dispatch_off(), torch.enable_grad():
                parts = [(leaf * _weights(leaf)).sum() for leaf in _leaves(result)]
                if not parts:
                    return tuple(None for _ in inputs)
                total = parts[0]
                for part in parts[1:]:
                    total = total + part
                found = self._grad(total, inputs, allow_unused=True)
            return tuple(None if grad is None else self._freezer.freeze(grad) for grad in found)
        except Exception as error:  # a custom backward pass can raise anything
            return tuple(self.raised(error) for _ in inputs)

    def wake(self) -> None:
        """Make the device ready, so that its start-up is not charged to the first call."""
        torch.zeros(1, device=self._device)
        if self._synchronize is not None:
            self._synchronize()

    def line(self) -> int:
        """The line of the kernel's file that is being run; 0 when it is none of its."""
        frame: FrameType | None = self._frame(1)
        while frame is not None:
            if frame.f_code.co_filename == self._file:
                return frame.f_lineno
            frame = frame.f_back
        return 0

    def raised(self, error: BaseException) -> Raised:
        """What is kept of an exception; whatever its own methods raise is ignored."""
        try:
            message = error.msg if self._of_parser(error) else str(error)
            message = message if type(message) is str else ""
        except BaseException:  # a hostile __str__
            message = ""
        file, line = self._place(error)
        try:
            summary = self._format(type(error), error, self._own(error.__traceback__))
            summary.stack[:] = [frame for frame in summary.stack if not frame.filename.startswith(_HERE)]
            shown = "".join(summary.format())
        except BaseException:  # the same
            shown = ""
        names = tuple(_class_name(cls) for cls in type.mro(type(error))[:-1])
        return Raised(
            type=names[0],
            classes=names,
            message=message[:MAX_MESSAGE],
            file=file,
            line=line,
            traceback=shown[-MAX_TRACEBACK:],
            operation=operation_of(error.__traceback__, self._file),
            expression=expression_of(error.__traceback__, self._file) if line else "",
        )

    def _own(self, trace: TracebackType | None) -> TracebackType | None:
        """The traceback from the kernel's own file on: the grader's frames tell a learner nothing."""
        while trace is not None and trace.tb_frame.f_code.co_filename != self._file:
            trace = trace.tb_next
        return trace

    def _of_parser(self, error: BaseException) -> TypeGuard[SyntaxError]:
        """A syntax error of the kernel's file. Its `str` ends in "(FILE, line N)", which is told as its place."""
        return isinstance(error, SyntaxError) and error.filename == self._file

    def _place(self, error: BaseException) -> tuple[str, int]:
        """The deepest place of the traceback in the kernel's own file; a syntax error's own place."""
        if self._of_parser(error) and type(error.lineno) is int:
            return self._file, error.lineno
        line = 0
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self._file:
                line = trace.tb_lineno
            trace = trace.tb_next
        return (self._file, line) if line else ("", 0)


class _Silent:
    """A stream that keeps nothing."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        """Nothing is kept, so nothing is flushed."""


def _exceptions() -> dict[int, str]:
    """The exceptions that go by their bare name, by identity: a class of the attempt that calls itself ValueError is
    another one. A metaclass could answer for `==` and `hash`, so the class itself is no key."""
    own: list[Any] = [*vars(builtins).values(), ForbiddenError, torch.OutOfMemoryError, torch.linalg.LinAlgError]
    return {id(cls): cls.__name__ for cls in own if isinstance(cls, type) and issubclass(cls, BaseException)}


_EXCEPTIONS = _exceptions()


def _class_name(cls: type) -> str:
    """A known exception's bare name; any other class's with its module ("solution.ValueError")."""
    name = _EXCEPTIONS.get(id(cls))
    if name is not None:
        return name
    try:
        name = type_name(cls)
    except BaseException:  # a class can make its module's name a trap
        name = type.__dict__["__name__"].__get__(cls)
    return name if "." in name else f"solution.{name}"


def _leaves(result: Any) -> list[Any]:
    """The tensors of an answer that a gradient can flow from, depth first."""
    if isinstance(result, torch.Tensor):
        return [result] if result.requires_grad and result.is_floating_point() else []
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, (list, tuple)):
        return [leaf for item in result for leaf in _leaves(item)]
    return []


def _weights(leaf: Any) -> Any:
    """Weights for the sum whose gradient is compared: distinct, of both signs, and the same on every device."""
    count = torch.arange(leaf.numel(), dtype=torch.float64)
    return torch.cos(count * 0.7 + 0.3).to(leaf.dtype).reshape(leaf.shape).to(leaf.device)


def _uses(watch: Watch, value: Value) -> tuple[ForbiddenUse, ...]:
    """The uses that the watch noted, and one more where the attempt switched it off.

    A call that raised may have left no memory to switch it on again, so that says nothing.
    """
    asleep = watch.switched_off and not isinstance(value, Raised)
    return (*watch.uses, *((ForbiddenUse("torch.utils._python_dispatch", 0, "evasion"),) if asleep else ()))


def _counts(watch: Watch) -> Counts:
    tally = watch.tally
    [((line, operator), _)] = tally.costliest.most_common(1) or [((0, ""), 0)]
    return Counts(
        flops=int(tally.flops),
        largest_tensor=int(tally.largest),
        largest_shape=tally.largest_shape,
        largest_operator=tally.largest_operator,
        largest_line=tally.largest_line,
        calls={name: int(number) for name, number in tally.operators.items()},
        costliest_operator=operator,
        costliest_line=line,
        alive=int(tally.alive),
        alive_line=tally.alive_line,
    )
