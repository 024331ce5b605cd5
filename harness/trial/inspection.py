"""What one trained model sees: its best matches for some captions, features, and which patch speaks for which word.

Its kept model is looked at; where none was kept the trial is trained again, which gives the same bits on the same
machine. Unless its Rank-1 is the one that was committed, nothing is written. The folder holds images of the data set,
under the terms of the data set: it is written beside the results, and `upbench publish` does not take it.

    about.json        the trial, what was checked, sizes
    retrieval.json    per caption: its words, the best matches with score and identity, rank of the first right one
    features.npz      normalised features of the images and captions of some identities
    evidence.npz      per caption, word and patch of the picture that it describes: see `evidence`
    thumbnails/       the pictures shown, by index in the gallery
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from harness.data.pipeline import images
from harness.data.split import Split
from harness.errors import EnvironmentFault
from harness.evaluation import encode
from harness.model.clip import Backbone
from harness.trial import splits
from harness.trial.kept.again import seen
from harness.trial.kept.measure import Measuring
from harness.trial.kept.model import Kept
from harness.trial.stages import TrialRun

FOLDER = "inspections"
TOP = 10
PEOPLE = 12  # identities whose features are kept
THUMBNAIL = (256, 128)  # height and width in pixels, those of IRRA's gallery
NOTICE = """This folder contains images and captions of a data set, under the terms of that data set.
It was written by `upbench inspect` for looking at, is no part of the results, and is not published with them.
Before a picture from it is shown to others, see whether the data set's licence allows that, and whether faces are to be
blurred.
"""


def inspect(
    row: Mapping[str, Any],
    ranks: np.ndarray | None,
    rank1: float,
    data: Path,
    root: Path,
    queries: int = 6,
    seed: int = 0,
    report: Callable[[dict], None] = lambda event: None,
    kept: Kept | None = None,
) -> Path:
    """Write what the model of a committed row sees.

    Args:
        row: Of the table of trials, status ok.
        ranks: Rank of the first match of each query on the home test split as committed [queries]; None if not kept.
        rank1: Rank-1 on that split as committed, percent.
        data: Folder of data sets.
        root: Folder of the store; the result is `<root>/inspections/<id>`.
        queries: Captions to look at, half of them wrong at rank 1 as far as there are such.
        seed: Of the choice of captions and identities.
        report: Called with every line of the history.
        kept: The trial's model; without it the trial is trained again.

    Raises:
        UserError: the trial has no test score, or chose its epoch on test.
        EnvironmentFault: another Rank-1 than was committed; nothing is written.
    """
    run, again, found = seen(row, kept, data, report)
    matched, ident = found[found > 0], row["id"]
    if round(again, 9) != round(rank1, 9):
        raise EnvironmentFault(
            f"{f'the kept model of trial {ident}' if kept else f'trial {ident} trained again'} gives "
            f"Rank-1 {again:.4f}, but {rank1:.4f} is committed",
            expected=f"the same code, threads and hardware: {row.get('hardware')}, commit {row.get('commit')}",
            kept="the results as they are; nothing was written",
        )
    part = splits.part(run.trial["dataset"], data, "test", run.source)
    backbone = run.backbone.eval()
    bf16 = run.loader.bf16
    image = encode.encode_images(backbone, part.images, run.loader.normalise, bf16=bf16)
    text = encode.encode_texts(backbone, part.ids, bf16=bf16)
    rng = np.random.default_rng(seed)
    chosen = choose(found, part.split, queries, rng)
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".tmp-{row['id']}-", dir=root / FOLDER))
    try:
        retrieved = retrieval(text[chosen], image, chosen, found, part.split)
        _json(beside / "retrieval.json", retrieved)
        shown = {entry["image"] for one in retrieved for entry in one["top"]} | {one["described"] for one in retrieved}
        _thumbnails(beside / "thumbnails", part.split, shown)
        np.savez_compressed(beside / "features.npz", **_features(image, text, part.split, rng))
        np.savez_compressed(beside / "evidence.npz", **_evidence(run, part, chosen))
        equal = None if ranks is None else int((np.asarray(ranks) == matched).sum())
        about = {key: row[key] for key in ("id", "label", "method", "dataset", "seed", "budget", "hardware", "commit")}
        about |= {"rank1": rank1, "queries": len(matched), "equal_ranks": equal, "gallery": len(image)}
        about |= {
            "choice_seed": seed,
            "chosen_epoch": int(row["chosen_epoch"]),
            "trained_again": kept is None,
            "contains_images_of_the_data_set": True,
        }
        _json(beside / "about.json", about)
        (beside / "README.txt").write_text(NOTICE, encoding="utf-8")
        place = root / FOLDER / str(row["id"])
        if place.exists():
            shutil.rmtree(place)
        os.rename(beside, place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return place


def choose(first: np.ndarray, split: Split, count: int, rng: np.random.Generator) -> np.ndarray:
    """Captions to look at, of different identities: right and wrong ones in turn, as far as there are both."""
    order = rng.permutation(len(first))
    sides = [[q for q in order if first[q] == 1], [q for q in order if first[q] > 1]]
    taken: list[int] = []
    persons: set[int] = set()
    while len(taken) < count and any(sides):
        for side in sides:
            while side and (split.caption_person[side[0]] in persons):
                side.pop(0)
            if side and len(taken) < count:
                taken.append(int(side.pop(0)))
                persons.add(split.caption_person[taken[-1]])
    return np.array(taken, dtype=int)


def retrieval(text: Tensor, image: Tensor, chosen: np.ndarray, first: np.ndarray, split: Split) -> list[dict]:
    """The best matches of each chosen caption; `text` [chosen, embed] and `image` [gallery, embed] are normalised."""
    scores = (text @ image.T).cpu()
    order = torch.argsort(scores, dim=1, descending=True, stable=True)[:, :TOP]
    found = []
    for query, line, best in zip(chosen.tolist(), scores, order.tolist(), strict=True):
        person = int(split.caption_person[query])
        top = [
            {"rank": rank, "image": i, "person": int(split.image_person[i]), "score": float(line[i]),
             "right": int(split.image_person[i]) == person}
            for rank, i in enumerate(best, start=1)
        ]  # fmt: skip
        positives = int((split.image_person == person).sum())
        described = int(split.caption_image[query])
        found.append(
            {"query": query, "caption": split.captions[query], "person": person, "positives": positives,
             "first": int(first[query]), "described": described, "top": top}
        )  # fmt: skip
    return found


@torch.inference_mode()
def evidence(backbone: Backbone, image: Tensor, whole: Tensor, without: Tensor, bf16: bool = False) -> Tensor:
    """How much each patch of an image speaks for each word of its caption, [words, rows, columns], in cosine.

    With s the cosine of caption and image, T \\ w the caption without the word w (erasure: Li, Monroe and Jurafsky,
    arXiv:1612.08220) and I \\ p the image with a square of twice the patch's side around the patch p in mean colour
    (occlusion: Zeiler and Fergus, ECCV 2014),

        evidence(w, p) = [s(T, I) - s(T, I \\ p)] - [s(T \\ w, I) - s(T \\ w, I \\ p)],

    what the patch loses of its weight when the word is not there. It looks at outputs alone, so it means the same for
    every method, whatever that adds to the attention.

    Args:
        image: Normalised pixels [3, H, W]; mean colour is 0.
        whole: Feature of the caption [embed], normalised.
        without: Features of the caption without each of its words [words, embed], normalised.
    """
    sizes = backbone.shape.image
    (rows, columns), side = sizes.grid, sizes.patch
    half = side // 2

    def read(places: slice) -> Tensor:
        batch = []
        for place in range(places.start, places.stop):
            hidden = image.clone()
            if place:
                top, left = divmod(place - 1, columns)
                y, x = top * side, left * side
                hidden[:, max(0, y - half) : y + side + half, max(0, x - half) : x + side + half] = 0
            batch.append(hidden)
        return torch.stack(batch)

    seen = encode.encode(backbone.image, 1 + rows * columns, read, 64, bf16)  # the whole image first
    lost = seen[:1] - seen[1:]
    return ((whole - without) @ lost.T).unflatten(1, (rows, columns))


def _evidence(run: TrialRun | Measuring, part: splits.Part, chosen: np.ndarray) -> dict[str, Any]:
    """For caption k: `words_k` [words], `effect_k` [words] (what s loses without the word) and `map_k`."""
    found = {}
    for k, query in enumerate(chosen.tolist()):
        words = part.split.captions[query].split()
        shorter = [" ".join(words[:i] + words[i + 1 :]) for i in range(len(words))]
        ids, _ = run.loader.words([" ".join(words), *shorter])
        text = encode.encode_texts(run.backbone, ids, bf16=run.loader.bf16)
        pixels = torch.from_numpy(np.array(part.images[[part.split.caption_image[query]]])).to(run.device)
        image = run.loader.normalise(pixels)[0]
        whole = encode.encode(run.backbone.image, 1, partial(_alone, image), 1, run.loader.bf16)[0]
        found[f"words_{k}"] = np.array(words)
        found[f"effect_{k}"] = ((text[0] - text[1:]) @ whole).cpu().numpy()
        found[f"map_{k}"] = evidence(run.backbone, image, text[0], text[1:], run.loader.bf16).cpu().numpy()
    return found


def _alone(image: Tensor, rows: slice) -> Tensor:
    return image[None]


def _features(image: Tensor, text: Tensor, split: Split, rng: np.random.Generator) -> dict[str, Any]:
    people = rng.choice(len(split.persons), min(PEOPLE, len(split.persons)), replace=False)
    rows, captions = (np.flatnonzero(np.isin(of, people)) for of in (split.image_person, split.caption_person))
    return {
        "image": image[torch.as_tensor(rows, device=image.device)].cpu().numpy(),
        "text": text[torch.as_tensor(captions, device=text.device)].cpu().numpy(),
        "image_person": split.image_person[rows],
        "text_person": split.caption_person[captions],
        "image_index": rows,
        "text_index": captions,
    }


def _thumbnails(folder: Path, split: Split, shown: set[int]) -> None:
    folder.mkdir()
    for index in sorted(shown):
        Image.fromarray(images.read(split.path(index), THUMBNAIL)).save(folder / f"{index}.jpg", quality=90)


def _json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False, default=_plain), encoding="utf-8")


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else str(value)
