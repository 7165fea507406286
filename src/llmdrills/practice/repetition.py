"""One repetition of one kata: from a blank starter to a rating. No terminal, no grading: the caller brings both.

The order of calls:

    repetition = repetitions.resume(history, kata, starter)   # None: nothing unfinished
    repetition = repetitions.start(history, kata, variant, file, starter)   # archives what the file held, blanks it
    repetition.keep(code)                # archives what another editor left in the file, before it is replaced
    repetition.is_new(code)              # whether a save is to be graded
    repetition.attempt(code, verdict)    # every graded save; verdict: the JSON of `llmdrills grade`
    repetition.next_hint()               # the number of the hint to show
    repetition.reveal("solution")        # "ask": it costs the rating, so it takes a second call; else show it
    repetition.offer(schedule)           # the ratings that may be given, each with its next date
    repetition.rate()                    # takes the derived rating; rate(Rating.HARD) lowers it
    repetition.skip("not today")         # instead of a rating: closes it, schedules nothing
    repetitions.skip(history, kata)      # the same, though nothing may have been begun
    repetitions.discard(history, kata)   # lets a pass go unrated, so that another repetition can begin
    repetitions.undo(history)            # makes the last rating or skip void; its repetition is open again
    repetition.put_back(starter)         # after that: what the learner had written is in the file again
    repetition.hand_in(code, starter)    # written elsewhere, such as in a notebook: it goes into the file, too
    repetitions.start_repair(history, kata, variant, file, repair)   # from a wrong kernel instead of a blank

`state` says where it stands, `may` what can be done there. The daily loop, the commands and a page all use this object.

Every call that records is one transaction, on the disk when it returns; nothing is held back. After a crash at any
point `resume` finds the repetition as it was: it writes the starter if the crash came before that, and otherwise never
touches the learner's file. All raise HistoryError when nothing could be recorded, and UsageError when a call makes no
sense.

An easier form of a variant (`rotation`), and a repair, are graded and recorded like any other repetition, but never
rated: they move no schedule. A repair has a file of its own, so that it may stand beside a repetition from a blank.

Over 400 lines, because the states of a repetition and what each allows are read together.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from llmdrills.errors import UsageError
from llmdrills.language import Bilingual
from llmdrills.practice import attempt_file, replay
from llmdrills.practice.history import decode, encode, new_id
from llmdrills.practice.moments import DAY_TURNS, Moment
from llmdrills.practice.rating import Rating, derive
from llmdrills.practice.repetition_record import RepetitionRecord
from llmdrills.practice.rotation import is_easier, stronger
from llmdrills.practice.undoing import take_back
from llmdrills.practice.unfinished import open_session, skipped_on, unfinished

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from llmdrills.content.model import Kata
    from llmdrills.practice.history import History
    from llmdrills.practice.rating import Facts
    from llmdrills.practice.schedule import Schedule
    from llmdrills.practice.unfinished import Begun

__all__ = [
    "Action",
    "Choice",
    "Repair",
    "Repetition",
    "Reveal",
    "Review",
    "State",
    "View",
    "discard",
    "file_name",
    "last_code",
    "new_seed",
    "resume",
    "skip",
    "skipped_on",
    "start",
    "start_repair",
    "undo",
    "unfinished",
]

State = Literal["writing", "rating", "rated", "passed"]  # rating: choices are offered; passed: and never to be rated
Action = Literal["offer", "rate", "next", "skip"]
View = Literal["solution", "diff", "beside"]
Reveal = Literal["ask", "costly", "free"]  # ask: nothing is shown yet; costly: the repetition counts as Again now


_EASIER = Bilingual(
    "{kata} ({variant}) is an easier form and is not rated: the schedule stays as it is",
    "{kata}（{variant}）是较容易的形式，不评级，也不改变复习安排",
)
_PRACTISE = Bilingual(
    "`llmdrills start {kata} --variant {stronger}` practises the kata",
    "运行 `llmdrills start {kata} --variant {stronger}` 练习这道题",
)
_REPAIR = Bilingual(
    "a repair of {kata} is not rated: it moves no schedule", "{kata} 的修复练习不评级，也不改变复习安排"
)
_FROM_BLANK = Bilingual(
    "`llmdrills start {kata}` practises the kata from a blank", "运行 `llmdrills start {kata}` 从空白开始练习这道题"
)
_NOT_PASSED = Bilingual("{kata} is not passed yet", "{kata} 尚未通过")
_PASS_IT = Bilingual(
    "pass it, look at the solution (`llmdrills solution {kata}`: it then counts as Again), or `llmdrills skip {kata}`",
    "请先通过，或查看答案（`llmdrills solution {kata}`，记为“重来”），或运行 `llmdrills skip {kata}` 跳过",
)
_ONLY_LOWER = Bilingual("a rating can only be lowered", "评级只能降低，不能提高")
_RATED = Bilingual("{kata} is rated already", "{kata} 已经评过级")
_UNDO_FIRST = Bilingual(
    "`llmdrills undo` takes the last rating back, `llmdrills start {kata}` begins anew",
    "运行 `llmdrills undo` 撤销上一次评级，或运行 `llmdrills start {kata}` 重新开始",
)


@dataclass(frozen=True)
class Choice:
    """A rating that may be given, and the day on which the kata would come back."""

    rating: Rating
    due: date
    days: int


@dataclass(frozen=True)
class Review:
    """A recorded rating."""

    id: str
    kata: str
    variant: str
    derived: Rating
    rating: Rating

    @property
    def override(self) -> bool:
        """Whether the learner lowered it."""
        return self.rating != self.derived


class Repair(NamedTuple):
    """What a repair begins from: its text, the id of the mistake in it, and the seed that this was drawn by."""

    text: str
    slip: str
    seed: int


def file_name(kata: str, *, repair: bool = False) -> str:
    """The name of the file in which a kata is practised; a repair has one of its own."""
    return f"{kata}.repair.py" if repair else f"{kata}.py"


def new_seed() -> int:
    """A seed for a new repetition, for whoever needs it before it begins: a starter may be drawn by it."""
    return zlib.crc32(new_id().encode()) & 0x7FFFFFFF


def start(
    history: History,
    kata: Kata,
    variant: str,
    file: Path,
    starter: str,
    *,
    seed: int | None = None,
    now: Moment | None = None,
) -> Repetition:
    """Begin a repetition with a blank starter in `file`; what the file held is archived first, whatever it was.

    `seed` fixes the inputs of all its attempts, and the mistakes of a starter that is no blank.
    """
    begun = {"variant": variant, "seed": new_seed() if seed is None else seed}
    return _begin(history, kata, file, starter, begun, now=now)


def start_repair(
    history: History, kata: Kata, variant: str, file: Path, repair: Repair, *, now: Moment | None = None
) -> Repetition:
    """Begin a repair in `file`, as `start` begins a repetition from a blank."""
    begun = {"variant": variant, "seed": repair.seed, "mode": "repair", "slip": repair.slip}
    return _begin(history, kata, file, repair.text, begun, now=now)


def _begin(
    history: History, kata: Kata, file: Path, starter: str, fields: Mapping[str, Any], *, now: Moment | None
) -> Repetition:
    variant, seed = str(fields["variant"]), int(fields["seed"])
    if kata.variant(variant) is None:
        known = ", ".join(v.id for v in kata.variants)
        raise UsageError(f"{kata.id} has no variant {variant!r}", f"use one of {known}")
    moment = now or Moment.now()
    identity, named = new_id(), attempt_file.shown(file)
    begun = {"id": identity, "kata": kata.id, "file": named, **fields}
    earlier = attempt_file.read(file)
    events: list[tuple[str, Mapping[str, Any]]] = [("sessions", begun)]
    if earlier is not None and earlier.strip() and earlier != starter.encode():
        events.append(("archives", {"session": identity, "kata": kata.id, "file": named, **encode(earlier)}))
    history.write(events, moment)
    repetition = Repetition(RepetitionRecord(history, kata, identity, variant), file, seed, starter)
    repetition._blank(starter.encode(), earlier)
    return repetition


def resume(
    history: History,
    kata: Kata,
    starter: str | None = None,
    file: Path | None = None,
    *,
    planned: bool = False,
    begun: Begun = "any",
) -> Repetition | None:
    """The unfinished repetition of a kata, newest first; None where there is none.

    With `starter`, the learner's file is put right after a crash: written if the crash came before that, or brought
    back from the last attempt if it is gone. `file`: where it lies if it is not where the repetition began; a repair
    lies beside it. `planned`: the learner named no variant, so an easier form is not gone back to. `begun`: only one
    that began from a blank, or only a repair.
    """
    row = open_session(history, kata.id, begun)
    if row is None or kata.variant(row["variant"]) is None:
        return None
    record = RepetitionRecord(history, kata, row["id"], row["variant"])
    began = Path(row["file"])
    if file is not None and record.slip is not None:
        file = file.with_name(file_name(kata.id, repair=True))
    # Followed to where it began, whatever the folder for practice is today, unless it was moved there.
    found = Repetition(record, began if file is None or attempt_file.exists(began) else file, row["seed"], starter)
    if found.easier and (planned or found.passed):
        return None
    if starter is not None:
        found._restore(starter.encode())
    return found


def undo(history: History, now: Moment | None = None) -> str | None:
    """Make the last rating or skip void and return its kata, whose repetition is open again; None: there is none."""
    step = take_back(history, now)
    return None if step is None else step.kata


def skip(history: History, kata: Kata, reason: str = "", now: Moment | None = None) -> Repetition | None:
    """Leave the kata out of today, begun or not; the repetition that this closes, None where nothing was begun."""
    found = resume(history, kata)
    if found is None:
        history.append("skips", now or Moment.now(), session="", kata=kata.id, reason=reason)
    else:
        found.skip(reason, now)
    return found


def last_code(history: History, kata: str) -> bytes | None:
    """The code of the kata's last attempt, whichever repetition it belongs to; None before the first."""
    row = history.rows("SELECT code, encoding FROM attempts WHERE kata = ? ORDER BY at DESC, seq DESC LIMIT 1", kata)
    return decode(row[0]["code"], row[0]["encoding"]) if row else None


