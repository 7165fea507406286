"""What the commands `llmdrills anki …` found, as a learner reads it."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from llmdrills.anki.doctor import ADVICE, FINE, KINDS, TITLES
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llmdrills.anki.doctor import Kind, Report, State
    from llmdrills.anki.pull import Pull
    from llmdrills.anki.push import Expected, Happened
    from llmdrills.language import Language

__all__ = ["REFRESH", "doctor_text", "expected_lines", "happened_lines", "patch", "pull_json", "pull_lines"]

_SHOWN = 8  # notes named of each kind; --json names all
_MARK = {True: "✓", False: "!"}
_HEAD = Bilingual("[{language}] {count} {title}", "[{language}] {count} 条{title}")
_TODO = Bilingual("→ {what}", "→ {what}")
_ABSENT = Bilingual("[{language}] none of these notes is there", "[{language}] 没有这种语言的笔记")
_FINE = Bilingual("Nothing is to be done.", "一切正常，无需处理。")


def doctor_text(report: Report, language: Language) -> str:
    """Kind by kind: how many notes, which, and what to do."""
    lines: list[str] = []
    for spoken in sorted({one.language for one in report.states}):
        for kind in KINDS:
            found = report.of(kind, spoken)
            if found:
                lines += _kind(kind, spoken, found, language)
    lines += [_ABSENT.format(language=spoken)[language] for spoken in report.absent]
    if report.healthy:
        lines.append(_FINE[language])
    return "\n".join(lines)


def _kind(kind: Kind, spoken: Language, found: Sequence[State], language: Language) -> Iterator[str]:
    head = _HEAD.format(language=spoken, count=len(found), title=TITLES[kind][language])
    yield f"{_MARK[kind in FINE]} {head[language]}"
    if kind != "current":
        for one in found[:_SHOWN]:
            yield f"    {one.note}{f' ({one.details})' if one.details else ''}"
        if len(found) > _SHOWN:
            yield f"    … +{len(found) - _SHOWN} (--json)"
        words = {
            "package": f"llmdrills-{spoken}.apkg",
            "upgrade": f"llmdrills-{spoken}-upgrade.apkg",
            "language": spoken,
            "example": found[0].note,
        }
        yield f"    {_TODO.format(what=ADVICE[kind].format(**words)[language])[language]}"


_NOTHING = Bilingual("Nothing was edited in Anki since the last release.", "最新版本之后，没有在 Anki 中改过内容。")
_TAKEN = Bilingual("Edits that come back: {n}.", "有 {n} 段修改可以写回。")
_PLAINER = Bilingual(
    "  {place} {note}: colours and the like stay behind: Markdown has no sign for them",
    "  {place} {note}：颜色等样式不会保留，Markdown 无法表示",
)
_LEFT = Bilingual("Left to you ({n}):", "有 {n} 处修改需要你自己处理：")
_AT_STAKE = Bilingual(
    "Do these before you build: the next release replaces the whole note in Anki, its tags too: {names}",
    "请在构建之前处理：下个版本会替换 Anki 中的整条笔记（包括标签）：{names}",
)
_DIFFERENCE = Bilingual("  {place} {note} [{language}] {field}: {why}", "  {place} {note} [{language}] {field}：{why}")


def patch(found: Pull) -> str:
    """What the files would become, as a unified diff; empty where nothing changes."""
    lines: list[str] = []
    for file, (before, after) in found.files.items():
        pair = before.splitlines(keepends=True), after.splitlines(keepends=True)
        for line in difflib.unified_diff(*pair, f"a/{file.as_posix()}", f"b/{file.as_posix()}"):
            lines.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(lines)


def pull_lines(found: Pull, language: Language) -> Iterator[str]:
    """What came back, and what could not."""
    if not found.changes and not found.differences:
        yield _NOTHING[language]
    if found.changes:
        yield _TAKEN.format(n=len(found.changes))[language]
    for change in found.changes:
        if change.plainer:
            yield _PLAINER.format(place=change.place, note=change.note)[language]
    if found.differences:
        yield _LEFT.format(n=len(found.differences))[language]
    for one in found.differences:
        words = {"place": one.place, "note": one.note, "language": one.language, "field": one.field}
        yield _DIFFERENCE.format(**words, why=one.why[language])[language].rstrip()
        yield f"    - {one.before}"
        yield f"    + {one.after}"
    if found.at_stake:
        yield _AT_STAKE.format(names=_names([f"{one.note} [{one.language}]" for one in found.at_stake]))[language]


def pull_json(found: Pull, *, written: bool) -> dict[str, Any]:
    """Schema 1: it may gain keys, never lose one."""
    return {
        "schema": 1,
        "written": written and bool(found.files),
        "changes": [one._asdict() for one in found.changes],
        "at_stake": [one._asdict() for one in found.at_stake],
        "differences": [{**one._asdict(), "why": {"en": one.why.en, "zh": one.why.zh}} for one in found.differences],
        "patch": patch(found),
    }


_WILL = Bilingual(
    "[{language}] Anki will find {new} new, {updated} to update, {unchanged} unchanged.",
    "[{language}] Anki 将新增 {new} 条、更新 {updated} 条，{unchanged} 条保持不变。",
)
_KEPT = Bilingual(
    "    edited or tagged in Anki since, so Anki leaves them: {names} (`llmdrills anki pull` takes your words over)",
    "    之后在 Anki 中改过内容或标签，Anki 不会更新：{names}（用 `llmdrills anki pull` 取回你的改动）",
)
_STUCK = Bilingual(
    "    of another note type than ours, so Anki leaves them: {names} (`llmdrills anki doctor` says what to do)",
    "    不再使用我们的笔记模板，Anki 不会更新：{names}（运行 `llmdrills anki doctor` 查看做法）",
)
_EMPTIES = Bilingual(
    "[{language}] retired, to be emptied ({n}): {names}", "[{language}] {n} 条已停用的笔记将被清空：{names}"
)
_DID = Bilingual(
    "In Anki: {new} new, {updated} updated, {unchanged} unchanged. Reviews: {before} before, {after} now.",
    "Anki 新增 {new} 条、更新 {updated} 条，{unchanged} 条未变。复习次数：之前 {before}，现在 {after}。",
)
REFRESH = Bilingual(
    "Anki's deck list may still show the old numbers: press D in its window.",
    "Anki 的牌组列表可能还显示旧的数字：在它的窗口中按 D 刷新。",
)
_GONE = Bilingual("Gone meanwhile, not by this command: {names}", "期间消失的笔记（并非本命令所删）：{names}")


def expected_lines(expected: Sequence[Expected], language: Language) -> Iterator[str]:
    """What Anki will do, language by language."""
    for one in expected:
        counts = {"new": len(one.new), "updated": len(one.updated), "unchanged": one.unchanged}
        yield _WILL.format(language=one.language, **counts)[language]
        if one.kept:
            yield _KEPT.format(names=_names(one.kept))[language]
        if one.stuck:
            yield _STUCK.format(names=_names(one.stuck))[language]
        if one.retired:
            words = {"language": one.language, "n": len(one.retired), "names": _names(one.retired)}
            yield _EMPTIES.format(**words)[language]


def happened_lines(happened: Happened, language: Language) -> Iterator[str]:
    """What Anki did."""
    counts = {"new": len(happened.new), "updated": len(happened.updated), "unchanged": happened.unchanged}
    before, after = happened.reviews
    yield _DID.format(**counts, before=before, after=after)[language]
    for name in happened.updated[:_SHOWN]:
        yield f"    {name}"
    if happened.gone:
        yield _GONE.format(names=_names(happened.gone))[language]


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" … +{len(names) - _SHOWN}" if len(names) > _SHOWN else "")
