from __future__ import annotations

import numpy as np
import pytest

from volumetric.errors import InputError
from volumetric.registration.overlay import borders, overlay_planes


def test_planes_cut_the_middle_of_the_brain() -> None:
    labels = np.zeros((20, 30, 40), np.uint32)
    labels[4:12, 10:20, 20:40] = 7
    image = np.random.default_rng(0).random(labels.shape).astype(np.float32)
    planes = overlay_planes(image, labels, (50.0, 25.0, 10.0))
    assert [plane.index for plane in planes] == [7, 14, 29]
    assert np.array_equal(planes[1].image, image[:, 14])
    assert [plane.aspect for plane in planes] == [2.5, 5.0, 2.0]
    assert planes[0].borders.sum() == 2 * 20 + 10 + 1 - 1 + 1 - 1


def test_borders_run_between_labels_only() -> None:
    labels = np.array([[1, 1, 2], [1, 1, 2], [3, 3, 3]], np.uint32)
    assert np.array_equal(borders(labels), np.array([[0, 1, 0], [1, 1, 1], [0, 0, 0]], bool))


def test_shapes_must_match() -> None:
    with pytest.raises(InputError, match="share one"):
        overlay_planes(np.zeros((2, 2, 2), np.float32), np.zeros((2, 2, 3), np.uint32), (1.0, 1.0, 1.0))
