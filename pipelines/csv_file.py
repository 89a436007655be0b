"""Tables that people write: CSV with commas, semicolons or tabs, as spreadsheets of different countries save it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from volumetric.errors import InputError

SEPARATORS = (",", ";", "\t")


def read_csv(path: Path, what: str, columns: tuple[str, ...]) -> pd.DataFrame:
    """Every cell as text; the separator is the one that the first line has most of.

    Args:
        path: the file, UTF-8.
        what: it is, for messages: "design", "file of landmarks".
        columns: it must have.

    Raises `InputError` for a file that is missing, no such table, without rows or without one of the columns, and for
    lines that have more cells than the header.
    """
    expected = "expected a CSV" + (f" with the columns {', '.join(columns)}" if columns else "")
    if not path.is_file():
        raise InputError(f"there is no {what} at {path}: {expected}")
    try:
        with path.open(encoding="utf-8-sig") as file:
            first = file.readline()
        table = pd.read_csv(
            path,
            sep=max(SEPARATORS, key=first.count),
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
            encoding="utf-8-sig",
        )
    except pd.errors.EmptyDataError as error:
        raise InputError(f"the {what} {path} is empty: {expected}") from error
    except (UnicodeDecodeError, pd.errors.ParserError) as error:
        raise InputError(f"the {what} {path} cannot be read as CSV (UTF-8): {error}") from error
    if not isinstance(table.index, pd.RangeIndex):
        raise InputError(
            f"the {what} {path} has lines with more cells than its header names: put a cell that holds a comma into "
            "quotes, and give every column a name"
        )
    missing = [name for name in columns if name not in table]
    if missing or table.empty:
        raise InputError(f"the {what} {path} lacks {', '.join(missing) if missing else 'rows'}: {expected}")
    return table
