"""Templates for a new deck, note or kata. They are correct as they are, so an author can try them at once."""

from __future__ import annotations

import re
from functools import cache

__all__ = [
    "NOTES",
    "SOURCE",
    "case_texts",
    "cases",
    "deck",
    "in_languages",
    "is_template_text",
    "kata",
    "note",
    "reference",
    "reference_texts",
]

SOURCE = "Author year, Title, section"

_HEAD = """\
id: {name}
type: {type}
topic: transformer
"""
_SOURCES = """\
sources:
  - {title: "Author year, Title, section", url: "https://example.org"}
"""

NOTES = {
    "question": """\
front:
  en: What should be remembered of {id}?
  zh: 关于 {id}，要记住什么？
back:
  en: One fact.
  zh: 一个事实。
""",
    "cloze": """\
front:
  en: "The hidden part of {id} is {{{{c1::this}}}}."
  zh: "{id} 中隐藏的部分是{{{{c1::这个}}}}。"
""",
    "checklist": """\
front:
  en: Which parts has {id}?
  zh: 列出 {id} 的各个部分。
items:
  - {{en: The first part., zh: 第一部分。}}
  - {{en: The second part., zh: 第二部分。}}
""",
    "number": """\
front:
  en: How many bytes does {id} take?
  zh: 存储 {id} 需要多少字节？
answer: {{value: "[[size]]", unit: {{en: bytes, zh: 字节}}, tolerance: exact}}
proof: |
  size = 2 * 1024
values: [size]
""",
}
"""Note type → what follows its head, with `{id}` to fill in."""

_DECK = """\
deck: {name}
title: {{en: "{title}", zh: "{title}"}}
description:
  en: What this deck is about.
  zh: 这个牌组的内容。
notes:
"""

_KATA = """\
kata: {name}
title: {{en: "{title}", zh: "{title}"}}
topic: transformer
minutes: 10
entry: {entry}
requires: []
needs: []
proves: []
prompt:
  en: Write the softmax over the last axis.
  zh: 写出沿最后一维的 softmax。
hints:
  - {{en: "Exponentials, divided by their sum.", zh: 取指数，再除以它们的和。}}
  - en: Which number can be taken from all logits without changing the result?
    zh: 所有 logits 同减去哪个数，结果不变？
  - en: "Take the row's maximum away first: the largest exponential is then 1."
    zh: 先减去每行的最大值：最大的指数就是 1。
variants:
  standard:
    title: {{en: Standard, zh: 标准}}
    reference: {entry}
    contract:
      input: {{en: "x: (..., N), floating point, any magnitude", zh: "x：(..., N)，浮点，数值可以很大"}}
      rows: {{en: "returns (..., N), each row sums to 1", zh: "返回 (..., N)，每行之和为 1"}}
holds: {{empty: [], gradients: [x]}}
sources:
  - {{title: "Author year, Title, section", url: "https://example.org"}}
"""

_REFERENCE = '''\
"""{title}.

What is not covered: an axis other than the last.
"""

from __future__ import annotations

import torch


def {entry}(x: torch.Tensor) -> torch.Tensor:
    """Turn the last axis of x (..., N) into probabilities."""
    shifted = x - x.amax(dim=-1, keepdim=True)  # (..., N), the largest is 0: no exponential overflows
    powers = shifted.exp()  # (..., N)
    return powers / powers.sum(dim=-1, keepdim=True)
'''

