"""Do layouts lie as real ones do? The pair correlation of tiles that a model has not seen, beside its simulations.

The numbers of cells of the real tiles may be given to the model, which is then asked for nothing but where cells lie,
or come from it. Tiles with fewer than two cells say nothing either way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from volumetric.synthesis.fit_process import fit, pairs_within
from volumetric.synthesis.fitted_layout import FittedLayout
from volumetric.synthesis.method_layout import MethodLayout
from volumetric.synthesis.pair_correlation import Pattern, pair_correlation
from volumetric.synthesis.point_process import PointProcess

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Shapes = Sequence[tuple[int, int]]


def counts_of(patterns: Sequence[Pattern], times: int) -> Counts:
    """(times, tiles) the tiles' own numbers of cells, each time the same."""
    return np.tile(np.asarray([len(one.yx) for one in patterns], dtype=np.int64), (times, 1))


def drawn_counts(layout: FittedLayout, shapes: Shapes, times: int, rng: np.random.Generator) -> Counts:
    """(times, tiles) numbers of cells as the model has them."""
    tiles = np.asarray([one.tiles for one in layout.regions], dtype=np.float64)
    return np.asarray(
        [
            [layout.regions[k].counts.sample(y * x, rng) for k, (y, x) in zip(region, shapes, strict=True)]
            for region in rng.choice(len(tiles), (times, len(shapes)), p=tiles / tiles.sum())
        ],
        dtype=np.int64,
    )


def process_curves(
    process: PointProcess, counts: Counts, shapes: Shapes, edges: Floats, rng: np.random.Generator
) -> Floats:
    """g(r) of simulations, (times, k); NaN where no tile has two cells.

    Args:
        process: to simulate.
        counts: (times, tiles) of cells.
        shapes: pixels (y, x) of each tile.
        edges: (k + 1,) px.
        rng: of all that is drawn.
    """
    found: list[list[Pattern]] = [[] for _ in counts]
    for shape in sorted(set(shapes)):
        own = counts[:, [one == shape for one in shapes]]
        for n in np.unique(own[own > 1]).tolist():
            times = np.nonzero(own == n)[0]
            for time, yx in zip(times.tolist(), process.simulate(n, shape, rng, len(times)), strict=True):
                found[time].append(Pattern(yx, shape))
    return np.asarray([pair_correlation(patterns, edges) for patterns in found])


def method_curves(
    method: MethodLayout, counts: Counts, shapes: Shapes, edges: Floats, rng: np.random.Generator
) -> Floats:
    """The same of the method's sampler; cells that it rejects are not made up for."""
    return np.asarray(
        [
            pair_correlation(
                [
                    Pattern(method.of_cells(n, shape, rng).yx, shape)
                    for n, shape in zip(once, shapes, strict=True)
                    if n > 1
                ],
                edges,
            )
            for once in counts.tolist()
        ]
    )


def resampled_fits(
    units: Sequence[Sequence[Pattern]], reach_px: float, diameter_px: float, times: int, rng: np.random.Generator
) -> list[PointProcess]:
    """Fits to units drawn with replacement: how well a fit is known.

    Args:
        units: what is independent, such as the planes of one volume, or one tile.
        reach_px: as `fit_process.fit`.
        diameter_px: the same.
        times: how many fits.
        rng: of all that is drawn.
    """
    fits: list[PointProcess] = []
    while len(fits) < times:
        drawn = [one for k in rng.integers(len(units), size=len(units)).tolist() for one in units[k]]
        if pairs_within(drawn, reach_px):  # of none nothing can be told
            fits.append(fit(drawn, reach_px, diameter_px=diameter_px, least_pairs=1))
    return fits
