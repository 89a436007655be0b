"""Orders in which the numbers of file names can put slices, judged: even steps, a full grid, what is missing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, product

from volumetric.storage.sources.names import Column, usual_step

SPARSE = 3
"""Numbers that leave out more than two of three places, and more than a few, show no even steps."""


@dataclass(frozen=True)
class Order:
    """One way to put files in order: by some columns, the slowest first.

    Args:
        columns: that tell the files apart.
        irregular: whether no even steps, or no full grid, are to be seen.
        rounded: whether the steps are even but for rounding.
        missing: keys that should be there.
    """

    columns: tuple[Column, ...]
    irregular: bool
    rounded: bool
    missing: tuple[tuple[int, ...], ...]

    @property
    def rank(self) -> tuple[bool, int, bool, int, bool, int]:
        """The smallest is the best: regular, of few numbers, of such as say that they count slices, without gaps."""
        named = any(c.role in {"slice", "section"} for c in self.columns)
        return self.irregular, len(self.columns), not named, len(self.missing), self.rounded, self.columns[0].step

    def keys(self, count: int) -> list[tuple[int, ...]]:
        """The numbers of each file."""
        return [tuple(c.values[i] for c in self.columns) for i in range(count)]


def orders(columns: tuple[Column, ...], count: int) -> list[Order]:
    """Every way to tell the files apart by one, two or three numbers, or by all that vary."""
    varying = [column for column in columns if len(column.distinct) > 1]
    sections = [column for column in varying if column.role == "section"]
    varying = sections + [column for column in varying if column not in sections]  # planes are within sections
    sizes = {1, 2, 3, len(varying)} if len(varying) <= 12 else {1, len(varying)}
    return [
        _judged(chosen, count)
        for size in sorted(sizes)
        for chosen in combinations(varying, size)
        if len(set(zip(*(column.values for column in chosen), strict=True))) == count
    ]


def _judged(columns: tuple[Column, ...], count: int) -> Order:
    axes, rounded = [], False
    for column in columns:
        axis = even_steps(column.distinct)
        if axis is None:
            return Order(columns, True, False, ())
        rounded |= len({b - a for a, b in pairwise(axis)}) > 1
        axes.append(axis)
    if math.prod(map(len, axes)) > 2 * count:
        return Order(columns, True, False, ())
    present = set(zip(*(c.values for c in columns), strict=True))
    return Order(columns, False, rounded, tuple(key for key in product(*axes) if key not in present))


def even_steps(values: Sequence[int]) -> tuple[int, ...] | None:
    """The numbers from the first to the last in even steps, those that are missing among them; None for uneven ones.

    Steps of 2 and more may be rounded by up to 1: a distance of 2.5 um is written 0, 2, 5, 7 or 0, 3, 5, 8.

    Args:
        values: rising.
    """
    if len(values) < 2:
        return tuple(values)
    usual = usual_step(values)
    steps = Counter(b - a for a, b in pairwise(values))
    if (values[-1] - values[0]) // usual > SPARSE * len(values) + 20:
        return None
    if all(step % usual == 0 for step in steps):
        return tuple(range(values[0], values[-1] + 1, usual))
    if usual < 2 or min(steps) < 2:
        return None
    near = [step for step in steps.elements() if abs(step - usual) <= 1]
    step = sum(near) / len(near)
    numbers = [0]
    for a, b in pairwise(values):
        numbers.append(numbers[-1] + max(1, round((b - a) / step)))
    step = (values[-1] - values[0]) / numbers[-1]
    if any(abs(value - values[0] - n * step) > 1 for n, value in zip(numbers, values, strict=True)):
        return None
    known = dict(zip(numbers, values, strict=True))
    return tuple(known.get(n, round(values[0] + n * step)) for n in range(numbers[-1] + 1))
