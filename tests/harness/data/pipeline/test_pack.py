"""The packed store: right pixels, one builder, resumption, repair, errors, and what renews it."""

import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from harness.data.fingerprint import fingerprint
from harness.data.pipeline import images, pack
from harness.data.split import Split
from harness.errors import DataError, EnvironmentFault

SIZE = (12, 6)
COUNT = 23


@pytest.fixture
def split(tmp_path):
    rng = np.random.default_rng(0)
    root = tmp_path / "data"
    names = tuple(f"cam_{i % 2}/{i}.png" for i in range(COUNT))
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 10, 3), dtype=np.uint8)).save(root / name)
    persons = np.arange(COUNT) // 4
    captions = tuple(f"caption {i}" for i in range(COUNT))
    return Split(root, names, persons, captions, np.arange(COUNT), tuple("abcdef"))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(pack, "CHUNK", 4)


def expected(split):
    return np.stack([images.read(split.path(i), SIZE).transpose(2, 0, 1) for i in range(COUNT)])


def reads(monkeypatch):
    """The paths that are decoded from here on."""
    seen, read = [], images.read

    def record(path, *rest):
        seen.append(path)
        return read(path, *rest)

    monkeypatch.setattr(images, "read", record)
    return seen


@pytest.mark.parametrize("workers", [1, 3, None])
def test_pixels(split, tmp_path, workers):
    steps = []
    got = pack.pack(split, SIZE, tmp_path / "cache", workers, lambda done, total: steps.append((done, total)))
    assert isinstance(got, np.memmap) and not got.flags.writeable and got.dtype == np.uint8
    assert np.array_equal(got, expected(split))
    assert len(steps) == 6 and steps[-1] == (COUNT, COUNT) and sorted(steps) == steps


def test_second_use_decodes_nothing(split, tmp_path, monkeypatch):
    first = pack.pack(split, SIZE, tmp_path)
    seen = reads(monkeypatch)
    assert np.array_equal(pack.pack(split, SIZE, tmp_path), first) and not seen


def test_key_follows_the_source(split, tmp_path):
    key = pack.key(split, SIZE)
    assert key == pack.key(split, SIZE) and key != pack.key(split, (6, 12))
    assert key != pack.key(replace(split, images=split.images[::-1]), SIZE)
    moved = tmp_path / "moved"
    shutil.copytree(split.root, moved)
    assert pack.key(replace(split, root=moved), SIZE) == key
    os.utime(split.path(5), ns=(1, 1))
    assert pack.key(split, SIZE) != key


def test_a_changed_image_is_seen(split, tmp_path):
    before = pack.pack(split, SIZE, tmp_path)
    Image.new("RGB", (10, 20), "red").save(split.path(3))
    after = pack.pack(split, SIZE, tmp_path)
    assert (after[3] == np.array([255, 0, 0]).reshape(3, 1, 1)).all() and not (before[3] == after[3]).all()
    assert np.array_equal(after, expected(split))


def test_all_unreadable_images_in_one_error_and_the_rest_is_kept(split, tmp_path, monkeypatch):
    bad = (2, 9, 10, 17, 18, 22)
    whole = {i: split.path(i).read_bytes() for i in bad}
    for i in bad:
        split.path(i).write_bytes(b"")
    with pytest.raises(DataError, match="6 of 23 images unreadable") as caught:
        pack.pack(split, SIZE, tmp_path / "cache")
    listing = next((tmp_path / "cache").glob("*.unreadable.txt")).read_text().splitlines()
    assert sorted(line.split(":")[0] for line in listing) == sorted(split.images[i] for i in bad)
    assert "kept: 8 decoded images" in str(caught.value)
    assert not (tmp_path / "cache" / pack.key(split, SIZE)).exists()
    for i in bad:
        split.path(i).write_bytes(whole[i])
    assert np.array_equal(pack.pack(split, SIZE, tmp_path / "cache"), expected(split))


