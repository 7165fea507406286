"""An exam in progress: what was drawn, what was answered and marked, and the minutes that are left.

The order of calls:

    exam = Exam.load(path)                  # None: none is begun
    exam = Exam.begin(path, drawn, terms)   # in a file from here on
    task = exam.current                     # the next that is open; None: all are done
    exam.reveal(task, atoms, language)      # the answer is shown: each atom is marked from here on
    exam.mark(task, True, history)          # … the last mark records the answer to the note
    exam.open_kata(task, session, variant)  # its repetition has begun: pass_kata, fail_kata
    exam.later(task)                        # comes back after all others
    exam.spend(seconds)                     # the clock: it stands still while nobody sits the exam
    exam.end()                              # nothing more is asked; a report follows, and `exam.clear()`

Every step is in the file, whole, when its call returns: after `kill -9` the exam goes on where it was, and at most the
last few seconds of the clock are missing. Katas are repetitions like any other and are in the history; the file holds
which one belongs to the exam. All raise UsageError when the file cannot be written.
"""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from llmdrills.errors import UsageError
from llmdrills.files import write_atomically
from llmdrills.language import LANGUAGES, Bilingual
from llmdrills.practice.exam_cards import rating_of
from llmdrills.practice.exam_draw import Kind
from llmdrills.practice.moments import Moment
from llmdrills.practice.note_reviews import NoteReview, record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from llmdrills.language import Language
    from llmdrills.practice.exam_draw import Drawn
    from llmdrills.practice.history import History

__all__ = ["Exam", "State", "Task", "Terms"]

State = Literal["done", "begun", "not-reached"]
_SCHEMA = 1
_KEPT_EVERY = 5.0  # seconds of the clock that a kill may lose

_DAMAGED = Bilingual("{path} holds no exam that can be read", "{path} 中没有可以读取的考试")
_MOVE = Bilingual(
    "move it away to begin anew; what was answered is in the history",
    "请移走该文件后重新开始；已作答的内容都在历史记录里",
)
_CANNOT_WRITE = Bilingual("cannot write {path}: {why}", "无法写入 {path}：{why}")
_MAKE_ROOM = Bilingual(
    "make room or make the folder writable, then run `llmdrills exam` again",
    "请腾出空间或使该文件夹可写，再运行 `llmdrills exam`",
)


class Terms(NamedTuple):
    """What an exam was begun with. `listed`: the course's own list, nothing drawn; `workspace`: its folder."""

    id: str
    seed: int
    minutes: int
    listed: bool
    workspace: str


@dataclass
class Task:
    """One thing to do, and how far it is. `course`: q7, t1, d2 or nothing; `id`: of the note or of the kata."""

    kind: Kind
    course: str
    id: str
    typed: str = ""
    atoms: int = 0  # 0: the answer was not shown yet
    marks: list[bool] = field(default_factory=list)
    language: Language = "en"  # in which it was marked
    at: str = ""  # when the last mark was set
    session: str = ""  # the kata's repetition
    variant: str = ""
    passed: bool = False
    told: str = ""  # the verdict on the last attempt that failed: not shown before the end
    gone: bool = False  # the note or kata left the workspace while the exam was broken off

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self.gone or self.answered

    @property
    def answered(self) -> bool:
        """Whether it is passed, or marked to its end."""
        return self.passed if self.kind == "kata" else bool(self.atoms) and len(self.marks) == self.atoms

    @property
    def state(self) -> State:
        """How far it is."""
        if self.answered:
            return "done"
        return "begun" if self.typed or self.atoms or self.session else "not-reached"


