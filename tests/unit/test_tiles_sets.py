"""Data sets for workers: every tile as often as asked for, everybody's share equal, the same for a seed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volumetric.errors import InputError
from volumetric.tiles.sets import choose, deal, sets_needed


@given(st.data())
def test_each_tile_is_in_as_many_sets_as_asked_and_sets_are_balanced(data: st.DataObject) -> None:
    regions = data.draw(st.lists(st.integers(1, 5), max_size=60))
    sets = data.draw(st.integers(1, 12))
    redundancy = data.draw(st.integers(1, sets))
    control_of, most = data.draw(st.integers(1, 3)), data.draw(st.none() | st.integers(1, 5))
    seed = data.draw(st.integers(0, 2**32 - 1))
    control, main = choose(regions, control_of, most, np.random.default_rng(seed))

    assert len(set(control) | set(main)) == len(control) + len(main)
    held, own = Counter(regions), Counter(regions[i] for i in control)
    rest = Counter(regions[i] for i in main)
    for region, number in held.items():
        assert own[region] == min(control_of, number)
        assert rest[region] == min(most or number, number - own[region])

    dealt = deal(main, control, sets, redundancy, np.random.default_rng(seed))
    assert len(dealt.main) == sets
    assert Counter(tile for one in dealt.main for tile in one) == dict.fromkeys(main, redundancy)
    assert all(len(set(one)) == len(one) for one in dealt.main)
    sizes = [len(one) for one in dealt.main]
    assert max(sizes) - min(sizes) <= 1
    for region in held:
        of_region = [sum(regions[tile] == region for tile in one) for one in dealt.main]
        assert max(of_region) - min(of_region) <= 2
    assert all(sorted(first) == sorted(control) for first in dealt.order)
    for tile, numbers in dealt.sets_of.items():
        assert list(numbers) == [n for n in range(1, sets + 1) if tile in dealt.main[n - 1] or tile in control]
    assert deal(main, control, sets, redundancy, np.random.default_rng(seed)) == dealt


def test_another_seed_deals_otherwise_and_workers_meet_in_many_pairs() -> None:
    first, second = (deal(range(200), [200], 10, 5, np.random.default_rng(seed)) for seed in (1, 2))
    assert first.main != second.main
    pairs = Counter((a, b) for own in list(first.sets_of.values())[:-1] for a in own for b in own if a < b)
    assert len(pairs) == 45  # every two workers share tiles: no group is cut off from the others
    assert max(pairs.values()) < 3 * min(pairs.values())


def test_fewer_sets_than_the_redundancy_are_refused() -> None:
    with pytest.raises(InputError, match="5 of 4 data sets"):
        deal([0], [], 4, 5, np.random.default_rng(0))


@given(st.integers(0, 5000), st.integers(1, 10), st.integers(1, 50))
def test_no_set_is_larger_than_asked(tiles: int, redundancy: int, size: int) -> None:
    count = sets_needed(tiles, redundancy, size)
    assert count >= redundancy
    assert -(-tiles * redundancy // count) <= size or count == redundancy
    assert count == redundancy or -(-tiles * redundancy // (count - 1)) > size
