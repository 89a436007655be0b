"""Rows, crops and histograms behind the page."""

from __future__ import annotations

import colorsys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.report.charts import empty_slices, histogram_figure
from pipelines.report.crops import Crop, choose_crops, crop_side, in_crop
from pipelines.report.regions import NUMBERS, SHARES, brain_total, region_rows, shown_depth, top_regions, tree_colours
from pipelines.report.tables import decimal, duration, figures, flatten, percent, size, whole
from volumetric.geometry.box import Box
from volumetric.geometry.space import VoxelSpace

SHAPE = (40, 500, 600)


def regions(parents: dict[int, int | None], counts: dict[int, int]) -> pd.DataFrame:
    rows = [
        dict.fromkeys((*NUMBERS, *SHARES), np.nan)
        | {"region_id": i, "acronym": f"r{i}", "name": f"region {i}", "parent_id": parent, "depth": 0}
        | {"hemisphere": "both", "count": counts.get(i, 0), "volume_mm3": 2.0}
        for i, parent in parents.items()
    ]
    return pd.DataFrame(rows)


def test_rows_come_depth_first_whatever_the_order_of_the_table() -> None:
    rows = region_rows(regions({1: None, 4: 2, 3: 1, 2: 1, 5: 2, 9: None}, {4: 7, 5: 9}))
    assert [(row.region_id, row.depth, row.leaf) for row in rows] == [
        (1, 0, False),
        (3, 1, True),
        (2, 1, False),
        (4, 2, True),
        (5, 2, True),
        (9, 0, True),
    ]
    assert [row.region_id for row in top_regions(rows)] == [5, 4]
    assert brain_total(rows, "both", "volume_mm3") == 4.0
    assert brain_total(rows, "left", "volume_mm3") is None


def test_a_first_look_opens_as_many_levels_as_fit() -> None:
    rows = region_rows(regions({1: None, **dict.fromkeys(range(2, 8), 1), **dict.fromkeys(range(10, 40), 2)}, {}))
    assert shown_depth(rows, limit=10) == 1
    assert shown_depth(rows, limit=2) == 0
    assert shown_depth(rows, limit=100) == 2


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=40))
def test_every_region_has_a_colour_and_kin_are_kindred(choices: list[int]) -> None:
    """Hues of a subtree span no more than its share of all leaves."""
    children: dict[int | None, list[int]] = {None: [0]}
    for i, choice in enumerate(choices, start=1):
        children.setdefault(choice % i, []).append(i)
    colours = tree_colours(children)
    assert set(colours) == set(range(len(choices) + 1))

    def under(node: int) -> list[int]:
        return [node, *(i for child in children.get(node, []) for i in under(child))]

    leaves = sum(i not in children for i in colours)
    for node in colours:
        family = under(node)
        hues = [colorsys.rgb_to_hls(*colours[i])[0] for i in family]
        assert max(hues) - min(hues) <= sum(i not in children for i in family) / leaves + 1e-6


def test_numbers_read_well() -> None:
    assert [whole(v) for v in (None, float("nan"), 0, 1234567.0)] == ["–", "–", "0", "1,234,567"]
    assert [decimal(v) for v in (None, 0.0, 0.81234, 12345.6, 0.00012345, 2e-7)] == [
        "–",
        "0",
        "0.812",
        "12,346",
        "0.000123",
        "2.0e-07",
    ]
    assert [percent(v) for v in (None, 0.987)] == ["–", "99 %"]
    assert [duration(v) for v in (None, 4.2, 184.0, 7805.0)] == ["–", "4.2 s", "3 min 04 s", "2 h 10 min"]
    assert [size(v) for v in (None, 999, 999_600, 2.5e12)] == ["–", "999 B", "1 MB", "2.5 TB"]
    assert flatten({"a": {"b": [1, 2]}, "c": None}) == [("a.b", "1 2"), ("c", "–")]


