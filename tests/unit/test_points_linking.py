"""Linking across slices: one row a cell, in any cut, for stacked, long and single-slice cells."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volumetric.errors import InputError
from volumetric.points.linking import CELL_COLUMNS, PEAK_COLUMNS, Linker, LinkSettings, link_peaks


def peaks(rows: list[tuple[float, ...]]) -> pd.DataFrame:
    """A table from (z, y, x, score, contrast)."""
    full = [(z, y, x, s, 3.0, 100 * c, 50.0, c) for z, y, x, s, c in rows]
    return pd.DataFrame(full, columns=list(PEAK_COLUMNS)).astype({"z_vox": np.int64})


def column(profile: list[float], y: float = 10.0, x: float = 10.0, z0: int = 0) -> pd.DataFrame:
    """Peaks above each other with a contrast profile; 0 leaves a slice out."""
    return peaks([(z0 + k, y, x, 0.9, c) for k, c in enumerate(profile) if c > 0])


def scene(seed: int, n: int = 60) -> pd.DataFrame:
    """Random cells of 1 to 5 slices with jitter, in a small volume where many touch."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(n):
        length, z0 = int(rng.integers(1, 6)), int(rng.integers(0, 20))
        yx = rng.uniform(0, 80, 2) + rng.normal(0, 0.5, (length, 2))
        shape = 2 - np.abs(np.linspace(-1, 1, length))
        parts += [(z0 + k, *yx[k], rng.uniform(0.2, 1), shape[k] * rng.uniform(0.8, 1.2)) for k in range(length)]
    return peaks(parts)


def test_a_cell_is_one_row_at_its_centre_of_light():
    cells = link_peaks(column([1.0, 2.0, 1.0], z0=4), LinkSettings())
    assert list(cells.columns) == list(CELL_COLUMNS)
    assert len(cells) == 1
    row = cells.iloc[0]
    assert row.z_vox == pytest.approx(5.0)
    assert (row.y_vox, row.x_vox, row.n_slices, row.radius_px) == pytest.approx((10.0, 10.0, 3, 3.0))
    assert row.intensity == 200.0


def test_the_centre_lies_between_slices_towards_the_light():
    z = link_peaks(column([1.0, 1.0]), LinkSettings()).z_vox[0]
    assert z == pytest.approx(0.5)
    assert 0.5 < link_peaks(column([1.0, 1.4]), LinkSettings()).z_vox[0] < 1


def test_a_dip_of_the_score_parts_two_stacked_cells_and_noise_does_not():
    def stack(scores: list[float]) -> pd.DataFrame:
        return peaks([(k, 10.0, 10.0, score, 2.0) for k, score in enumerate(scores)])

    two = link_peaks(stack([0.5, 0.9, 0.4, 0.8, 0.5]), LinkSettings(min_dip=0.3))
    assert two.score.tolist() == [0.9, 0.8]
    assert two.n_slices.sum() == 5
    assert len(link_peaks(stack([0.5, 0.9, 0.7, 0.9, 0.5]), LinkSettings(min_dip=0.3))) == 1


@given(st.integers(0, 10_000), st.floats(0.01, 1.0))
@settings(max_examples=30, deadline=None)
def test_faint_cells_are_parted_as_bright_ones_are(seed, factor):
    bright = scene(seed)
    faint = bright.assign(score=bright["score"] * factor)
    a, b = (link_peaks(rows, LinkSettings()) for rows in (bright, faint))
    np.testing.assert_allclose(a[["z_vox", "y_vox", "x_vox"]], b[["z_vox", "y_vox", "x_vox"]])
    np.testing.assert_allclose(a["score"] * factor, b["score"])


def test_chains_longer_than_a_cell_are_cut_evenly():
    cells = link_peaks(column([2.0] * 12), LinkSettings(max_slices=5))
    assert cells.n_slices.tolist() == [4, 4, 4]


def test_a_gap_is_bridged_only_where_allowed():
    gap = column([2.0, 0, 2.0])
    assert len(link_peaks(gap, LinkSettings(max_gap=0))) == 2
    assert len(link_peaks(gap, LinkSettings(max_gap=1))) == 1
    assert len(link_peaks(column([2.0, 0, 0, 2.0]), LinkSettings(max_gap=1))) == 2


