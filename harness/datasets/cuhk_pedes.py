"""CUHK-PEDES: 40,206 images of 13,003 people, two captions each (Li et al., CVPR 2017, arXiv:1702.05729).

Academic use only, on request from its authors; the images come from other re-identification sets.
Expected: `CUHK-PEDES/reid_raw.json` and `CUHK-PEDES/imgs/{cam_a,cam_b,CUHK01,CUHK03,Market,test_query,train_query}/`.
"""

from pathlib import Path

from harness.data import annotations
from harness.data.split import Split

FOLDER = "CUHK-PEDES"
STATISTICS = {
    "train": {"ids": 11003, "images": 34054, "captions": 68126},
    "val": {"ids": 1000, "images": 3078, "captions": 6158},
    "test": {"ids": 1000, "images": 3074, "captions": 6156},
}
SOURCE = annotations.Source(
    folder=FOLDER,
    files=("reid_raw.json",),
    path_key="file_path",
    licence="academic use only; ask the authors of Person Search with Natural Language Description",
    confused={"caption_all.json": "the file without the official split; reid_raw.json of the same download has it"},
)


def load(root: Path, check_files: bool = True, allow_missing: bool = False) -> dict[str, Split]:
    """Train, val and test from `root`, which is CUHK-PEDES or contains it; see `annotations.load`."""
    return annotations.load(SOURCE, root, check_files, allow_missing)
