"""The compile gate: Triton's own front end, in a process whose triton is there to interpret.

The interpreter takes much that a GPU's compiler refuses (`break`, lists, a branch on a block, a `tl.dot` of four
columns). So each kernel is lowered to Triton's IR for sm_80 as a launch would do it, once for each signature, which
takes about 15 ms. It is not compiled further: registers and shared memory are not looked at.
"""

from __future__ import annotations

import inspect
import linecache
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import triton.language as tl
from triton._C.libtriton import ir
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.compiler.compiler import make_backend
from triton.compiler.errors import CompilationError
from triton.runtime.interpreter import InterpretedFunction
from triton.runtime.jit import JITFunction, create_function_from_signature

from llmdrills.grading.engines.triton.faults import cause, classify, words
from llmdrills.grading.engines.triton.report import Event
from llmdrills.grading.engines.triton.watch import current

__all__ = ["Compiler"]

TARGET = GPUTarget("cuda", 80, 32)


class Compiler:
    """The front end, and which kernels have been through it. One in a process, made before the first launch."""

    def __init__(self) -> None:
        self._backend = make_backend(TARGET)
        self._natives: dict[Any, Any] = {}
        self._binders: dict[Any, Any] = {}
        self._verdicts: dict[tuple[Any, str], Event | None] = {}
        self._library = list(_library())

    def gate(self, kernel: Any, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> Event | None:
        """What the front end has against launching `kernel` so; None where it compiles.

        `arguments` are by parameter, `options` what else a launch was given. The answer is remembered by signature.
        """
        try:
            native = self._as_native(kernel)
        except ValueError as error:  # it has no source text: made by `exec`, say
            watch = current()
            facts = {"message": words(error), "source": ""}
            return Event("does-not-compile", None if watch is None else watch.line(), kernel.fn.__name__, None, facts)
        given = {name: self._value(value) for name, value in arguments.items()}
        chosen = {"debug": False, **options}
        bound, specialization, _ = self._binder(kernel)(**given, **chosen)
        key = (kernel, f"{[_short(one) for one in specialization]} {sorted(options.items())}")
        if key not in self._verdicts:
            with self._native(kernel):
                self._verdicts[key] = self._compile(native, bound, specialization, chosen)
        return self._verdicts[key]

    def _compile(
        self, native: Any, bound: Mapping[str, Any], specialization: Any, options: Mapping[str, Any]
    ) -> Event | None:
        nones = [name for name, value in bound.items() if value is None]
        try:
            parsed, signature, constants, attributes = native._pack_args(
                self._backend, dict(options), bound, specialization, {}
            )
            source = ASTSource(native, signature, constants, attributes)
            context = ir.context()
            ir.load_dialects(context)
            self._backend.load_dialects(context)
            functions = self._backend.get_codegen_implementation(parsed)
            source.make_ir(TARGET, parsed, functions, self._backend.get_module_map(), context)
            _ = native.cache_key  # finds what a kernel may not refer to, as a compilation does before anything else
        except Exception as error:  # whatever it is, the compiler says it
            return self._event(native, error, nones)
        return None

    def _event(self, native: Any, error: Exception, nones: list[str]) -> Event:
        line, text = self._place(native, error)
        message = words(cause(error))
        kind, facts = classify("does-not-compile", message, text, nones)
        if kind == "does-not-compile":
            facts = {"message": message, "source": text.strip()}
        return Event(kind, line, native.fn.__name__, None, facts)

    def _place(self, native: Any, error: BaseException | None) -> tuple[int | None, str]:
        """The innermost line of the attempt's that the compiler names, and its text."""
        by_source = {one.src: one for one in self._natives.values()}
        line: int | None = None
        while error is not None:
            where: Any = by_source.get(error.src) if isinstance(error, CompilationError) else None
            at = getattr(getattr(error, "node", None), "lineno", None)
            if where is not None and at and where.fn.__code__.co_filename == native.fn.__code__.co_filename:
                line = _first_line(where) + at - 1
            error = error.__cause__ or error.__context__
        if line is None:
            watch = current()
            line = None if watch is None else watch.line()
        return line, "" if line is None else linecache.getline(native.fn.__code__.co_filename, line)

    def _binder(self, kernel: Any) -> Any:
        if kernel not in self._binders:
            native = self._as_native(kernel)  # its hash would be that of its text and of all that it refers to
            self._binders[kernel] = create_function_from_signature(native.signature, native.params, self._backend)
        return self._binders[kernel]

    def _as_native(self, kernel: Any) -> Any:
        if kernel not in self._natives:
            wanted = {name: value for name, value in kernel.kwargs.items() if value is not None}
            self._natives[kernel] = JITFunction(kernel.fn, **wanted)
        return self._natives[kernel]

    def _value(self, value: Any) -> Any:
        """An argument as a launch for a GPU gets it."""
        if isinstance(value, InterpretedFunction):
            return self._as_native(value)
        if type(value) is tuple:
            return tuple(self._value(one) for one in value)
        if isinstance(value, tl.constexpr):
            return value.value
        return value

    @contextmanager
    def _native(self, kernel: Any) -> Iterator[None]:
        """Inside, every `@triton.jit` function that the kernel can reach is one for the compiler."""
        changed = [(place, name, now, self._as_native(value)) for place, name, now, value in self._library]
        seen: set[int] = set()
        waiting = [kernel]
        while waiting:
            function = waiting.pop().fn
            if id(function) in seen:
                continue
            seen.add(id(function))
            for place, name, value in _references(function):
                if isinstance(value, InterpretedFunction):
                    changed.append((place, name, value, self._as_native(value)))
                    waiting.append(value)
        try:
            for place, name, _, native in changed:
                _put(place, name, native)
            yield
        finally:
            for place, name, value, _ in changed:
                _put(place, name, value)


def _library() -> Iterator[tuple[Any, str, Any, Any]]:
    """The language's own `@triton.jit` functions: where each stands, under which name, what stands there, itself."""
    for where, module in list(sys.modules.items()):
        if where == "triton.language" or where.startswith("triton.language."):
            for name, value in list(vars(module).items()):
                if isinstance(value, InterpretedFunction):
                    yield vars(module), name, value, value
    for name, value in list(vars(tl.tensor).items()):  # `x.sum()` goes through a function around it
        for cell in getattr(value, "__closure__", None) or ():
            if isinstance(cell.cell_contents, InterpretedFunction):
                yield tl.tensor, name, value, cell.cell_contents


def _references(function: FunctionType) -> Iterator[tuple[Any, str, Any]]:
    """The functions around one: its module's globals and what it encloses, each with where it can be replaced."""
    for name, value in list(function.__globals__.items()):
        yield function.__globals__, name, value
    for cell in function.__closure__ or ():
        try:
            yield cell, "cell_contents", cell.cell_contents
        except ValueError:  # a name that is not assigned yet
            continue


def _put(place: Any, name: str, value: Any) -> None:
    if isinstance(place, dict):
        place[name] = value
    else:
        setattr(place, name, value)


def _short(one: Any) -> str:
    """What of a parameter's specialization matters to the front end: not how well a pointer is aligned."""
    if isinstance(one, tuple) and len(one) == 2 and one[0] != "constexpr" and isinstance(one[0], str):
        return one[0]
    return repr(one)


def _first_line(native: Any) -> int:
    """The line of `def` in its file."""
    lines, start = inspect.getsourcelines(native.fn)
    return start + next((at for at, line in enumerate(lines) if line.lstrip().startswith("def ")), 0)
