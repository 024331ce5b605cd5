"""Many shards are read in forks: the same rows and the same words about damage as without."""

from __future__ import annotations

import json
import subprocess
import sys

from harness.store import schema
from harness.store.files import checksummed, shards
from harness.store.store import Store
from tests.campaigns.toy import entry, record

READ = """
import json, sys
from harness import parallel
from harness.errors import DataError
from harness.store import reading
from harness.store.store import Store
parallel.processors = lambda: 2
reading.CHUNK = 5
said, forked = [], []
each = parallel.each
parallel.each = lambda *given: forked.append(1) or each(*given)
for reading.MANY in (1, 10**9):
    try:
        found = Store(sys.argv[1]).read("one")
        frames = (found.trials, found.scores, found.history, found.queries)
        said.append([[f.to_json() for f in frames], [[m["id"], m["why"]] for m in found.missing]])
    except DataError as error:
        said.append([type(error).__name__, str(error)])
print(json.dumps({"said": said, "forked": len(forked)}))
"""


def _read(store: Store) -> tuple[list, list]:
    text = subprocess.check_output([sys.executable, "-c", READ, str(store.root)], text=True)
    found = json.loads(text)
    assert found["forked"] == 1
    return found["said"]


def test_forks_read_what_one_process_reads(tmp_path):
    store, names = Store(tmp_path / "s"), [f"{number:04x}" for number in range(17)]
    store.declare("one", {}, [entry(name, seed=number) for number, name in enumerate(names)])
    for number, name in enumerate(names):
        if number != 3:  # not run
            store.commit(record(name, value=20.0 + number, queries=number % 4))
    for name, file in (("0006", "scores.parquet"), ("000a", "trial.parquet")):
        path = store.root / "trials" / name / file
        path.write_bytes(path.read_bytes()[:-9] + b"different")
    (store.root / "trials" / "000b" / "history.parquet").unlink()
    forked, alone = _read(store)
    assert forked == alone
    assert [name for name, _ in forked[1]] == ["0003", "0006", "000a", "000b"]
    assert "SHA-256" in forked[1][1][1] and "cannot be read" in forked[1][3][1]


def test_a_newer_schema_is_refused_from_a_fork(tmp_path):
    store, names = Store(tmp_path / "s"), [f"{number:04x}" for number in range(8)]
    store.declare("one", {}, [entry(name, seed=number) for number, name in enumerate(names)])
    for name in names:
        store.commit(record(name))
    path = store.root / "trials" / "0006" / shards.COMMIT
    body = checksummed.unseal(path)
    path.write_bytes(checksummed.seal({**body, "schema": schema.VERSION + 1}))
    forked, alone = _read(store)
    assert forked == alone and forked[0] == "NewerSchema"
