"""What a kata's cases.py is written with: cases, equivalents and the peer.

    from llmdrills.grading.authoring import Inputs, call, case, equivalent, misconception, peer

    @case(why="every dimension differs, so nothing broadcasts by luck")
    def base(make: Inputs):
        return call(make.normal(2, 3, 4, 8), make.normal(2, 3, 6, 8), make.normal(2, 3, 6, 5))

    @misconception(
        "no-scale",
        en="Divide the scores by √d_k.",
        zh="…",
        seen="a forum thread",
        fix="scores = Q @ K.mT / math.sqrt(Q.size(-1))",
    )
    def no_scale(Q, K, V, mask=None):
        return masked_softmax(Q @ K.mT, mask) @ V

Each decorator registers its function in the `Registered` that `registering` opened, and returns it unchanged.
Their arguments are literals, because `llmdrills build` reads them by parsing. docs/authoring.md explains a whole kata.

Over 400 lines, because it is the one module that authors import from: cases, domains and the rest stand together.
torch is imported only where a case asks for a tensor: this module itself is light.
"""

from __future__ import annotations

import contextlib
import inspect
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmdrills.content.kata import Same

__all__ = [
    "AuthoringError",
    "Call",
    "Case",
    "CaseMaker",
    "Domain",
    "Draw",
    "Equivalent",
    "Inputs",
    "Misconception",
    "Peer",
    "Registered",
    "Same",
    "by_law",
    "call",
    "case",
    "domain",
    "equivalent",
    "misconception",
    "peer",
    "registering",
    "same",
]

Kernel = Callable[..., Any]


class AuthoringError(ValueError):
    """cases.py says something that cannot be used; the message names the function and what to write."""


