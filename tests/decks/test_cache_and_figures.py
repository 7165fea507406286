"""The render cache can only save time, and figures can only be shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmdrills.content import load_workspace
from llmdrills.decks import compose
from llmdrills.decks.cache import RenderCache
from llmdrills.errors import BuildError
from tests.helpers.anki_learner import AnkiLearner
from tests.helpers.small_decks import Publisher, note, one_of_each

SVG = "<svg xmlns='http://www.w3.org/2000/svg'><title>{}</title></svg>"


def test_should_not_render_again_what_was_rendered_once(
    publisher: Publisher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    publisher.release(*one_of_each(), cache_dir=tmp_path / "cache")
    rendered = []
    monkeypatch.setattr(compose, "render", lambda text: rendered.append(text) or "html")
    publisher.release(*one_of_each(), cache_dir=tmp_path / "cache")
    assert not rendered
    publisher.release(note("plain", "changed"), *one_of_each()[1:], cache_dir=tmp_path / "cache")
    assert rendered == ["changed", "an answer"]


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"{}", b"\xff" * 100, None])
def test_should_ignore_and_replace_a_damaged_cache(publisher: Publisher, tmp_path: Path, damage: bytes | None):
    publisher.release(*one_of_each(), cache_dir=tmp_path / "cache")
    package = publisher.package.read_bytes()
    (file,) = (tmp_path / "cache").iterdir()
    whole = file.read_bytes()
    # One flipped letter in a rendered text: still JSON, and it must not reach a card.
    file.write_bytes(whole.replace(b"an answer", b"an anvwer") if damage is None else damage)
    publisher.release(*one_of_each(), cache_dir=tmp_path / "cache", after=0)
    assert publisher.package.read_bytes() == package
    assert file.read_bytes() == whole


def test_should_not_use_a_cache_of_another_renderer(tmp_path: Path):
    cache = RenderCache(tmp_path, "one")
    cache.get(["key"], lambda: ["old"])
    cache.save()
    assert RenderCache(tmp_path, "one").get(["key"], lambda: ["new"]) == ["old"]
    assert RenderCache(tmp_path, "two").get(["key"], lambda: ["new"]) == ["new"]


def test_should_fail_no_build_for_a_cache_that_cannot_be_written(publisher: Publisher, tmp_path: Path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    publisher.release(note("a"), cache_dir=tmp_path / "cache")


def test_should_load_the_same_workspace_from_remembered_deck_files(root: Path, tmp_path: Path):
    plain = load_workspace(root)
    assert load_workspace(root, tmp_path) == plain
    kept = sorted((tmp_path / "decks").iterdir())
    assert kept
    assert load_workspace(root, tmp_path) == plain
    for file in kept:
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert load_workspace(root, tmp_path) == plain


def test_should_give_a_figure_its_colours_for_each_mode_and_its_language(publisher: Publisher, learner: AnkiLearner):
    figures = publisher.root / "decks" / "figures"
    figures.mkdir()
    for name in ("plot.en.light", "plot.en.night", "plot.zh.light", "plot.zh.night"):
        (figures / f"{name}.svg").write_text(SVG.format(name), "utf-8")
    publisher.release(note("a", figure="plot"), languages=("en", "zh"))
    learner.take(publisher.package)
    _, answer = learner.sides(learner.cards("a")[0])
    media = {path.name: path.read_text("utf-8") for path in Path(learner.col.media.dir()).iterdir()}
    assert sorted(text.split("title>")[1][:-2] for text in media.values()) == ["plot.en.light", "plot.en.night"]
    for name in media:
        assert f'src="{name}"' in answer
    assert 'class="light paired" alt="plot.en.light"' in answer
    assert 'class="night"' in answer


def test_should_report_a_figure_that_is_not_there(publisher: Publisher):
    with pytest.raises(BuildError, match=r"no figure 'plot': draw .*plot\.en\.light\.svg"):
        publisher.release(note("a", figure="plot"))


@pytest.mark.parametrize(
    "inside",
    [
        "<script>x</script>",
        "<image href='https://example.org/x.png'/>",
        "<style>@import 'x.css'</style>",
        "<rect fill='url(https://example.org/x)'/>",
        "<foreignObject/>",
    ],
)
def test_should_refuse_a_figure_that_would_run_or_load_something(publisher: Publisher, inside: str):
    figures = publisher.root / "decks" / "figures"
    figures.mkdir()
    (figures / "plot.svg").write_text(f"<svg xmlns='http://www.w3.org/2000/svg'>{inside}</svg>")
    with pytest.raises(BuildError, match="figures hold no script and load nothing"):
        publisher.release(note("a", figure="plot"))


def test_should_allow_the_shipped_figures(root: Path):
    from llmdrills.decks.figures import Figures

    names = {path.name.partition(".")[0] for path in (root / "decks" / "figures").glob("*.svg")}
    assert len(names) >= 8
    for name in names:
        for language in ("en", "zh"):
            assert len(Figures(root).get(name, language).media) == 2
