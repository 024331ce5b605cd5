"""Pre-train a CLIP that ships with the harness: `python -m harness.backbones.pretrain --name tiny`.

The broad synthetic domain stands in for web data; the loss is CLIP's own, symmetric cross-entropy over the pairs of a
batch with a learned temperature (Radford et al. 2021). The result is a folder in open_clip's `local-dir` layout, with
open_clip's parameter names, the cut vocabulary, and the training log.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from harness.model.clip import Shape
from harness.model.names import theirs
from harness.model.source import SHIPPED, Source
from harness.model.tokenizer import cut
from harness.model.weights import load, random, shape
from harness.training import grouped
from harness.training.recipe import Recipe
from harness.trial import splits
from harness.trial.loader import Loader


@dataclass(frozen=True)
class Plan:
    """What a shipped backbone is and how long it is trained.

    Attributes:
        config: open_clip's model configuration; the vocabulary's size is filled in.
        epochs: Passes over the pairs of one draw of the broad domain.
        draws: Draws of the broad domain, by the seeds 0, 1, ...; each epoch takes the next one in turn.
        groups: Captions of a batch are encoded in so many groups of like length, each as long as its longest.
        half: Weights are written in float16; a trial computes in float32 all the same.
    """

    config: dict[str, Any]
    epochs: int
    draws: int = 1
    groups: int = 1
    half: bool = False


PLANS = {
    "tiny": Plan(
        {
            "embed_dim": 96,
            "vision_cfg": {"image_size": [96, 32], "layers": 4, "width": 128, "head_width": 32, "patch_size": 16},
            "text_cfg": {"context_length": 77, "vocab_size": 0, "width": 96, "heads": 3, "layers": 3},
            "quick_gelu": True,
        },
        epochs=15,
    ),
    # As many blocks as CLIP has. Captions are longer than an image has patches, so the text tower is the narrower one.
    "small": Plan(
        {
            "embed_dim": 96,
            "vision_cfg": {"image_size": [96, 32], "layers": 12, "width": 96, "head_width": 32, "patch_size": 16},
            "text_cfg": {"context_length": 77, "vocab_size": 0, "width": 64, "heads": 2, "layers": 12},
            "quick_gelu": True,
        },
        epochs=12,
        draws=4,
        groups=2,
        half=True,
    ),
}
# Whose captions join the vocabulary, with options.
DOMAINS: dict[str, dict[str, Any]] = {
    "synth_cuhk": {},
    "synth_icfg": {},
    "synth_rstp": {},
}


def write(folder: Path, weights: dict[str, Tensor], config: dict, vocabulary: tuple[int, ...], log: dict) -> None:
    """The folder in open_clip's `local-dir` layout."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": config, "preprocess_cfg": {}}, indent=1) + "\n"
    )
    (folder / "vocabulary.json").write_text(json.dumps(vocabulary) + "\n")
    digest = hashlib.sha256((folder / "open_clip_model.safetensors").read_bytes()).hexdigest()
    (folder / "training.json").write_text(json.dumps({**log, "sha256": digest}, indent=1) + "\n")


def pretrain(name: str, plan: Plan, folder: Path, data: Path, batch: int, lr: float, seed: int, size: str) -> None:
    """Train from a random start on the broad domain; prints and keeps a log per epoch.

    The vocabulary and val are those of the first draw. Rank-1 on val is measured before weights are rounded to float16.
    """
    broad = {"dataset": "synth_broad", "options": {"size": size}}
    drawn = [broad, *({**broad, "options": {"size": size, "seed": draw}} for draw in range(1, plan.draws))]
    epochs = plan.epochs
    captions = {c for s in splits.splits(broad, data).values() for c in s.captions}
    for domain, options in DOMAINS.items():
        for split in splits.splits({"dataset": domain, "options": options}, data).values():
            captions.update(split.captions)
    vocabulary = cut(sorted(captions))
    config = {**plan.config, "text_cfg": {**plan.config["text_cfg"], "vocab_size": len(vocabulary) + 3}}
    write(folder, theirs(random(_sizes(folder, config)).state_dict(), 0.0), config, vocabulary, {})
    source = Source(str(folder))
    backbone = random(shape(source), seed).requires_grad_(True)
    scale = torch.nn.Parameter(torch.tensor(math.log(1 / 0.07)))
    recipe = Recipe(name="pretrain", epochs=epochs, batch=batch, lr=lr, augmentation="flip")
    loader = Loader(source, recipe, seed, torch.device("cpu"))
    decay = [p for p in backbone.parameters() if p.ndim > 1]
    plain = [p for p in backbone.parameters() if p.ndim <= 1]
    adam = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": [*plain, scale], "weight_decay": 0.0}])
    log, began = [], time.perf_counter()
    for epoch in range(epochs):
        batches, steps = loader.batches(splits.part(drawn[epoch % len(drawn)], data, "train", source))
        total = 0.0
        for index, chunk in enumerate(batches(epoch)):
            done = epoch + index / steps
            rate = lr * min(done / 2, 0.5 * (1 + math.cos(math.pi * done / epochs)))
            for group in adam.param_groups:
                group["lr"] = rate
            images, ids = loader.prepare(chunk, epoch)
            features = backbone.image(images), grouped.encode(backbone.text, ids, plan.groups)
            image, text = (F.normalize(each, dim=-1) for each in features)
            logits = scale.exp() * image @ text.T
            pairs = torch.arange(len(image))
            loss = (F.cross_entropy(logits, pairs) + F.cross_entropy(logits.T, pairs)) / 2
            adam.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(backbone.parameters(), 1.0)
            adam.step()
            with torch.no_grad():
                scale.clamp_(max=math.log(100))
            total += float(loss.detach())
        val = loader.evaluate(backbone, splits.part(broad, data, "val", source))[0].values["R1"]
        assert val is not None  # Rank-1 is defined in every gallery
        log.append({"epoch": epoch + 1, "loss": round(total / steps, 4), "val_R1": round(val, 2)})
        seconds = time.perf_counter() - began
        print(f"epoch {epoch + 1}/{epochs}  loss {total / steps:.3f}  val R1 {val:.1f}  {seconds:.0f} s", flush=True)
    settings = {
        "size": size,
        **({"draws": plan.draws} if plan.draws > 1 else {}),
        "epochs": epochs,
        "batch": batch,
        "lr": lr,
        "seed": seed,
        "threads": torch.get_num_threads(),
    }
    hashes = [splits.identity(draw, data) for draw in drawn]
    command = "python -m harness.backbones.pretrain" + ("" if name == "tiny" else f" --name {name}")
    weights = theirs(backbone.state_dict(), float(scale.detach()))
    if plan.half:
        weights = {key: value.half() for key, value in weights.items()}
    write(
        folder,
        weights,
        config,
        vocabulary,
        {
            "command": command,
            "settings": settings,
            "data": hashes if plan.draws > 1 else hashes[0],
            "torch": torch.__version__,
            "log": log,
        },
    )
    load(source)


def _sizes(folder: Path, config: dict) -> Shape:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    return shape(Source(str(folder)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", choices=PLANS, default="tiny")
    parser.add_argument("--out", type=Path, help="default: the folder that ships")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--size", default="standard")
    parser.add_argument("--epochs", type=int, help="default: the plan's")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    chosen = PLANS[given.name]
    chosen = replace(chosen, epochs=given.epochs) if given.epochs else chosen
    out = given.out or SHIPPED / given.name
    pretrain(given.name, chosen, out, given.data, given.batch, given.lr, given.seed, given.size)
