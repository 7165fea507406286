"""Markdown to fields: math, code, raw HTML, and clozes that Anki reads as their author meant them."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmdrills.decks.cloze import ordinals
from llmdrills.decks.code import highlight
from llmdrills.decks.markdown import render, render_cloze, render_inline
from llmdrills.decks.pycode import python_pieces
from tests.helpers.clozes import CLOZES

VOID = {"br", "hr", "img", "input"}  # they have no content and no end tag; `<br />` is written for `<br>`


class Tags(HTMLParser):
    """The tags of a text, and whether each that opens closes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.open: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in VOID, f"<{tag} /> opens and never closes: HTML reads the slash in void elements only"
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def tags_of(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    tags.close()
    return tags


ALLOWED = {
    *(
        "a",
        "blockquote",
        "br",
        "code",
        "del",
        "div",
        "em",
        "hr",
        "input",
        "li",
        "ol",
        "p",
        "pre",
        "span",
        "strong",
        "ul",
    ),
    *("h1", "h2", "h3", "h4", "h5", "h6", "table", "tbody", "td", "th", "thead", "tr"),
}


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("a **b** `c`", "<p>a <strong>b</strong> <code>c</code></p>"),
        ("$a<b$ and $$x$$", r"<p>\(a&lt;b\) and \[x\]</p>"),
        ("it costs $5 and $6", "<p>it costs $5 and $6</p>"),
        ("<b>x</b><script>y</script>", "<p>&lt;b&gt;x&lt;/b&gt;&lt;script&gt;y&lt;/script&gt;</p>"),
        ("~~x~~", "<p><del>x</del></p>"),
        ("**注意力（attention）**是", "<p><strong>注意力（attention）</strong>是</p>"),
        ("![alt](https://example.org/x.png)", '<p><a href="https://example.org/x.png">alt</a></p>'),
        ("![alt](x.png)", "<p>alt</p>"),
        ("[x](javascript:alert(1))", '<p><a href="">x</a></p>'),
        ("`$x$` and `a{{b}}`", "<p><code>$x$</code> and <code>a{{b}}</code></p>"),
        ("[sound:x.mp3]", "<p>[<!-- -->sound:x.mp3]</p>"),
    ],
)
def test_should_make_of_markdown_what_anki_shows(markdown: str, html: str):
    assert render(markdown) == html


def test_should_keep_the_math_of_a_table():
    assert r"\(n^2\)" in render("| a | b |\n|---|---|\n| $n^2$ | x |")


def test_should_show_an_html_block_as_text():
    assert render("<div>\n<script>x</script>\n</div>").count("<") == 0


def test_should_drop_the_paragraph_of_inline_text_but_keep_those_of_several():
    assert render_inline("a *b*") == "a <em>b</em>"
    assert render_inline("a\n\nb") == "<p>a</p>\n<p>b</p>"


def test_should_colour_python_with_classes_of_the_style():
    html = highlight("def f(x):  # why\n    return 'a' < 1", "python")
    assert html == (
        '<span class="k">def</span> <span class="nf">f</span>(x):  <span class="c"># why</span>\n'
        '    <span class="k">return</span> <span class="s">\'a\'</span> &lt; <span class="m">1</span>'
    )


def test_should_colour_another_language_by_pygments_and_escape_an_unknown_one():
    assert '<span class="nb">echo</span>' in highlight("echo hi", "bash")
    assert highlight("<x>", "no-such-language") == "&lt;x&gt;"


@given(st.text())
def test_should_give_the_code_back_from_python_pieces(code: str):
    assert "".join(text for _, text in python_pieces(code)) == code


@example("\\\n1")  # <br />
@example("a  \n1")  # the same, by two spaces
@example("---")  # <hr />
@given(st.text(alphabet=st.sampled_from("ab<>&$`*_~{}[]()|#-:\n\"'\\!1 中c/=")))
def test_should_let_no_text_make_markup_of_its_own(text: str):
    for html in (render(text), render_cloze(text)):
        tags = tags_of(re.sub("<!-- -->", "", html))
        assert not tags.open
        assert tags.seen <= ALLOWED
        assert "img" not in tags.seen
        assert not {name for name in tags.attributes if name.startswith("on") or name in {"src", "style"}}


@pytest.mark.parametrize("name", CLOZES)
def test_should_end_a_cloze_where_its_author_ended_it(name: str):
    assert render_cloze(CLOZES[name].source) == f"<p>{CLOZES[name].field}</p>"


def test_should_keep_the_colours_inside_a_cloze_in_code():
    html = render_cloze("```python\nreturn {{c1::x[::2] + f(1)}}  # {{c2::why::a hint}}\n```")
    assert html == (
        '<pre><code><span class="k">return</span> '
        '{{c1::x[:<!-- -->:<span class="m">2</span>] + f(<span class="m">1</span>)}}  '
        '<span class="c"># </span>{{c2::<span class="c">why</span>::<span class="c">a hint</span>}}</code></pre>'
    )


def test_should_make_cards_of_closed_deletions_only():
    assert ordinals("{{c2::a}} {{c1::b}} {{c1::c}} {{c7::open") == (0, 1)
    assert ordinals("{{c0::a}} nothing") == ()
