"""Two katas, what they prove, and a learner's month with them as `stats`, `readiness` and the report see it."""

from __future__ import annotations

from pathlib import Path

from llmdrills.content.model import Deck, Note, Position, Workspace
from llmdrills.language import Bilingual, Language
from llmdrills.practice import report, stats
from llmdrills.practice.rating import Rating
from llmdrills.readiness import NoteReviews, Readiness, assess
from tests.helpers.kata_learner import KataLearner, make_kata, verdict

ATTENTION = make_kata("attention", proves=("ready-attention", "ready-tasks"))
ROPE = make_kata("rope", "position", variants=("interleaved", "half-split"), proves=("ready-tasks",))
KATAS = (ATTENTION, ROPE)
ITEMS = ("ready-attention", "ready-tasks", "ready-moe")


def note(name: str, proves: tuple[str, ...] = ()) -> Note:
    return Note(
        name, "question", "transformer", Position(Path("d.yaml"), 1, 1), Bilingual(name, f"{name} 中"), proves=proves
    )


def workspace() -> Workspace:
    notes = (*map(note, ITEMS), note("n-attention", ("ready-attention",)), note("n-moe", ("ready-moe",)))
    text = Bilingual("d", "d")
    deck = Deck(id="d", title=text, description=text, notes=notes, position=Position(Path("d.yaml"), 1, 1))
    return Workspace(Path(), (deck,), KATAS, ITEMS)


def gather(learner: KataLearner) -> stats.Stats:
    return stats.gather(learner.history, KATAS, learner.clock)


def ready(learner: KataLearner, anki: dict[str, NoteReviews] | None = None) -> Readiness:
    return assess(workspace(), learner.history, learner.clock, anki=anki)


def full_report(learner: KataLearner, language: Language) -> str:
    for day in (0, 2, 9, 30):
        learner.on(day).passes(ATTENTION, Rating.GOOD)
    learner.on(31).fails(ROPE)
    repetition = learner.on(32).begin(ROPE)
    repetition.attempt("code", verdict("wrong", "<b>&pairs"), learner.tick())
    titles = {"rope": Bilingual("RoPE <pairs> & more", "RoPE 配对")}
    return report.render(gather(learner), ready(learner).to_json(), language, titles)
