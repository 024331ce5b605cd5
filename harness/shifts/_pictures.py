"""What several shifts of images do: from and to Pillow, blur by a kernel, resize."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy.signal import fftconvolve

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels


def pixels(values: np.ndarray) -> np.ndarray:
    """Grey levels as uint8, rounded and cut to 0..255."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def resized(image: np.ndarray, height: int, width: int, box: Box | None = None) -> np.ndarray:
    """The image, or `box` of it, at another size by Pillow's bilinear filter, which averages when it shrinks."""
    picture = Image.fromarray(image)
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR, box=box))


def blurred(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The image convolved with `kernel` [odd, odd] of sum 1; at its sides it goes on as its outermost pixels do."""
    high, wide = (side // 2 for side in kernel.shape)
    padded = np.pad(image.astype(np.float32), ((high, high), (wide, wide), (0, 0)), mode="edge")
    return pixels(fftconvolve(padded, kernel.astype(np.float32)[..., None], mode="valid", axes=(0, 1)))


def disc(radius: float) -> np.ndarray:
    """A disc of `radius` pixels as a kernel."""
    steps = np.linspace(-radius, radius, 8 * int(np.ceil(radius)) + 9)
    points = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    return _kernel(points[np.hypot(points[:, 0], points[:, 1]) <= radius])


def line(length: float, angle: float) -> np.ndarray:
    """A line of `length` pixels at `angle` radians as a kernel."""
    steps = np.linspace(-0.5, 0.5, 8 * int(np.ceil(length)) + 9) * length
    return _kernel(steps[:, None] * [np.sin(angle), np.cos(angle)])


def _kernel(points: np.ndarray) -> np.ndarray:
    """Points [n, 2], down and right of the middle in pixels, each shared among the four pixels around it."""
    reach = int(np.ceil(np.abs(points).max())) + 1
    kernel, at = np.zeros((2 * reach + 1, 2 * reach + 1)), points + reach
    low = np.floor(at).astype(np.int64)
    part = at - low
    for down in (0, 1):
        for right in (0, 1):
            weight = np.abs(1 - down - part[:, 0]) * np.abs(1 - right - part[:, 1])
            np.add.at(kernel, (low[:, 0] + down, low[:, 1] + right), weight)
    return kernel / kernel.sum()
