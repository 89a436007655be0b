"""Every region of a study compared between groups by three tests: the table of results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from volumetric.statistics.chance import FEWEST_DF, expected_counts, too_alike, variance_of_mean
from volumetric.statistics.design import Design
from volumetric.statistics.discovery import benjamini_hochberg
from volumetric.statistics.effects import cliffs_delta, hedges_g
from volumetric.statistics.imaged import IMAGED
from volumetric.statistics.mann_whitney import MannWhitneyTest, mann_whitney
from volumetric.statistics.patterns import patterns
from volumetric.statistics.quasi_likelihood import quasi_fit, ratio_interval, ratio_test
from volumetric.statistics.welch import Moments, WelchTest, welch

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

TESTS = ("negative_binomial", "welch", "mann_whitney")

EXPLORATORY: frozenset[str] = frozenset()
"""Tests that find something where there is nothing too often: none of the three, by
`benchmarks/results/statistics_under_the_null.json`. A test of which the 95% bound of that chance is above 8% is named
here, and so in every row of the results."""

COLUMNS = (
    *("region_id", "acronym", "name", "depth", "hemisphere", "group", "reference", "n", "n_reference", "left_out"),
    *("mean_count", "mean_density_per_mm3", "sd_density_per_mm3"),
    *("mean_density_reference_per_mm3", "sd_density_reference_per_mm3", "fold_change"),
    *("tested", "reason", "exploratory"),
    *("negative_binomial_f", "negative_binomial_df", "negative_binomial_p", "negative_binomial_q"),
    *("rate_ratio", "rate_ratio_low", "rate_ratio_high"),
    *("welch_t", "welch_df", "welch_p", "welch_q", "hedges_g", "hedges_g_low", "hedges_g_high"),
    *("mann_whitney_u", "mann_whitney_p", "mann_whitney_q", "cliffs_delta", "cliffs_delta_low", "cliffs_delta_high"),
)
"""Of the table of results, in order."""

FEWEST_BRAINS = 3
"""In each of two groups; with fewer there are descriptive numbers only."""


EDGE = 0.05
"""Of coverage: how far from the threshold it does not matter which way a brain falls."""


@dataclass(frozen=True)
class Criteria:
    """What is tested, declared before the groups are looked at.

    Args:
        regions: ids, in the order of the results.
        hemispheres: left, right, both, or imaged: of each brain the side that was imaged.
        min_count: a region is tested where its mean count over all brains, whatever their group, reaches this.
        min_coverage: a brain is left out of a region of which a smaller share was imaged.
    """

    regions: tuple[int, ...]
    hemispheres: tuple[str, ...] = ("both",)
    min_count: float = 10.0
    min_coverage: float = 0.5


@dataclass(frozen=True)
class Columns:
    """What is tested as (n_brains, n_tests): every region of every hemisphere; NaN where a brain is not used.

    `left_out` are the brains of which too little of a region was imaged; a region without any volume has none.
    """

    counts: Floats
    volume_mm3: Floats
    density: Floats
    left_out: Mask
    labels: pd.DataFrame


def compare_groups(dataset: xr.Dataset, design: Design, criteria: Criteria) -> pd.DataFrame:
    """One row a contrast, hemisphere and region, in that order.

    Each group is compared with the reference: by Welch's t of densities (with Hedges' g), the Mann-Whitney U of
    densities (Cliff's delta), and the rate ratio of the negative-binomial model of counts with the covariates.
    q-values are Benjamini-Hochberg's within each test, over all rows tested. A row that is not tested has its `reason`
    and descriptive numbers; everything else is null.

    Args:
        dataset: as `study_dataset` makes it.
        design: its brains, in the same order.
        criteria: what is tested.
    """
    columns = select_columns(dataset, criteria)
    frequent = _mean(columns.counts) >= criteria.min_count
    ratios = _rate_ratios(columns, design, frequent & _full_rank(design.matrix, np.isfinite(columns.counts)))
    parts = [
        _contrast(columns, design, group, ratios[number], criteria) for number, group in enumerate(design.contrasts)
    ]
    table = pd.concat(parts, ignore_index=True)
    for test in TESTS:
        table[f"{test}_q"] = benjamini_hochberg(table[f"{test}_p"].to_numpy(np.float64))
    return table[list(COLUMNS)]


def select_columns(dataset: xr.Dataset, criteria: Criteria) -> Columns:
    """The regions and hemispheres under test, hemisphere by hemisphere; brains with too little coverage as NaN."""
    chosen = dataset.sel(region=list(criteria.regions))
    flat = {
        name: np.hstack([_of_side(chosen, name, side) for side in criteria.hemispheres])
        for name in ("count", "volume_mm3", "coverage")
    }
    here = (flat["coverage"] >= criteria.min_coverage) & (flat["volume_mm3"] > 0)
    counts, volume = (np.where(here, flat[name], np.nan) for name in ("count", "volume_mm3"))
    sides = len(criteria.hemispheres)
    labels = pd.DataFrame(
        {
            "region_id": np.tile(chosen["region"].values, sides),
            **{name: np.tile(chosen[name].values, sides) for name in ("acronym", "name", "depth")},
            "hemisphere": np.repeat(list(criteria.hemispheres), len(criteria.regions)),
        }
    )
    return Columns(counts, volume, counts / volume, flat["coverage"] < criteria.min_coverage, labels)


def near_threshold(dataset: xr.Dataset, criteria: Criteria) -> float:
    """Share of all brains and columns whose coverage lies within `EDGE` of the threshold, where chance decides."""
    coverage = np.hstack(
        [_of_side(dataset.sel(region=list(criteria.regions)), "coverage", s) for s in criteria.hemispheres]
    )
    return float(np.mean(np.abs(coverage - criteria.min_coverage) < EDGE))


def _of_side(dataset: xr.Dataset, name: str, side: str) -> Floats:
    """(n_brains, n_regions) of a variable; of `imaged` each brain's own side."""
    sides = dataset["imaged"] if side == IMAGED else xr.DataArray([side] * dataset.sizes["brain"], dims="brain")
    pairs = dataset[name].sel(brain=dataset["brain"], hemisphere=sides)
    values: Floats = pairs.transpose("brain", "region").values
    return values


@dataclass(frozen=True)
class Densities:
    """Two groups beside each other.

    Args:
        first, second: counts and volumes of a group, (n_brains, n_tests) each; NaN where a brain is left out.
    """

    first: tuple[Floats, Floats]
    second: tuple[Floats, Floats]

    @cached_property
    def are_copies(self) -> bool:
        """Whether the counts vary less than those of different animals can."""
        groups = (self.first, self.second)
        expected = np.concatenate([expected_counts(*group) for group in groups])
        return too_alike(np.concatenate([counts for counts, _ in groups]), expected, len(groups))

    def welch(self) -> WelchTest:
        """Of densities whose variance is at least that by chance."""
        (counts, volume), (others, their_volume) = self.first, self.second
        least = variance_of_mean(*self.first) + variance_of_mean(*self.second)
        return welch(counts / volume, others / their_volume, least, FEWEST_DF if self.are_copies else np.inf)

    def mann_whitney(self) -> MannWhitneyTest:
        """Of densities; without p where they are copies, whose ranks say nothing."""
        (counts, volume), (others, their_volume) = self.first, self.second
        found = mann_whitney(counts / volume, others / their_volume)
        return replace(found, p=np.full_like(found.p, np.nan)) if self.are_copies else found


def _rate_ratios(columns: Columns, design: Design, usable: Mask) -> list[dict[str, Floats]]:
    """Of every contrast, from one model of all brains; NaN in columns that are not usable."""
    blank = np.full(len(usable), np.nan)
    names = ("f", "df", "p", "ratio", "low", "high")
    if not usable.any():
        return [dict.fromkeys(names, blank) for _ in design.contrasts]
    model = quasi_fit(columns.counts[:, usable], np.log(columns.volume_mm3[:, usable]), design.matrix)
    results = []
    for term in range(1, len(design.contrasts) + 1):
        test, interval = ratio_test(model, term), ratio_interval(model, term)
        found = {}
        for name, values in zip(names, (test.f, test.df, test.p, test.ratio, *interval), strict=True):
            found[name] = blank.copy()
            found[name][usable] = values
        results.append(found)
    return results


def _contrast(
    columns: Columns,
    design: Design,
    group: str,
    ratio: dict[str, Floats],
    criteria: Criteria,
) -> pd.DataFrame:
    one, other = design.members(group), design.members(design.reference)
    first, second = columns.density[one], columns.density[other]
    a, b = Moments.of(first), Moments.of(second)
    enough = (a.n >= FEWEST_BRAINS) & (b.n >= FEWEST_BRAINS)
    frequent = _mean(columns.counts) >= criteria.min_count
    tested = enough & frequent
    groups = Densities(*((columns.counts[rows], columns.volume_mm3[rows]) for rows in (one, other)))
    t, u = groups.welch(), groups.mann_whitney()
    g, delta = hedges_g(first, second), cliffs_delta(first, second)
    fold = np.divide(a.mean, b.mean, out=np.full_like(a.mean, np.nan), where=b.mean > 0)
    numbers = {
        "welch_t": t.t,
        "welch_df": t.df,
        "welch_p": t.p,
        "hedges_g": g.estimate,
        "hedges_g_low": g.low,
        "hedges_g_high": g.high,
        "mann_whitney_u": u.u,
        "mann_whitney_p": u.p,
        "cliffs_delta": delta.estimate,
        "cliffs_delta_low": delta.low,
        "cliffs_delta_high": delta.high,
        "negative_binomial_f": ratio["f"],
        "negative_binomial_df": ratio["df"],
        "negative_binomial_p": ratio["p"],
        "rate_ratio": ratio["ratio"],
        "rate_ratio_low": ratio["low"],
        "rate_ratio_high": ratio["high"],
    }
    return columns.labels.assign(
        group=group,
        reference=design.reference,
        n=a.n.astype(np.int64),
        n_reference=b.n.astype(np.int64),
        left_out=_names(columns.left_out, design),
        mean_count=_mean(columns.counts),
        mean_density_per_mm3=a.mean,
        sd_density_per_mm3=np.sqrt(a.variance),
        mean_density_reference_per_mm3=b.mean,
        sd_density_reference_per_mm3=np.sqrt(b.variance),
        fold_change=fold,
        tested=tested,
        reason=_reasons((a.n + b.n) > 0, enough, frequent, criteria.min_count),
        exploratory=",".join(name for name in TESTS if name in EXPLORATORY),
        **{name: np.where(tested, values, np.nan) for name, values in numbers.items()},
    )


def _reasons(imaged: Mask, enough: Mask, frequent: Mask, min_count: float) -> list[str]:
    """Why a column is not tested in a contrast; empty where it is."""
    rules = (
        (~imaged, "without enough volume in any brain of the two groups"),
        (imaged & ~enough, f"fewer than {FEWEST_BRAINS} brains in a group"),
        (imaged & ~frequent, f"mean count below {min_count:g}"),
    )
    return ["; ".join(text for fails, text in rules if fails[i]) for i in range(len(imaged))]


def _names(chosen: Mask, design: Design) -> list[str]:
    """The brains chosen in each column."""
    names = np.array(design.brains)
    return [",".join(names[rows]) for rows in chosen.T]


def _mean(counts: Floats) -> Floats:
    """Over the brains that are there; 0 where none is."""
    n = np.isfinite(counts).sum(axis=0)
    total: Floats = np.nansum(counts, axis=0) / np.maximum(n, 1)
    return total


def _full_rank(design: Floats, present: Mask) -> Mask:
    """Columns whose brains still tell all terms of the design apart, with a degree of freedom to spare."""
    good = np.zeros(present.shape[1], dtype=bool)
    for rows, columns in patterns(present):
        left = design[rows]
        good[columns] = len(left) > design.shape[1] + 1 and np.linalg.matrix_rank(left) == design.shape[1]
    return good


def discoveries(table: pd.DataFrame, test: str, fdr: float) -> pd.DataFrame:
    """The rows that a test finds at a false discovery rate, most certain first."""
    return table[table[f"{test}_q"] <= fdr].sort_values(f"{test}_p", kind="stable")


def strongest(table: pd.DataFrame, test: str, number: int) -> Sequence[int]:
    """Ids of the regions with the smallest p of a test, over all contrasts and hemispheres; by name without any p."""
    ranked = table.sort_values([f"{test}_p", "mean_count"], ascending=[True, False], kind="stable")
    return [int(region) for region in ranked["region_id"].drop_duplicates()[:number]]
