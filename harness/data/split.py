"""The one shape in which every data set arrives: images with identities, captions with images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, eq=False)
class Split:
    """One split of a text-based person retrieval data set.

    A training sample is a caption with its image; at test time every caption is a query and every image is in the
    gallery; a match is an image of the same identity.
    """

    root: Path
    images: tuple[str, ...]  # paths below root, with forward slashes
    image_person: np.ndarray  # int64 [images], identities 0..n-1
    captions: tuple[str, ...]
    caption_image: np.ndarray  # int64 [captions], index into images
    persons: tuple[str, ...]  # identity as annotated, by identity 0..n-1

    @property
    def caption_person(self) -> np.ndarray:
        """Identity of each caption, int64 [captions]."""
        return self.image_person[self.caption_image]

    def path(self, image: int) -> Path:
        """Absolute path of an image."""
        return self.root / self.images[image]

    def __repr__(self) -> str:
        return f"Split({len(self.persons)} identities, {len(self.images)} images, {len(self.captions)} captions)"
