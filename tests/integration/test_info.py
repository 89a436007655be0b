"""`volumetric info`: what will be read before anything is converted, where it comes from, and what is doubtful."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from pipelines.cli import main
from pipelines.preview import preview
from tests.image_formats import FORMATS
from tests.unit.test_ngff import write
from tests.unit.test_sources_axes import axistags, bare
from volumetric.atlas.folder import write_atlas_folder
from volumetric.phantom.atlas import procedural_atlas
from volumetric.storage.sources import open_source

Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """Runs a command: exit status, what was printed with blanks as one, errors."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return int(stopped.value.code or 0), " ".join(out.split()), " ".join(err.split())

    return run


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("slices", "voxel um not stated: give --voxel-um"),
        ("imagej", "voxel um 5 x 0.7 x 0.65 (from ImageJ's metadata)"),
        ("ome czyx", "voxel um 5 x 0.7 x 0.65 (from OME-XML)"),
        ("imaris", "voxel um 5 x 0.7 x 0.65 (from Imaris' extents)"),
        ("hdf5", "voxel um 5 x 0.7 x 0.65 (from element_size_um)"),
        ("ome-zarr 0.4", "voxel um 5 x 0.7 x 0.65 (from the OME-Zarr's metadata)"),
        ("zarr 2", "voxel um not stated: give --voxel-um"),
        ("npy", "axes z, y, x (not named: the usual order)"),
        ("hdf5 several", "channels images-background, images-signal"),
        ("ome-zarr 0.5", "channels signal, background"),
        ("stack uint8", "data type uint8"),
        ("slices float32", "shape (z, y, x) 5 x 22 x 34"),
    ],
)
def test_what_will_be_read_is_shown(tmp_path: Path, said: Said, name: str, expected: str) -> None:
    status, out, _ = said("info", FORMATS[name](tmp_path).path)
    assert status == 0
    assert expected in out


def test_a_size_that_is_known_in_part_or_in_no_length_is_shown_so(tmp_path: Path, said: Said) -> None:
    image, notes = np.ones((5, 22, 34), np.uint16), {"axes": "ZYX", "unit": "um"}
    tifffile.imwrite(tmp_path / "a.tif", image, imagej=True, resolution=(2.0, 4.0), metadata=notes)
    out = said("info", tmp_path / "a.tif")[1]
    assert "voxel um ? x 0.25 x 0.5 (from ImageJ's metadata; the rest is not stated" in out
    path = write(tmp_path / "a.zarr", unit="pixel")
    out = said("info", path)[1]
    assert "not stated (the OME-Zarr's metadata gives z 5.0, y 0.7, x 0.65 in 'pixel'): give --voxel-um" in out


def test_the_flags_are_shown_as_what_they_are(tmp_path: Path, said: Said) -> None:
    path = bare(tmp_path, "zyxc", "npy")
    out = said("info", path, "--voxel-um", 5, 0.7, 0.7, "--axes", "zyxc")[1]
    assert "voxel um 5 x 0.7 x 0.7 (from --voxel-um)" in out
    assert "axes z, y, x, c (by --axes)" in out
    assert "channels channel0, channel1" in out
    assert said("info", path, "--axes", "zyxc", "--voxel-um", 5, 0, 1)[0] == 2


def test_axes_are_shown_with_who_names_them(tmp_path: Path, said: Said) -> None:
    assert "axes x, y, z (by its axistags)" in said("info", axistags(tmp_path, "xyz"))[1]


def test_values_are_looked_at_and_an_empty_channel_is_doubted(tmp_path: Path, said: Said) -> None:
    image = np.zeros((2, 5, 22, 34), np.uint16)
    image[0] += np.arange(34, dtype=np.uint16) + 100
    np.save(tmp_path / "a.npy", image)
    out = said("info", tmp_path / "a.npy")[1]
    assert "values channel0 100 to 133, channel1 0 to 0" in out
    assert "doubtful: the channel channel1 is 0 everywhere" in out


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        ((2600, 11000, 16000), (5.0, 0.7, 0.7), ""),
        ((264, 160, 228), (50.0, 50.0, 50.0), ""),
        ((1, 11000, 16000), (5.0, 0.7, 0.7), "one slice: a brain has many"),
        ((2600, 11000, 16000), (0.005, 0.0007, 0.0007), "smaller than light resolves"),
        ((100, 100, 100), (0.06, 0.06, 0.06), "is the unit wrong?"),
        ((2600, 11000, 16000), (5000.0, 700.0, 700.0), "is the unit wrong?"),
        ((2600, 11000, 16000), (5.0, 0.07, 0.07), "or a wrong voxel size"),
        ((2600, 11000, 16000), (0.7, 0.7, 5.0), "are not square"),
        ((2600, 11000, 16000), (5.0, 7.0, 7.0), "much empty space"),
    ],
)
def test_what_no_brain_or_microscope_has_is_doubted(
    shape: tuple[int, ...], size: tuple[float, ...], expected: str, tmp_path: Path
) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), shape=shape, dtype="uint16", chunks=(64, 1024, 1024))[0, 0, 0] = 1
    source = open_source(tmp_path / "a.zarr")
    doubts = preview(source, (size[0], size[1], size[2]), values=False).doubts
    assert (expected in " ".join(doubts)) if expected else not doubts


