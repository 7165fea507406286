"""Each rule of the linter finds a planted instance, leaves what is right alone, and can be waived with a reason."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest

from llmdrills.content.computed import Computed, Translation
from llmdrills.content.lint import RULES, lint, note_digest
from llmdrills.content.lint.chinese import glossary
from llmdrills.content.model import Note, Position, Workspace
from llmdrills.language import Bilingual
from tests.content import test_bug_cards
from tests.helpers.content_folder import Folder

PLANTED: dict[str, list[str]] = {
    "several-facts": [
        "back: {en: 'One. Two things. Three of them. Four in all.', zh: 一。}",
        "back: {en: One., zh: 一。二。三。四。}",
        'back: {en: "- one\\n- two", zh: 一。}',
        "front: {en: 'What is it? Why is it so?', zh: 这是什么？}",
        "front: {en: 'What does it cost, and why?', zh: 开销多大？}",
    ],
    "yes-no": [
        "front: {en: Does FlashAttention take fewer FLOPs?, zh: 它的计算量怎样？}",
        "front: {en: 'A mask is given. Is it added?', zh: 掩码怎么用？}",
        "front: {en: What of it?, zh: 注意力是否更快？}",
        "front: {en: What of it?, zh: 注意力更快吗？}",
    ],
    "missing-source": ["sources: null"],
    "unbalanced-cloze": ["back: {en: 'It is {{c1::this}}.', zh: 是这个。}"],
    "cloze-parity": ["type: cloze\nfront: {en: '{{c1::a}} {{c2::b}}', zh: '{{c1::甲}}乙'}"],
    "lost-escape": [
        r'back: {en: "$\frac{a}{b}$", zh: 一。}',
        r'back: {en: "A $\theta$", zh: 一。}',
        r'back: {en: "A $\nabla f$", zh: 一。}',
        r'back: {en: "a\x1fb", zh: 一。}',
        r'back: {en: "bell \a", zh: 一。}',
        r'back: {en: "next \Nabc", zh: 一。}',
    ],
    "stale-translation": ["translation_of: '000000000000'"],
    "untranslated": ["back: {en: The same words again., zh: The same words again.}"],
    "mixed-punctuation": [
        "back: {en: One., zh: '第一,第二。'}",
        "back: {en: One., zh: '第一(就是它)。'}",
        "back: {en: One., zh: 第一.}",
        "back: {en: One., zh: 第 １ 个。}",
        "back: {en: One。, zh: 一。}",
    ],
    "cjk-spacing": [
        "back: {en: One., zh: 用GPU 计算。}",
        "back: {en: One., zh: 用 GPU计算。}",
        "back: {en: One., zh: 结果是$n$。}",
        "back: {en: One., zh: 调用`f`即可。}",
        "back: {en: One., zh: '第一， 第二。'}",
    ],
    "glossary": ["back: {en: The mask., zh: 遮罩。}"],
}

GOOD = [
    "front: {en: 'Is it a sum or a mean, and over which axis?', zh: 是求和还是求平均？}",
    "front: {en: How many keys does it see?, zh: 它能看到多少个键？}",
    "back: {en: '$n^2 d$ — $n$ queries, each a dot product with $n$ keys.', zh: $n^2 d$ 次：$n$ 个查询各做一次点积。}",
    "back: {en: 'A tensor (B, H, L, S).', zh: '返回 (B, H, L, S)，dtype 与输入相同。'}",
    "back: {en: Half of it., zh: '占 50%，即 `x[0, :]` 与 **GPU** 上的那一半（见 §3.2）。'}",
    "back: {en: softmax, zh: softmax}",
    r"back: {en: '$\frac{a}{b}$ and $\theta$', zh: '#12'}",
    r'back: {en: "One\nline, a \"quote\" and \\frac", zh: 一。}',
    "front: {en: 'What does PR #12 change?', zh: 它改了什么？}",
    "type: cloze\nfront: {en: 'Is {{c1::$\\sqrt{d_{k}}$}}', zh: '是{{c1::甲}}'}",
    "back: {en: 'Ratio 3:1, e.g. 0.5.', zh: 比例 3:1，例如 0.5。}",
    "type: cloze\nfront: {en: 'It tends to {{c1::the zero matrix}}.', zh: '它趋于{{c1::零矩阵}}。'}",
    "back: {en: 'Full-width “quotes” and ‘these’ are fine.', zh: “引号”没有问题。}",
]


def with_note(folder: Folder, changes: str, waive: str = "") -> Workspace:
    """The small workspace with one more note: the good one, its lines replaced by those of `changes`."""
    lines = {
        "id": "id: planted",
        "type": "type: question",
        "topic": "topic: systems",
        "front": "front: {en: What is planted here?, zh: 这里埋了什么？}",
        "back": "back: {en: A mistake., zh: 一个错误。}",
        "sources": "sources: [A book]",
        "waive": waive,
    }
    for change in changes.split("\n"):
        key = change.partition(":")[0]
        lines[key] = "" if change == "sources: null" else change
    folder.note("\n".join(line for line in lines.values() if line))
    return folder.load()


def rules_of(workspace: Workspace, computed: Computed | None = None) -> set[str]:
    # The small workspace's own checklist has one atom only: that is found in it always.
    return {problem.rule for problem in lint(workspace, computed)} - {"enumeration-without-atoms"}


# The key whose line is named, where it is not the key that was planted.
FOUND_AT = {"missing-source": "id", "stale-translation": "front", "cloze-parity": "front"}


@pytest.mark.parametrize(("rule", "changes"), [(rule, one) for rule, many in PLANTED.items() for one in many])
def test_should_find_a_planted_instance_and_nothing_else(folder: Folder, rule: str, changes: str) -> None:
    workspace = with_note(folder, changes)
    assert rules_of(workspace) == {rule}
    found = next(problem for problem in lint(workspace) if problem.rule == rule)
    assert found.file == Path("decks/small.yaml")
    line = (folder.root / found.file).read_text("utf-8").splitlines()[found.line - 1]
    assert line.removeprefix("  - ").strip().partition(":")[0] == FOUND_AT.get(rule, changes.partition(":")[0])
    assert found.todo


@pytest.mark.parametrize(("rule", "changes"), [(rule, many[0]) for rule, many in PLANTED.items()])
def test_should_let_each_rule_be_waived_with_a_reason(folder: Folder, rule: str, changes: str) -> None:
    assert rules_of(with_note(folder, changes, f"waive: {{{rule}: it is meant so}}")) == set()


@pytest.mark.parametrize("changes", GOOD)
def test_should_pass_good_notes(folder: Folder, changes: str) -> None:
    assert rules_of(with_note(folder, changes)) == set()


def test_should_report_a_waiver_that_holds_nothing_back(folder: Folder) -> None:
    workspace = with_note(folder, "", "waive: {yes-no: never}")
    found = [problem for problem in lint(workspace) if problem.rule == "waiver"]
    assert "waives `yes-no`, which finds nothing there" in found[0].what
    assert "yes-no: never" in (folder.root / found[0].file).read_text("utf-8").splitlines()[found[0].line - 1]


def test_should_report_a_waiver_of_an_unknown_rule(folder: Folder) -> None:
    workspace = with_note(folder, "", "waive: {yes-nay: never}")
    assert any("did you mean `yes-no`?" in problem.todo for problem in lint(workspace) if problem.rule == "waiver")


def test_should_find_a_checklist_without_atoms_until_it_has_two(folder: Folder) -> None:
    assert "enumeration-without-atoms" in {problem.rule for problem in lint(folder.load())}
    for name in ("one", "two"):
        folder.note(f"""
            id: {name}
            type: question
            topic: position
            front: {{en: What is {name}?, zh: '{name} 是什么？'}}
            back: {{en: A number., zh: 一个数。}}
            sources: [A book]
            proves: [ready-one]
        """)
    assert "enumeration-without-atoms" not in {problem.rule for problem in lint(folder.load())}


def test_should_let_a_checklist_waive_its_atoms(folder: Folder) -> None:
    folder.edit("decks/readiness.yaml", "    sources:", "    waive: {enumeration-without-atoms: small}\n    sources:")
    assert lint(folder.load()) == ()


def test_should_find_nearly_the_same_front_in_either_language(folder: Folder) -> None:
    shared = (
        "What is the cost of the scores of one head of attention, for n tokens and a key width of d, in multiply-adds"
    )
    folder.note(f"""
        id: first
        type: question
        topic: position
        front: {{en: "{shared}?", zh: 开销多大？}}
        back: {{en: This., zh: 这个。}}
        sources: [A book]
    """)
    folder.note(f"""
        id: second
        type: question
        topic: position
        front: {{en: "{shared} now?", zh: 花费几何？}}
        back: {{en: That., zh: 那个。}}
        sources: [A book]
    """)
    found = [problem for problem in lint(folder.load()) if problem.rule == "near-duplicate"]
    assert [problem.what for problem in found] == [
        "the front of `second` is nearly that of `first` (decks/small.yaml:12)"
    ]


@pytest.mark.parametrize("waiving", ["first", "second"])
def test_should_let_either_of_two_notes_waive_that_they_are_alike(folder: Folder, waiving: str) -> None:
    """A deck that comes in from elsewhere may stand before the one that it is like, and must not change that."""
    for name in ("first", "second"):
        waive = "waive: {near-duplicate: as it was}" if name == waiving else "tags: [x]"
        folder.note(
            f"""
            id: {name}
            type: question
            topic: position
            front: {{en: What is the cost of the scores?, zh: 开销多大？}}
            back: {{en: This., zh: 这个。}}
            sources: [A book]
            {waive}
        """
        )
    assert rules_of(folder.load()) == set()


def test_should_take_fronts_that_differ_in_a_number_or_symbol_for_two(folder: Folder) -> None:
    for name in ("Q", "K"):
        folder.note(f"""
            id: shape-{name.lower()}
            type: question
            topic: position
            front: {{en: "What is the shape of ${name}$?", zh: "${name}$ 的形状是什么？"}}
            back: {{en: This., zh: 这个。}}
            sources: [A book]
        """)
    assert rules_of(folder.load()) == set()


def test_should_call_a_translation_stale_when_the_english_changed_alone(folder: Folder) -> None:
    note = folder.load().decks[1].notes[0]
    english, chinese = note_digest(note, "en"), note_digest(note, "zh")
    assert rules_of(folder.load(), Computed(translations={"scale": Translation(english, chinese)})) == set()
    assert rules_of(folder.load(), Computed(translations={"scale": Translation("old", chinese)})) == {
        "stale-translation"
    }
    assert rules_of(folder.load(), Computed(translations={"scale": Translation("old", "old")})) == set()


def test_should_let_a_translation_be_declared_still_right(folder: Folder) -> None:
    note = folder.load().decks[1].notes[0]
    stale = Computed(translations={"scale": Translation("old", note_digest(note, "zh"))})
    problem = next(one for one in lint(folder.load(), stale) if one.rule == "stale-translation")
    line = next(part for part in problem.todo.split("`") if part.startswith("translation_of"))
    folder.edit("decks/small.yaml", "    kata: twice", f"    kata: twice\n    {line}")
    assert rules_of(folder.load(), stale) == set()


def test_should_read_texts_of_katas_too_each_with_its_place(folder: Folder) -> None:
    folder.edit("drills/twice/kata.yaml", "zh: 加 x。", "zh: 加x。")
    folder.edit("drills/twice/cases.py", "是乘以 2，", "是乘以 2,")
    found = [(str(one.file), one.line, one.rule) for one in lint(folder.load()) if "drills" in str(one.file)]
    assert found == [("drills/twice/cases.py", 12, "mixed-punctuation"), ("drills/twice/kata.yaml", 11, "cjk-spacing")]


def test_should_find_a_card_that_needs_what_it_does_not_show(folder: Folder) -> None:
    folder.edit("drills/twice/cases.py", "y = x.clone()", "y = helper(x)")
    found = [problem for problem in lint(folder.load()) if problem.rule == "kernel-not-whole"]
    assert "`helper`" in found[0].what
    assert found[0].file == Path("drills/twice/cases.py")


def test_should_find_a_kernel_too_long_for_a_card(folder: Folder) -> None:
    folder.edit("drills/twice/cases.py", "    # this is the bug\n", "    x = x + 0\n" * 30)
    assert "kernel-too-long" in rules_of(folder.load())


def test_should_not_ask_a_deck_in_one_language_for_the_other(folder: Folder) -> None:
    folder.write(
        "decks/english.yaml",
        """
        deck: english
        languages: [en]
        title: English
        notes:
          - id: bare
            type: question
            topic: position
            front: What is it called?
            back: This.
            sources: [A book]
        """,
    )
    assert rules_of(folder.load()) == set()


def test_should_have_a_planted_instance_of_every_rule() -> None:
    elsewhere = {"enumeration-without-atoms", "near-duplicate", "kernel-not-whole", "kernel-too-long"}
    elsewhere |= {"case-in-chinese", "reference-in-chinese"}  # tests/content/test_case_texts.py
    elsewhere |= {
        "same-title",
        "markup-in-title",
        "template-text",
        "cut-by-comment",
        "unread-deck",
    }  # below, and test_scaffold.py
    in_slips = {"contract-too-long", "feedback-without-proof"}  # tests/content/test_slips.py, test_contract.py
    elsewhere |= {rule for rule in RULES if rule.startswith("family-")}  # test_families.py plants each
    on_cards = {rule for rule in RULES if rule.startswith("card-")}  # test_bug_cards.py plants each
    assert on_cards == set(test_bug_cards.PLANTED)
    assert set(PLANTED) | elsewhere | in_slips | on_cards == set(RULES)


def test_should_not_forbid_what_the_glossary_asks_for() -> None:
    for term in glossary():
        for word in term.never:
            assert not any(word.lower() in good.lower() for other in glossary() for good in other.zh)


def test_should_compare_thousands_of_notes_without_comparing_each_pair(folder: Folder) -> None:
    workspace = folder.load()
    place = Position(Path("decks/many.yaml"), 1, 1)
    words = [f"w{i * 7919 % 4999}" for i in range(60_000)]
    notes = tuple(
        Note(f"n-{i}", "question", "systems", place, Bilingual(" ".join(words[i * 12 : i * 12 + 12]), f"第 {i} 条"))
        for i in range(5_000)
    )
    deck = dataclasses.replace(workspace.decks[1], notes=notes)
    begun = time.process_time()
    list(RULES["near-duplicate"](_context(dataclasses.replace(workspace, decks=(deck,)))))
    assert time.process_time() - begun < 10


def test_should_compare_thousands_of_notes_that_differ_in_one_number(folder: Folder) -> None:
    workspace = folder.load()
    place = Position(Path("decks/many.yaml"), 1, 1)
    said = "What does the layer number {} of the stack of many layers add to its input"
    notes = tuple(
        Note(f"n-{i}", "question", "systems", place, Bilingual(said.format(i), f"第 {i} 条")) for i in range(20_000)
    )
    deck = dataclasses.replace(workspace.decks[1], notes=notes)
    begun = time.process_time()
    list(RULES["near-duplicate"](_context(dataclasses.replace(workspace, decks=(deck,)))))
    assert time.process_time() - begun < 20


def _context(workspace: Workspace) -> object:
    from llmdrills.content.lint.rule import Context

    return Context(workspace)


def test_should_find_nothing_in_the_shipped_content(root: Path) -> None:
    from llmdrills.content import load_workspace
    from llmdrills.content.computed import load_computed

    problems = lint(load_workspace(root), load_computed(root))
    assert not problems, "\n".join(map(str, problems))


def test_should_tell_a_plain_text_that_a_comment_cuts_and_where(folder: Folder) -> None:
    folder.edit(
        "decks/small.yaml",
        "To keep the variance at 1., zh: 使方差保持为 1。}",
        "To keep 1. #12\n      , zh: 使方差保持为 1。}",
    )
    (found,) = [one for one in lint(folder.load()) if one.rule == "cut-by-comment"]
    assert (found.line, found.column, found.what) == (
        8,
        26,
        "back.en ends before `#12`: in plain text, ` #` begins a comment",
    )
    folder.edit(
        "decks/small.yaml", "    kata: twice", "    kata: twice  # of small\n    waive: {cut-by-comment: meant}"
    )
    assert "cut-by-comment" not in rules_of(folder.load())


@pytest.mark.parametrize(
    ("title", "rule"),
    [("{en: Small, zh: Small}", "same-title"), ("{en: The `small` one, zh: 小}", "markup-in-title")],
)
def test_should_hold_the_title_of_a_deck_against_what_anki_makes_of_it(folder: Folder, title: str, rule: str) -> None:
    folder.edit("decks/small.yaml", "{en: Small, zh: 小}", title)
    assert rules_of(folder.load()) == {rule}
    folder.edit("decks/small.yaml", "notes:", f"waive: {{{rule}: meant}}\nnotes:")
    assert rules_of(folder.load()) == set()
