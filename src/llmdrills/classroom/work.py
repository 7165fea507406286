"""The folder of work: one file for each graded submission, named by all that its verdict depends on.

Whoever grades a submission writes its file, whole or not at all. So neither the end of a worker nor that of the command
loses what was graded, and a second run finds it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from llmdrills import __version__
from llmdrills.errors import UsageError
from llmdrills.files import write_atomically
from llmdrills.grading.judging.verdict import Outcome
from llmdrills.language import Bilingual
from llmdrills.messages import in_both

if TYPE_CHECKING:
    from llmdrills.classroom.submissions import Submission
    from llmdrills.content.model import Kata
    from llmdrills.language import Language

__all__ = ["Work", "fingerprint"]

_OUTCOMES = frozenset(get_args(Outcome))
FORMAT = 1
"""Increase it when a result gains what the report needs: older ones are then graded again."""
_TAKEN = Bilingual("another run is writing to {folder}", "另一个进程正在写入 {folder}")
_WAIT = Bilingual("wait until it ends, or give another --out", "请等它结束，或用 --out 指定别的文件夹")
_CANNOT_WRITE = Bilingual("cannot write to {folder}: {why}", "无法写入 {folder}：{why}")
_OTHER_OUT = Bilingual("give another folder with --out", "请用 --out 指定别的文件夹")


class Work:
    """`REPORT/work`, held by one run at a time. `token` is how a worker knows that it sees the same folder."""

    def __init__(self, folder: Path, token: str = "") -> None:
        self.folder = folder
        self.token = token
        self._drawn = b""

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder and keep other runs out. Raises UsageError."""
        import fcntl

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UsageError(
                _CANNOT_WRITE.format(folder=self.folder, why=in_both(error.strerror)), _OTHER_OUT
            ) from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(_TAKEN.format(folder=self.folder), _WAIT) from None
            self.token = secrets.token_hex(8)
            self._drawn = self._seed_file()
            write_atomically(self.folder / "run", self.token, durable=False)
            yield
        finally:
            os.close(handle)

    def _seed_file(self) -> bytes:
        """What every seed of this report comes from: drawn by its first run, kept for later ones. Raises OSError."""
        path = self.folder / "seed"
        with contextlib.suppress(FileNotFoundError):
            return path.read_bytes()
        write_atomically(path, secrets.token_hex(16))
        return path.read_bytes()

    def seed(self, kata_print: str, variant: str) -> int:
        """The seed of all answers to that variant, while the folder is held.

        One for all of them: everyone gets the same inputs, and a worker's oracle works them out once for many files,
        which is most of the work. Nobody can know it before the first run, and so hand in answers for its inputs.
        """
        found = hashlib.sha256(json.dumps([self._drawn.hex(), kata_print, variant]).encode()).digest()
        return int.from_bytes(found[:4], "big") & 0x7FFFFFFF

    def is_the_same(self) -> bool:
        """Whether this process sees the folder of the run that gave the token."""
        try:
            return (self.folder / "run").read_text("utf-8") == self.token
        except OSError:
            return False

    def result(self, key: str) -> dict[str, Any] | None:
        """What was graded under that key; None where nothing was, or the file is damaged."""
        try:
            found = json.loads((self.folder / f"{key}.json").read_bytes())
            whole = found["key"] == key and _is_verdict(found["verdict"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return found if whole else None

    def keep(self, key: str, **result: Any) -> None:
        """Write a result. Raises OSError."""
        text = json.dumps({"schema": FORMAT, "key": key, **result}, sort_keys=True)
        write_atomically(self.folder / f"{key}.json", text)


def _is_verdict(data: dict[str, Any]) -> bool:
    """Whether the report can be made of it: anyone who can write into the folder may have put something else there."""
    mistake = data["diagnosis"]
    return (
        data["outcome"] in _OUTCOMES
        and isinstance(data["message"], str)
        and (mistake is None or isinstance(mistake["id"], str))
    )


def key_of(row: Submission, kata_print: str, language: Language) -> str:
    """The name of its result: it changes with the file, the kata, the version, the language and whose file it is.

    Two students' equal files are graded apart: nothing of one is in the other's result, not even a name.
    """
    parts = [FORMAT, __version__, kata_print, row.kata, row.variant, language, row.student, row.file, row.digest]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def fingerprint(kata: Kata) -> str:
    """What changes when a file of the kata does. Raises OSError."""
    found = hashlib.sha256()
    for path in sorted(kata.folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            found.update(path.name.encode("utf-8", "surrogateescape") + b"\0")
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()
