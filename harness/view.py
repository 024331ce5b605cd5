"""How one trial sees its data."""

from __future__ import annotations

from collections.abc import Callable

import torch

from harness import evaluate, material
from harness.clip import Backbone
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
    """

    def __init__(self, source: Source, recipe: Recipe, seed: int, device: torch.device) -> None:
        self.recipe, self.seed, self.device = recipe, seed, device
        self.sizes, self.words = pixels(source), tokenizer(source)
        self.bf16 = recipe.precision == "bf16" or (recipe.precision == "auto" and device.type == "cuda")
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
        image = evaluate.encode_images(backbone, part.images, self.normalise, bf16=self.bf16)
        text = evaluate.encode_texts(backbone, part.ids, bf16=self.bf16)
        return evaluate.text_to_image(image, text, part.split), evaluate.image_to_text(image, text, part.split)
