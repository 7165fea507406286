"""What a command left in a history, read beside the package."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

__all__ = ["rows"]


def rows(home: Path, query: str) -> list[tuple]:
    """The answer to a query. The connection is closed: `with` alone only commits, and Python 3.13 warns."""
    with contextlib.closing(sqlite3.connect(home / "data" / "history.sqlite3")) as connection:
        return connection.execute(query).fetchall()
