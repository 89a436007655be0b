"""Candidates as clusters of clicks: HDBSCAN, merged cells split by a Gaussian mixture (method, section 2.4).

Campello et al. 2015; the method's own settings are not published: ours are the constants and defaults below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.cluster import HDBSCAN
from sklearn.mixture import GaussianMixture

from volumetric.crowd.clicks import TileClicks
from volumetric.errors import InputError

Ints = npt.NDArray[np.int64]

FEWEST = 3
"""Clicks in a cluster, where it does not follow from the number of workers."""

CLICKS_QUANTILE = 0.75
"""Over its workers, of the clicks that each made in a cluster: how many cells it holds."""

LEAST_VARIANCE_PX2 = 0.5
"""Of a component, so that clicks at one place do not end the fit."""


@dataclass(frozen=True)
class Clusters:
    """Maker of candidates from clusters.

    HDBSCAN takes no tile for a single cluster: where all clicks are on one cell, it may fall to pieces.

    Args:
        fewest: clicks in a cluster, the method's way.
        share: of the viewers of the tile instead; None for a fixed number. With a fixed one, clusters of chance clicks
            grow with the crowd.
        seed: of the mixtures.
    """

    fewest: int = FEWEST
    share: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.fewest < 2 or (self.share is not None and not 0 < self.share <= 1):
            raise InputError(f"a cluster has at least 2 clicks, or a share of the viewers from 0 to 1, got {self}")

    def __call__(self, tile: TileClicks) -> Ints:
        """Groups of clicks; see `candidates.Maker`. Clicks that are in no cluster are groups of their own."""
        size = self.fewest if self.share is None else max(2, round(self.share * len(tile.viewers)))
        if len(tile.yx) <= size or np.ptp(tile.yx, axis=0).max() == 0:
            # Too few, or too alike, to tell clusters from noise: one cluster.
            return np.zeros(len(tile.yx), dtype=np.int64)
        found = HDBSCAN(min_cluster_size=size, copy=True).fit_predict(tile.yx).astype(np.int64)
        member = found.copy()
        after = int(found.max()) + 1
        for cluster in range(after):
            own = np.flatnonzero(found == cluster)
            parts = self._split(tile, own)
            member[own[parts > 0]] = after + parts[parts > 0] - 1
            after += int(parts.max())
        alone = member < 0
        member[alone] = after + np.arange(np.count_nonzero(alone))
        return np.unique(member, return_inverse=True)[1].astype(np.int64)

    def _split(self, tile: TileClicks, own: Ints) -> Ints:
        """(n,) part of each click of a cluster: as many as workers say who clicked several times in it."""
        count = np.unique(tile.worker[own], return_counts=True)[1]
        cells = round(float(np.quantile(count, CLICKS_QUANTILE)))
        if cells < 2 or len(own) <= 2 * cells or len(np.unique(tile.yx[own], axis=0)) < cells:
            return np.zeros(len(own), dtype=np.int64)
        mixture = GaussianMixture(cells, reg_covar=LEAST_VARIANCE_PX2, random_state=self.seed)
        return np.asarray(mixture.fit_predict(tile.yx[own]), dtype=np.int64)
