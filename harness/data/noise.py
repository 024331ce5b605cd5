"""Noisy correspondences: a share of the training captions goes to other images, as in RDE (Qin et al., CVPR 2024).

The captions move, identities stay those of the images, so a moved caption stands for the wrong person. Val and test are
never touched.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.data.split import Split
from harness.data.subset import order, share
from harness.errors import DataError, UserError

STREAM = 2  # of random numbers; `subset` has 0 and 1


def noisy(split: Split, noise: object = None, noise_seed: int = 0, noise_index: str | None = None) -> Split:
    """A training split with wrong captions.

    Args:
        split: The training split, after it was cut to a subset.
        noise: Share of the captions that move, such as `20%` or 0.2, rounded to the nearest number; each of them goes
            to another pair. For one seed those of a smaller share are among those of a larger.
        noise_seed: Of the choice.
        noise_index: A file in RDE's released form instead of a share: int64 [captions], a permutation; pair i gets the
            caption of pair `index[i]`, pairs in the order of the annotation file's training records.

    Raises:
        UserError: a share that cannot be read, both ways at once, or a share that moves a single caption.
        DataError: a file that is no permutation of the captions.
    """
    if noise_index is not None:
        if noise is not None:
            raise UserError("noise is given twice", "dataset options", "noise, or noise_index")
        return _moved(split, _read(Path(noise_index), len(split.captions)))
    if noise is None or noise == 0:
        return split
    count = round(share(noise) * len(split.captions))
    if count == 1:
        raise UserError(f"noise {noise} moves one of {len(split.captions)} captions", "dataset options", "two or more")
    moving = order(len(split.captions), noise_seed, STREAM)[:count]
    index = np.arange(len(split.captions))
    index[moving] = np.roll(moving, -1)  # one cycle, so that every one of them moves
    return _moved(split, index)


def _moved(split: Split, index: np.ndarray) -> Split:
    return replace(split, captions=tuple(split.captions[i] for i in index))


def _read(path: Path, count: int) -> np.ndarray:
    try:
        index = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        said = getattr(error, "strerror", None) or "no array"
        raise DataError(f"cannot read the noise: {said}", path, f"int64 [{count}], a permutation") from None
    if not isinstance(index, np.ndarray) or index.ndim != 1 or not np.issubdtype(index.dtype, np.integer):
        what = f"{index.dtype} {list(index.shape)}" if isinstance(index, np.ndarray) else "several arrays"
        raise DataError(f"the noise is {what}", path, f"int64 [{count}], a permutation")
    if len(index) != count:
        expected = f"{count:,}, one for each caption of this training split"
        raise DataError(f"the noise has {len(index):,} entries", path, expected)
    if not np.array_equal(np.sort(index), np.arange(count)):
        raise DataError("the noise is no permutation", path, f"each of 0 to {count - 1} once")
    return index
