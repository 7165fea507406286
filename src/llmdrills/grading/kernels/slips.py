"""Slips as kernels that run: the text that `content.slips` made, compiled among the names of the kata's own files."""

from __future__ import annotations
import __future__

import dataclasses
import linecache
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from llmdrills.content.model import Kata, Slip
from llmdrills.errors import ContentError, Problem
from llmdrills.grading.authoring import Kernel
from llmdrills.grading.kernels.launches import marked

__all__ = ["WrongKernel", "compiled", "joined", "known_by_name"]


@dataclass(frozen=True)
class WrongKernel:
    """A kernel that must fail: a slip in one variant, or the reference of another variant. `file` and `line` say where
    an author finds it."""

    id: str
    kernel: Kernel
    file: Path
    line: int
    same_as: str = ""
    proof: str = ""


def compiled(kata: Kata, slip: Slip, variant: str, modules: list[ModuleType]) -> WrongKernel:
    """The slip as it runs in that variant. It sees the names of `modules`, the later ones first.

    Raises ContentError when its text does not run.
    """
    names: dict[str, object] = {}
    for module in modules:
        names.update(module.__dict__)
    name = slip.names[variant]
    called = f"<slip {slip.id}>"
    known_by_name(called, slip.texts[variant])
    file = kata.cases_file if slip.decorated else kata.slips_file
    try:
        # Annotations are left as text, as in the kata's own files: nothing here depends on them.
        code = compile(
            slip.texts[variant],
            called,
            "exec",
            flags=__future__.annotations.compiler_flag,
            dont_inherit=True,
        )
        exec(code, names)  # noqa: S102  # an author's own kernel, as reference.py and cases.py are
        kernel = names[name]
    except Exception as error:  # whatever its module level raises is reported as the author's problem
        what = f"the kernel of slip {slip.id} does not load: {type(error).__name__}: {error}"
        raise ContentError([Problem(file, slip.position.line, 1, what, "fix the edit")]) from error
    if not callable(kernel):
        what = f"slip {slip.id} makes {name} something that cannot be called"
        raise ContentError([Problem(file, slip.position.line, 1, what, "fix the edit")])
    if kata.engine == "triton":
        marked(kernel, kata.engine)
    return WrongKernel(
        id=slip.id, kernel=kernel, file=file, line=slip.position.line, same_as=slip.same_as, proof=slip.proof
    )


def known_by_name(name: str, text: str) -> None:
    """Let a text that stands in no file be read by its name: Triton reads a kernel's own text."""
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)


def joined(kata: Kata, one: Slip, other: Slip, variant: str, modules: list[ModuleType]) -> Kernel | None:
    """Both mistakes in one kernel; None where they edit different right kernels, or touch the same lines."""
    from llmdrills.content.slips import EditError, apply  # here: only a failing attempt needs it, and it reads YAML

    if not one.of or one.of != other.of:
        return None
    text = one.texts[variant]
    try:
        text = apply(text, other.edits)
        both = dataclasses.replace(one, texts={variant: text})
        return compiled(kata, both, variant, modules).kernel
    except (EditError, ContentError):
        return None  # the lines of one are not there any more after the other
