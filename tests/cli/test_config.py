"""`llmdrills config`, and the folder for practice."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from llmdrills.cli.settings_file import change, template
from llmdrills.errors import SettingError
from llmdrills.lines import columns
from llmdrills.settings import OPTIONS
from tests.helpers.terminal import Terminal

KATA = "rms-norm"


@pytest.fixture
def file(home: Path) -> Path:
    return home / "config" / "config.toml"


def test_should_set_and_get_a_setting(run, file):
    ran = run("config", "set", "minutes", 30)
    assert (ran.code, ran.err) == (0, "")
    assert tomllib.loads(file.read_text()) == {"minutes": 30}
    assert run("config", "get", "minutes").out == "30\n"
    found = run("config", "get", "--json").json
    assert found["settings"]["minutes"] == {"value": 30, "source": f"{file}: minutes"}
    assert set(found["settings"]) == {option.name for option in OPTIONS}
    listed = run("config", "get").out
    assert all(option.name in listed for option in OPTIONS)
    assert "\neditor       (unset) " in listed


def test_should_list_the_settings_in_columns_whatever_stands_in_them(run):
    """The address of AnkiConnect is longer than any other value, and Chinese letters are wide."""
    for lang, source in (("en", "from default"), ("zh", "默认值")):
        lines = run("paths", "--lang", lang).out.splitlines()[-len(OPTIONS) + 1 :]
        assert {columns(line.partition(f"  {source}  ")[0]) for line in lines} == {34}
        lines = run("config", "get", "--lang", lang).out.splitlines()[1:]
        assert {columns(line.partition(f"  {source.removeprefix('from ')}")[0]) for line in lines} == {34}


def test_should_keep_the_rest_of_the_file_with_its_comments(run, file):
    file.parent.mkdir(parents=True)
    file.write_text('# mine\nminutes = 10  # short days\neditor = "a # b"\n\nnew = 1')
    run("config", "set", "minutes", 45)
    run("config", "set", "editor", "vim -u 'x y'")
    run("config", "set", "retention", 0.8)
    assert file.read_text() == (
        "# mine\nminutes = 45 # short days\neditor = \"vim -u 'x y'\"\n\nnew = 1\nretention = 0.8\n"
    )
    run("config", "set", "minutes", "--default")
    assert "minutes" not in file.read_text()
    assert run("config", "get", "minutes").out == "20\n"


@pytest.mark.parametrize("text", ["'editor' = 'vim'\n", 'editor="a # b" # c', "[", "editor = 'vim' # a # b\nnew = 2"])
def test_should_change_one_line_whatever_its_form(tmp_path, text):
    path = tmp_path / "config.toml"
    path.write_text(text.replace("[", ""))
    before = tomllib.loads(path.read_text())
    change(path, "editor", 'a "b" # 文')
    assert tomllib.loads(path.read_text()) == {**before, "editor": 'a "b" # 文'}


def test_should_leave_a_line_alone_that_it_cannot_change(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('editor = """\nvim\n"""\n')
    with pytest.raises(SettingError, match="config edit"):
        change(path, "editor", "nano")
    assert path.read_text() == 'editor = """\nvim\n"""\n'


def test_should_follow_a_link_to_the_file(run, file, tmp_path):
    file.parent.mkdir(parents=True)
    (tmp_path / "dotfiles.toml").write_text("new = 1\n")
    file.symlink_to(tmp_path / "dotfiles.toml")
    run("config", "set", "new", 3)
    assert file.is_symlink()
    assert (tmp_path / "dotfiles.toml").read_text() == "new = 3\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("minuts", "3"), "did you mean minutes"),
        (("minutes", "much"), "a whole number"),
        (("minutes", "0"), "from 1 to 600"),
        (("lang", "fr"), "en, zh"),
        (("practice", "katas"), "whole path"),
        (("minutes",), "needs a value"),
    ],
)
def test_should_refuse_what_cannot_be_set_and_say_why(run, file, words, told):
    ran = run("config", "set", *words)
    assert ran.code == 2
    assert told in ran.err
    assert not file.exists()


def test_should_say_when_something_stronger_holds(run):
    ran = run("config", "set", "minutes", 30, env={"LLMDRILLS_MINUTES": "5"})
    assert "LLMDRILLS_MINUTES is stronger: here minutes stays 5" in ran.err


def test_should_put_a_wrong_setting_right(run, file):
    file.parent.mkdir(parents=True)
    file.write_text("minutes = 'much'\n")
    assert run("config", "get").code == 2
    assert run("config", "set", "minutes", 30).code == 0
    assert run("config", "get", "minutes").out == "30\n"


def test_should_offer_every_setting_in_a_new_file(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(template("en"))
    assert tomllib.loads(path.read_text()) == {}
    set_lines = [line.removeprefix("# ") for line in template("en").splitlines() if " = " in line]
    assert tomllib.loads("\n".join(set_lines)) == {option.name: option.default for option in OPTIONS}


def test_should_open_the_file_in_the_editor_and_check_it_afterwards(tmp_path, file):
    editor = tmp_path / "pen"
    editor.write_text('#!/bin/sh\necho "minutes = 0" > "$1"\n')
    editor.chmod(0o755)
    terminal = Terminal("config", "edit", cwd=tmp_path, env={"EDITOR": str(editor)})
    terminal.expect("from 1 to 600")
    assert terminal.ended() == 2


def test_should_say_what_to_do_where_the_file_cannot_be_opened(run, file):
    ran = run("config", "edit")
    assert ran.code == 2
    assert "LLMDRILLS_EDITOR" in ran.err
    ran = run("config", "edit", env={"EDITOR": "vim"})
    assert ran.code == 2
    assert str(file) in ran.err


def test_should_speak_chinese(run):
    assert "写入" in run("config", "set", "minutes", 30, "--lang", "zh").out
    assert "没有名为" in run("config", "set", "minuts", 30, env={"LLMDRILLS_LANG": "zh"}).err


# ---- the folder for practice ----------------------------------------


def test_should_practise_in_one_folder_whatever_folder_one_stands_in(run, small, home, tmp_path):
    outside = Path(run("start", KATA).out.strip())
    inside = run("start", KATA, cwd=small)
    assert inside.out == f"{outside}\n"
    assert outside == home / "practice" / f"{KATA}.py"
    assert "continues where you left it" in inside.err


def test_should_practise_in_the_data_folder_of_the_user_in_a_workspace_too(run, small, tmp_path):
    env = {"LLMDRILLS_HOME": "", "XDG_DATA_HOME": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    shown = [run("paths", "--json", cwd=folder, env=env).json["paths"]["practice"] for folder in (small, tmp_path)]
    assert shown == [str(tmp_path / "data" / "llmdrills" / "practice")] * 2


def test_should_practise_where_the_setting_says(run, tmp_path, home):
    run("config", "set", "practice", tmp_path / "katas")
    assert run("start", KATA).out == f"{tmp_path}/katas/{KATA}.py\n"
    env = {"LLMDRILLS_PRACTICE": "~/katas", "HOME": str(tmp_path / "user")}
    assert run("paths", "--json", env=env).json["paths"]["practice"] == f"{tmp_path}/user/katas"


def test_should_refuse_a_practice_folder_in_a_workspace(run, small):
    (small / "llmdrills.toml").write_text(f"practice = {json.dumps(str(small))}\n")
    ran = run("paths", cwd=small)
    assert ran.code == 2
    assert "llmdrills config set practice" in ran.err


def test_should_write_on_in_the_new_folder_where_the_old_one_was_moved(run, home, tmp_path):
    file = Path(run("start", KATA).out.strip())
    file.write_text("# half a thought\n")
    file.parent.rename(tmp_path / "katas")
    run("config", "set", "practice", tmp_path / "katas")
    again = run("start", KATA)
    assert again.out == f"{tmp_path}/katas/{KATA}.py\n"
    assert (tmp_path / "katas" / f"{KATA}.py").read_text() == "# half a thought\n"