_CASES = '''\
"""Cases of the kata `{id}`, and other ways to write it right."""

import torch
from reference import {entry}

from llmdrills.grading.authoring import Draw, Inputs, call, case, domain, equivalent, peer, same


@case(why="dimensions that differ: another axis gives other sums", clauses=("rows",))
def base(make: Inputs):
    return call(make.normal(2, 3, 5))


@case(why="exponentials that overflow unless the maximum is taken away", clauses=("input",))
def large(make: Inputs):
    return call(make.normal(4, 6, mean=500.0, std=20.0))


@case(why="the gradient must reach x", grads=(0,), clauses=("rows",))
def gradient(make: Inputs):
    return call(make.normal(3, 4))


@equivalent("by-log-softmax", why="the exponential of log_softmax, without a division")
def by_log_softmax(x):
    return x.log_softmax(dim=-1).exp()


@equivalent("shifted-by-mean", why="any shift does, as long as nothing overflows")
def shifted_by_mean(x):
    powers = (x - x.double().mean(dim=-1, keepdim=True)).exp()
    return (powers / powers.sum(dim=-1, keepdim=True)).to(x.dtype)


@equivalent("in-double", why="computes in float64")
def in_double(x):
    return {entry}(x.double()).to(x.dtype)


@peer("torch")
def by_torch(x):
    return torch.softmax(x, dim=-1)


@domain()
def any_call(draw: Draw):
    rows, columns, dtype = draw.pick(1, 3, 4), draw.pick(1, 2, 3, 5), draw.pick(torch.float32, torch.float64)
    x = draw.normal(rows, columns, std=draw.pick(1.0, 60.0), dtype=dtype)
    level = draw.normal(rows, 1, std=draw.pick(0.0, 300.0), dtype=dtype)  # rows may lie far from each other
    if draw.chance(0.2):
        draw.gradients(0)
    return call(draw.layout(x + level))


same("a result is kept by its first argument", why="there is no second one")
same("it stays in the inputs' own dtype", why="the contract asks for nothing wider")
'''

_CASE_TEXTS = """\
base:
  title: 基本情形
  en: "dimensions that differ: another axis gives other sums"
  zh: 各维大小不同：弄错轴，和就不同
large:
  title: 很大的数值
  en: exponentials that overflow unless the maximum is taken away
  zh: 不先减去最大值，指数就会溢出
gradient:
  title: 梯度
  en: the gradient must reach x
  zh: 梯度必须传到 x
"""

_REFERENCE_TEXTS = """\
texts:
  - en: Turn the last axis of x (..., N) into probabilities.
    zh: 把 x (..., N) 的最后一维变成概率。
  - en: "(..., N), the largest is 0: no exponential overflows"
    zh: (..., N)，最大值为 0：指数不会溢出
"""

_SLIPS = """\
slips:
  - id: wrong-axis
    line: return powers / powers.sum(dim=-1, keepdim=True)
    becomes: return powers / powers.sum(dim=0, keepdim=True)
    en: The sum runs over the last axis, not the first.
    zh: 求和沿最后一维，不是第一维。
    seen: "`dim=0` left over from a one-dimensional try"
    card:
      call: "{entry}(torch.tensor([[0.0, 0.0], [math.log(3), 0.0]]))"
      en: |
        The powers are `[[1, 1], [1, 1/3]]`.
        Each is divided by the sum of its column, so the rows sum to 1.25 and 0.75, not to 1.
      zh: "各个幂是 `[[1, 1], [1, 1/3]]`。每个幂除以的是所在列的和，于是两行之和是 1.25 和 0.75，而不是 1。"
      steps: ["0.5 + 0.75 == 1.25", "0.5 + 0.25 == 0.75"]

  - id: overflow
    line: shifted = x - x.amax(dim=-1, keepdim=True)
    becomes: shifted = x
    en: "Take the maximum away first: exp(500) is infinite, and inf / inf is NaN."
    zh: 要先减去最大值：exp(500) 是无穷大，inf / inf 得到 NaN。
    seen: the formula typed in as it is printed
    card:
      call: "{entry}(torch.tensor([500.0, 0.0]))"
      en: |
        exp(500) is beyond float32 and becomes `inf`; `inf / inf` is NaN.
        After the shift the powers are exp(0) = 1 and exp(−500) = 0.
      zh: |
        exp(500) 超出 float32 的范围，变成 `inf`；`inf / inf` 得到 NaN。
        减去最大值后，各个幂是 exp(0) = 1 和 exp(−500) = 0。
      steps: ["torch.tensor(500.0).exp() == inf", "torch.tensor(-500.0).exp() == 0"]
    proof: |
      import torch
      assert torch.tensor(500.0).exp().isinf()
      assert wrong(torch.tensor([500.0, 0.0])).isnan().any()
"""


def note(note_id: str, kind: str) -> str:
    """A note of one of the types of NOTES, as a YAML mapping."""
    return _HEAD.format(name=_quoted(note_id), type=kind) + NOTES[kind].format(id=note_id) + _SOURCES


