"""A verdict as a learner reads it, in plain text. Everything shown is in the verdict's data already; nothing is
decided here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmdrills.grading.judging.verdict import Verdict
from llmdrills.language import Bilingual, Language

__all__ = ["report_text"]

WIDTH = 96
_PIECES = re.compile(r"[\u2e80-\uffff]\s*|[^\s\u2e80-\uffff]+\s*|\s+")
_CLOSING = "，。：；、）】”’？！"
MOST_OUTPUT = 6
MOST_TRACEBACK = 6

# Why a case is there is written in English only, for authors: a Chinese report names the case alone.
_SMALLEST = Bilingual("The smallest failing case: {case} ({why})", "最小的失败用例：{case}")
_EXPECTED = Bilingual("expected", "应为")
_GOT = Bilingual("got", "得到")
_PASSING = Bilingual("Passing", "通过")
_FAILING = Bilingual("Failing", "失败")
_PRINTED = Bilingual("It printed:", "它打印了：")
_REPRODUCE = Bilingual("To see it again:", "重现方法：")
_ALSO = Bilingual("also fits: {names}", "也符合：{names}")
_SEED = Bilingual("(seed {seed})", "（随机种子 {seed}）")
_TIME = Bilingual(
    "{attempt:.1f} ms for all cases, the reference {reference:.1f} ms",
    "全部用例用时 {attempt:.1f} ms，参考实现 {reference:.1f} ms",
)
_COUNTS = Bilingual(
    "{case}: {flops:,} floating-point operations, largest tensor {largest:,} elements",
    "{case}：{flops:,} 次浮点运算，最大张量 {largest:,} 个元素",
)
_NO_DIAGNOSIS = Bilingual("None of the known mistakes explains this.", "这不是任何已知的错误写法。")


def report_text(verdict: Verdict, headline: str, language: Language) -> str:
    """The whole report as lines of text: what is wrong, why, where to look, how to see it again, what to do next."""
    blocks = [block for block in _blocks(verdict, headline, language) if block]
    return "\n\n".join("\n".join(block) for block in blocks)


def _blocks(verdict: Verdict, headline: str, language: Language) -> Iterator[list[str]]:
    report = verdict.report
    yield _wrap(headline) if headline else []
    if verdict.outcome in {"unimplemented", "error"}:
        yield _wrap(report["next"])
        return
    yield _diagnosis(verdict, language)
    yield [line for use in report["forbidden"][1:] for line in _wrap(_use(use, language))]
    if report["smallest"] is not None:
        yield from _smallest(report["smallest"], language)
    if report["raised"] is not None:
        yield _traceback(report["raised"]["traceback"])
    yield _names(report, language)
    yield _output(report, language)
    yield _costs(report, language)
    yield [*_wrap(report["next"]), _SEED[language].format(seed=verdict.seed)]


def _diagnosis(verdict: Verdict, language: Language) -> list[str]:
    found = verdict.diagnosis
    if found is None:
        return [_NO_DIAGNOSIS[language]] if verdict.outcome == "wrong" else []
    lines = _wrap(f"→ {found.message}", "  ")
    others = verdict.report["undecided"]
    return lines + ([f"  ({_ALSO[language].format(names=', '.join(others))})"] if others else [])


def _smallest(shown: Mapping[str, Any], language: Language) -> Iterator[list[str]]:
    lines = _wrap(_SMALLEST[language].format(case=shown["case"], why=shown["why"]))
    lines += [f"  {line}" for line in _inputs(shown["inputs"])]
    yield lines
    for finding in shown["findings"][:1]:
        if finding["kind"] == "wrong-values":
            yield _around(finding, language)
    for finding in shown["findings"][1:3]:
        yield _wrap(finding["text"])
    if shown["traceback"]:
        yield _traceback(shown["traceback"])
    yield [_REPRODUCE[language], *(f"    {line}".rstrip() for line in shown["snippet"].splitlines())]


def _inputs(inputs: Sequence[Mapping[str, Any]]) -> list[str]:
    width = max((len(given["name"]) for given in inputs), default=0)
    return [f"{given['name']:<{width}}  {_input(given)}" for given in inputs]


def _input(given: Mapping[str, Any]) -> str:
    if given["kind"] != "tensor":
        return str(given["value"])
    notes = [
        text
        for text, holds in (("not contiguous", not given["contiguous"]), ("requires grad", given["requires_grad"]))
        if holds
    ]
    sizes = ", ".join(map(str, given["shape"])) + ("," if len(given["shape"]) == 1 else "")
    return f"{given['dtype']} ({sizes}){', ' + ', '.join(notes) if notes else ''}"


def _around(finding: Mapping[str, Any], language: Language) -> list[str]:
    """The two rows about the first wrong number, with a mark beneath it."""
    index, start = finding["index"], finding["start"]
    rows = [[_number(n) for n in finding[key]] for key in ("expected_around", "got_around")]
    widths = [max(len(a), len(b)) for a, b in zip(*rows, strict=True)]
    labels = [_EXPECTED[language], _GOT[language]]
    pad = max(_columns(label) for label in labels)
    lead = ", ".join(map(str, index[:-1]))
    place = f"result{finding['path']}" if not finding["path"].startswith("gradient") else finding["path"]
    lines = [f"  {place}[{lead + ', ' if lead else ''}{start}:{start + len(widths)}]"] if index else [f"  {place}"]
    for label, row in zip(labels, rows, strict=True):
        cells = "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
        lines.append(f"    {label}{' ' * (pad - _columns(label))}  {cells}")
    at = (index[-1] - start) if index else 0
    before = sum(widths[:at]) + 2 * at
    lines.append(f"    {' ' * pad}  {' ' * before}{'^' * widths[at]}")
    return lines


def _columns(text: str) -> int:
    """Columns on a terminal: a Chinese character takes two."""
    return sum(2 if ord(letter) > 0x2E7F else 1 for letter in text)


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.5g}"


def _use(use: Mapping[str, Any], language: Language) -> str:
    line = Bilingual(f"line {use['line']}: ", f"第 {use['line']} 行：")[language] if use["line"] else ""
    why = use["why_en"] if language == "en" else use["why_zh"]
    colon = Bilingual(": ", "：")[language] if why else ""
    return f"{line}{use['call']}{colon}{why}"


def _names(report: Mapping[str, Any], language: Language) -> list[str]:
    if not report["failing"]:
        return []
    colon = Bilingual(": ", "：")[language]
    return [
        line
        for label, names in ((_PASSING, report["passing"]), (_FAILING, report["failing"]))
        if names
        for line in _wrap(f"{label[language]}{colon}{', '.join(names)}", "  ")
    ]


def _output(report: Mapping[str, Any], language: Language) -> list[str]:
    lines = report["output"].rstrip().splitlines()
    if not lines:
        return []
    cut = ["    …"] if len(lines) > MOST_OUTPUT or report["output_cut"] else []
    return [_PRINTED[language], *cut, *(f"    {line[:WIDTH]}" for line in lines[-MOST_OUTPUT:])]


def _costs(report: Mapping[str, Any], language: Language) -> list[str]:
    lines = [
        _COUNTS[language].format(case=one["case"], flops=one["flops"], largest=one["largest_tensor"])
        for one in report["counts"]
    ]
    seconds = report["seconds"]
    if not report["failing"] and seconds["attempt"]:
        times = {name: 1000 * value for name, value in seconds.items()}
        lines.append(_TIME[language].format(**times))
    return lines


def _traceback(text: str) -> list[str]:
    return [f"    {line}" for line in text.rstrip().splitlines()[-MOST_TRACEBACK:]]


def _wrap(text: str, indent: str = "") -> list[str]:
    """Lines of at most WIDTH columns. Chinese breaks between any two characters, but not before closing punctuation."""
    lines: list[str] = []
    line = ""
    for piece in _PIECES.findall(text):
        if line.strip() and _columns(line + piece.rstrip()) > WIDTH and piece[0] not in _CLOSING:
            lines.append(line.rstrip())
            line = indent
        line += piece if line.strip() or lines == [] else piece.lstrip()
    return [*lines, line.rstrip()] if line.strip() else lines
