"""`llmdrills grade`. Over 400 lines, because a third of them are its help and what it says in two languages."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmdrills.cli.console import note, print_json, tell, told
from llmdrills.cli.cost_view import cost_text
from llmdrills.cli.manual import manual
from llmdrills.cli.options import (
    DeviceOption,
    JsonOption,
    LangOption,
    Place,
    VariantOption,
    WorkspaceOption,
    complete_kata,
    find_kata,
    find_variant,
    place,
)
from llmdrills.cli.packs import all_katas
from llmdrills.cli.rating_view import choices_json, earned_text
from llmdrills.cli.record import Recorded, belongs, open_repetition, own_file, record_attempt
from llmdrills.cli.repair import UNRATED
from llmdrills.cli.verdict_view import print_verdict
from llmdrills.content.attempt_source import Source, read_file
from llmdrills.content.catalogue import with_slips
from llmdrills.content.notebookfile import is_notebook, katas_named, variant_of
from llmdrills.content.starter import read_header
from llmdrills.errors import LLMDrillsError, UsageError
from llmdrills.files import MOST_SOURCE_BYTES, check_size, read_source
from llmdrills.language import Bilingual, listed
from llmdrills.lines import whole
from llmdrills.messages import in_both

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llmdrills.content.model import Kata
    from llmdrills.grading.client import Grader
    from llmdrills.grading.judging.verdict import Verdict

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual("Grade a file against a kata's reference.", "对照练习的参考实现，给你的文件评分。"),
    "llmdrills grade rope-pairing",
    "llmdrills grade mine.py",
    "llmdrills grade rope-pairing week1.ipynb",
    "llmdrills grade rope-pairing mine.py --variant half-split",
    "llmdrills grade rope-pairing --why --seed 7",
    "llmdrills grade rope-pairing --watch",
    "cat mine.py | llmdrills grade rope-pairing - --json",
    more=Bilingual(
        "An existing path, or what ends in .py or .ipynb, is a file; anything else is a kata. Of a notebook the last "
        "cell that defines the kata's function is graded, alone. What is graded is recorded "
        "if it is the practice file of a repetition that is open; after a pass, `llmdrills rate` records the "
        "rating.\n\nExit status: 0 passed, 1 not passed, 2 usage, configuration or grader error.",
        "已存在的路径或以 .py、.ipynb 结尾的参数视为文件，其余视为练习。"
        "对于 notebook，只评最后一个定义了该题函数的单元格。如果评分的文件是进行中的练习文件，"
        "结果会记入历史；通过后运行 `llmdrills rate` 记录评级。\n\n退出状态：0 通过，1 未通过，"
        "2 用法、配置或评分器出错。",
    ),
)

_STDIN = Path("-")
_FAILED = Bilingual("llmdrills: this attempt is not recorded: {error}", "llmdrills：这次作答没有记入历史：{error}")
_NOTHING_OPEN = Bilingual(
    "Not recorded: no repetition of {kata} is open. `llmdrills start {kata}` begins one.",
    "未记录：{kata} 没有进行中的练习。运行 `llmdrills start {kata}` 开始。",
)
_OTHER_FILE = Bilingual(
    "Not recorded: the repetition of {kata} is written in {file}.", "未记录：{kata} 的练习文件是 {file}。"
)
_OTHER_VARIANT = Bilingual(
    "Not recorded: this was graded as {variant}, and the repetition that is open is of {open}: "
    "`llmdrills start {kata} --variant {variant}` begins that one.",
    "未记录：这次按变体 {variant} 评分，而进行中的练习是 {open}：运行 "
    "`llmdrills start {kata} --variant {variant}` 开始那个变体。",
)
_NO_HEADER = Bilingual("the first line of {path} names no kata", "{path} 的首行没有写明是哪道题")
_NAME_IT = Bilingual(
    "run `llmdrills grade KATA {path}`, or begin the file with `# llmdrills: kata=KATA variant=VARIANT`",
    "运行 `llmdrills grade KATA {path}`，或在文件首行写上 `# llmdrills: kata=KATA variant=VARIANT`",
)
_NO_MAGIC = Bilingual("no cell of {path} names a kata", "{path} 中没有单元格写明是哪道题")
_MANY = Bilingual("the cells of {path} name several katas: {names}", "{path} 的单元格写了多道题：{names}")
_NAME_KATA = Bilingual("run `llmdrills grade KATA {path}`", "请运行 `llmdrills grade KATA {path}`")
_ONE_FILE = Bilingual("{first} and {second} are two files", "{first} 和 {second} 是两个文件")
_GIVE_KATA = Bilingual("give one file, or a kata and its file", "请只给一个文件，或给出题目和它的文件")
_WATCHING = Bilingual("watching {file}: save to grade, Ctrl-C to stop", "正在监视 {file}：保存即评分，按 Ctrl-C 停止")
_NO_WATCH = Bilingual("standard input cannot be watched", "标准输入无法监视")
_GIVE_FILE = Bilingual("give the path of a file, or leave out --watch", "请给出文件路径，或去掉 --watch")


_KataOrFile = Annotated[
    str,
    typer.Argument(
        metavar="KATA|FILE",
        help=told(
            Bilingual(
                "The kata's id; or a file, whose first line names the kata.",
                "练习的 id；或一个文件，其首行写明是哪个练习。",
            )
        ),
        autocompletion=complete_kata,
        show_default=False,
    ),
]
_FileArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE|-]",
        help=told(
            Bilingual(
                "Your file, or - for standard input; the kata's practice file unless given.",
                "你的文件，- 表示标准输入；默认为该练习的练习文件。",
            )
        ),
        show_default=False,
    ),
]
_SeedOption = Annotated[
    int | None,
    typer.Option(
        "--seed",
        min=0,
        help=told(
            Bilingual("The seed of the inputs; the file's own unless given.", "输入的随机种子；默认用文件自带的种子。")
        ),
        show_default=False,
    ),
]
_ParityOption = Annotated[
    bool,
    typer.Option(
        "--parity",
        help=told(
            Bilingual(
                "Grade on the CPU and on the device, and compare the verdicts.",
                "在 CPU 和指定设备上各评分一次，并比较评分结果。",
            )
        ),
    ),
]
_CostOption = Annotated[
    bool,
    typer.Option(
        "--cost",
        help=told(
            Bilingual(
                "Show what each case cost: for Triton kernels the bytes moved against the least possible.",
                "显示每个用例的开销：对 Triton kernel，是读写的字节数与理论下限之比。",
            )
        ),
    ),
]
_WhyOption = Annotated[
    bool,
    typer.Option(
        "--why",
        help=told(
            Bilingual(
                "Show the inputs, the numbers around, a snippet and the rest, too.",
                "同时显示输入、附近的数值、可运行的代码片段和其余细节。",
            )
        ),
    ),
]


def command(
    kata: _KataOrFile,
    file: _FileArgument = None,
    variant: VariantOption = None,
    seed: _SeedOption = None,
    device: DeviceOption = None,
    parity: _ParityOption = False,
    why: _WhyOption = False,
    cost: _CostOption = False,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help=told(Bilingual("Grade on every save, until Ctrl-C.", "每次保存后自动评分，按 Ctrl-C 结束。")),
        ),
    ] = False,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills grade`."""
    from llmdrills.grading.client import Grader

    here = place(workspace, lang=lang, device=device)
    # It imports torch while this process reads the kata.
    with Grader(device=here.settings.text("device"), tidy_late=watch) as grader:
        katas = all_katas(here)
        named, path = _target(here, katas, kata, file)
        if watch and path == _STDIN:
            raise UsageError(_NO_WATCH, _GIVE_FILE)
        found = with_slips(named)
        source = _read(path, found)
        chosen = find_variant(found, variant or _variant_of(path, source, found))
        own = seed if seed is not None else _own_seed(here, found, chosen.id, path)
        task = _Task(
            grader=grader,
            kata=found,
            variant=chosen.id,
            path=path,
            here=here,
            seed=own,
            parity=parity,
            json=json,
            why=why,
            cost=cost,
        )
        if watch:
            _watch(task)
            return
        verdict = _grade(task, source)
    raise typer.Exit(2 if verdict.outcome == "error" else 0 if verdict.passed else 1)


