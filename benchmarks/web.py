"""How long a learner at the page waits for a verdict: from the key that saves to the verdict on the screen.

    python -m benchmarks.web

`llmdrills web` runs on the shipped workspace with a history of its own, and Chromium shows the page. In each kata a
wrong and a right attempt are saved by turns, each with a comment that changes, and the page itself takes the time from
the key to the frame that shows the verdict: the request, the file, the workers, the history and the layout are in it.
Bar: at most 150 ms, the median over the katas of the median over the saves. The first saves of a kata, which wait for
torch, are left out; how long the page takes until it can be used stands beside it and has no bar.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.grade import ROOT, attempts
from llmdrills.content.load import load_katas

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from llmdrills.content.model import Kata

KATAS = (
    *("scaled-dot-product-attention", "rms-norm", "rope-pairing"),
    *("sampling-parameters", "online-softmax", "kv-cache-step"),
)
SAVES, FIRST, PAUSE = 8, 2, 0.6
BAR = 150.0


def measured(browser: Browser, home: Path, katas: list[Kata]) -> tuple[float, dict[str, list[float]]]:
    """Seconds until the first view, and the milliseconds of each save, by kata."""
    from tests.helpers.web_client import WebProcess
    from tests.helpers.web_window import Window

    found: dict[str, list[float]] = {}
    with WebProcess(ROOT, home) as served:
        window = Window(browser)
        started = time.perf_counter()
        window.enter(served.address)
        until_used = time.perf_counter() - started
        for kata in katas:
            window.view(f"kata/{kata.id}/{kata.variants[0].id}")
            window.page.wait_for_selector(".cm-content")
            right, wrong = attempts(kata)
            times = []
            for number in range(FIRST + SAVES):
                window.save(f"{wrong if number % 2 == 0 else right}# {number}\n")
                times.append(float(window.page.evaluate("() => llmdrills.took_ms")))
                time.sleep(PAUSE)  # a learner reads; the next pair of workers is made meanwhile
            found[kata.id] = times[FIRST:]
        window.close()
    return until_used, found


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
        until_used, found = measured(browser, Path(folder) / "home", katas)
        browser.close()
    for name, times in found.items():
        wrong, right = times[::2], times[1::2]
        print(f"  {name}: wrong {statistics.median(wrong):.0f} ms, right {statistics.median(right):.0f} ms")
    median = statistics.median(statistics.median(times) for times in found.values())
    verdict = "holds" if median <= BAR else "BROKEN"
    slowest = max(max(times) for times in found.values())
    print(f"{verdict:6} save to verdict in the browser: {median:.0f} ms (at most {BAR:.0f}) [slowest {slowest:.0f} ms]")
    print(f"       the page is there after {until_used:.2f} s")
    return 0 if median <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
