"""Random histories of releases and of what a learner does in between: nothing of the learner's is ever lost.

Every release is imported by the real Anki backend with the options at their defaults. After each import the collection
is held against what the rules promise (docs/decks.md):

- no review, suspension, flag or due date is lost, and no card moves, whatever was released;
- no note stands twice, no note type is forked, no full sync is asked for;
- a note is updated if and only if the package's time is greater than the collection's, and then says what that says;
- the forecast made from the lock is what the log says, for every note that the learner left alone.

LLMDRILLS_HISTORIES says how many histories are tried; `make soak` tries 500.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from llmdrills.content.model import Note, Workspace
from llmdrills.decks.build import BuildOptions, BuildReport, build
from llmdrills.decks.compose import Composer
from llmdrills.decks.lock import Lock, read_lock
from llmdrills.decks.notetypes import Field, NoteTypeSpec, note_types
from llmdrills.decks.retire import retire
from llmdrills.language import Language
from tests.helpers.anki_learner import AnkiLearner, NoteState
from tests.helpers.small_decks import both, checklist, cloze, deck, note, number

HISTORIES = int(os.environ.get("LLMDRILLS_HISTORIES", "60"))
DECKS = ("alpha", "beta")
HOUR = 3600
WORDS = st.sampled_from(("plain", "more **bold**", "math $a<b$", "`x[::2]`", "中文 $d_k$"))
FIGURES: dict[str, int] = {}
COUNTS = {"histories": 0, "releases": 0, "notes": 0, "acts": 0, "updated": 0, "held back": 0, "retired": 0}


def make(slug: str, words: str) -> Note:
    """A note whose type is fixed by its id: types never change."""
    kind = slug[0]
    if kind == "q":
        return note(slug, f"{slug}: {words}")
    if kind == "c":
        return cloze(slug, f"{slug}: {{{{c1::{words}}}}} and {{{{c2::more}}}}")
    if kind == "l":
        return checklist(slug, words, "two")
    return number(slug, str(len(words)), extra=both(words))


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="history-", dir=os.environ.get("LLMDRILLS_TEST_TMP")))
        self.root = self.folder / "workspace"
        (self.root / "decks").mkdir(parents=True)
        self.learner = AnkiLearner(self.folder / "collection")
        self.decks: dict[str, list[Note]] = {name: [] for name in DECKS}
        self.titles = {name: name.capitalize() for name in DECKS}
        self.retired: dict[str, str] = {}  # id → the deck it was in
        self.pending: list[str] = []  # retired since the last release
        self.reserved: dict[str, str] = {}
        self.css = 0
        self.clock = int(time.time()) - 90 * 24 * HOUR
        self.made = 0
        self.touched: set[str] = set()  # notes whose time the learner moved, or that are gone
        self.schema = 0
        self.last: Lock | None = None
        COUNTS["histories"] += 1

    def teardown(self) -> None:
        try:
            if self.last is not None:  # whatever was left undone comes out in a last release
                self.release(1000, upgrade=True)
        finally:
            self._clean_up()

    def _clean_up(self) -> None:
        self.learner.close()
        shutil.rmtree(self.folder)

    # What authors do

    @initialize(words=WORDS)
    def first_release(self, words: str) -> None:
        for kind in "qcln":
            self._add(kind, words, "alpha", 0)
        self._add("q", words, "beta", 0)
        self.release(jump=1)
        self.schema = self.learner.schema()

    def _add(self, kind: str, words: str, home: str, place: int) -> None:
        self.made += 1
        self.decks[home].insert(place % (len(self.decks[home]) + 1), make(f"{kind}-{self.made}", words))

    def _alive(self) -> list[tuple[str, int]]:
        return [(name, place) for name, notes in self.decks.items() for place in range(len(notes))]

    def _pick(self, which: int) -> tuple[str, int]:
        alive = self._alive()
        return alive[which % len(alive)]

    @rule(kind=st.sampled_from("qcln"), words=WORDS, home=st.sampled_from(DECKS), place=st.integers(0, 9))
    def add(self, kind: str, words: str, home: str, place: int) -> None:
        self._add(kind, words, home, place)

    @rule(which=st.integers(0, 99), words=WORDS)
    def reword(self, which: int, words: str) -> None:
        home, place = self._pick(which)
        old = self.decks[home][place]
        self.decks[home][place] = dataclasses.replace(make(old.id, words), tags=old.tags)

    @rule(which=st.integers(0, 99), tag=st.sampled_from(("one", "two")))
    def retag(self, which: int, tag: str) -> None:
        home, place = self._pick(which)
        old = self.decks[home][place]
        self.decks[home][place] = dataclasses.replace(old, tags=(tag,))

    @rule(which=st.integers(0, 99), second=st.booleans())
    def change_the_clozes(self, which: int, second: bool) -> None:
        home, place = self._pick(which)
        old = self.decks[home][place]
        if old.type == "cloze":
            text = "{{c1::x}} {{c2::y}} {{c3::z}}" if second else "{{c1::$\\frac{a}{{b}}$}} y"
            self.decks[home][place] = dataclasses.replace(cloze(old.id, text), tags=old.tags)

    @precondition(lambda self: len(self._alive()) > 2)
    @rule(which=st.integers(0, 99))
    def remove(self, which: int) -> None:
        home, place = self._pick(which)
        gone = self.decks[home].pop(place)
        line = self.last.notes.get((gone.id, "en")) if self.last else None
        if line and line.retired:  # restored, and gone again before a release
            self.retired[gone.id] = home
        elif line:
            retire(self.root, gone.id, "it was wrong")
            self.last = read_lock(self.root)
            self.retired[gone.id] = home
            self.pending.append(gone.id)

    @precondition(lambda self: self.retired)
    @rule(which=st.integers(0, 99), words=WORDS)
    def restore(self, which: int, words: str) -> None:
        slug = sorted(self.retired)[which % len(self.retired)]
        self.decks[self.retired.pop(slug)].append(make(slug, words))
        if slug in self.pending:
            self.pending.remove(slug)

    @rule(seed=st.randoms(use_true_random=False))
    def reorder(self, seed) -> None:
        for notes in self.decks.values():
            seed.shuffle(notes)

    @rule(which=st.integers(0, 99))
    def move_to_the_other_deck(self, which: int) -> None:
        home, place = self._pick(which)
        other = DECKS[1 - DECKS.index(home)]
        self.decks[other].append(self.decks[home].pop(place))

    @rule(name=st.sampled_from(DECKS), title=st.sampled_from(("Alpha", "Beta", "Renamed")))
    def rename_a_deck(self, name: str, title: str) -> None:
        self.titles[name] = title

    @rule()
    def restyle(self) -> None:
        self.css += 1

    @rule(which=st.integers(0, 99), words=WORDS)
    def fill_a_reserved_field(self, which: int, words: str) -> None:
        home, place = self._pick(which)
        self.reserved[self.decks[home][place].id] = words

    # What the learner does

    def _card_notes(self) -> list[str]:
        """The ids of the notes that the learner has cards of, tombstones left out."""
        rows = self.learner.col.db.list(
            "select distinct flds from notes n join cards c on c.nid = n.id order by n.guid"
        )
        known = {one.id for notes in self.decks.values() for one in notes}
        found = [slug for row in rows for slug in known if slug in row.split("\x1f")]
        return sorted(found)

    def _learn(self, which: int, act: str) -> str | None:
        owned = self._card_notes()
        if not owned:
            return None
        COUNTS["acts"] += 1
        slug = owned[which % len(owned)]
        if act in ("tag", "edit", "delete"):
            self.touched.add(slug)
        if act == "tag":
            self.learner.tag(slug, "mine")
        elif act == "edit":
            self.learner.edit(slug, "my words", field=1)
        elif act == "move":
            self.learner.move(slug, "Mine")
        else:
            getattr(self.learner, act)(slug)
        return slug

    @rule(which=st.integers(0, 99), times=st.integers(1, 3))
    def review(self, which: int, times: int) -> None:
        for _ in range(times):
            self._learn(which, "review")

    @rule(which=st.integers(0, 99), act=st.sampled_from(("suspend", "flag", "move")))
    def treat_a_card(self, which: int, act: str) -> None:
        self._learn(which, act)

    @rule(which=st.integers(0, 99), act=st.sampled_from(("tag", "edit", "delete")))
    def treat_a_note(self, which: int, act: str) -> None:
        self._learn(which, act)

    @rule(which=st.integers(0, 99), act=st.sampled_from(("tag", "edit", "review", "suspend")), words=WORDS)
    def both_touch_the_same_note(self, which: int, act: str, words: str) -> None:
        slug = self._learn(which, act)
        for notes in self.decks.values():
            for place, old in enumerate(notes):
                if old.id == slug:
                    notes[place] = dataclasses.replace(make(old.id, f"{words} again"), tags=old.tags)

    # What is promised

    def _types(self, language: Language) -> dict[str, NoteTypeSpec]:
        out = {}
        for kind, spec in note_types(language).items():
            fields = tuple(
                Field(f.id, "Mnemonic") if f.name == "Reserved1" and self.reserved else f for f in spec.fields
            )
            out[kind] = dataclasses.replace(spec, fields=fields, css=f"{spec.css}/* {self.css} */")
        return out

    def _build(self) -> BuildReport:
        plain = Composer._plain
        reserved = self.reserved

        def filled(composer: Composer, one: Note) -> dict[str, str]:
            return plain(composer, one) | {"Mnemonic": reserved.get(one.id, "")}

        decks = tuple(deck(name, *notes, title=self.titles[name]) for name, notes in self.decks.items())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Composer, "_plain", filled)
            return build(
                Workspace(self.root, decks, ()),
                self.folder / "build",
                BuildOptions(languages=("en",), release_time=self.clock, types=self._types),
            )

    @rule(jump=st.sampled_from((0, 1, 1000)))
    def release_soon(self, jump: int) -> None:
        self.release(jump)

    @rule(jump=st.sampled_from((HOUR, 40 * 24 * HOUR, 200 * 24 * HOUR)))
    def release_later(self, jump: int) -> None:
        self.release(jump)

    @precondition(lambda self: self.retired)
    @rule(jump=st.sampled_from((0, 1000, 40 * 24 * HOUR)))
    def release_an_upgrade(self, jump: int) -> None:
        self.release(jump, upgrade=True)

    def release(self, jump: int, upgrade: bool = False) -> None:
        """`jump` seconds later, but never ahead of the learner's clock by more than hours."""
        self.clock = min(self.clock + jump, int(time.time()) + 12 * HOUR)
        report = self._build()
        lock = read_lock(self.root)
        assert lock is not None
        package = self.folder / "build" / ("llmdrills-en-upgrade.apkg" if upgrade else "llmdrills-en.apkg")
        if not package.exists():
            upgrade, package = False, self.folder / "build" / "llmdrills-en.apkg"
        before = (self.learner.notes(), self.learner.card_states(), self.learner.reviews())
        log = self.learner.take(package)
        self._check_nothing_is_lost(before)
        self._check_updates(before[0], lock, upgrade)
        self._check_forecast(report, lock, log, before[0], upgrade)
        self._check_cards(lock)
        COUNTS["releases"] += 1
        COUNTS["notes"] += len(lock.notes)
        self.last, self.pending = lock, []

    def _check_nothing_is_lost(self, before) -> None:
        _, cards, reviews = before
        now = self.learner.card_states()
        assert {key: now.get(key) for key in cards} == cards, "a card changed"
        assert self.learner.reviews() == reviews
        assert not [name for name in self.learner.note_types() if name.endswith("+")], "a note type was forked"
        assert self.learner.schema() == (self.schema or self.learner.schema()), "a full sync would be asked for"

    def _check_updates(self, before: dict[str, NoteState], lock: Lock, upgrade: bool) -> None:
        now = self.learner.notes()
        alive = {one.id: one for notes in self.decks.values() for one in notes}
        for line in lock.notes.values():
            old, new = before.get(line.guid), now.get(line.guid)
            carried = line.note in alive or upgrade
            if not carried:
                assert old == new, "a note that the package leaves out changed"
                continue
            assert new is not None
            if old is not None and line.mtime <= old.mtime:
                assert new == old, "a note was updated by a package that is not newer"
                COUNTS["held back"] += old.mtime > line.mtime
            else:
                assert new.mtime == line.mtime
                assert line.note in new.fields, "the note does not say what the package says"
                assert ("llmdrills::retired" in new.tags) == (line.note not in alive)
                assert "mine" not in new.tags
                COUNTS["updated"] += old is not None
                COUNTS["retired"] += line.note not in alive

    def _check_forecast(
        self, report: BuildReport, lock: Lock, log, before: dict[str, NoteState], upgrade: bool
    ) -> None:
        """Exact for every note that the collection holds as the previous release left it."""
        said = {one.id: one.status for one in report.forecasts[0].notes}
        by_nid = {state.nid: guid for guid, state in self.learner.notes().items()}
        logged = {by_nid[nid]: status for status in ("new", "updated", "duplicate") for nid in getattr(log, status)}
        assert not log.conflicting
        for line in lock.notes.values():
            held = before.get(line.guid)
            previous = self.last.notes.get((line.note, "en")) if self.last else None
            as_released = (held is None and previous is None) or (
                held is not None and previous is not None and held.mtime == previous.mtime
            )
            if line.note in self.touched or not as_released or line.guid not in logged:
                continue
            expected = {"new": "new", "updated": "updated", "unchanged": "duplicate", "retired": "updated"}
            if line.note in said:
                assert logged[line.guid] == expected[said[line.note]], line.note

    def _check_cards(self, lock: Lock) -> None:
        """Every live note has the cards that its text asks for: the log alone would not tell."""
        cards = self.learner.card_states()
        alive = {one.id for notes in self.decks.values() for one in notes}
        for line in lock.notes.values():
            if line.note in alive:
                assert {(line.guid, card) for card in line.cards} <= set(cards)
        offered = self.learner.empty_cards()
        now = self.learner.notes()
        blank = {state[0] for (guid, _), state in cards.items() if "llmdrills::retired" in now[guid].tags}
        assert blank <= offered, "Empty Cards does not offer the cards of a retired note"

    @rule()
    def use_empty_cards(self) -> None:
        cards = self.learner.card_states()
        offered = self.learner.empty_cards(delete=True)
        gone = {key[0] for key, state in cards.items() if state[0] in offered}
        assert self.last is not None
        self.touched.update(line.note for line in self.last.notes.values() if line.guid in gone)


@pytest.mark.slow
def test_should_lose_nothing_in_any_history():
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=25,
            deadline=None,
            derandomize=HISTORIES <= 100,  # the everyday run is the same each time; the soak looks for new ground
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(COUNTS)
    assert COUNTS["releases"] > HISTORIES
