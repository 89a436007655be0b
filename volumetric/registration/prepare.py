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
from volumetric.geometry.box import index3
from volumetric.geometry.field_of_view import Exclusion
from volumetric.geometry.orientation import AxisMap
from volumetric.geometry.space import Points, Um3, VoxelSpace, um3
from volumetric.registration.body import CUBE, Body, Light, completed, find_body
from volumetric.registration.resample import resample, sampled, share

EVEN_VOX = 6.0
"""Width in atlas voxels of the neighbourhood whose light is made even (5 to 8 give alike results)."""

FLAT_SHARE = 0.3

COVERED = 0.25
"""Share of a voxel from which what covers it has it."""

NEAR_VOX = 1
"""Voxels of the outline's grid around it in which tissue is still looked for."""


@dataclass(frozen=True)
class Prepared:
    """A brain ready to be registered.

    Args:
        image: (Z, Y, X) float32 in 0 to 1, axes turned to the atlas' orientation.
        tissue: (Z, Y, X) bool, all of it.
        damaged: (Z, Y, X) bool, what the user excluded, tissue or not.
        imaged: (Z, Y, X) bool, false behind the cuts of a brain of which a part was imaged.
        bright: (Z, Y, X) bool, what is brighter than any tissue: it hides what is beneath.
        body: the brain as it was found, in the turned frame.
        space: where the image's voxels lie in the turned frame, um.
        turn: (3, 4) float64 affine from the sample's own um to the turned frame; a permutation with flips.
        back: the turn of an array on this grid to the sample's own axes.
    """

    image: npt.NDArray[np.float32]
    tissue: npt.NDArray[np.bool_]
    damaged: npt.NDArray[np.bool_]
    imaged: npt.NDArray[np.bool_]
    bright: npt.NDArray[np.bool_]
    body: Body
    space: VoxelSpace
    turn: npt.NDArray[np.float64]
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

    @property
    def brain(self) -> npt.NDArray[np.float32]:
        """The image of the tissue alone; 0 around it, where it is damaged and where a bright object hides it."""
        return np.where(self.mask & ~self.bright, self.image, np.float32(0))

    def at(self, spacing_um: Um3) -> Prepared:
        """The same brain with other voxels; one of which a quarter is damaged is."""
        if spacing_um == self.space.spacing_um:
            return self
        image, space = resample(self.image, self.space, spacing_um)
        tissue, damaged, bright, imaged = (
            share(mask, self.space, spacing_um) for mask in (self.tissue, self.damaged, self.bright, self.imaged)
        )
        return replace(
            self,
            image=image,
            space=space,
            tissue=tissue >= 0.5,
            damaged=damaged >= COVERED,
            bright=bright >= COVERED,
            imaged=imaged >= 0.5,
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
    brain_um3: float | None = None,
) -> Prepared:
    """Turn and resample one pyramid level to the atlas' orientation and resolution.

    Args:
        level: (Z, Y, X) real numbers, any type; about as fine as the atlas, or finer.
        space: the level's voxels in the sample's um.
        orientation: of the level, three letters.
        atlas_orientation: to turn to.
        atlas_spacing_um: voxel size of the result.
        exclusion: damaged tissue, in the sample's um: it counts neither in the normalisation nor in the mask.
        brain_um3: volume of a whole brain of the atlas, by which it is told from other large bodies.

    Raises `InputError` for an image that is not three-dimensional, not finite or constant.
    """
    check_image(level)
    turn = AxisMap.between(orientation, atlas_orientation)
    shape = index3(level.shape)
    extent = um3((n - 1) * s for n, s in zip(shape, space.spacing_um, strict=True))
    matrix = turn.matrix(extent)
    matrix[:, 3] -= matrix[:, :3] @ np.asarray(space.origin_um)

    frame = VoxelSpace(um3(turn.reorder(space.spacing_um)))
    out = None if exclusion is None else turn.apply(exclusion.on(space, shape).mask)
    seen = see(turn.apply(level), frame, atlas_spacing_um, excluded=out, brain_um3=brain_um3)
    prepared = Prepared(
        image=seen.image,
        tissue=seen.tissue,
        damaged=seen.excluded,
        bright=seen.hidden,
        body=seen.body,
        imaged=np.ones(seen.image.shape, dtype=np.bool_),
        space=seen.space,
        turn=matrix,
        back=AxisMap.between(atlas_orientation, orientation),
    )
    if not prepared.mask.any():
        if exclusion is not None:
            raise InputError("no tissue is left to register: the excluded part covers all of it")
        raise InputError(
            f"no tissue is left at the atlas' resolution, {min(atlas_spacing_um):g} um: check --voxel-um (micrometres; "
            "slices, rows, columns) and the channel"
        )
    return prepared


