"""workspace.toml: the namespace from which the guids of a workspace's notes are made.

The shipped workspace has none and uses `llmdrills`; a copy made by `llmdrills init` gets one of its own, so that its
notes and the shipped ones can live in one collection without overwriting each other.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

from llmdrills.content.report import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from llmdrills.content.report import Report

__all__ = ["DEFAULT_NAMESPACE", "FILE_NAME", "namespace_text", "read_namespace"]

DEFAULT_NAMESPACE = "llmdrills"
FILE_NAME = "workspace.toml"


def namespace_text(namespace: str) -> str:
    """What workspace.toml holds."""
    return (
        "# The guids of this workspace's notes are made from this namespace. Never change it once a package was\n"
        "# imported into Anki: every note would come back as a new one.\n"
        f'namespace = "{namespace}"\n'
    )


def read_namespace(root: Path, report: Report) -> str:
    """The workspace's namespace; `llmdrills` where there is no workspace.toml. Problems go to `report`."""
    from llmdrills.content.yamlfile import read_text

    path = root / FILE_NAME
    if not path.exists():
        return DEFAULT_NAMESPACE
    text = read_text(path, report)
    if text is None:
        return DEFAULT_NAMESPACE
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        place = re.search(r"line (\d+), column (\d+)", str(error))
        line, column = (int(place[1]), int(place[2])) if place else (1, 1)
        report.add(path, line, column, f"not valid TOML ({error})", 'write `namespace = "…"` and nothing else')
        return DEFAULT_NAMESPACE
    for name in values:
        if name != "namespace":
            report.add(path, 1, 1, f"unknown key `{name}`", did_you_mean(name, ["namespace"]))
    namespace = values.get("namespace")
    if not isinstance(namespace, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", namespace):
        todo = "write the one that `llmdrills init` made: letters, digits and `.`, `_`, `-`"
        report.add(path, 1, 1, "there is no usable `namespace`", todo)
        return DEFAULT_NAMESPACE
    return namespace
