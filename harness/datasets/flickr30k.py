"""Flickr30k: 31,014 photographs with five captions each, in Karpathy's splits (Young et al., TACL 2014).

Out of domain: scenes instead of people, and each image is its own identity.
For research and education, on request from the University of Illinois; the pictures are under Flickr's terms.
Expected: `Flickr30k/flickr30k_{train,val,test}.json` (names as in ALBEF's configuration and BLIP's loader)
and the images in `Flickr30k/flickr30k-images/`.
"""

from pathlib import Path

from harness.data import karpathy
from harness.data.split import Split

FOLDER = "Flickr30k"
STATISTICS = {
    "train": {"ids": 29000, "images": 29000, "captions": 145000},
    "val": {"ids": 1014, "images": 1014, "captions": 5070},
    "test": {"ids": 1000, "images": 1000, "captions": 5000},
}
SOURCE = karpathy.Source(
    folder=FOLDER,
    files="flickr30k_{split}.json",
    licence="research and education; the images by request at Illinois, the annotations from ALBEF",
)


def load(root: Path, check_files: bool = True, allow_missing: bool = False) -> dict[str, Split]:
    """Train, val and test from `root`, which is Flickr30k or contains it; see `karpathy.load`."""
    return karpathy.load(SOURCE, root, check_files, allow_missing)
