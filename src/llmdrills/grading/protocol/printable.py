"""What an attempt prints, raises or names, made fit for a screen. No torch.

A terminal obeys some characters: they can clear the screen, overwrite a line, or show text in another order than it
has. Lone surrogates cannot be printed at all. Each of these is written as Python would escape it. Answers are
compared as they are; only what is shown goes through here.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["printable", "printable_tree"]

# C0 but for tab and newline, DEL and C1; the marks, embeddings, overrides and isolates of bidirectional text; line and
# paragraph separators; lone surrogates; tags and other characters that show nothing and can hide text.
_UNFIT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """`text` with every character that a terminal would obey, or that cannot be shown, as an escape.

    Tabs and newlines stay; the line ends of Windows become newlines.
    """
    return _UNFIT.sub(_escape, text.replace("\r\n", "\n"))


def printable_tree(value: Any) -> Any:
    """Plain data with every text in it made printable, keys of dicts included."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable_tree(key): printable_tree(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(printable_tree(item) for item in value)
    return value


def _escape(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code == 0x0D:
        return "\\r"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
