"""The last fraction of a voxel: a registration corrected where SyN takes too long, or has ended.

Each step finds, around every voxel, the small displacement that explains best what still differs: the least squares
of Lucas and Kanade (IJCAI 1981) in three dimensions, with the slopes of both images (Benhimane and Malis, IROS 2004).
Tones need not agree: the brain's are fitted to the template's by a straight line in every neighbourhood (after
Guimond et al., IEEE Transactions on Medical Imaging 2001), which counts by how much of the template the line
explains. What fits far worse than its surroundings, as a vessel or haze of one brain alone, counts little (Geman and
McClure 1987). Little is expected to be left to correct, so that a displacement is the more held back the noisier and
the smaller the neighbourhood is from which it comes.

A step is shorter than `LONGEST` and smoothed by `SMOOTH`, so that it changes by at most 0.31 voxels from a voxel to the
next: it cannot fold, and its inverse is found by iteration. Steps are composed, not added.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumetric.geometry.box import index3
from volumetric.geometry.transform import SmoothMap
from volumetric.registration.quality import sample_through
from volumetric.registration.view import View

Image = npt.NDArray[np.float32]

TONE = 6.0
"""Sigma in voxels of the neighbourhood whose tones are fitted."""

LONGEST, SMOOTH = 0.5, 1.5
"""Voxels: length of a step, and sigma of its smoothing."""

EDGE = 12
"""Voxels within which the correction falls to nothing at the array's faces, where the brain may be cut."""

UNLIKE = 8.0
"""Times the usual squared residual at which a voxel's weight has fallen to a quarter."""

DAMPING = 50.0
"""The prior's share of the least squares in a window of one voxel, if 0.2 voxels are expected to be left and residuals
are alike over about 90 voxels: 90 / ((2 sqrt(pi))^3 0.2^2). Without it narrow windows follow noise."""

FLAT = 1e-5
"""Variance and squared slope, of images in 0 to 1, below which a neighbourhood says nothing of where it lies."""

UPPER = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
"""The entries of a symmetric 3 x 3 matrix."""

THREADS = 4
"""Whatever their number, the result is the same."""


def refined(
    fixed: View,
    moving: View,
    there: SmoothMap,
    back: SmoothMap,
    *,
    windows: Sequence[float],
    on_share: Callable[[float], None] = lambda share: None,
) -> tuple[SmoothMap, SmoothMap]:
    """The maps there (moving to fixed) and back, corrected; the first on its own grid, the other on `fixed`'s.

    Args:
        fixed: the template.
        moving: the brain.
        there: the map to be corrected.
        back: its inverse.
        windows: of the steps, sigmas in voxels of the neighbourhood that moves as one; wide ones first.
        on_share: told before every step which share of them is done.
    """
    shape = index3(fixed.image.shape)
    back = back.resampled(fixed.space, shape)
    for number, window in enumerate(windows):
        on_share(number / len(windows))
        seen = sample_through(moving.image, moving.space, back, order=3)
        known = sample_through(moving.weight, moving.space, back)
        moved = (
            step(fixed.image, seen, fixed.weight, known, window=window)
            * np.asarray(fixed.space.spacing_um, np.float32)[:, None, None, None]
        )
        correction = SmoothMap(np.eye(3, 4), moved, fixed.space)
        back = correction.then(back)
        there = there.then(correction.inverse(fixed.space, shape))
    return there, back


