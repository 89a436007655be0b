from __future__ import annotations

import numpy as np

from volumetric.registration.preflight import cut_warnings, size_warnings, voxel_warnings


def test_sizes_and_voxels_that_cannot_be_right() -> None:
    atlas = (13_200.0, 8_000.0, 11_400.0)
    assert size_warnings((12_000.0, 7_500.0, 12_500.0), atlas) == []
    (warning,) = size_warnings((2_700.0, 7_500.0, 12_500.0), atlas)
    assert "'z" not in warning
    assert "z axis" in warning
    assert "2.7 mm" in warning
    assert voxel_warnings((50.0, 5.0, 5.0)) == []
    assert len(voxel_warnings((5000.0, 5.0, 5.0))) == 1


def test_a_brain_that_goes_on_beyond_the_volume_is_said_to_be_cut_off() -> None:
    z, y, x = (np.indices((40, 30, 36)) + 0.5) / np.reshape((40, 30, 36), (3, 1, 1, 1)) * 2 - 1
    brain = z**2 + y**2 + x**2 < 1
    assert cut_warnings(brain, "asr") == []
    (warning,) = cut_warnings(brain[12:], "asr")
    assert "anterior" in warning
    (warning,) = cut_warnings(brain[:, :, :20], "psr")
    assert "left" in warning
