"""A model as it is used: a backbone with its trained method in place, taking image files and sentences."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from harness import parallel
from harness.adaptation import carried
from harness.data.pipeline import augment, images
from harness.errors import DataError, UserError
from harness.evaluation import encode
from harness.export import export
from harness.export import model as exporting
from harness.model import weights
from harness.model.source import Source
from harness.model.tokenizer import tokenizer


def refuse_empty(sentences: Sequence[str]) -> None:
    """Raise UserError for a sentence without words."""
    if empty := [number for number, text in enumerate(sentences, start=1) if not text.strip()]:
        raise UserError(f"sentence {empty[0]} is empty", "sentences", "words")


class Model:
    """Sentences and images to features that are compared by their dot product.

    Args:
        made: The backbone with its trained method in place, and what it was made of.
        label: For people.
        identity: Equal for two models exactly when they give the same features.
        device: "cpu", "cuda" or "auto".

    Attributes:
        size: (height, width) in pixels to which images are resized.
        embed: Length of a feature.
    """

    def __init__(self, made: exporting.Model, label: str, identity: str, device: str = "auto") -> None:
        auto = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(auto if device == "auto" else device)
        self.backbone, self.source, self.label = made.backbone.to(self.device).eval(), made.source, label
        self._made, self._told, self._merged = made, identity, False
        self._pixels, self._words = weights.pixels(made.source), tokenizer(made.source)
        self.size: tuple[int, int] = self._pixels["size"]
        # What is done to an image before the tower sees it decides its features too.
        told = [identity, self._pixels["size"], self._pixels["mean"], self._pixels["std"], self._words.key]
        self.identity = hashlib.sha256(repr(told).encode()).hexdigest()[:16]

    @classmethod
    def of(cls, source: Source, device: str = "auto") -> Model:
        """A shipped backbone, a file or folder of weights, or a folder that `upbench export` wrote.

        Raises:
            UserError, EnvironmentFault: no such weights, or weights that cannot be read.
        """
        if fault := weights.lacking(source):
            raise fault
        if source.pretrained is None and weights.identity(source).endswith("/random"):
            raise UserError(f"{source.name} has no weights of its own", "model", "a file or folder of trained weights")
        told = [weights.identity(source), source.resize, weights.shape(source).quick_gelu]
        made = exporting.of(carried.load(source), source, "zero_shot", {})
        return cls(made, Path(source.pretrained or source.name).name, repr(told), device)

    @property
    def embed(self) -> int:
        return self.backbone.shape.image.embed

    def merge(self) -> Model:
        """A copy with everything folded into the weights that folds: the same features but for rounding, and faster.

        What does not fold, such as a prefix or an adapter with a non-linearity, stays beside the weights.
        """
        folded = dataclasses.replace(self._made, backbone=exporting.folded(self._made))
        merged = Model(folded, f"{self.label}, merged", f"{self._told} merged", str(self.device))
        merged._made, merged._merged = self._made, True
        return merged

    def save(self, folder: str | Path, form: str = "upbench") -> list[Path]:
        """Write the model to a new folder and return its files; `load` reads those of `upbench` again.

        Args:
            folder: A new folder, or an empty one.
            form: "upbench", "open_clip", "huggingface" or "peft". After `merge`, that of upbench holds merged weights;
                those of open_clip and huggingface always do.

        Raises:
            UserError: a form that has no place for a part of the method, by its name, or a folder that is not empty.
            EnvironmentFault: the folder cannot be written.
        """
        backbone = self._made.backbone
        made = dataclasses.replace(self._made, backbone=backbone.to("cpu"))
        try:
            return export.export(made, folder, form, merge=self._merged and form == "upbench")
        finally:
            backbone.to(self.device)

    def encode_images(self, items: Sequence[str | Path | np.ndarray], batch: int = 64) -> np.ndarray:
        """Features of images.

        Args:
            items: Paths, or uint8 arrays [height, width, 3] of any size, RGB.
            batch: Images at once.

        Returns:
            float32 [images, embed], each of length 1.

        Raises:
            DataError: a file that is no image or damaged, by name.
            UserError: an array of another kind or shape.
        """
        with ThreadPoolExecutor(parallel.processors()) as pool:
            found = list(pool.map(self._pixels_of, items))
        if not found:
            return np.empty((0, self.embed), np.float32)
        return self.encode_pixels(np.stack(found), batch)

    def encode_pixels(self, pixels: np.ndarray, batch: int = 64) -> np.ndarray:
        """Features float32 [images, embed] of images that have the model's size already, uint8 [images, 3, H, W]."""
        return encode.encode_images(self.backbone, pixels, self._normalise, batch).cpu().numpy()

    def read(self, path: str | Path) -> np.ndarray:
        """An image file as uint8 [3, H, W] of the model's size.

        Raises:
            DataError: no image, or damaged.
        """
        return np.ascontiguousarray(images.read(Path(path), self.size).transpose(2, 0, 1))

    def pixels_or_fault(self, path: Path) -> tuple[np.ndarray | None, str | None]:
        """What `read` gives, or what is wrong with the file."""
        try:
            return self.read(path), None
        except DataError as fault:
            return None, fault.what

    def encode_texts(self, sentences: Sequence[str], batch: int = 256) -> np.ndarray:
        """Features float32 [sentences, embed], each of length 1; what is longer than the context is cut.

        Raises:
            UserError: a single text in place of a list, or an empty sentence.
        """
        if isinstance(sentences, str):
            raise UserError("one text where a list of sentences belongs", "sentences", "[text]")
        refuse_empty(sentences)
        if not sentences:
            return np.empty((0, self.embed), np.float32)
        ids, _ = self._words(list(sentences))
        return encode.encode_texts(self.backbone, ids, batch).cpu().numpy()

    def _pixels_of(self, item: str | Path | np.ndarray) -> np.ndarray:
        if not isinstance(item, np.ndarray):
            return self.read(item)
        if item.dtype != np.uint8 or item.ndim != 3 or item.shape[2] != 3:
            raise UserError(f"an array of {item.dtype} {list(item.shape)}", "images", "uint8 [height, width, 3]")
        height, width = self.size
        resized = Image.fromarray(item).resize((width, height), Image.Resampling.BILINEAR)  # as files are
        return np.ascontiguousarray(np.asarray(resized).transpose(2, 0, 1))

    def _normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        index = torch.zeros(len(pixels), dtype=torch.int64)
        return augment.prepare(pixels, "none", self._pixels["mean"], self._pixels["std"], 0, 0, index)
