"""Whatever a command prints: lines that fit, whole commands and paths, Chinese by its rules, one form of error."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from llmdrills.cli import COMMANDS
from llmdrills.cli.panels import MOST_DAILY, PANELS, SUMMARIES
from llmdrills.lines import columns
from tests.helpers.command_walk import commands

KATA = "scaled-dot-product-attention"
SUBCOMMANDS = {
    "history": ("show", "export", "import", "restore"),
    "config": ("get", "set", "edit"),
    "new": ("note", "deck", "kata"),
    "anki": ("import", "doctor", "pull", "push"),
    "packs": ("list", "allow", "refuse"),
}
CLOSING = "，。：；、！？）】》」』”’"
OPENING = "（【《「『“‘"
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b[=>]")


def screen(*words: str, columns: int, cwd: Path, lang: str = "en", env: dict[str, str] | None = None) -> list[str]:
    """What a command prints on a terminal of so many columns, line by line."""
    settings = {**os.environ, "TERM": "xterm-256color", "LLMDRILLS_LANG": lang, **(env or {})}
    settings.pop("COLUMNS", None)
    child = pexpect.spawn(
        sys.executable,
        ["-m", "llmdrills", *words],
        cwd=str(cwd),
        env=settings,
        dimensions=(50, columns),
        encoding="utf-8",
        timeout=120,
    )
    child.expect(pexpect.EOF)
    child.close()
    assert "Traceback" not in child.before
    return [
        ESCAPES.sub("", line).rstrip() for line in child.before.replace("\r\n", "\n").split("\n") if "\r" not in line
    ]


def faults(lines: list[str], width: int) -> Iterator[str]:
    """What is wrong with a screen."""
    for before, line in zip(["", *lines], lines, strict=False):
        said = line.strip()
        # A line may be too long for the one word or command in it, an example of help, or a row that ends in a path.
        alone = re.fullmatch(r"\W*(`[^`]+`|\S+)\W*", said.replace("a learner", "").replace("my files", ""))
        alone = alone or said.startswith(("llmdrills ", "cat ", "ssh ", "cd ", "LLMDRILLS_"))
        if columns(line) > width and not alone:
            yield f"too wide ({columns(line)}): {line}"
        if line.count("`") % 2 and "```" not in line:
            yield f"a broken command: {line}"
        if said[:1] in CLOSING and said:
            yield f"begins with a closing mark: {line}"
        if before.strip() and before.strip()[-1] in OPENING:
            yield f"ends with an opening mark: {before}"
        if re.search(r"\$[^$`\s][^$`]*\$|\\(?:sqrt|frac|epsilon|times|mathrm)", line):
            yield f"TeX: {line}"
        if re.search(r"\b1 (?:days|notes|katas|cards|reviews|attempts|problems|events|hints)\b", line):
            yield f"plural: {line}"


@pytest.fixture(scope="module")
def every_help() -> list[tuple[str, ...]]:
    return [(*one["words"], "--help") for one in commands()]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_should_fit_the_help_of_every_command_on_every_terminal(every_help, width, lang):
    # In one process: the help of 30 commands at three widths in two languages is 200 starts otherwise.
    code = (
        "import sys; from llmdrills.cli import build_app; from llmdrills.cli.console import speak; speak(sys.argv[1])\n"
        "app = build_app()\n"
        "for line in sys.stdin.read().splitlines():\n"
        "    app(args=line.split(), prog_name='llmdrills', standalone_mode=False)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, lang],
        input="\n".join(" ".join(words) for words in every_help),
        env={**os.environ, "COLUMNS": str(width)},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.split("\n")
    assert len(lines) > 300
    assert list(faults(lines, width)) == []
    assert not [line for line in lines if line.endswith("...") and not re.search("ARGS|KATA|NOTE|PACKAGE", line)]
    assert not [line for line in lines if "[[" in line]
    assert not [line for line in lines if re.search("x[<>]=|[<>]=x", line)]  # a range as Typer writes it


@pytest.fixture(scope="module")
def practised(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """A folder of practice with a path that has spaces in it, a failing attempt and a hint."""
    folder = tmp_path_factory.mktemp("a learner")
    home = folder / "my files"
    env = {**os.environ, "LLMDRILLS_HOME": str(home)}
    for words in (["start", KATA], ["hint", KATA], ["grade", KATA], ["start", "rms-norm"], ["skip", "rms-norm"]):
        subprocess.run(
            [sys.executable, "-m", "llmdrills", *words], env=env, cwd=folder, capture_output=True, check=False
        )
    shutil.copy(root / "docs" / "examples" / "no_scale.py", folder / "mine.py")
    return folder


SCREENS = [
    ("today", "--no-input"),
    ("list",),
    ("show", "rms-norm"),
    ("show", KATA),
    ("hint", "rms-norm", "--all"),
    ("start", KATA),
    ("grade", KATA),
    ("grade", KATA, "mine.py", "--seed", "7"),
    ("rate", KATA),
    ("skip", "kv-cache-step"),
    ("undo",),
    ("stats",),
    ("readiness",),
    ("history", "show"),
    ("history", "restore", "--list"),
    ("build", "--dry-run"),
    ("config", "get"),
    ("paths",),
    ("tody",),
    ("show", "rope-paring"),
    ("today", "--minutes", "many"),
    (),
]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_should_fit_what_every_command_prints_on_every_terminal(practised, width, lang):
    env = {"LLMDRILLS_HOME": str(practised / "my files")}
    wrong = []
    for words in SCREENS:
        lines = screen(*words, columns=width, cwd=practised, lang=lang, env=env)
        table = words[:1] in {("list",), ("paths",), ("config",)} or words[:2] == ("history", "restore")
        found = [one for one in faults(lines, width) if not (table and "my files" in one)]
        wrong += [f"{' '.join(words)}: {one}" for one in found]
    assert wrong == []


def test_should_keep_a_path_with_spaces_on_one_line(practised):
    env = {"LLMDRILLS_HOME": str(practised / "my files")}
    path = practised / "my files" / "practice" / f"{KATA}.py"
    lines = screen("grade", KATA, "mine.py", columns=40, cwd=practised, env=env)
    assert any(str(path) in line for line in lines), lines


def test_should_show_commands_in_panels_that_can_be_read():
    daily = PANELS[0][1]
    assert len(daily) <= MOST_DAILY
    assert len({name for _, panel in PANELS for name in panel}) == sum(len(panel) for _, panel in PANELS)
    assert set(COMMANDS) <= {name for _, panel in PANELS for name in panel}
    assert set(COMMANDS) <= set(SUMMARIES)
    for words in SUMMARIES.values():
        assert max(columns(words.en), columns(words.zh)) <= 80 - 13


def test_should_point_to_today_when_run_alone(run):
    ran = run()
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("`llmdrills today`")
    assert run("help", "list").out == run("list", "--help").out
    assert run("-V").out == run("--version").out


MISUSE = {
    ("tody",): "there is no command 'tody': did you mean today",
    ("list", "--topik", "x"): "there is no option --topik: did you mean --topic",
    ("show",): "KATA is missing: `llmdrills show --help` shows what it takes",
    ("today", "--minutes", "many"): "--minutes must be a whole number: `llmdrills today --help`",
    ("today", "--seed", "-1"): "--seed must be 0 or more: ",
    ("today", "--minutes"): "--minutes needs a value: ",
    ("list", "--json=3"): "--json takes no value: ",
    ("show", "rms-norm", "again"): "this is too much: again: ",
    ("history", "shw"): "there is no command 'shw': did you mean show",
    ("list", "--topic", "sport"): "there is no topic 'sport': ",
    ("show", "rope-paring"): "there is no kata 'rope-paring': did you mean rope-pairing",
    ("--lang", "fr", "list"): "--lang is 'fr': write one of en, zh",
}


@pytest.mark.parametrize("words", MISUSE)
def test_should_tell_every_usage_error_in_one_form(run, words):
    ran = run(*words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"llmdrills: {MISUSE[words]}")
    assert len(ran.err.strip().split("\n")) == 1


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (("--lang", "zh", "nope"), {}),
        (("list", "--lang=zh", "--nope"), {}),
        (("nope",), {"LLMDRILLS_LANG": "zh_CN"}),
        (("nope",), {"LC_ALL": "zh_CN.UTF-8"}),
        (("nope",), {"LANG": "zh_TW.UTF-8", "LC_ALL": "", "LC_MESSAGES": ""}),
        (("today", "--lang", "zh", "--minutes", "x"), {"LLMDRILLS_LANG": "en"}),
    ],
)
def test_should_speak_the_language_of_flag_environment_or_locale(run, words, env):
    ran = run(*words, env=env)
    assert ran.code == 2
    assert re.search(r"[一-鿿]", ran.err)


def test_should_prefer_the_flag_to_the_environment_and_the_environment_to_the_settings(run, home):
    (home / "config").mkdir()
    (home / "config" / "config.toml").write_text('lang = "zh"\n')
    assert re.search(r"[一-鿿]", run("--help").out)
    assert not re.search(r"[一-鿿]", run("--help", env={"LLMDRILLS_LANG": "en"}).out)
    assert not re.search(r"[一-鿿]", run("--lang", "en", "--help", env={"LLMDRILLS_LANG": "zh"}).out)
    assert not re.search(r"[一-鿿]", run("nope", env={"LC_ALL": "C", "LLMDRILLS_LANG": "en"}).err)


@pytest.mark.parametrize("command", COMMANDS)
def test_should_take_the_language_after_every_command(run, command):
    for sub in SUBCOMMANDS.get(command, ("",)):
        assert "--lang" in run(*filter(None, (command, sub)), "--help").out


COMPLETIONS = {
    "llmdrills show ro": {"rope-pairing"},
    "llmdrills show rms-norm --variant ": {"cast-first", "cast-last"},
    "llmdrills grade rms-norm mine.py --variant cast-l": {"cast-last"},
    "llmdrills today --topic pos": {"position"},
    "llmdrills list --topic tok": {"tokenization"},
    "llmdrills config set edit": {"editor", "editor_kind"},
    "llmdrills config get min": {"minutes"},
    "llmdrills config set editor_kind w": {"window"},
    "llmdrills list --lang z": {"zh"},
    "llmdrills rate rms-norm ag": {"again"},
}


@pytest.mark.parametrize("line", COMPLETIONS)
def test_should_complete_what_is_being_typed(run, line):
    words = line.split(" ")
    env = {
        "_LLMDRILLS_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    ran = run(env=env)
    assert {word.strip() for word in ran.out.split() if word.strip()} >= COMPLETIONS[line]
    assert not [word for word in ran.out.split() if not word.startswith(words[-1])]


def test_should_end_make_today_with_commands_that_work_as_printed(root, tmp_path, home):
    """Its recipe without the installing: the program is not on PATH, and stands in .venv of the folder."""
    copy = tmp_path / "a copy"
    copy.mkdir()
    for name in ("decks", "drills"):
        shutil.copytree(root / name, copy / name)
    (copy / ".venv" / "bin").mkdir(parents=True)
    program = copy / ".venv" / "bin" / "llmdrills"
    program.write_text(f"#!{sys.executable}\nfrom llmdrills.cli import main\nmain()\n")
    program.chmod(0o755)
    makefile = (root / "Makefile").read_text()
    recipe = re.findall(r"^\t@\$\(BIN\)/llmdrills (.*)$", makefile, re.MULTILINE)
    assert recipe == ["today --no-input", "build --brief"]
    env = {**os.environ, "PATH": "/usr/bin:/bin"}
    out = ""
    for line in reversed(recipe):
        done = subprocess.run(
            [".venv/bin/llmdrills", *line.split()], cwd=copy, env=env, capture_output=True, text=True, check=True
        )
        out += done.stdout
    assert "double-click" in out
    assert "File > Import" in out
    assert (copy / "build" / "llmdrills-en.apkg").exists()
    printed = re.findall(r"`([^`]+)`", out.strip().split("\n")[-1])
    assert printed[0] == ".venv/bin/llmdrills today"
    for command in printed:
        ran = subprocess.run(command, shell=True, cwd=copy, env=env, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
