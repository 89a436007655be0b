"""Names of groups that may be one."""

from __future__ import annotations

import pytest

from volumetric.errors import InputError
from volumetric.statistics.spelling import alike, edits, refuse_misspelt


@pytest.mark.parametrize("slip", ["contorl", "cntrol", "controll", "conttrol", "kontrol", "contrl", "cotrlo"])
def test_a_slip_of_the_pen_is_refused(slip: str) -> None:
    groups = [slip, "control", "control", "drug", "drug"]
    with pytest.raises(InputError, match=f"'{slip}' has one brain and is spelled almost as 'control', which has 2"):
        refuse_misspelt(groups)


@pytest.mark.parametrize(
    "groups",
    [
        ["treated", "untreated", "untreated"],
        ["P60", "P61", "P61"],
        ["dose10", "dose20", "dose20"],
        ["group A", "group B", "group B"],
        ["ko", "wt", "wt"],
        ["fed", "fad", "fad"],
        ["control", "saline", "saline"],
    ],
)
def test_names_that_are_two(groups: list[str]) -> None:
    refuse_misspelt(groups)


def test_groups_of_several_brains_are_only_said_to_be_alike() -> None:
    groups = ["saline"] * 2 + ["salin"] * 2
    refuse_misspelt(groups)
    assert alike(groups) == [("saline", "salin")]


def test_edits() -> None:
    assert [edits("abc", other) for other in ("abc", "acb", "ab", "xabc", "axc", "")] == [0, 1, 1, 1, 1, 3]
