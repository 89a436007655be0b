"""Tiles of 500 px cut out of tissue whose every pixel and region is known, by the documented commands."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from pipelines.cli import main
from pipelines.config import make
from pipelines.tiles import Config, job
from volumetric.atlas.atlas import Atlas
from volumetric.atlas.folder import write_atlas_folder
from volumetric.atlas.label_view import labels_in
from volumetric.atlas.ontology import Ontology, Region
from volumetric.atlas.registered import open_registration
from volumetric.atlas.sides import LEFT, RIGHT
from volumetric.detection.tileset import read_tiles
from volumetric.geometry.box import Box
from volumetric.geometry.space import VoxelSpace
from volumetric.geometry.transform import SmoothMap
from volumetric.storage.atomic import read_json, write_json
from volumetric.storage.omezarr import open_ome_zarr
from volumetric.storage.png import read_png
from volumetric.storage.tables import read_table
from volumetric.storage.transforms import write_map
from volumetric.tiles.quality import QualityRule

DOCUMENT = Path(__file__).parents[2] / "docs" / "crowd.md"

SHAPE, SPACE = (4, 1100, 3000), VoxelSpace((250.0, 0.7, 0.7))
REGIONS = ("Isocortex", "OLF", "HPF", "CTXsp", "STR")
ONTOLOGY = Ontology(
    (
        Region(1, "root", "whole brain", None),
        *(Region(number, acronym, f"the {acronym}", 1) for number, acronym in enumerate(REGIONS, start=2)),
        Region(9, "CA1", "field CA1", 4),
    )
)
STRIPES = (2, 2, 3, 9, 5, 6)
"""Regions along x, 350 um each as the tiles, but that they begin 105 um before them; all of HPF is CA1."""

REJECTED = {
    "m1_z00001-y00000-x01000": "dark flat dull",
    "m1_z00001-y00500-x01000": "dull",
    "m1_z00003-y00500-x02500": "flat",
}


def atlas() -> Atlas:
    """Stripes along x on voxels of 70 um; the right side begins at 1050 um."""
    shape = (16, 12, 32)
    x_um = np.arange(shape[2]) * 70.0
    stripe = np.clip((x_um + 70) // 350, 0, len(STRIPES) - 1).astype(int)
    annotation = np.broadcast_to(np.array(STRIPES, np.uint32)[stripe], shape).copy()
    sides = np.broadcast_to(np.where(x_um < 1050, LEFT, RIGHT).astype(np.uint8), shape).copy()
    template = np.ones(shape, np.uint16)
    return Atlas("stripes", VoxelSpace((70.0, 70.0, 70.0)), "asr", template, annotation, sides, ONTOLOGY)


@lru_cache(maxsize=1)
def image() -> np.ndarray:
    """Light from 300 to 900 across every tile, with cells of 1500; three tiles show less."""
    rng = np.random.default_rng(5)
    light = 300 + 600 * (np.arange(SHAPE[2]) % 500) / 500
    patches = (rng.random((SHAPE[0], 44, 120)) < 0.6).repeat(25, 1).repeat(25, 2)
    cells = patches & (np.arange(1100) % 25 < 4)[:, None] & (np.arange(3000) % 25 < 4)
    tissue = np.where(cells, 1500, light)
    tissue[1, :500, 1000:1500] = 320
    tissue[1, 500:1000, 1000:1500] = light[1000:1500]
    tissue[3, 500:1000, 2500:] = np.where(rng.random((500, 500)) < 0.003, 1500, 800)
    return (tissue + rng.integers(-20, 21, (1, *SHAPE[1:]))).astype(np.uint16)


def go(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        main([str(a) for a in arguments])
    return int(stopped.value.code or 0)


def documented() -> list[str]:
    """The command of the document that cuts the tiles."""
    line = re.search(r"^volumetric (tiles .*)$", DOCUMENT.read_text(), re.MULTILINE)
    assert line is not None
    return line[1].split()


def test_the_documented_settings_are_settings() -> None:
    (block,) = re.findall(r"^```toml\n(.*?)^```", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    options = make(Config, regions="HPF", **tomllib.loads(block)["tiles"])
    assert options.rule.deviation < 1 / 255
    told = dict(re.findall(r"\| `(\w+) = ([\d.]+)` \|", DOCUMENT.read_text()))
    assert {name: float(value) for name, value in told.items()} == vars(QualityRule())


@pytest.fixture(scope="module")
def brain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the volume, its registration and atlas."""
    folder = tmp_path_factory.mktemp("brain")
    np.save(folder / "m1.npy", image())
    voxel = [f"{v:g}" for v in SPACE.spacing_um]
    assert go("ingest", folder / "m1.npy", folder / "m1.ome.zarr", "--voxel-um", *voxel) == 0
    known = atlas()
    write_atlas_folder(known, folder / "atlas")
    straight = SmoothMap.identity(known.space, known.shape)
    for name in ("sample_to_atlas.zarr", "atlas_to_sample.zarr"):
        write_map(folder / "registration" / name, straight, "straight")
    volume = {"shape": SHAPE, "spacing_um": SPACE.spacing_um, "origin_um": SPACE.origin_um, "orientation": "asr"}
    facts = {"name": known.name, "given": str(folder / "atlas"), "identity": known.identity}
    write_json(folder / "registration" / "quality.json", {"volume": volume, "atlas": facts, "identity": "straight"})
    return folder


