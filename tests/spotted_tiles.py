"""Made-up tiles of one or two brains, with cells that keep apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import tifffile

from volumetric.synthesis.point_process import PointProcess

PX, CELLS = 80, 18


def write_tiles(
    folder: Path, tiles: int = 4, cells: int = CELLS, brains: tuple[str, ...] = ("mouse1", "mouse2")
) -> Path:
    """Bright round cells with a core of 6 px on an even background."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    y, x = np.indices((PX, PX))
    rows = []
    for brain in brains:
        for number in range(tiles):
            name = f"{brain}_{number}"
            yx = PointProcess(core_px=6.0, steepness=8.0).simulate(cells, (PX, PX), rng)[0]
            image = 1000 + sum(
                400 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * 2.0**2)) for cy, cx in yx
            ) * np.ones((PX, PX))
            tifffile.imwrite(folder / f"{name}.tif", rng.poisson(image).astype(np.uint16), photometric="minisblack")
            pd.DataFrame(yx, columns=["y", "x"]).to_csv(folder / f"{name}_cells.csv", index=False)
            rows.append({"tile": name, "brain": brain, "region": "CA1" if number % 2 else "DG"})
    pd.DataFrame(rows).to_csv(folder / "tiles.csv", index=False)
    return folder
