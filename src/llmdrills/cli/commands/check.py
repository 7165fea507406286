"""`llmdrills check`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from llmdrills.cli.console import note, print_json, spoken, tell, tell_notices, told
from llmdrills.cli.manual import manual
from llmdrills.cli.options import JsonOption, LangOption, WorkspaceOption, find_kata, place
from llmdrills.content import load_workspace
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual, counted
from llmdrills.paths import came_with_the_package

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence, Sized

    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata
    from llmdrills.grading.proving.audit import Audit
    from llmdrills.grading.proving.reports import VariantReport

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Check the workspace: lint notes, run their proofs, prove the graders of the katas.",
        "检查工作区：静态检查笔记，运行笔记中的验算代码，并验证各练习的评分器。",
    ),
    "llmdrills check",
    "llmdrills check --quick",
    "llmdrills check rope-pairing --matrix",
    "llmdrills check --write",
    "llmdrills check --holes rms-norm",
    more=Bilingual(
        "Exit status: 0 clean, 1 problem or more found, 2 the workspace cannot be read.",
        "退出状态：0 没有问题，1 发现问题，2 无法读取工作区。",
    ),
)

_KatasArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KATA",
        help=told(Bilingual("Prove these katas' graders; all unless given.", "只验证这些练习的评分器；默认验证全部。")),
    ),
]
_QuickOption = Annotated[
    bool,
    typer.Option(
        "--quick",
        help=told(Bilingual("Lint only: run no proof and no kata.", "只做静态检查，不运行验算代码，也不运行练习。")),
    ),
]
_HolesOption = Annotated[
    bool,
    typer.Option(
        "--holes",
        help=told(
            Bilingual(
                "Look for wrong kernels that the cases let pass; write draws.lock.",
                "查找能通过所有用例的错误实现；写出 draws.lock。",
            )
        ),
    ),
]
_MatrixOption = Annotated[
    bool,
    typer.Option(
        "--matrix",
        help=told(
            Bilingual(
                "Print the kill matrix of each kata and variant.",
                "打印每个练习、每个变体的检出矩阵：哪个用例检出哪种错误。",
            )
        ),
    ),
]
_WriteOption = Annotated[
    bool,
    typer.Option(
        "--write",
        help=told(
            Bilingual("Write decks/computed.json, which `build` reads.", "写出供 `build` 读取的 decks/computed.json。")
        ),
    ),
]
_CacheOption = Annotated[
    bool,
    typer.Option(
        "--cache/--no-cache", help=told(Bilingual("Use the results of earlier checks.", "沿用以前的检查结果。"))
    ),
]
_SeedOption = Annotated[
    int, typer.Option("--seed", min=0, help=told(Bilingual("Seed of the cases.", "用例的随机种子。")))
]
_SeedsOption = Annotated[
    int,
    typer.Option(
        "--seeds",
        min=1,
        help=told(Bilingual("On how many seeds; 20 before a release.", "用多少个随机种子检查；发布前用 20 个。")),
    ),
]
_JobsOption = Annotated[
    int | None, typer.Option("--jobs", "-j", min=1, help=told(Bilingual("Processes at once.", "并行进程数。")))
]


def command(
    katas: _KatasArgument = None,
    quick: _QuickOption = False,
    holes: _HolesOption = False,
    matrix: _MatrixOption = False,
    write: _WriteOption = False,
    cache: _CacheOption = True,
    seed: _SeedOption = 0,
    seeds: _SeedsOption = 5,
    jobs: _JobsOption = None,
    json: JsonOption = False,
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills check`."""
    from llmdrills.grading.proving.audit import audit, write_audit

    here = place(workspace, lang=lang)
    loaded = load_workspace(here.workspace)
    wanted = [find_kata(loaded.katas, name) for name in katas] if katas else list(loaded.katas)
    if holes:
        raise typer.Exit(_search(here, wanted, jobs=jobs, cache=cache, json=json))
    if write:
        _refuse_a_part(here, part=quick or bool(katas))
    tell_notices(loaded.katas)
    found = audit(
        loaded,
        wanted,
        run=not quick,
        cache_dir=here.locations.cache if cache else None,
        seeds=range(seed, seed + seeds),
        jobs=jobs,
        progress=_progress(),
    )
    if write:
        changed = write_audit(loaded, found)
        note("decks/computed.json is written: commit it" if changed else "decks/computed.json is up to date")
        found = audit(loaded, wanted, cache_dir=here.locations.cache, seeds=range(seed, seed + seeds), jobs=jobs)
    if json:
        print_json(found.to_json())
    else:
        linted = f"read {_n(loaded.notes, 'note')} and {_n(loaded.katas, 'kata')}; no code was run"
        _show(found, matrix=matrix, linted=linted if quick else "")
    raise typer.Exit(0 if found.clean else 1)


