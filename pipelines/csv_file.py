"""Tables that people write: CSV as spreadsheets of different countries save it. One reader, one behaviour.

Commas, semicolons or tabs separate the cells; `sep=;` in front is heeded. UTF-8, or UTF-16 with its mark; any line
endings. Blanks around cells, empty rows, and empty columns without a name mean nothing. Names of columns that are asked
for may have capitals, blanks and dashes. Numbers with decimal commas come out with points.
"""

from __future__ import annotations

import codecs
import difflib
import io
import re
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from volumetric.errors import InputError
from volumetric.storage.handwritten import UnclearNumbersError, with_points

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}

FIRST_LINE = 2
"""Line of the row with the index 0: the header is line 1."""

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b"))
_SAVE = "In Excel: File, Save As, `CSV UTF-8`"


def read_csv(
    path: Path,
    what: str,
    columns: Sequence[str],
    *,
    known: Collection[str] = (),
    text: Collection[str] = (),
    row: str = "row",
) -> pd.DataFrame:
    """Every cell as text without blanks around it; the line of a row in the file is its index + `FIRST_LINE`.

    Args:
        path: the file.
        what: it is, for messages: "design file", "file of landmarks".
        columns: it must have.
        known: further columns whose names are as good with capitals, blanks or dashes.
        text: columns that are not numbers even if they look like it, such as names.
        row: what a row is, for messages: "brain".

    Raises `InputError` for a file that is missing, no such table, without rows or without one of the columns; for names
    of columns that are missing or doubled, lines with more cells than the header, and numbers that are not clear.
    """
    expected = "expected a CSV" + (f" with the columns {', '.join(columns)}" if columns else "")
    if not path.is_file():
        raise InputError(f"there is no {what} at {path}: {expected}")
    name = f"the {what} {path}"
    content = _decoded(path.read_bytes(), name)
    if not content.strip(" ,;\t\n"):
        raise InputError(f"{name} is empty: {expected}")
    lines = content.split("\n")
    hint = re.fullmatch(r'"?sep=(.)"?', lines[0].strip(" "), re.IGNORECASE)
    skipped = int(hint is not None)
    while not lines[skipped].strip(" ,;\t"):
        skipped += 1
    separator = hint[1] if hint else _separator(lines[skipped], {*columns, *known})
    cells = _cells("\n".join(lines[skipped:]), separator, name)
    cells.index += skipped - 1
    header, body = [str(cell) for cell in cells.iloc[0]], cells.iloc[1:]
    _refuse_other_separators(header, body, separator, name)
    table = _named(header, body, (*columns, *known), separator, name)
    missing = [column for column in columns if column not in table]
    if missing:
        lacking = ", ".join(_lacking(column, list(table.columns)) for column in missing)
        raise InputError(
            f"{name} lacks {lacking}: {expected}, got {', '.join(table.columns)}{_glued(header, separator)}"
        )
    if table.empty:
        raise InputError(f"{name} lacks rows, it lists no {row}: {expected}")
    for column in table.columns.difference([*text]):
        if table[column].str.contains(r"[,'\u2019\u2212\s]", regex=True).any():
            try:
                table[column] = with_points(list(table[column]), comma_separates=separator == ",")
            except UnclearNumbersError as error:
                raise InputError(f"the column {column!r} of {name} {error}") from error
    return table


def plain(name: str) -> str:
    """The name of a column without capitals, blanks and dashes: `Register-on ` is `register_on`."""
    return re.sub(r"[\s_-]+", "_", name.strip()).casefold()


def _decoded(raw: bytes, name: str) -> str:
    """Its text with line feeds alone, without invisible marks, wherever files were joined."""
    if raw.startswith(_WORKBOOKS):
        raise InputError(f"{name} is a workbook, not a CSV, whatever its name: save it as CSV. {_SAVE}")
    encoding = next((encoding for mark, encoding in _MARKS if raw.startswith(mark)), "utf-8")
    try:
        content = raw.decode(encoding)
    except UnicodeDecodeError as error:
        place = "" if encoding == "utf-16" else f" (line {raw[: error.start].count(bytes([10])) + 1})"
        raise InputError(
            f"{name} cannot be read as CSV: its letters are not in UTF-8{place}, and names would be garbled. "
            f"Save it as CSV in UTF-8. {_SAVE}"
        ) from error
    if "\0" in content:
        raise InputError(f"{name} cannot be read as CSV: it holds what is no text. Save it as CSV in UTF-8. {_SAVE}")
    return content.translate(_INVISIBLE).replace("\r\n", "\n").replace("\r", "\n")


