"""ICFG-PEDES: 54,522 images of 4,102 people, one identity-centred caption each (Ding et al., SSAN, arXiv:2107.12666).

Research use, by e-mail from its authors; the images are those of MSMT17 and under its terms. There is no official val:
a seeded, identity-disjoint slice of train becomes val. RSTPReid shows people of the same source, see `OVERLAPS`.
Expected: `ICFG-PEDES/ICFG-PEDES.json` and `ICFG-PEDES/imgs/{train,test}/`, folders that are not the split.
"""

from pathlib import Path

from harness.data import annotations
from harness.data.split import Split

FOLDER = "ICFG-PEDES"
STATISTICS = {
    "train": {"ids": 3102, "images": 34674, "captions": 34674},
    "test": {"ids": 1000, "images": 19848, "captions": 19848},
}
VAL = "slice of train"
# Sources: Ding et al. 2021, Zhu et al. 2021; issue 4 of RSTPReid-Dataset asks for a list of identities.
OVERLAPS = {
    "rstpreid": "both were cut from MSMT17, whose 4,101 people RSTPReid shows all; which of them are in both is not "
    "published, so scores from one to the other are not those of strangers"
}
SOURCE = annotations.Source(
    folder=FOLDER,
    files=("ICFG-PEDES.json", "ICFG_PEDES.json"),
    path_key="file_path",
    licence="research use; ask the authors of SSAN",
    splits=("train", "test"),
)


def load(
    root: Path, val_share: float = 0.1, val_seed: int = 0, check_files: bool = True, allow_missing: bool = False
) -> dict[str, Split]:
    """Train, val and test from `root`, which is ICFG-PEDES or contains it; see `annotations.load`.

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
