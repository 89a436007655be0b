"""Peaks of consecutive slices become cells: one row a cell.

    slice   z-1   z   z+1  z+2
    peaks    o----o----o    .      one chain, one cell
    peaks    o----o----.----o      a gap of one slice may be bridged
    peaks    O----o----O----o      a dip between two maxima: two cells that touch

Slices are pushed in ascending order; a chain is finished, and its cells are returned, as soon as no later slice can
continue it. Memory therefore holds a few slices, and the result does not depend on how the slices arrive.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import KDTree

from volumetric.errors import InputError
from volumetric.points.matching import match_points

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

PEAK_COLUMNS = ("z_vox", "y_vox", "x_vox", "score", "radius_px", "intensity", "background", "contrast")
CELL_COLUMNS = ("z_vox", "y_vox", "x_vox", "score", "n_slices", "radius_px", "intensity", "background")
_Z, _Y, _X, _SCORE, _RADIUS, _INTENSITY, _BACKGROUND, _CONTRAST, _CHAIN = range(9)


@dataclass(frozen=True, kw_only=True)
class LinkSettings:
    """How peaks make cells."""

    reach_px: float = 3.5
    """Largest step of a chain from slice to slice: a cell's radius, as its outline may shift that far."""

    duplicate_px: float = 2.5
    """Peaks of one slice nearer than this are one; the higher score stays."""

    max_gap: int = 0
    """Slices a chain may miss in its middle."""

    min_dip: float = 0.15
    """Fall of the score between two maxima that makes them two cells, as a share of the lower one."""

    max_slices: int = 12
    """The longest cell; longer chains are cut evenly."""

    def __post_init__(self) -> None:
        if (
            self.reach_px <= 0
            or self.duplicate_px < 0
            or self.max_gap < 0
            or self.max_slices < 1
            or not 0 < self.min_dip < 1
        ):
            raise InputError(f"linking needs a positive reach and length, a dip from 0 to 1, nothing negative: {self}")


class Linker:
    """Streams slices in, cells out."""

    def __init__(self, settings: LinkSettings) -> None:
        self.settings = settings
        self._rows: Floats = np.empty((0, _CHAIN + 1))
        self._last_z = -1
        self._next_chain = 0

    def push(self, z: int, peaks: pd.DataFrame) -> pd.DataFrame:
        """Add the peaks of slice z; returns the cells that are finished by it.

        Args:
            z: larger than in the call before; slices without peaks may be left out.
            peaks: all peaks of the slice, with the columns of `PEAK_COLUMNS`, in any order.

        Raises:
            InputError: slices out of order, or peaks of another slice.
        """
        if z <= self._last_z:
            raise InputError(f"slices must be pushed in ascending order: {z} after {self._last_z}")
        new = peaks[list(PEAK_COLUMNS)].to_numpy(dtype=np.float64)
        if np.any(new[:, _Z] != z):
            raise InputError(f"the peaks pushed as slice {z} belong to slices {np.unique(new[:, _Z])}")
        self._last_z = z
        done = self._take(self._ends() < z - 1 - self.settings.max_gap)
        new = _without_duplicates(new, self.settings.duplicate_px)
        chains = self._continue(new)
        self._rows = np.vstack([self._rows, np.column_stack([new, chains])])
        return done

    def finish(self) -> pd.DataFrame:
        """The cells of all chains still open; afterwards the linker is as new."""
        done = self._take(np.ones(len(self._rows), dtype=bool))
        self._last_z = -1
        return done

    def _ends(self) -> Ints:
        """Of each row, the last slice of its chain."""
        chains = self._rows[:, _CHAIN].astype(np.int64)
        if len(chains) == 0:
            return chains
        last = np.full(int(chains.max()) - int(chains.min()) + 1, -1, dtype=np.int64)
        np.maximum.at(last, chains - chains.min(), self._rows[:, _Z].astype(np.int64))
        ends: Ints = last[chains - chains.min()]
        return ends

    def _continue(self, new: Floats) -> Ints:
        """The chain of each new peak: an open one where it is matched, else a new one."""
        chains = np.full(len(new), -1, dtype=np.int64)
        tips = self._rows[self._ends() == self._rows[:, _Z]]
        pairs = match_points(tips[:, [_Y, _X]], new[:, [_Y, _X]], self.settings.reach_px)
        chains[pairs[:, 1]] = tips[pairs[:, 0], _CHAIN].astype(np.int64)
        fresh = chains < 0
        chains[fresh] = self._next_chain + np.arange(int(fresh.sum()))
        self._next_chain += int(fresh.sum())
        return chains

    def _take(self, finished: npt.NDArray[np.bool_]) -> pd.DataFrame:
        rows, self._rows = self._rows[finished], self._rows[~finished]
        return _cells(rows[np.lexsort((rows[:, _Z], rows[:, _CHAIN]))], self.settings)


