"""Drawn people in the shape of ICFG-PEDES: one long caption of the identity alone, dark crops, many images each.

No official val, as in the original; written in the layout of ICFG-PEDES and read by its loader.
Nothing to ask for and nothing to download: the data set is drawn on first use, the same bytes for the same version,
size and seed, below the folder `synth_icfg`.
"""

from pathlib import Path

from harness.data.split import Split
from harness.datasets import icfg_pedes
from harness.datasets.synthetic import oracle, write

FOLDER = "synth_icfg"
STATISTICS = None
VAL = icfg_pedes.VAL


def load(
    root: Path,
    size: str = "demo",
    seed: int = 0,
    noise: float = 0.0,
    density: float | None = None,
    completeness: float | None = None,
    val_share: float = 0.2,
    check_files: bool = True,
) -> dict[str, Split]:
    """Train, val and test, drawn below `root` if they are not there yet.

    Args:
        root: Folder for drawn data sets, or one that is finished.
        size: tiny, demo or standard.
        seed: Everything follows from it.
        noise: Share of training captions exchanged between images, 0..1.
        density: Share of noun phrases a caption considers, 0..1; None: the domain's own.
        completeness: 1 - mean omission of attributes, 0..1; None: the domain's own.
        val_share: Share of the training identities that becomes val, 0..1 exclusive.
        check_files: Look whether every image is there.
    """
    folder = write.ensure("icfg", root, size, seed, noise=noise, density=density, completeness=completeness)
    return icfg_pedes.load(folder / icfg_pedes.FOLDER, val_share, check_files=check_files)


def ladder(
    root: Path,
    size: str = "demo",
    seed: int = 0,
    noise: float = 0.0,
    density: float | None = None,
    completeness: float | None = None,
    **reading: object,
) -> dict[str, dict[str, float]]:
    """What perfect eyes would reach on test, in percent; takes the options of `load`; see `oracle.ladder`."""
    folder = write.ensure("icfg", root, size, seed, noise=noise, density=density, completeness=completeness)
    return oracle.ladder(folder)
