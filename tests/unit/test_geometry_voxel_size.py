"""Voxel sizes that no brain has are refused, strange ones doubted, usual ones passed."""

from __future__ import annotations

import pytest

from volumetric.errors import InputError
from volumetric.geometry.voxel_size import check_voxel_size, voxel_findings


@pytest.mark.parametrize(
    "voxel", [(5, 0.7, 0.7), (2, 0.25, 0.25), (50, 40, 40), (200, 200, 200), (6, 1.62, 1.62), (1, 1, 1), (50, 5, 5)]
)
def test_usual_voxels_pass(voxel: tuple[float, float, float]) -> None:
    check_voxel_size(voxel)
    assert voxel_findings(voxel) == []


@pytest.mark.parametrize(
    ("voxel", "hint"),
    [
        ((0.005, 0.0007, 0.0007), "In mm the numbers would mean 5 x 0.7 x 0.7 um."),
        ((5, 0.0007, 0.0007), ""),
        ((5000, 700, 700), "In nm the numbers would mean 5 x 0.7 x 0.7 um."),
        ((1000, 1000, 1000), "In nm the numbers would mean 1 x 1 x 1 um."),
        ((5e-6, 7e-7, 7e-7), "In m the numbers would mean 5 x 0.7 x 0.7 um."),
    ],
)
def test_voxels_that_no_brain_has_are_refused(voxel: tuple[float, float, float], hint: str) -> None:
    with pytest.raises(InputError, match="no image of a brain") as refused:
        check_voxel_size(voxel)
    assert hint in str(refused.value)
    assert "0.5 to 50 um apart" in str(refused.value)


@pytest.mark.parametrize(
    ("voxel", "words"),
    [
        ((0.2, 0.2, 0.2), "a slice of 0.2 um"),
        ((5, 0.07, 0.5), "a pixel of 0.07 um"),
        ((300, 10, 10), "a slice of 300 um"),
        ((50, 0.7, 0.7), "71 times longer than wide"),
    ],
)
def test_strange_voxels_are_doubted(voxel: tuple[float, float, float], words: str) -> None:
    check_voxel_size(voxel)
    assert any(words in finding.text for finding in voxel_findings(voxel))
