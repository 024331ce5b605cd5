"""CLIP's byte-pair tokenizer, whole or with a vocabulary cut to the tokens a small backbone was trained on.

A folder in open_clip's `local-dir` layout may hold `vocabulary.json`, the ids of CLIP's vocabulary that are kept, in
ascending order. The cut vocabulary numbers them 0..n-1, then come the mask, start and end tokens. The 512 byte tokens
are always kept, so a token that was cut is spelled in bytes and any text can be encoded.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.model import open_clip_files
from harness.model.weights import Source, folder_of, shape

if TYPE_CHECKING:
    from open_clip.tokenizer import SimpleTokenizer

BYTES, MASK, START, END = 512, 49405, 49406, 49407


@functools.cache
def _bpe() -> SimpleTokenizer:
    return open_clip_files.bpe()


@dataclass(frozen=True)
class Tokenizer:
    """Captions to ids [captions, context], padded with 0; the end token has the largest id.

    Attributes:
        context: Longest sequence, start and end included.
        kept: Ids of CLIP's vocabulary in the cut vocabulary, or None for all.
    """

    context: int
    kept: tuple[int, ...] | None = None

    @property
    def vocabulary(self) -> int:
        return END + 1 if self.kept is None else len(self.kept) + 3

    @property
    def mask(self) -> int:
        return self.vocabulary - 3

    @property
    def start(self) -> int:
        return self.vocabulary - 2

    @property
    def end(self) -> int:
        return self.vocabulary - 1

    @functools.cached_property
    def _place(self) -> dict[int, int] | None:
        return None if self.kept is None else {full: own for own, full in enumerate(self.kept)}

    def encode(self, caption: str) -> list[int]:
        """Ids of a caption between start and end, of any length."""
        full = _bpe().encode(caption)
        if (place := self._place) is not None:
            full = [own for token in full for own in _cut(token, place)]
        return [self.start, *full, self.end]

    def __call__(self, captions: Sequence[str]) -> tuple[np.ndarray, int]:
        """Ids int64 [captions, context] and how many captions were cut to the context.

        A caption that is too long keeps its first tokens and ends with the end token.
        """
        ids = np.zeros((len(captions), self.context), dtype=np.int64)
        truncated = 0
        for row, caption in zip(ids, captions, strict=True):
            tokens = self.encode(caption)
            if len(tokens) > self.context:
                truncated += 1
                tokens = [*tokens[: self.context - 1], self.end]
            row[: len(tokens)] = tokens
        return ids, truncated

    @functools.cached_property
    def key(self) -> str:
        """Names the vocabulary and the context in caches."""
        return hashlib.sha256(json.dumps([self.context, self.kept]).encode()).hexdigest()[:12]


def _cut(token: int, place: dict[int, int]) -> list[int]:
    """A token in a cut vocabulary: itself, or spelled in bytes."""
    if token in place:
        return [place[token]]
    bpe = _bpe()
    text = bpe.decoder[token]
    last = text.endswith("</w>")
    letters = list(text.removesuffix("</w>"))
    if last:
        letters[-1] += "</w>"
    return [place[bpe.encoder[letter]] for letter in letters]


def files() -> tuple[dict[str, int], list[str]]:
    """CLIP's vocabulary (token to id), start and end as OpenAI spells them, and its merges of two tokens, in order."""
    bpe = _bpe()
    spelt = {START: "<|startoftext|>", END: "<|endoftext|>"}
    ranks = sorted(bpe.bpe_ranks, key=lambda pair: bpe.bpe_ranks[pair])
    return {spelt.get(i, token): i for token, i in bpe.encoder.items()}, [" ".join(pair) for pair in ranks]


def cut(captions: Iterable[str]) -> tuple[int, ...]:
    """The vocabulary that spells `captions` as CLIP does: their tokens and all byte tokens."""
    used = {token for caption in captions for token in _bpe().encode(caption)}
    return tuple(sorted(used | set(range(BYTES))))


@functools.lru_cache(maxsize=8)
def tokenizer(source: Source) -> Tokenizer:
    """The tokenizer of a backbone."""
    folder = folder_of(source.name)
    context = shape(source).text.tokens
    if folder and (folder / "vocabulary.json").is_file():
        return Tokenizer(context, tuple(json.loads((folder / "vocabulary.json").read_text())))
    return Tokenizer(context)
