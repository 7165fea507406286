"""A kata as the oracle holds it: its references, its slips as kernels, and everything that cases.py registered.

Where another engine than torch runs attempts, solution.py is loaded beside the reference, and what launches kernels is
marked: it runs under that engine's watch.

Only the oracle and the checker load katas: this runs the author's Python. Every fault of an author becomes a Problem
with file and line; a kata's modules are private to it, although every kata calls its own `reference`.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import inspect
import itertools
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from llmdrills.content.model import Kata, Variant
from llmdrills.errors import ContentError, MissingExtraError, Problem
from llmdrills.grading.authoring import (
    AuthoringError,
    Case,
    Domain,
    Equivalent,
    Inputs,
    Kernel,
    Misconception,
    Peer,
    Registered,
    Same,
    registering,
)
from llmdrills.grading.engines import triton
from llmdrills.grading.kernels.derived_cases import derived_cases
from llmdrills.grading.kernels.launches import marked
from llmdrills.grading.kernels.slips import WrongKernel, compiled, joined

__all__ = ["SOLUTION", "LoadedKata", "VariantKernels", "load", "reference_of"]

SOLUTION = "solution"
"""The id under which the solution is a right kernel, where it is not the reference itself."""


@dataclass(frozen=True)
class VariantKernels:
    """What one variant is graded by: its reference, and its cases, wrong kernels, equivalents and peers in the order
    written.

    `make_wrong` compiles the wrong kernels: what passes needs none, and they take longer than all the rest.
    """

    variant: Variant
    reference: Kernel
    solution: Kernel  # the reference, unless another engine than torch runs attempts
    cases: tuple[Case, ...]
    make_wrong: Callable[[], Iterable[WrongKernel]]
    equivalents: tuple[Equivalent, ...]
    peers: tuple[Peer, ...]
    domain: Domain | None = None
    sames: tuple[Same, ...] = ()

    @functools.cached_property
    def wrong(self) -> tuple[WrongKernel, ...]:
        """The wrong kernels. Raises ContentError when the text of one does not run."""
        return tuple(self.make_wrong())


@dataclass
class LoadedKata:
    """A kata whose code has been run.

    `registered` holds what cases.py registered; `variant()` is what one variant is graded by.
    """

    kata: Kata
    references: dict[str, Kernel]
    solutions: dict[str, Kernel]
    registered: Registered
    _modules: dict[str, ModuleType] = field(default_factory=dict)
    _variants: dict[str, VariantKernels] = field(default_factory=dict)

    def variant(self, id: str) -> VariantKernels:  # noqa: A002  # the word of the design
        """Everything that is registered for the variant, with the cases derived from its first and the other
        variants' references.

        Raises ContentError when the kata has no such variant.
        """
        if id not in self._variants:
            self._variants[id] = self._variant(id)
        return self._variants[id]

    def _variant(self, id: str) -> VariantKernels:  # noqa: A002  # as above
        variant = self.kata.variant(id)
        if variant is None:
            todo = f"use one of {', '.join(v.id for v in self.kata.variants)}"
            raise ContentError([Problem(self.kata.folder / "kata.yaml", 1, 1, f"there is no variant {id!r}", todo)])
        cases = [case for case in self.registered.cases if not case.variants or id in case.variants]
        return VariantKernels(
            variant=variant,
            reference=self.references[id],
            solution=self.solutions[id],
            cases=(*cases, *derived_cases(cases)),
            make_wrong=lambda: itertools.chain(self._slips(id), self._others(variant)),
            equivalents=(
                *self._solution(id),
                *(e for e in self.registered.equivalents if not e.variants or id in e.variants),
            ),
            peers=tuple(p for p in self.registered.peers if not p.variants or id in p.variants),
            domain=next((d for d in self.registered.domains if not d.variants or id in d.variants), None),
            sames=tuple(s for s in (*self.kata.same, *self.registered.sames) if not s.variants or id in s.variants),
        )

    @contextlib.contextmanager
    def importable(self) -> Iterator[None]:
        """While a kernel runs, `import reference` inside it finds this kata's."""
        own = {name: module for name, module in self._modules.items() if name != "cases"}
        before = {name: sys.modules.get(name) for name in own}
        sys.modules.update(own)
        try:
            yield
        finally:
            for name, module in before.items():
                if module is None:
                    sys.modules.pop(name, None)
                else:
                    sys.modules[name] = module

    def on_cards(self, folder: Path) -> dict[str, Any]:
        """The names that `on_cards(make)` of cases.py gives to inputs which the call of a card cannot write out.

        `folder` is where it may put files. Raises whatever it raises.
        """
        named = getattr(self._modules["cases"], "on_cards", None)
        return dict(named(Inputs(0, "cards", folder))) if named is not None else {}

    def both(self, variant: str, one: str, other: str) -> Kernel | None:
        """What two slips make at once; None where they edit different kernels, or the same lines."""
        slips = {slip.id: slip for slip in self.kata.slips if slip.belongs_to(variant)}
        if one not in slips or other not in slips:
            return None
        return joined(self.kata, slips[one], slips[other], variant, self._own_modules())

    def _solution(self, id: str) -> Iterator[Equivalent]:  # noqa: A002  # as above
        """The solution as a right kernel that must pass, where it is not the reference itself."""
        kernel = self.solutions[id]
        if kernel is not self.references[id]:
            yield Equivalent(SOLUTION, "what a learner is shown", kernel, kernel.__code__.co_firstlineno)

    def _own_modules(self) -> list[ModuleType]:
        return [self._modules[name] for name in ("cases", "reference", "solution") if name in self._modules]

    def least_bytes(self, *args: Any, **kwargs: Any) -> int | None:
        """What `least_bytes` of cases.py says that any right kernel moves for this call; None where it says nothing.

        Raises whatever it raises.
        """
        said = getattr(self._modules["cases"], "least_bytes", None)
        return None if said is None else int(said(*args, **kwargs))

    def _slips(self, variant: str) -> Iterator[WrongKernel]:
        modules = self._own_modules()
        decorated = iter(m for m in self.registered.slips if not m.variants or variant in m.variants)
        for slip in self.kata.slips:
            if slip.decorated and slip.belongs_to(variant):
                found = next(decorated)  # registered in the order in which parsing found them
                yield WrongKernel(found.id, found.kernel, self.kata.cases_file, found.line, found.same_as)
            elif slip.belongs_to(variant):
                yield compiled(self.kata, slip, variant, modules)
        for found in decorated:  # a kata that was loaded without its slips, as a test may do
            yield WrongKernel(found.id, found.kernel, self.kata.cases_file, found.line, found.same_as)

    def _others(self, variant: Variant) -> Iterator[WrongKernel]:
        """The other variants' references, unless one asks for less of the same."""
        taken = {slip.id for slip in self.kata.slips} | {m.id for m in self.registered.slips}
        for other in self.kata.variants:
            name = f"variant-{other.id}"
            told = other.mistaken is not None and not (other.weaker_than or variant.weaker_than)
            if other.id != variant.id and told and name not in taken:
                kernel = self.solutions[other.id]
                yield WrongKernel(name, kernel, self.kata.solution_file, kernel.__code__.co_firstlineno)


