"""Evaluation: encode every image and caption once, rank once, measure every metric."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from harness import memory
from harness import ranks as metrics
from harness.data.split import Split
from harness.evaluation.ranking import rank_positives
from harness.model.clip import Backbone
from harness.ranks import Ranks


@dataclass(frozen=True)
class Measured:
    """One direction of retrieval on one split.

    Attributes:
        values: Metric to percent; None where the metric is undefined (rank-k in a gallery below k).
        records: Per-query columns: query, person, positives, first, ap, inp.
        ranks: int32 [sum of positives], those of all positives of the first query of `records`, of the second ...
        queries: Queries with a match.
        gallery: Gallery size.
        unmatched: Queries without a match, excluded.
    """

    values: dict[str, float | None]
    records: dict[str, np.ndarray]
    ranks: np.ndarray
    queries: int
    gallery: int
    unmatched: int


@torch.inference_mode()
def encode(
    tower: Callable[[Tensor], Tensor],
    count: int,
    read: Callable[[slice], Tensor],
    batch: int,
    bf16: bool = False,
    unit: bool = True,
) -> Tensor:
    """Features [count, embed], float32, of inputs that `read` delivers by slice; of length 1 unless `unit` is False.

    When memory runs out, the same inputs are encoded again in smaller batches.
    """
    features: Tensor | None = None
    part: Tensor | None
    start = 0
    while start < count:
        try:
            inputs = read(slice(start, min(start + batch, count)))
            with torch.autocast(inputs.device.type, torch.bfloat16) if bf16 else nullcontext():
                part = tower(inputs).float()
        except Exception as fault:
            if not memory.exhausted(fault) or batch == 1:
                raise
            part, inputs = None, torch.empty(0)
        if part is None:
            batch = min(batch, count - start) // 2 or 1
            memory.release(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
            continue
        part = torch.nn.functional.normalize(part, dim=-1) if unit else part
        features = part.new_empty(count, part.shape[1]) if features is None else features
        features[start : start + len(part)] = part
        start += len(part)
    return torch.empty(0, 0) if features is None else features


def encode_texts(
    backbone: Backbone, ids: np.ndarray, batch: int = 256, bf16: bool = False, unit: bool = True
) -> Tensor:
    """Text features [captions, embed]; captions of one length go together, so that few padded tokens are computed."""
    device = backbone.text.position.device
    lengths = ids.argmax(axis=1) + 1
    order = np.argsort(lengths, kind="stable")

    def read(rows: slice) -> Tensor:
        chosen = order[rows]
        return torch.as_tensor(ids[chosen, : lengths[chosen].max()], device=device)

    sorted_features = encode(backbone.text, len(ids), read, batch, bf16, unit)
    features = torch.empty_like(sorted_features)
    features[torch.as_tensor(order, device=device)] = sorted_features
    return features


def encode_images(
    backbone: Backbone,
    images: np.ndarray,
    prepare: Callable[[Tensor], Tensor],
    batch: int = 128,
    bf16: bool = False,
    unit: bool = True,
) -> Tensor:
    """Image features [images, embed] of packed uint8 images; `prepare` normalises a batch on the device."""
    device = backbone.text.position.device

    def read(rows: slice) -> Tensor:
        return prepare(torch.from_numpy(np.array(images[rows])).to(device))

    return encode(backbone.image, len(images), read, batch, bf16, unit)


def measure(queries: Tensor, gallery: Tensor, query_person: np.ndarray, gallery_person: np.ndarray) -> Measured:
    """Every metric in `harness/evaluation/metrics/` for one direction; means are over the queries that have a match."""
    ranks = rank_positives(queries, gallery, query_person, gallery_person)
    values = {metric: metrics.percent(each) for metric, each in metrics.measured(ranks).items()}
    kept, flat = records(ranks, query_person), ranks.values.astype(np.int32)
    return Measured(values, kept, flat, ranks.queries, ranks.gallery, len(ranks.unmatched))


def text_to_image(image: Tensor, text: Tensor, split: Split) -> Measured:
    """Captions are queries, images the gallery: the direction of the field's tables."""
    return measure(text, image, split.caption_person, split.image_person)


def image_to_text(image: Tensor, text: Tensor, split: Split) -> Measured:
    """Images are queries, captions the gallery."""
    return measure(image, text, split.image_person, split.caption_person)


def records(ranks: Ranks, query_person: np.ndarray) -> dict[str, np.ndarray]:
    """Per-query columns from the ranks of the positives, for queries that have any."""
    values = metrics.measured(ranks)
    defined = {name: values[metric] for name, metric in metrics.PER_QUERY.items()}  # in every gallery
    return {
        "query": ranks.matched.astype(np.int32),
        "person": np.asarray(query_person)[ranks.matched].astype(np.int32),
        "positives": ranks.positives.astype(np.int32),
        "first": ranks.first.astype(np.int32),
        **{name: each.astype(np.float32) for name, each in defined.items() if each is not None},
    }
