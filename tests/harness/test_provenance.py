"""Where a result came from."""

from harness import provenance


def test_versions_name_what_results_depend_on():
    assert {"python", "torch", "numpy"} <= set(provenance.versions())
    assert provenance.hardware("cpu")
