"""Load the katas quickly, from a cache that is valid as long as no file of drills/ changed.

Nothing here imports YAML or parses Python on a hit: `llmdrills today --json` has to start about as fast as an empty
command.
The cache is JSON, keyed by the package's version and by path, size and mtime of workspace.toml and of each kata's
files; one that can't be read, or was made for something else, is made anew. Slips are left out: `with_slips` adds them.
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmdrills import __version__
from llmdrills.content.kata import (
    Budget,
    Clause,
    Forbidden,
    Kata,
    Position,
    Source,
    Stage,
    Stages,
    Starter,
    Variant,
)
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["cache_file", "load_catalogue", "with_slips"]

_FORMAT = 7  # increase it when a cached field of Kata is added or removed
_FILES = ("kata.yaml", "reference.py", "solution.py", "cases.py", "slips.yaml")

Json = dict[str, Any]


def load_catalogue(root: Path, cache_dir: Path) -> tuple[Kata, ...]:
    """The katas of the workspace at `root`, checked, without their slips.

    Raises ContentError, with every problem of every kata, when one has any; then nothing is cached.
    """
    root = root.absolute()
    stamp = _stamp(root)
    path = cache_file(root, cache_dir)
    cached = _read(path, root, stamp)
    if cached is not None:
        return cached
    from llmdrills.content.load import load_katas

    katas = load_katas(root)
    _write(path, {"stamp": stamp, "katas": [_to_json(kata) for kata in katas]})
    return tuple(_from_json(_to_json(kata), root) for kata in katas)


def cache_file(root: Path, cache_dir: Path) -> Path:
    """Where the catalogue of that workspace is cached."""
    return cache_dir / f"catalogue-{zlib.crc32(os.fsencode(root)):08x}.json"


def _stamp(root: Path) -> list[Any]:
    """The files and times that decide whether the cache is still valid."""
    about = os.path.join(root, "workspace.toml")  # noqa: PTH118  # str paths: pathlib takes as long as the rest of this function
    stamp: list[Any] = [_FORMAT, __version__, str(root), _times(about)]
    drills = os.path.join(root, "drills")  # noqa: PTH118  # the same
    try:
        names = sorted(os.listdir(drills))  # noqa: PTH208  # the same
    except OSError:
        return stamp
    for name in names:
        for file in _FILES:
            times = _times(os.path.join(drills, name, file))  # noqa: PTH118  # the same
            if times:
                stamp.append([name, file, *times])
    return stamp


def _times(file: str) -> list[int]:
    """What changes when the file does; empty where there is none."""
    try:
        found = os.stat(file)  # noqa: PTH116  # the same
    except OSError:
        return []
    return [found.st_mtime_ns, found.st_size]


def _read(path: Path, root: Path, stamp: list[Any]) -> tuple[Kata, ...] | None:
    try:
        data = json.loads(path.read_bytes())
        if data["stamp"] != stamp:
            return None
        return tuple(_from_json(entry, root) for entry in data["katas"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return None  # a cache that cannot be read or written is no reason to fail


def _write(path: Path, data: Json) -> None:
    from llmdrills.files import write_atomically

    try:
        write_atomically(path, json.dumps(data, ensure_ascii=False))
    except OSError:
        return  # on a full disk or in a read-only home only speed is lost


def _to_json(kata: Kata) -> Json:
    return {
        "id": kata.id,
        "title": _both(kata.title),
        "topic": kata.topic,
        "own_topic": kata.own_topic and _both(kata.own_topic),
        "minutes": kata.minutes,
        "entry": kata.entry,
        "prompt": _both(kata.prompt),
        "hints": [_both(hint) for hint in kata.hints],
        "variants": [_variant_to_json(variant) for variant in kata.variants],
        "notices": kata.notices,
        "at": [str(kata.position.file), kata.position.line, kata.position.column],
        "requires": kata.requires,
        "turn": kata.turn,
        "proves": kata.proves,
        "needs": kata.needs,
        "forbidden": [[one.call, _both(one.why)] for one in kata.forbidden],
        "engine": kata.engine,
        "budgets": [[one.case, _both(one.why), one.multiples] for one in kata.budgets],
        "sources": [[one.title, one.url] for one in kata.sources],
        "starter": [kata.starter.function, kata.starter.slips],
        "stages": kata.stages and _stages_to_json(kata.stages),
    }


def _from_json(data: Json, root: Path) -> Kata:
    file, line, column = data["at"]
    return Kata(
        id=data["id"],
        title=Bilingual(*data["title"]),
        topic=data["topic"],
        own_topic=Bilingual(*data["own_topic"]) if data["own_topic"] else None,
        minutes=data["minutes"],
        entry=data["entry"],
        prompt=Bilingual(*data["prompt"]),
        hints=_texts(data["hints"]),
        variants=tuple(_variant_from_json(entry) for entry in data["variants"]),
        notices=tuple(data["notices"]),
        folder=root / "drills" / data["id"],
        position=Position(Path(file), line, column),
        requires=tuple(data["requires"]),
        turn=data["turn"],
        proves=tuple(data["proves"]),
        needs=tuple(data["needs"]),
        forbidden=tuple(Forbidden(call, Bilingual(*why)) for call, why in data["forbidden"]),
        engine=data["engine"],
        budgets=tuple(Budget(case, Bilingual(*why), **limits) for case, why, limits in data["budgets"]),
        sources=tuple(Source(title, url) for title, url in data["sources"]),
        starter=Starter(*data["starter"]),
        stages=_stages_from_json(data["stages"]) if data["stages"] else None,
    )


def _stages_to_json(stages: Stages) -> list[Any]:
    def written(some: Iterable[Stage]) -> list[Any]:
        return [[stage.call, _both(stage.name), written(stage.inside)] for stage in some]

    return [_both(stages.start), written(stages.rounds), written(stages.last), _both(stages.end)]


def _stages_from_json(data: list[Any]) -> Stages:
    def read(some: Iterable[Any]) -> tuple[Stage, ...]:
        return tuple(Stage(call, Bilingual(*name), read(inside)) for call, name, inside in some)

    start, rounds, last, end = data
    return Stages(Bilingual(*start), read(rounds), read(last), Bilingual(*end))


def _variant_to_json(variant: Variant) -> Json:
    return {
        "id": variant.id,
        "title": _both(variant.title),
        "clauses": [[clause.id, _both(clause.text), clause.generated] for clause in variant.clauses],
        "reference": variant.reference,
        "mistaken": variant.mistaken and _both(variant.mistaken),
        "weaker_than": variant.weaker_than,
        "empty": variant.empty,
        "gradients": variant.gradients,
    }


def _variant_from_json(data: Json) -> Variant:
    return Variant(
        id=data["id"],
        title=Bilingual(*data["title"]),
        clauses=tuple(Clause(name, Bilingual(*text), generated) for name, text, generated in data["clauses"]),
        reference=data["reference"],
        mistaken=Bilingual(*data["mistaken"]) if data["mistaken"] else None,
        weaker_than=data["weaker_than"],
        empty=tuple(data["empty"]),
        gradients=tuple(data["gradients"]),
    )


def _both(text: Bilingual) -> list[str]:
    return [text.en, text.zh]


def _texts(pairs: Iterable[list[str]]) -> tuple[Bilingual, ...]:
    return tuple(Bilingual(pair[0], pair[1]) for pair in pairs)


def with_slips(kata: Kata) -> Kata:
    """The kata with its slips, read without running anything: for whoever names a learner's mistake.

    Raises ContentError when cases.py or slips.yaml cannot be read.
    """
    from dataclasses import replace

    from llmdrills.content.katafile import right_kernels
    from llmdrills.content.kernels import read_cases
    from llmdrills.content.report import Report
    from llmdrills.content.slips import read_slips
    from llmdrills.content.workspacefile import read_workspace_file

    root = kata.folder.parent.parent
    report = Report(root)
    languages = read_workspace_file(root, report).languages
    clauses = {variant.id: tuple(filter(None, variant.ids)) for variant in kata.variants}
    cases = read_cases(kata.cases_file, clauses, report)
    slips = [
        *(cases.slips if cases else ()),
        *read_slips(kata.slips_file, right_kernels(kata, cases, report), report, languages).slips,
    ]
    report.raise_if_any()
    return replace(kata, slips=tuple(slips))
