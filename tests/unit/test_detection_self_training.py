"""What a detector finds is told apart by its score: cells, nothing, background."""

from __future__ import annotations

import numpy as np
import pandas as pd

from volumetric.detection.self_training import as_taught
from volumetric.detection.targets import make_targets


def test_scores_decide_what_is_taught() -> None:
    found = pd.DataFrame(
        {"z_vox": [0.0, 1.0, 2.0, 3.0], "y_vox": [8.0, 9.0, 10.0, 11.0], "x_vox": 20.0, "score": [0.7, 0.69, 0.2, 0.19]}
    )
    taught = as_taught(np.zeros((4, 32, 32), np.float32), found, sure=0.7, unsure=0.2)
    assert taught.cells.tolist() == [[0, 8, 20, 4]]
    assert taught.ignored.tolist() == [[1, 9, 20, 4], [2, 10, 20, 4]]
    assert taught.confidence is taught.heatmap is None


def test_what_is_left_out_is_neither_cell_nor_background() -> None:
    found = pd.DataFrame({"z_vox": 0.0, "y_vox": [8.0, 22.0], "x_vox": [8.0, 22.0], "score": [0.9, 0.5]})
    taught = as_taught(np.zeros((1, 32, 32), np.float32), found, sure=0.6, unsure=0.1)
    cells, ignored = taught.cells, taught.ignored
    target = make_targets(
        (32, 32), cells[:, 1:3], cells[:, 3], 1, ignored_px=ignored[:, 1:3], ignored_radius_px=ignored[:, 3]
    )
    assert (target.heatmap[8, 8], target.weight[8, 8]) == (1, 1)
    assert (target.heatmap[22, 22], target.weight[22, 22]) == (0, 0)
    assert (target.heatmap[22, 8], target.weight[22, 8]) == (0, 1)
