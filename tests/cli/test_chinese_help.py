"""Help and usage errors of every command in Chinese, and which language help is in."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from llmdrills.content.lint.chinese import glossary
from tests.helpers.command_walk import commands, ended, usage_errors
from tests.helpers.english_left import english_left

CHINESE = re.compile(r"[一-鿿]")
NEVER = re.compile("|".join(re.escape(word) for term in glossary() for word in term.never), re.IGNORECASE)


@pytest.fixture(scope="module")
def every_command() -> list[dict[str, Any]]:
    found = commands()
    assert {" ".join(one["words"]) for one in found} >= {"", "today", "history", "history import", "config set", "exam"}
    assert len(found) > 35
    return found


def faults(text: str) -> list[str]:
    """English sentences, and words that the glossary says otherwise."""
    return [*english_left(text), *NEVER.findall(text)]


def test_should_tell_what_every_command_option_and_argument_is_for_in_chinese(every_command):
    wrong = []
    for command in every_command:
        wrong += [command["words"]] if not CHINESE.search(command["help"] or "") else []
        for one in command["parameters"]:
            typers = {"--help", "--install-completion", "--show-completion"}  # told where help is written
            if one["name"] not in typers and not CHINESE.search(one["help"] or ""):
                wrong.append((*command["words"], one["name"]))
    assert wrong == []


def test_should_leave_no_english_in_the_help_of_any_command(every_command, tmp_path):
    lines = [("--lang", "zh", *one["words"], "--help") for one in every_command]
    left = {}
    for one in ended(lines, tmp_path):
        assert (one["code"], one["err"]) == (0, "")
        rows = re.findall(r"^  (?:-\S.*?|\S+)(?:  +(\S.*))?$", one["out"].split("选项：")[1], re.MULTILINE)
        said = one["out"].replace(" ".join(("用法：llmdrills", *one["line"][2:-1])), "")
        if found := faults(said) + [row for row in rows if row and not CHINESE.search(row)]:
            left[" ".join(one["line"])] = found
    assert left == {}


OTHERS = [
    ("nope",),
    ("--nope",),
    ("-x",),
    ("history", "shw"),
    ("history", "--lang", "zh"),
    ("history", "restore", "nope"),
    ("history", "import", "/nowhere"),
    ("history", "show", "rms-norm", "--code", "3"),
    ("history", "show", "--code", "3"),
    ("show", "rope-paring"),
    ("show", "nothing-like-it"),
    ("show", "rms-norm", "--variant", "nope"),
    ("start", "rms-norm", "--variant", "nope"),
    ("rate", "rms-norm"),
    ("rate", "rms-norm", "excellent"),
    ("grade", "one.py", "two.py"),
    ("grade", "rms-norm", "-", "--watch"),
    ("exam",),
    ("exam", "--json"),
    ("retire", "x"),
    ("new", "note", "nope", "x"),
    ("config", "set", "minuts", "3"),
    ("config", "set", "minutes"),
    ("config", "set", "minutes", "many"),
    ("config", "set", "minutes", "9999"),
    ("config", "set", "retention", "high"),
    ("config", "set", "practice", "here"),
    ("config", "set", "editor_kind", "odd"),
    ("config", "set", "device", "tpu"),
    ("config", "edit"),
]


def test_should_tell_every_usage_error_of_every_command_in_chinese(every_command, tmp_path, home):
    lines = [*(words for command in every_command for words in usage_errors(command)), *OTHERS]
    assert len(lines) > 300
    wrong = []
    for one in ended(lines, tmp_path, {"LLMDRILLS_LANG": "zh", "EDITOR": "", "VISUAL": ""}):
        told = (one["code"], one["out"]) == (2, "") and CHINESE.search(one["err"])
        if not told or faults(one["err"]):
            wrong.append(one)
    assert wrong == []
    assert list(tmp_path.iterdir()) in ([], [home]), "a command line that is refused writes nothing"


@pytest.mark.parametrize(
    "text",
    [
        "minutes = 'many'",
        "minutes = 0",
        "minutes = true",
        "retention = 2.0",
        "minuts = 3",
        "practice = 'here'",
        "lang = 'fr'",
        "minutes = ",
        "minutes = [1,",
        "a = 'b' c",
        b"editor = '\xff'",
    ],
)
def test_should_tell_a_wrong_setting_in_a_file_in_chinese(run, home, text):
    (home / "config").mkdir()
    file = home / "config" / "config.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    ran = run("list", env={"LC_ALL": "zh_CN.UTF-8"})
    assert ran.code == 2
    assert str(file) in ran.err
    assert CHINESE.search(ran.err)
    assert faults(ran.err) == []


def test_should_tell_a_setting_that_a_workspace_must_not_make_in_chinese(run, small):
    (small / "llmdrills.toml").write_text(f"practice = {json.dumps(str(small))}\n")
    ran = run("list", "--lang", "zh", cwd=small)
    assert ran.code == 2
    assert "llmdrills config set practice" in ran.err
    assert faults(ran.err) == []


# ---- which language ----------------------------------------

LEVELS = ("flag", "environment", "workspace", "user", "locale")
LOCALES = {"en": "en_US.UTF-8", "zh": "zh_CN.UTF-8"}


def is_chinese(text: str) -> bool:
    """Whether a text is in Chinese; it is in one language alone."""
    assert bool(CHINESE.search(text)) == ("Usage:" not in text)
    return bool(CHINESE.search(text))


@pytest.fixture
def spoken(run, small: Path, home: Path):
    """`spoken({"user": "zh", "locale": "en"}, "list")`: whether the help is in Chinese with these levels set."""

    def _spoken(levels: dict[str, str], *words: str) -> bool:
        (home / "config").mkdir(exist_ok=True)
        for level, file in (("workspace", small / "llmdrills.toml"), ("user", home / "config" / "config.toml")):
            file.write_text(f"lang = {json.dumps(levels[level])}\n" if level in levels else "")
        flag = ("--lang", levels["flag"]) if "flag" in levels else ()
        env = {"LLMDRILLS_LANG": levels.get("environment", ""), "LC_ALL": LOCALES.get(levels.get("locale", ""), "C")}
        ran = run(*words, *flag, "--help", cwd=small, env=env)
        assert ran.code == 0
        return is_chinese(ran.out)

    return _spoken


@pytest.mark.parametrize("level", LEVELS)
def test_should_help_in_the_language_of_each_level(spoken, level):
    assert spoken({level: "zh"}, "history", "import")
    assert not spoken({level: "en"}, "history", "import")


@pytest.mark.parametrize(("stronger", "weaker"), list(pairwise(LEVELS)))
def test_should_help_in_the_language_of_the_stronger_level(spoken, stronger, weaker):
    assert spoken({stronger: "zh", weaker: "en"}, "today")
    assert not spoken({stronger: "en", weaker: "zh"}, "today")


def test_should_help_in_english_where_nothing_is_said(spoken):
    assert not spoken({}, "today")


@pytest.mark.parametrize(
    "words",
    [
        ("--lang", "zh", "--help"),
        ("--lang=zh", "today", "--help"),
        ("today", "--lang", "zh", "--help"),
        ("today", "--help", "--lang", "zh"),
        ("history", "--lang", "zh", "--help"),
        ("history", "--help", "--lang=zh"),
        ("--lang", "zh", "history", "import", "-h"),
        ("history", "--lang", "zh", "import", "-h"),
        ("history", "import", "--lang", "zh", "-h"),
        ("config", "set", "-h", "--lang", "zh"),
        ("--lang", "en", "new", "note", "--lang", "zh", "--help"),
        ("--lang", "zh", "help", "today"),
        ("help", "today", "--lang", "zh"),
    ],
)
def test_should_help_in_the_language_of_a_flag_wherever_it_stands(run, words):
    ran = run(*words, env={"LLMDRILLS_LANG": "en"})
    assert ran.code == 0
    assert is_chinese(ran.out)


@pytest.mark.parametrize("variable", ["LC_ALL", "LC_MESSAGES", "LANG"])
@pytest.mark.parametrize("locale", ["zh_CN.UTF-8", "zh_TW", "zh"])
def test_should_help_in_the_language_of_the_locale(run, variable, locale):
    env = {"LC_ALL": "", "LC_MESSAGES": "", "LANG": "", "LLMDRILLS_LANG": "", variable: locale}
    assert is_chinese(run("config", "-h", env=env).out)


def test_should_tell_an_error_in_the_last_language_that_there_is(run):
    assert CHINESE.search(run("--lang", "zh", "list", "--lang", "fr").err)
    assert CHINESE.search(run("list", "--lang", "zh", "--lang").err)
