"""How one trial sees its data."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock

from harness import provenance
from harness.data.pipeline import augment, batches, tokens
from harness.evaluation import encode
from harness.model.clip import Backbone, Tower
from harness.model.tokenizer import tokenizer
from harness.model.weights import Source, pixels
from harness.shifts._shift import Pictures
from harness.training.recipe import Recipe
from harness.trial import identity, splits

Seen = dict[tuple[str, str], torch.Tensor]  # (tower, key of the inputs) -> features of one state of a backbone
CHUNK = 4096  # captions whose masks are drawn at a time to count words
SHARE = 0.5  # of a GPU's free memory that the packed images of a training split may take; else they stay on the host


class Loader:
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
        self.cache = cache
        self._digests: dict[int, tuple[np.ndarray, str]] = {}
        self.recipe, self.seed, self.device = recipe, seed, device
        self.sizes, self.words = pixels(source), tokenizer(source)
        self.bf16 = recipe.bf16(device.type)
        self._batch: torch.Tensor | None = None
        self.cached = 0  # encodings of a whole split that came from the cache
        self._fixed: dict[str, torch.Tensor] = {}  # features of towers that give every epoch the same
        self._owner: torch.Tensor | None = None  # image of each caption
        self._ids: torch.Tensor | None = None  # of every caption of the training split, on the device
        self._lengths = np.empty(0, dtype=np.int64)  # of the same, on the host
        self._words: tuple[int, np.ndarray] = -1, self._lengths  # epoch, masked words of every caption in it

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        index = torch.zeros(len(images), dtype=torch.int64)
        return augment.prepare(images, "none", self.sizes["mean"], self.sizes["std"], 0, 0, index)

    def prepare(self, batch: batches.Batch, epoch: int) -> tuple[torch.Tensor, ...]:
        """Augmented images and trimmed, masked ids; the images live until the next call, whose memory they share.

        For the loss `mlm` also the captions with masked words, int64 [B, context], and the words, int64 [masked, 3]:
        caption of the batch, place, word. Where `share` found a tower that gives every epoch the same, its features
        [B, embed] stand in the place of its input. The host waits for nothing on the device, but once an epoch with
        `mlm`.
        """
        image, text = self._fixed.get("image"), self._fixed.get("text")
        fixed = None if image is None or self._owner is None else image[self._owner[batch.index]]
        images = self._augmented(batch, epoch) if fixed is None else fixed
        return images, *((text[batch.index],) if text is not None else self._masked(batch, epoch))

    def _augmented(self, batch: batches.Batch, epoch: int) -> torch.Tensor:
        count, shape = len(batch.index), batch.store.shape[1:]
        if self._batch is None or len(self._batch) != count:
            self._batch = torch.empty(count, *shape, device=self.device)
        near = batch.store.device.type == self.device.type
        return augment.prepare(
            batch.store if near else self._sent(batch),
            self.recipe.augmentation,
            self.sizes["mean"],
            self.sizes["std"],
            self.seed,
            epoch,
            batch.index,
            out=self._batch,
            rows=batch.picture if near else None,
        )

    def _sent(self, batch: batches.Batch) -> torch.Tensor:
        """Its images, uint8 [B, 3, H, W], from the host by way of pinned memory, so that the copy is not waited for."""
        room = torch.empty(len(batch.picture), *batch.store.shape[1:], dtype=torch.uint8, pin_memory=True)
        return torch.index_select(batch.store, 0, batch.picture, out=room).to(self.device, non_blocking=True)

    def _masked(self, batch: batches.Batch, epoch: int) -> tuple[torch.Tensor, ...]:
        """Ids for every loss; for `mlm` also masked ids of the whole context and the words that were masked."""
        recipe = self.recipe
        ids = tokens.trim(batch.ids, longest=int(self._lengths[batch.rows].max()))
        if "mlm" not in recipe.losses:
            return (self._drawn(ids, epoch, batch.index)[0] if recipe.mask_captions else ids,)
        masked, labels = self._drawn(batch.ids, epoch, batch.index)
        words = tokens.listed(labels, int(self._counts(epoch)[batch.rows].sum()))
        return masked if recipe.mask_captions else ids, masked, words

    def _drawn(self, ids: torch.Tensor, epoch: int, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        recipe, words = self.recipe, self.words
        given = (self.seed, epoch, index, words.mask, words.vocabulary, (words.start, words.end))
        return tokens.mask_labelled(ids, recipe.mask_captions or recipe.mlm_share, *given)

    def _counts(self, epoch: int) -> np.ndarray:
        """Words that an epoch masks in every caption, int64 [C]: all counted before its first batch."""
        if self._words[0] != epoch:
            assert self._ids is not None  # `batches` gave the batch
            every = torch.arange(len(self._ids), device=self.device).split(CHUNK)
            found = [self._drawn(self._ids[index], epoch, index)[1].count_nonzero(dim=1) for index in every]
            self._words = epoch, torch.cat(found).cpu().numpy()
        return self._words[1]

    def batches(self, part: splits.Part) -> tuple[Callable[..., Iterator[batches.Batch]], int]:
        """A function of an epoch and of the first batch wanted, and the batches in an epoch."""
        recipe = self.recipe
        settings = (recipe.batch, self.seed)
        sampling: dict[str, Any] = {"sampler": recipe.sampler, "instances": recipe.instances}
        steps = len(batches.plan(part.split.caption_person, *settings, 0, **sampling))
        images = batches.shared(part.images)
        if self.device.type != "cpu" and images.nbytes <= SHARE * torch.cuda.mem_get_info(self.device)[0]:
            images = images.to(self.device)
        ids = self._ids = torch.as_tensor(part.ids, device=self.device)
        self._lengths, self._words = part.ids.argmax(axis=1) + 1, (-1, self._lengths)

        def of(epoch: int, start: int = 0) -> Iterator[batches.Batch]:
            return batches.batches(part.split, images, ids, *settings, epoch, start=start, **sampling)

        return of, steps

    def share(self, backbone: Backbone, part: splits.Part) -> None:
        """Encode the training split once by every plain frozen tower whose input is the same in every epoch."""
        recipe, found = self.recipe, {}
        if not recipe.epochs or "mlm" in recipe.losses:  # which reads tokens
            return
        if recipe.augmentation == "none" and _plain(backbone.image):
            found["image"] = self._known(
                *(backbone.image, part.images),
                lambda: encode.encode_images(backbone, part.images, self.normalise, bf16=self.bf16, unit=False),
                "raw",
            )
            self._owner = torch.as_tensor(part.split.caption_image, device=self.device)
        if not recipe.mask_captions and _plain(backbone.text):
            found["text"] = self._known(
                *(backbone.text, part.ids),
                lambda: encode.encode_texts(backbone, part.ids, bf16=self.bf16, unit=False),
                "raw",
            )
        # Features that were encoded just here cannot be saved for a backward pass.
        self._fixed = {name: features.clone() for name, features in found.items()}

    def sample(self, part: splits.Part, count: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
        """A few pairs, untrimmed, for counting operations."""
        pictures = torch.from_numpy(part.images[part.split.caption_image[:count]]).to(self.device)
        return self.normalise(pictures), torch.as_tensor(part.ids[:count], device=self.device)

    def evaluate(
        self, backbone: Backbone, part: splits.Part, seen: Seen | None = None
    ) -> tuple[encode.Measured, encode.Measured]:
        """Both directions, text to image first.

        Args:
            backbone: In evaluation mode.
            part: A split.
            seen: Features of this very state of the backbone, to take from and to add to: a split that a shift has
                touched on one side alone is encoded again on that side alone.
        """
        seen = {} if seen is None else seen

        def once(tower: Tower, inputs: np.ndarray, key: str, compute: Callable[[], torch.Tensor]) -> torch.Tensor:
            if not key:
                return self._known(tower, inputs, compute)
            if (tower.name, key) not in seen:
                seen[tower.name, key] = self._known(tower, inputs, compute)
            return seen[tower.name, key]

        image = once(
            *(backbone.image, part.images, part.keys[0]),
            lambda: encode.encode_images(backbone, part.images, self.normalise, bf16=self.bf16),
        )
        text = once(
            *(backbone.text, part.ids, part.keys[1]),
            lambda: encode.encode_texts(backbone, part.ids, bf16=self.bf16),
        )
        return encode.text_to_image(image, text, part.split), encode.image_to_text(image, text, part.split)

    def _known(self, tower: Tower, inputs: np.ndarray, compute: Callable[[], torch.Tensor], *kind: str) -> torch.Tensor:
        """Features of a tower; those of a plain frozen one come from the cache, the same bits."""
        if self.cache is None or not _plain(tower):
            return compute()
        shifted = inputs.key if isinstance(inputs, Pictures) else ""
        inputs = inputs.base if isinstance(inputs, Pictures) else inputs
        if id(inputs) not in self._digests:
            self._digests[id(inputs)] = inputs, _digest(inputs)
        # Whatever decides a bit: weights, inputs, their normalisation, the code, and the arithmetic of this machine.
        weights = tower.state_dict()
        about = [
            *(self._digests[id(inputs)][1], tower.name, str(tower.shape), type(tower.block(0).mlp.act).__name__),
            *([name, _digest(value.detach().cpu().contiguous().numpy())] for name, value in weights.items()),
            *(self.sizes["mean"], self.sizes["std"], self.bf16, identity.code("zero_shot"), torch.__version__),
            *(provenance.hardware(str(self.device)), torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()),
            *([shifted] if shifted else ()),
            *kind,
        ]
        name = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:20]
        path = self.cache / f"{name}.npy"
        self.cached += path.is_file()
        if not path.is_file():
            self.cache.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{path}.lock"):
                if not path.is_file():
                    features = compute()
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
