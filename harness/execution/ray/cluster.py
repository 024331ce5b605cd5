"""A Ray cluster that is joined: is it there, and can its nodes run our trials?"""

from __future__ import annotations

import hashlib
import importlib.metadata
import socket
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import EnvironmentFault

CONNECT_SECONDS = 5.0
HEALTH_SECONDS = 60.0  # for what listens to say that it is a head; a new process imports Ray for it
NODE_SECONDS = 90.0  # for every node to answer
ALONE = "no --address and no RAY_ADDRESS to run on this machine alone"


def reachable(address: str) -> None:
    """Raise EnvironmentFault unless a head listens at HOST:PORT; "auto" is Ray's to judge."""
    if address in ("auto", "local"):
        return
    if address.startswith("ray://"):
        # Ray Client moves Tune and its callbacks to the head, and what they tell does not come back from there.
        raise EnvironmentFault(
            f"{address} is Ray Client, which does not bring the events of trials back",
            expected="--address HOST:PORT, or auto, on a machine of the cluster",
            kept="all results",
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise EnvironmentFault(f"'{address}' is no address of a Ray cluster", expected=f"auto or HOST:PORT, or {ALONE}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        raise EnvironmentFault(
            f"nothing answers at {address}: {error.strerror or error}",
            expected=f"the address that `ray start --head` printed, or {ALONE}",
            kept="all results",
        ) from error
    _healthy(address)


def _healthy(address: str) -> None:
    # In a process of its own: Ray's native part retries for long, and writes to the terminal past Python.
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=HEALTH_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise EnvironmentFault(
            f"what answers at {address} is not the head of a Ray cluster, or it hangs ({HEALTH_SECONDS:g} s)",
            expected=f"the address that `ray start --head` printed, or {ALONE}",
            kept="all results",
        ) from error
    if not done.returncode:
        return
    if "InvalidAuthToken" in done.stderr:
        raise EnvironmentFault(
            f"the Ray at {address} wants a token",
            expected="RAY_AUTH_MODE=token, and the head's ~/.ray/auth_token here or in RAY_AUTH_TOKEN",
            kept="all results",
        )
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    raise EnvironmentFault(f"the Ray at {address} is not well: {lines[-1][:200]}", expected=ALONE, kept="all results")


def code() -> str:
    """Hash of the sources that decide results, as a node has them installed."""
    root, digest = Path(__file__).parents[3], hashlib.sha256()
    for path in sorted(path for room in ("harness", "methods") for path in (root / room).rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def fit(shared: Sequence[str]) -> None:
    """Ask every node with CPUs whether it has our code and libraries and sees the shared folders.

    Raises:
        EnvironmentFault: with the node and what it lacks.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    probes = []
    for folder in shared:
        probe = Path(folder) / f".seen-{uuid.uuid4().hex[:8]}"
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probes.append(probe)
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    ask = ray.remote(num_cpus=0, max_retries=0)(_describe)
    try:
        asked = {
            node["NodeManagerAddress"] + "/" + node["NodeID"][:6]: ask.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote([str(probe) for probe in probes])
            for node in nodes
        }
        ready, _ = ray.wait(list(asked.values()), num_returns=len(asked), timeout=NODE_SECONDS) if asked else ([], [])
        here, problems = _describe([]), []
        for name, answer in asked.items():
            if answer not in ready:
                problems.append(f"node {name} did not answer within {NODE_SECONDS:g} s")
                continue
            try:
                there = ray.get(answer)
            except Exception as error:
                problems.append(f"node {name} cannot run upbench: {_last_line(error)}")
                continue
            for what in ("code", "python", "torch"):
                if there[what] != here[what]:
                    problems.append(f"node {name} has {what} {there[what]}, here it is {here[what]}")
            problems += [f"node {name} does not see {Path(probe).parent}" for probe in there["unseen"]]
    finally:
        for probe in probes:
            probe.unlink(missing_ok=True)
    if problems:
        raise EnvironmentFault(
            "; ".join(problems[:3]) + (f"; and {len(problems) - 3} more" if len(problems) > 3 else ""),
            expected="the same upbench on every node, and --store and --data on a drive that all of them mount",
            kept="all results",
        )


def _describe(probes: Sequence[str]) -> dict[str, Any]:
    from harness.execution.ray import cluster

    return {
        "code": cluster.code(),
        "python": ".".join(map(str, sys.version_info[:2])),
        "torch": importlib.metadata.version("torch"),
        "unseen": [probe for probe in probes if not Path(probe).exists()],
    }


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
