"""What was handed in: a folder of `STUDENT/KATA.py`, or a CSV file that names the files. Nothing is left out silently.

A file is read here once, before any of them runs; `read_again` later takes only the same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.content.starter import read_header
from llmdrills.errors import UsageError
from llmdrills.files import read_source
from llmdrills.grading.protocol.printable import printable
from llmdrills.language import Bilingual, listed
from llmdrills.messages import in_both

if TYPE_CHECKING:
    from llmdrills.content.model import Kata

__all__ = ["COLUMNS", "Found", "LeftOut", "Submission", "find_submissions", "read_again"]

COLUMNS = ("student", "kata", "variant", "path")
MOST_TABLE_BYTES = 64 << 20

_NOTHING_THERE = Bilingual("there is no {path}", "找不到 {path}")
_GIVE = Bilingual(
    "give a folder that holds STUDENT/KATA.py, or a CSV file with the columns {columns}",
    "请给出存放 STUDENT/KATA.py 的文件夹，或含有 {columns} 列的 CSV 文件",
)
_EMPTY = Bilingual("there is no submission in {path}", "{path} 里没有可以评分的文件")
_NO_COLUMN = Bilingual("{path}:1: the table has no column {names}", "{path}:1：表格缺少 {names} 列")
_TWICE_A_COLUMN = Bilingual("{path}:1: two columns have one name: {names}", "{path}:1：有两列同名：{names}")
_HEAD = Bilingual(
    "begin it with the line `student,kata,variant,path`; commas part the cells",
    "首行请写 `student,kata,variant,path`，单元格以逗号分隔",
)
_NOT_UTF8 = Bilingual("{path}:{line}: this line is not UTF-8", "{path}:{line}：这一行不是 UTF-8 编码")
_SAVE_UTF8 = Bilingual("save the table as UTF-8", "请把表格另存为 UTF-8 编码")
_NO_TABLE = Bilingual("{path}:{line}: this cannot be read as CSV: {why}", "{path}:{line}：无法按 CSV 读取：{why}")
_TABLE_TOO_LARGE = Bilingual("{path} holds more than {most} bytes", "{path} 超过 {most} 字节")
_CANNOT_READ = Bilingual("cannot read {path}: {why}", "无法读取 {path}：{why}")

# Why a row is not graded, and what to do.
_LINK = Bilingual(
    "this is a symbolic link, which could lead to another student's file: put the file itself here",
    "这是符号链接，可能指向别的学生的文件：请换成文件本身",
)
_LOOSE = Bilingual(
    "this lies in no student's folder: move it to STUDENT/KATA.py", "它不在任何学生的文件夹里：请移到 STUDENT/KATA.py"
)
_DEEPER = Bilingual(
    "this folder lies within a student's folder: move its files up, to STUDENT/KATA.py",
    "它是学生文件夹里的子文件夹：请把其中的文件移到上一层，即 STUDENT/KATA.py",
)
_UNREADABLE = Bilingual("cannot be read: {why}", "无法读取：{why}")
_NO_KATA = Bilingual(
    "there is no kata {kata}: name the file after one of `llmdrills list`{near}",
    "没有名为 {kata} 的练习：请用 `llmdrills list` 中的 id 命名{near}",
)
_NEAR = Bilingual(" (did you mean {names}?)", "（你要找的是不是 {names}？）")
_NO_VARIANT = Bilingual("{kata} has no variant {variant}: it has {known}", "{kata} 没有变体 {variant}：只有 {known}")
_OTHER_KATA = Bilingual(
    "its first line says that it is for {named}: rename the file, or correct that line",
    "文件首行写明它是 {named} 的作答：请改文件名，或改正首行",
)
_TWICE = Bilingual(
    "{kata} ({variant}) is there more than once for this student: keep one of {files}",
    "这名学生的 {kata}（{variant}）交了不止一份：请只保留 {files} 中的一个",
)
_NO_CELL = Bilingual("line {line} has no {names}: fill it in", "第 {line} 行缺少 {names}：请补上")
_CELLS = Bilingual(
    "line {line} has {cells} cells, the first line has {columns}: put a cell with a comma in quotation marks",
    "第 {line} 行有 {cells} 个单元格，首行有 {columns} 个：含逗号的单元格请加引号",
)
_CHANGED = Bilingual(
    "the file changed after this run had read it: look who changed it, and run this again",
    "读取之后文件又被改动：请查明是谁改的，再重新运行",
)

# Why a path is no submission. These do not count as "not graded".
_NO_PYTHON = Bilingual("not a .py file", "不是 .py 文件")
_HIDDEN = Bilingual("hidden, or made by Python", "隐藏文件，或由 Python 生成")
_NO_FILES = Bilingual("a student's folder without a .py file", "学生文件夹里没有 .py 文件")


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One row: who, what, and the file. `why` says why it cannot be graded; `digest` is of the bytes that are graded.

    `student` and `file` are as they are shown: what is no UTF-8, or would move a cursor, stands there as an escape.
    """

    student: str
    kata: str
    variant: str
    file: str
    path: Path
    digest: str = ""
    why: Bilingual | None = None


