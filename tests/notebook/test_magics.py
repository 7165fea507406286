"""`%load_ext llmdrills` in a real kernel: grading, history, rating, what is told when something is wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil  # comes with ipykernel
import pytest

from llmdrills.content.load import load_katas
from llmdrills.content.model import Kata
from llmdrills.content.starter import solution_text
from llmdrills.paths import locations
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.history import History
from llmdrills.practice.moments import Moment
from tests.helpers.english_left import english_left
from tests.helpers.kernels import Kernel, kernel

WRONG = "import torch\ndef rms_norm(x, weight, eps=1e-6):\n    return x * weight\n"


@pytest.fixture(scope="module")
def kata(root: Path) -> Kata:
    return next(one for one in load_katas(root) if one.id == "rms-norm")


@pytest.fixture(scope="module")
def right(kata: Kata) -> str:
    return solution_text(kata, kata.variants[0]).partition("\n")[2].lstrip()


@pytest.fixture(scope="module")
def one_kernel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with kernel(root, LLMDRILLS_LANG="en", LLMDRILLS_HOME=str(tmp_path_factory.mktemp("home"))) as up:
        assert up.run("%load_ext llmdrills").all == ""
        yield up


@pytest.fixture
def started(one_kernel: Kernel, home: Path) -> Kernel:
    """The kernel with no history: its grader stays warm, as it does for a learner."""
    assert one_kernel.run(f"%reset -f\nimport os\nos.environ['LLMDRILLS_HOME'] = {str(home)!r}\ndel os").all == ""
    return one_kernel


def events(table: str) -> list[dict[str, object]]:
    with History.open(locations().history_file) as history:
        return [dict(row) for row in history.rows(f"SELECT * FROM {table} ORDER BY at, seq")]


def test_should_lead_from_the_prompt_to_a_rating_that_the_terminal_knows(
    started: Kernel, kata: Kata, right: str, home: Path, root: Path
) -> None:
    shown = started.run("%kata rms-norm")
    assert "# RMSNorm" in shown.markdown
    (session,) = events("sessions")
    wrong = started.run(f"%%kata rms-norm\n{WRONG}")
    assert wrong.plain.startswith("✗ rms-norm (cast-first): wrong")
    assert (wrong.json["outcome"], wrong.json["recorded"], wrong.json["seed"]) == ("wrong", True, session["seed"])
    assert "`%kata_hint` gives a hint." in wrong.plain
    hint = started.run("%kata_hint")
    assert hint.markdown.startswith("**1/4** ")
    assert "Hard at most" in hint.markdown
    assert started.run("%kata_hint").markdown.startswith("**2/4** ")
    passed = started.run(f"%%kata rms-norm\n{right}")
    assert passed.plain.startswith("✓ rms-norm (cast-first): passed")
    assert [one["rating"] for one in passed.json["ratings"]] == ["again", "hard"]
    assert "`%kata_rate` records Hard" in passed.plain
    again = started.run(f"%%kata rms-norm\n{right}")
    assert (again.json["recorded"], again.json["outcome"]) == (True, "passed")
    rated = started.run("%kata_rate")
    assert rated.json["rating"] == "hard"
    assert [one["outcome"] for one in events("attempts")] == ["wrong", "passed", "passed"]
    assert [one["number"] for one in events("hints")] == [1, 2]
    assert [(one["rating"], one["override"]) for one in events("reviews")] == [(2, 0)]
    # The file of the terminal's repetition holds what was written here, under a header that names the variant.
    file = (home / "practice" / "rms-norm.py").read_text("utf-8")
    assert file == f"# llmdrills: kata=rms-norm variant=cast-first\n{right}"


def test_should_go_on_with_what_was_begun_in_the_terminal_and_keep_what_stood_in_its_file(
    started: Kernel, kata: Kata, right: str, home: Path
) -> None:
    file = home / "practice" / "rms-norm.py"
    with History.open(locations().history_file) as history:
        repetitions.start(history, kata, "cast-last", file, "blank", seed=5)
    file.write_text("half of an idea", "utf-8")
    graded = started.run(f"%%kata rms-norm\n{WRONG}")
    assert (graded.json["variant"], graded.json["seed"], graded.json["recorded"]) == ("cast-last", 5, True)
    assert [one["code"] for one in events("archives")] == ["half of an idea"]
    other = started.run(f"%%kata rms-norm --variant cast-first\n{right}")
    assert (other.json["outcome"], other.json["recorded"]) == ("passed", False)
    assert "Not recorded: this was graded as cast-first" in other.plain
    assert len(events("attempts")) == 1
    assert "rms_norm" in file.read_text("utf-8")
    with History.open(locations().history_file) as history:
        left = repetitions.resume(history, kata)
        assert left is not None
        assert left.last_code() == file.read_bytes()


def test_should_begin_with_a_cell_and_not_again_when_all_cells_are_run_again(started: Kernel, right: str) -> None:
    cell = f"%%kata rms-norm\n{right}"
    first = started.run(cell)
    assert "With this cell a repetition of rms-norm has begun." in first.plain
    # Easy would say that it was quick; nobody knows how long the cell took to write.
    assert [one["rating"] for one in first.json["ratings"]] == ["again", "hard", "good"]
    assert "at most Good" in first.plain
    assert "Good at most" in started.run("%kata_rate easy").plain
    assert started.run("%kata_rate").json["rating"] == "good"
    second = started.run(cell)
    assert (second.json["outcome"], second.json["recorded"]) == ("passed", False)
    assert "graded before" in second.plain
    assert "no repetition of rms-norm is open" in started.run("%kata_rate").plain
    assert (len(events("sessions")), len(events("attempts")), len(events("reviews"))) == (1, 1, 1)
    assert started.run(f"{cell}\n# another day").json["recorded"] is True


def test_should_count_hints_that_were_looked_at_before_the_first_cell(started: Kernel, right: str) -> None:
    assert "Hard" not in started.run("%kata_hint rms-norm").markdown
    assert [one["rating"] for one in started.run(f"%%kata rms-norm\n{right}").json["ratings"]] == ["again", "hard"]
    for number in (2, 3, 4):
        assert started.run("%kata_hint").markdown.startswith(f"**{number}/4** ")
    assert "All 4 hints of rms-norm were shown" in started.run("%kata_hint").plain
    assert started.run("%kata_hint 1").markdown.startswith("**1/4** ")
    assert "has no hint 5" in started.run("%kata_hint rms-norm 5").plain


def test_should_escape_what_an_attempt_prints_and_show_the_rest_on_request(started: Kernel) -> None:
    text = """\
