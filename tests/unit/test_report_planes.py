"""Pictures of the brain: everything is drawn where it is, and every brain is turned alike."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from pipelines.report import overlay_png
from pipelines.report.anatomy import views
from pipelines.report.brain import find_brain, frame
from pipelines.report.density import density_map, projected_counts
from pipelines.report.picture import render, round_length
from pipelines.report.planes import Marks, borders, draw_borders, grey_window, overlay_figure, plane_level, read_plane
from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.geometry.orientation import ORIENTATIONS, AxisMap
from volumetric.geometry.space import VoxelSpace
from volumetric.storage.levels import plan_levels
from volumetric.storage.omezarr import create_volume, describe_volume
from volumetric.storage.volume import Volume


def write_volume(path: Path, image: np.ndarray, spacing: tuple[float, float, float], orientation: str | None) -> Volume:
    levels = plan_levels(image.shape, VoxelSpace(spacing))[:1]
    volume = describe_volume(path, levels, ("only",), str(image.dtype), orientation=orientation, identity=str(path))
    create_volume(volume, levels)
    volume.write(Box.of_shape(image.shape), image)
    return volume


def pixels(figure: Figure) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(render(figure, "png"))).convert("L"), dtype=float)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_orientation_shows_the_same_picture(tmp_path: Path, orientation: str) -> None:
    """A brain in the frame a, s, l and the same brain turned: one place has one position in every panel."""
    spacing = (50.0, 40.0, 30.0)
    labels = np.zeros((20, 16, 12), np.uint32)
    labels[2:18, 3:14, 1:11] = 1
    place = np.zeros(labels.shape, np.uint8)
    place[4, 5, 8] = 1
    turn = AxisMap.between("asl", orientation)
    volume = write_volume(tmp_path / "labels.ome.zarr", turn.apply(labels).copy(), turn.reorder(spacing), orientation)
    brain = find_brain(volume)
    um = volume.space.to_um(np.argwhere(turn.apply(place)))[0]
    shares = {0: (4.5 - 2) / 16, 1: (5.5 - 3) / 11, 2: (8.5 - 1) / 10}
    axes = {"coronal": (0, 1, 2), "sagittal": (2, 1, 0), "horizontal": (1, 0, 2)}
    edges = {"coronal": "DVLR", "sagittal": "DVAP", "horizontal": "APLR"}
    for view in views(orientation):
        cut, down, across = axes[view.name]
        assert view.top + view.bottom + view.left + view.right == edges[view.name]
        assert brain.position(view, shares[cut]) == pytest.approx(um[view.cut])
        for sample_axis, axis, (start, stop) in zip(
            (view.down, view.across), (down, across), frame(brain, view), strict=True
        ):
            length = spacing[axis] * (16, 11, 10)[axis]
            shown = (um[sample_axis] - start) / (stop - start)
            margin = 0.035 * 16 * 50
            assert shown == pytest.approx((margin + shares[axis] * length) / (2 * margin + length))


@pytest.mark.parametrize("orientation", ["psl", "psr", "asl", "ial", "lsa"])
def test_light_on_the_left_is_drawn_on_the_left(tmp_path: Path, orientation: str) -> None:
    turn = AxisMap.between("asl", orientation)
    image = np.full((30, 30, 40), 100, np.uint16)
    image[:, :, :15] = 1000
    labels = np.ones(image.shape, np.uint32)
    volume = write_volume(tmp_path / "v.ome.zarr", turn.apply(image).copy(), (100.0, 100.0, 100.0), orientation)
    regions = write_volume(tmp_path / "l.ome.zarr", turn.apply(labels).copy(), (100.0, 100.0, 100.0), orientation)
    coronal = views(orientation)[0]
    figure = overlay_figure(
        volume, None, regions, brain=find_brain(regions), rows=[[(coronal, 0.5)]], colours={}, width_in=4
    )
    shown = pixels(figure)
    middle = shown[shown.shape[0] // 3 : 2 * shown.shape[0] // 3]
    width = middle.shape[1]
    assert (
        np.median(middle[:, width // 6 : width // 3]) > 3 * np.median(middle[:, 3 * width // 5 : 4 * width // 5]) + 20
    )


def test_a_border_lies_between_the_voxels_of_two_regions() -> None:
    labels = np.zeros((40, 30), np.uint32)
    labels[10:20, 5:15] = 7
    lines = borders(labels, (10.0, 20.0), (0.0, 0.0))
    assert list(lines) == [7]
    outline = np.vstack(lines[7])
    assert outline.min(axis=0) == pytest.approx([4.5 * 20, 9.5 * 10], abs=1)
    assert outline.max(axis=0) == pytest.approx([14.5 * 20, 19.5 * 10], abs=1)


def test_a_region_one_voxel_wide_keeps_its_border() -> None:
    labels = np.ones((20, 20), np.uint32)
    labels[:, 10] = 2
    assert len(borders(labels, (1.0, 1.0), (0.0, 0.0))[2]) == 1


def test_a_border_is_drawn_in_its_colour_at_its_place() -> None:
    figure = Figure(figsize=(2, 2), facecolor="black")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 100), ylim=(100, 0))
    axes.set_axis_off()
    square = np.array([[25.0, 50.0], [75.0, 50.0]])
    draw_borders(axes, {4: [square]}, {4: (1.0, 0.0, 0.0)})
    shown = np.asarray(Image.open(io.BytesIO(render(figure, "png"))).convert("RGB"))
    red = np.argwhere(shown[..., 0] > 100)
    assert red[:, 0].mean() / shown.shape[0] == pytest.approx(0.5, abs=0.01)
    assert (red[:, 1].min() / shown.shape[1], red[:, 1].max() / shown.shape[1]) == pytest.approx((0.25, 0.75), abs=0.02)
    assert shown[..., 1].max() < 50


def test_the_brain_is_found_slab_by_slab(tmp_path: Path) -> None:
    labels = np.zeros((40, 20, 30), np.uint32)
    labels[3:37, 4:15, 6:29] = np.random.default_rng(0).integers(0, 3, (34, 11, 23))
    brain = find_brain(write_volume(tmp_path / "l.ome.zarr", labels, (20.0, 10.0, 5.0), "psl"))
    for axis in range(3):
        assert (brain.thickness[axis] == (labels > 0).sum(axis=axis)).all()
    assert brain.low_um == (50.0, 35.0, 27.5)
    assert brain.high_um == (730.0, 145.0, 142.5)


def test_labels_without_a_region_are_refused(tmp_path: Path) -> None:
    labels = write_volume(tmp_path / "l.ome.zarr", np.zeros((4, 5, 6), np.uint32), (20.0, 10.0, 5.0), "psl")
    with pytest.raises(InputError, match="holds no region"):
        find_brain(labels)


def test_planes_are_read_from_a_coarse_level_at_the_right_place(tmp_path: Path) -> None:
    z, y, x = np.mgrid[:6, :300, :280]
    image = (z * 1000 + y + 2 * x).astype(np.uint16)
    levels = plan_levels(image.shape, VoxelSpace((100.0, 4.0, 4.0)))
    volume = describe_volume(tmp_path / "v", levels, ("a",), "uint16", orientation="psl", identity="v")
    create_volume(volume, levels)
    for number in range(len(levels)):
        step = levels[number].factors
        volume.write(Box.of_shape(levels[number].shape), image[:: step[0], :: step[1], :: step[2]], number)
    assert plane_level(volume) == len(levels) - 1 > 0
    coronal, sagittal, _ = views("psl")
    assert (read_plane(volume, coronal, 210.0, 0) == image[2]).all()
    assert (read_plane(volume, sagittal, 400.0, 0) == image[:, :, 100].T).all()
    assert (read_plane(volume, sagittal, 1e9, 0) == image[:, :, -1].T).all()


def test_the_picture_of_a_registration(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 900, (20, 24, 30)).astype(np.uint16)
    labels = np.zeros(image.shape, np.uint32)
    labels[2:18, 3:20, 4:28] = 5
    volume = write_volume(tmp_path / "v.ome.zarr", image, (50.0, 50.0, 50.0), None)
    regions = write_volume(tmp_path / "l.ome.zarr", labels, (50.0, 50.0, 50.0), "psl")
    overlay_png(volume, None, regions, tmp_path / "a.png")
    overlay_png(volume, "only", regions, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())).width > 1500
    unknown = write_volume(tmp_path / "u.ome.zarr", labels, (50.0, 50.0, 50.0), None)
    with pytest.raises(InputError, match="orientation"):
        overlay_png(volume, None, unknown, tmp_path / "c.png")


def test_what_the_user_added_is_drawn_where_it_lies(tmp_path: Path) -> None:
    """Damage on the left half is red on the left; a landmark is a yellow cross on the planes near it only."""
    labels = np.ones((20, 24, 30), np.uint32)
    damage = np.zeros(labels.shape, np.uint8)
    damage[:, :, :15] = 1
    spacing = (50.0, 50.0, 50.0)
    regions = write_volume(tmp_path / "l.ome.zarr", labels, spacing, "asl")
    excluded = write_volume(tmp_path / "e.ome.zarr", damage, spacing, "asl")
    black = write_volume(tmp_path / "v.ome.zarr", np.zeros(labels.shape, np.uint16), spacing, "asl")
    coronal = views("asl")[0]

    def drawn(marks: Marks, colour: tuple[bool, bool, bool], share: float = 0.5) -> np.ndarray:
        figure = overlay_figure(
            black,
            None,
            regions,
            brain=find_brain(regions),
            rows=[[(coronal, share)]],
            colours={1: (0.0, 0.0, 1.0)},
            width_in=4,
            marks=marks,
        )
        rgb = np.asarray(Image.open(io.BytesIO(render(figure, "png"))).convert("RGB")) > 128
        return np.asarray((rgb == colour).all(axis=2))

    red = drawn(Marks(excluded=excluded), (True, False, False))
    half = red.shape[1] // 2
    assert red[:, :half].sum() > 1000
    assert red[:, half + 10 :].sum() == 0
    assert drawn(Marks(), (True, False, False)).sum() == 0
    place = Marks(landmarks_um=np.array([[500.0, 600.0, 1100.0]]))
    yellow = np.argwhere(drawn(place, (True, True, False)))
    assert len(yellow) > 20
    assert yellow[:, 1].mean() / red.shape[1] == pytest.approx(0.72, abs=0.03)
    assert drawn(place, (True, True, False), share=0.8).sum() == 0


def test_a_map_of_evenly_spread_cells_is_even_up_to_the_edge(tmp_path: Path) -> None:
    labels = np.zeros((30, 40, 50), np.uint32)
    labels[3:27, 5:30, 6:41] = 1
    brain = find_brain(write_volume(tmp_path / "l.ome.zarr", labels, (50.0, 40.0, 40.0), "psl"))
    um = np.repeat(brain.space.to_um(np.argwhere(labels)), 2, axis=0)
    counts = projected_counts(um, brain)
    truth = 2 / (50.0 * 40.0 * 40.0 * 1e-9)
    for axis in range(3):
        assert counts[axis].sum() == len(um)
        density = density_map(counts[axis], brain, axis)
        assert (np.isfinite(density) == labels.any(axis=axis)).all()
        assert density[np.isfinite(density)] == pytest.approx(truth)


def test_cells_outside_the_grid_do_not_wrap_around(tmp_path: Path) -> None:
    labels = np.ones((4, 5, 6), np.uint32)
    brain = find_brain(write_volume(tmp_path / "l.ome.zarr", labels, (10.0, 10.0, 10.0), "psl"))
    outside = np.array([[-6.0, 10, 10], [10, 46, 10], [10, 10, 1e6]])
    assert all(counts.sum() == 0 for counts in projected_counts(outside, brain).values())


def test_a_display_range_is_never_empty() -> None:
    flat = np.full((4, 4), 7.0)
    low, high = grey_window(flat, np.zeros((4, 4), bool))
    assert low < high
    assert grey_window(np.full((2, 2), np.nan), np.ones((2, 2), bool)) == (0.0, 1.0)


@pytest.mark.parametrize(("limit", "length"), [(2.9, 2.0), (5.0, 5.0), (999.0, 500.0), (1000.0, 1000.0), (0.07, 0.05)])
def test_scale_bars_have_round_lengths(limit: float, length: float) -> None:
    assert round_length(limit) == pytest.approx(length)
