"""Pictures and sounds: they come with the package under a name of their own, and what is none is refused."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from llmdrills.content import load_workspace
from llmdrills.decks.build import BuildOptions, build
from llmdrills.decks.inspection import inspect
from llmdrills.decks.preview.gallery import load_gallery
from llmdrills.errors import BuildError
from tests.decks.test_inspection import found, question, workspace
from tests.helpers.anki_learner import AnkiLearner


def png(shade: int) -> bytes:
    """A picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes([0, shade]))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def put(root: Path, name: str, data: bytes) -> None:
    (root / "decks" / "media").mkdir(exist_ok=True)
    (root / "decks" / "media" / name).write_bytes(data)


def test_should_bring_pictures_and_sounds_into_anki_and_change_them_there(tmp_path: Path, learner: AnkiLearner):
    text = "See ![a grey dot](my dot.png) and hear ![](tone.ogg), not `![a](my dot.png)`."
    root = workspace(tmp_path / "w", question("What?", text))
    for step, shade in enumerate((0, 128)):
        put(root, "my dot.png", png(shade))
        put(root, "tone.ogg", b"OggS" + bytes([shade]) * 50)
        assert found(root) == []
        report = build(load_workspace(root), root / "build", BuildOptions(release_time=1_700_000_000 + step))
        learner.take(root / "build" / "llmdrills-en.apkg")
        note = learner.col.get_note(learner.nid("n-0"))
        names = sorted(learner.col.media.files_in_str(note.mid, note["Back"]))
        assert [name.rpartition("-")[0] for name in names] == ["llmdrills-my-dot", "llmdrills-tone"]
        kept = [Path(learner.col.media.dir(), name).read_bytes() for name in names]
        assert kept == [png(shade), b"OggS" + bytes([shade]) * 50]
        assert 'alt="a grey dot"' in note["Back"]
        assert "<code>![a](my dot.png)</code>" in note["Back"]
        assert report.forecasts[0].count("updated") == step
    (card,) = load_gallery(root).cards
    assert "<audio controls" in card.answer


def test_should_ask_for_a_text_with_every_picture(tmp_path: Path):
    root = workspace(tmp_path, question("What?", "![](dot.png)"))
    put(root, "dot.png", png(0))
    assert found(root) == [("picture-without-text", 11)]
    workspace(tmp_path, question("What?", "![](dot.png)", "waive: {picture-without-text: it only decorates}"))
    assert found(root) == []


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("dot.png", b"GIF89a", "is no PNG file"),
        ("dot.png", b"\x89PNG\r\n\x1a\n" + b"0" * (6 << 20), "has 6 MiB"),
        ("dot.exe", b"MZ", "no picture and no sound"),
    ],
)
def test_should_refuse_what_is_no_picture_where_it_is_shown(tmp_path: Path, name: str, data: bytes, what: str):
    root = workspace(tmp_path, question("What?", f"![a dot]({name})"))
    put(root, name, data)
    (problem,) = inspect(load_workspace(root))
    assert (problem.rule, problem.line) == ("refused", 11)
    assert what in problem.what
    with pytest.raises(BuildError, match=rf"decks/words\.yaml:11:11: .*{what}"):
        build(load_workspace(root), root / "build")