def link_peaks(peaks: pd.DataFrame, settings: LinkSettings) -> pd.DataFrame:
    """The cells of a whole table of peaks (columns of `PEAK_COLUMNS`); columns of `CELL_COLUMNS`."""
    linker = Linker(settings)
    parts = [linker.push(int(str(z)), part) for z, part in peaks.groupby("z_vox", sort=True)]
    return pd.concat([*parts, linker.finish()], ignore_index=True)


def _without_duplicates(rows: Floats, distance: float) -> Floats:
    """Rows in a fixed order, less those within `distance` of one with a higher score."""
    rows = rows[np.lexsort((rows[:, _X], rows[:, _Y], -rows[:, _SCORE]))]
    kept = np.ones(len(rows), dtype=bool)
    near = KDTree(rows[:, [_Y, _X]]).query_pairs(distance) if len(rows) > 1 else set()
    for better, worse in sorted(near):
        kept[worse] &= not kept[better]
    unique: Floats = rows[kept]
    return unique


def _cells(rows: Floats, settings: LinkSettings) -> pd.DataFrame:
    """Cells of whole chains; rows are sorted by chain, then slice."""
    if len(rows) == 0:
        return pd.DataFrame({name: np.empty(0) for name in CELL_COLUMNS}).astype({"n_slices": np.int64})
    first = np.flatnonzero(np.diff(rows[:, _CHAIN], prepend=-1.0))
    length = np.diff(first, append=len(rows))
    # Most chains are too short to be cut, and are many.
    long = length > min(2, settings.max_slices)
    cuts = [a + _cuts(rows[a : a + n, _SCORE], settings) for a, n in zip(first[long], length[long], strict=True)]
    starts = np.sort(np.concatenate([first[~long], *cuts]))
    count = np.diff(starts, append=len(rows))
    best = np.maximum.reduceat(rows[:, _SCORE], starts)
    # Light, not its arcsinh, tells where a cell's middle is; a little of the score where there is none.
    weight = np.maximum(np.sinh(np.clip(rows[:, _CONTRAST], 0, 20)), 1e-3) * rows[:, _SCORE]
    total = np.add.reduceat(weight, starts)
    mean = np.add.reduceat(rows[:, :_CONTRAST] * weight[:, None], starts, axis=0) / total[:, None]
    return pd.DataFrame(
        {
            "z_vox": mean[:, _Z],
            "y_vox": mean[:, _Y],
            "x_vox": mean[:, _X],
            "score": best,
            "n_slices": count,
            "radius_px": np.maximum.reduceat(rows[:, _RADIUS], starts),
            "intensity": np.maximum.reduceat(rows[:, _INTENSITY], starts),
            "background": mean[:, _BACKGROUND],
        }
    )


def _cuts(profile: Floats, settings: LinkSettings) -> Ints:
    """Where the cells of one chain begin, from its score along z; the first is 0."""
    starts = [0]
    if len(profile) >= 3:
        starts = _cut_at_dips(profile, settings.min_dip)
    whole: list[int] = []
    for a, b in zip(starts, [*starts[1:], len(profile)], strict=True):
        pieces = -(-(b - a) // settings.max_slices)
        whole += [a + (b - a) * i // pieces for i in range(pieces)]
    return np.asarray(whole, dtype=np.int64)


def _cut_at_dips(profile: Floats, min_dip: float) -> list[int]:
    """One pass along z: a cell ends at the lowest slice between two maxima, if it is `min_dip` below the lower one."""
    starts, peak, low = [0], 0, 0
    for k in range(1, len(profile)):
        if profile[k] < profile[low]:
            low = k
        if profile[low] <= (1 - min_dip) * min(profile[k], profile[peak]):
            starts.append(low if profile[low + 1] - profile[low] < profile[low - 1] - profile[low] else low + 1)
            peak = low = k
        elif profile[k] >= profile[peak]:
            peak = low = k
    return starts
