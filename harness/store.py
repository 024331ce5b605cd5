"""The result store: what was asked (studies), what was measured (trials), and how the runs went.

    studies/<name>.json    the declaration of a study: its document and its trials
    trials/<id>/           one immutable shard per trial: trial, scores, history, queries (Parquet) and commit.json
    runs/<name>/<n>.json   one record per `upbench run`
    aside/<id>-<n>/        shards taken out of use: damaged, or to be tried again; never deleted

A trial is committed once; a second commit of the same id changes nothing. Readers look only at committed shards and
check every byte. Columns and units: `harness/schema.py`. Only this file and `shards.py` know the Parquet layout.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from harness import schema, shards
from harness.errors import DataError, EnvironmentFault, UserError, nearest

if TYPE_CHECKING:
    import pandas as pd

TABLES = ("trials", "scores", "history", "queries")
FILES = {"trials": "trial", "scores": "scores", "history": "history", "queries": "queries"}


@dataclass(frozen=True)
class Record:
    """One trial's measurements, as `Store.commit` takes them.

    Every table is a list of dicts or a dict of columns; the trial's `id` is filled in. Absent values become null.
    """

    trial: Mapping[str, object]
    scores: schema.Rows = ()
    history: schema.Rows = ()
    queries: schema.Rows = ()


@dataclass(frozen=True)
class Results:
    """A study's measurements. `missing` lists the declared trials that have none, each with the reason in `why`."""

    study: dict
    trials: pd.DataFrame
    scores: pd.DataFrame
    history: pd.DataFrame
    queries: pd.DataFrame
    missing: list[dict] = field(default_factory=list)


