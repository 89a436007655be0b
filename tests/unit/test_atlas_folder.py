from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from volumetric.atlas import folder as folder_module
from volumetric.atlas.atlas import Atlas
from volumetric.atlas.folder import read_atlas_folder, write_atlas_folder
from volumetric.atlas.ontology import Ontology, Region
from volumetric.atlas.sides import LEFT, RIGHT, symmetric_hemispheres
from volumetric.errors import InputError, OutputError
from volumetric.geometry.space import VoxelSpace


def small_atlas(template_type: type = np.uint16, orientation: str = "asr") -> Atlas:
    rng = np.random.default_rng(3)
    shape = (5, 6, 7)
    regions = (
        Region(997, "root", "root", None, (255, 255, 255)),
        Region(614454277, "a", "first, “quoted”", 997, (1, 2, 3)),
        Region(12, "b", "second", 614454277, (4, 5, 6)),
    )
    return Atlas(
        name="small",
        space=VoxelSpace((12.5, 25.0, 6.25)),
        orientation=orientation,
        template=(rng.random(shape) * 1000).astype(template_type),
        annotation=rng.choice(np.array([0, 997, 614454277, 12], np.uint32), shape),
        hemispheres=symmetric_hemispheres(shape, orientation),
        ontology=Ontology(regions),
    )


def assert_same(one: Atlas, other: Atlas) -> None:
    assert (one.name, one.space, one.orientation) == (other.name, other.space, other.orientation)
    assert one.ontology.regions == other.ontology.regions
    for name in ("template", "annotation", "hemispheres"):
        a, b = getattr(one, name), getattr(other, name)
        assert a.dtype == b.dtype
        assert np.array_equal(a, b)


@pytest.mark.parametrize("template_type", [np.uint8, np.uint16, np.float32])
def test_round_trip_is_exact(tmp_path: Path, template_type: type) -> None:
    atlas = small_atlas(template_type)
    path = write_atlas_folder(atlas, tmp_path / "deep" / "atlas")
    assert not (path / "hemispheres.tiff").exists()
    assert_same(read_atlas_folder(path), atlas)


def test_round_trip_of_asymmetric_hemispheres(tmp_path: Path) -> None:
    atlas = small_atlas()
    tilted = replace(atlas, hemispheres=np.where(atlas.annotation == 12, LEFT, RIGHT).astype(np.uint8))
    assert_same(read_atlas_folder(write_atlas_folder(tilted, tmp_path / "atlas")), tilted)


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(folder_module.tifffile, "imwrite", fail)
    with pytest.raises(KeyboardInterrupt):
        write_atlas_folder(small_atlas(), tmp_path / "atlas")
    assert list(tmp_path.iterdir()) == []


def test_what_exists_is_left_untouched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="left untouched"):
        write_atlas_folder(small_atlas(), tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    assert_same(read_atlas_folder(write_atlas_folder(small_atlas(), tmp_path / "empty")), small_atlas())


@pytest.mark.parametrize(
    ("orientation", "first", "last"), [("asr", RIGHT, LEFT), ("psl", LEFT, RIGHT), ("lpi", LEFT, RIGHT)]
)
def test_the_side_an_axis_starts_on(orientation: str, first: int, last: int) -> None:
    sides = symmetric_hemispheres((3, 5, 7), orientation)
    line = np.moveaxis(sides, [c in "lr" for c in orientation].index(True), 0)[:, 0, 0]
    assert line[0] == first
    assert line[-1] == last
    assert line[len(line) // 2] == LEFT
    assert np.count_nonzero(line == LEFT) == len(line) // 2 + 1


@pytest.mark.parametrize("name", ["metadata.json", "structures.json", "reference.tiff", "annotation.tiff"])
def test_absent_files_are_named(tmp_path: Path, name: str) -> None:
    path = write_atlas_folder(small_atlas(), tmp_path / "atlas")
    (path / name).unlink()
    with pytest.raises(InputError, match=name):
        read_atlas_folder(path)


def test_unfit_headers_are_input_errors(tmp_path: Path) -> None:
    path = write_atlas_folder(small_atlas(), tmp_path / "atlas")
    good = json.loads((path / "metadata.json").read_text())
    for key, value in {"orientation": "xyz", "resolution": [1, 2], "symmetric": False}.items():
        (path / "metadata.json").write_text(json.dumps({**good, key: value}))
        with pytest.raises(InputError):
            read_atlas_folder(path)
    (path / "metadata.json").write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        read_atlas_folder(path)


def test_an_atlas_without_hemispheres_says_what_to_add(tmp_path: Path) -> None:
    path = write_atlas_folder(small_atlas(), tmp_path / "atlas")
    header = json.loads((path / "metadata.json").read_text())
    (path / "metadata.json").write_text(json.dumps({**header, "symmetric": False}))
    with pytest.raises(InputError, match="does not say which side is left: add hemispheres"):
        read_atlas_folder(path)


def test_regions_without_a_side_or_a_row_are_refused() -> None:
    atlas = small_atlas()
    with pytest.raises(InputError, match=r"atlas 'small': \d+ annotated voxels are on neither side"):
        replace(atlas, hemispheres=np.zeros(atlas.shape, np.uint8))
    with pytest.raises(InputError, match=r"atlas 'small': 1 annotated ids have no row .* example \[12\]"):
        replace(atlas, ontology=Ontology(atlas.ontology.regions[:2]))
    outside = replace(atlas, annotation=np.zeros(atlas.shape, np.uint32), hemispheres=np.zeros(atlas.shape, np.uint8))
    assert outside.lookup(np.zeros((1, 3)))[0].tolist() == [0]
