"""Edits made in Anki come back as changes of the YAML that render to the same cards; nothing else is ever touched."""

from __future__ import annotations

import random
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmdrills.anki.doctor import examine
from llmdrills.anki.html import seen
from llmdrills.anki.live import read_path
from llmdrills.anki.merging import merge
from llmdrills.anki.ours import our_guids
from llmdrills.anki.pull import Pull, pull
from llmdrills.cli.anki_view import pull_lines
from llmdrills.content import load_workspace
from llmdrills.content.model import Workspace
from llmdrills.decks.build import BuildOptions, build, planned
from llmdrills.decks.lock import Lock, read_lock
from llmdrills.decks.markdown import render, render_cloze
from tests.helpers.anki_learner import AnkiLearner

DECK = """\
# A deck with every style of YAML.
deck: small
title: {en: Small, zh: 小}
notes:
  - id: plain
    type: question
    topic: transformer
    # This comment stays.
    front: {en: What is a scale?, zh: 什么是缩放？}
    back:
      en: To keep the variance at one.   # said by the author
      zh: '使方差保持为 1，"不大"。'
    sources: [{title: "A paper", url: "https://example.org/p"}]

  - id: block
    type: question
    topic: transformer
    front:
      en: |
        Why divide by $\\sqrt{d_k}$, *always*?

        A second paragraph with `code` and **bold** words.
      zh: |-
        为什么除以 $\\sqrt{d_k}$？
    back:
      en: |
        - first item
        - second item

        ```python
        x = 1
        y = x * 2
        ```
      zh: "“双引号”里的反斜杠 \\\\ 与换行\\n\\n第二段。"
    extra:
      en: >-
        Folded text
        over two lines.
      zh: 附注
    sources: [{title: "A paper", url: "https://example.org/p"}]

  - id: holes
    type: cloze
    topic: transformer
    front:
      en: "The {{c1::first}} and the {{c2::$x^2$}}."
      zh: "{{c1::第一}} 和 {{c2::$x^2$}}。"
    sources: [{title: "A paper", url: "https://example.org/p"}]

  - id: steps
    type: checklist
    topic: transformer
    front: {en: Explain it., zh: 解释一下。}
    items:
      - {en: the scores, zh: 分数}
      - en: the *weights* of it
        zh: 权重
    sources: [{title: "A paper", url: "https://example.org/p"}]

  - id: typed
    type: number
    topic: transformer
    front: {en: How many bytes?, zh: 多少字节？}
    answer: {value: 42, unit: {en: bytes, zh: 字节}, tolerance: 1%}
    sources: [{title: "A paper", url: "https://example.org/p"}]
"""
START = 1_700_000_000


@dataclass
class Author:
    """A workspace on disk, whose releases a learner imports and edits."""

    root: Path
    learner: AnkiLearner
    clock: int = START

    def release(self) -> None:
        self.clock += 1000
        build(self.workspace, self.root / "build", BuildOptions(languages=("en",), release_time=self.clock))

    def release_now(self) -> None:
        """A release after what was edited in Anki: by Anki's clock, which counts whole seconds."""
        options = BuildOptions(languages=("en",), release_time=int(time.time()) + 2)
        build(self.workspace, self.root / "build", options)

    @property
    def workspace(self) -> Workspace:
        return load_workspace(self.root)

    @property
    def lock(self) -> Lock:
        lock = read_lock(self.root)
        assert lock is not None
        return lock

    def look(self) -> tuple[Any, Any, Any]:
        workspace = self.workspace
        ours = our_guids(workspace)
        notes = [one for release in planned(workspace, BuildOptions(languages=("en",))) for one in release.notes]
        return ours, notes, read_path(self.learner.file, ours)

    def pull(self) -> Pull:
        ours, notes, collection = self.look()
        return pull(self.workspace, self.lock, notes, collection, ours)

    def write(self, found: Pull) -> None:
        for file, (_, after) in found.files.items():
            (self.root / file).write_bytes(after.encode())

    def fields(self, slug: str) -> dict[str, str]:
        return dict(self.learner.col.get_note(self.learner.nid(slug)).items())

    def edit(self, slug: str, field: str, old: str, new: str) -> None:
        note = self.learner.col.get_note(self.learner.nid(slug))
        assert old in note[field], note[field]
        note[field] = note[field].replace(old, new, 1)
        self.learner.col.update_note(note)


