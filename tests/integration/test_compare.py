"""A comparison from finished runs to tables, arrays, maps and pictures; resumed; refused where it must be."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.image import imread
from rich.console import Console

from pipelines.compare import Config, run_compare
from pipelines.compare import job as compare
from pipelines.compare import run as compare_run
from pipelines.compare.heatmap import heatmap_figure
from pipelines.config import Resources
from pipelines.report.regions import read_regions
from tests.small_study import StudyPlan, small_atlas, write_run, write_study
from volumetric.atlas.folder import write_atlas_folder
from volumetric.errors import InputError, OutputError
from volumetric.storage.atomic import read_json, write_json
from volumetric.storage.omezarr import open_ome_zarr

CHANGES = {"CA1": 2.2, "BLA": 2.2, "VMH": 0.45}
PICTURES = ("volcano.png", "heatmap.png", "dots.png", "planes.png")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"), StudyPlan({"control": 4, "drug": 4}, {"drug": CHANGES}))


@pytest.fixture
def broken(study: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the study to spoil; the runs' record points to the first study's atlas, which stays."""
    shutil.copytree(study.parent, tmp_path / "copy")
    return tmp_path / "copy" / study.name


def go(design: Path, out: Path, said: io.StringIO | None = None, **settings: object) -> dict[str, object]:
    console = Console(file=said or io.StringIO(), width=200)
    result = run_compare(design, out, Config(**settings), Resources(workers=1), console)
    assert result is not None
    return result


def table_of(out: Path) -> pd.DataFrame:
    return compare.read_stats(out / "stats.csv")


def test_a_planted_change_is_found_in_every_output(study: Path, tmp_path: Path) -> None:
    said = io.StringIO()
    record = go(study, tmp_path / "out", said, show="LHA")
    out = tmp_path / "out"
    assert read_json(out / "compare.json") == record
    assert record["level"] == {
        "rule": "regions 5 steps below the root, and leaves above them (default)",
        "depth": 5,
        "regions": 63,
    }
    assert record["warnings"] == []
    table = table_of(out)
    assert len(table) == 63
    found = set(table.loc[table["negative_binomial_q"] <= 0.05, "acronym"])
    assert set(CHANGES) <= found
    assert len(found) <= len(CHANGES) + 1
    assert record["regions"]["discoveries"]["negative_binomial"] == len(found)
    assert f"{len(found)} discoveries" in said.getvalue()
    ca1 = table.set_index("acronym").loc["CA1"]
    assert ca1["rate_ratio_low"] < 2.2 < ca1["rate_ratio_high"]

    with xr.open_dataset(out / "densities.nc") as dataset:
        assert dict(dataset.sizes) == {"brain": 8, "region": 90, "hemisphere": 3}
        assert dataset["batch"].values.tolist() == ["b0", "b1"] * 4
        assert dataset["density_per_mm3"].attrs["units"] == "mm-3"
        table = pd.read_csv(study.parent / "runs" / "drug2" / "regions.csv").query("hemisphere == 'left'")
        stored = dataset.sel(brain="drug2", hemisphere="left", region=table["region_id"].to_numpy())
        np.testing.assert_array_equal(stored["count"], table["count"])
        np.testing.assert_allclose(stored["density_per_mm3"], table["density_per_mm3"])
        group = dataset.groupby("group").mean()
        assert group["count"].sizes["group"] == 2

    with xr.open_dataset(out / "densities.nc") as dataset:
        job = compare_run.prepare(study, out, Config(), None)
        dataset.load()
    rows = set(table_of(out).query("negative_binomial_q <= 0.05")["region_id"])
    figure = heatmap_figure(dataset, job.brains.design, table_of(out), job.atlas.ontology, job.criteria, found=rows)
    assert [len(marks.get_offsets()) for marks in figure.axes[0].collections] == [len(rows)]

    for name in PICTURES:
        picture = imread(out / name)
        assert min(picture.shape[:2]) > 300
        assert picture[..., :3].std() > 0.02


