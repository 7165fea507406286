"""What today holds, and why: deterministic, given the history, the day and the seed.

The day is filled within the minutes that are left of it: one new kata, once those that it builds on have been passed;
then what is due, the most forgotten first; then, if nothing that is due has to wait, katas whose notes fail in Anki,
and more new ones up to the cap. That one new kata comes first because `benchmarks/schedule.py` says so: where all that
is due must be done before anything new, a learner with little time never meets most katas. Only after a long break does
the new one wait too. A kata failed again and again is set aside for a while, with advice; now and then a mastered one
is asked for unannounced. Then the day is put in an order in which topics alternate and a kata comes after those that it
builds on.

Beside all that, a repair is offered, of a kata that today does not ask for: a look at its code would be a hint.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.language import Bilingual, counted
from llmdrills.practice.agenda import Item, Plan, RepairOffer, SetAside, advice
from llmdrills.practice.kata_notes import matter, weigh
from llmdrills.practice.moments import from_day_number
from llmdrills.practice.repairs import latest
from llmdrills.practice.rotation import is_easier
from llmdrills.practice.schedule import Schedule, draw, load
from llmdrills.practice.unfinished import skipped_on, unfinished
from llmdrills.settings import Scheduling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

    from llmdrills.content.kata_notes import KataNote
    from llmdrills.content.model import Kata
    from llmdrills.practice.agenda import Reason
    from llmdrills.practice.history import History
    from llmdrills.practice.kata_notes import NotesOfKata
    from llmdrills.practice.moments import Moment
    from llmdrills.practice.repairs import Latest
    from llmdrills.settings import Settings

__all__ = ["LEECH_FAILURES", "Item", "Plan", "PlanOptions", "SetAside", "make", "today"]

LEECH_FAILURES = 4  # so many times Again in a row
LEECH_REST = 14  # days that a leech rests
_AUDIT_EVERY = 5  # days, on average
_MASTERED = 30.0  # days of stability
_RESERVED = 1  # new katas that come in even though something due has to wait
_BREAK = 14  # days without practice after which the learner catches up first
_RETURN = 3  # … for so many days of practice
_UNFORGOTTEN = 7  # days in which a kata is not audited after a repetition
_REPAIRED = 7  # days in which no repair of a kata is offered after one
_SHARE = 3  # a repair takes about a third of the time that a kata takes from a blank


class PlanOptions(NamedTuple):
    """What the learner may say about a day. A NamedTuple: making a dataclass takes a millisecond of every start."""

    minutes: int = 20  # of practice
    new: int = 2  # new katas, at most
    topic: str | None = None  # only katas of this topic
    scheduling: Scheduling = Scheduling()
    seed: int = 0  # of the random audit

    @classmethod
    def from_settings(cls, settings: Settings, *, topic: str | None = None, seed: int = 0) -> PlanOptions:
        """The options that the settings hold, and the two that are given on the command line only."""
        return cls(
            minutes=settings.integer("minutes"),
            new=settings.integer("new"),
            topic=topic,
            scheduling=settings.scheduling,
            seed=seed,
        )


_DEFAULT = PlanOptions()


def today(
    history: History,
    katas: Sequence[Kata],
    now: Moment,
    options: PlanOptions = _DEFAULT,
    *,
    notes: Callable[[], Iterable[KataNote]] | None = None,
) -> Plan:
    """The plan that the history implies. `notes` is asked for the notes of the katas where they matter.

    Raises HistoryError.
    """
    schedule = load(history, options.scheduling)
    skipped = skipped_on(history, now.day_number)
    open_now = unfinished(history)
    known = weigh(history, notes(), now) if notes is not None and matter(history, schedule) else {}
    plan = make(schedule, katas, now, options, unfinished=open_now, skipped=skipped, notes=known)
    left_out = {item.kata for item in plan.items} | skipped | {one.kata for one in open_now}
    planner = _Planner(schedule, tuple(katas), now.day_number, options)
    return replace(plan, repair=planner.repair(latest(history), left_out))


def make(
    schedule: Schedule,
    katas: Sequence[Kata],
    now: Moment,
    options: PlanOptions = _DEFAULT,
    *,
    unfinished: Iterable[tuple[str, str]] = (),
    skipped: Iterable[str] = (),
    notes: Mapping[str, NotesOfKata] | None = None,
) -> Plan:
    """The plan for `now`'s day. The schedule is given: `options.scheduling` is not looked at.

    `unfinished`: (kata, variant) of repetitions begun and not rated, newest first; `skipped`: katas that the learner
    skipped today; `notes`: what Anki says of the notes of each kata.
    """
    planner = _Planner(schedule, tuple(katas), now.day_number, options, notes)
    return planner.plan(tuple(unfinished), frozenset(skipped))


class _Planner:
    """The state of one planning. A plain class: making a dataclass takes a millisecond of every start."""

    def __init__(
        self,
        schedule: Schedule,
        katas: tuple[Kata, ...],
        day: int,
        options: PlanOptions,
        notes: Mapping[str, NotesOfKata] | None = None,
    ) -> None:
        self.schedule, self.katas, self.day = schedule, katas, day
        self.notes = notes or {}
        self.budget, self.new, self.topic, self.seed = options.minutes, options.new, options.topic, options.seed
        self.by_id = {kata.id: kata for kata in self.katas}
        self.pace = self.schedule.pace(self.katas)
        self.spent = self.schedule.days.get(self.day, (0, 0.0))[1]
        self.left = self.budget * 60.0 - self.spent
        self.wanted = [kata for kata in self.katas if self.topic in {None, kata.topic}]

    def plan(self, unfinished: tuple[tuple[str, str], ...], skipped: frozenset[str]) -> Plan:
        begun = self._begun(unfinished, skipped)
        taken = {item.kata for item in begun}
        leeches = self._leeches()
        resting = {leech.kata for leech in leeches}
        due = [kata for kata in self._due() if kata.id not in taken | skipped | resting]
        fresh = self._new(taken | skipped)
        empty = not begun
        chosen = [] if due and self._returning() else self._fit(fresh[:_RESERVED], first=empty)
        chosen += self._fit([self._due_item(kata) for kata in due], first=empty and not chosen)
        items = begun + chosen
        waiting = [kata for kata in due if kata.id not in {item.kata for item in items}]
        if not waiting:
            items += self._fit(self._forward(taken | skipped | resting | {kata.id for kata in due}))
            items += self._fit(
                self._audit({item.kata for item in items} | taken | skipped | resting | {kata.id for kata in due})
            )
            items += self._fit([item for item in fresh if item not in items], first=empty and not items)
        items = self._order(items)
        return Plan(
            day=from_day_number(self.day),
            items=tuple(items),
            budget=self.budget,
            spent=round(self.spent / 60),
            streak=self.schedule.streak(self.day),
            waiting=len(waiting),
            catch_up_days=self._catch_up(waiting),
            set_aside=tuple(leeches),
            next_due=self._next_due(),
            note=self._note(items, waiting),
        )

    def _returning(self) -> bool:
        """Whether the learner came back from a long break today, or on one of the last few days of practice."""
        days = [self.day, *sorted((day for day in self.schedule.days if day < self.day), reverse=True)]
        return any(later - earlier >= _BREAK for later, earlier in pairwise(days[: _RETURN + 1]))

    def _cost(self, kata: Kata) -> float:
        return self.schedule.expected_seconds(kata, self.pace)

    def _fit(self, items: list[Item], *, first: bool = False, anyway: bool = False) -> list[Item]:
        """Those that fit into what is left of the day.

        `first`: nothing is chosen yet, so one is taken in any case if nothing was practised today; `anyway`: all are.
        """
        chosen: list[Item] = []
        for item in items:
            cost = self._cost(self.by_id[item.kata])
            if anyway or cost <= self.left or (first and not chosen and not self.spent and self.budget):
                chosen.append(item)
                self.left -= cost
        return chosen

    def _item(self, kata: Kata, reason: Reason, why: Bilingual) -> Item:
        due = self.schedule.due_day(kata.id)
        return Item(
            kata=kata.id,
            title=kata.title,
            topic=kata.topic,
            variant=self.schedule.next_variant(kata),
            reason=reason,
            why=why,
            minutes=max(1, math.ceil(self._cost(kata) / 60)),
            retrievability=self.schedule.retrievability(kata.id, self.day) if due is not None else None,
            due=from_day_number(due) if due is not None else None,
            notes=self._notes(kata, reason),
        )

    def _begun(self, unfinished: tuple[tuple[str, str], ...], skipped: frozenset[str]) -> list[Item]:
        items: list[Item] = []
        for kata_id, variant in unfinished:
            kata = self.by_id.get(kata_id)
            seen = skipped | {item.kata for item in items}
            if kata is None or kata not in self.wanted or kata.variant(variant) is None or kata_id in seen:
                continue
            if is_easier(kata, variant):  # begun because it was asked for by name: the plan never goes back to it
                continue
            why = Bilingual("you began it and have not rated it yet", "已开始，尚未评级")
            items.append(replace(self._item(kata, "unfinished", why), variant=variant))
        # What was begun just now comes first even if the day's minutes are spent: it is half done.
        return self._fit(items[:1], anyway=True) + self._fit(items[1:])

    # ---- what is due ----------------------------------------

    def _due(self) -> list[Kata]:
        due = [kata for kata in self.wanted if (self.schedule.due_day(kata.id) or math.inf) <= self.day]
        return sorted(due, key=lambda kata: (self._recall(kata), draw(self.seed, self.day, kata.id)))

    def _recall(self, kata: Kata) -> float:
        return self.schedule.retrievability(kata.id, self.day)

    def _due_item(self, kata: Kata) -> Item:
        late = self.day - (self.schedule.due_day(kata.id) or self.day)
        recall = round(100 * self._recall(kata))
        if late == 0:
            why = Bilingual(f"due today: recall is down to {recall}%", f"今天到期：记忆保持率降到 {recall}%")
        else:
            why = Bilingual(
                f"{counted(late, 'day', '').en} overdue: recall is down to {recall}%",
                f"逾期 {late} 天：记忆保持率降到 {recall}%",
            )
        return self._item(kata, "due", why)

    def _forward(self, excluded: set[str]) -> list[Item]:
        """Katas that are not due, but whose notes failed in Anki since they were practised last; the worst first."""
        failing = (kata for kata in self.wanted if kata.id not in excluded and self._notes_fail(kata))
        found = sorted(failing, key=lambda kata: (-self.notes[kata.id].failing, kata.id))
        return [self._item(kata, "notes", self.notes[kata.id].why) for kata in found]

    def _notes_fail(self, kata: Kata) -> bool:
        notes = self.notes.get(kata.id)
        return notes is not None and notes.call_for(self.schedule.memories.get(kata.id), self.day)

    def _notes(self, kata: Kata, reason: Reason) -> tuple[str, ...]:
        notes = self.notes.get(kata.id)
        return notes.named(self.schedule.memories.get(kata.id), reason) if notes else ()

    def _catch_up(self, waiting: list[Kata]) -> int:
        """Days that those waiting take after today, so many a day as fit."""
        if not waiting or not self.budget:
            return 0
        mean = sum(map(self._cost, waiting)) / len(waiting)
        return math.ceil(len(waiting) / max(1, int(self.budget * 60 // mean)))

    def _next_due(self) -> date | None:
        coming = [day for kata in self.wanted if (day := self.schedule.due_day(kata.id) or 0) > self.day]
        return from_day_number(min(coming)) if coming else None

    # ---- leeches, audits, new katas ----------------------------------------

    def _leeches(self) -> list[SetAside]:
        found = []
        for kata in self.wanted:
            memory = self.schedule.memories.get(kata.id)
            if memory and memory.failures >= LEECH_FAILURES and self.day < memory.last_day + LEECH_REST:
                until = from_day_number(memory.last_day + LEECH_REST)
                found.append(SetAside(kata.id, until, advice(kata, memory.failures), self._notes(kata, "due")))
        return found

    def _audit(self, excluded: set[str]) -> list[Item]:
        if draw(self.seed, self.day, "audit") % _AUDIT_EVERY:
            return []
        mastered = [kata for kata in self.wanted if kata.id not in excluded and self._is_mastered(kata)]
        if not mastered:
            return []
        kata = mastered[draw(self.seed, self.day, "which") % len(mastered)]
        why = Bilingual("a random check of one that you know well", "随机抽查：已掌握的练习")
        return [self._item(kata, "audit", why)]

    def _is_mastered(self, kata: Kata) -> bool:
        memory = self.schedule.memories.get(kata.id)
        return memory is not None and memory.stability >= _MASTERED and self.day - memory.last_day >= _UNFORGOTTEN

    def _new(self, excluded: set[str] | frozenset[str]) -> list[Item]:
        begun_today = sum(memory.first_day == self.day for memory in self.schedule.memories.values())
        room = max(0, self.new - begun_today)
        why = Bilingual("new: everything that it builds on is done", "新练习：前置练习都已通过")
        plain = Bilingual("new", "新练习")
        ready = [
            kata
            for kata in self._reachable()
            if kata.id not in excluded and kata.id not in self.schedule.memories and self._unlocked(kata)
        ]
        ready.sort(key=lambda kata: kata.rank)
        return [self._item(kata, "new", why if kata.requires else plain) for kata in ready[:room]]

    def _unlocked(self, kata: Kata) -> bool:
        memories = self.schedule.memories
        return all(name in memories and memories[name].passes for name in kata.requires if name in self.by_id)

    def _reachable(self) -> list[Kata]:
        """The wanted katas and all that they build on, whatever its topic."""
        found: dict[str, Kata] = {}
        waiting = list(self.wanted)
        while waiting:
            kata = waiting.pop()
            if kata.id not in found:
                found[kata.id] = kata
                waiting += [self.by_id[name] for name in kata.requires if name in self.by_id]
        return list(found.values())

    # ---- what is offered beside them ----------------------------------------

    def repair(self, known: Mapping[str, Latest], left_out: set[str]) -> RepairOffer | None:
        """The repair that is open; else, once a day, one of a passed kata that is neither due nor asked for today."""
        begun = [kata for kata in self.wanted if kata.id in known and known[kata.id].open]
        if begun:
            newest = max(begun, key=lambda kata: known[kata.id].day)
            return self._offer(newest, Bilingual("you began it", "已开始"), begun=True)
        if any(one.day == self.day for one in known.values()):
            return None
        rested = {name for name, one in known.items() if self.day - one.day < _REPAIRED}
        ready = [kata for kata in self.wanted if kata.id not in left_out | rested and self._is_known(kata)]
        ready.sort(key=lambda kata: (kata.id in known, self._recall(kata), draw(self.seed, self.day, kata.id)))
        why = Bilingual("passed before, and not due today", "以前通过过，今天没有到期")
        # A kata that always begins from wrong code is one already.
        some = (kata for kata in ready if not kata.starter.slips and kata.slips_file.exists())
        return next((self._offer(kata, why) for kata in some), None)

    def _is_known(self, kata: Kata) -> bool:
        memory = self.schedule.memories.get(kata.id)
        due = self.schedule.due_day(kata.id)
        return memory is not None and bool(memory.passes) and memory.last_day < self.day and (due or 0) > self.day

    def _offer(self, kata: Kata, why: Bilingual, *, begun: bool = False) -> RepairOffer:
        minutes = max(1, math.ceil(self._cost(kata) / 60 / _SHARE))
        return RepairOffer(kata.id, kata.title, minutes, why, begun)

    # ---- the order of the day, and a word about it ----------------------------------------

    def _order(self, items: list[Item]) -> list[Item]:
        """What was begun first; then topics alternate, and a kata comes after those that it builds on."""
        ordered = [item for item in items if item.reason == "unfinished"]
        rest = [item for item in items if item.reason != "unfinished"]
        while rest:
            left = {item.kata for item in rest}
            free = [item for item in rest if not self._builds_on(item.kata, left - {item.kata})] or rest
            last = ordered[-1].topic if ordered else ""
            chosen = next((item for item in free if item.topic != last), free[0])
            ordered.append(chosen)
            rest.remove(chosen)
        return ordered

    def _builds_on(self, kata: str, others: set[str]) -> bool:
        seen: set[str] = set()
        waiting = list(self.by_id[kata].requires)
        while waiting:
            name = waiting.pop()
            if name in others:
                return True
            if name not in seen and name in self.by_id:
                seen.add(name)
                waiting += self.by_id[name].requires
        return False

    def _note(self, items: list[Item], waiting: list[Kata]) -> Bilingual:
        if waiting:
            days = self._catch_up(waiting) + 1
            more = "1 more is due and waits" if len(waiting) == 1 else f"{len(waiting)} more are due and wait"
            pace = counted(days, "day", "").en
            return Bilingual(
                f"{more}, the most forgotten first: at this pace it takes {pace}.",
                f"还有 {len(waiting)} 个到期的练习在排队：按这个节奏要 {days} 天，最生疏的先来。",
            )
        if items:
            return Bilingual("", "")
        coming = self._next_due()
        when = (f"the next one is due on {coming}", f"下一个 {coming} 到期") if coming else ("", "")
        if self.spent:
            return Bilingual(
                "; ".join(filter(None, ("done for today", when[0]))), "；".join(filter(None, ("今天完成了", when[1])))
            )
        return Bilingual(
            "; ".join(filter(None, ("nothing is due today", when[0]))),
            "；".join(filter(None, ("今天没有到期的练习", when[1]))),
        )
