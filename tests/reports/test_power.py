"""`upbench power` from the function to the terminal, against formulas written once more and by simulation."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from scipy import stats

from harness.cli import main
from harness.errors import DataError, UserError
from harness.store.store import Store
from reports.cells import cells, home
from reports.compare import records_of
from reports.spread import power
from reports.statistics import Components, components, seeds_needed
from tests.reports.test_commands import commit


@pytest.fixture(scope="module")
def made(making):
    return making(seeds=3, methods=("zero_shot", "full", "lora", "prefix"), budgets=("1%",), places=("synth_cuhk",),
                  holes=False, cross=False)  # fmt: skip


def one(results, method, detect=3.0, of="mean", to=None):
    return next(a for a in power.answers(results, detect, of, to) if a.method == method)


def cell(results, label):
    return next(c for c in home(cells(results)) if c.label == label)


@pytest.mark.parametrize(("identities", "joint"), [(16.0, 8.0), (1.0, 0.0)])
def test_the_interval_of_both_says_how_many_seeds(identities, joint):
    """The fewest seeds whose power reaches 80 %, by a simulation of the very test."""
    found = Components(50.0, 4.0, identities, joint, 3, 40)
    n = found.seeds_needed(2.0)
    assert n is not None and n > 2
    rng, draws = np.random.default_rng(0), 4000
    for seeds, enough in ((n, True), (n - 1, False)):
        by_seed = rng.normal(0, np.sqrt(4 + joint / 40), (draws, seeds))
        by_identity = rng.normal(0, np.sqrt(identities), (draws, 40))
        v = by_seed.var(axis=1, ddof=1) / seeds, by_identity.var(axis=1, ddof=1) / 40
        mean = 2 + by_seed.mean(axis=1) + by_identity.mean(axis=1)
        df = (v[0] + v[1]) ** 2 / (v[0] ** 2 / (seeds - 1) + v[1] ** 2 / 39)
        seen = np.mean(np.abs(mean) > stats.t.ppf(0.975, df) * np.sqrt(v[0] + v[1]))
        assert (seen > 0.78) if enough else (seen < 0.82)


def test_without_an_identities_part_it_is_the_number_of_seeds():
    found = Components(50.0, 4.0, 0.0, 0.0, 3, 40)
    assert [found.seeds_needed(effect) for effect in (1.0, 2.0, 5.0)] == [
        seeds_needed(effect, 2.0) for effect in (1.0, 2.0, 5.0)
    ]


def test_no_number_of_seeds_helps_where_the_identities_are_too_few():
    few = Components(50.0, 1.0, 400.0, 0.0, 3, 60)
    needed = seeds_needed(2.0, 20.0)
    assert few.seeds_needed(2.0) is None and needed > 60
    assert dataclasses.replace(few, n_identities=needed + 20).seeds_needed(2.0) is not None


def test_a_mean_by_hand(made):
    c = cell(made, "lora")
    found = one(made, "LoRA")
    rows = [records_of(made).of(i, c.measured) for i in c.ids]
    parts = components(np.array([100.0 * (r.first <= 1) for r in rows]), rows[0].person)
    assert found.deviation == pytest.approx(np.std(c.values, ddof=1))
    assert found.seeds_here == seeds_needed(3.0, found.deviation)
    assert found.left == pytest.approx(parts.identities / 60)
    assert found.identities == 60 and found.identities_needed == seeds_needed(3.0, parts.identities**0.5)
    assert found.never is (found.identities_needed > 60) is True
    assert found.seeds_both is None
    easy = one(made, "LoRA", 30.0)
    assert not easy.never and easy.seeds_both == parts.seeds_needed(30.0)


def test_differences_are_paired_and_to_the_best_or_to_a_label(made):
    a, b = cell(made, "lora"), cell(made, "prefix")
    worse, best = sorted((a, b), key=lambda c: c.score)
    found = power.answers(made, 3.0, "difference")
    assert [(x.method, x.to, x.why) for x in found] == [
        ("Full fine-tuning", None, "nothing to compare it with"),
        (worse.series, best.series, ""),
    ]
    gaps = np.array(worse.values) - np.array(best.values)
    assert found[1].deviation == pytest.approx(gaps.std(ddof=1))
    full = power.answers(made, 3.0, "difference", "full")
    assert [(x.method, x.to) for x in full] == [("LoRA", "Full fine-tuning"), ("Prefix", "Full fine-tuning")]
    assert {x.to for x in power.answers(made, 3.0, "difference", "zero_shot")} == {"Zero-shot"}


def test_without_records_or_seeds_it_says_so(made):
    bare = dataclasses.replace(made, queries=made.queries.iloc[:0])
    found = one(bare, "LoRA")
    assert (found.seeds_here, found.left, found.why) == (one(made, "LoRA").seeds_here, None, "no records")
    assert "for other people: no records" in power.words([found], 3.0)
    lost = set(cell(made, "lora").ids[1:])
    fewer = dataclasses.replace(made, scores=made.scores[~made.scores["id"].isin(lost)])
    assert (one(fewer, "LoRA").deviation, one(fewer, "LoRA").why) == (None, "one seed")
    assert one(fewer, "LoRA", of="difference", to="full").why == "one seed in common"


def test_faults_are_one_line_each(made):
    with pytest.raises(UserError, match=r"no cell 'ful'.* did you mean full"):
        power.answers(made, 1.0, "difference", "ful")
    single = made.scores[made.scores["id"].isin([c.ids[0] for c in home(cells(made))])]
    with pytest.raises(DataError, match="no cell has two seeds"):
        power.answers(dataclasses.replace(made, scores=single), 1.0, "mean")
    with pytest.raises(DataError, match="nothing that was trained has a score"):
        power.answers(dataclasses.replace(made, scores=made.scores.iloc[:0]), 1.0, "mean")


def test_the_command(made, tmp_path, capsys):
    store = Store(tmp_path / "store")
    store.declare("made", made.study["study"], made.study["trials"], made.study["question"])

    def call(*args: str) -> tuple[int, str, str]:
        return main.call(["power", *args, "--store", str(store.root)]), *capsys.readouterr()

    code, _, err = call("made", "--detect", "1")
    assert code == 4 and "no trial of study 'made' is committed" in err
    commit(store, made, made.trials["id"])
    code, out, _ = call("made", "--detect", "3")
    assert code == 0 and out.startswith("A difference of 3 points of a mean from a given number seen at 5 %")
    assert "never with these queries" in out and max(map(len, out.splitlines())) <= 80
    code, out, _ = call("made", "--detect", "3", "--to", "full", "--json")
    told = json.loads(out)
    assert (code, told["of"], told["detect"], told["missing"]) == (0, "difference", 3.0, 0)
    assert told["cells"] == json.loads(
        json.dumps([a.as_dict() for a in power.answers(made, 3.0, "difference", "full")])
    )
    for args, said in (
        (("made", "--detect", "0"), "--detect: 0 points; expected a number above 0"),
        (("made", "--detect", "-1"), "--detect: -1 points"),
        (("made", "--detect", "nan"), "--detect: nan points"),
        (("mad", "--detect", "1"), "did you mean made?"),
        (("made", "--detect", "1", "--of", "mean", "--to", "full"), "a mean is compared with nothing"),
    ):
        code, out, err = call(*args)
        assert (code, out, err.count("\n")) == (2, "", 1) and said in err