def test_the_maps_hold_the_cells_in_atlas_space(study: Path, tmp_path: Path) -> None:
    go(study, tmp_path / "out")
    atlas = small_atlas()
    volume = open_ome_zarr(tmp_path / "out" / "density.ome.zarr")
    assert volume.channels == tuple(f"{name}, cells per mm3" for name in ("control", "drug", "drug - control"))
    assert volume.space == atlas.space
    assert volume.orientation == atlas.orientation
    control, drug, difference = np.asarray(volume.array(0)[:])
    inside = atlas.annotation > 0
    assert np.isnan(control[~inside]).all()
    np.testing.assert_allclose(difference[inside], (drug - control)[inside], rtol=1e-5)
    cells = [pd.read_parquet(study.parent / "runs" / f"control{i}" / "cells.parquet") for i in range(1, 5)]
    true = np.mean([len(table) for table in cells])
    assert np.sum(control[inside]) * atlas.space.voxel_volume_mm3 == pytest.approx(true, rel=0.02)
    bla = next(region.region_id for region in atlas.ontology.regions if region.acronym == "BLA")
    assert difference[atlas.annotation == bla].mean() > 10 * np.abs(difference[inside].mean())


def test_an_interrupted_comparison_goes_on(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise InputError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(compare, "heatmap_figure", fail)
        with pytest.raises(InputError, match="the power went"):
            go(study, tmp_path / "out")
    assert not (tmp_path / "out" / "heatmap.png").exists()
    with monkeypatch.context() as patch:
        patch.setattr(compare, "compare_groups", fail)  # done before, so not done again
        patch.setattr(compare, "volcano_figure", fail)
        resumed = go(study, tmp_path / "out")
    whole = go(study, tmp_path / "whole")
    assert resumed["regions"] == whole["regions"]
    for name in ("stats.csv", *PICTURES):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    with pytest.raises(OutputError, match=r"config\.min_count: 10\.0 -> 20\.0"):
        go(study, tmp_path / "out", min_count=20)


def test_a_dry_run_shows_the_plan_and_writes_nothing(study: Path, tmp_path: Path) -> None:
    said = io.StringIO()
    console = Console(file=said, width=200)
    done = run_compare(study, tmp_path / "out", Config(), Resources(workers=1), console, dry_run=True)
    assert done is None
    assert "statistics" in said.getvalue()
    assert "stats.csv" in said.getvalue()
    assert not (tmp_path / "out").exists()


def test_three_groups_chosen_regions_and_one_side(tmp_path: Path) -> None:
    plan = StudyPlan({"a": 3, "b": 3, "c": 3}, {"c": {"CA1": 3.0}}, cells_per_mm3=60)
    design = write_study(tmp_path / "study", plan)
    record = go(
        design, tmp_path / "out", reference="b", regions="HPF,BLA,CA1", hemispheres=("left", "right"), test="welch"
    )
    table = compare.read_stats(tmp_path / "out" / "stats.csv")
    assert table.groupby(["group", "hemisphere"]).size().to_dict() == {
        (group, side): 3 for group in "ac" for side in ("left", "right")
    }
    assert set(table["reference"]) == {"b"}
    assert record["level"]["rule"] == "the regions given"
    assert any("1 pairs of the regions given overlap (HPF holds CA1)" in text for text in record["warnings"])
    deeper = go(design, tmp_path / "deeper", regions="HPF", depth=5)
    assert deeper["regions"]["compared"] == 4
    without = go(design, tmp_path / "without", regions="-fiber tracts, -VS")
    assert without["regions"]["compared"] == 63 - 6 - 4
    assert without["level"]["depth"] == 5


def test_two_brains_a_group_are_described_and_not_tested(tmp_path: Path) -> None:
    design = write_study(tmp_path / "study", StudyPlan({"a": 2, "b": 2}, {}, cells_per_mm3=60))
    pd.read_csv(design)[["brain", "group", "path"]].to_csv(design, index=False)
    said = io.StringIO()
    record = go(design, tmp_path / "out", said)
    assert record["regions"]["tested"] == 0
    assert len(record["warnings"]) == 2
    assert "with fewer than 3 a group there are means" in said.getvalue()
    table = compare.read_stats(tmp_path / "out" / "stats.csv")
    assert table["fold_change"].notna().all()
    assert table[["welch_p", "welch_q"]].isna().all(axis=None)
    assert all((tmp_path / "out" / name).is_file() for name in PICTURES)


def test_missing_parts_of_brains_are_said(broken: Path, tmp_path: Path) -> None:
    path = broken.parent / "runs" / "drug1" / "regions.csv"
    table = read_regions(path)
    table.loc[table["acronym"].isin(["CA1", "MBO"]), "coverage"] = 0.3
    table.to_csv(path, index=False)
    record = go(broken, tmp_path / "out")
    assert record["warnings"] == [
        "left out of regions of which less than 50% was imaged (column left_out): drug1 (2 regions)"
    ]
    rows = compare.read_stats(tmp_path / "out" / "stats.csv").set_index("acronym")
    assert rows.loc["CA1", ["n", "left_out"]].tolist() == [3, "drug1"]


def line(design: Path, number: int, old: str, new: str) -> None:
    lines = design.read_text().splitlines()
    lines[number - 1] = lines[number - 1].replace(old, new)
    design.write_text("\n".join(lines) + "\n")


def test_designs_that_cannot_be_used(broken: Path, tmp_path: Path) -> None:
    def refused(message: str, **settings: object) -> None:
        with pytest.raises(InputError, match=message):
            go(broken, tmp_path / "out", **settings)
        assert not (tmp_path / "out").exists()

    runs = broken.parent / "runs"
    refused("groups are control, drug", reference="saline")
    refused(r"no region 'CA9': did you mean CEA", regions="CA9")
    refused("no region lies at depth", regions="CA1", depth=1)
    (runs / "drug2" / "run.json").rename(runs / "drug2" / "kept")
    refused(r"line 7 of .*drug2 is not a finished run .* lacks run\.json")
    (runs / "drug2" / "kept").rename(runs / "drug2" / "run.json")
    line(broken, 4, "runs/control3", "runs/lost")
    refused(r"line 4 of .*brain 'control3' is unknown, there is no folder .*lost")
    line(broken, 4, "runs/lost", "runs/control3")
    record = read_json(runs / "drug4" / "run.json")
    write_json(runs / "drug4" / "run.json", {**record, "atlas": {"name": "other"}})
    refused("'control1' and 'drug4' were counted with different atlases, 'small' and 'other'")
    write_json(runs / "drug4" / "run.json", {"atlas": 3})
    refused("is damaged or not the record")
    write_json(runs / "drug4" / "run.json", record)
    table = pd.read_csv(runs / "drug4" / "regions.csv", keep_default_na=False)
    table.replace({"region_id": {6: 606}}).to_csv(runs / "drug4" / "regions.csv", index=False)
    refused(r"brain 'drug4' has 1 region ids that the hierarchy of atlas 'small' lacks, for example \[606\]")
    table[table["region_id"] != 6].to_csv(runs / "drug4" / "regions.csv", index=False)
    refused("'control1' and 'drug4' were counted with different atlases: 1 region ids")
    broken.write_text("")
    refused("is empty")
    broken.unlink()
    refused("there is no design file")


def test_the_atlas_must_be_that_of_the_runs(study: Path, tmp_path: Path) -> None:
    from volumetric.phantom.atlas import procedural_atlas

    write_atlas_folder(procedural_atlas(), tmp_path / "other")
    with pytest.raises(InputError, match="counted with the atlas 'small', but the atlas given is 'procedural'"):
        go(study, tmp_path / "out", atlas=str(tmp_path / "other"))


def test_a_run_without_cells_is_a_brain_like_others(broken: Path, tmp_path: Path) -> None:
    shutil.rmtree(broken.parent / "runs" / "drug3")
    write_run(broken.parent / "runs" / "drug3", broken.parent / "atlas", np.random.default_rng(0), np.zeros(90))
    record = go(broken, tmp_path / "out")
    assert record["regions"]["tested"] == 63


def keep(path: Path, **more: object) -> None:
    """Add to a JSON file, which is made where there is none."""
    path.parent.mkdir(exist_ok=True)
    write_json(path, {**(read_json(path) if path.is_file() else {}), **more})


def halve(run: Path, side: str) -> None:
    """Take away what is not of this side."""
    table = read_regions(run / "regions.csv")
    amounts = ["count", "count_own", "volume_mm3", "volume_own_mm3", "coverage"]
    for name in amounts:
        table[name] = table[name].astype(float)
        own = table.loc[table["hemisphere"] == side, name].to_numpy()
        table.loc[~table["hemisphere"].isin([side, "both"]), name] = 0
        table.loc[table["hemisphere"] == "both", name] = own / 2 if name == "coverage" else own
    density = table["count"] / table["volume_mm3"].where(table["volume_mm3"] > 0)
    table.assign(density_per_mm3=density).to_csv(run / "regions.csv", index=False)


def runs_of(design: Path) -> list[Path]:
    return [design.parent / path for path in pd.read_csv(design)["path"]]


def test_the_same_animal_twice_is_refused_by_its_contents(broken: Path, tmp_path: Path) -> None:
    runs = broken.parent / "runs"
    kept = (runs / "drug1" / "regions.csv").read_bytes()
    table = pd.read_csv(runs / "control1" / "regions.csv", keep_default_na=False)
    table.sample(frac=1, random_state=0).to_csv(runs / "drug1" / "regions.csv", index=False, sep=";")
    with pytest.raises(
        InputError, match=r"'control1' \(group 'control'\) and 'drug1' \(group 'drug'\) have the same number of cells"
    ):
        go(broken, tmp_path / "out")
    (runs / "drug1" / "regions.csv").write_bytes(kept)
    keep(runs / "control2" / "run.json", inputs={"ingest": {"source": "a" * 64}, "detect": {"volume": "b" * 64}})
    for inputs in ({"ingest": {"source": "a" * 64}}, {"detect": {"volume": "b" * 64}}):
        keep(runs / "drug3" / "run.json", inputs=inputs)
        with pytest.raises(InputError, match="'control2' and 'drug3' were counted from the same images"):
            go(broken, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_copies_with_some_cells_changed_are_said_and_find_nothing(broken: Path, tmp_path: Path) -> None:
    rng, runs = np.random.default_rng(0), broken.parent / "runs"
    for group in ("control", "drug"):
        table = pd.read_csv(runs / f"{group}1" / "regions.csv", keep_default_na=False)
        for number in (2, 3, 4):
            changed = table["count_own"] + rng.integers(0, 2, len(table))
            copy = table.assign(count_own=changed, count=table["count"] + changed - table["count_own"])
            copy.to_csv(runs / f"{group}{number}" / "regions.csv", index=False)
    record = go(broken, tmp_path / "out")
    said = [text for text in record["warnings"] if "if they are one, take one of them out" in text]
    assert len(said) == 12
    assert record["regions"]["discoveries"] == dict.fromkeys(("negative_binomial", "welch", "mann_whitney"), 0)
    p = table_of(tmp_path / "out")[["negative_binomial_p", "welch_p"]]
    assert (p > 1e-4).all(axis=None)


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        (
            {"version": "1.2"},
            {"version": "1.3"},
            "different versions of an atlas, 'small' version 1.2 and 'small' version 1.3",
        ),
        (
            {"identity": "aa" * 32},
            {"identity": "bb" * 32},
            r"'small' \(contents aaaaaaaa\) and 'small' \(contents bbbbbbbb\)",
        ),
    ],
)
def test_versions_of_an_atlas_are_not_mixed(
    broken: Path, tmp_path: Path, one: dict[str, str], other: dict[str, str], message: str
) -> None:
    for run in runs_of(broken):
        keep(run / "run.json", atlas={"name": "small", **(other if run.name == "drug2" else one)})
    with pytest.raises(InputError, match=f"'control1' and 'drug2' were counted with {message}|{message}"):
        go(broken, tmp_path / "out")


