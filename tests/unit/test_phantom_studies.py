"""Simulated studies vary as they say, and the benchmark of the tests holds in small."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import statistics_of_uneven_brains as uneven
from benchmarks.statistics_under_the_null import LARGEST_BOUND, SETTINGS, Setting, measure
from volumetric.phantom.studies import LARGEST_MEAN, Variation, region_means, simulate_study
from volumetric.phantom.uneven_studies import Uneven, uneven_study
from volumetric.statistics.comparison import EXPLORATORY, TESTS


def test_counts_vary_as_asked_for() -> None:
    rng = np.random.default_rng(0)
    means = np.full(300, 5000.0)
    change = np.where(np.arange(300) < 60, 1.5, 1.0)
    vary = Variation(shared=0.3, regional=0.2, heterogeneity=0.0, volume=0.0)
    study = simulate_study(rng, means, per_group=60, variation=vary, change=change)
    logs = np.log(study.density_per_mm3)
    brain = logs[:, 60:].mean(axis=1)
    assert brain.std() == pytest.approx(0.3, rel=0.2)
    assert (logs[:, 60:] - brain[:, None]).std(axis=0).mean() == pytest.approx(0.2, rel=0.05)
    fold = (logs[60:].mean(axis=0) - logs[:60].mean(axis=0))[:60].mean() - (
        logs[60:].mean(axis=0) - logs[:60].mean(axis=0)
    )[60:].mean()
    assert np.exp(fold) == pytest.approx(1.5, rel=0.02)
    assert study.counts.mean() == pytest.approx(5000 * (1 + 0.2 * 0.25), rel=0.1)
    again = simulate_study(np.random.default_rng(0), means, per_group=60, variation=vary, change=change)
    np.testing.assert_array_equal(study.counts, again.counts)


def test_regions_reach_from_none_to_ten_thousand() -> None:
    means = region_means(np.random.default_rng(0), 2000)
    assert means.min() == 0
    assert means.max() == LARGEST_MEAN
    assert 0.05 < np.mean(means == 0) < 0.12


def test_null_studies_hold_their_level_and_planted_changes_are_found() -> None:
    found = measure(Setting(n_regions=80, variation=Variation(shared=0.05, regional=0.15)), studies=40)
    for test in TESTS:
        assert found[test]["any_discovery"] <= 0.1
        assert found[test]["power"] > 0.3
    assert found["naive"]["any_discovery"] > found["negative_binomial"]["any_discovery"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["usual", "very uneven labelling"])
def test_the_bound_of_the_chance_of_any_discovery(name: str) -> None:
    found = measure(SETTINGS[name], studies=500, seed=1)
    for test in TESTS:
        assert found[test]["any_discovery_bound"] <= LARGEST_BOUND or test in EXPLORATORY


def test_brains_are_uneven_as_asked_for() -> None:
    rng = np.random.default_rng(0)
    dataset, imaged = uneven_study(rng, Uneven(halves=0.5, staining=0.0), per_group=30)
    assert set(imaged) == {"left", "right", "both"}
    coverage = dataset["coverage"].mean("region")
    for brain, side in enumerate(imaged):
        left, right, both = coverage[brain].values
        assert both == pytest.approx((left + right) / 2)
        assert (left < 0.1, right < 0.1) == (side == "right", side == "left")
    density = dataset["count"].sum("region") / dataset["volume_mm3"].sum("region")
    own = [float(density.sel(hemisphere=side)[brain]) for brain, side in enumerate(imaged)]
    assert np.std(np.log(own)) < 0.3
    cut, _ = uneven_study(rng, Uneven(cut=1.0), per_group=30)
    ends = (cut["coverage"].sel(hemisphere="both")[:, [0, -1]] < 0.5).any("region")
    assert 0.6 < float(ends.mean()) < 0.9


@pytest.mark.parametrize("name", ["all of these", "left and right halves"])
def test_uneven_brains_are_no_discoveries(name: str) -> None:
    setting = uneven.Setting(uneven.SETTINGS[name].uneven, n_regions=60)
    found = uneven.measure(setting, studies=20)
    assert all(found[test]["studies_with_any"] <= 2 for test in TESTS)
