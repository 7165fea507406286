"""Texts are parsed by several threads at once: a page's request, and the grader behind it."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmdrills.content.syntax import parsed

SOURCE = Path(__file__).parents[2] / "src" / "llmdrills"
TEXT = "\n".join(f"def f{n}(x):\n    return [x + {n} * (y - 1) for y in range(x)]" for n in range(60))


@pytest.fixture
def collections_let_others_run() -> Iterator[None]:
    """Garbage is collected often, and whatever is told of it is long enough for another thread to take its turn."""

    def give_way(*_: object) -> None:
        for _ in range(1000):
            pass

    before, interval = gc.get_threshold(), sys.getswitchinterval()
    gc.callbacks.append(give_way)
    gc.set_threshold(50, 5, 5)
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*before)
    gc.callbacks.remove(give_way)


def test_should_parse_in_several_threads_at_once(collections_let_others_run: None) -> None:
    failed: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(10):
                assert len(parsed(TEXT).body) == 60
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_should_parse_nowhere_else() -> None:
    found = [
        path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py") if "ast.parse(" in path.read_text("utf-8")
    ]
    assert found == ["content/syntax.py"]
