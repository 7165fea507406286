"""Cases, right kernels and peers of the kata supervised-batch; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="two answers in one conversation: both are learned, the user's turn between them is not",
    clauses=("targets", "labels", "conversations", "padding", "result"),
)
def base(make: Inputs) -> Call:
    roles = (("system", 1), ("user", 2), ("assistant", 2), ("user", 1), ("assistant", 3))
    return call([[(role, make.integers(1, 90, count).tolist()) for role, count in roles]], 12, 0)


@case(
    why="three conversations in two rows: the third does not fit into what is left",
    clauses=("packing", "positions", "labels", "padding"),
)
def packed(make: Inputs) -> Call:
    return call([_asked(21, 2, 2), _asked(31, 1, 3), _asked(41, 2, 1)], 10, 9)


@case(why="the second conversation fills its row to the last place: as many as length still fit", clauses=("packing",))
def exact_fit(make: Inputs) -> Call:
    return call([_asked(21, 2, 2), _asked(31, 1, 3), _asked(41, 1, 1)], 8, 0)


@case(
    why="the fourth would fit into the first row, which is closed: rows are filled in order",
    clauses=("packing", "positions"),
)
def first_row_is_closed(make: Inputs) -> Call:
    return call([_asked(21, 2, 2), _asked(31, 2, 3), _asked(41, 1, 2), _asked(51, 1, 1)], 7, 0)


@case(
    why="the answer's end is the pad token, as with tokenizers that have no other: it is a target all the same",
    clauses=("conversations", "targets", "padding"),
)
def pad_token_ends_the_answer(make: Inputs) -> Call:
    return call([[("user", [5, 2]), ("assistant", [6, 2])], [("user", [7, 2]), ("assistant", [8, 2])]], 10, 2)


@case(
    why="an answer is cut in the middle: what remains is learned, and nothing behind the cut is a label",
    clauses=("cut", "labels"),
)
def answer_cut(make: Inputs) -> Call:
    return call([_asked(21, 2, 6), _asked(31, 1, 1)], 5, 0)


@case(
    why="cut to the prompt alone, the first conversation takes no room, though its answer begins right behind the cut",
    clauses=("cut", "nothing-to-learn"),
)
def prompt_fills_the_row(make: Inputs) -> Call:
    return call([_asked(21, 5, 2), _asked(31, 2, 2), _asked(41, 9, 1)], 5, 0)


@case(
    why="a conversation without a target stands between two that share a row: it leaves no gap there",
    clauses=("nothing-to-learn", "packing"),
)
def left_out_between(make: Inputs) -> Call:
    return call([_asked(21, 2, 2), [("user", [31, 32])], _asked(41, 1, 2), _asked(51, 1, 1)], 7, 0)


@case(
    why="a conversation that begins with the assistant: its first token has nothing before it",
    clauses=("targets", "labels", "packing"),
)
def assistant_first(make: Inputs) -> Call:
    greeting = [("assistant", [21, 22]), ("user", [23]), ("assistant", [24])]
    return call([_asked(31, 1, 2), greeting, _asked(41, 1, 1)], 12, 0)


@case(
    why="a lone assistant token is a first token: nothing is left to learn, with one of two something is",
    clauses=("targets", "nothing-to-learn"),
)
def lone_tokens(make: Inputs) -> Call:
    return call([[("assistant", [21])], [("assistant", [31, 32])], [("user", [41])]], 4, 0)


@case(
    why="roles that only resemble it, an empty answer, and a conversation without turns: none has a target",
    clauses=("targets", "nothing-to-learn", "conversations"),
)
def other_roles(make: Inputs) -> Call:
    tool = [("user", [21]), ("tool", [22, 23]), ("assistant", []), ("assistant", [24])]
    alike = [[("user", [31]), (role, [32])] for role in ("Assistant", " assistant", "assistant-draft", "model")]
    return call([[("user", [11, 12]), ("assistant", [])], [], tool, *alike], 6, 0)


@case(why="nothing to learn anywhere: no rows, of the right length and dtype", clauses=("nothing-to-learn", "result"))
def no_rows(make: Inputs) -> Call:
    return call([[("user", [11, 12])], [("system", [13])]], 6, 0)


@case(why="no conversations at all", clauses=("conversations", "result"))
def no_conversations(make: Inputs) -> Call:
    return call([], 3, 1)


@case(why="a length of one: a first token is all that remains of anything", clauses=("cut", "nothing-to-learn"))
def length_one(make: Inputs) -> Call:
    return call([_asked(21, 1, 2), [("assistant", [31, 32])]], 1, 0)


@case(why="numbers and lengths of their own", fresh=True, clauses=("cut", "targets", "labels", "packing", "always"))
def fresh(make: Inputs) -> Call:
    made = [
        [(role, make.integers(0, 50, make.size(0, 3)).tolist()) for role in ("system", "user", "assistant", "user")]
        + [("assistant", make.integers(0, 50, make.size(1, 4)).tolist())]
        for _ in range(make.size(5, 8))
    ]
    return call(made, make.size(9, 14), make.size(0, 49))


def _asked(first: int, asked: int, answered: int) -> list[tuple[str, list[int]]]:
    """A question and its answer, of so many tokens, whose ids count on from `first`."""
    middle = first + asked
    return [("user", list(range(first, middle))), ("assistant", list(range(middle, middle + answered)))]


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_conversations(draw: Draw) -> Call:
    length, pad_id = draw.option(1, 2, 3, 4, 5, 6, 8), draw.option(0, 1, 3, 7)
    conversations = [_conversation(draw) for _ in range(draw.pick(0, 1, 1, 2, 3, 4, 5))]
    lengths = [sum(len(ids) for _, ids in turns) for turns in conversations]
    draw.mark("longest", "as length" if max(lengths, default=0) == length else max(lengths, default=0) > length)
    draw.mark("two fill a row", any(a + b == length for a, b in itertools.pairwise(lengths)))
    draw.mark("begins with", _first_role(conversations))
    if draw.chance(0.1):
        return call(conversations=conversations, length=length, pad_id=pad_id)
    return call(conversations, length, pad_id)


def _first_role(conversations: list[list[tuple[str, list[int]]]]) -> str:
    """The role of the first token, where there is one."""
    return next((role for turns in conversations for role, ids in turns if ids), "")


def _conversation(draw: Draw) -> list[tuple[str, list[int]]]:
    roles = draw.pick(
        ("user", "assistant"), ("user", "assistant"), ("user", "assistant"), ("system", "user", "assistant", "user"),
        ("user", "assistant", "user", "assistant"), ("assistant", "user", "assistant"), ("assistant",), ("user",), (),
        ("user", "assistant", "tool", "assistant"), ("user", "assistant", "assistant"),
    )  # fmt: skip
    return [(role, draw.integers(0, 9, draw.pick(0, 1, 1, 1, 2, 2, 3, 4)).tolist()) for role in roles]


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("compact", why="one loop and plain lists", variants=("model-shifts",))
def compact(conversations, length, pad_id):
    rows, room = [], 0
    for turns in conversations:
        ids, labels = [], []
        for role, new in turns:
            learned = role == "assistant"
            ids += new
            labels += new if learned else [-100] * len(new)
        ids = ids[:length]
        labels = [-100, *labels[1:length]]
        if set(labels) == {-100}:
            continue
        if len(ids) > room:
            rows.append([(pad_id, -100, 0)] * length)
            room = length
        start = length - room
        at = range(len(ids))
        new = list(zip(ids, labels, at, strict=True))
        rows[-1][start : start + len(ids)] = new
        room -= len(ids)
    table = torch.tensor(rows, dtype=torch.int64)
    return table.view(-1, length, 3).unbind(-1)


@equivalent("compact-shifted", why="one loop, and a mask that is shifted with the ids", variants=("loader-shifts",))
def compact_shifted(conversations, length, pad_id):
    rows, room = [], 0
    for turns in conversations:
        ids, mask = [], []
        for role, new in turns:
            ids += new
            mask += [role == "assistant"] * len(new)
        ids, mask = ids[:length], [*mask[1:length], False]
        pairs = zip([*ids[1:], -100], mask, strict=False)
        labels = [b if m else -100 for b, m in pairs]
        if set(labels) <= {-100}:
            continue
        if len(ids) > room:
            rows.append([(pad_id, -100, 0)] * length)
            room = length
        start = length - room
        at = range(len(ids))
        new = list(zip(ids, labels, at, strict=True))
        rows[-1][start : start + len(ids)] = new
        room -= len(ids)
    table = torch.tensor(rows, dtype=torch.int64)
    return table.view(-1, length, 3).unbind(-1)


@equivalent(
    "tensors",
    why="tensors from the start, a mask, and torch.where; rows are joined and padded",
    variants=("model-shifts",),
)
def tensors(conversations, length, pad_id):
    rows, current, room = [], [], 0
    for turns in conversations:
        ids = torch.tensor([token for _, part in turns for token in part], dtype=torch.int64)[:length]
        mask = torch.tensor([role == "assistant" for role, part in turns for _ in part], dtype=torch.bool)[:length]
        at = torch.arange(ids.numel())
        mask = mask & (at > 0)
        if not mask.any():
            continue
        if ids.numel() > room:
            rows, current, room = [*rows, current], [], length
        current.append(torch.stack((ids, torch.where(mask, ids, -100), at)))
        room -= ids.numel()
    rows = [torch.cat(row, dim=1) for row in [*rows, current] if row]
    out = torch.tensor([pad_id, -100, 0])[:, None, None].repeat(1, len(rows), length)
    for at, row in enumerate(rows):
        out[:, at, : row.shape[1]] = row
    return tuple(out.unbind(0))


@equivalent(
    "whole-rows-shifted",
    why="packs unshifted labels, whose first of each conversation is −100, and shifts whole rows at the end",
    variants=("loader-shifts",),
)
def whole_rows_shifted(conversations, length, pad_id):
    rows = []
    for turns in conversations:
        tokens = [(token, role == "assistant") for role, ids in turns for token in ids][:length]
        triples = [(token, token if kept and at else -100, at) for at, (token, kept) in enumerate(tokens)]
        if not any(label >= 0 for _, label, _ in triples):
            continue
        if rows and len(rows[-1]) + len(triples) <= length:
            rows[-1].extend(triples)
        else:
            rows.append(triples)
    for row in rows:
        row.extend([(pad_id, -100, 0)] * (length - len(row)))
    whole = torch.tensor(rows, dtype=torch.int64).reshape(len(rows), length, 3)
    labels = F.pad(whole[..., 1], (0, 1), value=-100)[:, 1:]
    return whole[..., 0], labels, whole[..., 2]


@equivalent("numpy", why="arrays of numpy, and positions from the rows' starts", variants=("loader-shifts",))
def by_numpy(conversations, length, pad_id):
    import numpy as np

    kept = []
    for turns in conversations:
        ids = np.array([token for _, part in turns for token in part], dtype=np.int64)
        mask = np.array([role == "assistant" for role, part in turns for _ in part], dtype=bool)
        following = np.full_like(ids, -100)
        following[:-1][mask[1:]] = ids[1:][mask[1:]]
        ids, following = ids[:length].copy(), following[:length].copy()
        following[-1:] = -100
        if (following != -100).any():
            kept.append((ids, following))
    places, row, used = [], -1, length
    for ids, _ in kept:
        if used + len(ids) > length:
            row, used = row + 1, 0
        places.append((row, used))
        used += len(ids)
    full = [np.full((row + 1, length), value, dtype=np.int64) for value in (pad_id, -100, 0)]
    for (ids, following), (at, start) in zip(kept, places, strict=True):
        span = slice(start, start + len(ids))
        full[0][at, span], full[1][at, span], full[2][at, span] = ids, following, np.arange(len(ids))
    return tuple(torch.from_numpy(part) for part in full)


# Peers ------------------------------------------------------------------------------------------------------------


def _flattened(conversations, length, pad_id):
    """Each row by transformers' collator for packed rows; here only which conversations share a row is decided."""
    from transformers import DataCollatorWithFlattening

    collate, rows, room = DataCollatorWithFlattening(return_tensors="pt"), [], 0
    for turns in conversations:
        ids = [token for _, part in turns for token in part][:length]
        labels = [token if role == "assistant" else -100 for role, part in turns for token in part][:length]
        if all(label == -100 for label in labels[1:]):
            continue
        if len(ids) > room:
            rows.append([])
            room = length
        rows[-1].append({"input_ids": ids, "labels": labels})
        room -= len(ids)
    found = []
    for key, value in (("input_ids", pad_id), ("labels", -100), ("position_ids", 0)):
        parts = [F.pad(part, (0, length - part.numel()), value=value) for part in (collate(r)[key][0] for r in rows)]
        found.append(torch.stack(parts) if parts else torch.zeros(0, length, dtype=torch.int64))
    return tuple(found)


@peer("transformers", variants=("model-shifts",))
def transformers_flattening(conversations, length, pad_id):
    return _flattened(conversations, length, pad_id)


@peer("transformers", variants=("loader-shifts",))
def transformers_flattening_shifted(conversations, length, pad_id):
    input_ids, labels, position_ids = _flattened(conversations, length, pad_id)
    # ForCausalLMLoss pads the labels at the end by −100, and drops the first.
    return input_ids, F.pad(labels, (0, 1), value=-100)[:, 1:], position_ids
