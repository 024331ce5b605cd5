"""Image files: every mode becomes the pixels it shows, everything unusable is refused by name."""

import io
import struct
import zlib
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from harness.data.pipeline import images
from harness.errors import DataError


def picture(height=60, width=30, seed=0):
    """Smooth enough for JPEG to keep it."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    return np.stack((255 * y, 255 * x, 255 * (1 - y)), -1).astype(np.uint8)


def save(path, array_or_image, **options):
    image = array_or_image if isinstance(array_or_image, Image.Image) else Image.fromarray(array_or_image)
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "jpg"])
def test_reads_and_resizes_like_pillow(tmp_path, suffix):
    path = save(tmp_path / f"a.{suffix}", picture())
    counts = Counter()
    got = images.read(path, (24, 12), counts)
    want = np.asarray(Image.open(path).resize((12, 24), Image.Resampling.BILINEAR))
    assert got.dtype == np.uint8 and got.shape == (24, 12, 3) and np.array_equal(got, want) and not counts


def test_shrinking_averages(tmp_path):
    """A board of black and white pixels becomes grey, not one of its colours."""
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    got = images.read(save(tmp_path / "a.png", np.stack([board] * 3, -1)), (8, 8))
    assert np.abs(got.astype(int) - 127).max() <= 2


def modes():
    rgb = Image.fromarray(picture())
    alpha = np.zeros((60, 30), dtype=np.uint8)
    alpha[:30] = 255
    clear = rgb.copy()
    clear.putalpha(Image.fromarray(alpha))
    on_white = np.where(alpha[..., None] > 0, picture(), 255)
    grey = rgb.convert("L")
    grey3 = np.stack([np.asarray(grey)] * 3, -1)
    grey_white = np.where(alpha[..., None] > 0, grey3, 255)
    grey_clear = grey.copy()
    grey_clear.putalpha(Image.fromarray(alpha))
    palette = rgb.quantize(200)
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    between = np.asarray(grey).astype(int) * 257 + np.arange(1800).reshape(60, 30) % 257 - 128
    bits = grey.convert("1")
    bits3 = np.stack([np.asarray(bits).astype(np.uint8) * 255] * 3, -1)
    return {
        "RGBA": (clear, on_white, "transparency"),
        "L": (grey, grey3, "L"),
        "LA": (grey_clear, grey_white, "transparency"),
        "P": (palette, np.asarray(palette.convert("RGB")), "P"),
        "16": (deep, grey3, "16 bit"),
        "16 rounded": (Image.fromarray(between.clip(0, 65535).astype(np.uint16)), grey3, "16 bit"),
        "1": (bits, bits3, "1"),
    }


@pytest.mark.parametrize("mode", modes())
def test_modes(tmp_path, mode):
    image, want, name = modes()[mode]
    counts = Counter()
    got = images.read(save(tmp_path / "a.png", image), (60, 30), counts)
    assert np.array_equal(got, want) and counts == {name: 1}


def test_palette_with_a_transparent_entry(tmp_path):
    image = Image.new("P", (30, 60), 1)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.paste(0, (0, 0, 30, 20))
    got = images.read(save(tmp_path / "a.png", image, transparency=0), (60, 30))
    assert (got[:20] == 255).all() and (got[20:] == (200, 100, 50)).all()


def test_cmyk(tmp_path):
    path = save(tmp_path / "a.jpg", Image.fromarray(picture()).convert("CMYK"), quality=95)
    counts = Counter()
    got = images.read(path, (60, 30), counts)
    assert np.abs(got.astype(int) - picture()).mean() < 3 and counts == {"CMYK": 1}


@pytest.mark.parametrize("orientation, turn", [(3, lambda a: a[::-1, ::-1]), (6, lambda a: np.rot90(a, 3))])
def test_exif_orientation(tmp_path, orientation, turn):
    exif = Image.Exif()
    exif[images.ORIENTATION] = orientation
    path = save(tmp_path / "a.png", picture(), exif=exif)
    want, counts = turn(picture()), Counter()
    assert np.array_equal(images.read(path, want.shape[:2], counts), want) and counts == {"orientation": 1}


def bomb(path, side=60000):
    """A PNG of a few bytes that claims to be huge."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))


def broken(kind, path):
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("this is no image")
    elif kind.startswith("cut"):
        suffix, share = kind.split()[1:]
        whole = io.BytesIO()
        noise = np.random.default_rng(0).integers(0, 256, (60, 30, 3), dtype=np.uint8)
        Image.fromarray(noise).save(whole, {"jpg": "JPEG", "png": "PNG", "bmp": "BMP"}[suffix])
        path.write_bytes(whole.getvalue()[: int(len(whole.getvalue()) * float(share))])
    elif kind == "flipped":
        save(path, picture(), format="PNG")
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 255
        path.write_bytes(data)
    elif kind == "bomb":
        bomb(path)
    elif kind == "large":
        bomb(path, 9000)
    elif kind == "folder":
        path.mkdir()
    elif kind == "float":
        Image.fromarray(picture()[..., 0].astype(np.float32)).save(path, "TIFF")
    elif kind != "missing":
        width, height = map(int, kind.split("x"))
        save(path, np.zeros((height, width, 3), dtype=np.uint8), format="PNG")


REASONS = {
    "missing": "not found",
    "empty": "empty file",
    "text": "cannot identify",
    "bomb": "pixels",
    "large": "9000 x 9000 is more than 64,000,000 pixels",
    "float": "no defined range",
    "1x1": "1 x 1 has a side shorter than 4 pixels",
    "3x60": "3 x 60 has a side shorter than 4 pixels",
    "100x4": "one side of 100 x 4 is more than 20 times the other",
}
CUTS = [f"cut {suffix} {share}" for suffix in ("jpg", "png", "bmp") for share in (0.1, 0.5, 0.9)]


@pytest.mark.parametrize(
    "kind", ["missing", "empty", "text", "flipped", "bomb", "large", "folder", "float", "1x1", "3x60", "100x4", *CUTS]
)
def test_refused_by_name(tmp_path, kind):
    path = tmp_path / "person 7.jpg"
    broken(kind, path)
    with pytest.raises(DataError, match=r"person 7\.jpg: ") as caught:
        images.read(path, (24, 12))
    assert REASONS.get(kind, "image") in str(caught.value) and "\n" not in str(caught.value)
