"""A learner's own mistakes become cards of a deck of their own, and leave it once they are beaten."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmdrills.content import load_workspace
from llmdrills.content.model import Workspace
from llmdrills.mine import build_mine
from llmdrills.practice.history import History
from llmdrills.practice.rating import Rating
from tests.helpers.anki_learner import AnkiLearner
from tests.helpers.kata_learner import KataLearner, verdict

CODE = '''\
import torch


def helper(x):
    return x * 2  # mine


def rms_norm(x, weight, eps=1e-6):
    """Normalise."""
    # here it goes wrong
    return helper(x) * weight
'''


@pytest.fixture
def workspace(small: Path) -> Workspace:
    return load_workspace(small)


@pytest.fixture
def practised(history: History, tmp_path: Path) -> KataLearner:
    return KataLearner(history, tmp_path / "practice")


def slip_of(workspace: Workspace) -> str:
    return next(slip.id for slip in workspace.katas[0].slips if slip.card)


def fails(learner: KataLearner, workspace: Workspace, day: int, code: str = CODE) -> None:
    kata = workspace.katas[0]
    repetition = learner.on(day).begin(kata)
    repetition.attempt(code, verdict("wrong", slip_of(workspace)), learner.tick())
    repetition.attempt("code", verdict(), learner.tick())
    repetition.rate(now=learner.tick())


def test_should_make_a_card_of_a_mistake_and_retire_it_once_beaten(
    practised: KataLearner, history: History, workspace: Workspace, learner: AnkiLearner, tmp_path: Path
) -> None:
    folder, out = tmp_path / "data" / "mine", tmp_path / "out"
    assert build_mine(workspace, history, folder, out).packages == ()
    fails(practised, workspace, 0)
    built = build_mine(workspace, history, folder, out)
    assert [path.name for path in built.packages] == ["llmdrills-mine-en.apkg", "llmdrills-mine-zh.apkg"]
    assert (built.notes, built.retired) == (1, 0)
    assert learner.take(out / "llmdrills-mine-en.apkg").counts == (1, 0, 0, 0)
    name = f"mine-rms-norm-{slip_of(workspace)}"
    assert learner.deck_of(name) == "LLM Drills::Mine"
    front, back = learner.sides(learner.cards(name)[0])
    assert "2026-03-02" in front
    assert "helper" in front
    assert "here it goes wrong" not in front
    assert "The right line:" in back
    learner.review(name)
    reviews = learner.reviews()
    kata = workspace.katas[0]
    for day in (3, 9):
        practised.on(day).passes(kata, Rating.GOOD)
    beaten = build_mine(workspace, history, folder, out)
    assert (beaten.notes, beaten.retired) == (0, 1)
    learner.take(out / "llmdrills-mine-en-upgrade.apkg")
    assert len(learner.empty_cards()) == 1
    fails(practised, workspace, 12, CODE.replace("* 2", "* 3"))
    again = build_mine(workspace, history, folder, out)
    assert (again.notes, again.retired) == (1, 0)
    assert not (out / "llmdrills-mine-en-upgrade.apkg").exists()
    assert learner.reviews() == reviews


def test_should_leave_the_workspace_and_its_lock_alone(
    practised: KataLearner, history: History, workspace: Workspace, learner: AnkiLearner, tmp_path: Path
) -> None:
    fails(practised, workspace, 0)
    before = {path: path.read_bytes() for path in workspace.root.rglob("*") if path.is_file()}
    build_mine(workspace, history, tmp_path / "data" / "mine", tmp_path / "out")
    assert {path: path.read_bytes() for path in workspace.root.rglob("*") if path.is_file()} == before
    assert (tmp_path / "data" / "mine" / "decks" / "deck.lock").exists()
    from llmdrills.decks.build import BuildOptions, build

    build(workspace, tmp_path / "theirs", BuildOptions(languages=("en",)))
    ours = learner.take(tmp_path / "theirs" / "llmdrills-en.apkg")
    mine = learner.take(tmp_path / "out" / "llmdrills-mine-en.apkg")
    assert mine.counts == (1, 0, 0, 0)
    assert not ours.conflicting


def test_should_take_nothing_that_was_no_mistake_of_the_learners(
    practised: KataLearner, history: History, workspace: Workspace, tmp_path: Path
) -> None:
    kata = workspace.katas[0]
    for diagnosis in ("recognised-scaled", "an-id-of-long-ago", f"variant-{kata.variants[0].id}"):
        repetition = practised.on(0).begin(kata)
        repetition.attempt(CODE, verdict("wrong", diagnosis), practised.tick())
    assert build_mine(workspace, history, tmp_path / "mine", tmp_path / "out").notes == 0


@pytest.mark.parametrize(
    "code", ["def other(x):\n    return x\n", "x = (\n", "```\ndef rms_norm(x):\n    return '```'\n"]
)
def test_should_show_any_code(
    practised: KataLearner, history: History, workspace: Workspace, learner: AnkiLearner, tmp_path: Path, code: str
) -> None:
    fails(practised, workspace, 0, code)
    build_mine(workspace, history, tmp_path / "mine", tmp_path / "out")
    assert learner.take(tmp_path / "out" / "llmdrills-mine-zh.apkg").counts == (1, 0, 0, 0)


def test_should_build_mine_by_command(run, small: Path) -> None:
    english, chinese = (run("build", "--mine", "--lang", lang, cwd=small) for lang in ("en", "zh"))
    assert english.code == chinese.code == 0
    assert "nothing to build" in english.out
    assert "没有" in chinese.out
    assert run("build", "--mine", "--json", cwd=small).json == {"schema": 1, "packages": [], "notes": 0, "retired": 0}
