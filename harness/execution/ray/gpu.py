"""Several trials on one GPU: how much memory a trial needs, measured; the share that gives; and a cap that holds it.

A share is a fraction of a GPU as Ray counts it. Ray only counts: what keeps a trial inside its share is the cap that
torch puts on the memory of the process.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence

from harness.errors import EnvironmentFault, Preempted, UserError

MARGIN = 0.15  # above the measured peak: batches differ, and the allocator splits
CONTEXT = 800 * 1024**2  # bytes of the CUDA context and its libraries, outside the allocator
STEPS = 6  # of a probe; the optimizer's state is there after the first
PROBE_SECONDS = 600.0
# What does not change how much memory a trial takes.
FREE = ("seed", "label", "budget", "phase")
FREE_RECIPE = ("lr", "epochs", "name")


def share(peak: float, total: float) -> float:
    """The fraction of a GPU of `total` bytes that a trial with a measured `peak` needs, in hundredths, at most 1."""
    return min(1.0, math.ceil(100 * (peak * (1 + MARGIN) + CONTEXT) / total - 1e-9) / 100)


def cap(part: float, cuda=None) -> float | None:
    """Hold this process to `part` of its GPU; the fraction given to the allocator, None without a GPU.

    Beyond it torch raises its out-of-memory error in this process, and its neighbours on the GPU are left alone.
    """
    if cuda is None:
        import torch

        cuda = torch.cuda
    if not cuda.is_available():
        return None
    cuda.empty_cache()  # of the trial before, so that it counts for nobody
    total = cuda.get_device_properties(0).total_memory
    fraction = 1.0 if part >= 1 else max(0.001, (part * total - CONTEXT) / total)
    cuda.set_per_process_memory_fraction(fraction, 0)
    return fraction


def kind(resolved: Mapping) -> str:
    """What decides the memory of a trial; one probe serves all trials of a kind."""
    trial = {k: v for k, v in resolved["trial"].items() if k not in FREE}
    trial["recipe"] = {k: v for k, v in (trial.get("recipe") or {}).items() if k not in FREE_RECIPE}
    return json.dumps(trial, sort_keys=True, default=str)


def probe(resolved: dict, run: str | Callable, data: str, cuda=None) -> tuple[float, float]:
    """Run the first steps of a trial alone on its GPU: (peak bytes of the allocator, total bytes of the GPU)."""
    from harness.execution.ray.worker import find

    if cuda is None:
        import torch

        cuda = torch.cuda
    total, asked, peak = cuda.get_device_properties(0).total_memory, 0, 0

    def enough() -> bool:
        # Trials reset torch's peak for measurements of their own, so it is read at every step.
        nonlocal asked, peak
        asked, peak = asked + 1, max(peak, cuda.max_memory_reserved())
        return asked > STEPS

    with tempfile.TemporaryDirectory(prefix="upbench-probe") as store:
        try:
            status = find(run)(resolved, store, data, lambda event: None, stop=enough)
        except Preempted:
            status = "stopped"
    if status == "oom":
        return float(total), float(total)
    return float(max(peak, cuda.max_memory_reserved())), float(total)


def shares(todo: Sequence[dict], asked: float | str | None, measure: Callable[[dict], tuple[float, float]]) -> dict:
    """id -> share of a GPU.

    Args:
        todo: Resolved trials.
        asked: "auto" measures one trial of each kind; a number is taken for all.
        measure: A trial to (peak, total), by `probe` on a GPU.

    Raises:
        UserError: a number that is no share.
    """
    if asked != "auto":
        part = 1.0 if asked is None else float(asked)
        if not 0 < part <= 1:
            raise UserError(f"{part:g} is no share of a GPU", where="--gpu-share", expected="auto, or more than 0 to 1")
        return {trial["id"]: part for trial in todo}
    known: dict[str, float] = {}
    for trial in todo:
        if (of := kind(trial)) not in known:
            known[of] = share(*measure(trial))
    return {trial["id"]: known[kind(trial)] for trial in todo}


def on_cluster(todo: Sequence[dict], asked: float | str | None, run: str | Callable, data: str) -> dict:
    """`shares` with probes on the GPUs of the Ray that is up, each in a process of its own."""
    import ray

    if not ray.cluster_resources().get("GPU", 0):
        raise EnvironmentFault("the trials ask for a GPU and Ray sees none", expected="device: cpu, or a GPU")
    remote = ray.remote(num_cpus=1, num_gpus=1, max_calls=1, max_retries=1)(probe)

    def measure(trial: dict) -> tuple[float, float]:
        try:
            return ray.get(remote.remote(trial, run, data), timeout=PROBE_SECONDS)
        except ray.exceptions.GetTimeoutError as error:
            raise EnvironmentFault(
                f"the memory of trial {trial['id'][:6]} was not measured within {PROBE_SECONDS:g} s",
                expected="--gpu-share with a number, or a GPU that is free",
            ) from error

    return shares(todo, asked, measure)
