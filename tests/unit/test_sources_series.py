"""TIFFs that hold more than one image, or describe images elsewhere: joined, chosen, read, or refused by name."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.storage.sources import Source, open_source, read

SHAPE = (11, 48, 64)


def image(seed: int = 0, shape: tuple[int, ...] = SHAPE, dtype: str = "uint16") -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4000, shape).astype(dtype)


BIG = image(1, (60, 48, 64))


def voxels(source: Source, channel: int = 0) -> np.ndarray:
    return read(source, Box.of_shape(source.shape), channel)


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as refused:
        open_source(path)
    return str(refused.value)


def written(path: Path, *images: np.ndarray, **options: object) -> Path:
    """Images as series, one after another."""
    with tifffile.TiffWriter(path) as tif:
        for one in images:
            tif.write(one, photometric="minisblack", **options)
    return path


@pytest.mark.parametrize("cuts", [range(0, 61, 10), [0, 25, 50, 55], [0, 1, 2, 3], [0, 59, 60]], ids=str)
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}, {"metadata": None}], ids=str)
def test_a_stack_written_in_pieces_is_joined(tmp_path: Path, cuts: Sequence[int], options: dict[str, object]) -> None:
    for first, last in itertools.pairwise(cuts):
        tifffile.imwrite(tmp_path / "a.tif", BIG[first:last], append=True, photometric="minisblack", **options)
    source = open_source(tmp_path / "a.tif")
    np.testing.assert_array_equal(voxels(source), BIG[cuts[0] : cuts[-1]])
    if "metadata" not in options and len(cuts) < cuts[-1]:
        assert f"{cuts[-1]} slices in {len(cuts) - 1} pieces" in source.doubts[0]


def test_slices_written_one_by_one_are_no_reason_for_doubt(tmp_path: Path) -> None:
    source = open_source(written(tmp_path / "a.tif", *image()))
    np.testing.assert_array_equal(voxels(source), image())
    assert (source.contents, source.doubts) == ("11 slices, written one by one", ())


def test_pieces_of_different_compressions_are_joined(tmp_path: Path) -> None:
    for z, compression in ((0, None), (20, "zlib"), (40, "lzw")):
        tifffile.imwrite(tmp_path / "a.tif", BIG[z : z + 20], append=True, compression=compression)
    source = open_source(tmp_path / "a.tif")
    np.testing.assert_array_equal(voxels(source), BIG)
    np.testing.assert_array_equal(read(source, Box((15, 3, 5), (45, 40, 60))), BIG[15:45, 3:40, 5:60])


SMALL = image(2, (12, 16))


@pytest.mark.parametrize(
    "images",
    [(image(), SMALL), (SMALL, image()), (image(), SMALL, SMALL), (image()[0], SMALL), (image(), image()[:, ::4, ::4])],
    ids=["last", "first", "two", "of one slice", "of every slice"],
)
def test_a_small_copy_is_left_out_and_said(tmp_path: Path, images: tuple[np.ndarray, ...]) -> None:
    source = open_source(written(tmp_path / "a.tif", *images))
    main = max(images, key=lambda one: one.size)
    np.testing.assert_array_equal(voxels(source), main if main.ndim == 3 else main[None])
    assert "taken for a small copy and left out" in source.doubts[0]


def test_a_small_copy_in_colour_is_left_out(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        tif.write(np.zeros((12, 16, 3), np.uint8), photometric="rgb")
        tif.write(image(), photometric="minisblack")
    np.testing.assert_array_equal(voxels(open_source(tmp_path / "a.tif")), image())


def test_small_copies_between_slices_are_left_out(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        for page in image():
            tif.write(page, metadata=None)
            tif.write(page[::4, ::4], metadata=None, subfiletype=1)
    np.testing.assert_array_equal(voxels(open_source(tmp_path / "a.tif")), image())


def test_levels_of_a_pyramid_are_no_series(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as tif:
        tif.write(image(), subifds=2, metadata={"axes": "ZYX"})
        for step in (2, 4):
            tif.write(image()[:, ::step, ::step], subfiletype=1)
    source = open_source(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(voxels(source), image())
    assert source.doubts == ()


@pytest.mark.parametrize(
    "images",
    [
        (image(), image(3, (5, 40, 60))),
        (image(3, (5, 40, 60)), image()),
        (image(), image(3, dtype="uint8")),
        (image(), image(3, (11, 48, 65))),
        (image(), image(3, (2, 24, 32))),
        (image(), image(3, (11, 24, 40))),
        (image(), SMALL, image(3, (5, 40, 60))),
    ],
    ids=["smaller", "smaller first", "another type", "wider", "two small", "another part", "with a thumbnail"],
)
def test_images_that_do_not_fit_together_are_listed_and_can_be_chosen(
    tmp_path: Path, images: tuple[np.ndarray, ...]
) -> None:
    path = written(tmp_path / "a.tif", *images)
    said = refusal(path)
    assert "do not fit together" in said
    for number, one in enumerate(images):
        assert f"a.tif:{number} ({' x '.join(map(str, one.shape))} {one.dtype}" in said
        chosen = open_source(Path(f"{path}:{number}"))
        np.testing.assert_array_equal(voxels(chosen), one.reshape(-1, *one.shape[-2:]))
    assert f"has no image number {len(images)}" in refusal(Path(f"{path}:{len(images)}"))


@pytest.mark.parametrize(
    "second", [image(3), image(3, (5, 48, 64)), image(3, (20, 48, 64)), image(3, (11, 24, 32))], ids=str
)
def test_scenes_of_an_ome_tiff_are_chosen_with_their_own_metadata(tmp_path: Path, second: np.ndarray) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tif:
        for name, one, z in (("left", image(), 4.0), ("right", second, 8.0)):
            sizes = {"PhysicalSizeZ": z, "PhysicalSizeY": 2.0, "PhysicalSizeX": 2.0}
            tif.write(one, metadata={"axes": "ZYX", "Name": name, **sizes})
    said = refusal(path)
    assert "holds 2 images that are scenes" in said
    assert "a.ome.tif:0 (11 x 48 x 64 uint16, left); a.ome.tif:1" in said
    for number, one in enumerate((image(), second)):
        source = open_source(Path(f"{path}:{number}"))
        np.testing.assert_array_equal(voxels(source), one)
        assert source.spacing_um == ((4.0, 8.0)[number], 2.0, 2.0)


def test_images_of_one_file_have_identities_of_their_own(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as tif:
        for seed in range(2):
            tif.write(image(seed), metadata={"axes": "ZYX"})
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for seed in range(2):
            file[f"{seed}"] = image(seed)
    for path, mark in ((tmp_path / "a.ome.tif", ":"), (tmp_path / "a.h5", ":/")):
        first, second, again = (open_source(Path(f"{path}{mark}{number}")).identity for number in (0, 1, 0))
        assert first == again != second


def test_only_a_tiff_has_numbered_images(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", image())
    assert "a.npy is none: give its path alone" in refusal(tmp_path / "a.npy:1")
    assert "there is nothing at" in refusal(tmp_path / "b.tif:1")


def test_a_label_beside_a_scene_is_left_out(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as tif:
        tif.write(SMALL, metadata={"axes": "YX", "Name": "label"})
        tif.write(image(), metadata={"axes": "ZYX", "PhysicalSizeZ": 4.0, "PhysicalSizeY": 2.0, "PhysicalSizeX": 1.0})
    source = open_source(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(voxels(source), image())
    assert source.spacing_um == (4.0, 2.0, 1.0)


@pytest.mark.parametrize("options", [{"imagej": True}, {"ome": True}], ids=["ImageJ", "OME"])
def test_many_channels_of_one_slice_are_slices(tmp_path: Path, options: dict[str, bool]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", image(), photometric="minisblack", metadata={"axes": "CYX"}, **options)
    source = open_source(tmp_path / "a.tif")
    np.testing.assert_array_equal(voxels(source), image())
    assert "calls its 11 images channels" in source.doubts[0]


def test_few_channels_of_one_slice_stay_channels(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", image()[:2], imagej=True, metadata={"axes": "CYX"})
    source = open_source(tmp_path / "a.tif")
    assert (source.shape, source.channels) == ((1, 48, 64), ("channel0", "channel1"))


def test_several_time_points_are_refused_by_number(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", image(0, (3, 5, 48, 64)), imagej=True, metadata={"axes": "TZYX"})
    assert "3 time points, expected one" in refusal(tmp_path / "a.tif")


def test_colours_are_refused_with_the_way_out(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 48, 64, 3), np.uint8), photometric="rgb")
    assert "Split Channels" in refusal(tmp_path / "a.tif")


def palette(name: str) -> np.ndarray:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)
    nothing = np.zeros_like(ramp)
    rng = np.random.default_rng(0)
    return {
        "grey": np.stack([ramp] * 3),
        "green": np.stack([nothing, ramp, nothing]),
        "inverted": np.stack([ramp[::-1]] * 3),
        "random": rng.integers(0, 65535, (3, 256)).astype(np.uint16),
        "fire": np.stack([np.minimum(ramp, 30000) * 2, ramp // 2, ramp[::-1] // 3]),
        "black": np.stack([nothing] * 3),
    }[name]


@pytest.mark.parametrize("folder", [False, True], ids=["stack", "slices"])
@pytest.mark.parametrize("name", ["grey", "green", "inverted", "random", "fire", "black"])
def test_a_palette_is_read_only_where_its_numbers_are_brightness(tmp_path: Path, name: str, folder: bool) -> None:
    stack = image(0, dtype="uint8")
    for number, page in enumerate(stack if folder else [stack]):
        tifffile.imwrite(tmp_path / f"a_{number}.tif", page, photometric="palette", colormap=palette(name))
    path = tmp_path if folder else tmp_path / "a_0.tif"
    if name in {"grey", "green"}:
        source = open_source(path)
        np.testing.assert_array_equal(voxels(source), stack)
        assert "palette of one colour" in source.doubts[0]
    else:
        assert "in false colours (a palette)" in refusal(path)


def test_an_image_where_small_values_are_white_is_doubted(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", image(), photometric="miniswhite")
    assert "smallest value is white" in open_source(tmp_path / "a.tif").doubts[0]


UUID = "urn:uuid:00000000-0000-0000-0000-{:012}"


def ome_xml(data: str, own: str = "", slices: int = 11, channels: int = 1) -> str:
    named = "".join(f'<Channel ID="Channel:0:{c}" Name="c{c}" SamplesPerPixel="1"/>' for c in range(channels))
    return (
        f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"{own}><Image ID="Image:0">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="64" SizeY="48" '
        f'SizeZ="{slices}" SizeC="{channels}" SizeT="1" PhysicalSizeZ="5" PhysicalSizeY="2" '
        f'PhysicalSizeX="2">{named}{data}'
        "</Pixels></Image></OME>"
    )


def data_of(files: Sequence[str], planes: int, channel: bool = False) -> str:
    """Where the planes lie: `planes` in each file, one after another, or a channel in each."""
    return "".join(
        f'<TiffData FirstZ="{z if channel else number * planes + z}" FirstC="{number if channel else 0}" IFD="{z}" '
        f'PlaneCount="1"><UUID FileName="{name}">{UUID.format(number)}</UUID></TiffData>'
        for number, name in enumerate(files)
        for z in range(planes)
    )


@pytest.mark.parametrize("own", ["", f' UUID="{UUID.format(0)}"'], ids=["no UUID", "UUID"])
def test_a_renamed_ome_tiff_is_read(tmp_path: Path, own: str) -> None:
    description = ome_xml(data_of(["old.ome.tif"], 11), own)
    tifffile.imwrite(tmp_path / "new.ome.tif", image(), description=description, metadata=None)
    source = open_source(tmp_path / "new.ome.tif")
    np.testing.assert_array_equal(voxels(source), image())
    assert source.spacing_um == (5.0, 2.0, 2.0)


def binary_only(folder: Path) -> Path:
    files = [f"s{z:02}.tif" for z in range(11)]
    whole = ' UUID="urn:uuid:00000000-0000-0000-0000-000000009999"'
    (folder / "brain.companion.ome").write_text(ome_xml(data_of(files, 1), whole))
    for z, (name, page) in enumerate(zip(files, image(), strict=True)):
        description = (
            '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{UUID.format(z)}"><BinaryOnly MetadataFile="brain.companion.ome"{whole}/></OME>'
        )
        tifffile.imwrite(folder / name, page, description=description, metadata=None)
    return folder


@pytest.mark.parametrize("given", ["brain.companion.ome", "s00.tif", "s07.tif", "."])
def test_an_ome_tiff_with_a_companion_is_read_by_any_of_its_files(tmp_path: Path, given: str) -> None:
    source = open_source(binary_only(tmp_path) / given)
    np.testing.assert_array_equal(voxels(source), image())
    assert source.spacing_um == (5.0, 2.0, 2.0)


def test_a_missing_companion_is_named(tmp_path: Path) -> None:
    (binary_only(tmp_path) / "brain.companion.ome").unlink()
    assert "described in brain.companion.ome, which is not beside it" in refusal(tmp_path / "s03.tif")


def test_a_missing_file_of_a_companion_is_named(tmp_path: Path) -> None:
    (binary_only(tmp_path) / "s04.tif").unlink()
    assert "of which 1 are not beside it: s04.tif" in refusal(tmp_path / "brain.companion.ome")


def ome_parts(folder: Path, *, channel: bool) -> tuple[Path, np.ndarray]:
    """Two files of five slices each, which describe each other."""
    files = ["b_1.ome.tif", "b_2.ome.tif"]
    parts = [image(seed, (5, 48, 64)) for seed in (5, 6)]
    for number, (name, part) in enumerate(zip(files, parts, strict=True)):
        description = ome_xml(
            data_of(files, 5, channel), f' UUID="{UUID.format(number)}"', 5 if channel else 10, 2 if channel else 1
        )
        tifffile.imwrite(folder / name, part, description=description, metadata=None)
    return folder, np.stack(parts) if channel else np.concatenate(parts)[None]


@pytest.mark.parametrize("channel", [False, True], ids=["slices", "channels"])
@pytest.mark.parametrize("given", [".", "b_1.ome.tif", "b_2.ome.tif"])
def test_an_ome_tiff_of_several_files_is_read_as_a_folder_too(tmp_path: Path, channel: bool, given: str) -> None:
    folder, expected = ome_parts(tmp_path, channel=channel)
    source = open_source(folder / given)
    assert len(source.channels) == len(expected)
    for number, part in enumerate(expected):
        np.testing.assert_array_equal(voxels(source, number), part)


def test_a_file_that_does_not_belong_to_the_ome_tiff_is_named(tmp_path: Path) -> None:
    folder, _ = ome_parts(tmp_path, channel=False)
    tifffile.imwrite(folder / "c.tif", image())
    assert refusal(folder).startswith(f"c.tif in {folder} do")


def test_files_of_an_ome_tiff_that_were_all_renamed_are_named(tmp_path: Path) -> None:
    folder, _ = ome_parts(tmp_path, channel=False)
    for number in (1, 2):
        (folder / f"b_{number}.ome.tif").rename(folder / f"x_{number}.ome.tif")
    assert "b_2.ome.tif" in refusal(folder / "x_1.ome.tif")


def ome_of(slices: int) -> Callable[[Path], None]:
    return lambda path: tifffile.imwrite(
        path, image(), description=ome_xml("<TiffData/>", slices=slices), metadata=None
    )


def half_described(path: Path) -> None:
    tifffile.imwrite(path, image(), photometric="minisblack")
    tifffile.imwrite(path, image(), photometric="minisblack", append=True, metadata=None)


def broken_xml(path: Path) -> None:
    tifffile.imwrite(path, image(), description=ome_xml("<TiffData/>").replace("</Pixels>", "</Pixelz>"), metadata=None)


@pytest.mark.parametrize(
    "write",
    [ome_of(8), ome_of(14), half_described, broken_xml],
    ids=["fewer", "more", "half described", "broken"],
)
def test_nobody_is_told_to_replace_a_file_whose_metadata_alone_are_wrong(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    write(tmp_path / "a.tif")
    said = refusal(tmp_path / "a.tif")
    assert "has metadata that tell of other images than it holds" in said
    assert "Replace" not in said
