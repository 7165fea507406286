"""Every command in the pages runs, and prints what stands below it; one that cannot run here says why."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from llmdrills.cli import COMMANDS, build_app
from tests.helpers.anki_learner import AnkiLearner
from tests.helpers.doc_pages import ROOT, blocks, pages, prose, script
from tests.helpers.documents import run

# Pages whose commands another file of tests runs, in its own way.
ELSEWHERE = {
    "README.md": "tests/cli/test_readme.py",
    "README.zh.md": "tests/cli/test_readme.py",
    "docs/tutorial.md": "tests/cli/test_tutorial.py",
    "docs/tutorial.zh.md": "tests/cli/test_tutorial.py",
    "docs/first-kata.md": "tests/grading/test_first_kata.py",
    "docs/play.md": "tests/cli/test_play_page.py",
}
TEXTS = {page: (ROOT / page).read_text("utf-8") for page in pages()}
# Languages of blocks that nobody types in a shell; what a command prints stands in its own help.
NO_COMMANDS = {"", "text", "yaml", "json", "toml", "python", "markdown", "html", "diff", "csv", "makefile"}


def reviewed_collection(folder: Path, _: pytest.MonkeyPatch) -> None:
    """Anki's collection after an import of what the page built: three notes reviewed, one edited."""
    learner = AnkiLearner(folder / "collection")
    learner.take(folder / "build" / "llmdrills-en.apkg")
    for slug in ("attention-cost-scores", "kv-cache-bytes", "attention-cost-memory"):
        learner.review(slug)
    learner.pass_days(1)
    note = learner.col.get_note(learner.nid("attention-cost-scores"))
    assert " takes " in note["Back"]
    note["Back"] = note["Back"].replace(" takes ", " computes ", 1)
    learner.col.update_note(note)
    learner.close()


def another_machine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same files, and a home in which nothing happened yet."""
    monkeypatch.setenv("LLMDRILLS_HOME", str(folder / "another-home"))


GIVEN: dict[str, Callable[[Path, pytest.MonkeyPatch], None]] = {
    "a collection with the packages imported, three notes reviewed, and one edited": reviewed_collection,
    "another machine": another_machine,
}


@pytest.mark.ships
@pytest.mark.parametrize("page", [page for page in TEXTS if page not in ELSEWHERE and script(TEXTS[page])])
def test_should_do_what_the_page_shows(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path
    for kind, what, text in script(TEXTS[page]):
        if kind == "given":
            GIVEN[what](here, monkeypatch)
        elif kind == "save":
            (here / what).parent.mkdir(parents=True, exist_ok=True)
            (here / what).write_text(text, "utf-8")
        elif what.startswith("cd "):
            here /= what.removeprefix("cd ")
            assert here.is_dir()
        else:
            run(what, text, here)


def test_should_run_every_block_of_commands_or_say_why_not() -> None:
    left = [
        f"{page}: {block.language}: {block.text.splitlines()[0]}"
        for page, text in TEXTS.items()
        for block in blocks(text)
        if block.language not in NO_COMMANDS | {"console"} and not block.why and not block.file
    ]
    assert left == []


def test_should_show_no_command_in_a_block_that_is_not_run() -> None:
    """A `$ ` at the begin of a line is a command: it belongs into a block of `console`."""
    hidden = [
        f"{page}: {line}"
        for page, text in TEXTS.items()
        for block in blocks(text)
        if block.language != "console"
        for line in block.text.splitlines()
        if line.startswith("$ ")
    ]
    assert hidden == []


def test_should_find_marks_and_commands_in_a_page() -> None:
    page = (
        "```yaml\na: 1\n```\n\n<!-- save: a.yaml -->\n\n<!-- given: g -->\n\n```console\n$ one\nout\n$ two\n```\n\n"
        "<!-- not run: needs a screen -->\n\n```console\n$ three\n```\n"
    )
    assert [tuple(step) for step in script(page)] == [
        ("save", "a.yaml", "a: 1\n"),
        ("given", "g", ""),
        ("run", "one", "out\n"),
        ("run", "two", ""),
    ]
    assert [block.why for block in blocks(page)] == ["", "", "needs a screen"]


# ---- commands within a sentence ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def app() -> Any:
    """The whole command, of whichever click typer brings."""
    return typer.main.get_command(build_app())


def options(command: Any) -> set[str]:
    return {name for one in command.params for name in (*one.opts, *one.secondary_opts) if name.startswith("-")}


def faults(app: Any, line: str) -> list[str]:
    """What in a line `llmdrills …` is no command or no option of it; what is written in capitals or as … is a place."""
    words = shlex.split(line.replace("…", "X"))[1:]
    command = app
    known = options(app) | {"--install-completion", "--show-completion"}
    for word in words:
        if word in {"|", ">", ">>", "&&"}:
            break
        if word.startswith("-"):
            if word.partition("=")[0] not in known:
                return [f"{line}: no option {word}"]
        elif inner := getattr(command, "commands", None):
            if word.isupper():
                break
            if word not in inner:
                return [f"{line}: no command {word}"]
            command, known = inner[word], options(inner[word])
    return []


@pytest.mark.parametrize("page", TEXTS)
def test_should_name_only_commands_and_options_that_there_are(page: str, app: Any) -> None:
    lines = re.findall(r"`(llmdrills [^`]+)`", prose(TEXTS[page]))
    wrong = [fault for line in lines if line.split()[1] != "COMMAND" for fault in faults(app, line)]
    assert wrong == []


def test_should_tell_a_wrong_command_or_option_in_a_sentence(app: Any) -> None:
    assert faults(app, "llmdrills grade KATA --why") == []
    assert faults(app, "llmdrills anki pull PATH --yes") == []
    assert faults(app, "llmdrills config set lang zh") == []
    assert faults(app, "llmdrills grate KATA")
    assert faults(app, "llmdrills grade --wy")
    assert faults(app, "llmdrills anki pul PATH")
    assert len(COMMANDS) > 20


@pytest.mark.parametrize("page", TEXTS)
def test_should_name_only_modules_that_can_be_run(page: str) -> None:
    text = TEXTS[page]
    for block in blocks(text):
        text = text.replace(block.text, "") if block.why else text
    for module in re.findall(r"python -m ([\w.]+)", text):
        assert importlib.util.find_spec(module) is not None, module


def test_should_name_only_scripts_that_there_are() -> None:
    wrong = [
        f"{page}: {script}"
        for page, text in TEXTS.items()
        for script in re.findall(r"`python ((?!-)\S+\.py)", text)
        if not (ROOT / script).exists()
    ]
    assert wrong == []


def test_should_fail_where_a_command_prints_something_else(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        run("llmdrills --version", "something else\n", tmp_path)
    with pytest.raises((AssertionError, subprocess.SubprocessError)):
        run("llmdrills no-such-command", "", tmp_path)
