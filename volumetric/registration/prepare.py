"""Bringing a brain's image onto the atlas' terms: same orientation, same isotropic resolution.

    level (Z, Y, X) --clip--> --low-pass--> --turn--> --linear resampling--> Prepared.image

The *turned frame* is um from the centre of the level's corner voxel after the turn; `Prepared.turn` leads
there from the sample's own um. Law: for every point p of the sample, the image at
`space.to_vox(turn @ p)` shows what the level shows at `level_space.to_vox(p)`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumetric.errors import InputError
from volumetric.geometry.box import Index3, index3
from volumetric.geometry.field_of_view import Exclusion
from volumetric.geometry.orientation import AxisMap
from volumetric.geometry.space import Points, Um3, VoxelSpace, um3

EVEN_VOX = 6.0
"""Width in atlas voxels of the neighbourhood whose light is made even (5 to 8 give alike results)."""

FLAT_SHARE = 0.3

CLIP_QUANTILE = 0.995
"""Labelled cells and bright debris lie above it; the tissue's own contrast lies below."""


@dataclass(frozen=True)
class Prepared:
    """A brain ready to be registered.

    Args:
        image: (Z, Y, X) float32 in 0 to 1, axes turned to the atlas' orientation.
        tissue: (Z, Y, X) bool, all of it.
        damaged: (Z, Y, X) bool, what the user excluded, tissue or not.
        imaged: (Z, Y, X) bool, false behind the cuts of a brain of which a part was imaged.
        space: where the image's voxels lie in the turned frame, um.
        turn: (3, 4) float64 affine from the sample's own um to the turned frame; a permutation with flips.
        edges_um: physical edge lengths of the imaged volume along the turned axes.
        back: the turn of an array on this grid to the sample's own axes.
    """

    image: npt.NDArray[np.float32]
    tissue: npt.NDArray[np.bool_]
    damaged: npt.NDArray[np.bool_]
    imaged: npt.NDArray[np.bool_]
    space: VoxelSpace
    turn: npt.NDArray[np.float64]
    edges_um: Um3
    back: AxisMap

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """The tissue that was imaged, without what is damaged."""
        sound: npt.NDArray[np.bool_] = self.tissue & self.matched
        return sound

    @property
    def matched(self) -> npt.NDArray[np.bool_]:
        """What may be compared with the atlas: imaged and not damaged, tissue or not."""
        matched: npt.NDArray[np.bool_] = self.imaged & ~self.damaged
        return matched

    def at(self, spacing_um: Um3) -> Prepared:
        """The same brain with other voxels; one of which a quarter is damaged is."""
        if spacing_um == self.space.spacing_um:
            return self
        image, space = resample(self.image, self.space, spacing_um)
        tissue, damaged, imaged = (
            resample(mask.astype(np.float32), self.space, spacing_um)[0]
            for mask in (self.tissue, self.damaged, self.imaged)
        )
        return replace(
            self, image=image, space=space, tissue=tissue >= 0.5, damaged=damaged >= 0.25, imaged=imaged >= 0.5
        )

    def to_sample(self, points_um: npt.ArrayLike) -> Points:
        """(n, 3) um of the turned frame to the sample's own um."""
        points = np.asarray(points_um, dtype=np.float64).reshape(-1, 3)
        sample: Points = (points - self.turn[:, 3]) @ self.turn[:, :3]  # a turn's inverse is its transpose
        return sample

    @property
    def sample_grid(self) -> VoxelSpace:
        """Where the voxels of an array turned `back` lie in the sample's own um."""
        last = np.asarray(self.image.shape) - 1
        corners = self.to_sample(self.space.to_um(np.stack([np.zeros(3), last])))
        return VoxelSpace(um3(self.back.reorder(self.space.spacing_um)), um3(corners.min(axis=0)))


def prepare(
    level: npt.NDArray[np.generic],
    space: VoxelSpace,
    orientation: str,
    atlas_orientation: str,
    atlas_spacing_um: Um3,
    *,
    exclusion: Exclusion | None = None,
) -> Prepared:
    """Turn and resample one pyramid level to the atlas' orientation and resolution.

    Args:
        level: (Z, Y, X) real numbers, any type; about as fine as the atlas, or finer.
        space: the level's voxels in the sample's um.
        orientation: of the level, three letters.
        atlas_orientation: to turn to.
        atlas_spacing_um: voxel size of the result.
        exclusion: damaged tissue, in the sample's um: it is no part of the mask.

    Raises `InputError` for an image that is not three-dimensional, not finite or constant.
    """
    check_image(level)
    turn = AxisMap.between(orientation, atlas_orientation)
    shape = index3(level.shape)
    extent = um3((n - 1) * s for n, s in zip(shape, space.spacing_um, strict=True))
    matrix = turn.matrix(extent)
    matrix[:, 3] -= matrix[:, :3] @ np.asarray(space.origin_um)

    turned = turn.apply(normalise(level))
    spacing = um3(turn.reorder(space.spacing_um))
    image, grid = resample(turned, VoxelSpace(spacing), atlas_spacing_um)
    whole = Prepared(
        image=image,
        tissue=tissue_mask(image),
        damaged=np.zeros(image.shape, dtype=np.bool_),
        imaged=np.ones(image.shape, dtype=np.bool_),
        space=grid,
        turn=matrix,
        edges_um=VoxelSpace(spacing).extent_um(turned.shape),
        back=AxisMap.between(atlas_orientation, orientation),
    )
    if exclusion is None:
        return whole
    points = grid.to_um(np.indices(image.shape).reshape(3, -1).T)  # of the turned frame
    damaged = exclusion.at(whole.to_sample(points)).reshape(image.shape)
    prepared = replace(whole, damaged=damaged)
    if not prepared.mask.any():
        raise InputError("no tissue is left to register: the excluded part covers all of it")
    return prepared