class LeftOut(NamedTuple):
    """A path that is no submission, and why it is none."""

    file: str
    why: Bilingual


class Found(NamedTuple):
    """Everything that was handed in, in the order of the report."""

    submissions: tuple[Submission, ...]
    left_out: tuple[LeftOut, ...]


def find_submissions(where: Path, katas: Sequence[Kata]) -> Found:
    """Read the folder or the table. Raises UsageError where there is nothing to read."""
    known = {kata.id: kata for kata in katas}
    rows: list[Submission] = []
    left_out: list[LeftOut] = []
    columns = listed(COLUMNS)
    try:
        mode = where.stat().st_mode
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        what = _NOTHING_THERE if missing else _CANNOT_READ.format(why=in_both(error.strerror), path="{path}")
        raise UsageError(what.format(path=where), _GIVE.format(columns=columns)) from error
    for one in _in_folder(where) if stat.S_ISDIR(mode) else _in_table(where):
        if isinstance(one, LeftOut):
            left_out.append(one)
        else:
            rows.append(one if one.why else _resolved(one, known))
    if not rows:
        raise UsageError(_EMPTY.format(path=where), _GIVE.format(columns=columns))
    rows.sort(key=lambda row: (row.student, row.kata, row.variant, row.file))
    return Found(tuple(_without_doubles(rows)), tuple(left_out))


def read_again(row: Submission) -> bytes | None:
    """The bytes that were found, or None where the file is not what it was."""
    try:
        code = _read(row.path)
    except (OSError, UsageError):
        return None  # it is not what it was, in whatever way
    return code if _digest(code) == row.digest else None


def changed(row: Submission) -> Submission:
    """The row of a file that is not what it was."""
    return replace(row, why=_CHANGED)


# ---- a folder ---------------------------------------------


def _in_folder(root: Path) -> Iterator[Submission | LeftOut]:
    for entry in _entries(root):
        shown = _shown(entry.name)
        if _is_hidden(entry.name):
            yield LeftOut(shown, _HIDDEN)
        elif entry.is_symlink():
            yield _row(shown, "", shown, Path(entry.path), why=_LINK)
        elif entry.is_dir():
            yield from _of_student(shown, Path(entry.path))
        elif entry.name.endswith(".py"):
            yield _row("", shown.removesuffix(".py"), shown, Path(entry.path), why=_LOOSE)
        else:
            yield LeftOut(shown, _NO_PYTHON)


def _of_student(student: str, folder: Path) -> Iterator[Submission | LeftOut]:
    try:
        entries = _entries(folder)
    except UsageError as error:
        yield _row(student, "", f"{student}/", folder, why=error.what_in_both)
        return
    none = True
    for entry in entries:
        file, path = f"{student}/{_shown(entry.name)}", Path(entry.path)
        if _is_hidden(entry.name):
            yield LeftOut(file, _HIDDEN)
        elif entry.is_dir(follow_symlinks=False):
            yield _row(student, "", f"{file}/", path, why=_DEEPER)
            none = False
        elif entry.name.endswith(".py") or entry.is_symlink():
            kata, _, variant = _shown(entry.name).removesuffix(".py").partition("@")
            yield _row(student, kata, file, path, variant=variant)
            none = False
        else:
            yield LeftOut(file, _NO_PYTHON)
    if none:
        yield LeftOut(f"{student}/", _NO_FILES)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in the folder, by name. Raises UsageError."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        what = _CANNOT_READ.format(path=_shown(str(folder)), why=in_both(error.strerror))
        raise UsageError(what, _GIVE.format(columns=listed(COLUMNS))) from error


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__pycache__"


def _shown(name: str) -> str:
    """A name as it is shown and stored: bytes that are no UTF-8 as escapes."""
    return printable(os.fsencode(name).decode("utf-8", "backslashreplace")).replace("\n", "\\n").replace("\t", "\\t")


# ---- a table ----------------------------------------------