@dataclass(frozen=True)
class Seen:
    """An image on another grid, and what of it is tissue.

    Args:
        image: (Z, Y, X) float32 in 0 to 1.
        tissue: bool, the same shape.
        hidden: bool, where it is brighter than any tissue.
        excluded: bool, what says nothing.
        body: the brain in it.
        space: the voxels.
    """

    image: npt.NDArray[np.float32]
    tissue: npt.NDArray[np.bool_]
    hidden: npt.NDArray[np.bool_]
    excluded: npt.NDArray[np.bool_]
    body: Body
    space: VoxelSpace


def see(
    level: npt.NDArray[np.generic],
    space: VoxelSpace,
    spacing_um: Um3,
    *,
    excluded: npt.NDArray[np.bool_] | None = None,
    brain_um3: float | None = None,
) -> Seen:
    """Find the brain in an image, normalise it by the brain's light, and bring both to another voxel size.

    Args:
        level: (Z, Y, X) real numbers.
        space: its voxels.
        spacing_um: voxel size of the result.
        excluded: (Z, Y, X) bool, voxels that say nothing.
        brain_um3: volume of a whole brain.
    """
    body = find_body(level, space, excluded=excluded, brain_um3=brain_um3)
    image, grid = resample(normalise(level, body.light), space, spacing_um)
    hidden = share(body.light.upright(level) > body.light.fence, space, spacing_um) >= COVERED
    out = np.zeros(image.shape, dtype=np.bool_) if excluded is None else share(excluded, space, spacing_um) >= COVERED
    tissue = tissue_on(image, grid, body, hidden=hidden, excluded=out)
    return Seen(image, tissue, hidden, out, body, grid)


def check_image(level: npt.NDArray[np.generic]) -> None:
    """Raises `InputError` unless the image is 3-D, finite and shows something."""
    if level.ndim != 3 or level.size == 0:
        raise InputError(f"registration needs a 3-D image (z, y, x), got shape {level.shape}")
    if not np.all(np.isfinite(level)):
        raise InputError("the image to register holds NaN or infinite values; replace them by the background")
    low, high = level.min(), level.max()
    if low == high:
        raise InputError(f"the image to register is constant ({low}): is it the right channel and level?")


def normalise(level: npt.NDArray[np.generic], light: Light | None = None) -> npt.NDArray[np.float32]:
    """The image as float32 from 0 (the dark around the tissue) to 1 (its fence), clipped; upright.

    Args:
        level: real numbers.
        light: of its tissue; found where it is not given, as if the voxels were cubes.
    """
    light = light or find_body(level, VoxelSpace((1.0, 1.0, 1.0))).light
    image = light.upright(level)
    image -= np.float32(light.dark)
    image /= np.float32(light.fence - light.dark)
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


def tissue_on(
    image: npt.NDArray[np.float32],
    space: VoxelSpace,
    body: Body,
    *,
    hidden: npt.NDArray[np.bool_],
    excluded: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    """The mask of a body on a grid that is finer than its outline, holes filled.

    Args:
        image: (Z, Y, X), normalised.
        space: its voxels, in the frame of the body.
        body: the brain.
        hidden: the same shape, voxels with another light than the tissue's: each takes after the nearest other one.
        excluded: the same shape: what is tissue there is told by its light, and leads to no other.
    """
    light = body.light
    known = (~hidden).astype(np.float32)
    smooth = ndimage.gaussian_filter(image * known, 1.0) / np.maximum(ndimage.gaussian_filter(known, 1.0), 1e-3)
    bright = smooth > (light.edge - light.dark) / (light.fence - light.dark)
    outline, near = (
        sampled(mask.astype(np.float32), body.space, space, index3(image.shape)) > 0.5
        for mask in (body.outline, ndimage.binary_dilation(body.outline, CUBE, iterations=NEAR_VOX))
    )
    foreground = completed(bright, hidden) & (near | excluded)
    labels, n = ndimage.label(foreground & ~excluded)
    if n == 0:
        return foreground
    sizes, within = np.bincount(labels.ravel()), np.bincount(labels[outline], minlength=n + 1)
    brain = within > sizes / 2
    brain[0] = False
    sure = brain[labels]
    joined, _ = ndimage.label(sure | (foreground & excluded & ~hidden))
    mask: npt.NDArray[np.bool_] = ndimage.binary_fill_holes(sure) | np.isin(joined, np.unique(joined[sure]))
    return mask