def check_image(level: npt.NDArray[np.generic]) -> None:
    """Raises `InputError` unless the image is 3-D, finite and shows something."""
    if level.ndim != 3 or level.size == 0:
        raise InputError(f"registration needs a 3-D image (z, y, x), got shape {level.shape}")
    if not np.all(np.isfinite(level)):
        raise InputError("the image to register holds NaN or infinite values; replace them by the background")
    low, high = level.min(), level.max()
    if low == high:
        raise InputError(f"the image to register is constant ({low}): is it the right channel and level?")


def normalise(level: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    """The image as float32 from 0 (1st per cent) to 1 (99.5th), clipped; quantiles of non-zero voxels.

    Padding with zeros, common around slices, must not move the quantiles. Where fewer than two values are
    left between the quantiles the whole range is used.
    """
    image = level.astype(np.float32)
    seen = image[image != 0]
    low, high = (float(q) for q in np.quantile(seen, [0.01, CLIP_QUANTILE]))
    if low >= high:
        low, high = float(image.min()), float(image.max())
    image -= np.float32(low)
    image /= np.float32(high - low)
    return np.clip(image, 0, 1, out=image)


def even_light(image: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """The image with its local mean and spread made alike everywhere in the mask; 0 outside, float32.

    One histogram of a whole brain cannot explain a brightness that differs from place to place: uneven illumination
    and a region's own autofluorescence move its registered borders. Against the known map of a phantom the median
    error of one recipe fell from 0.5 to 0.2 atlas voxels. Both images must be treated alike. Where the tissue is flat
    its noise is not stretched: the spread is floored by a share of its median.
    """
    weight = mask.astype(np.float32)
    share = np.maximum(ndimage.gaussian_filter(weight, EVEN_VOX), 1e-3)
    mean = ndimage.gaussian_filter(image * weight, EVEN_VOX) / share
    spread = np.sqrt(ndimage.gaussian_filter((image - mean) ** 2 * weight, EVEN_VOX) / share)
    floor = max(FLAT_SHARE * float(np.median(spread[mask])) if mask.any() else 0.0, 1e-6)
    level = np.clip(0.55 + 0.2 * (image - mean) / (spread + floor), 0.05, 1)
    # The brain's outline keeps the softness of an image.
    even: npt.NDArray[np.float32] = (level * ndimage.gaussian_filter(weight, 0.7)).astype(np.float32)
    return even


def resample(
    image: npt.NDArray[np.float32], space: VoxelSpace, spacing_um: Um3
) -> tuple[npt.NDArray[np.float32], VoxelSpace]:
    """The image on a grid of another voxel size that covers the same volume, centred on it.

    A Gaussian first removes what the coarser grid cannot hold: the variance of a box as wide as a new voxel
    less that of an old one. Linear interpolation then; beyond the last centre the edge value holds.
    """
    ratio = np.asarray(spacing_um) / np.asarray(space.spacing_um)
    sigma = np.sqrt(np.maximum(ratio**2 - 1, 0) / 12)
    if np.any(sigma > 0):
        image = ndimage.gaussian_filter(image, sigma, mode="nearest")
    shape = grid_shape(space.extent_um(image.shape), spacing_um)
    first = [(n - 1) / 2 - (m - 1) / 2 * r for n, m, r in zip(image.shape, shape, ratio, strict=True)]
    out = ndimage.affine_transform(
        image, np.diag(ratio), offset=first, output_shape=shape, order=1, mode="nearest", output=np.float32
    )
    origin = um3(o + s * f for o, s, f in zip(space.origin_um, space.spacing_um, first, strict=True))
    return out, VoxelSpace(um3(spacing_um), origin)


def grid_shape(edges_um: Um3, spacing_um: Um3) -> Index3:
    """Fewest voxels of `spacing_um` that cover the edges, to within a thousandth of a voxel."""
    return index3(max(1, int(np.ceil(edge / step - 1e-3))) for edge, step in zip(edges_um, spacing_um, strict=True))


def tissue_mask(image: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """The largest bright body of the smoothed image, holes filled.

    Half of Otsu's threshold is used: within a brain dark tissue (ventricles' walls, white matter) lies between
    the background and the bulk.
    """
    smooth = ndimage.gaussian_filter(image, 1.0)
    if smooth.min() == smooth.max():
        return np.ones(image.shape, dtype=np.bool_)
    foreground = smooth > otsu_threshold(smooth) / 2
    labels, n = ndimage.label(foreground)
    if n == 0:
        return np.ones(image.shape, dtype=np.bool_)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    mask: npt.NDArray[np.bool_] = ndimage.binary_fill_holes(labels == int(sizes.argmax()))
    return mask


def otsu_threshold(image: npt.NDArray[np.float32]) -> float:
    """The value that splits the histogram into the two best separated classes (Otsu 1979)."""
    counts, edges = np.histogram(image, bins=256)
    centres = (edges[:-1] + edges[1:]) / 2
    below, above = np.cumsum(counts)[:-1], np.cumsum(counts[::-1])[::-1][1:]
    sums = np.cumsum(counts * centres)
    mean_below = sums[:-1] / np.maximum(below, 1)
    mean_above = (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    between = below.astype(np.float64) * above * (mean_below - mean_above) ** 2
    return float(edges[1 + int(between.argmax())])
