"""How long a learner waits for the plan: `llmdrills today --json` compared with a hello-world typer app.

    python -m benchmarks.startup

Two cold processes take turns on the shipped workspace, with a warm catalogue and an empty history (`benchmarks.history`
measures a full one). Both have to start Python and typer, so the difference is what llmdrills adds.
Bar: at most 1.5, medians of wall time.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.build import Bar

ROUNDS = 25
LIMIT = 1.5

_HELLO = '''
import typer

app = typer.Typer()


@app.command()
def hello(name: str = "world") -> None:
    """Say hello."""
    print(f"hello {name}")


@app.command()
def goodbye(name: str = "world") -> None:
    """Say goodbye."""
    print(f"goodbye {name}")


if __name__ == "__main__":
    app()
'''


def seconds(command: list[str], folder: Path) -> float:
    """Seconds that one cold process takes, from its start to its end."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("LLMDRILLS_")}
    variables["LLMDRILLS_HOME"] = str(folder / "home")
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed llmdrills is compiled once, not at every start
    started = time.perf_counter()
    subprocess.run(command, env=variables, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def bars(rounds: int = ROUNDS) -> list[Bar]:
    """The one bar, measured."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "hello.py").write_text(_HELLO, "utf-8")
        ours = [sys.executable, "-m", "llmdrills", "today", "--json"]
        hello = [sys.executable, "hello.py", "hello"]
        for command in (ours, hello):
            seconds(command, folder)  # writes the catalogue, the history and byte code
        turns = [(seconds(ours, folder), seconds(hello, folder)) for _ in range(rounds)]
    today, reference = (statistics.median(side) for side in zip(*turns, strict=True))
    return [Bar("today --json against hello world", today, reference, LIMIT, f"medians of {rounds}")]


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
