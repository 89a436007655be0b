"""The same table by people is understood alike as a sheet of brains and as a design, whatever spreadsheet saved it."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from pipelines.cohort.brains import Brain
from pipelines.cohort.sheet import read_sheet
from pipelines.cohort.tables import design as design_of_sheet
from pipelines.cohort.tables import print_groups, write_tables
from pipelines.csv_file import read_csv
from pipelines.report.regions import read_regions
from pipelines.workspace import RunFolder
from tests.small_study import StudyPlan, write_study
from volumetric.errors import InputError
from volumetric.statistics.design import COLUMNS, Design, parse_design

DRESSES = {
    "plain": ("brain,source,group,age,batch", ",", "."),
    "excel in Europe": ("Brain;Source;Group;age;batch", ";", ","),
    "capitals, blanks, empty columns": (" BRAIN ,source, GROUP,age,batch,,", ",", "."),
    "tabs": ("brain\tsource\tgroup\tage\tbatch", "\t", ","),
}
CELLS = [("m1", "wt", "23.1", "b1"), ("m2", "wt", "24.5", "b2"), ("m3", "ko", "23.9", "b2"), ("m4", "ko", "25.0", "b1")]


def lines(dress: str, *, age: str = "") -> str:
    header, separator, point = DRESSES[dress]
    more = separator * (header.count(separator) - 4)
    rows = [
        separator.join((brain, f"raw/{brain}", group, (age if age and brain == "m3" else years).replace(".", point), b))
        for brain, group, years, b in CELLS
    ]
    return "\n".join([header, *(row + more for row in rows), separator * 4, ""])


def from_sheet(path: Path) -> list[Brain]:
    out = path.parent / "study"
    return [Brain(row, RunFolder(out / "runs" / row.brain), "new") for row in read_sheet(path)]


def both_ways(folder: Path, text: str) -> list[Design]:
    """By the sheet and the design that it gives, and as a design of its own."""
    sheet, out = folder / "brains.csv", folder / "study"
    sheet.write_bytes(text.encode("utf-8-sig"))
    out.mkdir()
    write_tables(from_sheet(sheet), out)
    table = read_csv(out / "design.csv", "design file", COLUMNS, text=COLUMNS)
    own = folder / "design.csv"
    own.write_bytes(text.replace("source", "path").replace("Source", "path").encode("utf-8-sig"))
    return [
        parse_design(table, out),
        parse_design(read_csv(own, "design file", COLUMNS, text=COLUMNS), folder),
    ]


@pytest.mark.parametrize("dress", DRESSES)
def test_sheet_and_design_are_understood_alike(tmp_path: Path, dress: str) -> None:
    for design in both_ways(tmp_path, lines(dress)):
        assert design.brains == ("m1", "m2", "m3", "m4")
        assert design.groups == ("wt", "wt", "ko", "ko")
        assert design.covariates == {"age": (23.1, 24.5, 23.9, 25.0), "batch": ("b1", "b2", "b2", "b1")}
        assert design.described() == [
            "groups: ko (2) against wt (2), the reference",
            "covariate age: a number, 23.1 to 25",
            "covariate batch: a category, b1 (2), b2 (2)",
        ]


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("mark", ["NA", "n/a", "-", "#N/A", "NaN"])
def test_a_missing_value_is_said_with_the_animal_and_is_no_category(tmp_path: Path, dress: str, mark: str) -> None:
    message = rf"column 'age' of the design is empty in line 4 \('{mark}'\), for 'm3': fill it in, or take the brain"
    with pytest.raises(InputError, match=message):
        both_ways(tmp_path, lines(dress, age=mark))
    said = io.StringIO()
    assert not print_groups(from_sheet(tmp_path / "brains.csv"), tmp_path, Console(file=said, width=300))
    assert "cannot be compared yet: the column 'age' of the design is empty in line 4" in said.getvalue()


def test_a_sheet_says_groups_and_covariates_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "brains.csv").write_text(lines("excel in Europe"))
    said = io.StringIO()
    assert print_groups(from_sheet(tmp_path / "brains.csv"), tmp_path, Console(file=said, width=300))
    assert said.getvalue().startswith("groups: ko (2) against wt (2), the reference\ncovariate age: a number")
    (tmp_path / "brains.csv").write_text("brain,source\nm1,raw\n")
    assert design_of_sheet(from_sheet(tmp_path / "brains.csv"), tmp_path) is None


@pytest.fixture(scope="module")
def regions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    design = write_study(tmp_path_factory.mktemp("study"), StudyPlan({"a": 1}, {}))
    return design.parent / "runs" / "a1" / "regions.csv"


@pytest.mark.parametrize("comma", [False, True])
@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_region_table_saved_again_is_the_same(regions: Path, tmp_path: Path, comma: bool, separator: str) -> None:
    whole = read_regions(regions)
    text = pd.read_csv(regions, dtype=str, keep_default_na=False)
    if comma:
        text = text.apply(lambda column: column if column.name == "name" else column.str.replace(".", ","))
    saved = tmp_path / "regions.csv"
    text.to_csv(saved, sep=separator, index=False, encoding="utf-8-sig", lineterminator="\r\n")
    saved.write_bytes(saved.read_bytes() + f"{separator * 3}\r\n".encode())
    pd.testing.assert_frame_equal(read_regions(saved), whole)


def test_a_region_table_whose_numbers_were_spoiled_is_refused(regions: Path, tmp_path: Path) -> None:
    saved = tmp_path / "regions.csv"
    text = pd.read_csv(regions, dtype=str, keep_default_na=False)
    text.assign(density_per_mm3=text["density_per_mm3"].str.replace(".", "")).to_csv(saved, index=False)
    with pytest.raises(
        InputError, match=r"is damaged: in line \d+, .* cells in .* put back the file that the run wrote"
    ):
        read_regions(saved)
    text.assign(count=text["count"].where(text.index != 7, "1. Feb")).to_csv(saved, index=False)
    with pytest.raises(InputError, match=r"is damaged: count is '1\. Feb' in line 9, where a number must be"):
        read_regions(saved)
