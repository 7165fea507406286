"""The page in a real browser, through every state, by keyboard and by mouse; nothing may be said on its console."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser

from llmdrills.web.server import WebServer
from llmdrills.web.stream import Stream
from tests.helpers.web_client import WebProcess
from tests.helpers.web_window import Window

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Solution = Callable[[str], str]
Open = Callable[..., Window]


@pytest.fixture
def served(workspace: Path, home: Path) -> Iterator[WebProcess]:
    """The real command, for this test alone."""
    with WebProcess(workspace, home) as found:
        yield found
        assert found.end() == 130


@pytest.fixture
def window(browser: Browser, served: WebProcess) -> Iterator[Window]:
    found = Window(browser)
    found.enter(served.address)
    yield found
    console = list(found.console)
    found.close()
    assert console == []


def variant_of(window: Window) -> str:
    return "cast-last" if "cast-last" in window.page.locator(".task").inner_text() else "cast-first"


def kata_file(home: Path) -> Path:
    return home / "practice" / "rms-norm.py"


def wrong(solution: str) -> str:
    return solution.replace("+ eps", "+ 4 * eps")


def test_should_lead_through_a_kata_by_the_keyboard_alone(window: Window, home: Path, solution: Solution):
    page = window.page
    assert "1 kata" in page.locator("h1").inner_text()
    assert page.evaluate("() => document.activeElement.tagName") == "H1"
    window.press("Tab")
    assert window.focused() == "Start RMSNorm"
    assert page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") == "solid"
    window.press("Enter")
    page.wait_for_selector(".cm-content:focus")
    assert window.focused().startswith("Python editor")
    right = solution(variant_of(window))
    # Tab indents in the editor, and Escape, then Tab, leaves it.
    window.press("Control+a")
    page.keyboard.insert_text(wrong(right))
    window.press("Control+Home", "Tab")
    assert page.evaluate("() => llmdrills.editor.text().startsWith('    ')")
    window.press("Control+z", "Control+s")
    page.wait_for_selector(".panes[data-number='1']")
    verdict = page.locator("[role=status][aria-live=polite][aria-label=Verdict]")
    assert "wrong" in verdict.locator("h2").inner_text()
    assert kata_file(home).read_text() == wrong(right)
    window.press("Escape", "Tab")
    assert window.focused() == "Save and grade"
    window.press("Tab")
    assert window.focused() == "Hint (1/4)"
    window.press("Enter")
    page.wait_for_selector(".hint")
    assert window.focused() == "Hint 1 of 4"
    page.locator(".cm-content").focus()
    window.press("Control+a")
    page.keyboard.insert_text(right)
    window.press("Control+s")
    page.wait_for_selector(".panes[data-number='2'] .verdict.passed")
    window.press("Escape", *["Tab"] * 3)
    assert window.focused() == "Compare"
    window.press("Enter")
    page.wait_for_selector(".shown-code")
    assert window.focused() == "Yours and the reference"
    assert "exactly what the reference says" in page.locator(".shown-code").inner_text()
    page.locator("[data-rating=hard]").focus()
    window.press("Enter")
    page.get_by_text("due again on").first.wait_for()
    assert window.focused() == "Next"
    window.press("Enter")
    page.get_by_text("nothing is due").wait_for()
    assert window.faults() == []


def test_should_show_the_verdict_that_came_while_the_connection_was_broken(
    browser: Browser, server: WebServer, solution: Solution, monkeypatch: pytest.MonkeyPatch
):
    """A laptop slept, or a tunnel to another machine broke: the page comes back by itself, and so does the verdict."""
    opened: list[tuple[Stream, SimpleQueue[bytes | None]]] = []
    may_come_back = threading.Event()
    may_come_back.set()
    join = Stream.join

    def joined(stream: Stream, last: str = "") -> SimpleQueue[bytes | None]:
        assert may_come_back.wait(60)
        opened.append((stream, join(stream, last)))
        return opened[-1][1]

    monkeypatch.setattr(Stream, "join", joined)
    window = Window(browser)
    window.enter(server.address)
    window.view("kata/rms-norm")
    may_come_back.clear()
    ((stream, its_own),) = opened
    own = join(stream)
    its_own.put(None)  # the answer ends
    window.page.locator(".banner").wait_for()
    window.write(solution(variant_of(window)))
    window.press("Control+s")
    while b"event: verdict" not in (own.get(timeout=60) or b""):
        pass
    assert window.page.locator(".verdict.passed").count() == 0
    may_come_back.set()
    window.page.wait_for_selector(".panes[data-number='1'] .verdict.passed")
    assert window.page.locator(".banner").is_hidden()
    assert window.faults() == []
    window.close()


def test_should_show_where_the_two_differ_and_undo_the_rating(window: Window, solution: Solution):
    page = window.page
    window.view("kata/rms-norm")
    right = solution(variant_of(window))
    mine = right.replace("    return ", "    extra = 1\n    return ")
    assert "passed" in window.save(mine)
    window.button("Compare").click()
    page.wait_for_selector(".comparison")
    (row,) = page.locator(".comparison tr.mine").all()
    assert row.inner_text().strip().endswith("extra = 1")
    assert page.locator(".comparison tr.theirs, .comparison tr.changed").count() == 0
    assert page.locator(".comparison .tok-keyword").count() > 2
    assert window.faults() == []
    page.locator("[data-rating]").last.click()
    window.button("Undo the rating").click()
    page.get_by_role("dialog").get_by_role("button", name="Do it").click()
    page.wait_for_selector("[data-rating]")
    window.view("")
    assert "Go on" in window.text


def test_should_ask_before_the_solution_and_the_skip_and_let_go_on_escape(window: Window, solution: Solution):
    page = window.page
    window.view("kata/rms-norm")
    window.save(wrong(solution(variant_of(window))))
    for name, said in (("Solution", "counts as Again"), ("Skip", "count for no rating")):
        window.button(name).click()
        dialog = page.get_by_role("dialog")
        assert said in dialog.inner_text()
        window.press("Escape")
        dialog.wait_for(state="detached")
        assert page.locator(".shown-code").count() == 0
    window.button("Solution").click()
    page.get_by_role("dialog").get_by_role("button", name="Do it").click()
    assert "def rms_norm" in page.locator(".listing").inner_text()
    window.button("Rate").click()
    page.wait_for_selector("[data-rating]")
    assert [one.get_attribute("data-rating") for one in page.locator("[data-rating]").all()] == ["again"]
    window.button("Skip").click()
    assert "would not be rated" in page.get_by_role("dialog").inner_text()
    page.get_by_role("dialog").get_by_role("button", name="Do it").click()
    page.get_by_text("is skipped for today").wait_for()
    window.view("")
    window.button("Undo the skip of rms-norm").click()
    page.get_by_role("dialog").get_by_role("button", name="Do it").click()
    page.wait_for_selector(".cm-content")
    assert window.faults() == []


def test_should_show_both_texts_when_the_file_was_changed_elsewhere(window: Window, home: Path, solution: Solution):
    page = window.page
    window.view("kata/rms-norm")
    window.write("mine = 1\n")
    assert page.locator("#kept").inner_text() == "not saved"
    kata_file(home).write_text("theirs = 1\n")
    page.wait_for_selector(".notice[role=alert]")
    assert page.evaluate("() => llmdrills.editor.text()") == "mine = 1\n"
    window.press("Control+s")
    page.wait_for_timeout(500)
    assert kata_file(home).read_text() == "theirs = 1\n"
    window.button("Take the file's text").click()
    assert page.evaluate("() => llmdrills.editor.text()") == "theirs = 1\n"
    window.press("Control+z")
    assert page.evaluate("() => llmdrills.editor.text()") == "mine = 1\n"
    kata_file(home).write_text("theirs = 2\n")
    page.wait_for_selector(".notice[role=alert]")
    window.button("Write my text over it").click()
    page.wait_for_selector(".verdict[data-outcome]:not(.busy)")
    assert kata_file(home).read_text() == "mine = 1\n"
    assert page.locator(".notice").count() == 0
    kata_file(home).write_text(solution(variant_of(window)))  # nothing is unsaved: it is taken, and graded
    page.wait_for_selector(".verdict.passed")
    assert page.evaluate("() => llmdrills.editor.text()") == solution(variant_of(window))


def test_should_keep_two_tabs_of_a_kata_at_the_same_text_and_verdict(window: Window, solution: Solution):
    page, other = window.page, window.context.new_page()
    window.view("kata/rms-norm")
    other.goto(page.url)
    other.wait_for_selector(".cm-content")
    right = solution(variant_of(window))
    assert "wrong" in window.save(wrong(right))
    other.wait_for_selector(".verdict[data-outcome=wrong]")
    assert other.evaluate("() => llmdrills.editor.text()") == wrong(right)
    assert other.locator("#kept").inner_text() == "saved"
    other.locator(".cm-content").click()
    other.keyboard.press("Control+Home")
    other.keyboard.insert_text("# mine\n")  # unsaved here: what the first tab saves must not replace it
    assert "passed" in window.save(right)
    other.wait_for_selector(".notice[role=alert]")
    assert other.evaluate("() => llmdrills.editor.text()").startswith("# mine\n")
    assert other.locator(".verdict").get_attribute("data-outcome") == "wrong"
    other.close()


def test_should_bring_back_what_was_not_saved_when_the_kata_is_left(window: Window, home: Path):
    page = window.page
    window.view("kata/rms-norm")
    before = kata_file(home).read_text()
    window.write("mine = 1\n")
    page.get_by_role("link", name="Katas").click()
    page.locator("h1", has_text="All katas").wait_for()
    page.go_back()
    page.wait_for_selector(".cm-content")
    assert page.evaluate("() => llmdrills.editor.text()") == "mine = 1\n"
    assert page.locator("#kept").inner_text() == "not saved"
    assert kata_file(home).read_text() == before
    page.get_by_role("link", name="Cards").click()
    page.locator("h1", has_text="Cards: RMSNorm").wait_for()
    kata_file(home).write_text("theirs = 1\n")  # meanwhile, elsewhere
    page.go_back()
    page.wait_for_selector(".cm-content")
    window.press("Control+s")
    page.wait_for_selector(".notice[role=alert]")
    assert kata_file(home).read_text() == "theirs = 1\n"
    assert page.evaluate("() => llmdrills.editor.text()") == "mine = 1\n"


def test_should_forget_what_was_not_saved_once_the_kata_is_begun_anew(window: Window, workspace: Path, home: Path):
    """Its file is another one: the text comes back no more, so closing the page loses nothing."""
    page = window.page
    may_close = "() => window.dispatchEvent(new Event('beforeunload', {cancelable: true}))"
    window.view("kata/rms-norm")
    window.write("mine = 1\n")
    window.view("katas")
    assert not page.evaluate(may_close)
    words = [sys.executable, "-m", "llmdrills", "start", "rms-norm", "--again", "--workspace", str(workspace)]
    subprocess.run(words, env={**os.environ, "LLMDRILLS_HOME": str(home)}, capture_output=True, check=True, timeout=60)
    window.view("kata/rms-norm")
    page.wait_for_selector(".cm-content")
    assert "mine" not in page.evaluate("() => llmdrills.editor.text()")
    assert page.evaluate(may_close)


def test_should_say_that_a_view_failed_and_offer_it_again(window: Window):
    page = window.page
    window.view("kata/nonesuch")
    assert page.locator("h1").inner_text() == "This could not be shown."
    assert "nonesuch" in page.locator("main [role=alert]").inner_text()
    page.get_by_role("button", name="Try again").click()
    page.wait_for_timeout(300)
    assert page.locator("h1").inner_text() == "This could not be shown."
    window.view("nowhere")
    assert page.locator("h1").inner_text() == "There is no such page."
    window.console.clear()  # the browser notes that the server refused
    window.view("")
    assert "1 kata" in page.locator("h1").inner_text()


def test_should_show_what_an_attempt_prints_as_text(window: Window, solution: Solution):
    """And whatever else the learner's file can bring into the page."""
    evil = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script></pre><b>bold</b>"
    window.view("kata/rms-norm")
    text = solution(variant_of(window)).replace("    wide =", f"    print({evil!r})\n    wide =")
    assert "wrong" in window.save(wrong(text))
    shown = window.page.locator(".verdict pre").inner_text()
    assert "<img src=x onerror" in shown
    window.page.locator(".why summary").click()
    assert "<script>" in window.page.locator(".why pre").inner_text()
    window.save(f"raise ValueError({evil!r})\n")
    assert window.page.evaluate("() => window.hacked === undefined")
    assert window.page.locator(".verdict img, .verdict b, .why img").count() == 0


