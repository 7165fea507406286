"""A learner at the page, in a real browser: sees, types, presses keys. Every message on the console is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page

__all__ = ["WIDE", "Window"]

WIDE = {"width": 1280, "height": 860}
_INSPECT = (Path(__file__).parent / "inspect_page.js").read_text()


class Window:
    """A context of its own, which shares nothing with other windows."""

    def __init__(self, browser: Browser, *, width: int = 1280, dark: bool = False) -> None:
        scheme = "dark" if dark else "light"
        self.context = browser.new_context(viewport={"width": width, "height": 860}, color_scheme=scheme)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.console: list[str] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.address = ""

    def _said(self, message: ConsoleMessage) -> None:
        self.console.append(f"{message.type}: {message.text}")

    def enter(self, address: str) -> None:
        """By the printed address; later windows of this context need it no more."""
        self.page.goto(address)
        self.page.wait_for_selector("main:not([aria-busy]) h1")
        self.address = self.page.url.split("#")[0]

    def view(self, path: str) -> None:
        """Another view of the page."""
        self.page.goto(f"{self.address}#/{path}")
        self.wait()

    def wait(self) -> None:
        self.page.wait_for_selector("main:not([aria-busy]) h1")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=False).first

    def write(self, code: str) -> None:
        """Replace what is in the editor, as a paste does."""
        self.page.locator(".cm-content").click()
        self.press("Control+a")
        self.page.keyboard.insert_text(code)

    def save(self, code: str | None = None) -> str:
        """Save by the keyboard; the headline of the verdict."""
        if code is not None:
            self.write(code)
        else:
            self.page.locator(".cm-content").focus()
        number = self.page.evaluate("() => llmdrills.number") + 1
        self.press("Control+s")
        self.page.wait_for_selector(f".panes[data-number='{number}'] .verdict:not(.busy)")
        return self.page.locator(".verdict h2").inner_text()

    @property
    def text(self) -> str:
        return self.page.locator("main").inner_text()

    def faults(self) -> list[str]:
        """What is broken in what is shown now."""
        self.page.wait_for_timeout(300)  # styles change in steps
        found: list[str] = self.page.evaluate(_INSPECT)
        return found + self.console

    def focused(self) -> str:
        """What a screen reader says of the element that has the focus."""
        return str(
            self.page.evaluate(
                "() => { const e = document.activeElement;"
                " return e.getAttribute('aria-label') || e.textContent.trim() || e.id; }"
            )
        )

    def close(self) -> None:
        self.context.close()
