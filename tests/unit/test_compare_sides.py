"""Which side of the brains is compared, what is said of it, and what makes no sense."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.compare.sides import Sides
from volumetric.errors import InputError
from volumetric.statistics.design import Design
from volumetric.statistics.imaged import compared_side, imaged_side

GROUPS = ("control", "control", "drug", "drug")


def sides_of(
    *imaged: str, given: tuple[str, ...] | None = None, groups: tuple[str, ...] = GROUPS, least: float = 0.5
) -> Sides:
    names = tuple(f"m{i}" for i in range(len(groups)))
    return Sides.of(Design(names, groups, tuple(map(Path, names)), groups[0], {}), imaged, given, least)


@pytest.mark.parametrize(
    ("imaged", "side"),
    [
        (("both",) * 4, "both"),
        (("left",) * 4, "left"),
        (("both", "right", "both", "right"), "right"),
        (("left", "right", "right", "left"), "imaged"),
        (("left", "both", "right", "both"), "imaged"),
    ],
)
def test_what_all_brains_have_is_compared_and_said(imaged: tuple[str, ...], side: str) -> None:
    found = sides_of(*imaged)
    assert found.compared == (side,)
    for number, one in enumerate(imaged):
        if set(imaged) != {"both"}:
            said = {"left": "the left of", "right": "the right of", "both": "both sides of"}[one]
            assert f"m{number}" in found.why.split(said)[1].split(";")[0]


@given(st.lists(st.sampled_from(["left", "right", "both"]), min_size=1))
def test_every_brain_has_what_is_compared(imaged: list[str]) -> None:
    side = compared_side(imaged)
    assert side == "imaged" or all(one in {side, "both"} for one in imaged)


def test_sides_that_go_with_the_groups_are_doubted() -> None:
    (doubt,) = sides_of("left", "left", "right", "right").doubts
    assert "cannot be told from what differs between groups" in doubt
    assert sides_of("left", "right", "left", "right").doubts == ()
    assert sides_of("both", "both", "right", "right").doubts == ()  # the right of all


@pytest.mark.parametrize(
    ("imaged", "given", "message"),
    [
        (("left",) * 4, "right", "--hemisphere right is asked for, but the right of m0, m1, m2, m3 was not imaged"),
        (("both", "left", "both", "right"), "left", "the left of m3 was not imaged: there is nothing to compare"),
        (("both", "left", "both", "right"), "both", "both sides of m1, m3 were not imaged: about half of every region"),
    ],
)
def test_a_side_that_was_not_imaged_is_refused(imaged: tuple[str, ...], given: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        sides_of(*imaged, given=(given,))


def test_half_of_both_sides_is_compared_where_half_is_enough() -> None:
    assert sides_of("left", "both", "left", "both", given=("both",), least=0.3).compared == ("both",)


@pytest.mark.parametrize(
    ("left", "right", "side"),
    [(1.0, 0.0, "left"), (0.95, 0.2, "left"), (0.0, 0.6, "right"), (1.0, 0.9, "both"), (0.5, 0.3, "both")],
)
def test_coverage_tells_the_side(left: float, right: float, side: str) -> None:
    table = pd.DataFrame({"hemisphere": ["left", "right", "both"], "coverage": [left, right, (left + right) / 2]})
    assert imaged_side(table) == side
