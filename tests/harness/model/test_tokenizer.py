"""Token ids against the reference's, and the cut vocabulary against the whole one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness.model.tokenizer import Tokenizer, cut, tokenizer
from harness.model.weights import Source

ROWS = json.loads((Path(__file__).parents[2] / "fixtures" / "oracle" / "tokenizer.json").read_text())["rows"]
# The reference takes a word of the vocabulary as its mask token; captions that spell such markers are not compared.
PLAIN = [row for row in ROWS if "<|" not in row["caption"]]


@pytest.mark.parametrize("row", PLAIN, ids=range(len(PLAIN)))
def test_ids_equal_the_reference(row):
    ids, truncated = Tokenizer(77)([row["caption"]])
    assert ids.shape == (1, 77)
    assert ids[0][: len(row["ids"])].tolist() == row["ids"]
    assert not ids[0][len(row["ids"]) :].any()
    assert truncated == (row["untruncated_len"] > 77)


def test_the_fixture_has_plain_and_overlong_captions():
    assert len(PLAIN) >= 8 and any(row["untruncated_len"] > 77 for row in PLAIN)


def test_a_cut_vocabulary_keeps_words_and_spells_the_others():
    small = Tokenizer(20, cut(["a man in a red coat"]))
    known, _ = small(["a red man"])
    assert (known[0] > 0).sum() >= 4 and known[0].argmax() == 4
    assert known[0][0] == small.start and known[0][4] == small.end == small.vocabulary - 1
    spelled, _ = small(["a xylophone"])
    assert (spelled[0] == small.end).argmax() == 2 + len("xylophone")
    letters = Tokenizer(20)(["e"])[0][0][1]
    assert small.kept[spelled[0][spelled[0].argmax() - 1]] == letters, "the last letter ends its word"
    whole, _ = Tokenizer(20)(["a red man"])
    assert [small.kept[i] for i in known[0][1:4]] == whole[0][1:4].tolist()


def test_truncation_keeps_the_end_and_is_counted():
    small = Tokenizer(4, cut(["a man"]))
    ids, truncated = small(["a man a man a man", "a man"])
    assert truncated == 1
    assert np.array_equal(ids.argmax(axis=1), [3, 3]) and (ids[:, 3] == small.end).all()


def test_backbones_have_their_own():
    assert tokenizer(Source("tiny")).vocabulary < 5000
    assert tokenizer(Source("ViT-B-16")).vocabulary == 49408
    assert tokenizer(Source("tiny")).key != tokenizer(Source("ViT-B-16")).key
