"""Atlases as they are published: odd codes, lists that lack ids, large ids, wrong units. Usable and said, or named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from volumetric.atlas.assemble import assemble
from volumetric.atlas.atlas import Atlas
from volumetric.atlas.cells import Acronyms
from volumetric.atlas.counts import measure_extent, region_table
from volumetric.atlas.folder import read_atlas_folder, write_atlas_folder
from volumetric.atlas.labels import assign, labels_on_grid
from volumetric.atlas.loader import load_atlas
from volumetric.atlas.registered import RegisteredBrain
from volumetric.atlas.resolution import atlas_space
from volumetric.atlas.sides import LEFT, RIGHT, symmetric_hemispheres
from volumetric.atlas.structures import UNLISTED
from volumetric.errors import InputError
from volumetric.findings import Grade
from volumetric.geometry.field_of_view import FieldOfView
from volumetric.geometry.space import VoxelSpace
from volumetric.geometry.transform import SmoothMap
from volumetric.storage.atomic import write_json

SHAPE = (6, 8, 10)
SPACE = VoxelSpace((100.0, 100.0, 100.0))
RECORDS = [
    {"id": 997, "acronym": "root", "name": "root", "structure_id_path": [997], "rgb_triplet": [255, 255, 255]},
    {"id": 8, "acronym": "grey", "name": "grey matter", "structure_id_path": [997, 8], "rgb_triplet": [1, 2, 3]},
    {"id": 12, "acronym": "ctx", "name": "cortex", "structure_id_path": [997, 8, 12], "rgb_triplet": [1, 2, 3]},
]


def brain(ids: npt.ArrayLike = (8, 12, 997), kind: type = np.uint32) -> npt.NDArray[Any]:
    """An annotation of these ids in turn, within a margin of 0."""
    annotation = np.zeros(SHAPE, kind)
    inside = annotation[1:-1, 1:-1, 1:-1]
    inside[...] = np.resize(np.asarray(ids, kind), inside.shape)
    return annotation


def atlas(**changed: Any) -> Atlas:
    usual: dict[str, Any] = {
        "name": "published",
        "version": None,
        "space": SPACE,
        "orientation": "asr",
        "template": np.zeros(SHAPE, np.uint16),
        "annotation": brain(),
        "hemispheres": symmetric_hemispheres(SHAPE, "asr"),
        "records": RECORDS,
    }
    return assemble(**{**usual, **changed})


def said(found: Atlas) -> str:
    return " | ".join(finding.text for finding in found.findings)


def test_a_sound_atlas_says_nothing() -> None:
    assert atlas().findings == ()


@pytest.mark.parametrize("orientation", ["asr", "psl", "lpi", "asl"])
@pytest.mark.parametrize(("left", "right"), [(0, 1), (1, 0), (255, 0), (0, 255), (1, 255), (-1, 1), (True, False)])
def test_two_codes_are_told_apart_by_the_orientation(orientation: str, left: int, right: int) -> None:
    true = symmetric_hemispheres(SHAPE, orientation)
    coded = np.where(true == LEFT, left, right)
    found = atlas(hemispheres=coded, orientation=orientation)
    inside = found.annotation > 0
    assert np.array_equal(found.hemispheres[inside], true[inside])
    assert "was taken for left" in said(found)


def test_a_half_that_was_left_empty_is_filled() -> None:
    true = symmetric_hemispheres(SHAPE, "asr")
    for kept in (LEFT, RIGHT):  # 0 is the other half
        found = atlas(hemispheres=np.where(true == kept, kept, 0))
        assert np.array_equal(found.hemispheres[found.annotation > 0], true[found.annotation > 0])
    holes = true.copy()
    holes[2:4, 2:4] = 0  # on both sides of the middle
    found = atlas(hemispheres=holes)
    assert np.array_equal(found.hemispheres[found.annotation > 0], true[found.annotation > 0])
    assert "are missing at 32 annotated voxels" in said(found)


def test_all_on_one_side_is_said() -> None:
    found = atlas(hemispheres=np.full(SHAPE, LEFT))
    assert found.findings[0].grade is Grade.DOUBTFUL
    assert "are all left" in said(found)
    assert "right rows of the tables will be empty" in said(found)
    half = brain()
    half[:, :, : SHAPE[2] // 2] = 0
    found = atlas(hemispheres=np.full(SHAPE, LEFT, np.uint8), annotation=half)
    assert found.findings[0].grade is Grade.GOOD
    assert "is a left hemisphere" in said(found)


def test_swapped_sides_are_said() -> None:
    found = atlas(hemispheres=symmetric_hemispheres(SHAPE, "asl"))
    assert "contradict its orientation" in said(found)


@pytest.mark.parametrize("codes", [np.zeros(SHAPE), np.full(SHAPE, 255), np.arange(480).reshape(SHAPE) % 4])
def test_no_sides_are_refused_with_the_way_out(codes: npt.NDArray[Any]) -> None:
    with pytest.raises(InputError, match=r"atlas 'published'.*do not tell two sides apart.*\"symmetric\": true"):
        atlas(hemispheres=codes)


def test_two_codes_that_are_mixed_are_no_sides() -> None:
    with pytest.raises(InputError, match="do not tell two sides apart"):
        atlas(hemispheres=np.random.default_rng(0).choice([0, 1], SHAPE))


@settings(max_examples=30, deadline=None)
@given(
    lacking=st.lists(st.integers(1, 2**62), min_size=1, max_size=4, unique=True),
    n=st.integers(0, 80),
    seed=st.integers(0),
)
def test_unlisted_ids_are_counted_and_nothing_is_lost(lacking: list[int], n: int, seed: int) -> None:
    strange = [i for i in lacking if i not in {8, 12, 997}] or [77]
    found = atlas(annotation=brain([8, *strange, 12], np.int64))
    assert found.findings[0].grade is Grade.DOUBTFUL
    assert f"{len(strange)} annotated ids" in said(found)
    assert "no row in its structure list" in said(found)

    still = SmoothMap.identity(SPACE, SHAPE)
    cells = assign(np.random.default_rng(seed).uniform(-100, 1000, (n, 3)), still, found)
    extent = measure_extent(found, still, FieldOfView.of_image(SHAPE, SPACE))
    table = region_table(found.ontology, cells.region_id.astype(np.int64), cells.hemisphere, extent)
    both = table[table["hemisphere"] == "both"].set_index("region_id")
    assert both["count_own"].sum() + (~cells.in_atlas).sum() == n
    assert both["volume_own_mm3"].sum() == pytest.approx(np.count_nonzero(found.annotation) * 1e-3, rel=1e-5)
    heading = both[both["acronym"] == UNLISTED]
    assert len(heading) == 1
    for i in strange:
        assert both.loc[i, "count_own"] == (cells.region_id == i).sum()
        assert both.loc[i, "acronym"] == f"{UNLISTED} {i}"
        assert both.loc[i, "parent_id"] == heading.index[0]
    assert heading["count"].item() == both.loc[strange, "count_own"].sum()
    assert both.loc[997, "count"] + heading["count"].item() == cells.in_atlas.sum()
    names = Acronyms.of(found.ontology)(cells.region_id.astype(np.int64)).to_pylist()
    assert all(
        name is None or found.ontology[int(i)].acronym == name for name, i in zip(names, cells.region_id, strict=True)
    )


def test_large_ids_keep_their_value(tmp_path: Path) -> None:
    big = 2**62 + 1  # a double cannot hold it
    records = [*RECORDS, {**RECORDS[1], "id": big, "acronym": "big", "structure_id_path": [997, big]}]
    found = atlas(annotation=brain([8, big], np.uint64), records=records)
    assert found.annotation.dtype == np.uint64
    assert found.findings == ()
    still = SmoothMap.identity(SPACE, SHAPE)
    labels, _ = labels_on_grid(still, found)
    assert np.array_equal(labels, found.annotation)
    again = read_atlas_folder(write_atlas_folder(found, tmp_path / "atlas"))
    assert np.array_equal(again.annotation, found.annotation)
    assert again.ontology == found.ontology
    assert again.identity == found.identity


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int64, np.uint8, np.uint64, np.float32, np.float64])
def test_ids_of_any_type_are_the_same_atlas(kind: type) -> None:
    records = [
        {**row, "id": row["id"] % 100, "structure_id_path": [i % 100 for i in row["structure_id_path"]]}
        for row in RECORDS
    ]
    assert atlas(annotation=brain([8, 12, 97], kind), records=records).identity == (
        atlas(annotation=brain([8, 12, 97]), records=records).identity
    )


def test_ids_that_are_none_are_refused_by_name() -> None:
    with pytest.raises(InputError, match="negative region ids -32, -5"):
        atlas(annotation=brain([8, -5, -32], np.int16))
    with pytest.raises(InputError, match=r"has 8\.5: it was interpolated"):
        atlas(annotation=brain([8, 8.5], np.float32))
    with pytest.raises(InputError, match="negative id"):
        atlas(records=[*RECORDS, {**RECORDS[2], "id": -4, "acronym": "odd", "structure_id_path": [997, -4]}])


@pytest.mark.parametrize("resolution", [[0.05] * 3, [0.1, 0.05, 0.05], [0.025] * 3, [1.0] * 3])
def test_millimetres_are_recognised(resolution: list[float]) -> None:
    shape = (264, 160, 228)
    with pytest.raises(InputError, match=r"must be in um; if mm were meant, put \[") as caught:
        atlas_space(resolution, shape, "published")
    assert f"{resolution[0] * 1000:g}" in str(caught.value)
    assert atlas_space([r * 1000 for r in resolution], shape, "published").spacing_um[0] == resolution[0] * 1000


@pytest.mark.parametrize(
    ("resolution", "what"),
    [
        ([0, 50, 50], "three positive"),
        ([-50, 50, 50], "three positive"),
        ([50, 50], "three numbers"),
        (50, "three numbers"),
        (["a", 1, 1], "three numbers"),
        ([None] * 3, "three numbers"),
        ([float("nan")] * 3, "three numbers"),
        ([50_000.0] * 3, "if nm were meant"),
    ],
)
def test_no_resolution_at_all(resolution: Any, what: str) -> None:
    with pytest.raises(InputError, match=f"'published' has the resolution.*{what}"):
        atlas_space(resolution, (264, 160, 228), "published")


@pytest.mark.parametrize(
    ("resolution", "shape"), [(1.0, (974, 597, 359)), (10.0, (1320, 800, 1140)), (500.0, (394, 466, 378))]
)
def test_atlases_of_every_animal_pass(resolution: float, shape: tuple[int, int, int]) -> None:
    assert atlas_space([resolution] * 3, shape, "zebrafish, mouse, human").spacing_um == (resolution,) * 3


def test_structures_that_are_listed_oddly() -> None:
    twice = atlas(records=[*RECORDS, {**RECORDS[2], "structure_id_path": [997, 12]}, RECORDS[1]])
    assert "1 structures of atlas 'published' are listed below several parents" in said(twice)
    assert twice.ontology.regions == atlas().ontology.regions
    orphan = atlas(records=[*RECORDS[:1], {**RECORDS[1], "structure_id_path": [997, 5, 8]}, RECORDS[2]])
    assert "have a parent that is not listed" in said(orphan)
    assert orphan.ontology[8].parent_id == 997
    outside = atlas(records=[{**RECORDS[0], "id": 0, "acronym": "outside", "structure_id_path": [0]}, *RECORDS])
    assert outside.ontology == atlas().ontology
    written = [
        {**row, "structure_id_path": "/" + "/".join(map(str, row["structure_id_path"])) + "/"} for row in RECORDS
    ]
    assert atlas(records=written).ontology == atlas().ontology
    parents = [{**row, "parent_structure_id": (None, 997, 8)[n]} for n, row in enumerate(RECORDS)]
    for row in parents:
        del row["structure_id_path"]
    assert atlas(records=parents).ontology == atlas().ontology
    roots = atlas(records=[*RECORDS, {**RECORDS[1], "id": 5, "acronym": "grey", "structure_id_path": [5]}])
    assert roots.ontology.by_acronym["grey"] == (8, 5)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({**RECORDS[1], "id": 12, "structure_id_path": [997, 12]}, "gives the id 12 to both 'ctx'.*and 'grey'"),
        ({"id": 5, "name": "no acronym", "structure_id_path": [5]}, "row of its structure list cannot be used"),
        ({**RECORDS[1], "id": "x"}, "cannot be used"),
        ("no row", "cannot be used"),
    ],
)
def test_structures_that_cannot_be_used_are_named(row: Any, what: str) -> None:
    with pytest.raises(InputError, match=f"'published'.*{what}"):
        atlas(records=[*RECORDS, row])


def test_circles_are_named() -> None:
    circle = [{**RECORDS[1], "structure_id_path": [12, 8]}, {**RECORDS[2], "structure_id_path": [8, 12]}]
    with pytest.raises(InputError, match="'grey' is its own ancestor"):
        atlas(records=[RECORDS[0], *circle])


def rewritten(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    header = json.loads((folder / "metadata.json").read_text())
    change(header)
    (folder / "metadata.json").write_text(json.dumps(header))
    return folder


def test_folders_say_what_is_wrong_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = write_atlas_folder(atlas(), tmp_path / "whole")

    def no_array(*_: object, **__: object) -> None:
        raise AssertionError("an array was read")

    monkeypatch.setattr(tifffile, "imread", no_array)
    changes: dict[str, Callable[[dict[str, Any]], None]] = {
        "mm were meant": lambda header: header.update(resolution=[0.05] * 3),
        "three positive": lambda header: header.update(resolution=[0, 1, 1]),
        "does not state resolution": lambda header: header.pop("resolution") and None,
        "does not state name": lambda header: header.pop("name") and None,
        r"says the shape is \[6, 8, 9\]": lambda header: header.update(shape=[6, 8, 9]),
    }
    for number, (what, change) in enumerate(changes.items()):
        folder = rewritten(Path(shutil.copytree(whole, tmp_path / str(number))), change)
        with pytest.raises(InputError, match=what):
            read_atlas_folder(folder)


def test_versions_of_folders(tmp_path: Path) -> None:
    folder = write_atlas_folder(atlas(version="1.2"), tmp_path / "mine")
    assert load_atlas(folder).version == "1.2"
    assert load_atlas(f"{folder}==1.2").version == "1.2"
    with pytest.raises(InputError, match=r"no version 1.3 of the atlas 'published': it is version 1.2"):
        load_atlas(f"{folder}==1.3")
    unknown = rewritten(folder, lambda header: header.pop("version") and None)
    assert load_atlas(unknown).version is None
    with pytest.raises(InputError, match="of no stated version"):
        load_atlas(f"{unknown}==1.2")


def test_versions_of_brainglobe(data_dir: Path, tmp_path: Path) -> None:
    """The newest is opened unless another is asked for; 1.10 is newer than 1.9."""
    store = tmp_path / "brainglobe-atlasapi"
    store.mkdir()
    for part in (data_dir / "atlas" / "brainglobe-atlasapi").iterdir():
        if part.name != "atlases":
            (store / part.name).symlink_to(part)
    manifest = json.loads(
        (data_dir / "atlas/brainglobe-atlasapi/atlases/allen_mouse_200um/1_0/manifest.json").read_text()
    )
    for version in ("1.0", "1.9", "1.10"):
        place = store / "atlases" / "allen_mouse_200um" / version.replace(".", "_") / "manifest.json"
        place.parent.mkdir(parents=True)
        place.write_text(json.dumps({**manifest, "version": version}))
    assert load_atlas("allen_mouse_200um", tmp_path).version == "1.10"
    assert load_atlas("allen_mouse_200um==1.9", tmp_path).version == "1.9"
    with pytest.raises(InputError, match=r"no version 2.0 .* has 1.0, 1.9, 1.10"):
        load_atlas("allen_mouse_200um==2.0", tmp_path)


def test_the_hierarchy_is_part_of_the_identity() -> None:
    moved = [RECORDS[0], RECORDS[1], {**RECORDS[2], "structure_id_path": [997, 12]}]
    assert atlas(records=moved).identity != atlas().identity
    assert atlas(version="2").identity == atlas().identity


def test_a_registration_to_another_version_names_both(tmp_path: Path) -> None:
    one, other = atlas(version="1.1"), atlas(version="1.2", annotation=brain([8, 12]))
    write_json(tmp_path / "quality.json", {"atlas": {**one.record, "given": "published"}, "identity": "x"})
    assert RegisteredBrain.open(tmp_path, one).atlas.version == "1.1"
    with pytest.raises(
        InputError, match=r"'published', version 1.1 .* not to this 'published', version 1.2 .*==VERSION"
    ):
        RegisteredBrain.open(tmp_path, other)