def _separator(header: str, wanted: set[str]) -> str:
    """The one that gives most of the columns that are known, then most columns."""
    bare = re.sub(r'"[^"]*"', lambda quoted: re.sub(r"[,;\t]", " ", quoted[0]), header)

    def found(separator: str) -> tuple[int, int]:
        names = {plain(cell.strip(' "')) for cell in bare.split(separator)}
        return len(names & wanted), len(bare.split(separator))

    return max(SEPARATORS, key=found)


def _cells(content: str, separator: str, name: str) -> pd.DataFrame:
    """All cells, of the header too, with as many columns as the longest line."""
    unquoted = re.sub('"[^"]*"', "", content)  # a cell in quotes may hold separators and lines
    width = max(line.count(separator) for text in (content, unquoted) for line in text.split("\n")) + 1
    try:
        cells = pd.read_csv(
            io.StringIO(content),
            sep=separator,
            header=None,
            names=range(width),
            dtype=str,
            keep_default_na=False,
            skipinitialspace=separator != "\t",
            skip_blank_lines=False,
        )
    except pd.errors.ParserError as error:
        raise InputError(
            f'{name} cannot be read as CSV: {error}. Look for a quotation mark (") that is not closed'
        ) from error
    return pd.DataFrame({name: column.fillna("").str.strip() for name, column in cells.items()})


def _named(header: list[str], body: pd.DataFrame, known: Collection[str], separator: str, name: str) -> pd.DataFrame:
    """Rows that say something, by columns that have names."""
    filled: npt.NDArray[np.bool_] = (body != "").to_numpy()
    last = max((i for i, cell in enumerate(header) if cell), default=-1)
    beyond = np.flatnonzero(filled[:, last + 1 :].any(axis=1))
    if len(beyond):
        raise InputError(
            f"{name} has lines with more cells than its header names, the first in line "
            f"{int(body.index[beyond[0]]) + FIRST_LINE}: put a cell that holds {_one(separator)} into quotes, "
            "and give every column a name (a column has no name)"
        )
    kept = [i for i, cell in enumerate(header) if cell or filled[:, i].any()]
    spelled = {plain(column): column for column in known}
    names = [spelled.get(plain(header[i]), re.sub(r"\s+", " ", header[i])) for i in kept]
    wrong = ["a column has no name"] * ("" in names)
    spellings: dict[str, list[str]] = {}
    for column in filter(None, names):
        spellings.setdefault(plain(column), []).append(column)
    for same in spellings.values():
        if len(same) > 1:
            written = f" as {', '.join(map(repr, same))}" if len(set(same)) > 1 else ""
            wrong.append(f"the column `{same[0]}` stands there twice{written}")
    if wrong:
        raise InputError(f"the header of {name} is not clear: {'; '.join(wrong)}")
    table = body.iloc[np.flatnonzero(filled.any(axis=1)), kept]
    table.columns = pd.Index(names)
    return table


def _refuse_other_separators(header: list[str], body: pd.DataFrame, separator: str, name: str) -> None:
    """Raise where a row is one cell because it has other separators than the header."""
    columns = sum(cell != "" for cell in header)
    alone = (body != "").sum(axis=1) == 1
    for other in SEPARATORS.keys() - {separator}:
        rows = body.index[alone & (body[0].str.count(other) + 1 >= max(columns, 2))]
        if len(rows):
            raise InputError(
                f"{name} has {SEPARATORS.get(separator, separator)} between the cells of its header and "
                f"{SEPARATORS[other]} in line {rows[0] + FIRST_LINE}: separate all lines alike"
            )


def _glued(header: list[str], separator: str) -> str:
    """What is said where names of columns hang together, by another separator or in quotes."""
    if sum(cell != "" for cell in header) == 1 and any(mark in header[0] for mark in SEPARATORS):
        return ". The header is one cell in quotation marks: take those around whole lines away"
    for other, called in SEPARATORS.items():
        if other != separator and any(other in cell for cell in header):
            return f". Its header has {called} too: separate all columns alike"
    return ""


def _lacking(column: str, names: list[str]) -> str:
    alike = difflib.get_close_matches(column, [plain(name) for name in names], n=1, cutoff=0.6)
    meant = next((name for name in names if alike and plain(name) == alike[0]), None)
    return f"{column} (is it the column {meant!r}? Name it {column!r})" if meant else column


def _one(separator: str) -> str:
    return f"a {SEPARATORS[separator].removesuffix('s')}" if separator in SEPARATORS else repr(separator)
