"""AnkiConnect's protocol over a collection in the real backend: what the add-on does with its calls, without a window.

The actions call what the add-on calls (its source, version 25.11: plugin/__init__.py), in the classes that Anki keeps
for it. Not covered: Anki's own window, its dialogs, and a profile that syncs.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from anki.exporting import _LegacyAnkiPackageExporter
from anki.importing import _LegacyAnkiPackageImporter

from tests.helpers.anki_learner import AnkiLearner


class AddOn:
    """The add-on: `key` is its `apiKey`; without `learner` no profile is open."""

    def __init__(self, learner: AnkiLearner | None, key: str = "") -> None:
        self.learner = learner
        self.key = key
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body = json.dumps(outer.answer(question)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(question["action"])
        try:
            if (question.get("key") or None) != (self.key or None):
                raise ValueError("valid api key must be provided")
            action: Callable[..., Any] | None = getattr(self, f"_{question['action']}", None)
            if action is None:
                raise ValueError("unsupported action")
            return {"result": action(**question.get("params", {})), "error": None}
        except Exception as error:  # the add-on tells every error so
            return {"result": None, "error": str(error)}

    @property
    def _col(self) -> Any:
        if self.learner is None:
            raise ValueError("collection is not available")
        return self.learner.col

    def _findCards(self, query: str) -> list[int]:  # noqa: N802  # the action's name
        return list(self._col.find_cards(query))

    def _getDecks(self, cards: list[int]) -> dict[str, list[int]]:  # noqa: N802  # the same
        decks: dict[str, list[int]] = {}
        for card in cards:
            did = self._col.db.scalar("select did from cards where id=?", card)
            decks.setdefault(self._col.decks.name(did), []).append(card)
        return decks

    def _exportPackage(self, deck: str, path: str, includeSched: bool = False) -> bool:  # noqa: N802  # the same
        found = self._col.decks.by_name(deck)
        if found is None:
            return False
        exporter = _LegacyAnkiPackageExporter(self._col)
        exporter.did = found["id"]
        exporter.includeSched = includeSched
        exporter.exportInto(path)
        return True

    def _importPackage(self, path: str) -> bool:  # noqa: N802  # the same
        _LegacyAnkiPackageImporter(self._col, path).run()
        return True
