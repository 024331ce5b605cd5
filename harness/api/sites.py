"""A static site over what a store has published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.api import asking
from harness.errors import DataError, EnvironmentFault

if TYPE_CHECKING:
    from harness.store.store import Results, Store
    from reports.site.methods import Closed


def site(out: str | Path = "site", *, store: str | Path | None = None) -> tuple[list[Path], bool]:
    """Write a leaderboard, and a page for each study and each method, as a folder that needs nothing else.

    Args:
        out: Folder to write.
        store: As for `plan`. What it has published is shown; where that is nothing, every study with a committed trial.

    Returns:
        The files written, the leaderboard first, and whether the studies are published ones.

    Raises:
        DataError: the store has neither.
        EnvironmentFault: the folder cannot be written.
    """
    from harness.store.store import Store
    from reports.site.site import write

    found, official = shown(Store(asking.places(store)[0]))
    try:
        return write(found, Path(out), closed_forms(), official), official
    except OSError as error:
        raise EnvironmentFault(f"cannot be written: {error.strerror}", where=error.filename or out) from None


def shown(store: Store) -> tuple[dict[str, Results], bool]:
    """The published studies of a store, or else those with a committed trial; and whether they are published ones."""
    names = store.published()
    found = {name: store.read(name) for name in names or store.studies()}
    if not names:
        found = {name: results for name, results in found.items() if len(results.trials)}
    if not found:
        raise DataError(
            "nothing is published or committed here", where=store.root,
            expected="a store that `upbench publish` or `upbench run` has filled",
        )  # fmt: skip
    return found, bool(names)


def closed_forms() -> dict[str, Closed]:
    """Of every known method, its paper and its size with default options on three backbones."""
    from harness.adaptation.probe import BASE, LARGE, sizes_of
    from harness.benchmark.capabilities import needed, share
    from harness.model.source import Source
    from harness.registry import find, names
    from reports.site.methods import Closed, Size

    shapes = {"tiny": Source("tiny"), "ViT-B/16, 384x128": BASE, "ViT-L/14, 378x126": LARGE}
    made = {}
    for name in names("methods"):
        module = find("methods", name)
        if needs := needed(module):
            made[name] = Closed(module.Method.reference, (), tuple(needs))
            continue
        method = module.Method()
        sizes = ((backbone, sizes_of(source)) for backbone, source in shapes.items())
        made[name] = Closed(
            module.Method.reference,
            tuple(Size(backbone, method.parameters(shape), share(method, shape)) for backbone, shape in sizes),
        )
    return made
