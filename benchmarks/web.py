"""How long a learner at the page waits for a verdict: from the key that saves to the verdict on the screen.

    python -m benchmarks.web

`llmdrills web` runs on the shipped workspace with a history of its own, and Chromium shows the page. In each kata a
wrong and a right attempt are saved by turns, each with a comment that changes, and the page itself takes the time from
the key to the frame that shows the verdict: the request, the file, the workers, the history and the layout are in it.
The text is put into the editor a second before, as whoever types it has it there: what the editor does with a whole
new text is no part of a save.
Bar: at most 150 ms, the median over the katas of the median over the saves. The first saves of a kata, which wait for
torch, are left out; how long the page takes until it can be used stands beside it and has no bar.

On a machine that is busy with other things both grow alike: `llmdrills grade --watch` therefore gets the same saves by
turns with the page, and stands beside it, with the load. What the page adds to it is the page's own.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.grade import ROOT, attempts, verdict_line, watch_command
from llmdrills.cli.watch import DEBOUNCE
from llmdrills.content.load import load_katas

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from llmdrills.content.model import Kata
    from tests.helpers.web_window import Window

KATAS = (
    *("scaled-dot-product-attention", "rms-norm", "rope-pairing"),
    *("sampling-parameters", "online-softmax", "kv-cache-step"),
)
SAVES, FIRST, PAUSE = 8, 2, 1.0
BAR = 150.0


class Times(NamedTuple):
    """Milliseconds of the saves of one kata, a wrong and a right one by turns: on the page, and in `--watch`."""

    page: list[float]
    watch: list[float]


def measured(browser: Browser, folder: Path, katas: list[Kata]) -> tuple[float, dict[str, Times]]:
    """Seconds until the first view, and the times of each kata."""
    from tests.helpers.web_client import WebProcess
    from tests.helpers.web_window import Window

    found: dict[str, Times] = {}
    with WebProcess(ROOT, folder / "home") as served:
        window = Window(browser)
        started = time.perf_counter()
        window.enter(served.address)
        until_used = time.perf_counter() - started
        for kata in katas:
            window.view(f"kata/{kata.id}/{kata.variants[0].id}")
            window.page.wait_for_selector(".cm-content")
            found[kata.id] = _by_turns(window, kata, folder)
        window.close()
    return until_used, found


def _by_turns(window: Window, kata: Kata, folder: Path) -> Times:
    """A learner reads after each save, here and there; the next pair of workers is made meanwhile."""
    right, wrong = attempts(kata)
    times = Times([], [])
    file = folder / f"{kata.id}.py"
    file.write_text(right, "utf-8")
    settings = {**os.environ, "LLMDRILLS_HOME": str(folder / "other-home")}
    with subprocess.Popen(
        watch_command(kata.id, file), env=settings, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as watcher:
        assert watcher.stdout is not None
        verdict_line(watcher.stdout)
        for number in range(FIRST + SAVES):
            code = f"{wrong if number % 2 == 0 else right}# {number}\n"
            window.write(code)
            time.sleep(PAUSE)
            window.save()
            times.page.append(float(window.page.evaluate("() => llmdrills.took_ms")))
            time.sleep(PAUSE)
            file.write_text(code, "utf-8")
            started = time.perf_counter()
            verdict_line(watcher.stdout)
            times.watch.append((time.perf_counter() - started - DEBOUNCE) * 1000)
        watcher.terminate()
    return Times(times.page[FIRST:], times.watch[FIRST:])


def _beside(times: Times, first: int) -> str:
    page, watched = (statistics.median(row[first::2]) for row in times)
    return f"{page:.0f} ms (--watch {watched:.0f})"


def main() -> int:
    """Print the bar; 1 when it does not hold, or cannot be measured."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        print("chromium is not installed: `sh tests/install-browser.sh`", file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright

    known = {kata.id: kata for kata in load_katas(ROOT)}
    katas = [known[name] for name in KATAS if name in known]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        until_used, found = measured(browser, Path(folder), katas)
        browser.close()
    for name, times in found.items():
        print(f"  {name}: wrong {_beside(times, 0)}, right {_beside(times, 1)}")
    median, watched = (statistics.median(statistics.median(row[at]) for row in found.values()) for at in (0, 1))
    verdict = "holds" if median <= BAR else "BROKEN"
    slowest = max(max(times.page) for times in found.values())
    print(f"{verdict:6} save to verdict in the browser: {median:.0f} ms (at most {BAR:.0f}) [slowest {slowest:.0f} ms]")
    print(f"       the same saves in `grade --watch`: {watched:.0f} ms; load {os.getloadavg()[0]:.1f}")
    print(f"       the page is there after {until_used:.2f} s")
    return 0 if median <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
