"""The small model that runs the katas' kernels: its text, its perplexity, and what ends a run."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from llmdrills.content.playtable import CLOSE, PlayedSlip, load_play
from llmdrills.content.starter import solution_text
from llmdrills.grading.kernels.registry import reference_of
from llmdrills.grading.play import train
from llmdrills.grading.play.decoder import Cache, Decoder, loaded
from llmdrills.grading.play.digest import WEIGHTS, model_digest
from llmdrills.grading.play.grammar import ENDING, stories
from llmdrills.grading.play.heldout import HELD_OUT_SEED, held_out
from llmdrills.grading.play.kernels import Kernels
from llmdrills.grading.play.model import Model
from llmdrills.grading.play.parts import PARTS
from llmdrills.grading.play.request import CLOSING, SHORT, Writing
from llmdrills.grading.play.shape import SHAPE
from llmdrills.grading.play.tokens import END, Tokens, learn_merges, words_of
from llmdrills.grading.play.weights import read_weights
from llmdrills.grading.player import LIMITS, Player
from llmdrills.grading.proving.play_proof import measure
from tests.helpers.playing import katas, kernels, mine, slip

ROOT = Path(__file__).resolve().parents[2]
QUICK = dataclasses.replace(LIMITS, load=1.0, call=1.0)
NORM = "def rms_norm(x, weight, eps=1e-6):\n"


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    with Player() as started:
        yield started


@pytest.fixture(scope="module")
def right() -> Kernels:
    return Kernels({part.kata: reference_of(katas()[part.kata], part.variant) for part in PARTS})


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.read(reference_of(katas()["bpe-encode"], "pairs"))


# ---- the model ------------------------------------------------------------------------------------


def test_should_ship_about_a_million_parameters_in_bfloat16_in_at_most_three_megabytes():
    weights, _ = read_weights()
    assert 0.8e6 < sum(w.numel() for w in weights.values()) < 1.2e6
    assert {w.dtype for w in weights.values()} == {torch.bfloat16}
    assert WEIGHTS.stat().st_size <= 3_000_000


def test_should_write_a_file_that_the_library_of_its_format_reads_alike():
    safetensors = pytest.importorskip("safetensors.torch")
    theirs = safetensors.load_file(WEIGHTS)
    ours, _ = read_weights()
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[name], w) for name, w in ours.items())


def test_should_compute_by_kernels_what_the_training_code_computes_plainly(right: Kernels, model: Model):
    """Two programs: the one that trained the weights, and the one that runs them by kernels, padded, with the cache."""
    weights = loaded(model.checkpoint, SHAPE, right)
    rows = [[END, *model.vocabulary.encode(text, plain)] for text in held_out()[:2]]
    width = max(map(len, rows))
    tokens = torch.tensor([[*[END] * (width - len(row)), *row] for row in rows])
    padding = torch.tensor([[*[0] * (width - len(row)), *[1] * len(row)] for row in rows])
    decoder, cache, found = Decoder(SHAPE, weights, right), Cache(), []
    for start, end in ((0, width - 5), (width - 5, width - 1), (width - 1, width)):
        seen = decoder.rows(padding[:, :end], end - start)
        found.append(decoder.logits(tokens[:, start:end], seen, cache))
    logits = torch.cat(found, dim=1)
    for at, row in enumerate(rows):
        due = train._logits(weights, SHAPE, torch.tensor([row]))[0]
        torch.testing.assert_close(logits[at, width - len(row) :], due, rtol=1e-4, atol=1e-4)


def test_should_compute_a_text_alone_as_in_a_batch(right: Kernels, model: Model):
    """Alone, the first layer runs head by head in the kata kv-cache-step; in a batch it does not."""
    decoder = Decoder(SHAPE, loaded(model.checkpoint, SHAPE, right), right)
    row = torch.tensor([[END, *model.vocabulary.encode(held_out()[0], plain)]])
    ones = torch.ones_like(row)
    alone, batched = (decoder.logits(row, decoder.rows(ones, row.size(1), alone=one), Cache()) for one in (True, False))
    torch.testing.assert_close(alone, batched, rtol=1e-4, atol=1e-4)


def plain(word: str, merges: list[tuple[str, str]]) -> list[str]:
    pieces = list(word)
    while True:
        pairs = [(merges.index(pair), at) for at, pair in enumerate(pairwise(pieces)) if pair in merges]
        if not pairs:
            return pieces
        at = min(pairs)[1]
        pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]


# ---- text and tokens ------------------------------------------------------------------------------


def test_should_tell_other_stories_to_train_on_than_to_measure_by():
    trained = set(stories(3000, train.SEED))
    assert trained.isdisjoint(stories(200, HELD_OUT_SEED))
    assert stories(5, 3) == stories(5, 3)
    assert all(story.endswith(ENDING) for story in trained)


@pytest.mark.parametrize(
    "text", ["Once there was a girl.", "", '3 cups, "2" more\n', "从前有个女孩 naïve 🦉", "\ud800"]
)
def test_should_give_back_the_text_whose_tokens_it_is_given(text: str):
    vocabulary = Tokens(learn_merges(stories(50, 1), 100))
    assert "".join(words_of(text)) == text
    back = vocabulary.decode(vocabulary.encode(text, plain))
    assert back == text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def test_should_learn_merges_that_the_kernel_of_the_kata_encodes_alike():
    merges = learn_merges(stories(50, 1), 60)
    encode = reference_of(katas()["bpe-encode"], "pairs")
    for word in words_of(stories(1, 9)[0]):
        assert encode(word, merges) == plain(word, merges)


# ---- the committed table --------------------------------------------------------------------------


def test_should_have_the_perplexity_and_the_text_that_are_committed(player: Player):
    table = load_play(ROOT)
    played = player.play(kernels(), SHORT)
    assert table.model == model_digest()
    assert played.perplexity == pytest.approx(table.perplexity, rel=CLOSE)
    assert played.text == table.text
    assert played.same
    closing = player.play(kernels(), CLOSING)
    assert (closing.text, closing.why) == (table.closing, "stop")
    assert closing.text.endswith("went with them.")


def test_should_print_the_same_perplexity_and_text_again(player: Player):
    first, second = (player.play(kernels(), SHORT, uncached=False) for _ in range(2))
    assert (first.perplexity, first.text) == (second.perplexity, second.text)


def test_should_know_every_slip_of_every_part_and_no_other():
    table = load_play(ROOT)
    assert set(table.katas) == {part.kata for part in PARTS}
    for part in PARTS:
        own = {one.id for one in katas()[part.kata].slips if one.belongs_to(part.variant)}
        assert {one for one in table.katas[part.kata] if not one.startswith("variant-")} == own


@pytest.mark.parametrize(
    ("kata", "name"),
    [
        ("grouped-query-attention", "no-scale"),
        ("rope-pairing", "positions-ignored"),
        ("rope-pairing", "variant-interleaved"),
        ("sampling-parameters", "temperature-multiplied"),
        ("kv-cache-step", "position-reset"),
    ],
)
def test_should_run_a_slip_to_the_result_that_the_table_says(player: Player, kata: str, name: str):
    table = load_play(ROOT)
    due = table.slip(kata, name)
    played = player.play(kernels(slip(kata, name)), SHORT, uncached=False)
    assert played.perplexity == pytest.approx(due.perplexity, rel=CLOSE)
    assert (played.text == table.text) == (due.text is None)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kata", [part.kata for part in PARTS])
def test_should_change_the_perplexity_by_every_slip_as_the_table_says(kata: str):
    table = load_play(ROOT)
    measured = measure(list(katas().values()), kata)
    assert measured["perplexity"] == pytest.approx(table.perplexity, rel=CLOSE)
    found = {name: PlayedSlip(**entry) for name, entry in measured["slips"].items()}
    wrong = {name: slip for name, slip in found.items() if not slip.agrees(table.slip(kata, name))}
    assert wrong == {}


# ---- a learner's kernels --------------------------------------------------------------------------


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.kata)
def test_should_give_the_same_with_a_learners_right_file_in_any_part(player: Player, part):
    kata = katas()[part.kata]
    solved = solution_text(kata, kata.variant(part.variant))
    played = player.play(kernels(mine(part.kata, solved)), Writing(tokens=5), uncached=False)
    assert played.failed is None
    assert played.perplexity == pytest.approx(load_play(ROOT).perplexity, rel=CLOSE)


@pytest.mark.parametrize(
    ("source", "outcome", "says"),
    [
        ("def other(): pass\n", "crashed", "defines no function rms_norm"),
        ("def rms_norm(x, weight\n", "crashed", "was never closed"),
        (f"{NORM}    raise NotImplementedError\n", "unimplemented", ""),
        (f"{NORM}    return x[:, :1]\n", "unusable", "it returned float32 ("),
        (f"{NORM}    return x.double()\n", "unusable", "float64"),
        (f"{NORM}    return None\n", "unusable", "it returned NoneType, and the model needs float32"),
        (f"{NORM}    return x @ x\n", "crashed", "Expected size"),
        (f"{NORM}    raise SystemExit(0)\n", "crashed", "0"),
        (f"import os\n{NORM}    os._exit(0)\n", "crashed", "exit status 0"),
        (f"import ctypes\n{NORM}    ctypes.string_at(0)\n", "crashed", "SIGSEGV"),
        (f"import os\n{NORM}    os.system('true')\n", "forbidden", "os.system"),
        (f"import subprocess\n{NORM}    subprocess.run(['true'])\n", "forbidden", "subprocess"),
        (f"import threading\n{NORM}    threading.Thread(target=print).start()\n", "forbidden", "threading"),
        (f"import torch\n{NORM}    return torch.zeros(1 << 34)\n", "memory", "allocate"),
        (f"{NORM}    while True: pass\n", "timeout", "1 s"),
        ("while True: pass\n", "timeout", "1 s"),
        (f"import time\n{NORM}    time.sleep(60)\n", "timeout", "1 s"),
        (f"import os, socket\n{NORM}    socket.socket(fileno=3).sendall(b'done' * 100)\n", "crashed", ""),
    ],
)
def test_should_say_which_kernel_ended_the_run_and_how(player: Player, source: str, outcome: str, says: str):
    played = player.play(kernels(mine("rms-norm", source)), Writing(tokens=3), uncached=False, limits=QUICK)
    assert (played.failed.kata, played.failed.outcome) == ("rms-norm", outcome)
    raised = played.failed.raised
    assert says in (f"{raised.message}" if raised is not None else played.failed.what)
    assert played.text is None


def test_should_run_on_after_a_kernel_that_hung_or_killed_its_process(player: Player):
    player.play(kernels(mine("rms-norm", "import os\nos._exit(1)\n")), Writing(tokens=3), limits=QUICK)
    assert player.play(kernels(), Writing(tokens=3)).failed is None


def test_should_tell_what_a_kernel_prints_and_in_which_line_it_raised(player: Player):
    source = f"{NORM}    print('hello from the kernel')\n    return x / undefined\n"
    played = player.play(kernels(mine("rms-norm", source)), Writing(tokens=3))
    assert played.printed == "hello from the kernel\n"
    assert (played.failed.raised.type, played.failed.raised.line) == ("NameError", 3)


def test_should_let_no_kernel_write_to_the_terminal(player: Player):
    clear = "'\\x1b[2J'"
    printing = player.play(
        kernels(mine("rms-norm", f"{NORM}    print({clear})\n    raise ValueError({clear})\n")), SHORT
    )
    assert printing.printed == "\\x1b[2J\n"
    assert printing.failed.raised.message == "\\x1b[2J"
    escaping = "def stop_criteria(streams, strings, ids, most):\n    return [('\\x1b[2J', 1, 'stop')]\n"
    assert player.play(kernels(mine("stop-criteria", escaping)), SHORT).text.endswith("\\x1b[2J")


def test_should_write_a_text_that_breaks_off_where_there_are_no_numbers(player: Player):
    played = player.play(kernels(mine("rms-norm", f"{NORM}    return x * float('nan')\n")), Writing(tokens=5))
    assert (played.text, played.why, played.failed) == (Writing.prompt, "nan", None)
    assert math.isnan(played.perplexity)


def test_should_leave_the_models_file_and_the_next_run_alone_whatever_a_kernel_writes_into(player: Player):
    spoil = f"{NORM}    weight.zero_()\n    return x.zero_()\n"
    player.play(kernels(mine("rms-norm", spoil)), Writing(tokens=3))
    assert player.play(kernels(), SHORT, uncached=False).perplexity == pytest.approx(
        load_play(ROOT).perplexity, rel=CLOSE
    )


def test_should_take_zero_temperature_as_greedy_and_other_seeds_as_other_texts(player: Player):
    greedy = [player.play(kernels(), Writing(tokens=20, temperature=0.0, seed=s), uncached=False).text for s in (1, 2)]
    drawn = [player.play(kernels(), Writing(tokens=20, temperature=2.0, seed=s), uncached=False).text for s in (1, 2)]
    assert greedy[0] == greedy[1]
    assert drawn[0] != drawn[1]
