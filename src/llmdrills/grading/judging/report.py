"""A verdict as a learner reads it, in plain text. Everything shown is in the verdict's data already; nothing is
decided here.

The first screen says what is wrong, shows one example, and explains it where it can be explained: with the verdict's
own headline, at most `FIRST_SCREEN` lines. `why_text` is everything else, shown on request.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from llmdrills.grading.judging.verdict import Report, ShownCase, Verdict, Where
from llmdrills.grading.judging.wording import NEXT_BY_KEY, result_at
from llmdrills.language import Bilingual, Language
from llmdrills.lines import columns, wrap

__all__ = ["FIRST_SCREEN", "WIDTH", "first_screen", "why_text"]

WIDTH = 96
"""Columns of the longest line."""
FIRST_SCREEN = 14
"""Lines of the first screen, with the line above it that names the kata and the outcome, and the one below it that
says how to see the rest."""
MOST_OUTPUT = 20
MOST_TRACEBACK = 12

# How many lines each part of the first screen may take; prints take what is left.
_HEADLINE, _EXAMPLE, _PRINTED, _ARROW, _CLAUSE = 3, 3, 4, 3, 2

_SHOWN = Bilingual("The case shown: {case} ({why})", "所示的用例：{title}，即 {case}。{why}。")
_EXPECTED = Bilingual("expected", "应为")
_GOT = Bilingual("got", "得到")
_PASSING = Bilingual("Passing", "通过")
_FAILING = Bilingual("Failing", "失败")
_PRINTED_HERE = Bilingual("It printed in this case:", "它在这个用例中打印了：")
_PRINTED_ALL = Bilingual("It printed:", "它打印了：")
_PRINTED_BRIEFLY = Bilingual("printed: ", "打印：")
_REPRODUCE = Bilingual("To see it again:", "重现方法：")
_ALSO = Bilingual(" (Also fits: {texts})", "（也符合：{texts}）")
_ALSO_WHERE = Bilingual("Also, in case {case}: {text}", "另外，用例“{case}”：{text}")
_SEED = Bilingual("(seed {seed})", "（随机种子 {seed}）")
_CONTRACT = Bilingual("The contract: “{text}”", "约定：“{text}”")
_EASIER = Bilingual(
    "It passes the variant `{passes}`. `{variant}` asks for more: {what}.",
    "它能通过变体 `{passes}`。`{variant}` 的要求更多：{what}。",
)
_NAMED_ONLY = Bilingual(
    "Graded by the named cases alone: the kata has no draws.lock that holds.",
    "仅用具名用例评分：这道题没有有效的 draws.lock。",
)
_THIS_LINE = Bilingual("the line of the contract above", "上面这一行约定")
_THIS_CASE = Bilingual("the case above", "上面这个用例")
_TIME = Bilingual(
    "{attempt:.1f} ms for all cases, the reference {reference:.1f} ms",
    "全部用例用时 {attempt:.1f} ms，参考实现 {reference:.1f} ms",
)
_COUNTS = Bilingual(
    "{case}: {flops:,} floating-point operations, largest tensor {largest:,} elements, {alive:,} alive at once",
    "用例“{case}”：{flops:,} 次浮点运算，最大张量 {largest:,} 个元素，同时存活 {alive:,} 个",
)
_NO_DIAGNOSIS = Bilingual("None of the known mistakes explains this.", "没有匹配到任何已知的错误写法。")
_GRADIENT = Bilingual("gradient of {}", "对 {} 的梯度")
_NOT_CONTIGUOUS = Bilingual("not contiguous", "不连续")
_REQUIRES_GRAD = Bilingual("requires grad", "需要梯度")


class _Page(NamedTuple):
    """The language of a report, and the columns of its longest line."""

    language: Language
    width: int

    def wrap(self, text: str, indent: str = "") -> list[str]:
        """Lines of at most so many columns; those after the first begin with the indent."""
        return wrap(text, self.width, indent) if text.strip() else []

    def most(self, lines: int) -> int:
        """As many lines as say what so many lines of `WIDTH` columns say."""
        return math.ceil(lines * WIDTH / self.width)

    def capped(self, lines: Sequence[str], most: int) -> list[str]:
        """At most so many lines of `WIDTH` columns; the last then ends in an ellipsis."""
        most = self.most(most)
        if len(lines) <= most:
            return list(lines)
        return [*lines[: most - 1], self.cut(f"{lines[most - 1]} {lines[most]}")]

    def cut(self, line: str) -> str:
        """The line, ending in an ellipsis where it is too long."""
        if columns(line) <= self.width:
            return line
        while columns(line) >= self.width:
            line = line[:-1]
        return f"{line.rstrip()}…"


def first_screen(
    verdict: Verdict, headline: str, language: Language, width: int = WIDTH, *, by_key: bool = False
) -> str:
    """What a learner reads first: the fact, its place, what explains it, the clause that fails, the next step.

    `width`: columns of the terminal, `WIDTH` at most; `by_key`: name the keys of the daily loop instead of commands.
    """
    report, page = verdict.report, _Page(language, min(width, WIDTH))
    fact, reason = page.capped(page.wrap(headline), _HEADLINE), []
    if verdict.outcome not in {"unimplemented", "error"}:
        fact += page.capped(list(_example(verdict, page)), _EXAMPLE)
        fact += [line for use in report["forbidden"][1:4] for line in page.capped(page.wrap(_use(use, page)), 1)]
        if report.get("elsewhere"):
            reason += page.capped(page.wrap(f"→ {report['elsewhere']}", "  "), _ARROW)
        reason += page.capped(_explanation(verdict, page), _ARROW)
        if verdict.stage is not None:
            reason += page.capped(page.wrap(verdict.stage.message), _CLAUSE)
        if verdict.clauses:
            reason += page.capped(page.wrap(_CONTRACT[language].format(text=verdict.clauses[0].text), "  "), _CLAUSE)
        if report.get("passes"):
            what = (_THIS_LINE if verdict.clauses else _THIS_CASE)[language]
            text = _EASIER[language].format(passes=report["passes"], variant=verdict.variant, what=what)
            reason += page.capped(page.wrap(text), _CLAUSE)
    if verdict.passed:
        fact += _time(report, page)
    space = Bilingual(" ", "")[language]
    last = page.wrap(
        space.join(part for part in (_next(verdict, language, by_key=by_key), _seed(verdict, page)) if part)
    )
    room = page.most(FIRST_SCREEN) - 2 - len(fact) - len(reason) - len(last)
    return "\n".join([*fact, *_briefly_printed(verdict, min(room, _PRINTED), page), *reason, *last])


def why_text(verdict: Verdict, language: Language, width: int = WIDTH) -> str:
    """The rest: inputs, the numbers around, how to see it again, prints, costs, and which cases pass and fail.

    Code and rows of numbers are as wide as they are; other lines have `width` columns at most.
    """
    blocks = [block for block in _rest(verdict, _Page(language, min(width, WIDTH))) if block]
    return "\n\n".join("\n".join(block) for block in blocks)


def _seed(verdict: Verdict, page: _Page) -> str:
    return _SEED[page.language].format(seed=verdict.seed)


def _next(verdict: Verdict, language: Language, *, by_key: bool) -> str:
    """The next step; in the daily loop by its key, where the verdict's own names a command that has one."""
    said = verdict.report["next"]
    if by_key and "`llmdrills hint" in said:
        return NEXT_BY_KEY[verdict.outcome][language]
    return said


