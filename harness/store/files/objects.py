"""A store behind a URL, such as `s3://bucket/prefix`: the operations of `files.Local` on an object store.

An object appears whole by itself, so nothing is renamed: a shard's files are written under names that contain their
SHA-256, and its commit record last, put-if-absent (on S3 `If-None-Match: *`). `probe` refuses a store that does not
keep that promise. There is no lock: a commit asks whether its claim holds right before its record is written, and a
takeover in between costs a computation, while the record, put-if-absent, still exists once.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.errors import EnvironmentFault, UserError
from harness.store.files.checksummed import opened
from harness.store.files.local import FOREIGN_SECONDS

COMMIT = "commit.json"
RETRIES = 5  # of a write that the store calls in conflict with another one


def _asked(method: Callable) -> Callable:
    """Tell of a store that does not answer; what is absent stays a FileNotFoundError."""

    @functools.wraps(method)
    def call(self: Remote, *args: Any, **more: Any) -> Any:
        try:
            return method(self, *args, **more)
        except (FileNotFoundError, FileExistsError, UserError, TypeError, AttributeError):
            raise
        except Exception as error:  # packages for object stores have exceptions of their own
            text = " ".join(str(error).split())[:200] or type(error).__name__
            raise EnvironmentFault(
                f"the object store cannot be used: {text}",
                where=self.root,
                expected="a bucket that exists, credentials for it and a connection; the same command continues",
                kept="all results committed so far",
            ) from error

    return call


class Remote:
    """A prefix of an object store; creating the object asks nothing of it.

    Raises:
        UserError: a kind of URL that is not known.
        EnvironmentFault: a package for it is not installed.
    """

    here = False
    readers = 16

    def __init__(self, url: str) -> None:
        import fsspec

        self.root = url.rstrip("/")
        self._scheme = url.split("://", 1)[0]
        self._of: tuple[int, Any] | None = None
        try:
            self._base = fsspec.get_filesystem_class(self._scheme)._strip_protocol(self.root)
        except ValueError as error:
            raise UserError(
                f"no store of the kind '{self._scheme}'",
                where=url,
                expected="a folder, s3://BUCKET/PREFIX or file://PATH",
            ) from error
        except ImportError as error:
            raise EnvironmentFault(
                f"a store on {self._scheme} needs a package: {error}", where=url, expected="pip install 'upbench[s3]'"
            ) from error
        self._fs  # noqa: B018  a faulty set-up is told at once

    @property
    def _fs(self) -> Any:
        # Connections do not survive a fork.
        if self._of is None or self._of[0] != os.getpid():
            import fsspec

            self._of = (os.getpid(), fsspec.filesystem(self._scheme, use_listings_cache=False))
        return self._of[1]

    def __getstate__(self) -> dict:
        return {**vars(self), "_of": None}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remote) and other.root == self.root

    def __hash__(self) -> int:
        return hash(self.root)

    @property
    def local(self) -> Path:
        """A folder of this machine for what need not last: `UPBENCH_SCRATCH`, or one in the user's cache."""
        base = os.environ.get("UPBENCH_SCRATCH") or Path.home() / ".cache" / "upbench"
        return Path(base) / f"store-{hashlib.sha256(self.root.encode()).hexdigest()[:16]}"

    def where(self, path: str = "") -> str:
        """What to name in messages."""
        return f"{self.root}/{path}" if path else self.root

    @_asked
    def names(self, folder: str) -> list[str]:
        """Names below a prefix, hidden ones left out."""
        try:
            found = self._fs.ls(self._path(folder), detail=False, refresh=True)
        except FileNotFoundError:
            return []
        names = {path.rstrip("/").rsplit("/", 1)[-1] for path in found if path.rstrip("/") != self._path(folder)}
        return [name for name in names if name and name[0] != "."]

    @_asked
    def shards(self, folder: str) -> list[str]:
        """Names of the complete shards below a prefix."""
        start = len(self._path(folder)) + 1
        parts = (path[start:].split("/") for path in self._found(folder))
        return [part[0] for part in parts if len(part) == 2 and part[1] == COMMIT]

    @_asked
    def has_shard(self, place: str) -> bool:
        """Whether there is a complete shard."""
        return self._fs.exists(self._path(f"{place}/{COMMIT}"))

    def part(self, place: str, name: str, sha256: str) -> str:
        """Path of a shard's file; writers of different content cannot meet there."""
        return f"{place}/{sha256[:16]}-{name}"

    @_asked
    def read(self, path: str) -> bytes:
        """The bytes of an object; FileNotFoundError where there is none."""
        return self._fs.cat_file(self._path(path))

    @_asked
    def size(self, path: str) -> int:
        """Bytes of an object."""
        return self._fs.info(self._path(path))["size"]

    @_asked
    def total(self) -> int:
        """Bytes of all objects."""
        return sum(self._fs.du(self._base, total=False).values()) if self._fs.exists(self._base) else 0

    @_asked
    def create(self, path: str, blob: bytes, durable: bool = True) -> bool:
        """Write an object that is not there yet; False when it is, and then nothing changes."""
        for turn in range(RETRIES):
            try:
                self._fs.pipe_file(self._path(path), blob, mode="create")
                return True
            except FileExistsError:
                break
            except OSError as error:
                if "Conflict" not in str(error) or turn == RETRIES - 1:
                    raise
        # The answer to a write that took place may have been lost, and its repetition finds what it wrote itself.
        with contextlib.suppress(FileNotFoundError):
            return self.read(path) == blob
        return False

    @_asked
    def replace(self, path: str, blob: bytes) -> None:
        """Write an object in place of the one there."""
        self._fs.pipe_file(self._path(path), blob)

    @_asked
    def put(self, place: str, blobs: Mapping[str, bytes], allowed: Callable[[], bool] = lambda: True) -> bool:
        """Write a shard, its commit record last; False when it is there already or `allowed` says no."""
        if self.has_shard(place):
            return False
        parts = {
            self._path(self.part(place, name, hashlib.sha256(blob).hexdigest())): blob
            for name, blob in blobs.items()
            if name != COMMIT
        }
        done = False
        try:
            self._fs.pipe(parts)
            done = allowed() and self.create(f"{place}/{COMMIT}", blobs[COMMIT])
        finally:
            if not done:
                self._clear(place, parts)
        return done

    @_asked
    def remove(self, path: str) -> None:
        """Remove an object and what `touch` wrote of it; nothing happens where there is none."""
        for each in (path, _beat(path)) if path.startswith("claims/") else (path,):
            with contextlib.suppress(FileNotFoundError):
                self._fs.rm_file(self._path(each))

    @_asked
    def remove_shard(self, place: str) -> None:
        """Take a shard away, its commit record first."""
        self.remove(f"{place}/{COMMIT}")
        for path in self._found(place):
            with contextlib.suppress(FileNotFoundError):
                self._fs.rm_file(path)

    @_asked
    def move_shard(self, place: str, to: str) -> None:
        """Move a shard to where there is none; it may be seen in both for a moment."""
        start = len(self._path(place))
        for path in sorted(self._found(place), key=lambda path: path.endswith(f"/{COMMIT}")):
            self._fs.cp_file(path, self._path(to) + path[start:])
        self.remove_shard(place)

    @_asked
    def touch(self, path: str) -> None:
        """Say that the owner of an object lives; FileNotFoundError when it was taken away."""
        if not self._fs.exists(self._path(path)):
            raise FileNotFoundError(path)
        self._fs.pipe_file(self._path(_beat(path)), b"alive")

    @_asked
    def age(self, path: str) -> float:
        """Seconds since an object was written or touched, by the store's clock."""
        written = self._modified(path)
        with contextlib.suppress(FileNotFoundError):
            written = max(written, self._modified(_beat(path)))
        return (self._clock() - written).total_seconds()

    @contextlib.contextmanager
    def lock(self, name: str = "commit", seconds: float = 0.0) -> Iterator[None]:
        """Nothing: see above."""
        yield

    def probe(self) -> None:
        """Raise EnvironmentFault unless objects can be written here, and put-if-absent is kept."""
        path = f"probe-{uuid.uuid4().hex}"
        try:
            first = self.create(path, b"one")
        except FileNotFoundError as error:
            raise EnvironmentFault("no such bucket", where=self.root, expected="one that exists") from error
        second = self.create(path, b"two")
        kept = self.read(path) == b"one"
        self.remove(path)
        if not first or second or not kept:
            raise EnvironmentFault(
                "the object store overwrites where it was asked to create, so two writers could lose a result",
                where=self.root,
                expected="one that keeps If-None-Match, as S3 does; or a folder, whose results upbench merge copies",
            )

    @_asked
    def collect(self, *folders: str) -> list[str]:
        """Remove shards without a commit record that nobody has written to for a week."""
        removed = []
        for folder in folders:
            start = len(self._path(folder)) + 1
            shards: dict[str, list[str]] = {}
            for path in self._found(folder):
                if "/" in path[start:]:
                    shards.setdefault(path[start:].split("/")[0], []).append(path)
            for name, parts in shards.items():
                if any(path.endswith(f"/{COMMIT}") for path in parts) or folder.startswith("runs/"):
                    continue
                newest = max(self._fs.modified(path) for path in parts)
                if (self._clock() - newest).total_seconds() > FOREIGN_SECONDS:
                    self.remove_shard(f"{folder}/{name}")
                    removed.append(self.where(f"{folder}/{name}"))
        return removed

    def _path(self, path: str) -> str:
        return f"{self._base}/{path}" if path else self._base

    def _found(self, folder: str) -> list[str]:
        return self._fs.find(self._path(folder), refresh=True)

    def _modified(self, path: str) -> datetime:
        return self._fs.modified(self._path(path))

    def _clock(self) -> datetime:
        path = f"beats/now-{uuid.uuid4().hex}"
        self.replace(path, b"now")
        try:
            return self._modified(path)
        finally:
            self.remove(path)

    def _clear(self, place: str, parts: Mapping[str, bytes]) -> None:
        """Remove what a writer that came too late wrote, unless the winner's record names it as well."""
        with contextlib.suppress(Exception):  # leftovers do no harm, and the reason for being here must be told
            named: set[str] = set()
            with contextlib.suppress(FileNotFoundError):
                record = opened(self.read(f"{place}/{COMMIT}"), self.where(place))
                named = {self._path(self.part(place, n, e["sha256"])) for n, e in record["files"].items()}
            if named:
                for path in set(parts) - named:
                    self._fs.rm_file(path)


def _beat(path: str) -> str:
    return "beats/" + path.rsplit("/", 1)[-1]
