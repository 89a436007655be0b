"""How far apart real brains are, on either scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.planes import read_planes, windows
from volumetric.synthesis.brightness import js_divergence
from volumetric.synthesis.realism import Measured, Sides, measure

BRAINS = ("brain1008", "brain1147", "brain695")


@pytest.fixture(scope="module")
def brains(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Measured]:
    place = tmp_path_factory.mktemp("brains")
    found: dict[tuple[str, str], Measured] = {}
    for brain in BRAINS:
        (place / brain).mkdir()
        for path in sorted((data_dir / "cells_cfos").glob(f"{brain}_*")):
            (place / brain / path.name).symlink_to(path.resolve())
        for scale in ("brain", "contrast"):
            planes = windows(read_planes(place / brain, scale, 25), 96)
            stack = np.stack([plane.image for plane in planes])
            found[brain, scale] = measure(stack, [plane.cells for plane in planes], [plane.tile for plane in planes])
    return found


def apart(one: Measured, other: Measured) -> float:
    return js_divergence(one.histogram.sum(axis=0), other.histogram.sum(axis=0))


def test_contrast_brings_brains_together(brains: dict[tuple[str, str], Measured]) -> None:
    pairs = [(a, b) for a in BRAINS for b in BRAINS if a < b]
    as_shown = [apart(brains[a, "brain"], brains[b, "brain"]) for a, b in pairs]
    as_contrast = [apart(brains[a, "contrast"], brains[b, "contrast"]) for a, b in pairs]
    assert max(as_shown) > 0.3
    assert max(as_contrast) < 0.5 * max(as_shown)


@pytest.mark.parametrize("brain", BRAINS)
def test_cells_stand_out_and_volumes_of_a_brain_differ(brain: str, brains: dict[tuple[str, str], Measured]) -> None:
    for scale in ("brain", "contrast"):
        whole = brains[brain, scale]
        assert whole.mean_signal > 10
        planes = np.arange(len(whole)).astype(str)
        by = {"tiles": whole.tile, "planes": planes}
        floor = {
            name: np.mean([apart(h.one, h.other) for seed in range(20) for h in [Sides.halves(whole, own, (seed,))]])
            for name, own in by.items()
        }
        assert floor["planes"] < floor["tiles"]