def _target(here: Place, katas: Sequence[Kata], what: str, file: Path | None) -> tuple[Kata, Path]:
    """The kata and the file that the command line names; `_STDIN` for standard input. Raises UsageError."""
    known = any(one.id == what for one in katas)
    if not _is_path(what, known=known) or (known and file is not None):
        found = find_kata(katas, what)
        return found, own_file(here, found) if file is None else file
    if file is not None:
        raise UsageError(_ONE_FILE.format(first=what, second=file), _GIVE_KATA)
    path = Path(what)
    return _named_by(here, katas, path), path


def _is_path(what: str, *, known: bool) -> bool:
    """Whether it means a file: it exists or ends in .py. A folder that is named like a known kata means the kata."""
    if what == str(_STDIN) or what.endswith((".py", ".ipynb")):
        return True
    # os.path, because Path's own raise where a folder may not be looked into.
    return os.path.isfile(what) if known else os.path.exists(what)  # noqa: PTH110, PTH113


def _named_by(here: Place, katas: Sequence[Kata], path: Path) -> Kata:
    """The kata that the first line names; the one whose practice file it is, where there is no such line."""
    with _readable(path, "KATA"):
        if is_notebook(path):
            return find_kata(katas, _only_kata(path))
        code = _stdin() if path == _STDIN else read_source(path)
    header = read_header(code.decode("utf-8", errors="replace"))
    if header is not None:
        return find_kata(katas, header[0])
    for kata in katas:
        if path.name.partition(".")[0] == kata.id and path.absolute() == own_file(here, kata, path).absolute():
            return kata
    shown = "stdin" if path == _STDIN else path
    raise UsageError(_NO_HEADER.format(path=shown), _NAME_IT.format(path=path))


