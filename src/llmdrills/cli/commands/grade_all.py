"""`llmdrills grade-all`."""

from __future__ import annotations

import functools
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmdrills.cli.console import note, print_json, tell, told
from llmdrills.cli.manual import manual
from llmdrills.cli.options import JsonOption, LangOption, WorkspaceOption, place
from llmdrills.content.catalogue import load_catalogue
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual, counted
from llmdrills.lines import whole

if TYPE_CHECKING:
    from llmdrills.classroom.run import Report, Runner

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Grade a class: every file of a folder or a table, in parallel, with a report of who made which mistake.",
        "给全班评分：并行评分一个文件夹或一张表格里的所有文件，并生成报告，列出谁犯了哪种错误。",
    ),
    "llmdrills grade-all submissions --out report",
    "llmdrills grade-all submissions.csv --out report --jobs 4",
    "llmdrills grade-all submissions --out /shared/report --scheduler tcp://10.0.0.1:8786",
    more=Bilingual(
        "SUBMISSIONS holds STUDENT/KATA.py or STUDENT/KATA@VARIANT.py; or it is a CSV file with the columns student, "
        "kata, variant, path. The report is results.json, results.csv and report.html; work/ beside them keeps what "
        "was graded, so that the same command goes on where it ended, and grades again only what changed.\n\n"
        "These files run as you. Grade strangers' files in a container: the page “Grading a class” of the "
        "documentation shows how.\n\n"
        "Exit status: 0 every submission was graded, whatever the verdicts; 1 some could not be graded, and the report "
        "says why; 2 usage, configuration or grader error; 130 interrupted.",
        "SUBMISSIONS 是存放 STUDENT/KATA.py 或 STUDENT/KATA@VARIANT.py 的文件夹，或含有 student、kata、variant、path "
        "四列的 CSV 文件。报告包括 results.json、results.csv 和 report.html；同一文件夹里的 work/ 保存已评分的结果，"
        "再次运行同一命令会接着评分，只重新评分改动过的文件。\n\n"
        "这些文件会以你的身份运行。评分陌生人的文件时请使用容器：做法见文档的“Grading a class”一页。\n\n"
        "退出状态：0 所有作答都已评分（无论结果如何）；1 有作答无法评分，原因见报告；"
        "2 用法、配置或评分器出错；130 被中断。",
    ),
)

MOST_TOLD = 20
"""Files that are not graded and told one by one: results.json has them all."""
QUIET_SECONDS = 10.0
"""Between two lines of progress where stderr is no terminal."""

_WARNING = Bilingual(
    "WARNING: these files run as you. Each can read, change and send away whatever you can, the other students' files "
    "and this report included. Grade strangers' files in a container without a network: the page "
    "“Grading a class” of the documentation shows how.",
    "警告：这些文件会以你的身份运行。凡是你能读取、修改、对外发送的，它们都能，包括其他学生的文件和这份报告。"
    "评分陌生人的文件时，请使用不联网的容器：做法见文档的“Grading a class”一页。",
)
_PROGRESS = Bilingual("graded {done} of {of}", "已评分 {done}/{of}")
_KNOWN = Bilingual("{known} graded by an earlier run and unchanged", "{known}在之前的运行中已评分，且没有改动")
_WAITING = Bilingual("{what}: waiting for one", "{what}：正在等待")
_SUMMARY = Bilingual(
    "{mark} {submissions} of {students}: {passed} passed, {failed} did not, {left} not graded",
    "{mark} {students}的 {submissions}：{passed} 份通过，{failed} 份未通过，{left} 份未评分",
)
_REPORT = Bilingual("The report: {path}", "报告：{path}")
_NOT_GRADED = Bilingual("not graded: {file}: {why}", "未评分：{file}：{why}")
_LEFT_OUT = Bilingual("left out: {file}: {why}", "未计入：{file}：{why}")
_MORE = Bilingual("and {more} more: results.json names them all", "另有 {more} 个：全部列在 results.json 中")
_INTERRUPTED = Bilingual(
    "interrupted; what was graded is kept, and the same command goes on from here",
    "已中断；已评分的结果都保留着，再次运行同一命令即可继续",
)
_JOBS_THERE = Bilingual(
    "--jobs is about this machine, and the cluster at {address} has its own workers",
    "--jobs 只管本机，而 {address} 处的集群有自己的 worker",
)
_LEAVE_JOBS = Bilingual("leave --jobs out", "请去掉 --jobs")