def author_of(tmp_path: Path, learner: AnkiLearner, text: str) -> Author:
    root = tmp_path / "author"
    (root / "decks").mkdir(parents=True)
    (root / "decks" / "small.yaml").write_bytes(text.encode())
    made = Author(root, learner)
    made.release()
    learner.take(root / "build" / "llmdrills-en.apkg")
    return made


@pytest.fixture(params=["lf", "crlf"])
def author(request: Any, tmp_path: Path, learner: AnkiLearner) -> Author:
    text = DECK if request.param == "lf" else DECK.replace("\n", "\r\n")
    return author_of(tmp_path, learner, text)


EDITS: list[tuple[str, str, str, str, str]] = [
    # note, field, what stands there, what the learner makes of it, what the author's text then holds
    ("plain", "Front", "a scale", "the scale", "front.en: What is the scale?"),
    ("plain", "Back", "variance", "<b>variance</b>", "back.en: To keep the **variance** at one."),
    ("plain", "Back", "one.", "1: a # sign, 'quoted'.", "back.en: To keep the variance at 1: a # sign, 'quoted'."),
    (
        "plain",
        "Front",
        "</p>",
        "</p><p>My own remark, 5 &lt; 6.</p>",
        "front.en: What is a scale?\n\nMy own remark, 5 \\< 6.",
    ),
    ("plain", "Front", "<p>What is a scale?</p>", "What<div>is a scale?</div>", "front.en: What\n\nis a scale?"),
    (
        "plain",
        "Back",
        "<p>To keep the variance at one.</p>",
        "Mine, without a paragraph",
        "back.en: Mine, without a paragraph",
    ),
    ("block", "Front", r"\sqrt{d_k}", r"2\sqrt{d_k}", "front.en: Why divide by $2\\sqrt{d_k}$, *always*?"),
    ("block", "Front", "second paragraph", "third&nbsp;paragraph", "A third paragraph with `code` and **bold** words."),
    ("block", "Front", "<code>code</code>", "<code>c_o*de</code>", "paragraph with `c_o*de` and"),
    ("block", "Front", "always", "always<br>or never", "*always\\\nor never*"),
    ("block", "Back", "<li>second", "<li>the second", "- the second item"),
    ("block", "Back", "first item", "f(x) = a*b*c _x_ #1 $5", "- f(x) = a\\*b\\*c \\_x\\_ #1 \\$5"),
    ("block", "Extra", "Folded", "Unfolded", "extra.en: Unfolded text over two lines."),
    ("holes", "Text", "{{c1::first}}", "{{c1::very first}}", "The {{c1::very first}} and"),
    ("holes", "Text", "x^2", "x^3", "{{c2::$x^3$}}."),
    ("holes", "Text", "{{c1::first}}", "first", "The first and the {{c2::$x^2$}}."),  # the other keeps its number
    ("steps", "Items", "the scores", "all the scores", "items.0.en: all the scores"),
    ("steps", "Items", "<em>weights</em>", "<i>masses</i>", "items.1.en: the *masses* of it"),
    ("typed", "Answer", "42", "43", "answer.value: 43"),
    ("typed", "Unit", "bytes", "octets", "answer.unit.en: octets"),
]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: f"{edit[0]}-{edit[1]}-{edit[3][:20]}")
def test_should_bring_an_edit_back_and_release_it_without_a_conflict(
    author: Author, edit: tuple[str, str, str, str, str]
) -> None:
    slug, field, old, new, expected = edit
    before = loaded((author.root / "decks/small.yaml").read_text())
    author.edit(slug, field, old, new)
    edited = author.fields(slug)[field]
    found = author.pull()
    assert found.differences == []
    assert [(one.note, one.field) for one in found.changes] == [(slug, field)]
    author.write(found)
    text = (author.root / "decks/small.yaml").read_bytes().decode()
    assert "# This comment stays." in text
    assert text.count("\r\n") in {0, text.count("\n")}
    after = loaded(text)
    changed = differences(before, after)
    assert len(changed) == 1, changed
    assert expected in f"{changed[0][0]}: {changed[0][1]}"
    author.release_now()
    log = author.learner.take(author.root / "build" / "llmdrills-en.apkg")
    assert log.counts == (0, 1, 4, 0)
    assert seen(author.fields(slug)[field]) == seen(edited)
    author.learner.empty_cards(delete=True)  # of a deletion that was taken out
    ours, notes, collection = author.look()
    assert ours
    assert examine(author.lock, notes, collection).healthy
    assert author.pull().changes == []


