"""Which samples come when, and the batches themselves; a training sample is a caption with its image.

The order is a pure function of (seed, epoch), so continuing a run needs only the epoch and the number of the batch.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from harness.data.pipeline import random
from harness.data.split import Split
from harness.errors import UserError, nearest

SAMPLERS = ("random", "identity")


@dataclass(frozen=True, eq=False)
class Batch:
    """Training samples as stored: not augmented, not trimmed."""

    store: Tensor  # uint8 [I, 3, H, W], all images of the split
    picture: Tensor  # int64 [B], the batch's among them
    ids: Tensor  # int64 [B, L]
    person: Tensor  # int64 [B], identities 0..n-1
    index: Tensor  # int64 [B], the captions' numbers in the split
    rows: np.ndarray  # the same on the host, for whom asking the device would be a wait


def _shuffle(stream: int, seed: int, epoch: int, index: np.ndarray) -> np.ndarray:
    """A random key for every index, int64."""
    return random.bits(stream, seed, epoch, torch.from_numpy(index))[:, 0].numpy()


def order(n: int, seed: int, epoch: int) -> np.ndarray:
    """A random permutation of 0..n-1, int64 [n]."""
    return np.argsort(_shuffle(random.ORDER, seed, epoch, np.arange(n)), kind="stable")


def balanced(person: np.ndarray, persons: int, instances: int, seed: int, epoch: int) -> np.ndarray:
    """Identity-balanced batches: `persons` different identities with `instances` samples each (P x K).

    As many batches as a pass over the samples has. The identities come in turns, each turn in a random order (what does
    not fill a batch is left out of the turn), so an identity's number of samples does not matter. In turn t it gives
    the samples t K to (t + 1) K - 1 of a random order of its own, around the end: a sample is repeated in a batch only
    if its identity has fewer than K.

    Args:
        person: int64 [n], identity of each sample.
        persons: Identities of a batch.
        instances: Samples of each.
        seed: The trial's seed.
        epoch: The epoch.

    Returns:
        int64 [batches, persons * instances], samples.

    Raises:
        UserError: fewer identities in the split than in a batch.
    """
    own = np.lexsort((_shuffle(random.SAMPLES, seed, epoch, np.arange(len(person))), person))
    identities, first, count = np.unique(person[own], return_index=True, return_counts=True)
    if len(identities) < persons:
        raise UserError(
            f"a batch of {persons} identities from a split with {len(identities)}",
            expected=f"batch / instances at most {len(identities)}",
        )
    batches = -(-len(person) // (persons * instances))
    each = len(identities) // persons
    result = np.empty((batches, persons, instances), dtype=np.int64)
    for turn in range(-(-batches // each)):
        rank = np.argsort(_shuffle(random.ORDER, seed, epoch, np.arange(len(identities)) + turn * len(identities)))
        some = rank[: each * persons].reshape(each, persons)[: batches - turn * each]
        step = (turn * instances + np.arange(instances)) % count[some][..., None]
        result[turn * each : turn * each + len(some)] = own[first[some][..., None] + step]
    return result.reshape(batches, persons * instances)


def plan(
    person: np.ndarray,
    batch: int,
    seed: int,
    epoch: int,
    sampler: str = "random",
    instances: int = 4,
    drop_last: bool = False,
) -> list[np.ndarray]:
    """The samples of every batch of an epoch, int64 [B] each; its length is the number of steps.

    Args:
        person: int64 [n], identity of each sample.
        batch: Samples of a batch; the last of a random order may be smaller.
        seed: The trial's seed.
        epoch: The epoch.
        sampler: `random`, every sample once; or `identity`, see `balanced`.
        instances: Samples of an identity in a batch, for `identity`.
        drop_last: Leave a smaller last batch out.

    Raises:
        UserError: unknown sampler, or sizes that cannot be met.
    """
    if sampler not in SAMPLERS:
        raise UserError(
            f"unknown sampler '{sampler}'", expected=f"one of {', '.join(SAMPLERS)}", nearest=nearest(sampler, SAMPLERS)
        )
    if sampler == "identity":
        if batch % instances:
            raise UserError(f"batch {batch} is no multiple of {instances} instances", expected="batch = P x K")
        return list(balanced(person, batch // instances, instances, seed, epoch))
    rows = order(len(person), seed, epoch)
    parts = [rows[i : i + batch] for i in range(0, len(rows), batch)]
    return [part for part in parts if len(part) == batch or not drop_last]


def batches(
    split: Split,
    images: np.ndarray | Tensor,
    ids: np.ndarray | Tensor,
    batch: int,
    seed: int,
    epoch: int,
    sampler: str = "random",
    instances: int = 4,
    drop_last: bool = False,
    start: int = 0,
) -> Iterator[Batch]:
    """The batches of an epoch from number `start` on.

    Args:
        split: The training split.
        images: uint8 [I, 3, H, W]: a pack, or a tensor on any device.
        ids: int64 [C, L], token ids of every caption, on any device: identities and indices of a whole epoch are put
            beside them before its first batch, and places of images beside the images.
        batch: As in `plan`, like all others.
        start: Batches already seen.
    """
    ids, store = torch.as_tensor(ids), images if isinstance(images, Tensor) else shared(images)
    parts = plan(split.caption_person, batch, seed, epoch, sampler, instances, drop_last)[start:]
    every = np.concatenate([np.empty(0, dtype=np.int64), *parts])
    sizes = [len(rows) for rows in parts]
    pictures = torch.from_numpy(split.caption_image[every]).to(store.device).split(sizes)
    persons = torch.from_numpy(split.caption_person[every]).to(ids.device).split(sizes)
    indices = torch.from_numpy(every).to(ids.device).split(sizes)
    for rows, picture, person, index in zip(parts, pictures, persons, indices, strict=True):
        yield Batch(store, picture, ids[index], person, index, rows)


def shared(images: np.ndarray) -> Tensor:
    """A tensor over the memory of an array, read-only ones included: whoever gets it must not write."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(images)
