"""The web server of the page: it listens on the loopback, asks `access` about every request, and answers with JSON and
with files of the package."""

from __future__ import annotations

import json
import os
import queue
import select
import socket
import sys
import threading
import traceback
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from llmdrills.errors import LLMDrillsError
from llmdrills.web import page
from llmdrills.web.access import Access, owner_of
from llmdrills.web.api import Body
from llmdrills.web.words import TOLD

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llmdrills.web.access import Refusal
    from llmdrills.web.api import Api

__all__ = ["MOST_BYTES", "WebServer"]

MOST_BYTES = 4 << 20
"""Bytes that a request may have: a file of a mebibyte, each of whose characters JSON may have to escape."""
_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "woff": "font/woff",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "wav": "audio/wav",
}
_ASSETS = ("app.js", "dom.js", "plan.js", "practice.js", "exam.js", "pages.js", "page.css")
_VENDORED = ("mathjax", "codemirror")
_PING = 1.0  # seconds between two looks at whether the page at the other end of a stream is still there
_SLOW = 30  # seconds that a browser may take to send a request


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # a page asks for its files all at once
    # On Windows another process could listen on the same port; elsewhere this only spares a wait after a restart.
    allow_reuse_address = os.name == "posix"


class WebServer:
    """Serves the page at http://127.0.0.1:PORT/ from threads of its own. Raises OSError where the port is taken."""

    def __init__(self, api: Api, port: int = 0) -> None:
        self._server = _Server(("127.0.0.1", port), _Handler)
        self.port: int = self._server.server_address[1]
        self.access = Access(self.port)
        self._api = api
        self._server.RequestHandlerClass = _handler(api, self.access)
        self._thread = threading.Thread(target=self._server.serve_forever, name="llmdrills-web", daemon=True)

    @property
    def address(self) -> str:
        """Where to point a browser; it lets one browser in, once."""
        return f"http://127.0.0.1:{self.port}/enter?t={self.access.token}"

    def start(self) -> None:
        """Answer requests from now on."""
        self._api.start()
        self._thread.start()

    def close(self) -> None:
        """Stop; open pages see that the server is gone."""
        self._server.shutdown()
        self._server.server_close()
        self._api.close()


def _handler(shown: Api, asked: Access) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        api = shown
        access = asked

    return Handler