def loaded(text: str) -> Any:
    """As the product reads it: the loader in Python alone refuses some of what libyaml takes."""
    return yaml.load(text, yaml.CSafeLoader)


def differences(one: Any, other: Any, path: str = "") -> list[tuple[str, Any]]:
    """The paths (without the notes' numbers) at which two documents differ, with the second's value."""
    if isinstance(one, dict) and isinstance(other, dict) and set(one) == set(other):
        return [found for key in one for found in differences(one[key], other[key], f"{path}.{key}".lstrip("."))]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            found
            for number, pair in enumerate(zip(one, other, strict=True))
            for found in differences(*pair, "" if path == "notes" else f"{path}.{number}")
        ]
    return [] if one == other else [(path, other)]


def test_should_take_several_edits_of_several_notes_at_once(author: Author) -> None:
    author.edit("plain", "Front", "a scale", "the scale")
    author.edit("plain", "Back", "variance", "spread")
    author.edit("block", "Front", "always", "ever")
    author.edit("steps", "Items", "scores", "values")
    author.edit("steps", "Items", "of it", "of all")
    found = author.pull()
    assert len(found.changes) == 5
    author.write(found)
    author.release_now()
    assert author.learner.take(author.root / "build" / "llmdrills-en.apkg").counts == (0, 3, 2, 0)
    assert "the <em>weights</em> of all" in author.fields("steps")["Items"]


SHOWN: list[tuple[str, str, str, str, str]] = [
    ("plain", "Front", "<p>", '<img src="cat.png"><p>', "no Markdown"),
    ("plain", "Front", "scale", "s<table><tr><td>x</td></tr></table>cale", "no Markdown"),
    ("plain", "Topic", "Transformer", "My topic", "made from other parts"),
    ("plain", "Sources", "A paper", "My paper", "made from other parts"),
    ("plain", "Extra", "", "My own note", "no such text"),
    ("steps", "Items", "<li>", "<li>one more</li><li>", "an item was added"),
    ("holes", "Text", "{{c1::first}} and the {{c2::\\(x^2\\)}}", "first and the second", "deletions"),
    ("typed", "Answer", "42", "about 42", "not be a number"),
]


@pytest.mark.parametrize("edit", SHOWN, ids=lambda edit: f"{edit[0]}-{edit[1]}-{edit[3][:20]}")
def test_should_show_what_it_cannot_bring_back(author: Author, edit: tuple[str, str, str, str, str]) -> None:
    slug, field, old, new, why = edit
    author.edit(slug, field, old, new)
    found = author.pull()
    assert (found.changes, found.files) == ([], {})
    (one,) = found.differences
    assert (one.note, one.field) == (slug, field)
    assert why in one.why.en
    assert any("一" <= character <= "鿿" for character in one.why.zh)


def test_should_say_that_colours_stay_behind(author: Author) -> None:
    author.edit("plain", "Front", "a scale", '<span style="color: red">the scale</span>')
    (one,) = author.pull().changes
    assert one.plainer
    assert one.after == "What is the scale?"


def test_should_see_no_edit_in_a_visit_of_the_editor(author: Author) -> None:
    """Anki's editor rewrites marks and blanks that nobody sees."""
    author.edit("block", "Front", "<strong>bold</strong> words", "<b>bold</b>&nbsp;words")
    author.learner.tag("holes", "leech")
    found = author.pull()
    assert (found.changes, found.differences) == ([], [])


