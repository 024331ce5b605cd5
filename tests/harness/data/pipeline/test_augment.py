"""Augmentation: against one image at a time in numpy, purity, and the frequencies of the presets."""

import math

import numpy as np
import pytest
import torch

from harness.data.pipeline import augment, random
from harness.errors import UserError

MEAN, STD = (0.481, 0.458, 0.408), (0.269, 0.261, 0.276)


def pixels(count, height=48, width=20, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (count, 3, height, width), dtype=np.uint8))


def slow(image, preset, seed, epoch, index, pad=None):
    """The reference transform on one image [3, H, W], in the order in which it is defined."""
    plan, (_, height, width) = augment.PRESETS[preset], image.shape
    u = random.uniform(random.IMAGE, seed, epoch, torch.tensor([index]), 47)[0].numpy()
    image = image.transpose(1, 2, 0)
    if plan.jitter:
        bright, contrast, colour = (1 + plan.jitter * (2 * float(x) - 1) for x in u[3:6])
        x = np.clip(image * bright, 0, 255)
        grey = x @ augment.GREY
        x = np.clip(grey.mean() + contrast * (x - grey.mean()), 0, 255)
        grey = (x @ augment.GREY)[..., None]
        image = np.round(np.clip(grey + colour * (x - grey), 0, 255))
    flip = plan.flip and u[0] < 0.5
    if flip:
        image = image[:, ::-1]
    pad = augment.padding(plan, height) if pad is None else pad
    if pad:
        canvas = np.zeros((height + 2 * pad, width + 2 * pad, 3))
        canvas[pad : pad + height, pad : pad + width] = image
        top, left = int(u[1] * np.float32(2 * pad + 1)), int(u[2] * np.float32(2 * pad + 1))
        # The offset is drawn for the image as stored: mirrored with it.
        left = 2 * pad - left if flip else left
        image = canvas[top : top + height, left : left + width]
    result = (image / 255 - MEAN) / STD
    if plan.erase and u[6] < 0.5:
        for k in range(10):
            area = (0.02 + float(u[7 + k]) * 0.38) * height * width
            ratio = math.exp(math.log(0.3) + float(u[17 + k]) * (math.log(3.3) - math.log(0.3)))
            tall, wide = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if tall < height and wide < width:
                top, left = int(float(u[27 + k]) * (height - tall + 1)), int(float(u[37 + k]) * (width - wide + 1))
                result[top : top + tall, left : left + wide] = MEAN if plan.erase == "mean" else 0
                break
    return result.transpose(2, 0, 1)


@pytest.mark.parametrize("preset", augment.PRESETS)
@pytest.mark.parametrize("size, pad", [((48, 20), None), ((96, 32), None), ((33, 47), 5), ((40, 16), 0)])
def test_equals_one_image_at_a_time(preset, size, pad):
    images = pixels(19, *size)
    index = torch.arange(100, 119) * 13
    got = augment.prepare(images, preset, MEAN, STD, 3, 4, index, pad=pad).numpy()
    want = np.stack([slow(im, preset, 3, 4, i, pad) for im, i in zip(images.numpy(), index.tolist(), strict=True)])
    difference = np.abs(got - want)
    # The jitter rounds to 8 bits: float32 and float64 may fall on different sides of a half.
    assert np.quantile(difference, 0.999) < 1e-5 and difference.max() < (0.02 if "colour" in preset else 1e-5)
    assert got.shape == (19, 3, *size) and got.dtype == np.float32


@pytest.mark.parametrize("preset", augment.PRESETS)
def test_depends_on_nothing_but_seed_epoch_and_index(preset, monkeypatch):
    images, index = pixels(21), torch.arange(21) * 3
    whole = augment.prepare(images, preset, MEAN, STD, 1, 2, index)
    p = torch.randperm(21, generator=torch.Generator().manual_seed(0))
    assert torch.equal(augment.prepare(images[p], preset, MEAN, STD, 1, 2, index[p]), whole[p])
    assert torch.equal(augment.prepare(images[5:6], preset, MEAN, STD, 1, 2, index[5:6]), whole[5:6])
    monkeypatch.setattr(augment, "CHUNK", 1000)
    out = torch.full_like(whole, torch.nan)
    assert augment.prepare(images, preset, MEAN, STD, 1, 2, index, out=out) is out and torch.equal(out, whole)


