"""Damaged images are refused by name, or read exactly as an independent program reads them; never read as zeros."""

from __future__ import annotations

import logging
import os
import re
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from pipelines.cli import main
from tests.image_formats import FORMATS, Written, characters, image

SEED = 11
CASES = 9
"""Damaged inputs a format."""

NOBODY = 65534
METADATA = {"zarr.json", ".zarray", ".zattrs", ".zgroup"}


def truncate(path: Path, rng: np.random.Generator) -> None:
    os.truncate(path, rng.integers(1, path.stat().st_size))


def empty(path: Path, rng: np.random.Generator) -> None:
    os.truncate(path, 0)


def flip(path: Path, rng: np.random.Generator, start: int | None = None, stop: int | None = None) -> None:
    content = bytearray(path.read_bytes())
    where = rng.integers(*slice(start, stop).indices(len(content))[:2])
    content[where] ^= 1 << rng.integers(8)
    path.write_bytes(content)


def flip_in_the_header(path: Path, rng: np.random.Generator) -> None:
    flip(path, rng, stop=200)


def flip_at_the_end(path: Path, rng: np.random.Generator) -> None:
    flip(path, rng, start=-400)


def blank(path: Path, rng: np.random.Generator) -> None:
    """A lost sector."""
    overwrite(path, rng, bytes(64))


def overwrite(path: Path, rng: np.random.Generator, new: bytes | None = None) -> None:
    new = new or rng.bytes(16)
    content = path.read_bytes()
    where = rng.integers(len(content))
    path.write_bytes(content[:where] + new[: len(content) - where] + content[where + len(new) :])


def cut_out(path: Path, rng: np.random.Generator) -> None:
    content = path.read_bytes()
    where = rng.integers(len(content))
    path.write_bytes(content[:where] + content[where + rng.integers(1, 200) :])


def lose_a_segment(path: Path, rng: np.random.Generator) -> None:
    """A strip or tile of a TIFF whose place or length was never written; of other formats, a lost sector."""
    if not path.name.endswith((".tif", ".tiff")):
        blank(path, rng)
        return
    with tifffile.TiffFile(path, is_ome=False) as tif:
        tags = tif.pages[rng.integers(len(tif.pages))].aspage().tags
        tag = tags[rng.choice([code for code in (273, 279, 324, 325) if code in tags])]
    width = struct.calcsize(tag.dataformat[-1])
    with path.open("r+b") as file:
        file.seek(tag.valueoffset + width * rng.integers(tag.count))
        file.write(bytes(width))


DAMAGES: tuple[Callable[[Path, np.random.Generator], None], ...] = (
    truncate,
    empty,
    flip,
    flip_in_the_header,
    flip_at_the_end,
    blank,
    overwrite,
    cut_out,
    lose_a_segment,
)


def choose(written: Written, rng: np.random.Generator) -> Path:
    """One of the files; of a Zarr, metadata as often as voxels."""
    files = sorted(path for path in written.path.parent.rglob("*") if path.is_file())
    described = [path for path in files if path.name in METADATA]
    return Path(rng.choice(described if described and rng.random() < 0.5 else files))


@contextmanager
def refusing_zeros() -> Iterator[None]:
    """Where tifffile puts zeros for images that are missing, it says so; then it has not read them."""
    messages: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("tifffile").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("tifffile").removeHandler(handler)
    if any("zeroed" in message for message in messages):
        raise ValueError("images are missing")


def plain_tiff(path: Path) -> np.ndarray:
    with refusing_zeros(), tifffile.TiffFile(path) as tif:
        series = tif.series[0]
        array, axes = series.asarray(squeeze=False), series.get_axes(squeeze=False)
    kept = [i for i, axis in enumerate(axes) if array.shape[i] > 1 or axis in "YX"]
    array, axes = array.reshape([array.shape[i] for i in kept]), "".join(axes[i] for i in kept)
    return np.moveaxis(array, axes.index("C"), 0) if "C" in axes else array[None]


def plain_slices(folder: Path) -> np.ndarray:
    files = sorted(folder.glob("*.tif"))
    if not files:
        return np.concatenate([plain_slices(child) for child in sorted(folder.iterdir())])
    return np.stack([tifffile.imread(file, is_ome=False) for file in files])[None]


