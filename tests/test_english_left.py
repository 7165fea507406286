"""No English sentence is left where a Chinese reader reads: the texts of the program and of the katas."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llmdrills.content.casetexts import AGAIN, DERIVED_WHY, DRAWN_WHY, FILE_NAME, case_texts, read_case_texts
from llmdrills.content.kernels import read_cases
from llmdrills.content.lint.chinese import _HALF, _LOOSE
from llmdrills.content.lint.texts import prose
from llmdrills.content.load import kata_folders, load_katas
from llmdrills.content.report import Report
from llmdrills.grading.judging import findings as f
from llmdrills.grading.judging.wording import describe
from tests.helpers.english_left import bilingual_constants, english_left

ROOT = Path(__file__).parents[1]
FOLDERS = kata_folders(ROOT)


@pytest.mark.parametrize(
    "text",
    [
        "用例 base：the result must be a tensor",
        "it is wrong",
        "无法读取文件（no such file or directory）",
        "run it again",
        "这一行 does not parse",
    ],
)
def test_should_find_english_in_a_text(text: str) -> None:
    assert english_left(text)


@pytest.mark.parametrize(
    "text",
    [
        "运行 `llmdrills grade rope-pairing --why`，查看 drills/rope-pairing/cases.py",
        "投机解码（Speculative Decoding）用小模型起草 token",
        "softmax(QK.mT / sqrt(d)) 的 dtype 是 float32",
        "重现方法：\n    import runpy\n    from the_file import this and that",
        "用 `it is not prose` 表示 $x is not y$",
        "Llama 3 与 GPT 都是 decoder-only",
    ],
)
def test_should_leave_code_and_terms_alone(text: str) -> None:
    assert english_left(text) == []


def test_should_say_every_constant_text_of_the_program_in_chinese() -> None:
    found = list(bilingual_constants())
    assert len(found) > 300
    left = {place: both.zh for place, both in found if english_left(both.zh)}
    same = {place: both.zh for place, both in found if both.en == both.zh and english_left(both.en)}
    assert (left, same) == ({}, {})


def test_should_write_every_constant_text_with_full_width_punctuation_and_spaces() -> None:
    """Half-width punctuation beside Chinese, and a space beside full-width punctuation, come from gluing texts."""
    found = {}
    for place, both in bilingual_constants():
        shown = prose(re.sub(r"\{[^{}]*\}", "x", both.zh))
        if (_HALF.search(shown) or _LOOSE.search(shown)) and "_WEEKDAYS" not in place:
            found[place] = both.zh
    assert found == {}


@pytest.mark.parametrize(
    ("finding", "zh"),
    [
        (f.WrongShape("[1]", (2, 3), (3, 2)), "result[1] 的形状应为 (2, 3)，得到的是 (3, 2)"),
        (f.WrongShape("", (2,), ()), "返回值的形状应为 (2,)，得到的是 ()"),
        (f.WrongDtype("[0]", "float32", "float16"), "result[0] 的 dtype 应为 float32，得到的是 float16"),
        (f.WrongType("gradient of Q", "torch.Tensor", "tuple"), "对 Q 的梯度的类型应为 torch.Tensor，得到的是 tuple"),
        (f.WrongStructure("", "2 items", "3 items"), "返回值应有 2 项，得到的是 3 项"),
        (f.WrongDevice("", "cuda", "cpu"), "返回值应位于 cuda，得到的在 cpu"),
        (f.Unreadable("[2]", "too large"), "result[2] 里没有可以比较的数值（太大）"),
        (f.NoGradient("gradient of V"), "对 V 的梯度没有传回来：计算图在某处断开了"),
        (f.StrayGradient("gradient of V"), "对 V 的梯度不为零：这个参数应当与计算图断开"),
    ],
)
def test_should_put_a_finding_together_as_one_chinese_sentence(finding: f.Finding, zh: str) -> None:
    assert describe(finding).zh == zh


@pytest.mark.parametrize("folder", FOLDERS, ids=[folder.name for folder in FOLDERS])
def test_should_tell_every_case_of_a_kata_in_chinese(folder: Path) -> None:
    report = Report(ROOT)
    (kata,) = [kata for kata in load_katas(ROOT) if kata.id == folder.name]
    cases = read_cases(folder / "cases.py", {one.id: tuple(one.ids) for one in kata.variants}, report)
    assert cases is not None
    texts, _ = read_case_texts(folder, report)
    assert report.problems == []
    assert {name: text.why.en for name, text in texts.items()} == cases.whys
    assert {
        name: text for name, text in texts.items() if english_left(text.why.zh) or english_left(text.title.zh)
    } == {}
    titles = [text.title.zh for text in texts.values()]
    assert sorted(titles) == sorted(set(titles)), "two cases have one name"


def test_should_tell_the_cases_that_nobody_wrote_by_what_they_are_made_of() -> None:
    folder = ROOT / "drills/rms-norm"
    names = {f"base-{kind}": why.en for kind, why in DERIVED_WHY.items()} | {"draw-7": DRAWN_WHY.en, "other": "unknown"}
    told = case_texts(folder, names)
    assert (told[f"base-{AGAIN}"].title.zh, told["draw-7"].title.zh) == ("基本情形（连续三次调用）", "随机用例 7")
    assert told["base-expanded"].why == DERIVED_WHY["expanded"]
    assert (told["other"].title.zh, told["other"].why.zh) == ("other", "unknown")


def test_should_keep_the_english_of_a_case_whose_chinese_is_stale(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("base: {title: 基本, en: as it was, zh: 原来的}\n", "utf-8")
    assert case_texts(tmp_path, {"base": "as it is"})["base"].why.zh == "as it is"
