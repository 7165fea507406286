"""Launches of kernels, run by the interpreter while they are watched.

Takes the place of the interpreter's own loop over the grid: arguments are not copied, since they are on the CPU; every
helper of the language is replaced once a launch; and what goes wrong becomes an event.
"""

from __future__ import annotations

import inspect
import itertools
import linecache
import warnings
from collections.abc import Callable, Mapping
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np
import triton.language as tl
import triton.runtime.interpreter as interpreter
from triton.language.extra import libdevice
from triton.runtime.autotuner import Autotuner

from llmdrills.grading.engines.triton.compiling import Compiler
from llmdrills.grading.engines.triton.device_math import functions
from llmdrills.grading.engines.triton.faults import cause, classify, words
from llmdrills.grading.engines.triton.memory import Memory
from llmdrills.grading.engines.triton.places import line_of_error
from llmdrills.grading.engines.triton.report import Event, Fact
from llmdrills.grading.engines.triton.watch import Watch, current

__all__ = ["install_launching"]

_NEEDED = {"interpreter_semantic", "_InterpreterComparison"}
"""What the interpreter's rewritten functions refer to."""
_LIBDEVICE = functions(libdevice)
MOST_ON_AXIS = 65_535
"""Programs on the second and on the third axis of a grid: CUDA takes no more."""


def install_launching(compiler: Compiler) -> None:
    """Take over what `kernel[grid](...)` and a call of a helper do; to be called once in a process."""
    convert = interpreter._implicit_cvt

    def run(self: Any, *args: Any, grid: Any, warmup: bool = False, **kwargs: Any) -> None:
        watch = current()
        if watch is None:
            raise RuntimeError(
                f"`{self.fn.__name__}` is launched while the file is imported: launch kernels only in functions"
            )
        if not warmup:
            _Launch(watch, self, compiler, convert).run(args, kwargs, grid)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        watch = current()
        if watch is not None and watch.program is None:
            if watch.file is None:
                watch.files.add(self.fn.__code__.co_filename)
            facts: dict[str, Fact] = {"how": "called"}
            raise watch.stop(Event("no-grid", watch.line(), self.fn.__name__, None, facts))
        return _rewritten(self)(*args, **kwargs)

    def tuned(self: Any, *args: Any, **kwargs: Any) -> Any:
        """The first configuration: there is nothing to measure here."""
        configs, self.nargs = self.configs, dict(zip(self.arg_names, args, strict=False))
        self.configs = list(self.prune_configs(kwargs) or configs)[:1]
        try:
            return tune(self, *args, **kwargs)
        finally:
            self.configs = configs

    def compile_and_exec(self: Any, tree: Any) -> Any:
        """Without the names that the interpreter leaves in the attempt's module: they would hide a missing import."""
        names = self.fn.__globals__
        before = set(names)
        made = compiled(self, tree)
        for name in set(names) - before - _NEEDED:
            del names[name]
        return made

    compiled = interpreter.FunctionRewriter._compile_and_exec
    interpreter.FunctionRewriter._compile_and_exec = compile_and_exec
    tune = Autotuner.run
    interpreter.InterpretedFunction.run = run
    interpreter.InterpretedFunction.__call__ = call
    Autotuner.run = tuned