def discard(history: History, kata: Kata, now: Moment | None = None) -> Moment:
    """Let what is open of the kata go unrated; the earliest moment at which another repetition may begin.

    `undo` brings it back.
    """
    moment = now or Moment.now()
    found = resume(history, kata, begun="blank")
    if found is not None:
        moment = found._record.moment(moment)
        found.skip("discarded", moment)
    return moment.plus(1)


class Repetition:
    """A repetition that has begun: what happened is read from the history, what was asked and offered is kept here."""

    def __init__(self, record: RepetitionRecord, file: Path, seed: int = 0, starter: str | None = None) -> None:
        self._record = record
        self._starter = None if starter is None else starter.encode()
        self._seen: bytes | None = None  # the code that was last found in the file, or written to it
        self._announced: str | None = None  # its cost was told: asked for again, it is done
        self.file = file
        self.seed = seed
        self.slip = record.slip  # the id of the mistake that a repair began from; None where it began from a blank
        self.choices: tuple[Choice, ...] = ()  # as last offered: lowest first, the last is the derived rating

    # ---- what it is, and where it stands ----------------------------------------

    @property
    def id(self) -> str:
        """Its UUID."""
        return self._record.id

    @property
    def history(self) -> History:
        """Where it is recorded."""
        return self._record.history

    @property
    def kata(self) -> Kata:
        """What is repeated."""
        return self._record.kata

    @property
    def variant(self) -> str:
        """The id of the variant."""
        return self._record.variant

    @property
    def easier(self) -> bool:
        """Whether it is an easier form of another variant: then it is not rated, and moves no schedule."""
        return is_easier(self.kata, self.variant)

    @property
    def repair(self) -> bool:
        """Whether it began from a wrong kernel: then it is not rated, and moves no schedule."""
        return self.slip is not None

    @property
    def unrated(self) -> bool:
        """Whether it is of a kind that is never rated: an easier form, or a repair."""
        return self.easier or self.repair

    @property
    def state(self) -> State:
        """Where it stands."""
        if self._record.rated:
            return "rated"
        if self.choices:
            return "rating"
        return "passed" if self.unrated and self.passed else "writing"

    def may(self, action: Action) -> bool:
        """Whether the learner can do that now; hints, grading and a look at the reference are open at any time."""
        state = self.state
        allowed: dict[Action, bool] = {
            "offer": state in {"writing", "rating"},
            "rate": state == "rating",
            "next": state in {"rated", "passed"},
            "skip": state != "rated" and not self.passed,
        }
        return allowed[action]

    @property
    def passed(self) -> bool:
        """Whether an attempt passed."""
        return self._record.passed

    @property
    def rated(self) -> bool:
        """Whether a rating stands."""
        return self._record.rated

    @property
    def unrated_pass(self) -> bool:
        """Whether it is passed, and waits for its rating."""
        return not self.unrated and self.passed and not self.rated

    @property
    def scored(self) -> bool:
        """Whether leaving it would drop something that counts: an attempt that ran, or a look at the solution."""
        facts = self.facts()
        return not self.repair and (facts.runs > 0 or facts.solution)

    @property
    def rateable(self) -> bool:
        """Whether it was passed, or given up, and is of a form that is rated at all."""
        return self.derived() is not None

    @property
    def hints_shown(self) -> int:
        """The number of the last hint shown; 0: none."""
        return self._record.hints_shown

    @property
    def begun(self) -> Moment:
        """When it began."""
        return self._record.begun

    def facts(self, now: Moment | None = None) -> Facts:
        """What happened up to the first pass: the only input to the rating."""
        return self._record.facts(now)

    def derived(self) -> Rating | None:
        """The rating that the facts imply; None while it is neither passed nor given up, and where none is due."""
        return None if self.unrated else derive(self.facts())

    # ---- the learner's file ----------------------------------------

    def is_new(self, code: bytes) -> bool:
        """Whether a save says something that was not graded yet, and note that it was seen.

        What was seen before is not new, nor what was graded last, nor the blank starter of a fresh repetition.
        """
        known = self._seen if self._seen is not None else self.last_code()
        self._seen = code
        return not (code == known or (known is None and code == self._starter))

    def last_code(self) -> bytes | None:
        """The code of the last attempt; None before the first."""
        return self._record.last_code

    def write_back(self) -> bool:
        """Write the file again where it is gone: the last attempt, else the starter. False where it is there."""
        if self._starter is None or self.file.exists():
            return False
        self._restore(self._starter)
        self._seen = attempt_file.read(self.file)
        return True

    def keep(self, code: bytes, now: Moment | None = None) -> None:
        """Archive what the file held, before something else replaces it: a text from another editor, say."""
        moment = self._record.moment(now)
        self._record.append("archives", moment, file=attempt_file.shown(self.file), **encode(code))

    def put_back(self, starter: str) -> bool:
        """After an undo: put what the learner had written into the file again, if a later repetition has blanked it.

        What the file holds now is archived first. False where it holds that already. Raises HistoryError.
        """
        left = self._record.left_behind
        found = attempt_file.read(self.file)
        if found is not None and left is None:
            return False
        wanted = left or self.last_code() or starter.encode()
        if found == wanted:
            return False
        self._archive(found, starter.encode())
        attempt_file.write(self.file, wanted)
        return True

    def hand_in(self, code: bytes, starter: str) -> None:
        """Put what the learner wrote elsewhere, in a cell of a notebook, into the file, so that every way of practising
        goes on from it.

        What the file holds now is archived first, unless it is the starter or was graded. Raises HistoryError.
        """
        found = attempt_file.read(self.file)
        if found != code:
            self._archive(found, starter.encode(), self.last_code())
            attempt_file.write(self.file, code)
        self._seen = code

    # ---- what the caller reports ----------------------------------------

    def attempt(self, code: str | bytes, verdict: Mapping[str, Any], now: Moment | None = None) -> str:
        """Record a graded save, whole, and return its UUID. `verdict`: what `llmdrills grade --json` prints.

        Of what the verdict says about the failure only `diagnosis` is kept: a whole one, or none.
        """
        moment = self._record.moment(now)
        diagnosis = verdict.get("diagnosis")
        cases = [{"name": case["name"], "outcome": case["outcome"]} for case in verdict.get("cases", ())]
        return self._record.append(
            "attempts",
            moment,
            variant=self.variant,
            outcome=str(verdict["outcome"]),
            diagnosis=str(diagnosis["id"]) if diagnosis else None,
            seconds=self._record.seconds(moment),
            seed=int(verdict.get("seed", self.seed)),
            device=str(verdict.get("device", "cpu")),
            cases=json.dumps(cases, ensure_ascii=False),
            **encode(code),
        )

    def next_hint(self, now: Moment | None = None) -> int | None:
        """Record that the next hint is shown, and return its number, from 1; None when all of them were."""
        number = self.hints_shown + 1
        if number > len(self.kata.hints):
            return None
        self.hint(number, now)
        return number

    def hint(self, number: int, now: Moment | None = None) -> str:
        """Record that hint `number` (from 1) was shown."""
        return self._record.append("hints", self._record.moment(now), number=number)

    @property
    def next_look_costs(self) -> bool:
        """Whether a hint or a look at the reference still lowers the rating: neither passed nor given up yet."""
        return not self.unrated and not self.passed and derive(self.facts()) is None

    def reveal(self, view: View, now: Moment | None = None) -> Reveal:
        """Ask for the reference. Before a pass it costs the rating, and is recorded only when asked for twice."""
        costly = not self.repair and not self.passed and derive(self.facts()) is None
        if costly and not self.confirmed(view):
            return "ask"
        self._announced = None
        self.solution("solution" if view == "solution" else "diff", now)
        return "costly" if costly else "free"

    def confirmed(self, what: str) -> bool:
        """Whether this was asked for just before, too. If not, its cost is to be told now, and asking again does it."""
        again = self._announced == what
        self._announced = None if again else what
        return again

    def withdraw(self) -> None:
        """Forget the announced cost, because the learner did something else: the next time asks again."""
        self._announced = None

    def solution(self, how: str = "solution", now: Moment | None = None) -> str:
        """Record that the reference was looked at (`how`: solution, diff) or the kata given up (gave-up)."""
        return self._record.append("solutions", self._record.moment(now), how=how)

    def skip(self, reason: str = "", now: Moment | None = None) -> str:
        """Close the repetition without a rating; today's plan leaves the kata out."""
        return self._record.append("skips", self._record.moment(now), reason=reason)

    # ---- the rating ----------------------------------------

    def offer(self, schedule: Schedule, now: Moment | None = None) -> tuple[Choice, ...]:
        """The ratings that may be given, lowest first, each with its next date; the last one is the derived one.

        Empty while there is none to give. They are kept in `choices`.
        """
        derived = self.derived()
        if derived is None:
            return ()
        today = (now or Moment.now()).day_number
        dates = schedule.next_dates(self._record.history, self.kata.id, today)
        from_today = Moment(today * 86400 * 1_000_000 + DAY_TURNS * 3600 * 1_000_000).day
        self.choices = tuple(
            Choice(rating, dates[rating], (dates[rating] - from_today).days) for rating in Rating if rating <= derived
        )
        return self.choices

    def rate(self, rating: Rating | None = None, now: Moment | None = None) -> Review:
        """Record the rating: the derived one, or a lower one of the learner's choice. Raises UsageError."""
        if self.repair:
            raise UsageError(_REPAIR.format(kata=self.kata.id), _FROM_BLANK.format(kata=self.kata.id))
        if self.easier:
            words = {"kata": self.kata.id, "variant": self.variant, "stronger": stronger(self.kata, self.variant)}
            raise UsageError(_EASIER.format(**words), _PRACTISE.format(**words))
        moment = self._record.moment(now)
        facts = self.facts(moment)
        derived = derive(facts)
        if derived is None:
            raise UsageError(_NOT_PASSED.format(kata=self.kata.id), _PASS_IT.format(kata=self.kata.id))
        chosen = derived if rating is None else Rating(rating)
        if chosen > derived:
            more = Bilingual(
                f"{chosen.label.en} is more than this repetition earned ({derived.label.en})",
                f"“{chosen.label.zh}”高于本次练习应得的评级（{derived.label.zh}）",
            )
            raise UsageError(more, _ONLY_LOWER)
        values = {"derived": int(derived), "rating": int(chosen), "override": int(chosen != derived)}
        identity = self._review(moment, {"variant": self.variant, "seconds": facts.seconds, **values})
        replay.load(self._record.history)  # folded in now, so that the next plan need not import fsrs
        return Review(identity, self.kata.id, self.variant, derived, chosen)

    # ---- inside ----------------------------------------

    def _review(self, moment: Moment, values: dict[str, Any]) -> str:
        """Append the review, unless another window has rated this repetition meanwhile."""

        def work() -> str:
            if self.rated:
                raise UsageError(_RATED.format(kata=self.kata.id), _UNDO_FIRST.format(kata=self.kata.id))
            return self._record.append("reviews", moment, **values)

        return self._record.history.transaction(work)

    def _blank(self, starter: bytes, archived: bytes | None) -> None:
        """Put the starter into the file; what an editor saved in the meantime is archived too."""
        found = attempt_file.read(self.file)
        self._archive(found, archived, starter)
        attempt_file.write(self.file, starter)

    def _archive(self, found: bytes | None, *known: bytes | None) -> None:
        """Keep what the file holds, unless it is blank or known already."""
        if found is not None and found.strip() and found not in known:
            self.keep(found)

    def _restore(self, starter: bytes) -> None:
        found, last = attempt_file.read(self.file), self.last_code()
        if found is None:
            attempt_file.write(self.file, starter if last is None else last)
        # Still what the file held before: the crash came between the archive and the starter.
        elif last is None and (found in self._record.archived or not found.strip()):
            attempt_file.write(self.file, starter)
