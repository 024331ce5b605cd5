"""How a run ended: lines for people, or the error that says what is not as it should be."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.api import asking
from harness.errors import NothingMeasured, Preempted, RunFailed
from harness.execution.progress import clock

if TYPE_CHECKING:
    from harness.store.store import Store


def conclude(
    name: str, results: Store, record: dict[str, Any], ids: list[str], store: str, waiting: int, tell: Callable
) -> None:
    """Tell how a run went by its record.

    Raises:
        RunFailed, NothingMeasured, Preempted: it did not go well.
    """
    wall, busy, workers = record["wall_seconds"], record["busy_seconds"], record["workers"]
    statuses = ", ".join(f"{n} {status}" for status, n in sorted(record["statuses"].items())) or "none"
    tell(f"finished: {statuses}")
    tell(
        f"wall time {clock(wall)}, inside trials {clock(busy)} on {workers} worker{'s' * (workers > 1)}, "
        f"overhead {100 * overhead(record):.0f} %"
    )
    done = len(results.done(ids) - set(record["lost"]))
    if record["stopped"]:
        why = f"stopped: {record['reason']}" if record["reason"] else "stopped"
        raise Preempted(f"{why}; {done} of {len(ids)} trials are committed; the same command continues")
    if record["lost"]:
        path = asking.log(store, "\n".join(f"trial {ident}: {why}" for ident, why in record["lost"].items()))
        first = next(iter(record["lost"].values())).strip().splitlines()[-1]
        raise RunFailed(
            f"{len(record['lost'])} trials were lost, first: {first}; details in {path}",
            kept=f"{done} of {len(ids)} trials; the same command runs the others again",
        )
    if failed := record["statuses"].get("failed"):
        raise RunFailed(
            f"{failed} trials failed; upbench status {name} tells why",
            kept=f"all {done} rows; upbench run {name} --retry-failed runs the failed ones again",
        )
    if others := record["statuses"].get("elsewhere"):
        raise Preempted(
            f"{others} trials are with another run of this store; the same command completes what it does not",
            kept=f"{done} of {len(ids)} trials",
        )
    if waiting:
        raise held(name, waiting, done)
    if not record["statuses"].get("ok"):
        refuse_nothing(name, results, ids)
    tell(f"next: upbench report {name}")


def overhead(record: dict) -> float:
    """Share of a run's wall time in which its workers were not inside trials: (wall - busy / workers) / wall."""
    return (record["wall_seconds"] - record["busy_seconds"] / record["workers"]) / record["wall_seconds"]


def held(name: str, waiting: int, done: int) -> RunFailed:
    """The second phase waits for a search that has failed trials."""
    return RunFailed(
        f"{waiting} trials wait for a search that has failed trials; upbench status {name} tells why",
        kept=f"all {done} rows; upbench run {name} --retry-failed runs the failed ones again",
    )


def refuse_nothing(name: str, results: Store, ids: list[str]) -> None:
    """Raise NothingMeasured unless a trial of the study has a number."""
    rows = results.measured(ids, ("trials",))["trials"]
    if len(rows) and not (rows["status"] == "ok").any():
        counts = ", ".join(f"{n} {status}" for status, n in rows["status"].value_counts().sort_index().items())
        raise NothingMeasured(
            f"nothing was measured: {counts}; upbench status {name} tells why", kept=f"all {len(rows)} rows"
        )
