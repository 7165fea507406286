"""The tutorial's day in a browser: each row of its table is waited for and done, with what came with the package."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.helpers.documents import Row, rows
from tests.helpers.web_client import WebProcess
from tests.helpers.web_window import Window


@pytest.mark.ships
@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize(("page", "language"), [("tutorial.md", "en"), ("tutorial.zh.md", "zh")])
def test_should_lead_through_the_same_day(
    page: str, language: str, browser: Browser, root: Path, home: Path, tmp_path: Path
) -> None:
    table = list(rows((root / "docs" / page).read_text("utf-8"), "browser"))
    assert len(table) > 5
    # A folder in which there is nothing: the workspace is the one in the package.
    with WebProcess(None, home, cwd=tmp_path, env={"LLMDRILLS_LANG": language}) as served:
        window = Window(browser)
        window.enter(served.address)
        for row in table[:-1]:
            window.page.get_by_text(row.seen).first.wait_for()
            _do(window, row, root)
        assert window.console == []
        assert (table[-1].act, table[-1].what) == ("press", "Ctrl-C")
        window.page.get_by_text(table[-1].seen).first.wait_for()
        assert served.end() == 130
        window.close()


def _do(window: Window, row: Row, root: Path) -> None:
    if row.act == "press":  # a button, or the link that begins the kata beside it
        name = f"{row.what} {row.becomes}".strip()
        window.page.get_by_role("link" if row.becomes else "button", name=name).first.click()
        if row.becomes:
            window.page.wait_for_selector(".cm-content")
        return
    if row.act == "write":
        window.write((root / row.what).read_text("utf-8"))
    else:
        code = window.page.evaluate("() => llmdrills.editor.text()")
        assert code.count(row.what) == 1
        window.write(code.replace(row.what, row.becomes))
    window.press("Control+s")
