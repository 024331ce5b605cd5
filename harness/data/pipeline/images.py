"""One image file to uint8 pixels of the wanted size, by defined conversions or a clear refusal.

Conversions: EXIF orientation is applied; transparency is composed onto white; 16-bit grey is scaled to 8 bits;
palettes, grey, black-and-white, CMYK, YCbCr, LAB and HSV become RGB; of several frames the first is taken. Refused,
naming the file: what is no image, is empty, truncated or damaged, has more than `PIXELS` pixels, a side shorter than
`SIDE`, or one side more than `ASPECT` times as long as the other.
"""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from harness.errors import DataError

PIXELS = 64_000_000  # width x height; checked before anything is decoded
SIDE = 4  # pixels
ASPECT = 20
ORIENTATION = 0x0112  # EXIF tag

# A bomb is refused by the limits above; Pillow's warning would only repeat it.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def convert(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """An opened image as RGB, and the names of the conversions that were needed."""
    done = []
    if image.getexif().get(ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
        done.append("orientation")
    mode = image.mode
    if mode.startswith("I"):
        levels = np.asarray(image, dtype=np.int64)
        if levels.min() < 0 or levels.max() > 65535:
            raise ValueError(f"grey values {levels.min()} to {levels.max()} are outside 16 bits")
        # 257 = 65535 / 255: full scale to full scale, rounded to the nearest.
        image = Image.fromarray(((levels + 128) // 257).astype(np.uint8))
        done.append("16 bit")
    elif mode == "F":
        raise ValueError("floating-point pixels have no defined range")
    elif image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
        done.append("transparency")
    elif mode != "RGB":
        done.append(mode)
    return image.convert("RGB"), tuple(done)


def _check(width: int, height: int) -> None:
    if width * height > PIXELS:
        raise ValueError(f"{width} x {height} is more than {PIXELS:,} pixels")
    if min(width, height) < SIDE:
        raise ValueError(f"{width} x {height} has a side shorter than {SIDE} pixels")
    if max(width, height) > ASPECT * min(width, height):
        raise ValueError(f"one side of {width} x {height} is more than {ASPECT} times the other")


def read(path: Path, size: tuple[int, int], counts: Counter[str] | None = None) -> np.ndarray:
    """Read an image and resize it (Pillow's bilinear filter, which averages when it shrinks).

    Args:
        path: The file.
        size: (height, width) in pixels.
        counts: If given, the conversions that were needed are counted here by name.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        DataError: the file is missing, no image, damaged or outside the limits.
    """
    try:
        with Image.open(path) as image:
            _check(*image.size)
            image.load()
            converted, done = convert(image)
        _check(*converted.size)
        pixels = np.asarray(converted.resize((size[1], size[0]), Image.Resampling.BILINEAR))
    except FileNotFoundError:
        raise DataError("image not found", where=path) from None
    except Image.DecompressionBombError:
        raise DataError("unreadable image", where=path, expected=f"at most {PIXELS:,} pixels") from None
    except Exception as fault:  # damaged files make Pillow's decoders raise nearly anything
        empty = path.is_file() and path.stat().st_size == 0
        what = "empty file" if empty else str(fault).replace(f" {str(path)!r}", " the file")
        raise DataError(f"unreadable image: {what}", where=path, expected="a whole image") from None
    if counts is not None:
        counts.update(done)
    return pixels
