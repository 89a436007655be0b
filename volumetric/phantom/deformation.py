"""The known map from the phantom's sample space to its atlas: a turn, a small affine and smooth waves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from volumetric.errors import InputError
from volumetric.geometry.orientation import AxisMap
from volumetric.geometry.space import Points, Um3, VoxelSpace, um3
from volumetric.geometry.transform import SmoothMap

_STEPS = 24
"""Grid points of the displacement along each axis; its waves are a brain long, so that linear pieces follow them."""


def random_deformation(
    rng: np.random.Generator,
    extent_um: Um3,
    turn: AxisMap,
    *,
    strength: float,
    rotation_deg: float = 4.0,
    stretch: float = 0.04,
) -> SmoothMap:
    """A smooth invertible map of a sample box onto an atlas box of the same extent, turned.

    Args:
        rng: the only source of chance.
        extent_um: size of the sample box along its own axes.
        turn: from the sample's orientation to the atlas'.
        strength: largest displacement of the waves, relative to the mean extent.
        rotation_deg: largest turn about each axis.
        stretch: largest relative change of each length.

    Returns:
        The map, um of the sample to um of the atlas; the displacement's grid reaches half the extent beyond the box.

    Raises:
        InputError: a strength at which the map folds (its Jacobian is not positive everywhere).
    """
    turned = turn.matrix(extent_um)
    middle = turned[:, :3] @ (np.asarray(extent_um) / 2) + turned[:, 3]
    small = Rotation.from_euler("zyx", rng.uniform(-rotation_deg, rotation_deg, 3), degrees=True).as_matrix()
    small = small @ np.diag(1 + rng.uniform(-stretch, stretch, 3))
    linear = small @ turned[:, :3]
    affine = np.column_stack([linear, middle - linear @ (np.asarray(extent_um) / 2)])
    spacing = um3(2 * e / (_STEPS - 1) for e in extent_um)
    grid = VoxelSpace(spacing, um3(-e / 2 for e in extent_um))
    waves = _waves(rng, (_STEPS,) * 3)
    waves *= strength * float(np.mean(extent_um)) / np.linalg.norm(waves, axis=0).max()
    smooth = SmoothMap(affine, waves.astype(np.float32), grid)
    if jacobian(smooth).min() * np.sign(np.linalg.det(linear)) <= 0.1:
        raise InputError(f"a deformation of {strength:g} of the brain's size folds it; take a smaller one, e.g. 0.04")
    return smooth


def _waves(rng: np.random.Generator, shape: tuple[int, int, int]) -> npt.NDArray[np.float64]:
    """Three components, each a sum of four plane waves 1.2 to 2 box lengths long; the grid spans two boxes."""
    position = np.stack(np.meshgrid(*(np.linspace(0, 2, n) for n in shape), indexing="ij"))
    total = np.zeros((3, *shape))
    for component in range(3):
        for _ in range(4):
            heading = rng.standard_normal(3)
            heading *= 2 * np.pi / rng.uniform(1.2, 2.0) / np.linalg.norm(heading)
            total[component] += np.sin(np.tensordot(heading, position, axes=1) + rng.uniform(0, 2 * np.pi))
    return total


def jacobian(smooth: SmoothMap) -> npt.NDArray[np.float64]:
    """Determinant of the map's derivative on the displacement's grid; (Z, Y, X), negative where axes are mirrored."""
    steps = smooth.grid.spacing_um
    derivative = np.stack([np.gradient(smooth.on_grid()[i].astype(np.float64), *steps) for i in range(3)])
    return np.asarray(np.linalg.det(np.moveaxis(derivative, (0, 1), (-2, -1))))


def moved(smooth: SmoothMap, start_um: Points) -> SmoothMap:
    """The same map for a sample space whose origin lies at `start_um`, (3,), of the old one."""
    affine = smooth.affine.copy()
    affine[:, 3] += affine[:, :3] @ start_um
    grid = VoxelSpace(smooth.grid.spacing_um, um3(o - s for o, s in zip(smooth.grid.origin_um, start_um, strict=True)))
    return SmoothMap(affine, smooth.displacement_um, grid)
