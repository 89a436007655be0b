"""The page: whole, honest, safe with hostile names, and without anything from the network."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.report import write_report
from pipelines.report.inputs import open_run
from pipelines.workspace import RunFolder
from tests.finished_run import DETECTED
from volumetric.errors import InputError
from volumetric.geometry.box import Box
from volumetric.geometry.space import VoxelSpace
from volumetric.points.table import cells_table, ordered
from volumetric.storage.atomic import write_json
from volumetric.storage.levels import plan_levels
from volumetric.storage.omezarr import create_volume, describe_volume
from volumetric.storage.tables import write_table
from volumetric.storage.volume import Volume

SPACE = VoxelSpace((20.0, 10.0, 10.0))
REGIONS = [(1, "root", "root", None), (2, "CTX", "Cortex", 1), (3, "NA", "Nucleus of the answer", 1)]


def write_volume(path: Path, image: np.ndarray, space: VoxelSpace, channels: tuple[str, ...] = ("signal",)) -> Volume:
    levels = plan_levels(image.shape, space)[:1]
    volume = describe_volume(path, levels, channels, str(image.dtype), orientation="psl", identity=str(path))
    create_volume(volume, levels)
    for channel in range(len(channels)):
        volume.write(Box.of_shape(image.shape), image, channel=channel)
    return volume


def region_table(cells: pd.DataFrame, regions: list[tuple[int, str, str, int | None]]) -> pd.DataFrame:
    rows = []
    for number, acronym, name, parent in regions:
        own = cells[cells.region_id == number]
        under = cells[cells.region_id > 0] if parent is None else own
        for side in ("left", "right", "both"):
            count = len(under) if side == "both" else int((under.hemisphere == side).sum())
            volume = 0.5 if side == "both" else 0.25
            rows.append(
                {
                    "region_id": number,
                    "acronym": acronym,
                    "name": name,
                    "parent_id": parent,
                    "depth": int(parent is not None),
                    "hemisphere": side,
                    "count_own": len(own),
                    "count": count,
                    "expected": None,
                    "expected_low": None,
                    "expected_high": None,
                    "volume_own_mm3": volume,
                    "volume_mm3": volume,
                    "coverage": 1.0,
                    "density_per_mm3": count / volume,
                }
            )
    return pd.DataFrame(rows)


def make_run(
    path: Path,
    *,
    cells: int = 3000,
    slices: int = 12,
    regions: list[tuple[int, str, str, int | None]] = REGIONS,
    channel: str = "signal",
    **record: object,
) -> RunFolder:
    run = RunFolder(path)
    rng = np.random.default_rng(0)
    image = rng.integers(90, 400, (slices, 90, 110)).astype(np.uint16)
    write_volume(run.volume, image, SPACE, (channel,))
    labels = np.zeros((slices, 45, 55), np.uint32)
    labels[:, 5:40, 5:30], labels[:, 5:40, 30:50] = 2, 3
    write_volume(run.registration / "labels.ome.zarr", labels, SPACE.coarser((1, 2, 2)))
    vox = np.column_stack([rng.integers(0, slices, cells), rng.uniform(0, 89, cells), rng.uniform(0, 109, cells)])
    found = pd.DataFrame(vox[np.lexsort(vox.T[::-1])], columns=["z_vox", "y_vox", "x_vox"]).assign(**DETECTED)
    table = cells_table(found, SPACE)
    at = (table[["y_vox", "x_vox"]].to_numpy() / 2).astype(int)
    table["region_id"] = labels[0, at[:, 0], at[:, 1]]
    table["in_atlas"] = table.region_id > 0
    table["hemisphere"] = np.where(table.x_vox < 60, "left", "right") if cells else None
    table.loc[~table.in_atlas, "hemisphere"] = None
    write_table(run.cells, ordered(table))
    region_table(table, regions).to_csv(run.regions, index=False)
    inside = int(table.in_atlas.sum())
    write_json(run.registration / "quality.json", QUALITY)
    facts = {
        "version": "1.2.3",
        "command": "volumetric count 'a b' --out run",
        "config": {"atlas": "small", "voxel_um": [20, 10, 10], "model": None, "run": {"workers": 2}},
        "inputs": {"register": {"volume": "cafe"}},
        "stages": {"detect": {"seconds": 75.0, "tasks": 12, "bytes_read": 1_500_000, "peak_memory_bytes": 2e9}},
        "cells": {"total": cells, "in_atlas": inside, "outside": cells - inside, "counted": inside},
        "verdict": "doubtful",
        "findings": [doubt("the outlines disagree with the template")],
        "warnings": ["the outlines disagree with the template"],
        "versions": {"numpy": "2.3.5"},
        "volume": {
            "path": "volume.ome.zarr",
            "signal": channel,
            "register_on": channel,
            "shape": [slices, 90, 110],
            "voxel_um": [20.0, 10.0, 10.0],
            "orientation": "psl",
        },
        "atlas": {"name": "small", "orientation": "asr", "resolution_um": [20.0, 20.0, 20.0]},
        "too_coarse": False,
    }
    write_json(run.record, facts | record)
    return run


QUALITY = {
    "method": "ants",
    "preset": "fast",
    "seconds": 61.0,
    "ncc_in_mask": 0.81,
    "mask_dice": 0.5,
    "folding_fraction": 0.0,
    "inverse_consistency_um": None,
    "orientation_checked": True,
}


def doubt(text: str, grade: str = "doubtful") -> dict[str, str]:
    return {"grade": grade, "text": text}


class Page(HTMLParser):
    """Tags with their attributes, and all visible text with the classes around it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, tuple[str, ...]]] = []
        self.rows: dict[str, str] = {}
        self._open: list[tuple[str, str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.append((tag, values))
        if tag not in {"meta", "img", "input", "link", "br"}:
            self._open.append((tag, values.get("class") or "", values.get("data-id")))

    def handle_endtag(self, tag):
        opened = self._open.pop()
        assert opened[0] == tag, f"{opened} closed by {tag}"

    def handle_data(self, data):
        if self._open and self._open[-1][0] in {"script", "style"}:
            return
        self.texts.append((data, tuple(c for _, c, _ in self._open)))
        for _, _, row in self._open:
            if row is not None:
                self.rows[row] = self.rows.get(row, "") + " " + data


def render(run: RunFolder) -> tuple[str, Page]:
    text = write_report(run).read_text(encoding="utf-8")
    return text, Page(text)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return make_run(tmp_path_factory.mktemp("report") / "brain7")


@pytest.fixture(scope="module")
def page(run: RunFolder) -> tuple[str, Page]:
    return render(run)


def test_nothing_comes_from_outside(page: tuple[str, Page]) -> None:
    text, parsed = page
    for _, attributes in parsed.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:image/", "#")), value
    assert not re.search(r"https?://|//cdn|@import|url\(", text)
    assert not [tag for tag, _ in parsed.tags if tag in {"link", "iframe", "object", "embed"}]


def test_the_page_holds_every_number_of_the_region_table(run: RunFolder, page: tuple[str, Page]) -> None:
    table = pd.read_csv(run.regions, keep_default_na=False)
    for number, rows in table.groupby("region_id"):
        words = page[1].rows[str(number)].split()
        assert rows.acronym.iloc[0] in words
        for _, row in rows.iterrows():
            assert f"{int(row['count']):,}" in words
        both = rows[rows.hemisphere == "both"].iloc[0]
        assert f"{both.volume_mm3:.3f}" in words
        assert "100" in words


def test_the_page_holds_the_run(run: RunFolder, page: tuple[str, Page]) -> None:
    words = " ".join(text for text, _ in page[1].texts)
    record = json.loads(run.record.read_text())
    for said in (
        f"{record['cells']['total']:,}",
        f"{record['cells']['in_atlas']:,}",
        f"{record['cells']['outside']:,}",
        "volumetric count 'a b' --out run",
        "1.2.3",
        "1 min 15 s",
        "1.5 MB",
        "2 GB",
        "cafe",
        "2.3.5",
        "brain7",
        "0.810",
        "not measured",
        "the outlines disagree with the template",
    ):
        assert said in words


def test_warnings_stand_above_the_numbers(page: tuple[str, Page]) -> None:
    text = page[0]
    assert text.index('class="verdict doubtful" role="alert"') < text.index('class="headline"')


def test_the_verdict_comes_first_and_names_three_reasons(tmp_path: Path) -> None:
    reasons = [doubt(f"reason {i}") for i in range(4)]
    note = doubt("the size beside the atlas", "good")
    text, _ = render(make_run(tmp_path / "bad", findings=[note, *reasons, doubt("no cells", "unusable")]))
    assert re.search(r'class="verdict unusable".*?<b>Unusable</b> do not believe these numbers', text, re.DOTALL)
    said = ("no cells", "reason 0", "reason 1", "2 more", "reason 2", "reason 3")
    order = [text.index(words) for words in said]
    assert order == sorted(order)
    assert text.index("the size beside the atlas") > text.index('id="registration"')
    text, _ = render(make_run(tmp_path / "good", findings=[note]))
    assert 'class="verdict good" role="status"' in text
    assert "nothing speaks against these numbers" in text


def test_pictures_have_a_text_and_a_size(page: tuple[str, Page]) -> None:
    images = [attributes for tag, attributes in page[1].tags if tag == "img"]
    assert len(images) == 3 + 2 + 6 + 2
    assert all(image["alt"] and int(image["width"] or 0) > 0 and int(image["height"] or 0) > 0 for image in images)


def test_the_same_run_gives_the_same_bytes(run: RunFolder, page: tuple[str, Page]) -> None:
    assert write_report(run).read_text(encoding="utf-8") == page[0]


def test_counts_are_not_marked_where_voxels_are_fine(page: tuple[str, Page]) -> None:
    assert "†" not in page[0]
    assert ("body", {}) in page[1].tags


def test_every_count_is_marked_where_voxels_are_too_coarse(tmp_path: Path) -> None:
    reason = "pixels of 40 um are too coarse for cells"
    run = make_run(tmp_path / "coarse", too_coarse=True, findings=[doubt(reason, "unusable")])
    text, page = render(run)
    assert ("body", {"class": "alarm"}) in page.tags
    assert any(reason in said for said, _ in page.texts)
    record = json.loads(run.record.read_text())
    table = pd.read_csv(run.regions)
    counts = {f"{int(n):,}" for n in [*record["cells"].values(), *table["count"]]}
    for said, around in page.texts:
        if said.strip() in counts:
            assert any("count" in c.split() for c in around), said
    spans = re.findall(r'<span class="count">([^<]*)(<sup>†</sup>)?</span>', text)
    assert len(spans) > 4 * len(REGIONS)
    assert all(mark or said.startswith("†") or said == "–" for said, mark in spans)


def test_hostile_names_are_only_text(tmp_path: Path) -> None:
    evil = '<script>alert("x")</script>'
    regions = [(1, "root", "root", None), (2, '"><img src=x>', evil, 1), (3, "b&b", "{{ 7 * 7 }}", 1)]
    run = make_run(
        tmp_path / "evil", regions=regions, channel='"><b onmouseover=x>', findings=[doubt(evil)], command=evil
    )
    text, page = render(run)
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert evil not in text
    assert not any("onmouseover" in attributes or attributes.get("src") == "x" for _, attributes in page.tags)
    said = " ".join(text for text, _ in page.texts)
    assert evil in said
    assert "{{ 7 * 7 }}" in said


def test_a_run_without_cells_has_a_page(tmp_path: Path) -> None:
    text, page = render(make_run(tmp_path / "none", cells=0))
    assert any("No cell was found" in said for said, _ in page.texts)
    assert any("No region holds a cell" in said for said, _ in page.texts)
    assert "nan" not in re.sub(r'data:image/[^"]*', "", text).lower().split()


def test_a_single_slice_has_a_page(tmp_path: Path) -> None:
    _, page = render(make_run(tmp_path / "thin", slices=1))
    assert [tag for tag, _ in page.tags].count("img") == 3 + 2 + 4 + 2  # only four crops fit one slice


def test_null_columns_are_shown_as_unknown(tmp_path: Path) -> None:
    run = make_run(tmp_path / "null")
    cells = pd.read_parquet(run.cells)
    cells[["score", "radius_um", "intensity", "background"]] = np.nan
    write_table(run.cells, ordered(cells))
    table = pd.read_csv(run.regions, keep_default_na=False)
    table = table[table.hemisphere == "both"].assign(coverage=None, density_per_mm3=None)
    table.to_csv(run.regions, index=False)
    _, page = render(run)
    assert page.rows["2"].split().count("–") == 4


def test_expected_counts_are_shown_once_there_are_some(tmp_path: Path) -> None:
    run = make_run(tmp_path / "calibrated")
    table = pd.read_csv(run.regions, keep_default_na=False)
    table[["expected", "expected_low", "expected_high"]] = [1234.0, 1100.0, 1300.0]
    table.to_csv(run.regions, index=False)
    _, page = render(run)
    assert {"1,234", "1,100", "1,300"} <= set(page.rows["2"].split())


def test_an_acronym_that_looks_null_stays(run: RunFolder) -> None:
    assert "NA" in set(open_run(run).regions.acronym)


@pytest.mark.parametrize("name", ["run.json", "cells.parquet", "regions.csv", "registration/quality.json"])
def test_an_unfinished_run_is_named(tmp_path: Path, name: str) -> None:
    run = make_run(tmp_path / "half", cells=10)
    (run.path / name).unlink()
    with pytest.raises(InputError, match=Path(name).name):
        write_report(run)
    assert not run.report.exists()
