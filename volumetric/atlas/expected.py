"""How many cells there are in each region, from the detector's calibrated probabilities.

Probabilities are summed up the hierarchy, so that a region's cells are its own and those of its descendants; each row
then gets its own interval from the detector's `points.expected.CountModel`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volumetric.atlas.ontology import Ontology
from volumetric.atlas.tally import pieces
from volumetric.errors import InputError
from volumetric.points.expected import CountModel


@dataclass(frozen=True)
class Expected:
    """Cells of each region with its descendants: (n_regions, 3) float64 each, columns left, right, both.

    `low` and `high` are whole numbers, the central 95% interval.
    """

    mean: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]


def expected_counts(
    ontology: Ontology,
    placed: npt.NDArray[np.int32],
    probability: npt.NDArray[np.floating],
    model: CountModel,
) -> Expected:
    """The expected number of cells in every region, with its 95% interval.

    Args:
        ontology: the regions.
        placed: (n,) region and side of the cells as of `tally.place`; those outside the atlas are left out.
        probability: (n,) from 0 to 1, calibrated.
        model: of the detector.

    Raises `InputError` for probabilities outside 0 to 1.
    """
    own = np.zeros(2 * len(ontology.ids) + 1)
    for part in pieces(len(placed)):
        p = probability[part].astype(np.float64)
        if not np.all((p >= 0) & (p <= 1)):
            raise InputError("a probability of a cell lies outside 0 to 1: the detector's calibration is broken")
        own += np.bincount(placed[part], p, minlength=len(own))
    sides = own[:-1].reshape(-1, 2)
    summed = ontology.roll_up(np.column_stack([sides, sides.sum(axis=1)]))
    return Expected(model.mean(summed), *model.interval(summed))
