"""Random histories of a workspace of files and of a learner with habits of their own: nothing is lost on the way.

More than tests/decks/test_histories.py, which holds the forecasts of one language to Anki's log: here two languages are
read from YAML, one is dropped and comes back, edits made in Anki are pulled and released, old packages are imported
once more, and the learner gives our note types fields and card templates of their own and renames ours. After each
import, with the real Anki backend:

- no review and no card is lost or changed, no note of ours is lost, and no guid stands twice;
- a note that was there says what it said before, or, where the package is newer and Anki takes its type for ours, what
  the package says: so an edit with a later time stays, and so do the words in a field of the learner's own;
- what `anki pull` took over stands in the note once its release is imported, and what it left it had shown;
- `anki doctor` names every note's state as the bytes of the packages and of the collection have it;
- `anki push`, which imports as the add-on does, does what it said before, or refuses where it would empty a field.

LLMDRILLS_HISTORIES says how many histories are tried; `make soak` tries 500.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from anki.importing import _LegacyAnkiPackageImporter
from anki.models import ModelManager
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from llmdrills.anki.doctor import examine
from llmdrills.anki.live import read_path
from llmdrills.anki.ours import our_guids
from llmdrills.anki.pull import Pull, pull
from llmdrills.anki.push import check_own_words, expect
from llmdrills.anki.reading import Collection
from llmdrills.decks.build import BuildOptions, build, planned
from llmdrills.decks.lock import NoteLine
from llmdrills.errors import UsageError
from tests.helpers.anki_learner import AnkiLearner, NoteState
from tests.helpers.packages import Package, Packed, Schema, read_package, schema_of
from tests.helpers.yaml_workspace import BOTH, YamlWorkspace

HISTORIES = int(os.environ.get("LLMDRILLS_HISTORIES", "25"))
DECKS = st.sampled_from(("alpha", "beta"))
LANGUAGES = st.sampled_from(BOTH)
WORDS = st.sampled_from(("plain", "more **bold**", "math $a<b$", "`x[::2]`", "中文 $d_k$"))
HOUR = 3600
MARK = re.compile(r"(?:mine|own)\d+x")
"""A word that the learner wrote: no two are the same, and each can be found wherever it went."""
COUNTS: Counter[str] = Counter()
Name = tuple[str, str]  # a note's id and its language


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="history-", dir=os.environ.get("LLMDRILLS_TEST_TMP")))
        self.author = YamlWorkspace(self.folder / "workspace")
        self.learner = AnkiLearner(self.folder / "collection")
        self.clock = int(time.time()) - 90 * 24 * HOUR
        self.archive: list[Path] = []  # every package of every release
        self.released: dict[str, Packed] = {}  # by guid, what the last release says, the retired notes included
        self.types: dict[int, Schema] = {}  # of ours, by id
        self.marks = 0
        self.reworded: set[str] = set()  # by the author, since the last release
        self.came_back: set[Name] = set()  # by a pull, since the last release
        self.told: set[Name] = set()  # notes of which a pull said that the next release replaces them as a whole
        COUNTS["histories"] += 1

    def teardown(self) -> None:
        try:
            if self.released:  # whatever was left undone comes out in a last release
                self.release(1000)
                self.take_packages()
                self.take_upgrades()
        finally:
            self.learner.close()
            shutil.rmtree(self.folder)

    # ---- what authors do ------------------------------------------------------------------------------

    @initialize(words=WORDS)
    def first_release(self, words: str) -> None:
        for kind in "qcln":
            self.author.add(kind, words, "alpha", 0)
        self.author.add("q", words, "beta", 0)
        self.release(1)
        self.take_packages()

    def _pick(self, which: int) -> tuple[str, int]:
        places = self.author.places()
        return places[which % len(places)]

    @rule(kind=st.sampled_from("qcln"), words=WORDS, deck=DECKS, place=st.integers(0, 9))
    def add(self, kind: str, words: str, deck: str, place: int) -> None:
        self.author.add(kind, words, deck, place)

    @rule(which=st.integers(0, 99), words=WORDS)
    def reword(self, which: int, words: str) -> None:
        self.reworded.add(self.author.reword(*self._pick(which), words))

    @rule(which=st.integers(0, 99), tag=st.sampled_from(("one", "two")))
    def retag(self, which: int, tag: str) -> None:
        self.reworded.add(self.author.change(*self._pick(which), tags=[tag]))

    @precondition(lambda self: len(self.author.places()) > 2)
    @rule(which=st.integers(0, 99))
    def remove(self, which: int) -> None:
        self.reworded.add(self.author.remove(*self._pick(which)))

    @precondition(lambda self: self.author.retired)
    @rule(which=st.integers(0, 99), words=WORDS)
    def restore(self, which: int, words: str) -> None:
        slug = sorted(self.author.retired)[which % len(self.author.retired)]
        self.author.restore(slug, words)
        self.reworded.add(slug)

    @rule(rng=st.randoms(use_true_random=False), which=st.integers(0, 99), move=st.booleans())
    def reorder(self, rng: Any, which: int, move: bool) -> None:
        if move:
            deck, place = self._pick(which)
            self.reworded.add(self.author.change(deck, place))
            self.author.move(deck, place)
        else:
            self.author.shuffle(rng)

    @rule(deck=DECKS, title=st.sampled_from(("Alpha", "Beta", "Renamed")))
    def rename_a_deck(self, deck: str, title: str) -> None:
        self.author.rename(deck, title)

    @rule(language=LANGUAGES, decks=st.sampled_from((("alpha",), ("beta",), ("alpha", "beta"))))
    def drop_a_language(self, language: str, decks: tuple[str, ...]) -> None:
        self.reworded |= set(self.author.texts("en")) | set(self.author.texts("zh"))
        self.author.drop(language, *decks)
        COUNTS["dropped"] += 1

    @precondition(lambda self: set(self.author.spoken.values()) != {BOTH})
    @rule()
    def bring_a_language_back(self) -> None:
        self.reworded |= set(self.author.texts("en")) | set(self.author.texts("zh"))
        self.author.bring_back(*self.author.titles)
        COUNTS["back"] += 1

    @rule(jump=st.sampled_from((0, 1, 1000, HOUR, 40 * 24 * HOUR, 200 * 24 * HOUR)))
    def release_and_import_nothing(self, jump: int) -> None:
        self.release(jump)

    @rule(jump=st.sampled_from((0, 1, 1000, HOUR, 40 * 24 * HOUR, 200 * 24 * HOUR)), upgrade=st.booleans())
    def release_and_import(self, jump: int, upgrade: bool) -> None:
        self.release(jump)
        (self.take_upgrades if upgrade else self.take_packages)()

    @rule(which=st.integers(0, 99))
    def import_an_old_package(self, which: int) -> None:
        COUNTS["old packages"] += 1
        self.take(self.archive[which % len(self.archive)])

    def release(self, jump: int) -> None:
        """`jump` seconds later, but never ahead of the learner's clock by more than hours."""
        self.clock = min(self.clock + jump, int(time.time()) + 12 * HOUR)
        out = self.author.root / "build"
        report = build(self.author.loaded, out, BuildOptions(release_time=self.clock))
        written = {package.path for package in report.packages}
        assert set(out.glob("*.apkg")) == written, "a package of an earlier release was left in build/"
        before, self.released = self.released, {}
        for package in sorted(written):  # an upgrade package, which holds everything, comes first
            copy = self.folder / f"{len(self.archive)}-{package.name}"
            shutil.copyfile(package, copy)
            self.archive.append(copy)
            found = read_package(package)
            self.released = found.notes | self.released
            self.types |= found.types
        assert self.released.keys() == {line.guid for line in self.author.lock.notes.values()}
        for guid, old in before.items():  # or an import would take what the learner wrote into an unchanged note
            new = self.released[guid]
            same = (old.model, old.fields, old.tags) == (new.model, new.fields, new.tags)
            assert same == (old.mtime == new.mtime), "a note has a new time and says the same, or the other way round"
        self.reworded_only = self.came_back - {name for name in self.came_back if name[0] in self.reworded}
        self.reworded, self.came_back = set(), set()
        COUNTS["releases"] += 1
        self.check_doctor()

    # ---- what the learner does ------------------------------------------------------------------------

    def _names(self) -> dict[str, Name]:
        return {line.guid: (line.note, line.language) for line in self.author.lock.notes.values()}

    def _owned(self) -> list[str]:
        """The guids of our notes in the collection that have cards, in an order that does not change."""
        query = "select distinct n.guid from notes n join cards c on c.nid = n.id"
        names = self._names()
        return sorted(set(self.learner.col.db.list(query)) & names.keys(), key=names.__getitem__)

    def _one(self, which: int) -> Any | None:
        """A note of ours that the learner has."""
        owned = self._owned()
        if not owned:
            return None
        COUNTS["acts"] += 1
        guid = owned[which % len(owned)]
        return self.learner.col.get_note(self.learner.col.db.scalar("select id from notes where guid = ?", guid))

    def _mark(self, kind: str) -> str:
        self.marks += 1
        return f"{kind}{self.marks}x"

    @rule(which=st.integers(0, 99), times=st.integers(1, 3))
    def review(self, which: int, times: int) -> None:
        for _ in range(times):
            if note := self._one(which):
                for card in note.card_ids():
                    self.learner.answer(card)

    @rule(which=st.integers(0, 99), act=st.sampled_from(("suspend", "flag", "move", "tag", "delete")))
    def treat(self, which: int, act: str) -> None:
        note = self._one(which)
        if note is None:
            return
        col = self.learner.col
        if act == "suspend":
            col.sched.suspend_cards(note.card_ids())
        elif act == "flag":
            col.set_user_flag_for_cards(1, note.card_ids())
        elif act == "move":
            col.set_deck(note.card_ids(), col.decks.id("Mine"))
        elif act == "tag":
            col.tags.bulk_add([note.id], self._mark("mine"))
        else:
            col.remove_notes([note.id])

    @rule(which=st.integers(0, 99), place=st.integers(0, 3), how=st.sampled_from(("word", "bold", "picture")))
    def edit(self, which: int, place: int, how: str) -> None:
        """A word, a bold word or a picture, at the end of a text."""
        note = self._one(which)
        if note is None:
            return
        filled = [key for key, text in list(note.items())[:4] if text]
        key = filled[place % len(filled)]
        mark = self._mark("mine")
        added = {"word": f" {mark}", "bold": f" <b>{mark}</b>", "picture": f'<img src="{mark}.png">'}[how]
        note[key] = re.sub(r"((?:</p>|</li></[uo]l>)?)$", lambda end: added + end[1], note[key].rstrip(), count=1)
        self.learner.col.update_note(note)
        if name := self._names().get(note.guid):
            self.came_back.discard(name)  # an edit after the pull is one that the pull could not tell of
        COUNTS["edits"] += 1

    @rule(which=st.integers(0, 99), fill=st.booleans())
    def give_it_a_field_of_my_own(self, which: int, fill: bool) -> None:
        note = self._one(which)
        if note is None:
            return
        if "Mine" not in note.keys():  # noqa: SIM118  # a note of Anki's is no dict
            kind = note.note_type()
            self.learner.col.models.add_field(kind, self.learner.col.models.new_field("Mine"))
            self.learner.col.models.update_dict(kind)
            note.load()
            COUNTS["own fields"] += 1
        if fill:
            note["Mine"] = self._mark("own")
            self.learner.col.update_note(note)

    @rule(which=st.integers(0, 99))
    def give_it_a_template_of_my_own(self, which: int) -> None:
        note = self._one(which)
        kind = note.note_type() if note else None
        if kind is None or kind["type"] == 1 or len(kind["tmpls"]) > 2:  # a cloze can have no second one
            return
        template = self.learner.col.models.new_template("Mine")
        template |= {"qfmt": "Which note? {{NoteId}}", "afmt": "{{Front}}"}
        self.learner.col.models.add_template(kind, template)
        self.learner.col.models.update_dict(kind)
        COUNTS["own templates"] += 1

    @rule(which=st.integers(0, 99), name=st.sampled_from(("Notes", "Extra")))
    def rename_one_of_our_fields(self, which: int, name: str) -> None:
        """Which Anki takes for the same, and so must we."""
        note = self._one(which)
        kind = note.note_type() if note else None
        if kind is not None and name not in {field["name"] for field in kind["flds"]}:
            self.learner.col.models.rename_field(kind, next(f for f in kind["flds"] if f["id"] == 419001), name)
            self.learner.col.models.update_dict(kind)

    @rule()
    def take_out_what_is_mine(self) -> None:
        """What `doctor` says to do with a field or a template of the learner's own."""
        for model in self.learner.col.models.all():
            for part in [one for one in model["flds"] if one["name"] == "Mine"]:
                self.learner.col.models.remove_field(model, part)
            for part in [one for one in model["tmpls"] if one["name"] == "Mine"]:
                self.learner.col.models.remove_template(model, part)
            if model["name"].startswith("LLM Drills"):
                self.learner.col.models.update_dict(model)

    @rule()
    def use_empty_cards(self) -> None:
        self.learner.empty_cards(delete=True)

    # ---- there and back -------------------------------------------------------------------------------

    def _look(self) -> Collection:
        return read_path(self.learner.file, our_guids(self.author.loaded))

    @rule(release=st.booleans())
    def pull_the_edits(self, release: bool) -> None:
        workspace = self.author.loaded
        notes = [one for part in planned(workspace, BuildOptions(release_time=self.clock)) for one in part.notes]
        found = pull(workspace, self.author.lock, notes, self._look(), our_guids(workspace))
        self._check_everything_is_shown(found)
        before = {language: self.author.texts(language) for language in BOTH}
        for file, (_, after) in found.files.items():
            (self.author.root / file).write_text(after, "utf-8")
        for one in found.changes:
            assert marks(one.after) <= marks(self.author.texts(one.language)[one.note])
        for language in BOTH:
            assert before[language].keys() == self.author.texts(language).keys()
        self.came_back |= {(one.note, one.language) for one in found.changes}
        self.told |= {(one.note, one.language) for one in found.at_stake}
        COUNTS["pulled"] += len(found.changes)
        if release:
            self.clock = max(self.clock, int(time.time()) + 1)
            self.release(0)
            self.take_packages()

    @rule(
        edits=st.lists(
            st.tuples(st.integers(0, 99), st.integers(0, 3), st.sampled_from(("word", "word", "bold", "picture"))),
            min_size=1,
            max_size=4,
        ),
        same=st.booleans(),
        release=st.booleans(),
    )
    def edit_and_pull(self, edits: list[tuple[int, int, str]], same: bool, release: bool) -> None:
        """Some edits, perhaps all of one note, and pull them."""
        for which, place, how in edits:
            self.edit(edits[0][0] if same else which, place, how)
        self.pull_the_edits(release)

    @rule(which=st.integers(0, 99), words=WORDS)
    def write_into_my_field_and_push_a_new_text(self, which: int, words: str) -> None:
        self.give_it_a_field_of_my_own(which, fill=True)
        note = self._one(which)
        if note is None:
            return
        slug, language = self._names()[note.guid]
        for deck, place in self.author.places():
            if self.author.notes(deck)[place]["id"] == slug:
                self.reworded.add(self.author.reword(deck, place, f"{words} anew"))
        self.clock = max(self.clock, int(time.time()) + 1)
        self.release(0)
        self.push(language)

    def _check_everything_is_shown(self, found: Pull) -> None:
        """Whatever the learner wrote since the release comes back or is shown, for each note that is still written."""
        shown: dict[Name, set[str]] = {}
        for one in (*found.changes, *found.differences):
            shown.setdefault((one.note, one.language), set()).update(marks(one.after))
            if not one.field:  # of another note type: the whole note is named
                shown[one.note, one.language] |= marks("\x1f".join(self._fields(one.note, one.language)))
        written = {language: self.author.texts(language) for language in BOTH}
        for guid, state in self.learner.notes().items():
            slug, language = self._names().get(guid, ("", ""))
            released = self.released.get(guid)
            if released is None or slug not in written.get(language, {}) or state.mtime < released.mtime:
                continue
            own = marks("\x1f".join((*state.fields, *state.tags))) - marks("\x1f".join(released.fields))
            own -= marks(written[language][slug])  # pulled before, and not released yet
            missed = own - shown.get((slug, language), set())
            assert not missed, f"{missed} was neither taken over nor shown"

    def _fields(self, slug: str, language: str) -> tuple[str, ...]:
        guid = self.author.lock.notes[slug, language].guid
        state = self.learner.notes()[guid]
        return (*state.fields, *state.tags)

    @rule(language=LANGUAGES)
    def push(self, language: str) -> None:
        package = self.author.root / "build" / f"llmdrills-{language}.apkg"
        if not package.exists():
            return
        ours, before = our_guids(self.author.loaded), self._look()
        held = read_path(package, ours)
        (said,) = expect([held], before, ours)
        try:
            check_own_words([held], before, ours)
        except UsageError:
            COUNTS["refused pushes"] += 1
            return
        COUNTS["pushes"] += 1
        old = self.learner.notes()
        self.take(package, merge=True)
        new = self.learner.notes()
        names = self._names()
        assert {names[guid][0] for guid in new.keys() - old.keys()} == set(said.new)
        assert {names[guid][0] for guid in old if changed(old[guid], new[guid])} <= set(said.updated)

    # ---- what is promised -----------------------------------------------------------------------------

    def take_packages(self) -> None:
        for language in BOTH:
            package = self.author.root / "build" / f"llmdrills-{language}.apkg"
            if package.exists():
                self.take(package)
        self._check_what_came_back()

    def take_upgrades(self) -> None:
        for language in BOTH:
            package = self.author.root / "build" / f"llmdrills-{language}-upgrade.apkg"
            if package.exists():
                self.take(package)

    def _types(self) -> dict[int, Schema]:
        return {model["id"]: schema_of(model) for model in self.learner.col.models.all()}

    def take(self, path: Path, *, merge: bool = False) -> None:
        package, types = read_package(path), self._types()
        notes, cards, reviews = self.learner.notes(), self.learner.card_states(), self.learner.reviews()
        if merge:
            _LegacyAnkiPackageImporter(self.learner.col, str(path)).run()
            self.learner.col.models = ModelManager(self.learner.col)  # the old one remembers types as they were
        else:
            self.learner.take(path)
        COUNTS["imports"] += 1
        assert self.learner.reviews() == reviews
        now = self.learner.card_states()
        assert {key: now.get(key) for key in cards} == cards, "a card changed"
        found = self.learner.notes()
        assert found.keys() == notes.keys() | package.notes.keys()
        for guid, packed in package.notes.items():
            if guid in notes:
                fits = self._fits(types, package, notes[guid], packed, merge=merge)
                self._check_note(guid, notes[guid], found[guid], packed, fits=fits)
            else:
                assert found[guid].fields[: len(packed.fields)] == packed.fields
                assert packed.cards <= {place for name, place in now if name == guid}
        for guid in notes.keys() - package.notes.keys():
            assert not changed(notes[guid], found[guid]), "a note that the package leaves out changed"
        self.check_doctor()

    def _fits(self, types: dict[int, Schema], package: Package, old: NoteState, packed: Packed, *, merge: bool) -> bool:
        """Whether Anki takes the type of the note that is there for the package's: it, or the copy that Anki made.

        Where Anki merges, it puts such a copy back into the first, and gives the time of that to the notes.
        """
        mine, ours = types[old.model], package.types[packed.model]
        if merge:
            return old.model == packed.model and mine.fits(ours)
        if packed.model in types and types[packed.model].fits(ours):
            return old.model == packed.model
        return old.model != packed.model and mine.fits(ours)

    def _check_note(self, guid: str, old: NoteState, new: NoteState, packed: Packed, *, fits: bool) -> None:
        if not changed(old, new):
            assert packed.mtime <= old.mtime or not fits or says(old, packed), "a newer package did not update a note"
            return
        assert packed.mtime > old.mtime, "a note was updated by a package that is not newer"
        assert says(new, packed), "the note does not say what the package says"
        own = "\x1f".join(old.fields[len(packed.fields) :])
        assert marks(own) <= marks("\x1f".join(new.fields)), "words in a field of the learner's own are lost"
        COUNTS["updated"] += 1
        gone = marks("\x1f".join((*old.fields, *old.tags))) - marks("\x1f".join((*new.fields, *new.tags)))
        name = self._names()[guid]
        if gone and packed == self.released.get(guid) and name in self.reworded_only:
            COUNTS["told"] += 1
            assert name in self.told, "a release that only brings edits back replaced others, and pull did not say so"

    def _check_what_came_back(self) -> None:
        """What stands in the files as of this release stands in the notes."""
        notes = self.learner.notes()
        for language in BOTH:
            for slug, text in self.author.texts(language).items():
                guid = self.author.lock.notes[slug, language].guid
                assert marks(text) <= marks("\x1f".join(notes[guid].fields)), "a pulled edit is not in the note"

    # ---- the doctor -----------------------------------------------------------------------------------

    def check_doctor(self) -> None:
        """`anki doctor` says of each note what the bytes of the release and the collection say."""
        workspace = self.author.loaded
        notes = [one for part in planned(workspace, BuildOptions(release_time=self.clock)) for one in part.notes]
        report = examine(self.author.lock, notes, self._look())
        said = {(one.note, one.language, one.kind) for one in report.states}
        held, types, cards = self.learner.notes(), self._types(), self._cards()
        unchanged = {one.guid for one in notes if self.released.get(one.guid, one).mtime == one.mtime}
        lines = self.author.lock.notes.values()
        spoken = {line.language for line in lines if line.guid in held}
        expected = set()
        for line in lines:
            if line.language in spoken:
                kinds = self._kinds(line, held.get(line.guid), types, cards.get(line.guid, {}))
                if line.guid not in unchanged:  # the files have changed, so what differs cannot be told
                    kinds = {"edited" if kind == "tagged" else kind for kind in kinds}
                expected |= {(line.note, line.language, kind) for kind in kinds}
        assert said == expected
        COUNTS.update(kind for _, _, kind in said)

    def _cards(self) -> dict[str, dict[int, str]]:
        """By guid: the deck of each card."""
        decks = {one.id: one.name for one in self.learner.col.decks.all_names_and_ids()}
        found: dict[str, dict[int, str]] = {}
        for guid, place, did in self.learner.col.db.all(
            "select n.guid, c.ord, c.did from cards c join notes n on n.id = c.nid"
        ):
            found.setdefault(guid, {})[place] = decks[did]
        return found

    def _kinds(
        self, line: NoteLine, state: NoteState | None, types: dict[int, Schema], cards: dict[int, str]
    ) -> set[str]:
        released = self.released[line.guid]
        if state is None:
            return set() if line.retired else {"missing"}
        ours = next(
            one.types[released.model]
            for one in map(read_package, reversed(self.archive))
            if released.model in one.types
        )
        other = "forked" if state.model != released.model else "" if types[state.model].fits(ours) else "own-field"
        if line.retired:
            gone = [n for n, (number, _) in enumerate(types[state.model].fields) if number == 419007]
            emptied = bool(state.fields[gone[0]])
            return {"emptied"} if emptied else {"retired", *filter(None, [other])}
        moved = {"moved"} if set(cards.values()) - {self.author.lock.decks[line.deck, line.language].name} else set()
        if other:
            return {other, *moved}
        surplus = {"cards"} if set(cards) != released.cards else set()
        if says(state, released):
            return {"current", *moved, *surplus}
        if state.mtime < released.mtime:
            return {"older", *moved}
        return {"edited" if state.fields != released.fields else "tagged", *moved, *surplus}


def marks(text: str) -> set[str]:
    return set(MARK.findall(text))


def changed(old: NoteState, new: NoteState) -> bool:
    """Whether a note says something else. An empty field more, and another time, come with a change of its type."""
    return (_said(old), sorted(old.tags)) != (_said(new), sorted(new.tags))


def _said(state: NoteState) -> str:
    return "\x1f".join(state.fields).rstrip("\x1f")


def says(state: NoteState, packed: Packed) -> bool:
    """Whether a note says what a package says, whatever stands in fields of the learner's own."""
    return state.fields[: len(packed.fields)] == packed.fields and sorted(state.tags) == sorted(packed.tags)


@pytest.mark.slow
@pytest.mark.timeout(7200)  # `make soak` asks for 500
def test_should_lose_nothing_in_any_history_of_a_workspace() -> None:
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
    print(dict(COUNTS))
    assert COUNTS["releases"] > HISTORIES
