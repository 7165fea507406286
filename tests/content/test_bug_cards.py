"""`card:` of a slip: what its spot-the-bug card says by hand, in a few columns, with numbers that are proven."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from llmdrills.content.cardtext import (
    bare_signatures,
    columns,
    fold,
    fold_value,
    literal_numbers,
    loose_numbers,
    narrow,
    random_names,
)
from llmdrills.content.computed import Computed, ShownCard, card_digest
from llmdrills.content.derive import bug_notes, result_lines, shown_kernel
from llmdrills.content.lint import lint
from llmdrills.content.model import Kata, Note
from llmdrills.content.schema import slips_schema
from tests.content.test_slips import ONE, SLIPS, with_slips
from tests.helpers.content_folder import Folder

CARD = """\
    card:
      call: "twice(torch.tensor([3.0]))"
      en: The code divides 3 by 2 and gives 1.5, not 6.
      zh: 代码用 3 除以 2，得到 1.5，而不是 6。
      steps: ["3 / 2 == 1.5", "3 * 2 == 6"]
"""


def carded(folder: Folder, card: str = CARD, one: str = ONE) -> Folder:
    return with_slips(folder, one + card)


def the_note(folder: Folder, computed: Computed | None = None) -> Note:
    (note,) = bug_notes(folder.load().katas, computed)
    return note


def results(folder: Folder, expected: str = "tensor([6.0])", got: str = "tensor([1.5])", **other: str) -> Computed:
    (slip,) = folder.load().katas[0].slips
    shown = ShownCard(expected, got, other.get("source") or card_digest(slip))
    return Computed(cards={"twice": {"halved/standard": shown}})


# ---- reading --------------------------------------------------------------------------------------


def test_should_read_what_a_card_says_with_the_place_of_each_part(folder: Folder):
    (slip,) = carded(folder).load().katas[0].slips
    assert slip.card
    card = slip.shown
    assert card is not None
    assert (card.call, card.steps) == ("twice(torch.tensor([3.0]))", ("3 / 2 == 1.5", "3 * 2 == 6"))
    assert card.text.zh.startswith("代码用 3")
    assert {key: place.line for key, place in card.positions.items()} == {
        "call": 9,
        "en": 10,
        "zh": 11,
        "steps.0": 12,
        "steps.1": 12,
    }


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('      call: "twice(torch.tensor([3.0]))"\n', "", 9, "add `call:`"),
        ("      en: The code divides 3 by 2 and gives 1.5, not 6.\n", "", 9, "add `en:`"),
        ("      zh: 代码用 3 除以 2，得到 1.5，而不是 6。\n", "", 9, "a card has no `zh`"),
        ("steps:", "step:", 12, "did you mean `steps`?"),
        ('["3 / 2 == 1.5", "3 * 2 == 6"]', '"3 / 2 == 1.5"', 12, "not a list"),
        ('"3 * 2 == 6"', "7", 12, "not text"),
    ],
)
def test_should_tell_what_is_wrong_with_a_card_and_where(folder: Folder, old: str, new: str, line: int, says: str):
    assert old in CARD
    problem = carded(folder, CARD.replace(old, new)).only_problem()
    assert says in f"{problem.what}: {problem.todo}"
    assert (problem.file, problem.line) == (Path(SLIPS), line)


def test_should_accept_by_schema_a_card_and_true_and_no_other_key():
    check = Draft202012Validator(slips_schema())
    assert not list(check.iter_errors(yaml.safe_load(ONE + CARD)))
    assert not list(check.iter_errors(yaml.safe_load(ONE + "    card: true\n")))
    assert list(check.iter_errors(yaml.safe_load(ONE + CARD.replace("steps", "stepps"))))


# ---- what the card shows --------------------------------------------------------------------------


def test_should_show_text_right_line_call_and_results_on_the_back(folder: Folder):
    carded(folder)
    back = the_note(folder, results(folder)).back
    assert back is not None
    assert back.en == (
        "The code divides 3 by 2 and gives 1.5, not 6.\n\n"
        "The right line:\n\n```python\nreturn x * by\n```\n\n"
        "An input that shows it:\n\n```python\ntwice(torch.tensor([3.0]))\n"
        "# right: tensor([6.0])\n# this kernel: tensor([1.5])\n```"
    )
    assert "# 正确：tensor([6.0])\n# 这段代码：tensor([1.5])" in back.zh
    assert "Multiply, do not divide." not in back.en


def test_should_show_no_result_of_another_kernel_or_call(folder: Folder):
    carded(folder)
    for computed in (None, Computed(), results(folder, source="another")):
        back = the_note(folder, computed).back
        assert back is not None
        assert "twice(torch.tensor([3.0]))\n```" in back.en


def test_should_leave_a_card_that_says_true_alone_as_it_was(folder: Folder):
    carded(folder, "    card: true\n")
    note = the_note(folder, results(folder))
    assert note.back is not None
    assert note.back.en == "Multiply, do not divide.\n\nThe right line:\n\n```python\nreturn x * by\n```"
    assert "def twice(x: torch.Tensor, by: float = 2.0) -> torch.Tensor:" in note.front.en


def test_should_show_a_signature_without_its_annotations(folder: Folder):
    note = the_note(carded(folder))
    assert "```python\ndef twice(x, by=2.0):\n    return x / by\n```" in note.front.en


def test_should_keep_everything_but_annotations_in_a_signature():
    code = "def f(a: int, /, b=1e-6, *rest: int, c: float, d: dict[str, int] = {}, **more) -> None:\n    return a\n"
    assert bare_signatures(code) == "def f(a, /, b=1e-6, *rest, c, d={}, **more):\n    return a\n"
    code = "def f(\n    a,  # kept\n):\n    return a\n"
    assert bare_signatures(code) == code


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("short(1, 2)", ["short(1, 2)"]),
        ("written(\n    by_hand)", ["written(", "    by_hand)"]),
        (
            "scaled_dot_product_attention(torch.tensor([[1.0, 0.0]]), torch.eye(2), torch.eye(2), mask=None)",
            [
                "scaled_dot_product_attention(",
                "    torch.tensor([[1.0, 0.0]]),",
                "    torch.eye(2),",
                "    torch.eye(2),",
                "    mask=None,",
                ")",
            ],
        ),
        (
            "encode('a (b, c', \"d)\", merges=[('l', 'o'), ('lo', 'w'), ('low', 'er')])[0]",
            ["encode(", "    'a (b, c',", '    "d)",', "    merges=[('l', 'o'), ('lo', 'w'), ('low', 'er')],", ")[0]"],
        ),
        (
            "angles = torch.arange(seq_len, device=x.device)[:, None] * theta",
            ["angles = torch.arange(", "    seq_len, device=x.device", ")[:, None] * theta"],
        ),
        (
            "places = [i for i in range(len(tokens) - 1) if (tokens[i], tokens[i + 1]) in ranks]",
            [
                "places = [",
                "    i",
                "    for i in range(len(tokens) - 1)",
                "    if (tokens[i], tokens[i + 1]) in ranks",
                "]",
            ],
        ),
        (
            "cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)",
            ["cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)"],
        ),
    ],
)
def test_should_fold_code_at_its_brackets_into_sixty_columns(code: str, lines: list[str]):
    assert fold(code) == lines
    compile("\n".join(lines), "<folded>", "exec")


def test_should_fold_the_lines_of_a_kernel_that_are_too_wide_and_drop_their_comments():
    kernel = """\