def rms_norm(x, weight, eps=1e-6):
    print('<img src=x onerror=alert(1)>')
    raise ValueError('<script>')
"""
    brief = started.run(f"%%kata rms-norm\n{text}")
    assert "<img src=x" in brief.plain
    assert "To see it again" not in brief.plain
    assert "<img" not in brief.html
    assert "<script" not in brief.html
    assert "&lt;script&gt;" in brief.html
    assert "<details><summary>" in brief.html
    assert "--why" in brief.plain
    assert "--why" not in brief.html  # it has the rest already, folded
    long = started.run(f"%%kata rms-norm --why\n{text}")
    assert "To see it again" in long.plain
    assert f'File "Cell In[{started.notebook.cells[-1].execution_count}]", line 4, in rms_norm' in long.plain
    snippet = long.json["report"]["smallest"]["snippet"]
    assert "ValueError" in started.run(snippet).error


def test_should_name_the_line_of_a_syntax_error_and_what_another_cell_defines(started: Kernel) -> None:
    broken = started.run("%%kata rms-norm\ndef rms_norm(x)\n    return x")
    assert f"Cell In[{started.notebook.cells[-1].execution_count}], line 2: SyntaxError" in broken.plain
    started.run("import math as m\nfrom torch.nn.functional import silu\neps0 = 1e-6")
    for name, told in [
        ("m.pi", "`m` is imported in another cell, and a cell is graded alone: write `import math as m` in"),
        ("silu(x)", "write `from torch.nn.functional import silu` in this cell"),
        ("eps0", "`eps0` is defined in another cell"),
    ]:
        graded = started.run(f"%%kata rms-norm\ndef rms_norm(x, weight, eps=1e-6):\n    return {name}")
        assert told in " ".join(graded.plain.split())
        assert told.split("`")[1] in graded.json["report"]["elsewhere"]
    alone = started.run("%%kata rms-norm\ndef rms_norm(x, weight, eps=1e-6):\n    return nobody")
    assert "elsewhere" not in alone.json["report"]


def test_should_end_a_cell_that_hangs_and_one_that_is_interrupted(started: Kernel, right: str, root: Path) -> None:
    hanging = "%%kata rms-norm\ndef rms_norm(x, weight, eps=1e-6):\n    while True: pass"
    assert started.run(hanging).json["outcome"] == "timeout"
    before = len(events("attempts"))
    group = os.getpgid(int(started.run("import os; os.getpid()").plain))
    timer = threading.Timer(2.0, os.killpg, (group, signal.SIGINT))  # as Jupyter interrupts a kernel
    timer.start()
    stopped = started.run(hanging + "\n# again")
    timer.join()
    assert "interrupted: nothing was recorded" in stopped.all
    assert len(events("attempts")) == before
    assert started.run(f"%%kata rms-norm\n{right}").json["outcome"] == "passed"


def test_should_define_what_passed_in_the_notebook_when_asked_to(started: Kernel, right: str) -> None:
    started.run(f"%%kata rms-norm --run\n{WRONG}")
    assert "NameError" in started.run("rms_norm").error
    started.run(f"%%kata rms-norm --run\n{right}")
    assert "function __main__.rms_norm" in started.run("rms_norm").plain


@pytest.fixture(scope="module")
def untouched(one_kernel: Kernel) -> Kernel:
    """The kernel in which no kata was asked for yet."""
    one_kernel.run("%reload_ext llmdrills")
    return one_kernel


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("%%kata rms-nrm\nx = 1", "there is no kata 'rms-nrm': did you mean rms-norm"),
        ("%kata", "name a kata: `%kata KATA`"),
        ("%%kata\nx = 1", "name a kata: `%%kata KATA`"),
        ("%kata_rate", "name a kata: `%kata_rate KATA`"),
        ("%kata_hint", "name a kata: `%kata_hint KATA`"),
        ("%kata_rate goood", "neither a kata nor a rating: did you mean good?"),
        ("%kata rms-norm --agin", "%kata has no option '--agin': did you mean --again or --variant?"),
        ("%%kata rms-norm --variant\nx", "a value is missing behind --variant"),
        ("%%kata rms-norm --variant wide\nx", "rms-norm has no variant 'wide': use one of cast-first, cast-last"),
        ("%kata rms-norm 'x", "a quotation mark is missing"),
        ("%kata rms-norm softmax", "%kata takes no 'softmax'"),
        ("%%kata rms-norm\n# llmdrills: kata=softmax variant=x", "begins as an answer to softmax, not to rms-norm"),
    ],
)
def test_should_say_what_is_wrong_with_a_magic_without_ending_the_run(told: str, cell: str, untouched: Kernel) -> None:
    said = untouched.run(cell)
    assert told in said.plain
    assert (said.error, said.streamed) == ("", "")
    assert "Traceback" not in said.all


def test_should_speak_chinese(root: Path, home: Path, right: str) -> None:
    with kernel(root, LLMDRILLS_LANG="zh") as up:
        cells = [
            "%load_ext llmdrills",
            "%kata rms-norm",
            "import math as m",
            "%%kata rms-norm\ndef rms_norm(x, weight, eps=1e-6):\n    return m.pi",
            "%kata_hint",
            f"%%kata rms-norm\n{right}",
            "%kata rms-norm --again",
            "%kata_rate easy",
            "%kata_rate",
            "%kata_rate",
            "%%kata rms-nrm\nx",
            "%kata --agin",
            "%kata_hint 9",
        ]
        said = [up.run(cell).all for cell in cells]
    assert "`m` 是在另一个单元格中导入的" in said[3]
    assert "提示会计入评级" in said[4]
    assert "通过" in said[5]
    assert "已通过但尚未评级" in said[6]
    told = "\n".join(said[6:])
    assert english_left(told, ("llmdrills", "RMSNorm", "kata_rate", "kata", "rms-nrm", "agin")) == []


@pytest.mark.parametrize("setting", [{"LLMDRILLS_WORKSPACE": "/nowhere"}, {"LLMDRILLS_MINUTES": "many"}])
def test_should_say_that_the_workspace_or_a_setting_is_wrong(
    tmp_path: Path, home: Path, setting: dict[str, str]
) -> None:
    with kernel(tmp_path, LLMDRILLS_LANG="en", **setting) as up:
        for cell in ("%load_ext llmdrills", "%%kata rms-norm\nx = 1", "%kata rms-norm"):
            said = up.run(cell)
            assert "/nowhere is not a workspace" in said.plain or "LLMDRILLS_MINUTES is 'many'" in said.plain
            assert said.error == ""


def test_should_use_the_shipped_katas_in_a_folder_without_a_workspace(tmp_path: Path, home: Path) -> None:
    with kernel(tmp_path, LLMDRILLS_LANG="en") as up:
        up.run("%load_ext llmdrills")
        assert "# RMSNorm" in up.run("%kata rms-norm").markdown


def test_should_find_the_command_where_the_environment_is_not_on_the_path(tmp_path: Path, home: Path) -> None:
    """As where Jupyter starts the kernel of another environment: the messages say `!llmdrills undo`."""
    with kernel(tmp_path, LLMDRILLS_LANG="en", PATH="/usr/bin:/bin") as up:
        assert "not found" in up.run("!llmdrills --version").all
        assert up.run("%load_ext llmdrills").all == ""
        assert up.run("!llmdrills --version").all.startswith("llmdrills ")
        assert up.run("import os; os.environ['PATH']").plain.startswith("'/usr/bin:/bin:"), "nothing else is hidden"


def test_should_leave_no_process_behind_and_load_again(started: Kernel, right: str) -> None:
    assert started.run(f"%%kata rms-norm\n{right}").json["outcome"] == "passed"
    pid = int(started.run("import os; os.getpid()").plain)
    children = psutil.Process(pid).children(recursive=True)
    assert children
    started.run("%unload_ext llmdrills")
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert "not found" in started.run("%kata rms-norm").all
    assert started.run("%load_ext llmdrills").all == ""
    assert started.run("%reload_ext llmdrills").all == ""
    assert "# RMSNorm" in started.run("%kata rms-norm").markdown


def test_should_import_nothing_heavy_for_whoever_imports_the_package(root: Path) -> None:
    script = (
        "import sys, llmdrills; print(sorted(set(sys.modules) & {'IPython', 'torch', 'typer', 'importlib.metadata'}))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_should_take_the_time_from_the_prompt_on(started: Kernel, right: str) -> None:
    started.run("%kata rms-norm")
    (session,) = events("sessions")
    began = int(str(session["at"]))
    graded = started.run(f"%%kata rms-norm\n{right}")
    (attempt,) = events("attempts")
    assert 0 < int(str(attempt["at"])) - began < Moment.now().at - began
    assert graded.json["ratings"][-1]["rating"] in {"easy", "good"}
