"""Decompress what Anki compresses since 2.1.50: with Python's own module (3.14), a library, or the `zstd` program."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import tempfile
from typing import IO, TYPE_CHECKING

from llmdrills.errors import UsageError
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["MOST_BYTES", "copy", "decompress"]

MOST_BYTES = 4 << 30
"""Of a collection, decompressed: a package that holds more was made to fill a disk."""
_PIECE = 1 << 20

_MISSING = Bilingual(
    "this file is compressed with zstd, and nothing here can read that", "该文件以 zstd 压缩，本机无法读取"
)
_INSTALL = Bilingual(
    "run `pip install zstandard`, or export again with “Support older Anki versions” on",
    "请运行 `pip install zstandard`，或在导出时勾选“支持较旧版本的 Anki”",
)
_DAMAGED = Bilingual("the collection in this file is damaged: {why}", "文件中的集合已损坏：{why}")
_EXPORT = Bilingual("export it from Anki again", "请从 Anki 重新导出")
_TOO_MUCH = Bilingual("this file holds more than {most} MiB in one piece", "该文件中有一项超过 {most} MiB")


def decompress(source: IO[bytes], target: IO[bytes], most: int = MOST_BYTES) -> None:
    """Write what `source` holds, decompressed, to `target`.

    Raises UsageError when it is damaged, cannot be read, or holds more than `most` bytes.
    """
    try:
        if (own := _module("compression.zstd")) is not None:
            with own.open(source) as plain:
                copy(plain, target, most)
        elif (library := _module("zstandard")) is not None:
            with library.ZstdDecompressor().stream_reader(source, read_across_frames=True) as plain:
                copy(plain, target, most)
        else:
            _by_program(source, target, most)
    except UsageError:
        raise
    except Exception as error:  # each of the three has an error of its own
        raise UsageError(_DAMAGED.format(why=error), _EXPORT) from error


def copy(source: IO[bytes], target: IO[bytes], most: int = MOST_BYTES) -> None:
    """Copy a stream that may claim any size. Raises UsageError when it holds more than `most` bytes."""
    size = 0
    while piece := source.read(_PIECE):
        size += len(piece)
        if size > most:
            raise UsageError(_TOO_MUCH.format(most=most >> 20), _EXPORT)
        target.write(piece)


def _module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _by_program(source: IO[bytes], target: IO[bytes], most: int) -> None:
    program = shutil.which("zstd")
    if program is None:
        raise UsageError(_MISSING, _INSTALL)
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        copy(source, given)
        given.seek(0)
        with subprocess.Popen([program, "-d", "-c"], stdin=given, stdout=subprocess.PIPE, stderr=said) as running:
            try:
                copy(running.stdout or given, target, most)
            except BaseException:
                running.kill()
                raise
        if running.returncode:
            said.seek(0)
            raise UsageError(_DAMAGED.format(why=said.read().decode("utf-8", "replace").strip()), _EXPORT)
