"""Read a text file that somebody's program wrote: UTF-8, of a sensible size; anything else is named."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from llmdrills.errors import UsageError
from llmdrills.language import Bilingual

__all__ = ["MOST_BYTES", "read_utf8"]

MOST_BYTES = 64 << 20

_NOTHING = Bilingual("there is no file {path}", "没有文件 {path}")
_GIVE = Bilingual(
    "give an .apkg or .colpkg of Anki's, a .csv, .tsv or .txt, or a .md",
    "请给出 Anki 的 .apkg 或 .colpkg、.csv、.tsv、.txt 或 .md 文件",
)
_NO_FILE = Bilingual("{path} is no file", "{path} 不是文件")
_CANNOT_READ = Bilingual("cannot read {path}: {why}", "无法读取 {path}：{why}")
_TOO_LARGE = Bilingual("{path} has more than {most} MiB", "{path} 超过 {most} MiB")
_SPLIT = Bilingual("split it into smaller files", "请拆成较小的文件")
_NOT_UTF8 = Bilingual("{path} is not UTF-8: it looks like {what}", "{path} 不是 UTF-8 编码：看起来是 {what}")
_NOT_TEXT = Bilingual("{path} is no text in UTF-8", "{path} 不是 UTF-8 文本")
_SAVE = Bilingual("save it as UTF-8, then import it again", "请另存为 UTF-8 后重新导入")
_MARKS = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
    (b"\x84\x31\x95\x33", "GB18030"),
)


def read_utf8(path: Path) -> str:
    """The text of the file, without a byte-order mark, its line ends as `\\n`. Raises UsageError; never waits."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UsageError(_NO_FILE.format(path=path), _GIVE)
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(_NOTHING.format(path=path), _GIVE) from None
    except OSError as error:
        raise UsageError(_CANNOT_READ.format(path=path, why=error.strerror or error), _GIVE) from error
    if len(data) > MOST_BYTES:
        raise UsageError(_TOO_LARGE.format(path=path, most=MOST_BYTES >> 20), _SPLIT)
    return _decoded(data, path).replace("\r\n", "\n").replace("\r", "\n")


def _decoded(data: bytes, path: Path) -> str:
    named = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if named is None and b"\0" in data:
        even, odd = data[::2].count(0), data[1::2].count(0)
        named = "UTF-16" if max(even, odd) * 4 > len(data) and min(even, odd) * 4 < max(even, odd) else ""
    if named is None:
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            named = "GB18030" if _is_gb18030(data) else ""
    raise UsageError(_NOT_UTF8.format(path=path, what=named) if named else _NOT_TEXT.format(path=path), _SAVE)


def _is_gb18030(data: bytes) -> bool:
    """Whether the bytes are Chinese text in that encoding: most of what is no ASCII are common characters."""
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        return False
    foreign = [letter for letter in text if letter > "\x7f"]
    return 2 * sum("\u3000" <= letter <= "\u9fff" or letter > "\uff00" for letter in foreign) > len(foreign)
