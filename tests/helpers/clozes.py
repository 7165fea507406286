"""Clozes that are hard to end where their author ended them."""

from __future__ import annotations

from typing import NamedTuple


class Cloze(NamedTuple):
    """What the author writes, the field that is built from it, and the text that Anki shows once it is answered."""

    source: str
    field: str
    shown: str


CLOZES = {
    "math that ends in braces": Cloze(
        r"{{c1::$\frac{a}{\sqrt{d}}$}}", r"{{c1::\(\frac{a}{\sqrt{d}<!-- -->}\)}}", r"\(\frac{a}{\sqrt{d}}\)"
    ),
    "a brace before the end": Cloze("{{c1::{x}}}", "{{c1::{x}<!-- -->}}", "{x}"),
    "a slice": Cloze("{{c1::`x[::2]`}}", "{{c1::<code>x[:<!-- -->:2]</code>}}", "x[::2]"),
    "a slice and a hint": Cloze("{{c1::`x[::2]`::a slice}}", "{{c1::<code>x[:<!-- -->:2]</code>::a slice}}", "x[::2]"),
    "a hint": Cloze("{{c2::**x**::what}}", "{{c2::<strong>x</strong>::what}}", "x"),
    "inside math": Cloze("$x_{{{c1::i}}}$", r"\(x_{{{c1::i}}}\)", r"\(x_{i}\)"),
    "nested": Cloze("{{c1::a {{c2::b}} c}}", "{{c1::a {{c2::b}} c}}", "a b c"),
    "a dictionary": Cloze("{{c1::`{'a': {1}}`}}", "{{c1::<code>{'a': {1}<!-- -->}</code>}}", "{'a': {1}}"),
    "emphasis around": Cloze("**{{c1::x)}}**", "<strong>{{c1::x)}}</strong>", "x)"),
    "text around braces": Cloze("{{a}} {{c1::b}} }}", "{{a}} {{c1::b}} }}", "{{a}} b }}"),
}
