"""The command line as its users see it: lines, JSON and exit codes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness import registry
from harness.api.ending import overhead
from harness.cli import main
from harness.store.store import Record, Store
from harness.trial import resolve
from harness.trial import run as running

ROOT = Path(__file__).parents[3]
STUDY = """
name: small
question: which is best?
backbone: ViT-B-16
datasets: [synth_cuhk]
methods: [zero_shot, lora, prefix]
seeds: [0, 1]
budgets: [1%]
recipe: {name: short, epochs: 2}
"""


def fake_resolve(item, data) -> resolve.Resolved:
    document = item.as_dict()
    bad = item.method == "prefix" and item.seed == 1
    return resolve.Resolved(
        id=hashlib.sha256(json.dumps(document).encode()).hexdigest()[:16],
        trial=document,
        status="infeasible" if bad else "ready",
        reason="too small a budget" if bad else None,
        trained=1000,
        total=100_000,
        share=0.01,
        target=1000,
        hashes={},
    )


STATUS: dict[str, str] = {}


def fake_run(resolved, store, data, report) -> str:
    document = resolved["trial"]
    status = "infeasible" if resolved["status"] == "infeasible" else STATUS.get(document["method"], "ok")
    if status == "lost":
        raise OSError("the disk broke")
    if status == "stop":
        os.kill(os.getpid(), 15)
    report({"epoch": 1, "epochs": 2, "val_R1": 12.5})
    row = {key: document[key] for key in ("label", "method", "seed", "budget")}
    row |= {"id": resolved["id"], "dataset": "synth_cuhk", "spec": document, "status": status, "commit": "c0ffee"}
    row |= {"dirty": STATUS.get("dirty") == "yes", "reason": None if status == "ok" else f"it is {status}"}
    Store(store).commit(Record(trial=row))
    return status


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder that has one study; gives exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(resolve, "resolve", fake_resolve)
    monkeypatch.setattr("harness.trial.limits.faults", lambda *_: [])
    monkeypatch.setattr(running, "run", fake_run)
    monkeypatch.setattr("harness.execution.estimate.estimate", lambda *_: None)  # measures; see test_plan.py
    STATUS.clear()
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "small.yaml").write_text(STUDY)

    def run(*args: str) -> tuple[int, str, str]:
        code = main.call(list(args))
        return code, *capsys.readouterr()

    return run


def run_small(call, *more: str):
    return call("run", "small", "--executor", "serial", *more)


def test_run_twice_runs_nothing_the_second_time(call):
    code, out, err = run_small(call)
    assert (code, err) == (0, "")
    assert "small: 6 to run, 0 already done" in out and "finished: 1 infeasible, 5 ok" in out
    assert "next: upbench report small" in out
    assert len(re.findall(r"^\[\d/6\] (?:ok|infeasible) .* val R1  12\.5 .* s$", out, re.M)) == 6
    assert max(map(len, out.splitlines())) <= 80
    code, out, err = run_small(call)
    assert (code, out, err) == (0, "small: 0 to run, 6 already done\nnext: upbench report small\n", "")


def test_status_tells_states_and_overhead(call):
    run_small(call)
    code, out, _ = call("status", "small")
    assert code == 0 and "6 of 6 trials committed: 5 ok, 1 infeasible" in out and "it is infeasible" in out
    assert "overhead = (wall - inside trials / workers) / wall" in out
    assert max(map(len, out.splitlines())) <= 100
    state = json.loads(call("status", "small", "--json")[1])
    last = state["last_run"]
    assert last["workers"] == 1 and 0 < last["busy_seconds"] < last["wall_seconds"]
    assert last["overhead"] == pytest.approx(1 - last["busy_seconds"] / last["wall_seconds"])
    assert [s["study"] for s in json.loads(call("status", "--json")[1])] == ["small"]
    assert "small" in call("status")[1]


def test_overhead_by_hand():
    assert overhead({"wall_seconds": 100.0, "busy_seconds": 180.0, "workers": 2}) == pytest.approx(0.10)


def test_missing_trials_show_in_status_and_plan(call):
    run_small(call, "--seeds", "1")
    rows = json.loads(call("plan", "small", "--json")[1])["trials"]
    assert [row["state"] for row in rows].count("done") == 3 and len(rows) == 6
    _, out, _ = call("plan", "small")
    assert "which is best?" in out and "1.000 %" in out and "3 done" in out and "too small a budget" in out
    store = Store("results/local")
    store.set_aside(next(iter(store.ids())))
    assert len(json.loads(call("status", "small", "--json")[1])["missing"]) == 1


def test_set_changes_the_study_and_is_checked(call):
    rows = json.loads(call("plan", "small", "--json", "--set", "recipe.lr=1e-4", "--set", "seeds=[7]")[1])["trials"]
    assert {(row["trial"]["recipe"]["lr"], row["seed"]) for row in rows} == {(1e-4, 7)}
    assert call("plan", "small", "--set", "recipe.lr")[::2] == (
        2, "upbench: error: --set: 'recipe.lr' sets nothing; expected KEY=VALUE\n",
    )  # fmt: skip
    code, _, err = call("plan", "small", "--set", "recipe.lrr=1")
    assert code == 2 and "lr" in err


def test_a_damaged_trial_runs_again(call):
    run_small(call)
    path = next(Path("results/local/trials").glob("*/scores.parquet"))
    path.write_bytes(b"x" + path.read_bytes()[1:])
    code, out, err = run_small(call)
    assert code == 0 and "1 to run, 5 already done" in out and "set aside in results/local/aside/" in err
    assert "scores.parquet" in err


def test_failed_trials_give_5_and_can_be_retried(call):
    STATUS["lora"] = "failed"
    code, out, err = run_small(call)
    assert code == 5 and "2 trials failed" in err and "--retry-failed" in err
    STATUS.clear()
    assert "0 to run, 6 already done" in run_small(call)[1]
    code, out, _ = run_small(call, "--retry-failed")
    assert code == 0 and "2 to run, 4 already done" in out and "finished: 2 ok" in out


def test_lost_trials_give_5_and_a_log(call):
    STATUS["lora"] = "lost"
    code, _, err = run_small(call)
    assert code == 5 and "2 trials were lost, first: OSError: the disk broke" in err
    assert "4 of 6 trials" in err
    log = Path(re.search(r"details in (\S+?\.log)", err)[1])
    assert "Traceback" in log.read_text() and log.is_relative_to("results/local/logs")
    assert "2 lost" in call("status", "small")[1] and "OSError: the disk broke" in call("status", "small")[1]
    assert "4 done, 2 to run" in call("plan", "small", "--no-probe")[1]
    STATUS.clear()
    code, out, _ = run_small(call)
    assert code == 0 and out.count("was lost and runs again; its row is kept in") == 2
    assert "2 to run, 4 already done" in out and "6 of 6 trials committed: 5 ok" in call("status", "small")[1]


@pytest.mark.parametrize(
    "ends, code, words",
    [("ok", 0, "finished: 1 done"), ("failed", 5, "1 trials failed"), ("", 75, "1 trials are with another run")],
)
def test_what_another_run_had_counts_when_it_is_committed_by_the_end(call, monkeypatch, ends, code, words):
    with Store("results/local").claim(holds := next(ids_of(call))) as claim:
        # The other run commits during our last trial, when we have been at its trial already.
        def run(resolved, store, data, report) -> str:
            status = fake_run(resolved, store, data, report)
            if ends and len(Store(store).ids()) == 5:
                row = {"id": holds, "label": "lora", "method": "lora", "seed": 0, "dataset": "synth_cuhk"}
                Store(store).commit(Record(trial={**row, "spec": {}, "status": ends}), claim.token)
            return status

        monkeypatch.setattr(running, "run", run)
        got, out, err = run_small(call)
        assert got == code and words in (out if code == 0 else err), (out, err)


def ids_of(call):
    """Ids of the study's trials that run, in the order in which they run."""
    return (t["id"] for t in json.loads(call("plan", "small", "--json")[1])["trials"] if t["method"] == "lora")


