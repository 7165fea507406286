"""Packages of the real Anki become decks whose cards show the same, in Anki again; what cannot is said."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import zipfile
from html import unescape
from pathlib import Path

import pytest

from llmdrills.errors import UsageError
from tests.helpers.anki_author import MP3, PNG

FORMS = [("new.apkg", False), ("old.apkg", True), ("new.colpkg", False), ("old.colpkg", True)]


def shows(html: str) -> list[str]:
    """The words and signs that a field shows, pictures and sounds among them; read by hand, not by what is tested."""
    text = re.sub(r"<img\b[^>]*>", " ⟨picture⟩ ", re.sub(r"\[sound:[^\]]*\]", " ⟨sound⟩ ", html))
    text = re.sub(r"<!--.*?-->|</?(?:b|i|strong|em|code|span)\b[^>]*>", "", text)
    return re.findall(r"\S+", unescape(re.sub(r"<[^>]*>", " ", text)).replace("\u00a0", " "))


def refused(done) -> dict[str, str]:
    return {one.text: one.why.en for one in done.refused}


@pytest.mark.parametrize(("name", "legacy"), FORMS)
def test_should_show_in_anki_again_what_the_package_showed(author, take, learner, name, legacy):
    author.medium("a map (1).png", PNG)
    author.medium("é.mp3", MP3)
    basics = [
        ("Capital of <b>France</b>?", 'Paris <img src="a map (1).png">[sound:é.mp3]'),
        ("a &lt;b&gt; &amp;amp; $5 and $6", r"\(x_1 &lt; y\) and \[\frac{a}{b}\]"),
        ("[[name]] {{c1::no}} *a* _b_ `c`", "one<div>two</div><div><br></div><div>three</div>"),
        ("1. no list", "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>"),
        ("<pre>def f(x):\n    return x[0]</pre>", "# no heading<br>---<br>C:\\dir \\*"),
        ("注意力&nbsp;是什么？", "<table><tr><td>a</td><td>b|c</td></tr><tr><td>1</td><td>2</td></tr></table>"),
    ]
    for pair in basics:
        author.add("Basic", *pair, tags=("geo::europe", "x"))
    text = r"The {{c1::cell::which?}} has {{c2::\(x^{2}\)}} and `{ } {{c1::<b>std</b>: :x}}"
    author.add("Cloze", text, "Extra <i>text</i>")
    done = take(author.export(name, legacy=legacy))
    assert (done.refused, len(done.deck.notes)) == ((), 7)
    anki = learner()
    found = {" ".join(shows(note["Front"])): note for note in all_notes(anki) if "Front" in note.keys()}  # noqa: SIM118
    for front, back in basics:
        note = found[" ".join(shows(front))]
        assert shows(note["Back"]) == shows(back)
        assert {"geo::europe", "x"} <= set(note.tags)
        assert name in note["Sources"]
        assert "Geography" in note["Sources"]
    (cloze,) = [note for note in all_notes(anki) if "Text" in note.keys()]  # noqa: SIM118
    assert shows(cloze["Text"]) == shows(text)
    assert shows(cloze["Back"]) == ["Extra", "text"]
    assert len(cloze.cards()) == 2
    media = Path(anki.col.media.dir())
    picture = re.search(r'src="([^"]+)"', found["Capital of France?"]["Back"])
    assert (media / picture[1]).read_bytes() == PNG
    assert [one.read_bytes() for one in media.glob("*.mp3")] == [MP3]


def all_notes(anki):
    return [anki.col.get_note(nid) for nid in anki.col.find_notes("")]


def test_should_make_a_note_of_each_card_by_the_templates(author, take, notes):
    author.add("Basic (and reversed card)", "dog", "perro")
    author.add("Basic (optional reversed card)", "cat", "gato", "y")
    author.add("Basic (optional reversed card)", "one way", "un sentido", "")
    author.add("Basic (type in the answer)", "typed?", "typed it is")
    author.note_type(
        "Country",
        ("Name", "Capital", "Note"),
        ("<div>Capital of {{Name}}?</div>", "{{FrontSide}}<hr id=answer>{{Capital}}{{#Note}}<br>({{Note}}){{/Note}}"),
    )
    author.add("Country", "Peru", "Lima", "")
    author.add("Country", "Chile", "Santiago", "long")
    done = take(author.export("a.apkg"))
    assert {front: note.back.en for front, note in notes().items()} == {
        "dog": "perro",
        "perro": "dog",
        "cat": "gato",
        "gato": "cat",
        "one way": "un sentido",
        "typed?": "typed it is",
        "Capital of Peru?": "Lima",
        "Capital of Chile?": "Santiago\\\n(long)",
    }
    assert ("typed?", "its answer is no longer typed") in [(one.text, one.why.en) for one in done.changed]
    assert done.refused == ()


def test_should_say_of_each_note_why_it_is_not_taken(author, take):
    author.medium("film.mp4", b"\0\0\0\x18ftypisom")
    author.add("Image Occlusion", "{{c1::image-occlusion:rect:left=.1:top=.1:width=.2:height=.2}}", "x")
    author.add("Basic", "no back", "<br>")
    author.add("Basic", "missing", '<img src="gone.png">')
    author.add("Basic", "film", '<img src="film.mp4">')
    author.add("Basic", "elsewhere", '<img src="https://example.org/a.png">')
    author.add("Basic", "spoken", "[anki:tts lang=en_US]x[/anki:tts]")
    author.add("Basic", "ruby", "<ruby>犬<rt>いぬ</rt></ruby>")
    author.add("Basic", "hidden", '<span style="display: none">x</span>y')
    author.add("Basic", "document", r"[latex]\section{x} text[/latex]")
    author.add("Cloze", "{{c1::}} hides nothing", "")
    author.note_type("Scripted", ("A", "B", "C"), ("{{A}}<script>x()</script>", "{{B}}{{C}}"))
    author.add("Scripted", "script", "x", "y")
    author.note_type("Styled", ("A", "B", "C"), ('<p class="h">{{A}}</p>', "{{B}}{{C}}"), css=".h {display:none}")
    author.add("Styled", "style", "x", "y")
    author.note_type("Kana", ("A", "B"), ("{{A}}", "{{furigana:B}}"))
    author.add("Kana", "kana", "犬[いぬ]")
    author.add("Basic", "good", "taken")
    done = take(author.export("a.apkg"))
    assert [note.front for note in done.deck.notes] == ["good"]
    said = refused(done)
    assert len(said) == len(done.refused) == 13
    assert "image occlusion" in said["{{c1::image-occlusion:rect:left=.1:top=.1:width…"]
    assert said["no back"] == "its back is empty"
    assert said["missing"] == "the medium “gone.png” is missing"
    assert "no picture and no sound" in said["film"]
    assert "elsewhere" in said["elsewhere"]
    assert "spoken" in said["spoken"]
    assert said["ruby"] == "no Markdown renders to <ruby>"
    assert said["hidden"] == "a part of it is hidden"
    assert said["document"] == "its LaTeX is no single formula"
    assert "hides nothing" in said["{{c1::}} hides nothing"]
    assert "script" in said["script"]
    assert "style of its note type hides" in said["style"]
    assert "{{furigana:B}}" in said["kana"]


def test_should_say_what_is_left_behind_of_a_note_that_is_taken(author, take, notes):
    author.add("Basic", "<u>a</u> H<sub>2</sub>O", '<font color="#f00">x</font>')
    author.add("Cloze", "{{c2::a}} and {{c5::b}}", "")
    author.add("Basic", "tagged", "x", tags=("leech", "llmdrills::course::q1", "mine"))
    done = take(author.export("a.colpkg"))
    assert {(one.text[:6], one.why.en) for one in done.changed} == {
        ("a H₂O", "colours, sizes or underlines stay behind"),
        ("a H₂O", "raised and lowered signs are characters of Unicode now"),
        ("{{c1::", "its deletions are numbered without gaps now: c2 → c1, c5 → c2"),
        ("tagged", "tags that mean something else here stay behind: leech llmdrills::course::q1"),
    }
    assert notes()["tagged"].tags == ("mine",)


def test_should_tell_notes_that_are_there_twice(author, take):
    for back in ("x", "x", "y"):
        author.add("Basic", "the same", back)
    done = take(author.export("a.apkg"))
    assert [note.id for note in done.deck.notes] == ["the-same", "the-same-2"]
    assert [one.why.en for one in done.refused] == ["it says the same as note 1 (Basic)"]
    assert [one.why.en for one in done.changed] == ["note 1 (Basic) has the same front, and another back"]


def test_should_take_one_deck_with_those_below_it(author, take):
    for deck in ("Spanish", "Spanish::Verbs", "Spanish::Verbs::Irregular", "SpanishToo", "Geography"):
        author.add("Basic", f"of {deck}", "x", deck=deck)
    path = author.export("a.colpkg")
    done = take(path, of_deck="Spanish::Verbs", deck="verbs")
    assert [note.front for note in done.deck.notes] == ["of Spanish::Verbs", "of Spanish::Verbs::Irregular"]
    assert done.deck.title == "Verbs"
    with pytest.raises(UsageError, match="there is no deck “French”"):
        take(path, of_deck="French", deck="other")
    assert "become one" in take(path, deck="all").said[0].en


def test_should_leave_media_out_where_that_is_asked_for(author, take):
    author.add("Basic", "word", 'text <img src="gone.png">[sound:gone.mp3]')
    author.add("Basic", "picture", '<img src="gone.png">')
    done = take(author.export("a.apkg"), media=False)
    assert [(note.front, note.back) for note in done.deck.notes] == [("word", "text")]
    assert refused(done) == {"picture": "its back is empty"}
    assert "--no-media" in done.changed[0].why.en


def test_should_never_overwrite_a_deck_or_a_medium(author, take, workspace):
    author.medium("a.png", PNG)
    author.medium("b.png", PNG + b"b")
    author.add("Basic", "a", '<img src="a.png">')
    author.add("Basic", "b", '<img src="b.png">')
    media = workspace / "decks" / "media"
    media.mkdir(parents=True)
    (media / "a.png").write_bytes(PNG + b"other")
    path = author.export("pics.apkg")
    done = take(path)
    assert done.media == ("a-2.png", "b.png")
    assert (media / "a.png").read_bytes() == PNG + b"other"
    assert (media / "a-2.png").read_bytes() == PNG
    before = {one: one.read_bytes() for one in workspace.rglob("*") if one.is_file()}
    with pytest.raises(UsageError, match="exists already"):
        take(path)
    again = take(path, deck="again")  # the media that are there are shown, not copied
    assert again.media == done.media
    after = {one: one.read_bytes() for one in workspace.rglob("*") if one.is_file()}
    assert {one for one in after if one not in before} == {workspace / "decks" / "again.yaml"}
    assert all(after[one] == data for one, data in before.items())


# ---- what is no package, or a bad one ----------------------------------------


def bad(path: Path, what: str) -> Path:
    if what == "no zip":
        path.write_bytes(b"junk" * 100)
    elif what == "zip without a collection":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x", "y")
    elif what == "broken sqlite":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("collection.anki2", b"SQLite format 3\0" + b"revlog" * 5000)
    elif what == "broken zstd":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("collection.anki21b", b"no zstd")
    elif what == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif what == "empty":
        path.write_bytes(b"")
    return path


@pytest.mark.parametrize("what", ["no zip", "zip without a collection", "broken sqlite", "broken zstd", "cut", "empty"])
def test_should_refuse_what_is_no_package_and_write_nothing(author, run, workspace, what):
    author.add("Basic", "a", "b")
    path = bad(author.export("a.apkg"), what)
    for lang in ("en", "zh"):
        ran = run("import", path, "--topic", "retrieval", "--lang", lang, cwd=workspace)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith("llmdrills: ")
        assert bool(re.search("[一-鿿]", ran.err)) == (lang == "zh")
    assert list((workspace / "decks").iterdir()) == []


def repacked(path: Path, change) -> Path:
    """A legacy package with its collection or files changed."""
    target = path.with_name("changed.apkg")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        files = {name: old.read(name) for name in old.namelist()}
        change(files)
        for name, data in files.items():
            new.writestr(name, data)
    return target


def test_should_take_no_name_of_a_medium_for_a_path(author, take, workspace, tmp_path):
    (tmp_path / "secret.png").write_bytes(PNG + b"secret")
    author.medium("a.png", PNG)
    author.add("Basic", "a", '<img src="../../secret.png">')
    author.add("Basic", "b", f'<img src="{tmp_path}/secret.png">')
    author.add("Basic", "c", '<img src="../../../evil.png">')
    author.add("Basic", "d", '<img src="a.png">')

    def change(files):
        names = json.loads(files["media"])
        files["media"] = json.dumps({**names, "7": "../../../evil.png"}).encode()
        files["7"] = PNG + b"evil"

    done = take(repacked(author.export("a.apkg", legacy=True), change))
    assert [(note.front, note.back) for note in done.deck.notes] == [("c", "![](evil.png)"), ("d", "![](a.png)")]
    assert refused(done) == {
        "a": "the medium “../../secret.png” is missing",
        "b": f"the medium “{tmp_path}/secret.png”"[: len("the medium “") + 60] + "” is missing"
        if len(f"{tmp_path}/secret.png") > 60
        else f"the medium “{tmp_path}/secret.png” is missing",
    }
    assert sorted(one.name for one in (workspace / "decks" / "media").iterdir()) == ["a.png", "evil.png"]
    assert not list(tmp_path.glob("**/../evil.png"))


def test_should_read_no_more_of_a_bomb_than_a_medium_may_have(author, take):
    author.medium("a.png", PNG)
    author.add("Basic", "bomb", '<img src="a.png">')
    author.add("Basic", "good", "x")

    def change(files):
        files["0"] = PNG + b"\0" * (300 << 20)

    done = take(repacked(author.export("a.apkg", legacy=True), change))
    assert refused(done) == {"bomb": "the medium “a.png” is larger than 5 MiB"}
    assert [note.front for note in done.deck.notes] == ["good"]


@pytest.mark.parametrize("legacy", [True, False])
def test_should_refuse_a_collection_that_claims_to_be_endless(author, take, monkeypatch, legacy):
    import llmdrills.anki.zstd as zstd

    author.add("Basic", "a", "b")
    path = author.export("a.apkg", legacy=legacy)
    monkeypatch.setattr(zstd.decompress, "__defaults__", (4096,))
    monkeypatch.setattr(zstd.copy, "__defaults__", (4096,))
    with pytest.raises(UsageError, match="more than 0 MiB"):
        take(path)


def test_should_refuse_a_collection_whose_tables_do_not_fit(author, take, workspace, tmp_path):
    author.add("Basic", "a", "b")

    def change(files):
        copy = tmp_path / "copy.db"
        copy.write_bytes(files["collection.anki21"])
        with contextlib.closing(sqlite3.connect(copy)) as db, db:
            db.execute("update notes set flds = 'only one'")
        files["collection.anki21"] = copy.read_bytes()

    with pytest.raises(UsageError, match="damaged"):
        take(repacked(author.export("a.apkg", legacy=True), change))
    assert list((workspace / "decks").iterdir()) == []


def test_should_leave_nothing_where_the_deck_cannot_be_written(author, take, workspace, monkeypatch):
    author.medium("a.png", PNG)
    author.add("Basic", "a", '<img src="a.png">')
    path = author.export("a.apkg")
    from llmdrills.importing import deckfile

    real = deckfile.write_atomically

    def full(target, content, **options):
        if target == workspace / "decks" / "a.yaml":
            raise OSError(28, "No space left on device")
        real(target, content, **options)

    monkeypatch.setattr(deckfile, "write_atomically", full)
    with pytest.raises(UsageError, match="No space left"):
        take(path)
    assert [one for one in (workspace / "decks").rglob("*") if one.is_file()] == []