def test_should_show_tags_of_the_learners_own(author: Author) -> None:
    author.learner.tag("plain", "exam")
    author.learner.tag("plain", "leech")
    (one,) = author.pull().differences
    assert (one.field, one.after) == ("Tags", "exam")


def test_should_not_guess_where_the_deck_changed_too(author: Author) -> None:
    author.edit("plain", "Front", "a scale", "the scale")
    file = author.root / "decks" / "small.yaml"
    file.write_text(file.read_text().replace("What is a scale?", "What is any scale?"))
    found = author.pull()
    assert found.changes == []
    assert "changed since the release" in found.differences[0].why.en


def test_should_show_tags_where_the_deck_changed_too(author: Author) -> None:
    author.learner.tag("plain", "exam")
    file = author.root / "decks" / "small.yaml"
    file.write_text(file.read_text().replace("What is a scale?", "What is any scale?"))
    shown = {one.field: (one.after, one.why.en) for one in author.pull().differences}
    assert shown["Tags"][0] == "exam"
    assert "changed since the release" in shown["Tags"][1]


def test_should_name_the_notes_that_the_next_release_replaces_with_what_is_left(author: Author) -> None:
    author.edit("plain", "Front", "a scale", "the scale")
    author.edit("plain", "Back", "variance", '<img src="v.png">')
    author.edit("block", "Back", "second", '<img src="v.png">')
    author.edit("holes", "Text", "first", "very first")
    found = author.pull()
    assert {one.note for one in found.changes} == {"plain", "holes"}
    assert [one.note for one in found.at_stake] == ["plain"]  # block stays as it is in Anki: nothing of it is released
    assert "Do these before you build" in "\n".join(pull_lines(found, "en"))
    assert "plain [en]" in list(pull_lines(found, "zh"))[-1]
    author.write(found)
    author.edit("holes", "Text", "very", "very, very")  # once more, before that is released
    assert [one.note for one in author.pull().at_stake] == ["holes", "plain"]


def test_should_bring_back_an_edit_from_a_field_under_another_name(author: Author) -> None:
    kind = author.learner.col.models.by_name("LLM Drills Question (en)")
    author.learner.col.models.rename_field(kind, next(one for one in kind["flds"] if one["name"] == "Back"), "Answer")
    author.learner.col.models.update_dict(kind)
    author.edit("plain", "Answer", "variance", "spread")
    (one,) = author.pull().changes
    assert (one.field, one.after) == ("Back", "To keep the spread at one.")


def test_should_bring_back_an_edit_made_in_the_second_of_its_release(author: Author) -> None:
    author.edit("plain", "Back", "variance", "spread")
    author.learner.col.db.execute("update notes set mod = ? where id = ?", author.clock, author.learner.nid("plain"))
    assert [one.note for one in author.pull().changes] == ["plain"]


def test_should_leave_an_older_release_alone(author: Author) -> None:
    file = author.root / "decks" / "small.yaml"
    file.write_text(file.read_text().replace("What is a scale?", "What is any scale?"))
    author.release()
    assert author.pull() == Pull()


def test_should_keep_values_that_a_proof_computed(tmp_path: Path, learner: AnkiLearner) -> None:
    note = (
        "  - id: counted\n    type: question\n    topic: transformer\n"
        "    front: {en: How many numbers are that?, zh: 多少个数？}\n"
        "    back: {en: 'They are [[n]] numbers, of 4 bytes each.', zh: '共 [[n]] 个数。'}\n"
        "    proof: n = 42\n    values: [n]\n"
        '    sources: [{title: "A paper", url: "https://example.org/p"}]\n'
    )
    root = tmp_path / "author"
    (root / "decks").mkdir(parents=True)
    (root / "decks" / "small.yaml").write_text(DECK + note)
    from llmdrills.content.computed import Computed, NoteValues, digest, write_computed

    write_computed(root, Computed({"counted": NoteValues(digest("n = 42"), {"n": 42})}))
    author = Author(root, learner)
    author.release()
    learner.take(root / "build" / "llmdrills-en.apkg")
    assert "42 numbers" in author.fields("counted")["Back"]
    author.edit("counted", "Back", "bytes each", "bytes apiece")
    (one,) = author.pull().changes
    assert one.after == "They are [[n]] numbers, of 4 bytes apiece."
    author.edit("counted", "Back", "42", "43")
    found = author.pull()
    assert (found.changes, len(found.differences)) == ([], 1)