def step(fixed: Image, seen: Image, weight: Image, known: Image, *, window: float) -> Image:
    """The displacement in voxels, (3, Z, Y, X) float32, along which to look in `seen` for what `fixed` shows.

    Args:
        fixed: (Z, Y, X) float32 in 0 to 1.
        seen: the other image on the same grid.
        weight: the same shape, 0 where `fixed` shows nothing that is to be matched.
        known: the same shape, 0 where nothing is known of `seen`.
        window: sigma in voxels of the neighbourhood that moves as one.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        system = _normal_equations(fixed, seen, weight, known, window=window, pool=pool)
        moved = np.empty((3, *fixed.shape), np.float32)
        list(pool.map(lambda z: _solve(system[:, z], moved[:, z]), range(len(fixed))))
        smooth = list(pool.map(lambda component: _smooth(component, SMOOTH), moved))
    return np.stack(smooth) * _ends(fixed.shape)


def _normal_equations(
    fixed: Image, seen: Image, weight: Image, known: Image, *, window: float, pool: ThreadPoolExecutor
) -> Image:
    """Least squares around every voxel: the upper half of the matrix, then the right side; (9, Z, Y, X)."""
    line = _Line.fitted(fixed, seen, known, pool)
    usual = _smooth(known * line.residual**2, window) / np.maximum(_smooth(known, window), FLAT)
    trust = line.explained * weight * known / (1 + line.residual**2 / (UNLIKE * usual + FLAT)) ** 2
    slopes = list(
        pool.map(lambda axis: (np.gradient(fixed, axis=axis) + line.slope * np.gradient(seen, axis=axis)) / 2, range(3))
    )
    left = pool.map(lambda entry: _smooth(slopes[entry[0]] * slopes[entry[1]] * trust, window), UPPER)
    right = pool.map(lambda slope: _smooth(slope * line.residual * trust, window), slopes)
    system = np.stack([*left, *right])
    system[[UPPER.index((axis, axis)) for axis in range(3)]] += DAMPING / window**3 * usual
    return system


@dataclass(frozen=True)
class _Line:
    """The straight line from the tones of `seen` to those of `fixed` around every voxel; all (Z, Y, X).

    Args:
        slope: of the line.
        residual: what it leaves of `fixed`.
        explained: share of the variance of `fixed` that it explains, 0 to 1.
    """

    slope: Image
    residual: Image
    explained: Image

    @classmethod
    def fitted(cls, fixed: Image, seen: Image, known: Image, pool: ThreadPoolExecutor) -> _Line:
        """The line of the tones of what is known around a voxel (Knutsson and Westin, CVPR 1993)."""
        share, *sums = pool.map(
            lambda image: _smooth(known * image, TONE),
            (np.ones_like(fixed), fixed, seen, fixed**2, seen**2, fixed * seen),
        )
        share = np.maximum(share, FLAT, dtype=np.float32)
        mean, mean_seen, square, square_seen, product = (np.divide(part, share, dtype=np.float32) for part in sums)
        covariance = product - mean * mean_seen
        slope = covariance / (square_seen - mean_seen**2 + FLAT)
        residual = fixed - mean - slope * (seen - mean_seen)
        return cls(slope, residual, slope * covariance / (square - mean**2 + FLAT))


def _smooth(image: Image, sigma: float) -> Image:
    smooth: Image = ndimage.gaussian_filter(image, sigma, truncate=3, output=np.float32)
    return smooth


def _ends(shape: tuple[int, ...]) -> Image:
    """0 at the faces of an array, 1 from `EDGE` voxels on."""
    rise = [np.minimum(1, np.minimum(np.arange(n), np.arange(n)[::-1]) / EDGE).astype(np.float32) for n in shape]
    return np.asarray(rise[0][:, None, None] * rise[1][:, None] * rise[2])


@numba.njit(nogil=True, cache=True)
def _solve(system: Image, out: Image) -> None:  # pragma: no cover - compiled
    """Solve the system of every pixel of a plane, (9, Y, X) to (3, Y, X), and cut the result to `LONGEST`."""
    for y in range(system.shape[1]):
        for x in range(system.shape[2]):
            a, b, c, d, e, f, p, q, r = system[:, y, x]
            a, d, f = a + FLAT, d + FLAT, f + FLAT
            aa, ab, ac = d * f - e * e, c * e - b * f, b * e - c * d
            bb, bc, cc = a * f - c * c, b * c - a * e, a * d - b * b
            moved = aa * p + ab * q + ac * r, ab * p + bb * q + bc * r, ac * p + bc * q + cc * r
            scale = 1 / (a * aa + b * ab + c * ac)
            length = scale * np.sqrt(moved[0] ** 2 + moved[1] ** 2 + moved[2] ** 2)
            if length > LONGEST:
                scale *= LONGEST / length
            for axis in range(3):
                out[axis, y, x] = scale * moved[axis]
