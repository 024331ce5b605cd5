"""One writer per trial: who claims it computes it, and who was taken for dead cannot commit when it comes back.

    claims/<id>-<n>.json    the n-th claim of a trial: its token and its owner

The claim with the highest number holds. It is created put-if-absent, so two takers cannot both get it. An owner on this
host lives as long as its process does; one on another host as long as its claim is touched, by the file system's clock.
A claim is no result: losing one costs at worst a computation, never a row.
"""

from __future__ import annotations

import re
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from harness.errors import DataError, EnvironmentFault, UserError
from harness.store import schema
from harness.store.files import processes
from harness.store.files.checksummed import opened, seal

FOLDER = "claims"
BEAT_SECONDS = 30.0
GRACE_SECONDS = 600.0  # without a touch, until an owner on another host is taken for dead


class Taken(UserError):
    """Another process that lives is at this trial."""

    exit_code = 75


class Superseded(UserError):
    """This writer was taken for dead and another one has its trial; what it brings is not taken."""

    exit_code = 75


@dataclass
class Claim:
    """A trial held by this process: `with` keeps it alive and gives it back. `token` goes to `Store.commit`."""

    files: Any = field(repr=False)
    ident: str
    number: int
    token: str
    _over: threading.Event = field(default_factory=threading.Event, repr=False)

    def __enter__(self) -> Claim:
        threading.Thread(target=self._beat, name=f"claim {self.ident}", daemon=True).start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._over.set()
        self.release()

    def release(self) -> None:
        """Give the trial back, and clear the claims of dead owners before this one; a later claim stays."""
        for number in _numbers(self.files, self.ident):
            if number <= self.number:
                self.files.remove(_path(self.ident, number))

    def _beat(self) -> None:
        while not self._over.wait(BEAT_SECONDS):
            try:
                self.files.touch(_path(self.ident, self.number))
            except FileNotFoundError:
                return  # taken for dead; the commit will be refused
            except OSError:
                continue  # the next beat may reach the disk


def take(files: Any, ident: str, run: str | None = None, what: str = "") -> Claim:
    """Claim a trial, after whoever held it is dead.

    Args:
        files: Where the store is.
        ident: The trial.
        run: Name of the run this belongs to; a claim of the same run is taken over at once, because an executor tries
            a trial again only when it has given up its first worker.
        what: What the owner does, for the message.

    Raises:
        Taken: the owner lives.
    """
    for _ in range(100):
        last = max(_numbers(files, ident), default=0)
        if last:
            path = _path(ident, last)
            try:
                owner = opened(files.read(path), files.where(path))
            except FileNotFoundError:
                continue  # given back meanwhile
            except DataError:
                owner = {}
            if not (run is not None and owner.get("run") == run) and (why := _living(files, path, owner)):
                raise Taken(f"{what or f'trial {ident} is being computed'} {why}", where=files.where(path))
        claim = Claim(files, ident, last + 1, f"{last + 1}-{uuid.uuid4().hex}")
        body = {"schema": schema.VERSION, "token": claim.token, "run": run, **processes.me()}
        # Under the lock, since a commit asks under it whether its claim still holds.
        with files.lock():
            created = files.create(_path(ident, last + 1), seal(body), durable=False)
        if created:
            return claim
    raise EnvironmentFault(f"claims of trial {ident} come and go", where=files.where(FOLDER), kept="all results")


def wait(files: Any, ident: str, seconds: float, what: str) -> Claim:
    """As `take`, but wait for a living owner to be through, for so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return take(files, ident, what=what)
        except Taken:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def check(files: Any, ident: str, token: str) -> None:
    """Raise Superseded unless `token` belongs to the claim that holds."""
    last, held = max(_numbers(files, ident), default=0), None
    if last:
        try:
            held = opened(files.read(_path(ident, last)), files.where(_path(ident, last))).get("token")
        except (FileNotFoundError, DataError):
            held = None
    if held != token:
        raise Superseded(
            f"trial {ident} is another process's by now; this one was taken for dead and its result is not taken",
            where=files.where(FOLDER),
            kept="the other one's",
        )


def collect(files: Any) -> list[str]:
    """Remove claims whose owners are dead; returns their names."""
    removed = []
    for name in files.names(FOLDER):
        path = f"{FOLDER}/{name}"
        try:
            owner = opened(files.read(path), files.where(path))
        except FileNotFoundError:
            continue
        except DataError:
            owner = {}
        if not _living(files, path, owner):
            files.remove(path)
            removed.append(name)
    return removed


def _living(files: Any, path: str, owner: dict) -> str | None:
    """Where the owner of a claim lives, in words; None when it is dead."""
    alive = processes.lives(owner)
    if alive is None:  # another host, or a claim that cannot be read
        try:
            age = files.age(path)
        except FileNotFoundError:
            return None
        if age >= GRACE_SECONDS:
            return None
        return f"on {owner.get('name', 'another host')} (pid {owner.get('pid')}), heard of {age:.0f} s ago"
    return f"by pid {owner['pid']} of this host" if alive else None


def _numbers(files: Any, ident: str) -> list[int]:
    found = (re.fullmatch(rf"{re.escape(ident)}-(\d+)\.json", name) for name in files.names(FOLDER))
    return [int(match[1]) for match in found if match]


def _path(ident: str, number: int) -> str:
    return f"{FOLDER}/{ident}-{number:06d}.json"