def test_should_point_at_the_line_that_fails(window: Window, solution: Solution):
    window.view("kata/rms-norm")
    window.save("import torch\n\n\ndef rms_norm(x, weight, eps=1e-6):\n    return x @ weight @ x\n")
    assert window.page.locator(".cm-marked").inner_text() == "    return x @ weight @ x"
    window.press("Control+Home")
    window.page.keyboard.insert_text("# edited\n")
    assert window.page.locator(".cm-marked").count() == 0


def test_should_say_that_the_server_is_gone_and_keep_the_text(browser: Browser, workspace: Path, home: Path):
    served = WebProcess(workspace, home)
    window = Window(browser)
    window.enter(served.address)
    window.view("kata/rms-norm")
    window.write("mine = 1\n")
    served.end()
    window.page.get_by_text("The server is gone").first.wait_for()
    window.press("Control+s")
    window.page.get_by_role("alert").filter(has_text="The server is gone").last.wait_for()
    assert window.page.evaluate("() => llmdrills.editor.text()") == "mine = 1\n"
    window.close()


# ---- the exam -----------------------------------------------------------------------------------------


def begin_exam(window: Window) -> None:
    window.view("exam")
    for name, number in (("minutes", "30"), ("katas", "1"), ("questions", "2")):
        window.page.locator(f"#{name}").fill(number)
    window.page.locator("form button").click()
    window.page.wait_for_selector(".exam-head")


