"""Soft ellipsoids stamped into slices: cells, debris and the beads of which vessels are strung.

A blob's light depends on the normalised radius rho alone (1 at its surface):

    light(rho) = brightness * [1 + exp(-1/s)] / [1 + exp((rho - 1)/s)] * [1 - hollow * exp(-4 rho^2)]

with the softness s: 0.1 is a disc with a crisp rim, 0.35 nearly a Gaussian.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]

_REACH = 4.0
"""Softnesses beyond the surface at which a blob's light (below 2%) is cut off."""


def profile(rho: npt.ArrayLike, softness: npt.ArrayLike) -> Floats:
    """Relative light at the normalised radius `rho`, 1 in the middle; float32."""
    rho32, soft = np.asarray(rho, dtype=np.float32), np.asarray(softness, dtype=np.float32)
    beyond = np.minimum((rho32 - 1) / soft, 40)
    light: Floats = (1 + np.exp(-1 / soft)) / (1 + np.exp(beyond))
    return light


@dataclass(frozen=True)
class Blobs:
    """n soft ellipsoids, upright in z.

    Args:
        centre_vox: (n, 3) float64 centres (z, y, x).
        radius_px: (n,) mean lateral radius.
        half_slices: (n,) half height along z in slices.
        brightness: (n,) light in the middle.
        aspect: (n,) or scalar, longer over shorter lateral axis, >= 1.
        angle: (n,) or scalar, radians from y to the longer axis.
        softness: (n,) or scalar, see the module.
        hollow: (n,) or scalar, 0 filled to 1 dark in the middle.
    """

    centre_vox: Points
    radius_px: Floats
    half_slices: Floats
    brightness: Floats
    aspect: Floats | float = 1.0
    angle: Floats | float = 0.0
    softness: Floats | float = 0.2
    hollow: Floats | float = 0.0

    def __len__(self) -> int:
        return len(self.centre_vox)

    def stamp(self, plane: Floats, z: int, combine: np.ufunc = np.add) -> None:
        """Combine the cross-sections at slice `z` with the (Y, X) float32 `plane`, in place."""
        n = len(self)
        each = {
            name: np.broadcast_to(np.asarray(getattr(self, name), dtype=np.float32), n)
            for name in ("radius_px", "half_slices", "brightness", "aspect", "angle", "softness", "hollow")
        }
        above = (z - self.centre_vox[:, 0]).astype(np.float32) / each["half_slices"]
        reach = 1 + _REACH * each["softness"]
        extent = each["radius_px"] * np.sqrt(each["aspect"]) * reach
        low, high = -extent[:, None], np.asarray(plane.shape) - 1 + extent[:, None]
        lateral = self.centre_vox[:, 1:]
        met = (np.abs(above) < reach) & np.all((lateral > low) & (lateral < high), axis=1)
        if not met.any():
            return
        side = int(np.ceil(extent[met].max()))
        padded = np.pad(plane, side + 1 + side)
        index, light = _windows(
            padded.shape[1], side, lateral[met], above[met], {k: v[met, None, None] for k, v in each.items()}
        )
        combine.at(padded.reshape(-1), index.ravel(), light.ravel())
        inner = slice(2 * side + 1, -(2 * side + 1))
        plane[:] = padded[inner, inner]


def _windows(
    width: int, side: int, lateral: Points, above: Floats, each: dict[str, Floats]
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Flat index and light of windows of 2 side + 1 pixels around each centre, in a plane padded by as many."""
    window = np.arange(-side, side + 1)
    middle = np.floor(lateral + 0.5).astype(np.int64)
    y, x = (window + middle[:, axis, None] for axis in range(2))
    dy = (y - lateral[:, :1]).astype(np.float32)[:, :, None]
    dx = (x - lateral[:, 1:]).astype(np.float32)[:, None, :]
    cos, sin, stretch = np.cos(each["angle"]), np.sin(each["angle"]), np.sqrt(each["aspect"])
    along = (cos * dy + sin * dx) / (each["radius_px"] * stretch)
    across = (cos * dx - sin * dy) / (each["radius_px"] / stretch)
    rho2 = along**2 + across**2 + above[:, None, None] ** 2
    light = each["brightness"] * profile(np.sqrt(rho2), each["softness"])
    light *= (1 - each["hollow"] * np.exp(-4 * rho2)) * (rho2 < (1 + _REACH * each["softness"]) ** 2)
    pad = 2 * side + 1
    return (y[:, :, None] + pad) * width + x[:, None, :] + pad, light
