"""A repetition on the page: the same object as in the daily loop, with a save that comes from the browser.

A save names the version of the file that the editor's text comes from. Where the file is another one by now, because
another editor wrote it, nothing is written: the learner sees both and decides, and what is written over is archived.

Over 400 lines, because each step of a repetition that the page offers is one short method of the same object.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from llmdrills.cli.day.beginning import begin, repair
from llmdrills.cli.day.comparison import Comparison
from llmdrills.cli.day.events import Failed
from llmdrills.cli.kata_view import kata_markdown
from llmdrills.cli.rating_view import RATED, choices_json, days_of
from llmdrills.cli.record import earned
from llmdrills.cli.repair import mistake_of
from llmdrills.cli.undo_view import name_step
from llmdrills.content.starter import solution_text
from llmdrills.decks.markdown import render
from llmdrills.errors import LLMDrillsError, UsageError
from llmdrills.files import check_size, read_source
from llmdrills.language import counted
from llmdrills.mathtext import unicode_math
from llmdrills.messages import in_both
from llmdrills.practice import attempt_file, schedule
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.rating import Rating, reason
from llmdrills.practice.rotation import stronger
from llmdrills.practice.undoing import last_step
from llmdrills.practice.unfinished import open_session
from llmdrills.web.verdicts import shown_verdict
from llmdrills.web.words import TOLD

if TYPE_CHECKING:
    from llmdrills.cli.day.events import Graded
    from llmdrills.content.model import Kata, Variant
    from llmdrills.grading.judging.verdict import Verdict
    from llmdrills.practice.repetition import Repetition, View
    from llmdrills.web.study import Study

__all__ = ["Practice", "Save", "Sheet", "version_of"]

Json = dict[str, Any]
_GONE = ""  # the version of a file that is not there


@dataclass(frozen=True)
class Save:
    """A text as it comes from the editor. `page` and `number` (the page's own) come back with the verdict; `over`: the
    learner has seen what the file holds, and wants it replaced; `columns`: how wide a verdict may be."""

    session: str
    code: str
    version: str
    number: int
    columns: int = 80
    over: bool = False
    page: str = ""


class _Asker(NamedTuple):
    """Which save a verdict is on: of which open page, and its number there."""

    page: str
    number: int


_OTHER_EDITOR = _Asker("", 0)


@dataclass
class Sheet:
    """A repetition that is open on the page."""

    repetition: Repetition
    kata: Kata
    variant: Variant
    resumed: bool
    version: str = _GONE  # of the file, as it was last read or written here
    unsettled: str | None = None  # a version that was seen once: looked at again, in case it is being written
    verdict: Verdict | None = None
    columns: int = 80
    silent: bool = False  # in an exam: nothing is explained
    waiting: dict[bytes, _Asker] = field(default_factory=dict)  # code that is being graded → whose save it is


def version_of(file: Path) -> str:
    """What tells one content of a file from the next: its time, size and identity; empty where there is none."""
    try:
        found = file.stat()
    except OSError:
        return _GONE
    return f"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}"


class Practice:
    """Used by the owner's thread alone."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self.sheets: dict[str, Sheet] = {}
        self._grading: Sheet | None = None  # whose code the grader has; it takes one, and the newest of it

    # ---- beginning ----------------------------------------

    def open(self, name: str, variant: str | None = None, *, as_repair: bool = False) -> Json:
        """Go on with the kata, or begin it; without `variant`, in the one whose turn it is.

        Raises UsageError where another variant is open already.
        """
        study = self._study
        study.read_katas()
        kata = study.kata(name)
        if as_repair:
            begun = repair(study.here, study.history, kata)
        else:
            turn = schedule.load(study.history, study.here.settings.scheduling).next_variant(kata)
            found = repetitions.resume(study.history, kata, begun="blank")
            other = found is not None and variant is not None and found.variant != variant
            if found is not None and other and found.scored:
                words = TOLD["other_open"].format(kata=kata.id, variant=found.variant)
                raise UsageError(words, TOLD["finish_it"])
            begun = begin(study.here, study.history, kata, variant or turn, planned=variant is None, anew=other)
        return self.shown(self.add(begun.repetition, kata, resumed=begun.resumed))

    def add(self, repetition: Repetition, kata: Kata, *, resumed: bool, silent: bool = False) -> Sheet:
        """Keep a repetition open on the page; one that is open already stays as it is."""
        known = self.sheets.get(repetition.id)
        for other in [one for one in self.sheets.values() if one.repetition.file == repetition.file]:
            if other is not known:  # the file is no longer its own
                del self.sheets[other.repetition.id]
        if known is None:
            variant = kata.variant(repetition.variant) or kata.variants[0]
            known = Sheet(repetition, kata, variant, resumed)
            self.sheets[repetition.id] = known
        known.silent = silent
        known.version = version_of(repetition.file)
        if self._grading is None:
            self._study.prepare(repetition)
        return known

    def sheet(self, session: str) -> Sheet:
        """The repetition of that id. Raises UsageError where it is not open here."""
        known = self.sheets.get(session)
        if known is None:
            raise UsageError(TOLD["no_repetition"], TOLD["reload"])
        return known

    def _is_superseded(self, sheet: Sheet) -> bool:
        """Whether the kata was begun anew elsewhere since, in the same file: by a command, or in a terminal."""
        repetition = sheet.repetition
        if repetition.rated or (repetition.unrated and repetition.passed):
            return False
        row = open_session(self._study.history, sheet.kata.id, "repair" if repetition.repair else "blank")
        if row is not None and row["id"] == repetition.id:
            return False
        self.sheets.pop(repetition.id, None)
        return True

    # ---- what is shown ----------------------------------------

    def shown(self, sheet: Sheet) -> Json:
        """Everything about it. `html` and `hints` are HTML that `decks.markdown` made: raw HTML is escaped there."""
        study, repetition, kata = self._study, sheet.repetition, sheet.kata
        hints = [] if sheet.silent else list(range(1, repetition.hints_shown + 1))
        return {
            "session": repetition.id,
            "kata": kata.id,
            "title": unicode_math(study.told(kata.title)),
            "variant": sheet.variant.id,
            "repair": repetition.repair,
            "html": render(kata_markdown(kata, sheet.variant, study.language)),
            "about": self._about(sheet),
            "hints": [self._hint_html(sheet, number) for number in hints],
            "all_hints": len(kata.hints),
            "silent": sheet.silent,
            "code": _text(self._read(sheet)),
            "version": sheet.version,
            "verdict": None if sheet.verdict is None or sheet.silent else self._verdict(sheet),
            **self.standing(sheet),
        }

    def standing(self, sheet: Sheet) -> Json:
        """Where it stands, what may be done, and what can be earned."""
        study, repetition = self._study, sheet.repetition
        found = (
            earned(study.here, repetition) if repetition.passed and not repetition.rated and not sheet.silent else None
        )
        mistake = mistake_of(repetition)
        return {
            "state": repetition.state,
            "passed": repetition.passed,
            "may_skip": repetition.may("skip"),
            "may_offer": repetition.may("offer") and repetition.rateable,
            "look_costs": repetition.next_look_costs,
            "choices": [] if found is None else self._choices(sheet),
            "reason": "" if found is None else study.told(reason(found.facts)),
            "mistake": "" if mistake is None else mistake.told(study.language),
        }

    def _about(self, sheet: Sheet) -> list[str]:
        """What is said above the editor."""
        study, repetition = self._study, sheet.repetition
        name = "resumed" if sheet.resumed else "repair_begin" if repetition.repair else "begin"
        said = [study.say(name, file=attempt_file.shown(repetition.file))]
        if repetition.easier:
            said.append(study.say("easier_begin", stronger=stronger(sheet.kata, repetition.variant)))
        return said

    def _choices(self, sheet: Sheet) -> list[Json]:
        language = self._study.language
        choices = sheet.repetition.choices
        return [
            {**shown, "label": one.rating.label[language], "number": int(one.rating), "in": days_of(one)[language]}
            for one, shown in zip(choices, choices_json(choices), strict=True)
        ]

    def _verdict(self, sheet: Sheet, asker: _Asker = _OTHER_EDITOR) -> Json:
        assert sheet.verdict is not None  # noqa: S101  # asked only where there is one
        shown = shown_verdict(sheet.verdict, self._study.language, sheet.columns)
        return {"session": sheet.repetition.id, **asker._asdict(), **shown}

    def _hint_html(self, sheet: Sheet, number: int) -> str:
        return render(self._study.told(sheet.kata.hints[number - 1]).strip())

    # ---- saves and verdicts ----------------------------------------

    def save(self, save: Save) -> Json:
        """Write the text into the file and have it graded; the verdict follows as an event.

        `conflict`: the file is not the one that the text comes from, and was left alone.
        """
        sheet = self.sheet(save.session)
        if self._is_superseded(sheet):
            raise UsageError(TOLD["no_repetition"], TOLD["reload"])
        repetition, found = sheet.repetition, version_of(sheet.repetition.file)
        if found != save.version:
            sheet.version = found
            return {"conflict": True, "version": found, "code": _text(self._read(sheet)), "gone": found == _GONE}
        code = save.code.encode("utf-8", "replace")
        check_size(len(code), repetition.file.name)
        sheet.columns = save.columns
        held = self._read(sheet)
        if held is not None and held != code and (save.over or not _is_text(held)):
            repetition.keep(held)
        repetition.withdraw()
        trouble = ""
        try:
            self._grade(sheet, code, _Asker(save.page, save.number))  # the grader works while the disk does
        except UsageError as error:  # this system cannot grade; the text is saved all the same
            trouble = error.told(self._study.language)
        if held != code:
            try:
                attempt_file.write(repetition.file, code)
            except LLMDrillsError:
                sheet.waiting.pop(code, None)  # what was not saved gets no verdict
                raise
        sheet.version = version_of(repetition.file)
        repetition.is_new(code)  # it counts as seen, whatever the answer
        if held != code:
            self._tell_pages(sheet, code, save.page)
        return {"conflict": False, "version": sheet.version, "trouble": trouble}

    def _grade(self, sheet: Sheet, code: bytes, asker: _Asker) -> None:
        """Have it graded, after what another page waits for."""
        sheet.waiting.pop(code, None)
        sheet.waiting[code] = asker  # the last one is the newest
        if self._grading is None or self._grading is sheet:
            self._begin(sheet)

    def _begin(self, sheet: Sheet) -> None:
        try:
            self._study.grade(sheet.repetition, next(reversed(sheet.waiting)))
        except UsageError:
            sheet.waiting.clear()
            raise
        self._grading = sheet

    def _graded_next(self) -> None:
        """The grader is free for the next page that waits."""
        self._grading = next((one for one in self.sheets.values() if one.waiting), None)
        if self._grading is not None:
            self._begin(self._grading)

    def graded(self, event: Graded) -> Sheet | None:
        """A verdict came: record it, then show it. The sheet that it is about; None where it is not shown."""
        sheet = next((one for one in self.sheets.values() if _is_of(event, one)), None)
        try:
            return None if sheet is None else self._take(event, sheet, sheet.waiting.pop(event.code))
        finally:  # whatever went wrong with this one
            if not event.superseded:
                if sheet is not None:
                    sheet.waiting.clear()  # what was given up for it
                self._graded_next()

    def _take(self, event: Graded, sheet: Sheet, asker: _Asker) -> Sheet | None:
        verdict = event.verdict
        if verdict.outcome == "error":
            self._say_failed(self._study.told(in_both(verdict.message)), asker.number)
            return None
        trouble = ""
        try:
            # Recorded before it is shown: what a learner has seen is on the disk.
            sheet.repetition.attempt(event.code, verdict.to_json())
        except LLMDrillsError as error:  # it is shown all the same, with what is wrong
            trouble = error.told(self._study.language)
        if event.superseded:
            return None
        sheet.verdict = verdict
        if not sheet.silent:
            standing = self.standing(sheet) if not trouble else {}
            self._study.send("verdict", {**self._verdict(sheet, asker), **standing, "trouble": trouble})
        return sheet

    def failed(self, event: Failed) -> None:
        """The grader failed: say so on the page that waits."""
        numbers = [] if self._grading is None else [one.number for one in self._grading.waiting.values()]
        if self._grading is not None:
            self._grading.waiting.clear()
        self._say_failed(event.error.told(self._study.language), max(numbers, default=0))
        self._graded_next()

    def _say_failed(self, why: str, number: int) -> None:
        self._study.send("failed", {"why": why, "number": number})

    def look(self) -> None:
        """See whether another editor saved a file: it is shown and graded. Called a few times a second."""
        for sheet in list(self.sheets.values()):
            found = version_of(sheet.repetition.file)
            if found in {sheet.version, _GONE}:
                sheet.unsettled = None
                continue
            if sheet.unsettled != found:  # it may be written just now
                sheet.unsettled = found
                continue
            sheet.version, sheet.unsettled = found, None
            try:
                self._take_in(sheet)
            except LLMDrillsError as error:
                self._say_failed(error.told(self._study.language), 0)

    def _take_in(self, sheet: Sheet) -> None:
        code = self._read(sheet)
        if code is None or self._is_superseded(sheet):
            return
        self._tell_pages(sheet, code)
        if sheet.repetition.is_new(code) and sheet.repetition.state in {"writing", "rating", "passed"}:
            self._grade(sheet, code, _OTHER_EDITOR)

    def _tell_pages(self, sheet: Sheet, code: bytes, page: str = "") -> None:
        """The file holds something new: by another editor, or by one `page` of several that show the same kata."""
        shown = {"session": sheet.repetition.id, "version": sheet.version, "code": _text(code), "page": page}
        self._study.send("file", shown)

    def _read(self, sheet: Sheet) -> bytes | None:
        try:
            return read_source(sheet.repetition.file)
        except FileNotFoundError:
            return None
        except OSError as error:
            file = sheet.repetition.file
            words = TOLD["unreadable"].format(file=file, why=in_both(error.strerror))
            raise UsageError(words, TOLD["make_readable"]) from error

    # ---- help ----------------------------------------

    def hint(self, session: str) -> Json:
        """The next hint, which counts."""
        sheet = self.sheet(session)
        sheet.repetition.withdraw()
        number = sheet.repetition.next_hint()
        html = "" if number is None else self._hint_html(sheet, number)
        return {"number": number or 0, "html": html, **self.standing(sheet)}

    def reveal(self, session: str, view: View) -> Json:
        """The solution, or the learner's code beside it; before a pass it asks first, as the daily loop does."""
        sheet = self.sheet(session)
        study = self._study
        answer = sheet.repetition.reveal(view)
        if answer == "ask":
            return {"ask": study.say("sure_reveal")}
        mine = _text(self._read(sheet))
        found = Comparison(sheet.kata, sheet.variant, mine)
        return {
            "ask": "",
            "solution": solution_text(sheet.kata, sheet.variant, study.language) if view == "solution" else "",
            "rows": [] if view == "solution" else found.rows(),
            "same": not found.difference(study.language),
            "said": study.say("seen") if answer == "costly" else "",
            **self.standing(sheet),
        }

    def withdraw(self, session: str) -> Json:
        """The learner was asked, and said no."""
        self.sheet(session).repetition.withdraw()
        return {}

    # ---- the end ----------------------------------------

    def offer(self, session: str) -> Json:
        """The ratings that may be given now, with their dates. Raises UsageError where there is none to give."""
        sheet = self.sheet(session)
        found = earned(self._study.here, sheet.repetition)
        if found is None:
            raise UsageError(TOLD["not_rateable"])
        standing = self.standing(sheet)
        why = self._study.told(reason(found.facts))
        return {**standing, "choices": self._choices(sheet), "reason": why, "state": sheet.repetition.state}

    def rate(self, session: str, rating: int) -> Json:
        """Record the rating. Raises UsageError where it is higher than what was earned, or rated elsewhere."""
        sheet = self.sheet(session)
        try:
            chosen = Rating(rating)
        except ValueError as error:
            raise UsageError(TOLD["bad_request"].format(what=f"rating {rating}"), TOLD["reload"]) from error
        if not sheet.repetition.choices:
            earned(self._study.here, sheet.repetition)
        sheet.repetition.rate(chosen)
        choice = next(one for one in sheet.repetition.choices if one.rating == chosen)
        words = RATED.format(kata=sheet.kata.id, rating=chosen.label, due=choice.due, days=days_of(choice))
        return {"said": self._study.told(words), **self.standing(sheet)}

    def skip(self, session: str) -> Json:
        """Leave the kata out of today; what was scored in it is named first, as the daily loop does."""
        sheet = self.sheet(session)
        repetition, study = sheet.repetition, self._study
        if repetition.scored and not repetition.confirmed("skip"):
            facts = repetition.facts()
            name = "sure_skip_seen" if facts.solution else "sure_skip"
            runs = counted(facts.runs, "graded run", "")
            return {"ask": study.say(name, kata=sheet.kata.id, runs=runs.en, count=facts.runs)}
        repetition.skip()
        self.sheets.pop(session, None)
        return {"ask": "", "said": study.say("skipped", kata=sheet.kata.id)}

    def last(self, session: str) -> Json:
        """What `undo` would take back, and how to ask for it; empty where there is nothing."""
        step = last_step(self._study.history)
        if step is None:
            return {"id": ""}
        sheet = self.sheets.get(session)
        own = sheet is not None and (step.kata, step.repair) == (sheet.kata.id, sheet.repetition.repair)
        same = own and step.session != session
        return {"id": step.id, "ask": self._study.say("sure_undo_same" if same else "sure_undo", what=name_step(step))}


def _is_of(event: Graded, sheet: Sheet) -> bool:
    """Whether the verdict is on code of this sheet; every repetition has a seed of its own."""
    same = (sheet.kata.id, sheet.repetition.seed) == (event.verdict.kata, event.verdict.seed)
    return same and event.code in sheet.waiting


def _text(code: bytes | None) -> str:
    return (code or b"").decode("utf-8", "replace")


def _is_text(code: bytes) -> bool:
    """Whether the editor shows it as it is, so that saving loses nothing."""
    try:
        return code.decode("utf-8").encode("utf-8") == code
    except UnicodeDecodeError:
        return False