@pytest.mark.parametrize(
    ("key", "value", "grade"),
    [
        ("ncc_in_mask", 0.47, "good"),
        ("ncc_in_mask", 0.1, "doubtful"),
        ("mask_dice", 0.95, "good"),
        ("mask_dice", 0.84, "doubtful"),
        ("mask_dice", 0.4, "unusable"),
        ("folding_fraction", 0.0, "good"),
        ("folding_fraction", 0.001, "doubtful"),
        ("folding_fraction", 0.02, "unusable"),
        ("inverse_consistency_um", 1.0, "good"),
        ("inverse_consistency_um", 30.0, "doubtful"),
        ("inverse_consistency_um", 101.0, "unusable"),
        ("orientation_checked", True, "good"),
        ("orientation_checked", False, "doubtful"),
    ],
)
def test_quality_is_judged_in_words(key: str, value: float, grade: str) -> None:
    found = [row for row in figures({key: value}, (50.0, 50.0, 50.0)) if row.grade != "unknown"]
    assert [row.grade for row in found] == [grade]
    assert found[0].words


def scattered(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    vox = rng.uniform(0, 1, (count, 3)) ** 2 * (np.array(SHAPE) - 1)
    return vox, (1 + vox[:, 2] // 100).astype(np.int64)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 400), st.integers(0, 5), st.sampled_from([64, 125, 500]))
def test_crops_lie_in_the_volume_and_differ(count: int, seed: int, side: int) -> None:
    vox, region = scattered(count, seed)
    crops = choose_crops(vox, region, SHAPE, side, seed=1)
    assert 1 <= len(crops) <= 6
    assert len({crop.box for crop in crops}) == len(crops)
    for crop in crops:
        assert crop.box.shape == (1, side, side)
        assert crop.box.clip(SHAPE) == crop.box
        assert in_crop(crop, vox, np.ones(count)).any()
    assert crops == choose_crops(vox, region, SHAPE, side, seed=1)


def test_crops_go_from_dense_to_sparse_in_different_regions() -> None:
    vox, region = scattered(60_000)
    crops = choose_crops(vox, region, SHAPE, 100, seed=1)
    assert [crop.kind for crop in crops] == ["dense", "dense", "middling", "middling", "sparse", "sparse"]
    counts = [int(in_crop(crop, vox, np.ones(len(vox))).sum()) for crop in crops]
    assert min(counts[:2]) > max(counts[2:4])
    assert min(counts[2:4]) > max(counts[4:])
    assert len({crop.region_id for crop in crops}) >= 5


def test_no_cells_give_no_crops() -> None:
    assert choose_crops(np.zeros((0, 3)), np.zeros(0, np.int64), SHAPE, 64, seed=1) == []


def test_a_cell_is_circled_in_the_slices_it_is_seen_in() -> None:
    crop = Crop(Box((10, 0, 0), (11, 64, 64)), "dense", 1)
    z = np.array([10.0, 10.5, 9.0, 9.0, 12.0, 12.0])
    n_slices = np.array([1, 2, 3, 1, 3, 4])
    vox = np.column_stack([z, np.full((6, 2), 30.0)])
    assert in_crop(crop, vox, n_slices).tolist() == [True, True, True, False, False, True]
    assert not in_crop(crop, np.array([[10.0, 63.9, 3.0]]), np.array([1])).any()


def test_crops_show_about_a_quarter_of_a_millimetre() -> None:
    assert crop_side(VoxelSpace((5.0, 0.7, 0.7)), (10, 9000, 9000)) == 357
    assert crop_side(VoxelSpace((50.0, 40.0, 40.0)), (10, 900, 900)) == 64
    assert crop_side(VoxelSpace((5.0, 0.1, 0.1)), (10, 9000, 300)) == 300


def test_empty_slices_are_those_between_slices_with_cells() -> None:
    assert empty_slices(np.array([0, 0, 3, 0, 0, 5, 1, 0])) == 2
    assert empty_slices(np.zeros(4, np.int64)) == 0


@pytest.mark.parametrize(
    "values",
    [np.array([1.0, 2, 2, 4]), np.full(3, 7.0), np.random.default_rng(0).gamma(2, size=1000), np.array([np.nan, 0.5])],
)
def test_histogram_bars_add_up_to_all_cells(values: np.ndarray) -> None:
    figure = histogram_figure({"value": values}, width_in=4, alarm=False)
    heights = [patch.get_height() for patch in figure.axes[0].patches]
    assert sum(heights) == np.isfinite(values).sum()