def deck(deck_id: str) -> str:
    """decks/ID.yaml with one note."""
    lines = note(f"{deck_id}-first", "question").splitlines()
    shown = "".join(f"  {'- ' if i == 0 else '  '}{line}\n" for i, line in enumerate(lines))
    return _DECK.format(name=_quoted(deck_id), title=_title(deck_id)) + shown


def kata(kata_id: str, entry: str) -> str:
    """kata.yaml of a kata that works: the softmax."""
    return _KATA.format(name=_quoted(kata_id), entry=entry, title=_title(kata_id))


def reference(kata_id: str, entry: str) -> str:
    """Its reference.py."""
    return _REFERENCE.format(entry=entry, title=_title(kata_id))


def cases(kata_id: str, entry: str) -> str:
    """Its cases.py."""
    return _CASES.format(id=kata_id, entry=entry)


def case_texts(kata_id: str, entry: str) -> str:  # noqa: ARG001  # one signature for the files of a kata
    """Its cases.zh.yaml."""
    return _CASE_TEXTS


def reference_texts(kata_id: str, entry: str) -> str:  # noqa: ARG001  # as above
    """Its reference.zh.yaml."""
    return _REFERENCE_TEXTS


def slips(kata_id: str, entry: str) -> str:  # noqa: ARG001  # one signature for the files of a kata
    """Its slips.yaml."""
    return _SLIPS.replace("{entry}", entry)


def in_languages(text: str, languages: tuple[str, ...]) -> str:
    """A template in those languages alone; one that no template is written in begins with the English text."""
    if set(languages) == {"en", "zh"}:
        return text

    def chosen(en: str, zh: str) -> list[tuple[str, str]]:
        return [(name, zh if name.partition("-")[0] == "zh" else en) for name in languages]

    def flow(found: re.Match[str]) -> str:
        texts = chosen(found[1], found[2])
        return texts[0][1] if len(texts) == 1 else "{" + ", ".join(f"{name}: {one}" for name, one in texts) + "}"

    def block(found: re.Match[str]) -> str:
        texts = chosen(found[4], found[5])
        if len(texts) == 1:
            return f"{found[1]}{found[2]} {texts[0][1]}"
        return f"{found[1]}{found[2]}" + "".join(f"\n{found[3]}{name}: {one}" for name, one in texts)

    def item(found: re.Match[str]) -> str:
        texts = chosen(found[2], found[3])
        named = [f"{name}: {one}" for name, one in texts]
        return found[1] + (texts[0][1] if len(texts) == 1 else f"\n{' ' * len(found[1])}".join(named))

    text = re.sub(r"\{en: (\"[^\"]*\"|[^,{}]*), zh: (\"[^\"]*\"|[^{}]*)\}", flow, text)
    text = re.sub(r"(?m)^( *)((?:- )?\w+:)\n( +)en: (.*)\n +zh: (.*)$", block, text)
    return re.sub(r"(?m)^( *- )en: (.*)\n +zh: (.*)$", item, text)


def is_template_text(text: str, note_id: str) -> bool:
    """Whether a text of a note is one that a template wrote, and its author has not replaced yet."""
    return text.replace(note_id, _PLACE) in _texts()


_PLACE = "the-id"


@cache
def _texts() -> frozenset[str]:
    """Every text that a template for notes writes, for a note of the id `_PLACE`."""
    import yaml  # only the linter asks for it

    found: set[str] = set()
    waiting: list[object] = [yaml.safe_load(one.format(id=_PLACE)) for one in NOTES.values()]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [value for key, value in one.items() if key not in ("proof", "answer")]
        elif isinstance(one, list):
            waiting += [value for value in one if isinstance(value, dict)]
        elif isinstance(one, str):
            found.add(one)
    return frozenset(found)


def _title(word: str) -> str:
    return word.replace("-", " ").capitalize()


def _quoted(word: str) -> str:
    """An id in YAML: one such as `7`, `no` or `1e5` would be read as something else than text without quotes."""
    return (
        f'"{word}"'
        if word[0].isdigit() or word in ("no", "yes", "on", "off", "true", "false", "null", "y", "n")
        else word
    )
