"""How a camera changes what it sees: tint, exposure, contrast, blur, noise and uneven light."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from harness.datasets.synthetic.people import COLOURS
from harness.datasets.synthetic.picture.figure import RGB
from harness.datasets.synthetic.streams import between, stream


@dataclass(frozen=True)
class Look:
    """What the cameras of a domain have in common; pairs are ranges over its cameras."""

    exposure: tuple[float, float]
    gamma: tuple[float, float]
    tint: tuple[float, float, float]  # mean gain of red, green, blue
    spread: float  # of the gain between cameras
    saturation: tuple[float, float]
    blur: tuple[float, float]  # radius in thousandths of the image height
    noise: tuple[float, float]  # standard deviation in grey levels
    haze: tuple[float, float]  # grey level added to black
    shade: float  # strength of uneven light, 0..1
    quality: tuple[int, int]  # of the JPEG


@dataclass(frozen=True)
class Camera:
    """One camera of a domain."""

    gain: tuple[float, float, float]
    gamma: float
    saturation: float
    blur: float
    noise: float
    haze: float
    falloff: tuple[float, float, float]  # light at the left, the right and the bottom, 0..1
    quality: int

    def seen(self, colour: RGB) -> RGB:
        """A colour as this camera renders it."""
        grey = sum(c * w for c, w in zip(colour, (0.299, 0.587, 0.114), strict=True))
        mixed = [grey + (c - grey) * self.saturation for c in colour]
        red, green, blue = (self._curve(min(255.0, max(0.0, c)), k) for k, c in enumerate(mixed))
        return red, green, blue

    def _curve(self, value: float, channel: int) -> int:
        return int(min(255.0, self.haze + (255 - self.haze) * self.gain[channel] * (value / 255) ** self.gamma))

    @functools.cached_property
    def table(self) -> list[int]:
        """Lookup table of the three channels."""
        return [self._curve(v, channel) for channel in range(3) for v in range(256)]

    def take(self, rng: np.random.Generator, image: Image.Image) -> Image.Image:
        """The photograph of a picture of the same size."""
        s = self.saturation
        if abs(s - 1) > 0.02:
            a, b, c = 0.299 * (1 - s), 0.587 * (1 - s), 0.114 * (1 - s)
            image = image.convert("RGB", (a + s, b, c, 0, a, b + s, c, 0, a, b, c + s, 0))
        image = image.point(self.table)
        image = ImageChops.multiply(image, _light(image.size, *self.falloff))
        image = image.filter(ImageFilter.GaussianBlur(self.blur * image.height / 1000))
        pixels = np.asarray(image, dtype=np.int16)
        grain = rng.integers(-256, 256, pixels.shape[:2], dtype=np.int16)
        grain = (grain * (self.noise / 148)).astype(np.int16)
        return Image.fromarray(np.clip(pixels + grain[..., None], 0, 255).astype(np.uint8))


@functools.lru_cache(maxsize=256)
def _light(size: tuple[int, int], left: float, right: float, bottom: float) -> Image.Image:
    w, h = size
    across = np.linspace(left, right, w)[None, :] * np.linspace(1.0, bottom, h)[:, None]
    return Image.merge("RGB", [Image.fromarray((across * 255).astype(np.uint8))] * 3)


def camera(seed: int, domain: str, number: int, look: Look) -> Camera:
    """Camera `number` of a domain."""
    rng = stream(seed, domain, "camera", number)
    exposure = between(rng, *look.exposure)
    red, green, blue = (exposure * t * between(rng, 1 - look.spread, 1 + look.spread) for t in look.tint)
    dark = 1 - look.shade
    return Camera(
        gain=(red, green, blue),
        gamma=between(rng, *look.gamma),
        saturation=between(rng, *look.saturation),
        blur=between(rng, *look.blur),
        noise=between(rng, *look.noise),
        haze=between(rng, *look.haze),
        falloff=(between(rng, dark, 1), between(rng, dark, 1), between(rng, (1 + dark) / 2, 1)),
        quality=int(between(rng, *look.quality)),
    )


def nearest_colour(colour: RGB) -> str:
    """The name that a viewer would give to a rendered colour."""
    return min(COLOURS, key=lambda name: sum((a - b) ** 2 for a, b in zip(COLOURS[name], colour, strict=True)))
