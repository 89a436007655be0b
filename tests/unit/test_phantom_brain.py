"""A small phantom brain: the same however it is cut, with a truth that is true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import KDTree

from volumetric.atlas.loader import load_atlas
from volumetric.errors import InputError
from volumetric.phantom.atlas import procedural_atlas
from volumetric.phantom.brain import Phantom, PhantomSettings

SMALL = PhantomSettings(scale=1 / 24)


@pytest.fixture(scope="module")
def phantom():
    return Phantom.build(procedural_atlas(), SMALL)


@pytest.fixture(scope="module")
def channels(phantom):
    return phantom.render(0, phantom.shape[0])


def places(cells, unit="um"):
    return cells[[f"{axis}_{unit}" for axis in "zyx"]].to_numpy()


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_slices_do_not_depend_on_the_range_asked(phantom, channels, data):
    z0 = data.draw(st.integers(0, phantom.shape[0] - 1))
    z1 = data.draw(st.integers(z0 + 1, min(z0 + 9, phantom.shape[0])))
    for name, part in phantom.render(z0, z1).items():
        assert part.dtype == np.uint16
        np.testing.assert_array_equal(part, channels[name][z0:z1])


def test_the_seed_decides_everything(phantom):
    again = Phantom.build(procedural_atlas(), SMALL)
    assert again.cells.equals(phantom.cells)
    np.testing.assert_array_equal(again.render(40, 41)["signal"], phantom.render(40, 41)["signal"])
    other = Phantom.build(procedural_atlas(), PhantomSettings(scale=1 / 24, seed=1))
    assert not other.cells.equals(phantom.cells)
    assert not np.allclose(other.sample_to_atlas.affine, phantom.sample_to_atlas.affine)


def test_every_cell_lies_in_the_brain_in_the_region_it_names(phantom):
    cells = phantom.cells
    assert len(cells) > 400
    region, side = phantom.atlas.lookup(phantom.sample_to_atlas(places(cells)))
    np.testing.assert_array_equal(region, cells["region_id"])
    assert np.all(region > 0)
    np.testing.assert_array_equal(np.where(side == 1, "left", "right"), cells["hemisphere"])
    assert set(cells["hemisphere"]) == {"left", "right"}
    np.testing.assert_allclose(phantom.space.to_um(places(cells, "vox")), places(cells))
    assert np.all((places(cells, "vox") > 0) & (places(cells, "vox") < phantom.shape))


def test_cells_have_the_promised_sizes_and_keep_apart(phantom):
    cells = phantom.cells
    assert cells["radius_um"].between(5, 10).all()
    assert cells["n_slices"].between(2, 4).all()
    nearest = KDTree(places(cells)).query(places(cells), k=2)[0][:, 1]
    assert nearest.min() > 8
    assert np.quantile(nearest, 0.1) < 20


def test_left_stays_left(phantom):
    """In a volume of orientation psl the first columns are the animal's left."""
    cells = phantom.cells
    left, right = (cells.loc[cells["hemisphere"] == side, "x_um"].median() for side in ("left", "right"))
    assert left < right


def test_light_is_where_the_cells_are_and_only_in_the_signal(phantom, channels):
    z, y, x = np.rint(places(phantom.cells, "vox")).astype(int).T
    rise = {}
    for name, volume in channels.items():
        v = volume.astype(float)
        around = np.median([v[z, y + dy, x + dx] for dy, dx in ((-9, 0), (9, 0), (0, -9), (0, 9))], axis=0)
        rise[name] = (v[z, y, x] - around) / np.sqrt(around)
    assert np.median(rise["signal"]) > 8
    assert np.mean(rise["signal"] > 3) > 0.9
    assert abs(np.median(rise["background"])) < 2


def test_the_background_looks_like_the_template_under_the_known_map_only(phantom, channels):
    picks = np.random.default_rng(0).integers(0, phantom.shape, (20_000, 3))
    seen = channels["background"][tuple(picks.T)].astype(float)

    def likeness(points_um):
        at = phantom.atlas.space.to_vox(points_um)
        index = np.clip(np.rint(at).astype(int), 0, np.array(phantom.atlas.shape) - 1)
        return np.corrcoef(seen, phantom.atlas.template[tuple(index.T)])[0, 1]

    true = phantom.sample_to_atlas(phantom.space.to_um(picks))
    assert likeness(true) > 0.9
    for axis in range(2):
        flipped = true.copy()
        flipped[:, axis] = phantom.atlas.extent_um[axis] - flipped[:, axis]
        assert likeness(flipped) < 0.9 * likeness(true)


def test_densities_differ_between_regions_and_sides():
    cells = Phantom.build(procedural_atlas(), PhantomSettings(scale=1 / 12)).cells
    atlas = procedural_atlas()
    ids, voxels = np.unique(atlas.annotation[atlas.annotation > 0], return_counts=True)
    density = cells["region_id"].value_counts().reindex(ids, fill_value=0).to_numpy() / voxels
    large = voxels > 3000
    assert np.quantile(density[large], 0.9) > 4 * np.quantile(density[large], 0.1)
    by_side = cells.groupby(["region_id", "hemisphere"]).size().unstack(fill_value=0)
    by_side = by_side[by_side.sum(axis=1) > 80]
    assert ((by_side["left"] / by_side["right"]).between(0.7, 1.4)).mean() < 0.95
    names = {region.region_id: region.acronym for region in atlas.ontology.regions}
    assert not set(cells["region_id"].map(names)) & {"VL", "V3", "AQ", "V4"}


def test_a_range_outside_the_volume_and_senseless_settings_are_refused(phantom):
    with pytest.raises(InputError, match="slices"):
        phantom.render(0, phantom.shape[0] + 1)
    with pytest.raises(InputError, match="scale"):
        PhantomSettings(scale=0)
    with pytest.raises(InputError, match="orientation"):
        PhantomSettings(orientation="xyz")


def test_a_real_atlas_makes_a_brain_too(data_dir):
    atlas = load_atlas("allen_mouse_200um", data_dir / "atlas")
    phantom = Phantom.build(atlas, PhantomSettings(scale=1 / 24, orientation="sal"))
    assert len(phantom.cells) > 400
    middle = phantom.render(phantom.shape[0] // 2, phantom.shape[0] // 2 + 1)["background"][0]
    assert (middle > 300).mean() > 0.2
    assert np.median([middle[0, 0], middle[-1, -1]]) < 160
