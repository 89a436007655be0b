"""Which body in an image is the brain, and how bright its tissue is; a few bright voxels do not move it.

A body and its threshold agree with each other (after Ridler and Calvard 1978, with medians, and for one body):

    dark    median light around the body
    tissue  median light in it
    fence   upper quartile in it + 3 (upper - lower quartile): beyond it lies what is no tissue's light (Tukey 1977)
    body    the largest one brighter than dark + EDGE (tissue - dark)

From almost any first threshold the iteration ends at the brain, or at a bright object beside it. What is beyond the
fence hides what is beneath: such a voxel takes after the nearest one that is not hidden, so that an injection site
is brain and glue is none. Outer slices of one grey value are no
surroundings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from volumetric.geometry.space import VoxelSpace, um3
from volumetric.registration.resample import resample, share

Image = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

VOXELS = 64_000
"""Of the grid on which the body is looked for: 260 um for a frame around a mouse brain."""

EDGE = 0.3
"""Where tissue begins, between the light around it (0) and its median (1): ventricles' walls and white matter are
darker than the bulk."""

FAR_OUT = 3.0
LEAST_FENCE = 3.0
"""The fence is at least so many times as far above the dark as the tissue's median is: flat tissue has no quartiles."""

STANDS_OUT = 5.0
"""Least height of a body above its surroundings, in their spread: halves of a slope or of noise reach 3.5, a brain on a
slope as high as a third of its own light 8, brains as they come 40 or more."""

MIXED = 4.0
"""How many times as far above the dark as its median the upper quartile of a body is, at most: 1.4 in a brain, 60 where
the haze around a brain is taken for one body with it."""

MOST_BRIGHT = 0.15
"""Of a body, that is brighter than tissue: a brain in its haze is 0.27 of both, an injection site some hundredths."""

LEAST_SHARE = 0.04
"""Of the image, that a body fills at least; smaller ones are objects."""

SURROUNDED = 0.05
"""Least surroundings of a body, as a share of its volume, by which it can be told."""

STARTS = np.linspace(0.05, 0.97, 13)
"""First thresholds, as quantiles of the image."""

ROUNDS, SETTLED = 12, 1e-3
"""Of the iteration, at most; it ends where the threshold moves by less than this share of the contrast."""

FRAME_LIKE, BODY_LIKE = 0.75, 0.15
"""Share of the image's faces that a bright background covers at least, and dark tissue on it at most."""

CROSS = ndimage.generate_binary_structure(3, 1)
CUBE = np.ones((3, 3, 3), dtype=np.bool_)


@dataclass(frozen=True)
class Light:
    """The grey values between which tissue lies; of an inverted image, those of its negative.

    Args:
        dark: around the tissue.
        tissue: its median.
        fence: what is brighter is no tissue's light.
        inverted: whether tissue is dark on a bright background.
    """

    dark: float
    tissue: float
    fence: float
    inverted: bool = False

    @property
    def edge(self) -> float:
        """Least light of tissue."""
        return self.dark + EDGE * (self.tissue - self.dark)

    def upright(self, level: npt.NDArray[np.generic]) -> Image:
        """The image as float32 in which tissue is the brighter one."""
        image = level.astype(np.float32)
        return np.negative(image, out=image) if self.inverted else image


@dataclass(frozen=True)
class Body:
    """The brain in an image.

    Args:
        light: how bright it is.
        outline: (Z, Y, X) bool, roughly where it is.
        space: the outline's voxels, um.
        stands_out: whether it was told from its surroundings; otherwise all that the image shows is taken for tissue.
        grey_levels: different grey values between the dark and the fence.
        saturated: share of what is as bright as tissue at the largest grey value, where that is a tissue's.
    """

    light: Light
    outline: Mask
    space: VoxelSpace
    stands_out: bool
    grey_levels: int
    saturated: float

    @property
    def volume_um3(self) -> float:
        """About; that of the outline."""
        return float(self.outline.sum()) * float(np.prod(self.space.spacing_um))


def find_body(
    level: npt.NDArray[np.generic],
    space: VoxelSpace,
    *,
    excluded: Mask | None = None,
    brain_um3: float | None = None,
) -> Body:
    """The body of tissue in an image.

    Args:
        level: (Z, Y, X) real numbers, finite, not constant.
        space: its voxels.
        excluded: the same shape, voxels that say nothing.
        brain_um3: volume to be expected of a whole brain: of several bodies the nearest to it is taken, without it the
            largest.
    """
    inner = unpadded(level)
    space = VoxelSpace(space.spacing_um, um3(space.to_um([axis.start for axis in inner])))
    level = level[inner]
    out = np.zeros(level.shape, dtype=np.bool_) if excluded is None else excluded[inner]
    edge = max((float(np.prod(space.extent_um(level.shape))) / VOXELS) ** (1 / 3), min(space.spacing_um))
    spacing = um3((edge,) * 3)
    image, grid = resample(level.astype(np.float32), space, spacing)
    look = _Look(image, share(out, space, spacing) > 0.01)
    found = look.best(None if brain_um3 is None else brain_um3 / edge**3)
    light = look.everything() if found is None else found.light
    outline = np.ones(image.shape, dtype=np.bool_) if found is None else found.body
    return Body(light, outline, grid, found is not None, *_grey_levels(light, level[~out]))


