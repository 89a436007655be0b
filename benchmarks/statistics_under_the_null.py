"""How often does each test of `compare` find something where there is nothing, and how often what is there?

python benchmarks/statistics_under_the_null.py > benchmarks/results/statistics_under_the_null.json

Studies of two small groups of brains are simulated, once without any difference and once with a fifth of the regions
changed 1.5-fold, and tested as `compare` does: counts above the minimum, then Benjamini-Hochberg at 5%. "Naive" is
the likelihood ratio of the negative-binomial model with its dispersion taken as known: why an F test is offered.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
from scipy import stats

from volumetric.phantom.studies import Study, Variation, region_means, simulate_study
from volumetric.statistics.comparison import TESTS, Criteria, Densities
from volumetric.statistics.discovery import benjamini_hochberg
from volumetric.statistics.negative_binomial import fit
from volumetric.statistics.quasi_likelihood import quasi_fit, ratio_test

Floats = npt.NDArray[np.float64]

STUDIES = 500
FDR = 0.05
FOLD, PLANTED = 1.5, 0.2
LARGEST_BOUND = 0.08
"""A test of which the 95% bound of the chance of any discovery is above this is exploratory."""


@dataclass(frozen=True)
class Setting:
    """A kind of study."""

    n_regions: int = 200
    per_group: int = 6
    variation: Variation = field(default_factory=Variation)


SETTINGS: Mapping[str, Setting] = {
    "usual": Setting(),
    "few regions": Setting(n_regions=60),
    "many regions, even labelling": Setting(n_regions=300, variation=Variation(shared=0.05, regional=0.2)),
    "very uneven labelling": Setting(variation=Variation(shared=0.4, regional=0.3, heterogeneity=0.5)),
    "very uneven regions": Setting(n_regions=150, variation=Variation(shared=0.3, regional=0.6, heterogeneity=0.4)),
    "three brains a group": Setting(per_group=3),
    "twelve brains a group": Setting(per_group=12),
}


def p_values(
    study: Study, min_count: float = Criteria(()).min_count
) -> tuple[npt.NDArray[np.bool_], dict[str, Floats]]:
    """The regions tested, and p of every test for them."""
    kept = study.counts.mean(axis=0) >= min_count
    counts, log_volume = study.counts[:, kept], np.log(study.volume_mm3[:, kept])
    groups = Densities(
        *((counts[study.group == group], study.volume_mm3[study.group == group][:, kept]) for group in (1, 0))
    )
    design = np.column_stack([np.ones(len(counts)), study.group])
    model = quasi_fit(counts, log_volume, design)
    gain = fit(counts, log_volume, design[:, :1], model.dispersion).deviance - model.full.deviance
    return kept, {
        "negative_binomial": ratio_test(model, 1).p,
        "welch": groups.welch().p,
        "mann_whitney": groups.mann_whitney().p,
        "naive": stats.chi2.sf(np.maximum(gain, 0), 1),
    }


def measure(setting: Setting, studies: int, seed: int = 0) -> dict[str, dict[str, float]]:
    """Of every test: chance of any discovery under the null with its 95% bound, power and false discovery rate.

    The bound is Clopper and Pearson's, one-sided.
    """
    names = (*TESTS, "naive")
    any_found, power, wrong = ({name: [] for name in names} for _ in range(3))
    for number in range(studies):
        rng = np.random.default_rng([seed, number])
        means = region_means(rng, setting.n_regions)
        change = np.where(rng.random(setting.n_regions) < PLANTED, FOLD, 1.0)
        null, planted = (
            simulate_study(rng, means, per_group=setting.per_group, variation=setting.variation, change=factor)
            for factor in (None, change)
        )
        for name, p in p_values(null)[1].items():
            any_found[name].append(bool(np.any(benjamini_hochberg(p) <= FDR)))
        kept, found = p_values(planted)
        true = change[kept] > 1
        for name, p in found.items():
            hit = benjamini_hochberg(p) <= FDR
            power[name].append(float(hit[true].mean()) if true.any() else np.nan)
            wrong[name].append(float((hit & ~true).sum() / max(hit.sum(), 1)))
    return {
        name: {
            "any_discovery": round(float(np.mean(any_found[name])), 4),
            "any_discovery_bound": round(upper_bound(sum(any_found[name]), studies), 4),
            "power": round(float(np.nanmean(power[name])), 4),
            "false_discovery_rate": round(float(np.mean(wrong[name])), 4),
        }
        for name in names
    }


def upper_bound(hits: int, trials: int) -> float:
    """The largest chance that 95% confidence allows (Clopper and Pearson 1934)."""
    return 1.0 if hits == trials else float(stats.beta.ppf(0.95, hits + 1, trials - hits))


def main() -> None:
    """Measure all settings and print the result."""
    began = time.perf_counter()
    results = {}
    for name, setting in SETTINGS.items():
        results[name] = {"setting": asdict(setting), "tests": measure(setting, STUDIES)}
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    bounds = {test: max(row["tests"][test]["any_discovery_bound"] for row in results.values()) for test in TESTS}
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, one core",
        "numpy": np.__version__,
        "seconds": round(time.perf_counter() - began, 1),
        "studies": STUDIES,
        "fdr": FDR,
        "planted": {"fold": FOLD, "share_of_regions": PLANTED},
        "largest_bound_allowed": LARGEST_BOUND,
        "largest_bound": bounds,
        "exploratory": [test for test, bound in bounds.items() if bound > LARGEST_BOUND],
        "settings": results,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