def answer(window: Window, typed: str) -> None:
    """The question that is open: shown, and every point of it marked as known."""
    page = window.page
    page.locator("#draft").fill(typed)
    page.locator("#draft + *, .row .primary").first.wait_for()
    page.locator("main .row .primary").click()
    page.wait_for_selector(".answer")
    assert typed in page.locator("blockquote").inner_text()
    while page.locator(".answer + .row button").count() > 1:
        marked = page.locator(".sign").count()
        page.locator(".answer + .row .primary").click()
        page.locator(".sign").nth(marked).wait_for()
    page.locator(".answer + .row .primary").click()


def sit(window: Window, solution: Solution, refused: str) -> None:
    """Every task to its end; the kata fails once first, and nothing of it is explained."""
    page = window.page
    for _ in range(4):
        page.wait_for_selector("#draft, .cm-content, .report")
        assert window.faults() == []
        if page.locator("#draft").count():
            answer(window, "what I recall")
            page.wait_for_selector(".answer", state="detached")
            continue
        assert page.locator(".actions button").count() == 1  # no hint, no solution, no skip
        right = solution(variant_of(window))
        window.write(wrong(right))
        window.press("Control+s")
        page.wait_for_selector(".verdict[data-outcome=wrong]:not(.busy)")
        assert page.locator(".verdict").inner_text().strip() == refused
        window.write(right)
        window.press("Control+s")
        page.wait_for_selector(".verdict.passed")
        window.press("Enter")  # the button for the next task has the focus
        page.wait_for_selector(".panes", state="detached")
    page.wait_for_selector(".report")


