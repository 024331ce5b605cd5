"""Letters of groups: by hand, and what they promise for every pattern of five things."""

from __future__ import annotations

import itertools

from reports.statistics import letters


def test_by_hand():
    assert letters(0, []) == []
    assert letters(3, []) == ["a", "a", "a"]
    assert letters(2, [(0, 1)]) == ["a", "b"]
    assert letters(3, [(0, 2)]) == ["a", "ab", "b"]
    assert letters(4, [(0, 2), (0, 3), (1, 3)]) == ["a", "ab", "bc", "c"]
    assert letters(4, [(0, 3), (1, 2)]) == ["ab", "ac", "bd", "cd"]


def test_two_share_a_letter_exactly_if_they_are_not_apart():
    pairs = list(itertools.combinations(range(5), 2))
    for pattern in itertools.product((False, True), repeat=len(pairs)):
        apart = {pair for pair, is_apart in zip(pairs, pattern, strict=True) if is_apart}
        found = [set(text) for text in letters(5, apart)]
        assert all(found)
        for a, b in pairs:
            assert bool(found[a] & found[b]) == ((a, b) not in apart)
        for one, two in itertools.permutations(set.union(*found), 2):
            holds = [{thing for thing in range(5) if letter in found[thing]} for letter in (one, two)]
            assert not holds[0] <= holds[1]  # no letter says what another says already


def test_beyond_the_alphabet_are_numbers():
    found = letters(30, itertools.combinations(range(30), 2))
    assert found[25:28] == ["z", "[27]", "[28]"] and len(set(found)) == 30
