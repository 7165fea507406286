"""`llmdrills play`: whose kernels run, what is shown, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from llmdrills.content.playtable import CLOSE, load_play
from llmdrills.content.starter import solution_text
from llmdrills.grading.play.parts import PARTS
from tests.helpers.notebooks import write_notebook
from tests.helpers.playing import katas
from tests.helpers.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
RIGHT = load_play(ROOT)
SHORT = ("--tokens", "12")


def solved(kata: str, variant: str | None = None) -> str:
    found = katas()[kata]
    return solution_text(found, found.variant(variant) if variant else found.variants[0])


def test_should_run_with_references_alone_before_anything_has_passed(run):
    ran = run("play", "--json", *SHORT)
    assert ran.code == 0
    assert ran.json["schema"] == 1
    assert ran.json["perplexity"] == pytest.approx(RIGHT.perplexity, rel=CLOSE)
    assert ran.json["text"].startswith("Once there was a girl named Mia.")
    assert ran.json["kernels"] == {part.kata: "reference" for part in PARTS}
    assert ran.json["same_without_cache"]
    assert ran.json["tokens_per_second"]["cache"] > 0
    assert ran.json["failed"] is None


def test_should_write_on_from_the_prompt_alike_for_one_seed_and_otherwise_for_another(run):
    prompt = "Long ago there was a boy named Tom."
    texts = [run("play", prompt, "--json", *SHORT, "--seed", seed).json["text"] for seed in (3, 3, 4)]
    assert all(text.startswith(prompt) for text in texts)
    assert texts[0] == texts[1] != texts[2]


def test_should_take_the_kernel_that_passed_last_in_the_variant_of_the_model(run, tmp_path, home):
    """Passed in interleaved first, which the model has no place for; then in half-split."""
    for variant, origin in (("interleaved", "reference"), ("half-split", "mine")):
        file = Path(run("start", "rope-pairing", "--variant", variant).out.split("\n")[0])
        file.write_text(solved("rope-pairing", variant))
        assert run("grade", "rope-pairing").code == 0
        assert run("rate", "rope-pairing").code == 0
        assert run("play", "--json", *SHORT).json["kernels"]["rope-pairing"] == origin
    said = run("play", *SHORT).out
    assert "Yours: rope-pairing." in said
    assert "References: bpe-encode, checkpoint-conversion," in said
    assert run("play", "--references", "--json", *SHORT).json["kernels"]["rope-pairing"] == "reference"


def test_should_try_a_file_and_say_that_it_was_written_for_another_variant(run, tmp_path):
    (tmp_path / "mine.py").write_text(solved("rope-pairing", "interleaved"))
    ran = run("play", "--with", "rope-pairing=mine.py", *SHORT)
    assert ran.code == 0
    assert "mine.py says that it answers interleaved; the model is built for half-split of rope-pairing." in ran.err
    wrong = RIGHT.slip("rope-pairing", "variant-interleaved").perplexity
    assert f"{wrong:.3f}, instead of {RIGHT.perplexity:.3f} with the references" in ran.out
    chinese = run("play", "--with", "rope-pairing=mine.py", *SHORT, "--lang", "zh")
    assert "模型是按 rope-pairing 的 half-split 变体搭建的" in chinese.err
    assert f"全部使用参考实现时为 {RIGHT.perplexity:.3f}" in chinese.out


def test_should_try_the_cell_of_a_notebook_and_say_that_none_defines_the_kernel(run, tmp_path):
    wrong = "%%kata rope-pairing --variant interleaved\n" + solved("rope-pairing", "interleaved")
    write_notebook(tmp_path / "mine.ipynb", "import torch", wrong)
    ran = run("play", "--with", "rope-pairing=mine.ipynb", *SHORT)
    assert ran.code == 0
    assert "cell 2 says that it answers interleaved; the model is built for half-split of rope-pairing." in ran.err
    perplexity = RIGHT.slip("rope-pairing", "variant-interleaved").perplexity
    assert f"{perplexity:.3f}, instead of {RIGHT.perplexity:.3f} with the references" in ran.out
    none = run("play", "--with", "swiglu=mine.ipynb", *SHORT)
    assert (none.code, "no cell of mine.ipynb defines `swiglu`" in none.err) == (2, True)


def test_should_show_what_a_known_mistake_does_in_either_language(run):
    name = "grouped-query-attention/no-scale"
    english, chinese = run("play", "--slip", name, *SHORT), run("play", "--slip", name, *SHORT, "--lang", "zh")
    feedback = next(one.feedback for one in katas()["grouped-query-attention"].slips if one.id == "no-scale")
    assert f"Known mistake {name}: {feedback.en}" in english.out
    assert f"常见错误 {name}：{feedback.zh}" in chinese.out
    data = run("play", "--slip", name, "--json", *SHORT).json
    assert data["kernels"]["grouped-query-attention"] == "slip"
    assert data["slips"] == [name]
    assert data["perplexity"] == pytest.approx(RIGHT.slip(*name.split("/")).perplexity, rel=CLOSE)


def test_should_exit_1_and_name_the_kernel_that_ended_the_run(run, tmp_path):
    (tmp_path / "mine.py").write_text("def rms_norm(x, weight, eps=1e-6):\n    return x[..., :1]\n")
    ran = run("play", "--with", "rms-norm=mine.py", *SHORT)
    assert ran.code == 1
    assert "✗ rms-norm: it returned float32 (" in ran.out
    assert "`llmdrills grade rms-norm`" in ran.out.replace(sys.executable, "")
    chinese = run("play", "--with", "rms-norm=mine.py", *SHORT, "--lang", "zh")
    assert "✗ rms-norm：它返回的是 float32 (" in chinese.out
    data = run("play", "--with", "rms-norm=mine.py", "--json", *SHORT)
    assert data.code == 1
    assert (data.json["text"], data.json["perplexity"]) == (None, None)
    assert (data.json["failed"]["kata"], data.json["failed"]["outcome"]) == ("rms-norm", "unusable")


def test_should_say_where_a_file_raises(run, tmp_path):
    (tmp_path / "mine.py").write_text("def rms_norm(x, weight, eps=1e-6):\n    return x / undefined\n")
    ran = run("play", "--with", "rms-norm=mine.py", *SHORT)
    assert ran.code == 1
    assert "✗ rms-norm: the kernel raised NameError: name 'undefined' is not defined (mine.py, line 2)." in ran.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--with", "rms-norm"), "names no file"),
        (("--with", "rms-nrom=x.py"), "did you mean rms-norm?"),
        (("--with", "rms-norm=nowhere.py"), "cannot read nowhere.py"),
        (("--with", "rms-norm=."), "is a folder"),
        (("--with", "lora=x.py"), "has no part in the model"),
        (("--slip", "rms-norm"), "names no known mistake"),
        (("--slip", "rms-norm/no-wight"), "did you mean no-weight"),
        (("--slip", "rope-pairing/not-woven-back"), "has no known mistake"),  # of the other variant
        (("--slip", "rms-norm/no-eps", "--slip", "rms-norm/no-root"), "rms-norm is given twice"),
        (("--tokens", "0"), "--tokens"),
        (("--temperature", "-1"), "--temperature"),
        (("--costs", "lora"), "has no part in the model"),
        (("x" * 601,), "longer than 600 characters"),
    ],
)
def test_should_exit_2_and_say_what_to_write_for_what_it_cannot_use(run, words, says):
    ran = run("play", *words)
    assert ran.code == 2
    assert says in ran.err
    assert ran.out == ""
    assert run("play", *words, "--lang", "zh").code == 2


def test_should_refuse_a_file_that_is_for_another_kata(run, tmp_path):
    (tmp_path / "mine.py").write_text(solved("swiglu"))
    ran = run("play", "--with", "rms-norm=mine.py")
    assert ran.code == 2
    assert "--with swiglu=mine.py" in ran.err


def test_should_take_any_prompt_that_can_be_typed(run):
    for prompt in ("", "从前有个女孩", "\t\n", '🦉 said "hu"'):
        ran = run("play", prompt, "--json", "--tokens", "2")
        assert ran.code == 0
        assert ran.json["text"].startswith(prompt)


def test_should_list_what_each_known_mistake_costs_and_import_no_torch(run, tmp_path):
    listed = run("play", "--costs", "grouped-query-attention").out
    assert f"right kernels: perplexity {RIGHT.perplexity:.3f}" in listed
    for name in RIGHT.katas["grouped-query-attention"]:
        assert f"\n  {name} " in listed
    data = run("play", "--costs", "all", "--json").json
    assert set(data["katas"]) == {part.kata for part in PARTS}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "llmdrills", "play", "--costs", "all"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert "typer" in done.stderr
    assert "| torch\n" not in done.stderr.replace("|   ", "| ")


def test_should_import_no_torch_in_the_process_of_the_command(tmp_path):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "llmdrills", "play", "--tokens", "2", "--json"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert not imported & {"torch", "transformers", "numpy", "genanki"}
    assert json.loads(done.stdout)["tokens"] == 2


def test_should_show_text_perplexity_and_kernels_within_the_width_of_a_terminal(tmp_path):
    terminal = Terminal("play", "--tokens", "40", cwd=tmp_path, columns=60)
    terminal.expect("Perplexity on held-out text")
    terminal.expect("All 15 kernels are references")
    terminal.child.wait()
    assert terminal.child.exitstatus == 0
    assert max(len(line) for line in terminal.text.splitlines()) <= 60


def test_should_end_at_once_and_leave_no_process_at_ctrl_c(tmp_path):
    (tmp_path / "mine.py").write_text(
        "def rms_norm(x, weight, eps=1e-6):\n    print('begun', flush=True)\n    while True: pass\n"
    )
    terminal = Terminal("play", "--with", "rms-norm=mine.py", cwd=tmp_path)
    servers = wait_for_children(terminal.child.pid)
    terminal.child.kill(signal.SIGINT)
    terminal.expect("interrupted")
    terminal.child.wait()
    assert terminal.child.exitstatus == 130
    assert [pid for pid in servers if alive(pid)] == []


def wait_for_children(pid: int) -> list[int]:
    """The grader's server and its worker, once both run."""
    import time

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = [child for first in children(pid) for child in (first, *children(first))]
        if len(found) > 1:
            return found
        time.sleep(0.05)
    raise AssertionError("no worker was started")


def children(pid: int) -> list[int]:
    listing = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(one) for one in listing.read_text().split()] if listing.exists() else []


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