def test_neighbours_are_matched_one_to_one():
    both = pd.concat([column([2, 2], x=10), column([2, 2], x=13)])
    cells = link_peaks(both, LinkSettings(reach_px=5))
    assert sorted(cells.x_vox.round(6)) == [10, 13]


def test_the_score_of_a_cell_is_that_of_its_best_peak():
    cells = link_peaks(peaks([(0, 5, 5, 0.2, 1.0), (1, 5, 5, 0.6, 1.0), (1, 40, 40, 0.05, 1.0)]), LinkSettings())
    assert sorted(cells.score) == [0.05, 0.6]


def test_duplicates_in_a_slice_are_one():
    cells = link_peaks(peaks([(0, 5, 5, 0.9, 1), (0, 6, 5, 0.8, 1), (0, 5, 9, 0.8, 1)]), LinkSettings(duplicate_px=2))
    assert sorted(cells.x_vox) == [5, 9]


@given(st.integers(0, 10_000), st.integers(0, 1))
@settings(max_examples=40, deadline=None)
def test_order_of_rows_and_empty_pushes_change_nothing(seed, gap):
    rule = LinkSettings(max_gap=gap)
    table = scene(seed)
    whole = link_peaks(table, rule)
    linker, shuffled = Linker(rule), table.sample(frac=1, random_state=seed)
    parts = [linker.push(z, shuffled[shuffled.z_vox == z]) for z in range(30)]
    parts.append(linker.finish())
    streamed = pd.concat(parts, ignore_index=True)
    key = ["z_vox", "y_vox", "x_vox"]
    np.testing.assert_allclose(
        streamed.sort_values(key).to_numpy(float), whole.sort_values(key).to_numpy(float), atol=1e-9
    )
    # Every peak is in exactly one cell.
    kept = sum(len(link_peaks(part, rule)) for _, part in table.groupby("z_vox"))
    assert whole.n_slices.sum() == kept


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_separate_cells_are_found_exactly(seed):
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(0, 200, 20)] * 2), -1).reshape(-1, 2) + rng.uniform(-3, 3, (100, 2))
    rows = []
    for y, x in grid:
        length, z0 = int(rng.integers(2, 5)), int(rng.integers(0, 8))
        rows += [(z0 + k, y + rng.normal(0, 0.3), x + rng.normal(0, 0.3), 0.9, 2.0) for k in range(length)]
    assert len(link_peaks(peaks(rows), LinkSettings())) == 100


def test_no_peaks_no_cells():
    cells = link_peaks(peaks([]), LinkSettings())
    assert list(cells.columns) == list(CELL_COLUMNS)
    assert len(cells) == 0


def test_refuses_slices_out_of_order_and_of_another_place():
    linker = Linker(LinkSettings())
    linker.push(3, column([1.0], z0=3))
    with pytest.raises(InputError, match="ascending"):
        linker.push(3, column([1.0], z0=3))
    with pytest.raises(InputError, match="belong"):
        linker.push(5, column([1.0], z0=4))
    with pytest.raises(InputError):
        LinkSettings(max_slices=0)


@pytest.mark.slow
def test_a_million_peaks_in_seconds():
    rng = np.random.default_rng(0)
    n = 330_000
    yx, z0 = rng.uniform(0, 5000, (n, 2)), rng.integers(0, 200, n)
    rows = np.repeat(np.column_stack([z0, yx]), 3, axis=0)
    rows[:, 0] += np.tile([0, 1, 2], n)
    rest = np.column_stack([np.full(3 * n, v) for v in (0.9, 3.0, 200.0, 100.0)] + [np.tile([1.0, 2.0, 1.0], n)])
    table = pd.DataFrame(np.column_stack([rows, rest]), columns=list(PEAK_COLUMNS)).astype({"z_vox": np.int64})
    started = time.monotonic()
    cells = link_peaks(table, LinkSettings())
    assert time.monotonic() - started < 40
    assert abs(len(cells) - n) < 0.1 * n