_OWN = ("reference", "solution", "cases")
"""The kata's own modules, which each kata calls by the same names."""


def load(kata: Kata) -> LoadedKata:
    """Run reference.py, solution.py where there is one, and cases.py.

    Raises ContentError with every problem found, and MissingExtraError where the kata's engine is not installed.
    """
    if kata.engine == "triton":
        if not triton.available():
            raise MissingExtraError("triton")
        triton.prepare()
    modules: dict[str, ModuleType] = {}
    reference = _run(kata, kata.reference_file, "reference", modules)
    references, problems = _references(kata, reference, kata.reference_file)
    solutions = references
    if kata.engine != "torch":
        solutions, more = _references(kata, _run(kata, kata.solution_file, "solution", modules), kata.solution_file)
        problems += more
    with registering() as registered:
        _run(kata, kata.cases_file, "cases", modules)
    if kata.engine != "torch":
        for kernel in (*solutions.values(), *(one.kernel for one in registered.equivalents)):
            marked(kernel, kata.engine)
    loaded = LoadedKata(kata, references, solutions, registered, modules)
    problems += list(_problems(loaded))
    if problems:
        raise ContentError(problems)
    return loaded


def reference_of(kata: Kata, variant: str) -> Kernel:
    """The reference of one variant, from reference.py alone. Raises ContentError with every problem found."""
    references, problems = _references(kata, _run(kata, kata.reference_file, "reference", {}), kata.reference_file)
    if variant not in references:
        problems = problems or [Problem(kata.folder / "kata.yaml", 1, 1, f"there is no variant {variant!r}", "add it")]
    if problems:
        raise ContentError(problems)
    return references[variant]


