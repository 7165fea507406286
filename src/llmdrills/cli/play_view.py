"""What `llmdrills play` shows: the text, what it cost, whose kernels wrote it, and the table of slips."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from llmdrills.cli.play_kernels import feedback_of
from llmdrills.language import Bilingual, listed
from llmdrills.messages import in_both

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmdrills.cli.play_kernels import Chosen
    from llmdrills.content.model import Kata
    from llmdrills.content.playtable import PlayedSlip, PlayTable
    from llmdrills.grading.play.request import PlacedKernel
    from llmdrills.grading.player import Failed, Played
    from llmdrills.language import Language

__all__ = ["costs_json", "costs_text", "played_json", "played_text"]

_PERPLEXITY = Bilingual("Perplexity on held-out text: {value}", "留出文本上的困惑度：{value}")
_INSTEAD = Bilingual("{here}, instead of {right} with the references", "{here}（全部使用参考实现时为 {right}）")
_AS = Bilingual("{here}, as with the references", "{here}（与全部使用参考实现时相同）")
_SPEED = Bilingual(
    "Tokens per second: {cached} with the KV cache, {uncached} without it; {same}",
    "每秒 token 数：使用 KV 缓存 {cached}，不使用 {uncached}；{same}",
)
_SAME = Bilingual("the text is the same.", "两次写出的文本相同。")
_OTHER = Bilingual("without it the text is another one.", "不使用缓存时写出的文本不同。")
_NO_NUMBERS = Bilingual(
    "The text breaks off: the model's logits are NaN or infinite there.",
    "文本到此中断：模型的 logits 变成了 NaN 或无穷大。",
)
_YOURS = Bilingual("Yours: {katas}.", "你的实现：{katas}。")
_REFERENCES = Bilingual("References: {katas}.", "参考实现：{katas}。")
_ALL_REFERENCES = Bilingual(
    "All {count} kernels are references. One of yours takes its part when it has passed: `llmdrills start {kata}`.",
    "全部 {count} 个位置用的都是参考实现。你的实现通过后就会用上：运行 `llmdrills start {kata}`。",
)
_SLIP = Bilingual("Known mistake {kata}/{slip}: {feedback}", "常见错误 {kata}/{slip}：{feedback}")
_PRINTED = Bilingual("The kernels printed:", "这些实现打印了：")
_FAILED = Bilingual("✗ {kata}: {what}", "✗ {kata}：{what}")
_WHAT = {
    "timeout": Bilingual("the kernel did not come back within {what}.", "这个实现在 {what} 内没有返回。"),
    "memory": Bilingual("the kernel used up the memory that a run may take.", "这个实现用尽了一次运行允许的内存。"),
    "forbidden": Bilingual("{what} is not allowed in a kata.", "练习中不允许使用 {what}。"),
    "unimplemented": Bilingual("the kernel is not written yet.", "这个实现还没有写。"),
    "unusable": Bilingual("{what}.", "{what}。"),
    "crashed": Bilingual("the process of the model ended: {what}.", "运行模型的进程结束了：{what}。"),
}
_RAISED = Bilingual("the kernel raised {error}", "这个实现抛出了 {error}")
_AT = Bilingual(" ({file}, line {line}).", "（{file} 第 {line} 行）。")
_STOP = Bilingual(".", "。")
_TO_DO = {
    "mine": Bilingual(
        "`llmdrills grade {kata}` shows the case that fails; `llmdrills play --references` runs without your files.",
        "`llmdrills grade {kata}` 会显示没有通过的用例；`llmdrills play --references` 不使用你的文件。",
    ),
    "slip": Bilingual(
        "This mistake does not get as far as a text. `llmdrills play --costs {kata}` lists those that do.",
        "这个错误写不出文本。`llmdrills play --costs {kata}` 会列出写得出的。",
    ),
    "reference": Bilingual(
        "What it was given came from another kernel: `llmdrills play --references` runs without your files.",
        "它收到的数据来自另一个实现：`llmdrills play --references` 不使用你的文件。",
    ),
}
_RIGHT = Bilingual("right kernels: perplexity {value}", "全部正确：困惑度 {value}")
_KATA = Bilingual("{kata} ({does})", "{kata}（{does}）")
_TEXT_TOO = Bilingual("another text", "文本改变")
_SAME_TEXT = Bilingual("the same text", "文本不变")
_WORDS = {"nan": Bilingual("not a number", "NaN"), "infinite": Bilingual("infinite", "无穷大")}
_MOST_PRINTED = 10


def played_json(played: Played, kernels: Chosen) -> dict[str, Any]:
    """Schema 1: it may gain keys, never lose one. What is no number is null."""
    failed = played.failed
    return {
        "schema": 1,
        "text": played.text,
        "perplexity": _finite(played.perplexity),
        "kernels": {one.kata.id: one.origin for one in kernels.placed},
        "slips": [f"{one.kata.id}/{one.slip}" for one in kernels.placed if one.origin == "slip"],
        "tokens": played.tokens,
        "ended": played.why or None,
        "tokens_per_second": {"cache": _finite(played.cached_speed), "no_cache": _finite(played.uncached_speed)},
        "same_without_cache": played.same,
        "failed": failed
        and {"kata": failed.kata or None, "outcome": failed.outcome, "message": _failure(failed, "en")},
        "printed": played.printed,
    }


def played_text(played: Played, kernels: Chosen, table: PlayTable | None, language: Language) -> str:
    """All that a learner is shown of a run."""
    lines: list[str] = []
    if played.text is not None:
        lines += [played.text, ""]
    if played.why == "nan":
        lines.append(_NO_NUMBERS[language])
    if played.failed is not None:
        lines.append(_FAILED.format(kata=played.failed.kata or "?", what=_failure(played.failed, language))[language])
        lines += ["  " + _to_do(played.failed, kernels)[language]]
    if played.perplexity is not None:
        lines.append(_perplexity(played.perplexity, table)[language])
    if played.same is not None and played.tokens:
        words = {"cached": f"{played.cached_speed:.0f}", "uncached": f"{played.uncached_speed:.0f}"}
        lines.append(_SPEED.format(same=_SAME if played.same else _OTHER, **words)[language])
    lines += [line[language] for line in _whose(kernels)]
    if played.printed.strip():
        printed = played.printed.strip().splitlines()
        lines += ["", _PRINTED[language], *printed[:_MOST_PRINTED], *(["…"] if len(printed) > _MOST_PRINTED else [])]
    return "\n".join(lines)


def _perplexity(value: float, table: PlayTable | None) -> Bilingual:
    here = _number(value)
    if table is None:
        return _PERPLEXITY.format(value=here)
    right = _number(table.perplexity)
    compared = _AS if here == right else _INSTEAD
    return _PERPLEXITY.format(value=compared.format(here=here, right=right))


def _whose(kernels: Chosen) -> list[Bilingual]:
    """Which kernels are the learner's, which a slip, and which the references."""
    by_origin: dict[str, list[PlacedKernel]] = {"mine": [], "reference": [], "slip": []}
    for one in kernels.placed:
        by_origin[one.origin].append(one)
    found = [_SLIP.format(kata=one.kata.id, slip=one.slip, feedback=feedback_of(one)) for one in by_origin["slip"]]
    if len(by_origin["reference"]) == len(kernels.placed):
        return [_ALL_REFERENCES.format(count=len(kernels.placed), kata="rms-norm")]
    if by_origin["mine"]:
        found.append(_YOURS.format(katas=listed(one.kata.id for one in by_origin["mine"])))
    if by_origin["reference"]:
        found.append(_REFERENCES.format(katas=listed(one.kata.id for one in by_origin["reference"])))
    return found