# The first screen


def _example(verdict: Verdict, page: _Page) -> Iterator[str]:
    """The place: where the shown case raises, or the line that does not load."""
    found, report = verdict.where, verdict.report
    if report["raised"] is not None:
        yield from _failing_source(report["raised"]["traceback"], page)
    if found is None:
        return
    shown = report["smallest"]
    if shown is not None and found.case != shown["case"]:
        yield from page.wrap(_ALSO_WHERE[page.language].format(case=_title(report, found.case), text=found.message))
    elif found.kind in _TOLD and found.message and not _is_headline(found, shown):
        yield from page.wrap(f"  {found.message}", "  ")
    if found.line and found.expression and found.kind != "crash":
        yield from page.wrap(f"  {found.line} | {found.expression}", "  ")


_TOLD = ("crash", "earlier-calls", "half-precision")
"""Kinds of places that the headline does not name already."""


def _is_headline(found: Where, shown: ShownCase | None) -> bool:
    """Whether the finding that is shown says the same."""
    return shown is not None and any(finding["text"] == found.message for finding in shown["findings"][:1])


def _failing_source(traceback: str, page: _Page) -> list[str]:
    """The line of the file that raised, and the mark under it, from the end of its traceback."""
    lines = traceback.rstrip().splitlines()[:-1]
    last = next((at for at in reversed(range(len(lines))) if lines[at].lstrip().startswith("File ")), len(lines))
    return [line[: page.width] for line in lines[last + 1 : last + 3]]


