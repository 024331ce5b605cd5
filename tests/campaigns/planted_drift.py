"""Faults about releases, identity and activations, and the tests that notice them."""

DRIFT, RELEASES = "tests/harness/trial/test_drift.py", "tests/reports/test_releases.py"
PLANTED = [
    (
        "releases",
        f"{DRIFT}::test_a_study_is_not_continued_under_another_minor_release_unasked",
        "harness/trial/drift.py",
        "    if told and not accept:\n",
        "    if False:\n",
    ),
    (
        "releases",
        f"{DRIFT}::test_another_patch_of_a_release_is_no_drift",
        "harness/store/releases.py",
        'split("+")[0].split(".")[:2]',
        'split("+")[0].split(".")[:3]',
    ),
    (
        "releases",
        f"{RELEASES}::test_two_releases_are_said_wherever_numbers_stand",
        "reports/tables/main.py",
        "        *releases.mixed(results),\n",
        "",
    ),
    (
        "releases",
        f"{RELEASES}::test_two_releases_are_said_wherever_numbers_stand",
        "reports/page.py",
        "gaps=[*releases.mixed(results), ",
        "gaps=[",
    ),
    (
        "releases",
        f"{RELEASES}::test_one_release_needs_no_word",
        "reports/words/releases.py",
        "if len(seen) > 1:",
        "if seen:",
    ),
    (
        "identity",
        "tests/harness/test_meaning.py::test_whatever_is_reached_counts_and_nothing_else",
        "harness/meaning.py",
        "for node in ast.walk(_tree(path)) for name, _, here in _brought(node)}",
        "for node in _tree(path).body for name, _, here in _brought(node)}",
    ),
    (
        "identity",
        "tests/harness/test_meaning.py::test_functions_of_one_name_from_two_files_are_told_apart",
        "harness/meaning.py",
        "[_text(path), [_text(file) for name in brought if (file := file_of(name))]]",
        "[_text(path)]",
    ),
    (
        "identity",
        "tests/harness/trial/test_identity.py::test_what_decides_a_number_is_in_it",
        "harness/trial/identity.py",
        '("losses", losses), ("metrics", CHOOSING)',
        '("losses", losses)',
    ),
    (
        "activation",
        "tests/harness/model/test_weights.py::test_a_file_that_does_not_tell_its_activation_is_refused[.pt]",
        "harness/model/weights.py",
        "    if told is not None or folder_of(source.name):  # whose configuration tells",
        "    if True:",
    ),
    (
        "activation",
        "tests/harness/model/test_weights.py::test_a_file_that_does_not_tell_its_activation_is_refused[.safetensors]",
        "harness/model/weights.py",
        "told = weight_files.form(file).quick_gelu",
        "told = None",
    ),
]
