"""What `check` sees of the cards that come out: math, pictures, figures, clozes, empty sides, what cannot be built."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmdrills.content import load_workspace
from llmdrills.decks.build import BuildOptions, build
from llmdrills.decks.inspection import inspect
from llmdrills.errors import BuildError
from tests.decks.test_retire import DECK
from tests.helpers.anki_learner import AnkiLearner

HEAD = "deck: words\ntitle: Words\nlanguages: [en]\nnotes:\n"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{}</svg>'


def workspace(root: Path, *notes: str) -> Path:
    """A workspace in English with notes given by their lines after `id`."""
    (root / "decks" / "figures").mkdir(parents=True, exist_ok=True)
    text = HEAD
    for at, lines in enumerate(notes):
        whole = [f"id: n-{at}", "topic: systems", "sources: [A book]", *lines.strip("\n").split("\n")]
        text += "  - " + "\n    ".join(whole) + "\n"
    (root / "decks" / "words.yaml").write_text(text, "utf-8")
    return root


def found(root: Path) -> list[tuple[str, int]]:
    return [(problem.rule, problem.line) for problem in inspect(load_workspace(root))]


def question(front: str, back: str = "This.", more: str = "") -> str:
    return f"type: question\nfront: |-\n  {front}\nback: |-\n  {back}\n{more}".rstrip("\n")


@pytest.mark.parametrize(
    "text",
    [
        "$x + 1",
        "$ x $",
        r"3$\times$4",
        "$$a\n\n  b$$",
        r"\(x\)",
        r"\[x = 1\]",
        "$5 and $10",
        "| a | b |\n  |---|---|\n  | $|x|$ | 2 |",
    ],
)
def test_should_find_math_that_is_shown_as_it_stands(tmp_path: Path, text: str):
    root = workspace(tmp_path, question(text))
    assert found(root) == [("left-out-math", 9)]
    build(load_workspace(root), root / "build")  # a fault of `check` only
    workspace(tmp_path, question(text, more="waive: {left-out-math: it is meant so}"))
    assert found(root) == []


@pytest.mark.parametrize(
    "text",
    [
        r"\$5 and \$10",
        "`$x` and `\\(y\\)`",
        "```sh\n  echo $HOME\n  ```",
        r"$x$, $$y^2$$ and $a \$ b$",
        r"see \[1\] and \[this\](that)",
        "no math",
    ],
)
def test_should_leave_dollars_and_brackets_that_are_meant(tmp_path: Path, text: str):
    assert found(workspace(tmp_path, question(text))) == []


@pytest.mark.parametrize(
    "text", [r"$\fracc{1}{2}$", r"$\frac{1}{2$", r"$\left( x$", "$x^2^3$", r"$$\begin{matrix} a$$"]
)
def test_should_find_math_that_mathjax_cannot_set(tmp_path: Path, text: str):
    assert found(workspace(tmp_path, question("What?", text))) == [("refused-math", 11)]


def test_should_show_a_dollar_that_was_escaped(tmp_path: Path, learner: AnkiLearner):
    root = workspace(tmp_path / "w", question(r"Is it \$5 or \$10, of $x$?"))
    build(load_workspace(root), root / "build")
    learner.take(root / "build" / "llmdrills-en.apkg")
    assert r"Is it $5 or $10, of \(x\)?" in learner.question("n-0")


@pytest.mark.parametrize("text", ["[a]: http://x.org", "![a](gone.png)", "[a]: x\n  [b]: y"])
def test_should_find_a_side_that_shows_nothing_and_a_picture_that_is_a_word(tmp_path: Path, text: str):
    rules = {rule for rule, _ in found(workspace(tmp_path, question("What?", text)))}
    assert rules == {"left-out-picture"} if "!" in text else {"empty-side"}


@pytest.mark.parametrize(
    "body",
    [
        "<script/>",
        '<rect onload="x()"/>',
        r"<style>a{b:u\72l(http://x)}</style><rect/>",
        r'<style>@\69mport "x"</style><rect/>',
        "<rect style=\"fill:image-set('x' 1x)\"/>",
        '<rect><set attributeName="x" to="javascript:x"/></rect>',
        '<image xlink:href="http://x/y.png"/>',
        "<foreignObject/>",
        "",
    ],
)
def test_should_tell_a_figure_by_what_it_may_hold(tmp_path: Path, body: str):
    root = workspace(tmp_path, question("What?", more="figure: drawn"))
    (root / "decks/figures/drawn.svg").write_text(SVG.format(body))
    assert {rule for rule, _ in found(root)} <= {"figure-refused", "refused"}
    assert found(root)[0][1] == 13
    (root / "decks/figures/drawn.svg").write_text(SVG.format('<rect width="1" height="1" fill="url(#a)"/>'))
    assert found(root) == []


def test_should_refuse_a_doctype_a_pipe_and_a_link_to_elsewhere_without_waiting(tmp_path: Path):
    root = workspace(tmp_path / "w", question("What?", more="figure: drawn"))
    figure = root / "decks/figures/drawn.svg"
    figure.write_text('<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG.format("<rect/>"))
    assert found(root) == [("figure-refused", 13)]
    figure.unlink()
    os.mkfifo(figure)
    assert found(root) == [("refused", 13)]
    figure.unlink()
    (tmp_path / "secret.svg").write_text(SVG.format("<rect/>"))
    figure.symlink_to(tmp_path / "secret.svg")
    with pytest.raises(BuildError, match=r"decks/words\.yaml:13:13: .* is a link to a file outside of the workspace"):
        build(load_workspace(root), root / "build")
    assert found(root) == [("refused", 13)]


def test_should_say_beforehand_what_build_refuses_in_either_language(tmp_path: Path):
    (tmp_path / "decks/figures").mkdir(parents=True)
    (tmp_path / "decks/basics.yaml").write_text(
        DECK.replace("    sources: [A paper]\n\n", "    figure: drawn\n\n"), "utf-8"
    )
    (tmp_path / "decks/figures/drawn.en.light.svg").write_text(SVG.format("<rect/>"))
    (problem,) = inspect(load_workspace(tmp_path))
    assert (problem.rule, problem.line) == ("refused", 16)
    assert "there is no figure 'drawn'" in problem.what
    with pytest.raises(BuildError, match=r"basics\.yaml:16:13: there is no figure"):
        build(load_workspace(tmp_path), tmp_path / "build")


def cloze_note(text: str) -> str:
    return f"type: cloze\nfront: '{text}'"


def test_should_let_a_released_cloze_leave_a_gap_and_keep_its_cards(tmp_path: Path, learner: AnkiLearner):
    root = workspace(tmp_path / "w", cloze_note("{{c1::one}} {{c2::two}} {{c3::three}}"))
    build(load_workspace(root), root / "build", BuildOptions(release_time=1_700_000_000))
    learner.take(root / "build" / "llmdrills-en.apkg")
    third = learner.cards("n-0")[2]
    workspace(root, cloze_note("{{c1::one}} two {{c3::three}}"))
    assert found(root) == []
    build(load_workspace(root), root / "build", BuildOptions(release_time=1_700_001_000))
    learner.take(root / "build" / "llmdrills-en.apkg")
    assert 'data-cloze="three"' in learner.sides(third)[0]
    assert found(root) == []


def test_should_tell_a_cloze_whose_number_asks_what_another_asked(tmp_path: Path):
    root = workspace(tmp_path, cloze_note("{{c1::one}} {{c2::two}} {{c3::three}}"))
    build(load_workspace(root), root / "build")
    workspace(root, cloze_note("{{c1::one}} two {{c2::three}}"))
    (problem,) = inspect(load_workspace(root))
    assert (problem.rule, problem.what) == ("cloze-moved", "c2 of `n-0` asks what c3 asked in the last release")
    workspace(root, cloze_note("{{c1::one}} {{c2::deux}} {{c3::three::a hint}}"))
    assert found(root) == []


@pytest.mark.parametrize("text", ["{{c2::a}}", "{{c1::a}} {{c3::b}}", "{{c1::a}} {{c4::b}} {{c2::c}}"])
def test_should_ask_for_numbers_without_gaps_where_no_card_was_released(tmp_path: Path, text: str):
    assert [rule for rule, _ in found(workspace(tmp_path, cloze_note(text)))] == ["cloze-numbers"]


def test_should_take_braces_in_the_math_of_a_deletion_for_what_they_are(tmp_path: Path, learner: AnkiLearner):
    root = workspace(tmp_path / "w", cloze_note(r"It is {{c1::$\frac{1}{\sqrt{d_{k}}}$}}, $x^{2}$."))
    assert found(root) == []
    build(load_workspace(root), root / "build")
    learner.take(root / "build" / "llmdrills-en.apkg")
    assert r"d_{k" in learner.sides(learner.cards("n-0")[0])[1]


def test_should_find_nothing_in_the_shipped_cards(root: Path):
    assert [str(one) for one in inspect(load_workspace(root)) if "deck.lock" not in str(one.file)] == []


@pytest.mark.parametrize(
    "word", ["[latex]x[/latex]", "[$]x[/$]", "[$$]x[/$$]", "[anki:tts lang=en_US]x[/anki:tts]", "[sound:x.mp3]"]
)
def test_should_show_what_anki_would_take_for_a_command(tmp_path: Path, learner: AnkiLearner, word: str):
    root = workspace(tmp_path / "w", question(f"What is `{word}`?", word.replace("$", r"\$"), f"extra: |-\n  {word}"))
    build(load_workspace(root), root / "build")
    learner.take(root / "build" / "llmdrills-en.apkg")
    question_side, answer = learner.sides(learner.cards("n-0")[0])
    plain = word.replace("[", "[<!-- -->", 1)
    assert plain.split("<!-- -->")[1].split("]")[0] in question_side
    assert "<img" not in answer
    assert "[anki:play" not in answer
    assert learner.col.get_card(learner.cards("n-0")[0]).answer_av_tags() == []
