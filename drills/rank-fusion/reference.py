"""Reciprocal rank fusion, with ranks from one or from zero."""

from __future__ import annotations


def rank_fusion_from_one(rankings: list[list], k: float = 60, weights: list[float] | None = None) -> list[tuple]:
    """Fuse rankings of document ids, best first, into one list of (id, score), best first."""
    scores = {}  # in the order in which documents first appear
    for i, ranking in enumerate(rankings):
        weight = 1.0 if weights is None else weights[i]
        seen = set()
        for rank, document in enumerate(ranking, start=1):
            if document not in seen:
                seen.add(document)
                gain = weight / (k + rank)
                scores[document] = scores.get(document, 0.0) + gain
    # sorted is stable: equal scores keep the order of the dict.
    return sorted(scores.items(), key=lambda item: item[1], reverse=True)


def rank_fusion_from_zero(rankings: list[list], k: float = 60, weights: list[float] | None = None) -> list[tuple]:
    """Fuse rankings of document ids, best first, into one list of (id, score), best first."""
    scores = {}  # in the order in which documents first appear
    for i, ranking in enumerate(rankings):
        weight = 1.0 if weights is None else weights[i]
        seen = set()
        for rank, document in enumerate(ranking):
            if document not in seen:
                seen.add(document)
                gain = weight / (k + rank)
                scores[document] = scores.get(document, 0.0) + gain
    # sorted is stable: equal scores keep the order of the dict.
    return sorted(scores.items(), key=lambda item: item[1], reverse=True)
