"""`llmdrills check`."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from llmdrills.cli.console import note, print_json, spoken, tell, tell_notices, told
from llmdrills.cli.manual import manual
from llmdrills.cli.options import JsonOption, LangOption, WorkspaceOption, find_kata, place, tell_shipped
from llmdrills.content import load_workspace
from llmdrills.content.engines import is_installed
from llmdrills.content.playtable import write_play
from llmdrills.errors import MissingExtraError, UsageError
from llmdrills.language import Bilingual, counted
from llmdrills.messages import in_both
from llmdrills.paths import came_with_the_package

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence, Sized
    from pathlib import Path

    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata, Workspace
    from llmdrills.grading.proving.audit import Audit
    from llmdrills.grading.proving.reports import HolesReport, VariantReport

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
                "Print which case exposes which slip.",
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

_WRITTEN = Bilingual("decks/computed.json is written: commit it", "已写出 decks/computed.json：请提交")
_UP_TO_DATE = Bilingual("decks/computed.json is up to date", "decks/computed.json 无需更新")
_LINTED = Bilingual("read {notes} and {katas}; no code was run", "已检查 {notes}和 {katas}，没有运行代码")
_SUMMARY = Bilingual(
    "{katas} ({cached} unchanged), {kernels}, {proofs}", "{katas}（{cached} 个没有改动），{kernels}，{proofs}"
)
_RESULT = Bilingual("{mark} {what}: {problems}", "{mark} {what}：{problems}")
_CLEAN = Bilingual("clean", "没有问题")
_HEAD = Bilingual("{kata} ({variant})", "{kata}（{variant}）")
_REDUNDANT = Bilingual(
    "any one of these cases could go, and the others would expose as many slips: {names}",
    "以下用例去掉任意一个，其余用例能发现的常见错误并不减少：{names}",
)
_LEFT_OUT = Bilingual(
    "left out: {katas}, for {engine} is not installed (`pip install 'llmdrills[{engine}]'`): {names}",
    "跳过 {katas}，因为没有安装 {engine}（`pip install 'llmdrills[{engine}]'`）：{names}",
)
_SEARCH = Bilingual(
    "{kata} ({variant}): {draws} ({refused}), {kernels}, {seeds} chosen",
    "{kata}（{variant}）：{draws}（{refused}），{kernels}，选出 {seeds}",
)
_BECAUSE = Bilingual("{n} because {why}", "{n} 次不可用：{why}")
_NONE_REFUSED = Bilingual("none refused", "全部可用")
_UNCOVERED = Bilingual("not covered: {what}", "未覆盖：{what}")
_DRAWS = Bilingual("draws.lock is written for {katas}: commit it", "已写出 {katas} 的 draws.lock：请提交")
_SEARCHED = Bilingual("{mark} {katas} searched: {holes}", "{mark} 已搜索 {katas}：{holes}")
_OPEN = Bilingual("{holes} open", "还有 {holes}")
_NONE_OPEN = Bilingual("no hole is open", "没有漏洞")
_UNCHANGED = Bilingual(" (unchanged)", "（没有改动）")


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
    from llmdrills.grading.proving.lock import renew
    from llmdrills.grading.proving.play_proof import STALE_PLAY, PlayProof, prove_play

    here = place(workspace, lang=lang)
    tell_shipped(workspace, here)
    loaded = load_workspace(here.workspace)
    wanted = [find_kata(loaded.katas, name) for name in katas] if katas else list(loaded.katas)
    if not quick:
        wanted = _installed(wanted, named=bool(katas), write=write)
    if holes:
        raise typer.Exit(_search(here, wanted, jobs=jobs, cache=cache, json=json))
    if write:
        _refuse_a_part(here, part=quick or bool(katas))
    tell_notices(loaded.katas)
    kept = here.locations.cache if cache else None
    played = PlayProof()
    if not quick:
        played = prove_play(loaded, wanted, make=write, cache_dir=kept, jobs=jobs, progress=_progress())
    rewritten = bool(write and played.table and write_play(loaded.root, played.table))  # before the proofs that read it
    found = audit(
        loaded,
        wanted,
        run=not quick,
        cache_dir=kept,
        seeds=range(seed, seed + seeds),
        jobs=jobs,
        progress=_progress(),
    )
    if write:
        renewed = [renew(kata) for kata in loaded.katas]
        changed = write_audit(loaded, found) or any(renewed) or rewritten
        played = replace(played, problems=tuple(one for one in played.problems if one.rule != STALE_PLAY))
        note(told(_WRITTEN if changed else _UP_TO_DATE))
        found = audit(loaded, wanted, cache_dir=here.locations.cache, seeds=range(seed, seed + seeds), jobs=jobs)
    found = _with_cards(replace(found, problems=(*found.problems, *played.problems)), loaded, kept)
    if json:
        print_json(found.to_json())
    else:
        linted = _LINTED.format(notes=_notes(loaded.notes), katas=_katas(loaded.katas))
        _show(found, matrix=matrix, linted=linted if quick else None)
    raise typer.Exit(0 if found.clean else 1)


def _installed(wanted: list[Kata], *, named: bool, write: bool) -> list[Kata]:
    """The katas whose engines are here; what is left out is said.

    Raises MissingExtraError where one that is not was asked for by its name, or where everything is to be computed.
    """
    left_out = [kata for kata in wanted if not is_installed(kata)]
    if left_out and (named or write):
        raise MissingExtraError(left_out[0].engine)
    if left_out:
        names = ", ".join(kata.id for kata in left_out)
        note(_LEFT_OUT.format(katas=_katas(left_out), engine=left_out[0].engine, names=names)[spoken()])
    return [kata for kata in wanted if is_installed(kata)]


def _with_cards(found: Audit, loaded: Workspace, cache: Path | None) -> Audit:
    """The audit with what is wrong with the cards that come out."""
    from llmdrills.decks.inspection import inspect
    from llmdrills.grading.proving.clean import unless_clean

    wrong = unless_clean(loaded.root, cache, "cards", lambda: inspect(loaded, cache))
    return replace(found, problems=tuple(sorted({*found.problems, *wrong})))


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
            note(_searched(report.kata, variant)[spoken()])
            for condition in variant.uncovered:
                note("  " + _UNCOVERED.format(what=in_both(condition))[spoken()])
    if changed:
        note(_DRAWS.format(katas=Bilingual(", ".join(changed), "、".join(changed)))[spoken()])
    holes = _OPEN.format(holes=counted(count, "hole", "处漏洞")) if count else _NONE_OPEN
    tell(_SEARCHED.format(mark="✗" if count else "✓", katas=_katas(found), holes=holes)[spoken()])
    return 1 if count else 0


def _searched(kata: str, variant: HolesReport) -> Bilingual:
    refused = [_BECAUSE.format(n=n, why=in_both(why)) for why, n in variant.refused.items()]
    both = Bilingual(", ".join(one.en for one in refused), "，".join(one.zh for one in refused))
    return _SEARCH.format(
        kata=kata,
        variant=variant.variant,
        draws=counted(variant.draws, "draw", "次抽取"),
        refused=both if refused else _NONE_REFUSED,
        kernels=_kernels(variant.mutants),
        seeds=counted(len(variant.seeds), "seed", "个种子"),
    )


def _show(found: Audit, *, matrix: bool, linted: Bilingual | None) -> None:
    for report in found.katas:
        for variant in report.variants:
            if matrix:
                head = _HEAD.format(kata=report.kata, variant=variant.variant)[spoken()]
                print(f"{head}\n{_table(variant)}\n")
                if variant.redundant:
                    names = Bilingual(", ".join(variant.redundant), "、".join(variant.redundant))
                    note(_REDUNDANT.format(names=names)[spoken()])
    for problem in found.problems:
        tell(problem.told(spoken()))
    kernels = sum(len(variant.matrix.slips) for report in found.katas for variant in report.variants)
    cached = sum(report.cached for report in found.katas)
    proofs = counted(len(found.proofs), "proof", "份证明")
    summary = _SUMMARY.format(katas=_katas(found.katas), cached=cached, kernels=_kernels(kernels), proofs=proofs)
    count = len(found.problems)
    words = {"mark": "✗" if count else "✓", "what": linted or summary}
    tell(_RESULT.format(problems=counted(count, "problem", "处问题") if count else _CLEAN, **words)[spoken()])


def _katas(found: Sized) -> Bilingual:
    return counted(len(found), "kata", "个练习")


def _notes(found: Sized) -> Bilingual:
    return counted(len(found), "note", "条笔记")


def _kernels(count: int) -> Bilingual:
    return counted(count, "wrong kernel", "种错误写法")


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
        print(f"\r{what}{told(_UNCHANGED) if cached else ''}\x1b[K\r", end="", file=sys.stderr, flush=True)

    return show