def unpadded(level: npt.NDArray[np.generic]) -> tuple[slice, ...]:
    """The part of an image within outer slices, rows and columns of one value alone: padding, or a bright rim.

    Where there are such planes one more is left out: means over blocks of voxels mix both there.
    """
    inner = []
    for axis, n in enumerate(level.shape):
        others = tuple(other for other in range(3) if other != axis)
        varied = np.flatnonzero(level.max(axis=others) != level.min(axis=others))
        first, stop = (int(varied[0]), int(varied[-1]) + 1) if varied.size else (0, n)
        first, stop = first + (first > 0), stop - (stop < n)
        inner.append(slice(first, stop) if first < stop else slice(0, n))
    return tuple(inner)


def completed(mask: Mask, hidden: Mask) -> Mask:
    """The mask where each hidden voxel takes after the nearest one that is not."""
    if not hidden.any() or hidden.all():
        return mask
    nearest = ndimage.distance_transform_edt(hidden, return_distances=False, return_indices=True)
    whole: Mask = mask[tuple(nearest)]
    return whole


@dataclass(frozen=True)
class _Found:
    light: Light
    body: Mask


@dataclass(frozen=True)
class _Look:
    """A coarse image, and where it says nothing."""

    image: Image
    excluded: Mask

    def best(self, voxels: float | None) -> _Found | None:
        """The body to be taken, upright or inverted; None where nothing stands out."""
        upright = self._chosen(self.image, voxels)
        if upright is None or self._on_faces(upright.body) > FRAME_LIKE:
            negative = self._chosen(-self.image, voxels)
            if negative is not None and self._on_faces(negative.body) < BODY_LIKE:
                return _Found(replace(negative.light, inverted=True), negative.body)
        return upright

    def everything(self) -> Light:
        """The light where all is tissue."""
        values = self.image[~self.excluded] if not self.excluded.all() else self.image.ravel()
        return _light(float(np.quantile(values, 0.01)), values)

    def _chosen(self, image: Image, voxels: float | None) -> _Found | None:
        found = list(self._bodies(image))
        if not found:
            return None
        sizes = np.array([each.body.sum() for each in found], dtype=float)
        fit = sizes if voxels is None else -np.abs(np.log(sizes / voxels))
        return found[int(fit.argmax())]

    def _bodies(self, image: Image) -> Iterator[_Found]:
        """Where the iteration ends from different first thresholds; each body once."""
        if self.excluded.all():
            return
        basins: list[tuple[float, float]] = []
        for start in np.unique(np.quantile(image[~self.excluded], STARTS)):
            found = self._settled(image, float(start), basins)
            if found is not None:
                basins.append((min(float(start), found.light.edge), max(float(start), found.light.edge)))
                yield found

    def _settled(self, image: Image, start: float, basins: list[tuple[float, float]]) -> _Found | None:
        """The body and threshold that agree, from a first threshold on; None where they are no body's, or known.

        A higher threshold leads to a higher one: what lies between a first threshold and where that led ends there.
        """
        hidden, edge = self.excluded, start
        for _ in range(ROUNDS):
            if any(low <= edge <= high for low, high in basins):
                return None
            body = _largest(completed(image > edge, hidden))
            around, inside = image[~hidden & ~body], image[~hidden & body]
            if inside.size < LEAST_SHARE * image.size or around.size < SURROUNDED * inside.size:
                return None
            dark = float(np.median(around))
            spread = 1.4826 * float(np.median(np.abs(around - dark)))
            light = _light(dark, inside)
            if light.tissue - dark <= STANDS_OUT * spread:
                return None
            if float(np.quantile(inside, 0.75)) - dark > MIXED * (light.tissue - dark):
                return None
            if abs(light.edge - edge) <= SETTLED * (light.tissue - dark):
                break
            hidden = self.excluded | ndimage.binary_dilation(image > light.fence, CUBE)
            edge = light.edge
        bright = body & (image > light.fence) & ~self.excluded
        return _Found(light, body) if bright.sum() <= MOST_BRIGHT * body.sum() else None

    def _on_faces(self, body: Mask) -> float:
        """Which share of the image's faces a body covers."""
        faces = [np.take(body, end, axis=axis) for axis in range(3) for end in (0, -1)]
        return float(np.mean(np.concatenate([face.ravel() for face in faces])))


def _light(dark: float, tissue: npt.NDArray[np.float32]) -> Light:
    low, middle, high = (float(q) for q in np.quantile(tissue, [0.25, 0.5, 0.75]))
    fence = max(high + FAR_OUT * (high - low), dark + LEAST_FENCE * (middle - dark))
    return Light(dark, middle, fence)


def _grey_levels(light: Light, values: npt.NDArray[np.generic]) -> tuple[int, float]:
    """How many different grey values tissue has, and the share of it at the largest."""
    upright = light.upright(values)
    tissue = upright[upright > light.edge]
    if tissue.size == 0:
        return 0, 0.0
    brightest = tissue.max()
    saturated = float(np.mean(tissue == brightest)) if brightest <= light.fence else 0.0
    return len(np.unique(tissue[tissue <= light.fence])), saturated


def _largest(mask: Mask) -> Mask:
    """The largest body without what is thinner than three voxels (rims, slices, threads); its holes filled."""
    labels, n = ndimage.label(ndimage.binary_opening(mask, CROSS))
    if n == 0:
        return np.zeros_like(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    body = ndimage.binary_dilation(labels == int(sizes.argmax()), CROSS, iterations=2, mask=mask)
    filled: Mask = ndimage.binary_fill_holes(body)
    return filled