def _failure(failed: Failed, language: Language) -> str:
    raised = failed.raised
    if raised is None or failed.outcome != "crashed":
        return _WHAT[failed.outcome].format(what=in_both(failed.what))[language]
    words = f"{raised.type}: {raised.message}".removesuffix(": ").strip().splitlines()[0]
    place = _AT.format(file=raised.file, line=raised.line) if raised.line else _STOP
    return (_RAISED.format(error=in_both(words)))[language] + place[language]


def _to_do(failed: Failed, kernels: Chosen) -> Bilingual:
    origin = kernels.of(failed.kata).origin if failed.kata else "mine"
    return _TO_DO[origin].format(kata=failed.kata or "KATA")


def costs_json(table: PlayTable, names: Sequence[str]) -> dict[str, Any]:
    """Schema 1."""
    return {
        "schema": 1,
        "perplexity": table.perplexity,
        "text": table.text,
        "closing": table.closing,
        "katas": {
            name: {
                one: {
                    "perplexity": slip.perplexity,
                    "why": slip.why or None,
                    "text": slip.text,
                    "closing": slip.closing,
                }
                for one, slip in table.katas.get(name, {}).items()
            }
            for name in names
        },
    }


def costs_text(table: PlayTable, katas: Mapping[str, Kata], names: Sequence[str], language: Language) -> str:
    """The slips of these katas, those that cost most first; one a line."""
    from llmdrills.grading.play.parts import PARTS

    does = {part.kata: part.does for part in PARTS}
    lines = [_RIGHT.format(value=_number(table.perplexity))[language]]
    for name in names:
        slips = sorted(table.katas.get(name, {}).items(), key=lambda one: (-_rank(one[1]), one[0]))
        lines += ["", _KATA.format(kata=katas[name].id, does=does[name])[language]]
        width = max((len(one) for one, _ in slips), default=0)
        lines += [f"  {one:<{width}}  {_cost(slip)[language]}" for one, slip in slips]
    return "\n".join(lines)


def _rank(slip: PlayedSlip) -> float:
    if slip.perplexity is not None:
        return slip.perplexity
    return {"nan": 2e300, "infinite": 1e300}.get(slip.why, 3e300)


def _cost(slip: PlayedSlip) -> Bilingual:
    """The perplexity, or why there is none, and whether the text changes."""
    if slip.perplexity is None:
        return _WORDS.get(slip.why) or in_both(slip.why)
    words = _TEXT_TOO if slip.changes_text else _SAME_TEXT
    number = f"{_number(slip.perplexity):>9}"
    return Bilingual(f"{number}  {words.en}", f"{number}  {words.zh}")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞"
    return f"{value:.3f}" if value < 1000 else f"{value:.3g}" if value >= 1e6 else f"{value:,.0f}"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
