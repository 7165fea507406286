"""The same bytes from the same content, wherever it is built; and the old file whole until the new one is."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from llmdrills.decks.lock import lock_file
from llmdrills.errors import BuildError
from tests.helpers.small_decks import Publisher, deck, note, one_of_each

_BUILD = """
import sys
from pathlib import Path
from tests.helpers.small_decks import Publisher, deck, note, one_of_each
publisher = Publisher(Path(sys.argv[1]))
figures = publisher.root / "decks" / "figures"
figures.mkdir()
for name in ("zebra", "apple"):
    (figures / f"{name}.svg").write_text(f"<svg xmlns='http://www.w3.org/2000/svg'><title>{name}</title></svg>")
import dataclasses
notes = list(one_of_each())
notes[0] = dataclasses.replace(notes[0], figure="zebra")
notes[1] = dataclasses.replace(notes[1], figure="apple", tags=("b", "a", "c"))
cache = publisher.root / "cache"
report = publisher.release(*notes, languages=("en", "zh"), release_time=1_700_000_000, cache_dir=cache)
for package in report.packages:
    print(package.sha256, package.digest, (publisher.root / "build" / package.path.name).stat().st_size)
print((publisher.root / "decks" / "deck.lock").read_text())
"""


def _elsewhere(folder: Path, **variables: str) -> str:
    folder.mkdir()
    temporary = folder / "tmp"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(sys.path), **variables}
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, str(folder / "w")],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not list(temporary.iterdir()), "something was left in the temp folder"
    return done.stdout


def test_should_make_the_same_bytes_in_any_directory_time_zone_locale_hash_seed_user_and_umask(tmp_path: Path):
    one = _elsewhere(tmp_path / "one", TZ="UTC", PYTHONHASHSEED="1", LC_ALL="C.UTF-8", USER="ada", HOME="/nowhere")
    two = _elsewhere(tmp_path / "another place", TZ="Asia/Tokyo", PYTHONHASHSEED="77", LC_ALL="POSIX", USER="grace")
    assert one == two


def test_should_make_the_same_bytes_with_and_without_a_cache(tmp_path: Path):
    hashes = set()
    for number in range(2):
        publisher = Publisher(tmp_path / str(number))
        for _ in range(2):
            publisher.release(*one_of_each(), release_time=1_700_000_000, cache_dir=tmp_path / "cache")
            hashes.add(publisher.package.read_bytes())
    assert len(hashes) == 1


def test_should_compress_and_date_the_package_the_same(publisher: Publisher):
    publisher.release(*one_of_each())
    with zipfile.ZipFile(publisher.package) as archive:
        for entry in archive.infolist():
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert entry.compress_type == zipfile.ZIP_DEFLATED
        database = archive.read("collection.anki2")
    assert publisher.package.stat().st_size < len(database) / 3
    assert database[24:28] == database[92:100][:4] == database[96:100] == bytes(4)


def test_should_tell_content_apart_and_nothing_else_by_the_digest(publisher: Publisher, tmp_path: Path):
    first = publisher.release(note("a")).packages[0]
    assert publisher.release(note("a")).packages[0].digest == first.digest
    assert publisher.release(note("a", "other")).packages[0].digest != first.digest


@pytest.mark.parametrize("failing", ["first package", "second package", "lock"])
def test_should_leave_everything_as_it_was_when_a_build_fails_half_way(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch, failing: str
):
    publisher.release(note("a"), languages=("en", "zh"))
    before = {path: path.read_bytes() for path in publisher.root.rglob("*") if path.is_file()}
    real, calls = os.fsync, []

    def fsync(handle: int) -> None:
        calls.append(handle)
        if len(calls) == {"first package": 1, "second package": 2, "lock": 3}[failing]:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(BuildError, match=r"No space left on device.*free some space"):
        publisher.release(note("a", "new"), languages=("en", "zh"))
    assert before == {path: path.read_bytes() for path in publisher.root.rglob("*") if path.is_file()}


def test_should_leave_the_old_package_whole_when_a_build_is_killed_and_tidy_up_in_the_next(
    publisher: Publisher, tmp_path: Path
):
    """Killed at many moments: a package is the old one or the new one, and one that is out is always in the lock."""
    notes = [note(f"n-{number}", f"text {number} `x`") for number in range(300)]
    publisher.release(*notes)
    old = publisher.package.read_bytes()
    code = (
        "import sys; from pathlib import Path; from tests.helpers.small_decks import Publisher, note\n"
        "p = Publisher(Path(sys.argv[1])); print('ready', flush=True)\n"
        "p.release(*[note(f'n-{n}', f'changed {n} `x`') for n in range(300)], release_time=1_700_500_000)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    seen = set()
    for wait in (0.0, 0.02, 0.05, 0.08, 0.12, 0.2):
        run = subprocess.Popen(
            [sys.executable, "-c", code, str(publisher.root)],
            env=environment,
            stdout=subprocess.PIPE,
        )
        assert run.stdout
        run.stdout.readline()
        time.sleep(wait)
        run.send_signal(signal.SIGKILL)
        run.communicate()
        package = publisher.package.read_bytes()
        seen.add(hashlib.sha256(package).hexdigest())
        with zipfile.ZipFile(publisher.package) as archive:
            assert archive.testzip() is None
        if package != old:
            assert '"mtime": 1700500000' in lock_file(publisher.root).read_text("utf-8")
    assert len(seen) <= 2
    for left in (publisher.root / "build").glob(".*"):
        os.utime(left, (1_600_000_000, 1_600_000_000))
    publisher.release(*[note(f"n-{n}", f"changed {n} `x`") for n in range(300)], release_time=1_700_500_000)
    assert [path.name for path in (publisher.root / "build").iterdir()] == ["llmdrills-en.apkg"]


def test_should_report_a_folder_that_cannot_be_written(publisher: Publisher, tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    from llmdrills.decks.build import BuildOptions, build

    workspace = publisher.workspace(deck("basics", note("a")))
    with pytest.raises(BuildError, match=r"cannot write .*llmdrills-en\.apkg.*build again"):
        build(workspace, blocked / "build", BuildOptions(languages=("en",), release_time=1_700_000_000))


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="Linux can write files without a name")
def test_should_leave_nothing_behind_when_a_build_is_killed(tmp_path: Path):
    program = (
        "import os, signal, sys; from pathlib import Path; from llmdrills.decks.files import prepare\n"
        "prepare(Path(sys.argv[1]) / 'llmdrills-en.apkg', b'x' * 1_000_000); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "build")], check=False)
    assert done.returncode == -9
    assert list((tmp_path / "build").iterdir()) == []
