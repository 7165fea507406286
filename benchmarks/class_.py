"""A class of a thousand: how fast, what a second worker brings, and what is left when a worker is killed.

    python -m benchmarks.class_
    LLMDRILLS_CLASS=100 python -m benchmarks.class_

- submissions per second, and per worker, of a mixed class: of ten files six are right and three hold a known mistake of
  their kata; the rest crash, are empty, or never end. One worker and two do the same fifth of the class, each into an
  empty report. Bar: two take at most 0.8 of the time of one, on two cores or more.
- bare kernels: the same files in one process, each executed and called once on every named case: no fork, no draws, no
  comparison, no diagnosis, and no protection. It has no bar: it is what isolation and diagnosis cost.
- killed: the whole class on a local Dask cluster of two workers, one of which gets SIGKILL in the middle. Bar: every
  file has one row and one result, and no result that was there is written again.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.build import Bar
from benchmarks.grade import attempts
from llmdrills.content.load import load_katas
from llmdrills.content.model import Kata

ROOT = Path(__file__).resolve().parents[1]
CLASS = int(os.environ.get("LLMDRILLS_CLASS", "1000"))
FILES = 10  # of one student
TWO_WORKERS = 0.8
ODD = ("raise RuntimeError('not today')\n", "def {entry}(*args):\n    raise NotImplementedError\n")
HANGING = "while True:\n    pass\n"
EVERY = 200  # one file in so many never ends: each takes its ten seconds
BARE = """\
import contextlib, copy, sys, time
from pathlib import Path
from llmdrills.content.load import load_katas
from llmdrills.grading.authoring import Inputs
from llmdrills.grading.kernels.derived_cases import NotDerivable
from llmdrills.grading.kernels.registry import load

files = sorted(Path(sys.argv[1]).glob("*/*.py"), key=lambda path: path.name)
loaded = {kata.id: load(kata) for kata in load_katas(Path(sys.argv[2])) if any(f.stem == kata.id for f in files)}
scratch = Path(sys.argv[3])
made = {}
for name, one in loaded.items():
    cases = one.variant(one.kata.variants[0].id).cases
    made[name] = []
    for case in cases:
        with contextlib.suppress(NotDerivable):
            some = case.make(Inputs(11, case.name, scratch)) if not case.raises else ()
            made[name] += some if isinstance(some, tuple) else (some,)
began = time.perf_counter()
for file in files:
    text = file.read_text("utf-8")
    if "while True" in text:
        continue
    with contextlib.suppress(BaseException), contextlib.redirect_stdout(None):
        module = {"__name__": "solution"}
        exec(compile(text, str(file), "exec"), module)
        for call in made[file.stem]:
            with contextlib.suppress(Exception):
                module[loaded[file.stem].kata.entry](*copy.deepcopy(call.args), **copy.deepcopy(call.kwargs))