def _refuse_a_part(here: Place, *, part: bool) -> None:
    if part or came_with_the_package(here.workspace):
        raise UsageError(
            "--write writes what the whole workspace computes",
            "run it without --quick and without names of katas, in a workspace of your own (`llmdrills init`)",
        )


def _search(here: Place, katas: Sequence[Kata], *, jobs: int | None, cache: bool, json: bool) -> int:
    """Look for holes, write the draws that were chosen, and say what is open; the exit code."""
    from llmdrills.grading.proving.check import search_holes
    from llmdrills.grading.proving.lock import write_draws

    show = _progress()
    found = search_holes(
        katas,
        cache_dir=here.locations.cache if cache else None,
        jobs=jobs,
        progress=(lambda report: show(report.kata, report.cached)) if show else None,
    )
    own = not came_with_the_package(here.workspace)
    changed = [report.kata for kata, report in zip(katas, found, strict=True) if own and write_draws(kata, report)]
    count = sum(len(report.problems) for report in found)
    if json:
        print_json({"schema": 1, "clean": not count, "katas": [report.to_json() for report in found]})
        return 1 if count else 0
    for report in found:
        for problem in report.problems:
            tell(problem.told(spoken()))
        for variant in report.variants:
            refused = ", ".join(f"{number} because {why}" for why, number in variant.refused.items())
            said = f"{_n(variant.draws, 'draw')} ({refused or 'none refused'}), {_n(variant.mutants, 'wrong kernel')}"
            note(f"{report.kata} ({variant.variant}): {said}, {_n(variant.seeds, 'seed')} chosen")
            for condition in variant.uncovered:
                note(f"  not covered: {condition}")
    if changed:
        note(f"draws.lock is written for {', '.join(changed)}: commit it")
    said = f"{_n(count, 'hole')} open" if count else "no hole is open"
    tell(f"{'✗' if count else '✓'} {_n(found, 'kata')} searched: {said}")
    return 1 if count else 0


def _show(found: Audit, *, matrix: bool, linted: str) -> None:
    for report in found.katas:
        for variant in report.variants:
            if matrix:
                print(f"{report.kata} ({variant.variant})\n{_table(variant)}\n")
                if variant.redundant:
                    note(
                        "any one of these cases could go, and the others would expose as many slips: "
                        + ", ".join(variant.redundant)
                    )
    for problem in found.problems:
        tell(problem.told(spoken()))
    kernels = sum(len(variant.matrix.slips) for report in found.katas for variant in report.variants)
    cached = sum(report.cached for report in found.katas)
    summary = (
        f"{_n(found.katas, 'kata')} ({cached} unchanged), {_n(kernels, 'wrong kernel')}, {_n(found.proofs, 'proof')}"
    )
    count = len(found.problems)
    tell(f"{'✗' if count else '✓'} {linted or summary}: {_n(count, 'problem') if count else 'clean'}")


def _n(what: int | Sized, one: str) -> str:
    """How many there are, with the word for it."""
    return counted(what if isinstance(what, int) else len(what), one, "").en


def _table(variant: VariantReport) -> str:
    """Slips down, cases across by number; the cases' names below."""
    found = variant.matrix
    width = max((len(name) for name in found.slips), default=0)
    heads = " ".join(f"{number:>2}" for number in range(1, len(found.cases) + 1))
    lines = [f"{'':<{width}}  {heads}"]
    for name in found.slips:
        marks = " ".join(" ✗" if found.kinds[name][case] else " ·" for case in found.cases)
        lines.append(f"{name:<{width}}  {marks}")
    lines += [f"{number:>4} {case}" for number, case in enumerate(found.cases, 1)]
    return "\n".join(lines)


def _progress() -> Callable[[str, bool], None] | None:
    if not sys.stderr.isatty():
        return None

    def show(what: str, cached: bool) -> None:
        print(f"\r{what}{' (unchanged)' if cached else ''}\x1b[K\r", end="", file=sys.stderr, flush=True)

    return show
