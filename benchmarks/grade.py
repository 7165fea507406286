"""The bars of grading, as ratios within one run, and what a pytest file takes for the same.

    python -m benchmarks.grade

- one-shot: `llmdrills grade KATA FILE --json`, a whole process, against `python -c "import torch"`. The two take turns
  and their medians are compared. Bar: at most 1.1. Beside it stands the same attempt judged by a pytest file of the
  kata's named cases, which has no bar: it is what a course would write instead.
- watch: `llmdrills grade --watch --json`, from the moment a file is saved to the moment its verdict is printed, without
  the debounce (the quiet that ends a save): for each kata the median over saves of a right and a wrong attempt in
  turn, then the median over the katas. Bar: at most 100 ms over all saves, at most 60 ms over those that pass.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from benchmarks.build import Bar
from llmdrills.cli.watch import DEBOUNCE
from llmdrills.content.load import load_katas
from llmdrills.content.model import Kata

KATA = "scaled-dot-product-attention"
ROUNDS, SAVES, PAUSE = 7, 8, 2.0
WATCH_BAR, PASS_BAR = 0.1, 0.06
ROOT = Path(__file__).resolve().parents[1]
PYTEST_FILE = """\
import copy
import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from llmdrills.content.load import load_katas
from llmdrills.grading.authoring import Inputs
from llmdrills.grading.kernels.registry import load

(KATA,) = (kata for kata in load_katas(Path({root!r})) if kata.id == {kata!r})
KERNELS = load(KATA).variant(KATA.variants[0].id)
CASES = [case for case in KERNELS.cases if not case.raises and not case.draws]
spec = importlib.util.spec_from_file_location("attempt", {attempt!r})
attempt = importlib.util.module_from_spec(spec)
spec.loader.exec_module(attempt)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case, tmp_path):
    made = case.make(Inputs(11, case.name, tmp_path))
    close = {{}} if case.rtol is case.atol is None else {{"rtol": case.rtol or 1e-5, "atol": case.atol or 1e-5}}
    for call in made if isinstance(made, tuple) else (made,):
        due = KERNELS.reference(*copy.deepcopy(call.args), **copy.deepcopy(call.kwargs))
        got = getattr(attempt, KATA.entry)(*call.args, **call.kwargs)
        torch.testing.assert_close(got, due, **close)
"""


def attempts(kata: Kata) -> tuple[str, str]:
    """A right file of the kata's first variant, and one with a mistake of that variant."""
    variant = kata.variants[0]
    right = f"{kata.reference_file.read_text('utf-8')}\n\n{kata.entry} = {variant.reference}\n"
    slip = next(slip for slip in kata.slips if slip.of and variant.id in slip.texts)
    names = "import math\nimport torch\nimport torch.nn.functional as F\n"  # what an equivalent of cases.py may use
    return right, f"{right}\n\n{names}\n{slip.texts[variant.id]}\n{kata.entry} = {slip.names[variant.id]}\n"


def _kata(name: str) -> Kata:
    return next(kata for kata in load_katas(ROOT) if kata.id == name)


def _command(kata: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "llmdrills", "grade", kata, *arguments, "--workspace", str(ROOT)]


def watch_command(kata: str, file: Path) -> list[str]:
    """What grades a file at every save, and prints a line of JSON for each."""
    return _command(kata, str(file), "--watch", "--json")


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "LLMDRILLS_HOME": str(folder / "home")}


def _median(rounds: int, *runs: Callable[[], float]) -> list[float]:
    """The median seconds of each run; they take turns, so that a busy moment falls on all of them."""
    for run in runs:
        run()  # once beforehand: files get into the cache
    taken = [[run() for run in runs] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*taken, strict=True)]


