"""Tables as spreadsheets of different countries save them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.csv_file import read_csv
from volumetric.errors import InputError


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_the_separator_is_found(tmp_path: Path, separator: str, start: str) -> None:
    path = tmp_path / "design.csv"
    rows = [["brain", "group", "path"], ["one", "left, right", "runs/NA"]]
    quote = '"{}"' if separator == "," else "{}"
    text = "\n".join(separator.join(quote.format(cell) for cell in row) for row in rows)
    path.write_text(start + text, encoding="utf-8")
    table = read_csv(path, "design", ("brain", "group", "path"))
    assert table.to_dict("records") == [{"brain": "one", "group": "left, right", "path": "runs/NA"}]


@pytest.mark.parametrize("text", ["", "brain,group\n", "brain\none\n"])
def test_what_is_no_such_table_says_what_it_should_be(tmp_path: Path, text: str) -> None:
    path = tmp_path / "design.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="expected a CSV with the columns brain, group"):
        read_csv(path, "design", ("brain", "group"))


def test_a_comma_in_a_cell_without_quotes_is_not_a_column(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    path.write_text("brain,voxel_um\none,5,0.7,0.7\n", encoding="utf-8")
    with pytest.raises(InputError, match="more cells than its header names"):
        read_csv(path, "sheet", ("brain",))
