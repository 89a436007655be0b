"""The negative-binomial model against statsmodels, its test and its intervals."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from volumetric.phantom.studies import Variation, simulate_study
from volumetric.statistics.negative_binomial import common_dispersion, fit
from volumetric.statistics.quasi_likelihood import moderate, quasi_fit, ratio_interval, ratio_test


def counts_of(seed: int, dispersion: float, tests: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts, log volumes and a design of two groups, a number and a category."""
    rng = np.random.default_rng(seed)
    design = np.column_stack([np.ones(12), np.repeat([0, 1], 6), rng.normal(size=12), np.tile([0, 1, 0], 4)])
    log_volume = rng.normal(0, 0.5, (12, tests))
    true = np.stack([rng.uniform(0, 6, tests), rng.normal(0, 0.5, tests), *rng.normal(0, 0.2, (2, tests))])
    mean = np.exp(design @ true + log_volume)
    spread = rng.gamma(1 / dispersion, dispersion, mean.shape) if dispersion else 1.0
    return rng.poisson(mean * spread).astype(float), log_volume, design


@pytest.mark.parametrize(("seed", "dispersion"), [(0, 0.0), (1, 0.05), (2, 0.3), (3, 1.0)])
def test_coefficients_are_statsmodels(seed: int, dispersion: float) -> None:
    counts, log_volume, design = counts_of(seed, dispersion)
    found = fit(counts, log_volume, design, dispersion)
    for i in range(counts.shape[1]):
        family = sm.families.NegativeBinomial(alpha=dispersion) if dispersion else sm.families.Poisson()
        known = sm.GLM(counts[:, i], design, family=family, offset=log_volume[:, i]).fit(tol=1e-12, maxiter=200)
        np.testing.assert_allclose(found.coefficients[:, i], known.params, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(found.mean[:, i], known.mu, rtol=1e-4)
        assert found.deviance[i] == pytest.approx(known.deviance, rel=1e-6, abs=1e-8)


def test_a_brain_left_out_is_a_brain_not_there() -> None:
    counts, log_volume, design = counts_of(4, 0.1)
    holed = counts.copy()
    holed[3], holed[8] = np.nan, np.nan
    kept = np.delete(np.arange(12), [3, 8])
    whole, part = (
        fit(counts[kept], log_volume[kept], design[kept], 0.1),
        fit(holed, log_volume, design, 0.1),
    )
    np.testing.assert_allclose(part.coefficients, whole.coefficients, rtol=1e-6)
    np.testing.assert_allclose(part.deviance, whole.deviance, rtol=1e-6)


def test_a_group_without_any_cell_has_an_open_interval() -> None:
    rng = np.random.default_rng(0)
    design = np.column_stack([np.ones(12), np.repeat([0, 1], 6)])
    counts = rng.poisson(40, (12, 30)).astype(float)
    counts[6:, 0] = 0
    model = quasi_fit(counts, np.zeros_like(counts), design)
    test, (low, high) = ratio_test(model, 1), ratio_interval(model, 1)
    assert test.ratio[0] == 0
    assert test.p[0] < 1e-6
    assert low[0] == 0
    assert 0 < high[0] < 0.5


def test_the_dispersion_is_found() -> None:
    rng = np.random.default_rng(5)
    design = np.column_stack([np.ones(12), np.repeat([0, 1], 6)])
    counts = rng.poisson(300 * rng.gamma(1 / 0.2, 0.2, (12, 400))).astype(float)
    assert common_dispersion(counts, np.zeros_like(counts), design) == pytest.approx(0.2, rel=0.1)
    poisson = rng.poisson(50, (12, 401)).astype(float)
    assert common_dispersion(poisson, np.zeros_like(poisson), design) < 0.003
    assert common_dispersion(poisson[:2], np.zeros((2, 401)), design[[0, 6]]) == 0.0


def test_the_interval_is_what_the_test_does_not_reject() -> None:
    rng = np.random.default_rng(6)
    study = simulate_study(rng, rng.uniform(20, 2000, 60), change=np.full(60, 1.6))
    design = np.column_stack([np.ones(12), study.group])
    model = quasi_fit(study.counts, np.log(study.volume_mm3), design)
    low, high = ratio_interval(model, 1)
    test = ratio_test(model, 1)
    assert np.all((test.p < 0.05) == ((low > 1) | (high < 1)))
    assert np.all((low < test.ratio) & (test.ratio < high))


def test_the_interval_covers_the_true_ratio() -> None:
    inside = []
    for seed in range(25):
        rng = np.random.default_rng([7, seed])
        study = simulate_study(rng, rng.uniform(20, 2000, 60), change=np.full(60, 1.5))
        design = np.column_stack([np.ones(12), study.group])
        low, high = ratio_interval(quasi_fit(study.counts, np.log(study.volume_mm3), design), 1)
        inside.append(np.mean((low < 1.5) & (high > 1.5)))
    assert 0.92 < np.mean(inside) <= 0.99


def test_moderation_draws_variances_together_and_adds_degrees_of_freedom() -> None:
    rng = np.random.default_rng(8)
    true = 1 / rng.chisquare(20, 3000) * 20
    s = true * rng.chisquare(9, 3000) / 9
    better, df = moderate(s, np.full(3000, 9.0))
    assert np.std(np.log(better / true)) < 0.7 * np.std(np.log(s / true))
    assert df[0] == pytest.approx(29, rel=0.25)
    alike, endless = moderate(rng.chisquare(9, 3000) / 9, np.full(3000, 9.0))
    assert np.ptp(alike) < 0.2
    assert endless.min() > 100
    few = moderate(s[:5], np.full(5, 9.0))
    np.testing.assert_array_equal(few[0], s[:5])


def test_no_test_without_degrees_of_freedom() -> None:
    counts, log_volume, design = counts_of(9, 0.1)
    model = quasi_fit(counts[[0, 1, 6, 7, 10]], log_volume[[0, 1, 6, 7, 10]], design[[0, 1, 6, 7, 10]])
    assert np.isnan(ratio_test(model, 1).p).all()
    assert np.isnan(ratio_interval(model, 1)[0]).all()


def test_what_all_regions_of_a_brain_share_is_not_taken_for_many_proofs() -> None:
    """Where labelling varies most, moderation as if regions were independent finds something every fourth time."""
    found = 0
    for seed in range(60):
        rng = np.random.default_rng([10, seed])
        study = simulate_study(rng, np.full(80, 500.0), variation=Variation(shared=0.4, regional=0.1))
        model = quasi_fit(study.counts, np.log(study.volume_mm3), np.column_stack([np.ones(12), study.group]))
        found += ratio_test(model, 1).p.min() < 0.01
    assert found <= 5
