"""Maps from numbers in the results to identities, images and captions: right, written by trials, told by command."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from harness.cli import main
from harness.model.weights import Source
from harness.trial import splits

TINY = {"dataset": "synth_cuhk", "options": {"size": "tiny", "fraction": "50%"}}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("data")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_reading_a_split_for_a_trial_leaves_the_maps(tmp_path):
    data = tmp_path
    assert not (data / ".cache").exists()
    splits.part(TINY, data, "test", Source("tiny"))
    (folder,) = (data / ".cache/maps").iterdir()
    assert folder.name == f"synth_cuhk-{splits.identity(TINY, data)}"
    assert len(list(folder.iterdir())) == 9
    for name, split in splits.splits(TINY, data).items():
        persons, images, captions = (table(folder / f"{name}_{k}.csv") for k in ("identities", "images", "captions"))
        assert [row["identity"] for row in persons] == list(split.persons)
        assert [row["path"] for row in images] == list(split.images)
        assert len(captions) == len(split.captions)
        for number, row in enumerate(captions):
            image = images[int(row["image"])]
            assert int(row["query"]) == number and row["person"] == image["person"]
            # The drawn files carry the identity as annotated in their names.
            who = persons[int(row["person"])]["identity"]
            assert image["path"].split("/")[1].startswith(f"{int(who):05d}_")
        assert sum(int(row["images"]) for row in persons) == len(images)
        assert sum(int(row["captions"]) for row in persons) == len(captions)
        words = (folder / f"{name}_captions.csv").read_text()
        assert not any(caption in words for caption in split.captions)


def test_numbers_and_names_of_a_cut_split_differ(data):
    """A map that only counted would pass for whole splits numbered from 1."""
    folder = splits.maps(TINY, data)
    names = [row["identity"] for row in table(folder / "test_identities.csv")]
    assert names == list(splits.splits(TINY, data)["test"].persons) and names[0] != "0" != names[1]


def test_the_command_says_where_they_are(data, capsys):
    assert main.call(["data", "map", "synth_cuhk", "--data", str(data), "--set", "size=tiny"]) == 0
    folder = Path(capsys.readouterr().out.strip())
    assert (folder / "train_identities.csv").is_file()
    assert main.call(["data", "map", "cuhk_pedes", "--root", "nowhere", "--data", str(data)]) == 4
    assert "no such folder" in capsys.readouterr().err
