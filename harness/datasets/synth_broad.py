"""Drawn people with short captions in the manner of the web: what a backbone meets before any adaptation.

Many cameras, few facts per caption, no look-alikes; written in the layout of CUHK-PEDES.
Nothing to ask for and nothing to download: the data set is drawn on first use, the same bytes for the same version,
size and seed, below the folder `synth_broad`.
"""

from pathlib import Path

from harness.data.split import Split
from harness.datasets import cuhk_pedes
from harness.datasets.synthetic import oracle, write

FOLDER = "synth_broad"
STATISTICS = None


def load(
    root: Path,
    size: str = "demo",
    seed: int = 0,
    noise: float = 0.0,
    density: float | None = None,
    completeness: float | None = None,
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
        check_files: Look whether every image is there.
    """
    folder = write.ensure("broad", root, size, seed, noise=noise, density=density, completeness=completeness)
    return cuhk_pedes.load(folder / cuhk_pedes.FOLDER, check_files=check_files)


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
    folder = write.ensure("broad", root, size, seed, noise=noise, density=density, completeness=completeness)
    return oracle.ladder(folder)
