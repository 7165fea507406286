"""`llmdrills grade`."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmdrills.cli.console import note, print_json
from llmdrills.cli.options import (
    DeviceOption,
    JsonOption,
    KataArgument,
    LangOption,
    Place,
    VariantOption,
    WorkspaceOption,
    find_kata,
    find_variant,
    place,
)
from llmdrills.cli.record import record_attempt, repetition_seed
from llmdrills.cli.verdict_view import print_verdict
from llmdrills.content.catalogue import load_catalogue, with_slips
from llmdrills.errors import LLMDrillsError, UsageError
from llmdrills.files import read_source
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from llmdrills.content.model import Kata, Variant
    from llmdrills.grading.client import Grader
    from llmdrills.grading.judging.verdict import Verdict

__all__ = ["command"]

_NOT_RECORDED = Bilingual(
    "llmdrills: this attempt is not recorded: {error}", "llmdrills：这次作答没有记入历史：{error}"
)


def command(
    kata: KataArgument,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="Your file; practice/KATA.py unless given.", show_default=False),
    ] = None,
    variant: VariantOption = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, help="The seed of the inputs; the file's own unless given.", show_default=False),
    ] = None,
    device: DeviceOption = None,
    parity: Annotated[
        bool, typer.Option("--parity", help="Grade on the CPU and on the device, and compare the verdicts.")
    ] = False,
    why: Annotated[
        bool, typer.Option("--why", help="Show the inputs, the numbers around, a snippet and the rest, too.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Grade on every save, until Ctrl-C.")] = False,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Grade a file against a kata's reference.

    \b
    Examples:
      llmdrills grade rope-pairing
      llmdrills grade rope-pairing mine.py --variant half-split
      llmdrills grade rope-pairing --why --seed 7
      llmdrills grade rope-pairing --watch
      llmdrills grade rope-pairing mine.py --json --seed 7

    Exit status: 0 passed, 1 not passed, 2 usage, configuration or grader error.
    """
    from llmdrills.grading.client import Grader

    here = place(workspace, lang=lang, device=device)
    with Grader(device=here.settings.text("device")) as grader:  # imports torch while this process reads the kata
        found = with_slips(find_kata(load_catalogue(here.workspace, here.locations.cache), kata))
        path = file or here.locations.practice / f"{found.id}.py"
        chosen = find_variant(found, variant or _variant_of(path, found))
        if seed is None:
            seed = _own_seed(here, found, chosen, path)
        task = _Task(
            grader=grader,
            kata=found,
            variant=chosen.id,
            path=path,
            here=here,
            seed=seed,
            parity=parity,
            json=json,
            why=why,
        )
        if watch:
            _watch(task)
            return
        verdict = _grade(task)
    raise typer.Exit(2 if verdict.outcome == "error" else 0 if verdict.passed else 1)


def _own_seed(here: Place, kata: Kata, variant: Variant, path: Path) -> int | None:
    """The seed of the file's repetition; one that cannot be read keeps nobody from grading."""
    try:
        return repetition_seed(here, kata, path, variant.id)
    except (LLMDrillsError, OSError):
        return None  # recording the attempt tells why


def _variant_of(path: Path, kata: Kata) -> str | None:
    """The variant that the file's header names; the starter writes one."""
    from llmdrills.content.starter import read_header

    header = read_header(_read(path, kata).decode("utf-8", errors="replace"))
    if header is None:
        return None
    named, variant = header
    if named != kata.id:
        raise UsageError(
            f"{path} is a file for {named}", f"run `llmdrills grade {named} {path}`, or change its first line"
        )
    return variant


def _read(path: Path, kata: Kata) -> bytes:
    try:
        return read_source(path)
    except FileNotFoundError as error:
        raise UsageError(f"there is no {path}", f"`llmdrills start {kata.id}` writes a starter") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", "give another file") from error


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


def _grade(task: _Task) -> Verdict:
    """Grade the file, record the verdict and show it; one that cannot be recorded is shown all the same."""
    kata, path, language = task.kata, task.path, task.here.language
    code = _read(path, kata)
    grade = task.grader.parity if task.parity else task.grader.grade
    verdict = grade(kata, task.variant, code, seed=task.seed, language=language, file=str(path))
    try:
        record_attempt(task.here, kata, path, code, verdict)
    except (LLMDrillsError, OSError) as error:
        note(_NOT_RECORDED[language].format(error=error))
    if task.json:
        print_json(verdict.to_json())
    else:
        print_verdict(verdict, language, why=task.why)
    sys.stdout.flush()
    return verdict


def _watch(task: _Task) -> None:
    from llmdrills.cli.watch import watch
    from llmdrills.grading.client import Cancelled, seed_of

    # One seed for all saves: what failed stays until it is fixed, and the oracle can work beforehand.
    seed = seed_of(_read(task.path, task.kata)) if task.seed is None else task.seed
    task = dataclasses.replace(task, seed=seed, parity=False)
    note(f"watching {task.path}: save to grade, Ctrl-C to stop")

    def saved() -> None:
        with contextlib.suppress(Cancelled):  # a newer save is graded next
            _grade(task)
        task.grader.prepare(task.kata, task.variant, seed)

    watch(task.path, saved, task.grader.cancel, at_once=True)
