"""Trials side by side on one machine hold the packed images once, in the page cache, however many they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.data.pipeline import pack
from harness.data.split import Split

TRIALS, COUNT, SIZE = 3, 64, (96, 64)
# Reads every image, says how large a part of the file's pages is its own, shared ones divided by their users, and goes
# on to hold them until it is told to end.
READER = """
import sys
from pathlib import Path
from harness.data.pipeline import pack
array = pack._open(Path(sys.argv[1]), tuple(map(int, sys.argv[2].split(","))))
print(pack.through(array), flush=True)
sys.stdin.readline()
lines, own = Path("/proc/self/smaps").read_text().splitlines(), 0
for number, line in enumerate(lines):
    if line.endswith("images.npy"):
        own += next(int(found.split()[1]) for found in lines[number:] if found.startswith("Pss:"))
print(own, flush=True)
sys.stdin.readline()
"""


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="Linux tells what processes share")
def test_trials_side_by_side_hold_the_images_once(tmp_path):
    draw = np.random.default_rng(0)
    names = tuple(f"{index}.png" for index in range(COUNT))
    for name in names:
        Image.fromarray(draw.integers(0, 256, (*SIZE, 3), dtype=np.uint8)).save(tmp_path / name)
    split = Split(tmp_path, names, np.arange(COUNT), ("a",) * COUNT, np.arange(COUNT), ())
    images = pack.pack(split, SIZE, tmp_path / "cache")
    total, (home,) = pack.through(images), (p for p in (tmp_path / "cache").iterdir() if p.is_dir())
    size = images.nbytes / 1024
    del images
    command = [sys.executable, "-c", READER, str(home), ",".join(map(str, (COUNT, 3, *SIZE)))]
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    readers = [subprocess.Popen(command, **pipe) for _ in range(TRIALS)]
    try:
        assert [int(reader.stdout.readline()) for reader in readers] == [total] * TRIALS
        for reader in readers:  # all of them hold the file by then
            reader.stdin.write("\n")
            reader.stdin.flush()
        own = [int(reader.stdout.readline()) for reader in readers]
        assert sum(own) == pytest.approx(size, rel=0.1), own
    finally:
        for reader in readers:
            reader.communicate("\n", timeout=30)
