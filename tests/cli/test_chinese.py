"""Under Chinese no command prints English: each is run with what a learner or an author gives it, and with mistakes.

Code, paths, identifiers and standard terms apart. `--help` and the exam have tests of their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from llmdrills.cli import COMMANDS
from llmdrills.content.load import load_katas
from llmdrills.content.starter import solution_text
from tests.cli.conftest import Ran, Run
from tests.helpers.english_left import english_left, half_width_left
from tests.helpers.terminal import Terminal

KATA = "rms-norm"
NAMES = (
    *("Spot the bug", "Why divide by", "llmdrills", "SQLite", "Anki", "Empty Cards", "File", "Import", "Ctrl-C", "KiB"),
    *("CPython", "transformers", "numpy", "genanki", "comrak", "fsrs", "typer", "rich", "watchfiles", "torch"),
)
"""Names that stand beside each other in what is printed: programs, libraries, the tags of a deck."""


@dataclass
class Walk:
    """Runs commands in Chinese, and looks at what each of them said."""

    run: Run
    cwd: Path
    env: dict[str, str] = field(default_factory=lambda: {"LLMDRILLS_LANG": "zh"})
    walked: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def __call__(self, *words: object, code: int = 0, stdin: str = "", **env: str) -> Ran:
        """`code`: what it has to end with, so that the path that is meant is the one that is walked."""
        ran = self.run(*words, env={**self.env, **env}, cwd=self.cwd, stdin=stdin)
        assert ran.code == code, (words, ran)
        self.walked.add(str(words[0]))
        self.look(" ".join(map(str, words)), ran.out, ran.err)
        return ran

    def look(self, command: str, *texts: str) -> None:
        """What is English in the texts, or has half-width punctuation, is kept with the command's name."""
        for line in "\n".join(texts).splitlines():
            left = [*english_left(line.strip(), NAMES), *half_width_left(line)]
            self.wrong += [f"{command} → {one!r} in {line.strip()!r}" for one in left]


@pytest.fixture
def walk(run: Run, small: Path) -> Walk:
    return Walk(run, small)


def _practise(walk: Walk, home: Path) -> None:
    """A kata from the first look to the rating, a repair, and what can be asked of the history then."""
    file = home / "practice" / f"{KATA}.py"
    kata = load_katas(walk.cwd)[0]
    for words in (["list"], ["show", KATA], ["today"], ["hint", KATA, "--all"], ["start", KATA], ["start", KATA]):
        walk(*words)
    walk("grade", KATA, code=1)
    walk("grade", KATA, "--variant", "cast-last", code=1)
    walk("hint", KATA)
    file.write_text(f"{file.read_text('utf-8')}\n\ndef {kata.entry}(x, weight, eps=1e-6):\n    return x\n", "utf-8")
    walk("grade", KATA, "--seed", 3, "--why", code=1)
    walk("grade", KATA, "-", code=1, stdin="def rms_norm(:\n")
    file.write_text(solution_text(kata, kata.variants[0], "zh"), "utf-8")
    for words in (["grade", KATA], ["start", KATA], ["skip", KATA], ["undo"], ["start", KATA, "--discard"], ["undo"]):
        walk(*words)
    walk("start", KATA, "--again", code=2)
    walk("rate", KATA, "easy", code=2)
    for words in (["rate", KATA, "hard"], ["undo"], ["rate", KATA], ["start", KATA, "--repair"], ["skip", KATA]):
        walk(*words)
    walk("undo")
    walk("start", KATA, "--edit")
    walk("start", KATA, "--edit", VISUAL="no-such-editor")
    for words in (["stats"], ["readiness"], ["optimize"], ["report"], ["today", "--no-input"], ["history", "show"]):
        walk(*words)


def test_should_speak_chinese_on_the_way_of_a_learner(walk: Walk, home: Path) -> None:
    _practise(walk, home)
    walk("history", "export", "h.jsonl")
    for words in (["show", KATA], ["import", "h.jsonl"], ["restore"], ["restore", "--list"], ["restore", "--replace"]):
        walk("history", *words)
    walk("doctor")
    (home / "data" / "history.sqlite3").write_bytes(b"no database" * 400)
    walk("doctor", code=1)
    walk("today")  # it is set aside, and what is missing is said
    assert walk.wrong == []


