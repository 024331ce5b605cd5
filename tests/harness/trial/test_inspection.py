"""Inspection: the same trial again, or nothing; choices, matches and evidence against slow loops."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from harness.cli.commands.inspect import command, pick
from harness.cli.commands.publish import command as publish
from harness.data.split import Split
from harness.errors import EnvironmentFault, UserError
from harness.store.store import Store
from harness.trial import inspection
from harness.trial.kept import again, model
from harness.trial.resolve import resolve
from harness.trial.run import run
from harness.trial.spec import Trial, recipe

TINY = {"dataset": "synth_cuhk", "options": {"size": "tiny"}}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A store with one real trial of one epoch, its data, and its results."""
    root = tmp_path_factory.mktemp("inspected")
    trial = Trial(
        method="lora", options={"targets": ("k", "v")}, label="lora", budget="2%", dataset=TINY,
        backbone={"name": "tiny"}, recipe=recipe({"name": "short", "epochs": 1, "batch": 32}), selection="val",
        evaluate_on=(), seed=0, device="cpu", threads=1,
    )  # fmt: skip
    resolved = resolve(trial, root / "data")
    store = Store(root / "store")
    assert run(resolved.as_dict(), store.root, root / "data") == "ok"
    about = {"id": resolved.id, "label": "lora", "method": "lora", "budget": "2%", "dataset": "synth_cuhk", "seed": 0}
    store.declare("s", {}, [{**about, "trial": resolved.trial}])
    return root, store, store.read("s")


def test_the_whole_command(trained):
    root, store, results = trained
    ident = results.trials["id"].iloc[0]
    given = ["s", "--queries", "3", "--data", str(root / "data"), "--store", str(store.root), "--json"]
    done = CliRunner().invoke(command, given, obj={})
    assert done.exit_code == 0, done.output
    folder = store.root / "inspections" / ident
    about = json.loads((folder / "about.json").read_text())
    assert about["equal_ranks"] == about["queries"] == (results.queries["direction"] == "t2i").sum()
    assert "images" in (folder / "README.txt").read_text()
    found = json.loads((folder / "retrieval.json").read_text())
    each = results.queries[results.queries["direction"] == "t2i"].set_index("query")["first"]
    assert len(found) == 3 and len({one["person"] for one in found}) == 3
    for one in found:
        assert one["first"] == each[one["query"]]
        right = [match["rank"] for match in one["top"] if match["right"]]
        assert (right[0] if right else None) == (one["first"] if one["first"] <= 10 else None)
        scores = [match["score"] for match in one["top"]]
        assert scores == sorted(scores, reverse=True)
        assert all((folder / "thumbnails" / f"{match['image']}.jpg").is_file() for match in one["top"])
    with np.load(folder / "features.npz") as features:
        assert np.allclose(np.linalg.norm(features["image"], axis=1), 1, atol=1e-5)
        assert set(features["image_person"]) == set(features["text_person"])
    assert {p.name for p in (folder / "figures").glob("*.pdf")} == {
        "retrieval_gallery.pdf",
        "attention.pdf",
        "tsne.pdf",
    }
    assert not list((store.root / "inspections").glob(".tmp-*"))


def test_a_kept_model_is_looked_at_and_nothing_is_trained(trained, tmp_path, monkeypatch):
    root, store, results = trained
    row, r1 = results.trials.iloc[0].to_dict(), results.scores.set_index(["split", "direction", "metric"])["value"]
    kept = model.read(store, row["id"])
    monkeypatch.setattr(again.TrialRun, "go", lambda self: pytest.fail("trained"))
    each = results.queries[results.queries["direction"] == "t2i"]["first"].to_numpy()
    place = inspection.inspect(row, each, r1["test", "t2i", "R1"], root / "data", tmp_path, 3, kept=kept)
    about = json.loads((place / "about.json").read_text())
    assert about["equal_ranks"] == about["queries"] == len(each) and not about["trained_again"]
    with pytest.raises(EnvironmentFault, match=r"the kept model of trial \w+ gives Rank-1 .* nothing was written"):
        inspection.inspect(row, None, 99.0, root / "data", tmp_path / "other", kept=kept)
    assert not (tmp_path / "other").exists()


def test_publishing_leaves_the_pictures_behind(trained, tmp_path, monkeypatch):
    _, store, _ = trained
    (store.root / "inspections" / "x").mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr("harness.cli.commands.publish.publishable", lambda store, study, _: store.read(study).trials)
    done = CliRunner().invoke(publish, ["s", "--to", str(tmp_path / "out"), "--store", str(store.root)], obj={})
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "studies").is_dir() and not (tmp_path / "out" / "inspections").exists()


def test_another_rank1_is_refused_and_nothing_is_written(trained, tmp_path):
    root, _, results = trained
    row = results.trials.iloc[0].to_dict()
    with pytest.raises(EnvironmentFault, match=r"trained again gives Rank-1 .* nothing was written"):
        inspection.inspect(row, None, 99.0, root / "data", tmp_path)
    assert not (tmp_path / "inspections").exists()