_SubmissionsArgument = Annotated[
    Path,
    typer.Argument(
        metavar="SUBMISSIONS",
        help=told(
            Bilingual(
                "A folder of STUDENT/KATA.py, or a CSV file: student,kata,variant,path.",
                "存放 STUDENT/KATA.py 的文件夹，或 CSV 文件：student,kata,variant,path。",
            )
        ),
        show_default=False,
    ),
]
_OutOption = Annotated[
    Path,
    typer.Option(
        "--out", metavar="REPORT", help=told(Bilingual("The folder of the report.", "报告文件夹。")), show_default=False
    ),
]
_JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        help=told(Bilingual("Processes at once; one for each core unless given.", "并行进程数；默认每个核心一个。")),
        show_default=False,
    ),
]
_SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help=told(
            Bilingual(
                "Grade on a Dask cluster: tcp://HOST:PORT of its scheduler, or local.",
                "在 Dask 集群上评分：调度器的地址 tcp://HOST:PORT，或 local。",
            )
        ),
        show_default=False,
    ),
]


def command(
    submissions: _SubmissionsArgument,
    out: _OutOption,
    jobs: _JobsOption = None,
    scheduler: _SchedulerOption = None,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills grade-all`."""
    from llmdrills.classroom.run import Class, check_out, grade_class
    from llmdrills.classroom.submissions import find_submissions

    here = place(workspace, lang=lang)
    if jobs is not None and scheduler not in {None, "local"}:
        raise UsageError(_JOBS_THERE.format(address=scheduler), _LEAVE_JOBS)
    check_out(out, submissions)
    katas = load_catalogue(here.workspace, here.locations.cache)
    found = find_submissions(submissions, katas)
    note(told(_WARNING))
    for one in found.left_out[:MOST_TOLD]:
        note(told(_LEFT_OUT.format(**one._asdict())))
    if len(found.left_out) > MOST_TOLD:
        note(told(_MORE.format(more=len(found.left_out) - MOST_TOLD)))
    job = Class(found=found, out=out, workspace=here.workspace, katas=katas, language=here.language)
    try:
        report = grade_class(job, _runner(scheduler, jobs or _cores()), _Progress().show)
    except KeyboardInterrupt:
        note(f"\nllmdrills: {told(_INTERRUPTED)}")
        raise typer.Exit(130) from None
    _show(report, out, json=json)
    raise typer.Exit(0 if report.complete else 1)


def _runner(scheduler: str | None, jobs: int) -> Runner:
    """How the tasks are done; Dask is imported only where it is asked for."""
    if scheduler is None:
        from llmdrills.classroom.local import on_this_machine

        return functools.partial(on_this_machine, jobs=jobs)
    from llmdrills.classroom.cluster import on_a_cluster

    def waiting(what: Bilingual) -> None:
        note(told(_WAITING.format(what=what)))

    return functools.partial(on_a_cluster, address=scheduler, jobs=jobs, told=waiting)


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Progress:
    """How far it is: one line that changes on a terminal, elsewhere a line from time to time."""

    def __init__(self) -> None:
        self._told = 0.0

    def show(self, done: int, of: int, known: int) -> None:
        """Say it, if it is time."""
        if done == 0 and known:
            note(told(_KNOWN.format(known=counted(known, "submission", "份作答"))))
        if of == 0:
            return
        line = told(_PROGRESS.format(done=done, of=of))
        if sys.stderr.isatty():
            end = "\n" if done == of else ""
            print(f"\r{line}\x1b[K\r{line}", end=end, file=sys.stderr, flush=True)
        elif done == of or time.monotonic() - self._told >= QUIET_SECONDS:
            self._told = time.monotonic()
            note(line)


def _show(report: Report, out: Path, *, json: bool) -> None:
    missing = [row for row in report.rows if not row.graded]
    for row in missing[:MOST_TOLD]:
        assert row.why is not None  # noqa: S101  # a row without a verdict has a reason
        note(told(_NOT_GRADED.format(file=row.submission.file or row.submission.student, why=row.why)))
    if len(missing) > MOST_TOLD:
        note(told(_MORE.format(more=len(missing) - MOST_TOLD)))
    if json:
        print_json(report.data)
        return
    passed = report.outcomes["passed"]
    students = len({row.submission.student for row in report.rows} - {""})
    tell(
        told(
            _SUMMARY.format(
                mark="✗" if missing else "✓",
                submissions=counted(len(report.rows), "submission", "份作答"),
                students=counted(students, "student", "名学生"),
                passed=passed,
                failed=len(report.rows) - passed - len(missing),
                left=len(missing),
            )
        )
    )
    tell(told(_REPORT.format(path=whole(out / "report.html"))))
