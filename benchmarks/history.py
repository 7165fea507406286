"""`llmdrills today --json` with a million reviews compared with none: two cold processes that take turns.

    python -m benchmarks.history

The reviews are rows of a real database. Replaying them once takes a while and is timed too; the bar is about the time
that a learner waits afterwards. The workspace is the shipped one, and half of the reviews belong to its katas.
Bar: at most 1.5.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.build import Bar
from llmdrills.content.load import load_katas
from llmdrills.paths import bundled_workspace
from llmdrills.practice import replay
from llmdrills.practice.history import History, insertion
from llmdrills.practice.moments import Moment

REVIEWS = int(os.environ.get("LLMDRILLS_BENCH_REVIEWS", "1000000"))
ROUNDS = 15
LIMIT = 1.5


def events(count: int) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Sessions with their attempt and review, over ten years up to yesterday."""
    rng = random.Random(1)
    katas = [kata.id for kata in load_katas(bundled_workspace())]
    katas += [f"gone-{number}" for number in range(len(katas))]
    end = Moment.now().at - 86_400_000_000
    step = 10 * 365 * 86_400_000_000 // count
    for number in range(count):
        at, kata = end - (count - number) * step, rng.choice(katas)
        session = f"session-{number:08}"
        rating = rng.choices((1, 2, 3, 4), (10, 15, 60, 15))[0]
        yield "sessions", (session, at, 0, kata, "v", "f", 0)
        own = (session, kata, "v", rating, rating, 0, rng.uniform(200, 900))
        yield "reviews", (f"review-{number:08}", at + 10, 0, *own)


def fill(path: Path, count: int) -> float:
    """Write the reviews and fold them; the seconds that folding took."""
    with History.open(path) as history:

        def write() -> None:
            for kind, values in events(count):
                history.execute(insertion(kind), *values)

        history.transaction(write)
        start = time.perf_counter()
        replay.load(history)
        return time.perf_counter() - start


def today(home: Path) -> float:
    """Seconds of one cold `llmdrills today --json`."""
    variables = {**os.environ, "LLMDRILLS_HOME": str(home)}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed llmdrills is compiled once, not at every start
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "llmdrills", "today", "--json"], env=variables, check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - start


def bars() -> list[Bar]:
    """The one bar, measured."""
    with tempfile.TemporaryDirectory() as folder:
        full, empty = Path(folder) / "full", Path(folder) / "empty"
        folded = fill(full / "data" / "history.sqlite3", REVIEWS)
        for home in (full, empty):
            today(home)
        rounds = [(today(full), today(empty)) for _ in range(ROUNDS)]
    seconds, reference = (statistics.median(side) for side in zip(*rounds, strict=True))
    note = f"{REVIEWS:,} reviews, folded once in {folded:.0f} s; medians of {ROUNDS}"
    return [Bar("today with a long history", seconds, reference, LIMIT, note)]


def main() -> int:
    """Print the bar; 1 when it does not hold."""
    found = bars()
    for bar in found:
        verdict = "holds" if bar.held else "BROKEN"
        print(
            f"{verdict:6} {bar.name}: {bar.seconds:.3f} s / {bar.reference:.3f} s = {bar.ratio:.2f}"
            f" (at most {bar.limit:g}) [{bar.note}]"
        )
    return 0 if all(bar.held for bar in found) else 1


if __name__ == "__main__":
    sys.exit(main())
