"""Tables as spreadsheets of different countries save them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.csv_file import FIRST_LINE, read_csv
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


ROWS = [["brain", "group", "path"], ["one", "wild type", "runs/1"], ["two", "left, right", "runs/NA"]]


def dressed(rows: list[list[str]], separator: str, end: str) -> str:
    """The table as a spreadsheet saves it, with quotes where they must be."""
    return end.join(separator.join(f'"{cell}"' if separator in cell else cell for cell in row) for row in rows) + end


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("dress", ["bare", "sep", "empty rows", "empty columns", "blanks", "capitals"])
def test_one_table_in_every_dress(tmp_path: Path, separator: str, end: str, encoding: str, dress: str) -> None:
    rows = [list(row) for row in ROWS]
    if dress == "empty rows":
        rows = [["", "", ""], rows[0], ["", "", ""], *rows[1:], ["", " ", ""], [""]]
    elif dress == "empty columns":
        rows = [[*row, "", " ", ""] for row in rows]
    elif dress == "blanks":
        rows = [[f" {cell} " if separator not in cell else cell for cell in row] for row in rows]
    elif dress == "capitals":
        rows[0] = ["Brain", "GROUP ", "Path"]
    text = f"sep={separator}{end}" * (dress == "sep") + dressed(rows, separator, end)
    path = tmp_path / "design.csv"
    path.write_bytes(text.encode(encoding))
    table = read_csv(path, "design", ("brain", "group", "path"), text=("brain", "group", "path"))
    assert [list(table.columns), *table.to_numpy().tolist()] == ROWS


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "design.csv"
    path.write_text("sep=;\n\nbrain;age\n\none;1\n;\ntwo;2\n", encoding="utf-8")
    table = read_csv(path, "design", ("brain",))
    assert (table.index + FIRST_LINE).tolist() == [5, 7]


def test_decimal_commas_are_numbers_with_points(tmp_path: Path) -> None:
    path = tmp_path / "design.csv"
    path.write_text("brain;age;dose\n1,5;23,1;1.024,5\n2,5;24;NA\n", encoding="utf-8")
    table = read_csv(path, "design", ("brain",), text=("brain",))
    assert table.to_dict("list") == {"brain": ["1,5", "2,5"], "age": ["23.1", "24"], "dose": ["1024.5", "NA"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04rest", "is a workbook, not a CSV"),
        (b"\xd0\xcf\x11\xe0rest", "is a workbook, not a CSV"),
        ("brain,group\nM\u00fcller,a\n".encode("latin-1"), r"its letters are not in UTF-8 \(line 2\)"),
        (b'brain,group\n"one,a\ntwo,b\n', "quotation mark"),
        (b"brain,group,Group\none,a,b\n", "the column `group` stands there twice"),
        (b"brain,,group\none,x,a\n", "a column has no name"),
        (b"brain,group\none;a\n", "commas between the cells of its header and semicolons in line 2"),
        (b'"brain,group"\n"one,a"\n', "take those around whole lines away"),
        (b"brain,grup\none,a\n", "is it the column 'grup'"),
        (b'brain,group,age\none,a,"1,234"\n', "may be a decimal or thousands"),
        (b"brain,group\n,\n", "lists no row"),
    ],
)
def test_what_is_not_clear_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "design.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_csv(path, "design", ("brain", "group"))
