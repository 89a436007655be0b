from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volumetric.atlas.atlas import Atlas
from volumetric.atlas.counts import COLUMNS, Extent, measure_extent, region_table
from volumetric.atlas.ontology import Ontology, Region
from volumetric.atlas.sides import symmetric_hemispheres
from volumetric.atlas.tally import tally
from volumetric.errors import InputError
from volumetric.geometry.field_of_view import FieldOfView
from volumetric.geometry.space import VoxelSpace
from volumetric.geometry.transform import SmoothMap


@st.composite
def trees(draw: st.DrawFn) -> Ontology:
    ids = draw(st.lists(st.integers(1, 2**32 - 1), min_size=1, max_size=9, unique=True))
    parents = [None if i == 0 else draw(st.sampled_from([None, *ids[:i]])) for i in range(len(ids))]
    regions = [Region(r, f"a{r}", f"name {r}", p) for r, p in zip(ids, parents, strict=True)]
    return Ontology(tuple(draw(st.permutations(regions))))


def random_extent(ontology: Ontology, rng: np.random.Generator) -> Extent:
    total = rng.integers(0, 4, (len(ontology.ids), 2))
    return Extent(rng.integers(0, 3, total.shape) * 0.25, rng.integers(0, total + 1), total)


@settings(max_examples=60, deadline=None)
@given(trees(), st.integers(0, 60), st.integers(0, 2**32 - 1))
def test_the_table_is_the_slow_computation(ontology: Ontology, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    region = rng.choice(np.array([0, *ontology.ids], dtype=np.uint32), n)
    side = rng.integers(1, 3, n).astype(np.uint8)
    extent = random_extent(ontology, rng)
    table = region_table(ontology, region, side, extent)

    assert tuple(table.columns) == COLUMNS
    assert list(table["region_id"][::3]) == [r.region_id for r in ontology.in_order()]
    for row in table.itertuples():
        sides = {"left": [1], "right": [2], "both": [1, 2]}[row.hemisphere]
        inside = {i for i in ontology.ids if i == row.region_id or row.region_id in ontology.ancestors(i)}
        cells = [(r, s) for r, s in zip(region.tolist(), side.tolist(), strict=True) if s in sides]
        assert row.count_own == sum(r == row.region_id for r, _ in cells)
        assert row.count == sum(r in inside for r, _ in cells)
        at = [(i, s - 1) for i, r in enumerate(ontology.ids) if r in inside for s in sides]
        own = [(ontology.ids.index(row.region_id), s - 1) for s in sides]
        assert row.volume_own_mm3 == sum(extent.volume_mm3[i] for i in own)
        volume = sum(extent.volume_mm3[i] for i in at)
        assert row.volume_mm3 == volume
        total, imaged = sum(extent.atlas_vox[i] for i in at), sum(extent.imaged_vox[i] for i in at)
        assert row.coverage == pytest.approx(imaged / total) if total else np.isnan(row.coverage)
        density = row.density_per_mm3
        assert density == pytest.approx(row.count / volume) if volume else np.isnan(density)
        parent = ontology[row.region_id].parent_id
        assert pd.isna(row.parent_id) if parent is None else row.parent_id == parent
        assert row.depth == len(ontology.ancestors(row.region_id))
    both = table[table["hemisphere"] == "both"]
    assert both["count_own"].sum() + (region == 0).sum() == n
    assert table[["expected", "expected_low", "expected_high"]].isna().all(axis=None)


def test_ids_and_sides_that_do_not_belong_are_refused() -> None:
    ontology = Ontology((Region(5, "a", "a", None),))
    with pytest.raises(InputError, match="without a row"):
        tally(ontology, np.array([5, 6], np.uint32), np.array([1, 1], np.uint8))
    with pytest.raises(InputError, match="neither side"):
        tally(ontology, np.array([5, 5], np.uint32), np.array([1, 0], np.uint8))
    extent = Extent(np.zeros((2, 2)), np.zeros((2, 2), np.int64), np.zeros((2, 2), np.int64))
    with pytest.raises(InputError, match="must match"):
        region_table(ontology, np.zeros(3, np.uint32), np.zeros(3, np.uint8), extent)


def test_half_an_imaged_brain_has_half_the_volume() -> None:
    shape = (10, 6, 8)
    annotation = np.ones(shape, np.uint32)
    annotation[5:] = 2
    atlas = Atlas(
        name="two halves",
        space=VoxelSpace((100.0, 100.0, 100.0)),
        orientation="asr",
        template=np.zeros(shape, np.uint16),
        annotation=annotation,
        hemispheres=symmetric_hemispheres(shape, "asr"),
        ontology=Ontology((Region(1, "a", "a", None), Region(2, "b", "b", 1))),
    )
    half = SmoothMap(np.eye(3, 4) / 2, np.zeros((3, *shape), np.float32), atlas.space)
    imaged = FieldOfView((-25.0, -25.0, -25.0), (7 * 50.0 - 25.0, 275.0, 375.0))
    extent = measure_extent(atlas, half, imaged)
    assert extent.volume_mm3.tolist() == pytest.approx(
        np.array([[5 * 6 * 4, 5 * 6 * 4], [2 * 6 * 4, 2 * 6 * 4]]) * 0.05**3
    )
    assert extent.imaged_vox.tolist() == [[120, 120], [48, 48]]
    assert extent.atlas_vox.tolist() == [[120, 120], [120, 120]]
    table = region_table(atlas.ontology, np.array([2, 0], np.uint32), np.array([1, 0], np.uint8), extent)
    both = table[table["hemisphere"] == "both"].set_index("region_id")
    assert both.loc[2, "coverage"] == pytest.approx(0.4)
    assert both.loc[1, "coverage"] == pytest.approx(0.7)
    assert both.loc[2, "density_per_mm3"] == pytest.approx(1 / (96 * 0.05**3))
    with pytest.raises(InputError, match="on the grid of atlas"):
        measure_extent(replace(atlas, space=VoxelSpace((99.0,) * 3)), half, imaged)
