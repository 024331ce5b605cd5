"""Joining a cluster: what is wrong is told in time, and the guide's files say what the command line accepts."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from harness.cli import main
from harness.cli.commands.run import command
from harness.errors import EnvironmentFault, UserError
from harness.execution.outcome import Ledger
from harness.execution.ray import cluster, watch
from harness.execution.ray.stop import Interrupter

GUIDE = (Path(__file__).parents[4] / "docs" / "cluster.md").read_text(encoding="utf-8")


@pytest.fixture
def silent():
    """HOST:PORT of something that listens and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def closed() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.parametrize(
    "address, words",
    [
        ("bogus", "is no address of a Ray cluster; expected auto or HOST:PORT"),
        ("host:0", "is no address of a Ray cluster"),
        ("127.0.0.1:65536", "is no address of a Ray cluster"),
        ("no-such-host.invalid:6379", "nothing answers at no-such-host.invalid:6379"),
        (None, "nothing answers at .*refused; expected the address that `ray start --head` printed"),
    ],
    ids=["no port", "port zero", "port too large", "no host", "closed"],
)
def test_a_wrong_address_is_told_with_the_way_out(address, words):
    # A free port is another one in every process, and a test's name must not be.
    address = address or closed()
    began = time.monotonic()
    with pytest.raises(EnvironmentFault, match=words) as caught:
        cluster.reachable(address)
    assert caught.value.exit_code == 3 and "to run on this machine alone" in str(caught.value)
    assert time.monotonic() - began < 10


def test_what_is_no_head_is_told_in_time(silent, monkeypatch):
    monkeypatch.setattr(cluster, "HEALTH_SECONDS", 1.0)
    began = time.monotonic()
    with pytest.raises(EnvironmentFault, match="is not the head of a Ray cluster, or it hangs"):
        cluster.reachable(silent)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "said, words",
    [
        ("x\nAuthenticationError: InvalidAuthToken: ...", "wants a token; expected RAY_AUTH_MODE=token"),
        ("x\nRuntimeError: broken", "is not well: RuntimeError: broken"),
        ("", "is not well: exit code 1"),
    ],
)
def test_a_head_that_refuses_is_told(silent, monkeypatch, said, words):
    done = SimpleNamespace(returncode=1, stderr=said, stdout="")
    monkeypatch.setattr(cluster.subprocess, "run", lambda *_, **__: done)
    with pytest.raises(EnvironmentFault, match=words):
        cluster.reachable(silent)


def test_ray_client_is_refused_with_the_other_way(silent):
    with pytest.raises(EnvironmentFault, match=r"is Ray Client.*expected --address HOST:PORT, or auto, on a machine"):
        cluster.reachable(f"ray://{silent}")


