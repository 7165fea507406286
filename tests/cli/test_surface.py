"""The command line's conventions: names, exit codes, help, what is imported."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from llmdrills import __version__
from llmdrills.cli import COMMANDS

PINNED = {
    *("today", "grade", "start", "hint", "solution", "list", "show", "build", "check", "retire", "preview", "new"),
    *("rate", "skip", "undo", "config", "exam", "ask", "anki", "grade-all", "web", "play", "packs"),
    *("init", "import", "stats", "report", "readiness", "optimize", "history", "doctor", "paths"),
}


def test_should_have_exactly_the_commands_that_the_design_pins():
    assert set(COMMANDS) == PINNED


@pytest.mark.parametrize("command", COMMANDS)
def test_should_show_examples_first_in_every_commands_help(run, command):
    ran = run(command, "-h")
    assert ran.code == 0
    body = ran.out.split("\n", 1)[1]
    assert body.index("Examples:") < body.index("Options:")
    assert ran.out == run(command, "--help").out


def test_should_print_the_version_and_nothing_else(run):
    assert run("--version").out == f"llmdrills {__version__}\n"


def test_should_exit_2_and_suggest_a_command_for_a_misspelt_one(run):
    ran = run("tody")
    assert ran.code == 2
    assert "today" in ran.err
    assert ran.out == ""


def test_should_exit_2_for_an_unknown_option(run):
    assert run("list", "--colour").code == 2


def test_should_exit_2_and_name_near_katas_for_an_unknown_one(run):
    ran = run("show", "rope-paring")
    assert ran.code == 2
    assert "rope-pairing" in ran.err


@pytest.mark.parametrize("words", [("today", "--json"), ("list",), ("show", "rope-pairing"), ("hint", "rope-pairing")])
def test_should_not_import_heavy_libraries_for_light_commands(words, tmp_path):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "llmdrills", *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert not imported & {"torch", "transformers", "genanki", "numpy", "anki"}
    assert "typer" in imported  # the listing is what we think it is


def test_should_read_no_yaml_for_a_plan_whose_catalogue_is_written(run, tmp_path):
    assert run("today", "--json", cwd=tmp_path).code == 0
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "llmdrills", "today", "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert "| yaml\n" not in re.sub(r"\| +", "| ", done.stderr)
    assert "llmdrills.practice.plan" in done.stderr  # the listing is what we think it is


def test_should_write_no_colour_codes_on_a_pipe(run):
    for words in (("list",), ("show", "rope-pairing"), ("today",)):
        assert "\x1b" not in run(*words).out


def test_should_speak_chinese_when_asked(run):
    assert re.search(r"[一-鿿]", run("show", "rope-pairing", "--lang", "zh").out)


def test_should_reject_a_bad_setting_and_say_where_it_stands(run):
    ran = run("list", env={"LLMDRILLS_LANG": "fr"})
    assert ran.code == 2
    assert "LLMDRILLS_LANG" in ran.err
    assert "en, zh" in ran.err


def test_should_show_where_each_setting_came_from(run, home):
    (home / "config").mkdir()
    (home / "config" / "config.toml").write_text("minutes = 45\n")
    shown = run("paths", "--json", env={"LLMDRILLS_NEW": "3"}).json
    assert shown["settings"]["minutes"] == {"value": 45, "source": f"{home}/config/config.toml: minutes"}
    assert shown["settings"]["new"] == {"value": 3, "source": "LLMDRILLS_NEW"}
    assert shown["settings"]["lang"]["source"] == "default"
    assert all(path.startswith(str(home)) for name, path in shown["paths"].items() if name != "workspace")
