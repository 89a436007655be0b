"""Inputs are known by what they hold."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr

from volumetric.storage import provenance
from volumetric.storage.omezarr import open_zarr
from volumetric.storage.provenance import files_identity, folder_identity


@pytest.fixture
def slices(tmp_path: Path) -> Path:
    folder = tmp_path / "brain"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(12):
        (folder / f"s{number:02}.tif").write_bytes(rng.bytes(5000 + number))
    return folder


def identity(folder: Path) -> str:
    return files_identity(sorted(folder.iterdir()))


def change(path: Path, at: int) -> None:
    """One bit, and neither size nor time."""
    stat, content = path.stat(), bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_copies_moves_and_other_names_are_the_same_images(slices: Path, tmp_path: Path) -> None:
    before = identity(slices)
    copied = Path(shutil.copytree(slices, tmp_path / "copy", copy_function=shutil.copyfile))  # times are new
    assert identity(copied) == before
    for path in sorted(copied.iterdir()):
        path.rename(path.with_name(f"renamed_{path.name}"))
    assert identity(copied) == before
    assert folder_identity(copied) != folder_identity(slices), "in a folder of tiles the names matter"
    os.utime(slices / "s03.tif", ns=(1, 1))
    assert identity(slices) == before


@pytest.mark.parametrize("at", [0, 2600, 4999])
@pytest.mark.parametrize("number", [0, 7, 11])
def test_any_bit_counts_in_small_inputs(slices: Path, number: int, at: int) -> None:
    before, below = identity(slices), folder_identity(slices)
    change(sorted(slices.iterdir())[number], at)
    assert identity(slices) != before
    assert folder_identity(slices) != below


def test_order_and_number_of_files_count(slices: Path) -> None:
    files = sorted(slices.iterdir())
    assert files_identity(files[::-1]) != files_identity(files)
    assert files_identity(files[:-1]) != files_identity(files)
    assert files_identity([]) == files_identity([])


def test_what_systems_leave_behind_is_no_change(slices: Path) -> None:
    before = folder_identity(slices)
    for name in (".DS_Store", "Thumbs.db", "._s01.tif"):
        (slices / name).write_bytes(b"x")
    assert folder_identity(slices) == before
    (slices / ".zattrs").write_bytes(b"{}")
    assert folder_identity(slices) != before


def test_of_large_inputs_a_bounded_part_is_read(slices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Size, first and last bytes of each file, and a changed region that runs through the slices."""
    monkeypatch.setattr(provenance, "BLOCK", 64)
    monkeypatch.setattr(provenance, "LARGEST", 12 * 5 * 64)
    files = sorted(slices.iterdir())
    before = files_identity(files)
    for at in (0, -1):
        change(files[5], at)
        assert files_identity(files) != before
        change(files[5], at)
    assert files_identity(files) == before
    places = {tuple(provenance._blocks(5000, 5, number)) for number in range(12)}
    assert len(places) == 12
    assert all(0 <= start <= 5000 - 64 for row in places for start in row)
    for path in files:  # a tenth of each slice
        content = bytearray(path.read_bytes())
        content[2000:2500] = bytes(500)
        path.write_bytes(content)
    assert files_identity(files) != before


def test_of_very_many_files_some_are_opened_and_all_are_sized(slices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "BLOCK", 64)
    monkeypatch.setattr(provenance, "LARGEST", 12 * 64)
    monkeypatch.setattr(provenance, "FILES", 4)
    before, files = identity(slices), sorted(slices.iterdir())
    assert sum(found is not None for _, found in provenance._contents(files)) == 4
    with files[1].open("ab") as file:
        file.write(b"x")
    assert identity(slices) != before


def test_a_foreign_zarr_is_known_by_its_voxels(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 9, (4, 6, 6)).astype(np.uint16)
    for name, extra in (("a", 0), ("b", 0), ("c", 1)):
        zarr.create_array(str(tmp_path / name), data=stack + np.uint16(extra), chunks=(2, 3, 3), compressors=None)
    one, same, other = (open_zarr(tmp_path / name, (1, 1, 1)).fingerprint() for name in "abc")
    assert one == same != other
