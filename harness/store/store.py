"""The result store: what was asked (studies), what was measured (trials), and how the runs went.

    studies/<name>.json    the declaration of a study: its document and its trials
    trials/<id>/           one immutable shard per trial: trial, scores, history, queries (Parquet) and commit.json;
                           perhaps model.safetensors, what was trained
    packs/<name>/          many trials in one shard, made by `compact`; gone/ names those taken out of a pack
    models/<id>/           the models of packed trials
    later/<id>~<other>     says that the trial <other> is what <id> gave on a further data set (`later.py`)
    runs/<name>/<n>.json   one record per `upbench run`
    claims/<id>-<n>.json   who computes a trial right now
    checkpoints/<id>/<n>/  the state of an unfinished trial (`harness/trial/checkpoint.py`)
    aside/<id>-<n>/        shards taken out of use: damaged, or to be tried again; never deleted

A store is a folder, or a prefix of an object store (`s3://bucket/prefix`). A trial is committed once; a second commit
of the same id changes nothing. Readers look only at what has a commit record and check every byte. Columns and units:
`harness/store/schema.py`. Only this file and `harness/storage/` know the layout.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UserError, nearest
from harness.store import aside, later, merge, reading, rescored, runs, schema, sets
from harness.store import declared as own
from harness.store.files import claims, compaction, models, packs, place, shards
from harness.store.files.checksummed import NewerSchema, seal, unseal
from harness.store.files.claims import Claim, Superseded, Taken
from harness.store.files.compaction import Compacted
from harness.store.files.packs import TABLES
from harness.store.record import Record, Results

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TABLES", "Claim", "Compacted", "NewerSchema", "Record", "Results", "Store", "Superseded", "Taken"]


class Store:
    """A place of results; creating the object touches nothing there.

    Args:
        root: A folder, or a URL such as `s3://bucket/prefix`.

    Attributes:
        root: The absolute folder, or the URL as text.
        local: A folder of this machine for what need not last, such as checkpoints: `root` where that is a folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.files = place.at(root)
        self.root: Path | str = self.files.where()
        self.local: Path = self.files.local

    def probe(self) -> None:
        """Raise EnvironmentFault unless results can be kept here; clears what dead writers left."""
        self.files.probe()
        folders = ("trials", "studies", "packs", "models", "gone", "aside", "claims", "later", "published")
        self.files.collect(*folders, *(f"runs/{name}" for name in self.files.names("runs")))
        claims.collect(self.files)

    def exists(self) -> bool:
        """Whether anything was ever kept here."""
        return any(self.files.names(folder) for folder in ("studies", "trials", "packs"))

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
        self.files.replace(f"studies/{study}.json", seal(body))

    def declaration(self, study: str) -> dict:
        """What `declare` wrote.

        Raises:
            UserError: no such study here, with the nearest known name.
        """
        known = self.studies()
        if study not in known:
            raise UserError(
                f"no results of a study '{study}'",
                where=self.root,
                expected=f"one of {', '.join(known)}"
                if known
                else "a study that was run: upbench run studies/NAME.yaml",
                nearest=nearest(study, known),
            )
        return unseal(f"studies/{study}.json", self.files)

    def studies(self) -> list[str]:
        """Names of the declared studies, sorted."""
        return sorted(name.removesuffix(".json") for name in self.files.names("studies") if name.endswith(".json"))

    def ids(self) -> set[str]:
        """Ids of all committed trials.

        Raises:
            DataError: so damaged that they cannot be told.
        """
        return reading.ids(self.files)

    def done(self, ids: Iterable[str]) -> set[str]:
        """Those of `ids` that are committed."""
        if len(ids := list(ids)) > models.FEW:
            return self.ids().intersection(ids)
        loose = {ident for ident in ids if self.files.has_shard(f"trials/{ident}")}
        return loose | {ident for ident in ids if ident not in loose and packs.holder(self.files, ident)}

    def claim(self, ident: str, run: str | None = None) -> Claim:
        """Hold a trial while computing it: `with store.claim(ident) as claim: ... store.commit(record, claim.token)`.

        Args:
            ident: The trial.
            run: Name of the run; a claim of the same run is taken over at once, since its first worker is given up.

        Raises:
            Taken: a process that lives is at it.
        """
        return claims.take(self.files, ident, run)

    def commit(self, record: Record, token: str | None = None, model: bytes | None = None) -> bool:
        """Make a trial's measurements visible, whole; False when the trial is committed already and stays as it was.

        Args:
            record: The measurements.
            token: Of the claim under which they were made.
            model: What was trained, as a file's bytes, to be kept beside them.

        Raises:
            Superseded: another process has claimed the trial since; nothing is written.
        """
        ident = str(record.trial["id"])
        if not re.fullmatch(r"[0-9a-z]{4,64}", ident):
            raise ValueError(f"not a trial id: {ident!r}")
        if token is not None:
            claims.check(self.files, ident, token)
        if self.done([ident]):
            return False
        tables = {"trial": schema.build("trials", [record.trial])}
        for name in TABLES[1:]:
            tables[name] = schema.build(name, getattr(record, name), id=ident)

        def allowed() -> bool:
            if token is not None:
                claims.check(self.files, ident, token)
            return packs.holder(self.files, ident) is None

        return self.files.put(f"trials/{ident}", shards.encode(ident, tables, model=model), allowed)

    def read(self, study: str, tables: Sequence[str] = TABLES, tuning: bool = False) -> Results:
        """A study's measurements, every byte checked; `label`, `budget` and `tuned` are those of its declaration, and
        each `dataset` is the shortest label that tells it from the others of the study.

        Args:
            study: Name of a declared study.
            tables: Which tables to read; the others come back empty. With `queries`, scores follow from kept ranks.
            tuning: With the trials of a search, which are no results.
        """
        whole = self.declaration(study)
        declaration = whole if tuning else {**whole, "trials": own.results(whole["trials"])}
        declared = {trial["id"]: trial for trial in declaration["trials"]}
        found, missing, further = later.read(self.files, declared, tables)
        found["trials"] = own.named(found["trials"], declared)
        of = sets.labelled(found, later.declared(declared, further))
        absent = [
            {**declared[i], "dataset": of.homes[i], "why": own.why(declared[i], why)} for i, why in missing.items()
        ]
        search = {trial["id"] for trial in whole["trials"] if trial["id"] not in declared}
        partial = own.partial(whole, {*missing, *(search - self.done(search))})
        frames = {name: schema.frame(table) for name, table in rescored.tables(of.tables).items()}
        return Results(study=declaration, missing=absent, measured_on=of.measured_on, partial=partial, **frames)

    def measured(self, ids: Iterable[str], tables: Sequence[str] = ("trials", "scores")) -> dict[str, pd.DataFrame]:
        """Tables of those of `ids` that are committed and undamaged, whatever study they belong to; `dataset` of scores
        and queries is the text of a `MeasuredOn`."""
        found = reading.read(self.files, sorted(self.done(ids)), sorted({*tables, "trials"}))[0]
        found = rescored.tables(sets.spoken(found))
        return {name: schema.frame(found[name]) for name in tables}

    def damaged(self, ids: Iterable[str]) -> dict[str, str]:
        """Committed trials whose files are not what was committed: id -> what is wrong, with the file."""
        done = sorted(self.done(ids))
        return {**models.faults(self.files, done), **reading.read(self.files, done, TABLES)[1]}

    def model(self, ident: str) -> bytes | None:
        """The kept model of a committed trial, every byte checked; None where none was kept.

        Raises:
            DataError: it is damaged, or gone.
        """
        return models.read(self.files, ident)

    def models(self, ids: Iterable[str]) -> dict[str, int]:
        """Bytes of the kept model of each of `ids` that has one."""
        return models.sizes(self.files, ids)

    def with_status(self, ids: Iterable[str], statuses: Sequence[str]) -> list[str]:
        """Committed trials among `ids` whose row has one of these statuses."""
        rows = reading.read(self.files, sorted(self.done(ids)), ("trials",))[0]["trials"]
        pairs = zip(rows["id"].to_pylist(), rows["status"].to_pylist(), strict=True)
        return [ident for ident, status in pairs if status in statuses]

    def set_aside(self, ident: str) -> Path | str:
        """Take a committed trial out of use, so that it can run again.

        Its files move to `aside/`; of a pack the rows are copied there, or stay where they are when it is damaged.
        """
        return aside.put(self.files, ident)

    def compact(self, told: Callable[[int], None] = lambda trials: None) -> Compacted:
        """Put trials together in few files, which are read many times faster; nothing else changes for a reader."""
        order: dict[str, None] = {}
        for study in self.studies():
            order |= dict.fromkeys(later.behind(self.files, (t["id"] for t in self.declaration(study)["trials"])))
        return compaction.compact(self.files, order, told)

    def take(self, other: Store, ident: str) -> str:
        """As `take_all`, of one trial."""
        return self.take_all(other, [ident])[ident]

    def take_all(
        self, other: Store, ids: Iterable[str], queries: str = "all", packed: bool = False, with_models: bool = True
    ) -> dict[str, str]:
        """Copy committed trials of another store: id -> "added", or "same" or "conflict" when it is here already.

        It is the same when scores and per-query records are equal, whatever its timings; ours always stays.

        Args:
            other: Where from.
            ids: Trials committed there.
            queries: Per-query records to take: all, selected (text to image: what reports pair) or none.
            packed: Write few files.
            with_models: Take what was trained, too.
        """
        return merge.take(self.files, other.files, ids, queries, packed, with_models)

    def take_study(self, other: Store, study: str) -> str:
        """Copy a declaration: "added" if it is not here or goes on from ours; else "same" or "conflict": ours stays."""
        theirs, path = other.declaration(study), f"studies/{study}.json"
        if study not in self.studies():
            return "added" if self.files.create(path, seal(theirs)) else self.take_study(other, study)
        if (verdict := self.compare(other, study)) == "added":
            self.files.replace(path, seal(theirs))
        return verdict

    def compare(self, other: Store, study: str) -> str:
        """What `take_study` says of a study that both have."""
        ours, theirs = self.declaration(study), other.declaration(study)
        ids = {trial["id"] for trial in (*ours["trials"], *theirs["trials"])}
        return own.compared(ours, theirs, self.done(ids) | other.done(ids))

    def take_runs(self, other: Store, study: str) -> int:
        """Copy the run records of another store that are not here yet, under new numbers; how many were added."""
        return runs.take(self.files, other.files, study)

    def record_run(self, study: str, record: Mapping[str, object]) -> Path | str:
        """Keep how one `upbench run` went: `wall_seconds`, `busy_seconds`, `workers`, `executor` and counts."""
        _check_name(study)
        return runs.add(self.files, study, record)

    def runs(self, study: str) -> list[dict]:
        """The run records of a study, oldest first."""
        return runs.read(self.files, study)

    def state_published(self, study: str, statement: Mapping[str, object]) -> None:
        """Keep what was published of a study, and how much of it."""
        self.files.replace(f"published/{study}.json", seal({"schema": schema.VERSION, **statement}))

    def published(self) -> list[str]:
        """Names of the studies that were published here, sorted."""
        return sorted(name.removesuffix(".json") for name in self.files.names("published") if name.endswith(".json"))

    def publication(self, study: str) -> dict | None:
        """What `state_published` kept of a study; None where it was not published here."""
        return unseal(f"published/{study}.json", self.files) if study in self.published() else None

    def size(self) -> int:
        """Bytes of everything here."""
        return self.files.total()


def _check_name(study: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", study):
        raise UserError(f"'{study}' cannot name a study", expected="letters, digits, dot, dash and underscore")