def test_a_size_that_programs_write_who_know_none_is_doubted(tmp_path: Path, said: Said) -> None:
    path = write(tmp_path / "a.zarr", scale=(1.0, 1.0, 1.0))
    assert "doubtful: voxels of 1 um (the OME-Zarr's metadata)" in said("info", path)[1]
    assert "voxels of 1 um" not in said("info", path, "--voxel-um", 1, 1, 1)[1]


def test_doubts_are_said_before_the_work(tmp_path: Path, said: Said) -> None:
    np.save(tmp_path / "a.npy", np.ones((1, 40, 40), np.uint16))
    status, _, err = said(
        "detect", tmp_path / "a.npy", "--voxel-um", 5, 0.06, 0.06, "--out", tmp_path / "c", "--dry-run"
    )
    assert status == 0
    assert "warning: the image has one slice" in err
    assert "warning: voxels of 5 x 0.06 x 0.06 um (z, y, x) are smaller than light resolves" in err


@pytest.mark.parametrize("name", ["slices", "ome-zarr 0.5"])
def test_the_dry_run_of_a_count_says_what_info_says(tmp_path: Path, said: Said, name: str) -> None:
    write_atlas_folder(procedural_atlas(), tmp_path / "atlas")
    path = FORMATS[name](tmp_path).path
    flags = ("--voxel-um", 5, 0.7, 0.65)
    more = ("--signal", "signal") if name.startswith("ome") else ()
    rest = ("--orientation", "psl", "--atlas", tmp_path / "atlas", "--out", tmp_path / "run", "--dry-run")
    status, out, _ = said("count", path, *flags, *rest, *more)
    assert status == 0
    for line in ("voxel um 5 x 0.7 x 0.65 (from --voxel-um)", "shape (z, y, x) 5 x 22 x 34", "values ", "doubtful: "):
        assert line in out
    assert out.index("voxel um") < out.index("Plan")


def sparse(path: Path, version: int) -> Path:
    array = zarr.create_array(
        str(path), shape=(64, 256, 256), chunks=(16, 64, 64), dtype="uint16", fill_value=3, zarr_format=version,
        config={"write_empty_chunks": False},
    )  # fmt: skip
    array[:16, :64, :128] = np.random.default_rng(0).integers(10, 900, (16, 64, 128))
    return path


@pytest.mark.parametrize("version", [2, 3])
def test_chunks_that_another_program_left_out_are_no_damage(tmp_path: Path, said: Said, version: int) -> None:
    path = sparse(tmp_path / "a.zarr", version)
    assert "2 of 64" in said("info", path)[1]
    status, out, _ = said("info", path, "--verify")
    assert status == 0
    assert "verified: 2 of 64 files are there and can be decoded" in out
    assert "the other 62 are not stored: in Zarr their voxels are 3" in out


def test_damage_of_anothers_files_is_not_to_be_mended_by_ingest(tmp_path: Path, said: Said) -> None:
    path = sparse(tmp_path / "a.zarr", 2)
    chunk = path / "0.0.1"
    os.truncate(chunk, chunk.stat().st_size // 2)
    status, out, err = said("info", path, "--verify")
    assert status == 1
    assert "0.0.1" in out
    assert "1 damaged or missing. Copy these files again" in err
    assert "--repair" not in err


def test_one_dataset_of_a_file_is_shown(tmp_path: Path, said: Said) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"] = np.ones((5, 22, 34), np.uint16)
        file["other"] = np.ones((6, 22, 34), np.uint16)
    assert "kind HDF5, /other" in said("info", f"{tmp_path / 'a.h5'}:/other")[1]


def test_a_single_slice_is_doubted_whatever_its_voxels(tmp_path: Path, said: Said) -> None:
    np.save(tmp_path / "a.npy", np.arange(1600, dtype=np.uint16).reshape(1, 40, 40))
    assert "doubtful: the image has one slice: a brain has many" in said("info", tmp_path / "a.npy")[1]


def test_the_dry_run_of_a_sheet_names_the_brains_that_are_doubtful(tmp_path: Path, said: Said) -> None:
    write_atlas_folder(procedural_atlas(), tmp_path / "atlas")
    for name, depth in (("m1", 1), ("m2", 5)):
        np.save(tmp_path / f"{name}.npy", np.ones((depth, 40, 40), np.uint16))
    rows = [f"{name},{name}.npy,5 0.7 0.7,psl,{tmp_path / 'atlas'}" for name in ("m1", "m2")]
    (tmp_path / "brains.csv").write_text("\n".join(["brain,source,voxel_um,orientation,atlas", *rows]) + "\n")
    status, out, _ = said("count", "--sheet", tmp_path / "brains.csv", "--out", tmp_path / "study", "--dry-run")
    assert status == 0
    assert "doubtful: m1: the image has one slice" in out
    assert "doubtful: m2" not in out