def test_the_command_line_says_it_in_one_line_with_code_3(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    study = "name: s\nbackbone: tiny\ndatasets: [{synth_cuhk: {size: tiny}}]\nmethods: [zero_shot]\nseeds: [0]\n"
    (tmp_path / "s.yaml").write_text(study + "recipe: {name: short, epochs: 1}\n")
    began = time.monotonic()
    assert main.call(["run", "s.yaml", "--address", closed()]) == 3
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1 and "nothing answers at" in error and "kept: all results" in error
    assert time.monotonic() - began < 30


class Nodes:
    """As much of ray as `fit` uses: two nodes, with what each answers."""

    def __init__(self, answers: list) -> None:
        self.answers = answers
        self.exceptions = SimpleNamespace()

    def nodes(self):
        return [
            {"Alive": True, "Resources": {"CPU": 1}, "NodeManagerAddress": f"10.0.0.{n}", "NodeID": f"{n}" * 56}
            for n in range(len(self.answers))
        ] + [{"Alive": False, "Resources": {"CPU": 1}}, {"Alive": True, "Resources": {}}]

    def remote(self, **_):
        queue = iter(range(len(self.answers)))
        task = SimpleNamespace(remote=lambda probes: (next(queue), tuple(probes)))
        return lambda function: SimpleNamespace(options=lambda **_: task)

    def wait(self, asked, **_):
        return [ref for ref in asked if self.answers[ref[0]] is not None], []

    def get(self, ref):
        answer = self.answers[ref[0]]
        if isinstance(answer, Exception):
            raise answer
        return {**cluster._describe([]), "unseen": [p for p in ref[1] if "unseen" in answer], **answer.get("has", {})}


@pytest.mark.parametrize(
    "answers, words",
    [
        ([{}, {}], None),
        ([{}, {"unseen": 1}], "node 10.0.0.1/111111 does not see .*store"),
        ([{"has": {"code": "abc"}}, {}], "node 10.0.0.0/000000 has code abc, here it is"),
        ([{"has": {"torch": "1.0"}}, {}], "has torch 1.0"),
        ([{}, None], "node 10.0.0.1/111111 did not answer within"),
        ([{}, ImportError("x\nNo module named 'harness'")], "cannot run upbench: No module named 'harness'"),
    ],
)
def test_nodes_that_cannot_run_trials_are_named(tmp_path, monkeypatch, answers, words):
    importlib.import_module("ray.util.scheduling_strategies")  # before ray is replaced
    monkeypatch.setitem(sys.modules, "ray", Nodes(answers))
    (tmp_path / "store").mkdir()
    if words:
        with pytest.raises(EnvironmentFault, match=words) as caught:
            cluster.fit([str(tmp_path / "store")])
        assert "a drive that all of them mount" in str(caught.value)
    else:
        cluster.fit([str(tmp_path / "store")])
    assert not list((tmp_path / "store").iterdir())


@pytest.fixture
def watched(monkeypatch):
    """A watch over a head at a socket that can be closed, with short waits."""
    server = socket.create_server(("127.0.0.1", 0))
    context = SimpleNamespace(gcs_address=f"127.0.0.1:{server.getsockname()[1]}")
    resources = SimpleNamespace(
        get_runtime_context=lambda: context, cluster_resources=lambda: {"CPU": 1.0}, available_resources=dict
    )
    monkeypatch.setitem(sys.modules, "ray", resources)
    for name in ("LOOK_SECONDS", "LOST_SECONDS", "LEAVE_SECONDS", "IDLE_NOTICE"):
        monkeypatch.setattr(watch, name, 0.1)
    events = []
    ledger = Ledger(events.append)
    yield server, ledger, watch.Watch(ledger, {"cpu": 2}, Interrupter(), lambda: None), events
    server.close()


def test_a_head_that_is_gone_interrupts_the_wait(watched):
    server, ledger, looking, _ = watched
    # A KeyboardInterrupt would be pytest's; here a note is left instead.
    interrupted = threading.Event()
    looking._interrupter = SimpleNamespace(now=interrupted.set, able=False)
    with looking:
        time.sleep(0.3)
        assert not interrupted.is_set() and ledger.outcome.reason is None
        server.close()
        assert interrupted.wait(5)
    assert re.fullmatch(r"the head of the Ray cluster at 127.0.0.1:\d+ is gone", ledger.outcome.reason)


def test_trials_without_a_worker_are_told_and_not_waited_for_for_ever(watched, monkeypatch):
    _, ledger, looking, events = watched
    trials = [SimpleNamespace(is_finished=lambda: False)]
    looking.beat(trials)
    assert not events
    time.sleep(0.15)
    looking.beat(trials)
    assert "a trial needs 2 CPU, the cluster has 1, 0 of them free" in events[0]["text"]
    monkeypatch.setattr(watch, "IDLE_SECONDS", 0.1)
    with pytest.raises(KeyboardInterrupt):
        looking.beat(trials)
    assert ledger.outcome.reason.startswith("no worker for")
    ledger.tell({"event": "started", "trial": "a"})
    looking.beat(trials)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.S)


def accepted(line: str) -> dict:
    """Options of an `upbench run` line, as the command parses them."""
    words = shlex.split(line)
    assert words[:2] == ["upbench", "run"]
    return command.make_context("run", words[2:]).params


def test_the_kubernetes_manifest_is_sound():
    (job,) = map(yaml.safe_load, blocks("yaml"))
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    given = accepted(job["spec"]["entrypoint"])
    assert given["address"] == "auto"
    spec = job["spec"]["rayClusterSpec"]
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        mounts = {m["name"]: m["mountPath"] for m in pod["containers"][0]["volumeMounts"]}
        assert {v["name"] for v in pod["volumes"]} == set(mounts)
        for folder in (given["store"], given["data"]):
            assert any(folder.startswith(place) for place in mounts.values())
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


def test_the_slurm_script_requeues_what_was_stopped(tmp_path):
    (script,) = blocks("bash")
    assert accepted(re.search(r"^upbench run.*(?= &$)", script, re.M)[0])["store"] == "/shared/results"
    for code, said in ((75, "requeue 7"), (0, ""), (5, "")):
        folder = tmp_path / str(code)
        folder.mkdir()
        wait = "(sleep 0.3; kill -USR1 $PPID) & for i in {1..200}; do sleep 0.05; done"
        programs = {"upbench": f"trap 'exit {code}' USR1; {wait}"}
        programs["scontrol"] = f'echo "$@" > {folder}/said'
        for name, text in programs.items():
            (folder / name).write_text(f"#!/bin/bash\n{text}\n")
            (folder / name).chmod(0o755)
        environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"}
        done = subprocess.run(["bash", "-c", script], env=environment, timeout=20)
        assert done.returncode == code
        found = (folder / "said").read_text().strip() if (folder / "said").exists() else ""
        assert found == said


def test_every_command_of_the_guide_is_accepted():
    lines = re.findall(r"`((?:RAY_\w+=\S+ )?upbench run [^`]*)`", GUIDE)
    assert len(lines) >= 6
    for line in lines:
        accepted(line.partition("upbench ")[1] + line.partition("upbench ")[2])


def test_a_share_is_checked_before_any_work(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for wrong in ("0", "2", "half"):
        assert main.call(["run", "demo", "--gpu-share", wrong]) == UserError.exit_code
        assert "expected auto, or more than 0 to 1" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
