"""`--live` and `push` against Anki's own window and the add-on itself: docs/decks.md says how this is run.

It skips where they are not installed, and says what is lacking. Keys are pressed in the window as a learner presses
them: reviews, an edit in the editor, another profile.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ran
from tests.helpers.anki_desktop import PROFILES, Desktop, Screen, lacking, soon, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(lacking()), reason=lacking() or "all is here"),
    pytest.mark.timeout(900),
]

KEY = "a key"
DECK = """\
deck: small
title: Small
languages: [en]
notes:
  - id: scale
    type: question
    topic: transformer
    front: "Why divide by $\\\\sqrt{d_k}$?"
    back: To keep the variance at 1.
    sources: [A paper]
  - id: holes
    type: cloze
    topic: transformer
    front: The {{c1::query}} meets the {{c2::key}}.
    sources: [A paper]
"""


@pytest.fixture
def screen() -> Iterator[Screen]:
    found = Screen()
    yield found
    found.close()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "small"
    (folder / "decks").mkdir(parents=True)
    (folder / "decks" / "small.yaml").write_text(DECK, "utf-8")
    return folder


@pytest.fixture
def desktop(tmp_path: Path, screen: Screen) -> Iterator[Desktop]:
    """Anki with the add-on, its profile open."""
    made = Desktop(tmp_path / "anki", screen, key=KEY)
    try:
        made.start()
        until("AnkiConnect", lambda: made.ask("version"))
        yield made
    finally:
        made.close()


def settings(desktop: Desktop, key: str = KEY) -> dict[str, str]:
    return {
        "LLMDRILLS_ANKI_URL": desktop.url,
        "LLMDRILLS_ANKI_KEY": key,
        "ANKI_BASE": str(desktop.base),
    }


def reviewed(desktop: Desktop) -> int:
    return len(desktop.ask("findCards", query="deck:LLM* rated:1"))


def review(desktop: Desktop, cards: int) -> None:
    """Press what a learner presses: s to study, the space bar for the answer and once more for Good."""
    desktop.ask("guiDeckOverview", name="LLM Drills::Small")

    def studying() -> Any:
        desktop.screen.press("s")
        return soon(lambda: desktop.ask("guiCurrentCard"), 3)

    until("a card", studying)
    for done in range(cards):

        def answered(before: int = done) -> bool:
            desktop.screen.press("space")
            return bool(soon(lambda: reviewed(desktop) > before, 2))

        until("an answer", answered)


def edit_the_card_shown(desktop: Desktop, added: str) -> str:
    """Open the editor (e), write at the end of the first field, and close it; the note's first field."""
    nid = desktop.ask("cardsInfo", cards=[desktop.ask("guiCurrentCard")["cardId"]])[0]["note"]

    def field() -> str:
        fields = desktop.ask("notesInfo", notes=[nid])[0]["fields"]
        return str(next(one["value"] for one in fields.values() if one["order"] == 0))

    desktop.screen.press("e")
    until("the editor", lambda: "Edit Current" in desktop.screen.windows())

    def written() -> bool:
        desktop.screen.write(added)  # which goes nowhere before the editor's page is there
        return bool(soon(lambda: added.strip() in field(), 4))

    until("the text in the field", written)
    desktop.screen.shoot("editor")
    desktop.screen.press("Escape")
    until("the editor to close", lambda: "Edit Current" not in desktop.screen.windows())
    return field()


