"""slips.yaml: edits of right kernels, applied as text; what does not fit is told with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from llmdrills.content.derive import bug_id, bug_notes, shown_kernel
from llmdrills.content.kata import Edit, Same
from llmdrills.content.lint import lint
from llmdrills.content.schema import slips_schema
from llmdrills.content.slips import EditError, apply
from tests.helpers.content_folder import Folder

SLIPS = "drills/twice/slips.yaml"
ONE = """\
slips:
  - id: halved
    line: return x * by
    becomes: return x / by
    en: Multiply, do not divide.
    zh: 是乘，不是除。
    seen: haste
"""
TEXT = """\
def f(x):
    a = x + 1  # (N,)
    if a:
        b = a
    b = a
    return b
"""


def with_slips(folder: Folder, text: str = ONE) -> Folder:
    """The small workspace with its mistakes as data."""
    cases = (folder.root / "drills/twice/cases.py").read_text("utf-8")
    start, end = cases.index("@misconception"), cases.index("@equivalent")
    folder.write("drills/twice/cases.py", (cases[:start] + cases[end:]).encode())
    return folder.write(SLIPS, text)


def test_should_apply_an_edit_where_its_line_stands_whatever_the_comment_says():
    assert "    a = x - 1\n" in apply(TEXT, (Edit("a = x + 1", "a = x - 1"),))


def test_should_indent_what_a_line_becomes_as_the_line_stood():
    edited = apply(TEXT, (Edit("return b", "if b:\n    return b\nreturn 0"),))
    assert edited.endswith("    if b:\n        return b\n    return 0\n")


def test_should_tell_two_equal_lines_apart_by_the_lines_around_them():
    assert apply(TEXT, (Edit("b = a\nreturn b", "return a"),)).endswith("        b = a\n    return a\n")


def test_should_drop_a_line_that_becomes_nothing():
    assert apply(TEXT, (Edit("b = a\nreturn b", "return a"), Edit("a = x + 1", ""))).startswith("def f(x):\n    if a:")


@pytest.mark.parametrize(
    ("edits", "says", "todo"),
    [
        ((Edit("b = a", "b = 1"),), "stands 2 times", "line before or after"),
        ((Edit("a = x + 2", "a = 1"),), "stands nowhere", "did you mean `a = x + 1`?"),
        ((Edit("a = x + 1", "a = 1"), Edit("a = x + 1\nif a:", "if x:")), "same line", "one edit"),
    ],
)
def test_should_refuse_an_edit_that_does_not_fit_exactly_once(edits: tuple[Edit, ...], says: str, todo: str):
    with pytest.raises(EditError, match=says) as caught:
        apply(TEXT, edits)
    assert todo in caught.value.todo


def test_should_read_a_slip_as_the_reference_with_its_line_changed(folder: Folder):
    (slip,) = with_slips(folder).load().katas[0].slips
    assert (slip.id, slip.of, slip.fix, slip.card, slip.decorated) == (
        "halved",
        "reference",
        "return x * by",
        False,
        False,
    )
    assert slip.source.endswith("    return x / by\n")
    assert (slip.position.file, slip.position.line) == (Path(SLIPS), 2)


def test_should_edit_an_equivalent_that_of_names(folder: Folder):
    text = ONE.replace("line: return x * by\n", "of: added\n    line: return x + x\n").replace("x / by", "x")
    (slip,) = with_slips(folder, text).load().katas[0].slips
    assert slip.names == {"standard": "added"}
    assert shown_kernel(slip.source, "twice") == "def twice(x, by=2.0):\n    return x\n"


def test_should_take_a_whole_kernel_where_no_edit_says_it(folder: Folder):
    kernel = ONE.replace(
        "    line: return x * by\n    becomes: return x / by\n",
        "    kernel: |\n      def odd(x, by=2.0):\n          return x\n",
    )
    (slip,) = with_slips(folder, kernel).load().katas[0].slips
    assert slip.source == "def odd(x, by=2.0):\n    return x\n"


def test_should_carry_the_helpers_of_a_reference_into_the_slip(folder: Folder):
    folder.edit(
        "drills/twice/reference.py",
        "    return x * by\n",
        "    return x * _factor(by)\n\n\ndef _factor(by):\n    return by\n",
    )
    text = ONE.replace("return x * by", "return by").replace("return x / by", "return by + 1")
    (slip,) = with_slips(folder, text).load().katas[0].slips
    assert "def _factor(by):\n    return by + 1\n" in slip.source
    assert slip.source.rstrip().endswith("return x * _factor(by)")


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("return x * by", "return x * bye", 3, "did you mean `return x * by`?"),
        ("becomes: return x / by", "becomes: return x * by", 3, "says what stands there already"),
        ("becomes: return x / by", "becomes: return (x", 3, "not valid Python"),
        ("    becomes: return x / by\n", "", 3, "add `becomes:`"),
        ("    line: return x * by\n    becomes: return x / by\n", "", 2, "does not say what is wrong"),
        ("    seen: haste\n", "", 2, "add `seen:`"),
        ("    seen: haste\n", "    seen: haste\n    sen: x\n", 8, "did you mean `seen`?"),
        ("    seen: haste\n", "    seen: haste\n    of: referense\n", 8, "did you mean `reference`?"),
        ("    seen: haste\n", "    seen: haste\n    variants: [standart]\n", 8, "did you mean `standard`?"),
        ("    seen: haste\n", "    seen: haste\n    card: yes please\n", 8, "write true or false"),
        ("    seen: haste\n", "    seen: haste\n    same_as: nobody\n", 2, "same_as names `nobody`"),
        ("    seen: haste\n", "    seen: haste\n    kernel: x = 1\n", 8, "`line` and `kernel`"),
        ("id: halved", "id: Half Way", 2, "lower-case words"),
    ],
)
def test_should_tell_what_is_wrong_with_a_slip_and_where(folder: Folder, old: str, new: str, line: int, says: str):
    assert old in ONE
    problem = with_slips(folder, ONE.replace(old, new)).only_problem()
    assert says in f"{problem.what}: {problem.todo}"
    assert (problem.file, problem.line) == (Path(SLIPS), line)


def test_should_refuse_two_slips_of_one_id_in_one_variant(folder: Folder):
    twice = ONE + ONE.replace("slips:\n", "").replace("x / by", "x + by")
    assert "two slips are named `halved`" in with_slips(folder, twice).only_problem().what


def test_should_make_a_card_only_of_a_slip_that_asks_for_one(folder: Folder):
    assert bug_notes(with_slips(folder).load().katas) == ()
    folder.write(SLIPS, ONE + "    card: true\n")
    (note,) = bug_notes(folder.load().katas)
    assert note.id == "bug-twice-halved"
    assert note.back is not None
    assert "```python\nreturn x * by\n```" in note.back.en


def test_should_let_a_slip_pin_the_id_of_its_note(folder: Folder):
    folder = with_slips(folder, ONE + "    card: true\n    variants: [standard]\n    note: bug-twice-halved\n")
    kata = folder.load().katas[0]
    assert bug_id(kata.id, kata.slips[0]) == "bug-twice-halved"


def test_should_ask_for_a_proof_where_feedback_states_a_fact(folder: Folder):
    stated = ONE.replace("Multiply, do not divide.", "Divided, the result is 4 times too small.")
    found = [p for p in lint(with_slips(folder, stated).load()) if p.rule == "feedback-without-proof"]
    assert [(p.file, p.line) for p in found] == [(Path(SLIPS), 2)]
    folder.write(SLIPS, stated + "    proof: assert right(2.0) == 4 * wrong(2.0)\n")
    assert "feedback-without-proof" not in {p.rule for p in lint(folder.load())}


def test_should_refuse_by_schema_what_the_loader_refuses():
    check = Draft202012Validator(slips_schema())
    assert not list(check.iter_errors(yaml.safe_load(ONE)))
    for old, new in [("id: halved", "id: Half Way"), ("seen:", "sen:"), ("    seen: haste\n", "")]:
        assert list(check.iter_errors(yaml.safe_load(ONE.replace(old, new))))


def test_should_keep_the_shipped_slips_to_the_schema(root: Path):
    check = Draft202012Validator(slips_schema())
    for path in sorted((root / "drills").glob("*/slips.yaml")):
        errors = [f"{e.json_path}: {e.message}" for e in check.iter_errors(yaml.safe_load(path.read_text("utf-8")))]
        assert not errors, (path.parent.name, json.dumps(errors))


def test_should_still_read_the_decorated_slip_of_an_older_copy_and_say_so(folder: Folder):
    kata = folder.load().katas[0]
    assert [(slip.id, slip.decorated, slip.card) for slip in kata.slips] == [("squared", True, True)]
    assert any("cases.py:12: @misconception is the old form" in notice for notice in kata.notices)
    assert any("kata.yaml:18: plain contract lines" in notice for notice in kata.notices)


def test_should_read_the_edits_that_are_no_mistake(folder):
    same = 'same:\n  - edits: ["`x * by` becomes `by * x`"]\n    why: products commute\n    variants: [standard]\n'
    (kata,) = with_slips(folder, ONE + same).load().katas
    assert kata.same == (Same("`x * by` becomes `by * x`", "products commute", ("standard",)),)


def test_should_name_the_variant_that_no_same_edit_can_hold_in(folder):
    same = "same:\n  - edits: [an edit]\n    why: so\n    variants: [standart]\n"
    problems = with_slips(folder, ONE + same).problems()
    assert [(p.line, p.what, p.todo) for p in problems] == [
        (11, "there is no variant `standart`", "did you mean `standard`?")
    ]
