"""Grade a class: what is missing is graded, wherever; then the report is written from the folder of work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmdrills import __version__, paths
from llmdrills.classroom import page, tables
from llmdrills.classroom.submissions import Found, changed, read_again
from llmdrills.classroom.tables import Row
from llmdrills.classroom.task import Answer, Task, packed_code, raise_stop
from llmdrills.classroom.work import Work, fingerprint, key_of
from llmdrills.errors import UsageError
from llmdrills.files import write_atomically
from llmdrills.language import Bilingual
from llmdrills.messages import in_both

if TYPE_CHECKING:
    from llmdrills.classroom.submissions import Submission
    from llmdrills.content.model import Kata
    from llmdrills.language import Language

__all__ = ["Class", "Report", "grade_class"]

_INSIDE = Bilingual(
    "{out} lies in {where}: the next run would take the report for a student",
    "{out} 位于 {where} 之内：下次运行会把报告当成学生的文件夹",
)
_NO_FOLDER = Bilingual("{out} is not a folder", "{out} 不是文件夹")
_CANNOT_USE = Bilingual("{out} cannot be used: {why}", "无法使用 {out}：{why}")
_ELSEWHERE = Bilingual("give another folder with --out", "请用 --out 指定别的文件夹")
_CANNOT_READ = Bilingual("cannot read {path}: {why}", "无法读取 {path}：{why}")
_READABLE = Bilingual("make it readable", "请让它可以读取")

Runner = Callable[[Iterator[Task], Callable[[Task, Answer], None]], None]
"""Does every task and calls back with each answer: `local.on_this_machine` or `cluster.on_a_cluster`."""


@dataclass(frozen=True, kw_only=True)
class Class:
    """What is graded, and where the report goes. `katas` are those of `workspace`."""

    found: Found
    out: Path
    workspace: Path
    katas: Sequence[Kata]
    language: Language


@dataclass(frozen=True)
class Report:
    """What came of it. `known` rows were graded by an earlier run."""

    rows: tuple[Row, ...]
    known: int
    data: dict[str, Any]

    @property
    def complete(self) -> bool:
        """Whether every row has a verdict."""
        return all(row.graded for row in self.rows)

    @property
    def outcomes(self) -> Counter[str]:
        """How many rows came to each outcome."""
        return Counter(row.outcome for row in self.rows)


def check_out(out: Path, submissions: Path) -> None:
    """Raise UsageError where a report in `out` would be in the way of the submissions."""
    try:
        if out.exists() and not out.is_dir():
            raise UsageError(_NO_FOLDER.format(out=out), _ELSEWHERE)
        inside = submissions.is_dir() and out.resolve().is_relative_to(submissions.resolve())
    except OSError as error:
        raise UsageError(_CANNOT_USE.format(out=out, why=in_both(error.strerror)), _ELSEWHERE) from error
    except RuntimeError as error:  # so says `resolve` before Python 3.13
        raise UsageError(_NO_FOLDER.format(out=out), _ELSEWHERE) from error
    if inside:
        raise UsageError(_INSIDE.format(out=out, where=submissions), _ELSEWHERE)


def grade_class(job: Class, run: Runner, progress: Callable[[int, int, int], None]) -> Report:
    """Grade what was not graded yet, and write results.json, results.csv and report.html into `job.out`.

    `progress(done, of, known)` is called at the start and after each answer. Raises UsageError, GraderError, OSError,
    and what `run` raises; what was graded until then is kept.
    """
    work = Work(job.out.resolve() / "work")
    with work.held():
        keys = _keys(job)
        why: dict[str, Bilingual] = {}
        todo = [row for row in job.found.submissions if row.why is None and work.result(keys[row]) is None]
        known = sum(row.why is None for row in job.found.submissions) - len(todo)
        answered = 0

        def answer(task: Task, said: Answer) -> None:
            nonlocal answered
            if said["how"] == "stop":
                raise_stop(said)
            if said["how"] == "failed":
                why[task["key"]] = Bilingual(said["en"], said["zh"])
            answered += 1
            progress(answered + len(unread), len(todo), known)

        unread: list[Submission] = []
        progress(0, len(todo), known)
        if todo:
            run(_tasks(job, work, _by_kata(todo), keys, unread), answer)
        rows = _rows(job, work, keys, why, unread)
        return _written(job, rows, known)


def _keys(job: Class) -> dict[Submission, str]:
    """The key of each row that can be graded. Raises UsageError where a kata's files cannot be read."""
    prints: dict[str, str] = {}
    found: dict[Submission, str] = {}
    by_id = {kata.id: kata for kata in job.katas}
    for row in job.found.submissions:
        if row.why is None:
            try:
                known = prints.get(row.kata) or fingerprint(by_id[row.kata])
            except OSError as error:
                what = _CANNOT_READ.format(path=error.filename, why=in_both(error.strerror))
                raise UsageError(what, _READABLE) from error
            prints[row.kata] = known
            found[row] = key_of(row, known, job.language)
    return found


def _by_kata(rows: Sequence[Submission]) -> list[Submission]:
    """In the order of katas: a worker loads a kata's code once, for many files in a row."""
    return sorted(rows, key=lambda row: (row.kata, row.variant))


def _tasks(
    job: Class, work: Work, todo: Sequence[Submission], keys: dict[Submission, str], unread: list[Submission]
) -> Iterator[Task]:
    """A task for each row, whose file is read when its turn comes; one that has changed is noted in `unread`."""
    shipped = job.workspace == paths.bundled_workspace()
    prints = {kata.id: fingerprint(kata) for kata in job.katas if kata.id in {row.kata for row in todo}}
    for row in todo:
        code = read_again(row)
        if code is None:
            unread.append(row)
            continue
        yield Task(
            key=keys[row],
            student=row.student,
            file=row.file,
            kata=row.kata,
            variant=row.variant,
            seed=work.seed(prints[row.kata], row.variant),
            code=packed_code(code),
            language=job.language,
            workspace="" if shipped else str(job.workspace),
            fingerprint=prints[row.kata],
            version=__version__,
            folder=str(work.folder),
            token=work.token,
        )


def _rows(
    job: Class, work: Work, keys: dict[Submission, str], why: dict[str, Bilingual], unread: Sequence[Submission]
) -> tuple[Row, ...]:
    rows = []
    gone = set(unread)
    for one in job.found.submissions:
        if one in gone:
            rows.append(Row(changed(one), None, changed(one).why))
        elif one.why is not None:
            rows.append(Row(one, None, one.why))
        else:
            result = work.result(keys[one])
            verdict = None if result is None else result["verdict"]
            rows.append(Row(one, verdict, None if verdict else why.get(keys[one], _LOST)))
    return tuple(rows)


_LOST = Bilingual(
    "its result is gone from the folder of work: run this again", "工作文件夹里找不到它的结果：请重新运行"
)


def _written(job: Class, rows: tuple[Row, ...], known: int) -> Report:
    """Write the three files, each whole or not at all. Raises OSError."""
    data = tables.as_json(rows, job.found.left_out, job.language)
    write_atomically(job.out / "results.json", tables.json_text(data))
    write_atomically(job.out / "results.csv", tables.as_csv(rows))
    write_atomically(job.out / "report.html", page.render(rows, job.found.left_out, job.katas, job.language))
    return Report(rows, known, data)