def test_should_push_import_examine_and_pull_with_the_window_open(run: Any, workspace: Path, desktop: Desktop) -> None:
    env = settings(desktop)
    assert run("build", cwd=workspace).code == 0
    pushed = run("anki", "push", "--yes", cwd=workspace, env=env)
    assert "In Anki: 2 new, 0 updated" in pushed.out
    assert desktop.ask("deckNames")[-1] == "LLM Drills::Small"
    desktop.screen.shoot("pushed")
    review(desktop, 2)
    taken = run("anki", "import", "--live", "--json", cwd=workspace, env=env).json
    assert (taken["notes"], taken["new"], taken["reviews"]) == (2, 2, 2)
    assert run("anki", "doctor", "--live", cwd=workspace, env=env).code == 0
    field = edit_the_card_shown(desktop, " of my own")
    examined = run("anki", "doctor", "--live", "--json", cwd=workspace, env=env)
    assert (examined.code, examined.json["counts"]) == (1, {"current": 1, "edited": 1})
    looked = run("anki", "push", "--dry-run", cwd=workspace, env=env)
    assert "edited or tagged in Anki since, so Anki leaves them" in looked.out
    assert "Texts written: 1." in run("anki", "pull", "--live", "--yes", cwd=workspace, env=env).out
    assert run("check", "--quick", cwd=workspace).code == 0
    assert run("build", cwd=workspace).code == 0
    again = run("anki", "push", "--yes", cwd=workspace, env=env)
    assert "In Anki: 0 new, 1 updated, 1 unchanged. Reviews: 2 before, 2 now." in again.out
    desktop.screen.shoot("pushed-again")
    assert run("anki", "doctor", "--live", cwd=workspace, env=env).code == 0
    assert "of my own" in field
    assert "of my own" in (workspace / "decks" / "small.yaml").read_text()
    # The file itself, while Anki holds it, says the same.
    file = desktop.base / PROFILES[0] / "collection.anki2"
    assert run("anki", "doctor", file, cwd=workspace).code == 0
    assert run("anki", "import", file, "--json", cwd=workspace).json["new"] == 0


def test_should_refuse_to_empty_a_field_of_the_learners_own(run: Any, workspace: Path, desktop: Desktop) -> None:
    env = settings(desktop)
    assert run("build", cwd=workspace).code == 0
    assert run("anki", "push", "--yes", cwd=workspace, env=env).code == 0
    desktop.ask("modelFieldAdd", modelName="LLM Drills Question (en)", fieldName="Mine")
    (nid,) = desktop.ask("findNotes", query="NoteId:scale")
    desktop.ask("updateNoteFields", note={"id": nid, "fields": {"Mine": "my own words"}})
    deck = workspace / "decks" / "small.yaml"
    deck.write_text(deck.read_text().replace("variance", "spread"))
    later = {"SOURCE_DATE_EPOCH": str(int(time.time()) + 60)}  # in the second of the edit it would not be newer
    assert run("build", cwd=workspace, env=later).code == 0
    refused = run("anki", "push", "--yes", cwd=workspace, env=env)
    assert refused.code == 2
    assert "would empty your own field Mine in these notes (1): en scale" in refused.err
    assert desktop.ask("notesInfo", notes=[nid])[0]["fields"]["Mine"]["value"] == "my own words"
    assert "own-field" in run("anki", "doctor", "--live", "--json", cwd=workspace, env=env).json["counts"]


def test_should_say_what_is_wrong_with_key_profile_and_window(run: Any, workspace: Path, desktop: Desktop) -> None:
    assert run("build", cwd=workspace).code == 0

    def fault(**changed: str) -> str:
        found: list[Ran] = [
            run("anki", *words, cwd=workspace, env={**settings(desktop), **changed})
            for words in (("import", "--live"), ("push", "--yes"))
        ]
        assert [one.code for one in found] == [2, 2]
        assert found[0].err == found[1].err
        return found[0].err

    assert "does not accept the key" in fault(LLMDRILLS_ANKI_KEY="another")
    assert "AnkiConnect asks for its key" in fault(LLMDRILLS_ANKI_KEY="")
    desktop.screen.press("ctrl+shift+p")
    until("the profiles", lambda: "Profiles" in desktop.screen.windows())
    desktop.screen.shoot("profiles")
    assert "no profile is open" in fault()
    desktop.close()
    closed = fault()
    assert "Anki is not running" in closed
    assert "add-on" not in closed


def test_should_say_that_the_add_on_is_missing(run: Any, workspace: Path, tmp_path: Path, screen: Screen) -> None:
    bare = Desktop(tmp_path / "bare", screen, addon=False)
    try:
        bare.start()
        ran = run("anki", "doctor", "--live", cwd=workspace, env=settings(bare, ""))
        assert ran.code == 2
        assert "nothing was built yet" in ran.err
        assert run("build", cwd=workspace).code == 0
        ran = run("anki", "doctor", "--live", cwd=workspace, env=settings(bare, ""))
        assert (ran.code, "its add-on AnkiConnect is missing" in ran.err) == (2, True)
    finally:
        bare.close()
