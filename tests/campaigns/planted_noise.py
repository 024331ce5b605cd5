"""Faults of noisy training pairs and of the loss that is made for them."""

from __future__ import annotations

D, L = "tests/harness/data/test_noise.py::", "tests/harness/training/test_losses.py::"
MOVES = D + "test_that_share_moves_and_identities_stay"
INSIDE = D + "test_smaller_shares_are_inside_larger_and_seeds_differ"
INDEX = D + "test_a_released_index_says_which_caption_each_pair_gets"
ALONE = D + "test_only_train_is_noisy_and_its_identity_is_another"
SUBSET = D + "test_of_a_subset_the_share_is_of_what_is_left"
HAND, WRITTEN = L + "test_tal_by_hand", L + "test_tal_written_out"
FLOWS = L + "test_no_gradient_flows_through_the_weights_of_tal"
NOISE, TRAIN, TAL = "harness/data/noise.py", "harness/data/train.py", "harness/training/losses/tal.py"
SPLITS, MEASURED = "harness/trial/splits.py", "harness/measured_on.py"

PLANTED: list[tuple[str, str, str, str, str]] = [
    ("noise", MOVES, NOISE, "round(share(noise) * len(split.captions))", "round(share(noise) * len(split.images))"),
    ("noise", MOVES, NOISE, "np.roll(moving, -1)", "np.roll(moving, 0)"),
    ("noise", MOVES, NOISE, "    index[moving] = np.roll", "    index[moving[1:]] = np.roll(moving, -1)[1:]; moving = np.roll"),
    ("noise", MOVES, NOISE, "replace(split, captions=", "replace(split, caption_image=split.caption_image[index], captions="),
    ("noise", INSIDE, NOISE, "noise_seed, STREAM)", "0, STREAM)"),
    ("noise", INSIDE, NOISE, 'STREAM)[:count]', 'STREAM)[count % 7 :][:count]'),
    ("noise", INDEX, NOISE, "split.captions[i] for i in index", "split.captions[i] for i in np.argsort(index)"),
    ("noise", SUBSET, TRAIN, "noisy(subset(split, **cut) if cut else split, **noise)", "subset(noisy(split, **noise), **cut)"),
    ("noise", ALONE, SPLITS, '"train": changed(splits["train"], cut)}', '**{k: changed(v, cut) for k, v in splits.items()}}'),
    ("noise", "tests/harness/test_measured_on.py", MEASURED, '"noise", "noise_seed", "noise_index"', '"noise_seed"'),
    ("tal", HAND, TAL, "margin - own + others", "margin + own - others"),
    ("tal", HAND, TAL, "(scores, scores.T)", "(scores, scores)"),
    ("tal", HAND, TAL, "F.relu(margin - own + others).sum()", "F.relu(margin - own + others).mean()"),
    ("tal", WRITTEN, TAL, "alpha = scaled.masked_fill", "alpha = scores.masked_fill"),
    ("tal", WRITTEN, TAL, "temperature * scaled.masked_fill(positive, lowest)", "scaled.masked_fill(positive, lowest)"),
    ("tal", WRITTEN, TAL, "scaled.masked_fill(positive, lowest).logsumexp", "scaled.logsumexp"),
    ("tal", WRITTEN, TAL, "margin: float = 0.1", "margin: float = 0.2"),
    ("tal", FLOWS, TAL, "    with torch.no_grad():\n", "    if True:\n"),
]  # fmt: skip