def test_should_speak_chinese_on_the_way_of_a_teacher(walk: Walk) -> None:
    kata = load_katas(walk.cwd)[0]
    right = solution_text(kata, kata.variants[0], "zh")
    ann = walk.cwd / "class" / "ann"
    ann.mkdir(parents=True)
    wrong = f"def {kata.entry}(x, weight, eps=1e-6):\n    return x\n"
    files = {
        f"{KATA}.py": right,
        f"{KATA}@x.py": right,
        "rms-nrm.py": "",
        "notes.txt": "",
        f"{KATA}@cast-last.py": wrong,
    }
    for name, text in files.items():
        (ann / name).write_text(text, "utf-8")
    (ann / "week").mkdir()
    (ann / "link.py").symlink_to(ann / "notes.txt")
    (walk.cwd / "class" / "bob").mkdir()
    (walk.cwd / "class.csv").write_text("student,kata,path\n", "utf-8")
    walk("grade-all", "class", "--out", "out", "--jobs", 1, code=1)
    walk("grade-all", "class", "--out", "out", "--jobs", 1, code=1)
    walk("grade-all", "class", "--out", "class/out", code=2)
    walk("grade-all", "class.csv", "--out", "out", code=2)
    walk("grade-all", "nowhere", "--out", "out", code=2)
    walk("grade-all", "class", "--out", "class.csv", code=2)
    walk("grade-all", "class", "--out", "out", "--scheduler", "tcp://127.0.0.1:9", "--jobs", 2, code=2)
    page = (walk.cwd / "out" / "report.html").read_text("utf-8")
    walk.look("report.html", re.sub(r"<(style|code).*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL))
    assert walk.wrong == []


def _import(walk: Walk) -> None:
    """A table and a Markdown file: what is taken, what is changed, what is not."""
    (walk.cwd / "words.csv").write_text("#tags:llmdrills::x\nfront,back\n键？,值\n,无\n键？,另一个\n键？,值\n", "utf-8")
    walk("import", "words.csv", "--topic", "retrieval")
    (walk.cwd / "text.md").write_text(
        "---\na: b\n---\n# 标题\n\nQ: 问\n\n散文\n\n## 空\n\n## 图\n\n![x](no.png)\n", "utf-8"
    )
    walk("import", "text.md", "--topic", "retrieval", "--dry-run", code=2)


def test_should_speak_chinese_on_the_way_of_an_author(walk: Walk) -> None:
    walk("check", "--quick")
    walk("check", "--matrix", code=1)
    walk("check", "--write")
    walk("build", "--frozen", code=2)
    walk("build")
    deck = walk.cwd / "decks" / "small.yaml"
    deck.write_text(deck.read_text("utf-8").replace("To keep the", "For the"), "utf-8")
    walk("build", "--dry-run", "--verbose")
    walk("check", "--quick", code=1)
    walk("new", "note", "small", "second")
    walk("new", "deck", "interview")
    walk("new", "kata", "layer-norm")
    walk("build", "--brief")
    walk("retire", "scale", "--why", "与 second 合并")
    walk("build", "--verbose")
    walk("init", "copy")
    _import(walk)
    (walk.cwd / "decks" / "deck.lock").write_text("junk\n", "utf-8")
    walk("build", code=2)
    walk("build", "--new-lock")
    deck.write_text("deck: small\nnotes:\n  - id: a\n    type: quesion\n    front: [a]\n", "utf-8")
    walk("check", code=2)
    walk("build", code=2)
    walk("doctor", code=1)
    assert walk.wrong == []


MISTAKES: tuple[tuple[tuple[object, ...], dict[str, str]], ...] = (
    (("config", "set", "minuts", 3), {}),
    (("config", "set", "minutes"), {}),
    (("config", "set", "minutes", "x"), {}),
    (("config", "set", "minutes", 9999), {}),
    (("config", "set", "lang", "fr"), {}),
    (("config", "set", "practice", "here"), {}),
    (("config", "edit"), {}),
    (("config", "edit"), {"EDITOR": "vi"}),
    (("config", "edit"), {"EDITOR": "no-such-editor", "LLMDRILLS_EDITOR_KIND": "window"}),
    (("list", "--topic", "nope"), {}),
    (("show", "rms-nrm"), {}),
    (("show", KATA, "--variant", "zzz"), {}),
    (("today", "--topic", "nope"), {}),
    (("today", "--minutes", 0), {}),
    (("today",), {"TZ": "XXX-30"}),
    (("today",), {"LLMDRILLS_HOME": "/proc/x"}),
    (("today",), {"LLMDRILLS_MINUTES": "many"}),
    (("hint", KATA, 99), {}),
    (("rate", KATA), {}),
    (("rate", KATA, "bogus"), {}),
    (("grade", "none.py"), {}),
    (("grade", "decks"), {}),
    (("grade", "headless.py"), {}),
    (("grade", "headless.py", "other.py"), {}),
    (("grade", KATA, "other.py"), {}),
    (("grade", KATA, "-", "--watch"), {}),
    (("history", "show", KATA, "--code", 9), {}),
    (("history", "show", "--code", 1), {}),
    (("history", "show", "nope"), {}),
    (("history", "export", "/proc/x/h"), {}),
    (("history", "import", "nope"), {}),
    (("history", "import", "headless.py"), {}),
    (("history", "restore"), {}),
    (("report", "/proc/x.html"), {}),
    (("new", "note", "nope", "x"), {}),
    (("new", "note", "small", "scale"), {}),
    (("new", "note", "small", "Bad Id"), {}),
    (("new", "note", "small", "third", "--type", "zzz"), {}),
    (("new", "deck", "small"), {}),
    (("new", "kata", KATA), {}),
    (("retire", "scale", "--why", "x"), {}),
    (("init", "."), {}),
    (("import", "nope.apkg"), {}),
    (("import", "headless.py"), {}),
    (("import", "decks"), {}),
    (("import", "utf16.csv", "--topic", "retrieval"), {}),
    (("import", "one.csv"), {}),
    (("import", "one.csv", "--topic", "nope"), {}),
    (("import", "one.csv", "--deck", "small"), {}),
    (("import", "one.csv", "--deck", "Bad Id"), {}),
    (("import", "one.csv", "--deck", "readiness"), {}),
    (("import", "one.csv", "--topic", "retrieval", "--in", "no language"), {}),
    (("import", "one.csv", "--topic", "retrieval", "--from", "x"), {}),
    (("import", "three.csv", "--topic", "retrieval"), {}),
    (("init", "headless.py"), {}),
    (("check", "--quick", "--write"), {}),
    (("check", "nope"), {}),
    (("build", "--out", "/proc/x"), {}),
    (("build",), {"SOURCE_DATE_EPOCH": "x"}),
    (("list", "--workspace", "/nowhere"), {}),
)


def test_should_tell_every_mistake_in_chinese(walk: Walk) -> None:
    (walk.cwd / "headless.py").write_text("x = 1\n", "utf-8")
    (walk.cwd / "one.csv").write_text("a,b\n", "utf-8")
    (walk.cwd / "three.csv").write_text("a,b,c\n", "utf-8")
    (walk.cwd / "utf16.csv").write_bytes("a,b\n".encode("utf-16"))
    (walk.cwd / "other.py").write_text("# llmdrills: kata=other variant=x\n", "utf-8")
    for words, env in MISTAKES:
        walk(*words, code=2, **env)
    for text in ("minuts = 3\n", 'practice = "/x"\n', "=\n"):
        (walk.cwd / "llmdrills.toml").write_text(text, "utf-8")
        walk("today", code=2)
    assert walk.wrong == []


def test_should_speak_chinese_by_the_locale_in_the_shipped_workspace(run: Run, root: Path) -> None:
    walk = Walk(run, root, {"LANG": "zh_CN.UTF-8", "LC_ALL": "", "LC_MESSAGES": ""})
    for words in (
        *(["list"], ["show", "rope-pairing"], ["today"], ["readiness"], ["stats"], ["paths"], ["config", "get"]),
        *(["check", "--quick"], ["build", "--dry-run"], ["hint", "rope-pairing"]),
    ):
        walk(*words)
    walk("new", "note", "nope", "x", code=2)
    walk("ask", "--count", 1, "--seed", 3, stdin="a dozen\n12\n")
    walk("ask", "--count", 1, "--seed", 3, "--answer", "a dozen", code=1)
    assert walk.wrong == []
    assert "今天" in walk("today").out


def test_should_name_a_variable_that_is_misspelt(walk: Walk) -> None:
    told = walk("today", LLMDRILLS_MINUTS="3", LLMDRILLS_LANGUAGE="en", LLMDRILLS_OTHER_TOOL="1").err
    assert [line for line in told.splitlines() if line.startswith("提示")] == [
        "提示：环境变量 LLMDRILLS_LANGUAGE 不起作用；是不是要写 LLMDRILLS_LANG？",
        "提示：环境变量 LLMDRILLS_MINUTS 不起作用；是不是要写 LLMDRILLS_MINUTES？",
    ]
    assert walk("today", LLMDRILLS_MINUTES="3").err == ""


def test_should_print_the_same_json_in_both_languages(walk: Walk) -> None:
    for words in (["doctor"], ["paths"], ["check", "--quick"], ["config", "get"]):
        said = [walk.run(*words, "--json", "--lang", lang, cwd=walk.cwd).json for lang in ("en", "zh")]
        one, other = (re.sub(r"\d{4}-\d\d-\d\dT[^\"']*|'seconds': [\d.e-]+|--lang|'(en|zh)'", "", str(x)) for x in said)
        assert one == other


def test_should_not_call_for_today_within_today(walk: Walk, home: Path) -> None:
    day = Terminal("today", "--lang", "zh", cwd=walk.cwd)
    day.expect("等待保存|正在启动评分服务")
    day.press("q")
    assert day.ended() == 0
    assert "下一步" not in day.text
    walk.look("today", day.text)
    assert walk.wrong == []


def test_should_leave_no_command_out() -> None:
    text = Path(__file__).read_text("utf-8")
    apart = {
        "anki",
        "exam",
        "packs",
        "play",
        "preview",
        "solution",
        "watch",
        "web",
    }  # the exam, anki, packs, play and the page have tests of their own; preview serves, solution prints code
    assert [name for name in COMMANDS if f'"{name}"' not in text and name not in apart] == []
