"""The first week of a newcomer, in both languages: the first day by hand, then each day by `today` in a terminal.

The workspace has three katas that require no other, so that a day is short. The clock of each process is so many days
ahead.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from llmdrills.content.load import load_katas
from llmdrills.content.starter import read_header, solution_text
from llmdrills.language import Language
from tests.helpers.days import ahead
from tests.helpers.english_left import english_left
from tests.helpers.terminal import Terminal

KATAS = ("bpe-encode", "cross-entropy", "rms-norm")
WEEK = 7


@dataclass
class Words:
    """What is waited for, in one language."""

    waiting: str
    asked: str
    due: str
    nothing: str
    rated: str
    repair: str  # the end of a day that offers one


WORDS = {
    "en": Words(
        "waiting for a save",
        r"Enter (?:Good|Easy)",
        "due again on",
        "nothing is due|Done for today",
        "Hard",
        "Enter end",
    ),
    "zh": Words(
        "等待保存", r"Enter (?:良好|简单)", "到期", "没有到期的练习|今天的练习已完成|今天完成了", "困难", "Enter 结束"
    ),
}


@pytest.fixture
def workspace(tmp_path: Path, root: Path) -> Path:
    for kata in KATAS:
        folder = tmp_path / "ws" / "drills" / kata
        shutil.copytree(root / "drills" / kata, folder)
        lines = (folder / "kata.yaml").read_text("utf-8").splitlines()
        kept = [line for line in lines if not line.startswith(("requires:", "proves:"))]
        (folder / "kata.yaml").write_text("\n".join(kept) + "\n", "utf-8")
    (tmp_path / "ws" / "decks").mkdir()
    return tmp_path / "ws"


@dataclass
class Newcomer:
    """Someone who writes what the reference says, day after day."""

    language: Language
    workspace: Path
    home: Path
    clock: Path
    solutions: dict[tuple[str, str], str]  # by kata and variant
    shown: str = ""
    met: list[list[str]] = field(default_factory=list)  # the katas of each day by `today`

    def day(self, number: int) -> None:
        """`llmdrills today` on that day, until it is done."""
        words = WORDS[self.language]
        terminal = Terminal(
            "today", cwd=self.workspace, columns=100, rows=40, env=ahead(number, self.clock), timeout=90
        )
        katas: list[str] = []
        while True:
            found = terminal.expect(f"{words.waiting}|{words.nothing}")
            if not re.fullmatch(words.waiting, found):
                break
            kata = self._open_kata(terminal)
            katas.append(kata)
            self.solve(self.home / "practice" / f"{kata}.py")
            terminal.expect(words.asked)
            terminal.press("\r")
            terminal.expect(words.due)
            terminal.press("\r")
        while terminal.child.isalive() and not re.search(words.repair, terminal.text):
            assert terminal.screen  # reads what there is
        if terminal.child.isalive():
            terminal.press("\r")  # no repair today
        assert terminal.ended() == 0
        self.shown += terminal.text
        self.met.append(katas)

    def solve(self, file: Path) -> None:
        """Write the right answer to what the file's first line asks for."""
        asked = read_header(file.read_text("utf-8"))
        assert asked is not None
        file.write_text(self.solutions[asked], "utf-8")

    def _open_kata(self, terminal: Terminal) -> str:
        """The kata whose file was named last."""
        return re.findall(r"/practice/([a-z-]+)\.py", terminal.text.replace("\n", ""))[-1]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_should_lead_a_newcomer_through_the_first_week(language, workspace, home, run, tmp_path) -> None:
    words, clock = WORDS[language], tmp_path / "clock"
    solutions = {
        (kata.id, variant.id): solution_text(kata, variant)
        for kata in load_katas(workspace)
        for variant in kata.variants
    }
    run("config", "set", "lang", language, cwd=workspace)
    newcomer = Newcomer(language, workspace, home, clock, solutions)

    today = ahead(0, clock)
    file = Path(run("start", "rms-norm", cwd=workspace, env=today).out.strip())
    assert run("grade", "rms-norm", cwd=workspace, env=today).code == 1
    assert run("hint", "rms-norm", cwd=workspace, env=today).out.startswith("**1/")  # rated Hard: it comes back soon
    newcomer.solve(file)
    assert run("grade", "rms-norm", cwd=workspace, env=today).code == 0
    assert re.search(words.rated, run("rate", "rms-norm", cwd=workspace, env=today).out)

    for number in range(WEEK):
        newcomer.day(number)
    new = [[kata for kata in day if kata != "rms-norm"] for day in newcomer.met]
    assert [len(day) for day in new[:3]] == [1, 1, 0]  # two new katas a day at most, the one by hand included
    assert "rms-norm" in [kata for day in newcomer.met[1:] for kata in day], newcomer.met
    assert [] in newcomer.met, "no day of the week was free"

    stats = run("stats", "--json", cwd=workspace, env=ahead(WEEK, clock)).json
    done = 1 + sum(map(len, newcomer.met))
    assert (stats["reviews"], stats["katas_met"]) == (done, len(KATAS))
    assert stats["days_practised"] == 1 + sum(bool(day) for day in newcomer.met[1:])
    if language == "zh":
        assert english_left(newcomer.shown) == []
