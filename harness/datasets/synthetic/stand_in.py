"""Loading a drawn domain by the loader of the published set whose layout it has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from harness.data.split import Split
from harness.datasets.synthetic import oracle, write


@dataclass(frozen=True)
class Drawn:
    """One drawn domain; its methods are `load` and `ladder` of a data set file."""

    domain: str  # in `domains.DOMAINS`
    published: ModuleType  # the data set whose layout it has

    def load(
        self,
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
            size: tiny, demo, wide or standard.
            seed: Everything follows from it.
            noise: Share of training captions exchanged between images, 0..1.
            density: Share of noun phrases a caption considers, 0..1; None: the domain's own.
            completeness: 1 - mean omission of attributes, 0..1; None: the domain's own.
            check_files: Look whether every image is there.
        """
        drawn = self._drawn(root, size, seed, noise, density, completeness)
        return self.published.load(drawn / self.published.FOLDER, check_files=check_files)

    def ladder(
        self,
        root: Path,
        size: str = "demo",
        seed: int = 0,
        noise: float = 0.0,
        density: float | None = None,
        completeness: float | None = None,
        **reading: object,
    ) -> dict[str, dict[str, float]]:
        """What perfect eyes would reach on test, in percent; takes the options of `load`; see `oracle.ladder`."""
        return oracle.ladder(self._drawn(root, size, seed, noise, density, completeness))

    def _drawn(
        self, root: Path, size: str, seed: int, noise: float, density: float | None, completeness: float | None
    ) -> Path:
        return write.ensure(self.domain, root, size, seed, noise=noise, density=density, completeness=completeness)


@dataclass(frozen=True)
class WithoutVal(Drawn):
    """A drawn domain without a val of its own, as the published set."""

    def load(
        self,
        root: Path,
        size: str = "demo",
        seed: int = 0,
        noise: float = 0.0,
        density: float | None = None,
        completeness: float | None = None,
        check_files: bool = True,
        val_share: float = 0.2,
    ) -> dict[str, Split]:
        """As `Drawn.load`; `val_share` of the training identities becomes val, 0..1 exclusive."""
        drawn = self._drawn(root, size, seed, noise, density, completeness)
        return self.published.load(drawn / self.published.FOLDER, val_share=val_share, check_files=check_files)
