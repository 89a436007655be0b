"""All brains of a study in one array: counts, volumes and densities by brain, region and hemisphere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from volumetric.errors import InputError
from volumetric.statistics.design import Design
from volumetric.statistics.imaged import imaged_side

HEMISPHERES = ("left", "right", "both")

VARIABLES: Mapping[str, tuple[str, str]] = {
    "count": ("cells of the region and its descendants", "1"),
    "count_own": ("cells of the region without its descendants", "1"),
    "expected": ("cells expected from their probabilities", "1"),
    "expected_low": ("lower end of the 95% interval of the expected cells", "1"),
    "expected_high": ("upper end of the 95% interval of the expected cells", "1"),
    "volume_mm3": ("imaged volume of the region with its descendants, in the sample", "mm3"),
    "coverage": ("share of the region that was imaged", "1"),
    "density_per_mm3": ("cells per imaged volume", "mm-3"),
}
"""Variable -> what it is, and its unit."""

RESERVED = {*VARIABLES, "brain", "region", "hemisphere", "group", "imaged", "acronym", "name", "parent_id", "depth"}

NO_PARENT = -1


def study_dataset(design: Design, tables: Sequence[pd.DataFrame], imaged: Sequence[str] | None = None) -> xr.Dataset:
    """The region tables of all brains as one dataset.

    Args:
        design: the brains, in the order of `tables`.
        tables: columns of `regions.csv`, one row a region and hemisphere.
        imaged: of each brain the side that was imaged, left, right or both; by default what its coverage says.

    Returns:
        Variables of float64 over (brain, region, hemisphere), named as the columns, with `units` and `long_name`.
        Coordinates: `group`, `imaged` and the covariates by brain; `acronym`, `name`, `parent_id` (-1 for none) and
        `depth` by region.

    Raises `InputError` where tables have different regions, a row is doubled or missing, or a covariate has the name
    of a variable.
    """
    clash = sorted(RESERVED & set(design.covariates))
    if clash:
        raise InputError(f"the covariate {clash[0]!r} has a name that the tables use: rename that column of the design")
    first = tables[0].drop_duplicates("region_id")
    ids = first["region_id"].to_numpy(np.int64)
    layers = [_layers(table, ids, brain, design.brains[0]) for brain, table in zip(design.brains, tables, strict=True)]
    values = {
        name: (
            ("brain", "region", "hemisphere"),
            np.stack([layer[name] for layer in layers]),
            {"long_name": text, "units": unit},
        )
        for name, (text, unit) in VARIABLES.items()
    }
    parents = first["parent_id"].fillna(NO_PARENT).to_numpy(np.int64)
    return xr.Dataset(
        values,
        coords={
            "brain": list(design.brains),
            "region": ids,
            "hemisphere": list(HEMISPHERES),
            "group": ("brain", list(design.groups)),
            "imaged": ("brain", list(imaged or map(imaged_side, tables)), {"long_name": "side that was imaged"}),
            **{name: ("brain", list(column)) for name, column in design.covariates.items()},
            "acronym": ("region", first["acronym"].to_numpy(str)),
            "name": ("region", first["name"].to_numpy(str)),
            "parent_id": ("region", parents, {"long_name": f"region id of the parent, {NO_PARENT} for none"}),
            "depth": ("region", first["depth"].to_numpy(np.int64)),
        },
        attrs={"reference_group": design.reference},
    )


def parents_of(dataset: xr.Dataset) -> dict[int, int | None]:
    """Region -> parent, in the order of the dataset."""
    pairs = zip(dataset["region"].values.tolist(), dataset["parent_id"].values.tolist(), strict=True)
    return {region: None if parent == NO_PARENT else parent for region, parent in pairs}


def _layers(table: pd.DataFrame, ids: np.ndarray, brain: str, first: str) -> dict[str, np.ndarray]:
    """(n_regions, 3) of every variable."""
    if set(table["region_id"]) != set(ids.tolist()):
        alone = sorted(set(table["region_id"]) ^ set(ids.tolist()))
        raise InputError(
            f"the brains {first!r} and {brain!r} were counted with different atlases: {len(alone)} region ids "
            f"are in one of their tables alone, for example {alone[:3]}. Count all brains of a study with one atlas"
        )
    keyed = table.set_index(["region_id", "hemisphere"])
    wanted = pd.MultiIndex.from_product([ids, HEMISPHERES])
    if len(keyed) != len(wanted) or not keyed.index.is_unique or not wanted.isin(keyed.index).all():
        raise InputError(
            f"the region table of brain {brain!r} must have one row for each region and each of "
            f"{', '.join(HEMISPHERES)}: {len(wanted)} rows, got {len(keyed)}. Run `volumetric assign` on it again"
        )
    ordered = keyed.reindex(wanted)
    return {name: ordered[name].to_numpy(np.float64).reshape(len(ids), len(HEMISPHERES)) for name in VARIABLES}
