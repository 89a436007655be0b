from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volumetric.imaging.pooling import mean_pool

factor = st.integers(1, 3)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32"])
@given(st.integers(0, 2**32 - 1), st.tuples(factor, factor, factor))
def test_pooling_is_the_rounded_mean_of_whole_blocks(dtype: str, seed: int, factors: tuple) -> None:
    rng = np.random.default_rng(seed)
    high = 250 if dtype == "uint8" else 30000
    image = rng.integers(0, high, (6, 6, 6)).astype(dtype)
    fz, fy, fx = factors
    blocks = image[: 6 // fz * fz].reshape(6 // fz, fz, 6 // fy, fy, 6 // fx, fx)
    exact = blocks.astype(float).mean(axis=(1, 3, 5))
    pooled = mean_pool(image, factors)
    assert pooled.dtype == image.dtype
    assert np.abs(pooled.astype(float) - exact).max() <= (0.5 if dtype != "float32" else 0.01)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_pooling_slab_by_slab_is_pooling_the_whole(seed: int, slabs: int) -> None:
    image = np.random.default_rng(seed).integers(0, 60000, (20, 7, 9)).astype(np.uint16)
    cuts = [*range(0, 20, 2 * slabs), 20]
    parts = [mean_pool(image[a:b], (2, 2, 2)) for a, b in pairwise(cuts)]
    assert (np.concatenate(parts) == mean_pool(image, (2, 2, 2))).all()


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "int32"])
def test_saturated_voxels_do_not_overflow(dtype: str) -> None:
    high = np.iinfo(dtype).max
    assert (mean_pool(np.full((4, 4, 4), high, dtype), (2, 2, 2)) == high).all()
