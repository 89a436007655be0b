"""Blood vessels and fibres: smooth random walks strung with beads."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from volumetric.geometry.space import Points, Um3, VoxelSpace
from volumetric.phantom.blobs import Blobs


def random_tubes(
    rng: np.random.Generator,
    extent_um: Um3,
    space: VoxelSpace,
    *,
    count: int,
    length_um: float,
    radius_um: tuple[float, float],
    bend: float = 0.15,
) -> Blobs:
    """Beads along `count` tubes that wander through a box; as a mask (brightness 1) for `stamp(..., np.maximum)`.

    Args:
        rng: the only source of chance.
        extent_um: size of the box; walks start anywhere in it and may leave it.
        space: of the voxels.
        count: number of tubes.
        length_um: mean length; lengths are exponential.
        radius_um: smallest and largest radius, log-uniform, thinning by half along the tube.
        bend: change of direction in radians a step of 0.6 smallest radii.
    """
    if count == 0:
        return _beads(np.empty((0, 3)), np.empty(0), space)
    step = 0.6 * radius_um[0]
    start = rng.uniform(0, extent_um, (count, 3))
    low, high = np.log(radius_um)
    radius = np.exp(rng.uniform(low, high, count))
    steps = np.ceil(np.minimum(rng.exponential(length_um, count), 4 * length_um) / step).astype(np.int64) + 1
    heading = rng.standard_normal((count, 3))
    turns = rng.standard_normal((int(steps.max()), count, 3)) * bend
    path = np.empty((len(turns), count, 3))
    for i, turn in enumerate(turns):
        heading = heading / np.linalg.norm(heading, axis=1, keepdims=True) + turn
        path[i] = start
        start = start + heading / np.linalg.norm(heading, axis=1, keepdims=True) * step
    along = np.arange(len(turns))[:, None] / steps
    alive = along < 1
    return _beads(path[alive], (radius * (1 - 0.5 * along))[alive], space)


def _beads(centres_um: Points, radius_um: npt.NDArray[np.float64], space: VoxelSpace) -> Blobs:
    lateral = (space.spacing_um[1] + space.spacing_um[2]) / 2
    return Blobs(
        centre_vox=space.to_vox(centres_um),
        radius_px=(radius_um / lateral).astype(np.float32),
        # A bead thinner than a slice still shows in the slice that holds it.
        half_slices=np.maximum(radius_um / space.spacing_um[0], 0.5).astype(np.float32),
        brightness=np.ones(len(centres_um), dtype=np.float32),
        softness=0.12,
    )