class _Launch:
    """One launch."""

    def __init__(self, watch: Watch, kernel: Any, compiler: Compiler, convert: Callable[[Any], Any]) -> None:
        self._watch = watch
        self._kernel = kernel
        self._compiler = compiler
        self._convert = convert

    def run(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], grid: Any) -> None:
        """Bind, compile, and run each program of the grid; raises KernelStoppedError, and TypeError of Python's."""
        watch, kernel = self._watch, self._kernel
        if watch.file is None:
            watch.files.add(kernel.fn.__code__.co_filename)
        spec = inspect.getfullargspec(kernel.fn)
        names = (*spec.args, *spec.kwonlyargs)
        options = {name: value for name, value in kwargs.items() if name not in names}
        bound = inspect.getcallargs(kernel.fn, *args, **{name: kwargs[name] for name in names if name in kwargs})
        refused = self._compiler.gate(kernel, bound, options)
        if refused is not None:
            raise watch.stop(refused)
        for hook in getattr(kernel, "pre_run_hooks", ()):
            hook(*args, **kwargs)
        axes = self._grid(grid, bound)
        watch.launches += 1
        with watch.launched(kernel.fn.__name__):
            if min(axes) > 0:  # CUDA launches nothing where an axis is empty
                self._programs(bound, axes)

    def _grid(self, grid: Any, bound: Mapping[str, Any]) -> tuple[int, int, int]:
        """The three axes; stops the call where they are no grid, or more than can be run here."""
        if callable(grid):
            grid = grid(dict(bound))
        how = ""
        if not isinstance(grid, (tuple, list)):
            how = "not-a-tuple"
        elif not 1 <= len(grid) <= 3:
            how = "too-many-axes"
        elif not all(isinstance(one, (int, np.integer)) for one in grid):
            how = "not-integers"
        if how:
            raise self._stop("no-grid", {"how": how, "grid": str(grid)[:80]})
        x, y, z = (*(int(one) for one in grid), 1, 1)[:3]
        programs = max(0, x) * max(0, y) * max(0, z)
        if programs > self._watch.limits.programs or max(y, z) > MOST_ON_AXIS:
            limit = self._watch.limits.programs if max(y, z) <= MOST_ON_AXIS else MOST_ON_AXIS
            raise self._stop("too-large-grid", {"grid": (x, y, z), "programs": programs, "limit": limit})
        return x, y, z

    def _stop(self, kind: Any, facts: Mapping[str, Fact]) -> BaseException:
        return self._watch.stop(Event(kind, self._watch.line(), self._kernel.fn.__name__, None, facts))

    def _programs(self, bound: Mapping[str, Any], axes: tuple[int, int, int]) -> None:
        watch, builder = self._watch, interpreter.interpreter_builder
        function = _rewritten(self._kernel)
        memory = Memory(watch, watch.given, axes)
        scope = _replace_language()
        try:
            given = self._converted(bound, memory)
            watch.memory = memory
            builder.set_grid_dim(*axes)
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for program in itertools.product(*map(range, axes)):
                    builder.set_grid_idx(*program)
                    memory.order.begin()
                    watch.programs += 1
                    watch.program = program
                    watch.check_work()
                    function(**given)
        except Exception as error:
            raise watch.stop(self._fault(error, bound)) from None
        finally:
            watch.memory = None
            scope.restore()

    def _converted(self, bound: Mapping[str, Any], memory: Memory) -> dict[str, Any]:
        """The arguments as a kernel sees them: tensors as pointers that carry the number of their parameter."""
        constants = interpreter.GridExecutor(self._kernel.fn, self._kernel.arg_names, None).constexprs
        path: list[str] = []

        def convert(argument: Any) -> Any:
            if isinstance(argument, tuple):
                parts = []
                for number, part in enumerate(argument):
                    path.append(f"[{number}]")
                    parts.append(convert(part))
                    path.pop()
                return interpreter._tuple_create(argument, parts)
            if isinstance(argument, bool):  # triton 3.6 takes it for an int of one bit
                return tl.tensor(interpreter.TensorHandle(np.array([argument]), tl.int1), tl.int1)
            if isinstance(argument, float):  # the interpreter leaves it one of Python's, without `to` and a type
                return tl.tensor(interpreter.TensorHandle(np.array([argument], np.float32), tl.float32), tl.float32)
            made = self._convert(argument)
            if hasattr(argument, "data_ptr") and isinstance(made, tl.tensor):
                tag = memory.tag("".join(path), interpreter._unwrap_tensor(argument))
                made.handle.data = made.handle.data | tag
            return made

        interpreter._implicit_cvt = convert  # it calls itself for the parts of a descriptor
        try:
            given = {}
            for name, value in bound.items():
                path = [name]
                given[name] = value if name in constants else convert(value)
            return given
        finally:
            interpreter._implicit_cvt = self._convert

    def _fault(self, error: Exception, bound: Mapping[str, Any]) -> Event:
        """What the kernel raised, as an event; the compile gate let it pass."""
        began = cause(error)
        line = line_of_error(began, self._watch.files) or line_of_error(error, self._watch.files)
        text = linecache.getline(self._kernel.fn.__code__.co_filename, line or 0)
        message = words(began)
        kind, facts = classify("interpreter", message, text, [name for name, one in bound.items() if one is None])
        if kind == "interpreter":
            facts = {"type": type(began).__name__, "message": message}
        return Event(kind, line, self._watch.kernel, self._watch.program, facts)


def _rewritten(function: Any) -> Any:
    """What the interpreter runs for a `@triton.jit` function; one made inside a function sees what that one holds."""
    made = function.rewrite()
    if function.fn.__closure__ is None:
        return made
    held = inspect.getclosurevars(function.fn).nonlocals
    again = FunctionType(made.__code__, made.__globals__ | held, made.__name__, made.__defaults__)
    again.__kwdefaults__ = made.__kwdefaults__
    return again


def _replace_language() -> Any:
    """The interpreter's functions in the places of the language's, in all its modules; `restore` takes them back.

    The interpreter does it for the module that a kernel names, and again for each call of a helper, and leaves it so.
    """
    both = SimpleNamespace(__globals__={"tl": tl, "core": tl.core})
    scope = interpreter._patch_lang(both)
    # `int` of an array with axes is refused by numpy >= 2.4, which triton 3.6 does not know.
    scope.set_attr(tl.tensor, "__index__", lambda self: int(np.ravel(self.handle.data)[0]))
    for name, function in _LIBDEVICE.items():
        scope.set_attr(libdevice, name, function)
    return scope
