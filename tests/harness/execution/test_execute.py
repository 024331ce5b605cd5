"""Executors: every trial once, faults kept apart, nothing hangs. The serial loop first, then a real Ray."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import types

import pytest

from harness.errors import EnvironmentFault
from harness.execution import executor as executors
from harness.execution.outcome import Outcome
from harness.execution.ray import engine
from harness.execution.ray import session as sessions
from harness.store.store import Record, Store

ROW = {"id": "0000", "label": "a", "method": "a", "dataset": "d", "seed": 0, "status": "ok", "spec": {}}


def trials(*kinds: dict) -> list[dict]:
    return [{"id": f"{n:04x}", "trial": kind, "status": "ready", "trained": 1} for n, kind in enumerate(kinds)]


def fake_run():
    """A trial function that Ray can take to its workers: it dies, raises or works as its trial says."""

    def run(resolved, store, data, report):
        import os
        import pathlib
        import signal
        import time

        kind, tries = resolved["trial"], pathlib.Path(data) / resolved["id"]
        for epoch in (1, 2):
            report({"epoch": epoch, "epochs": 2, "val_R1": 10.0 * epoch, "pid": os.getpid(), "nice": os.nice(0)})
        with tries.open("a") as file:
            file.write("x")
        if len(tries.read_text()) <= kind.get("die", 0):
            os.kill(os.getpid(), signal.SIGKILL)
        if kind.get("stop"):
            os.kill(os.getpid(), getattr(signal, kind["stop"]))
        if kind.get("raise"):
            from harness.errors import DataError

            kinds = {"ValueError": ValueError, "OSError": OSError, "DataError": DataError}
            raise kinds[kind["raise"]]("a fault of the harness")
        time.sleep(kind.get("sleep", 0.01))
        return kind.get("status", "ok")

    return run


class Events(list):
    """A listener that cannot be pickled, like one that writes to a terminal."""

    def __reduce_ex__(self, protocol):
        raise TypeError("not to be pickled")


def execute(tmp_path, todo, executor="serial", **more):
    events = Events()
    (tmp_path / "data").mkdir(exist_ok=True)
    places = {"store": tmp_path / "store", "data": tmp_path / "data"}
    outcome = executors.execute(todo, fake_run(), **places, executor=executor, on_event=events.append, **more)
    return outcome, events


def test_serial_tells_every_step(tmp_path):
    outcome, events = execute(tmp_path, trials({}, {"status": "diverged"}))
    assert outcome.finished == {"0000": "ok", "0001": "diverged"} and not outcome.lost and not outcome.stopped
    assert [(e["event"], e["trial"]) for e in events[:4]] == [
        ("started", "0000"), ("epoch", "0000"), ("epoch", "0000"), ("finished", "0000"),
    ]  # fmt: skip
    assert events[1]["val_R1"] == 10.0 and 0.02 <= outcome.busy < 1.0


def test_the_longest_trials_come_first(tmp_path):
    todo = trials({"recipe": {"epochs": 2}}, {}, {"recipe": {"epochs": 9}}, {"recipe": {"epochs": 9}}, {})
    todo[1]["status"], todo[3]["trained"], todo[4]["trained"] = "infeasible", 5, 0
    _, events = execute(tmp_path, todo)
    assert [e["trial"] for e in events if e["event"] == "started"] == ["0003", "0002", "0000", "0004", "0001"]


def rows(tmp_path) -> dict[str, tuple[str, str]]:
    store = Store(tmp_path / "store")
    found = store.measured(store.ids(), ("trials",))["trials"]
    return {row.id: (row.status, row.reason) for row in found.itertuples()}


def test_what_a_trial_raises_is_its_row(tmp_path):
    outcome, _ = execute(tmp_path, trials({"raise": "ValueError", "seed": 2**64}, {}))
    assert outcome.finished == {"0000": "failed", "0001": "ok"} and not outcome.lost
    ((status, reason),) = rows(tmp_path).values()
    assert status == "failed" and reason.startswith("ValueError: a fault of the harness (test_execute.py:")


@pytest.mark.parametrize("kind", ["OSError", "DataError"])
def test_a_trial_lost_to_the_machine_or_the_store_has_a_row_that_says_so(tmp_path, kind):
    outcome, _ = execute(tmp_path, trials({"raise": kind}, {}))
    assert outcome.finished == {"0001": "ok"} and "a fault of the harness" in outcome.lost["0000"]
    ((status, reason),) = rows(tmp_path).values()
    assert status == "lost" and reason.endswith(f"{kind}: a fault of the harness")


def test_a_lost_trial_that_another_run_is_at_is_left_to_it(tmp_path):
    with Store(tmp_path / "store").claim("0000", "another") as claim:
        executors._keep(trials({})[0], "worker died", Store(tmp_path / "store"), "mine")
        assert not rows(tmp_path)
        assert Store(tmp_path / "store").commit(Record(trial={**ROW, "id": "0000"}), claim.token)


def test_a_committed_trial_is_not_run_again(tmp_path):
    Store(tmp_path / "store").commit(Record(trial=ROW))
    outcome, _ = execute(tmp_path, trials({}, {}))
    assert outcome.finished == {"0000": "done", "0001": "ok"} and not (tmp_path / "data" / "0000").exists()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1"])
def test_a_signal_ends_the_loop_and_keeps_what_is_done(tmp_path, name):
    before = signal.getsignal(getattr(signal, name))
    outcome, _ = execute(tmp_path, trials({}, {"stop": name, "sleep": 5}, {}))
    assert outcome.stopped and outcome.finished == {"0000": "ok"}
    assert signal.getsignal(getattr(signal, name)) == before


def test_no_trials_need_no_executor(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert execute(tmp_path, [], "ray")[0] == Outcome()


@pytest.mark.parametrize(
    "init, words",
    [
        (lambda **_: time.sleep(0.5), "did not start within 0.1 s"),
        (lambda **_: 1 / 0, "did not start: ZeroDivisionError: division by zero"),
        (None, "cannot be imported"),
    ],
)
def test_a_ray_that_does_not_start_is_told_in_time(tmp_path, monkeypatch, init, words):
    fake = init and types.SimpleNamespace(
        is_initialized=lambda: False, init=init, shutdown=lambda: None, cluster_resources=dict
    )
    monkeypatch.setitem(sys.modules, "ray", fake)
    monkeypatch.setattr(sessions, "START_SECONDS", 0.1)
    with pytest.raises(EnvironmentFault, match=words) as caught:
        execute(tmp_path, trials({}), "ray")
    assert "--executor serial" in str(caught.value)
    time.sleep(0.6 if init else 0)


@pytest.mark.parametrize("late, tries, problem", [(1, 2, None), (9, 2, "did not start: RuntimeError")])
def test_a_late_ray_is_started_once_more(monkeypatch, capfd, late, tries, problem):
    began = []

    def init(**_):
        began.append(threading.current_thread())
        if len(began) <= late:
            raise RuntimeError("The current node timed out during startup.")

    fake = types.SimpleNamespace(
        is_initialized=lambda: False, init=init, shutdown=lambda: None, cluster_resources=lambda: {"CPU": 3}
    )
    monkeypatch.setitem(sys.modules, "ray", fake)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    session = sessions.Session(None)
    if problem:
        with pytest.raises(EnvironmentFault, match=problem):
            session.wait()
    else:
        assert session.wait() == 3
    assert len(began) == tries and not began[0].is_alive()  # with its thread Linux ends what it started
    session.close()
    why = "RuntimeError: The current node timed out during startup."
    assert capfd.readouterr().err == f"upbench: Ray did not come up ({why}); starting it once more\n"


@pytest.mark.slow
def test_a_real_ray_starts_after_a_late_one_and_leaves_none_of_its_processes(tmp_path, monkeypatch):
    import psutil
    import ray._private.services as services

    look, seen = services.get_node, []

    def late(*given):
        if not seen:
            seen.extend(p.pid for p in psutil.Process().children(recursive=True))
            raise Exception("The current node timed out during startup.")
        return look(*given)

    monkeypatch.setattr(services, "get_node", late)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    session = sessions.Session(1)
    try:
        outcome, _ = execute(tmp_path, trials({}), "ray", session=session)
        assert outcome.finished == {"0000": "ok"}
        assert len(seen) >= 2  # the head's server and its node
        end = time.monotonic() + 60  # agents look for their node now and then
        while left := [p for p in seen if psutil.pid_exists(p) and psutil.Process(p).status() != "zombie"]:
            assert time.monotonic() < end, left
            time.sleep(0.1)
    finally:
        session.close()


@pytest.fixture(scope="module")
def ray():
    """One Ray for the module, begun as the command line begins it."""
    session = sessions.Session(2)
    assert session.wait() == 2
    import ray

    yield ray
    session.close()
    assert not ray.is_initialized() and not session._folder.exists()


def test_ray_keeps_its_workers_and_passes_events_on(tmp_path, ray, capfd):
    outcome, events = execute(tmp_path, trials(*[{"sleep": 0.2}] * 6), "ray", workers=2)
    assert set(outcome.finished.values()) == {"ok"} and len(outcome.finished) == 6
    epochs = [e for e in events if e["event"] == "epoch"]
    assert len(epochs) == 12 and {e["nice"] for e in epochs} == {os.nice(0)}
    pids = {e["pid"] for e in epochs}
    assert len(pids) <= 2 and os.getpid() not in pids
    assert 1.2 <= outcome.busy < 3
    assert capfd.readouterr() == ("", "")


def test_ray_retries_dead_workers_so_many_times_and_no_more(tmp_path, ray, capfd, monkeypatch):
    monkeypatch.setattr(engine, "RETRIES", 1)  # each retry starts a process
    outcome, events = execute(tmp_path, trials({"die": 1}, {"die": 9}, {"raise": "ValueError"}, {}), "ray", workers=2)
    assert outcome.finished == {"0000": "ok", "0002": "failed", "0003": "ok"}
    assert "its worker died 2 times" in outcome.lost["0001"]
    (gone, died), (failed, why) = rows(tmp_path)["0001"], rows(tmp_path)["0002"]
    assert (gone, failed) == ("lost", "failed") and "died 2 times" in died and "a fault of the harness" in why
    tries = {path.name: len(path.read_text()) for path in (tmp_path / "data").iterdir()}
    assert tries == {"0000": 2, "0001": 2, "0002": 1, "0003": 1}
    assert sorted(e["trial"] for e in events if e["event"] == "died") == ["0000", "0001"]
    assert capfd.readouterr() == ("", "")


def test_ray_refuses_a_gpu_that_is_not_there(tmp_path, ray):
    if ray.cluster_resources().get("GPU"):
        pytest.skip("there is one")
    with pytest.raises(EnvironmentFault, match="sees none"):
        execute(tmp_path, trials({"device": "cuda"}), "ray")


def listening_run():
    """A trial that works until it is asked to stop and then writes down where it was; the first signals the driver."""

    def run(resolved, store, data, report, stop):
        import os
        import pathlib
        import signal
        import time

        kind = resolved["trial"]
        report({"epoch": 1, "epochs": 9, "val_R1": kind.get("val_R1", 1.0)})
        (pathlib.Path(data) / f"{resolved['id']}.began").touch()
        if "signal" in kind:
            while len(list(pathlib.Path(data).glob("*.began"))) < 2:
                time.sleep(0.01)
            os.kill(kind["driver"], getattr(signal, kind["signal"]))
        for step in range(kind.get("steps", 0)):
            if stop():
                (pathlib.Path(data) / resolved["id"]).write_text(str(step))
                return "stopped"
            time.sleep(0.01)
        return "ok"

    return run


def test_ray_asks_trials_to_keep_their_state(tmp_path, ray, capfd):
    (tmp_path / "data").mkdir()
    todo = trials({"steps": 3000, "signal": "SIGTERM", "driver": os.getpid()}, *[{"steps": 3000}] * 5)
    events = Events()
    where = {"store": tmp_path / "store", "data": tmp_path / "data"}
    outcome = executors.execute(todo, listening_run(), **where, workers=2, on_event=events.append)
    assert outcome.stopped and outcome.reason is None and not outcome.finished and not outcome.lost
    assert {path.name for path in (tmp_path / "data").glob("????")} == {"0000", "0001"}
    assert {e["trial"] for e in events if e["event"] == "started"} == {"0000", "0001"}
    assert sorted(e["trial"] for e in events if e["event"] == "stopped")[:2] == ["0000", "0001"]  # none was killed
    assert not list((tmp_path / "store").glob("stop-*"))
    assert capfd.readouterr() == ("", "")


def test_ray_gives_up_trials_that_fall_behind_and_keeps_their_worker(tmp_path, ray, capfd):
    (tmp_path / "data").mkdir()
    where = {"store": tmp_path / "store", "data": tmp_path / "data"}
    todo = trials({"val_R1": 9.0}, {"val_R1": 1.0}, {"val_R1": 2.0}, {"val_R1": 9.5})
    outcome = executors.execute(todo, listening_run(), **where, workers=1, prune={"factor": 2})
    assert set(outcome.pruned) == {"0001", "0002"} and outcome.finished == {"0000": "ok", "0003": "ok"}
    assert not outcome.stopped and not outcome.lost
    assert capfd.readouterr() == ("", "")
