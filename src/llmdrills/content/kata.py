"""The data of a loaded kata. Notes are in another module, because the daily command starts without them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmdrills.language import Bilingual

__all__ = [
    "TOPICS",
    "Budget",
    "Card",
    "Clause",
    "Edit",
    "Engine",
    "Forbidden",
    "Kata",
    "Position",
    "Slip",
    "Source",
    "Stage",
    "Stages",
    "Starter",
    "Variant",
]

TOPICS: tuple[str, ...] = (
    "transformer",
    "position",
    "architecture",
    "optimisation",
    "tokenization",
    "generation",
    "systems",
    "retrieval",
    "multimodal",
    "training",
    "evaluation",
)


Engine = Literal["torch", "triton"]
"""What runs an attempt."""


@dataclass(frozen=True, order=True)
class Position:
    """A place in a file, its path relative to the workspace; line and column count from 1."""

    file: Path
    line: int
    column: int


@dataclass(frozen=True)
class Source:
    """Where a fact can be looked up."""

    title: str
    url: str = ""


@dataclass(frozen=True)
class Clause:
    """One line of a contract. `generated` lines are written by the framework, from what kata.yaml says `holds`.

    `id` is empty for a plain line, as older copies have them: no case can name it.
    """

    id: str
    text: Bilingual
    generated: bool = False


@dataclass(frozen=True)
class Variant:
    """One pinned contract of a kata. `reference` names the function of reference.py that defines right.

    A variant that is `weaker_than` another asks for less of the same: it is graded only when it is asked for by name,
    is never planned, and is not told apart from the stronger one.
    """

    id: str
    title: Bilingual
    clauses: tuple[Clause, ...]
    reference: str
    mistaken: Bilingual | None = None  # what to tell a learner who wrote this variant when another was asked for
    weaker_than: str = ""
    empty: tuple[str, ...] = ()  # sizes that may be 0
    gradients: tuple[str, ...] = ()  # arguments that gradients must reach

    @property
    def contract(self) -> tuple[Bilingual, ...]:
        """What is graded, line by line, as a starter shows it."""
        return tuple(clause.text for clause in self.clauses)

    @property
    def ids(self) -> list[str]:
        """The ids of its clauses, in order."""
        return [clause.id for clause in self.clauses]

    def clause(self, id: str) -> Clause | None:  # noqa: A002  # the word of the design
        """The clause of that id, if there is one."""
        return next((clause for clause in self.clauses if clause.id == id), None)


@dataclass(frozen=True)
class Forbidden:
    """A call that would make the kata pointless, as a dotted name, and what to say."""

    call: str
    why: Bilingual


@dataclass(frozen=True)
class Budget:
    """How much an attempt may cost on one case, as multiples of what the reference costs on the same input.

    The last four are those of engine `triton`: multiples of what solution.py costs.
    """

    case: str
    why: Bilingual
    flops: float | None = None
    largest_tensor: float | None = None  # elements of the largest tensor that an operator allocates
    alive: float | None = None  # elements of all that the call has allocated and not freed, at its most
    bytes: float | None = None  # loaded and stored by all programs
    largest_tile: float | None = None  # elements of the largest tile, as padded as it is
    launches: float | None = None  # kernels launched
    dot_flops: float | None = None  # operations of tl.dot

    @property
    def multiples(self) -> dict[str, float]:
        """What it limits, by the name in kata.yaml."""
        names = (
            "flops",
            "largest_tensor",
            "alive",
            "bytes",
            "largest_tile",
            "launches",
            "dot_flops",
        )
        given = ((name, getattr(self, name)) for name in names)
        return {name: multiple for name, multiple in given if multiple is not None}


@dataclass(frozen=True)
class Edit:
    """What a slip changes: these lines of the right kernel become those."""

    line: str
    becomes: str


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a slip's spot-the-bug card says on its back: an input by hand, and what comes of it.

    `call` is one Python expression with the kata's entry, `torch` and `math` in scope; `steps` are comparisons, in
    Python, that prove the numbers of `text`.
    """

    call: str
    text: Bilingual
    steps: tuple[str, ...] = ()
    waive: Mapping[str, str] = field(default_factory=dict)  # rule of `check` → why it does not hold here
    positions: Mapping[str, Position] = field(default_factory=dict, compare=False)  # key → where it stands


