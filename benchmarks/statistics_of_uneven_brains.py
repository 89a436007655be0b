"""How often does `compare` find something in studies of unevenly stained, cut and half-imaged brains without a change?

python benchmarks/statistics_of_uneven_brains.py > benchmarks/results/statistics_of_uneven_brains.json

Each study goes the whole way of `compare`: the side is chosen from what was imaged, brains without enough of a region
are left out, all three tests are made and corrected at 5%. A study counts as found where any region is.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.statistics_under_the_null import FDR, STUDIES, upper_bound
from volumetric.phantom.uneven_studies import Uneven, uneven_study
from volumetric.statistics.comparison import TESTS, Criteria, compare_groups
from volumetric.statistics.design import Design
from volumetric.statistics.imaged import compared_side


@dataclass(frozen=True)
class Setting:
    """A kind of study."""

    uneven: Uneven
    n_regions: int = 200
    per_group: int = 6


STAINING = {"staining": 0.5, "gradient": 0.4}
CUT = {"cut": 0.5, "torn": 0.1}
ALL = Uneven(**STAINING, **CUT, halves=0.5)

SETTINGS: Mapping[str, Setting] = {
    "uneven staining": Setting(Uneven(**STAINING)),
    "parts missing": Setting(Uneven(**CUT)),
    "left and right halves": Setting(Uneven(halves=1.0)),
    "halves and whole brains": Setting(Uneven(halves=0.5)),
    "all of these": Setting(ALL),
    "all of these, four brains a group": Setting(ALL, per_group=4),
    "all of these, ten brains a group": Setting(ALL, per_group=10),
}


def measure(setting: Setting, studies: int, seed: int = 0) -> dict[str, dict[str, float]]:
    """Of every test, the share of studies with any discovery, and its 95% bound (Clopper and Pearson, one-sided)."""
    found = dict.fromkeys(TESTS, 0)
    names = [f"m{i}" for i in range(2 * setting.per_group)]
    groups = ["control"] * setting.per_group + ["drug"] * setting.per_group
    design = Design(tuple(names), tuple(groups), tuple(map(Path, names)), "control", {})
    for number in range(studies):
        rng = np.random.default_rng([seed, number])
        dataset, imaged = uneven_study(rng, setting.uneven, n_regions=setting.n_regions, per_group=setting.per_group)
        criteria = Criteria(tuple(dataset["region"].values.tolist()), (compared_side(imaged),))
        table = compare_groups(dataset, design, criteria)
        for test in TESTS:
            found[test] += int((table[f"{test}_q"] <= FDR).any())
    return {
        test: {
            "studies_with_any": hits,
            "any_discovery": round(hits / studies, 4),
            "any_discovery_bound": round(upper_bound(hits, studies), 4),
        }
        for test, hits in found.items()
    }


def main() -> None:
    """Measure all settings and print the result."""
    began = time.perf_counter()
    results = {}
    for name, setting in SETTINGS.items():
        results[name] = {"setting": asdict(setting), "tests": measure(setting, STUDIES)}
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    tests = [row["tests"][test] for row in results.values() for test in TESTS]
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, one core of a shared machine of two",
        "numpy": np.__version__,
        "seconds": round(time.perf_counter() - began, 1),
        "studies": STUDIES,
        "fdr": FDR,
        "largest": max(test["any_discovery"] for test in tests),
        "largest_bound": max(test["any_discovery_bound"] for test in tests),
        "settings": results,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
