"""Tokenised conversations as rows of a training batch: the assistant's tokens are learned, and nothing else."""

from __future__ import annotations

import torch

IGNORED = -100  # what the loss leaves out


def supervised_batch_model_shifts(
    conversations: list[list[tuple[str, list[int]]]], length: int, pad_id: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pack conversations, lists of (role, ids), into rows; return input_ids, labels and position_ids, all (R, length)."""
    return _batch(conversations, length, pad_id, shift=0)


def supervised_batch_loader_shifts(
    conversations: list[list[tuple[str, list[int]]]], length: int, pad_id: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pack conversations, lists of (role, ids), into rows; return input_ids, labels and position_ids, all (R, length)."""
    return _batch(conversations, length, pad_id, shift=1)


def _batch(
    conversations: list[list[tuple[str, list[int]]]], length: int, pad_id: int, shift: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rows: list[tuple[list[int], list[int], list[int]]] = []
    for turns in conversations:
        ids = [token for _, tokens in turns for token in tokens][:length]
        learned = [role == "assistant" for role, tokens in turns for _ in tokens][:length]
        targets = [token if wanted else IGNORED for token, wanted in zip(ids, learned, strict=True)]
        targets[:1] = [IGNORED] * len(targets[:1])  # no token stands before the first, to predict it
        if all(target == IGNORED for target in targets):
            continue  # after the cut: only now is it known what is left to learn
        if not rows or len(rows[-1][0]) + len(ids) > length:
            rows.append(([], [], []))
        input_ids, labels, position_ids = rows[-1]
        input_ids.extend(ids)
        # Shifted within the conversation, so no label comes from the next one, or from behind the cut.
        labels.extend(targets[shift:] + [IGNORED] * shift)
        position_ids.extend(range(len(ids)))
    return (
        _padded([row[0] for row in rows], length, pad_id),
        _padded([row[1] for row in rows], length, IGNORED),
        _padded([row[2] for row in rows], length, 0),
    )


def _padded(rows: list[list[int]], length: int, value: int) -> torch.Tensor:
    filled = torch.full((len(rows), length), value)  # (R, length), int64
    for at, row in enumerate(rows):
        filled[at, : len(row)] = torch.tensor(row)
    return filled
