"""A store on a file system: what is written appears whole or not at all, and is synced before it is visible.

Paths are relative to the store, with forward slashes. `objects.Remote` offers the same operations on an object store.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from harness.errors import EnvironmentFault
from harness.store.files import processes
from harness.store.files.disk import sync_folder, told, unlink, write_synced

# Another machine's process cannot be asked whether it lives, so what it left is kept for a week.
FOREIGN_SECONDS = 7 * 24 * 3600
LOCK_SECONDS = 120  # until a writer that waits for another one gives up


def _told(method: Callable) -> Callable:
    @functools.wraps(method)
    def call(self: Local, path: str, *args: object, **more: object) -> object:
        with told(self.root / path):
            return method(self, path, *args, **more)

    return call


class Local:
    """A folder; creating the object touches nothing on disk."""

    readers = 2  # threads that read side by side
    here = True  # in this machine's file system, which a fork may read, too

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).resolve()

    @property
    def local(self) -> Path:
        """A folder of this machine for what need not last."""
        return self.root

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Local) and other.root == self.root

    def __hash__(self) -> int:
        return hash(self.root)

    def where(self, path: str = "") -> Path:
        """What to name in messages."""
        return self.root / path

    def names(self, folder: str) -> list[str]:
        """Names in a folder, hidden ones left out; none where there is no folder."""
        try:
            return [name for name in os.listdir(self.root / folder) if name[0] != "."]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def shards(self, folder: str) -> list[str]:
        """Names of the complete shards in a folder."""
        try:
            with os.scandir(self.root / folder) as entries:
                return [entry.name for entry in entries if entry.name[0] != "." and entry.is_dir()]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def has_shard(self, place: str) -> bool:
        """Whether there is a complete shard."""
        return (self.root / place).is_dir()

    def part(self, place: str, name: str, sha256: str) -> str:
        """Path of a shard's file."""
        return f"{place}/{name}"

    def read(self, path: str) -> bytes:
        """The bytes of a file; OSError as the system has it."""
        with open(f"{self.root}/{path}", "rb") as file:
            return file.read()

    def size(self, path: str) -> int:
        """Bytes of a file."""
        return os.stat(self.root / path).st_size

    def total(self) -> int:
        """Bytes of all files."""
        return sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file())

    @_told
    def create(self, path: str, blob: bytes, durable: bool = True) -> bool:
        """Write a file that is not there yet; False when it is, and then nothing changes."""
        target = self.root / path
        beside = self._write_beside(target, blob, durable)
        try:
            os.link(beside, target)
        except FileExistsError:
            return False
        finally:
            unlink(beside)
        if durable:
            sync_folder(target.parent)
        return True

    @_told
    def replace(self, path: str, blob: bytes) -> None:
        """Write a file so that readers see the old or the new content and nothing between."""
        target = self.root / path
        beside = self._write_beside(target, blob)
        try:
            os.replace(beside, target)
        except BaseException:
            unlink(beside)
            raise
        sync_folder(target.parent)

    @_told
    def put(self, place: str, blobs: Mapping[str, bytes], allowed: Callable[[], bool] = lambda: True) -> bool:
        """Create a shard by one rename; False when it is there already or `allowed`, asked under the lock, says no."""
        target = self.root / place
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.parent / processes.temporary(target.name)
        try:
            os.mkdir(beside)
            for name, blob in blobs.items():
                write_synced(beside / name, blob)
            sync_folder(beside)
            with self.lock():
                if not allowed():
                    return False
                try:
                    os.rename(beside, target)
                except OSError as error:
                    if error.errno in (errno.EEXIST, errno.ENOTEMPTY) or target.is_dir():
                        return False
                    raise
            sync_folder(target.parent)
            return True
        finally:
            if os.path.isdir(beside):
                shutil.rmtree(beside, ignore_errors=True)

    def remove(self, path: str) -> None:
        """Remove a file; nothing happens where there is none."""
        unlink(self.root / path)

    def remove_shard(self, place: str) -> None:
        """Take a shard away: out of sight by one rename, then from the disk."""
        target = self.root / place
        hidden = target.parent / processes.temporary(target.name)
        with contextlib.suppress(FileNotFoundError):
            os.rename(target, hidden)
            shutil.rmtree(hidden, ignore_errors=True)

    def move_shard(self, place: str, to: str) -> None:
        """Move a shard to where there is none."""
        (self.root / to).parent.mkdir(parents=True, exist_ok=True)
        os.rename(self.root / place, self.root / to)

    def touch(self, path: str) -> None:
        """Say that the owner of a file lives; FileNotFoundError when it was taken away."""
        os.utime(self.root / path)

    def age(self, path: str) -> float:
        """Seconds since a file was written or touched, by the clock of the file system and not by this machine's."""
        probe = self._write_beside(self.root / path, b"", durable=False)
        try:
            return os.stat(probe).st_mtime - os.stat(self.root / path).st_mtime
        finally:
            unlink(probe)

    @contextlib.contextmanager
    def lock(self, name: str = "commit", seconds: float = LOCK_SECONDS) -> Iterator[None]:
        """Keep other writers out; the system ends the lock of a process that dies.

        Raises:
            EnvironmentFault: another process holds it for longer than `seconds`.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.root / f".{name}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
        try:
            deadline = time.monotonic() + seconds
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise EnvironmentFault(
                            f"another process has been writing for {seconds:.0f} s",
                            where=self.root / f".{name}.lock",
                            expected="one at a time; run the command again when the other one is through",
                            kept="all results",
                        ) from None
                    time.sleep(0.001)
            yield
        finally:
            os.close(handle)

    def probe(self) -> None:
        """Raise EnvironmentFault unless files can be made, synced, linked, locked and renamed here."""
        step = "writable"
        try:
            (self.root / "trials").mkdir(parents=True, exist_ok=True)
            beside = self._write_beside(self.root / "trials" / "probe", b"writable")
            try:
                step = "on a file system that can rename"
                os.replace(beside, moved := beside.with_name(beside.name + "x"))
                beside = moved
                step = "on a file system that has hard links"
                os.link(beside, linked := beside.with_name(beside.name + "y"))
                unlink(linked)
            finally:
                unlink(beside)
            step = "on a file system that has locks (flock)"
            with self.lock():
                pass
        except OSError as error:
            raise EnvironmentFault(
                f"the result store is not {step}: {error.strerror}", where=self.root, expected="a writable local folder"
            ) from error

    def collect(self, *folders: str) -> list[Path]:
        """Remove what dead writers left in these folders; returns what was removed."""
        removed = []
        for parent in (self.root / folder for folder in folders):
            for path in sorted(parent.glob(processes.TEMPORARY + "*")) if parent.is_dir() else ():
                if not _owner_lives(path):
                    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else unlink(path)
                    removed.append(path)
        return removed

    def _write_beside(self, target: Path, blob: bytes, durable: bool = True) -> Path:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.parent / processes.temporary(target.name)
        try:
            write_synced(beside, blob, durable)
        except BaseException:
            unlink(beside)
            raise
        return beside


def _owner_lives(path: Path) -> bool:
    alive = processes.lives(owner) if (owner := processes.owner_of(path.name)) else None
    if alive is not None:
        return alive
    try:
        return time.time() - path.stat().st_mtime < FOREIGN_SECONDS
    except FileNotFoundError:
        return False