def _run(kata: Kata, file: Path, name: str, modules: dict[str, ModuleType]) -> ModuleType:
    """Run one file of the kata as module `name`, with the kata's earlier modules importable and its folder first on
    the path."""
    try:
        source = file.read_text("utf-8")
        code = compile(source, str(file), "exec", dont_inherit=True)
    except FileNotFoundError:
        todo = "the page “Writing a kata” of the documentation shows what it holds"
        raise ContentError([Problem(file, 1, 1, "the file is missing", todo)]) from None
    except (SyntaxError, ValueError) as error:
        line, column = (getattr(error, "lineno", 1) or 1), (getattr(error, "offset", 1) or 1)
        raise ContentError(
            [Problem(file, line, max(column, 1), f"this is not Python: {error}", "fix the syntax")]
        ) from None
    module = ModuleType(name)
    module.__file__ = str(file)
    # No bytecode: a workspace is under version control, and may be read-only.
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    known, path = dict(sys.modules), list(sys.path)
    for own in _OWN:
        sys.modules.pop(own, None)
    sys.modules.update(modules)
    sys.modules[name] = module
    sys.path.insert(0, str(kata.folder))
    try:
        exec(code, module.__dict__)  # noqa: S102  # running the author's file is what loading means
    except Exception as error:  # whatever an author's file raises is reported as their problem
        raise ContentError([_raised(error, file)]) from error
    finally:
        sys.dont_write_bytecode = written
        sys.path[:] = path
        for other, loaded in list(sys.modules.items()):
            if other not in known and _inside(loaded, kata.folder):
                del sys.modules[other]
        for own in _OWN:
            if own in known:
                sys.modules[own] = known[own]
            else:
                sys.modules.pop(own, None)
    modules[name] = module
    return module


def _inside(module: ModuleType, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).is_relative_to(folder)


def _raised(error: BaseException, file: Path) -> Problem:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == file]
    line = (frames[-1].lineno if frames else 1) or 1
    if isinstance(error, AuthoringError):
        what, _, todo = str(error).partition(": ")
        return Problem(file, line, 1, what, todo)
    if isinstance(error, ModuleNotFoundError):
        return Problem(
            file,
            line,
            1,
            f"it imports {error.name}, which is not here",
            "install it, or name it under `needs` in kata.yaml",
        )
    return Problem(file, line, 1, f"importing it raises {type(error).__name__}: {error}", "fix this line")


