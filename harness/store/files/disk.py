"""Single operations on a local disk: synced writes, and one line about a disk that can take no more."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from harness.errors import EnvironmentFault

HOPELESS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM)


@contextlib.contextmanager
def told(where: object) -> Iterator[None]:
    """Tell of a disk that cannot take more, in one line.

    Raises:
        EnvironmentFault: in place of the OSError of a full, failing or read-only disk.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in HOPELESS:
            raise
        raise EnvironmentFault(
            f"the result store cannot be written: {error.strerror}",
            where=where,
            expected="a disk with room that works; the same command continues",
            kept="all results committed so far",
        ) from error


def write_synced(path: Path, blob: bytes, durable: bool = True) -> None:
    """Write a new file to the last byte; after a failed sync it is given up, since a second one proves nothing."""
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666)
    try:
        rest = memoryview(blob)
        while rest:
            if not (written := os.write(handle, rest)):
                raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
            rest = rest[written:]
        if durable:
            os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    """Make what was created or renamed in a folder last."""
    # Some file systems cannot sync a folder; there the rename is as durable as they make it.
    with contextlib.suppress(PermissionError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
        finally:
            os.close(handle)


def unlink(path: Path) -> None:
    """Remove a file; nothing happens where there is none."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
