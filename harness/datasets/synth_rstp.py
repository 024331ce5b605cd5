"""Drawn people in the shape of RSTPReid: formal captions, fifteen cameras in changing light, five images each.

One image per camera; written in the layout of RSTPReid and read by its loader.
Nothing to ask for and nothing to download: the data set is drawn on first use, the same bytes for the same version,
size and seed, below the folder `synth_rstp`.
"""

from pathlib import Path

from harness.data.split import Split
from harness.datasets import rstpreid
from harness.datasets.synthetic import oracle, write

FOLDER = "synth_rstp"
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
    folder = write.ensure("rstp", root, size, seed, noise=noise, density=density, completeness=completeness)
    return rstpreid.load(folder / rstpreid.FOLDER, check_files=check_files)


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
    folder = write.ensure("rstp", root, size, seed, noise=noise, density=density, completeness=completeness)
    return oracle.ladder(folder)
