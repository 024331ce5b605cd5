"""Are ranks, bit for bit, those that whole numbers give?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from harness.benchmark.doctor._line import Line, Setting, same
from harness.evaluation.ranking import GRID, rank_positives


def check(setting: Setting) -> Iterator[Line]:
    """Random embeddings, and embeddings of few values whose scores are full of ties."""
    count = 120 if setting.small else 1000
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randn(n, 64, generator=generator) for n in (count, count)]
    tied = [torch.randint(0, 2, (n, 16), generator=generator).mul(2).sub(1).float() for n in (count, count)]
    person, other = torch.arange(count) % 40, torch.arange(count) * 7 % 40
    for name, (queries, gallery) in (("ranks of random embeddings", drawn), ("ranks within ties", tied)):
        device = setting.device
        found = rank_positives(queries.to(device), gallery.to(device), person, other).values
        right = slow(queries, gallery, person.numpy(), other.numpy())
        wrong = int((found != right).sum()) if len(found) == len(right) else len(right)
        yield same(name, wrong, len(right), "ranks")


def slow(queries: Tensor, gallery: Tensor, query_person: np.ndarray, gallery_person: np.ndarray) -> np.ndarray:
    """Ranks of all matches, one query after the other, in integers; ties count against the match."""
    q, g = (_whole(each.double().numpy()) for each in (queries, gallery))
    ranks: list[int] = []
    for row, person in zip(q, query_person, strict=True):
        scores, match = g @ row, gallery_person == person
        others = scores[~match]
        best = sorted((int(s) for s in scores[match]), reverse=True)
        ranks += [int((others >= score).sum()) + place for place, score in enumerate(best, 1)]
    return np.array(ranks)


def _whole(x: np.ndarray) -> np.ndarray:
    """Rows of unit length in units of 1 / GRID; products of two such rows sum to at most 2^52 or so."""
    return np.rint(x * (GRID / np.sqrt((x * x).sum(1, keepdims=True)))).astype(np.int64)
