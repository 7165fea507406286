"""Loading: what is right loads, and whatever is wrong is told with its place, all of it in one run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llmdrills.content import load_katas, load_workspace
from llmdrills.content.model import Position
from llmdrills.errors import ContentError, UsageError
from llmdrills.language import Bilingual
from tests.helpers.content_folder import Folder

NOTE = """
    id: another
    type: question
    topic: position
    front: {en: What?, zh: 什么？}
    back: {en: This., zh: 这个。}
    sources: [A book]
"""


def test_should_load_a_workspace_without_problems(folder: Folder) -> None:
    workspace = folder.load()
    assert [deck.id for deck in workspace.decks] == ["readiness", "small"]
    assert workspace.readiness == ("ready-one",)
    assert workspace.namespace == "llmdrills"
    note = workspace.decks[1].notes[0]
    assert note.back == Bilingual("To keep the variance at 1.", "使方差保持为 1。")
    assert note.position == Position(Path("decks/small.yaml"), 4, 5)
    assert note.positions["front.zh"] == Position(Path("decks/small.yaml"), 7, 53)
    assert workspace.katas[0].slips[0].id == "squared"


def test_should_load_the_shipped_workspace(root: Path) -> None:
    workspace = load_workspace(root)
    assert workspace.notes
    assert workspace.katas


def test_should_load_katas_alone_without_the_decks(folder: Folder) -> None:
    folder.write("decks/small.yaml", "{")
    assert [kata.id for kata in load_katas(folder.root)] == ["twice"]


def test_should_report_all_problems_of_all_files_in_one_run_in_file_order(folder: Folder) -> None:
    folder.edit("decks/small.yaml", "topic: transformer", "topic: transfomer")
    folder.edit("decks/small.yaml", "kata: twice", "kata: twise")
    folder.edit("drills/twice/kata.yaml", "minutes: 5", "minutes: soon")
    folder.edit("drills/twice/reference.py", "def twice(", "def thrice(")
    shown = [str(problem) for problem in folder.problems()]
    assert shown == [
        "decks/small.yaml:6:12: topic is `transfomer`: did you mean `transformer`?",
        "decks/small.yaml:11:11: no folder of drills/ is named `twise`: did you mean `twice`?",
        "drills/twice/kata.yaml:4:10: minutes is text: write a whole number from 1 to 120",
    ]


@pytest.mark.parametrize("load", [load_workspace, load_katas])
def test_should_tell_of_a_kata_that_lost_its_kata_yaml_and_of_nothing_that_follows(
    folder: Folder, load: Callable[[Path], object]
) -> None:
    """Its folder is there: "no folder is named twice", which a note and a kata that name it would say, is wrong."""
    (folder.root / "drills/twice/kata.yaml").unlink()
    with pytest.raises(ContentError) as caught:
        load(folder.root)
    todo = "every kata has one: bring it back, or move the folder out of drills/"
    assert [str(one) for one in caught.value.problems] == [f"drills/twice/kata.yaml:1:1: the file is missing: {todo}"]


def test_should_call_a_folder_that_is_not_there_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        load_workspace(tmp_path / "nowhere")


def test_should_read_an_empty_folder_as_an_empty_workspace(tmp_path: Path) -> None:
    workspace = load_workspace(tmp_path)
    assert (workspace.decks, workspace.katas) == ((), ())


@pytest.mark.parametrize(
    ("old", "new", "place", "says"),
    [
        ("type: question", "typ: question", (5, 5), "did you mean `type`?"),
        ("type: question", "type: essay", (5, 11), "write one of `question`, `cloze`"),
        ("type: question", "type: bug", (5, 11), "drills/KATA/cases.py"),
        ("type: question", "type: cloze", (7, 17), "hide a part"),
        ("type: question", "type: number", (4, 5), "add `answer:`"),
        ("type: question", "type: checklist", (4, 5), "add `items:`"),
        ("id: scale", "id: Scale Up", (4, 9), "lower-case words joined by hyphens"),
        ("id: scale", "id: bug-scale", (4, 9), "derived from drills/"),
        ("id: scale", "id: ready-one", (4, 9), "first at decks/readiness.yaml:4:9"),
        ("id: scale", "id: [scale]", (4, 9), "a list, not text"),
        ("id: scale", "id:", (4, 8), "has no value"),
        (", zh: 使方差保持为 1。}", "}", (8, 11), "add `zh: …`"),
        ("zh: 使方差保持为 1。}", "zh: ''}", (8, 48), "is empty"),
        ("zh: 使方差保持为 1。}", "zh: 12}", (8, 48), "put it in quotes: '12'"),
        ("zh: 使方差保持为 1。}", "de: x, zh: y}", (8, 44), "unknown language `de`"),
        ("en: To keep", "en: Yes, to keep", (8, 21), "holds a comma in quotes"),
        ("zh: 使方差保持为 1。}", "zh: x, zh: y}", (8, 51), "written twice"),
        ("back: {en: To keep the variance at 1., zh: 使方差保持为 1。}", "back: bare", (8, 11), "{en: …, zh: …}"),
        ("    kata: twice", "    kata: twice\n    kata: twice", (12, 5), "written twice"),
        ("    kata: twice", "    kata: twice\n    figure: tile", (12, 13), "did you mean `tiles`?"),
        ("    kata: twice", "    kata: twice\n    retired: why", (12, 5), "llmdrills retire"),
        ("    kata: twice", "    kata: twice\n    waive: {}", (12, 12), "is empty"),
        ("    kata: twice", "    kata: twice\n    tags: [two words]", (12, 12), "without spaces"),
        (
            "    kata: twice",
            "    kata: twice\n    items: [{en: a, zh: a}, {en: b, zh: c}]",
            (12, 12),
            "does not belong",
        ),
        ("    kata: twice", "    kata: twice\n    values: [n]", (12, 13), "without a `proof`"),
        ("[ready-one]", "[ready-two]", (10, 14), "did you mean `ready-one`?"),
        ("[ready-one]", "ready-one", (10, 13), "not a list"),
        ("[Vaswani et al. 2017]", "[]", (9, 14), "write at least 1"),
        ("[Vaswani et al. 2017]", "[{title: x, url: example.org}]", (9, 31), "https://"),
        ("[Vaswani et al. 2017]", "[{url: 'https://example.org'}]", (9, 15), "no `title`"),
        ("deck: small", "deck: smal", (1, 7), "write `deck: small`"),
        ("title: {en: Small, zh: 小}", "titel: {en: Small, zh: 小}", (2, 1), "did you mean `title`?"),
        ("title: {en: Small, zh: 小}", "title: {en: Small, ? [a] : b, zh: 小}", (2, 22), "a key is a list"),
        ("title: {en: Small, zh: 小}", "title: !!python/name:os.system x", (2, 8), "tagged"),
        ("To keep the variance at 1.", "'[[keep]]'", (8, 16), "not among the note's values"),
    ],
)
def test_should_name_the_place_in_a_spoilt_deck(
    folder: Folder, old: str, new: str, place: tuple[int, int], says: str
) -> None:
    folder.edit("decks/small.yaml", old, new)
    found = [problem for problem in folder.problems() if (problem.line, problem.column) == place]
    assert len(found) == 1, folder.problems()
    assert says in str(found[0])


@pytest.mark.parametrize(
    ("old", "new", "place", "says"),
    [
        ("kata: twice", "kata: thrice", (1, 7), "write `kata: twice`"),
        ("requires: []", "requires: [twise]", (6, 12), "did you mean `twice`?"),
        ("requires: []", "requires: [twice]", (6, 12), "forms a cycle: twice → twice"),
        ("  - {en: x + x, zh: x + x}\n", "", (10, 3), "write at least 3"),
        ("reference: twice", "reference: twyce", (16, 16), "did you mean `twice`?"),
        ("  standard:", "  Standard One:", (14, 3), "lower-case words"),
        ("entry: twice", "entry: twice-it", (5, 8), "a Python name"),
        ("minutes: 5", "minutes: 0", (4, 10), "from 1 to 120"),
        ("minutes: 5", "minutes: 2.5", (4, 10), "whole number"),
        (
            "requires: []",
            "requires: []\nbudgets: [{case: bas, flops: 1.5, why: {en: w, zh: w}}]",
            (7, 18),
            "did you mean `base`?",
        ),
        (
            "requires: []",
            "requires: []\nbudgets: [{case: base, why: {en: w, zh: w}}]",
            (7, 18),
            "limits nothing",
        ),
        (
            "requires: []",
            "requires: []\nforbidden: [{call: softmax, why: {en: w, zh: w}}]",
            (7, 20),
            "a dotted name",
        ),
    ],
)
def test_should_name_the_place_in_a_spoilt_kata(
    folder: Folder, old: str, new: str, place: tuple[int, int], says: str
) -> None:
    folder.edit("drills/twice/kata.yaml", old, new)
    found = [problem for problem in folder.problems() if (problem.line, problem.column) == place]
    assert len(found) == 1, folder.problems()
    assert says in str(found[0])


@pytest.mark.parametrize(
    ("data", "place", "says"),
    [
        (b"deck: [", (1, 8), "not valid YAML"),
        (b"", (1, 1), "empty"),
        (b"# nothing\n", (1, 1), "empty"),
        (b"\xef\xbb\xbfdeck: small\n", (1, 1), "BOM"),
        ("deck: small".encode("utf-16"), (1, 1), "BOM"),
        (b"deck: small\ntitle: \xff\n", (2, 8), "not UTF-8"),
        (b"deck: small\ntitle: a\0b\n", (2, 9), "U+0000"),
        (b"deck: small\n\ttitle: x\n", (2, 1), "YAML"),
        (b"deck: a: b\n", (1, 8), "quotes"),
        (b"deck: small\n---\ndeck: small\n", (2, 1), "one document"),
        (b"just text\n", (1, 1), "not a deck"),
        (b"- a\n- b\n", (1, 1), "not a deck"),
        (b"deck: small\ntitle: {en: a, zh: b}\nnotes: 3\n", (3, 8), "not a list"),
        (b"deck: small\ntitle: {en: a, zh: b}\n", (1, 1), "has no `notes`"),
        (b"deck: *lost\n", (1, 7), "quotes"),
        (b"deck: small\ntitle: {en: a, zh: b}\nnotes: []\n", (3, 8), "notes is empty"),
    ],
)
def test_should_report_an_unreadable_deck_once_with_its_place(
    folder: Folder, data: bytes, place: tuple[int, int], says: str
) -> None:
    folder.write("decks/small.yaml", data)
    problem = folder.only_problem()
    assert problem.file == Path("decks/small.yaml")
    assert (problem.line, problem.column) == place
    assert says in str(problem)


def test_should_report_a_folder_named_as_a_deck(folder: Folder) -> None:
    (folder.root / "decks" / "odd.yaml").mkdir()
    assert "cannot be read" in folder.only_problem().what


def test_should_report_a_link_to_nowhere(folder: Folder) -> None:
    (folder.root / "decks" / "odd.yaml").symlink_to(folder.root / "nowhere.yaml")
    assert "cannot be read" in folder.only_problem().what


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root reads everything")
def test_should_report_a_deck_without_permission(folder: Folder) -> None:
    (folder.root / "decks" / "small.yaml").chmod(0)
    assert "cannot be read" in folder.only_problem().what


def test_should_not_let_every_proof_dangle_because_the_readiness_deck_is_unreadable(folder: Folder) -> None:
    folder.write("decks/readiness.yaml", "deck: [")
    assert folder.only_problem().file == Path("decks/readiness.yaml")


def test_should_count_an_unreadable_kata_as_there(folder: Folder) -> None:
    folder.write("drills/twice/kata.yaml", "kata: [")
    assert folder.only_problem().file == Path("drills/twice/kata.yaml")


def test_should_report_a_longer_circle_once(folder: Folder) -> None:
    for name, needs in (("one", "two"), ("two", "one")):
        for file in ("kata.yaml", "reference.py", "cases.py"):
            folder.write(f"drills/{name}/{file}", (folder.root / "drills/twice" / file).read_bytes())
        folder.edit(f"drills/{name}/kata.yaml", "kata: twice", f"kata: {name}")
        folder.edit(f"drills/{name}/kata.yaml", "requires: []", f"requires: [{needs}]")
    assert "one → two → one" in folder.only_problem().what


@pytest.mark.parametrize("anchored", ["back: *text", "back: {en: This., zh: 这个。}\n    extra: *text"])
def test_should_refuse_an_alias_where_it_repeats_a_part(folder: Folder, anchored: str) -> None:
    folder.edit("decks/small.yaml", "back: {en: To", "back: &text {en: To")
    folder.note(NOTE.replace("back: {en: This., zh: 这个。}", anchored))
    assert "alias" in str(folder.problems()[-1])


def test_should_not_expand_a_bomb_of_aliases(folder: Folder) -> None:
    lines = ["deck: small", "title: {en: a, zh: b}", "x0: &x0 [a, a]"]
    lines += [f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 9)}]" for i in range(1, 40)]
    folder.write("decks/small.yaml", "\n".join([*lines, "notes: *x39\n"]))
    assert folder.problems()


def test_should_end_at_a_part_that_holds_itself(folder: Folder) -> None:
    folder.write("decks/small.yaml", "deck: small\ntitle: {en: a, zh: b}\nnotes: &n [*n]\n")
    assert folder.problems()


@pytest.mark.parametrize(
    "text", ["[" * 30_000, "{a: " * 30_000, "- " * 30_000 + "a", "notes: " + "[" * 150 + "]" * 150]
)
def test_should_report_deep_nesting_without_a_recursion_error_or_a_crash(folder: Folder, text: str) -> None:
    # In a process of its own: what this protects from kills the interpreter.
    folder.write("decks/small.yaml", text)
    code = (
        "import sys, pathlib\nfrom llmdrills.content import load_workspace\nfrom llmdrills.errors import ContentError\n"
        "try: load_workspace(pathlib.Path(sys.argv[1]))\nexcept ContentError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(folder.root)], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr[-500:]
    assert "nested more than 100 levels" in run.stdout


def test_should_not_count_brackets_in_texts_as_nesting(folder: Folder) -> None:
    many = " ".join(["[0, 1)"] * 300)
    folder.edit("decks/small.yaml", "To keep the variance at 1.", f'"{many}"')
    assert folder.load().notes


def test_should_let_a_deck_be_written_in_one_language(folder: Folder) -> None:
    folder.write(
        "decks/english.yaml",
        """
        deck: english
        languages: [en]
        title: English
        notes:
          - id: bare
            type: question
            topic: position
            front: What?
            back: {en: This.}
            sources: [A book]
        """,
    )
    deck = next(deck for deck in folder.load().decks if deck.id == "english")
    assert deck.languages == ("en",)
    assert deck.notes[0].front == Bilingual("What?", "")
    assert deck.notes[0].back == Bilingual("This.", "")


def test_should_say_that_a_deck_in_one_language_lacks_the_other(folder: Folder) -> None:
    folder.edit("decks/small.yaml", "deck: small", "deck: small\nlanguages: [en]")
    assert {problem.what.rpartition(":")[2] for problem in folder.problems()} == {" this deck is in en only"}


def test_should_take_the_value_of_a_number_as_written(folder: Folder) -> None:
    folder.note("""
        id: bytes
        type: number
        topic: systems
        front: {en: How many bytes?, zh: 多少字节？}
        answer: {value: 0.50, unit: GiB, tolerance: 1%}
        sources: [A book]
    """)
    answer = folder.load().decks[1].notes[1].answer
    assert answer is not None
    assert (answer.value, answer.unit, answer.tolerance) == ("0.50", Bilingual("GiB", "GiB"), "1%")


def test_should_ask_for_values_to_be_shown_and_take_placeholders_in_code_for_code(folder: Folder) -> None:
    folder.note("""
        id: shown
        type: question
        topic: systems
        front: {en: "`x = [[a]]` is a list. How many?", zh: "`x = [[a]]` 是列表。多少？"}
        back: {en: Two., zh: 两个。}
        sources: [A book]
    """)
    assert folder.load()
    folder.edit(
        "decks/small.yaml",
        "back: {en: Two., zh: 两个。}",
        "back: {en: Two., zh: 两个。}\n    proof: n = 2\n    values: [n]",
    )
    assert {problem.what for problem in folder.problems()} >= {"the value `n` is not shown anywhere"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{{c1::a", "never closed"),
        ("{{c1::}}", "hides nothing"),
        ("{{c::a}}", "has no number"),
        ("{{a}}", "begins no deletion"),
        ("nothing", "without a deletion"),
    ],
)
def test_should_report_an_unbalanced_cloze(folder: Folder, text: str, says: str) -> None:
    folder.note(f"""
        id: hidden
        type: cloze
        topic: systems
        front: {{en: "{text}", zh: "{{{{c1::甲}}}}"}}
        sources: [A book]
    """)
    problem = folder.only_problem()
    assert says in str(problem)
    assert problem.rule == "unbalanced-cloze"


def test_should_not_look_into_math_inside_a_deletion(folder: Folder) -> None:
    folder.note(r"""
        id: hidden
        type: cloze
        topic: systems
        front: {en: 'a {{c1::$\frac{a}{\sqrt{b}}$::hint}} b', zh: '{{c1::甲}}'}
        sources: [A book]
    """)
    assert folder.load()


def test_should_take_a_namespace_from_workspace_toml(folder: Folder) -> None:
    folder.write("workspace.toml", 'namespace = "abc-1"\n')
    assert folder.load().namespace == "abc-1"


@pytest.mark.parametrize(
    "text", ["namespace = ", "namespace = 3", "", 'namespce = "a"', 'namespace = ""', b"\xff", "a = " + "[" * 3000]
)
def test_should_report_a_damaged_workspace_toml(folder: Folder, text: str | bytes) -> None:
    folder.write("workspace.toml", text)
    assert all(problem.file == Path("workspace.toml") for problem in folder.problems())


# ---- the katas that show an item ------------------------------------------------------------------


def test_should_read_the_core_katas_of_an_item(folder: Folder) -> None:
    folder.edit("decks/readiness.yaml", "    topic: transformer\n", "    topic: transformer\n    core: [twice]\n")
    assert folder.load().notes[0].core == ("twice",)


@pytest.mark.parametrize(
    ("core", "what"),
    [
        ("[twise]", "no folder of drills/ is named `twise`"),
        ("[twice, twice, twice, twice]", "`core` names 4 katas"),
        ("[]", "core has 0 katas"),
    ],
)
def test_should_refuse_core_katas_that_cannot_be(folder: Folder, core: str, what: str) -> None:
    folder.edit("decks/readiness.yaml", "    topic: transformer\n", f"    topic: transformer\n    core: {core}\n")
    assert any(what in problem.what for problem in folder.problems())


def test_should_refuse_a_core_kata_that_does_not_prove_the_item(folder: Folder) -> None:
    folder.edit("drills/twice/kata.yaml", "proves: [ready-one]", "proves: []")
    folder.edit("decks/readiness.yaml", "    topic: transformer\n", "    topic: transformer\n    core: [twice]\n")
    problem = folder.only_problem()
    assert (problem.file.as_posix(), problem.line) == ("decks/readiness.yaml", 7)
    assert "does not prove `ready-one`" in problem.what