@pytest.fixture(scope="module")
def cut(brain: Path) -> tuple[Path, str]:
    """The folder of tiles, and what was printed."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(brain)
        printed = []
        patched.setattr("pipelines.cli.crowd.console.print", lambda *parts, **_: printed.extend(map(str, parts)))
        assert go(*documented(), "--workers", 1) == 0
    return brain / "tiles", "\n".join(printed)


def test_every_tile_is_what_its_row_says(brain: Path, cut: tuple[Path, str]) -> None:
    out, _ = cut
    table = read_table(out / "tiles.parquet")
    volume, registered = open_ome_zarr(brain / "m1.ome.zarr"), open_registration(brain / "registration")
    scale = read_json(out / "normalisation.json")
    assert list(table["tile"]) == sorted(table["tile"])
    assert set(zip(table["z_vox"], table["y_vox"], table["x_vox"], strict=True)) == {
        (z, y, x) for z in (1, 3) for y in (0, 500) for x in range(0, 3000, 500)
    }
    for row in table.to_dict("records"):
        first = (row["z_vox"], row["y_vox"], row["x_vox"])
        box = Box(first, (first[0] + 1, first[1] + 500, first[2] + 500))
        assert [row[f"{axis}_um"] for axis in "zyx"] == pytest.approx(SPACE.to_um([first])[0])
        ids = labels_in(registered, box, volume.space)
        own = np.isin(ids, [9, 4] if row["acronym"] == "HPF" else [row["region_id"]])
        assert row["share"] == pytest.approx(own.mean(), abs=0.02)
        assert own.mean() > 0.5
        assert row["hemisphere"] == ("left" if first[2] < 1500 else "right")
        grey = volume.read(box)[0].astype(float)
        shown = np.floor(255 * np.clip((grey - scale["black"]) / (scale["white"] - scale["black"]), 0, 1) + 0.5)
        assert row["background_ratio"] == np.mean(shown <= 55)
        assert row["bright_ratio"] == np.mean(shown >= 212)
        assert row["deviation"] == pytest.approx(np.std(shown / 255))
        assert row["reason"] == REJECTED.get(row["tile"], "")
        assert row["accepted"] == (not row["reason"])
        path = out / "tiles" / f"{row['tile']}.png"
        assert path.is_file() == row["accepted"]
        if row["accepted"]:
            assert np.array_equal(read_png(path), shown)


def test_black_and_white_are_of_the_whole_brain(cut: tuple[Path, str]) -> None:
    scale = read_json(cut[0] / "normalisation.json")
    low, high = np.quantile(image(), [0.001, 0.99])
    assert scale["black"] == pytest.approx(low, rel=0.02)
    assert scale["white"] == pytest.approx(high, rel=0.02)
    assert scale["channel"] == "m1"


def test_each_worker_sees_the_control_tiles_first_and_an_equal_share_of_the_others(cut: tuple[Path, str]) -> None:
    table, sets = read_table(cut[0] / "tiles.parquet"), pd.read_csv(cut[0] / "sets.csv")
    control = table[table["role"] == "quality_control"]
    assert sorted(control["acronym"]) == sorted(REGIONS)
    main = set(table.loc[table["role"] == "main", "tile"])
    assert len(main) == 24 - len(REJECTED) - len(REGIONS)
    numbers = sorted(set(sets["set"]))
    assert numbers == list(range(1, len(numbers) + 1))
    for _, own in sets.groupby("set"):
        assert set(own["tile"].head(len(REGIONS))) == set(control["tile"])
        assert own["quality_control"].tolist() == [True] * len(REGIONS) + [False] * (len(own) - len(REGIONS))
    others = sets[~sets["quality_control"]]
    assert others["tile"].value_counts().to_dict() == dict.fromkeys(main, 5)
    assert np.ptp(others["set"].value_counts()) <= 1
    for row in table.to_dict("records"):
        assert row["sets"] == " ".join(map(str, sorted(sets.loc[sets["tile"] == row["tile"], "set"])))


def test_the_picture_and_what_is_printed(cut: tuple[Path, str]) -> None:
    assert imread(cut[0] / "overview.png").std() > 0
    facts = read_json(cut[0] / ".work" / "tiles" / "deal" / "all.json")["facts"]
    figures = {
        row["region"]: (row["cut"], row["kept"], row["dark"], row["flat"], row["dull"]) for row in facts["regions"]
    }
    assert figures == {
        "Isocortex": (8, 8, 0, 0, 0),
        "OLF": (4, 2, 1, 1, 2),
        "HPF": (4, 4, 0, 0, 0),
        "CTXsp": (4, 4, 0, 0, 0),
        "STR": (4, 3, 0, 1, 0),
    }
    assert "5 data sets, each of 5 for quality control and 16 of the 16 others" in cut[1]
    assert "warning" not in cut[1]


def test_the_folder_is_one_of_tiles_with_known_cells_once_these_are_beside_it(
    cut: tuple[Path, str], tmp_path: Path
) -> None:
    table = read_table(cut[0] / "tiles.parquet")
    name = table.loc[table["role"] == "quality_control", "tile"].iloc[0]
    (tmp_path / f"{name}_cells.csv").write_text("y,x\n3,4\n")
    (tile,) = read_tiles(cut[0] / "tiles", truth=tmp_path)
    assert (tile.name, tile.brain, tile.space.spacing_um) == (name, "m1", SPACE.spacing_um)
    assert tile.image.shape == (1, 500, 500)
    assert np.array_equal(tile.image[0], read_png(cut[0] / "tiles" / f"{name}.png"))


def files(out: Path) -> dict[str, bytes]:
    found = {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    return {name: content for name, content in found.items() if not name.startswith(".work")}


def test_a_stopped_cut_with_other_workers_gives_the_same_files(
    brain: Path, cut: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(brain)
    again = (*documented()[:-1], tmp_path / "tiles", "--workers", 3)
    written = []

    def stop(path: Path, shown: np.ndarray) -> None:
        written.append(path)
        if len(written) > 8:
            raise KeyboardInterrupt
        write_png(path, shown)

    write_png = job.write_png
    with monkeypatch.context() as patched:
        patched.setattr(job, "write_png", stop)
        assert go(*again) == 1
    assert not (tmp_path / "tiles" / "tiles.parquet").exists()
    assert go(*again) == 0
    assert files(tmp_path / "tiles") == files(cut[0])


def test_where_every_tile_is_rejected_that_is_said_and_kept(
    brain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "strict.toml").write_text("[tiles]\nbright_ratio = 0.5\nsize = 250\n")
    flags = ("--labels", brain / "registration" / "labels.ome.zarr", "--regions", "hpf", "--slices", "2")
    out = tmp_path / "out"
    assert go("tiles", brain / "m1.ome.zarr", *flags, "--config", tmp_path / "strict.toml", "--out", out) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "every tile of HPF was rejected" in said
    assert "100% of the tiles were rejected" in said
    table = read_table(out / "tiles.parquet")
    assert len(table) == 8
    assert set(table["role"]) == {"rejected"}
    assert pd.read_csv(out / "sets.csv").empty
    assert [p.name for p in (out / "tiles").iterdir()] == ["tiles.csv"]
    assert go("tiles", brain / "m1.ome.zarr", *flags, "--out", out) == 2
    assert "config.size: 250 -> 500" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--regions", "Isocortx"), "has no region 'Isocortx': did you mean Isocortex"),
        (("--regions", "HPF", "--sets", 3), "in 5 data sets but there are 3"),
        (("--regions", "HPF", "--size", 2000), "hold no tile of 2000 x 2000 px"),
        (("--regions", "HPF", "--slices", "1,9"), "slices 0 to 3 of this volume, not from 9"),
        (("--regions", "HPF", "--slices", "one"), "whole numbers with commas between"),
        (("--regions", "HPF", "--white", 0.0001), "white quantile must be above the black one"),
        (("--regions", "HPF", "--name", "m 1"), "setting name"),
        (("--regions", "HPF", "--labels", "atlas"), "holds no registration"),
    ],
)
def test_what_cannot_be_is_refused_before_the_work(
    brain: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: tuple[object, ...],
    message: str,
) -> None:
    monkeypatch.chdir(brain)
    assert go("tiles", "m1.ome.zarr", "--labels", "registration", "--out", tmp_path / "out", *flags) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_another_brains_registration_is_refused(
    brain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "other.npy", np.zeros((4, 600, 600), np.uint16))
    flags = ("--labels", brain / "registration", "--regions", "HPF", "--out", tmp_path / "out")
    assert go("tiles", tmp_path / "other.npy", "--voxel-um", 250, 0.7, 0.7, *flags) == 2
    assert "is of a volume of 1000 x 770 x 2100 um" in " ".join(capsys.readouterr().err.split())


def test_a_dry_run_writes_nothing(brain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("--labels", brain / "registration", "--regions", "HPF", "--out", tmp_path / "out", "--dry-run")
    assert go("tiles", brain / "m1.ome.zarr", *flags) == 0
    assert re.search(r"tiles\s+cut\s+4\s", capsys.readouterr().out)
    assert not (tmp_path / "out").exists()