@dataclass(frozen=True)
class Slip:
    """A wrong kernel that people really write, as slips.yaml says it: an edit of a right one, or a kernel of its own.

    `of` names the right kernel: "reference", or an equivalent of cases.py; it is empty where `kernel` is whole.
    `texts` holds, for each variant that the slip belongs to, the whole of the wrong kernel with the helpers of its own
    file that it calls; `names` the name of its entry function there.
    """

    id: str
    feedback: Bilingual
    seen: str
    position: Position
    variants: tuple[str, ...] = ()  # empty: all
    of: str = ""
    edits: tuple[Edit, ...] = ()
    kernel: str = ""
    fix: str = ""  # the right lines, as its card shows them
    card: bool = False
    note: str = ""  # the id of its note, where it is not the one that the slip's own id and variants make
    same_as: str = ""  # another slip that no call tells apart from this one
    proof: str = ""  # Python that must hold, where the feedback states a fact
    texts: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    decorated: bool = False  # registered by @misconception in cases.py, as older copies do
    shown: Card | None = None  # what its card shows, where slips.yaml says more than `card: true`

    def belongs_to(self, variant: str) -> bool:
        """Whether it is a mistake in that variant."""
        return not self.variants or variant in self.variants

    @property
    def source(self) -> str:
        """Its text in the first variant that it belongs to, with its helpers."""
        return next(iter(self.texts.values()), self.kernel)


@dataclass(frozen=True)
class Same:
    """An edit of the reference that changes nothing, and why: `check --holes` asks for no call that tells it apart."""

    edit: str  # in the words of `check --holes`
    why: str
    variants: tuple[str, ...] = ()  # empty: all


@dataclass(frozen=True)
class Starter:
    """What a learner begins with instead of a blank: a function of reference.py, or its reference with mistakes in it.

    Both empty: a blank to fill.
    """

    function: str = ""
    slips: int = 0  # at most so many; at least one


@dataclass(frozen=True)
class Stage:
    """A function of reference.py that the entry calls, as a learner calls that part; `inside` are its own calls."""

    call: str
    name: Bilingual  # {n} stands for the number of the round
    inside: tuple[Stage, ...] = ()


@dataclass(frozen=True)
class Stages:
    """The parts of a long kernel, in the order in which it calls them, so that a verdict can name the first that
    differs: `rounds` again and again (the layers of a model), then `last`.

    `start` is what lies before the first call, `end` what lies after the last.
    """

    start: Bilingual
    rounds: tuple[Stage, ...]
    last: tuple[Stage, ...]
    end: Bilingual

    @property
    def calls(self) -> tuple[str, ...]:
        """The names of all functions, each once."""
        every = [stage for top in (*self.rounds, *self.last) for stage in (top, *top.inside)]
        return tuple(dict.fromkeys(stage.call for stage in every))


@dataclass(frozen=True)
class Kata:
    """A skill with one entry function, as drills/ID/kata.yaml says."""

    id: str
    title: Bilingual
    topic: str
    minutes: int
    entry: str
    prompt: Bilingual
    hints: tuple[Bilingual, ...]
    variants: tuple[Variant, ...]
    folder: Path
    position: Position
    own_topic: Bilingual | None = None  # the title of the topic, where the workspace brings it
    requires: tuple[str, ...] = ()  # katas to be met before this one
    turn: int | None = None  # its place among the new katas of a course; None: after those that have one
    proves: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()  # libraries beyond torch
    engine: Engine = "torch"
    forbidden: tuple[Forbidden, ...] = ()
    budgets: tuple[Budget, ...] = ()
    sources: tuple[Source, ...] = ()
    starter: Starter = Starter()
    stages: Stages | None = None
    slips: tuple[Slip, ...] = ()
    same: tuple[Same, ...] = ()
    notices: tuple[str, ...] = ()  # old forms that still load, as file:line: what to write instead
    positions: Mapping[str, Position] = field(default_factory=dict, compare=False)  # key path → where it stands

    @property
    def rank(self) -> tuple[float, int, str]:
        """Where it stands among katas that are new: by its turn, then by topic and name."""
        topic = TOPICS.index(self.topic) if self.topic in TOPICS else len(TOPICS)
        return math.inf if self.turn is None else self.turn, topic, self.id

    @property
    def reference_file(self) -> Path:
        """reference.py."""
        return self.folder / "reference.py"

    @property
    def solution_file(self) -> Path:
        """What a learner is shown, and slips edit: reference.py, or solution.py where another engine runs attempts."""
        return self.reference_file if self.engine == "torch" else self.folder / "solution.py"

    @property
    def texts_file(self) -> Path:
        """The docstrings and comments of `solution_file` in Chinese."""
        return self.solution_file.with_suffix(".zh.yaml")

    @property
    def libraries(self) -> tuple[str, ...]:
        """What must be installed beside torch to grade it."""
        return self.needs if self.engine == "torch" else (*self.needs, self.engine)

    @property
    def cases_file(self) -> Path:
        """cases.py."""
        return self.folder / "cases.py"

    @property
    def slips_file(self) -> Path:
        """slips.yaml."""
        return self.folder / "slips.yaml"

    def variant(self, id: str) -> Variant | None:  # noqa: A002  # the word of the design
        """The variant of that id, if there is one."""
        return next((variant for variant in self.variants if variant.id == id), None)
