"""Whatever a field or a cell holds arrives as it was: thousands of random texts, by tables and by Basic notes."""

from __future__ import annotations

import csv
import io
import random
import re
from html import escape, unescape
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmdrills.decks.markdown import render, render_cloze
from llmdrills.importing.found import CannotTakeError
from llmdrills.importing.media import MediaBox
from llmdrills.importing.proving import prove

PIECES = [
    *("$", "$$", "*", "**", "_", "__", "`", "```", "~", "~~~", "#", "##", "\\", "\\\\", "|", "---", "===", "- "),
    *("1. ", "2) ", "> ", "[", "]", "[[x]]", "[a](b)", "![a](b.png)", "{{", "}}", "{{c1::x}}", "::", "{", "}", "<"),
    *("&", "&amp;", "&lt;", "&#65;", "<b>", "</b>", "<br>", "<!-- c -->", "[sound", "\\(", "\\[", "!", ">", "+ "),
    *("a", "b", "word", "两", "字。", " ", "  ", "\n", "\n\n", "é", "😀", "\u00a0", "0", "9", "'", '"', ":", ","),
    *(";", "\t", "==x==", "http://a.b/?c=1&d"),
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), min_size=1, max_size=14).map("".join)
SPOILT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufdd0-\ufddf\ufffe\uffff\ud800-\udfff]")


def said(text: str) -> str:
    """A plain text as lines of words."""
    return " ".join(SPOILT.sub("", text.replace("\x85", " ").replace("\u2028", " ").replace("\u2029", " ")).split())


def shown(html: str) -> str:
    """What HTML shows, as the same; read by hand."""
    html = re.sub(r"<!--.*?-->", "", html)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def no_math(text: str) -> bool:
    """Without what Anki would set as math."""
    return not re.search(r"\\\(.+?\\\)|\\\[.+?\\\]|\[\$\$?\].+?\[/\$\$?\]|\[latex\]|\[sound:.*?\]", text, re.DOTALL)


@settings(max_examples=4000, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(TEXTS.filter(no_math))
def test_should_show_every_plain_text_as_it_was(text: str):
    html = "<br>".join(escape(line, quote=False) for line in re.split("\r\n|\r|\n", text))
    found = prove(html, MediaBox(None, Path("/nowhere")))
    assert shown(render(found.text)).replace(" ", "") == said(text).replace(" ", "")
    assert "[[x]]" not in found.text
    assert "{{c1::" not in found.text


TAGS = ["b", "i", "u", "code", "div", "p", "ul", "li", "span", "h2", "blockquote", "pre", "s"]


@st.composite
def html_fields(draw) -> str:
    parts = []
    for _ in range(draw(st.integers(1, 10))):
        tag = draw(st.sampled_from(TAGS))
        parts.append(draw(st.sampled_from([f"<{tag}>", f"</{tag}>", "<br>", "&nbsp;"])))
        parts.append(escape(draw(st.sampled_from(PIECES)), quote=False))
    return "".join(parts)


@settings(max_examples=3000, deadline=None)
@given(html_fields().filter(lambda html: no_math(unescape(re.sub("<[^>]*>", "", html)))))
def test_should_lose_no_word_of_any_html_that_is_taken(html: str):
    try:
        found = prove(html, MediaBox(None, Path("/nowhere")))
    except CannotTakeError:
        return
    assert shown(render(found.text)).replace(" ", "") == shown(html).replace(" ", "")


@settings(max_examples=2000, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=5).map("".join), TEXTS, st.lists(st.sampled_from(PIECES), max_size=5))
def test_should_hide_in_a_cloze_what_anki_hides(before: str, inside: str, after: list[str]):
    html = escape(f"{before}{{{{c1::{inside}}}}}{''.join(after)}", quote=False).replace("\n", "<br>")
    try:
        found = prove(html, MediaBox(None, Path("/nowhere")), deletions=True)
    except CannotTakeError:
        return
    if no_math(unescape(html)):
        assert hidden(render_cloze(found.text)) == hidden(html)


def hidden(html: str) -> list[tuple[int, str]]:
    """The outermost deletions as Anki finds them: `{{cN::` and the next `}}` that is not another's; with their hints.

    Numbers count from the lowest, because a new card has no gap below it.
    """
    found, open_ = [], []
    html = SPOILT.sub("", html)
    for token in re.finditer(r"\{\{c(\d+)::|\}\}", html):
        if token[1]:
            open_.append((int(token[1]), token.end()))
        elif open_:
            number, start = open_.pop()
            found.append((number, shown(html[start : token.start()]).replace(" ", "")))
    numbers = sorted({number for number, _ in found})
    return [(numbers.index(number), text) for number, text in found]


@pytest.mark.parametrize("seed", range(3))
def test_should_bring_random_texts_from_tables_and_notes_into_anki(seed, take, learner, author, tmp_path):
    rng = random.Random(seed)

    def text(number: int) -> str:
        made = "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 12)))
        return f"A{seed}x{number} {made} z" if no_math(made) else f"A{seed}x{number} z"

    rows = [(text(2 * number), text(2 * number + 1)) for number in range(400)]
    written = io.StringIO()
    csv.writer(written, delimiter="\t" if seed else ",").writerows(rows)
    head = f"#separator:{'tab' if seed else 'comma'}\n#html:false\n"
    (tmp_path / "rows.csv").write_bytes((head + written.getvalue()).encode())
    done = take(tmp_path / "rows.csv")
    pairs = list(rows)
    clozes = [one for one in pairs if re.search(r"\{\{c1::x\}\}", one[0])]
    for front, back in [(text(2000 + number), text(3000 + number)) for number in range(200)]:
        as_html = [escape(one, quote=False).replace("\n", "<br>") for one in (front, back)]
        author.add("Basic", *as_html)
        pairs.append((front, back))
    basics = take(author.export("basics.apkg"))
    assert basics.refused == ()
    anki = learner()
    found = {}
    for nid in anki.col.find_notes(""):
        note = anki.col.get_note(nid)
        name = "Text" if "Text" in note.keys() else "Front"  # noqa: SIM118
        front = shown(note[name])
        found[front.split()[0]] = (front, shown(note["Back"]))
    missing = [pair for pair in pairs if pair[0].split()[0] not in found]
    assert len(missing) == len(done.refused) <= len(clozes)
    for front, back in pairs:
        if (front, back) not in missing:
            said_now = tuple(one.replace(" ", "") for one in found[front.split()[0]])
            assert said_now == (said(front).replace(" ", ""), said(back).replace(" ", ""))
