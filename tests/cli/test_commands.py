"""The commands around a kata: list, show, hint, solution, start, and what a shell completes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmdrills.content.kata import TOPICS
from tests.helpers.histories import rows

KATA = "rms-norm"


# ---- list and show ----------------------------------------


def test_should_list_every_kata_of_the_shipped_workspace(run, root):
    shipped = sorted(path.parent.name for path in (root / "drills").glob("*/kata.yaml"))
    found = run("list", "--json", cwd=root).json
    assert found["schema"] == 1
    assert sorted(kata["kata"] for kata in found["katas"]) == shipped
    lines = run("list", cwd=root).out.splitlines()
    assert sorted(line.split()[0] for line in lines) == shipped
    for kata in found["katas"]:
        assert kata["topic"] in TOPICS
        assert kata["title"]["en"]
        assert kata["title"]["zh"]
        assert set(kata["requires"]) < set(shipped)


def test_should_draw_each_kata_below_what_it_builds_on(run):
    found = run("list", "--json").json["katas"]
    lines = run("list", "--tree").out.splitlines()
    depth, path, above = {}, [], {}
    for line in lines:
        name = next(word for word in line.split() if word[0].isalpha())
        depth[name] = line.index(name) // 3
        path[depth[name] :] = [name]
        above[name] = path[-2] if depth[name] else ""
    assert sorted(depth) == sorted(kata["kata"] for kata in found)
    for kata in found:
        assert above[kata["kata"]] in (kata["requires"] or [""])
        assert depth[kata["kata"]] == max((depth[name] + 1 for name in kata["requires"]), default=0)
        line = next(line for line in lines if kata["kata"] in line.split())
        assert all(name in line for name in kata["requires"] if name != above[kata["kata"]])
    assert "还要先做" in run("list", "--tree", "--lang", "zh").out


def test_should_list_one_topic_only(run):
    found = run("list", "--topic", "position", "--json").json["katas"]
    assert {kata["topic"] for kata in found} == {"position"}
    bad = run("list", "--topic", "positions")
    assert bad.code == 2
    assert "position" in bad.err


@pytest.mark.parametrize(("lang", "title"), [("en", "My topic"), ("zh", "我的主题")])
def test_should_show_and_choose_katas_of_the_workspaces_own_topic(run, small, lang, title):
    (small / "workspace.toml").write_text(
        'namespace = "own"\n[topics]\nmy-topic = {en = "My topic", zh = "我的主题"}\n', "utf-8"
    )
    kata = small / "drills/rms-norm/kata.yaml"
    kata.write_text(kata.read_text("utf-8").replace("topic: transformer", "topic: my-topic"), "utf-8")
    for _ in range(2):  # read, then from the cache
        assert title in run("show", "rms-norm", "-w", small, "--lang", lang).out
    assert "rms-norm" in run("list", "--topic", "my-topic", "-w", small).out
    assert run("today", "--topic", "my-topic", "--json", "-w", small).json["items"][0]["kata"] == "rms-norm"
    refused = run("list", "--topic", "sport", "-w", small)
    assert (refused.code, "evaluation, my-topic" in refused.err) == (2, True)
    (small / "workspace.toml").unlink()
    assert "my-topic" in run("show", "rms-norm", "-w", small).err  # the cache does not outlive the topic


def test_should_show_the_contract_that_is_graded(run):
    shown = run("show", "rope-pairing")
    other = run("show", "rope-pairing", "--variant", "half-split")
    assert "## Contract" in shown.out
    assert shown.out != other.out
    found = run("show", "rope-pairing", "--json").json
    assert found["schema"] == 1
    assert all(line["en"] in shown.out for line in found["contract"])
    assert "def " not in shown.out  # the task, not its solution


def test_should_name_the_variants_when_asked_for_another(run):
    ran = run("show", "rope-pairing", "--variant", "split")
    assert ran.code == 2
    assert "half-split" in ran.err


# ---- hint and solution ----------------------------------------


def test_should_show_one_hint_at_a_time(run):
    first = run("hint", KATA)
    count = int(first.out.split("**")[1].split("/")[1])
    everything = run("hint", KATA, "--all")
    assert first.out.strip() in everything.out
    assert everything.out.count("**") >= 2 * count
    assert run("hint", KATA, count).out.strip() in everything.out
    for wrong in (0, count + 1, -1):
        ran = run("hint", "--", KATA, wrong)
        assert ran.code == 2
        assert f"1 to {count}" in ran.err


def test_should_count_hints_and_solutions_only_while_the_kata_is_practised(run, home):
    run("hint", KATA)
    run("solution", KATA)
    assert not (home / "data").exists()  # looking around leaves no trace
    run("start", KATA)
    run("hint", KATA, 2)
    run("solution", KATA)
    assert rows(home, "SELECT kata, number FROM hints") == [(KATA, 2)]
    assert rows(home, "SELECT kata, how FROM solutions") == [(KATA, "solution")]


def test_should_print_a_solution_that_is_a_whole_file(run):
    text = run("solution", "rope-pairing", "--variant", "half-split").out
    assert text.startswith("# llmdrills: kata=rope-pairing variant=half-split\n")
    compile(text, "solution.py", "exec")
    assert "def apply_rope" in text


# ---- start ----------------------------------------


def test_should_write_a_starter_and_print_its_path_alone(run, home):
    ran = run("start", KATA)
    file = home / "practice" / f"{KATA}.py"
    assert ran.out == f"{file}\n"
    assert "llmdrills grade" in ran.err
    assert file.read_text().startswith(f"# llmdrills: kata={KATA} variant=")
    assert "raise NotImplementedError" in file.read_text()
    compile(file.read_text(), str(file), "exec")


def test_should_go_on_where_it_was_and_leave_the_file_alone(run, home):
    run("start", KATA)
    file = home / "practice" / f"{KATA}.py"
    file.write_text("# half a thought\n")
    ran = run("start", KATA)
    assert "continues where you left it" in ran.err
    assert file.read_text() == "# half a thought\n"
    assert len(rows(home, "SELECT * FROM sessions")) == 1


def test_should_bring_a_deleted_file_back(run, home):
    file = Path(run("start", KATA).out.strip())
    starter = file.read_text()
    file.unlink()
    run("start", KATA)
    assert file.read_text() == starter


def test_should_archive_earlier_code_when_begun_again(run, home):
    file = Path(run("start", KATA).out.strip())
    starter = file.read_text()
    file.write_text("# my answer\n")
    run("start", KATA, "--again")
    assert file.read_text() == starter
    assert rows(home, "SELECT kata, code FROM archives") == [(KATA, "# my answer\n")]
    assert len(rows(home, "SELECT * FROM sessions")) == 2


def test_should_begin_another_variant_when_one_is_named(run, home):
    file = Path(run("start", KATA).out.strip())
    assert "variant=cast-first" in file.read_text()
    run("start", KATA, "--variant", "cast-last")
    assert "variant=cast-last" in file.read_text()
    assert "continues where you left it" in run("start", KATA).err


def test_should_keep_code_that_was_there_before_anything_began(run, home):
    file = home / "practice" / f"{KATA}.py"
    file.parent.mkdir()
    file.write_bytes(b"caf\xe9 \x00 not even text\n")
    run("start", KATA)
    assert "raise NotImplementedError" in file.read_text()
    assert rows(home, "SELECT encoding FROM archives") == [("base64",)]


# ---- completion ----------------------------------------


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("llmdrills show ro", {"rope-pairing", "rope-scaling", "rotary-embedding"}),
        ("llmdrills grade onl", {"online-softmax"}),
        ("llmdrills to", {"today"}),
        ("llmdrills rate rms-norm g", {"good"}),
        ("llmdrills history show onl", {"online-softmax"}),
        ("llmdrills config set min", {"minutes"}),
    ],
)
def test_should_complete_katas_and_commands_in_the_shell(root, typed, offered):
    words = {"_LLMDRILLS_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    done = subprocess.run(
        [sys.executable, "-m", "llmdrills"],
        env={**os.environ, **words},
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert set(done.stdout.split()) == offered


def test_should_offer_nothing_and_say_nothing_where_the_workspace_is_broken(small):
    (small / "drills" / KATA / "kata.yaml").write_text("kata: [")
    words = {"_LLMDRILLS_COMPLETE": "complete_bash", "COMP_WORDS": "llmdrills show r", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-m", "llmdrills"],
        env={**os.environ, **words},
        cwd=small,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == ("", "")
