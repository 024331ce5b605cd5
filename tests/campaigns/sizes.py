"""Ten thousand and a hundred thousand trials: time to read them, as shards and as packs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from harness.store import schema
from harness.store.files import packs
from harness.store.store import Store
from tests.campaigns.toy import PLACE, entry, record

METHODS, SEEDS = 40, 5


def trial(number: int) -> dict:
    """What tells trial `number` from the others."""
    return {
        "label": f"method {number // SEEDS % METHODS}",
        "method": "lora",
        "budget": f"{1 + number // (SEEDS * METHODS)}",
        "seed": number % SEEDS,
    }


def size(number: int) -> dict:
    """What the check of a reading looks at."""
    return {"trained": 1000 + number, "total": 100_000, "share": 0.01}


def name(number: int) -> str:
    """Its id: hexadecimal digits in no order, as real ones are."""
    return f"{(number * 0x9E3779B97F4A7C15) % 2**64:016x}"


def declare(store: Store, trials: int) -> None:
    """A study of so many trials."""
    store.declare("one", {}, [entry(name(number), **trial(number)) for number in range(trials)])


def shards(store: Store, trials: int, queries: int) -> None:
    """Commit trials one by one, as runs do."""
    for number in range(trials):
        more = {**trial(number), **size(number)}
        store.commit(record(name(number), value=20 + number % 97 / 10, queries=queries, **more))


def packed(store: Store, trials: int, queries: int) -> None:
    """The same trials as compaction leaves them, without writing every one by itself first."""
    for start in range(0, trials, packs.MOST_TRIALS):
        numbers = range(start, min(trials, start + packs.MOST_TRIALS))
        rows = [{**record("aaaa").trial, **trial(n), "id": name(n), **size(n)} for n in numbers]
        scores = [{**record("aaaa", 20 + n % 97 / 10).scores[0], "id": name(n)} for n in numbers]
        history = [{**record("aaaa").history[0], "id": name(n)} for n in numbers]
        one = record("aaaa", queries=queries).queries
        many = {key: np.tile(values, len(numbers)) for key, values in one.items()}
        whole = {
            "trials": schema.build("trials", rows),
            "scores": schema.build("scores", scores),
            "history": schema.build("history", history),
            "queries": schema.build("queries", {**many, "id": np.repeat([name(n) for n in numbers], queries)}),
        }
        each = {"trials": 1, "scores": 1, "history": 1, "queries": queries}
        batch = [
            (name(n), {key: table.slice(i * each[key], each[key]) for key, table in whole.items()}, "all")
            for i, n in enumerate(numbers)
        ]
        packs.write(store.files, batch)


def seconds(work: Callable[[], object]) -> str:
    """Wall time of one call and, since a machine may be shared, the processor time of it."""
    wall, busy = time.perf_counter(), time.process_time()
    work()
    return f"{time.perf_counter() - wall:.2f} s ({time.process_time() - busy:.2f} s busy)"


def reading(store: Store, trials: int) -> dict[str, str]:
    """Seconds of what commands ask of a store; the results are checked."""
    ids = [name(number) for number in range(trials)]
    return {
        "done": seconds(lambda: store.done(ids)),
        "read": seconds(lambda: _whole(store, ids)),
        "read without queries": seconds(lambda: store.read("one", ("trials", "scores", "history"))),
        "commit": seconds(lambda: store.commit(record("ffff"))),
    }


def _whole(store: Store, ids: list[str]) -> None:
    found = store.read("one")
    assert found.trials["id"].tolist() == ids and not found.missing
    assert found.scores["id"].tolist() == ids
    assert np.array_equal(found.trials["trained"].to_numpy(), 1000 + np.arange(len(ids)))


def campaign(folder: Path, sizes=(10_000, 100_000), queries: int = 50) -> tuple[int, int, list[str]]:
    """Stores read whole, stores, and faults; prints the times."""
    passed, cases, faults = 0, 0, []
    for trials in sizes:
        store = Store(folder / str(trials))
        store.probe()
        declare(store, trials)
        small = trials <= 10_000
        (shards if small else packed)(store, trials, queries)
        for form in ("shards", "packs") if small else ("packs",):
            if form == "packs" and small:
                print(f"  compact: {seconds(store.compact)}")
            cases += 1
            try:
                times = reading(store, trials)
                passed += 1
                told = ", ".join(f"{key} {value}" for key, value in times.items())
                size, count = store.size() / 1e6, sum(1 for path in store.root.rglob("*") if path.is_file())
                print(f"  {trials} trials x {queries} queries as {form}, {count} files, {size:.1f} MB: {told}")
            except AssertionError as error:
                faults.append(f"{trials} as {form}: {error}")
    return passed, cases, faults


def bytes_per_trial(folder: Path, queries: int, test_sets: int, trials: int = 30) -> dict[str, float]:
    """Bytes of a published trial by what is kept of its queries, with ranks as a trained model has them."""
    rng, found = np.random.default_rng(0), {}
    for how in ("all", "selected", "none"):
        store, other = Store(folder / "full"), Store(folder / how)
        if not store.exists():
            for number in range(trials):
                store.commit(_realistic(rng, name(number), queries, test_sets))
            declare(store, trials)
        other.take_all(store, [name(number) for number in range(trials)], how, packed=True)
        found[how] = other.size() / trials
    return found


def _realistic(rng: np.random.Generator, ident: str, queries: int, test_sets: int):
    given = record(ident)
    rows = []
    for place in range(test_sets):
        for direction in ("t2i", "i2t"):
            first = np.minimum(np.ceil(rng.pareto(0.7, queries) + 1e-9), queries).astype(int)
            positives = np.full(queries, 4)
            rows.append(
                schema.build(
                    "queries",
                    {
                        "query": np.arange(queries),
                        "person": np.arange(queries) // 4,
                        "positives": positives,
                        "first": first,
                        "ap": (rng.random(queries) / first).astype(np.float32),
                        "inp": (positives / (first + rng.integers(4, 400, queries))).astype(np.float32),
                    },
                    id=ident,
                    **{**PLACE, "dataset": f"set {place}", "direction": direction},
                )
            )
    table = pa.concat_tables(rows).drop_columns("id")
    return given.__class__(
        given.trial, given.scores, given.history, {n: table[n].to_numpy() for n in table.schema.names}
    )
