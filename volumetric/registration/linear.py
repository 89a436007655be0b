"""The linear part of a registration: where a brain lies in the atlas, how it is turned and how long it is.

From the place where its box fits best, first by the images' own tones on coarse voxels, then in even light, where the
structures inside count as much as the outline.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumetric.geometry.space import VoxelSpace, um3
from volumetric.registration.affine import Fitted, fit_affine
from volumetric.registration.placement import Placement, Template, boxed
from volumetric.registration.prepare import Prepared
from volumetric.registration.resample import resample
from volumetric.registration.view import View, sample_view, template_view

SIGMAS = (1.0, 0.5)
"""Voxels of smoothing, of the images' own tones and then of those in even light."""

HOLD = 0.002
"""What a stretch or shear by a tenth costs in correlation: a slab of 4.5 mm then has the length it has in the whole
brain to 1%, and is up to 8% too long without."""

AROUND = 2
"""Voxels around the tissue that are compared too: its outline counts, the far emptiness does not."""


@dataclass(frozen=True)
class Linear:
    """A linear map from atlas um to the turned frame's um.

    Args:
        affine: (3, 4).
        correlation: of the images in even light through it.
    """

    affine: npt.NDArray[np.float64]
    correlation: float

    @property
    def scales(self) -> tuple[float, float, float]:
        """How long a length of the atlas along each of its axes is in the sample."""
        return um3(float(length) for length in np.linalg.norm(self.affine[:, :3], axis=0))

    @property
    def volume_scale(self) -> float:
        """Volumes of the sample in those of the atlas."""
        return abs(float(np.linalg.det(self.affine[:, :3])))


def fit_linear(
    sample: Prepared,
    template: npt.NDArray[np.generic],
    atlas_space: VoxelSpace,
    *,
    coarse: Template | None = None,
    placement: Placement | None = None,
) -> Linear:
    """Find the linear map from the atlas to a brain, or to the part of it that was imaged.

    Args:
        sample: the brain.
        template: (Z, Y, X) of the atlas.
        atlas_space: its voxels.
        coarse: the same template for `placement`, where it is made already.
        placement: of the brain, where it is known already.
    """
    coarse = coarse or Template(template, atlas_space)
    affine = (placement or coarse.place(*boxed(sample))).affine
    window, grid = resample(*boxed(sample), um3((coarse.step_um,) * 3))
    window_view = View(window, np.ones_like(window), grid)
    coarse_view = View(coarse.image, np.ones_like(coarse.image), coarse.space)
    affine = _smoothly(window_view, coarse_view, affine).affine
    step = um3(max(coarse.step_um / 2, spacing) for spacing in atlas_space.spacing_um)
    view, seen = template_view(template, atlas_space, step), sample_view(sample.at(step))
    around = ndimage.binary_dilation(sample.at(step).mask, iterations=AROUND) & (seen.weight > 0)
    found = _smoothly(View(seen.image, around.astype(np.float32), seen.space), view, affine)
    return Linear(found.affine, found.correlation)


def _smoothly(window: View, template: View, affine: npt.NDArray[np.float64]) -> Fitted:
    """The affine map fitted to smooth images, then to sharper ones."""
    fitted = Fitted(affine, 0.0)
    for sigma in SIGMAS:
        one, other = (replace(view, image=ndimage.gaussian_filter(view.image, sigma)) for view in (window, template))
        fitted = fit_affine(one, other, fitted.affine, hold=HOLD)
    return fitted
