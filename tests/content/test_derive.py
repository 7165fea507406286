"""Spot-the-bug notes: made from wrong kernels, without giving the bug away."""

from __future__ import annotations

import dataclasses

from llmdrills.content import load_workspace
from llmdrills.content.computed import Computed, Exposed, digest
from llmdrills.content.derive import bug_deck, bug_id, bug_notes, shown_kernel
from llmdrills.content.model import Note
from tests.helpers.content_folder import Folder


def note(folder: Folder, computed: Computed | None = None) -> Note:
    (made,) = bug_notes(folder.load().katas, computed)
    return made


def test_should_make_a_note_of_a_slip_with_a_fix(folder: Folder) -> None:
    made = note(folder)
    assert (made.id, made.type, made.kata, made.topic) == ("bug-twice-squared", "bug", "twice", "transformer")
    assert made.proves == ("ready-one",)
    assert [source.title for source in made.sources] == ["Any primer"]
    assert made.back is not None
    assert "Times two, not squared." in made.back.en
    assert "```python\nreturn x * by\n```" in made.back.zh


def test_should_show_contract_and_code_and_no_hint_on_the_front(folder: Folder) -> None:
    front = note(folder).front
    assert "- x: (N,) floats" in front.en
    assert "- x：(N,) 浮点数" in front.zh
    assert (
        "```python\ndef twice(x, by=2.0):\n    y = x.clone()  # (N,)\n    return y * twice.__class__ and x * x\n```"
        in front.en
    )
    for giveaway in ("squared", "Wrong on purpose", "bug\n", "haste"):
        assert giveaway not in front.en.replace("**Twice**", "")


def test_should_make_no_note_of_a_kernel_without_a_fix(folder: Folder) -> None:
    folder.edit("drills/twice/cases.py", ', fix="return x * by"', "")
    assert bug_notes(folder.load().katas) == ()
    assert bug_deck(folder.load().katas) is None


def test_should_show_an_exposing_input_on_the_back(folder: Folder) -> None:
    exposed = Exposed("base", "twice(tensor([3.]))", "tensor([6.])", "tensor([9.])")
    back = note(folder, Computed(kernels={"twice": {"squared": exposed}})).back
    assert back is not None
    assert "case `base`" in back.en
    assert "twice(tensor([3.]))\n# right: tensor([6.])\n# this kernel: tensor([9.])" in back.en
    assert "# 正确：tensor([6.])" in back.zh


def test_should_not_show_an_input_computed_for_an_older_kernel(folder: Folder) -> None:
    (kernel,) = folder.load().katas[0].slips
    for source, shown in ((digest(kernel.source), True), ("another", False)):
        exposed = Exposed("base", "twice(3)", "6", "9", source)
        back = note(folder, Computed(kernels={"twice": {"squared/standard": exposed}})).back
        assert back is not None
        assert ("twice(3)" in back.en) == shown


def test_should_derive_an_id_from_nothing_but_kata_slip_and_its_own_variants(folder: Folder) -> None:
    (kernel,) = folder.load().katas[0].slips
    assert bug_id("twice", kernel) == "bug-twice-squared"
    assert bug_id("twice", dataclasses.replace(kernel, variants=("standard",))) == "bug-twice-squared-standard"


def test_should_report_two_derived_notes_of_one_id(folder: Folder) -> None:
    for file in ("kata.yaml", "reference.py", "cases.py"):
        folder.write(f"drills/twice-more/{file}", (folder.root / "drills/twice" / file).read_bytes())
    folder.edit("drills/twice-more/kata.yaml", "kata: twice", "kata: twice-more")
    folder.edit("drills/twice/cases.py", '"squared"', '"more-squared"')
    assert "`bug-twice-more-squared`" in folder.only_problem().what


def test_should_keep_only_comments_that_are_shapes() -> None:
    lines = [
        "def wrong(x):",
        '    """Doc."""',
        "    # forgot",
        "    y = x  # (B, H)",
        "    return wrong(y)  # not y.T",
        "",
    ]
    shown = ["def right(x):", "    y = x  # (B, H)", "    return right(y)", ""]
    assert shown_kernel("\n".join(lines), "right") == "\n".join(shown)


def test_should_have_unique_ids_and_show_the_entry_in_the_shipped_deck_of_bugs(root: object) -> None:
    from pathlib import Path

    workspace = load_workspace(Path(str(root)))
    deck = bug_deck(workspace.katas)
    assert deck is not None
    ids = [one.id for one in (*workspace.notes, *deck.notes)]
    assert len(ids) == len(set(ids))
    for one in deck.notes:
        kata = workspace.kata(one.kata or "")
        assert kata is not None
        assert f"def {kata.entry}(" in one.front.en
        assert f"def {kata.entry}(" in one.front.zh
