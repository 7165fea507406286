"""Takes the pictures of README.md and docs/web.md anew: `python docs/images/make.py` (needs what `make test` installs).

The terminal is a real `llmdrills today` in a pseudo-terminal; the report is of a history that this script plays through
the real recording, with made-up days. The pages are those of a real `llmdrills web`.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from html import escape
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
sys.path.insert(0, str(ROOT))

from llmdrills.content import load_katas  # noqa: E402  # after the path above, with the rest
from llmdrills.content.starter import starter_text  # noqa: E402
from llmdrills.decks.preview.gallery import load_gallery  # noqa: E402
from llmdrills.decks.preview.server import PreviewServer  # noqa: E402
from llmdrills.practice import repetition as repetitions  # noqa: E402
from llmdrills.practice.history import History  # noqa: E402
from llmdrills.practice.moments import Moment  # noqa: E402
from llmdrills.practice.rating import Rating  # noqa: E402
from tests.helpers.terminal import Terminal  # noqa: E402  # the tests' pseudo-terminal

CARD = "rope-frequency-formula"
COLOURS = {
    "black": "#1e1e1e", "red": "#f48771", "green": "#89d185", "brown": "#e5c07b", "blue": "#6cb6ff",
    "magenta": "#d39af0", "cyan": "#56c8d8", "white": "#e6e6e6", "default": "#e6e6e6",
}  # fmt: skip


def main() -> None:
    """Every picture."""
    with tempfile.TemporaryDirectory(prefix="llmdrills-") as folder, sync_playwright() as playwright:
        os.environ["LLMDRILLS_HOME"] = folder
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        cards(browser)
        terminal(browser, Path(folder))
        web(browser, Path(folder) / "web")
        report(browser, Path(folder))
        browser.close()


def cards(browser: Browser) -> None:
    gallery = load_gallery(ROOT)
    shown = next((c for c in gallery.cards if c.note == CARD), None) or next(
        c for c in gallery.cards if c.type == "bug"
    )
    server = PreviewServer(gallery)
    server.start()
    for mode in ("light", "night"):
        page = browser.new_page(viewport={"width": 520, "height": 560}, device_scale_factor=1.5)
        page.goto(f"{server.address}card?lang=en&id={shown.note}&n=1&side=back&mode={mode}&still=1")
        page.wait_for_selector("body[data-typeset=done]")
        page.screenshot(path=HERE / f"card-{mode}.png")
    server.close()


def terminal(browser: Browser, home: Path) -> None:
    """From the plan to a rating: a wrong kernel is named, the fixed one passes."""
    kata = next(kata for kata in load_katas(ROOT) if kata.id == "rms-norm")
    solution = subprocess.run(
        [sys.executable, "-m", "llmdrills", "solution", kata.id], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    day = Terminal("today", "--topic", kata.topic, cwd=ROOT, columns=100, rows=46, timeout=120)
    day.expect("waiting for a save")
    file = home / "practice" / f"{kata.id}.py"
    fixed = file.read_text().partition("    raise NotImplementedError")[0]
    file.write_text(
        fixed + "    x32 = x.float()\n    rms = x32.pow(2).mean(-1, keepdim=True).sqrt() + eps\n"
        "    return weight * (x32 / rms).to(x.dtype)\n"
    )
    day.expect("✗")
    day.expect("waiting for a save")
    file.write_text(solution)
    day.expect("Enter (Hard|Good|Easy)")
    day.press("\r")
    day.expect("due again")
    rows = day.screen
    picture = day.picture(COLOURS)
    day.press("q")
    day.ended()
    page = browser.new_page(viewport={"width": 900, "height": 19 * len(rows) + 40}, device_scale_factor=1.5)
    page.set_content(
        "<body style='margin:0;background:#1e1e1e'><pre style='margin:16px;font:14px/19px DejaVu Sans Mono,monospace;"
        f"color:#e6e6e6'>{picture}</pre></body>"
    )
    page.screenshot(path=HERE / "today.png")


def web(browser: Browser, home: Path) -> None:
    """A wrong kernel is named on a wide page; the fixed one passes on a phone, in the dark."""
    kata = next(kata for kata in load_katas(ROOT) if kata.id == "rms-norm")
    starter = starter_text(kata, kata.variants[0], "en").partition("    raise NotImplementedError")[0]
    wrong = (
        starter + "    wide = x.float()\n    square = wide.pow(2).sum(dim=-1, keepdim=True)\n"
        "    return weight * (wide * torch.rsqrt(square + eps)).to(x.dtype)\n"
    )
    server = subprocess.Popen(
        [sys.executable, "-m", "llmdrills", "web", "--no-open"],
        stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "LLMDRILLS_HOME": str(home)},
    )  # fmt: skip
    try:
        address = next(found[0] for line in server.stdout or () if (found := re.search(r"http://\S+", line)))
        page = browser.new_page(viewport={"width": 1060, "height": 700})
        page.goto(address)
        page.wait_for_selector("main:not([aria-busy]) h1")
        page.goto(f"{page.url.split('#')[0]}#/kata/{kata.id}")
        saved(page, wrong)
        page.screenshot(path=HERE / "web.png")
        page.set_viewport_size({"width": 390, "height": 820})
        page.emulate_media(color_scheme="dark")
        saved(
            page, wrong.replace("x.float()", "x.to(torch.promote_types(x.dtype, torch.float32))").replace("sum", "mean")
        )
        page.get_by_role("button", name="Compare").click()
        page.wait_for_timeout(1000)  # the page scrolls to what it shows
        page.screenshot(path=HERE / "web-phone.png")
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


def saved(page: Page, code: str) -> None:
    """The code in place of what the editor holds, graded, with the verdict in view."""
    page.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(code)
    number = page.evaluate("() => llmdrills.number") + 1
    page.keyboard.press("Control+s")
    page.wait_for_selector(f".panes[data-number='{number}'] .verdict:not(.busy)")
    page.locator(".verdict").scroll_into_view_if_needed()
    page.wait_for_timeout(500)  # styles change in steps


def report(browser: Browser, home: Path) -> None:
    """Two months of a learner who practises most days."""
    shutil.rmtree(home / "data", ignore_errors=True)
    play(home)
    subprocess.run([sys.executable, "-m", "llmdrills", "report", str(home / "r.html")], check=True, cwd=ROOT)
    page = browser.new_page(viewport={"width": 900, "height": 1200})
    page.goto((home / "r.html").as_uri())
    page.screenshot(path=HERE / "report.png")


def play(home: Path) -> None:
    katas = load_katas(ROOT)
    now = datetime.now().astimezone()
    with History.open(home / "data" / "history.sqlite3") as history:
        for day in range(70, -1, -1):
            if day % 6 == 5:
                continue
            for number, kata in enumerate(katas):
                if (day + 3 * number) % 9 or day > 70 - 3 * number:
                    continue
                one(
                    history,
                    home,
                    kata,
                    Moment.of(now - timedelta(days=day, minutes=40 * number)),
                    hard=(day + number) % 5,
                )


def one(history: History, home: Path, kata, moment: Moment, hard: int) -> None:  # type: ignore[no-untyped-def]
    variant = kata.variants[0]
    file = home / "practice" / f"{kata.id}.py"
    begun = repetitions.start(history, kata, variant.id, file, starter_text(kata, variant, "en"), now=moment)
    verdict = {"outcome": "wrong", "seed": 1, "device": "cpu", "cases": [], "diagnosis": None}
    if hard == 0:
        begun.attempt("…", {**verdict, "diagnosis": {"id": "no-scale"}}, moment.plus(200_000_000))
    begun.attempt("…", {**verdict, "outcome": "passed"}, moment.plus(420_000_000))
    begun.rate(Rating.AGAIN if hard == 3 else None, moment.plus(430_000_000))


if __name__ == "__main__":
    main()
    print(escape(", ".join(sorted(path.name for path in HERE.glob("*.png")))))
