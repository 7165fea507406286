"""Which editors take over the terminal, that one that fails is told, and the one pane in tmux."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmdrills.cli.day.editor import Editor, find_editor
from llmdrills.cli.day.trial import fault_of
from llmdrills.language import Bilingual
from tests.helpers.terminal import Terminal

KATA = "rms-norm"


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def make(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("command", "in_terminal", "name"),
    [
        ("vim", True, "vim"),
        ("vim.basic -u x", True, "vim.basic"),
        ("view", True, "view"),
        ("env FOO=1 vim", True, "vim"),
        ("env -u BAR FOO=1 code --wait", False, "code"),
        ("env -S 'FOO=1 code'", False, "code"),
        ("FOO=1 vim", True, "vim"),
        ("sensible-editor", True, "sensible-editor"),
        ("something-new", True, "something-new"),
        ("something-new --wait", False, "something-new"),
        ("/Applications/bin/code -n", False, "code"),
        ("subl -w", False, "subl"),
        ("emacsclient", False, "emacsclient"),
        ("emacsclient -t", True, "emacsclient"),
        ("emacs", True, "emacs"),
        ("gvim", False, "gvim"),
        ("vim -g", False, "vim"),
    ],
)
def test_should_tell_what_needs_the_terminal_by_its_name(command, in_terminal, name):
    found = find_editor(command)
    assert found is not None
    assert (found.in_terminal, found.name) == (in_terminal, name)


def test_should_follow_links_to_the_program(bin_folder):
    make(bin_folder / "code", "exit 0")
    (bin_folder / "alternative").symlink_to(bin_folder / "code")
    (bin_folder / "editor").symlink_to("alternative")
    found = find_editor("editor")
    assert found is not None
    assert not found.in_terminal
    make(bin_folder / "vim.basic", "exit 0")
    (bin_folder / "pen").symlink_to(bin_folder / "vim.basic")
    found = find_editor("pen")
    assert found is not None
    assert found.in_terminal
    (bin_folder / "ring").symlink_to("ring")
    assert find_editor("ring") is not None


def test_should_believe_the_setting(bin_folder):
    assert find_editor("something-new", "window") == Editor(
        ("something-new",),
        Bilingual("LLMDRILLS_EDITOR or the setting `editor`", "LLMDRILLS_EDITOR 或设置 `editor`"),
        in_terminal=False,
    )
    found = find_editor("code", "terminal")
    assert found is not None
    assert found.in_terminal


# ---- what fails is told ----------------------------------------


@pytest.fixture
def day(small: Path) -> Iterator:
    """`day(env)`: `llmdrills today` in a terminal, closed at the end."""
    begun: list[Terminal] = []

    def begin(**env: str) -> Terminal:
        begun.append(Terminal("today", cwd=small, env=env))
        return begun[-1]

    yield begin
    for terminal in begun:
        terminal.child.close(force=True)


def test_should_tell_an_editor_that_ends_at_once_with_an_error(day, bin_folder):
    make(bin_folder / "code", "echo 'no display' >&2; exit 3")
    terminal = day(LLMDRILLS_EDITOR="code")
    terminal.expect("code ended at once with status 3: no display")
    terminal.expect("waiting for a save")
    terminal.press("q")
    assert terminal.ended() == 0


@pytest.mark.parametrize(("editor", "told"), [("not-there --wait", "cannot start"), ("vim 'x", "quote it")])
def test_should_go_on_with_the_day_whatever_is_wrong_with_the_editor(day, editor, told):
    terminal = day(LLMDRILLS_EDITOR=editor)
    terminal.expect(told)
    terminal.expect("waiting for a save")
    terminal.press("e")
    terminal.press("q")
    assert terminal.ended() == 0


def test_should_tell_an_editor_that_fails_in_this_terminal(day, bin_folder):
    make(bin_folder / "pen", "exit 3")
    terminal = day(EDITOR="pen")
    terminal.expect("press e to edit here")
    terminal.press("e")
    terminal.expect("pen ended at once with status 3")
    terminal.press("q")
    assert terminal.ended() == 0


def test_should_notice_a_stale_tmux_and_offer_this_terminal(day, bin_folder, tmp_path):
    make(bin_folder / "pen", f"echo $1 > {tmp_path}/opened; sleep 1.1")
    terminal = day(EDITOR="pen", TMUX=f"{tmp_path}/gone,1,0", TMUX_PANE="%0")
    terminal.expect("tmux does not know this terminal")
    terminal.expect("press e to edit here")
    terminal.press("e")
    terminal.expect("waiting for a save")
    terminal.press("q")
    assert terminal.ended() == 0
    assert (tmp_path / "opened").read_text().strip().endswith(f"{KATA}.py")


def test_should_say_at_start_that_the_editor_failed(run, bin_folder):
    make(bin_folder / "code", "exit 3")
    ran = run("start", KATA, "--edit", env={"EDITOR": "code"})
    assert ran.code == 0
    assert "code ended at once with status 3" in ran.err
    assert "needs a terminal" in run("start", KATA, "--edit", env={"EDITOR": "vim"}).err
    assert "cannot start" in run("start", KATA, "--edit", env={"EDITOR": "nothing --wait"}).err
    assert "状态码 3" in run("start", KATA, "--edit", "--lang", "zh", env={"EDITOR": "code"}).err


# ---- doctor ----------------------------------------


@pytest.mark.parametrize(
    ("script", "fault"),
    [("exit 3", "status 3"), ("sleep 60", ""), ("[ -t 0 ] || exit 4; : < /dev/tty || exit 5; cat", ""), ("exit 0", "")],
)
def test_should_try_a_terminal_editor_in_a_terminal(bin_folder, script, fault):
    make(bin_folder / "pen", script)
    found = fault_of(Editor(("pen",), "a test"))
    assert bool(found) == bool(fault)
    assert not found or fault in found.en


def test_should_ask_an_editor_with_a_window_for_its_version(bin_folder, tmp_path):
    make(bin_folder / "code", f"printf '%s ' \"$@\" > {tmp_path}/asked")
    assert fault_of(Editor(("code", "-n"), "a test", in_terminal=False)) == ""
    assert (tmp_path / "asked").read_text() == "-n --version "
    make(bin_folder / "code", "exit 3")
    assert "status 3" in fault_of(Editor(("code",), "a test", in_terminal=False)).en
    assert "not on PATH" in fault_of(Editor(("env", "A=1", "no-such-pen"), "a test")).en


def test_should_name_a_faulty_editor_in_doctors_report(run, bin_folder, small):
    make(bin_folder / "pen", "exit 3")
    checks = run("doctor", "--json", cwd=small, env={"EDITOR": "pen"}).json["checks"]
    (editor,) = [check for check in checks if check["name"] == "editor"]
    assert "status 3" in editor["fault"]
    assert "opens in the terminal" in editor["found"]


# ---- tmux ----------------------------------------


class Tmux:
    """A server of its own, with the loop in its first pane."""

    def __init__(self, folder: Path, columns: int, rows: int) -> None:
        self.socket = folder / "tmux"
        size = ("-x", str(columns), "-y", str(rows))
        self("-f", "/dev/null", "new-session", "-d", *size, "sh")

    def __call__(self, *words: str) -> str:
        done = subprocess.run(["tmux", "-S", str(self.socket), *words], capture_output=True, text=True, check=False)
        return done.stdout

    def panes(self) -> list[str]:
        return self("list-panes", "-F", "#{pane_id} #{pane_width}x#{pane_height} #{pane_current_command}").splitlines()

    def text(self) -> str:
        return self("capture-pane", "-p", "-S", "-", "-t", "%0")

    def type(self, *keys: str) -> None:
        self("send-keys", "-t", "%0", *keys)

    def until(self, what, timeout: float = 90):
        end = time.monotonic() + timeout
        while not (found := what()) and time.monotonic() < end:
            time.sleep(0.1)
        assert found, self.text()
        return found


@pytest.fixture
def tmux(tmp_path: Path, request) -> Iterator[Tmux]:
    if shutil.which("tmux") is None:
        if os.environ.get("CI"):
            pytest.fail("tmux is not installed")
        pytest.skip("tmux is not installed")
    server = Tmux(tmp_path, *getattr(request, "param", (200, 50)))
    yield server
    server("kill-server")


@pytest.fixture
def two_katas(small: Path, root: Path) -> Path:
    shutil.copytree(root / "drills" / "rope-pairing", small / "drills" / "rope-pairing")
    kata = small / "drills" / "rope-pairing" / "kata.yaml"
    kept = [line for line in kata.read_text().splitlines() if not line.startswith(("requires:", "proves:"))]
    kata.write_text("\n".join(kept) + "\n")
    return small


def begin(tmux: Tmux, workspace: Path, home: Path, editor: Path) -> None:
    import sys

    tmux.type(f"cd {workspace} && export LLMDRILLS_HOME={home} EDITOR={editor}", "Enter")
    tmux.type(f"{shlex.quote(sys.executable)} -m llmdrills today", "Enter")


def test_should_reuse_one_pane_for_every_kata_and_close_it_at_the_end(tmux, two_katas, home, tmp_path):
    editor = make(tmp_path / "pen", f'echo "$1" >> {tmp_path}/opened; exec sleep 600')
    begin(tmux, two_katas, home, editor)
    tmux.until(lambda: "waiting for a save" in tmux.text())
    first, second = tmux.panes()
    assert (first.split()[1], second.split()[1]) == ("100x50", "99x50")
    tmux.type("k")
    tmux.until(lambda: " ".join(tmux.text().split()).count("every save is graded") == 2)
    assert [pane.split()[0] for pane in tmux.panes()] == [first.split()[0], second.split()[0]]
    tmux.type("e")  # it is shown already: the pane is chosen, nothing is started
    tmux.type("q")
    tmux.until(lambda: len(tmux.panes()) == 1)
    opened = (tmp_path / "opened").read_text().splitlines()
    assert len(opened) == len(set(opened)) == 2


@pytest.mark.parametrize(("tmux", "sizes"), [((100, 60), ["100x30", "100x29"])], indirect=["tmux"])
def test_should_split_a_high_window_below_before_the_prompt_is_printed(tmux, small, home, tmp_path, sizes):
    editor = make(tmp_path / "pen", "exec sleep 600")
    begin(tmux, small, home, editor)
    tmux.until(lambda: "waiting for a save" in tmux.text())
    assert [pane.split()[1] for pane in tmux.panes()] == sizes
    tmux.type("q")
    tmux.until(lambda: len(tmux.panes()) == 1)


def test_should_wrap_the_prompt_to_the_pane_that_is_left(tmux, small, home, tmp_path):
    editor = make(tmp_path / "pen", "exec sleep 600")
    begin(tmux, small, home, editor)
    tmux.until(lambda: "waiting for a save" in tmux.text())
    # Printed before the split, it would be wrapped to 200 columns, and cut in two by tmux.
    assert any(line.endswith("Gemma: divide every vector by its root") for line in tmux.text().splitlines())
    tmux.type("q")
    tmux.until(lambda: len(tmux.panes()) == 1)


def test_should_leave_the_pane_of_start_open(tmux, small, home, tmp_path):
    import sys

    editor = make(tmp_path / "pen", f'echo "$1" >> {tmp_path}/opened; exec sleep 600')
    tmux.type(f"cd {small} && export LLMDRILLS_HOME={home} EDITOR={editor} TMPDIR={tmp_path}", "Enter")
    tmux.type(f"{shlex.quote(sys.executable)} -m llmdrills start {KATA} --edit; echo it is over", "Enter")
    tmux.until(lambda: "\nit is over" in tmux.text())
    assert len(tmux.panes()) == 2
    assert (tmp_path / "opened").read_text() == f"{home}/practice/{KATA}.py\n"
    assert not list(tmp_path.glob("llmdrills-pane-*"))


def test_should_tell_an_editor_that_fails_in_its_pane(tmux, small, home, tmp_path):
    begin(tmux, small, home, make(tmp_path / "pen", "exit 3"))
    tmux.until(lambda: "pen ended at once with status 3" in " ".join(tmux.text().split()))
    tmux.type("q")
    tmux.until(lambda: len(tmux.panes()) == 1)