def _in_table(path: Path) -> Iterator[Submission]:
    reader = csv.reader(io.StringIO(_table_text(path), newline=""), strict=True)
    try:
        head = [name.strip().lower() for name in next(reader, [])]
        _check_head(path, head)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield _in_line(path, reader.line_num, head, cells)
    except csv.Error as error:
        raise UsageError(_NO_TABLE.format(path=path, line=reader.line_num, why=str(error)), _HEAD) from error


def _table_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_TABLE_BYTES + 1)
    except OSError as error:
        what = _CANNOT_READ.format(path=path, why=in_both(error.strerror))
        raise UsageError(what, _GIVE.format(columns=listed(COLUMNS))) from error
    if len(data) > MOST_TABLE_BYTES:
        what = _TABLE_TOO_LARGE.format(path=path, most=f"{MOST_TABLE_BYTES:,}")
        raise UsageError(what, _GIVE.format(columns=listed(COLUMNS)))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(_NOT_UTF8.format(path=path, line=line), _SAVE_UTF8) from error


def _check_head(path: Path, head: Sequence[str]) -> None:
    missing = [name for name in COLUMNS if name not in head]
    if missing:
        raise UsageError(_NO_COLUMN.format(path=path, names=listed(missing)), _HEAD)
    twice = [name for name in COLUMNS if head.count(name) > 1]
    if twice:
        raise UsageError(_TWICE_A_COLUMN.format(path=path, names=listed(twice)), _HEAD)


def _in_line(table: Path, line: int, head: Sequence[str], cells: Sequence[str]) -> Submission:
    named = dict(zip(head, (cell.strip() for cell in cells), strict=False))
    values = {name: named.get(name, "") for name in COLUMNS}
    empty = [name for name in ("student", "kata", "path") if not values[name]]
    why = None
    if len(cells) != len(head):
        why = _CELLS.format(line=line, cells=len(cells), columns=len(head))
    elif empty or "\0" in values["path"]:
        why = _NO_CELL.format(line=line, names=listed(empty or ["path"]))
    path = table.parent / values["path"].replace("\0", "")
    student, kata, variant, file = (_shown(values[name]) for name in COLUMNS)
    return _row(student, kata, file, path, variant=variant, why=why)


# ---- one row ----------------------------------------------


def _row(
    student: str, kata: str, file: str, path: Path, *, variant: str = "", why: Bilingual | None = None
) -> Submission:
    return Submission(student=student, kata=kata, variant=variant, file=file, path=path, why=why)


def _resolved(row: Submission, known: Mapping[str, Kata]) -> Submission:
    """The row with its variant and the digest of its file, or with why it cannot be graded."""
    kata = known.get(row.kata)
    try:
        if row.path.is_symlink():
            return replace(row, why=_LINK)
        if kata is None:
            return replace(row, why=_NO_KATA.format(kata=row.kata or "''", near=_near(row.kata, known)))
        code = _read(row.path)
    except UsageError as error:
        return replace(row, why=error.what_in_both)
    except OSError as error:
        return replace(row, why=_UNREADABLE.format(why=in_both(error.strerror)))
    named, variant = read_header(code.decode("utf-8", "replace")) or ("", "")
    if named not in {"", kata.id}:
        return replace(row, why=_OTHER_KATA.format(named=named))
    wanted = row.variant or variant or kata.variants[0].id
    if kata.variant(wanted) is None:
        ids = listed(one.id for one in kata.variants)
        return replace(row, why=_NO_VARIANT.format(kata=kata.id, variant=wanted, known=ids))
    return replace(row, variant=wanted, digest=_digest(code))


def _near(kata: str, known: Mapping[str, Kata]) -> Bilingual:
    import difflib

    names = difflib.get_close_matches(kata, list(known), n=3, cutoff=0.5)
    return _NEAR.format(names=listed(names)) if names else Bilingual("", "")


def _without_doubles(rows: Sequence[Submission]) -> Iterator[Submission]:
    """The rows, those marked that answer one variant for one student twice: nobody can tell which one counts."""
    same: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in rows:
        if row.why is None:
            same[row.student, row.kata, row.variant].append(row.file)
    for row in rows:
        files = same.get((row.student, row.kata, row.variant), [])
        if row.why is None and len(files) > 1:
            words = {"kata": row.kata, "variant": row.variant, "files": listed(files)}
            yield replace(row, why=_TWICE.format(**words))
        else:
            yield row


def _read(path: Path) -> bytes:
    """The bytes of a file that is no link. Raises UsageError and OSError."""
    if path.is_symlink():
        raise UsageError(_LINK)
    return read_source(path)


def _digest(code: bytes) -> str:
    return hashlib.sha256(code).hexdigest()