@dataclass(frozen=True)
class Call:
    """The arguments of one call of the entry function; with a `law`, what may come of it and how likely each is."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    law: Mapping[Any, float] = field(default_factory=dict)
    draws: int = 0


def call(*args: Any, **kwargs: Any) -> Call:
    """What a case returns: the arguments with which the entry function is called."""
    return Call(args, kwargs)


def by_law(made: Call, law: Mapping[Any, float], draws: int = 0) -> Call:
    """The same call, for a random result that is judged by its law: the reference is not asked.

    `law` maps every result that may come to its probability; what it leaves out never comes. With `draws` the call is
    made so often, and results must also come about as often as the law says. docs/authoring.md gives the chance at
    which a right kernel fails.
    """
    return Call(made.args, made.kwargs, law, draws)


class Inputs:
    """A seeded source of inputs. The same seed and case name give the same inputs on every machine.

    Tensors are made on the CPU. `folder` is a private folder that lives as long as the attempt: a place for files
    (a tiny model) which the learner's process may read.
    """

    def __init__(self, seed: int, name: str, folder: Path) -> None:
        import random

        import torch

        mixed = zlib.crc32(f"{seed}/{name}".encode())
        self.seed, self.name = seed, name
        self.folder = folder
        self.random = random.Random(mixed)  # noqa: S311  # inputs of a test, not secrets
        self._generator = torch.Generator().manual_seed(mixed)

    def others(self) -> Inputs:
        """A source of other values for the same case, with a folder of its own."""
        folder = self.folder / "others"
        folder.mkdir(exist_ok=True)
        return Inputs(self.seed, f"{self.name}/others", folder)

    def normal(self, *shape: int, dtype: Any = None, mean: float = 0.0, std: float = 1.0) -> Any:
        """Normally distributed values; drawn in float32, then cast to `dtype` (float32 unless told)."""
        import torch

        return (torch.randn(*shape, generator=self._generator) * std + mean).to(dtype or torch.float32)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0, dtype: Any = None) -> Any:
        """Values spread evenly over [low, high)."""
        import torch

        return (torch.rand(*shape, generator=self._generator) * (high - low) + low).to(dtype or torch.float32)

    def integers(self, low: int, high: int, *shape: int, dtype: Any = None) -> Any:
        """Whole numbers in [low, high), int64 unless told."""
        import torch

        return torch.randint(low, high, shape, generator=self._generator).to(dtype or torch.int64)

    def boolean(self, *shape: int, true: float = 0.5) -> Any:
        """A bool tensor whose entries are True with probability `true`."""
        import torch

        return torch.rand(*shape, generator=self._generator) < true

    def permutation(self, n: int) -> Any:
        """0 … n−1 in random order."""
        import torch

        return torch.randperm(n, generator=self._generator)

    def size(self, low: int, high: int) -> int:
        """A whole number in [low, high]: the size of a dimension in a fresh case."""
        return self.random.randint(low, high)


class Draw(Inputs):
    """One legal call of a variant, drawn from a seed. What a domain is written with.

    Shapes, options and values come from streams of their own, so that the same shapes can be drawn with other values or
    other options: `pick`, `chance`, `size` and `layout` take from the shapes', `option` and `given` from the options',
    everything else from the values'.
    """

    def __init__(self, seed: int, folder: Path, *, values: int = 0, options: int = 0) -> None:
        super().__init__(seed, f"draw/{values}", folder)
        import random

        self._shapes = random.Random(zlib.crc32(f"{seed}/shapes".encode()))  # noqa: S311  # inputs of a test
        self._options = random.Random(zlib.crc32(f"{seed}/options/{options}".encode()))  # noqa: S311  # the same
        self.marks: dict[str, object] = {}
        self.grads: tuple[int, ...] = ()
        self.rtol: float | None = None
        self.atol: float | None = None

    def pick(self, *choices: Any) -> Any:
        """One of the choices: a size, a dtype, a kind of mask."""
        return choices[self._shapes.randrange(len(choices))]

    def chance(self, probability: float) -> bool:
        """True so often."""
        return self._shapes.random() < probability

    def size(self, low: int, high: int) -> int:
        """A whole number in [low, high]."""
        return self._shapes.randint(low, high)

    def option(self, *choices: Any) -> Any:
        """The value of an option, which another call on the same shapes may choose otherwise."""
        return choices[self._options.randrange(len(choices))]

    def given(self, probability: float) -> bool:
        """Whether an option is given at all."""
        return self._options.random() < probability

    def layout(self, tensor: Any) -> Any:
        """The tensor, perhaps as a view of other storage: transposed twice, or every other number of a longer one."""
        import torch

        kind = self.pick("plain", "plain", "plain", "swapped", "strided")
        if kind == "swapped" and tensor.dim() >= 2:
            return tensor.transpose(-1, -2).contiguous().transpose(-1, -2)
        if kind == "strided" and tensor.dim() >= 1:
            return torch.stack([tensor, tensor], dim=-1)[..., 0]
        return tensor

    def mark(self, name: str, value: object = True) -> None:
        """Say what is special about this draw, where the framework cannot see it; "boundary" says: judge it exactly."""
        self.marks[name] = value

    def gradients(self, *positions: int) -> None:
        """Compare the gradients with respect to these positional arguments too."""
        self.grads = positions

    def within(self, *, rtol: float, atol: float) -> None:
        """Compare by these, as a case with `rtol` and `atol` does: in half types a right kernel may round often."""
        self.rtol, self.atol = rtol, atol


CaseMaker = Callable[[Inputs], Call | tuple[Call, ...]]


@dataclass(frozen=True)
class Domain:
    """A generator of any legal call of the variants. `raises` names the exceptions that may be the right answer."""

    draw: Callable[[Draw], Call]
    line: int
    variants: tuple[str, ...] = ()
    raises: tuple[str, ...] = ()
    sequences: bool = True  # now and then, three calls in a row


@dataclass(frozen=True)
class Case:
    """One input of a kata, and how the answers to it are compared."""

    name: str
    why: str
    make: CaseMaker  # several calls are made in a row, in one process
    line: int
    variants: tuple[str, ...] = ()  # empty: every variant
    raises: str = ""  # the name of the exception that is the right answer
    grads: tuple[int, ...] = ()  # positions of the arguments whose gradients are compared too
    draws: int = 0  # >0: the result is random; the set of distinct results of so many calls is compared
    rtol: float | None = None  # None: by dtype, as docs/grading.md says
    atol: float | None = None
    nan_ok: bool = False  # the contract asks for NaN here; NaNs must stand in the same places
    fresh: bool = False  # sizes come from the seed too; else only the values do
    own_precision: bool = False  # the contract fixes where values are rounded: no float64 oracle, which rounds nothing
    tags: tuple[str, ...] = ()
    derive: bool = True  # on the first case: repeat it with non-contiguous, expanded and grad-requiring inputs
    clauses: tuple[str, ...] = ()  # the clauses of the contract that it grades


@dataclass(frozen=True)
class Misconception:
    """A wrong kernel that people really write, and what to say to whoever wrote it."""

    id: str
    en: str
    zh: str
    seen: str
    kernel: Kernel
    line: int
    fix: str = ""
    variants: tuple[str, ...] = ()
    same_as: str = ""  # another slip that it cannot be told from


@dataclass(frozen=True)
class Equivalent:
    """A differently written right kernel, which must pass."""

    id: str
    why: str
    kernel: Kernel
    line: int
    variants: tuple[str, ...] = ()


@dataclass(frozen=True)
class Peer:
    """An independent library's answer. `skips` maps a case's name to why the library cannot answer it as the contract
    asks."""

    library: str
    kernel: Kernel
    line: int
    skips: dict[str, str]
    variants: tuple[str, ...] = ()


@dataclass
class Registered:
    """Everything that one cases.py registered, in the order written."""

    cases: list[Case] = field(default_factory=list)
    slips: list[Misconception] = field(default_factory=list)
    equivalents: list[Equivalent] = field(default_factory=list)
    peers: list[Peer] = field(default_factory=list)
    domains: list[Domain] = field(default_factory=list)
    sames: list[Same] = field(default_factory=list)


_open: ContextVar[Registered | None] = ContextVar("llmdrills_registered", default=None)


@contextlib.contextmanager
def registering() -> Iterator[Registered]:
    """Collect what the decorators register until the block ends."""
    registered = Registered()
    token = _open.set(registered)
    try:
        yield registered
    finally:
        _open.reset(token)


def _registered() -> Registered:
    # Outside of a grader (in an editor, in a REPL) cases.py still imports: what it registers goes nowhere.
    return _open.get() or Registered()


def _line(function: Callable[..., Any]) -> int:
    line: int = inspect.unwrap(function).__code__.co_firstlineno
    return line


def _slug(text: str, what: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text):
        raise AuthoringError(f"{what} {text!r}: use lower-case words joined by hyphens, as in `ragged-padding`")
    return text


def case(
    name: str | None = None,
    *,
    why: str,
    variants: tuple[str, ...] = (),
    raises: str = "",
    grads: tuple[int, ...] = (),
    draws: int = 0,
    rtol: float | None = None,
    atol: float | None = None,
    nan_ok: bool = False,
    fresh: bool = False,
    tags: tuple[str, ...] = (),
    derive: bool = True,
    clauses: tuple[str, ...] = (),
    own_precision: bool = False,
) -> Callable[[CaseMaker], CaseMaker]:
    """Register a case; its name is the function's, with hyphens, unless given.

    `why` says what it is there to catch, `clauses` which lines of the contract it grades, by their ids. A case that
    returns a tuple of calls has them made in a row in one process, and all results are compared. With `own_precision`
    the right answer is the reference's to the inputs as they are, not to the same inputs in float64: for contracts
    that say where a value is rounded. Choose inputs at which no right kernel rounds otherwise.
    """

    def register(make: CaseMaker) -> CaseMaker:
        slug = _slug(name or make.__name__.strip("_").replace("_", "-"), "the case's name")
        if any(known.name == slug for known in _registered().cases):
            raise AuthoringError(f"two cases are named {slug!r}: give one of them another name")
        _registered().cases.append(
            Case(
                name=slug,
                why=why,
                make=make,
                line=_line(make),
                variants=variants,
                raises=raises,
                grads=grads,
                draws=draws,
                rtol=rtol,
                atol=atol,
                nan_ok=nan_ok,
                fresh=fresh,
                own_precision=own_precision,
                tags=tags,
                derive=derive,
                clauses=clauses,
            )
        )
        return make

    return register


def misconception(
    id: str,  # noqa: A002  # the word of the design
    *,
    en: str,
    zh: str,
    seen: str,
    fix: str = "",
    variants: tuple[str, ...] = (),
    same_as: str = "",
) -> Callable[[Kernel], Kernel]:
    """Register a wrong kernel, whole and readable.

    `en` and `zh` are the one line of feedback, `seen` says where it was met; with `fix`, the right line, it becomes a
    spot-the-bug note.
    """

    def register(kernel: Kernel) -> Kernel:
        _slug(id, "the slip's id")
        if any(
            known.id == id and (not known.variants or not variants or set(known.variants) & set(variants))
            for known in _registered().slips
        ):
            raise AuthoringError(f"two slips are named {id!r}: give one of them another id")
        _registered().slips.append(
            Misconception(
                id=id,
                en=en,
                zh=zh,
                seen=seen,
                kernel=kernel,
                line=_line(kernel),
                fix=fix,
                variants=variants,
                same_as=same_as,
            )
        )
        return kernel

    return register


def equivalent(id: str, *, why: str, variants: tuple[str, ...] = ()) -> Callable[[Kernel], Kernel]:  # noqa: A002  # as above
    """Register a right kernel that is written differently; `why` says what is different."""

    def register(kernel: Kernel) -> Kernel:
        slug = _slug(id, "the equivalent's id")
        _registered().equivalents.append(Equivalent(slug, why, kernel, _line(kernel), variants))
        return kernel

    return register


def peer(
    library: str, *, skips: dict[str, str] | None = None, variants: tuple[str, ...] = ()
) -> Callable[[Kernel], Kernel]:
    """Register an independent library's answer to the same call; `skips` names the cases it cannot answer, and why."""

    def register(kernel: Kernel) -> Kernel:
        _registered().peers.append(Peer(library, kernel, _line(kernel), dict(skips or {}), variants))
        return kernel

    return register


def domain(
    *, variants: tuple[str, ...] = (), raises: tuple[str, ...] = (), sequences: bool = True
) -> Callable[[Callable[[Draw], Call]], Callable[[Draw], Call]]:
    """Register the domain of the variants: a function from a Draw to any call that their contract allows."""

    def register(draw: Callable[[Draw], Call]) -> Callable[[Draw], Call]:
        for known in _registered().domains:
            if not known.variants or not variants or set(known.variants) & set(variants):
                raise AuthoringError("two domains are for the same variant: say in each for which `variants` it is")
        _registered().domains.append(Domain(draw, _line(draw), variants, raises, sequences))
        return draw

    return register


def same(*edits: str, why: str, variants: tuple[str, ...] = ()) -> None:
    """Say that these edits of the reference, as `check --holes` words them, change no legal answer; `why` says why."""
    _registered().sames.extend(Same(edit, why, variants) for edit in edits)
