"""A browser without a window: what a page, a website, another program or another user may send to `llmdrills web`."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

__all__ = ["Answer", "WebClient", "WebProcess"]


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class WebClient:
    """Asks one server; `enter` takes the printed address and keeps the cookie."""

    def __init__(self, address: str) -> None:
        split = urlsplit(address)
        self.port = split.port or 80
        self.host = f"127.0.0.1:{self.port}"
        self.origin = f"http://{self.host}"
        self.entrance = f"{split.path}?{split.query}"
        self.cookie = ""

    def enter(self) -> Answer:
        found = self.raw("GET", self.entrance, {"Host": self.host})
        self.cookie = found.headers.get("Set-Cookie", "").partition(";")[0]
        return found

    def raw(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Exactly these headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body is not None and "Content-Length" not in headers:
            connection.putheader("Content-Length", str(len(body)))
        with contextlib.closing(connection):
            connection.endheaders(body)
            found = connection.getresponse()
            return Answer(found.status, dict(found.getheaders()), found.read())

    def own(self, **changes: str | None) -> dict[str, str]:
        """The headers of the page itself; None leaves one out. `Content_Type` stands for Content-Type."""
        headers: dict[str, str | None] = {
            "Host": self.host,
            "Origin": self.origin,
            "Content-Type": "application/json",
            "Cookie": self.cookie,
            "Sec-Fetch-Site": "same-origin",
        }
        headers |= {name.replace("_", "-"): value for name, value in changes.items()}
        return {name: value for name, value in headers.items() if value is not None}

    def get(self, path: str, **changes: str | None) -> Answer:
        return self.raw("GET", path, self.own(Origin=None, Content_Type=None, **changes))

    def post(self, name: str, body: object = None, **changes: str | None) -> Answer:
        return self.raw("POST", f"/api/{name}", self.own(**changes), json.dumps(body or {}).encode())

    def ask(self, name: str, **body: object) -> Any:
        """The answer of a POST that must succeed."""
        found = self.post(name, body)
        assert found.status == 200, found.body
        return found.json

    def lines(self, text: bytes) -> bytes:
        """The answer to bytes as they are: for what no HTTP library sends."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(text)
            connection.shutdown(socket.SHUT_WR)
            found = b""
            while piece := connection.recv(65536):
                found += piece
            return found


class WebProcess:
    """The real command in a process of its own; without a workspace, it looks for one from `cwd` on."""

    def __init__(
        self,
        workspace: Path | None,
        home: Path,
        *words: str,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.home = home
        settings = {**os.environ, "LLMDRILLS_HOME": str(home), **(env or {})}
        found = [] if workspace is None else ["-w", str(workspace)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "llmdrills", "web", "--no-open", *found, *words],
            env=settings,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/enter\?t=[\w-]{40,}", self.address), self._rest()

    def __enter__(self) -> WebProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.end()

    def end(self, number: int = signal.SIGINT) -> int:
        """End it in order; the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(30)
        assert "Traceback" not in self._rest()
        return code

    def _rest(self) -> str:
        return self.process.communicate(timeout=30)[1]
