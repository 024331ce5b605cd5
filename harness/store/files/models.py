"""Kept models: the trained parameters of a trial, one file beside its tables, of which only bytes are known here.

A model lies in its trial's shard and is listed in the commit record as the tables are. Of a packed trial it lies in
`models/<id>/`, a shard of its own, and the pack's index has its SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from harness.errors import DataError
from harness.store.files import packs, shards

FOLDER = "models"
FEW = 32  # trials that are looked for one by one rather than by listing all


def place(files: Any, ident: str, blob: bytes) -> None:
    """Put the model of a trial that is or will be packed at its place, and read it back.

    Raises:
        DataError: what is read back is something else.
    """
    where, digest = f"{FOLDER}/{ident}", hashlib.sha256(blob).hexdigest()
    for _ in range(2):
        files.put(where, shards.encode(ident, {}, model=blob))
        try:
            if shards.model_of(shards.commit_record(files, where)) == digest:
                shards.model(files, where)
                return
        except DataError:
            pass
        files.remove_shard(where)  # damaged, or of the trial as it was before it was set aside
    raise DataError("what was written is not what is read back", where=files.where(where))


def read(files: Any, ident: str) -> bytes | None:
    """As `Models.read`, of one trial, wherever it is moved meanwhile."""
    try:
        return Models(files, [ident]).read(ident)
    except shards.Gone:
        return Models(files, [ident]).read(ident)


def sizes(files: Any, idents: Iterable[str]) -> dict[str, int]:
    """Bytes of the model of each trial that has one here."""
    known = Models(files, idents := list(idents))
    return {ident: size for ident in idents if (size := known.size(ident))}


def faults(files: Any, idents: Iterable[str]) -> dict[str, str]:
    """Trials whose model is not what was committed: id -> what is wrong, with the file."""
    known = Models(files, idents := list(idents))
    return {ident: fault for ident in idents if (fault := known.fault(ident))}


class Models:
    """Where the models of some trials are, as it was when this was made.

    Args:
        files: Where the store is.
        idents: The trials that will be asked for.
    """

    def __init__(self, files: Any, idents: Iterable[str]) -> None:
        idents = list(idents)
        self.files = files
        if len(idents) > FEW:
            self.loose, self.beside = (set(files.shards(folder)) for folder in ("trials", FOLDER))
        else:
            self.loose, self.beside = (
                {i for i in idents if files.has_shard(f"{folder}/{i}")} for folder in ("trials", FOLDER)
            )
        found, _ = packs.catalogue(files, fresh=False)
        self.packed = {ident: of.models[at] for of in found.values() for ident, at in of.at.items()}

    def read(self, ident: str) -> bytes | None:
        """A trial's model, every byte checked; None where none was kept.

        Raises:
            DataError: it is damaged, or gone; shards.Gone when its trial was moved meanwhile.
        """
        where = self._where(ident)
        return shards.model(self.files, where) if where else None

    def size(self, ident: str) -> int:
        """Bytes of a trial's model; 0 where none was kept, or it is gone."""
        try:
            where = self._where(ident)
            return shards.commit_record(self.files, where)["files"][shards.MODEL]["bytes"] if where else 0
        except DataError:
            return 0

    def fault(self, ident: str) -> str | None:
        """What is wrong with a trial's model.

        Every byte is looked at on this machine; in a bucket, which has checksums of its own, only that it is there.
        """
        try:
            if (where := self._where(ident)) and self.files.here:
                shards.model(self.files, where)
            elif where:
                shards.model_is_there(self.files, where)
        except shards.Gone:
            return None
        except DataError as error:
            return str(error)
        return None

    def _where(self, ident: str) -> str | None:
        """The shard that has a trial's model."""
        if ident in self.loose:
            where = f"trials/{ident}"
            return where if shards.model_of(shards.commit_record(self.files, where)) else None
        wanted, where = self.packed.get(ident), f"{FOLDER}/{ident}"
        if ident in self.packed and ident in self.beside:
            found = shards.model_of(shards.commit_record(self.files, where))
            if wanted in (None, found):
                return where
            raise DataError("damaged: it is not the model that was kept", where=self.files.where(where))
        if wanted:
            raise DataError("the kept model is not there", where=self.files.where(f"{where}/{shards.MODEL}"))
        return None
