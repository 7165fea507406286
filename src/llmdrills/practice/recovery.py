"""What a rebuild of the history did, and the words for it: what is there, what is missing, and how that is known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from llmdrills.language import Bilingual
from llmdrills.practice.schema import KINDS

__all__ = ["Recovery"]

_WITNESSES = {
    "beside": Bilingual("the count kept beside the file", "文件旁保存的计数"),
    "within": Bilingual("the file's own count", "文件内部的计数"),
}
_DAMAGED = Bilingual("The history was damaged.", "历史记录损坏。")
_TODO = Bilingual(
    "What another machine exported brings its part back: `llmdrills history import FILE`.",
    "其他机器导出的记录可以补回其中一部分：`llmdrills history import FILE`。",
)


@dataclass(frozen=True)
class Recovery:
    """What a rebuild did: where the damaged file now lies, and for each kind of event how many were kept and lost.

    `witnesses`: what tells how many there were (`beside`, `within`); without one, `lost` is only the least that is
    missing. `returned`: how many of those kept came from backups alone.
    """

    aside: tuple[Path, ...]
    kept: dict[str, int]
    lost: dict[str, int]
    witnesses: tuple[str, ...] = ()
    returned: int = 0

    def to_text(self) -> str:
        """What the rebuilt database keeps, so that whoever opens it next can tell the learner."""
        return json.dumps([list(map(str, self.aside)), self.kept, self.lost, self.witnesses, self.returned])

    @classmethod
    def from_text(cls, text: str) -> Recovery:
        """Read what `to_text` writes, and what it wrote in the first release. Anything else gives no figures."""
        try:
            aside, kept, lost, *more = json.loads(text)
            witnesses, returned = more or ((), 0)
            counts = {str(kind): int(number) for kind, number in kept.items()}
            missing = {str(kind): int(number) for kind, number in lost.items()}
            return cls(tuple(map(Path, aside)), counts, missing, tuple(map(str, witnesses)), int(returned))
        except (ValueError, TypeError, AttributeError, RecursionError):
            return cls((), {}, {})

    @property
    def message(self) -> Bilingual:
        """What to tell the learner: what is missing, how that is known, and what can be done."""
        parts = [_DAMAGED, self._what_is_there()]
        if self.returned:
            parts.append(Bilingual(f"From backups alone came {self.returned}.", f"其中 {self.returned} 条来自备份。"))
        if self.aside:
            en, zh = (comma.join(map(str, self.aside)) for comma in (", ", "、"))
            parts.append(Bilingual(f"The damaged file is kept as {en}.", f"损坏的文件保留为 {zh}。"))
        if any(self.lost.values()) or not self.witnesses:
            parts.append(_TODO)
        return Bilingual(" ".join(part.en for part in parts), "".join(part.zh for part in parts))

    def _what_is_there(self) -> Bilingual:
        kept = sum(self.kept.values())
        lost = {kind: count for kind, count in self.lost.items() if count}
        missing = Bilingual(
            ", ".join(f"{count} of {count + self.kept.get(kind, 0)} {kind}" for kind, count in lost.items()),
            "、".join(f"{_named(kind)} {count}/{count + self.kept.get(kind, 0)} 条" for kind, count in lost.items()),
        )
        witnesses = [_WITNESSES[name] for name in self.witnesses if name in _WITNESSES]
        known = Bilingual(" and ".join(one.en for one in witnesses), "和".join(one.zh for one in witnesses))
        if witnesses and not lost:
            return Bilingual(
                f"It was rebuilt whole, with {_entries(kept)}: {known.en} {_says(witnesses)} that there were no more.",
                f"已完整重建（{kept} 条）：{known.zh}表明没有更多记录。",
            )
        if witnesses:
            return Bilingual(
                f"Recovered: {_entries(kept)}. Lost, as {known.en} {_says(witnesses)}: {missing.en}.",
                f"找回 {kept} 条；根据{known.zh}，已丢失：{missing.zh}。",
            )
        if lost:
            return Bilingual(
                f"Recovered: {_entries(kept)}. Lost, as their numbers show, are at least {missing.en}. "
                "Whether more is missing is not known: no count of them can be read.",
                f"找回 {kept} 条；从编号看，至少丢失：{missing.zh}。计数已无法读取，是否还有丢失无从得知。",
            )
        return Bilingual(
            f"Found: {_entries(kept)}. Whether any are missing is not known: no count of them can be read.",
            f"找到 {kept} 条。计数已无法读取，是否有丢失无从得知。",
        )


def _named(kind: str) -> str:
    """A kind of event in Chinese; one that this version does not know keeps its name."""
    return KINDS[kind].zh if kind in KINDS else kind


def _says(witnesses: list[Bilingual]) -> str:
    return "say" if len(witnesses) > 1 else "says"


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"
