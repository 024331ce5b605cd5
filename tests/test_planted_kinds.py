"""Each fault that is planted in `make check` has its text in the code once, and a test that is there."""

from tests.campaigns import kinds


def test_planted_faults_are_of_today():
    assert not kinds.stale(kinds.faults())


def test_a_stale_fault_is_told():
    rows = [("kind 0", "tests/nowhere.py::test_x", "README.md", "no such text", "")]
    assert kinds.stale(rows) == ["kind 0: README.md has 'no such text' 0 times", "kind 0: no tests/nowhere.py::test_x"]
