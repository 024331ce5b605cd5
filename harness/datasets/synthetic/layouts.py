"""Folder layouts and annotation records of the published sets, quirks included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_CUHK_FOLDERS = ("cam_a", "cam_b", "CUHK01", "CUHK03", "Market", "train_query", "test_query")
_DAYS = ("0302morning", "0303morning", "0303afternoon", "0113noon")


@dataclass(frozen=True)
class Layout:
    """Where one published set keeps what."""

    folder: str
    annotation: str
    path: Callable[[int, int, int], str]  # identity, camera, number of the image -> path below imgs/
    record: Callable[[int, str, str, list[str]], dict]  # identity, split, path, captions -> record


def _tokens(captions: list[str]) -> list[list[str]]:
    keep = str.maketrans("", "", ".,:;")
    return [caption.lower().translate(keep).split() for caption in captions]


def _cuhk_path(identity: int, camera: int, number: int) -> str:
    return f"{_CUHK_FOLDERS[camera % 5]}/{identity + 1:05d}_{number:02d}.jpg"


def _cuhk_record(identity: int, split: str, path: str, captions: list[str]) -> dict:
    # Identities count from 1 here and from 0 in the other two sets.
    return {**_icfg_record(identity, split, path, captions), "id": identity + 1}


def _icfg_path(identity: int, camera: int, number: int) -> str:
    # The folder is the one of the set the images were taken from; it is not the split.
    folder = ("train", "test")[identity % 2]
    name = f"{identity:04d}_{number:03d}_{camera + 1:02d}_{_DAYS[camera % 4]}_{number * 8:04d}_0.jpg"
    return f"{folder}/{identity:04d}/{name}"


def _icfg_record(identity: int, split: str, path: str, captions: list[str]) -> dict:
    return {
        "split": split, "captions": captions, "file_path": path, "processed_tokens": _tokens(captions), "id": identity,
    }  # fmt: skip


def _rstp_path(identity: int, camera: int, number: int) -> str:
    return f"{identity:04d}_c{camera + 1}_{number:04d}.jpg"


def _rstp_record(identity: int, split: str, path: str, captions: list[str]) -> dict:
    return {"id": identity, "img_path": path, "captions": captions, "split": split}


LAYOUTS = {
    "cuhk": Layout("CUHK-PEDES", "reid_raw.json", _cuhk_path, _cuhk_record),
    "icfg": Layout("ICFG-PEDES", "ICFG-PEDES.json", _icfg_path, _icfg_record),
    "rstp": Layout("RSTPReid", "data_captions.json", _rstp_path, _rstp_record),
}
