"""What a folder holds is told before it is read: channels, strays, tiles, stacks, other formats and data types."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
import zarr

from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.storage.png import write_png
from volumetric.storage.sources import Source, open_source, read

SHAPE = (11, 48, 64)


def image(seed: int = 0, dtype: str = "uint16") -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, SHAPE).astype(dtype)


def slices(folder: Path, seed: int = 0, name: str = "s{:03}.tif", **options: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, page in enumerate(image(seed)):
        tifffile.imwrite(folder / name.format(number), page, **options)
    return folder


def voxels(source: Source, channel: int = 0) -> np.ndarray:
    return read(source, Box.of_shape(source.shape), channel)


def refusal(path: Path, **options: str) -> str:
    with pytest.raises(InputError) as refused:
        open_source(path, **options)
    return str(refused.value)


@pytest.fixture
def brain(tmp_path: Path) -> Path:
    for seed, name in enumerate(("Ex488", "Ex561")):
        slices(tmp_path / "x" / name, seed)
    return tmp_path / "x"


@pytest.mark.parametrize("strays", [["preview.tif"], ["p_1.tif", "p_2.tif"], ["MIP.PNG"]])
def test_images_beside_channel_folders_are_refused_both_named(brain: Path, strays: list[str]) -> None:
    for name in strays:
        if name.endswith("PNG"):
            write_png(brain / name, image(0, "uint8")[0])
        else:
            tifffile.imwrite(brain / name, image()[0])
    said = refusal(brain)
    assert all(name in said for name in [*strays, "Ex488", "Ex561"])


def test_what_is_no_image_beside_images_is_left_alone(brain: Path) -> None:
    for folder in (brain, brain / "Ex488"):
        for name in ("Thumbs.db", ".DS_Store", "._s003.tif", "notes.txt", "scan.log", "meta.xml"):
            (folder / name).write_bytes(b"no image")
    (brain / "empty").mkdir()
    slices(brain / ".trash")
    for folder in (brain / "results" / "figures", brain / "Ex488" / "thumbs"):
        folder.mkdir(parents=True)
        write_png(folder / "MIP.png", image(0, "uint8")[0])
    source = open_source(brain)
    assert source.channels == ("Ex488", "Ex561")
    np.testing.assert_array_equal(voxels(source, 1), image(1))
    assert "11 files, s000.tif to s010.tif, numbered 0 to 10" in source.contents


@pytest.mark.parametrize("channels", [True, False])
def test_a_run_among_the_images_is_not_read_again(brain: Path, channels: bool) -> None:
    path = brain if channels else brain / "Ex488"
    (path / "run" / ".work").mkdir(parents=True)
    (path / "run" / "registration").mkdir()
    write_png(path / "run" / "registration" / "overlay.png", image(0, "uint8")[0])
    tifffile.imwrite(path / "run" / "figure.tif", image()[0])
    assert open_source(path).shape == SHAPE


def test_channels_of_two_kinds_are_refused(brain: Path) -> None:
    (brain / "Ex640").mkdir()
    for number, page in enumerate(image(0, "uint8")):
        write_png(brain / "Ex640" / f"s{number}.png", page)
    assert "some folders hold PNGs (s0.png" in refusal(brain)


def test_the_folder_that_lacks_slices_is_named_with_them(brain: Path) -> None:
    (brain / "Ex561" / "s010.tif").unlink()
    (brain / "Ex561" / "s009.tif").unlink()
    said = refusal(brain)
    assert "Ex488 has 11, Ex561 has 9" in said
    assert f"{brain / 'Ex561'} lacks what {brain / 'Ex488'} has as s009.tif, s010.tif" in said


def test_channels_numbered_differently_are_doubted(brain: Path) -> None:
    for path in sorted((brain / "Ex561").iterdir(), reverse=True):
        path.rename(path.with_name(f"s{int(path.stem[1:]) + 1:03}.tif"))
    assert "numbered differently (Ex488 0 to 10, Ex561 1 to 11)" in open_source(brain).doubts[0]


TILES = {
    "TeraStitcher": ["000000_000000", "000000_002000", "002000_000000", "002000_002000"],
    "TeraStitcher's two levels": ["000000/000000_000000", "000000/000000_002000", "002000/002000_000000"],
    "channels of tiles": ["Ex488/000000/000000_000000", "Ex488/000000/000000_002000"],
    "UltraII": ["b_UltraII[00 x 00]", "b_UltraII[00 x 01]"],
    "tile numbers": ["Tile0", "Tile1", "Tile2"],
    "mesoSPIM": ["b_Mag4x_Tile0_Ch488_Sh0", "b_Mag4x_Tile1_Ch488_Sh0"],
    "tiles of channels": ["Tile0_Ch488", "Tile1_Ch488", "Tile0_Ch561", "Tile1_Ch561"],
    "rows and columns": ["x00_y00", "x00_y01", "x01_y00"],
    "a grid": ["0_0", "0_1", "1_0", "1_1"],
    "positions": ["Pos0", "Pos1"],
}


@pytest.mark.parametrize("folders", TILES.values(), ids=TILES)
def test_unstitched_tiles_are_named_as_that(tmp_path: Path, folders: list[str]) -> None:
    for folder in folders:
        slices(tmp_path / "root" / folder)
    said = refusal(tmp_path / "root")
    assert f"{len(folders)} folders of unstitched tiles" in said
    assert "TeraStitcher" in said


@pytest.mark.parametrize(
    "folders", [["488_525", "561_600"], ["Ex_488_Em_525", "Ex_561_Em_600"], ["C0", "C1"], ["1", "2"]]
)
def test_folders_of_channels_are_no_tiles(tmp_path: Path, folders: list[str]) -> None:
    for seed, folder in enumerate(folders):
        slices(tmp_path / "root" / folder, seed)
    assert open_source(tmp_path / "root").channels == tuple(folders)


def test_one_tile_is_a_brain(tmp_path: Path) -> None:
    slices(tmp_path / "root" / "000000_002000")
    np.testing.assert_array_equal(voxels(open_source(tmp_path / "root")), image())


def test_images_folders_deeper_are_found_and_named(tmp_path: Path) -> None:
    slices(tmp_path / "root" / "day1" / "Ex488")
    assert "lie folders deeper, as in day1/Ex488" in refusal(tmp_path / "root")


def test_many_folders_are_no_channels(tmp_path: Path) -> None:
    for number in range(9):
        slices(tmp_path / "root" / f"section{number}")
    assert "holds 9 folders of images" in refusal(tmp_path / "root")


@pytest.mark.parametrize("pattern", ["_C{c}", "C{c}", "brain_Z*_C{c}"])
def test_channels_in_one_folder_are_read_with_a_pattern(tmp_path: Path, pattern: str) -> None:
    for seed in (0, 1):
        slices(tmp_path / "x", seed, f"brain_Z{{:04}}_C{seed:02}.tif")
    assert '--channel-pattern "_C{c}"' in refusal(tmp_path / "x")
    source = open_source(tmp_path / "x", channel_pattern=pattern)
    assert source.channels == ("00", "01")
    for channel in (0, 1):
        np.testing.assert_array_equal(voxels(source, channel), image(channel))


def test_a_slice_missing_in_one_channel_of_a_folder_is_named(tmp_path: Path) -> None:
    for seed in (0, 1):
        slices(tmp_path / "x", seed, f"brain_Z{{:04}}_C{seed:02}.tif")
    (tmp_path / "x" / "brain_Z0004_C01.tif").unlink()
    said = refusal(tmp_path / "x", channel_pattern="_C{c}")
    assert "between brain_Z0003_C01.tif and brain_Z0005_C01.tif" in said


@pytest.mark.parametrize("what", ["file", "channel folders", "zarr"])
def test_a_pattern_is_for_a_folder_of_images(brain: Path, tmp_path: Path, what: str) -> None:
    if what == "zarr":
        zarr.create_array(str(tmp_path / "z.zarr"), data=image())
    path = {"file": brain / "Ex488" / "s000.tif", "channel folders": brain, "zarr": tmp_path / "z.zarr"}[what]
    assert "--channel-pattern is for a folder of images" in refusal(path, channel_pattern="_C{c}")


def test_a_folder_with_one_stack_is_that_stack(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "brain.tif", image(), photometric="minisblack")
    np.testing.assert_array_equal(voxels(open_source(tmp_path)), image())


def test_folders_and_names_of_one_stack_a_channel_are_read(tmp_path: Path) -> None:
    for seed in (0, 1):
        for path in (tmp_path / "folders" / f"ch{seed}" / "stack.tif", tmp_path / "names" / f"b_C{seed}.tif"):
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, image(seed), photometric="minisblack")
    for source in (open_source(tmp_path / "folders"), open_source(tmp_path / "names", channel_pattern="_C{c}")):
        for channel in (0, 1):
            np.testing.assert_array_equal(voxels(source, channel), image(channel))


def test_stacks_among_slices_are_named(tmp_path: Path) -> None:
    for number in range(3):
        tifffile.imwrite(tmp_path / f"b_{number}.tif", image(), photometric="minisblack")
    assert "b_0.tif holds 11 images: in a folder of slices each file must hold one" in refusal(tmp_path)


def test_a_stack_with_one_directory_is_no_slice(tmp_path: Path) -> None:
    for number in range(2):
        tifffile.imwrite(tmp_path / f"b_{number}.tif", image(), imagej=True, metadata={"axes": "ZYX"})
        with tifffile.TiffFile(tmp_path / f"b_{number}.tif") as tif:
            end = tif.pages.first.offset + 2 + 12 * len(tif.pages.first.tags)
        with (tmp_path / f"b_{number}.tif").open("r+b") as file:  # as ImageJ writes stacks above 4 GB
            file.seek(end)
            file.write(bytes(4))
    assert "b_0.tif holds 11 images" in refusal(tmp_path)


def test_small_copies_within_slices_are_left_out(tmp_path: Path) -> None:
    for number, page in enumerate(image()):
        with tifffile.TiffWriter(tmp_path / f"s{number}.tif") as tif:
            tif.write(page, metadata=None)
            tif.write(page[::4, ::4], metadata=None, subfiletype=1)
    np.testing.assert_array_equal(voxels(open_source(tmp_path)), image())


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("folders", [["x"], ["x/red", "x/green"]], ids=["one", "channels"])
def test_png_slices_are_read(tmp_path: Path, dtype: str, folders: list[str]) -> None:
    for seed, folder in enumerate(folders):
        (tmp_path / folder).mkdir(parents=True)
        for number, page in enumerate(image(seed, dtype)):
            (tmp_path / folder / f"s{number}.png").write_bytes(imagecodecs.png_encode(page))
    source = open_source(tmp_path / "x")
    assert source.dtype == dtype
    for seed, folder in enumerate(folders):
        channel = source.channels.index(Path(folder).name)
        np.testing.assert_array_equal(voxels(source, channel), image(seed, dtype))
        box = Box((2, 5, 7), (6, 30, 40))
        np.testing.assert_array_equal(read(source, box, channel), image(seed, dtype)[box.slices])


def test_a_lost_or_damaged_png_slice_is_named(tmp_path: Path) -> None:
    for number, page in enumerate(image(0, "uint8")):
        write_png(tmp_path / f"s{number:02}.png", page)
    whole = (tmp_path / "s05.png").read_bytes()
    (tmp_path / "s05.png").write_bytes(whole[:-20])
    assert "s05.png is truncated" in refusal(tmp_path)
    (tmp_path / "s05.png").unlink()
    assert "between s04.png and s06.png" in refusal(tmp_path)


def test_colours_among_png_slices_are_named_before_the_work(tmp_path: Path) -> None:
    for number, page in enumerate(image(0, "uint8")):
        write_png(tmp_path / f"s{number:02}.png", page)
    colours = np.stack([image(seed, "uint8")[0] for seed in range(3)], axis=-1)
    (tmp_path / "s07.png").write_bytes(imagecodecs.png_encode(colours))
    assert "s07.png is in colour" in refusal(tmp_path)


FOREIGN = {
    "a.czi": (b"ZISRAWFILE" + bytes(90), "Zeiss CZI", "bfconvert a.czi"),
    "a.nd2": (b"\xda\xce\xbe\n" + bytes(90), "Nikon ND2", "Bio-Formats"),
    "a.lif": (b"\x70\x00\x00\x00" + bytes(90), "Leica LIF", "Bio-Formats"),
    "a.oir": (b"OLYMPUSRAWFORMAT" + bytes(90), "Olympus OIR", "Bio-Formats"),
    "a.vsi": (b"II*\x00" + bytes(90), "Olympus VSI", "folder beside it"),
    "a.nii": (bytes(344) + b"n+1\x00", "NIfTI", "nibabel"),
    "a.nii.gz": (b"\x1f\x8b" + bytes(90), "NIfTI", "nibabel"),
    "a.nrrd": (b"NRRD0004\n", "NRRD", "pynrrd"),
    "a.mhd": (b"ObjectType = Image\n", "MetaImage", "SimpleITK"),
    "a.jp2": (b"\x00\x00\x00\x0cjP  \r\n", "JPEG 2000", "Image Sequence"),
    "a.jpg": (b"\xff\xd8\xff\xe0" + bytes(90), "JPEG", "Image Sequence"),
    "a.dat": (b"ZISRAWFILE" + bytes(90), "Zeiss CZI", "bfconvert a.dat"),
    "a.tif": (b"ZISRAWFILE" + bytes(90), "Zeiss CZI", "bfconvert a.tif"),
    "b.nd2": (b"damaged " * 20, "Nikon ND2", "Bio-Formats"),
    "a.raw": (bytes(90), "bare values", "Raw"),
    "a.npz": (b"PK\x03\x04" + bytes(90), "several NumPy arrays", "numpy.save"),
    "a.zip": (b"PK\x03\x04" + bytes(90), "ZIP", "unpack"),
}


@pytest.mark.parametrize(("name", "content", "what", "way"), [(n, *v) for n, v in FOREIGN.items()], ids=FOREIGN)
def test_a_file_of_another_format_is_named_with_a_way(
    tmp_path: Path, name: str, content: bytes, what: str, way: str
) -> None:
    (tmp_path / name).write_bytes(content)
    said = refusal(tmp_path / name)
    assert what in said
    assert way in said


@pytest.mark.parametrize("name", ["a.czi", "a.nd2", "a.jp2", "a.jpg", "a.nii.gz", "a.mhd"])
def test_a_folder_of_another_format_is_named_with_a_way(tmp_path: Path, name: str) -> None:
    content, what, way = FOREIGN[name]
    for number in range(3):
        (tmp_path / f"{number}{name}").write_bytes(content)
    said = refusal(tmp_path)
    assert "no images found" in said
    assert what in said
    assert way.split()[0] in said
    assert "2 more" in said


def test_a_folder_around_a_readable_file_says_so(tmp_path: Path) -> None:
    np.save(tmp_path / "brain.npy", image())
    assert "It holds brain.npy: give the path" in refusal(tmp_path)


KINDS = {
    "uint32": "float32",
    "int32": "float32",
    "int64": "float32",
    "float64": "float32",
    "float16": "float32",
    "int8": "int16",
}


@pytest.mark.parametrize(("dtype", "stored"), KINDS.items())
@pytest.mark.parametrize("kind", ["slices", "stack", "npy", "zarr"])
def test_further_data_types_are_read_as_one_that_is_written(tmp_path: Path, dtype: str, stored: str, kind: str) -> None:
    stack = image(0, "int8").astype(dtype)
    path = tmp_path / {"stack": "a.tif", "npy": "a.npy", "zarr": "a.zarr"}.get(kind, "x")
    if kind == "stack":
        tifffile.imwrite(path, stack, photometric="minisblack")
    elif kind == "npy":
        np.save(path, stack)
    elif kind == "zarr":
        zarr.create_array(str(path), data=stack)
    else:
        path.mkdir()
        for number, page in enumerate(stack):
            tifffile.imwrite(path / f"s{number}.tif", page)
    source = open_source(path)
    np.testing.assert_array_equal(voxels(source), stack.astype(stored), strict=True)
    assert f"values of {dtype} are converted to {stored}" in source.doubts


def test_complex_values_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", image().astype(np.complex64))
    assert "holds complex64 values" in refusal(tmp_path / "a.npy")
