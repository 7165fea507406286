"""What the cards of a note show, by the templates of its note type: Basic, reversed, Cloze, and types that look so.

A template is filled in as Anki does it, with the few filters that only show a field. Where a script, another filter or
a hidden element decides what is seen, nobody can know it here, and the note is refused.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from llmdrills.importing.found import CannotTakeError, why_not
from llmdrills.language import Bilingual

__all__ = ["Card", "Template", "Type", "sides"]

_TAG = re.compile(r"\{\{\{?\s*([#^/]?)\s*(.*?)\s*\}?\}\}", re.DOTALL)
_EMPTY = re.compile(r"(?:\s|&nbsp;|</?(?:br|div)\s*/?>)*", re.IGNORECASE)
_ANSWER = re.compile(r"<hr\b[^>]*\bid\s*=\s*[\"']?answer\b[^>]*>", re.IGNORECASE)
_FRONT = "\ufddf"  # where the front is shown again
_SPECIAL = {"Tags", "Type", "Deck", "Subdeck", "Card", "CardFlag"}
_HIDES = re.compile(r"([^{}]+)\{[^{}]*(?:display\s*:\s*none|visibility\s*:\s*hidden)[^{}]*\}", re.IGNORECASE)
_TYPED = Bilingual("its answer is no longer typed", "答案不再需要键入")
_ABOUT = Bilingual("its card also showed its deck or tags", "卡片上原有的牌组名或标签未保留")


class Template(NamedTuple):
    """The two sides of a card type."""

    front: str
    back: str


class Type(NamedTuple):
    """A note type of Anki's."""

    name: str
    cloze: bool
    fields: tuple[str, ...]
    templates: tuple[Template, ...]
    css: str = ""
    occlusion: bool = False


class Card(NamedTuple):
    """The HTML of both sides, the back without the front; of a cloze, the text with its deletions, and what follows."""

    front: str
    back: str
    lost: tuple[Bilingual, ...] = ()


def sides(kind: Type, fields: dict[str, str], ordinals: list[int] | None) -> list[tuple[int, Card | CannotTakeError]]:
    """The cards of a note by ordinal, or why one cannot be told. `ordinals`: the cards that it has; None: all it may.

    Raises CannotTakeError for the whole note.
    """
    if kind.occlusion or any("image-occlusion:" in value for value in fields.values()):
        raise why_not(
            "it is an image occlusion, which hides parts of a picture", "这是图片遮挡笔记，遮挡的是图片的局部"
        )
    if not kind.templates:
        raise why_not("its note type has no card template", "笔记模板没有卡片模板")
    if kind.cloze:
        return [(0, _card(kind, kind.templates[0], fields))]
    found: list[tuple[int, Card | CannotTakeError]] = []
    for ordinal, template in enumerate(kind.templates):
        if ordinals is not None and ordinal not in ordinals:
            continue
        try:
            card = _card(kind, template, fields)
        except CannotTakeError as error:
            found.append((ordinal, error))
            continue
        if ordinals is not None or not _EMPTY.fullmatch(card.front):
            found.append((ordinal, card))
    if not found:
        raise why_not("it makes no card", "它不产生任何卡片")
    return found


def _card(kind: Type, template: Template, fields: dict[str, str]) -> Card:
    _check_hidden(kind, template)
    filler = _Filler(fields, cloze=kind.cloze)
    front = filler.fill(template.front, back=False)
    back = filler.fill(template.back, back=True)
    return Card(front, _rest(front, back), tuple(dict.fromkeys(filler.lost)))


def _check_hidden(kind: Type, template: Template) -> None:
    both = template.front + template.back
    if re.search(r"<script\b|\bon\w+\s*=\s*[\"']", both, re.IGNORECASE):
        raise why_not("a script of its note type decides what its card shows", "卡片内容由笔记模板中的脚本决定")
    if "{{=" in both:
        raise why_not("its templates have other signs than {{…}}", "卡片模板使用了 {{…}} 以外的定界符")
    names = {name for rule in _HIDES.findall(kind.css) for name in re.findall(r"[.#]([\w-]+)", rule)}
    used = {name for _, value in re.findall(r"\b(class|id)\s*=\s*[\"']([^\"']*)", both) for name in value.split()}
    if names & used:
        raise why_not("the style of its note type hides a part of its card", "笔记模板的样式隐藏了卡片的一部分")


def _rest(front: str, back: str) -> str:
    """The back without the front that it repeats, and without the line between them."""
    line = _ANSWER.search(back)
    before, after = (back[: line.start()], back[line.end() :]) if line else ("", back)
    if line and _bare(before.replace(_FRONT, "")) in {"", _bare(front)}:
        return after.replace(_FRONT, "")
    whole = f"{before}{after}".replace(_FRONT, "") if _FRONT in back else f"{before}{after}"
    stripped, repeated = whole.strip(), front.strip()
    return stripped[len(repeated) :] if repeated and stripped.startswith(repeated) else whole


def _bare(html: str) -> str:
    """What two sides are compared by."""
    return " ".join(re.sub(r"</?(?:div|br|p|span)\b[^>]*>|&nbsp;", " ", html, flags=re.IGNORECASE).split())


class _Filler:
    """Fills the fields of one note into a template."""

    def __init__(self, fields: dict[str, str], *, cloze: bool) -> None:
        self._fields = fields
        self._cloze = cloze
        self.lost: list[Bilingual] = []

    def fill(self, template: str, *, back: bool) -> str:
        """The HTML of one side. Raises CannotTakeError for what only Anki can show."""
        template = re.sub(r"<!--.*?-->", "", template, flags=re.DOTALL)
        parts: list[str] = []
        shown = [True]
        names: list[str] = []
        place = 0
        for tag in _TAG.finditer(template):
            if shown[-1]:
                parts.append(template[place : tag.start()])
            place = tag.end()
            sign, name = tag[1], tag[2]
            if sign in {"#", "^"}:
                names.append(name)
                shown.append(shown[-1] and self._holds(name) == (sign == "#"))
            elif sign == "/":
                if not names or names.pop() != name:
                    raise why_not("its templates do not close what they open", "卡片模板中的条件没有正确闭合")
                shown.pop()
            elif shown[-1]:
                parts.append(self._value(name, back=back))
        if names:
            raise why_not("its templates do not close what they open", "卡片模板中的条件没有正确闭合")
        return "".join([*parts, template[place:]])

    def _holds(self, name: str) -> bool:
        if name in self._fields:
            return not _EMPTY.fullmatch(self._fields[name])
        if name in _SPECIAL:
            return False
        raise CannotTakeError(_unknown(name))

    def _value(self, name: str, *, back: bool) -> str:
        if name == "FrontSide":
            return _FRONT
        if name in _SPECIAL:
            self.lost.append(_ABOUT)
            return ""
        *filters, field = (part.strip() for part in name.split(":"))
        if field not in self._fields:
            raise CannotTakeError(_unknown(name))
        value = self._fields[field]
        for one in filters:
            if one == "type":
                self.lost.append(_TYPED)
                value = value if back else ""
            elif one not in {"text", "cloze", "nc", "edit"} and not _EMPTY.fullmatch(value):
                raise why_not(
                    f"its card shows {{{{{name}}}}} as only Anki can", f"卡片中的 {{{{{name}}}}} 只有 Anki 能显示"
                )
        return value


def _unknown(name: str) -> Bilingual:
    shown = name[:40]
    return Bilingual(
        f"its templates name {{{{{shown}}}}}, which it has not", f"卡片模板中的 {{{{{shown}}}}} 在笔记中不存在"
    )
