"""Past repetitions as a learner reads them: a line each, the attempts below it, and the code of the last one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmdrills.cli.verdict_view import OUTCOMES
from llmdrills.language import Bilingual, counted
from llmdrills.lines import whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmdrills.content.model import Kata
    from llmdrills.language import Language
    from llmdrills.practice.past import PastAttempt, PastRepetition

__all__ = ["overview_text", "past_text", "told_diagnosis"]

_HEAD = Bilingual("{day}  {kata} ({variant})", "{day}  {kata}（{variant}）")
_SOLUTION = Bilingual("looked at the solution", "看过答案")
_LOWERED = Bilingual("{rating} (earned {earned})", "{rating}（应得{earned}）")
_SKIPPED = Bilingual("skipped", "已跳过")
_REPAIR = Bilingual("repair", "修复练习")
_REPAIRED = Bilingual("repaired", "已修复")
_NOT_REPAIRED = Bilingual("not repaired", "尚未修复")
_MISTAKE = Bilingual("The mistake was: {text}", "其中的错误是：{text}")
_OPEN = Bilingual("not rated", "未评级")
_FAILING = Bilingual("failing: {names}", "失败：{names}")
_KEPT = Bilingual("what the file held before, and was replaced:", "文件中原有、后被替换的内容：")
_CODE = Bilingual("Attempt {number}:", "第 {number} 次提交：")
_MORE = Bilingual(
    "`llmdrills history show {kata} --code N` prints the code of attempt N.",
    "运行 `llmdrills history show {kata} --code N` 输出第 N 次提交的代码。",
)
_WHICH = Bilingual(
    "`llmdrills history show KATA` shows its attempts.", "运行 `llmdrills history show KATA` 查看各次提交。"
)
_NOTHING = Bilingual("Nothing yet: begin with `llmdrills today`.", "还没有记录：运行 `llmdrills today` 开始。")
_COMMA = Bilingual(", ", "、")
_MOST_NAMES = 4


def overview_text(found: Sequence[PastRepetition], language: Language) -> str:
    """A line for each repetition."""
    if not found:
        return _NOTHING[language]
    return "\n".join([*(_head(one, language) for one in found), _WHICH[language]])


def past_text(found: Sequence[PastRepetition], diagnoses: Mapping[str, Bilingual], language: Language) -> str:
    """The repetitions of one kata with their attempts, newest last, and the code of the last attempt."""
    if not found:
        return _NOTHING[language]
    lines = []
    for one in reversed(found):
        lines.append(_head(one, language))
        lines += [_attempt(attempt, diagnoses, language) for attempt in one.attempts]
        if one.mistake is not None:
            known = diagnoses.get(one.mistake)
            lines.append(f"  {_MISTAKE.format(text=known[language] if known else one.mistake)[language]}")
        for kept in one.kept:
            lines += [
                f"  {_KEPT[language]}",
                *(whole(f"    {line}") for line in kept.decode("utf-8", "replace").splitlines()),
            ]
    last = next((one.attempts[-1] for one in found if one.attempts), None)
    if last is not None:
        code = last.code.decode("utf-8", "replace").rstrip()
        lines += [
            "",
            _CODE.format(number=last.number)[language],
            "",
            whole(code),
            "",
            _MORE.format(kata=found[0].kata)[language],
        ]
    return "\n".join(lines)


def told_diagnosis(kata: Kata) -> dict[str, Bilingual]:
    """What each diagnosis of the kata says: its slips by their text, its other variants by their title."""
    variants = {f"variant-{variant.id}": variant.title for variant in kata.variants}
    return {**variants, **{slip.id: slip.feedback for slip in kata.slips}}


def _head(one: PastRepetition, language: Language) -> str:
    parts = [
        _HEAD.format(day=one.begun.day, kata=one.kata, variant=one.variant)[language],
        _attempts(len(one.attempts))[language],
    ]
    if one.repair:
        parts.insert(1, _REPAIR[language])
    if one.hints:
        parts.append(_hints(one.hints)[language])
    if one.solution:
        parts.append(_SOLUTION[language])
    if one.repair and not one.skipped:
        parts.append((_NOT_REPAIRED if one.mistake is None else _REPAIRED)[language])
    elif one.rating is None:
        parts.append((_SKIPPED if one.skipped else _OPEN)[language])
    elif one.derived is None or one.derived == one.rating:
        parts.append(one.rating.label[language])
    else:
        words = {"rating": one.rating.label[language], "earned": one.derived.label[language]}
        parts.append(_LOWERED.format(**words)[language])
    return " · ".join(parts)


def _attempts(count: int) -> Bilingual:
    return counted(count, "attempt", "次提交")


def _hints(count: int) -> Bilingual:
    return Bilingual(counted(count, "hint", "").en, f"看过 {count} 条提示")


def _attempt(attempt: PastAttempt, diagnoses: Mapping[str, Bilingual], language: Language) -> str:
    passed = attempt.outcome == "passed"
    words = {str(name): words[language] for name, words in OUTCOMES.items()}
    good = sum(outcome == "passed" for _, outcome in attempt.cases)
    line = f"  #{attempt.number}  {attempt.at.local:%H:%M}  {'✓' if passed else '✗'} "
    line += words.get(attempt.outcome, attempt.outcome) + (f" {good}/{len(attempt.cases)}" if attempt.cases else "")
    if passed:
        return line
    if attempt.diagnosis:
        known = diagnoses.get(attempt.diagnosis)
        return f"{line} → {known[language] if known else attempt.diagnosis}"
    failing = [name for name, outcome in attempt.cases if outcome != "passed"]
    if failing and good:
        names = _COMMA[language].join(failing[:_MOST_NAMES]) + (" …" if len(failing) > _MOST_NAMES else "")
        line += f" · {_FAILING.format(names=names)[language]}"
    return line
