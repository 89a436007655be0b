"""How well the cells found in a phantom agree with the true ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from volumetric.errors import InputError
from volumetric.points.matching import match_points

PLACE = ["z_um", "y_um", "x_um"]

LEAST_CELLS = 100
"""True cells below which a region's relative error says more about chance than about the counting."""


def score_cells(true_cells: pd.DataFrame, found_cells: pd.DataFrame, tolerance_um: float = 10.0) -> dict[str, Any]:
    """Agreement of found with true cells, one to one.

    Args:
        true_cells: columns z_um, y_um, x_um.
        found_cells: the same columns.
        tolerance_um: the largest distance of a pair.

    Returns:
        cells_true, cells_found; recall, precision, f1; count_error = |found - true| / true; tolerance_um.

    Raises:
        InputError: a column is missing, or there are no true cells.
    """
    return _agreement(true_cells, found_cells, _match(true_cells, found_cells, tolerance_um), tolerance_um)


def _match(true_cells: pd.DataFrame, found_cells: pd.DataFrame, tolerance_um: float) -> npt.NDArray[np.int64]:
    _require(true_cells, "true", PLACE)
    _require(found_cells, "found", PLACE)
    if len(true_cells) == 0:
        raise InputError("there are no true cells, so nothing can be scored")
    truth, found = (t[PLACE].to_numpy(np.float64) for t in (true_cells, found_cells))
    return match_points(truth, found, tolerance_um)


def _agreement(
    true_cells: pd.DataFrame, found_cells: pd.DataFrame, matched: npt.NDArray[np.int64], tolerance_um: float
) -> dict[str, Any]:
    n_true, n_found, pairs = len(true_cells), len(found_cells), len(matched)
    recall, precision = pairs / n_true, pairs / n_found if n_found else 0.0
    return {
        "cells_true": n_true,
        "cells_found": n_found,
        "recall": recall,
        "precision": precision,
        "f1": 2 * pairs / (n_true + n_found),
        "count_error": abs(n_found - n_true) / n_true,
        "tolerance_um": tolerance_um,
    }


def score_brain(true_cells: pd.DataFrame, found_cells: pd.DataFrame, tolerance_um: float = 10.0) -> dict[str, Any]:
    """`score_cells`, and how well the regions' own counts agree.

    Both tables also have the columns region_id, 0 outside the atlas, and hemisphere. Further keys:
    median_region_error, the median of |found - true| / true over regions with at least 100 true cells (both
    hemispheres, descendants not included), None where no region has so many; region_agreement and
    hemisphere_agreement, the share of the matched cells that were put where they belong, None without any.
    """
    for name, table in (("true", true_cells), ("found", found_cells)):
        _require(table, name, ["region_id", "hemisphere"])
    matched = _match(true_cells, found_cells, tolerance_um)
    result = _agreement(true_cells, found_cells, matched, tolerance_um)
    errors = region_errors(true_cells, found_cells)
    result["median_region_error"] = float(errors.median()) if len(errors) else None
    for column in ("region_id", "hemisphere"):
        true, found = (t[column].to_numpy()[i] for t, i in zip((true_cells, found_cells), matched.T, strict=True))
        result[f"{column.removesuffix('_id')}_agreement"] = float(np.mean(true == found)) if len(matched) else None
    return result


def region_errors(true_cells: pd.DataFrame, found_cells: pd.DataFrame) -> pd.Series[float]:
    """|found - true| / true by region_id, for regions with at least 100 true cells."""
    _require(true_cells, "true", ["region_id"])
    _require(found_cells, "found", ["region_id"])
    true = true_cells["region_id"].astype("int64").value_counts()
    true = true[(true >= LEAST_CELLS) & (true.index != 0)]
    found = found_cells["region_id"].astype("int64").value_counts().reindex(true.index, fill_value=0)
    return (found - true).abs() / true


def _require(table: pd.DataFrame, name: str, columns: list[str]) -> None:
    missing = [column for column in columns if column not in table]
    if missing:
        raise InputError(f"the table of {name} cells lacks the columns {', '.join(missing)}")
