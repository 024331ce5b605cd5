"""Shares of a GPU: the arithmetic, by hand and on a device that is made up. Nothing here ran on CUDA."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.errors import Preempted, UserError
from harness.execution.ray import gpu

GB = 1024**3


class Device:
    """As much of `torch.cuda` as is used, with a memory that is written down."""

    def __init__(self, total: int = 24 * GB, peaks=()) -> None:
        self.total, self.peaks, self.calls = total, list(peaks), []

    is_available = staticmethod(lambda: True)

    def get_device_properties(self, index):
        return SimpleNamespace(total_memory=self.total)

    def max_memory_reserved(self):
        return self.peaks.pop(0) if len(self.peaks) > 1 else self.peaks[0]

    def empty_cache(self):
        self.calls.append("empty")

    def set_per_process_memory_fraction(self, fraction, device):
        self.calls.append((fraction, device))


def trial(ident: str = "a", **changes) -> dict:
    recipe = {"name": "short", "lr": 1e-3, "epochs": 2, "batch": 32} | changes.pop("recipe", {})
    return {"id": ident, "trial": {"method": "lora", "seed": 0, "label": "x", "recipe": recipe} | changes}


def test_share_by_hand():
    # 4 GiB and 15 % are 4.6, with 0.78125 of context 5.38125 of 24 GiB: 22.4 %.
    assert gpu.share(4 * GB, 24 * GB) == 0.23
    assert gpu.share(0, 24 * GB) == 0.04
    assert gpu.share(23 * GB, 24 * GB) == 1.0 and gpu.share(99 * GB, 24 * GB) == 1.0
    exact = (0.5 * 24 * GB - gpu.CONTEXT) / (1 + gpu.MARGIN)
    assert gpu.share(exact, 24 * GB) == 0.5


@pytest.mark.parametrize("peak", [0.1, 1, 3.7, 9, 17])
def test_a_peak_fits_below_its_cap_and_all_caps_fit_on_the_gpu(peak):
    device = Device()
    part = gpu.share(peak * GB, device.total)
    fraction = gpu.cap(part, device)
    assert peak * GB <= fraction * device.total and device.calls == ["empty", (fraction, 0)]
    side_by_side = int(1 / part + 1e-9)
    assert side_by_side * (fraction * device.total + gpu.CONTEXT) <= device.total * (1 + 1e-9)


def test_a_whole_gpu_is_not_capped_and_none_is_needed():
    device = Device()
    assert gpu.cap(1.0, device) == 1.0
    assert gpu.cap(0.5, SimpleNamespace(is_available=lambda: False)) is None


def test_kinds_share_a_probe():
    same = [trial("a"), trial("b", seed=3, label="y"), trial("c", recipe={"lr": 1.0, "epochs": 9})]
    other = [trial("d", recipe={"batch": 64}), trial("e", method="full")]
    measured = []

    def measure(one):
        measured.append(one["id"])
        return (4 * GB, 24 * GB) if one["id"] == "a" else (9 * GB, 24 * GB)

    found = gpu.shares([*same, *other], "auto", measure)
    assert measured == ["a", "d", "e"]
    assert found == {"a": 0.23, "b": 0.23, "c": 0.23, "d": 0.47, "e": 0.47}
    assert gpu.shares(same, None, None) == dict.fromkeys("abc", 1.0)
    assert gpu.shares(same, "0.25", None) == dict.fromkeys("abc", 0.25)
    for wrong in (0, 1.5, -1):
        with pytest.raises(UserError, match="no share of a GPU"):
            gpu.shares(same, wrong, None)


def test_a_probe_stops_after_some_steps_and_sees_the_highest_peak(tmp_path):
    device, steps = Device(peaks=[GB, 5 * GB, 2 * GB]), []

    def run(resolved, store, data, report, stop):
        while not stop():
            steps.append(1)
        raise Preempted("stopped")

    assert gpu.probe(trial(), run, str(tmp_path), device) == (5.0 * GB, 24.0 * GB)
    assert len(steps) == gpu.STEPS


def test_a_probe_that_fills_the_gpu_asks_for_all_of_it(tmp_path):
    assert gpu.share(*gpu.probe(trial(), lambda *_, stop: "oom", str(tmp_path), Device(peaks=[GB]))) == 1.0
