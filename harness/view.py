"""How one trial sees its data."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock

from harness import evaluate, material, provenance
from harness.clip import Backbone, Tower
from harness.data import augment, batches, tokens
from harness.recipe import Recipe
from harness.tokenizer import tokenizer
from harness.weights import Source, pixels


class View:
    """Augmentation, tokens, batches and evaluation of one trial, on its device.

    Args:
        source: The backbone, for image size, normalisation and vocabulary.
        recipe: Batches, augmentation, masking, precision.
        seed: Of order, augmentation and masking.
        device: Where the backbone is.
        cache: Folder for the features of frozen towers, shared by all trials; None keeps none.
    """

    def __init__(
        self, source: Source, recipe: Recipe, seed: int, device: torch.device, cache: Path | None = None
    ) -> None:
        self.cache, self._digests = cache, {}
        self.recipe, self.seed, self.device = recipe, seed, device
        self.sizes, self.words = pixels(source), tokenizer(source)
        self.bf16 = recipe.bf16(device.type)
        self._batch: torch.Tensor | None = None

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        index = torch.zeros(len(images), dtype=torch.int64)
        return augment.prepare(images, "none", self.sizes["mean"], self.sizes["std"], 0, 0, index)

    def prepare(self, batch: batches.Batch, epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Augmented images and trimmed, masked ids; the images live until the next call, whose memory they share."""
        count, height, width, _ = batch.images.shape
        if self._batch is None or len(self._batch) != count:
            self._batch = torch.empty(count, 3, height, width, device=self.device)
        images = augment.prepare(
            batch.images.to(self.device, non_blocking=True),
            self.recipe.augmentation,
            self.sizes["mean"],
            self.sizes["std"],
            self.seed,
            epoch,
            batch.index,
            out=self._batch,
        )
        ids = tokens.trim(batch.ids)
        if self.recipe.mask_captions:
            words = self.words
            specials = (words.start, words.end)
            ids = tokens.mask(
                ids, self.recipe.mask_captions, self.seed, epoch, batch.index, words.mask, words.vocabulary, specials
            )
        return images, ids.to(self.device, non_blocking=True)

    def batches(self, part: material.Part) -> tuple[Callable, int]:
        recipe = self.recipe
        settings = (recipe.batch, self.seed)
        sampling = {"sampler": recipe.sampler, "instances": recipe.instances}
        steps = len(batches.plan(part.split.caption_person, *settings, 0, **sampling))
        images = torch.from_numpy(part.images[:]).to(self.device) if self.device.type == "cuda" else part.images
        return lambda epoch: batches.batches(part.split, images, part.ids, *settings, epoch, **sampling), steps

    def sample(self, part: material.Part, count: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
        """A few pairs, untrimmed, for counting operations."""
        pictures = torch.from_numpy(part.images[part.split.caption_image[:count]]).to(self.device)
        return self.normalise(pictures), torch.as_tensor(part.ids[:count], device=self.device)

    def evaluate(self, backbone: Backbone, part: material.Part) -> tuple[evaluate.Measured, evaluate.Measured]:
        """Both directions, text to image first."""
        image = self._known(
            backbone.image,
            part.images,
            lambda: evaluate.encode_images(backbone, part.images, self.normalise, bf16=self.bf16),
        )
        text = self._known(
            backbone.text,
            part.ids,
            lambda: evaluate.encode_texts(backbone, part.ids, bf16=self.bf16),
        )
        return evaluate.text_to_image(image, text, part.split), evaluate.image_to_text(image, text, part.split)

    def _known(self, tower: Tower, inputs: np.ndarray, encode: Callable[[], torch.Tensor]) -> torch.Tensor:
        """Features of a tower; those of a plain frozen one come from the cache, the same bits."""
        if self.cache is None or not _plain(tower):
            return encode()
        if id(inputs) not in self._digests:
            self._digests[id(inputs)] = inputs, _digest(inputs)
        # Whatever decides a bit: weights, inputs, their normalisation, the code, and the arithmetic of this machine.
        weights = tower.state_dict()
        about = [
            *(self._digests[id(inputs)][1], tower.name, str(tower.shape), type(tower.blocks[0].mlp.act).__name__),
            *([name, _digest(value.detach().cpu().contiguous().numpy())] for name, value in weights.items()),
            *(self.sizes["mean"], self.sizes["std"], self.bf16, provenance.code("zero_shot"), torch.__version__),
            *(provenance.hardware(str(self.device)), torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()),
        ]
        name = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:20]
        path = self.cache / f"{name}.npy"
        if not path.is_file():
            self.cache.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{path}.lock"):
                if not path.is_file():
                    features = encode()
                    if not torch.isfinite(features).all():
                        return features  # the ranking refuses them and names the sample; nothing to keep
                    beside = path.with_name(f".{name}.{os.getpid()}.npy")
                    np.save(beside, features.cpu().numpy())
                    os.replace(beside, path)
        return torch.from_numpy(np.load(path)).to(self.device)


def _digest(array: np.ndarray) -> str:
    """SHA-256 of an array's type, shape and bytes."""
    whole = hashlib.sha256(f"{array.dtype} {array.shape}".encode())
    for start in range(0, len(array), 256):
        whole.update(np.ascontiguousarray(array[start : start + 256]).data)
    return whole.hexdigest()


def _plain(tower: Tower) -> bool:
    """Whether nothing of the tower is trained and no method has put a module into it."""
    if any(parameter.requires_grad for parameter in tower.parameters()):
        return False
    with torch.device("meta"):
        bare = type(tower)(tower.shape, False)
    # The activation is a part of the backbone, whichever it is.
    mine, plain = ({n: type(m) for n, m in t.named_modules() if not n.endswith("mlp.act")} for t in (tower, bare))
    return mine == plain
