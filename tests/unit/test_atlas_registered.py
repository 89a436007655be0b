"""A registration that is opened again: points both ways, regions at any resolution, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import volumetric
from tests.small_brain import phantom, write_true_registration
from volumetric.atlas.folder import write_atlas_folder
from volumetric.atlas.label_view import CHUNK, label_view
from volumetric.atlas.registered import EXCLUDED, RegisteredBrain
from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.geometry.space import VoxelSpace
from volumetric.storage.levels import plan_levels
from volumetric.storage.omezarr import create_volume, describe_volume


@pytest.fixture(scope="module")
def registration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("registered")
    write_atlas_folder(phantom().atlas, folder / "atlas")
    write_true_registration(folder / "registration", phantom().atlas)
    return folder


def points(n: int) -> np.ndarray:
    brain = phantom()
    return brain.space.to_um(np.random.default_rng(0).uniform(0.2, 0.8, (n, 3)) * brain.shape)


def test_points_go_there_and_back(registration: Path) -> None:
    brain = volumetric.open_registration(registration, phantom().atlas)
    at = points(500)
    assert np.allclose(brain.to_atlas(at), phantom().sample_to_atlas(at))
    step = min(brain.atlas.space.spacing_um)
    assert np.median(np.linalg.norm(brain.to_sample(brain.to_atlas(at)) - at, axis=1)) < 0.05 * step


def test_another_process_maps_a_point_to_the_same_bits(registration: Path) -> None:
    program = (
        "import sys, numpy as np, volumetric; r = volumetric.open_registration(sys.argv[1], sys.argv[2]);"
        "np.save(sys.argv[4], r.to_atlas(np.load(sys.argv[3])))"
    )
    np.save(registration / "points.npy", points(200))
    files = [registration / "registration", registration / "atlas", registration / "points.npy", registration / "m.npy"]
    subprocess.run([sys.executable, "-c", program, *map(str, files)], check=True)
    here = volumetric.open_registration(registration, registration / "atlas").to_atlas(points(200))
    assert np.array_equal(np.load(registration / "m.npy"), here)


def test_labels_at_full_resolution_are_those_of_each_voxel_and_lazy(registration: Path) -> None:
    brain = volumetric.open_registration(registration, phantom().atlas)
    shape, space = phantom().shape, phantom().space
    view = label_view(brain, shape, space)
    assert view.shape == shape
    assert view.chunks is not None
    assert max(c[0] for c in view.chunks) <= max(CHUNK)
    part = (slice(5, 11), slice(20, 61), slice(3, 40))
    seen = view[part].to_numpy()
    voxels = np.stack(np.meshgrid(*(np.arange(s.start, s.stop) for s in part), indexing="ij"), axis=-1)
    expected = brain.assign(space.to_um(voxels.reshape(-1, 3))).region_id.reshape(seen.shape)
    assert np.array_equal(seen, expected)
    assert np.allclose(view.coords["y"][:3], space.origin_um[1] + space.spacing_um[1] * np.arange(3))


def test_a_transform_of_another_run_is_refused(registration: Path, tmp_path: Path) -> None:
    folder = tmp_path / "registration"
    shutil.copytree(registration / "registration", folder)
    quality = json.loads((folder / "quality.json").read_text())
    (folder / "quality.json").write_text(json.dumps({**quality, "identity": "another run"}))
    brain = volumetric.open_registration(tmp_path, phantom().atlas)
    with pytest.raises(InputError, match="another registration"):
        brain.to_atlas([[0.0, 0.0, 0.0]])
    with pytest.raises(InputError, match="another registration"):
        brain.to_sample([[0.0, 0.0, 0.0]])


def test_another_atlas_and_no_registration_are_refused(registration: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not to this"):
        volumetric.open_registration(registration, phantom().atlas.scaled(2.0))
    with pytest.raises(InputError, match="holds no registration"):
        volumetric.open_registration(tmp_path, phantom().atlas)


def test_excluded_tissue_has_no_region(registration: Path, tmp_path: Path) -> None:
    folder = tmp_path / "registration"
    shutil.copytree(registration / "registration", folder)
    brain = phantom()
    grid = VoxelSpace(tuple(2 * s for s in brain.space.spacing_um), brain.space.origin_um)
    shape = tuple(-(-n // 2) for n in brain.shape)
    mask = np.zeros(shape, np.uint8)
    mask[: shape[0] // 2] = 1
    levels = plan_levels(shape, grid)[:1]
    stored = describe_volume(folder / EXCLUDED, levels, ("excluded",), "uint8", orientation=None, identity="true map")
    create_volume(stored, levels)
    stored.write(Box.of_shape(shape), mask)
    at = points(500)
    whole = RegisteredBrain.open(registration / "registration", brain.atlas).assign(at)
    part = RegisteredBrain.open(folder, brain.atlas).assign(at)
    gone = np.floor(grid.to_vox(at)[:, 0] + 0.5) < shape[0] // 2
    assert gone.any()
    assert np.array_equal(part.region_id, np.where(gone, 0, whole.region_id))