def _only_kata(notebook: Path) -> str:
    """The one kata that the notebook's cells name. Raises UsageError where they name none, or several."""
    named = katas_named(notebook)
    if not named:
        raise UsageError(_NO_MAGIC.format(path=notebook), _NAME_KATA.format(path=notebook))
    if len(named) > 1:
        raise UsageError(_MANY.format(path=notebook, names=listed(named)), _NAME_KATA.format(path=notebook))
    return named[0]


def _own_seed(here: Place, kata: Kata, variant: str, path: Path) -> int | None:
    """The seed of the file's repetition; one that cannot be read keeps nobody from grading."""
    try:
        with open_repetition(here, kata, path) as repetition:
            return repetition.seed if repetition is not None and belongs(repetition, path, variant) else None
    except LLMDrillsError:
        return None  # recording the attempt tells why


def _variant_of(path: Path, source: Source, kata: Kata) -> str | None:
    """The variant that the file's header names; the starter writes one."""
    if source.cell is not None and (asked := variant_of(source.cell)) is not None:
        return asked
    header = read_header(source.code.decode("utf-8", errors="replace"))
    if header is None:
        return None
    named, variant = header
    if named != kata.id:
        raise UsageError(
            f"{path} is a file for {named}", f"run `llmdrills grade {named} {path}`, or change its first line"
        )
    return variant


def _read(path: Path, kata: Kata) -> Source:
    if path == _STDIN:
        return Source(_stdin(), "stdin")
    with _readable(path, kata.id):
        return read_file(path, kata)


@contextlib.contextmanager
def _readable(path: Path, kata: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise UsageError(f"there is no {path}", f"`llmdrills start {kata}` writes a starter") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "give another file") from error


@functools.cache  # it can be read only once
def _stdin() -> bytes:
    code = sys.stdin.buffer.read(MOST_SOURCE_BYTES + 1)
    check_size(len(code), "stdin")
    return code


@dataclass(frozen=True, kw_only=True)
class _Task:
    """What is graded, by whom, and how the verdict is shown."""

    grader: Grader
    kata: Kata
    variant: str
    path: Path
    here: Place
    seed: int | None
    parity: bool
    json: bool
    why: bool
    cost: bool


def _grade(task: _Task, source: Source | None = None) -> Verdict:
    """Grade the file, record the verdict and show it; one that cannot be recorded is shown all the same."""
    kata, path, language = task.kata, task.path, task.here.language
    source = _read(path, kata) if source is None else source
    grade = task.grader.parity if task.parity else task.grader.grade
    what = source.code if source.cell is None else source.cell
    verdict = grade(kata, task.variant, what, seed=task.seed, language=language, file=source.name)
    recorded = None
    try:
        recorded = record_attempt(task.here, kata, path, source.code, verdict)
    except (LLMDrillsError, OSError) as error:
        why = error.in_both if isinstance(error, LLMDrillsError) else in_both(error)
        note(_FAILED.format(error=why)[language])
    if task.json:
        choices = recorded.earned.choices if recorded and recorded.earned else ()
        mistake = recorded.mistake if recorded else None
        more = {
            "recorded": bool(recorded and recorded.done),
            "ratings": choices_json(choices),
            "mistake": mistake and {"id": mistake.id, "message": mistake.text[language]},
        }
        print_json({**verdict.to_json(), **more})
    else:
        print_verdict(verdict, language, why=task.why)
        if task.cost:
            tell(cost_text(verdict, language), table=True)
        if recorded and recorded.earned:
            tell(earned_text(kata.id, *recorded.earned, language))
        if recorded and recorded.mistake:
            tell(recorded.mistake.told(language))
            note(UNRATED[language].format(kata=kata.id))
    sys.stdout.flush()
    if recorded and not recorded.done and verdict.outcome != "error":
        note(_not_recorded(task, recorded)[language])
    return verdict


def _not_recorded(task: _Task, recorded: Recorded) -> Bilingual:
    """Why the attempt is not recorded."""
    if recorded.file is None:
        return _NOTHING_OPEN.format(kata=task.kata.id)
    if recorded.file.absolute() == task.path.absolute():
        return _OTHER_VARIANT.format(kata=task.kata.id, variant=task.variant, open=recorded.variant)
    return _OTHER_FILE.format(kata=task.kata.id, file=whole(recorded.file))


def _watch(task: _Task) -> None:
    from llmdrills.cli.watch import watch
    from llmdrills.grading.client import Cancelled, seed_of

    # One seed for all saves: what failed stays until it is fixed, and the oracle can work beforehand.
    seed = seed_of(_read(task.path, task.kata).code) if task.seed is None else task.seed
    task = dataclasses.replace(task, seed=seed, parity=False)
    note(_WATCHING.format(file=whole(task.path))[task.here.language])

    def saved() -> None:
        with contextlib.suppress(Cancelled):  # a newer save is graded next
            _grade(task)
        task.grader.prepare(task.kata, task.variant, seed)

    watch(task.path, saved, task.grader.cancel, at_once=True)