def _briefly_printed(verdict: Verdict, most: int, page: _Page) -> list[str]:
    """The last lines that the attempt printed in the case that the headline names, or at all where it names none."""
    if verdict.passed or most <= 0:
        return []
    shown = verdict.report["smallest"]
    printed = verdict.report["output"] if shown is None else shown["output"]
    printed = _of_its_end(verdict.report, printed)
    lines = printed.rstrip().splitlines()
    if len(lines) > most:
        lines = ["…", *lines[1 - most :]] if most > 1 else lines[-1:]
    label = f"  {_PRINTED_BRIEFLY[page.language]}"
    indent = " " * columns(label)
    return [page.cut(f"{label if at == 0 else indent}{line}") for at, line in enumerate(lines)]


def _explanation(verdict: Verdict, page: _Page) -> list[str]:
    if verdict.diagnosis is not None:
        others = verdict.report["also"]
        also = _ALSO[page.language].format(texts=" ".join(others)) if others else ""
        return page.wrap(f"→ {verdict.diagnosis.message}{also}", "  ")
    told = (verdict.behaviour, verdict.note)
    return [line for one in told if one is not None for line in page.wrap(f"→ {one.message}", "  ")]


# The rest


def _rest(verdict: Verdict, page: _Page) -> Iterator[list[str]]:
    report = verdict.report
    if verdict.outcome in {"unimplemented", "error"}:
        return
    if verdict.outcome == "wrong" and (verdict.diagnosis, verdict.note, verdict.behaviour) == (None, None, None):
        yield [_NO_DIAGNOSIS[page.language]]
    yield [line for use in report["forbidden"][1:] for line in page.wrap(_use(use, page))]
    if report["smallest"] is not None:
        yield from _shown_case(report["smallest"], _title(report, report["smallest"]["case"]), page)
    if report["raised"] is not None:
        yield _traceback(report["raised"]["traceback"])
    yield _names(report, page)
    yield _output(report, page)
    yield _costs(report, page)
    yield [] if report.get("draws") else [_NAMED_ONLY[page.language]]


def _title(report: Report, case: str) -> str:
    """What a case is called in the learner's language."""
    return report.get("titles", {}).get(case, case)


def _shown_case(shown: ShownCase, title: str, page: _Page) -> Iterator[list[str]]:
    lines = page.wrap(_SHOWN[page.language].format(case=shown["case"], title=title, why=shown["why"]))
    lines += [f"  {line}" for line in _inputs(shown["inputs"], page)]
    yield lines
    for finding in shown["findings"][:1]:
        yield page.wrap(finding["text"])
        if finding["kind"] == "wrong-values":
            yield _around(finding, page)
    for finding in shown["findings"][1:3]:
        yield page.wrap(finding["text"])
    if shown["traceback"]:
        yield _traceback(shown["traceback"])
    yield [_REPRODUCE[page.language], *(f"    {line}".rstrip() for line in shown["snippet"].splitlines())]


def _inputs(inputs: Sequence[Mapping[str, Any]], page: _Page) -> list[str]:
    width = max((len(given["name"]) for given in inputs), default=0)
    return [f"{given['name']:<{width}}  {_input(given, page)}" for given in inputs]


