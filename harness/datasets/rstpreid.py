"""RSTPReid: 20,505 images of 4,101 people, five each, two captions per image (Zhu et al., DSSL, ACM MM 2021).

Freely downloadable for research; the images are those of MSMT17 and under its terms.
Expected: `RSTPReid/data_captions.json` and the images directly in `RSTPReid/imgs/`.
"""

from pathlib import Path

from harness.data import annotations
from harness.data.split import Split

FOLDER = "RSTPReid"
STATISTICS = {
    "train": {"ids": 3701, "images": 18505, "captions": 37010},
    "val": {"ids": 200, "images": 1000, "captions": 2000},
    "test": {"ids": 200, "images": 1000, "captions": 2000},
}
SOURCE = annotations.Source(
    folder=FOLDER,
    files=("data_captions.json",),
    path_key="img_path",
    licence="research use; see the RSTPReid-Dataset repository of its authors",
)


def load(root: Path, check_files: bool = True, allow_missing: bool = False) -> dict[str, Split]:
    """Train, val and test from `root`, which is RSTPReid or contains it; see `annotations.load`."""
    return annotations.load(SOURCE, root, check_files, allow_missing)
