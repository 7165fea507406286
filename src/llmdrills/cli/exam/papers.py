"""The papers of an exam: what the workspace offers, the one that is begun, and the reports of those that are over."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from llmdrills.cli.exam.report_view import report_text
from llmdrills.cli.exam.words import WORDS
from llmdrills.cli.packs import all_katas
from llmdrills.content import load_workspace
from llmdrills.content.computed import load_computed
from llmdrills.content.course import COURSE_TAG, course_of
from llmdrills.content.engines import with_engines
from llmdrills.errors import UsageError
from llmdrills.files import write_atomically
from llmdrills.language import Bilingual
from llmdrills.mathtext import unicode_math
from llmdrills.practice import exam_page, exam_report, schedule
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.exam import Exam, Terms
from llmdrills.practice.exam_draw import Wanted, draw, listed, listed_minutes
from llmdrills.practice.exam_words import part_name
from llmdrills.practice.history import new_id
from llmdrills.practice.moments import Moment
from llmdrills.readiness import assess

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata, Variant, Workspace
    from llmdrills.practice.exam_draw import Drawn
    from llmdrills.practice.history import History

__all__ = ["Asked", "Papers", "Written", "last_report", "reports_folder"]

_BEGUN = Bilingual(
    "an exam is begun: seed {seed}, {left} of {minutes} min left",
    "已有一场未完成的考试：种子 {seed}，共 {minutes} 分钟，还剩 {left} 分钟",
)
_NO_OPTIONS = Bilingual(
    "`llmdrills exam` without options goes on with it; there, x pressed twice ends it",
    "运行不带选项的 `llmdrills exam` 即可继续；进入后连按两次 x 可以结束它",
)
_OTHER = Bilingual("the exam that is begun is of another workspace, {folder}", "未完成的考试属于另一个工作区 {folder}")
_GO_THERE = Bilingual(
    "`llmdrills exam --workspace {folder}` goes on with it", "运行 `llmdrills exam --workspace {folder}` 继续"
)
_EMPTY = Bilingual("there is nothing to ask", "没有可考的内容")
_FILL = Bilingual(
    "tag notes {tag}q1 …, add katas, or ask for more than none", "请给笔记加上 {tag}q1 等标签、添加练习，或要求至少一题"
)
_UNRATED = Bilingual("a pass of {kata} waits for its rating", "{kata} 已通过，还未评级")
_RATE_IT = Bilingual(
    "`llmdrills rate {kata}` first, then begin the exam", "请先运行 `llmdrills rate {kata}`，再开始考试"
)
_NONE_OVER = Bilingual("no exam is over yet", "还没有完成的考试")
_SIT_ONE = Bilingual("`llmdrills exam` begins or goes on with one", "运行 `llmdrills exam` 开始或继续考试")
_CANNOT_WRITE = Bilingual("cannot write {file}: {why}", "无法写入 {file}：{why}")
_MAKE_ROOM = Bilingual(
    "make room or make the folder writable; `llmdrills exam` then writes the report",
    "请腾出空间或使该文件夹可写，再运行 `llmdrills exam` 写出报告",
)
_UNREADABLE = Bilingual("cannot read {file}", "无法读取 {file}")
_KATA = Bilingual("{title} ({kata})", "{title}（{kata}）")
_LISTED = Bilingual("{part}: {title}", "{part}：{title}")
_DELETE = Bilingual("move it away, and run this again", "请移走该文件，再运行一次")


class Asked(NamedTuple):
    """The options as they were given; None: not given."""

    minutes: int | None
    katas: int | None
    questions: int | None
    seed: int | None
    listed: bool

    @property
    def nothing(self) -> bool:
        """Whether no option was given."""
        return self == Asked(None, None, None, None, False)

    @property
    def wanted(self) -> Wanted:
        """What to draw."""
        default = Wanted()
        return Wanted(
            default.minutes if self.minutes is None else self.minutes,
            default.katas if self.katas is None else self.katas,
            default.questions if self.questions is None else self.questions,
        )


class Written(NamedTuple):
    """The report of an exam, as `exam_report.gather` makes it, and the page that holds it."""

    report: dict[str, Any]
    page: Path


class Papers:
    """Everything that an exam is made from and written to. Use `load`."""

    def __init__(self, here: Place, workspace: Workspace, katas: Sequence[Kata]) -> None:
        self._here = here
        self._language = here.language
        self._workspace = workspace
        self.course = course_of(workspace, here.language)
        self.computed = load_computed(workspace.root)
        self.notes = {note.id: note for note in workspace.notes}
        self.katas = {kata.id: kata for kata in katas}
        self.file = here.locations.data / "exam.json"
        self._left_out: list[str] = []

    @classmethod
    def load(cls, here: Place) -> Papers:
        """Read the workspace. Raises ContentError when it has problems."""
        loaded = load_workspace(here.workspace, here.locations.cache)
        return cls(here, loaded, all_katas(here))

    # ---- beginning ----------------------------------------

    def begin(self, history: History, asked: Asked) -> Exam:
        """Draw an exam and begin it. Raises UsageError where there is nothing to ask, or a task's pass is unrated."""
        katas = with_engines(self.katas.values())
        seed = repetitions.new_seed() if asked.seed is None else asked.seed
        if asked.listed:
            drawn = listed(self.course)
            minutes = listed_minutes(drawn, katas) if asked.minutes is None else asked.minutes
            self._refuse_unrated(history, drawn)
        else:
            minutes = asked.wanted.minutes
            taken = [kata.id for kata in katas if self._is_scored(history, kata)]
            drawn = draw(self.course, katas, asked.wanted, seed, taken)
            without = {one.id for one in draw(self.course, katas, asked.wanted, seed)}
            self._left_out = [kata for kata in taken if kata in without]
        if not drawn:
            raise UsageError(_EMPTY, _FILL.format(tag=COURSE_TAG))
        terms = Terms(
            id=new_id(), seed=seed, minutes=max(1, minutes), listed=asked.listed, workspace=str(self._workspace.root)
        )
        return Exam.begin(self.file, drawn, terms)

    def go_on(self, exam: Exam, asked: Asked) -> Exam:
        """The exam that is begun. Raises UsageError when it is not the one that was asked for."""
        if exam.terms.workspace != str(self._workspace.root):
            folder = exam.terms.workspace
            raise UsageError(_OTHER.format(folder=folder), _GO_THERE.format(folder=folder))
        if not asked.nothing:
            left = _minutes(exam.left)
            words = _BEGUN.format(seed=exam.terms.seed, left=left, minutes=exam.terms.minutes)
            raise UsageError(words, _NO_OPTIONS)
        return exam

    def next_variant(self, history: History, kata: Kata) -> Variant:
        """The variant whose turn it is."""
        chosen = schedule.load(history, self._here.settings.scheduling).next_variant(kata)
        return kata.variant(chosen) or kata.variants[0]

    def _is_scored(self, history: History, kata: Kata) -> bool:
        found = repetitions.resume(history, kata, begun="blank")
        return found is not None and found.scored

    def _refuse_unrated(self, history: History, drawn: Sequence[Drawn]) -> None:
        for one in drawn:
            found = repetitions.resume(history, self.katas[one.id], begun="blank") if one.kind == "kata" else None
            if found is not None and found.unrated_pass:
                raise UsageError(_UNRATED.format(kata=one.id), _RATE_IT.format(kata=one.id))

    # ---- what is told at first ----------------------------------------

    def opening(self, exam: Exam, *, resumed: bool, rules: Bilingual = WORDS["rules"]) -> list[str]:
        """What the learner reads before the first task; `rules` name what breaks it off, a key or a button."""
        minutes = exam.terms.minutes
        if resumed:
            words = WORDS["go_on"].format(day=exam.begun.local.date(), left=_minutes(exam.left), minutes=minutes)
            return [words[self._language]]
        counts = {kind: sum(task.kind == kind for task in exam.tasks) for kind in ("question", "kata", "design")}
        begin = WORDS["begin"].format(
            questions=_count(counts["question"], "question", "概念题")[self._language],
            katas=_count(counts["kata"], "kata", "编码练习")[self._language],
            designs=_count(counts["design"], "design question", "设计题")[self._language],
            minutes=minutes,
            seed=exam.terms.seed,
        )
        lines = [begin, rules]
        if not self.course.questions:
            lines.append(WORDS["no_notes"].format(tag=COURSE_TAG))
        if self._left_out:
            lines.append(WORDS["left_out"].format(katas=", ".join(self._left_out)))
        return [line[self._language] for line in lines]

    def list_json(self) -> dict[str, Any]:
        """The course's own list, for programs."""
        entries = [
            {"kind": one.kind, "course": one.course, "id": one.id, "title": self._title(one)}
            for one in listed(self.course)
        ]
        return {"schema": 1, "list": entries}

    def list_text(self) -> str:
        """The same, a line each."""
        return "\n".join(
            _LISTED.format(part=part_name(one.course), title=unicode_math(self._title(one)))[self._language]
            for one in listed(self.course)
        )

    def _title(self, one: Drawn) -> str:
        if one.kind == "kata":
            return _KATA.format(title=self.katas[one.id].title, kata=one.id)[self._language]
        return self.notes[one.id].front[self._language].strip()

    # ---- the end ----------------------------------------

    def report(self, exam: Exam, history: History) -> str:
        """Write the report of an exam that has ended, as `write_report` does, and return it as text with the path."""
        found, page = self.write_report(exam, history)
        return report_text(found, self._language, page)

    def write_report(self, exam: Exam, history: History) -> Written:
        """Write the report of an exam that has ended, as HTML and as JSON.

        The exam's own file is gone after that. Raises UsageError when a file cannot be written; then it is kept.
        """
        ready = assess(self._workspace, history, Moment.now(), self._here.settings.scheduling).to_json()
        sources = exam_report.Sources(
            workspace=self._workspace, computed=self.computed, history=history, readiness=ready, language=self._language
        )
        found = exam_report.gather(exam, sources)
        name = f"{exam.begun.local:%Y-%m-%d-%H%M}-{exam.terms.id[:8]}"
        page = reports_folder(self._here) / f"{name}.html"
        _write(page, exam_page.render(found, self._language))
        _write(page.with_suffix(".json"), json.dumps(found, ensure_ascii=False, indent=1) + "\n")
        exam.clear()
        return Written(found, page)


def reports_folder(here: Place) -> Path:
    """Where the reports are kept."""
    return here.locations.data / "exams"


def last_report(here: Place) -> dict[str, Any]:
    """The report of the exam that was over last. Raises UsageError when there is none."""
    files = sorted(reports_folder(here).glob("*.json"))
    if not files:
        raise UsageError(_NONE_OVER, _SIT_ONE)
    try:
        found: dict[str, Any] = json.loads(files[-1].read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(_UNREADABLE.format(file=files[-1]), _DELETE) from error
    return found


def _write(file: Path, text: str) -> None:
    try:
        write_atomically(file, text.encode("utf-8", "replace"))
    except OSError as error:
        raise UsageError(_CANNOT_WRITE.format(file=file, why=error.strerror), _MAKE_ROOM) from error


def _minutes(seconds: float) -> int:
    return math.ceil(seconds / 60)


def _count(number: int, en: str, zh: str) -> Bilingual:
    return Bilingual(f"{number} {en}{'' if number == 1 else 's'}", f"{number} 道{zh}")
