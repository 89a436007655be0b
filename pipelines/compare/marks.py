"""Drawing habits of the pictures of a comparison: colours of groups, names of tests, labels that do not overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

GROUP_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Of Okabe and Ito, distinct for all kinds of colour vision; the reference is the first. More groups begin again."""

LOWER, HIGHER, QUIET = "#0072b2", "#d55e00", "#b8bfc8"

TEST_NAMES = {"negative_binomial": "negative binomial F", "welch": "Welch t", "mann_whitney": "Mann-Whitney U"}


def side_text(side: str) -> str:
    """What is said after a title of the side compared; nothing of both."""
    return {"both": "", "imaged": ", the side imaged"}.get(side, f", {side} hemisphere")


def colour_of(number: int) -> str:
    """Of the group with this number."""
    return GROUP_COLOURS[number % len(GROUP_COLOURS)]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> npt.NDArray[np.float64]:
    """Places at least `gap` apart, near the wanted ones and in their order, between `low` and `high` if they fit."""
    order = np.argsort(wanted, kind="stable")
    ideal = np.asarray(wanted, dtype=np.float64)[order]
    steps = gap * np.arange(len(ideal))
    # Least squares with a smallest gap is isotonic regression once the gaps are taken off.
    blocks: list[list[float]] = []
    for value in ideal - steps:
        blocks.append([value, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            value_b, n_b = blocks.pop()
            value_a, n_a = blocks.pop()
            blocks.append([(value_a * n_a + value_b * n_b) / (n_a + n_b), n_a + n_b])
    level = np.repeat([value for value, _ in blocks], [int(n) for _, n in blocks])
    room = max(high - (steps[-1] if len(steps) else 0.0), low)
    places = np.empty(len(ideal))
    places[order] = np.clip(level, low, room) + steps
    return places


def number_text(value: float) -> str:
    """A p or q as people read it."""
    if not np.isfinite(value):
        return "–"
    return "< 0.0001" if value < 1e-4 else f"= {value:.4f}" if value < 1e-2 else f"= {value:.2f}"
