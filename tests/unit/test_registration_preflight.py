"""What is said of a brain's size and completeness before the work: refused, doubted or noted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from volumetric.errors import InputError
from volumetric.findings import Finding, Grade
from volumetric.registration.imaged import Cut, Imaged
from volumetric.registration.linear import Linear
from volumetric.registration.placement import Placement
from volumetric.registration.preflight import (
    part_findings,
    refuse_frame,
    refuse_tissue,
    refuse_unusable,
    scale_finding,
)

BRAIN = (13_200.0, 8_000.0, 11_400.0)
EVERYTHING = np.ones((2, 2, 2), dtype=np.bool_)
WHOLE = Imaged("whole", "both", (0.98, 0.97), (), EVERYTHING)
LEFT = Imaged("left", "left", (0.97, 0.05), (Cut("r", 0.46),), EVERYTHING)
PLACED = Placement(0.8, 1.0, np.eye(3, 4), (0.0,) * 3, BRAIN, 0.5, 3000.0)


def of_scales(*scales: float) -> Finding:
    return scale_finding(Linear(np.diag(scales) @ np.eye(3, 4), 0.6), 480.0, 500.0, WHOLE)


def test_the_scale_is_printed_beside_the_atlas_and_graded() -> None:
    good = of_scales(1.02, 0.97, 1.0)
    assert good.grade is Grade.GOOD
    assert "1.02 x 0.97 x 1.00" in good.text
    assert "480 mm3" in good.text
    assert of_scales(0.7, 0.7, 0.7).grade is Grade.DOUBTFUL
    assert of_scales(0.81, 0.81, 0.81).grade is Grade.GOOD
    assert of_scales(1.26, 1.2, 1.2).grade is Grade.DOUBTFUL
    assert of_scales(0.5, 0.5, 0.5).grade is Grade.UNUSABLE
    unequal = of_scales(1.24, 0.9, 1.0)
    assert unequal.grade is Grade.DOUBTFUL
    assert "exchanged" in unequal.text


def test_half_a_brain_is_measured_by_half_the_atlas() -> None:
    text = scale_finding(Linear(np.eye(3, 4), 0.6), 240.0, 500.0, LEFT).text
    assert "the imaged 51% of the atlas' brain has 255 mm3" in text


@pytest.mark.parametrize("factor", [1e3, 10.0])
def test_a_frame_of_a_smaller_unit_is_refused(factor: float) -> None:
    z, y, x = BRAIN
    refuse_frame((x, 2 * y, 1.5 * z), BRAIN)
    refuse_frame((150.0, 1000.0, 1300.0), BRAIN)
    with pytest.raises(InputError, match="--voxel-um"):
        refuse_frame((z * factor, y * factor, x * factor), BRAIN)


def test_tissue_that_is_too_long_or_too_small_is_refused_whatever_its_axes() -> None:
    z, y, x = BRAIN
    for edges in (BRAIN, (x, z, y), (z, y, x / 2), (1000.0, 3000.0, 2000.0)):
        refuse_tissue(edges, BRAIN, 400.0)
    with pytest.raises(InputError, match=r"2 times as long as a brain.*--voxel-um"):
        refuse_tissue((y, 2 * z, x), BRAIN, 400.0)
    with pytest.raises(InputError, match=r"so small a part.*volumetric detect"):
        refuse_tissue((500.0, 3000.0, 2000.0), BRAIN, 400.0)


def test_what_makes_all_results_useless_is_refused() -> None:
    refuse_unusable([Finding(Grade.GOOD, "a"), Finding(Grade.DOUBTFUL, "b")])
    with pytest.raises(InputError, match=r"no brain is of that size.*--keep-poor"):
        refuse_unusable([Finding(Grade.DOUBTFUL, "b"), of_scales(0.5, 0.5, 0.5)])


def grades(found: Imaged, declared: str | None, placed: Placement = PLACED) -> list[Grade]:
    return [finding.grade for finding in part_findings(found, placed, declared)]


def test_what_was_found_and_what_was_declared_must_agree() -> None:
    assert grades(WHOLE, None) == [Grade.GOOD]
    assert grades(WHOLE, "whole") == [Grade.GOOD]
    assert grades(LEFT, None) == [Grade.DOUBTFUL, Grade.GOOD]
    assert grades(LEFT, "left") == [Grade.GOOD, Grade.GOOD]
    assert grades(LEFT, "whole") == [Grade.DOUBTFUL, Grade.DOUBTFUL]
    with pytest.raises(InputError, match="Give --imaged left, or the orientation with l and r exchanged"):
        grades(LEFT, "right")
    with pytest.raises(InputError, match="Give --imaged whole"):
        grades(WHOLE, "left")


def test_the_ends_at_which_a_brain_goes_on_are_named() -> None:
    part = Imaged("part", "both", (0.4, 0.4), (Cut("a", 0.35), Cut("p", 0.25)), EVERYTHING)
    said = list(part_findings(part, PLACED, None))
    assert "--imaged part" in said[0].text
    assert "anterior (35% of the atlas' brain lies beyond), posterior (25%" in said[1].text
    rivalled = list(part_findings(part, replace(PLACED, rival=0.79), None))
    assert "3.0 mm away about as well" in rivalled[-1].text
    assert rivalled[-1].grade is Grade.DOUBTFUL