class _Handler(BaseHTTPRequestHandler):
    api: Api
    access: Access
    server_version = "llmdrills"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = _SLOW
    disable_nagle_algorithm = True  # else a body waits until the browser has acknowledged the headers

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Log nothing: addresses are nobody's business, and the terminal is the learner's."""

    def do_GET(self) -> None:
        """Answer with the page, a file of it, or what it asks for."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Do what the page asks for."""
        self._answer(self._post)

    def _answer(self, work: Callable[[], None]) -> None:
        """Whatever goes wrong is told to the page: a thread of a request that dies would leave it waiting."""
        try:
            work()
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # the page is gone
        except LLMDrillsError as error:
            self._error(HTTPStatus.CONFLICT, error.told(self.api.language))
        except Exception as error:
            if os.environ.get("LLMDRILLS_DEBUG"):
                sys.stderr.write(traceback.format_exc())
            words = TOLD["internal"].format(what=f"{type(error).__name__}: {error}")
            self._error(HTTPStatus.INTERNAL_SERVER_ERROR, self.api.told(words))

    # ---- GET ----------------------------------------

    def _get(self) -> None:
        try:
            split = urlsplit(self.path)
        except ValueError:  # such as `http://[`
            self._nothing()
            return
        if split.path == "/enter":
            self._enter(parse_qs(split.query).get("t", [""])[0])
            return
        refusal = self.access.refusal(_headers(self.headers), changes=False)
        if refusal is not None:
            self._refuse(refusal)
            return
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        room, _, rest = split.path.removeprefix("/").partition("/")
        if split.path == "/":
            self._page()
        elif split.path == "/events":
            self._events()
        elif room == "api" and rest in self.api.gets:
            self._json(self.api.gets[rest](query))
        elif room == "assets" and rest in _ASSETS:
            self._asset(rest)
        elif room in _VENDORED:
            self._vendored(split.path.removeprefix("/"))
        elif room == "media":
            self._media(rest)
        else:
            self._nothing()

    def _enter(self, token: str) -> None:
        """Let the browser in that brings the token, and have it go on to the page by itself.

        A redirect would be part of a request that another program began, and a cookie that is strict is not sent then.
        """
        headers = _headers(self.headers)
        refusal = self.access.wrong_host(headers)
        if refusal is None and not self.access.has_entered(headers):  # who has may open the printed address again
            refusal = self.access.enter(token, owner_of(self.connection))
        if refusal is not None:
            self._refuse(refusal)
            return
        body = page.entrance(self.api.told(TOLD["entered"]))
        more = {"Set-Cookie": self.access.set_cookie, "Content-Security-Policy": page.NOTHING}
        self._send(HTTPStatus.OK, "text/html; charset=utf-8", body, more)

    def _page(self) -> None:
        nonce = page.new_nonce()
        body = page.shell(self.api.language, nonce)
        self._send(HTTPStatus.OK, "text/html; charset=utf-8", body, {"Content-Security-Policy": page.policy(nonce)})

    def _asset(self, name: str) -> None:
        content = resources.files("llmdrills.web").joinpath("assets", name).read_bytes()
        if name == "page.css":
            content += page.report_styles()
        self._file(name, content)

    def _vendored(self, path: str) -> None:
        """A file of what is bundled. Nothing is decoded, so that a name is one only if it looks like one."""
        parts = path.split("/")
        fine = all(part and not part.startswith(".") and not set(part) & set('\\:%"\0') for part in parts)
        found = resources.files("llmdrills").joinpath("_vendor", *parts) if fine else None
        if found is None or not found.is_file():
            self._nothing()
        else:
            self._file(parts[-1], found.read_bytes())

    def _media(self, name: str) -> None:
        content = self.api.media(name)
        if content is None:
            self._nothing()
        else:
            self._file(name, content)

    def _file(self, name: str, content: bytes) -> None:
        kind = _TYPES.get(name.rsplit(".", 1)[-1].lower(), "application/octet-stream")
        # Opened by itself, a picture of the workspace (SVG is a document) may do nothing.
        self._send(HTTPStatus.OK, kind, content, {"Content-Security-Policy": page.NOTHING})

    def _events(self) -> None:
        """A stream of what happens, until the page or the server goes."""
        self._begin(HTTPStatus.OK, "text/event-stream", {"Connection": "close"})
        self.end_headers()
        self.close_connection = True
        own = self.api.stream.join(self.headers.get("Last-Event-ID") or "")
        try:
            while not _is_gone(self.connection):
                try:
                    message = own.get(timeout=_PING)
                except queue.Empty:
                    continue
                if message is None:
                    return
                self.wfile.write(message)
                self.wfile.flush()
        finally:
            self.api.stream.leave(own)

    # ---- POST ----------------------------------------

    def _post(self) -> None:
        refusal = self.access.refusal(_headers(self.headers), changes=True)
        if refusal is not None:
            self._refuse(refusal)
            return
        length = self.headers.get("Content-Length") or ""
        if not length.isascii() or not length.isdigit():  # and so nothing that comes in pieces
            self._error(HTTPStatus.LENGTH_REQUIRED, self.api.told(TOLD["bad_request"].format(what="Content-Length")))
            return
        if int(length) > MOST_BYTES:
            self._error(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self.api.told(TOLD["too_long"].format(most=f"{MOST_BYTES:,}"))
            )
            return
        name = self.path.removeprefix("/api/")
        act = self.api.posts.get(name) if self.path.startswith("/api/") else None
        content = self.rfile.read(int(length))
        if act is None:
            self._nothing()
            return
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            self._error(HTTPStatus.BAD_REQUEST, self.api.told(TOLD["bad_request"].format(what="JSON")))
            return
        self._json(act(Body(found)))

    # ---- answers ----------------------------------------

    def _json(self, data: Any) -> None:
        self._send(HTTPStatus.OK, "application/json; charset=utf-8", json.dumps(data).encode())

    def _error(self, status: HTTPStatus, why: str) -> None:
        self._send(status, "application/json; charset=utf-8", json.dumps({"error": why}).encode())

    def _nothing(self) -> None:
        self._error(HTTPStatus.NOT_FOUND, self.api.told(TOLD["not_here"]))

    def _refuse(self, refusal: Refusal) -> None:
        """In words for whoever sees it in a browser. The body of the request is not read: the connection ends."""
        more = {"Content-Security-Policy": page.NOTHING, "Connection": "close"}
        text = page.refusal(self.api.told(refusal.why), self.api.language)
        self._send(refusal.status, "text/html; charset=utf-8", text, more)
        self.close_connection = True

    def _send(self, status: HTTPStatus, kind: str, body: bytes, more: Mapping[str, str] | None = None) -> None:
        self._begin(status, kind, {"Content-Length": str(len(body)), **(more or {})})
        if status >= HTTPStatus.BAD_REQUEST and not (more and "Connection" in more):
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def _begin(self, status: HTTPStatus, kind: str, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        common = {
            "Content-Type": kind,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
        }
        for name, value in {**common, **headers}.items():
            self.send_header(name, value)


def _headers(found: Any) -> Mapping[str, str]:
    """The headers that decide, each once: a request that repeats one is refused like one without it."""
    names = ("Host", "Origin", "Sec-Fetch-Site", "Content-Type", "Cookie")
    values = {name: found.get_all(name) or [] for name in names}
    return {name: said[0] if len(said) == 1 else "" for name, said in values.items() if said}


def _is_gone(connection: socket.socket) -> bool:
    """Whether the other end was closed: then there is something to read, and it is the end."""
    try:
        ready, _, _ = select.select([connection], [], [], 0)
        return bool(ready) and not connection.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):
        return True
