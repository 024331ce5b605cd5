"""The baselines compute the same as what they are compared with."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from harness.evaluation.metrics import mean_ap, mean_inp, rank_k
from harness.evaluation.ranking import rank_positives

HERE = Path(__file__).parent


def load():
    spec = importlib.util.spec_from_file_location("naive", HERE / "naive.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


naive = load()


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_metrics_of_the_fixture():
    folder = HERE.parent / "fixtures/oracle"
    arrays = np.load(folder / "losses_rank_io.npz")
    scores, q, g = (torch.from_numpy(arrays[f"rank/small/{k}"]) for k in ("sim", "q_pids", "g_pids"))
    want = json.loads((folder / "losses_rank_schedule.json").read_text())["rank"]["small"]["t2i"]
    got = naive.metrics_of_scores(scores, q, g)
    assert got == pytest.approx({k: want[k] for k in got}, abs=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_ranking_equals_the_naive_metric(seed):
    q, g = draw(200, 32, seed=seed), draw(150, 32, seed=seed + 10)
    qp, gp = torch.arange(200) % 25, torch.arange(150) % 25
    ranks = rank_positives(q, g, qp, gp)
    got = {k: 100 * v.mean() for m in (rank_k, mean_ap, mean_inp) for k, v in m.measure(ranks).items()}
    assert got == pytest.approx(naive.metrics(q, g, qp, gp), abs=1e-4)


@pytest.mark.parametrize("causal", [False, True])
def test_scaled_values_equal_scaled_probabilities(causal):
    d, heads, prefix, count, length = 32, 4, 3, 2, 5
    x, w, b = draw(count, length, d), draw(3 * d, d, seed=1) / 6, draw(3 * d, seed=2)
    ow, ob, pk, pv = draw(d, d, seed=3), draw(d, seed=4), draw(prefix, d, seed=5), draw(prefix, d, seed=6)
    got = naive.prefix_attention(x, w, b, ow, ob, heads, pk, pv, 7.0, causal)
    q, k, v = (x @ w.T + b).chunk(3, dim=-1)
    k, v = (torch.cat([t.expand(count, -1, -1), own], 1) for t, own in ((pk, k), (7 * pv, v)))
    q, k, v = (t.unflatten(2, (heads, d // heads)).transpose(1, 2) for t in (q, k, v))
    seen = torch.ones(length, length + prefix, dtype=torch.bool)
    seen[:, prefix:] = seen[:, prefix:].tril() if causal else True
    want = F.scaled_dot_product_attention(q, k, v, seen).transpose(1, 2).flatten(2) @ ow.T + ob
    assert torch.allclose(got, want, atol=1e-4)


def test_dense_lora_equals_the_factored_form():
    d, r = 16, 3
    w, x = draw(3 * d, d), draw(5, d, seed=1)
    down, up, scale = [draw(r, d, seed=2), draw(r, d, seed=3)], [draw(d, r, seed=4), draw(d, r, seed=5)], [0.5, 2.0]
    q, k, v = (x @ naive.lora_projection(w, down, up, scale).T).chunk(3, dim=1)
    plain = (x @ w.T).chunk(3, dim=1)
    assert torch.allclose(q, plain[0])
    for got, base, a, b, s in zip((k, v), plain[1:], down, up, scale, strict=True):
        assert torch.allclose(got, base + s * (x @ a.T) @ b.T, atol=1e-4)


def test_loader(tmp_path):
    for i in range(3):
        Image.new("RGB", (20, 40), (50 * i, 0, 0)).save(tmp_path / f"{i}.png")
    paths = sorted(tmp_path.glob("*.png"))
    got = list(naive.loader(paths, (48, 16), (0.5,) * 3, (0.25,) * 3, 2))
    assert [b.shape for b in got] == [(2, 3, 48, 16), (1, 3, 48, 16)] and all(b.dtype == torch.float32 for b in got)