print(time.perf_counter() - began)
"""


class Ran(NamedTuple):
    """How long it took, and what is in the report."""

    seconds: float
    rows: list[dict[str, object]]


def hand_in(folder: Path, count: int) -> int:
    """Write so many files, as students of ten files each; the same each time. How many never end."""
    drawn = random.Random(14)
    katas = [kata for kata in load_katas(ROOT) if not kata.needs]
    texts = {kata.id: attempts(kata) for kata in katas}
    hanging = 0
    for number in range(count):
        if number % FILES == 0:
            todays = drawn.sample(katas, FILES)
        kata = todays[number % FILES]
        path = folder / f"student{number // FILES:04}" / f"{kata.id}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        hangs = number % EVERY == EVERY // 2
        hanging += hangs
        path.write_text(HANGING if hangs else _text(kata, texts[kata.id], drawn), "utf-8")
    return hanging


def _text(kata: Kata, texts: tuple[str, str], drawn: random.Random) -> str:
    kind = drawn.choices(("right", "wrong", "odd"), (6, 3, 1))[0]
    text = drawn.choice(ODD).format(entry=kata.entry) if kind == "odd" else texts[kind == "wrong"]
    return f"{text}\n# {drawn.random()}\n"


def command(submissions: Path, report: Path, *more: object) -> list[str]:
    """`grade-all` of these into that report."""
    words = ["grade-all", submissions, "--out", report, "--workspace", ROOT, *more]
    return [sys.executable, "-m", "llmdrills", *map(str, words)]


def environment(folder: Path) -> dict[str, str]:
    """A home of its own."""
    return {**os.environ, "LLMDRILLS_HOME": str(folder / "home")}


def grade(folder: Path, submissions: Path, report: Path, *more: object) -> Ran:
    """Run it to its end."""
    began = time.perf_counter()
    done = subprocess.run(command(submissions, report, *more), env=environment(folder), capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"grade-all ended with {done.returncode}: {done.stderr[-2000:]}")
    return Ran(time.perf_counter() - began, json.loads((report / "results.json").read_bytes())["rows"])


def same_inputs(report: Path, other: Path) -> None:
    """Have the other report grade with the inputs of this one."""
    (other / "work").mkdir(parents=True)
    (other / "work" / "seed").write_bytes((report / "work" / "seed").read_bytes())


def kept(report: Path) -> dict[str, int]:
    """The results in the folder of work, and when each was written."""
    return {path.name: path.stat().st_mtime_ns for path in (report / "work").glob("*.json")}


def killed(folder: Path, submissions: Path, report: Path, count: int) -> tuple[Ran, int, int, int]:
    """The class on a local cluster, a worker killed at half: what came, and what was lost, there twice, done again."""
    began = time.perf_counter()
    more = ("--scheduler", "local", "--jobs", 2)
    running = subprocess.Popen(command(submissions, report, *more), env=environment(folder), stderr=subprocess.DEVNULL)
    while len(kept(report)) < count // 2:
        if running.poll() is not None:
            raise SystemExit(f"grade-all ended with {running.returncode} before the kill")
        time.sleep(0.2)
    before = kept(report)
    os.kill(next(_workers(running.pid)), signal.SIGKILL)
    if running.wait() != 0:
        raise SystemExit(f"grade-all ended with {running.returncode} after the kill")
    ran = Ran(time.perf_counter() - began, json.loads((report / "results.json").read_bytes())["rows"])
    files = [row["file"] for row in ran.rows]
    after = kept(report)
    lost = count - len(set(files)) + sum(row["outcome"] == "error" for row in ran.rows)
    again = sum(after.get(name) != written for name, written in before.items())
    return ran, lost, len(files) - len(set(files)) + abs(len(after) - count), again


def _workers(command: int) -> Iterator[int]:
    """The cluster's worker processes below that command: each was spawned by its nanny, which lives in the command."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text("ascii", "replace").rpartition(")")[2].split()[1])
            if parent == command and b"spawn_main" in (stat.parent / "cmdline").read_bytes():
                yield int(stat.parent.name)


def bare(submissions: Path, scratch: Path) -> float:
    """Seconds of the kernels alone."""
    words = [sys.executable, "-W", "ignore", "-c", BARE, str(submissions), str(ROOT), str(scratch)]
    return float(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env=_one_thread()).stdout)


def _one_thread() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def main() -> int:
    """Print the figures; 1 when a bar does not hold."""
    count = max(CLASS // FILES * FILES, FILES)
    some = max(count // 5 // FILES * FILES, FILES)
    with tempfile.TemporaryDirectory(prefix="llmdrills-bench-") as name:
        folder = Path(name)
        hand_in(folder / "some", some)
        hanging = hand_in(folder / "all", count)
        one = grade(folder, folder / "some", folder / "one", "--jobs", 1)
        same_inputs(folder / "one", folder / "two")
        two = grade(folder, folder / "some", folder / "two", "--jobs", 2)
        if one.rows != two.rows:
            raise SystemExit("one worker and two do not say the same")
        alone = bare(folder / "some", folder)
        print(f"       load while it runs: {' '.join(f'{load:.1f}' for load in os.getloadavg())}", flush=True)
        for workers, seconds in ((1, one.seconds), (2, two.seconds)):
            rate = f"{some / seconds:.2f} submissions a second, {some / seconds / workers:.2f} a second and worker"
            print(f"       {some} by {workers} at once: {rate}", flush=True)
        times = f"grading takes {one.seconds / alone:.0f} times as long"
        print(f"       bare kernels: {some / alone:.1f} submissions a second; {times}", flush=True)
        all_, lost, twice, again = killed(folder, folder / "all", folder / "three", count)
    rate = f"{count / all_.seconds:.2f} submissions a second, {count / all_.seconds / 2:.2f} a second and worker"
    print(f"       {count} on a local Dask cluster of two, a worker killed at half: {rate}; {hanging} never end")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    bar = Bar("two workers", two.seconds, one.seconds, TWO_WORKERS, f"one worker; {some} submissions, {cores} cores")
    held = bar.held or cores < 2
    print(f"{'holds' if held else 'BROKEN':6} {bar.name}: {bar.seconds:.1f} s / {bar.reference:.1f} s = {bar.ratio:.2f}"
          f" (at most {bar.limit:g}) [{bar.note}]")  # fmt: skip
    whole = (lost, twice, again) == (0, 0, 0)
    print(f"{'holds' if whole else 'BROKEN':6} kill -9: {lost} lost, {twice} twice, {again} written again")
    return 0 if held and whole else 1


if __name__ == "__main__":
    raise SystemExit(main())
