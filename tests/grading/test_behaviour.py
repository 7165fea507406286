"""What an attempt behaves like, where no slip explains it: what is said, and what is not."""

from __future__ import annotations

import dataclasses
import inspect

import pytest
import torch

from llmdrills.content.drawslock import DrawsLock, source_of, write_lock
from llmdrills.grading import Grader
from llmdrills.grading.authoring import Call, call
from llmdrills.grading.judging.behaviour import ALWAYS, BEHAVIOURS, BehavesLike, Candidate, Condition, worded
from llmdrills.grading.judging.compare import compare
from llmdrills.grading.judging.report import FIRST_SCREEN
from llmdrills.grading.kernels.asking import ask
from llmdrills.grading.kernels.behaviours import Asked, agreeing
from llmdrills.grading.kernels.calling import Caller
from llmdrills.grading.kernels.conditions import conditions, rank
from llmdrills.grading.kernels.draws import prepare_draws
from llmdrills.grading.kernels.expectations import prepare
from llmdrills.grading.kernels.features import look
from llmdrills.grading.kernels.registry import load
from llmdrills.grading.kernels.wrappers import wrappers
from tests.helpers.small_kata import CASES, REFERENCE, load_kata, write_kata

DOMAIN = """

@domain(raises=("ValueError",))
def any_matrix(draw: Draw):
    shape = draw.pick((1, 4), (2, 2), (3, 5), (4, 3), (4,))
    draw.gradients(0)
    kwargs = {"scale": draw.option(0.5, 1.0, 3.0)} if draw.given(0.7) else {}
    return call(draw.layout(draw.normal(*shape, mean=1.0)), **kwargs)
"""
WITH_DOMAIN = CASES.replace("import Inputs, call, case,", "import Draw, Inputs, call, case, domain,") + DOMAIN
RIGHT = """def centre(x, scale=1.0):
    if x.dim() != 2:
        raise ValueError
    return (x - x.mean(1, True)) * scale
"""
UNSCALED_ROW = RIGHT.replace("* scale", "* (scale if x.size(0) > 1 else 1.0)")
BUFFER = """import torch

KEPT = {}


def centre(x, scale=1.0):
    if x.dim() != 2:
        raise ValueError
    result = (x - x.mean(1, True)) * scale
    return result if result.requires_grad else KEPT.setdefault(x.shape, torch.empty_like(result)).copy_(result)
"""


def locked(folder, reference=REFERENCE, cases=WITH_DOMAIN):
    kata = load_kata(write_kata(folder, cases=cases, reference=reference))
    version = torch.__version__.partition("+")[0]
    write_lock(kata.folder, DrawsLock(source_of(kata.folder), version, {"rows": tuple(range(90))}))
    return kata


@pytest.fixture(scope="module")
def kata(tmp_path_factory):
    return locked(tmp_path_factory.mktemp("behaviour"))


@pytest.fixture(scope="module")
def grader():
    with Grader() as found:
        yield found


# What is said


@pytest.mark.parametrize(
    ("text", "en", "zh"),
    [
        (
            UNSCALED_ROW,
            "It behaves as if `scale` were always 1.0 where `x.size(-2)` = 1.",
            "当 `x.size(-2)` = 1 时，它的表现就像 `scale` 总是 1.0。",
        ),
        (
            RIGHT.replace("* scale", "* scale + (x.size(0) > x.size(1))"),
            "In the 97 calls that were tried, it is wrong exactly where `x.size(-1)` < `x.size(-2)`.",
            "在试过的 97 次调用中，它恰好在 `x.size(-1)` < `x.size(-2)` 时出错。",
        ),
        (
            RIGHT.replace("    return (", "    x = x.detach()\n    return ("),
            "It behaves as if the result were detached: no gradient flows back from it.",
            "它的表现就像返回值被 detach 了：梯度无法从它反传。",
        ),
        (
            BUFFER,
            "It behaves as if every call returned the same buffer, which a later call overwrites.",
            "它的表现就像每次调用都返回同一块缓冲区，会被之后的调用覆盖。",
        ),
    ],
)
def test_should_say_what_an_attempt_behaves_like_in_both_languages(grader, kata, text, en, zh):
    verdict = grader.grade(kata, "rows", text, seed=1)
    assert (verdict.diagnosis, verdict.behaviour.message) == (None, en)
    assert f"→ {en[:60]}" in verdict.message
    chinese = grader.grade(kata, "rows", text, seed=1, language="zh")
    assert chinese.behaviour.message == zh
    assert f"→ {zh[:20]}" in chinese.message
    assert len(verdict.message.splitlines()) <= FIRST_SCREEN - 2


def test_should_put_the_behaviour_into_the_json_and_nowhere_that_counts(grader, kata):
    data = grader.grade(kata, "rows", UNSCALED_ROW, seed=1).to_json()
    assert data["behaviour"] == {
        "id": "`scale` is always 1.0",
        "where": "`x.size(-2)` = 1",
        "message": "It behaves as if `scale` were always 1.0 where `x.size(-2)` = 1.",
        "calls": 97,
    }
    assert data["diagnosis"] is None
    assert data["report"]["undecided"] == []


