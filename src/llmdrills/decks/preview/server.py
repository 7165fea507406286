"""A web server on the loopback that shows the cards and reloads them when the workspace changes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from llmdrills.decks.preview.page import card_page

if TYPE_CHECKING:
    from llmdrills.decks.preview.gallery import Gallery

__all__ = ["PreviewServer"]

_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json; charset=utf-8",
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
    "oga": "audio/ogg",
    "opus": "audio/ogg",
    "wav": "audio/wav",
    "m4a": "audio/mp4",
    "flac": "audio/flac",
}
_PING = 15.0  # seconds between keep-alive messages on an event stream; the next one finds out that a tab was closed


@dataclass
class _State:
    """What the handlers show. It is replaced as a whole, so no request sees a mix of the old and the new workspace."""

    gallery: Gallery
    version: int = 0
    closing: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)


class PreviewServer:
    """Serves a gallery at http://127.0.0.1:PORT/ from a thread of its own."""

    def __init__(self, gallery: Gallery, port: int = 0) -> None:
        self._state = _State(gallery)
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self._state))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="preview", daemon=True)

    @property
    def address(self) -> str:
        """Where to point a browser."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def start(self) -> None:
        """Answer requests from now on."""
        self._thread.start()

    def show(self, gallery: Gallery) -> None:
        """Replace what is shown; open pages reload."""
        with self._state.changed:
            self._state.gallery = gallery
            self._state.version += 1
            self._state.changed.notify_all()

    def close(self) -> None:
        """Stop; open event streams end."""
        with self._state.changed:
            self._state.closing = True
            self._state.changed.notify_all()
        self._server.shutdown()
        self._server.server_close()


def _handler(state: _State) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        shown = state

    return Handler


class _Handler(BaseHTTPRequestHandler):
    shown: _State
    server_version = "llmdrills"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer one request."""
        # Another website could make the browser ask for 127.0.0.1 by its own host name: answer only to ours.
        host = (self.headers.get("Host") or "").rsplit(":", 1)[0]
        if host not in {"127.0.0.1", "localhost"}:
            self._send(HTTPStatus.FORBIDDEN, "html", b"this server answers to 127.0.0.1 only")
            return
        try:
            split = urlsplit(self.path)
        except ValueError:  # such as `http://[`
            self._send(HTTPStatus.BAD_REQUEST, "html", b"this is no address")
            return
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        routes: dict[str, Callable[[dict[str, str]], None]] = {
            "/": self._index,
            "/card": self._card,
            "/cards.json": self._cards,
            "/events": self._events,
            "/reload.js": lambda _query: self._asset("reload.js"),
            "/gallery.js": lambda _query: self._asset("gallery.js"),
            "/gallery.css": lambda _query: self._asset("gallery.css"),
        }
        route = routes.get(split.path)
        if route is not None:
            route(query)
        elif split.path.startswith("/mathjax/"):
            self._vendored(split.path.removeprefix("/"))
        else:
            self._media(split.path.removeprefix("/"))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Log nothing, because the author uses the terminal."""

    def _index(self, _query: dict[str, str]) -> None:
        self._asset("gallery.html")

    def _cards(self, _query: dict[str, str]) -> None:
        gallery = self.shown.gallery
        rows = [
            {
                "note": c.note,
                "deck": c.deck,
                "language": c.language,
                "number": c.number,
                "type": c.type,
                "title": c.title,
            }
            for c in gallery.cards
        ]
        self._send(HTTPStatus.OK, "json", json.dumps({"cards": rows, "problems": list(gallery.problems)}).encode())

    def _card(self, query: dict[str, str]) -> None:
        card = self.shown.gallery.find(query.get("lang", "en"), query.get("id", ""), query.get("n", "1"))
        if card is None:
            self._send(HTTPStatus.NOT_FOUND, "html", b"no such card")
            return
        back = query.get("side") == "back"
        page = card_page(
            card.answer if back else card.question,
            card.css,
            night=query.get("mode") == "night",
            mobile=query.get("device") == "phone",
            live="still" not in query,
        )
        self._send(HTTPStatus.OK, "html", page.encode())

    def _media(self, name: str) -> None:
        content = self.shown.gallery.media.get(name)
        if content is None:
            self._send(HTTPStatus.NOT_FOUND, "html", b"not here")
        else:
            self._send(HTTPStatus.OK, name.rsplit(".", 1)[-1], content)

    def _asset(self, name: str) -> None:
        content = resources.files("llmdrills.decks.preview").joinpath("assets", name).read_bytes()
        self._send(HTTPStatus.OK, name.rsplit(".", 1)[-1], content)

    def _vendored(self, path: str) -> None:
        root = resources.files("llmdrills").joinpath("_vendor")
        parts = path.split("/")
        found = root.joinpath(*parts) if all(part not in {"", ".", ".."} for part in parts) else None
        if found is None or not found.is_file():
            self._send(HTTPStatus.NOT_FOUND, "html", b"not here")
        else:
            self._send(HTTPStatus.OK, path.rsplit(".", 1)[-1], found.read_bytes())

    def _events(self, _query: dict[str, str]) -> None:
        """A stream with one event for each change, until the page or the server goes."""
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        seen = self.shown.version
        try:
            while not self.shown.closing:
                with self.shown.changed:
                    self.shown.changed.wait(_PING)
                    now = self.shown.version
                self.wfile.write(b"event: change\ndata: \n\n" if now != seen else b": still here\n\n")
                self.wfile.flush()
                seen = now
        except OSError:
            return  # the page is closed

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", _TYPES.get(kind, "application/octet-stream"))
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)
