"""Paths that were given: what no file system takes, being too long or no name at all, is a path of nothing."""

from __future__ import annotations

from pathlib import Path


def is_file(path: str | Path) -> bool:
    """Whether there is a file."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: str | Path) -> bool:
    """Whether there is a folder."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def resolved(path: Path) -> Path:
    """Its absolute form without links; as it is where there is none."""
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):
        return path