@pytest.mark.parametrize(
    ("name", "variant", "text", "said"),
    [
        (
            "attention-mask",
            "standard",
            """import torch


def attention_mask(padding_mask, query_length, causal=True, window=None):
    B, S = padding_mask.shape
    if window is not None and window < S and not causal:
        raise ValueError("a window needs causal")
    if not causal:
        window = None
    q = torch.arange(S - query_length, S)[:, None]
    k = torch.arange(S)[None, :]
    ok = torch.ones(query_length, S, dtype=torch.bool)
    if causal:
        ok = k <= q
    if window is not None:
        ok = ok & (k > q - window)
    return padding_mask.bool()[:, None, None, :] & ok
""",
            "It behaves as if `window` were ignored where `window` ≥ `padding_mask.size(-1)`.",
        ),
        (
            "bpe-encode",
            "pairs",
            """CACHE = {}


def bpe_encode(word, merges):
    if word in CACHE:
        return CACHE[word]
    ranks = {pair: i for i, pair in enumerate(merges)}
    tokens = list(word)
    while True:
        found = [(ranks[p], i) for i, p in enumerate(zip(tokens, tokens[1:])) if p in ranks]
        if not found:
            break
        _, i = min(found)
        tokens[i:i + 2] = [tokens[i] + tokens[i + 1]]
    CACHE[word] = tokens
    return tokens
""",
            "It behaves as if it returned the result of an earlier call with the same `word`.",
        ),
    ],
)
def test_should_say_what_attempts_at_shipped_katas_behave_like(grader, shipped_kata, name, variant, text, said):
    verdict = grader.grade(shipped_kata(name), variant, text, seed=11)
    assert (verdict.diagnosis, verdict.behaviour.message) == (None, said)


# What is not said


def test_should_say_nothing_beside_a_diagnosis_or_of_an_attempt_that_passes(grader, kata):
    told = grader.grade(kata, "rows", RIGHT.replace(" * scale", ""), seed=1)
    assert (told.diagnosis.id, told.behaviour) == ("no-scale", None)
    assert grader.grade(kata, "rows", RIGHT, seed=1).behaviour is None


def test_should_say_nothing_where_no_draw_can_refute_it(grader, tmp_path):
    kata = load_kata(write_kata(tmp_path))
    assert grader.grade(kata, "rows", RIGHT.replace("* scale", "* scale * 2"), seed=1).behaviour is None


def asked_of(kata, kernel, folder, *, further=False, wrong_at=None):
    """What that kernel answers to the cases and draws; from its answer `wrong_at` on, it answers otherwise."""
    loaded = load(kata)
    named, due = ((), ()) if further else prepare(loaded, "rows", 1, folder, slips=False)
    drawn, more = prepare_draws(loaded, "rows", 1, folder, further=further)
    caller = Caller("cpu")
    found = [
        Asked(question, expected, ask(loaded, caller, kernel, question))
        for question, expected in zip((*named, *drawn), (*due, *more), strict=True)
    ]
    if wrong_at is not None:
        one = found[wrong_at]
        found[wrong_at] = dataclasses.replace(one, answer=dataclasses.replace(one.answer, value=None))
    return loaded, found


def unscaled_row(x, scale=1.0):
    if x.dim() != 2:
        raise ValueError
    return (x - x.mean(1, True)) * (scale if x.size(0) > 1 else 1.0)


def test_should_drop_what_one_further_draw_refutes(kata, tmp_path):
    loaded, asked = asked_of(kata, unscaled_row, tmp_path)
    candidates = agreeing(loaded, "rows", asked, 60.0)
    assert Candidate("`{a}` is always {d}", "scale", "1.0", Condition("x.size(-2)", ("1",))) in candidates
    _, further = asked_of(kata, unscaled_row, tmp_path, further=True)
    assert agreeing(loaded, "rows", further, 60.0, candidates)
    for at in range(0, len(further), 7):  # wherever it stands, whether the attempt is right there or wrong
        _, refuted = asked_of(kata, unscaled_row, tmp_path, further=True, wrong_at=at)
        assert agreeing(loaded, "rows", refuted, 60.0, candidates) == []


def test_should_drop_what_a_passing_call_refutes(kata, tmp_path):
    # the attempt uses the scale in one call with a single row: "always 1.0 where x has one row" is no longer true
    loaded, asked = asked_of(kata, unscaled_row, tmp_path)
    at = next(at for at, one in enumerate(asked) if one.due.calls == 1 and is_wrong(one))
    asked[at] = dataclasses.replace(asked[at], answer=ask(loaded, Caller("cpu"), scaled, asked[at].question))
    found = agreeing(loaded, "rows", asked, 60.0)
    assert not any(one.condition == Condition("x.size(-2)", ("1",)) for one in found)


def is_wrong(one):
    return not one.due.left_out and bool(compare(one.due, one.answer))


def scaled(x, scale=1.0):
    return (x - x.mean(1, True)) * scale


