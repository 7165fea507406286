"""What MkDocs asks while it builds the site: pages that stand outside of docs/, and where links lead.

The README is the first page, and every link works in a checkout as it does on the site: it is written for the checkout,
and turned here. A link to a file that the site does not hold stays as it is, and the strict build refuses it.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {
    "README.md": "index.md",
    "README.zh.md": "index.zh.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
"""File of the checkout → its page on the site."""

_LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
_FENCED = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that stand outside of docs/."""
    for name, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn the links of one page; fenced code is left alone."""
    uri = page.file.src_uri
    source = next((name for name, known in OUTSIDE.items() if known == uri), f"docs/{uri}")
    parts = _FENCED.split(markdown)
    return "".join(
        part if part.startswith("```") else _LINK.sub(lambda link: _turned(link, source, uri), part) for part in parts
    )


def _turned(link: re.Match[str], source: str, uri: str) -> str:
    target = link[2]
    if "://" in target or target.startswith(("/", "mailto:")):
        return link[0]
    place = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    there = OUTSIDE.get(place, place.removeprefix("docs/") if place.startswith("docs/") else "")
    return f"{link[1]}{posixpath.relpath(there, posixpath.dirname(uri) or '.')}{link[3]}" if there else link[0]