def test_should_sit_an_exam_break_it_off_and_go_on(window: Window, home: Path, solution: Solution):
    page = window.page
    begin_exam(window)
    assert "30 min left" in window.text
    window.button("Break off").click()
    page.get_by_text("the clock stands still").wait_for()
    window.view("")
    window.view("exam")
    window.button("Go on with the exam").click()
    page.wait_for_selector(".exam-head")
    assert "of the course" in page.locator("h1").inner_text()
    sit(window, solution, "✗ Not passed yet. What is wrong is told at the end of the exam.")
    report = page.locator(".report").inner_text()
    assert "1/1" in report
    assert "had 2 of 2 points" in report
    assert window.faults() == []
    (written,) = (home / "data" / "exams").glob("*.html") if (home / "data").exists() else home.rglob("exams/*.html")
    assert "llmdrills exam" in written.read_text()
    page.get_by_role("link", name="Exam").click()
    window.button("The last report").click()
    assert page.locator(".report").inner_text() == report


def test_should_sit_an_exam_in_chinese_on_a_dark_phone(browser: Browser, served: WebProcess, solution: Solution):
    window = Window(browser, width=390, dark=True)
    window.enter(served.address)
    window.page.get_by_role("button", name="Show everything in Chinese").click()
    window.page.get_by_text("今天").first.wait_for()
    begin_exam(window)
    sit(window, solution, "✗ 尚未通过。考试结束时再说明错在哪里。")
    assert "编码练习已通过" in window.page.locator(".report").inner_text()
    assert window.faults() == []
    window.close()


def test_should_break_an_exam_off_when_the_page_is_closed(
    browser: Browser, served: WebProcess, run_in_workspace: Callable[..., object], home: Path
):
    window = Window(browser)
    window.enter(served.address)
    begin_exam(window)
    (file,) = home.rglob("exam.json")
    other = window.context.new_page()
    window.page.close()
    other.wait_for_timeout(13_000)  # the clock runs on for ten seconds, in case the page is only reloaded
    other.goto(f"{window.address}#/exam")
    other.get_by_role("button", name="Go on with the exam").wait_for()
    assert file.exists()
    window.close()


# ---- how it looks -------------------------------------------------------------------------------------


