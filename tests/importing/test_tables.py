"""CSV and TSV as Anki writes and reads them, and as other programs do."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from llmdrills.errors import UsageError
from llmdrills.importing.textfile import MOST_BYTES
from tests.helpers.anki_author import PNG


def pairs(done) -> list[tuple[str, str]]:
    return [(note.front, note.back) for note in done.deck.notes]


@pytest.fixture
def write(tmp_path: Path):
    def _write(text: str | bytes, name: str = "words.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return _write


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "a,b\nc,d\n"),
        ("a.csv", '"a","b"\r\n"c","d"\r\n'),
        ("a.csv", "a;b\nc;d\n"),
        ("a.txt", "a\tb\nc\td\n"),
        ("a.tsv", "a\tb\n\nc\td"),
        ("a.csv", "\ufeffa|b\nc|d\n"),
        ("a.csv", "#separator:Pipe\na|b\nc|d\n"),
        ("a.csv", "#separator:~\na~b\nc~d\n"),
        ("a.csv", "Front,Back\na,b\nc,d\n"),
        ("a.csv", "问题,答案\na,b\nc,d\n"),
        ("a.csv", "#columns:Back,Front\nb,a\nd,c\n"),
        ("a.csv", "#columns:Term,Definition\na,b\nc,d\n"),
        ("a.csv", "#columns:Front,Tags,Back\na,,b\nc,,d\n"),
    ],
)
def test_should_read_rows_however_they_are_separated_and_named(write, take, name, text):
    assert pairs(take(write(text, name))) == [("a", "b"), ("c", "d")]


def test_should_honour_the_lines_that_anki_writes_above_its_rows(write, take):
    text = (
        "#separator:tab\n#html:true\n#tags:all\n#guid column:1\n#notetype column:2\n#deck column:3\n#tags column:6\n"
        "g1\tBasic\tGeo::A\t<b>a</b><br>x\tb\tt1 t2\n"
        "g2\tCloze\tGeo::B\t{{c1::x}} y\tback\t\n"
        "g3\tBasic\tGeo::A\t{{c1::x}} z\tback\t\n"
    )
    done = take(write(text, "export.txt"))
    first, second, third = done.deck.notes
    assert (first.front, first.back, first.tags) == ("**a**\\\nx", "b", ("all", "t1", "t2"))
    assert (second.kind, second.front, second.back) == ("cloze", "{{c1::x}} y", "back")
    assert (third.kind, third.front) == ("question", "\\{\\{c1::x\\}\\} z")
    assert first.sources == ("export.txt, deck Geo::A",)
    assert any("guids are left out" in one.en for one in done.said)


def test_should_read_an_export_of_the_real_anki(author, take, tmp_path):
    from anki.collection import ExportLimit  # noqa: F401  # the backend is the one that exports

    author.add("Basic", "a <b>bold</b> &lt;", 'say "so", ok\nnext', tags=("x", "y"))
    author.add("Cloze", "{{c1::one}} two", "more")
    path = tmp_path / "notes.txt"
    author.col.export_note_csv(
        out_path=str(path),
        limit=None,
        with_html=True,
        with_tags=True,
        with_deck=True,
        with_notetype=True,
        with_guid=True,
    )
    done = take(path)
    assert sorted(pairs(done)) == [("a **bold** \\<", 'say "so", ok next'), ("{{c1::one}} two", "more")]
    assert ("x", "y") in [note.tags for note in done.deck.notes]
    assert done.refused == ()


def test_should_take_cells_for_text_unless_they_hold_html(write, take):
    assert pairs(take(write("a < b,&lt; *x* <T>\n"))) == [("a \\< b", "\\&lt; \\*x\\* \\<T\\>")]
    done = take(write("<b>a</b>,b\n"), deck="guessed")
    assert pairs(done) == [("**a**", "b")]
    assert any("#html:false" in one.en for one in done.said)
    assert pairs(take(write("#html:false\n<b>a</b>,b\n"), deck="told")) == [("\\<b\\>a\\</b\\>", "b")]


def test_should_keep_lines_and_indentation_of_plain_cells(write, take):
    done = take(write('f,"def f():\n    return 1\n\nend"\n'))
    assert done.deck.notes[0].back == "def f():\\\n\u00a0\u00a0\u00a0\u00a0return 1\n\nend"


def test_should_read_media_beside_the_file_and_nowhere_else(write, take, tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path.parent / "up.png").write_bytes(PNG)
    (tmp_path / "link.png").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe.png")
    rows = [f'{name},<img src="{name}">' for name in ("a.png", "../up.png", "link.png", "pipe.png", "/etc/passwd")]
    done = take(write("#html:true\n" + "\n".join(rows) + "\n"))
    assert pairs(done) == [("a.png", "![](a.png)")]
    assert len(done.refused) == 4
    assert {one.why.en.rpartition(" ")[2] for one in done.refused} == {"missing"}


def test_should_say_of_each_row_why_it_is_not_taken(write, take):
    done = take(write("#a comment\na,b\n,c\nd,\ne\nf,g,h\n{{c1::x}} y,\n"))
    assert [(one.place.en, one.why.en) for one in done.refused] == [
        ("line 1", "it begins with `#` above the first row: a comment"),
        ("line 6", "cells here: 3; in the other rows: 2"),
        ("line 3", "its front is empty"),
        ("line 4", "its back is empty"),
        ("line 5", "its back is empty"),
    ]
    assert pairs(done) == [("a", "b"), ("{{c1::x}} y", "")]


def test_should_take_other_columns_by_their_names(write, take):
    done = take(write("question,answer,extra,tags,source\na,b,c,t u,A book\n"))
    (note,) = done.deck.notes
    assert (note.extra, note.tags, note.sources) == ("c", ("t", "u"), ("words.csv", "A book"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b,c\n", "nothing says which of them are front and back"),
        ("#columns:X,Y,Z\na,b,c\n", "the columns X, Y, Z"),
        ('a,"b" c\n', "words.csv:1: this is no row of a table"),
        ('a,b\nc,"d\n', "words.csv:2: this is no row of a table"),
        ("", "holds no rows"),
        ("\n\n", "holds no rows"),
        ("#separator:wide\na,b\n", "words.csv:1: `#separator:wide` cannot be read"),
        ("#tags column:x\na,b\n", "`#tags column:x` cannot be read"),
        ("#html:maybe\na,b\n", "`#html:maybe` cannot be read"),
        ("a,b\n".encode("utf-16"), "not UTF-8: it looks like UTF-16"),
        ("word,另一个词\n".encode("utf-16-le"), "not UTF-8: it looks like UTF-16"),
        ("word,b\n".encode("utf-16-be"), "not UTF-8: it looks like UTF-16"),
        ("问题，答案,注意力机制\n".encode("gb18030"), "not UTF-8: it looks like GB18030"),
        (b"\x84\x31\x95\x33" + "问,答\n".encode("gb18030"), "not UTF-8: it looks like GB18030"),
        ("é,b\n".encode("latin-1"), "no text in UTF-8"),
        (b"\x00\x01\x02binary", "no text in UTF-8"),
        ("a," + "x" * (1 << 20) + "y\n", "field larger than field limit"),
    ],
)
def test_should_refuse_what_cannot_be_read_and_write_nothing(write, take, workspace, text, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        take(write(text))
    assert list((workspace / "decks").iterdir()) == []


def test_should_refuse_a_huge_file_a_folder_and_a_pipe(write, take, tmp_path):
    huge = write("", "huge.csv")
    os.truncate(huge, MOST_BYTES + 1)
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder").mkdir()
    for name, said in (("huge.csv", "MiB"), ("pipe.csv", "pipe.csv"), ("folder", "collection.anki2"), ("x", "no file")):
        with pytest.raises(UsageError, match=said):
            take(tmp_path / name, deck="x")


def test_should_make_ids_of_the_words_of_the_front(write, take, workspace):
    rows = ["What's a *cat*?,1", "Ein schöner Tag,2", "注意力？,3", "42,4", "null,5", "bug-free code,6", "$x$,7"]
    done = take(write("\n".join(rows) + "\n"))
    ids = [note.id for note in done.deck.notes]
    assert ids[:2] == ["whats-a-cat", "ein-schoner-tag"]
    assert re.fullmatch(r"words-[0-9a-f]{8}", ids[2])
    assert ids[3:] == ["42", "null", "words-bug-free-code", "x"]
    again = take(write("42,other\nnull,y\n"), deck="more")
    assert [note.id for note in again.deck.notes] == ["42-2", "null-2"]


def test_should_never_give_a_note_the_id_of_a_retired_one(write, take, workspace, learner):
    from llmdrills.decks.retire import retire

    take(write("a,b\nc,d\n"))
    learner()
    retire(workspace, "a", "gone")
    assert [note.id for note in take(write("a,b\n"), deck="more").deck.notes] == ["a-2"]


def test_should_waive_what_the_linter_says_of_the_wording_and_say_so(write, take):
    done = take(write("Is it so?,yes\nIs it so now?,no. It is. Is it. So it is.\n"))
    assert set(done.waived) == {"yes-no", "several-facts"}
    take(write("Is it so?,yes\n"), deck="a-first")  # of two decks the later one is told, and that one is not ours


def test_should_take_no_rule_that_the_workspace_waives(write, take, workspace):
    toml = workspace / "workspace.toml"
    toml.write_text(toml.read_text() + '\n[waive]\nyes-no = "I like them"\n')
    assert take(write("Is it so?,yes\n")).waived == {}


def test_should_settle_topic_and_language_by_the_workspace(write, take, workspace):
    toml = workspace / "workspace.toml"
    before = toml.read_text()
    with pytest.raises(UsageError, match="nothing says which topic"):
        take(write("a,b\n"), topic=None)
    with pytest.raises(UsageError, match="there is no topic 'retreival'"):
        take(write("a,b\n"), topic="retreival")
    toml.write_text(before + '\n[topics]\nspanish = "Spanish"\n')
    assert take(write("a,b\n"), topic=None).deck.topic == "spanish"
    assert take(write("a,b\n", "retrieval.csv"), topic=None).deck.topic == "retrieval"
    toml.write_text(toml.read_text().replace('["en"]', '["en", "zh"]'))
    assert take(write("问题,这是答案\n"), deck="chinese").deck.language == "zh"
    assert take(write("question,an answer\n"), deck="english").deck.language == "en"
    assert take(write("pregunta,respuesta\n"), deck="spanish", language="es").deck.language == "es"
    assert take(write("spørsmål,svar\n"), deck="norwegian", language="no").deck.language == "no"


def test_should_write_nothing_when_it_only_says_what_it_would_do(write, take, workspace):
    done = take(write("a,b\n"), write=False)
    assert (done.written, len(done.deck.notes)) == (False, 1)
    assert list((workspace / "decks").iterdir()) == []


def test_should_say_it_for_readers_and_for_programs(write, run, workspace):
    path = write("Is it so?,yes\n,x\nIs it so?,yes\n")
    plain = run("import", path, "--topic", "retrieval", "--dry-run", cwd=workspace)
    assert plain.code == 0
    assert "new notes with new scheduling" in plain.out
    assert "its front is empty" in plain.out
    said = run("import", path, "--topic", "retrieval", "--json", cwd=workspace).json
    assert (said["schema"], said["written"], said["new_scheduling"]) == (1, True, True)
    assert [one["id"] for one in said["notes"]] == ["is-it-so"]
    assert [one["place"] for one in said["refused"]] == ["line 2", "line 3"]
    assert said["waived"] == {"yes-no": ["is-it-so"]}
    assert run("check", "--quick", cwd=workspace).code == 0
    assert run("build", cwd=workspace).code == 0
    none = run("import", write(",x\n", "none.csv"), "--topic", "retrieval", "--lang", "zh", cwd=workspace)
    assert (none.code, none.out) == (2, "")
    assert "没有可导入的笔记" in none.err
    assert not (workspace / "decks" / "none.yaml").exists()
