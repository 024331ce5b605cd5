"""Faults by which the host waits for the device within an epoch, or sends it what is there already."""

from __future__ import annotations

W = "tests/harness/trial/test_waits.py::"
NOTHING, HOST = (
    W + "test_a_step_waits_for_nothing_and_is_sent_nothing",
    W + "test_images_on_the_host_are_sent_without_a_wait",
)
WORDS = W + "test_masked_words_are_those_that_are_counted_after_the_draw"
LOADER, TOKENS, LOOP = "harness/trial/loader.py", "harness/data/pipeline/tokens.py", "harness/training/loop.py"
BATCHES, AUGMENT = "harness/data/pipeline/batches.py", "harness/data/pipeline/augment.py"

PLANTED: list[tuple[str, str, str, str, str]] = [
    ("waits", NOTHING, LOOP, "self._sum += loss", "self._sum += loss.item()"),
    ("waits", NOTHING, LOOP, 'if wait or self.device.type == "cpu":', "if True:"),
    ("waits", NOTHING, LOADER, "batch.ids, longest=int(self._lengths[batch.rows].max())", "batch.ids"),
    ("waits", NOTHING, LOADER, "images = images.to(self.device)", "pass"),
    ("waits", NOTHING, BATCHES, "torch.from_numpy(every).to(ids.device)", "torch.from_numpy(every)"),
    ("waits", NOTHING, "harness/training/interaction.py", "if tower not in _known or _known[tower][0] != sites:", "if True:"),
    ("waits", NOTHING, TOKENS, "@functools.lru_cache(maxsize=8)\n", ""),
    ("waits", NOTHING, TOKENS, "torch.nonzero_static(labels, size=count)", "labels.nonzero()"),
    ("waits", NOTHING, AUGMENT, "@functools.lru_cache(maxsize=64)\n", ""),
    ("waits", HOST, LOADER, "dtype=torch.uint8, pin_memory=True)", "dtype=torch.uint8)"),
    ("waits", HOST, LOADER, ".to(self.device, non_blocking=True)", ".to(self.device)"),
    ("waits", WORDS, LOADER, "if self._words[0] != epoch:", "if self._words[0] < 0:"),
    ("waits", WORDS, LOADER, "self._counts(epoch)[batch.rows]", "self._counts(epoch)[: len(batch.rows)]"),
]  # fmt: skip
