"""One submission as a task: plain data that any process can be handed, and how it is done. No torch.

A task is done at most once: whoever finds its result in the folder of work takes that.
"""

from __future__ import annotations

import base64
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

from llmdrills import __version__, paths
from llmdrills.classroom.work import Work, fingerprint
from llmdrills.content.catalogue import load_catalogue, with_slips
from llmdrills.errors import ContentError, GraderError, LLMDrillsError, MissingExtraError
from llmdrills.language import Bilingual
from llmdrills.messages import in_both

if TYPE_CHECKING:
    from llmdrills.content.model import Kata
    from llmdrills.grading.client import Grader
    from llmdrills.language import Language

__all__ = ["Answer", "Task", "close_graders", "do", "packed_code"]

_OTHER_VERSION = Bilingual(
    "this worker has llmdrills {here}, the command has {there}: install one version on all machines",
    "此 worker 上是 llmdrills {here}，而命令是 {there}：请在所有机器上安装同一版本",
)
_OTHER_KATAS = Bilingual(
    "{kata} is not the same here as where the command runs: all machines need the same workspace, at {workspace}",
    "这里的 {kata} 与运行命令的机器上的不同：所有机器需要同样的工作区 {workspace}",
)
_NO_FOLDER = Bilingual(
    "this worker does not see {folder}: --out must lie in a folder that all machines share",
    "此 worker 看不到 {folder}：--out 须位于所有机器共享的文件夹中",
)
_CANNOT_KEEP = Bilingual("cannot write to {folder}: {why}", "无法写入 {folder}：{why}")


class Task(TypedDict):
    """What is to be graded, and where its result goes. `code` is Base64; `workspace` is empty for the shipped one."""

    key: str
    student: str
    file: str
    kata: str
    variant: str
    seed: int
    code: str
    language: Language
    workspace: str
    fingerprint: str
    version: str
    folder: str
    token: str


class Answer(TypedDict):
    """How a task went. "done": its result is in the folder of work; "failed": this one cannot be graded; "stop": none
    can be graded here. `en` and `zh` say why."""

    how: Literal["done", "failed", "stop"]
    en: str
    zh: str


def packed_code(code: bytes) -> str:
    """Code as a task carries it."""
    return base64.b64encode(code).decode("ascii")


def do(task: Task) -> Answer:
    """Grade it, unless it has been, and write the result. Never raises what the task itself can cause."""
    work = Work(Path(task["folder"]), task["token"])
    try:
        if not work.is_the_same():
            return _answer("stop", _NO_FOLDER.format(folder=work.folder))
        if work.result(task["key"]) is not None:
            return _answer("done")
        return _graded(task, work)
    except MissingExtraError as error:
        return _answer("stop", error.in_both)
    except ContentError as error:
        return _answer("failed", Bilingual(error.told("en"), error.told("zh")))
    except LLMDrillsError as error:
        return _answer("failed", error.in_both)
    except OSError as error:
        return _answer("stop", _CANNOT_KEEP.format(folder=work.folder, why=in_both(error.strerror or error)))


def _graded(task: Task, work: Work) -> Answer:
    kata = _kata(task)
    if isinstance(kata, Bilingual):
        return _answer("stop", kata)
    code = base64.b64decode(task["code"])
    verdict = _grader().grade(
        kata, task["variant"], code, seed=task["seed"], language=task["language"], file=task["file"]
    )
    if verdict.outcome == "error":  # nothing was said of the attempt: the next run tries again
        return _answer("failed", Bilingual(verdict.message, verdict.message))
    row = {name: task[name] for name in ("student", "file", "kata", "variant")}
    work.keep(task["key"], **row, verdict=verdict.to_json())
    return _answer("done")


def _answer(how: Literal["done", "failed", "stop"], why: Bilingual | None = None) -> Answer:
    return {"how": how, "en": why.en if why else "", "zh": why.zh if why else ""}


# ---- what a process keeps from task to task ----------------


@dataclass
class _Kept:
    """The kata that was graded last, by its fingerprint, and the grader of each thread."""

    lock: threading.Lock
    katas: dict[tuple[str, str], Kata]
    graders: dict[int, Grader]


_KEPT = _Kept(threading.Lock(), {}, {})


def _kata(task: Task) -> Kata | Bilingual:
    """The kata as the command has it, or why there is none here. Raises ContentError."""
    if task["version"] != __version__:
        return _OTHER_VERSION.format(here=__version__, there=task["version"])
    name = (task["kata"], task["fingerprint"])
    with _KEPT.lock:
        if name in _KEPT.katas:
            return _KEPT.katas[name]
    root = Path(task["workspace"]) if task["workspace"] else paths.bundled_workspace()
    other = _OTHER_KATAS.format(kata=task["kata"], workspace=root)
    try:
        here = {kata.id: kata for kata in load_catalogue(root, paths.locations().cache)}
        if task["kata"] not in here or fingerprint(here[task["kata"]]) != task["fingerprint"]:
            return other
    except OSError:
        return other
    kata = with_slips(here[task["kata"]])
    with _KEPT.lock:
        _KEPT.katas[name] = kata
    return kata


def _grader() -> Grader:
    """This thread's own: a grader does one thing at a time."""
    from llmdrills.grading.client import Grader

    with _KEPT.lock:
        mine = _KEPT.graders.get(threading.get_ident())
        if mine is None:
            mine = _KEPT.graders[threading.get_ident()] = Grader()
        return mine


def close_graders() -> None:
    """End what `do` started in this process."""
    with _KEPT.lock:
        graders = [_KEPT.graders.pop(thread) for thread in list(_KEPT.graders)]
        _KEPT.katas.clear()
    for grader in graders:
        grader.close()


def gone(tries: int) -> Answer:
    """The answer for a task whose process ended each time."""
    return _answer("failed", _ENDED.format(tries=tries))


_ENDED = Bilingual(
    "the process that graded it ended {tries} times: look at what the file does, and run `llmdrills grade` on it alone",
    "给它评分的进程 {tries} 次都意外结束：请检查文件做了什么，并用 `llmdrills grade` 单独评分",
)


def raise_stop(answer: Answer) -> None:
    """Raise GraderError for an answer that says that none can be graded."""
    raise GraderError(Bilingual(answer["en"], answer["zh"]))
