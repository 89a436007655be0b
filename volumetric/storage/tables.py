"""Tables on disk: Parquet for cells, in parts while work is under way, and CSV for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from volumetric.errors import InputError
from volumetric.storage.atomic import replacing


def write_table(path: Path, table: pd.DataFrame, metadata: Mapping[str, str] | None = None) -> None:
    """Write one Parquet file whole or not at all; `metadata` is kept in its schema."""
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    arrow = arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), **(metadata or {})})
    with replacing(path) as temporary:
        pq.write_table(arrow, temporary, compression="zstd")


def read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a Parquet file; raises `InputError` where it is missing or damaged."""
    if not path.is_file():
        raise InputError(f"there is no table at {path}")
    try:
        table: pd.DataFrame = pq.read_table(path, columns=columns).to_pandas()
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path} is not a readable Parquet table: {error}") from error
    return table


def table_metadata(path: Path) -> dict[str, str]:
    """The text metadata a table was written with."""
    found = pq.read_schema(path).metadata or {}
    return {key.decode(): value.decode() for key, value in found.items()}


def iterate_arrow(path: Path, rows: int, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The table in pieces of at most `rows` rows, in order, as Arrow; an empty table gives one empty piece.

    The next piece is read while one is used.
    """
    with pq.ParquetFile(path) as file, ThreadPoolExecutor(1, thread_name_prefix="table") as pool:
        if file.metadata.num_rows == 0:
            yield file.read(columns=columns)
        batches = file.iter_batches(batch_size=rows, columns=columns)
        ahead = pool.submit(next, batches, None)
        while (batch := ahead.result()) is not None:
            ahead = pool.submit(next, batches, None)
            yield pa.Table.from_batches([batch])


def iterate_table(path: Path, rows: int, columns: list[str] | None = None) -> Iterator[pd.DataFrame]:
    """The table in pieces of at most `rows` rows, in order; an empty table gives one empty piece."""
    return (piece.to_pandas() for piece in iterate_arrow(path, rows, columns))


def write_pieces(
    path: Path, pieces: Iterator[pd.DataFrame] | Iterator[pa.Table], metadata: Mapping[str, str] | None = None
) -> int:
    """Write pieces of one table, as they come, to a Parquet file that appears when the last is in; returns the rows.

    One piece is written while the next is made. Raises `InputError` where there is no piece at all: even an empty
    table needs its columns.
    """
    rows = 0
    writer: pq.ParquetWriter | None = None
    with replacing(path) as temporary, ThreadPoolExecutor(1, thread_name_prefix="table") as pool:
        writing: Future[None] | None = None
        try:
            for piece in pieces:
                arrow = piece if isinstance(piece, pa.Table) else pa.Table.from_pandas(piece, preserve_index=False)
                if writer is None:
                    schema = arrow.schema.with_metadata({**(arrow.schema.metadata or {}), **(metadata or {})})
                    texts = [field.name for field in schema if pa.types.is_string(field.type)]
                    writer = pq.ParquetWriter(temporary, schema, compression="zstd", use_dictionary=texts)
                if writing is not None:
                    writing.result()
                writing = pool.submit(writer.write_table, arrow.cast(writer.schema))
                rows += len(piece)
            if writing is not None:
                writing.result()
        finally:
            pool.shutdown()
            if writer is not None:
                writer.close()
        if writer is None:
            raise InputError(f"nothing to write to {path}: expected at least one piece with its columns")
    return rows


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a CSV file whole or not at all."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False)
