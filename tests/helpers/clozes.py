"""Clozes that are hard to end where their author ended them."""

from __future__ import annotations

# What Anki's own reading (the tests with the backend hold it) makes of these is in the second column.
CLOZES = {
    "math that ends in braces": (r"{{c1::$\frac{a}{\sqrt{d}}$}}", r"{{c1::\(\frac{a}{\sqrt{d}<!-- -->}\)}}"),
    "a brace before the end": ("{{c1::{x}}}", "{{c1::{x}<!-- -->}}"),
    "a slice": ("{{c1::`x[::2]`}}", "{{c1::<code>x[:<!-- -->:2]</code>}}"),
    "a slice and a hint": ("{{c1::`x[::2]`::a slice}}", "{{c1::<code>x[:<!-- -->:2]</code>::a slice}}"),
    "a hint": ("{{c2::**x**::what}}", "{{c2::<strong>x</strong>::what}}"),
    "inside math": ("$x_{{{c1::i}}}$", r"\(x_{{{c1::i}}}\)"),
    "nested": ("{{c1::a {{c2::b}} c}}", "{{c1::a {{c2::b}} c}}"),
    "a dictionary": ("{{c1::`{'a': {1}}`}}", "{{c1::<code>{'a': {1}<!-- -->}</code>}}"),
    "emphasis around": ("**{{c1::x)}}**", "<strong>{{c1::x)}}</strong>"),
    "text around braces": ("{{a}} {{c1::b}} }}", "{{a}} {{c1::b}} }}"),
}
