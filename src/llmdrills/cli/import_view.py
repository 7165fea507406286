"""What an import did, for a reader and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmdrills.language import Bilingual, counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmdrills.importing.found import Remark
    from llmdrills.importing.importer import Imported
    from llmdrills.language import Language

__all__ = ["import_json", "import_lines"]

_MOST = 20
"""Notes that are named for one reason; JSON has all of them."""

_WRITTEN = Bilingual("{path}: {notes} from {file}{media}.", "{path}：来自 {file} 的 {notes}{media}。")
_WOULD = Bilingual("{path} would hold {notes} from {file}{media}.", "{path} 将包含来自 {file} 的 {notes}{media}。")
_NONE = Bilingual(
    "No note of {file} could be taken: nothing was written.", "{file} 中没有可导入的笔记：没有写入任何内容。"
)
_MEDIA = Bilingual(", with {n} in decks/media", "，{n}放入 decks/media")
_SETTLED = Bilingual(
    "Topic {topic}, language {language}, deck “{title}”.", "主题为 {topic}，语言为 {language}，牌组名为“{title}”。"
)
_REFUSED = Bilingual("Not taken ({n}):", "未导入（{n}）：")
_CHANGED = Bilingual("Taken, but not whole ({n}):", "已导入，但不完整（{n}）：")
_WHY = Bilingual("  {why}", "  {why}")
_WHICH = Bilingual("    {place}: {text}", "    {place}：{text}")
_PLACE = Bilingual("    {place}", "    {place}")
_MORE = Bilingual("    … and {n} more (--json lists all)", "    ……还有 {n} 条（--json 列出全部）")
_WAIVED = Bilingual(
    "Their wording is as it was, so they waive rules of the linter: {rules}.",
    "文字保持原样，因此这些笔记豁免了以下检查规则：{rules}。",
)
_RULE = Bilingual("{rule} ({n})", "{rule}（{n}）")
_NEW = Bilingual(
    "These are new notes with new scheduling: reviews, due dates and suspensions of the old ones stay where they are. "
    "Updating the old notes in place would need their own note types, which llmdrills does not write.",
    "这些是新的笔记，从头开始安排复习：原有笔记的复习记录、到期日和暂停状态留在原处。"
    "就地更新原有笔记需要它们自己的笔记模板，llmdrills 不会写出那些模板。",
)
_NEXT = Bilingual(
    "Look through the file, then run `llmdrills check --quick` and `llmdrills build`.",
    "请通读文件，再运行 `llmdrills check --quick` 和 `llmdrills build`。",
)


def import_lines(done: Imported, language: Language) -> list[str]:
    """What is said of an import, a line each."""
    deck = done.deck
    lines: list[Bilingual] = []
    if deck.notes:
        media = _MEDIA.format(n=counted(len(done.media), "file", "个文件")) if done.media else Bilingual("", "")
        notes = counted(len(deck.notes), "note", "条笔记")
        words = {"path": done.path, "notes": notes, "file": deck.file, "media": media}
        lines.append((_WRITTEN if done.written else _WOULD).format(**words))
        lines.append(_SETTLED.format(topic=deck.topic, language=deck.language, title=deck.title))
    else:
        lines.append(_NONE.format(file=deck.file))
    lines += [Bilingual(f"{one.en[:1].upper()}{one.en[1:]}.", f"{one.zh}。") for one in done.said]
    lines += _grouped(_CHANGED, done.changed) + _grouped(_REFUSED, done.refused)
    if done.waived:
        rules = [_RULE.format(rule=rule, n=len(notes)) for rule, notes in done.waived.items()]
        both = Bilingual(", ".join(one.en for one in rules), "、".join(one.zh for one in rules))
        lines.append(_WAIVED.format(rules=both))
    if deck.notes:
        lines.append(_NEW)
    if done.written:
        lines.append(_NEXT)
    return [one[language] for one in lines]


def _grouped(head: Bilingual, remarks: Iterable[Remark]) -> list[Bilingual]:
    """Remarks by their reason, the notes named below it."""
    groups: dict[Bilingual, list[Remark]] = {}
    for one in remarks:
        groups.setdefault(one.why, []).append(one)
    if not groups:
        return []
    lines = [head.format(n=sum(map(len, groups.values())))]
    for why, found in groups.items():
        lines.append(_WHY.format(why=why))
        for one in found[:_MOST]:
            lines.append((_WHICH if one.text else _PLACE).format(place=one.place, text=one.text))
        if len(found) > _MOST:
            lines.append(_MORE.format(n=len(found) - _MOST))
    return lines


def import_json(done: Imported) -> dict[str, Any]:
    """The same for programs."""
    deck = done.deck
    return {
        "schema": 1,
        "written": done.written,
        "file": str(done.path),
        "deck": deck.id,
        "title": deck.title,
        "topic": deck.topic,
        "language": deck.language,
        "notes": [{"id": note.id, "type": note.kind, "place": note.place.en} for note in deck.notes],
        "media": list(done.media),
        "refused": [_remark(one) for one in done.refused],
        "changed": [_remark(one) for one in done.changed],
        "waived": done.waived,
        "remarks": [one.en for one in done.said],
        "new_scheduling": True,
    }


def _remark(one: Remark) -> dict[str, str]:
    return {"place": one.place.en, "text": one.text, "why": one.why.en}
