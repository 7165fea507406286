"""What MkDocs asks while it builds the site: pages that stand outside of docs/, and where links lead.

The README is the first page, and every link works in a checkout as it does on the site: it is written for the checkout,
and turned here. A link to a file that the site does not hold stays as it is, and the strict build refuses it.

A page in Chinese, `NAME.zh.md`, has the sections of its English page in the same order, and their anchors: `#by-hand`
rather than a number or percent signs. A reader who changes the language keeps the section, and no new wording of a
heading breaks a link.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from markdown.extensions.toc import slugify
from mkdocs.exceptions import PluginError
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
_HEADING = re.compile(r"^#{1,6} +(.*?) *$", re.MULTILINE)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that stand outside of docs/."""
    for name, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn the links of one page, and give a Chinese one its anchors; fenced code is left alone."""
    uri = page.file.src_uri
    source = next((name for name, known in OUTSIDE.items() if known == uri), f"docs/{uri}")
    parts = _FENCED.split(markdown)
    turned = [
        part if part.startswith("```") else _LINK.sub(lambda link: _turned(link, source, uri), part) for part in parts
    ]
    return "".join(_anchored(turned, source) if source.endswith(".zh.md") else turned)


def _anchored(parts: list[str], source: str) -> list[str]:
    """Each heading with the anchor that the one at its place has on the English page."""
    english = _FENCED.sub("", (ROOT / source.replace(".zh.md", ".md")).read_text("utf-8"))
    anchors = [slugify(heading, "-") for heading in _HEADING.findall(english)]
    count = sum(len(_HEADING.findall(part)) for part in parts if not part.startswith("```"))
    if count != len(anchors):
        raise PluginError(f"{source} has {count} headings and its English page {len(anchors)}: give both the same")
    left = iter(anchors)
    return [
        part if part.startswith("```") else _HEADING.sub(lambda heading: f"{heading[0]} {{#{next(left)}}}", part)
        for part in parts
    ]


def _turned(link: re.Match[str], source: str, uri: str) -> str:
    target = link[2]
    if "://" in target or target.startswith(("/", "mailto:")):
        return link[0]
    place = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    there = OUTSIDE.get(place, place.removeprefix("docs/") if place.startswith("docs/") else "")
    return f"{link[1]}{posixpath.relpath(there, posixpath.dirname(uri) or '.')}{link[3]}" if there else link[0]
