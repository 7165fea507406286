"""The calls and the steps of spot-the-bug cards, run: what a card shows was computed, what it says holds.

Needs torch: it runs in the checker's process, as the proof of the kata does.
"""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch

from llmdrills.content.cardtext import MOST_NUMBERS, WIDTH, loose_numbers
from llmdrills.content.derive import card_kernel, cards_in, result_lines, right_lines
from llmdrills.content.model import Card, Kata, Slip
from llmdrills.grading.authoring import Kernel
from llmdrills.grading.kernels.launches import StoppedCallError, watched
from llmdrills.grading.kernels.registry import LoadedKata, VariantKernels
from llmdrills.grading.proving.reports import CardFault, CardReport
from llmdrills.grading.proving.scratch import scratch

__all__ = ["prove_cards"]

_MOST_SHOWN = 2 * MOST_NUMBERS
_SEEDS = (0, 1)
_BARE: dict[str, Any] = {name: getattr(math, name) for name in dir(math) if not name.startswith("_")}


def prove_cards(loaded: LoadedKata, kernels: VariantKernels) -> dict[str, CardReport]:
    """Run the call and the steps of every card that shows this variant: a report by the slip's id."""
    found: dict[str, CardReport] = {}
    wrong = {one.id: one.kernel for one in kernels.wrong}
    cards = cards_in(loaded.kata, kernels.variant.id)
    if not cards:
        return found
    with scratch() as folder, loaded.importable():
        try:
            names = loaded.on_cards(folder)
        except Exception as error:  # whatever the author's function raises
            what = f"`on_cards` of cases.py raises {type(error).__name__}: {error}"
            fault = CardFault("card-call", "call", what, "fix it: the calls of the cards use what it names")
            return {slip.id: CardReport(expected="", got="", faults=(fault,)) for slip, _ in cards}
        for slip, card in cards:
            space = {**names, "torch": torch, "math": math}
            kernels_of = watched(kernels.solution), watched(wrong[slip.id])
            found[slip.id] = _prove(_Shown(loaded.kata, slip, card, space), kernels_of)
    return found


class _Shown(NamedTuple):
    """A card of a kata, and the names that its call may use beside the entry."""

    kata: Kata
    slip: Slip
    card: Card
    space: Mapping[str, Any]


def _prove(shown: _Shown, both: tuple[Kernel, Kernel]) -> CardReport:
    card = shown.card
    results = [_result(shown, kernel) for kernel in both]
    faults = [fault for result in results for fault in result.faults]
    expected, got = (result.text for result in results)
    if not faults:
        faults += _of_results(expected, got, raised=results[0].raised)
    faults += [CardFault("card-step", f"steps.{at}", *why) for at, why in _false_steps(card)]
    faults += _of_text(shown, (expected, got))
    return CardReport(expected=expected, got=got, faults=tuple(dict.fromkeys(faults)))


class _Result:
    """What a call gives: its text, how many numbers it holds, and what is wrong with it."""

    def __init__(self) -> None:
        self.text = ""
        self.raised = False
        self.faults: list[CardFault] = []


def _result(shown: _Shown, kernel: Kernel) -> _Result:
    entry, code = shown.kata.entry, shown.card.call.strip()
    found = _Result()
    texts = []
    for seed in _SEEDS:
        torch.manual_seed(seed)
        random.seed(seed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                space = {**shown.space, entry: kernel}
                value = eval(compile(code, "<call>", "eval", dont_inherit=True), space)  # noqa: S307  # the point
            texts.append(_shown(value))
            size = _size(value)
        except (SyntaxError, NameError) as error:
            what, todo = f"its call is no Python that runs: {error}", f"use `{entry}`, `torch` and `math` alone"
            found.faults.append(CardFault("card-call", "call", what, todo))
            return found
        except StoppedCallError as stopped:
            texts.append(f"stopped: {stopped.kind}")
            found.raised, size = True, 0
        except Exception as error:  # an answer of the kernel, as it is one to a case
            texts.append(f"raises {type(error).__name__}")
            found.raised, size = True, 0
    found.text = texts[0]
    if len(set(texts)) > 1:
        what = f"its call gives `{texts[0]}` and then `{texts[1]}`"
        found.faults.append(CardFault("card-result", "call", what, "choose an input whose result is always the same"))
    if size > _MOST_SHOWN:
        what, todo = f"its call gives {size} numbers", f"choose an input that gives {_MOST_SHOWN} or fewer"
        found.faults.append(CardFault("card-result", "call", what, todo))
    return found


def _of_results(expected: str, got: str, *, raised: bool) -> Iterator[CardFault]:
    if expected == got:
        what = f"the right kernel and the wrong one give the same: `{expected}`"
        yield CardFault("card-agrees", "call", what, "choose an input that shows the mistake")
    elif raised and expected not in {"raises ValueError", "raises IndexError"}:
        yield CardFault("card-call", "call", f"the right kernel {expected}", "choose an input that the contract allows")
    for name, value in (("right", expected), ("wrong", got)):
        for line in result_lines("# this kernel: {value}", value):
            if len(line) > WIDTH:
                what = f"a line of what the {name} kernel gives takes {len(line)} columns"
                yield CardFault("card-result", "call", what, f"choose an input whose result fits in {WIDTH}")


def _false_steps(card: Card) -> Iterator[tuple[int, tuple[str, str]]]:
    """The steps that do not hold, by their place: what is wrong, and what to do."""
    for at, step in enumerate(card.steps):
        try:
            code = compile(step.strip(), "<step>", "eval", dont_inherit=True)
            value = eval(code, {**_BARE, "math": math, "torch": torch})  # noqa: S307  # running it is the point
            value = value.item() if isinstance(value, torch.Tensor) and value.numel() == 1 else value
        except Exception as error:  # whatever the author's step raises
            yield at, (f"the step `{step}` raises {type(error).__name__}: {error}", "fix the step")
            continue
        if value is False:
            yield at, (f"the step `{step}` does not hold", "fix the step, or the text that it proves")
        elif value is not True:
            yield at, (f"the step `{step}` is no comparison", "write it as `… == …`")


def _of_text(shown: _Shown, results: tuple[str, str]) -> Iterator[CardFault]:
    card = shown.card
    kernel = "\n".join([card_kernel(shown.kata, shown.slip), *right_lines(shown.slip)])
    for language in ("en", "zh"):
        if language in card.positions:
            for written in loose_numbers(card.text[language], (card.call, *card.steps, *results), kernel):
                what = f"its text says {written}, which no step, nor the call, nor a result contains"
                yield CardFault("card-number", language, what, "add a step that proves it, or say it without")


def _size(value: object) -> int:
    if isinstance(value, torch.Tensor):
        return int(value.numel())
    if isinstance(value, Mapping):
        return sum(map(_size, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(_size, value))
    return 1


def _shown(value: object) -> str:
    """A result in a few characters: numbers have four digits."""
    if isinstance(value, torch.Tensor):
        implied = {torch.float32, torch.int64, torch.bool} if value.numel() else {torch.float32}
        dtype = "" if value.dtype in implied else f", dtype={value.dtype}"
        if not value.numel():
            return f"torch.empty({list(value.shape)}{dtype})"
        return f"tensor({_shown(value.detach().tolist())}{dtype})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, torch.Size):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(_shown, value))}{',' if len(value) == 1 else ''})"
    return _number(value) if isinstance(value, float) else repr(value)


def _number(value: float) -> str:
    if math.isfinite(value) and value == int(value) and abs(value) < 1e6:
        return f"{int(value)}.0"
    text = f"{value:.4g}"
    return f"{text}.0" if text.lstrip("-").isdigit() else text
