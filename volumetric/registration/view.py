"""What of a brain or a template is matched: its image in even light, and how much each voxel counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumetric.geometry.space import Um3, VoxelSpace, um3
from volumetric.registration.prepare import Prepared, even_light, see


@dataclass(frozen=True)
class View:
    """An image to be matched.

    Args:
        image: (Z, Y, X) float32 in 0 to 1.
        weight: the same shape, 0 where it shows nothing to be matched.
        space: where its voxels lie, um.
    """

    image: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float32]
    space: VoxelSpace


def widened(view: View, margin: int) -> View:
    """The view with empty voxels put around it, which count as its outermost ones do."""
    origin = (o - margin * s for o, s in zip(view.space.origin_um, view.space.spacing_um, strict=True))
    space = VoxelSpace(view.space.spacing_um, um3(origin))
    return View(np.pad(view.image, margin), np.pad(view.weight, margin, mode="edge"), space)


def continued(view: View) -> View:
    """The view with the nearest voxel that counts in place of each that does not: what is smoothed stays as it is."""
    unknown = view.weight <= 0
    if not unknown.any():
        return view
    nearest = ndimage.distance_transform_edt(unknown, return_distances=False, return_indices=True)
    return View(view.image[tuple(nearest)], view.weight, view.space)


def template_view(template: npt.NDArray[np.generic], space: VoxelSpace, spacing_um: Um3) -> View:
    """The template on voxels of another size; its tissue counts."""
    seen = see(template, space, spacing_um)
    weight = ndimage.gaussian_filter(seen.tissue.astype(np.float32), 1.0)
    return View(even_light(seen.image, seen.tissue), weight, seen.space)


def sample_view(sample: Prepared) -> View:
    """The brain in the turned frame; all that was imaged and is not damaged counts."""
    return View(
        even_light(sample.image, sample.tissue & ~sample.damaged), sample.matched.astype(np.float32), sample.space
    )


def turned_back(view: View, sample: Prepared) -> View:
    """A view of the sample in its own axes and um."""
    return View(sample.back.apply(view.image), sample.back.apply(view.weight), sample.sample_grid)
