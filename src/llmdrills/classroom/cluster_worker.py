"""What a worker of a local Dask cluster does when it begins: Dask imports this module by name."""

from __future__ import annotations

import os

__all__ = ["dask_setup"]


def dask_setup(_worker: object) -> None:
    """Leave the command's session: Ctrl-C is for the command, and whoever ends this process group ends no more."""
    if hasattr(os, "setsid"):
        os.setsid()
