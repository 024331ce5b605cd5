"""Augmentation of whole batches as tensor operations, a pure function of (seed, epoch, index) for every sample.

`presets.py` says what there is.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.data.pipeline import random
from harness.data.pipeline.presets import PRESETS, Preset
from harness.errors import UserError, nearest

CHUNK = 8  # images jittered at a time on a CPU, so that what follows finds them in its cache
ATTEMPTS = 10  # to find a rectangle that fits, as in torchvision
ERASE_SHARE = (0.02, 0.4)  # of the image's area
ERASE_RATIO = (0.3, 3.3)  # height over width, uniform in its logarithm


def padding(preset: Preset, height: int) -> int:
    """Pixels of padding for images of `height` pixels."""
    return max(1, math.floor(preset.pad * height / 384 + 0.5)) if preset.pad else 0


def prepare(
    images: Tensor,
    preset: str,
    mean: Sequence[float],
    std: Sequence[float],
    seed: int,
    epoch: int,
    index: Tensor,
    pad: int | None = None,
    out: Tensor | None = None,
    rows: Tensor | None = None,
) -> Tensor:
    """Augment and normalise a batch.

    Args:
        images: uint8 [B, 3, H, W], on any device.
        preset: A name in `PRESETS`.
        mean: Three channel means in 0..1.
        std: Three channel standard deviations in 0..1.
        seed: The trial's seed.
        epoch: The epoch.
        index: int64 [B], the samples' numbers in the training set.
        pad: Padding in pixels instead of the preset's.
        out: float32 [B, 3, H, W] to write to; in large batches a new buffer costs more than the arithmetic.
        rows: int64 [B] beside the images: the batch's among them, which then may be a whole data set; on a CPU they are
            read where they lie.

    Returns:
        float32 [B, 3, H, W]: every image depends on itself and (seed, epoch, its index) only.

    Raises:
        UserError: unknown preset.
    """
    if preset not in PRESETS:
        raise UserError(
            f"unknown augmentation '{preset}'",
            expected=f"one of {', '.join(PRESETS)}",
            nearest=nearest(preset, PRESETS),
        )
    plan, (_, _, height, width), count = PRESETS[preset], images.shape, len(index)
    pad = padding(plan, height) if pad is None else pad
    u = random.uniform(random.IMAGE, seed, epoch, index.to(images.device), 7 + 4 * ATTEMPTS)
    flip, down, right, factors, erase = u[:, 0], u[:, 1], u[:, 2], u[:, 3:6], u[:, 6:]
    box = rectangles(erase, height, width) if plan.erase else None
    affine = _affine(tuple(mean), tuple(std), plan, images.device)
    out = torch.empty(count, 3, height, width, device=images.device) if out is None else out
    moves = Moves(
        flip < 0.5 if plan.flip else None,
        (random.below(down, 2 * pad + 1), random.below(right, 2 * pad + 1)) if pad else None,
        box,
    )
    if images.device.type != "cpu":
        whole = images if rows is None else images[rows]
        whole = _jitter(whole, 1 + plan.jitter * (2 * factors - 1)) if plan.jitter else whole
        return _together(whole, moves, pad, affine, out)
    for part in (slice(i, i + CHUNK) for i in range(0, count, CHUNK)):
        planes: Sequence[Tensor] = [images[i] for i in (range(count)[part] if rows is None else rows[part].tolist())]
        if plan.jitter:
            planes = _jitter(torch.stack(list(planes)), 1 + plan.jitter * (2 * factors[part] - 1)).unbind()
        _one_by_one(planes, moves[part], pad, affine, out[part])
    return out


@dataclass(frozen=True, eq=False)
class Moves:
    """What is done to the images of a batch, None where it is done to none.

    Attributes:
        flip: bool [B].
        crop: int64 [B] each: top and left in the padded image.
        box: int64 [B, 4]: what `rectangles` gives.
    """

    flip: Tensor | None
    crop: tuple[Tensor, Tensor] | None
    box: Tensor | None

    def __getitem__(self, part: slice) -> Moves:
        crop = None if self.crop is None else (self.crop[0][part], self.crop[1][part])
        flip, box = (None if each is None else each[part] for each in (self.flip, self.box))
        return Moves(flip, crop, box)


def _one_by_one(planes: Sequence[Tensor], moves: Moves, pad: int, affine: tuple[Tensor, ...], out: Tensor) -> None:
    """Every image by itself: moved as bytes, then widened to floats once, which are still in the cache when scaled."""
    count, _, height, width = out.shape
    scale, shift, value = (each.view(3, 1, 1) for each in affine)
    flips = [False] * count if moves.flip is None else moves.flip.tolist()
    crops = [(pad, pad)] * count if moves.crop is None else list(zip(*(c.tolist() for c in moves.crop), strict=True))
    boxes = [(0, 0, 0, 0)] * count if moves.box is None else moves.box.tolist()
    room = torch.zeros(3, height + 2 * pad, width + 2 * pad, dtype=torch.uint8)
    inner = room[:, pad : pad + height, pad : pad + width]
    for plane, result, flip, (top, left), (y, x, tall, wide) in zip(planes, out, flips, crops, boxes, strict=True):
        plane = plane.flip(2) if flip else plane
        if moves.crop is not None:
            # The offset is drawn for the image as stored: mirrored with it.
            left = 2 * pad - left if flip else left
            inner.copy_(plane)
            plane = room[:, top : top + height, left : left + width]
        result.copy_(plane).mul_(scale).add_(shift)
        if tall:
            result[:, y : y + tall, x : x + wide] = value


def _together(planes: Tensor, moves: Moves, pad: int, affine: tuple[Tensor, ...], out: Tensor) -> Tensor:
    """All images in a few operations, for devices where every operation is dear to start."""
    _, _, height, width = planes.shape
    scale, shift, value = (each.view(3, 1, 1) for each in affine)
    if moves.crop is not None:
        planes = _crop(planes, pad, *moves.crop)
    if moves.flip is not None:
        planes = torch.where(moves.flip.view(-1, 1, 1, 1), planes.flip(3), planes)
    out.copy_(planes).mul_(scale).add_(shift)
    if moves.box is not None:
        inside = _inside(moves.box, height, width).unsqueeze(1)
        torch.where(inside, value, out, out=out)
    return out


@functools.lru_cache(maxsize=64)
def _affine(mean: tuple[float, ...], std: tuple[float, ...], plan: Preset, device: torch.device) -> tuple[Tensor, ...]:
    """Scale and shift that normalise a pixel in 0..255, and the value of erased pixels; float32 [3] each.

    Copied to a device once.
    """
    wide = [torch.tensor(list(values), dtype=torch.float64) for values in (mean, std)]
    erased = wide[0] if plan.erase == "mean" else torch.zeros(3, dtype=torch.float64)
    return tuple(each.float().to(device) for each in (1 / (255 * wide[1]), -wide[0] / wide[1], erased))


def _crop(planes: Tensor, pad: int, top: Tensor, left: Tensor) -> Tensor:
    """Pad [b, 3, H, W] with black and cut it to its size again at (top, left).

    Every row of the result is a run of W bytes in the padded buffer, so one `index_select` of rows does it.
    """
    count, channels, height, width = planes.shape
    tall, wide = height + 2 * pad, width + 2 * pad
    padded = planes.new_zeros(count, channels, tall, wide)
    padded[:, :, pad : pad + height, pad : pad + width] = planes
    image = torch.arange(count * channels, device=planes.device).view(count, channels, 1) * (tall * wide)
    row = (top.view(-1, 1) + torch.arange(height, device=planes.device)) * wide + left.view(-1, 1)
    starts = (image + row.unsqueeze(1)).flatten()
    return padded.flatten().unfold(0, width, 1).index_select(0, starts).view(count, channels, height, width)


def rectangles(u: Tensor, height: int, width: int) -> Tensor:
    """Rectangles to erase, int64 [B, 4]: top, left, height, width; height 0 where nothing is erased.

    Random erasing (Zhong et al., AAAI 2020, algorithm 1) with probability 1/2: of `ATTEMPTS` draws of area and ratio
    the first that fits into the image is taken.

    Args:
        u: float32 [B, 1 + 4 * ATTEMPTS] in [0, 1): whether to erase; areas; ratios; tops; lefts.
        height: Of the image, in pixels.
        width: Of the image, in pixels.
    """
    chosen, (area, ratio, top, left) = u[:, 0] < 0.5, u[:, 1:].double().chunk(4, dim=1)
    area = (ERASE_SHARE[0] + area * (ERASE_SHARE[1] - ERASE_SHARE[0])) * height * width
    low, high = math.log(ERASE_RATIO[0]), math.log(ERASE_RATIO[1])
    ratio = (low + ratio * (high - low)).exp()
    tall, wide = (area * ratio).sqrt().round().long(), (area / ratio).sqrt().round().long()
    fits = (tall < height) & (wide < width)
    first = fits.to(torch.uint8).argmax(dim=1, keepdim=True)
    tall, wide, top, left = (v.gather(1, first).squeeze(1) for v in (tall, wide, top, left))
    tall = torch.where(chosen & fits.any(dim=1), tall, 0)
    return torch.stack((random.below(top, height - tall + 1), random.below(left, width - wide + 1), tall, wide), dim=1)


def _inside(box: Tensor, height: int, width: int) -> Tensor:
    """Whether a pixel is in the rectangle of its image, bool [B, H, W]."""
    top, left, tall, wide = (v.view(-1, 1) for v in box.unbind(1))
    rows, columns = torch.arange(height, device=box.device), torch.arange(width, device=box.device)
    rows, columns = (rows >= top) & (rows < top + tall), (columns >= left) & (columns < left + wide)
    return rows.unsqueeze(2) & columns.unsqueeze(1)


GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601


def _jitter(planes: Tensor, factors: Tensor) -> Tensor:
    """Brightness, contrast and saturation of uint8 [b, 3, H, W] times `factors` [b, 3], in this order.

    As in torchvision: blend with black, with the mean grey of the image, with the grey image, and clip after each.
    """
    brightness, contrast, saturation = (f.view(-1, 1, 1, 1) for f in factors.unbind(1))

    def grey() -> Tensor:
        red, green, blue = (weight * x[:, c : c + 1] for c, weight in enumerate(GREY))
        return red + green + blue

    x = planes.to(torch.float32, memory_format=torch.contiguous_format).mul_(brightness).clamp_(0, 255)
    level = (1 - contrast) * grey().mean(dim=(2, 3), keepdim=True)
    x = x.mul_(contrast).add_(level).clamp_(0, 255)
    level = (1 - saturation) * grey()
    x = x.mul_(saturation).add_(level).clamp_(0, 255)
    return x.round_().to(torch.uint8)
