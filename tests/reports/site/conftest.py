"""Two made studies, with costs, their Parquet files for the slow script, and the site over them."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pandas as pd
import pytest

from reports.site import site
from reports.site.methods import Closed, Size
from tests.reports.made import LITERATURE, stored

CLOSED = {
    "lora": Closed("https://arxiv.org/abs/2106.09685", (Size("tiny", 12800, 0.00906), Size("large", 540672, 0.00126))),
    "union": Closed("https://arxiv.org/abs/2110.04366", (), ("parts",)),
}
# Of an own data set no published number may stand beside the measured ones; a real one is published elsewhere alone.
FURTHER = """\
state of the art,Alone,,,,cuhk_pedes,77.77,,,70.7,,a table,second hand,with <more> data
state of the art,Other,ViT-L/14,,,synth_cuhk,75.25,,,,,a paper,paper,
"""
QUOTE = "state of the art,Other,ViT-B/16,,,synth_cuhk,74.17,89.5,,61.126,,a table that quotes it,second hand,"
PUBLISHED = LITERATURE.replace("\n", f"\n{QUOTE}\n", 1) + FURTHER


def costed(results):
    """The study with times and memory: a machine that differs for one cell, a batch that was split for another."""
    trials = results.trials.copy()
    seed, method = trials["seed"].astype(float), trials["method"]
    size = trials["trained"].astype(float).fillna(0)
    trials["latency_image_ms"] = 2.0 + 0.11 * seed**2 + size.pow(0.2) / 10
    trials["latency_text_ms"] = 1.0 + 0.07 * seed**2
    trials["peak_memory_train"] = trials["peak_memory_train"].astype(float).where(method != "zero_shot")
    at = trials["budget"].astype(object) == "1%"
    trials.loc[(method == "lora") & at & (seed == 1), "hardware"] = "other accelerator"
    trials["micro_batch"] = [
        16.0 if m == "up_person" and b == "5%" else 64.0 for m, b in zip(method, trials["budget"], strict=True)
    ]
    return dataclasses.replace(results, trials=trials)


def stub(results, out: Path, **more) -> list[Path]:
    """In the place of the page of a study, which has tests of its own."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "index.html").write_text(f'<p><a href="{more["back"]}">back</a></p>', encoding="utf-8")
    return [out / "index.html"]


@pytest.fixture(scope="session")
def made(making):
    """Results by the name of their study; the first is the larger one."""
    first = making(methods=("zero_shot", "full", "lora", "prefix", "up_person", "adapter", "l_adapter"),
                   budgets=("0.5%", "1%", "5%"), cross=False)  # fmt: skip
    second = making(seeds=2, methods=("full", "adapter", "lora", "up_person"), budgets=("0.5%", "1%"),
                    places=("synth_cuhk",), holes=False, cross=False)  # fmt: skip
    return {"first": costed(first), "second": costed(second)}


@pytest.fixture(scope="session")
def slow(made, tmp_path_factory):
    """The same studies, read from Parquet files alone."""
    return {name: stored(results, tmp_path_factory.mktemp(name)) for name, results in made.items()}


@pytest.fixture(scope="session")
def published():
    return pd.read_csv(io.StringIO(PUBLISHED))


@pytest.fixture(scope="session")
def folder(made, published, tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    site.write(made, out, CLOSED, published=published, draw=stub)
    return out
