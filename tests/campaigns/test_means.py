"""The mean rank of a few images by hand, and the means of one training against trials that ask for them."""

from __future__ import annotations

import pytest
import torch

from harness.store.store import Store
from harness.trial.run import run
from tests.campaigns.means import MEANS, Watched, ranks, together
from tests.harness.trial.test_averaged import resolved


def test_ranks_by_hand():
    assert ranks(torch.tensor([[0.1, 0.9, 0.5, 0.5]])).tolist() == [[4, 1, 3, 3]]


def test_the_mean_rank_orders_and_the_mean_similarity_settles_ties():
    one = torch.tensor([[0.9, 0.5, 0.1, -1.0]], dtype=torch.float64)  # ranks 1, 2, 3, 4
    other = torch.tensor([[0.20, 0.22, 0.21, 0.19]], dtype=torch.float64)  # ranks 3, 1, 2, 4
    # Mean ranks 2, 1.5, 2.5, 4, while the mean similarity has the first image before the second.
    assert together([one, other]).argsort(descending=True).tolist() == [[1, 0, 2, 3]]
    far = torch.tensor([[0.9, -0.8, -0.9]], dtype=torch.float64)  # ranks 1, 2, 3
    near = torch.tensor([[0.1, 0.3, 0.2]], dtype=torch.float64)  # ranks 3, 1, 2; means 2, 1.5, 2.5
    assert together([far, near]).argsort(descending=True).tolist() == [[1, 0, 2]], "however large the similarity is"
    turned = torch.tensor([[0.1, 0.8, 0.2]], dtype=torch.float64)  # ranks 3, 1, 2
    back = torch.tensor([[0.9, 0.1, 0.5]], dtype=torch.float64)  # ranks 1, 3, 2: all means are 2
    assert together([turned, back]).argsort(descending=True).tolist() == [[0, 1, 2]], "0.5, 0.45, 0.35"


@pytest.mark.slow
def test_a_mean_beside_a_training_is_that_of_a_trial_that_asks_for_it(tmp_path):
    beside = Watched(resolved(tmp_path, None), tmp_path).found
    for number, asked in enumerate((None, *MEANS)):
        item, store = resolved(tmp_path, asked), Store(tmp_path / str(number))
        assert run(item, store.root, tmp_path) == "ok"
        scores = store.measured([item["id"]], ("scores",))["scores"]
        own = scores.query("split == 'test' and direction == 't2i' and metric == 'R1'")["value"].item()
        assert own == beside[asked or "none"], asked
