"""Exact ranks of the matching gallery items, which is all that R@k, mAP and mINP need.

The score of a query and a gallery item is the cosine similarity of their embeddings. Ties are broken against the model:
an item of another identity with an equal score ranks before a match, so a model that gives everything the same
embedding scores the worst, and nothing depends on the order of the gallery. Matches of one query take different ranks.

Scores are exact. Normalised embeddings are rounded to multiples of 2^-26, and then no sum of products of two of them
needs more than the 53 bits of a float64, in whatever order it is taken. So the ranks are the same, bit for bit, for
every order of queries and gallery, block size, number of threads and device. On a CPU the product is taken in float32
first, and only where two scores are too near to tell apart is it taken again in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from harness.errors import DataError
from harness.ranks import Ranks

GRID = 2.0**26
NOISE = 2e-7  # two float32 scores nearer than this, or than 6 times the largest error seen, are compared in float64
SAMPLE = 64  # scores of a block whose error is measured
DENSE = 1 << 15  # near pairs in a block above which whole rows are taken again instead of pairs
CELLS = 1 << 23  # scores held at a time
SPARSE = 1 / 64  # up to this share of a block above the worst matches, these few scores are listed one by one
COMPARE = {"cpu": 4, "cuda": 64}  # up to so many matches per query comparing each is faster than sorting the row


Persons = Tensor | np.ndarray  # integers, identities


def rank_positives(
    queries: Tensor, gallery: Tensor, query_person: Persons, gallery_person: Persons, block: int = 1024
) -> Ranks:
    """Rank the matches of every query by cosine similarity.

    Args:
        queries: floating point [Q, d], not necessarily normalised; computed where it is (CPU or CUDA).
        gallery: floating point [G, d], on the same device.
        query_person: integers [Q], identities.
        gallery_person: integers [G].
        block: Most queries at a time; fewer are taken for large galleries.

    Raises:
        DataError: no query, no gallery, no match at all, or an embedding that is zero or not finite.
    """
    layout = _Layout.of(query_person, gallery_person)
    if not queries.is_cuda:
        queries, gallery = queries.cpu(), gallery.cpu()
    queries, gallery = _fixed(queries, "query"), _fixed(gallery, "gallery")[layout.order.to(gallery.device)]
    if queries.is_cuda:

        def count(rows: slice, columns: Tensor, real: Tensor) -> Tensor:
            return _above(queries[rows] @ gallery.T, columns, real)

    else:
        single, room = gallery.float(), torch.empty(0)

        def count(rows: slice, columns: Tensor, real: Tensor) -> Tensor:
            nonlocal room  # new pages for every block would cost as much as reading them
            q = queries[rows]
            room = room if len(room) else torch.empty(len(q), len(gallery))
            return _settle(torch.mm(q.float(), single.T, out=room[: len(q)]), q, gallery, columns, real)

    return layout.ranks(count, block, queries.device)


def rank_scores(scores: Tensor, query_person: Persons, gallery_person: Persons, block: int = 1024) -> Ranks:
    """Rank the matches of every query by given scores [Q, G], higher is better; compared as they are.

    Raises:
        DataError: no query, no gallery, no match at all, or a score that is not finite.
    """
    layout = _Layout.of(query_person, gallery_person)
    scores = scores.detach() if scores.is_cuda else scores.detach().cpu()
    scores = scores if scores.dtype in (torch.float32, torch.float64) else scores.double()
    bad = (~torch.isfinite(scores)).any(dim=1).nonzero()
    if len(bad):
        raise DataError(f"{len(bad)} rows of scores are not finite", where=f"query {int(bad[0])}")
    gathered = layout.order.to(scores.device)
    return layout.ranks(lambda rows, *at: _above(scores[rows][:, gathered], *at), block, scores.device)


@dataclass(frozen=True, eq=False)
class _Layout:
    """The gallery in order of identity, so that the matches of a query are a run of columns."""

    order: Tensor  # int64 [G], gallery items by identity
    start: Tensor  # int64 [Q], first column of the run
    count: Tensor  # int64 [Q], matches

    @classmethod
    def of(cls, query_person: Persons, gallery_person: Persons) -> _Layout:
        queries, gallery = (torch.as_tensor(p).cpu().long() for p in (query_person, gallery_person))
        for name, person in (("queries", queries), ("gallery", gallery)):
            if not len(person):
                raise DataError(f"nothing to rank: the {name} are empty")
        sorted_person, order = gallery.sort(stable=True)
        start = torch.searchsorted(sorted_person, queries)
        count = torch.searchsorted(sorted_person, queries, right=True) - start
        if not count.any():
            raise DataError("no query has a match in the gallery", expected="identities that occur in both")
        return cls(order, start, count)

    def ranks(self, count: Callable[[slice, Tensor, Tensor], Tensor], block: int, device: torch.device) -> Ranks:
        """`count(rows, columns, real)` gives how many others score at least as high as each match, int64 [b, P]."""
        values, most = [], max(1, int(self.count.max()))
        step = max(1, min(block, CELLS // (len(self.order) + most)))
        for rows in (slice(i, i + step) for i in range(0, len(self.start), step)):
            matches = self.count[rows]
            place = torch.arange(max(1, int(matches.max())))
            real = place < matches[:, None]
            columns = torch.where(real, self.start[rows][:, None] + place, 0)
            above = count(rows, columns.to(device), real.to(device)).cpu()
            # The best match has the fewest others before it: sorted, the j-th has j matches before it as well.
            above = above.masked_fill(~real, len(self.order) + 1).sort(dim=1).values
            values.append((above + place + 1)[real])
        offsets = np.concatenate(([0], self.count.numpy().cumsum()))
        unmatched = np.flatnonzero(self.count.numpy() == 0)
        return Ranks(torch.cat(values).numpy(), offsets, len(self.order), unmatched)


def _fixed(x: Tensor, name: str) -> Tensor:
    """Rows of unit length as multiples of 1 / GRID, float64."""
    x = x.detach().to(torch.float64, copy=True)
    length = x.norm(dim=1, keepdim=True)
    bad = (~torch.isfinite(length) | (length == 0)).flatten().nonzero()
    if len(bad):
        raise DataError(f"{len(bad)} {name} embeddings are zero or not finite", where=f"{name} row {int(bad[0])}")
    return x.mul_(GRID / length).round_().div_(GRID)


def _take(scores: Tensor, columns: Tensor, real: Tensor) -> Tensor:
    """Scores of the matches, [b, P], and -inf in their place."""
    found = scores.gather(1, columns)
    rows = torch.arange(len(scores), device=scores.device)[:, None].expand_as(columns)
    scores[rows[real], columns[real]] = -torch.inf
    return found


def _at_least(scores: Tensor, *limits: Tensor) -> list[Tensor]:
    """How many scores of the row [b, G] reach each limit [b, P]: int64 [b, P] for each of `limits`."""
    if scores.is_cuda:
        if limits[0].shape[1] <= COMPARE["cuda"]:
            return [torch.stack([(scores >= v[:, None]).sum(1) for v in t.unbind(1)], 1) for t in limits]
        ordered = scores.sort(dim=1).values
        return [scores.shape[1] - torch.searchsorted(ordered, t.contiguous()) for t in limits]
    # On a CPU only what is above the worst match of a row matters, which is little where a model is good.
    cells, wanted = scores.numpy(), [t.numpy() for t in limits]
    kept = cells >= np.min([t.min(axis=1) for t in wanted], axis=0)[:, None]
    if np.count_nonzero(kept) <= SPARSE * kept.size:
        found = _few(cells, kept, wanted)
    elif limits[0].shape[1] <= COMPARE["cpu"]:
        # A sum of bytes is vectorised, that of truth values is not.
        every = [[(scores >= v[:, None]).view(torch.int8).sum(1, dtype=torch.int32) for v in t.T] for t in limits]
        return [torch.stack(each, 1).long() for each in every]
    else:
        found = [np.empty(t.shape, np.int64) for t in wanted]
        for row, (line, mask) in enumerate(zip(cells, kept, strict=True)):
            line = np.sort(line[mask])
            for t, into in zip(wanted, found, strict=True):
                into[row] = len(line) - line.searchsorted(t[row])
    return [torch.from_numpy(each) for each in found]


def _few(cells: np.ndarray, kept: np.ndarray, limits: list[np.ndarray]) -> list[np.ndarray]:
    """`_at_least` from a list of all scores that are kept."""
    flat = np.flatnonzero(kept)
    value, row = cells.ravel()[flat][:, None], flat // cells.shape[1]
    ends = np.searchsorted(row, np.arange(len(cells) + 1))
    found = []
    for t in limits:
        running = np.zeros((len(flat) + 1, t.shape[1]), np.int64)
        np.cumsum(value >= t[row], axis=0, out=running[1:])
        found.append(running[ends[1:]] - running[ends[:-1]])
    return found


def _above(scores: Tensor, columns: Tensor, real: Tensor) -> Tensor:
    """How many others score at least as high as each match, int64 [b, P]; changes `scores`."""
    return _at_least(scores, _take(scores, columns, real).masked_fill(~real, torch.inf))[0]


def _settle(scores: Tensor, q: Tensor, gallery: Tensor, columns: Tensor, real: Tensor) -> Tensor:
    """`_above` of the exact scores q @ gallery.T, given those scores in float32 on a CPU."""
    found = _take(scores, columns, real)
    some = real[:, 0].nonzero().flatten()[:SAMPLE]
    error = (found[some, 0] - (q[some] * gallery[columns[some, 0]]).sum(1)).abs()
    window = max(NOISE, 6 * float(error.max())) if len(error) else NOISE
    found = found.masked_fill(~real, torch.inf)
    low, high = found - window, found + window
    sure, possible = _at_least(scores, high, low)
    near = possible - sure
    if int(near.sum()) > DENSE:
        rows = near.any(dim=1).nonzero().flatten()
        sure[rows] = _above(q[rows] @ gallery.T, columns[rows], real[rows])
        return sure
    at, slots = near.numpy().nonzero()
    if not len(at):
        return sure
    cells, floor, ceiling = scores.numpy(), low.numpy()[at, slots], high.numpy()[at, slots]
    # Row by row, since a row fits into the cache nearest to the processor.
    lists = [np.flatnonzero((cells[r] >= a) & (cells[r] < b)) for r, a, b in zip(at, floor, ceiling, strict=True)]
    pair = torch.from_numpy(np.repeat(np.arange(len(at)), [len(each) for each in lists]))
    column, r, s = (torch.from_numpy(each) for each in (np.concatenate(lists), at, slots))
    mine = (q[r] * gallery[columns[r, s]]).sum(1)
    others = (q[r[pair]] * gallery[column]).sum(1)
    sure[r, s] += torch.zeros_like(r).index_add_(0, pair, (others >= mine[pair]).long())
    return sure
