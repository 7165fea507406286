"""Which processes of a command are left."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path


def processes_of(mark: str) -> list[int]:
    """The processes started by what was started with this path among its words or in its environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes()
            with contextlib.suppress(PermissionError):
                words += (folder / "environ").read_bytes()
            if mark.encode() in words and (folder / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
                found.append(int(folder.name))
    return found


def wait_for_nobody(mark: str, seconds: float = 40) -> float:
    """Wait until no process is left; how long that took. A server that was importing torch has to finish that first."""
    began = time.monotonic()
    while left := processes_of(mark):
        assert time.monotonic() - began < seconds, f"processes are left: {left}"
        time.sleep(0.05)
    return time.monotonic() - began
