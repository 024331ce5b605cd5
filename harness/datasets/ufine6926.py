"""UFine6926: 26,206 images of 6,926 people, two captions of some eighty words each (Zuo et al., CVPR 2024).

Academic use only: a signed licence by e-mail to the authors of UFineBench (arXiv:2312.03441), for students signed by
their supervisor. Most captions are longer than the 77 tokens that CLIP reads and are cut. There is no official val: a
seeded, identity-disjoint slice of train becomes val.
Expected: `UFine6926/UFine6926_Annotations.json` and the images in `UFine6926/images/`.
Certain, from the authors' repository: the records (`split`, `id`, `file_path` such as `images/1.jpg`, `captions` with
two texts) and the counts; paths start at the data set's folder, as a public loader has it too. Not certain: the name of
the annotation file, which nothing public tells; that of the authors' evaluation set, as a public loader reads it, is
`UFine3C_Annotations.json`, so the name here is built alike, and `UFine6926.json` is taken as well.
"""

from pathlib import Path

from harness.data import annotations
from harness.data.split import Split

FOLDER = "UFine6926"
# Identities are published for the whole set only.
STATISTICS = {"train": {"images": 18577, "captions": 37154}, "test": {"images": 7629, "captions": 15258}}
VAL = "slice of train"
SOURCE = annotations.Source(
    folder=FOLDER,
    files=("UFine6926_Annotations.json", "UFine6926.json"),
    path_key="file_path",
    licence="academic use only; a signed licence, see the UFineBench repository of its authors",
    images=".",
    splits=("train", "test"),
    confused={"UFine3C_Annotations.json": "the evaluation set of the same authors, without a training split"},
)


def load(
    root: Path, val_share: float = 0.1, val_seed: int = 0, check_files: bool = True, allow_missing: bool = False
) -> dict[str, Split]:
    """Train, val and test from `root`, which is UFine6926 or contains it; see `annotations.load`.

    Args:
        root: The folder.
        val_share: Share of the training identities that becomes val, 0..1 exclusive.
        val_seed: Seed of that choice.
        check_files: Look whether every image is there.
        allow_missing: Leave out missing images instead of refusing.
    """
    splits = annotations.load(SOURCE, root, check_files, allow_missing)
    train, val = annotations.slice_identities(splits["train"], val_share, val_seed)
    return {"train": train, "val": val, "test": splits["test"]}
