"""Faults of models in use: features, the index of a folder, what a user names, the page."""

from __future__ import annotations

T, M = "tests/harness/retrieval/test_index.py::", "tests/harness/retrieval/test_model.py::"
F, U = "tests/harness/retrieval/test_features.py::", "tests/harness/retrieval/test_sources.py::"
SLOW, NEW = T + "test_it_finds_what_a_slow_loop_finds", T + "test_only_what_is_new_or_changed_is_encoded"
OTHER, KILLED = (
    T + "test_another_model_precision_or_folder_is_one_line",
    T + "test_a_build_that_is_killed_keeps_its_stretches",
)
RENEWED, EQUAL = (
    T + "test_rows_that_nothing_needs_are_given_up",
    T + "test_equal_features_come_in_the_order_of_their_paths",
)
IDENTITY = M + "test_models_that_differ_in_anything_that_matters_have_other_identities"
SIZES = U + "test_sizes_tell_the_model_and_its_image"
PAGE = "tests/harness/cli/test_search.py::test_results_are_printed_and_drawn"
INDEX, KEPT, MODEL = (f"harness/retrieval/{name}.py" for name in ("index", "kept", "model"))
FEATURES, DRAWN = (f"harness/retrieval/{name}.py" for name in ("features", "page"))
SOURCES, TRIAL = (f"harness/retrieval/{name}.py" for name in ("sources", "of_trial"))

PLANTED: list[tuple[str, str, str, str, str]] = [
    ("search", SLOW, INDEX, "np.argsort(-scores", "np.argsort(scores"),
    ("search", SLOW, INDEX, "self._best(queries[start : start + QUERIES], top)", "self._best(queries[:QUERIES], top)"),
    ("search", SLOW, INDEX, "self.features[rows[start : start + BLOCK]]", "self.features[rows[:BLOCK]]"),
    ("search", SLOW, INDEX, "np.tile(np.arange(1, count + 1)", "np.tile(np.arange(0, count)"),
    ("search", SLOW, INDEX, "np.repeat(np.array(texts, dtype=object), count)", "np.tile(np.array(texts, dtype=object), count)"),
    ("search", NEW, INDEX, "())[:3] == file[:3]", "())[:2] == file[:2]"),
    ("search", NEW, INDEX, "row = kept.rows()", "row = 0"),
    ("search", OTHER, KEPT, 'self.about["model"] != model.identity', "False"),
    ("search", OTHER, KEPT, 'elif precision and precision != self.about["precision"]', "elif False"),
    ("search", KILLED, KEPT, "os.truncate(file.fileno(), self.rows() * self.embed * self.kind.itemsize)", "pass"),
    ("search", RENEWED, KEPT, "for row, file in enumerate(good)", "for row, file in enumerate(good[::-1])"),
    ("search", RENEWED, INDEX, "if kept.rows() > 2 *", "if kept.rows() > 2000 *"),
    ("search", EQUAL, INDEX, 'kind="stable")[:, :top]', 'kind="stable")[:, ::-1][:, :top]'),
    ("search", M + "test_features_are_those_of_evaluation", MODEL, "self._normalise, batch)", "self._normalise, batch, unit=False)"),
    ("search", M + "test_an_array_is_taken_as_its_file_is", MODEL, "Image.Resampling.BILINEAR)", "Image.Resampling.BICUBIC)"),
    ("search", IDENTITY, MODEL, "told = [weights.identity(source), source.resize, ", "told = [weights.identity(source), "),
    ("search", IDENTITY, MODEL, 'told = [identity, self._pixels["size"], ', "told = [identity, "),
    ("search", M + "test_the_model_of_a_trial_is_the_trained_one", TRIAL, "what = (applied(of, device=\"cpu\"),",
     "what = (__import__('harness.model.weights', fromlist=['load']).load(source_of(of.trial)),"),
    ("search", M + "test_the_model_of_a_trial_is_the_trained_one", MODEL, "f\"{self._told} merged\"", "self._told"),
    ("search", M + "test_the_model_of_a_trial_is_the_trained_one", MODEL, "merged._made, merged._merged = self._made, True", "pass"),
    ("search", SIZES, SOURCES, "over * columns * patch, columns * patch", "columns * patch, over * columns * patch"),
    ("search", SIZES, SOURCES, "min(names, key=len)", "max(names, key=len)"),
    ("search", F + "test_a_data_set", FEATURES, "person, image = part.split.caption_person", "person, image = part.split.caption_image"),
    ("search", F + "test_a_folder", FEATURES, "index += len(good)", "index += 0"),
    ("search", PAGE, DRAWN, "<h2>{html.escape(sentence)}</h2>", "<h2>{sentence}</h2>"),
    ("search", PAGE, DRAWN, '.replace("#", "%23")', ""),
]  # fmt: skip
