"""Markdown of other programs: questions and answers, headings, deletions."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmdrills.errors import UsageError
from tests.helpers.anki_author import PNG

QUESTIONS = """\
---
tags: [x]
---
# Attention

Q: What is **attention**?
A: A weighted sum.

- of values

Q: Why divide by $\\sqrt{d_k}$
   so early?

A: To keep the variance at \\(1\\).
It costs $5.

**Q:** Bold?
**A:** Yes, `[[x]]` and [[Wiki link]].

Q: no answer

---

A: no question
"""

HEADINGS = """\
# Notes

## Softmax

It is $e^{x}$.

```python
x = [[1]]  # {{c1::no}}
```

## Empty

## Highlighted

Some ==light== here.

And none here.
"""

CLOZES = """\
# Facts

The {{c1::cell}} has a {{c3::wall::what?}}.

This hides nothing.

# Highlights

One ==two== three ==four==.

==Five== six `==no==`.
"""


def wrote(tmp_path: Path, text: str, name: str = "notes.md") -> Path:
    (tmp_path / name).write_text(text, "utf-8")
    return tmp_path / name


def test_should_take_questions_with_their_answers(tmp_path, take):
    done = take(wrote(tmp_path, QUESTIONS))
    assert [(note.front, note.back) for note in done.deck.notes] == [
        ("What is **attention**?", "A weighted sum.\n\n- of values"),
        ("Why divide by $\\sqrt{d_k}$\n   so early?", "To keep the variance at $1$.\nIt costs \\$5."),
        ("Bold?", "Yes, `[[x]]` and \\[\\[Wiki link]]."),
    ]
    assert [(one.place.en, one.why.en) for one in done.refused] == [
        ("line 20", "a question without an answer (`A:`)"),
        ("line 24", "an answer without a question (`Q:`)"),
    ]
    assert ["---" in one.en for one in done.said] == [True]


def test_should_take_headings_with_the_text_below_them(tmp_path, take):
    done = take(wrote(tmp_path, HEADINGS))
    assert [(note.front, note.back) for note in done.deck.notes] == [
        ("Softmax", "It is $e^{x}$.\n\n```python\nx = [[1]]  # {{c1::no}}\n```"),
        ("Highlighted", "Some ==light== here.\n\nAnd none here."),
    ]
    assert [(one.text, one.why.en) for one in done.refused] == [
        ("Notes", "nothing stands under this heading"),
        ("Empty", "nothing stands under this heading"),
    ]
    assert [one.text for one in done.changed] == ["Highlighted"]


def test_should_take_deletions_and_highlights_that_can_be_nothing_else(tmp_path, take, learner):
    done = take(wrote(tmp_path, CLOZES))
    assert [(note.kind, note.front) for note in done.deck.notes] == [
        ("cloze", "The {{c1::cell}} has a {{c2::wall::what?}}."),
        ("cloze", "One {{c1::two}} three {{c2::four}}."),
        ("cloze", "{{c1::Five}} six `==no==`."),
    ]
    assert [(one.place.en, one.why.en[:30]) for one in done.refused] == [("line 5", "its section holds questions or")]
    assert len(learner().col.find_cards("")) == 5


def test_should_take_media_and_refuse_html(tmp_path, take):
    (tmp_path / "pics").mkdir()
    (tmp_path / "pics" / "a b.png").write_bytes(PNG)
    text = "Q: one ![a *map*](<pics/a b.png>)\nA: ![[pics/a b.png|100]] and ![x](https://e.org/x.png)\n\n"
    text += "Q: two\nA: <u>x</u>\n\nQ: three\nA: ![x](../up.png)\n\nQ: four\nA: a<br>b <!-- c -->\n"
    done = take(wrote(tmp_path, text))
    assert [(note.front, note.back) for note in done.deck.notes] == [
        ("one ![a *map*](a-b.png)", "![](a-b.png) and ![x](https://e.org/x.png)"),
        ("four", "a\\\nb"),
    ]
    assert [(one.text, one.why.en) for one in done.refused] == [
        ("two", "it holds HTML (`<u>`), which a card shows as text"),
        ("three", "the medium “../up.png” is missing"),
    ]


@pytest.mark.parametrize("text", ["", "\n\n", "<!-- only -->\n"])
def test_should_refuse_a_file_without_notes(tmp_path, take, text):
    with pytest.raises(UsageError, match="holds no notes"):
        take(wrote(tmp_path, text))


def test_should_say_that_loose_text_is_no_note(tmp_path, take):
    done = take(wrote(tmp_path, "Just prose.\n\n- a list\n"))
    assert not done.written
    assert [one.place.en for one in done.refused] == ["line 1", "line 3"]
