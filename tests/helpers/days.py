"""A clock that is some days ahead, for the real command in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["ahead"]

_SHIFTED = '''\
"""Python imports this at its start: `datetime.now` is so many days ahead, and nothing else is changed."""

import datetime
import os

_AHEAD = datetime.timedelta(days=int(os.environ["TEST_DAYS_AHEAD"]))


class _Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + _AHEAD


datetime.datetime = _Shifted
'''


def ahead(days: int, folder: Path) -> dict[str, str]:
    """The environment of a process whose clock is so many days ahead; `folder` is private to the test."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(_SHIFTED, "utf-8")
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths), "TEST_DAYS_AHEAD": str(days)}