def test_an_atlas_that_changed_since_the_runs_is_said(broken: Path, tmp_path: Path) -> None:
    for run in runs_of(broken):
        keep(run / "run.json", atlas={"name": "small", "identity": "cc" * 32})
    job = compare_run.prepare(broken, tmp_path / "out", Config(), None)
    assert any("contents cccccccc" in text for text in job.warnings)
    for run in runs_of(broken):
        keep(run / "run.json", atlas={"name": "small", "identity": small_atlas().identity})
    assert compare_run.prepare(broken, tmp_path / "out", Config(), None).warnings == []


@pytest.mark.parametrize("told", [True, False])
def test_half_brains_are_compared_by_the_side_imaged(broken: Path, tmp_path: Path, told: bool) -> None:
    sides = ["left", "right", "left", "right", "right", "left", "right", "left"]
    for run, side in zip(runs_of(broken), sides, strict=True):
        halve(run, side)
        if told:
            keep(run / "registration" / "quality.json", imaged="part", imaged_side=side)
    said = io.StringIO()
    record = go(broken, tmp_path / "out", said)
    assert "compared: of each brain the side that was imaged: the left of control1, control3" in said.getvalue()
    assert record["sides"]["compared"] == ["imaged"]
    assert list(record["sides"]["imaged"].values()) == sides
    assert record["regions"]["tested"] > 55
    assert record["warnings"] == []
    found = table_of(tmp_path / "out").query("negative_binomial_q <= 0.05")
    assert {"CA1", "BLA"} <= set(found["acronym"])
    assert set(found["hemisphere"]) == {"imaged"}
    with xr.open_dataset(tmp_path / "out" / "densities.nc") as dataset:
        assert dataset["imaged"].values.tolist() == sides
    with pytest.raises(InputError, match="the left of control2, control4, drug1, drug3 was not imaged"):
        go(broken, tmp_path / "left", hemispheres=("left",))
    with pytest.raises(InputError, match=r"both sides of .* were not imaged"):
        go(broken, tmp_path / "both", hemispheres=("both",))


def test_halves_beside_whole_brains_are_compared_on_their_side(broken: Path, tmp_path: Path) -> None:
    halve(broken.parent / "runs" / "control2", "right")
    job = compare_run.prepare(broken, tmp_path / "out", Config(), None)
    assert job.sides.compared == ("right",)
    assert "the right side, which all brains have; imaged: both sides of control1, " in job.sides.why


def test_a_design_saved_by_a_spreadsheet_is_the_same(study: Path, tmp_path: Path) -> None:
    plain = compare_run.prepare(study, tmp_path / "out", Config(), None).brains.design
    lines = study.read_text().replace("brain,group,path", " Brain,GROUP,Path").splitlines()
    saved = study.parent / "saved.csv"
    text = "\r\n".join([*(f"{line},,".replace(",", ";") for line in lines), ";;;;;;", ""])
    saved.write_bytes(text.encode("utf-8-sig"))
    found = compare_run.prepare(saved, tmp_path / "out", Config(), None).brains.design
    assert (found.brains, found.groups, found.covariates) == (plain.brains, plain.groups, plain.covariates)