class Look(NamedTuple):
    width: int
    dark: bool
    language: str


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_should_be_whole_and_readable(
    browser: Browser, workspace: Path, home: Path, solution: Solution, width: int, dark: bool, language: str
):
    """Every view, with what it holds once something was practised."""
    with WebProcess(workspace, home, "--lang", language) as served:
        look_at_everything(browser, served, solution, Look(width, dark, language))


def look_at_everything(browser: Browser, served: WebProcess, solution: Solution, look: Look) -> None:
    window = Window(browser, width=look.width, dark=look.dark)
    window.enter(served.address)
    faults = {"plan": window.faults()}
    window.view("kata/rms-norm")
    faults["begun"] = window.faults()
    right = solution(variant_of(window))
    window.save(wrong(right))
    window.page.locator(".why summary").click()
    window.page.locator(".actions button").nth(1).click()
    window.page.wait_for_selector(".hint")
    faults["failed"] = window.faults()
    window.page.locator(".actions button").nth(3).click()
    window.page.wait_for_selector("dialog")
    faults["asked"] = window.faults()
    window.press("Escape")
    window.save(right.replace("    return ", "    extra = 1\n    return "))
    window.page.locator(".actions button").nth(2).click()
    window.page.wait_for_selector(".comparison")
    faults["passed"] = window.faults()
    window.page.locator("[data-rating]").last.click()
    window.page.wait_for_selector("[data-rating]", state="detached")
    faults["rated"] = window.faults()
    for view in ("", "katas", "stats", "readiness", "exam", "cards/rms-norm", "nowhere"):
        window.view(view)
        for back in window.page.locator(".flip summary").all():
            back.click()
        faults[view] = window.faults()
    assert {name: found for name, found in faults.items() if found} == {}
    assert window.page.evaluate("() => document.documentElement.lang") == {"en": "en", "zh": "zh-Hans"}[look.language]
    window.close()


def test_should_find_a_kata_by_its_name_and_show_its_cards(window: Window):
    page = window.page
    window.view("katas")
    page.get_by_label("Find a kata").fill("rms")
    assert page.locator("li.item:visible").count() == 1
    page.get_by_label("Find a kata").fill("zzz")
    page.get_by_text("No kata is called so.").wait_for()
    page.get_by_label("Find a kata").fill("")
    page.get_by_role("link", name="Cards of RMSNorm").click()
    window.wait()
    front = page.locator(".flip").first
    assert "statistic" in front.inner_text()
    front.get_by_text("Show the back").click()
    assert "The mean." in front.inner_text()
    assert page.locator(".flip pre").count() > 0  # spot-the-bug cards come from its slips


# ---- other pages in the same browser ------------------------------------------------------------------

HOSTILE = (Path(__file__).parents[1] / "helpers" / "hostile_page.html").read_text()


def test_should_give_nothing_to_another_page_of_the_same_browser(window: Window, served: WebProcess, home: Path):
    """It is of the same site, because ports do not count for that: strict cookies alone would not keep it out."""
    origin = window.address.rstrip("/")
    body = HOSTILE.replace("@origin@", origin).encode()

    class Hostile(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hostile) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        page = window.context.new_page()
        page.goto(f"http://127.0.0.1:{other.server_port}/")
        page.wait_for_function("() => window.found.done")
        found = page.evaluate("() => window.found")
        framed = [frame for frame in page.frames if frame.name == "framed"]
        assert all("Readiness" not in frame.content() for frame in framed)
        other.shutdown()
    assert {name: found[name] for name in ("read", "write", "stream", "script")} == dict.fromkeys(
        ("read", "write", "stream", "script"), "refused"
    )
    assert found["blind"] in {"refused", "opaque 0"}
    assert not kata_file(home).exists()  # nothing was begun
    window.view("kata/rms-norm")
    assert kata_file(home).exists()  # which the page itself can do


def test_should_not_show_the_page_in_a_window_that_did_not_enter(browser: Browser, window: Window):
    other = Window(browser)
    other.page.goto(window.address)
    assert "has not entered" in other.page.inner_text("body")
    other.close()


def test_should_run_no_script_that_is_not_its_own(window: Window):
    page = window.page
    page.evaluate(
        "() => { const s = document.createElement('div');"
        ' s.innerHTML = \'<img src=x onerror="window.hacked = 1"><a href="javascript:window.hacked=1" id=bad>x</a>\';'
        " document.body.append(s); document.getElementById('bad').click(); }"
    )
    page.wait_for_timeout(500)
    assert page.evaluate("() => window.hacked === undefined")
    assert any("Content Security Policy" in line for line in window.console)
    window.console.clear()