def plain_hdf5(path: Path) -> np.ndarray:
    found: list[np.ndarray] = []

    def note(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found.append(item[...])

    with h5py.File(path) as file:
        file.visititems(note)
    return found[0] if found[0].ndim == 4 else np.stack(found)


def plain_imaris(path: Path) -> np.ndarray:
    with h5py.File(path) as file:
        time = file["DataSet/ResolutionLevel 0/TimePoint 0"]
        channels = []
        for name in time:
            sizes = [int(time[name].attrs[f"ImageSize{axis}"].tobytes()) for axis in "ZYX"]
            channels.append(time[name]["Data"][tuple(slice(n) for n in sizes)])
    return np.stack(channels)


def plain_numpy(path: Path) -> np.ndarray:
    array = np.load(path)
    return array if array.ndim == 4 else array[None]


def plain_zarr(path: Path) -> np.ndarray:
    found = zarr.open(str(path), mode="r")
    if isinstance(found, zarr.Group):
        attributes = found.attrs.asdict()
        images = attributes.get("ome", attributes)["multiscales"]
        found = found[images[0]["datasets"][0]["path"]]
    array = found[...]
    return array if array.ndim == 4 else array[None]


def plain(path: Path) -> np.ndarray:
    """The image as c, z, y, x, read without this project."""
    readers = {".h5": plain_hdf5, ".ims": plain_imaris, ".npy": plain_numpy, ".zarr": plain_zarr}
    if path.suffix in readers:
        return readers[path.suffix](path)
    return plain_slices(path) if path.is_dir() else plain_tiff(path)


@dataclass(frozen=True)
class Outcome:
    """What the command did: its exit code, what it said, and where it was to write."""

    code: int
    message: str
    out: Path

    def voxels(self) -> np.ndarray:
        return np.asarray(zarr.open_array(str(self.out / "0"), mode="r")[...])

    def must_refuse(self, *names: str) -> None:
        assert self.code in {1, 2}, self.message
        assert re.search(r"^error: ", self.message, re.MULTILINE)
        assert "Traceback" not in self.message
        assert "the program failed" not in self.message
        assert "\n\n" not in self.message.strip()
        assert any(name in self.message for name in names), f"{self.message} names none of {names}"
        assert not self.out.exists()

    def must_read_as_others_do(self, written: Written) -> None:
        try:
            expected = plain(written.path)
        except Exception:  # no other program can read it, so the damage must not have touched the voxels
            expected = written.image
        np.testing.assert_array_equal(self.voxels(), expected)


Ingest = Callable[[Path], Outcome]


@pytest.fixture
def ingest(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ingest:
    """Run the command beside its source, on a disk too small for an image that a flipped bit made enormous."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=200_000_000))
    monkeypatch.setattr("volumetric.blocks.execute.PAUSE_S", 0.0)

    def run(source: Path) -> Outcome:
        out = source.parent.parent / "out.ome.zarr"
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main(["ingest", str(source), str(out), "--voxel-um", "5", "0.7", "0.65", "--workers", "2"])
        assert isinstance(stopped.value.code, int)
        return Outcome(stopped.value.code, capsys.readouterr().err, out)

    return run


def names_of(path: Path, written: Written) -> tuple[str, ...]:
    """What a message must name: of TIFFs the very file, of a Zarr its folder."""
    return (path.name,) if path.name.endswith((".tif", ".tiff")) else (str(path), str(written.path))


@pytest.mark.parametrize("name", FORMATS)
def test_damage_is_refused_by_name_or_changes_what_every_reader_sees(name: str, tmp_path: Path, ingest: Ingest) -> None:
    for case in range(CASES):
        rng = np.random.default_rng([SEED, list(FORMATS).index(name), case])
        damage = DAMAGES[case % len(DAMAGES)]
        folder = tmp_path / f"{case}" / "in"
        folder.mkdir(parents=True)
        written = FORMATS[name](folder)
        assert written.image.min() > 0
        path = choose(written, rng)
        damage(path, rng)
        outcome = ingest(written.path)
        try:
            if outcome.code == 0:
                outcome.must_read_as_others_do(written)
            else:
                outcome.must_refuse(*names_of(path, written))
        except AssertionError as error:
            error.add_note(f"{damage.__name__} of {path.relative_to(folder)}, case {case}")
            raise


def add_a_wider_slice(written: Written) -> str:
    tifffile.imwrite(written.path / "s002.tif", np.ones((22, 35), np.uint16))
    return "s002.tif"


def lose_a_slice_of_a_channel(written: Written) -> str:
    (written.path / "signal" / "s004.tif").unlink()
    return "signal has 4"


def lose_a_slice_of_all(written: Written) -> str:
    (written.path / "s003.tif").unlink()
    return "between s002.tif and s004.tif"


def lose_a_file_of_the_stack(written: Written) -> str:
    (written.path.parent / "s003.ome.tif").unlink()
    return "s003.ome.tif"


def shorten_a_dataset(written: Written) -> str:
    with h5py.File(written.path, "a") as file:
        del file["images/signal"]
        file["images/signal"] = image()[0, :3]
    return "images/signal (3 x 22 x 34 uint16)"


def claim_more_than_is_stored(written: Written) -> str:
    with h5py.File(written.path, "a") as file:
        file["DataSet/ResolutionLevel 0/TimePoint 0/Channel 1"].attrs["ImageSizeX"] = characters("99")
    return str(written.path)


def append_to_the_array(written: Written) -> str:
    with written.path.open("ab") as file:
        file.write(bytes(22 * 34 * 2))
    return str(written.path)


def halve_a_chunk(written: Written) -> str:
    chunk = written.path / "1.0.0"
    os.truncate(chunk, chunk.stat().st_size // 2)
    return f"{written.path} is damaged within z, y, x (4, 0, 0)"


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("slices", add_a_wider_slice),
        ("slices", lose_a_slice_of_all),
        ("channel folders", lose_a_slice_of_a_channel),
        ("ome files by one", lose_a_file_of_the_stack),
        ("hdf5 several", shorten_a_dataset),
        ("imaris", claim_more_than_is_stored),
        ("npy", append_to_the_array),
        ("zarr 2", halve_a_chunk),
    ],
)
def test_sizes_that_do_not_fit_are_refused_by_name(
    name: str, damage: Callable[[Written], str], tmp_path: Path, ingest: Ingest
) -> None:
    (tmp_path / "in").mkdir()
    written = FORMATS[name](tmp_path / "in")
    said = damage(written)
    ingest(written.path).must_refuse(said)


@pytest.mark.parametrize("name", ["stack", "ome czyx zlib", "imagej", "hdf5 gzip", "imaris", "npy"])
@pytest.mark.parametrize("ending", [".h5", ".tif", ".npy", ""])
def test_a_wrong_ending_changes_nothing(name: str, ending: str, tmp_path: Path, ingest: Ingest) -> None:
    (tmp_path / "in").mkdir()
    written = FORMATS[name](tmp_path / "in")
    outcome = ingest(written.path.rename(tmp_path / "in" / f"renamed{ending}"))
    assert outcome.code == 0, outcome.message
    np.testing.assert_array_equal(outcome.voxels(), written.image)


@contextmanager
def without_rights() -> Iterator[None]:
    """As a user who may not read every file, where the tests are run by one who may."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that every user can reach and write to, which pytest's own is not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("slices", "s003.tif"),
        ("channel folders", "signal/s003.tif"),
        ("stack zlib", ""),
        ("ome files by one", ""),
        ("hdf5", ""),
        ("imaris", ""),
        ("npy", ""),
        ("zarr 2", ".zarray"),
        ("zarr 3", "zarr.json"),
        ("zarr 3", "c/1/0/0"),
        ("ome-zarr 0.5", "0/zarr.json"),
    ],
)
def test_a_file_that_may_not_be_read_is_named(name: str, file: str, shared_folder: Path, ingest: Ingest) -> None:
    (shared_folder / "in").mkdir()
    written = FORMATS[name](shared_folder / "in")
    ingested = ingest(written.path)
    assert ingested.code == 0, ingested.message
    shutil.rmtree(ingested.out)
    shutil.rmtree(ingested.out.with_name(f".{ingested.out.name}.work"))
    locked = written.path / file
    locked.chmod(0)
    with without_rights():
        outcome = ingest(written.path)
    outcome.must_refuse(str(locked), f"{written.path} cannot be read")
    assert "ermission" in outcome.message