class Store:
    """A folder of results; creating the object touches nothing on disk."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).resolve()

    def probe(self) -> None:
        """Raise EnvironmentFault unless files can be made, synced and renamed here; clears what dead writers left."""
        try:
            (self.root / "trials").mkdir(parents=True, exist_ok=True)
            shards.replace(self.root / "trials" / "probe", b"writable")
            (self.root / "trials" / "probe").unlink()
        except OSError as error:
            raise EnvironmentFault(
                f"the result store is not writable: {error.strerror}", where=self.root, expected="a writable folder"
            ) from error
        for folder in ("trials", "studies", *(f"runs/{name}" for name in self._names("runs"))):
            shards.collect(self.root / folder)

    def declare(self, study: str, document: Mapping, trials: Sequence[Mapping], question: str = "") -> None:
        """Write which trials the study consists of, in place of an earlier declaration.

        Args:
            study: Name: letters, digits, dot, dash, underscore.
            document: The study as written, plain JSON values.
            trials: One dict per trial with `id`, `label`, `method`, `budget`, `dataset`, `seed`, `trial`.
            question: What the study asks.
        """
        _check_name(study)
        ids = [trial["id"] for trial in trials]
        for trial in trials:
            if absent := {"id", "label", "method", "budget", "dataset", "seed", "trial"} - set(trial):
                raise ValueError(f"study {study} declares a trial without {', '.join(sorted(absent))}")
        if len(set(ids)) != len(ids):
            raise ValueError(f"study {study} declares a trial twice")
        body = {"schema": schema.VERSION, "study": dict(document), "question": question, "trials": list(trials)}
        shards.replace(self.root / "studies" / f"{study}.json", shards.seal(body))

    def declaration(self, study: str) -> dict:
        """What `declare` wrote.

        Raises:
            UserError: no such study here, with the nearest known name.
        """
        path = self.root / "studies" / f"{study}.json"
        if not path.is_file():
            known = self.studies()
            raise UserError(
                f"no results of a study '{study}'",
                where=self.root,
                expected=f"one of {', '.join(known)}"
                if known
                else "a study that was run: upbench run studies/NAME.yaml",
                nearest=nearest(study, known),
            )
        return shards.unseal(path)

    def studies(self) -> list[str]:
        """Names of the declared studies, sorted."""
        return sorted(path.stem for path in (self.root / "studies").glob("[!.]*.json"))

    def ids(self) -> set[str]:
        """Ids of all committed trials."""
        return set(self._names("trials"))

    def done(self, ids: Iterable[str]) -> set[str]:
        """Those of `ids` that are committed."""
        return self.ids().intersection(ids)

    def commit(self, record: Record) -> bool:
        """Make a trial's measurements visible, whole; False when the trial is committed already and stays as it was."""
        ident = str(record.trial["id"])
        if not re.fullmatch(r"[0-9a-z]{4,64}", ident):
            raise ValueError(f"not a trial id: {ident!r}")
        tables = {"trial": schema.build("trials", [record.trial])}
        for name in TABLES[1:]:
            tables[name] = schema.build(name, getattr(record, name), id=ident)
        return shards.write(self.root / "trials" / ident, tables)

    def read(self, study: str, tables: Sequence[str] = TABLES) -> Results:
        """A study's measurements, every byte checked.

        `label` and `budget` are those of this study's declaration, since two studies may share a trial under two names.

        Args:
            study: Name of a declared study.
            tables: Which tables to read; the others come back empty.
        """
        declaration = self.declaration(study)
        declared = {trial["id"]: trial for trial in declaration["trials"]}
        found, missing = self._read(declared, tables)
        for name in ("label", "budget"):
            here = [declared[ident][name] for ident in found["trials"]["id"].to_pylist()]
            index = found["trials"].schema.get_field_index(name)
            found["trials"] = found["trials"].set_column(
                index, found["trials"].field(index), pa.array(here, schema.TEXT)
            )
        frames = {name: schema.frame(found[name]) for name in TABLES}
        return Results(study=declaration, missing=[{**declared[i], "why": why} for i, why in missing.items()], **frames)

    def damaged(self, ids: Iterable[str]) -> dict[str, str]:
        """Committed trials whose files are not what was committed: id -> what is wrong, with the file."""
        return {i: why for i, why in self._read(sorted(self.done(ids)), TABLES)[1].items()}

    def with_status(self, ids: Iterable[str], statuses: Sequence[str]) -> list[str]:
        """Committed trials among `ids` whose row has one of these statuses."""
        rows = self._read(sorted(self.done(ids)), ("trials",))[0]["trials"]
        pairs = zip(rows["id"].to_pylist(), rows["status"].to_pylist(), strict=True)
        return [ident for ident, status in pairs if status in statuses]

    def set_aside(self, ident: str) -> Path:
        """Take a committed trial out of use, so that it can run again; its files move to `aside/`."""
        (self.root / "aside").mkdir(exist_ok=True)
        number = 1
        while (place := self.root / "aside" / f"{ident}-{number}").exists():
            number += 1
        os.rename(self.root / "trials" / ident, place)
        return place

    def take(self, other: Store, ident: str) -> str:
        """Copy a committed trial of another store: "added", or "same" or "conflict" when it is here already.

        It is the same when scores and per-query records are equal to the byte, whatever its timings; ours always stays.
        """
        theirs, ours = other.root / "trials" / ident, self.root / "trials" / ident
        if shards.put(ours, shards.contents(theirs)):
            return "added"
        one, two = (shards.commit_record(place)["files"] for place in (ours, theirs))
        same = all(one[name]["sha256"] == two[name]["sha256"] for name in ("scores.parquet", "queries.parquet"))
        return "same" if same else "conflict"

    def take_study(self, other: Store, study: str) -> str:
        """Copy a declaration of another store: "added", or "same" or "conflict" when it is here already; ours stays."""
        theirs = other.declaration(study)
        if study in self.studies():
            return "same" if self.declaration(study) == theirs else "conflict"
        shards.replace(self.root / "studies" / f"{study}.json", shards.seal(theirs))
        return "added"

    def record_run(self, study: str, record: Mapping[str, object]) -> Path:
        """Keep how one `upbench run` went: `wall_seconds`, `busy_seconds`, `workers`, `executor` and counts."""
        _check_name(study)
        folder = self.root / "runs" / study
        folder.mkdir(parents=True, exist_ok=True)
        number = max([int(path.stem) for path in folder.glob("[0-9]*.json")], default=0)
        while True:
            number += 1
            path = folder / f"{number:06d}.json"
            try:
                # Reserves the number against a concurrent run; readers pass over an empty file.
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            except FileExistsError:
                continue
            shards.replace(path, shards.seal({"schema": schema.VERSION, "number": number, **record}))
            return path

    def runs(self, study: str) -> list[dict]:
        """The run records of a study, oldest first."""
        paths = sorted((self.root / "runs" / study).glob("[0-9]*.json"))
        return [shards.unseal(path) for path in paths if path.stat().st_size]

    def _names(self, folder: str) -> list[str]:
        try:
            return [entry.name for entry in os.scandir(self.root / folder) if entry.name[0] != "." and entry.is_dir()]
        except FileNotFoundError:
            return []

    def _read(self, ids: Iterable[str], tables: Sequence[str]) -> tuple[dict[str, pa.Table], dict[str, str]]:
        """Tables of the committed trials among `ids`, in their order, and why the others are missing."""
        wanted, missing, parts = tuple(FILES[name] for name in tables), {}, {name: [] for name in TABLES}
        committed = self.ids()

        def one(ident: str) -> dict[str, pa.Table] | str:
            if ident not in committed:
                return "not run"
            try:
                found = shards.read(self.root / "trials" / ident, wanted)
                return {name: schema.conform(name, found[FILES[name]]) for name in tables}
            except shards.NewerSchema:
                raise
            except DataError as error:
                return str(error)

        ids = list(ids)
        with ThreadPoolExecutor(max_workers=2) as pool:
            for ident, found in zip(ids, pool.map(one, ids), strict=True):
                if isinstance(found, str):
                    missing[ident] = found
                else:
                    for name, table in found.items():
                        parts[name].append(table)
        merged = {
            name: pa.concat_tables(some) if some else schema.SCHEMAS[name].empty_table() for name, some in parts.items()
        }
        return merged, missing


def _check_name(study: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", study):
        raise UserError(f"'{study}' cannot name a study", expected="letters, digits, dot, dash and underscore")
