"""What `init` and `new` write is right as it stands, and nothing is overwritten."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmdrills import __version__
from llmdrills.content import load_workspace
from llmdrills.content.lint import lint
from llmdrills.content.scaffold import copy_workspace, new_deck, new_kata, new_note
from llmdrills.content.templates import NOTES
from llmdrills.errors import ContentError, UsageError
from tests.helpers.content_folder import Folder


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_should_copy_the_same_content_under_a_namespace_of_its_own(folder: Folder, tmp_path: Path) -> None:
    folder.write("decks/deck.lock", "old").write("drills/twice/__pycache__/x.pyc", "old")
    made = copy_workspace(folder.root, tmp_path / "mine")
    mine = load_workspace(tmp_path / "mine")
    beside = [".gitattributes", ".gitignore", "docs/schema/deck.json", "docs/schema/kata.json"]
    names = [str(path.relative_to(tmp_path / "mine")) for path in made]
    assert names[:7] == ["decks", "drills", "workspace.toml", *beside]
    assert [note.id for note in mine.notes] == [note.id for note in folder.load().notes]
    assert len(mine.namespace) == 36
    assert (mine.about.deck_root, mine.about.began_from) == ("mine", __version__)
    copied = {name: data for name, data in snapshot(tmp_path / "mine").items() if name not in names}
    left_out = {"decks/deck.lock", "drills/twice/__pycache__/x.pyc"}
    assert copied == {name: data for name, data in snapshot(folder.root).items() if name not in left_out}


def test_should_give_two_copies_two_namespaces(folder: Folder, tmp_path: Path) -> None:
    copy_workspace(folder.root, tmp_path / "a")
    copy_workspace(folder.root, tmp_path / "b")
    assert load_workspace(tmp_path / "a").namespace != load_workspace(tmp_path / "b").namespace


@pytest.mark.parametrize("there", ["decks", "drills", "workspace.toml"])
def test_should_refuse_to_overwrite_with_a_copy(folder: Folder, tmp_path: Path, there: str) -> None:
    target = tmp_path / "mine"
    (target / there).mkdir(parents=True)
    (target / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds"):
        copy_workspace(folder.root, target)
    assert sorted(path.name for path in target.iterdir()) == sorted([there, "notes.txt"])


def test_should_let_a_copy_stand_beside_other_files(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    copy_workspace(folder.root, tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"


def test_should_refuse_a_copy_onto_a_file_or_into_its_source(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for target in (tmp_path / "file", folder.root / "decks" / "inner"):
        with pytest.raises(UsageError):
            copy_workspace(folder.root, target)


def test_should_make_the_files_of_a_copy_writable_though_the_originals_are_not(folder: Folder, tmp_path: Path) -> None:
    (folder.root / "decks/small.yaml").chmod(0o444)
    copy_workspace(folder.root, tmp_path / "mine")
    assert (tmp_path / "mine/decks/small.yaml").stat().st_mode & 0o200


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everywhere")
def test_should_report_a_folder_that_cannot_be_written(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o555)
    with pytest.raises(UsageError, match="cannot write"):
        copy_workspace(folder.root, tmp_path / "locked" / "mine")


@pytest.mark.parametrize("name", ["mine", "my-own-7", "7", "1e5", "no"])
def test_should_make_a_new_deck_that_loads(folder: Folder, name: str) -> None:
    new_deck(folder.root, name)
    assert name in [deck.id for deck in folder.load().decks]


# What a template wrote is to be replaced; a checklist is not finished before its items have notes of their own.
LEFT_TO_DO = {"checklist": {"enumeration-without-atoms", "template-text"}}


@pytest.mark.parametrize("kind", NOTES)
def test_should_make_a_new_note_that_loads_and_leaves_only_its_texts_to_be_written(folder: Folder, kind: str) -> None:
    new_deck(folder.root, "mine")
    path, line = new_note(folder.root, "mine", "my-note", kind)
    note = folder.load().decks[0].notes[-1]
    assert (note.id, note.type, note.position.line) == ("my-note", kind, line)
    assert path.read_text("utf-8").splitlines()[line - 1] == "  - id: my-note"
    found = {problem.rule for problem in lint(folder.load()) if "my-note" in problem.what}
    assert found == LEFT_TO_DO.get(kind, {"template-text"})
    texts = [problem.line for problem in lint(folder.load()) if problem.rule == "template-text"]
    assert len(set(texts)) >= 3


def test_should_leave_every_line_of_the_file_as_it_was_beside_a_new_note(folder: Folder) -> None:
    before = (folder.root / "decks/small.yaml").read_text("utf-8")
    path, _ = new_note(folder.root, "small", "more")
    assert path.read_text("utf-8").startswith(before)


@pytest.mark.parametrize(
    ("deck", "note", "kind"),
    [
        ("small", "Scale", "question"),
        ("small", "scale", "question"),
        ("small", "ready-one", "question"),
        ("small", "bug-x", "question"),
        ("small", "more", "bug"),
        ("nowhere", "more", "question"),
    ],
)
def test_should_refuse_a_new_note_that_cannot_be(folder: Folder, deck: str, note: str, kind: str) -> None:
    before = snapshot(folder.root)
    with pytest.raises(UsageError):
        new_note(folder.root, deck, note, kind)
    assert snapshot(folder.root) == before


def test_should_leave_a_deck_alone_that_does_not_end_with_its_notes(folder: Folder) -> None:
    path = folder.root / "decks/small.yaml"
    text = path.read_text("utf-8")
    title = "title: {en: Small, zh: 小}\n"
    path.write_text(text.replace(title, "") + title, "utf-8")
    with pytest.raises(UsageError, match="by hand"):
        new_note(folder.root, "small", "more")
    assert path.read_text("utf-8") == text.replace(title, "") + title


def test_should_report_the_problems_of_the_deck_that_a_new_note_goes_into(folder: Folder) -> None:
    folder.edit("decks/small.yaml", "type: question", "typ: question")
    with pytest.raises(ContentError):
        new_note(folder.root, "small", "more")


def test_should_make_a_new_kata_that_loads_and_passes_the_linter(folder: Folder) -> None:
    paths = new_kata(folder.root, "my-softmax")
    assert {path.name for path in paths} == {
        "kata.yaml",
        "reference.py",
        "cases.py",
        "cases.zh.yaml",
        "reference.zh.yaml",
        "slips.yaml",
    }
    kata = folder.load().kata("my-softmax")
    assert kata is not None
    assert (kata.entry, len(kata.slips)) == ("my_softmax", 2)
    assert [problem for problem in lint(folder.load()) if "my-softmax" in str(problem)] == []


def test_should_make_a_new_kata_whose_reference_is_right_and_whose_slips_are_wrong(folder: Folder) -> None:
    torch = pytest.importorskip("torch")
    new_kata(folder.root, "my-softmax")
    from llmdrills.content.starter import solution_text

    kata = folder.load().kata("my-softmax")
    assert kata is not None
    space: dict[str, object] = {"torch": torch}
    exec(solution_text(kata, kata.variants[0]), space)
    x = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0)) * 20 + 500
    right = torch.softmax(x, -1)
    torch.testing.assert_close(space["my_softmax"](x), right)  # type: ignore[operator]  # what exec left there
    for slip in kata.slips:
        exec(slip.source, space)
        wrong = space[slip.names["standard"]](x)  # type: ignore[operator]  # what exec left there
        assert not torch.allclose(wrong, right)


@pytest.mark.parametrize("name", ["twice", "Twice", "7", "a b", "../x"])
def test_should_refuse_a_new_kata_that_cannot_be(folder: Folder, name: str) -> None:
    before = snapshot(folder.root)
    with pytest.raises(UsageError):
        new_kata(folder.root, name)
    assert snapshot(folder.root) == before


@pytest.mark.slow
def test_should_make_a_new_kata_that_lacks_nothing_but_what_new_names(tmp_path: Path) -> None:
    copy_workspace(None, tmp_path / "mine")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "llmdrills", *words, "--workspace", str(tmp_path / "mine")]
        return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)

    made = run("new", "kata", "my-softmax")
    assert made.returncode == 0
    assert "check --holes my-softmax` writes draws.lock" in made.stderr
    assert "check --write` computes what its cards show" in made.stderr
    checked = run("check")
    assert "2 wrong kernels" in checked.stdout
    lacks = [line for line in checked.stdout.splitlines() if "my-softmax/" in line]
    assert [line for line in lacks if "computed.json is stale" not in line and "no draws.lock" not in line] == []
    assert "no hole is open" in run("check", "--holes", "my-softmax").stdout
    assert "2 wrong kernels, 0 proofs: clean" in run("check", "--write").stdout


def test_should_say_in_a_few_words_that_a_workspace_does_not_fit_on_the_disk(tmp_path, root, monkeypatch):
    def full(source, target, **_):
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr("llmdrills.content.scaffold.shutil.copyfile", full)
    with pytest.raises(UsageError) as caught:
        copy_workspace(root, tmp_path / "mine")
    assert "[Errno 28] No space left on device" in str(caught.value)
    assert len(str(caught.value)) < 200 + len(str(tmp_path))
    assert list((tmp_path / "mine").iterdir()) == []


def test_should_leave_an_authors_own_files_beside_a_copy(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "mine" / "docs").mkdir(parents=True)
    (tmp_path / "mine" / ".gitignore").write_text("own")
    copy_workspace(folder.root, tmp_path / "mine")
    assert (tmp_path / "mine" / ".gitignore").read_text() == "own"
    assert "merge=union" in (tmp_path / "mine" / ".gitattributes").read_text()
    assert (tmp_path / "mine" / "docs" / "schema" / "slips.json").is_file()


@pytest.mark.parametrize("languages", [("en",), ("zh",), ("de",), ("en", "de"), ("zh-Hant", "en"), ("en", "zh")])
def test_should_begin_empty_in_any_language_and_add_decks_notes_and_katas(
    tmp_path: Path, languages: tuple[str, ...]
) -> None:
    root = tmp_path / "mine"
    copy_workspace(None, root, languages=languages)  # type: ignore[arg-type]  # any language
    assert load_workspace(root).notes == ()
    new_deck(root, "words")
    for kind in NOTES:
        new_note(root, "words", f"my-{kind}", kind)
    new_kata(root, "my-softmax")
    workspace = load_workspace(root)
    (deck,) = workspace.decks
    assert set(deck.languages) == set(languages) == set(workspace.about.languages)
    assert len(deck.notes) == 5
    for note in deck.notes:
        texts = {language: note.front[language] for language in languages}
        assert all(texts.values())
        assert ("什么" in texts.get("zh", "什么")) or note.type in ("cloze", "checklist", "number")
    rules = {problem.rule for problem in lint(workspace) if "my-softmax" not in str(problem.file)}
    assert rules <= {"template-text", "enumeration-without-atoms", "same-title"}
    assert (root / "drills/my-softmax/cases.zh.yaml").exists() == ("zh" in languages)
    assert [problem for problem in lint(workspace) if "my-softmax" in str(problem.file)] == []