def f(scores, mask, some_parameter=1.0, another_parameter=2.0):
    if mask is not None:
        scores = scores.masked_fill(mask == 0, float("-inf"))  # (B, H)
    text = "#(" + str(scores.sum(dim=-1, keepdim=True))  # (B, H)
    return (
        scores.softmax(dim=-1).masked_fill(mask == 0, some_parameter),
    )
"""
    narrowed = """\
def f(
    scores, mask, some_parameter=1.0, another_parameter=2.0
):
    if mask is not None:
        scores = scores.masked_fill(
            mask == 0, float("-inf")
        )
    text = "#(" + str(scores.sum(dim=-1, keepdim=True))
    return (
        scores.softmax(dim=-1).masked_fill(mask == 0, some_parameter),
    )
"""
    assert narrow(kernel) == narrowed


def test_should_print_a_result_as_torch_does():
    value = "tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [1.0, 2.0, 3.0, 4.0]], dtype=torch.float16)"
    assert fold_value(value) == [
        "tensor([[1.0, 2.0, 3.0, 4.0],",
        "        [5.0, 6.0, 7.0, 8.0],",
        "        [1.0, 2.0, 3.0, 4.0]], dtype=torch.float16)",
    ]


def test_should_not_rename_a_method_that_is_called_as_the_wrong_kernel():
    assert shown_kernel("def repeat(x):\n    return x.repeat(2) + repeat(x)\n", "entry") == (
        "def entry(x):\n    return x.repeat(2) + entry(x)\n"
    )


def test_should_count_a_chinese_character_as_two_columns():
    assert columns("# 正确：x") == 9
    value = f"tensor([{', '.join(['1.25'] * 7)}])"
    assert result_lines("# right: {value}", value) == [f"# right: {value}"]
    assert result_lines("# 这段代码：{value}", value) == ["# 这段代码：", f"#   {value}"]


# ---- numbers --------------------------------------------------------------------------------------


def test_should_count_the_numbers_that_a_call_spells_out():
    found = literal_numbers("f(torch.tensor([1.0, -2, True]), torch.ones(3), '4', x=1e-6)")
    assert sorted(found) == ["1.0", "1e-06", "2", "3"]
    assert random_names("f(torch.randn(2), torch.rand_like(x).normal_(), branding, torch.arange(3))") == [
        "randn",
        "normal_",
        "rand_like",
    ]


@pytest.mark.parametrize(
    ("text", "loose"),
    [
        ("0, 1 and 2 are free, and so is float16.", []),
        ("3 and −4.50 stand in the call.", []),
        ("It gives 7.", ["7"]),
        ("65,504 is proven, 65,505 is not; 3.5.", ["65,505", "3.5"]),
        ("代码加上 1e-5，得到 90 % 和 80 %。", ["80 %"]),
        ("`x[:8]` stands in the kernel, 8 does not.", []),
        ("8 does not.", ["8"]),
    ],
)
def test_should_find_the_numbers_that_nothing_proves(text: str, loose: list[str]):
    assert loose_numbers(text, ["f(3.0, 4.5)", "65504 == 65504", "0.9 < 1", "1e-5 > 0"], "return x[:8]") == loose


# ---- the linter -----------------------------------------------------------------------------------

WIDE = "return x / by + x.double().square().flatten().abs().sum() * 0.0"
PLANTED = {
    "card-without-call": ("    card: true\n", ONE, 2),
    "card-many-numbers": (CARD.replace("[3.0]", str([3.0] * 13)), ONE, 9),
    "card-random": (CARD.replace("torch.tensor([3.0])", "torch.rand(1)"), ONE, 9),
    "card-person": (CARD.replace("The code divides", "You divide"), ONE, 10),
    "card-too-wide": (CARD, ONE.replace("return x / by", WIDE), 2),
    "card-places": (CARD, ONE.replace("becomes: return x / by", 'becomes: "y = x / by\\nreturn y"'), 2),
}


@pytest.mark.parametrize("name", PLANTED)
def test_should_find_a_planted_fault_of_a_card_where_it_stands(folder: Folder, name: str):
    card, one, line = PLANTED[name]
    found = [problem for problem in lint(carded(folder, card, one).load()) if problem.rule == name]
    assert [(problem.file, problem.line) for problem in found] == [(Path(SLIPS), line)]
    assert "the card of `halved`" in found[0].what


def test_should_find_nothing_wrong_with_the_card_of_these_tests(folder: Folder):
    assert not [problem for problem in lint(carded(folder).load()) if problem.rule.startswith("card")]


def test_should_find_who_is_spoken_to_in_chinese_too_but_not_in_code(folder: Folder):
    carded(folder, CARD.replace("代码用", "你用"))
    (found,) = [problem for problem in lint(folder.load()) if problem.rule == "card-person"]
    assert (found.line, "你" in found.what) == (11, True)
    folder.write(SLIPS, ONE + CARD.replace("The code", "The line `your = you`"))
    assert "card-person" not in {problem.rule for problem in lint(folder.load())}


def test_should_let_a_card_waive_a_rule_and_tell_an_idle_waiver(folder: Folder):
    card, one, _ = PLANTED["card-places"]
    carded(folder, card + "      waive: {card-places: both lines are one thought}\n", one)
    assert not {problem.rule for problem in lint(folder.load())} & {"card-places", "waiver"}
    folder.write(
        SLIPS, ONE + CARD + "      waive: {card-places: so, card-plaices: so, card-step: seen when it is run}\n"
    )
    found = [problem for problem in lint(folder.load()) if problem.rule == "waiver"]
    assert [problem.line for problem in found] == [13, 13]
    assert "finds nothing there" in found[0].what + found[1].what
    assert "did you mean `card-places`?" in found[0].todo + found[1].todo


def test_should_let_a_workspace_waive_what_older_cards_lack(folder: Folder):
    carded(folder, "    card: true\n")
    folder.write("workspace.toml", 'namespace = "x"\n[waive]\ncard-without-call = "cards of the last release"\n')
    assert "card-without-call" not in {problem.rule for problem in lint(folder.load())}


# ---- order ----------------------------------------------------------------------------------------


def test_should_interleave_the_cards_by_kata(folder: Folder):
    (kata,) = carded(folder).load().katas
    (slip,) = kata.slips

    def of(name: str, count: int) -> Kata:
        from dataclasses import replace

        return replace(kata, id=name, slips=tuple(replace(slip, id=f"s{at}") for at in range(count)))

    ids = [note.id.removeprefix("bug-") for note in bug_notes([of("a", 3), of("b", 1), of("c", 2)])]
    assert ids == ["a-s0", "b-s0", "c-s0", "a-s1", "c-s1", "a-s2"]