def test_a_stop_gives_75_and_continues(call):
    STATUS["lora"] = "stop"
    code, _, err = run_small(call)
    assert code == 75 and "the same command continues" in err
    assert json.loads(call("status", "small", "--json")[1])["last_run"]["stopped"]
    STATUS.clear()
    assert run_small(call)[0] == 0 and len(Store("results/local").ids()) == 6


@pytest.mark.parametrize(
    "args, code, words",
    [
        (("rum", "small"), 2, "no command 'rum'; expected run, plan, .* did you mean run?"),
        (("run", "smal"), 2, "no study 'smal'; expected a YAML file, or one of .*small.*; did you mean small?"),
        (("run", "studies/none.yaml"), 2, "no such study"),
        (("run", "small", "--executor", "slurm"), 2, "'slurm' is not one of 'ray', 'serial'"),
        (("run",), 2, "Missing argument 'STUDY'"),
        (("status", "small"), 2, "no results of a study 'small'"),
        (("report", "small"), 2, "no results of a study 'small'"),
        (("list", "method"), 2, "nothing to list for 'method'; .* did you mean methods?"),
        (("data", "make", "cuhk_pedes"), 2, "cuhk_pedes cannot be made: .* expected one of synth"),
        (("data", "check", "cuhk_pedes"), 4, "data set cuhk_pedes cannot be used: "),
        (("data", "check", "cuhk"), 2, "unknown dataset 'cuhk'; .* did you mean cuhk_pedes?"),
        (("merge", "nowhere"), 4, "nowhere: no result store"),
        (("publish", "small"), 2, "no results of a study 'small'"),
        (("run", "small", "--store", "studies/small.yaml"), 3, "the result store is not writable"),
    ],
)
def test_faults_are_one_line_with_a_code(call, args, code, words):
    got, _, err = call(*args)
    assert got == code and len(err.splitlines()) == 1
    assert err.startswith("upbench: error: ") and re.search(words.replace("?", r"\?"), err), err