def test_a_trial_that_looked_at_test_is_refused(trained):
    row = trained[2].trials.iloc[0].to_dict()
    spec = {**json.loads(row["spec"]), "selection": "test-oracle"}
    with pytest.raises(UserError, match="no result"):
        again.seen({**row, "spec": json.dumps(spec)}, None, trained[0] / "data", lambda event: None)


def test_picking_a_trial(trained):
    import pandas as pd

    one = trained[2].trials
    several = pd.concat([one, one.assign(id="ffff", seed=1), one.assign(id="eeee", budget="5%"),
                         one.assign(id="dddd", status="failed", budget="9%")])  # fmt: skip
    nothing = dict.fromkeys(("ident", "method", "budget", "dataset", "seed"))
    assert pick(several, **{**nothing, "budget": "2%"})["seed"] == 0
    assert pick(several, **{**nothing, "ident": "ff"})["seed"] == 1
    assert pick(several, **{**nothing, "seed": 1})["id"] == "ffff"
    with pytest.raises(UserError, match="2 trials are meant"):
        pick(several, **nothing)
    with pytest.raises(UserError, match="no finished trial with budget 9%"):
        pick(several, **{**nothing, "budget": "9%"})


def test_picking_by_a_data_set_or_by_all_of_its_name(trained):
    import pandas as pd

    one = trained[2].trials
    both = pd.concat([one.assign(id=size, dataset=f"synth_cuhk (size {size})") for size in ("tiny", "demo")])
    nothing = dict.fromkeys(("ident", "method", "budget", "dataset", "seed"))
    assert pick(both, **{**nothing, "dataset": "synth_cuhk (size demo)"})["id"] == "demo"
    with pytest.raises(UserError, match=r"2 trials are meant by dataset synth_cuhk: .*size tiny.*size demo"):
        pick(both, **{**nothing, "dataset": "synth_cuhk"})


def made_split(people: int = 6) -> Split:
    """Two images per identity, one caption per image."""
    persons = np.repeat(np.arange(people), 2)
    names = tuple(f"{i}.png" for i in range(2 * people))
    return Split(None, names, persons, names, np.arange(2 * people), tuple(map(str, range(people))))


def test_captions_are_right_and_wrong_ones_of_different_people():
    split = made_split()
    first = np.array([1, 3, 1, 1, 2, 9, 1, 1, 4, 4, 0, 1])
    taken = inspection.choose(first, split, 4, np.random.default_rng(0))
    assert sorted((first[taken] == 1).tolist()) == [False, False, True, True]
    assert len(set(split.caption_person[taken])) == 4
    again = inspection.choose(first, split, 4, np.random.default_rng(0))
    others = [inspection.choose(first, split, 4, np.random.default_rng(s)).tolist() for s in range(1, 6)]
    assert taken.tolist() == again.tolist() and any(taken.tolist() != other for other in others)
    assert len(inspection.choose(first, split, 50, np.random.default_rng(0))) == 6  # one for each identity


def test_matches_against_a_slow_loop():
    split = made_split(8)
    rng = torch.Generator().manual_seed(0)
    image = torch.nn.functional.normalize(torch.randn(16, 5, generator=rng), dim=1)
    text = torch.nn.functional.normalize(torch.randn(16, 5, generator=rng), dim=1)
    chosen = np.array([3, 10])
    found = inspection.retrieval(text[chosen], image, chosen, np.ones(16, int), split)
    for one, query in zip(found, chosen, strict=True):
        scores = [float(text[query] @ image[i]) for i in range(16)]
        order = sorted(range(16), key=lambda i: (-scores[i], i))[:10]
        assert [match["image"] for match in one["top"]] == order
        assert [match["right"] for match in one["top"]] == [i // 2 == query // 2 for i in order]
        assert one["positives"] == 2


def test_evidence_against_one_pass_per_square(small_backbone, small_inputs):
    """The definition, written out: one occluded image at a time, every cosine by itself."""
    images, _ = small_inputs
    backbone = small_backbone.eval()
    normal = torch.nn.functional.normalize
    rng = torch.Generator().manual_seed(3)
    text = normal(torch.randn(4, backbone.shape.image.embed, generator=rng), dim=1)
    found = inspection.evidence(backbone, images[0], text[0], text[1:])
    (rows, columns), side = backbone.shape.image.grid, backbone.shape.image.patch
    assert found.shape == (3, rows, columns)

    def s(word: int, picture: torch.Tensor) -> float:
        with torch.no_grad():
            return float(text[word] @ normal(backbone.image(picture[None]), dim=1)[0])

    for row, column in ((0, 0), (1, 1), (rows - 1, columns - 1)):
        hidden = images[0].clone()
        for y in range(row * side - side // 2, (row + 1) * side + side // 2):
            for x in range(column * side - side // 2, (column + 1) * side + side // 2):
                if 0 <= y < hidden.shape[1] and 0 <= x < hidden.shape[2]:
                    hidden[:, y, x] = 0
        for word in range(1, 4):
            whole = s(0, images[0]) - s(0, hidden)
            without = s(word, images[0]) - s(word, hidden)
            assert float(found[word - 1, row, column]) == pytest.approx(whole - without, abs=2e-6)