def test_missing_images_are_counted_by_folder(split, tmp_path):
    for i in (0, 2, 5):
        split.path(i).unlink()
    with pytest.raises(DataError, match=r"3 of 23 images missing \(cam_0 2, cam_1 1\), first cam_0/0.png"):
        pack.pack(split, SIZE, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_an_interrupted_build_goes_on(split, tmp_path, monkeypatch):
    read = images.read

    def stop(path, *rest):
        if path == split.path(14):
            raise KeyboardInterrupt
        return read(path, *rest)

    monkeypatch.setattr(images, "read", stop)
    with pytest.raises(KeyboardInterrupt):
        pack.pack(split, SIZE, tmp_path, workers=1)
    name = pack.key(split, SIZE)
    with open(tmp_path / f"{name}.partial" / "chunks.jsonl", "a") as log:
        log.write('{"chunk": 5, "crc')
    monkeypatch.setattr(images, "read", read)
    want, seen = expected(split), reads(monkeypatch)
    assert np.array_equal(pack.pack(split, SIZE, tmp_path), want)
    # Six chunks of four; those before the interruption are not decoded again.
    assert 4 <= len(seen) <= COUNT - 8 and split.path(14) in seen
    assert [p.name for p in tmp_path.glob(f"{name}*") if p.suffix != ".lock"] == [name]


def test_a_killed_build_goes_on(split, tmp_path, monkeypatch):
    """SIGKILL while the 15th image is decoded; the chunks before it are there and are not decoded again."""
    code = (
        "import os, sys, time, signal, pickle, pathlib\n"
        "from harness.data.pipeline import images, pack\npack.CHUNK = 4\n"
        "split = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())\nread = images.read\n"
        f"journal = pathlib.Path(sys.argv[2]) / '{pack.key(split, SIZE)}.partial' / 'chunks.jsonl'\n"
        "def stop(path, *rest):\n"
        "    if path == split.path(14):\n"
        "        while journal.read_text().count(chr(10)) < 2: time.sleep(0.01)  # another thread writes it\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return read(path, *rest)\n"
        f"images.read = stop\npack.pack(split, {SIZE}, pathlib.Path(sys.argv[2]), workers=1)\n"
    )
    (tmp_path / "split.pickle").write_bytes(pickle.dumps(split))
    cache, name = tmp_path / "cache", pack.key(split, SIZE)
    command = [sys.executable, "-c", code, str(tmp_path / "split.pickle"), str(cache)]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == -9
    assert (cache / f"{name}.partial").is_dir() and not (cache / name).exists()
    want, seen, decoded = expected(split), reads(monkeypatch), pack.Decoded()
    assert np.array_equal(pack.pack(split, SIZE, cache, decoded=decoded), want)
    # Twelve images were in whole chunks; the journal may lack the last of these.
    assert decoded.images == len(seen) and COUNT - 12 <= len(seen) <= COUNT - 4
    assert decoded.seconds > 0 and not (cache / f"{name}.partial").exists()


def test_what_was_decoded_is_told(split, tmp_path):
    first, second = pack.Decoded(), pack.Decoded()
    array = pack.pack(split, SIZE, tmp_path, decoded=first)
    pack.pack(split, SIZE, tmp_path, decoded=second)
    assert (first.images, second.images, second.seconds) == (COUNT, 0, 0.0) and first.seconds > 0
    assert pack.through(array) == int(array.astype(int).sum())


@pytest.mark.parametrize(
    "damage, decoded", [("pixel", 3), ("cut", 3), ("journal", 8), ("no file", COUNT), ("header", COUNT)]
)
def test_damage_is_repaired(split, tmp_path, damage, decoded, monkeypatch):
    want = np.array(pack.pack(split, SIZE, tmp_path))
    home = tmp_path / pack.key(split, SIZE)
    file = home / "images.npy"
    if damage == "pixel":
        data = bytearray(file.read_bytes())
        data[-5] ^= 1
        file.write_bytes(data)
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:-100])
    elif damage == "journal":
        lines = (home / "chunks.jsonl").read_text().splitlines()
        (home / "chunks.jsonl").write_text("\n".join(lines[:-2]))
    elif damage == "no file":
        file.unlink()
    else:
        file.write_bytes(b"\x93NUMPZ" + file.read_bytes()[6:])
    seen = reads(monkeypatch)
    assert np.array_equal(pack.pack(split, SIZE, tmp_path), want)
    assert 0 < len(seen) <= decoded
    assert (home / "images.npy").exists() and not home.with_suffix(".partial").exists()


