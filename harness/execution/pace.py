"""How long the rest of a run will take, by the trials seen so far."""

from __future__ import annotations

from collections.abc import Mapping

from harness.measured_on import MeasuredOn

UNTRAINED = 0.5  # epochs that loading and measuring are taken to be worth


class Pace:
    """Seconds per epoch by kind of trial, measured as trials go on.

    Args:
        trials: id -> resolved trial, all that will run.
        workers: Trials side by side.
    """

    def __init__(self, trials: Mapping[str, dict], workers: int) -> None:
        self._workers = workers
        self._work = {ident: _work(trial) for ident, trial in trials.items()}
        self._kind = {ident: _kind(trial) for ident, trial in trials.items()}
        self._ended: set[str] = set()
        self._under_way: dict[str, tuple[float, float]] = {}  # id -> seconds, epochs
        self._measured: dict[str, tuple[float, float]] = {}  # kind -> seconds, epochs of ended trials

    def at(self, ident: str, seconds: float, epochs: float) -> None:
        """A trial under way has done so many epochs in so many seconds."""
        self._under_way[ident] = (seconds, epochs)

    def end(self, ident: str, seconds: float, whole: bool = True) -> None:
        """A trial is through; only a `whole` one tells how long its kind takes."""
        self._under_way.pop(ident, None)
        if ident in self._ended or ident not in self._work:
            return
        self._ended.add(ident)
        if whole:
            before = self._measured.get(self._kind[ident], (0.0, 0.0))
            self._measured[self._kind[ident]] = (before[0] + seconds, before[1] + self._work[ident])

    def again(self, ident: str) -> None:
        """A trial's worker died."""
        self._under_way.pop(ident, None)

    def left(self) -> float | None:
        """Seconds until all trials are through; None before any trial has told how fast it is.

        What is left, in epochs times the seconds per epoch of the same kind (of all trials, for a kind that was not
        seen yet), shared among the workers; not less than the longest trial under way needs.
        """
        seen = dict(self._measured)
        for ident, (seconds, epochs) in self._under_way.items():
            before = seen.get(self._kind[ident], (0.0, 0.0))
            seen[self._kind[ident]] = (before[0] + seconds, before[1] + epochs)
        epochs = sum(worth for _, worth in seen.values())
        if not epochs:
            return None
        mean = sum(seconds for seconds, _ in seen.values()) / epochs
        rates = {kind: seconds / worth for kind, (seconds, worth) in seen.items() if worth}
        rest = {
            ident: max(0.0, work - self._under_way.get(ident, (0.0, 0.0))[1]) * rates.get(self._kind[ident], mean)
            for ident, work in self._work.items()
            if ident not in self._ended
        }
        longest = max((rest[ident] for ident in self._under_way if ident in rest), default=0.0)
        return max(longest, sum(rest.values()) / max(1, min(self._workers, len(rest) or 1)))


def _work(resolved: Mapping) -> float:
    if resolved.get("status", "ready") != "ready":
        return 0.0
    epochs = (resolved["trial"].get("recipe") or {}).get("epochs")
    return UNTRAINED if epochs == 0 else UNTRAINED + (epochs or 1)


def _kind(resolved: Mapping) -> str:
    trial = resolved["trial"]
    dataset = trial.get("dataset")
    name = MeasuredOn.of(dataset, "train").text if isinstance(dataset, Mapping) else dataset
    return f"{trial.get('method')} {trial.get('budget')} {name}"
