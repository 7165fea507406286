"""When the machine is in the way: no rights, no space, a reader that leaves. A clear error, and nothing is lost."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

KATA = "rms-norm"
TOOL = [sys.executable, "-m", "llmdrills"]
SHELL_TOOL = shlex.quote(sys.executable)  # a folder may have a space in its name


@pytest.fixture
def bound() -> list[str]:
    """Words before a command that make file permissions hold, for root too."""
    if os.geteuid() != 0:
        return []
    words = ["setpriv", "--bounding-set", "-dac_override", "--"]
    if shutil.which("setpriv") is None or subprocess.run([*words, "true"], check=False).returncode:
        pytest.skip("permissions do not hold for root, and setpriv cannot give its rights up")
    return words


def call(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120, **options)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def events(home: Path) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{home}/data/history.sqlite3?mode=ro", uri=True)) as connection:
        return sum(
            connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in ("sessions", "hints", "archives", "attempts")
        )


def test_should_say_which_folder_cannot_be_written(home, bound):
    home.chmod(0o555)
    try:
        for words in (["today", "--json"], ["start", KATA], ["history", "export"]):
            done = call(*bound, *TOOL, *words)
            assert done.returncode == 2, words
            assert done.stdout == ""
            assert str(home / "data") in done.stderr
            assert "LLMDRILLS_HOME" in done.stderr
        assert call(*bound, *TOOL, "list").returncode == 0  # what needs no history works without a cache
        doctor = call(*bound, *TOOL, "doctor")
        assert doctor.returncode == 1
        assert "cannot write" in doctor.stdout
    finally:
        home.chmod(0o755)
    assert list(home.iterdir()) == []


def test_should_lose_nothing_in_a_home_that_became_read_only(run, home, bound):
    file = Path(run("start", KATA).out.strip())
    file.write_text("# mine\n")
    run("hint", KATA)
    before = events(home)
    places = [home, *(path for path in home.rglob("*"))]
    modes = {path: path.stat().st_mode for path in places}
    for path in places:
        path.chmod(modes[path] & ~0o222)
    try:
        for words in (["hint", KATA, "2"], ["start", KATA, "--again"]):
            done = call(*bound, *TOOL, *words)
            assert done.returncode == 2, words
            assert "nothing" in done.stderr or "cannot" in done.stderr
            assert done.stdout == ""
    finally:
        for path in places:
            path.chmod(modes[path])
    assert events(home) == before
    assert file.read_text() == "# mine\n"
    assert run("hint", KATA, 2).code == 0


def test_should_say_so_when_packages_cannot_be_written(run, small, bound):
    run("build", cwd=small)
    before = (small / "decks" / "deck.lock").read_bytes()
    deck = small / "decks" / "small.yaml"
    deck.write_text(deck.read_text().replace("To keep", "It is to keep"))
    (small / "build").chmod(0o555)
    try:
        done = call(*bound, *TOOL, "build", cwd=small)
    finally:
        (small / "build").chmod(0o755)
    assert done.returncode == 2
    assert str(small / "build") in done.stderr
    assert (small / "decks" / "deck.lock").read_bytes() == before


FULL = """
set -e
mount -t tmpfs -o size=3m tmpfs "$LLMDRILLS_HOME"
"$@" start rms-norm > "$OUT/start" 2>&1
echo '# mine' > "$LLMDRILLS_HOME/practice/rms-norm.py"
dd if=/dev/zero of="$LLMDRILLS_HOME/filler" bs=1k 2> /dev/null || true
set +e
for words in 'hint rms-norm' 'start rms-norm --again' 'history export'; do
  "$@" $words > "$OUT/$(echo $words | tr ' ' _).out" 2>&1
  echo $? > "$OUT/$(echo $words | tr ' ' _).code"
