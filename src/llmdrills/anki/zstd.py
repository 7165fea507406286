"""Decompress what Anki compresses since 2.1.50: with Python's own module (3.14), a library, or the `zstd` program."""

from __future__ import annotations

import importlib
import shutil
import subprocess
from typing import IO, TYPE_CHECKING

from llmdrills.errors import UsageError
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["decompress"]

_MISSING = Bilingual(
    "this file is compressed with zstd, and nothing here can read that", "该文件以 zstd 压缩，本机无法读取"
)
_INSTALL = Bilingual(
    "run `pip install zstandard`, or export again with “Support older Anki versions” on",
    "请运行 `pip install zstandard`，或在导出时勾选“支持较旧版本的 Anki”",
)
_DAMAGED = Bilingual("the collection in this file is damaged: {why}", "文件中的集合已损坏：{why}")
_EXPORT = Bilingual("export it from Anki again", "请从 Anki 重新导出")


def decompress(source: IO[bytes], target: IO[bytes]) -> None:
    """Write what `source` holds, decompressed, to `target`. Raises UsageError when it is damaged or cannot be read."""
    try:
        if (own := _module("compression.zstd")) is not None:
            with own.open(source) as plain:
                shutil.copyfileobj(plain, target)
        elif (library := _module("zstandard")) is not None:
            library.ZstdDecompressor().copy_stream(source, target)
        else:
            _by_program(source, target)
    except UsageError:
        raise
    except Exception as error:  # each of the three has an error of its own
        raise UsageError(_DAMAGED.format(why=error), _EXPORT) from error


def _module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _by_program(source: IO[bytes], target: IO[bytes]) -> None:
    program = shutil.which("zstd")
    if program is None:
        raise UsageError(_MISSING, _INSTALL)
    done = subprocess.run(
        [program, "-d", "-c"], input=source.read(), stdout=target, stderr=subprocess.PIPE, check=False
    )
    if done.returncode:
        raise UsageError(_DAMAGED.format(why=done.stderr.decode("utf-8", "replace").strip()), _EXPORT)
