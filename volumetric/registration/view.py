"""What of a brain or a template is matched: its image in even light, and how much each voxel counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumetric.geometry.space import Um3, VoxelSpace
from volumetric.registration.prepare import Prepared, even_light, normalise, resample, tissue_mask


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


def template_view(template: npt.NDArray[np.generic], space: VoxelSpace, spacing_um: Um3) -> View:
    """The template on voxels of another size; its tissue counts."""
    image, grid = resample(normalise(template), space, spacing_um)
    mask = tissue_mask(image)
    return View(even_light(image, mask), ndimage.gaussian_filter(mask.astype(np.float32), 1.0), grid)


def sample_view(sample: Prepared) -> View:
    """The brain in the turned frame; all that was imaged and is not damaged counts."""
    return View(even_light(sample.image, sample.mask), (~sample.damaged).astype(np.float32), sample.space)


def turned_back(view: View, sample: Prepared) -> View:
    """A view of the sample in its own axes and um."""
    return View(sample.back.apply(view.image), sample.back.apply(view.weight), sample.sample_grid)
