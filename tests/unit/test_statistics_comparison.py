"""The table of results: what is tested, what is left out, and what must not change it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from volumetric.phantom.studies import simulate_study
from volumetric.statistics.chance import variance_of_mean
from volumetric.statistics.comparison import (
    COLUMNS,
    EXPLORATORY,
    TESTS,
    Criteria,
    compare_groups,
    discoveries,
    near_threshold,
    strongest,
)
from volumetric.statistics.dataset import HEMISPHERES
from volumetric.statistics.design import Design
from volumetric.statistics.welch import welch

REGIONS = 24


def design_of(groups: list[str], covariates: dict[str, tuple[float, ...]] | None = None) -> Design:
    names = tuple(f"m{i}" for i in range(len(groups)))
    return Design(names, tuple(groups), tuple(Path(name) for name in names), groups[0], covariates or {})


def dataset_of(counts: np.ndarray, volume: np.ndarray, coverage: np.ndarray | None = None) -> xr.Dataset:
    """The same numbers in both hemispheres and in all; region ids from 1."""

    def spread(values: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
        return ("brain", "region", "hemisphere"), np.repeat(values[:, :, None], 3, axis=2).astype(float)

    ids = np.arange(1, counts.shape[1] + 1)
    return xr.Dataset(
        {
            "count": spread(counts),
            "volume_mm3": spread(volume),
            "coverage": spread(np.ones(counts.shape) if coverage is None else coverage),
        },
        coords={
            "brain": [f"m{i}" for i in range(len(counts))],
            "region": ids,
            "hemisphere": list(HEMISPHERES),
            "acronym": ("region", [f"r{i}" for i in ids]),
            "name": ("region", [f"region {i}" for i in ids]),
            "depth": ("region", np.ones(len(ids), dtype=int)),
        },
    )


def small_study(seed: int = 0, per_group: int = 5) -> tuple[xr.Dataset, Design]:
    rng = np.random.default_rng(seed)
    change = np.where(np.arange(REGIONS) < 3, 3.0, 1.0)
    study = simulate_study(rng, rng.uniform(30, 900, REGIONS), per_group=per_group, change=change)
    design = design_of(["control"] * per_group + ["drug"] * per_group)
    return dataset_of(study.counts, study.volume_mm3), design


CRITERIA = Criteria(tuple(range(1, REGIONS + 1)))


def test_the_table_holds_what_the_tests_say() -> None:
    dataset, design = small_study()
    table = compare_groups(dataset, design, CRITERIA)
    assert tuple(table.columns) == COLUMNS
    assert table["tested"].all()
    density = (dataset["count"] / dataset["volume_mm3"]).sel(hemisphere="both").values
    for row in table.itertuples():
        drug, control = density[5:, row.region_id - 1], density[:5, row.region_id - 1]
        assert row.fold_change == pytest.approx(drug.mean() / control.mean())
        assert row.welch_p == pytest.approx(stats.ttest_ind(drug, control, equal_var=False).pvalue)
        assert row.mann_whitney_p == pytest.approx(stats.mannwhitneyu(drug, control, method="exact").pvalue)
        assert row.sd_density_per_mm3 == pytest.approx(drug.std(ddof=1))
    for test in TESTS:
        q = stats.false_discovery_control(table[f"{test}_p"])
        np.testing.assert_allclose(table[f"{test}_q"], q)
    assert set(discoveries(table, "negative_binomial", 0.05)["region_id"]) == {1, 2, 3}
    assert set(strongest(table, "negative_binomial", 3)) == {1, 2, 3}
    assert set(table["exploratory"]) == {",".join(test for test in TESTS if test in EXPLORATORY)}


def test_rare_regions_stay_untested_whatever_their_group() -> None:
    dataset, design = small_study()
    counts = dataset["count"].values
    counts[:5, 4], counts[5:, 4] = 0, 19  # a mean of 9.5 over all brains, but every cell is in one group
    counts[:, 5] = 10
    table = compare_groups(dataset, design, CRITERIA).set_index("region_id")
    assert not table.loc[5, "tested"]
    assert table.loc[5, "reason"] == "mean count below 10"
    assert table.loc[5, [f"{test}_{end}" for test in TESTS for end in "pq"]].isna().all()
    assert table.loc[5, "mean_density_per_mm3"] > 0
    assert table.loc[6, "tested"]
    assert table[[f"{test}_q" for test in TESTS]].notna().all(axis=1).sum() == REGIONS - 1


def test_brains_with_too_little_coverage_are_left_out_and_named() -> None:
    dataset, design = small_study()
    dataset["coverage"].values[1, 7] = 0.49
    dataset["coverage"].values[[0, 1, 2], 8] = 0.1
    dataset["coverage"].values[:, 9], dataset["volume_mm3"].values[:, 9] = np.nan, 0.0
    table = compare_groups(dataset, design, CRITERIA).set_index("region_id")
    assert table.loc[8, ["left_out", "n", "n_reference", "tested"]].tolist() == ["m1", 5, 4, True]
    assert table.loc[9, "left_out"] == "m0,m1,m2"
    assert table.loc[9, "reason"] == "fewer than 3 brains in a group"
    assert table.loc[10, ["left_out", "reason"]].tolist() == [
        "",
        "without enough volume in any brain of the two groups",
    ]
    alone = compare_groups(dataset.isel(brain=[0, *range(2, 10)]), design_of(["control"] * 4 + ["drug"] * 5), CRITERIA)
    same = alone.set_index("region_id").loc[8]
    for name in ("welch_p", "mann_whitney_p", "hedges_g_low", "cliffs_delta_high"):
        assert table.loc[8, name] == same[name]


def test_two_brains_a_group_give_descriptive_numbers_only() -> None:
    dataset, design = small_study(per_group=2)
    table = compare_groups(dataset, design, CRITERIA)
    assert not table["tested"].any()
    assert set(table["reason"]) == {"fewer than 3 brains in a group"}
    assert table[[f"{test}_{end}" for test in TESTS for end in "pq"]].isna().all(axis=None)
    assert table[["fold_change", "mean_density_per_mm3", "sd_density_per_mm3"]].notna().all(axis=None)


def test_every_group_meets_the_reference_and_one_family_of_q_values() -> None:
    rng = np.random.default_rng(3)
    study = simulate_study(rng, rng.uniform(30, 900, REGIONS), per_group=6)
    design = design_of(["a"] * 4 + ["b"] * 4 + ["c"] * 4)
    both_sides = Criteria(CRITERIA.regions, ("left", "right"))
    table = compare_groups(dataset_of(study.counts, study.volume_mm3), design, both_sides)
    assert len(table) == REGIONS * 2 * 2
    assert table.groupby(["group", "hemisphere"], sort=False).size().index.tolist() == [
        ("b", "left"),
        ("b", "right"),
        ("c", "left"),
        ("c", "right"),
    ]
    np.testing.assert_allclose(table["welch_q"], stats.false_discovery_control(table["welch_p"]))


def test_a_covariate_takes_its_share() -> None:
    rng = np.random.default_rng(4)
    batch = np.tile([0.0, 1.0], 6)
    counts = rng.poisson(300 * np.exp(0.8 * batch)[:, None] * rng.lognormal(0, 0.05, (12, REGIONS))).astype(float)
    volume = np.ones_like(counts)
    groups = ["control"] * 6 + ["drug"] * 6
    without = compare_groups(dataset_of(counts, volume), design_of(groups), CRITERIA)
    within = compare_groups(dataset_of(counts, volume), design_of(groups, {"batch": tuple(batch)}), CRITERIA)
    width = {
        name: np.log(table["rate_ratio_high"] / table["rate_ratio_low"]).mean()
        for name, table in (("without", without), ("within", within))
    }
    assert width["within"] < 0.4 * width["without"]


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_brains_and_regions_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    dataset, design = small_study(seed % 7)
    brains, regions = rng.permutation(10), rng.permutation(REGIONS)
    turned = design_of([design.groups[i] for i in brains])
    if turned.reference != "control":
        turned = Design(turned.brains, turned.groups, turned.paths, "control", {})
    moved = dataset.isel(brain=brains, region=regions)
    expected = compare_groups(dataset, design, CRITERIA).set_index("region_id")
    found = compare_groups(moved, turned, Criteria(tuple((regions + 1).tolist()))).set_index("region_id")
    pd.testing.assert_frame_equal(
        found.loc[expected.index].drop(columns="left_out"), expected.drop(columns="left_out"), rtol=1e-5
    )


@settings(max_examples=15)
@given(st.floats(0.01, 100))
def test_volumes_scale_densities_and_nothing_else(factor: float) -> None:
    dataset, design = small_study(1)
    scaled = dataset.assign(volume_mm3=dataset["volume_mm3"] * factor)
    before, after = compare_groups(dataset, design, CRITERIA), compare_groups(scaled, design, CRITERIA)
    for name in COLUMNS:
        if "density" in name:
            np.testing.assert_allclose(after[name] * factor, before[name], rtol=1e-9)
        elif before[name].dtype.kind == "f":
            np.testing.assert_allclose(after[name], before[name], rtol=1e-5)


def copies(seed: int, *, changed: int) -> tuple[xr.Dataset, Design]:
    """Three tables of one animal a group, some cells of which are other ones."""
    rng = np.random.default_rng(seed)
    means = rng.uniform(30, 900, REGIONS)
    animals = rng.poisson(means * rng.lognormal(0, 0.25, (2, REGIONS)))
    counts = np.repeat(animals, 3, axis=0) + rng.integers(-changed, changed + 1, (6, REGIONS))
    return dataset_of(counts.astype(float), np.ones(counts.shape)), design_of(["control"] * 3 + ["drug"] * 3)


@pytest.mark.parametrize("changed", [0, 1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_counts_without_variance_are_not_certain(seed: int, changed: int) -> None:
    dataset, design = copies(seed, changed=changed)
    table = compare_groups(dataset, design, CRITERIA)
    assert table["tested"].all()
    for test in TESTS:
        assert table[f"{test}_p"].dropna().between(1e-3, 1).all()
        assert discoveries(table, test, 0.05).empty
    assert table[["negative_binomial_p", "welch_p"]].notna().all(axis=None)
    assert table["mann_whitney_p"].isna().all()
    by_chance = np.sqrt(4 / (3 * table["mean_count"]))  # of the logarithm of the ratio
    width = np.log(table["rate_ratio_high"] / table["rate_ratio_low"])
    assert (width > 2 * stats.norm.ppf(0.975) * by_chance).all()


def test_chance_bounds_the_variance_from_below_and_not_where_brains_vary_more() -> None:
    rng = np.random.default_rng(0)
    volume = rng.uniform(0.5, 2, (6, 4000))
    counts = rng.poisson(50 * volume).astype(float)
    counts[0, :100] = np.nan
    found = variance_of_mean(counts, volume)
    true = np.where(np.isfinite(counts), 50 / volume, 0).sum(axis=0) / np.isfinite(counts).sum(axis=0) ** 2
    np.testing.assert_allclose(np.median(found / true), 1, rtol=0.02)
    first, second = (rng.lognormal(4, 0.5, (6, 50)) for _ in range(2))
    np.testing.assert_array_equal(welch(first, second, 1e-9).p, welch(first, second).p)
    same = welch(np.full((3, 1), 30.0), np.full((3, 1), 60.0), 2 * 15.0)
    assert (same.t[0], same.df[0]) == (pytest.approx(-30 / np.sqrt(30)), 2)
    assert np.isnan(welch(np.full((3, 1), 30.0), np.full((3, 1), 60.0)).p[0])


def test_the_side_imaged_of_each_brain_is_compared() -> None:
    dataset, design = small_study()
    sides = ["left", "right"] * 5
    halved = dataset.copy(deep=True).assign_coords(imaged=("brain", sides))
    for brain, side in enumerate(sides):
        for name in ("count", "volume_mm3", "coverage"):
            other = {"left": "right", "right": "left"}[side]
            halved[name].loc[{"brain": f"m{brain}", "hemisphere": other}] = 0
            halved[name].loc[{"brain": f"m{brain}", "hemisphere": "both"}] /= 2
    criteria = Criteria(CRITERIA.regions, ("imaged",))
    found = compare_groups(halved, design, criteria)
    whole = compare_groups(dataset, design, CRITERIA)
    assert set(found["hemisphere"]) == {"imaged"}
    pd.testing.assert_frame_equal(found.drop(columns="hemisphere"), whole.drop(columns="hemisphere"))
    assert near_threshold(halved, criteria) == 0
    assert near_threshold(halved, CRITERIA) == 1
