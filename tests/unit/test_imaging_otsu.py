from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.filters import threshold_otsu

from volumetric.imaging.otsu import otsu_threshold


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.9), st.floats(1, 1e4))
def test_two_classes_are_separated_as_by_another_program(seed: int, share: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((20, 10, 5)) < share, rng.normal(1, 0.2, (20, 10, 5)), rng.normal(4, 0.5, (20, 10, 5)))
    found = otsu_threshold(scale * values)
    step = scale * np.ptp(values) / 256
    assert found == pytest.approx(threshold_otsu(scale * values, nbins=256), abs=1.01 * step)


def test_equal_values_are_their_own_threshold() -> None:
    assert otsu_threshold(np.full((3, 4), 7, np.uint16)) == 7
