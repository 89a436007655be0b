"""How alike two sets of tiles are: the figures of the method (section 3.4), and the same between halves of one set.

No figure means much by itself: two halves of the real tiles differ too. What they differ by is the floor that synthetic
tiles could reach, and each figure is read as a multiple of it. Planes of one volume are not independent, so halves are
made of whole tiles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from volumetric.blocks.telling import tell
from volumetric.errors import InputError
from volumetric.synthesis.brightness import brightness_histogram, js_divergence
from volumetric.synthesis.cell_light import USUAL, Surroundings, distance_to_cell, signal_minus_background
from volumetric.synthesis.spectrum import bands, log_power_mae, radial_power
from volumetric.synthesis.texture import FEATURES, texture
from volumetric.synthesis.two_sample import area_under_curve, held_out_scores, nearest

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Figures = dict[str, float | None]

FIGURES = (
    "js_histogram",
    "js_background",
    "log_power_mae",
    "signal_minus_background",
    "signal_difference",
    "classifier_auc",
    "nearest_distance_median",
    "nearest_distance_mean",
)


@dataclass(frozen=True)
class Measured:
    """What is compared of the n planes of a set.

    Args:
        tile: (n,) the tile that a plane is of.
        features: (n, 5) `texture.FEATURES`.
        power: (n, k) `spectrum.radial_power`.
        histogram: (n, 64) pixels by brightness.
        background: (n, 64) the same of background alone; all 0 where cells are not known.
        signal: (n,) grey values by which cells stand above the background; NaN where none is seen or known.
    """

    tile: npt.NDArray[np.str_]
    features: Floats
    power: Floats
    histogram: npt.NDArray[np.int64]
    background: npt.NDArray[np.int64]
    signal: Floats

    def __len__(self) -> int:
        return len(self.tile)

    def __getitem__(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Measured:
        """Some of the planes."""
        return Measured(**{name: values[which] for name, values in vars(self).items()})

    @property
    def tiles(self) -> int:
        """How many tiles the planes are of."""
        return len(set(self.tile.tolist()))

    @property
    def mean_signal(self) -> float | None:
        """Mean over the planes that have cells and background."""
        known = self.signal[np.isfinite(self.signal)]
        return float(known.mean()) if len(known) else None

    def summary(self) -> dict[str, dict[str, float] | None]:
        """Mean and standard deviation of each feature over planes, and of the light of cells."""
        columns = {**dict(zip(FEATURES, self.features.T, strict=True)), "signal_minus_background": self.signal}
        known = {name: values[np.isfinite(values)] for name, values in columns.items()}
        return {
            name: {"mean": float(values.mean()), "sd": float(values.std())} if len(values) else None
            for name, values in known.items()
        }


def measure(
    stack: npt.NDArray[np.float32],
    cells: Sequence[Floats | None],
    tile: Sequence[str],
    around: Surroundings = USUAL,
) -> Measured:
    """Measure the planes of a set.

    Args:
        stack: (n, edge, edge) 0 to 1.
        cells: of each plane, (k, 2) y, x in pixels of the cells seen in it, or None where they are not known.
        tile: that each is of.
        around: which pixels are a cell's.

    Raises `InputError` for planes that are not square, or values that are not 0 to 1.
    """
    if stack.ndim != 3 or stack.shape[1] != stack.shape[2] or not len(stack):
        raise InputError(f"planes to be compared are squares of one size, got an array of shape {stack.shape}")
    if not (stack.min() >= 0 and stack.max() <= 1):
        raise InputError(f"planes to be compared have values of 0 to 1, got {stack.min():g} to {stack.max():g}")
    background, signal = np.zeros(stack.shape, dtype=np.bool_), np.full(len(stack), np.nan)
    for number, (plane, yx) in enumerate(zip(stack, cells, strict=True)):
        tell(number, len(stack))
        if yx is not None:
            distance = distance_to_cell(plane.shape, yx)
            background[number] = distance > around.background_px
            signal[number] = signal_minus_background(plane, distance, around)
    return Measured(
        tile=np.array(list(tile), dtype=np.str_),
        features=texture(stack),
        power=radial_power(stack),
        histogram=brightness_histogram(stack),
        background=brightness_histogram(stack, background),
        signal=signal,
    )


def planes_of(measured: Measured) -> npt.NDArray[np.str_]:
    """(n,) names of the planes: tile and number; numbered by what they show, so that their order does not matter."""
    number = np.empty(len(measured), dtype=np.int64)
    number[np.lexsort(measured.features.T)] = np.arange(len(measured))
    return np.char.add(np.char.add(measured.tile, "@"), number.astype(np.str_))


def groups_of(measured: Measured) -> npt.NDArray[np.str_]:
    """(n,) what counts as independent: the tile; of a set that is a single tile, the plane, for want of better."""
    return measured.tile if measured.tiles > 1 else planes_of(measured)


@dataclass(frozen=True)
class Sides:
    """Two sets of planes to be compared, with the groups of each."""

    one: Measured
    other: Measured
    groups: tuple[npt.NDArray[np.str_], npt.NDArray[np.str_]]

    @classmethod
    def of(cls, one: Measured, other: Measured) -> Sides:
        return cls(one, other, (groups_of(one), groups_of(other)))

    @classmethod
    def halves(cls, whole: Measured, by: npt.NDArray[np.generic], seed: Sequence[int]) -> Sides:
        """A set cut at random; planes that are equal in `by`, (n,), stay together. Groups are those of the whole."""
        names = np.unique(by)
        drawn = np.random.default_rng(seed).permutation(names)[: len(names) // 2]
        which, groups = np.isin(by, drawn), groups_of(whole)
        return cls(whole[which], whole[~which], (groups[which], groups[~which]))

    def scores(self, seed: int) -> tuple[Floats, Floats] | None:
        """How much each plane looks like the first side; None where a side has too few groups."""
        rows = [np.column_stack([side.features, bands(side.power)]) for side in (self.one, self.other)]
        return held_out_scores(rows[0], rows[1], self.groups, seed)


def compare(sides: Sides, unit: Floats, seed: int) -> Figures:
    """The FIGURES of the first side against the second; None where cells are not known, or groups too few.

    Args:
        sides: first the synthetic, then the real.
        unit: (5,) standard deviation of each feature over all real planes: what distances are measured in.
        seed: of the classifier.

    js_histogram, js_background: Jensen-Shannon divergence, bits. log_power_mae: mean difference of log10 power.
    signal_minus_background: of the first side, grey values; signal_difference: less that of the second.
    classifier_auc: `two_sample`. nearest_distance: of each plane of the first side to the nearest of the second.
    """
    one, other = sides.one, sides.other
    distance, _ = nearest(one.features, other.features, unit)
    scores = sides.scores(seed)
    light, usual = one.mean_signal, other.mean_signal
    return {
        "js_histogram": js_divergence(one.histogram.sum(axis=0), other.histogram.sum(axis=0)),
        "js_background": js_divergence(one.background.sum(axis=0), other.background.sum(axis=0)),
        "log_power_mae": log_power_mae(one.power, other.power),
        "signal_minus_background": light,
        "signal_difference": None if light is None or usual is None else light - usual,
        "classifier_auc": None if scores is None else area_under_curve(*scores),
        "nearest_distance_median": float(np.median(distance)),
        "nearest_distance_mean": float(distance.mean()),
    }


def floor_of(splits: Sequence[Figures]) -> tuple[Figures, dict[str, list[float] | None]]:
    """Mean of each figure over many halvings, and its least and largest; differences count without their sign."""
    means: Figures = {}
    ranges: dict[str, list[float] | None] = {}
    for name in FIGURES:
        found = [value for split in splits if (value := split[name]) is not None]
        values = np.abs(found) if name == "signal_difference" else np.asarray(found)
        means[name] = float(values.mean()) if len(values) else None
        ranges[name] = [float(values.min()), float(values.max())] if len(values) else None
    return means, ranges


def ratios(figures: Mapping[str, float | None], floor: Mapping[str, float | None]) -> Figures:
    """Each figure as a multiple of its floor; None where one is not known or the floor is 0."""
    found: Figures = {}
    for name in FIGURES:
        value, least = figures[name], floor[name]
        if value is None or not least:
            found[name] = None
        else:
            found[name] = (abs(value) if name == "signal_difference" else value) / least
    return found
