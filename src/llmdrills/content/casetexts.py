"""drills/KATA/cases.zh.yaml: what a Chinese reader is told of each case of cases.py: its name, and why it is there.

Under a case's name stand `title` (its name in Chinese), `en` and `zh`. `en` repeats the `why` of cases.py: where the
two differ the Chinese is stale, and `llmdrills check` says so. It stands in a file of its own because a lock of draws
holds the hash of cases.py. Nothing is graded by it, so that a grade reads it only for a Chinese report of an attempt
that failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from llmdrills.content.report import Report
    from llmdrills.content.shapes import Reader, Table

__all__ = [
    "AGAIN",
    "DERIVED_WHY",
    "DRAWN_WHY",
    "FILE_NAME",
    "CaseText",
    "case_texts",
    "case_texts_shape",
    "read_case_texts",
]

FILE_NAME = "cases.zh.yaml"
AGAIN = "again"
DERIVED_WHY: dict[str, Bilingual] = {
    "non-contiguous": Bilingual(
        "the same inputs as views of other storage, as a transpose leaves them",
        "同样的输入，但都是另一块存储的视图，就像转置之后那样",
    ),
    "expanded": Bilingual("the batch is one entry expanded, with stride 0", "整个批由一个元素扩展而来，步长为 0"),
    "requires-grad": Bilingual(
        "the inputs require grad, as parameters and their activations do", "输入需要梯度，参数及其激活就是这样"
    ),
    AGAIN: Bilingual(
        "three calls in a row: other values in new objects, then the first values written into those objects",
        "连续调用三次：先换成新对象里的其他数值，再把最初的数值写进这些对象",
    ),
}
"""Why a case is there that the framework derives from the first one, by what is added to that one's name."""
DRAWN_WHY = Bilingual("a call that the contract allows, drawn at random", "随机抽取的一次符合约定的调用")

_DERIVED_NAMES = {
    "non-contiguous": "内存不连续",
    "expanded": "扩展而来",
    "requires-grad": "需要梯度",
    AGAIN: "连续三次调用",
}
_DRAWN = "draw-"


@dataclass(frozen=True)
class CaseText:
    """What is told of one case: its name, and why it is there."""

    title: Bilingual
    why: Bilingual


def case_texts_shape() -> Table:
    """What the file may hold: the texts of each case by its name.

    A function, because a verdict in English imports no shapes.
    """
    from llmdrills.content.shapes import Key, Record, Table, Text, slug

    record = Record(
        "the texts of a case",
        {
            "title": Key(Text(), "the case's name in Chinese, a few characters", needed=True),
            "en": Key(
                Text(), "its `why` in cases.py, word for word: where that changes, look at `zh` again", needed=True
            ),
            "zh": Key(Text(), "the same in Chinese", needed=True),
        },
    )
    return Table(slug(), record, at_least=1)


def read_case_texts(folder: Path, report: Report) -> tuple[dict[str, CaseText], Reader | None]:
    """The texts of each case of a kata's folder, with the reader that knows where each stands.

    There are none where the file is missing, and what cannot be read goes to `report`.
    """
    from llmdrills.content.shapes import Reader
    from llmdrills.content.yamlfile import compose

    file = folder / FILE_NAME
    if not file.exists():
        return {}, None
    reader = Reader(file, report)
    node = compose(file, report)
    found = case_texts_shape().read(reader, node, "cases") if node is not None else None
    whole = {name: one for name, one in (found or {}).items() if one and all(map(one.get, ("title", "en", "zh")))}
    return {
        name: CaseText(Bilingual(name, one["title"]), Bilingual(one["en"], one["zh"])) for name, one in whole.items()
    }, reader


def case_texts(folder: Path, names: Mapping[str, str]) -> dict[str, CaseText]:
    """What to tell of the cases in `names` (name → why, in English), those that are derived and drawn too.

    A case without Chinese, or whose Chinese is stale, keeps its English in both languages: a verdict is not the place
    to complain of it.
    """
    from llmdrills.content.report import Report

    written, _ = read_case_texts(folder, Report(folder))
    return {name: _told(name, why, written) for name, why in names.items()}


def _told(name: str, why: str, written: Mapping[str, CaseText]) -> CaseText:
    found = written.get(name)
    if found is not None and found.why.en == why:
        return found
    if name.startswith(_DRAWN) and why == DRAWN_WHY.en:
        return CaseText(Bilingual(name, f"随机用例 {name.removeprefix(_DRAWN)}"), DRAWN_WHY)
    for kind, told in DERIVED_WHY.items():
        first = written.get(name.removesuffix(f"-{kind}"))
        if why == told.en:
            title = f"{first.title.zh}（{_DERIVED_NAMES[kind]}）" if first else name
            return CaseText(Bilingual(name, title), told)
    return CaseText(Bilingual(name, name), Bilingual(why, why))
