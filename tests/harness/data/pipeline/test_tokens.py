"""Token ids: lengths, trimming, masking against a slow loop and its frequencies."""

import json
from pathlib import Path

import pytest
import torch

from harness.data.pipeline import random, tokens

FIXTURES = Path(__file__).parents[3] / "fixtures/oracle"
START, END, MASK, VOCABULARY = 98, 99, 97, 100


def captions(count=40, longest=20, seed=0):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, MASK, (count, longest), generator=generator)
    ids[:, 0] = START
    for row, end in zip(ids, torch.randint(2, longest, (count,), generator=generator).tolist(), strict=True):
        row[end], row[end + 1 :] = END, 0
    return ids


def masked(ids, probability=0.15, seed=0, epoch=0, index=None):
    index = torch.arange(len(ids)) if index is None else index
    return tokens.mask_labelled(ids, probability, seed, epoch, index, MASK, VOCABULARY, (START, END))


def test_lengths_of_the_fixtures():
    rows = [row["ids"] for row in json.loads((FIXTURES / "tokenizer.json").read_text())["rows"]]
    ids = torch.tensor([row + [0] * (77 - len(row)) for row in rows])
    firsts = [row.index(49407) + 1 for row in rows]
    assert tokens.lengths(ids).tolist() == firsts
    assert tokens.trim(ids).shape == (len(rows), 77)
    assert tokens.trim(ids[:3]).tolist() == ids[:3, : max(firsts[:3])].tolist()


def test_trim_keeps_a_token_with_the_id_of_the_padding():
    ids = torch.tensor([[START, 5, 0, 0, END, 0, 0, 0], [START, 5, END, 0, 0, 0, 0, 0]])
    assert tokens.trim(ids).shape == (2, 5)
    assert tokens.trim(ids, 4).shape == (2, 8) and tokens.trim(ids, 6).shape == (2, 6)
    assert tokens.trim(ids, 16).shape == (2, 8) and tokens.trim(ids[:0]).shape[0] == 0


@pytest.mark.parametrize("probability", [0.0, 0.15, 0.6, 1.0])
def test_mask_equals_a_loop(probability):
    ids = captions()
    u = random.uniform(random.TEXT, 5, 6, torch.arange(40) + 7, 60).view(40, 20, 3)
    allowed = [i for i in range(1, VOCABULARY) if i not in (START, END, MASK)]
    want, labels = ids.clone(), torch.zeros_like(ids)
    for i in range(40):
        words = range(1, ids[i].tolist().index(END))
        chosen = [j for j in words if u[i, j, 0] < probability]
        if not chosen and probability:
            chosen = [min(words, key=lambda j: u[i, j, 0])]
        for j in chosen:
            labels[i, j] = ids[i, j]
            how = float(u[i, j, 1])
            want[i, j] = MASK if how < 0.8 else allowed[int(u[i, j, 2] * len(allowed))] if how < 0.9 else ids[i, j]
    got = masked(ids, probability, 5, 6, torch.arange(40) + 7)
    assert torch.equal(got[0], want) and torch.equal(got[1], labels)
    alone = tokens.mask(ids, probability, 5, 6, torch.arange(40) + 7, MASK, VOCABULARY, (START, END))
    assert torch.equal(alone, want)


def test_mask_frequencies():
    ids = captions(4000, 40)
    got, labels = masked(ids)
    words = (ids > 0) & (ids < MASK)
    chosen = labels > 0
    assert not (chosen & ~words).any() and torch.equal(got[~chosen], ids[~chosen]) and chosen.any(dim=1).all()
    long = words.sum(1) > 25
    assert abs(chosen[long].sum() / words[long].sum() - 0.15) < 0.01
    share = [(chosen & x).sum() / chosen.sum() for x in (got == MASK, got == ids)]
    assert abs(share[0] - 0.8) < 0.02 and abs(share[1] - 0.1) < 0.02
    drawn = got[chosen & (got != MASK) & (got != ids)]
    assert drawn.min() == 1 and drawn.max() == MASK - 1
    assert torch.equal(tokens.lengths(got), tokens.lengths(ids))


def test_mask_is_pure():
    ids, index = captions(), torch.arange(40) * 3
    whole = masked(ids, index=index)[0]
    p = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    assert torch.equal(masked(ids[p], index=index[p])[0], whole[p])
    assert torch.equal(masked(ids[3:4], index=index[3:4])[0], whole[3:4])
    for change in ({"seed": 1}, {"epoch": 1}, {"index": index + 1}):
        assert not torch.equal(masked(ids, **{"index": index, **change})[0], whole)


def test_a_caption_without_words_stays():
    ids = torch.tensor([[START, END, 0, 0], [START, MASK, END, 0]])
    got, labels = masked(ids, 1.0)
    assert torch.equal(got, ids) and not labels.any()


def test_start_and_end_are_kept_without_being_named():
    ids = captions()
    got = tokens.mask(ids, 1.0, 0, 0, torch.arange(40), MASK, VOCABULARY)
    at = tokens.lengths(ids) - 1
    assert (got[:, 0] == START).all() and (got[torch.arange(40), at] == END).all() and torch.equal(got == 0, ids == 0)


def test_masking_and_trimming_may_be_exchanged():
    """A position's draws do not depend on how far its batch is cut."""
    ids = captions()
    short = tokens.lengths(ids) < 12
    index = torch.arange(40)[short]
    a, b = masked(tokens.trim(ids[short]), index=index), masked(ids[short], index=index)
    assert 1 < short.sum() < 40 and tokens.trim(ids[short]).shape[1] < ids.shape[1]
    assert torch.equal(a[0], tokens.trim(b[0])) and torch.equal(a[1], b[1][:, : a[1].shape[1]])
