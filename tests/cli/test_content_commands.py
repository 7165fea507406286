"""build, check, retire, new and init through the real process."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from pathlib import Path

import pytest

PLACE = re.compile(r"^(\S+):(\d+):(\d+): .+: .+$", re.MULTILINE)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


# ---- build ----------------------------------------


def test_should_forecast_the_shipped_decks_and_write_nothing_in_a_dry_run(run, tmp_path):
    report = run("build", "--dry-run", "--json", "--out", tmp_path / "out").json
    assert report["schema"] == 1
    assert report["dry_run"] is True
    assert {package["language"] for package in report["packages"]} == {"en", "zh"}
    assert all(package["notes"] > 200 for package in report["packages"])
    assert files(tmp_path) == {}


def test_should_build_both_packages_and_say_what_anki_will_find(run, small):
    first = run("build", cwd=small)
    assert first.code == 0
    assert "build/llmdrills-en.apkg" in first.out
    assert "every note is new" in first.out
    assert (small / "decks" / "deck.lock").exists()
    built = files(small / "build")
    assert set(built) == {"llmdrills-en.apkg", "llmdrills-zh.apkg"}
    again = run("build", cwd=small)
    assert "is up to date" in again.out
    assert files(small / "build") == built  # the same bytes


def test_should_name_the_note_that_was_edited(run, small):
    run("build", cwd=small)
    edit(small / "decks" / "small.yaml", "To keep the variance at 1.", "It keeps the variance at 1.")
    planned = run("build", "--dry-run", cwd=small)
    assert "updated scale" in planned.out
    report = run("build", "--json", cwd=small).json
    changed = {forecast["language"]: forecast["notes"] for forecast in report["forecasts"]}
    assert [note["id"] for note in changed["en"] if note["status"] == "updated"] == ["scale"]
    assert not [note for note in changed["zh"] if note["status"] == "updated"]


def test_should_refuse_a_stale_lock_when_frozen(run, small):
    run("build", cwd=small)
    assert run("build", "--frozen", cwd=small).code == 0
    before = files(small)
    edit(small / "decks" / "small.yaml", "A small deck.", "A very small deck.")
    edit(small / "decks" / "small.yaml", "To keep", "It is to keep")
    ran = run("build", "--frozen", cwd=small)
    assert ran.code == 2
    assert "scale" in ran.err
    assert "commit decks/deck.lock" in ran.err
    after = files(small)
    assert {name for name in before if before[name] != after[name]} == {"decks/small.yaml"}


def test_should_refuse_to_start_a_new_lock_unasked(run, small):
    run("build", cwd=small)
    (small / "decks" / "deck.lock").unlink()
    ran = run("build", cwd=small)
    assert ran.code == 2
    assert "--new-lock" in ran.err
    assert run("build", "--new-lock", cwd=small).code == 0


def test_should_retire_a_note_and_keep_the_reason(run, small):
    run("build", cwd=small)
    run("new", "note", "small", "second", cwd=small)
    run("build", cwd=small)
    done = run("retire", "second", "--why", "it was a 草稿", "--json", cwd=small).json
    assert (done["schema"], done["id"], done["why"]) == (1, "second", "it was a 草稿")
    assert "second" not in (small / "decks" / "small.yaml").read_text()
    assert "it was a 草稿" in (small / "decks" / "deck.lock").read_text()
    run("build", cwd=small)
    assert (small / "build" / "llmdrills-en-upgrade.apkg").exists()
    again = run("retire", "second", "--why", "twice", cwd=small)
    assert again.code == 2
    assert "it was a 草稿" in again.err


def test_should_retire_only_what_was_released_and_with_a_reason(run, small):
    assert run("retire", "scale", "--why", "x", cwd=small).code == 2  # never released
    run("build", cwd=small)
    near = run("retire", "scales", "--why", "x", cwd=small)
    assert near.code == 2
    assert "'scale'" in near.err
    assert run("retire", "scale", cwd=small).code == 2
    assert run("retire", "scale", "--why", " ", cwd=small).code == 2


# ---- check ----------------------------------------


def test_should_find_the_shipped_workspace_clean(run, root):
    ran = run("check", "--quick", "--json", cwd=root)
    assert ran.json["problems"] == []
    assert (ran.code, ran.json["schema"], ran.json["clean"]) == (0, 1, True)


def test_should_exit_1_where_the_linter_finds_something(run, small):
    assert run("check", "--quick", cwd=small).code == 0
    edit(small / "decks" / "small.yaml", "使方差保持为 1。", "使方差保持为1。")
    ran = run("check", "--quick", cwd=small)
    assert ran.code == 1
    found = PLACE.findall(ran.out)
    assert found
    assert all(name.endswith("decks/small.yaml") for name, _, _ in found)
    problems = run("check", "--quick", "--json", cwd=small).json["problems"]
    assert {problem["rule"] for problem in problems} == {"cjk-spacing"}


@pytest.mark.parametrize("command", [("check", "--quick"), ("build",), ("readiness",)])
def test_should_exit_2_and_list_every_fault_of_every_file_in_one_run(run, small, command):
    (small / "decks" / "torn.yaml").write_text("deck: torn\nnotes: [\n")
    edit(small / "decks" / "small.yaml", "topic: transformer", "topic: transformers\n    tpoic: x")
    edit(small / "drills" / "rms-norm" / "kata.yaml", "minutes: 8", "minutes: soon")
    ran = run(*command, cwd=small)
    assert ran.code == 2
    assert ran.out == ""
    found = {(Path(name).name, int(line)) for name, line, _ in PLACE.findall(ran.err)}
    assert {name for name, _ in found} == {"torn.yaml", "small.yaml", "kata.yaml"}
    assert {("small.yaml", 7), ("small.yaml", 8), ("kata.yaml", 4)} <= found
    assert "problems in the workspace" in ran.err


def test_should_write_computed_values_only_for_a_whole_workspace(run, small):
    ran = run("check", "--quick", "--write", cwd=small)
    assert ran.code == 2
    assert not (small / "decks" / "computed.json").exists()


# ---- new and init ----------------------------------------


def test_should_begin_a_deck_a_note_and_a_kata_that_lack_only_texts(run, small):
    assert run("new", "deck", "mine", cwd=small).out.strip() == str(small / "decks" / "mine.yaml")
    made = run("new", "note", "mine", "my-note", "--type", "number", cwd=small).out.strip()
    name, _, line = made.rpartition(":")
    assert "id: my-note" in Path(name).read_text().splitlines()[int(line) - 1]
    files = [Path(line).name for line in run("new", "kata", "my-kata", cwd=small).out.splitlines()]
    assert sorted(files) == [
        "cases.py",
        "cases.zh.yaml",
        "kata.yaml",
        "reference.py",
        "reference.zh.yaml",
        "slips.yaml",
    ]
    ran = run("check", "--quick", "--json", cwd=small)
    left = {"unshown-value", "stale-value", "template-text", "same-title"}  # what is the author's to replace
    assert [p for p in ran.json["problems"] if p["rule"] not in left] == []
    assert "my-kata" in run("list", cwd=small).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("new", "deck", "small"), "exists already"),
        (("new", "deck", "Not A Slug"), "lower-case"),
        (("new", "note", "small", "scale"), "is used in"),
        (("new", "note", "none", "x"), "llmdrills new deck none"),
        (("new", "note", "small", "x", "--type", "essay"), "question"),
        (("new", "kata", "rms-norm"), "exists already"),
        (("new", "kata", "../out"), "lower-case"),
    ],
)
def test_should_overwrite_nothing_and_say_what_to_do_instead(run, small, words, said):
    before = files(small)
    ran = run(*words, cwd=small)
    assert ran.code == 2
    assert said in ran.err
    assert files(small) == before


@pytest.mark.parametrize("words", [("new", "deck", "mine"), ("retire", "kv-cache-bytes", "--why", "x")])
def test_should_not_write_into_a_workspace_that_one_does_not_stand_in(run, tmp_path, root, words):
    before = {path.name for path in (root / "decks").iterdir()}
    ran = run(*words, cwd=tmp_path)
    assert ran.code == 2
    assert "llmdrills init" in ran.err
    assert {path.name for path in (root / "decks").iterdir()} == before


def test_should_copy_a_workspace_that_lives_beside_the_first_in_anki(run, small, tmp_path):
    run("build", cwd=small)
    copy = tmp_path / "copy"
    assert run("init", copy, cwd=small).code == 0
    assert "namespace" in (copy / "workspace.toml").read_text()
    assert not (copy / "decks" / "deck.lock").exists()
    assert run("build", cwd=copy).code == 0
    ours, theirs = (guids(folder / "build" / "llmdrills-en.apkg") for folder in (small, copy))
    assert len(ours) == len(theirs)
    assert not ours & theirs
    again = run("init", copy, cwd=small)
    assert again.code == 2
    assert "already" in again.err


def guids(package: Path) -> set[str]:
    import sqlite3
    import zipfile

    with zipfile.ZipFile(package) as archive:
        archive.extract("collection.anki2", package.parent)
    with contextlib.closing(sqlite3.connect(package.parent / "collection.anki2")) as connection:
        return {guid for (guid,) in connection.execute("SELECT guid FROM notes")}


def test_should_work_in_a_folder_with_an_odd_name(run, small, tmp_path):
    odd = tmp_path / "工作区 with spaces & 'quotes'"
    shutil.copytree(small, odd)
    assert run("build", cwd=odd).code == 0
    assert run("list", "--workspace", odd).out.split()[0] == "rms-norm"
    report = json.loads(run("build", "--dry-run", "--json", "-w", odd).out)
    assert str(odd) in report["lock"]["path"]
