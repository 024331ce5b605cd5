"""MSCOCO captions: 123,287 photographs with five captions or a few more, in Karpathy's splits (Lin et al., ECCV 2014).

Out of domain: scenes instead of people, and each image is its own identity.
Annotations under CC BY 4.0, the pictures under Flickr's terms; both can be downloaded freely.
Expected: `MSCOCO/coco_{train,val,test}.json` (names as in ALBEF's configuration; BLIP's `coco_karpathy_*.json` have the
same records and other names) and the images in `MSCOCO/{train2014,val2014}/`, folders that are not the split.
"""

from pathlib import Path

from harness.data import karpathy
from harness.data.split import Split

FOLDER = "MSCOCO"
STATISTICS = {
    "train": {"ids": 113287, "images": 113287, "captions": 566747},
    "val": {"ids": 5000, "images": 5000, "captions": 25010},
    "test": {"ids": 5000, "images": 5000, "captions": 25010},
}
SOURCE = karpathy.Source(
    folder=FOLDER,
    files="coco_{split}.json",
    licence="free; the 2014 images from cocodataset.org, the annotations from ALBEF",
)


def load(root: Path, check_files: bool = True, allow_missing: bool = False) -> dict[str, Split]:
    """Train, val and test from `root`, which is MSCOCO or contains it; see `karpathy.load`."""
    return karpathy.load(SOURCE, root, check_files, allow_missing)