@pytest.mark.parametrize("change", [{"seed": 2}, {"epoch": 3}, {"index": torch.arange(21) + 1}])
def test_each_of_seed_epoch_and_index_matters(change):
    given = {"seed": 1, "epoch": 2, "index": torch.arange(21)}
    a, b = (augment.prepare(pixels(21), "irra", MEAN, STD, **g) for g in (given, {**given, **change}))
    assert not torch.equal(a, b)


def test_none_is_the_normalisation():
    images = pixels(3)
    want = (images.permute(0, 2, 3, 1).numpy() / 255 - MEAN) / STD
    got = augment.prepare(images, "none", MEAN, STD, 0, 0, torch.arange(3))
    assert np.allclose(got.permute(0, 2, 3, 1).numpy(), want, atol=1e-6)


def test_frequencies():
    images = torch.full((4000, 3, 32, 16), 255, dtype=torch.uint8)
    images[..., :8] = 128
    flat = augment.prepare(images, "flip", (0, 0, 0), (1, 1, 1), 0, 0, torch.arange(4000))
    assert abs((flat[:, 0, 0, 0] > 0.9).float().mean() - 0.5) < 0.03
    u = random.uniform(random.IMAGE, 0, 0, torch.arange(4000), 47)[:, 6:]
    box = augment.rectangles(u, 384, 128)
    erased = box[:, 2] > 0
    assert abs(erased.float().mean() - 0.5) < 0.03
    share = (box[:, 2] * box[:, 3])[erased] / (384 * 128)
    assert share.min() > 0.018 and share.max() < 0.41 and abs(share.mean() - 0.19) < 0.02
    assert (box[:, 0] + box[:, 2] <= 384).all() and (box[:, 1] + box[:, 3] <= 128).all() and (box >= 0).all()


def test_a_rectangle_that_never_fits_erases_nothing():
    u = torch.rand(50, 41, generator=torch.Generator().manual_seed(0))
    assert (augment.rectangles(u, 1000, 2)[:, 2] == 0).float().mean() > 0.3
    assert (augment.rectangles(u, 1, 1)[:, 2] == 0).all()


def test_the_value_of_erasing():
    images, index = pixels(40).clamp(min=10), torch.arange(40)
    plain = augment.prepare(images, "irra", MEAN, STD, 0, 0, index, pad=0)
    mean = augment.prepare(images, "irra_mean", MEAN, STD, 0, 0, index, pad=0)
    changed = (plain - mean).abs() > 0.1
    u = random.uniform(random.IMAGE, 0, 0, index, 47)[:, 6:]
    box = augment.rectangles(u, 48, 20)
    assert changed.sum() == 3 * (box[:, 2] * box[:, 3])[box[:, 2] > 0].sum() > 0
    assert mean[changed].abs().max() < 1e-6 and torch.equal(mean[~changed], plain[~changed])
    value = torch.tensor(MEAN).view(1, 3, 1, 1).expand_as(plain)
    assert torch.allclose(plain[changed], value[changed], atol=1e-6)


def test_padding_scales_with_the_height():
    plan = augment.PRESETS["irra"]
    assert [augment.padding(plan, h) for h in (384, 192, 96, 32, 8)] == [10, 5, 3, 1, 1]
    assert augment.padding(augment.PRESETS["flip"], 384) == 0


def test_unknown_preset():
    with pytest.raises(UserError, match=r"unknown augmentation 'ira'.*did you mean irra"):
        augment.prepare(pixels(1), "ira", MEAN, STD, 0, 0, torch.arange(1))


@pytest.mark.parametrize("preset", augment.PRESETS)
def test_one_by_one_and_together_are_the_same(preset, monkeypatch):
    images = torch.randint(0, 256, (21, 3, 48, 16), dtype=torch.uint8)
    given = (preset, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3), 3, 1, torch.arange(21))
    one = augment.prepare(images, *given)
    monkeypatch.setattr(
        augment, "_one_by_one", lambda planes, *rest: augment._together(torch.stack(list(planes)), *rest)
    )
    together = augment.prepare(images, *given)
    assert torch.equal(one, together)
    assert len({tuple(x.flatten().tolist()) for x in one}) == 21


@pytest.mark.parametrize("preset", augment.PRESETS)
def test_images_are_read_where_they_lie(preset):
    store, rows = pixels(30), torch.tensor([7, 0, 29, 7, 12])
    given = (preset, MEAN, STD, 3, 1, torch.arange(5))
    assert torch.equal(augment.prepare(store, *given, rows=rows), augment.prepare(store[rows], *given))
    assert torch.equal(store, pixels(30))
