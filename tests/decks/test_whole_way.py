"""From what an author types to the fields in Anki: YAML in every style, check, build, import. Each text arrives."""

from __future__ import annotations

import random
import re
from html import unescape
from pathlib import Path

import pytest

from llmdrills.content import load_workspace
from llmdrills.content.lint import lint
from llmdrills.decks.build import BuildOptions, build
from llmdrills.decks.inspection import inspect
from tests.helpers import random_decks
from tests.helpers.anki_learner import AnkiLearner
from tests.helpers.random_decks import Written

ABOUT_TEXT = {"lost-escape", "cut-by-comment", "left-out-math", "refused-math", "empty-side", "refused"}
FIELD = {"front": "Front", "back": "Back", "extra": "Extra"}


def words(text: str) -> list[str]:
    """What a text says: its letters, digits and signs in order, without what only arranges them."""
    return re.findall(r"[^\W_]+|[<&%/\\=@]", text)


def said(markdown: str) -> list[str]:
    """The words of a source text. Read here by hand, not by the renderer that is tested."""
    text = re.sub(r"^```\w*$", "", markdown, flags=re.MULTILINE)
    text = re.sub(r"^(\d+)\. ", "", text, flags=re.MULTILINE)
    return words(re.sub(r"^\s*> ", "", text, flags=re.MULTILINE))


def shown(html: str) -> list[str]:
    """The words of a field."""
    text = re.sub(r"<!--.*?-->", "", re.sub(r"\\[()\[\]]", "", html))
    return words(unescape(re.sub(r"<(/?)(\w*)[^>]*>", lambda tag: "" if tag[2] == "span" else " ", text)))


@pytest.mark.parametrize("seeds", [range(40), pytest.param(range(40, 700), marks=pytest.mark.slow)])
def test_should_bring_every_text_into_anki_as_it_was_written(tmp_path: Path, seeds: range):
    checked = 0
    for seed in seeds:
        rng = random.Random(seed)
        root = tmp_path / str(seed)
        (root / "decks").mkdir(parents=True)
        text, written = random_decks.deck(rng, "words", 12)
        (root / "decks" / "words.yaml").write_bytes(text.encode())
        workspace = load_workspace(root)
        found = [str(one) for one in (*lint(workspace), *inspect(workspace)) if one.rule in ABOUT_TEXT]
        assert found == [], seed
        build(workspace, root / "build", BuildOptions(release_time=1_700_000_000))
        learner = AnkiLearner(root / "collection")
        try:
            assert len(learner.take(root / "build" / "llmdrills-en.apkg").new) == len(written)
            for one in written:
                checked += _compare(learner, one, seed)
        finally:
            learner.close()
    assert checked > 20 * len(seeds)


def _compare(learner: AnkiLearner, one: Written, seed: int) -> int:
    note = learner.col.get_note(learner.nid(one.id))
    for path, text in one.texts.items():
        field = FIELD.get(path)
        if field:
            assert shown(note[field]) == said(text), (seed, one.id, path, text)
    items = [text for path, text in one.texts.items() if path.startswith("items")]
    if items:
        assert shown(note["Items"]) == [word for text in items for word in said(text)], (seed, one.id)
    return len(one.texts)