def test_all_faults_of_a_study_at_once_with_their_lines(call):
    Path("studies/small.yaml").write_text(STUDY.replace("lora,", "{lora: {rnk: 4}}, lorra,").replace("seeds", "seed"))
    code, _, err = call("plan", "small")
    assert code == 2 and len(err.splitlines()) >= 3
    assert "rank" in err and "lorra" in err and "seeds" in err and "small.yaml:" in err


def test_the_unforeseen_is_one_line_and_a_log(call, monkeypatch):
    monkeypatch.setattr(resolve, "resolve", lambda *_: 1 / 0)
    code, _, err = run_small(call)
    assert code == 70 and len(err.splitlines()) == 1 and "ZeroDivisionError" in err
    assert "Traceback" in Path(re.search(r"details in (\S+)", err)[1]).read_text()


def test_publish_takes_whole_clean_studies_only(call):
    run_small(call, "--seeds", "1")
    run_small(call)
    store = Store("results/local")
    code, out, err = call("publish", "small")
    assert (code, err) == (0, "") and "6 trials copied to results/reference" in out
    assert not Store("results/reference").read("small").missing
    assert "0 trials copied to results/reference, 6 were there" in call("publish", "small")[1]
    ident = store.set_aside(next(iter(store.ids()))).name[:16]
    code, _, err = call("publish", "small", "--to", "elsewhere")
    assert code == 2 and "1 of 6 trials of study 'small' are missing" in err and ident in err
    STATUS["dirty"] = "yes"
    run_small(call)
    code, _, err = call("publish", "small", "--to", "elsewhere")
    assert code == 2 and "1 of 6 trials of study 'small' were measured on uncommitted code" in err
    assert not Path("elsewhere").exists()


def test_merge_adds_and_shows_conflicts(call):
    run_small(call, "--store", "one")
    run_small(call, "--store", "two")
    assert "6 trials added, 0 the same, 0 in conflict; 1 studies added" in call("merge", "one")[1]
    assert "0 trials added, 6 the same" in call("merge", "two")[1]
    run_small(call, "--store", "three", "--set", "seeds=[5]")
    code, _, err = call("merge", "three")
    assert code == 4 and "study small differs; the one here stays" in err
    assert len(Store("results/local").ids()) == 9


@pytest.mark.parametrize("kind", ["methods", "datasets", "metrics", "figures", "tables", "studies", "columns"])
def test_lists_name_everything(call, kind, monkeypatch):
    rows = json.loads(call("list", kind, "--json")[1])
    whole = call("list", kind)[1].splitlines()
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = call("list", kind)
    cut = out.splitlines()
    assert code == 0 and max(map(len, cut)) <= 80
    assert [line if len(line) <= 80 else line[:79] + "…" for line in whole] == cut
    if kind in registry.PACKAGES:
        assert [row["name"] for row in rows] == registry.names(kind)
    assert all(row["name"] in out for row in rows)


def test_help_shows_every_command():
    result = CliRunner().invoke(main.commands, ["--help"])
    assert result.exit_code == 0 and all(name in result.output for name in main.COMMANDS)
    for name in main.COMMANDS:
        assert CliRunner().invoke(main.commands, [name, "--help"], obj={}).exit_code == 0


def test_listing_imports_nothing_heavy_and_is_quick():
    code = (
        "import sys; from harness.cli import main; main.call(['list', 'methods']); print(*sys.modules, file=sys.stderr)"
    )
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert time.perf_counter() - began < 3  # 0.2 s on an idle machine; the import list is the exact check
    heavy = {"torch", "ray", "pandas", "numpy", "pyarrow", "pydantic", "rich", "matplotlib", "open_clip"}
    assert "lora" in done.stdout and not heavy & set(done.stderr.split())


def test_a_closed_pipe_is_no_fault():
    command = f"{sys.executable} -c 'from harness.cli import main; main.main()' list columns | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stderr == ""


def test_a_run_that_measured_nothing_ends_with_a_code_of_its_own(call):
    STATUS.update(zero_shot="diverged", lora="diverged", prefix="diverged")
    for begun in ("6 to run", "0 to run"):
        code, out, err = run_small(call)
        assert code == 6 and begun in out and "next:" not in out
        assert err.count("\n") == 1
        assert "nothing was measured: 5 diverged, 1 infeasible; upbench status small tells why; kept: all 6 rows" in err
    STATUS.clear()
    code, out, _ = run_small(call, "--set", "seeds=[2]")  # some of the study have numbers: as ever
    assert code == 0 and "next: upbench report small" in out
    STATUS.update(zero_shot="diverged", lora="diverged")
    assert run_small(call, "--store", "mixed")[0] == 0