def test_many_processes_build_once(split, tmp_path):
    code = (
        "import sys, pickle, pathlib\nfrom harness.data.pipeline import images, pack\npack.CHUNK = 4\n"
        "split = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())\nread, seen = images.read, []\n"
        "images.read = lambda *a: (seen.append(1), read(*a))[1]\n"
        f"got = pack.pack(split, {SIZE}, pathlib.Path(sys.argv[2]))\nprint(len(seen), int(got.astype(int).sum()))\n"
    )
    (tmp_path / "split.pickle").write_bytes(pickle.dumps(split))
    command = [sys.executable, "-c", code, str(tmp_path / "split.pickle"), str(tmp_path / "cache")]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    results = [tuple(map(int, run.communicate(timeout=60)[0].split())) for run in runs]
    assert sorted(r[0] for r in results) == [0, 0, COUNT]
    assert {r[1] for r in results} == {int(expected(split).astype(int).sum())}


def test_who_waited_does_not_touch_the_finished_pack(split, tmp_path, monkeypatch):
    pack.pack(split, SIZE, tmp_path)
    looks, look = [], pack._open
    monkeypatch.setattr(pack, "_open", lambda *a: looks.append(1) or (look(*a) if len(looks) > 1 else None))
    monkeypatch.setattr(pack, "_build", lambda *_: pytest.fail("built again"))
    pack.pack(split, SIZE, tmp_path)


def test_waiting_ends(split, tmp_path, monkeypatch):
    monkeypatch.setattr(pack, "PATIENCE", 0.05)
    with (
        pack.FileLock(tmp_path / f"{pack.key(split, SIZE)}.lock"),
        ThreadPoolExecutor(1) as other,
        pytest.raises(EnvironmentFault, match="another process"),
    ):
        other.submit(pack.pack, split, SIZE, tmp_path).result()


def test_no_space(split, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(pack.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(EnvironmentFault, match="no space"):
        pack.pack(split, SIZE, tmp_path / "cache")


def test_conversions_are_counted(split, tmp_path):
    Image.new("L", (10, 20)).save(split.path(1))
    Image.new("RGBA", (10, 20)).save(split.path(9))
    Image.new("L", (10, 20)).save(split.path(20))
    pack.pack(split, SIZE, tmp_path)
    assert pack.converted(tmp_path, pack.key(split, SIZE)) == {"L": 2, "transparency": 1}


def test_fingerprint(split, tmp_path):
    whole = fingerprint(split)
    assert len(whole) == 64 and whole == fingerprint(split)
    shutil.copytree(split.root, tmp_path / "moved")
    os.utime(split.path(5), ns=(1, 1))
    assert fingerprint(replace(split, root=tmp_path / "moved")) == whole == fingerprint(split)
    captions = ("another", *split.captions[1:])
    changes = [
        replace(split, captions=captions),
        replace(split, image_person=split.image_person[::-1]),
        replace(split, caption_image=split.caption_image[::-1]),
        replace(split, persons=tuple("abcdeg")),
        replace(split, images=(*split.images[1:], split.images[0])),
    ]
    split.path(4).write_bytes(split.path(4).read_bytes() + b"x")
    prints = {whole, fingerprint(split), *(fingerprint(c) for c in changes)}
    assert len(prints) == len(changes) + 2