class Exam:
    """An exam that was begun. Use `begin` or `load`."""

    def __init__(self, path: Path, terms: Terms, tasks: Sequence[Task], begun: Moment) -> None:
        self.path = path
        self.terms = terms
        self.tasks = tuple(tasks)
        self.begun = begun
        self.ended: Moment | None = None
        self.used = 0.0  # seconds on the clock
        self._at = 0  # the task that is looked at
        self._kept = 0.0  # `used`, as it is in the file

    @classmethod
    def begin(cls, path: Path, drawn: Sequence[Drawn], terms: Terms, now: Moment | None = None) -> Exam:
        """Begin one, in that file."""
        exam = cls(path, terms, [Task(one.kind, one.course, one.id) for one in drawn], now or Moment.now())
        exam.keep()
        return exam

    @classmethod
    def load(cls, path: Path) -> Exam | None:
        """The exam of that file; None where there is none. Raises UsageError when it cannot be read."""
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise UsageError(_DAMAGED.format(path=path), _MOVE) from error
        try:
            return cls._from_json(path, json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise UsageError(_DAMAGED.format(path=path), _MOVE) from error

    # ---- where it stands ----------------------------------------

    @property
    def current(self) -> Task | None:
        """The task to do now: the next one that is open, after the last comes the first; None: all are done."""
        count = len(self.tasks)
        order = (self.tasks[(self._at + step) % count] for step in range(count))
        return next((task for task in order if not task.done), None)

    def number(self, task: Task) -> int:
        """The task's number, from 1."""
        return next(number for number, one in enumerate(self.tasks, 1) if one is task)

    @property
    def left(self) -> float:
        """Seconds on the clock; 0 when the time is over."""
        return max(0.0, self.terms.minutes * 60.0 - self.used)

    # ---- steps ----------------------------------------

    def spend(self, seconds: float) -> None:
        """Let the clock run on."""
        self.used += seconds
        if self.used - self._kept >= _KEPT_EVERY or not self.left:
            self.keep(durable=False)  # only a few seconds of the clock are at stake

    def note_typed(self, task: Task, text: str) -> None:
        """Keep what the learner typed so far."""
        task.typed = text
        self.keep()

    def reveal(self, task: Task, atoms: int, language: Language) -> None:
        """The answer is shown now."""
        task.atoms, task.language = atoms, language
        self._look_at(task)

    def mark(self, task: Task, had: bool, history: History, now: Moment | None = None) -> None:
        """Mark the next atom; the last one records the answer to the note, marked by the learner."""
        if task.done:
            return
        task.marks.append(had)
        task.at = str(now or Moment.now())
        self.keep()
        if len(task.marks) == task.atoms:
            self.record(history)

    def unmark(self, task: Task) -> bool:
        """Take the last mark of an answer back that is not marked to its end; False where there is none."""
        if task.done or not task.marks:
            return False
        task.marks.pop()
        self.keep()
        return True

    def record(self, history: History) -> int:
        """Record the answers that are marked to their end and are not in the history yet, and return how many."""
        answers = [
            NoteReview(
                note=task.id,
                language=task.language,
                rating=int(rating_of(task.marks)),
                source="self",
                origin=f"exam {self.terms.id} {number}",
                moment=Moment.parse(task.at),
            )
            for number, task in enumerate(self.tasks, 1)
            if task.kind != "kata" and task.answered
        ]
        return record(history, answers)

    def open_kata(self, task: Task, session: str, variant: str) -> None:
        """The kata's repetition is this one."""
        task.session, task.variant = session, variant
        self._look_at(task)

    def pass_kata(self, task: Task) -> None:
        """The kata is passed."""
        task.passed, task.told = True, ""
        self.keep()

    def fail_kata(self, task: Task, told: str) -> None:
        """An attempt failed; `told` is for the report."""
        task.told = told
        self.keep()

    def drop(self, task: Task) -> None:
        """It cannot be asked: the workspace does not hold it any more."""
        task.gone = True
        self.keep()

    def later(self, task: Task) -> bool:
        """Leave it for after the others; False where it is the last that is open."""
        if sum(not one.done for one in self.tasks) < 2:
            return False
        self._at = self.number(task) % len(self.tasks)
        self.keep()
        return True

    def end(self, now: Moment | None = None) -> None:
        """Nothing more is asked."""
        self.ended = self.ended or now or Moment.now()
        self.keep()

    def clear(self) -> None:
        """Take its file away: the report is written. Raises UsageError when that cannot be done."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise UsageError(_CANNOT_WRITE.format(path=self.path, why=error.strerror), _MAKE_ROOM) from error

    def _look_at(self, task: Task) -> None:
        self._at = self.number(task) - 1
        self.keep()

    # ---- the file ----------------------------------------

    def keep(self, *, durable: bool = True) -> None:
        """Write the file anew, in one step."""
        try:
            text = json.dumps(self.to_json(), ensure_ascii=False, indent=1) + "\n"
            write_atomically(self.path, text.encode("utf-8", "replace"), durable=durable)
        except OSError as error:
            raise UsageError(_CANNOT_WRITE.format(path=self.path, why=error.strerror), _MAKE_ROOM) from error
        self._kept = self.used

    def to_json(self) -> dict[str, Any]:
        """What the file holds."""
        return {
            "schema": _SCHEMA,
            **self.terms._asdict(),
            "begun": str(self.begun),
            "ended": None if self.ended is None else str(self.ended),
            "used": round(self.used, 1),
            "at": self._at,
            "tasks": [dataclasses.asdict(task) for task in self.tasks],
        }

    @classmethod
    def _from_json(cls, path: Path, data: Any) -> Exam:
        if data["schema"] != _SCHEMA:
            raise ValueError(f"schema {data['schema']!r}")
        terms = Terms(
            id=str(data["id"]),
            seed=int(data["seed"]),
            minutes=int(data["minutes"]),
            listed=bool(data["listed"]),
            workspace=str(data["workspace"]),
        )
        exam = cls(path, terms, [_task(task) for task in data["tasks"]], Moment.parse(data["begun"]))
        exam.ended = None if data["ended"] is None else Moment.parse(data["ended"])
        exam.used = exam._kept = float(data["used"])
        exam._at = int(data["at"])
        if not exam.tasks or not 0 <= exam._at < len(exam.tasks):
            raise ValueError("no task")
        return exam


def _task(data: Any) -> Task:
    """A task as the file holds it. Raises ValueError or TypeError for what `to_json` never writes."""
    task = Task(**data)
    for one in dataclasses.fields(Task):
        value, like = getattr(task, one.name), getattr(Task("question", "", ""), one.name)
        if type(value) is not type(like):
            raise TypeError(f"{one.name} is {value!r}")
    if task.kind not in get_args(Kind) or task.language not in LANGUAGES:
        raise ValueError(f"{task.kind}, {task.language}")
    if len(task.marks) > task.atoms or not all(type(mark) is bool for mark in task.marks):
        raise ValueError(f"marks {task.marks}")
    if task.course and not re.fullmatch(r"[qtd]\d+", task.course):
        raise ValueError(f"course {task.course}")
    if task.marks:
        Moment.parse(task.at)
    return task
