"""A build's report as an author reads it: what was written, and what Anki will do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmdrills.language import Bilingual, counted
from llmdrills.lines import whole
from llmdrills.messages import in_both

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llmdrills.decks.build import BuildReport
    from llmdrills.decks.forecast import Forecast, NoteForecast
    from llmdrills.language import Language

__all__ = ["build_text"]

_SHOWN = 12  # notes named before "and N more"; --verbose names all
_STATUS = {
    "new": Bilingual("new", "新增"),
    "updated": Bilingual("updated", "更新"),
    "unchanged": Bilingual("unchanged", "不变"),
    "retired": Bilingual("retired", "停用"),
}
_WROTE = Bilingual("{path}: {notes}, {cards}, {kib} KiB", "{path}：{notes}，{cards}，{kib} KiB")
_WOULD = Bilingual(
    "{path}: {notes}, {cards} (dry run: not written)",
    "{path}：{notes}，{cards}（试运行，未写入）",
)
_COLLECTION = Bilingual(
    "In a collection that holds the previous release, Anki will find:",
    "对于已导入上一版的牌组，Anki 的处理结果：",
)
_FIRST = Bilingual("The first release: every note is new.", "这是首个版本：所有笔记都是新增。")
_SAME = Bilingual("Nothing changed since the last release.", "与上一版相比没有变化。")
_IMPORT = Bilingual(
    "Into Anki: double-click a package, or choose File > Import and take {path}. Leave the import options as they are.",
    "导入 Anki：双击牌组包，或在 Anki 中选择“文件 > 导入”并打开 {path}。导入选项保持默认即可。",
)
_LOCK_MOVED = Bilingual("{path} was updated: commit it with the content.", "{path} 已更新：请与内容一起提交。")
_LOCK_WOULD = Bilingual("{path} would move.", "{path} 将会更新。")
_LOCK_STILL = Bilingual("{path} is up to date.", "{path} 无需更新。")
_RETAG = Bilingual(
    "An updated note takes all its fields and tags from the package; a learner's own edits of that note are lost.",
    "被更新的笔记，其字段和标签全部以牌组包为准：学习者自己的改动会丢失。",
)
_OPTION = Bilingual(
    "{name}: {change}. In Anki's import dialog choose: {settings}", "{name}：{change}。导入时请选择：{settings}"
)
_COUNT = Bilingual("{n} {status}", "{status} {n} 条")
_COMMA = Bilingual(", ", "，")
_BRACKETS = Bilingual(" ({text})", "（{text}）")
_DECK = Bilingual("{name}{renamed}: {counts}", "{name}{renamed}：{counts}")
_CHANGED = Bilingual("{name}: {change}", "{name}：{change}")
_CHANGES = {"restyled": Bilingual("restyled", "样式有更新"), "renamed": Bilingual("renamed", "字段或模板已改名")}
_RESTORED = Bilingual("restored", "重新启用")
_MOVED = Bilingual("was in {deck}; existing cards stay there", "原属 {deck}，已有的卡片留在那里")
_ADDED = Bilingual("+{cards}", "增加 {cards}")
_EMPTIED = Bilingual("{cards} left to Empty Cards", "{cards}可用 Anki 的“清空卡片”删除")
_REFUSED = Bilingual("{name}: {change}. Do not release this.", "{name}：{change}。请不要发布。")


def build_text(
    report: BuildReport, root: Path, language: Language, *, verbose: bool = False, brief: bool = False
) -> str:
    """The whole report; paths relative to where they are shown from, `root`. `brief`: only what to do with it."""
    lines = []
    for package in report.packages:
        words = _WOULD if report.dry_run else _WROTE
        kib = (package.bytes + 1023) // 1024
        shown = words.format(
            path=whole(_near(package.path, root)),
            notes=counted(package.notes, "note", "条笔记")[language],
            cards=counted(package.cards, "card", "张卡片")[language],
            kib=kib,
        )
        lines.append(shown[language])
    if report.packages and not report.dry_run:
        lines.append(_IMPORT.format(path=whole(_near(report.packages[0].path, root)))[language])
    if brief:
        return "\n".join(lines)
    for forecast in report.forecasts:
        lines += list(_forecast(forecast, language, verbose=verbose))
    if any(forecast.count("updated") for forecast in report.forecasts):
        lines.append(_RETAG[language])
    lock = _LOCK_MOVED if report.lock.moved else _LOCK_WOULD if report.lock.stale else _LOCK_STILL
    lines.append(lock.format(path=whole(_near(report.lock.path, root)))[language])
    return "\n".join(lines)


def _near(path: Path, root: Path) -> Path:
    return path.relative_to(root) if path.is_relative_to(root) else path


def _forecast(forecast: Forecast, language: Language, *, verbose: bool) -> Iterator[str]:
    if all(note.status == "new" for note in forecast.notes):
        yield f"[{forecast.language}] {_FIRST[language]}"
        return
    if all(note.status == "unchanged" for note in forecast.notes):
        yield f"[{forecast.language}] {_SAME[language]}"
        return
    yield f"[{forecast.language}] {_COLLECTION[language]}"
    for deck in forecast.decks:
        counts = {"new": deck.new, "updated": deck.updated, "unchanged": deck.unchanged, "retired": deck.retired}
        named = [_COUNT.format(n=n, status=_STATUS[status])[language] for status, n in counts.items() if n]
        renamed = _BRACKETS.format(text=f"← {deck.renamed_from}") if deck.renamed_from else ""
        shown = {"name": deck.name, "renamed": renamed, "counts": _COMMA[language].join(named) or "0"}
        yield "  " + _DECK.format(**shown)[language]
    changed = [note for note in forecast.notes if note.status != "unchanged" or note.moved_from]
    for note in changed if verbose else changed[:_SHOWN]:
        yield f"    {_STATUS[note.status][language]} {note.id}{_details(note, language)}"
    if not verbose and len(changed) > _SHOWN:
        yield f"    … +{len(changed) - _SHOWN} (--verbose)"
    for kind in forecast.note_types:
        if kind.verdict == "refused":
            yield "  " + _REFUSED.format(name=kind.name, change=in_both(kind.change))[language]
        elif kind.verdict == "needs-option" and kind.settings is not None:
            words = {"name": kind.name, "change": in_both(kind.change), "settings": kind.settings}
            yield "  " + _OPTION.format(**words)[language]
        elif kind.change not in {"unchanged", "new"}:
            yield "  " + _CHANGED.format(name=kind.name, change=_CHANGES[kind.change])[language]


def _details(note: NoteForecast, language: Language) -> str:
    details = []
    if note.restored:
        details.append(_RESTORED)
    if note.moved_from:
        details.append(_MOVED.format(deck=note.moved_from))
    if note.status != "new" and note.cards_added:
        details.append(_ADDED.format(cards=counted(note.cards_added, "card", "张卡片")))
    if note.cards_emptied:
        details.append(_EMPTIED.format(cards=counted(note.cards_emptied, "card", "张卡片")))
    said = [one[language] for one in details] + ([note.why] if note.why else [])
    return _BRACKETS.format(text=Bilingual("; ", "；")[language].join(said))[language] if said else ""
