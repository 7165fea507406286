"""Nothing is lost: kill −9 at random moments of a driven day, again and again on one home.

`LLMDRILLS_KILLS` says how often (`make soak`: 300). After every kill the database must be whole, whatever the screen
had confirmed must be in it, the learner's file must be one that somebody wrote in full, no process may be left, and
the next `today` must go on where it was.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pexpect
import pytest

from tests.helpers.processes import wait_for_nobody
from tests.helpers.terminal import Terminal

KILLS = int(os.environ.get("LLMDRILLS_KILLS", "6"))
ROUNDS_A_HOME = 12  # every kata of the workspace would be done after some more
KATAS = 48
SEED = int(os.environ.get("LLMDRILLS_SEED", "20260607"))

# In which phase of the day the kill comes: how often in a round of the bag, and up to how many seconds after it began.
PHASES = {
    "start": (2, 1.0),  # before the plan is on the screen
    "warming": (2, 3.0),  # the grader is not up yet
    "hint": (1, 0.1),
    "wrong": (2, 1.0),  # a save that is graded wrong
    "right": (2, 1.0),  # a save that passes
    "loop": (1, 0.5),  # a save that never ends
    "rate": (2, 0.2),
    "undo": (1, 0.2),
    "next": (2, 0.2),  # earlier code is archived, the next starter is written
}
KINDS = {"wrong": "✗", "right": "✓", "loop": "✗"}
WORDS = {"passed": "passed", "wrong": "wrong", "timed out": "timeout"}
_BEGUN = r"(?:Write|Back to where you were:)\s+\S*/practice/([\w-]+)\.py|Done for today"
_RATED = re.compile(r"^([\w-]+): (Again|Hard|Good|Easy); due again on", re.MULTILINE)
_UNDONE = re.compile(r"^Undone: the (?:rating|skip)", re.MULTILINE)
_SKIPPED = re.compile(r"^([\w-]+) is skipped for today\.", re.MULTILINE)
_HINT = re.compile(r"\bHint (\d)/\d")
_VERDICT = re.compile(rf"^[✓✗] ([\w-]+) \([\w-]+\): ({'|'.join(WORDS)})", re.MULTILINE)


class Killed(Exception):  # noqa: N818  # it is what happened, not an error
    """The moment came."""


@dataclass
class Doom:
    """In which phase the process is to be killed, and how long after that began."""

    phase: str
    delay: float
    at: float = float("inf")
    now: str = "start"

    @classmethod
    def drawn(cls, rng: random.Random, bag: list[str]) -> Doom:
        """One from the bag, which is filled again when empty: few kills too are spread over the phases."""
        if not bag:
            bag += [phase for phase, (times, _) in PHASES.items() for _ in range(times)]
            rng.shuffle(bag)
        phase = bag.pop()
        longest = PHASES[phase][1]
        # Half of the delays are tiny: what can be torn apart takes milliseconds.
        return cls(phase, rng.uniform(0, longest) if rng.random() < 0.5 else longest * 10 ** rng.uniform(-4, 0))

    def enter(self, phase: str) -> None:
        self.now = phase
        if phase == self.phase and self.at == float("inf"):
            self.at = time.monotonic() + self.delay


class Mortal(Terminal):
    """A terminal whose program is killed at a moment set beforehand."""

    def __init__(self, doom: Doom, workspace: Path, env: dict[str, str]) -> None:
        self.doom = doom
        doom.enter("start")
        super().__init__("today", "--new", "50", "--minutes", "600", cwd=workspace, env=env)

    def until(self, pattern: str, timeout: float = 90) -> re.Match[str]:
        """Like `expect`, with the whole match; raises Killed when the moment comes first."""
        end = time.monotonic() + timeout
        while True:
            found = re.compile(pattern).search(self.text, self._seen)
            if found:
                self._seen = found.end()
                return found
            left = min(end, self.doom.at) - time.monotonic()
            if time.monotonic() >= self.doom.at:
                raise Killed
            if left <= 0 or not self._read(min(left, 0.2)):
                raise AssertionError(f"{pattern!r} did not appear; since then:\n{self.text[self._seen :]}")

    def settle(self) -> None:
        """The screen confirmed it: if the end is to come in this phase, nothing else is begun before it."""
        if self.doom.at < float("inf"):
            self.doom.now += " confirmed"
            self.fate()

    def fate(self) -> NoReturn:
        """Wait for the end."""
        while time.monotonic() < self.doom.at:
            if not self._read(min(0.05, max(0.0, self.doom.at - time.monotonic()))):
                raise AssertionError(f"it ended by itself:\n{self.text}")
        raise Killed

    def kill(self) -> None:
        """Kill, and take in all that the screen still got."""
        os.kill(self.child.pid, signal.SIGKILL)
        with contextlib.suppress(pexpect.EOF):
            while self._read(5):
                pass
        self.child.close(force=True)
        assert self.child.signalstatus == signal.SIGKILL, f"it was over before: {self.text}"
        assert "Traceback" not in self.raw, self.text


@dataclass
class Learner:
    """Who practises: what they saved, and what the screen has told them."""

    workspace: Path
    home: Path
    right: str
    rng: random.Random
    saves: int = 0
    texts: dict[str, list[str]] = field(default_factory=dict)  # kata → what was saved in full, in order
    confirmed: list[tuple[str, str, str]] = field(default_factory=list)  # kata, outcome, code whose verdict was shown
    graded: dict[str, str] = field(default_factory=dict)  # kata → the code graded last, as far as is known

    def write(self, kata: str, kind: str) -> str:
        """Save a file that nobody saved before; the code."""
        change = {"right": "return ", "wrong": "return 2 * ", "loop": "while True: pass\n    return "}[kind]
        self.saves += 1
        text = self.right.replace("return ", change) + f"# {kind} {self.saves}\n"
        (self.home / "practice" / f"{kata}.py").write_text(text)
        self.texts.setdefault(kata, []).append(text)
        return text

    def leave_earlier_code(self, katas: list[str]) -> None:
        """Files that were there before anything began: the starter may replace them only once they are archived."""
        (self.home / "practice").mkdir(parents=True)
        for kata in katas:
            text = f"earlier = {kata!r}\n# earlier\n"
            (self.home / "practice" / f"{kata}.py").write_text(text)
            self.texts[kata] = [text]

    def practise(self, terminal: Mortal) -> NoReturn:
        """A day, until the end comes. The phase in which it is to come is sure to come up."""
        doom = terminal.doom
        while True:
            kata = terminal.until(_BEGUN)[1]
            if kata is None:
                raise AssertionError("the workspace holds too few katas for so many rounds")
            assert "# earlier" not in (self.home / "practice" / f"{kata}.py").read_text()
            terminal.settle()
            doom.enter("warming")
            if doom.phase == "warming":
                if self.rng.random() < 0.5:
                    self.write(kata, "right")
                terminal.fate()
            state = terminal.until(r"waiting for a save|grading|(?P<rating>How did it go)")
            passed = state["rating"] is not None or self.grade_what_is_there(terminal, kata)
            if not passed:
                self.pass_it(terminal, kata)
            self.rate(terminal)
            doom.enter("next")
            terminal.press("\r")

    def grade_what_is_there(self, terminal: Mortal, kata: str) -> bool:
        """After a kill, `today` grades what was saved and not graded yet; whether it passed."""
        text = (self.home / "practice" / f"{kata}.py").read_text()
        if text not in self.texts.get(kata, []) or text == self.graded.get(kata):
            return False
        kind = text.rsplit("# ", 1)[1].split()[0]
        self.see(terminal, kata, kind, text)
        return kind == "right"

    def see(self, terminal: Mortal, kata: str, kind: str, text: str) -> None:
        """Wait for the verdict on a save."""
        outcome = {"right": "passed", "wrong": "wrong", "loop": "timeout"}[kind]
        terminal.until(rf"{KINDS[kind]} {kata} \([\w-]+\): (?:{'|'.join(WORDS)})")
        self.confirmed.append((kata, outcome, text))
        self.graded[kata] = text
        terminal.settle()

    def pass_it(self, terminal: Mortal, kata: str) -> None:
        doom = terminal.doom
        if doom.phase == "hint" or self.rng.random() < 0.3:
            doom.enter("hint")
            terminal.press("h")
            terminal.until(r"Hint \d/|last hint")
            terminal.settle()
        if doom.phase == "wrong" or self.rng.random() < 0.3:
            doom.enter("wrong")
            self.see(terminal, kata, "wrong", self.write(kata, "wrong"))
        if doom.phase == "loop":
            self.write(kata, "loop")
            terminal.until("grading")
            doom.enter("loop")
            terminal.fate()
        doom.enter("right")
        for _ in range(self.rng.choice((0, 0, 0, 3))):  # an impatient editor
            self.write(kata, "wrong")
            time.sleep(self.rng.uniform(0, 0.2))
        self.see(terminal, kata, "right", self.write(kata, "right"))
        terminal.until("How did it go")

    def rate(self, terminal: Mortal) -> None:
        doom = terminal.doom
        doom.enter("rate")
        terminal.press("\r")
        terminal.until("due again on")
        terminal.settle()
        if doom.phase == "undo" or self.rng.random() < 0.15:
            doom.enter("undo")
            terminal.press("u")
            terminal.until("Press u again to undo the rating")
            terminal.press("u")
            terminal.until("Undone: the rating")
            terminal.settle()
            terminal.until("How did it go")
            doom.enter("rate")
            terminal.press("1")
            terminal.until("due again on")


@dataclass
class Notary:
    """What must be in the database, and what was in it before."""

    home: Path
    scratch: Path
    seen: dict[str, set[str]] = field(default_factory=dict)  # table → ids

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """All events, read from a copy: the next `today` is the one to deal with what the kill left."""
        source = self.home / "data" / "history.sqlite3"
        if not source.exists():
            return {}
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()
        for path in source.parent.glob("history.sqlite3*"):
            if not path.name.endswith("-shm"):  # a process's shared memory; the log is what counts
                shutil.copy(path, self.scratch)
        with contextlib.closing(sqlite3.connect(self.scratch / source.name)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            connection.row_factory = sqlite3.Row
            names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            events = [name for name in names if name in EVENTS]
            assert not names or set(events) == EVENTS  # made as a whole, or not at all
            return {
                name: [dict(row) for row in connection.execute(f"SELECT * FROM {name} ORDER BY seq")] for name in events
            }

    def check(self, learner: Learner, said: str) -> dict[str, list[dict[str, Any]]]:
        """Compare the database with what was there before, and with what the screen said since."""
        rows = self.rows()
        ids = {name: {row["id"] for row in found} for name, found in rows.items()}
        for name, known in self.seen.items():
            assert known <= ids.get(name, set()), f"{name}: events of an earlier round are gone"
        fresh = {
            name: [row for row in found if row["id"] not in self.seen.get(name, ())] for name, found in rows.items()
        }
        self.seen = ids
        shown = Counter((kata, WORDS[word]) for kata, word in _VERDICT.findall(said))
        assert shown <= Counter((row["kata"], row["outcome"]) for row in fresh.get("attempts", ()))
        labels = ("Again", "Hard", "Good", "Easy")
        ratings = Counter(_RATED.findall(said))
        assert ratings <= Counter((row["kata"], labels[row["rating"] - 1]) for row in fresh.get("reviews", ()))
        assert len(_UNDONE.findall(said)) <= len(fresh.get("undos", ()))
        assert Counter(_SKIPPED.findall(said)) <= Counter(row["kata"] for row in fresh.get("skips", ()))
        assert len(_HINT.findall(said)) <= len(fresh.get("hints", ()))
        attempts = {(row["kata"], row["outcome"], row["code"]) for row in rows.get("attempts", ())}
        missing = [found for found in learner.confirmed if found not in attempts]
        assert not missing, "verdicts were shown that are not recorded"
        return rows


EVENTS = {"sessions", "archives", "attempts", "hints", "solutions", "skips", "reviews", "undos", "parameters"}
EVENTS |= {"note_reviews"}


def check_files(learner: Learner, rows: dict[str, list[dict[str, Any]]], starters: dict[str, str]) -> None:
    """Every file in practice/ is whole; what a starter replaced is in the history."""
    kept = {(row["kata"], row["code"]) for name in ("attempts", "archives") for row in rows.get(name, ())}
    practice = learner.home / "practice"
    for path in practice.glob("[!.]*.py"):
        kata, text = path.stem, path.read_text()
        mine = learner.texts.get(kata, [])
        assert text == starters[kata] or text in mine[-1:], f"{path.name} was torn:\n{text}"
        assert text in mine[-1:] or not mine or (kata, mine[-1]) in kept, f"what was saved in {path.name} is gone"
    assert {path.stem for path in practice.glob("[!.]*.py")} >= set(learner.texts)


def still_open(rows: dict[str, list[dict[str, Any]]]) -> list[str]:
    """The katas begun and neither rated nor skipped, the last begun or opened again first."""
    undone = {row["review"]: row["at"] for row in rows.get("undos", ())}
    ends = [*rows.get("reviews", ()), *rows.get("skips", ())]
    over = {row["session"] for row in ends if row["id"] not in undone}
    ends.sort(key=lambda row: row["at"])
    again = {row["session"]: undone[row["id"]] for row in ends if row["id"] in undone}
    sessions = [row for row in rows.get("sessions", ()) if row["id"] not in over]
    return [row["kata"] for row in sorted(sessions, key=lambda row: -max(row["at"], again.get(row["id"], 0)))]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """Many katas that are one: every one is quick, and there is always a next one."""
    place = tmp_path_factory.mktemp("ws")
    for number in range(KATAS):
        name = f"norm-{number:02}"
        folder = place / "drills" / name
        shutil.copytree(root / "drills" / "rms-norm", folder, ignore=shutil.ignore_patterns("__pycache__"))
        lines = (folder / "kata.yaml").read_text().splitlines()
        lines = [line for line in lines if not line.startswith(("requires:", "proves:"))]
        (folder / "kata.yaml").write_text("\n".join(lines).replace("kata: rms-norm", f"kata: {name}", 1) + "\n")
    (place / "decks").mkdir()
    return place


def starters_of(workspace: Path) -> dict[str, str]:
    from llmdrills.content.load import load_katas
    from llmdrills.content.starter import starter_text

    return {kata.id: starter_text(kata, kata.variants[0], "en") for kata in load_katas(workspace)}


def tool(*words: str, workspace: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "llmdrills", *words],
        cwd=workspace,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(120 + 90 * KILLS)
def test_should_lose_nothing_when_killed_at_any_moment(workspace, tmp_path):
    rng = random.Random(SEED)
    starters = starters_of(workspace)
    figures: Counter[str] = Counter()
    events: Counter[str] = Counter()
    bag: list[str] = []
    slowest = 0.0
    for first in range(0, KILLS, ROUNDS_A_HOME):
        home = tmp_path / f"home-{first}"
        env = {"LLMDRILLS_HOME": str(home), "TMPDIR": str(tmp_path / f"tmp-{first}")}
        Path(env["TMPDIR"]).mkdir()
        right = tool("solution", "norm-00", workspace=workspace, env=env)
        learner = Learner(workspace, home, right, rng)
        learner.leave_earlier_code(list(starters)[::2])
        notary = Notary(home, tmp_path / "copy")
        for _ in range(min(ROUNDS_A_HOME, KILLS - first)):
            doom = Doom.drawn(rng, bag)
            terminal = Mortal(doom, workspace, env)
            with pytest.raises(Killed):
                learner.practise(terminal)
            terminal.kill()
            slowest = max(slowest, wait_for_nobody(str(home)))
            figures[doom.now] += 1
            said = terminal.text
            for _ in range(2):
                rows = notary.check(learner, said)
                check_files(learner, rows, starters)
                learner.graded = {row["kata"]: row["code"] for row in rows.get("attempts", ())}
                words = ("today", "--json", "--new", "50", "--minutes", "600")
                plan = json.loads(tool(*words, workspace=workspace, env=env))
                unfinished = [item["kata"] for item in plan["items"] if item["reason"] == "unfinished"]
                assert unfinished == still_open(rows)
                assert plan["items"][0]["kata"] in (unfinished or starters)
                said = by_command(unfinished, workspace, env, rng)
                figures["commands"] += 1
            rows = notary.check(learner, said)
        figures["verdicts shown"] += len(learner.confirmed)
        events.update({name: len(found) for name, found in notary.rows().items()})
        left = list(Path(env["TMPDIR"]).iterdir())
        figures["temporary folders left"] += len(left)
        figures["partial files left"] += len(list((home / "practice").glob(".*.partial")))
        last_day(learner, workspace, env, still_open(rows))
        wait_for_nobody(str(home))
    print(f"\n{KILLS} kills: {dict(figures)}; recorded: {dict(events)}; processes gone after {slowest:.1f} s at most")


def by_command(unfinished: list[str], workspace: Path, env: dict[str, str], rng: random.Random) -> str:
    """Rate, skip or undo by command, killed at any moment or not at all; what it said."""
    begun = [("rate", kata) for kata in unfinished] * 2 + [("skip", kata) for kata in unfinished]
    words = rng.choice([("undo",), *begun])
    process = subprocess.Popen(
        [sys.executable, "-m", "llmdrills", *words],
        cwd=workspace,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        return process.communicate(timeout=rng.uniform(0.2, 2))[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0]


def last_day(learner: Learner, workspace: Path, env: dict[str, str], unfinished: list[str]) -> None:
    """After the last kill: `today` goes on at the kata that was open, and ends in order."""
    terminal = Mortal(Doom("never", 0), workspace, env)
    kata = terminal.until(_BEGUN)[1]
    if unfinished:
        assert kata == unfinished[0]
        assert "Back to where you were" in terminal.text
    terminal.until("waiting for a save|grading|How did it go")
    terminal.press("q")
    assert terminal.ended() == 0
