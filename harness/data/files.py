"""Which files lie below a folder, by one walk instead of one question per image; and how many may be read at once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from harness.data.quality.messages import tell
from harness.errors import DataError


def missing(folder: Path, paths: Iterable[str]) -> set[str]:
    """Those of `paths` (below `folder`, with forward slashes) that are not files there.

    Raises:
        DataError: a listed image is reached through a link that leaves the folder.
    """
    wanted = set(paths)
    found: set[str] = set()
    if not folder.is_dir():
        return wanted
    top = folder.resolve()
    # Only folders that hold listed images are entered, so a loop of links cannot be.
    parents = {path.rpartition("/")[0] for path in wanted}
    for parent in sorted(parents):
        try:
            entries = list(os.scandir(folder / parent))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            tell(DataError(f"cannot be read: {error.strerror}", folder / parent, "a readable folder"))
            continue
        if not _inside(top, folder / parent):
            continue
        for entry in entries:
            path = f"{parent}/{entry.name}" if parent else entry.name
            if path in wanted and _is_file(entry, top):
                found.add(path)
    return wanted - found


def _is_file(entry: os.DirEntry[str], top: Path) -> bool:
    if entry.is_symlink() and not _inside(top, Path(entry.path)):
        return False
    try:
        return entry.is_file()
    except OSError:
        return False


def _inside(top: Path, path: Path) -> bool:
    """Whether a path stays below `top` when links are followed; if not, that is a fault."""
    try:
        real = path.resolve(strict=True)
    except FileNotFoundError:
        return True  # a link to nothing is a missing file
    except (OSError, RuntimeError):
        tell(DataError("a loop of links", path, "a folder of images"))
        return False
    if not real.is_relative_to(top):
        tell(DataError("a link that leaves the data folder", path, f"images below {top}; copy or mount them there"))
        return False
    return True