def tripled(x, scale=1.0):
    if x.dim() != 2:
        raise ValueError
    return 3 * x


def test_should_not_call_a_condition_what_was_seen_in_two_calls(kata, tmp_path):
    loaded, asked = asked_of(kata, unscaled_row, tmp_path)
    wrong = [one for one in asked if is_wrong(one)]
    right = [one for one in asked if not is_wrong(one)]
    single = [one for one in wrong if one.due.calls == 1]
    assert agreeing(loaded, "rows", [*single[:2], *right], 60.0) == []
    assert agreeing(loaded, "rows", [*wrong, *right], 60.0)


# What it may cost


def test_should_say_nothing_when_the_time_is_used_up(kata, tmp_path):
    loaded, asked = asked_of(kata, unscaled_row, tmp_path)
    assert agreeing(loaded, "rows", asked, 0.0) == []


def test_should_break_off_a_kernel_that_never_ends(tmp_path):
    right = "    return (x - x.mean(dim=1"
    endless = REFERENCE.replace(right, f"    while scale == 1.0: pass\n{right}")
    cases = WITH_DOMAIN.replace("make.normal(3, 4, mean=1.0)", "make.normal(3, 4, mean=1.0), 2.0")
    cases = cases.replace("if draw.given(0.7) else {}", "").replace("(0.5, 1.0, 3.0)", "(0.5, 3.0)")
    kata = locked(tmp_path, reference=endless, cases=cases)
    loaded, asked = asked_of(kata, tripled, tmp_path)
    assert agreeing(loaded, "rows", asked, 0.2) is None


# Words


def test_should_know_every_wording_of_the_family():
    def kernel(x, n: int = 2, mask=None):
        return x

    calls = [call(torch.ones(2, 2)), call(torch.ones(1, 2), 3, torch.ones(2))]
    made = {one.words.replace(f"`{one.argument}`", "`{a}`") for one in wrappers(kernel, calls, {"x"}, floating=True)}
    own = {"`{a}` is always {d}", "every entry of `{a}` is {d}"}
    assert BEHAVIOURS.keys() - own <= made


def given(x, mask=None, window=None, scale=1.0, word="", flag=True):
    return x


CALLS = [
    call(torch.ones(2, 3), torch.zeros(3, 3, dtype=torch.long), 1, 0.5, "née", flag=False),
    call(torch.ones(0, 1).half(), torch.ones(1, dtype=torch.long), 7, 2.0, "ab1", flag=True),
    call(torch.full((4, 4), -torch.inf).t(), None, None),
    call(torch.tensor([[100.0, 100.0], [1.0, 2.0]], dtype=torch.bfloat16), window=-3),
    call(torch.ones(3, 3)),
]


@pytest.mark.parametrize("one", CALLS)
def test_should_word_every_condition_in_both_languages(one: Call):
    seen = look(inspect.signature(given), one, {})
    met = conditions(seen, frozenset({"mask", "window", "scale", "word", "flag"}))
    words = {condition: worded(condition) for condition in met - {ALWAYS}}
    assert all("`" in text.en and "`" in text.zh for text in words.values())
    assert not any("absent" in text.en or "True" in text.en.replace("is True", "") for text in words.values())
    assert len({text.en for text in words.values()}) == len({text.zh for text in words.values()})


@pytest.mark.parametrize(
    ("condition", "en", "zh"),
    [
        (Condition("x.dtype", ("float16", "bfloat16")), "`x` is float16 or bfloat16", "`x` 是 float16 或 bfloat16"),
        (Condition("x.size(-1) against n", ("greater than",)), "`n` < `x.size(-1)`", "`n` < `x.size(-1)`"),
        (Condition("n", ("1", "2 or more")), "`n` ≥ 1", "`n` ≥ 1"),
        (Condition("window is given", ("False",)), "`window` is not given", "没有给出 `window`"),
        (Condition("window", ("absent",)), "`window` is left out", "省略了 `window`"),
        (Condition("x has -inf", ("True",)), "`x` holds −inf", "`x` 中有 −inf"),
    ],
)
def test_should_word_a_condition_as_a_learner_reads_it(condition, en, zh):
    assert (worded(condition).en, worded(condition).zh) == (en, zh)


def test_should_take_an_arguments_own_value_for_simpler_than_what_a_tensor_holds():
    order = [
        ALWAYS,
        Condition("window", ("1",)),
        Condition("x.dtype", ("bfloat16",)),
        Condition("x.dtype", ("float16", "bfloat16")),
        Condition("x.size(-1)", ("1",)),
        Condition("n against x.size(-1)", ("equal to",)),
        Condition("x has ties", ("True",)),
        Condition("x contiguous", ("False",)),
    ]
    ranks = [rank(condition) for condition in order]
    assert ranks == sorted(ranks)


def test_should_word_every_behaviour_in_both_languages():
    for pattern in BEHAVIOURS:
        text = BehavesLike(Candidate(pattern, "x", "1.0"), 70).sentence
        assert text.en.startswith("It behaves as if ")
        assert text.zh.startswith("它的表现就像")
        assert "{" not in text.en + text.zh