# ---- the shipped decks, edited at random ------------------------------------------------------------


def word(html: str, source: random.Random) -> tuple[int, int]:
    """A word of the visible text, outside of tags, math and code."""
    hidden = [
        found.span()
        for found in re.finditer(r"<pre>.*?</pre>|<[^>]*>|\\\(.*?\\\)|\\\[.*?\\\]|&\w+;|\{\{c\d+::", html, re.DOTALL)
    ]
    words = [
        found.span()
        for found in re.finditer(r"[A-Za-z]{4,}|[\u4e00-\u9fff]{2}", html)
        if not any(start < found.end() and found.start() < end for start, end in hidden)
    ]
    return source.choice(words) if words else (0, 0)


KINDS: dict[str, Callable[[str, int, int], str]] = {
    "typo": lambda html, start, end: f"{html[: start + 1]}q{html[start + 2 :]}",
    "word": lambda html, start, end: f"{html[:start]}really {html[start:]}",
    "bold": lambda html, start, end: f"{html[:start]}<b>{html[start:end]}</b>{html[end:]}",
    "delete": lambda html, start, end: f"{html[:start]}{html[end:]}",
    "line": lambda html, start, end: f"{html[:end]}<br>{html[end:]}",
    "paste": lambda html, start, end: f'{html[:start]}<span style="color: rgb(255, 0, 0);">red </span>{html[start:]}',
    "markdown": lambda html, start, end: f"{html[:start]}a*b*c _x_ [y](z) $5 {html[start:]}",
}


def test_should_bring_back_most_random_edits_of_the_shipped_decks_and_none_wrongly(root: Path) -> None:
    source = random.Random(20)
    workspace = load_workspace(root)
    texts = [
        (note, text, language)
        for deck in workspace.decks
        for note in deck.notes
        if not note.values
        for text in (note.front, note.back)
        if text is not None
        for language in ("en", "zh")
    ]
    done = refused = 0
    for note, text, language in source.sample(texts, 150):
        how = render_cloze if note.type == "cloze" and text is note.front else render
        old = how(text[language])
        start, end = word(old, source)
        if start == end:
            continue
        new = KINDS[source.choice(sorted(KINDS))](old, start, end)
        merged = merge(text[language], old, new, how)
        if merged.text is None:
            refused += 1
            continue
        done += 1
        assert seen(how(merged.text)) == seen(new)
    assert done + refused > 120
    assert done >= 9 * (done + refused) / 10, (done, refused)


def test_should_put_any_text_into_any_scalar_and_touch_nothing_else(tmp_path: Path, root: Path) -> None:
    from llmdrills.anki.yamltext import CannotWriteError, find, put

    source = random.Random(3)
    pieces = [
        "word",
        " ",
        "\n",
        "\n\n",
        ": ",
        " #",
        "'",
        '"',
        "\\",
        "{",
        "}",
        "[",
        "- ",
        "中文",
        "&a",
        "*b",
        "|",
        "%",
        "@",
        "…",
        "  x",
    ]
    files = [shutil.copy(root / "decks" / name, tmp_path) for name in ("concepts.yaml", "readiness.yaml")]
    put_in = 0
    for file in map(Path, files):
        text = file.read_text("utf-8")
        document = loaded(text)
        for note in source.sample(document["notes"], min(10, len(document["notes"]))):
            path = ("front", source.choice(["en", "zh"]))
            value = "".join(source.choices(pieces, k=8)).strip() or "x"
            try:
                changed = put(text, note["id"], path, value)
            except CannotWriteError:
                continue
            put_in += 1
            after = loaded(changed)
            node = find(changed, note["id"], path)
            assert node is not None
            assert node.value == value
            (one,) = differences(document, after) or [("same", value)]
            assert one[1] == value
    assert put_in >= 18
