"""Anki's own window on a virtual screen, with the add-on AnkiConnect: started, typed into, photographed, closed.

Three things are needed, and no test installs them (docs/decks.md says how): Anki's desktop program (`aqt`), whose path
ANKI_DESKTOP gives; the folder of AnkiConnect's source that holds its `__init__.py`, in ANKI_CONNECT; Xvfb, xdotool
and openbox, without which no window would get the keys.
Screenshots are kept in the folder ANKI_SHOTS, where it is set and ImageMagick's `import` is there.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llmdrills.anki.connect import ADDON

PROGRAM = os.environ.get("ANKI_DESKTOP") or shutil.which("anki") or ""
CONNECT = os.environ.get("ANKI_CONNECT", "")
SHOTS = os.environ.get("ANKI_SHOTS", "")
PROFILES = ("User 1", "User 2")
_PREFERENCES = """
import sys
from pathlib import Path
from aqt.profiles import ProfileManager
base = Path(sys.argv[1])
base.mkdir(parents=True, exist_ok=True)
manager = ProfileManager(base)
manager.setupMeta()
for name in sys.argv[2:]:
    manager.create(name)
manager.meta |= {"firstRun": False, "defaultLang": "en_US"}
for key in ("updates", "check_for_updates", "check_for_addon_updates"):
    manager.meta[key] = False
data = manager._pickle(manager.meta)
manager.db.execute("update profiles set data = ? where name = '_global'", data)
manager.db.commit()
"""
"""What the first start would ask: the language, and a profile."""


def lacking() -> str:
    """Why Anki's desktop cannot be started here; empty where it can."""
    if not (PROGRAM and Path(PROGRAM).exists()):
        return "Anki's desktop is not here: set ANKI_DESKTOP to the `anki` of an environment with aqt"
    if not (CONNECT and (Path(CONNECT) / "__init__.py").exists()):
        return "AnkiConnect is not here: set ANKI_CONNECT to the folder of its source (plugin/)"
    missing = [name for name in ("Xvfb", "xdotool", "openbox") if shutil.which(name) is None]
    return f"{' and '.join(missing)} not installed" if missing else ""


def soon(found: Callable[[], Any], seconds: float) -> Any:
    """The first true answer, or the last one when the time is over."""
    end = time.monotonic() + seconds
    while not (answer := found()) and time.monotonic() < end:
        time.sleep(0.2)
    return answer


def until(what: str, found: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first true answer. Fails with `what` where none comes."""
    answer = soon(found, seconds)
    assert answer, f"not within {seconds} s: {what}"
    return answer


class Screen:
    """A virtual screen."""

    def __init__(self) -> None:
        read, write = os.pipe()
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x900x24", "-nolisten", "tcp"],
            pass_fds=[write],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        with os.fdopen(read) as said:
            self.name = f":{said.readline().strip()}"
        self.environment = {**os.environ, "DISPLAY": self.name}
        self._manager = subprocess.Popen(
            ["openbox"], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def close(self) -> None:
        self._manager.terminate()
        self._manager.wait(30)
        self._server.terminate()
        self._server.wait(30)

    def press(self, *keys: str) -> None:
        subprocess.run(["xdotool", "key", *keys], env=self.environment, check=True)

    def write(self, text: str) -> None:
        subprocess.run(["xdotool", "type", "--delay", "30", text], env=self.environment, check=True)

    def windows(self) -> set[str]:
        """The titles of what is open."""
        found = subprocess.run(
            ["xdotool", "search", "--onlyvisible", "--name", ".", "getwindowname", "%@"],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,  # it ends with 1 where no window is open
        )
        return set(found.stdout.splitlines())

    def shoot(self, name: str) -> None:
        if SHOTS and shutil.which("import"):
            path = Path(SHOTS) / f"{name}.png"
            subprocess.run(["import", "-window", "root", str(path)], env=self.environment, check=True)


class Desktop:
    """A throw-away base folder, with or without the add-on, and the Anki that runs on it."""

    def __init__(self, folder: Path, screen: Screen, *, key: str = "", addon: bool = True) -> None:
        self.base, self.screen, self.key = folder / "base", screen, key
        self._home = folder / "home"
        self._home.mkdir(parents=True)
        with socket.socket() as given:
            given.bind(("127.0.0.1", 0))
            self.port = int(given.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        python = Path(PROGRAM).with_name("python")
        subprocess.run([python, "-c", _PREFERENCES, str(self.base), *PROFILES], check=True, env=self._environment())
        if addon:
            place = self.base / "addons21" / ADDON
            shutil.copytree(CONNECT, place)
            config = {"apiKey": key or None, "webBindPort": self.port}
            (place / "meta.json").write_text(json.dumps({"name": "AnkiConnect", "config": config}))
        else:
            (self.base / "addons21").mkdir()

    def _environment(self) -> dict[str, str]:
        return {
            **self.screen.environment,
            "HOME": str(self._home),
            "XDG_RUNTIME_DIR": str(self._home),
            "LANG": "C.UTF-8",
            "QT_QPA_PLATFORM": "xcb",
            "QTWEBENGINE_CHROMIUM_FLAGS": "--no-sandbox",  # root has none
        }

    def start(self, profile: str = PROFILES[0]) -> None:
        """Start Anki; without a profile it asks for one."""
        words = ["-b", str(self.base), *(["-p", profile] if profile else [])]
        with (self.base / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, *words], env=self._environment(), stdout=log, stderr=log, start_new_session=True
            )
        until("Anki's window", lambda: self.screen.windows() & {f"{profile} - Anki", "Profiles"}, 120)

    def close(self) -> None:
        """As Ctrl+Q does; whatever then still runs is ended."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self.screen.press("ctrl+q")
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def ask(self, action: str, **parameters: Any) -> Any:
        """What AnkiConnect answers; None where it does not yet."""
        question = {"action": action, "version": 6, "params": parameters, **({"key": self.key} if self.key else {})}
        request = urllib.request.Request(self.url, json.dumps(question).encode())
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
                said = json.loads(answer.read())
        except OSError:
            return None
        assert said["error"] is None, said["error"]
        return said["result"]
