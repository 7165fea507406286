"""Open a private copy of a collection, whatever Anki does with the original: a file, a profile's folder or a package.

A running Anki holds its collection locked, and part of it stands in the log beside it (`-wal`). So the file and its log
are copied, not opened. The copy is good if neither was replaced meanwhile: the file's time and size, and the log's
salt, which changes when the log begins anew, are the same before and after. Frames that were added to the log while it
was copied do no harm, because SQLite takes only what was committed whole.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
import time
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from llmdrills.anki.zstd import copy as copy_piece
from llmdrills.anki.zstd import decompress
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["opened"]

_IN_A_PACKAGE = ("collection.anki21b", "collection.anki21", "collection.anki2")
"""The newest first: a package holds an older one too, which only says that Anki must be updated."""
_TRIES = 8
_PAUSE = 0.1  # seconds between two of them
_SALT = slice(12, 24)  # of the log's header: the number of its last checkpoint and two random numbers

_NOTHING = Bilingual("there is no file {path}", "没有文件 {path}")
_WHERE = Bilingual(
    "give collection.anki2 of your profile, or export one: File → Export in Anki",
    "请给出个人资料文件夹里的 collection.anki2，或在 Anki 中用“文件 → 导出”导出",
)
_CANNOT_READ = Bilingual("cannot read {path}: {why}", "无法读取 {path}：{why}")
_NO_COLLECTION = Bilingual("{path} holds no collection of Anki", "{path} 中没有 Anki 的集合")
_DAMAGED = Bilingual("{path} is damaged: {why}", "{path} 已损坏：{why}")
_CHECK = Bilingual(
    "run Tools → Check Database in Anki, or export it again", "请在 Anki 中运行“工具 → 检查数据库”，或重新导出"
)
_BUSY = Bilingual("Anki keeps writing to {path}", "Anki 正在持续写入 {path}")
_LATER = Bilingual("wait until it has synced, then run this again", "请等它同步完成后再运行一次")


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A copy of the collection at `path`, open for reading, which is gone when the block ends.

    `path`: collection.anki2, the profile's folder that holds it, a .colpkg or an .apkg. Raises UsageError.
    """
    path = path / "collection.anki2" if path.is_dir() else path
    with tempfile.TemporaryDirectory(prefix="llmdrills-anki-") as folder:
        copy = Path(folder) / "copy.anki2"
        try:
            if zipfile.is_zipfile(path):
                _unpack(path, copy)
            else:
                _copy(path, copy)
        except FileNotFoundError as error:
            raise UsageError(_NOTHING.format(path=path), _WHERE) from error
        except OSError as error:
            raise UsageError(_CANNOT_READ.format(path=path, why=error.strerror or error), _WHERE) from error
        with contextlib.closing(_connect(copy, path)) as connection:
            yield connection


def _unpack(path: Path, copy: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            name = next((one for one in _IN_A_PACKAGE if one in names), None)
            if name is None:
                raise UsageError(_NO_COLLECTION.format(path=path), _WHERE)
            with archive.open(name) as source, copy.open("wb") as target:
                if name.endswith("b"):
                    decompress(source, target)
                else:
                    copy_piece(source, target)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise UsageError(_DAMAGED.format(path=path, why=error), _CHECK) from error


def _copy(path: Path, copy: Path) -> None:
    log, log_copy = path.with_name(f"{path.name}-wal"), copy.with_name(f"{copy.name}-wal")
    for _ in range(_TRIES):
        before = _generation(path, log)
        shutil.copyfile(path, copy)
        try:
            shutil.copyfile(log, log_copy)
        except FileNotFoundError:
            log_copy.unlink(missing_ok=True)
        if _generation(path, log) == before:
            return
        time.sleep(_PAUSE)
    raise UsageError(_BUSY.format(path=path), _LATER)


def _generation(path: Path, log: Path) -> tuple[int, int, int, bytes]:
    """What is another once the file or its log was replaced or written to."""
    found = path.stat()
    try:
        with log.open("rb") as file:
            salt = file.read(32)[_SALT]
    except FileNotFoundError:
        salt = b""
    return found.st_ino, found.st_mtime_ns, found.st_size, salt


def _connect(copy: Path, path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(copy)
    try:
        # Names of decks and note types are compared by a rule of Anki's own, without which SQLite refuses the tables.
        connection.create_collation("unicase", _compare)
        connection.execute("SELECT ver FROM col, (SELECT id FROM notes LIMIT 1), (SELECT id FROM cards LIMIT 1)")
        connection.execute("SELECT id FROM revlog LIMIT 1")
    except sqlite3.DatabaseError as error:
        connection.close()
        fault = _DAMAGED.format(path=path, why=error) if _is_collection(copy) else _NO_COLLECTION.format(path=path)
        raise UsageError(fault, _CHECK if _is_collection(copy) else _WHERE) from error
    return connection


def _is_collection(copy: Path) -> bool:
    """Whether it is a database that at least names Anki's table."""
    data = copy.read_bytes()
    return data.startswith(b"SQLite format 3") and b"revlog" in data


def _compare(one: str, other: str) -> int:
    return (one.casefold() > other.casefold()) - (one.casefold() < other.casefold())