def _references(kata: Kata, module: ModuleType, file: Path) -> tuple[dict[str, Kernel], list[Problem]]:
    found: dict[str, Kernel] = {}
    problems: list[Problem] = []
    for variant in kata.variants:
        kernel = getattr(module, variant.reference, None)
        if not inspect.isfunction(kernel):
            what = f"variant {variant.id} names {variant.reference}, which is not a function here"
            todo = f"write `def {variant.reference}(…)`, or fix `reference` in kata.yaml"
            problems.append(Problem(file, 1, 1, what, todo))
        else:
            found[variant.id] = kernel
    shapes = {str(_bare(kernel)): kernel for kernel in found.values()}
    if len(shapes) > 1:
        for shape, kernel in list(shapes.items())[1:]:
            first = next(iter(shapes))
            problems.append(
                _at(
                    file,
                    kernel,
                    f"{kernel.__name__}{shape} differs from {first}",
                    "give every variant the same signature",
                )
            )
    return found, problems


def _bare(kernel: Kernel) -> inspect.Signature:
    """The signature without annotations."""
    signature = inspect.signature(kernel)
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return signature.replace(parameters=plain, return_annotation=inspect.Signature.empty)


def _at(file: Path, function: Callable[..., Any], what: str, todo: str) -> Problem:
    return Problem(file, inspect.unwrap(function).__code__.co_firstlineno, 1, what, todo)


def _problems(loaded: LoadedKata) -> Iterator[Problem]:
    file = loaded.kata.cases_file
    for line, what, todo in (*_names(loaded), *_signatures(loaded)):
        yield Problem(file, line, 1, what, todo)
    cases = {case.name for case in loaded.registered.cases}
    for budget in loaded.kata.budgets:
        if budget.case not in cases:
            what = f"a budget names the case {budget.case!r}, which cases.py lacks"
            yield Problem(loaded.kata.folder / "kata.yaml", 1, 1, what, f"use one of {', '.join(sorted(cases))}")


def _names(loaded: LoadedKata) -> Iterator[tuple[int, str, str]]:
    """Names in cases.py that stand for nothing, as (line, what, todo)."""
    registered = loaded.registered
    variants = {variant.id for variant in loaded.kata.variants}
    everything: list[Case | Misconception | Equivalent | Peer | Domain] = [
        *registered.cases, *registered.slips, *registered.equivalents, *registered.peers, *registered.domains
    ]  # fmt: skip
    for item in everything:
        for name in set(item.variants) - variants:
            yield item.line, f"there is no variant {name!r}", f"use one of {', '.join(sorted(variants))}"
    for variant in sorted(variants):
        if not any(not case.variants or variant in case.variants for case in registered.cases):
            yield 1, f"variant {variant} has no case", "write one with @case"
    for domain in registered.domains:
        for name in domain.raises:
            if not _is_exception(name):
                yield domain.line, f"raises names {name!r}, which is no built-in exception", 'write "ValueError", say'
    for case in registered.cases:
        if case.raises and not _is_exception(case.raises):
            yield case.line, f"raises={case.raises!r} is no built-in exception", 'write for example raises="ValueError"'
    cases = {case.name for case in registered.cases}
    for peer in registered.peers:
        for name in peer.skips:
            if name not in cases and not any(name.startswith(f"{case}-") for case in cases):
                yield peer.line, f"skips names {name!r}, which is no case", f"use one of {', '.join(sorted(cases))}"


def _signatures(loaded: LoadedKata) -> Iterator[tuple[int, str, str]]:
    """Kernels that take other arguments than the entry function, as (line, what, todo)."""
    if not loaded.references:
        return
    names = list(inspect.signature(next(iter(loaded.references.values()))).parameters)
    registered = loaded.registered
    kernels: list[Misconception | Equivalent | Peer] = [
        *registered.slips, *registered.equivalents, *registered.peers
    ]  # fmt: skip
    for item in kernels:
        own = list(inspect.signature(item.kernel).parameters)
        if own != names:
            what = f"{item.kernel.__name__}({', '.join(own)}) takes other arguments than the entry function"
            yield item.line, what, f"write ({', '.join(names)}), with the same defaults"


def _is_exception(name: str) -> bool:
    found = getattr(builtins, name, None)
    return isinstance(found, type) and issubclass(found, Exception)
