"""Faults of shifts: not drawn from what they must be, on splits that stay as they are, reused though touched."""

from __future__ import annotations

EVERY, DRAWS = "tests/harness/shifts/test_every_shift.py::", "tests/harness/shifts/test_draws.py::"
TRIAL, SUITES = "tests/harness/trial/test_shifted.py::", "tests/harness/study/test_suites.py::"
HAND = "tests/harness/shifts/test_by_hand.py::"
BOX = HAND + "test_a_rectangle_covers_its_share_at_places_and_in_shapes_that_are_drawn"
TYPED = HAND + "test_typos_are_neighbours_on_the_keyboard_at_places_that_are_drawn"
OTHERS = HAND + "test_swapped_colours_are_other_colours"
ENCODED = TRIAL + "test_only_what_is_touched_is_encoded_again_and_scores_are_the_same_bits"
DRAW, SHIFT, SPLITS = "harness/shifts/_draws.py", "harness/shifts/_shift.py", "harness/trial/splits.py"

PLANTED: list[tuple[str, str, str, str, str]] = [
    # What is drawn
    ("shifts", DRAWS + "test_name_seed_and_index_have_their_own_numbers", DRAW, "[word, seed, index]", "[word, index]"),
    ("shifts", DRAWS + "test_name_seed_and_index_have_their_own_numbers", DRAW, "[word, seed, index]", "[word, seed]"),
    ("shifts", DRAWS + "test_name_seed_and_index_have_their_own_numbers", DRAW, "[word, seed, index]", "[seed, index]"),
    ("shifts", DRAWS + "test_laws", DRAW, "length * np.sin(turn)", "length * np.cos(turn)"),
    ("shifts", BOX, "harness/shifts/occlusion.py", "draw.uniform(3)", "(0.5, 0.5, 0.5)"),
    ("shifts", TYPED, "harness/shifts/typos.py", "draw.uniform(len(caption)) <", "np.linspace(0, 1, len(caption)) <"),
    (
        "shifts",
        TRIAL + "test_the_seed_reaches_the_shift",
        SHIFT,
        "Draws(self.shift.name, self.shift.seed, index",
        "Draws(self.shift.name, 0, index",
    ),
    (
        "shifts",
        TRIAL + "test_the_seed_reaches_the_shift",
        SHIFT,
        "(Draws(self.name, self.seed, i) for i",
        "(Draws(self.name, 0, i) for i",
    ),
    (
        "shifts",
        EVERY + "test_another_persons_image_is_another_persons",
        SHIFT,
        "self.person != self.person[index]",
        "self.person == self.person",
    ),
    (
        "shifts",
        OTHERS,
        "harness/shifts/swap_colour.py",
        "1 + draw.integers(len(COLOURS) - 1, len(words))",
        "draw.integers(1, len(words))",
    ),
    # How strong
    (
        "shifts",
        EVERY + "test_it_grows_with_severity[motion_blur]",
        "harness/shifts/motion_blur.py",
        "(0.02, 0.04, 0.06, 0.09, 0.13)",
        "(0.13, 0.09, 0.06, 0.04, 0.02)",
    ),
    (
        "shifts",
        EVERY + "test_it_grows_with_severity[drop_words]",
        "harness/shifts/drop_words.py",
        "SHARE[severity - 1]",
        "SHARE[-severity]",
    ),
    (
        "shifts",
        EVERY + "test_it_grows_with_severity[swap_colour]",
        "harness/shifts/swap_colour.py",
        "order[:severity]",
        "order",
    ),
    (
        "shifts",
        EVERY + "test_the_size_of_the_image_does_not_matter[defocus]",
        "harness/shifts/defocus.py",
        "RADIUS[severity - 1] * len(image)",
        "RADIUS[severity - 1] * 96",
    ),
    # Where
    (
        "shifts",
        TRIAL + "test_train_and_val_are_never_shifted",
        SPLITS,
        'if shift is None or name != "test":',
        "if shift is None:",
    ),
    (
        "shifts",
        TRIAL + "test_train_and_val_are_never_shifted",
        SPLITS,
        '{**found, "test": shift.split(found["test"])} if shift',
        "{k: shift.split(v) for k, v in found.items()} if shift",
    ),
    (
        "shifts",
        TRIAL + "test_train_and_val_are_never_shifted",
        "harness/measured_on.py",
        '(() if split == "test" else SHIFT)',
        "()",
    ),
    (
        "shifts",
        TRIAL + "test_each_shift_is_another_identity_and_another_text",
        SHIFT,
        "{self.name} {self.severity} {self.seed} ",
        "{self.name} {self.seed} ",
    ),
    (
        "shifts",
        TRIAL + "test_each_shift_is_another_identity_and_another_text",
        "harness/measured_on.py",
        "if given.get(SEED) == 0:",
        "if False:",
    ),
    # What is encoded again
    ("shifts", ENCODED, SPLITS, 'keys=("", whole.keys[1])', "keys=whole.keys"),
    ("shifts", ENCODED, SPLITS, '(whole.keys[0], "")', "whole.keys"),
    ("shifts", ENCODED, SPLITS, '(whole.keys[0], "")', '("", "")'),
    ("shifts", ENCODED, "harness/trial/loader.py", "(tower.name, key) not in seen", "True"),
    (
        "shifts",
        TRIAL + "test_features_on_disk_are_those_of_the_shift",
        "harness/trial/loader.py",
        "*([shifted] if shifted else ()),",
        "",
    ),
    (
        "shifts",
        TRIAL + "test_features_on_disk_are_those_of_the_shift",
        SHIFT,
        "{self.shift.key} {hashlib",
        "{self.shift.key} {0 and hashlib",
    ),
    (
        "shifts",
        "tests/harness/trial/kept/test_measure.py::test_a_model_is_loaded_once_for_data_sets_in_a_row_and_scores_are_the_same",
        "harness/trial/kept/measure.py",
        'kept.row["id"], kept.trial, kept.about, data)\n        same = here.tensors.keys() == kept.tensors.keys()\n        return alike and same and',
        'here.row["id"], here.trial, here.about, data)\n        return',
    ),
    # Groups
    (
        "shifts",
        EVERY + "test_the_kinds_are_these",
        "harness/shifts/swap_colour.py",
        'KIND = "content"',
        'KIND = "texts"',
    ),
    (
        "shifts",
        SUITES + "test_a_group_is_every_shift_of_its_kind_at_every_severity",
        "harness/study/suites.py",
        '"all": ("images", "texts")',
        '"all": ("images", "texts", "content")',
    ),
    (
        "shifts",
        SUITES + "test_content_edits_are_not_among_all_and_severities_are_chosen",
        "harness/study/suites.py",
        'in options.get("severities", SEVERITIES)\n    ]',
        "in SEVERITIES\n    ]",
    ),
]
