"""Images as cameras and other programs leave them: the same cells, or none, never nonsense."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import KDTree

from volumetric.detection.cells import candidates, cells_among, contrast_of
from volumetric.detection.model import load_detector
from volumetric.phantom.crops import full_scale_crop

IMAGE, CELLS = full_scale_crop(0, (10, 512, 512))
DETECTOR = load_detector()
COLUMNS = ["z_vox", "y_vox", "x_vox"]


def found(image: np.ndarray) -> np.ndarray:
    cells = cells_among(candidates(image, contrast_of(image), DETECTOR), DETECTOR.settings)
    return cells[COLUMNS].to_numpy()


USUAL = found(IMAGE)


def alike(cells: np.ndarray, others: np.ndarray) -> float:
    """Share of cells with another within two voxels, the lesser of both ways."""
    a, b = (KDTree(p).query(q, distance_upper_bound=2.0)[0] for p, q in ((cells, others), (others, cells)))
    return float(min(np.isfinite(a).mean(), np.isfinite(b).mean()))


def test_there_are_cells() -> None:
    assert len(USUAL) > 60


@pytest.mark.parametrize(
    ("what", "image"),
    [
        ("float from 0 to 1", IMAGE / np.float32(65535)),
        ("float64", IMAGE.astype(np.float64) * 1e6),
        ("32 bits", IMAGE.astype(np.uint32) * 1000),
        ("8 bits", np.rint(IMAGE / np.quantile(IMAGE, 0.9999) * 255).clip(0, 255).astype(np.uint8)),
        ("background subtracted below zero", IMAGE.astype(np.float32) - np.float32(np.median(IMAGE))),
        ("the brightest pixels saturated", np.minimum(IMAGE, np.uint16(np.quantile(IMAGE, 0.99)))),
    ],
)
def test_the_same_cells(what: str, image: np.ndarray) -> None:
    assert alike(found(image), USUAL) > 0.85, what


def test_a_part_that_is_not_a_number_has_no_cells_and_spoils_no_others() -> None:
    image = IMAGE.astype(np.float32)
    image[:, :, 320:] = np.nan
    cells = found(image)
    assert cells[:, 2].max() < 322
    assert alike(cells[cells[:, 2] < 280], USUAL[USUAL[:, 2] < 280]) > 0.9


@pytest.mark.parametrize("value", [0, 1, 65535])
def test_a_constant_image_has_no_cells(value: int) -> None:
    assert len(found(np.full((6, 128, 128), value, np.uint16))) == 0


@pytest.mark.parametrize("value", [-300.0, np.nan, 1e30])
def test_a_constant_float_image_has_no_cells(value: float) -> None:
    assert len(found(np.full((6, 128, 128), value, np.float32))) == 0


def test_noise_has_hardly_any_cells() -> None:
    noise = np.random.default_rng(0).normal(0, 50, (10, 512, 512)).astype(np.float32)
    assert len(found(noise)) < 0.1 * len(USUAL)