def one_shot(folder: Path) -> tuple[Bar, float]:
    """A whole `grade` of a right file, and the seconds that pytest takes for it."""
    file, test = folder / "right.py", folder / "test_right.py"
    file.write_text(attempts(_kata(KATA))[0], "utf-8")
    test.write_text(PYTEST_FILE.format(root=str(ROOT), kata=KATA, attempt=str(file)), "utf-8")

    def run(command: list[str]) -> float:
        started = time.perf_counter()
        subprocess.run(command, env=_environment(folder), capture_output=True, check=True)
        return time.perf_counter() - started

    judged = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(test)]
    ours, theirs, by_pytest = _median(
        ROUNDS,
        lambda: run(_command(KATA, str(file), "--json")),
        lambda: run([sys.executable, "-c", "import torch"]),
        lambda: run(judged),
    )
    return Bar("one-shot grade", ours, theirs, 1.1, 'python -c "import torch"'), by_pytest


def watch(kata: Kata, folder: Path) -> tuple[float, float]:
    """Saves of right and wrong files in turn, each after a pause in which a learner would think.

    Returns the median seconds of those that pass and of those that fail, the debounce taken off.
    """
    file = folder / f"{kata.id}.py"
    right, wrong = attempts(kata)
    file.write_text(right, "utf-8")
    taken: dict[bool, list[float]] = {True: [], False: []}
    command = watch_command(kata.id, file)
    with subprocess.Popen(
        command, env=_environment(folder), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as watcher:
        assert watcher.stdout is not None
        verdict_line(watcher.stdout)
        for number in range(SAVES + 2):
            time.sleep(PAUSE)
            passes = number % 2 == 1
            file.write_text(right if passes else wrong, "utf-8")
            started = time.perf_counter()
            if verdict_line(watcher.stdout)["passed"] is not passes:
                raise SystemExit(f"{kata.id}: the {'right' if passes else 'wrong'} attempt has the other verdict")
            if number > 1:  # the first of each kind fills caches
                taken[passes].append(time.perf_counter() - started - DEBOUNCE)
        watcher.terminate()
    return statistics.median(taken[True]), statistics.median(taken[False])


def all_katas(folder: Path) -> tuple[Bar, Bar]:
    """Save to verdict, the median over all katas: of all saves, and of those that pass."""
    passed, failed = {}, {}
    for kata in load_katas(ROOT):
        passed[kata.id], failed[kata.id] = watch(kata, folder)
        print(f"       {kata.id}: {passed[kata.id]:.3f} s to a pass, {failed[kata.id]:.3f} s to a failure", flush=True)
    every = statistics.median([*passed.values(), *failed.values()])
    note = f"{len(passed)} katas, the debounce left out"
    return (
        Bar("save to verdict", every, WATCH_BAR, 1.0, f"100 ms; {note}"),
        Bar("save to a pass", statistics.median(passed.values()), PASS_BAR, 1.0, f"60 ms; {note}"),
    )


def verdict_line(output: IO[str]) -> dict[str, Any]:
    """Read one JSON document: it ends with a brace in the first column."""
    lines = []
    for line in output:
        lines.append(line)
        if line.startswith("}"):
            return json.loads("".join(lines))
    raise SystemExit("`llmdrills grade --watch` ended")


def main() -> int:
    """Print the bars; 1 when one does not hold."""
    with tempfile.TemporaryDirectory(prefix="llmdrills-bench-") as folder:
        one, by_pytest = one_shot(Path(folder))
        found = [one, *all_katas(Path(folder))]
    for bar in found:
        verdict = "holds" if bar.held else "BROKEN"
        print(
            f"{verdict:6} {bar.name}: {bar.seconds:.3f} s / {bar.reference:.3f} s = {bar.ratio:.2f}"
            f" (at most {bar.limit:g}) [{bar.note}]"
        )
    beside = f"{by_pytest:.3f} s, {by_pytest / one.seconds:.2f} times the one-shot grade"
    print(f"       the same attempt by a pytest file of the named cases: {beside}")
    return 0 if all(bar.held for bar in found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