def _input(given: Mapping[str, Any], page: _Page) -> str:
    if given["kind"] != "tensor":
        return str(given["value"])
    facts = ((_NOT_CONTIGUOUS, not given["contiguous"]), (_REQUIRES_GRAD, given["requires_grad"]))
    notes = [text[page.language] for text, holds in facts if holds]
    sizes = ", ".join(map(str, given["shape"])) + ("," if len(given["shape"]) == 1 else "")
    comma = Bilingual(", ", "，")[page.language]
    return comma.join([f"{given['dtype']} ({sizes})", *notes])


def _around(finding: Mapping[str, Any], page: _Page) -> list[str]:
    """The two rows about the first wrong number, with a mark beneath it."""
    index, start = finding["index"], finding["start"]
    rows = [[_number(n) for n in finding[key]] for key in ("expected_around", "got_around")]
    widths = [max(len(a), len(b)) for a, b in zip(*rows, strict=True)]
    labels = [_EXPECTED[page.language], _GOT[page.language]]
    pad = max(columns(label) for label in labels)
    lead = ", ".join(map(str, index[:-1]))
    path = finding["path"]
    place = (
        _GRADIENT[page.language].format(path.removeprefix("gradient of "))
        if path.startswith("grad")
        else result_at(path)
    )
    lines = [f"  {place}[{lead + ', ' if lead else ''}{start}:{start + len(widths)}]"] if index else [f"  {place}"]
    for label, row in zip(labels, rows, strict=True):
        cells = "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
        lines.append(f"    {label}{' ' * (pad - columns(label))}  {cells}")
    at = (index[-1] - start) if index else 0
    before = sum(widths[:at]) + 2 * at
    lines.append(f"    {' ' * pad}  {' ' * before}{'^' * widths[at]}")
    return lines


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.5g}"


def _use(use: Mapping[str, Any], page: _Page) -> str:
    line = Bilingual(f"line {use['line']}: ", f"第 {use['line']} 行：")[page.language] if use["line"] else ""
    why = use["why_en"] if page.language == "en" else use["why_zh"]
    colon = Bilingual(": ", "：")[page.language] if why else ""
    return f"{line}{use['call']}{colon}{why}"


def _names(report: Report, page: _Page) -> list[str]:
    if not report["failing"]:
        return []
    colon, comma = Bilingual(": ", "：")[page.language], Bilingual(", ", "、")[page.language]
    return [
        line
        for label, names in ((_PASSING, report["passing"]), (_FAILING, report["failing"]))
        if names
        for line in page.wrap(
            f"{label[page.language]}{colon}{comma.join(_title(report, name) for name in names)}", "  "
        )
    ]


def _output(report: Report, page: _Page) -> list[str]:
    """What was printed in the shown case; all that was printed where no case is shown or none was told apart."""
    shown = report["smallest"]
    printed = shown["output"] if shown is not None else _of_its_end(report, report["output"])
    own = printed != report["output"]
    lines = printed.rstrip().splitlines()
    if not lines:
        return []
    label = _PRINTED_HERE if own else _PRINTED_ALL
    cut = ["    …"] if len(lines) > MOST_OUTPUT or (report["output_cut"] and not own) else []
    return [label[page.language], *cut, *(f"    {line[: page.width]}" for line in lines[-MOST_OUTPUT:])]


def _of_its_end(report: Report, otherwise: str) -> str:
    """What was printed in the case in which the process ended; `otherwise` where it did not end in one."""
    ended = report["ended"]
    return str(ended["output"]) if ended is not None and ended["case"] else otherwise


def _costs(report: Report, page: _Page) -> list[str]:
    return [
        _COUNTS[page.language].format(
            case=_title(report, one["case"]), flops=one["flops"], largest=one["largest_tensor"], alive=one["alive"]
        )
        for one in report["counts"]
    ]


def _time(report: Report, page: _Page) -> list[str]:
    seconds = report["seconds"]
    if not seconds["attempt"]:
        return []
    return [_TIME[page.language].format(attempt=1000 * seconds["attempt"], reference=1000 * seconds["reference"])]


def _traceback(text: str) -> list[str]:
    return [f"    {line}" for line in text.rstrip().splitlines()[-MOST_TRACEBACK:]]
