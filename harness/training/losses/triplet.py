"""Cross-modal triplets with the hardest negative (Faghri et al., VSE++, BMVC 2018), on Euclidean distances."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.training.losses._similarity import same


def loss(image: Tensor, text: Tensor, person: Tensor, margin: float = 1.0) -> Tensor:
    """Mean over i of max(0, |image_i - text_i| - min over j of another person |image_i - text_j| + margin), plus the
    same with the roles exchanged; embeddings are not normalised. An anchor without another person in the batch gives 0.
    """
    # Without the matrix product, which loses the digits of small distances.
    distance = torch.cdist(image, text, compute_mode="donot_use_mm_for_euclid_dist")
    pair = distance.diagonal()
    others = distance.masked_fill(same(person).bool(), torch.inf)
    to_text, to_image = (F.relu(pair - others.amin(dim) + margin).mean() for dim in (1, 0))
    return to_text + to_image
