"""What the pictures of a comparison compute: places of labels, scores of the heat map."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.compare.heatmap import log_density_z
from pipelines.compare.marks import number_text, spread


@given(st.lists(st.floats(0, 1), max_size=9))
def test_labels_keep_their_order_and_their_distance(wanted: list[float]) -> None:
    places = spread(wanted, 0.1, 0.0, 1.0)
    assert len(places) == len(wanted)
    order = np.argsort(wanted, kind="stable")
    assert np.all(np.diff(places[order]) >= 0.1 - 1e-9)
    assert np.all((places >= -1e-9) & (places <= 1 + 1e-9))


def test_labels_with_room_stay_where_they_are() -> None:
    assert spread([0.8, 0.1, 0.4], 0.1, 0.0, 1.0).tolist() == pytest.approx([0.8, 0.1, 0.4])
    assert spread([0.5, 0.5], 0.2, 0.0, 1.0).tolist() == pytest.approx([0.4, 0.6])


def test_every_region_is_scored_against_itself() -> None:
    counts = np.array([[0.0, 10, np.nan, 7], [20, 40, 5, 7], [90, 20, 9, 7]])
    z = log_density_z(counts, np.ones_like(counts))
    np.testing.assert_allclose(np.nanmean(z, axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.nanstd(z, axis=0), [1, 1, 1, 0])
    assert np.isnan(z[0, 2])
    np.testing.assert_allclose(log_density_z(counts, np.full_like(counts, 7.0)), z)


def test_numbers_as_people_read_them() -> None:
    assert [number_text(v) for v in (0.3, 0.004, 3e-6, np.nan)] == ["= 0.30", "= 0.0040", "< 0.0001", "–"]
