"""The two bars of grading, as ratios within one run.

    python -m benchmarks.grade

- one-shot: `llmdrills grade KATA FILE --json`, a whole process, against `python -c "import torch"`. The two take turns
  and their medians are compared. Bar: at most 1.1.
- watch: `llmdrills grade --watch --json`, from the moment a file is saved to the moment its verdict is printed, without
  the debounce (the quiet that ends a save), against 100 ms. The median over saves of right and wrong attempts in turn.
  Bar: at most 1.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from benchmarks.build import Bar

KATA = "scaled-dot-product-attention"
ROUNDS, SAVES, PAUSE = 7, 20, 2.0
WATCH_BAR = 0.1
ROOT = Path(__file__).resolve().parents[1]


def attempts() -> tuple[str, str]:
    """A right file, and one with a known mistake."""
    from llmdrills.content.load import load_katas

    kata = next(kata for kata in load_katas(ROOT) if kata.id == KATA)
    text = kata.reference_file.read_text("utf-8").replace(f"def {kata.variants[0].reference}(", f"def {kata.entry}(")
    wrong = text.replace(" / math.sqrt(Q.size(-1))", "")
    if wrong == text:
        raise SystemExit(f"{kata.reference_file} no longer divides by math.sqrt(Q.size(-1)): fix this benchmark")
    return text, wrong


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "llmdrills", "grade", KATA, *arguments, "--workspace", str(ROOT)]


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "LLMDRILLS_HOME": str(folder / "home")}


def _median(rounds: int, *runs: Callable[[], float]) -> list[float]:
    """The median seconds of each run; they take turns, so that a busy moment falls on all of them."""
    for run in runs:
        run()  # once beforehand: files get into the cache
    taken = [[run() for run in runs] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*taken, strict=True)]


def one_shot(folder: Path) -> Bar:
    """A whole `grade` of a right file."""
    file = folder / "right.py"
    file.write_text(attempts()[0], "utf-8")

    def run(command: list[str]) -> float:
        started = time.perf_counter()
        subprocess.run(command, env=_environment(folder), capture_output=True, check=True)
        return time.perf_counter() - started

    ours, theirs = _median(
        ROUNDS, lambda: run(_command(str(file), "--json")), lambda: run([sys.executable, "-c", "import torch"])
    )
    return Bar("one-shot grade", ours, theirs, 1.1, 'python -c "import torch"')


def watch(folder: Path) -> Bar:
    """Saves of right and wrong files in turn, each after a pause in which a learner would think."""
    from llmdrills.cli.watch import DEBOUNCE

    file = folder / "watched.py"
    right, wrong = attempts()
    file.write_text(right, "utf-8")
    taken = []
    command = _command(str(file), "--watch", "--json")
    with subprocess.Popen(
        command, env=_environment(folder), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as watcher:
        assert watcher.stdout is not None
        _verdict(watcher.stdout)
        for number in range(SAVES):
            time.sleep(PAUSE)
            file.write_text(wrong if number % 2 else right, "utf-8")
            started = time.perf_counter()
            _verdict(watcher.stdout)
            taken.append(time.perf_counter() - started - DEBOUNCE)
        watcher.terminate()
    return Bar("save to verdict", statistics.median(taken), WATCH_BAR, 1.0, "100 ms, the debounce left out")


def _verdict(output: IO[str]) -> None:
    """Read one JSON document: it ends with a brace in the first column."""
    for line in output:
        if line.startswith("}"):
            return
    raise SystemExit("`llmdrills grade --watch` ended")


def bars() -> list[Bar]:
    """Measure both."""
    with tempfile.TemporaryDirectory(prefix="llmdrills-bench-") as folder:
        return [one_shot(Path(folder)), watch(Path(folder))]


def main() -> int:
    """Print the bars; 1 when one does not hold."""
    found = bars()
    for bar in found:
        verdict = "holds" if bar.held else "BROKEN"
        print(
            f"{verdict:6} {bar.name}: {bar.seconds:.3f} s / {bar.reference:.3f} s = {bar.ratio:.2f}"
            f" (at most {bar.limit:g}) [{bar.note}]"
        )
    return 0 if all(bar.held for bar in found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