done
rm "$LLMDRILLS_HOME/filler"
cp "$LLMDRILLS_HOME/practice/rms-norm.py" "$OUT/mine.py"
"$@" hint rms-norm 2 > "$OUT/after" 2>&1
echo $? > "$OUT/after.code"
"$@" history export > "$OUT/history.jsonl"
"""


def test_should_lose_nothing_on_a_full_disk(home, tmp_path):
    if (
        shutil.which("unshare") is None
        or subprocess.run(
            ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs tmpfs "$0"', str(tmp_path)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("a small file system cannot be mounted here")
    words = ["unshare", "-rm", "sh", "-c", FULL, "sh", *TOOL]
    done = call(*words, env={**os.environ, "OUT": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    for name in ("hint_rms-norm", "start_rms-norm_--again"):
        said = (tmp_path / f"{name}.out").read_text()
        assert (tmp_path / f"{name}.code").read_text().strip() == "2", said
        assert "Traceback" not in said
        assert "full" in said or "space" in said
    assert (tmp_path / "history_export.code").read_text().strip() in {"0", "2"}
    assert (tmp_path / "mine.py").read_text() == "# mine\n"
    assert (tmp_path / "after.code").read_text().strip() == "0", (tmp_path / "after").read_text()
    kinds = [json.loads(line).get("kind") for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert kinds.count("hints") == 1  # the one that was shown
    assert kinds.count("sessions") >= 1


def test_should_report_a_file_size_limit_and_leave_what_was_there(run, tmp_path):
    page = tmp_path / "page.html"
    assert run("report", page).code == 0
    before = page.read_bytes()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))

    done = call(*TOOL, "report", str(page), preexec_fn=limit)
    assert done.returncode == 2
    assert done.stderr.startswith("llmdrills: ")
    assert page.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]  # no half file beside it


def test_should_end_quietly_when_the_reader_leaves(run, home):
    run("start", KATA)
    for words in ("list", "history export", "show rope-pairing", "stats --json"):
        script = f"{SHELL_TOOL} -m llmdrills {words} | head -n 1; echo ${{PIPESTATUS[0]}}"
        done = call("bash", "-c", script)
        assert done.stderr == "", words
        assert done.stdout.splitlines()[-1] == "0", words
        assert len(done.stdout.splitlines()) == 2


def test_should_end_quietly_when_nobody_reads_at_all():
    done = call("bash", "-c", f"{SHELL_TOOL} -m llmdrills stats --json | true; echo ${{PIPESTATUS[0]}}")
    assert done.stderr == ""
    assert done.stdout.strip() == "0"


def test_should_say_so_when_the_output_cannot_be_written():
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    done = call("bash", "-c", f"{SHELL_TOOL} -m llmdrills list > /dev/full")
    assert done.returncode == 2
    assert done.stderr.startswith("llmdrills: cannot write the output: ")


@pytest.mark.parametrize(
    ("env", "coloured"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"NO_COLOR": "1"}, False),
    ],
)
def test_should_colour_a_pipe_only_when_told_to(run, env, coloured):
    shown = run("solution", KATA, env={**env, "TERM": "xterm-256color"}).out
    assert ("\x1b[" in shown) == coloured


def test_should_write_utf8_in_a_locale_without_it(run):
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LLMDRILLS_LANG": "zh"}
    assert run("start", KATA, env=env).code == 0
    shown = run("show", KATA, env=env)
    assert (shown.code, shown.out) == (0, run("show", KATA, env={"LLMDRILLS_LANG": "zh"}).out)
    assert "约定" in shown.out


def test_should_print_a_path_that_is_not_text(tmp_path):
    home = os.fsencode(tmp_path) + b"/caf\xe9"
    env = {**os.environb, b"LLMDRILLS_HOME": home}
    done = subprocess.run([*TOOL, "start", KATA], env=env, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, home + b"/practice/" + KATA.encode() + b".py\n"), done.stderr
    again = subprocess.run([*TOOL, "start", KATA], env=env, capture_output=True, check=False)
    assert again.returncode == 0, again.stderr
    plan = subprocess.run([*TOOL, "paths"], env=env, capture_output=True, check=False)
    assert home in plan.stdout


def test_should_work_from_a_folder_that_is_gone(run, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"cd {gone} && rmdir {gone} && exec {SHELL_TOOL} -m llmdrills list"
    done = call("bash", "-c", script)
    assert done.returncode in {0, 2}
    assert done.stdout or done.stderr.startswith("llmdrills: ")
