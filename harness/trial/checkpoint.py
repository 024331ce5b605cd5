"""Checkpoints of an unfinished trial: whole or not at all, every byte checked, the last two kept.

    <store>/checkpoints/<id>/<number>/state.safetensors    tensors
    <store>/checkpoints/<id>/<number>/checkpoint.json      all else, and the SHA-256 of the tensors; sealed itself

A checkpoint is written beside its place, synced, and appears by one rename, so that a writer may die anywhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from harness.errors import DataError, EnvironmentFault
from harness.store import schema
from harness.store.files import processes
from harness.store.files.checksummed import NewerSchema, seal, unseal
from harness.store.files.local import Local, sync_folder, write_synced

FOLDER, TENSORS, ABOUT = "checkpoints", "state.safetensors", "checkpoint.json"
FORMAT = "1"  # of what a trial keeps in it
KEPT = 2
GAP_SECONDS = 5.0  # after an epoch, so that short trials write none
COST_FACTOR = 50.0  # a checkpoint that takes a second is followed by none for so many


@dataclass(frozen=True)
class Checkpoint:
    """What was saved: JSON values, tensors on the CPU, and how many checkpoints the trial had by then."""

    number: int
    about: dict[str, Any]
    tensors: dict[str, Tensor]


@dataclass
class Checkpoints:
    """The checkpoints of one trial below `Store.local`; creating the object touches nothing on disk."""

    local: Path
    id: str

    @property
    def folder(self) -> Path:
        return self.local / FOLDER / self.id

    def load(self) -> tuple[Checkpoint | None, list[str]]:
        """The newest whole checkpoint, or None, and what is wrong with newer ones, which are removed.

        Raises:
            NewerSchema: written by a newer release.
        """
        Local(self.folder).collect(".")
        faults: list[str] = []
        for number in sorted(numbers(self.folder), reverse=True):
            place = self.folder / _name(number)
            try:
                about, tensors = read(place)
                return Checkpoint(number, about, tensors), faults
            except NewerSchema:
                raise
            except DataError as error:
                faults.append(str(error))
                shutil.rmtree(place, ignore_errors=True)
        return None, faults

    def save(self, about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Path:
        """Write the next checkpoint and drop all but the last two.

        Raises:
            EnvironmentFault: it cannot be written; earlier ones are kept.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            known = numbers(self.folder)
            number = max(known, default=0) + 1
            beside = self.folder / processes.temporary(_name(number))
            try:
                beside.mkdir()
                save_file(_own_memory(tensors), beside / TENSORS)
                _sync(beside / TENSORS)
                body = {**about, "schema": schema.VERSION, "id": self.id, "number": number}
                write_synced(beside / ABOUT, seal({**body, "files": {TENSORS: _digest(beside / TENSORS)}}))
                sync_folder(beside)
                os.rename(beside, self.folder / _name(number))
                sync_folder(self.folder)
            finally:
                shutil.rmtree(beside, ignore_errors=True)
        except (OSError, SafetensorError) as error:
            raise EnvironmentFault(
                f"the checkpoint cannot be written: {error}", self.folder, kept="earlier checkpoints"
            ) from error
        for old in sorted(known, reverse=True)[KEPT - 1 :]:
            shutil.rmtree(self.folder / _name(old), ignore_errors=True)
        return self.folder / _name(number)

    def remove(self) -> None:
        """Remove all checkpoints of the trial."""
        if self.folder.is_dir():
            shutil.rmtree(self.folder, ignore_errors=True)
            with contextlib.suppress(OSError):
                self.folder.parent.rmdir()  # only when it is empty


class Keeps(Protocol):
    """What a trial asks of that which keeps its state."""

    def due(self, epoch_ends: bool) -> bool: ...

    def load(self) -> Checkpoint | None: ...

    def save(self, about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bool: ...


class Keeper:
    """When checkpoints are due, and what happens when one cannot be written: the trial goes on, and it is told.

    Args:
        checkpoints: Of the trial.
        every: Seconds between two of them within an epoch.
        tell: Called with a line for the user.
    """

    def __init__(self, checkpoints: Checkpoints, every: float, tell: Callable[[str], None]) -> None:
        self.checkpoints, self.every, self.tell = checkpoints, every, tell
        self._last, self._cost, self._told = time.monotonic(), 0.0, False

    def due(self, epoch_ends: bool) -> bool:
        """Whether it is time: after an epoch soon, within one seldom, and never for more than a part of the time."""
        gap = min(GAP_SECONDS, self.every) if epoch_ends else self.every
        return time.monotonic() - self._last >= max(gap, COST_FACTOR * self._cost)

    def load(self) -> Checkpoint | None:
        """The newest whole checkpoint, if any; damaged ones are told."""
        found, faults = self.checkpoints.load()
        for fault in faults:
            older = f"an older one, of step {found.about['done']}," if found else "nothing"
            self.tell(f"a checkpoint of trial {self.checkpoints.id} is left out: {fault}; {older} is used instead")
        return found

    def save(self, about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bool:
        """Write a checkpoint; False if that fails."""
        began, saved = time.monotonic(), True
        try:
            self.checkpoints.save(about, tensors)
        except EnvironmentFault as fault:
            saved = False
            if not self._told:
                self._told = True
                self.tell(f"trial {self.checkpoints.id} goes on without a new checkpoint: {fault}")
        self._last = time.monotonic()
        self._cost = self._last - began
        return saved


def read(place: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A checkpoint's JSON values and tensors.

    Raises:
        DataError: absent, torn, changed by a single bit, or of another trial.
    """
    about = unseal(place / ABOUT)
    if (about.get("id"), about.get("number")) != (place.parent.name, int(place.name)):
        raise DataError(f"damaged: it names trial {about.get('id')!r}", where=place / ABOUT)
    path = place / TENSORS
    try:
        if _digest(path) != about["files"][TENSORS]:
            raise DataError("damaged: its SHA-256 differs from what was written", where=path)
        return about, load_file(path)
    except (OSError, SafetensorError, KeyError) as error:
        raise DataError(f"cannot be read: {error}", where=path) from error


def latest(local: Path, ident: str) -> dict[str, Any] | None:
    """The JSON values of a trial's newest checkpoint whose JSON is sound; its tensors are not looked at."""
    folder = local / FOLDER / ident
    for number in sorted(numbers(folder), reverse=True):
        with contextlib.suppress(DataError):
            return unseal(folder / _name(number) / ABOUT)
    return None


def unfinished(local: Path) -> list[str]:
    """Ids of the trials that have checkpoints."""
    folder = local / FOLDER
    return sorted(path.name for path in folder.iterdir() if numbers(path)) if folder.is_dir() else []


def numbers(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.iterdir() if path.name.isdigit()] if folder.is_dir() else []


def _name(number: int) -> str:
    return f"{number:06d}"


def _own_memory(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """On the CPU, in rows, each with memory of its own; copied only where that is needed."""
    found, seen = {}, set()
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        place = tensor.untyped_storage().data_ptr()
        found[name] = tensor.clone() if place in seen else tensor
        seen.add(place)
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
