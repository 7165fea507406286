"""Content packs: real packages, installed by pip; a stranger's code is used only after the learner has said yes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from llmdrills.content.packs import installed
from tests.cli.conftest import Ran
from tests.helpers.content_packs import install, write_pack
from tests.helpers.english_left import english_left
from tests.helpers.terminal import Terminal

Run = Callable[..., Ran]


def listed(run: Run, small: Path) -> set[str]:
    return {one["kata"] for one in run("list", "--json", "-w", small).json["katas"]}


def test_should_leave_a_new_pack_out_without_a_terminal_and_say_so(
    run: Run, small: Path, pack_site: Path, home: Path
) -> None:
    for words in (("list",), ("today", "--json"), ("build", "--dry-run")):
        ran = run(*words, "-w", small)
        assert ran.code == 0
        assert "tiny-softmax" not in ran.out
        assert "`tiny` (tiny-pack 1.0) is left out" in ran.err
        assert ran.err.count("left out") == 1
        assert "`llmdrills packs allow tiny`" in ran.err.replace("python -m ", "")
    chinese = run("list", "-w", small, "--lang", "zh").err
    assert "未被使用" in chinese
    assert english_left(chinese, ("llmdrills", "tiny", "tiny-pack")) == []
    assert not (home / "config" / "packs.json").exists()
    (pack,) = run("packs", "list", "--json").json["packs"]
    assert (pack["state"], pack["katas"], pack["decks"], pack["version"]) == ("new", 1, 1, "1.0")


def test_should_ask_once_on_a_terminal_and_use_it_everywhere(
    run: Run, small: Path, pack_site: Path, home: Path, tmp_path: Path
) -> None:
    terminal = Terminal("list", "-w", str(small), cwd=tmp_path, columns=100, rows=40)
    terminal.expect("brings 1 kata and 1 deck")
    terminal.expect("runs on this machine as you")
    terminal.press("y\r")
    terminal.expect("tiny-softmax")
    assert terminal.ended() == 0
    said = json.loads((home / "config" / "packs.json").read_text())["packs"]["tiny"]
    assert (said["distribution"], said["version"], said["allowed"], len(said["hash"])) == ("tiny-pack", "1.0", True, 64)
    ran = run("list", "-w", small)
    assert "tiny-softmax" in ran.out
    assert ran.err == ""
    planned = run("today", "--json", "--new", "9", "--minutes", "99", "-w", small).json
    assert {item["kata"] for item in planned["items"]} == {"rms-norm", "tiny-softmax"}
    solved = tmp_path / "solved.py"
    solved.write_text(run("solution", "tiny-softmax", "-w", small).out, "utf-8")
    ran = run("grade", solved, "-w", small)
    assert (ran.code, ran.out.split(":")[0]) == (0, "✓ tiny-softmax (standard)")
    assert "tiny (tiny-pack 1.0): 1 kata and 1 deck, allowed" in run("doctor", "-w", small).out
    assert run("show", "tiny-softmax", "-w", small).code == 0


def test_should_build_its_decks_beside_those_of_the_workspace(
    run: Run, small: Path, pack_site: Path, tmp_path: Path
) -> None:
    run("packs", "allow", "tiny")
    ran = run("build", "--json", "-w", small, "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    packages = ran.json["packs"]["tiny"]["packages"]
    assert {Path(one["path"]).relative_to(tmp_path / "out").as_posix() for one in packages} == {
        "tiny/llmdrills-en.apkg",
        "tiny/llmdrills-zh.apkg",
    }
    assert all(one["notes"] >= 1 and Path(one["path"]).exists() for one in packages)
    assert not list(pack_site.rglob("deck.lock"))  # the pack is not ours to write in
    ours = {Path(one["path"]).name for one in ran.json["packages"]}
    assert ours == {"llmdrills-en.apkg", "llmdrills-zh.apkg"}


@pytest.mark.parametrize("file", ["tiny_pack/content/drills/tiny-softmax/reference.py", "tiny_pack/helper.py"])
def test_should_ask_again_when_any_file_of_it_has_changed(
    file: str, run: Run, small: Path, pack_site: Path, tmp_path: Path
) -> None:
    run("packs", "allow", "tiny")
    assert "tiny-softmax" in listed(run, small)
    path = pack_site / file
    path.write_text(path.read_text("utf-8") + "# changed\n", "utf-8")
    ran = run("list", "-w", small)
    assert "tiny-softmax" not in ran.out
    assert "has changed since you allowed 1.0" in ran.err
    assert "changed since it was allowed" in run("packs", "list").out
    terminal = Terminal("list", "-w", str(small), cwd=tmp_path, columns=100, rows=40)
    terminal.expect("has changed since you")
    terminal.press("n\r")
    assert terminal.ended() == 0
    ran = run("list", "-w", small)
    assert (ran.err, "tiny-softmax" in ran.out) == ("", False)  # refused: nobody is told of it again
    assert "refused" in run("packs", "list").out
    run("packs", "allow", "tiny")
    assert "tiny-softmax" in listed(run, small)


def test_should_ask_again_for_a_new_version_and_not_after_a_cache_or_a_compiled_file(
    run: Run, small: Path, pack_site: Path, tmp_path: Path, home: Path
) -> None:
    run("packs", "allow", "tiny")
    (pack_site / "tiny_pack" / "__pycache__").mkdir(exist_ok=True)
    (pack_site / "tiny_pack" / "__pycache__" / "helper.cpython-311.pyc").write_bytes(b"compiled")
    shutil.rmtree(home / "cache")
    assert "tiny-softmax" in listed(run, small)
    write_pack(tmp_path / "newer", version="2.0", kata="tiny-sigmoid")
    shutil.rmtree(pack_site / "tiny_pack-1.0.dist-info")  # which pip leaves in a folder named by --target
    install(tmp_path / "newer", pack_site)
    ran = run("list", "-w", small)
    assert "tiny-sigmoid" not in ran.out
    assert "(tiny-pack 2.0) is left out, because it has changed since you allowed 1.0" in ran.err
    run("packs", "allow", "tiny")
    assert "tiny-sigmoid" in listed(run, small)


def test_should_refuse_katas_of_one_name(run: Run, small: Path, pack_site: Path, tmp_path: Path) -> None:
    write_pack(tmp_path / "other", name="other", kata="rms-norm")
    install(tmp_path / "other", pack_site)
    run("packs", "allow", "other")
    for language, told in (("en", "there are two katas `rms-norm`"), ("zh", "有两道题都叫 `rms-norm`")):
        ran = run("list", "-w", small, "--lang", language)
        assert ran.code == 2
        assert told in ran.err
        assert "packs refuse other" in ran.err
    assert run("packs", "refuse", "other").code == 0
    assert run("list", "-w", small).code == 0


def test_should_refuse_two_workspaces_with_one_namespace(
    run: Run, small: Path, pack_site: Path, tmp_path: Path
) -> None:
    run("packs", "allow", "tiny")
    shutil.copy(pack_site / "tiny_pack/content/workspace.toml", small)
    ran = run("build", "--dry-run", "-w", small)
    assert ran.code == 2
    assert "have the same namespace" in ran.err


def test_should_leave_out_a_pack_with_problems_and_go_on(run: Run, small: Path, pack_site: Path) -> None:
    kata = pack_site / "tiny_pack/content/drills/tiny-softmax/kata.yaml"
    kata.write_text(kata.read_text("utf-8").replace("topic: transformer", "topic: nonsense"), "utf-8")
    run("packs", "allow", "tiny")
    ran = run("list", "-w", small)
    assert ran.code == 0
    assert "rms-norm" in ran.out
    assert "1 problem in the workspace" in ran.err
    assert "tell its author" in ran.err


def test_should_leave_out_decks_without_a_namespace_of_their_own(run: Run, small: Path, pack_site: Path) -> None:
    (pack_site / "tiny_pack/content/workspace.toml").unlink()
    run("packs", "allow", "tiny")
    ran = run("build", "--dry-run", "--json", "-w", small)
    assert ran.code == 0
    assert "packs" not in ran.json
    assert "no namespace of their own" in ran.err


@pytest.mark.parametrize("value", ["tiny_pack:content", "tiny_pack.nowhere", "nowhere_at_all", "../../etc"])
def test_should_say_that_a_packs_author_named_no_folder(value: str, run: Run, small: Path, pack_site: Path) -> None:
    (metadata,) = pack_site.glob("tiny_pack-*.dist-info")
    (metadata / "entry_points.txt").write_text(f"[llmdrills.content]\ntiny = {value}\n")
    ran = run("list", "-w", small)
    assert ran.code == 0
    assert "cannot be used" in ran.err
    assert value in ran.err
    assert run("packs", "allow", "tiny").code == 2


def test_should_never_import_a_pack(pack_site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.syspath_prepend(str(pack_site))
    (pack,) = installed([str(pack_site)])
    assert (pack.name, pack.folder) == ("tiny", (pack_site / "tiny_pack" / "content").resolve())
    assert "tiny_pack" not in sys.modules


def test_should_not_take_the_workspace_that_one_works_in_for_a_pack(run: Run, pack_site: Path) -> None:
    ran = run("list", "-w", pack_site / "tiny_pack" / "content")
    assert "tiny-softmax" in ran.out
    assert ran.err == ""


def test_should_say_that_the_answers_cannot_be_read(run: Run, small: Path, pack_site: Path, home: Path) -> None:
    (home / "config").mkdir()
    (home / "config" / "packs.json").write_text('{"schema": 1, "packs": {"tiny": {}}}')
    ran = run("list", "-w", small)
    assert ran.code == 2
    assert "packs.json: delete it" in ran.err


def test_should_name_the_pack_that_is_meant(run: Run, pack_site: Path) -> None:
    ran = run("packs", "allow", "tyny")
    assert ran.code == 2
    assert "did you mean tiny" in ran.err
    ran = run("packs", "refuse", "x", env={"PYTHONPATH": ""})
    assert (ran.code, "No content pack is installed" in ran.err) == (2, True)
    assert run("packs", "list", env={"PYTHONPATH": ""}).out == "No content pack is installed.\n"


def test_should_say_in_a_notebook_that_a_pack_is_left_out(root: Path, pack_site: Path, home: Path) -> None:
    from tests.helpers.kernels import kernel

    with kernel(root, LLMDRILLS_LANG="en") as up:
        assert "`tiny` (tiny-pack 1.0) is left out" in up.run("%load_ext llmdrills").streamed
        assert "there is no kata 'tiny-softmax'" in up.run("%kata tiny-softmax").plain
